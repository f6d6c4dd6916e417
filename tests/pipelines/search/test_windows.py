"""A passage beyond its encoder's limit is found by any part of it."""

import json
import shutil
from dataclasses import dataclass, replace

import numpy as np
import pytest

from interlingua.index import parse_filter
from interlingua.pipelines import CrossLingualSearch, Passage
from interlingua.pipelines.encoders.limits import TextsCutWarning, text_windows, warn_of_cuts
from interlingua.pipelines.search.lexical.index import LexicalIndex
from interlingua.pipelines.search.live import SearchStore

LIMIT = 24


@dataclass(frozen=True)
class ShortSighted:
    """An encoder that reads the first 24 words, of them one or two the prompt."""

    encoder: object

    def __getattr__(self, name):
        return getattr(self.encoder, name)

    def encode(self, texts, *, role="symmetric", progress=False):
        warn_of_cuts(self.cut(texts, role))
        prompt = self.prompts[role]
        read = [" ".join((prompt + text).split()[:LIMIT]).removeprefix(prompt) for text in texts]
        return self.encoder.encode(read, role=role)

    def cut(self, texts, role):
        return np.array([LIMIT * (len((self.prompts[role] + text).split()) > LIMIT) for text in texts])

    def token_spans(self, texts):
        spans = []
        for text in texts:
            places, at = [], 0
            for word in text.split():
                start = text.index(word, at)
                at = start + len(word)
                places.append((start, at))
            spans.append(np.array(places, np.int64).reshape(-1, 2))
        return spans


@pytest.fixture
def encoder(fake_encoder):
    return ShortSighted(fake_encoder)


def joined(passages, count=15):
    """The fifteen passages of each language in one, and its last topic, which stands beyond the limit."""
    found = []
    for language in ("en", "sw", "zh"):
        own = [each for each in passages if each.language == language]
        text = " ".join(each.text + f" filler{number}.{language}" * 2 for number, each in enumerate(own[:count]))
        found.append(Passage(f"{language}-all", text, language, {"odd": 1}))
    return found


@pytest.fixture
def books(passages):
    return [*joined(passages), *(each for each in passages if each.metadata["topic"] in ("sun", "moon"))]


def test_without_windows_the_rest_is_not_found_and_it_is_said(books, encoder):
    with pytest.warns(TextsCutWarning, match=r"^3 of 9 texts \(en: 1, sw: 1, zh: 1\) are longer than the 24 tokens"):
        search = CrossLingualSearch.build(books, encoder, space=None)
    (hits,) = search.search(["gold.sw snow.sw"], 1, languages=["sw"])
    assert hits[0].window is None
    assert hits[0].id != "sw-all" or hits[0].cosine < 0.9


@pytest.mark.parametrize("kind", ["flat", "hnsw"])
def test_the_best_window_of_a_passage_counts_and_is_said(books, encoder, kind):
    search = CrossLingualSearch.build(books, encoder, space=None, kind=kind, windows=True, lexical=False)
    for topic in ("gold", "bread", "sea"):
        (hits,) = search.search([f"{topic}.sw"], 3, languages=["sw"])
        (found,) = (hit for hit in hits if hit.id == "sw-all")
        start, end = found.window
        assert topic != "gold" or "gold.sw" in found.text[start:end]
        assert found.text == books[1].text  # whole, whichever window was found
        assert found.metadata == {"odd": 1}
        parts = [each for each in search.collection.ids if each.split("\x1f")[0] == "sw-all"]
        asked = search.map_questions([f"{topic}.sw"])[0][0]
        assert found.cosine == pytest.approx((search.vectors(parts) @ asked).max(), abs=1e-6)
    assert len(search) == len(books)
    assert search.languages == {"en": 3, "sw": 3, "zh": 3}
    assert len(search.collection) > len(books)


