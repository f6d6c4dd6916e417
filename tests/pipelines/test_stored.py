"""What every folder that knows its encoder keeps: its answers, its encoder, every byte, and every writer's change."""

import json
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from interlingua.align import Embeddings
from interlingua.index import Collection, CorruptCollectionError, LockedError
from interlingua.index.folder import WriterLock
from interlingua.pipelines import (
    CrossLingualClassifier,
    CrossLingualSearch,
    Passage,
    QuestionAnswerer,
    TranslationMemory,
    load_encoder,
)
from interlingua.pipelines.link import Entity, EntityIndex
from interlingua.pipelines.search.shards import build_index
from interlingua.pipelines.stored import changing, kind_of
from interlingua.pipelines.texts.pairs import Pair

ENGLISH = ("sun", "moon", "star", "cat", "dog", "house", "water", "fire", "tree", "bread", "milk", "stone")
FRENCH = ("soleil", "lune", "étoile", "chat", "chien", "maison", "eau", "feu", "arbre", "pain", "lait", "pierre")
QUESTIONS = ["sun moon", "chat"]


def word_file(path, seed):
    rng = np.random.default_rng(seed)
    concepts = rng.normal(size=(len(ENGLISH), 8))
    vectors = np.concatenate([concepts, concepts + 0.3 * rng.normal(size=concepts.shape) + 0.2]).astype(np.float32)
    Embeddings((*ENGLISH, *FRENCH), vectors).write(path)


def passages():
    return [
        Passage(f"{language}{n}", f"{words[n]} {words[n - 1]}", language)
        for language, words in (("en", ENGLISH), ("fr", FRENCH))
        for n in range(len(words))
    ]


def pairs():
    return [Pair(one, other, "en", "fr") for one, other in zip(ENGLISH, FRENCH, strict=True)]


def search(**options):
    return CrossLingualSearch.build(passages(), neighborhood=3, **options)


def shards(**options):
    return SimpleNamespace(save=lambda folder: _build_shards(folder, **options))


def _build_shards(folder, encoder_name):
    lines = [{"id": each.id, "text": each.text, "language": each.language} for each in passages()]
    source = folder.parent / "passages.jsonl"
    source.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    build_index([source], folder, encoder_name=encoder_name, neighborhood=3)


def memory(**options):
    return TranslationMemory.build(pairs(), **options)


def answers(**options):
    return QuestionAnswerer.build(passages(), split=False, **options)


def entities(**options):
    return EntityIndex.build([Entity(word, {"en": word, "fr": word}) for word in ENGLISH], calibrate=False, **options)


def classifier(*, encoder_name):
    pytest.importorskip("sklearn")
    made = CrossLingualClassifier(encoder_name)
    texts = [f"{one} {other}" for one in ENGLISH for other in ENGLISH]
    labels = ["sky" if text.split()[0] in ENGLISH[:3] else "ground" for text in texts]
    unlabelled = {"fr": [each.text for each in passages() if each.language == "fr"]}
    return made.fit(texts, labels, language="en", unlabelled=unlabelled)


def of_search(found):
    return [[(hit.id, round(hit.score, 5)) for hit in hits] for hits in found.search(QUESTIONS, 3)]


def of_memory(found):
    return [[(hit.translation, round(hit.cosine, 5)) for hit in hits] for hits in found.search(QUESTIONS, 3)]


def of_answers(found):
    return [(each.sentence, round(each.score, 5)) for each in found.answer(QUESTIONS, precision=None)]


def of_entities(found):
    return [[(each.entity.id, round(each.score, 5)) for each in best] for best in found.link(QUESTIONS, k=3)]


def of_classifier(found):
    return found.predict_proba(["chat soleil", "pierre"], language="fr").round(5).tolist()


KINDS = {
    "search": (search, CrossLingualSearch, of_search),
    "shards": (shards, CrossLingualSearch, of_search),
    "memory": (memory, TranslationMemory, of_memory),
    "answers": (answers, QuestionAnswerer, of_answers),
    "entities": (entities, EntityIndex, of_entities),
    "classifier": (classifier, CrossLingualClassifier, of_classifier),
}


