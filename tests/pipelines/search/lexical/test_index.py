"""The words of a collection: they follow it, last with it, and say the same however many texts there are."""

import numpy as np
import pytest

from interlingua.index import Collection, CollectionStore
from interlingua.pipelines.search.lexical import index as module
from interlingua.pipelines.search.lexical.index import LexicalIndex
from interlingua.pipelines.search.lexical.lexicon import WordLexicon

_SAID = ["red wine", "white wine", "a red house", "rotes Haus", "der Wein", "ein Haus am See", "人人生而自由", "水"]
_SPOKEN = ["en", "en", "en", "de", "de", "de", "zh", "zh"]


def _read(row):
    return row["text"], row["language"]


def _collection(said=_SAID, spoken=_SPOKEN):
    made = Collection.create(2)
    rows = [{"text": text, "language": language} for text, language in zip(said, spoken, strict=True)]
    made.add([f"t{number}" for number in range(len(rows))], np.ones((len(rows), 2)), rows)
    return made


def _index(collection, lexicon=None):
    made = LexicalIndex(lexicon)
    made.follow(collection, _read)
    return made


def _found(index, collection, question, **asked):
    scores = index.scores(question, **asked)
    if scores is None:
        return {}
    z = scores.of(collection.numbers)
    return {id: round(float(each), 5) for id, each in zip(collection.ids, z) if each > 0}


def test_each_language_has_its_best_text_first_and_unknown_words_say_nothing():
    collection = _collection()
    index = _index(collection)
    found = _found(index, collection, "red wine")
    assert max(found, key=found.get) == "t0"
    assert set(_found(index, collection, "自由")) == {"t6"}
    assert set(_found(index, collection, "haus")) == {"t3", "t5"}
    assert index.scores("qqqq") is None
    assert index.scores("") is None
    assert set(_found(index, collection, "wine", among=["de"])) <= {"t4"}


@pytest.mark.parametrize("few", [0, 2048])
def test_it_follows_every_change_of_its_collection(monkeypatch, few):
    monkeypatch.setattr(module, "_FEW", few)
    collection = _collection()
    index = _index(collection)
    collection.add(["new"], np.ones((1, 2)), [{"text": "green wine", "language": "en"}])
    collection.upsert(["t0"], np.ones((1, 2)), [{"text": "blaues Meer", "language": "de"}])
    collection.add(["fr"], np.ones((1, 2)), [{"text": "vin vert", "language": "fr"}])
    collection.remove(["t7", "t6"])
    index.follow(collection, _read)
    assert len(index) == len(collection)
    assert set(_found(index, collection, "green")) == {"new"}
    assert set(_found(index, collection, "blaues")) == {"t0"}
    assert set(_found(index, collection, "vert")) == {"fr"}
    assert index.scores("水") is None
    anew = _index(collection)
    for question in ("wine", "Haus", "Meer"):
        mine, theirs = (_found(each, collection, question) for each in (index, anew))
        assert list(mine) == list(theirs)
        if few:
            assert mine == theirs


def test_it_lasts_in_the_folder_with_what_the_journal_has_added(tmp_path):
    collection = _collection()
    lexicon = WordLexicon.learned([{"en": "red house", "de": "rotes Haus"}, {"en": "house", "de": "Haus"}])
    collection.attachments = LexicalIndex(lexicon).attachments(collection, _read)
    with CollectionStore.create(tmp_path / "folder", collection) as store:
        store.add(["new"], np.ones((1, 2)), [{"text": "green wine", "language": "en"}])
        store.remove(["t1"])
    loaded = Collection.load(tmp_path / "folder")
    index = LexicalIndex.restored(loaded.attachments, tmp_path)
    index.follow(loaded, _read)
    anew = _index(loaded, lexicon)
    for question in ("green wine", "house", "自由", "white"):
        assert _found(index, loaded, question, asked_in="en") == _found(anew, loaded, question, asked_in="en")
    assert "t3" in _found(index, loaded, "house", asked_in="en")
    assert LexicalIndex.restored({}, tmp_path) is None


def test_words_of_a_later_version_are_refused():
    with pytest.raises(ValueError, match="version 2, and this interlingua reads 1"):
        LexicalIndex.restored({"lexical.json": b'{"version": 2, "languages": []}'}, "F")


def test_z_has_one_bound_however_many_texts_there_are():
    rng = np.random.default_rng(0)
    highest = []
    for n in (1, 40, 3000):
        said = [" ".join(f"word{each}" for each in rng.integers(0, 400, 12)) for _ in range(n)]
        collection = _collection([*said, "a zebra"], ["en"] * (n + 1))
        scores = _index(collection).scores("zebra")
        highest.append(float(scores.z.max()))
        assert collection.ids[int(scores.of(collection.numbers).argmax())] == f"t{n}"
    assert highest == pytest.approx([4.0, 4.0, 4.0])


def test_a_text_that_holds_little_of_a_question_is_doubted():
    said = ["zebra crossing"] + [f"text number {each} of many" for each in range(60)]
    index = _index(_collection(said, ["en"] * 61))
    sure = index.scores("zebra crossing").z.max()
    doubtful = index.scores("zebra and eleven other quite unknown animals nobody mentions").z.max()
    assert doubtful < sure / 1.5


def test_the_lexicon_asks_texts_of_other_languages():
    collection = _collection()
    lexicon = WordLexicon.learned([{"en": "white wine", "de": "weißer Wein"}, {"en": "red wine", "de": "roter Wein"}])
    plain, knowing = _index(collection), _index(collection, lexicon)
    assert "t4" in _found(knowing, collection, "wine", asked_in="en")
    assert _found(knowing, collection, "wine") == _found(plain, collection, "wine")


def test_best_gives_rows_that_are_allowed():
    collection = _collection()
    scores = _index(collection).scores("wine house")
    best = scores.best(10).tolist()
    assert best[0] in (0, 1, 2)
    assert scores.best(10, np.array([best[1], 99])).tolist() == [best[1]]
    assert scores.of(np.array([12345])).tolist() == [0.0]


def test_best_gives_all_rows_of_a_text_but_those_that_are_gone():
    said = ["zebra crossing", "wine", "zebra crossing", "house", "zebra crossing", "zebra house and garden"]
    collection = _collection(said, ["en"] * len(said))
    index = _index(collection)
    assert index.scores("zebra crossing").best(9).tolist() == [0, 2, 4, 5]
    assert index.scores("zebra crossing").best(2).tolist() == [0, 2]
    collection.remove([collection.ids[2]])
    index.follow(collection, _read)
    scores = index.scores("zebra crossing")
    assert scores.best(9).tolist() == [0, 4, 5]
    assert (scores.of(np.array([0, 2, 4])) > 0).tolist() == [True, False, True]