def test_every_passage_comes_once_however_many_windows_it_has(books, encoder):
    search = CrossLingualSearch.build(books, encoder, windows=True)
    for options in ({}, {"balance": True}, {"where": {"odd": 1}}):
        (hits,) = search.search(["noisesw3.sw"], 9, **options)
        assert len({hit.id for hit in hits}) == len(hits)
        assert len(hits) == (9 if "where" not in options else 6)


def test_windows_are_kept_changed_and_removed_with_their_passage(books, encoder, tmp_path):
    search = CrossLingualSearch.build(books, encoder, space=None, windows=True)
    search.save(tmp_path / "c")
    again = CrossLingualSearch.load(tmp_path / "c", encoder)
    assert again.search(["gold.sw"], 3) == search.search(["gold.sw"], 3)
    again.upsert([Passage("sw-all", "road.sw king.sw", "sw")])
    assert len(again.collection) < len(search.collection)
    assert not [id for id in again.collection.ids if id.startswith("sw-all\x1f")]
    again.remove(["zh-all", "en-all"])
    assert sorted(again.collection.ids) == sorted(each.id for each in books if each.id not in ("zh-all", "en-all"))
    again.upsert(books[:1])
    assert "en-all" in [hit.id for hit in again.search(["gold.en"], 3, languages=["en"])[0]]
    assert again.languages == {"sw": 3, "en": 3, "zh": 2}


def test_short_passages_are_as_without_windows(passages, encoder):
    plain, windowed = (CrossLingualSearch.build(passages, encoder, windows=each) for each in (False, True))
    assert plain.search(["sun.sw"], 9) == windowed.search(["sun.sw"], 9)
    assert plain.collection.ids == windowed.collection.ids


def test_an_id_or_a_field_of_windows_is_refused(encoder):
    for passage in (Passage("a\x1f1", "sun"), Passage("a", "sun", metadata={"window.of": "b"})):
        with pytest.raises(ValueError, match="which windows need; rename it"):
            CrossLingualSearch.build([passage], encoder, windows=True)


def test_windows_in_milvus_are_those_in_memory(books, encoder, tmp_path):
    pytest.importorskip("milvus_lite")
    here = CrossLingualSearch.build(books, encoder, space=None, windows=True, lexical=False)
    config = {"uri": str(tmp_path / "w.db"), "collection": "books"}
    there = CrossLingualSearch.build(books, encoder, space=None, windows=True, milvus=config)
    for search in (here, there):
        search.remove(["en-all"])
    for ours, theirs in zip(here.search(["gold.sw", "sea.zh"], 4), there.search(["gold.sw", "sea.zh"], 4), strict=True):
        assert [(hit.id, hit.window, hit.text) for hit in ours] == [(hit.id, hit.window, hit.text) for hit in theirs]
    assert (len(there), there.languages) == (len(here), here.languages)


def test_the_command_says_what_was_split_and_marks_the_window_that_was_found(
    books, encoder, tmp_path, cli, monkeypatch
):
    for place in ("pipelines.encoders.load", "pipelines.stored"):
        monkeypatch.setattr(f"interlingua.{place}.load_encoder", lambda *_, **__: encoder)
    rows = [{"id": each.id, "text": each.text, "language": each.language} for each in books]
    for name, lines in (("all", rows), ("short", rows[3:])):
        text = "\n".join(json.dumps(each) for each in lines)
        (tmp_path / f"{name}.jsonl").write_text(text, encoding="utf-8")
    build = ("index", "build", "--windows", "--no-lexical", "--method", "none", "--encoder", "shortsighted")
    done = cli(*build, tmp_path / "all.jsonl", "-o", tmp_path / "c")
    search = CrossLingualSearch.load(tmp_path / "c", encoder)
    n = sum(len(each) for each in text_windows(encoder, [each.text for each in books[:3]]))
    assert len(search.collection) == len(books) - 3 + n
    said = f"3 passages (en: 1, sw: 1, zh: 1) are longer than the encoder reads: they have {n} windows"
    assert said in done.out
    done = cli(*build, tmp_path / "short.jsonl", "-o", tmp_path / "s")
    assert "no passage is longer than the encoder reads" in done.out
    added = cli("index", "add", tmp_path / "s", tmp_path / "all.jsonl", *build[-2:], "--json").result
    assert added["windows"] == {"passages": {"en": 1, "sw": 1, "zh": 1}, "rows": n}
    asked = ("search", tmp_path / "c", "gold.sw", "--languages", "sw", "-k", "3", *build[-2:])
    (found,) = (hit for hit in cli(*asked, "--json").result[0]["hits"] if hit["id"] == "sw-all")
    start, end = found["window"]
    assert found["window_text"] == found["text"][start:end]
    assert found["text"] == books[1].text
    assert 0 < start < found["text"].index("gold.sw") < end
    (line,) = (each for each in cli(*asked).out.splitlines() if " sw-all " in each)
    assert f"[{start}-{end} of {len(books[1].text)}] … {found['window_text'][:20]}" in line
    assert all("window" not in hit for hit in cli(*asked, "--json").result[0]["hits"] if hit["id"] != "sw-all")