@pytest.fixture
def words(tmp_path, monkeypatch):
    """A file of word vectors, called by a name that means nothing in another working folder."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    word_file(tmp_path / "work" / "both.vec", 0)
    word_file(tmp_path / "other.vec", 1)
    return "both.vec"


@pytest.fixture(params=KINDS)
def kept(request, words, tmp_path):
    """A saved folder of each kind."""
    make, cls, ask = KINDS[request.param]
    made = make(encoder_name=words)
    made.save(tmp_path / "kept")
    wanted = None if request.param == "shards" else ask(made)
    return SimpleNamespace(kind=request.param, folder=tmp_path / "kept", cls=cls, ask=ask, wanted=wanted)


def test_a_folder_answers_as_what_was_saved_and_finds_its_encoder_from_anywhere(kept, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    loaded = kept.cls.load(kept.folder)
    found = kept.ask(loaded)
    assert kept.wanted in (None, found)
    assert kind_of(kept.folder) == kept.kind.replace("shards", "search")
    if kept.kind != "shards":
        loaded.save(tmp_path / "again")
        assert kept.ask(kept.cls.load(tmp_path / "again")) == found


def test_the_encoder_may_be_named_or_given(kept, tmp_path):
    found = kept.ask(kept.cls.load(kept.folder, tmp_path / "work" / "both.vec"))
    assert kept.ask(kept.cls.load(kept.folder, load_encoder("both.vec"))) == found


def test_an_encoder_that_has_moved_is_found_where_it_is_named_and_from_then_on(kept, tmp_path):
    shutil.move("both.vec", tmp_path / "moved.vec")
    with pytest.raises(FileNotFoundError, match=r"both\.vec, which is not there now .*name it where it is now"):
        kept.cls.load(kept.folder)
    loaded = kept.cls.load(kept.folder, tmp_path / "moved.vec")
    loaded.save(tmp_path / "again")
    assert kept.ask(kept.cls.load(tmp_path / "again")) == kept.ask(loaded)


def test_another_encoder_is_refused_in_words_that_can_be_typed(kept, tmp_path):
    other = tmp_path / "other.vec"
    for named in (other, str(other), load_encoder(other)):
        with pytest.raises(
            ValueError, match=r"vectors of '.*/both\.vec', but the encoder is '.*/other\.vec'; name none"
        ):
            kept.cls.load(kept.folder, named)
    word_file(tmp_path / "work" / "both.vec", 2)
    with pytest.raises(ValueError, match=r"both\.vec' as it was then, which is another encoder now"):
        kept.cls.load(kept.folder)


def test_an_encoder_without_a_name_must_be_given_again(kept, words, fake_encoder, tmp_path):
    if kept.kind in ("search", "memory", "answers"):
        make, cls, _ = KINDS[kept.kind]
        made = make(encoder=fake_encoder)
        made.save(tmp_path / "unnamed")
        with pytest.raises(ValueError, match="no name; give the same encoder again"):
            cls.load(tmp_path / "unnamed")
        assert cls.load(tmp_path / "unnamed", fake_encoder) is not None


def test_a_changed_and_a_cut_file_are_refused_by_name(kept, tmp_path):
    for path in sorted(each for each in kept.folder.rglob("*") if each.is_file()):
        content = path.read_bytes()
        middle = len(content) // 2
        flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        for damaged in (flipped, content[:-1]):
            path.write_bytes(damaged)
            with pytest.raises(CorruptCollectionError, match=path.name):
                kept.cls.load(kept.folder)
        path.write_bytes(content)
    kept.cls.load(kept.folder)


def test_a_folder_of_another_kind_and_other_folders_are_refused(kept, tmp_path):
    for _, cls, _ in KINDS.values():
        if cls is not kept.cls:
            with pytest.raises(ValueError, match=r"kept holds .*, but no .*; `interlingua .*` writes (one|them)"):
                cls.load(kept.folder)
        with pytest.raises(FileNotFoundError, match="is no folder"):
            cls.load(tmp_path / "nowhere")
        with pytest.raises(ValueError, match=r"holds no .*; `interlingua .*` writes (one|them)"):
            cls.load(tmp_path / "work")
    collection = Collection.create(2)
    collection.add(["a"], [[1.0, 0.0]])
    collection.save(tmp_path / "plain")
    with pytest.raises(ValueError, match="plain holds no"):
        kept.cls.load(tmp_path / "plain")
    if kept.kind != "shards":
        with pytest.raises(FileExistsError, match=r"both\.vec"):
            kept.cls.load(kept.folder).save(tmp_path / "work")


def test_an_older_layout_is_read_and_replaced(words, tmp_path):
    made = answers(encoder_name=words)
    made.search.save(tmp_path / "kept" / "sentences")
    rows = [{"id": each.id, "text": each.text, "language": each.language} for each in made.passages.values()]
    (tmp_path / "kept" / "passages.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "kept" / "answers.json").write_text(json.dumps({"format": 1, "calibration": None, "reader": None}))
    assert kind_of(tmp_path / "kept") == "answers"
    loaded = QuestionAnswerer.load(tmp_path / "kept")
    assert of_answers(loaded) == of_answers(made)
    loaded.save(tmp_path / "kept")
    assert not (tmp_path / "kept" / "answers.json").exists()
    assert of_answers(QuestionAnswerer.load(tmp_path / "kept")) == of_answers(made)


def test_an_older_classifier_is_read_and_replaced(words, tmp_path):
    made = classifier(encoder_name=words)
    made.save(tmp_path / "new")
    about = json.loads((tmp_path / "new" / "manifest.json").read_text())["settings"]
    about.pop("encoder_name")
    folder = tmp_path / "kept"
    folder.mkdir()
    for name in ("classifier.safetensors", "space.safetensors"):
        (stored,) = (tmp_path / "new").glob(name.replace(".", ".*."))
        shutil.copy(stored, folder / name)
    (folder / "cross_lingual_classifier.json").write_text(json.dumps(about))
    with pytest.raises(ValueError, match="no name"):
        CrossLingualClassifier.load(folder)
    loaded = CrossLingualClassifier.load(folder, words)
    assert of_classifier(loaded) == of_classifier(made)
    loaded.save(folder)
    assert of_classifier(CrossLingualClassifier.load(folder)) == of_classifier(made)


_ADD = """
import sys
from interlingua.pipelines import CrossLingualSearch, Passage
from interlingua.pipelines.stored import changing
folder, id = sys.argv[1:]
print("waiting", flush=True)
with changing(folder):
    search = CrossLingualSearch.load(folder)
    print("loaded", flush=True)
    sys.stdin.readline()
    search.upsert([Passage(id, "cat dog", "en")])
    search.save(folder)
