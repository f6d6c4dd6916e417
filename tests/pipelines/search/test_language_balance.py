import numpy as np
import pytest

from interlingua.align import LEACE, LSAR, balance_scores
from interlingua.index import Collection
from interlingua.pipelines import CrossLingualSearch, Passage
from interlingua.pipelines.search.languages import balanced_search


def test_hits_are_those_of_the_balanced_scores():
    rng = np.random.default_rng(0)
    rows, queries = (rng.normal(size=(n, 8)).astype(np.float32) for n in (30, 5))
    names = ["en", "zh", "ar"] * 10
    collection = Collection.create(8, metric="ip", kind="flat")
    collection.upsert([str(row) for row in range(30)], rows, [{"language": name} for name in names])
    scores = balance_scores(queries @ rows.T, names, neighborhood=3)
    found = balanced_search(collection, queries, 6, languages=["en", "zh", "ar"])
    for number, hits in enumerate(found):
        expected = np.argsort(-scores[number])[:6]
        assert [hit.id for hit, _ in hits] == [str(row) for row in expected]
        assert [score for _, score in hits] == pytest.approx(scores[number, expected], abs=1e-5)


@pytest.mark.parametrize("ranking", ["csls", "cosine"])
def test_every_language_gives_its_best_hit(passages, fake_encoder, ranking):
    search = CrossLingualSearch.build(passages, fake_encoder, space=None, ranking=ranking)
    question = ["sun.en bread.en"]
    plain = [hit.language for hit in search.search(question, 3)[0]]
    balanced = search.search(question, 3, balance=True)[0]
    assert plain == ["en", "en", "en"]
    assert {hit.language for hit in balanced} == {"en", "sw", "zh"}
    assert {hit.metadata["topic"] for hit in balanced} <= {"sun", "bread"}
    scores = [hit.score for hit in balanced]
    assert scores == sorted(scores, reverse=True)


def test_balance_keeps_to_the_languages_and_metadata_asked_for(passages, fake_encoder):
    search = CrossLingualSearch.build(passages, fake_encoder)
    hits = search.search(["sun.en"], 5, languages=["sw", "zh"], where={"odd": 1}, balance=True)[0]
    assert {hit.language for hit in hits} == {"sw", "zh"}
    assert all(hit.metadata["odd"] == 1 for hit in hits)


def test_a_language_without_passages_gives_nothing(passages, fake_encoder):
    search = CrossLingualSearch.build(passages, fake_encoder)
    assert search.search(["sun.en"], 5, languages=["sv"], balance=True) == [[]]


@pytest.mark.parametrize("method", [LSAR, LEACE])
def test_one_map_for_all_languages_serves_the_search(passages, fake_encoder, tmp_path, method):
    names = ("en", "sw", "zh")
    vectors = {name: fake_encoder.encode([each.text for each in passages if each.language == name]) for name in names}
    space = method().fit(vectors, encoder=fake_encoder.identity).space_
    more = [*passages, Passage("sv-sun", "sun.sv noise.sv", "sv"), Passage("x", "moon.en")]
    search = CrossLingualSearch.build(more, fake_encoder, space=space)
    search.save(tmp_path / "c")
    loaded = CrossLingualSearch.load(tmp_path / "c", fake_encoder)
    hits = loaded.search(["sun.en"], 3)[0]  # the language of the question is neither given nor needed
    assert hits[0].id in {"en-sun", "sw-sun", "zh-sun", "sv-sun"}
