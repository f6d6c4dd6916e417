"""Vectors and words together, against all rows scored one by one."""

import numpy as np
import pytest

from interlingua.index import CollectionStore, In
from interlingua.index.engines.base import Hit
from interlingua.pipelines import CrossLingualSearch, Passage
from interlingua.pipelines.search.lexical.fusion import AskedWords
from interlingua.pipelines.search.lexical.lexicon import WordLexicon
from interlingua.pipelines.search.live import SearchStore
from interlingua.pipelines.search.windows import said_in

ASKED = ["w3en w17en", "w5sw", "w9zh w11zh w3zh"]


@pytest.fixture(scope="module")
def built(corpus):
    return CrossLingualSearch.build(corpus.passages, encoder_name=corpus.encoder)


@pytest.mark.parametrize(
    "options", [{}, {"languages": ["sw", "zh"]}, {"where": In("page", [2, 3])}, {"prefer": "blind"}]
)
def test_hits_are_the_best_of_all_rows_by_both(built, options):
    vectors, asked_in = built.map_questions(ASKED)
    everything = built.search_vectors(vectors, 300, asked_in=asked_in, **options)
    units = built._finder.sample.spread(vectors)
    built.words.follow(built.collection, said_in)
    found = built.search(ASKED, 7, **options)
    for number, question in enumerate(ASKED):
        rows = everything[number]
        z = built.words.scores(question, asked_in[number], options.get("languages")).of(
            built.collection.numbers_of([hit.id for hit in rows])
        )
        scores = {hit.id: hit.score + 0.2 * units[number] * more for hit, more in zip(rows, z)}
        best = sorted(scores, key=lambda id: -scores[id])[:7]
        assert [hit.id for hit in found[number]] == best
        np.testing.assert_allclose([hit.score for hit in found[number]], [scores[id] for id in best], atol=2e-5)


def test_words_weigh_more_where_a_lexicon_translates(built, monkeypatch):
    built.words.follow(built.collection, said_in)
    (hits,) = built.search(ASKED[:1], 5)
    rows = [Hit(hit.id, 0.0, {}) for hit in hits]
    asked = lambda: AskedWords.of(built._ranked, built.words, ASKED[:1], ["en"], None, np.array([2.0]))  # noqa: E731
    z = built.words.scores(ASKED[0], "en").of(built.collection.numbers_of([hit.id for hit in hits]))
    np.testing.assert_allclose(asked().bonus(0, rows), 0.2 * 2 * z, rtol=1e-6)
    monkeypatch.setattr(built.words, "lexicon", WordLexicon({("en", "sw"): {"nothing": [("asked", 1.0)]}}))
    np.testing.assert_allclose(asked().bonus(0, rows), 0.3 * 2 * z, rtol=1e-6)


def test_words_that_nobody_knows_change_nothing(built):
    asked = [*ASKED[:1], "qqq zzz"]
    vectors, asked_in = built.map_questions(ASKED[:1])
    plain = built.search_vectors(vectors, 5, asked_in=asked_in)
    assert built.search_vectors(vectors, 5, asked_in=asked_in, texts=asked[1:]) == plain
    assert built.search(ASKED[:1], 5, hybrid="off") == plain
    assert built.search(ASKED[:1], 5) == built.search(ASKED[:1], 5, hybrid="on") != plain


@pytest.mark.parametrize("kind", ["flat", "hnsw"])
def test_a_name_that_vectors_do_not_know_is_found(corpus, kind):
    named = [Passage("name", "w1en w2en XQ-77", "en"), Passage("other", "w1en w2en XQ-78", "en")]
    search = CrossLingualSearch.build([*corpus.passages, *named], encoder_name=corpus.encoder, kind=kind)
    first = lambda number, **options: search.search([f"w1en w2en XQ-{number}"], 3, language="en", **options)[0][0].id  # noqa: E731
    assert (first(77), first(78)) == ("name", "other")
    assert first(77, hybrid="off") == first(78, hybrid="off")


def test_hybrid_on_needs_words_that_are_indexed(corpus):
    search = CrossLingualSearch.build(corpus.passages[:30], encoder_name=corpus.encoder, lexical=False)
    assert search.search(ASKED, 3) == search.search(ASKED, 3, hybrid="off")
    with pytest.raises(ValueError, match=r"no words are indexed in this collection.*interlingua index words"):
        search.search(ASKED, hybrid="on")
    with pytest.raises(ValueError, match="hybrid must be one of auto, off, on, but is 'yes'"):
        search.search(ASKED, hybrid="yes")
    with pytest.raises(ValueError, match="a lexicon translates words, but no words are to be indexed"):
        CrossLingualSearch.build(corpus.passages[:9], encoder_name=corpus.encoder, lexical=False, lexicon=[{}])


def test_balance_and_hybrid_on_exclude_each_other(built):
    assert built.search(ASKED, 3, balance=True) == built.search(ASKED, 3, balance=True, hybrid="off")
    with pytest.raises(ValueError, match="balance ranks by vectors alone"):
        built.search(ASKED, balance=True, hybrid="on")


def test_words_live_in_the_folder_with_every_change(corpus, tmp_path):
    folder = tmp_path / "c"
    CrossLingualSearch.build(corpus.passages[:60], encoder_name=corpus.encoder).save(folder)
    with SearchStore(folder) as store:
        store.upsert([Passage("new", "w1en XQ-77", "en"), Passage("p1", "w1en XQ-78", "en")])
        store.remove(["p2"])
    loaded = CrossLingualSearch.load(folder)
    assert loaded.search(["w1en XQ-77"], 1, language="en")[0][0].id == "new"
    assert loaded.search(["w1en XQ-78"], 1, language="en")[0][0].id == "p1"
    with CollectionStore(folder) as store:
        store.compact()
    again = CrossLingualSearch.load(folder)
    assert again.search(ASKED, 5) == loaded.search(ASKED, 5)
    again.save(tmp_path / "d")
    assert CrossLingualSearch.load(tmp_path / "d").search(ASKED, 5) == loaded.search(ASKED, 5)


def test_rows_in_milvus_have_no_words_and_say_so(corpus, tmp_path):
    pytest.importorskip("milvus_lite")
    config = {"uri": str(tmp_path / "rows.db"), "collection": "passages"}
    search = CrossLingualSearch.build(corpus.passages[:30], encoder_name=corpus.encoder, milvus=config)
    assert search.words is None
    with pytest.raises(ValueError, match="words of rows in Milvus are not indexed"):
        search.search(ASKED, hybrid="on")