"""


def test_two_processes_that_load_change_and_save_lose_no_change(words, tmp_path):
    search(encoder_name=words).save(tmp_path / "kept")

    def start(id):
        arguments = [sys.executable, "-c", _ADD, str(tmp_path / "kept"), id]
        return subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    first = start("one")
    assert [first.stdout.readline() for _ in range(2)] == ["waiting\n", "loaded\n"]
    second = start("two")
    assert second.stdout.readline() == "waiting\n"
    for each in (first, second):
        each.communicate("go\n", timeout=60)
        assert each.returncode == 0
    assert {"one", "two"} <= set(CrossLingualSearch.load(tmp_path / "kept").collection.ids)


def test_a_folder_that_is_being_changed_is_refused_to_other_writers_but_read(words, tmp_path):
    made = search(encoder_name=words)
    made.save(tmp_path / "kept")
    lock = WriterLock(tmp_path / "kept")
    with pytest.raises(LockedError), changing(tmp_path / "kept", patience=0):
        pass
    with pytest.raises(LockedError):
        made.save(tmp_path / "kept")
    assert of_search(CrossLingualSearch.load(tmp_path / "kept")) == of_search(made)
    lock.close()
    with changing(tmp_path / "kept"):
        made.save(tmp_path / "kept")
    made.save(tmp_path / "kept")


def test_the_command_answer_keeps_a_folder_that_it_answers_from(cli, words, tmp_path, monkeypatch):
    lines = [{"id": each.id, "text": each.text, "language": each.language} for each in passages()]
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    folder = tmp_path / "kept"
    assert cli("answer", tmp_path / "p.jsonl", "--whole", "--encoder", words, "-o", folder).code == 0
    monkeypatch.chdir(tmp_path)
    found = cli("answer", folder, "soleil", "--json")
    assert found.result[0]["answers"][0]["sentence"]
    refused = cli("answer", folder, "soleil", "--encoder", "other.vec")
    assert refused.code == 1
    assert "both.vec" in refused.err
    assert "other.vec" in refused.err