def test_the_passages_that_compete_are_those_that_pass_the_filter(encoder, passages):
    long = Passage("en-long", " ".join(f"w{n}.en" for n in range(40)), "en", {"topic": "long", "odd": 1})
    for search in (
        CrossLingualSearch.build([*passages, long], encoder, windows=True),
        CrossLingualSearch.build(passages, encoder),
    ):
        rows = [*passages, long] if search.windows else passages
        for where in (None, {"odd": 1}, {"topic": ["sun", "long"]}, {"topic": "none"}):
            for languages in (None, ["en"], ["en", "zh"]):
                wanted = where or {}
                right = sum(
                    all(each.metadata[name] in (value if isinstance(value, list) else [value])
                        for name, value in wanted.items()) and (languages is None or each.language in languages)
                    for each in rows
                )  # fmt: skip
                assert search._finder.searched(where, languages) == right


@pytest.mark.parametrize("kind", ["flat", "hnsw"])
def test_after_a_kill_words_and_windows_are_those_of_the_last_change(books, encoder, tmp_path, kind):
    CrossLingualSearch.build(books, encoder, windows=True, kind=kind).save(tmp_path / "c")
    longer = replace(books[1], id="sw-new", text=books[1].text + " boiler.sw QZ-7781")
    with SearchStore(tmp_path / "c", encoder) as store:
        store.upsert([longer, Passage("zh-all", "kettle.zh WW-5150", "zh", {"odd": 0})])
        store.remove(["en-sun"])
        shutil.copytree(tmp_path / "c", tmp_path / "killed")  # what a kill leaves: nothing was closed or saved
        live = store.search
        left = CrossLingualSearch.load(tmp_path / "killed", encoder)
        fresh = CrossLingualSearch.load(tmp_path / "killed", encoder)
        fresh.words = LexicalIndex()  # indexed anew
        questions = ["boiler.sw QZ-7781", "kettle.zh WW-5150", "QZ-7781", "gold.zh snow.zh", "sun.en", "boiler.sw"]
        for asked in ({}, {"where": parse_filter("odd = 1")}, {"languages": ["sw"]}, {"hybrid": "off"}):
            found = [each.search(questions, 9, **asked) for each in (live, left, fresh)]
            ids = [[[(hit.id, hit.window) for hit in hits] for hits in each] for each in found]
            assert ids[0] == ids[1] == ids[2]
        (first,), (second,) = (left.search([each], 1)[0] for each in questions[:2])
        assert (first.id, second.id) == ("sw-new", "zh-all")
        assert "QZ-7781" in first.found_text
        assert not [id for id in left.collection.ids if id.startswith("zh-all\x1f")]
        assert (len(left), left.languages) == (len(live), live.languages) == (9, {"sw": 4, "zh": 3, "en": 2})
