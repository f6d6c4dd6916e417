import numpy as np
import pytest

from interlingua.align.language import LanguageOffsets, language_offsets
from interlingua.align.language.balance import balance_scores, retrieve_balanced


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def two_languages(n=30, d=16, seed=0):
    """Queries in "en"; candidates in "en" and "fi", of which the Finnish lie off by a common direction."""
    rng = np.random.default_rng(seed)
    meaning = rng.normal(size=(n, d))
    noise = 0.5 * rng.normal(size=(3, n, d))
    push = 6 * np.eye(d)[0]
    return unit(meaning + noise[0]), unit(np.concatenate([meaning + noise[1], meaning + noise[2] + push]))


def test_offsets_are_the_mean_over_nearest_neighbours():
    queries, candidates = two_languages()
    names = ["en"] * 30 + ["fi"] * 30
    found = language_offsets(queries, ["en"] * 30, candidates, names, neighborhood=4)
    scores = queries @ candidates.T
    expected = [np.sort(part, axis=1)[:, -4:].mean() for part in (scores[:, :30], scores[:, 30:])]
    np.testing.assert_allclose(found.offsets, [expected], atol=1e-6)
    assert (found.query_languages, found.candidate_languages) == (("en",), ("en", "fi"))


def test_a_candidate_does_not_find_itself():
    _, candidates = two_languages()
    names = ["en"] * 30 + ["fi"] * 30
    found = language_offsets(candidates, names, candidates, names, neighborhood=3)
    scores = candidates @ candidates.T
    np.fill_diagonal(scores, -np.inf)
    expected = [[np.sort(scores[a : a + 30, b : b + 30], axis=1)[:, -3:].mean() for b in (0, 30)] for a in (0, 30)]
    np.testing.assert_allclose(found.offsets, expected, atol=1e-6)


def test_offsets_of_unknown_languages_are_zero():
    offsets = LanguageOffsets(("en", "fi"), ("en",), np.array([[0.5], [0.25]], np.float32))
    assert offsets.of(["fi", "sv", "en"], ["en", "sv"]).tolist() == [[0.25, 0], [0, 0], [0.5, 0]]


def test_retrieval_is_the_ranking_of_the_balanced_scores():
    queries, candidates = two_languages()
    names = ["en", "fi"] * 30
    balanced = balance_scores(queries @ candidates.T, names, neighborhood=3)
    expected = np.argsort(-balanced, axis=1, kind="stable")[:, :7]
    found = retrieve_balanced(queries, candidates, names, 7, neighborhood=3)
    np.testing.assert_array_equal(found.ids, expected)
    np.testing.assert_allclose(found.scores, np.take_along_axis(balanced, expected, axis=1), atol=1e-6)


def test_retrieval_with_offsets_is_the_ranking_of_the_lowered_scores():
    queries, candidates = two_languages()
    names = ["en"] * 30 + ["fi"] * 30
    offsets = language_offsets(queries, ["en"] * 30, candidates, names)
    lowered = queries @ candidates.T - offsets.of(["en"] * 30, names)
    found = retrieve_balanced(queries, candidates, names, 5, query_languages=["en"] * 30, offsets=offsets)
    np.testing.assert_array_equal(found.ids, np.argsort(-lowered, axis=1, kind="stable")[:, :5])


def test_the_hidden_language_is_found_again():
    queries, candidates = two_languages()
    names = ["en"] * 30 + ["fi"] * 30
    finnish = lambda ids: (ids[:, :2] >= 30).mean()  # noqa: E731
    plain = np.argsort(-(queries @ candidates.T), axis=1)
    assert finnish(plain) < 0.3
    assert finnish(retrieve_balanced(queries, candidates, names, 2).ids) > 0.4


def test_inputs_are_not_modified_and_types_are_kept():
    scores = np.ones((2, 3), np.float64)
    assert balance_scores(scores, ["a", "a", "b"]).dtype == np.float32
    assert (scores == 1).all()


def test_misuse_is_named():
    x = np.eye(3, dtype=np.float32)
    with pytest.raises(ValueError, match="one language a row is needed: 2 languages, 3 candidates"):
        retrieve_balanced(x, x, ["a", "b"])
    with pytest.raises(ValueError, match="give query_languages"):
        retrieve_balanced(x, x, ["a"] * 3, offsets=LanguageOffsets(("a",), ("a",), np.zeros((1, 1), np.float32)))
    with pytest.raises(ValueError, match="neighborhood must be at least 1"):
        language_offsets(x, ["a"] * 3, x, ["a"] * 3, neighborhood=0)
