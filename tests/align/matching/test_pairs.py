import itertools

import numpy as np
import pytest
from scipy import sparse

from interlingua.align import Neighbors, top_k
from interlingua.align.matching import (
    as_candidates,
    match,
)

METHODS = ("mutual", "csls", "ratio", "distance", "reciprocal-rank", "sinkhorn", "hungarian", "stable")


def _scores(n: int = 12, m: int = 9, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.1, 1, (n, m)).astype(np.float32)


@pytest.mark.parametrize("method", METHODS)
def test_sparse_candidates_of_everything_give_the_dense_pairs(method):
    scores = _scores()
    dense, thin = match(scores, method), match(sparse.csr_array(scores), method)
    np.testing.assert_array_equal(dense.pairs, thin.pairs)
    np.testing.assert_allclose(dense.scores, thin.scores, rtol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_pairs_are_one_to_one(method):
    pairs = match(_scores(seed=3), method).pairs
    assert len(pairs) > 0
    assert len(set(pairs[:, 0])) == len(set(pairs[:, 1])) == len(pairs)


def test_hungarian_is_the_best_of_all_assignments():
    for seed in range(5):
        scores = _scores(5, 6, seed)
        best = max(
            sum(scores[row, column] for row, column in enumerate(each)) for each in itertools.permutations(range(6), 5)
        )
        for form in (scores, sparse.csr_array(scores)):
            assert match(form, "hungarian").scores.sum() == pytest.approx(best, abs=1e-5)


def test_hungarian_with_a_dustbin_is_the_best_with_some_left_alone():
    scores, floor = _scores(4, 5, 2), 0.6
    best = max(
        sum(max(scores[row, column], floor) for row, column in enumerate(each))
        for each in itertools.permutations(range(5), 4)
    )
    for form in (scores, sparse.csr_array(scores)):
        found = match(form, "hungarian", dustbin=floor)
        assert found.scores.min() >= floor
        assert found.scores.sum() + floor * (4 - len(found)) == pytest.approx(best, abs=1e-5)


def test_sparse_hungarian_makes_as_many_pairs_as_there_can_be():
    table = sparse.coo_array(([0.9, 0.1, 0.2], ([0, 0, 1], [0, 1, 0])), shape=(3, 2))
    assert match(table, "hungarian").pairs.tolist() == [[0, 1], [1, 0]]


def test_stable_matching_has_no_blocking_pair():
    for seed in range(5):
        scores = _scores(seed=seed)
        found = match(scores, "stable")
        row_has, column_has = np.full(12, -np.inf), np.full(9, -np.inf)
        row_has[found.pairs[:, 0]] = column_has[found.pairs[:, 1]] = found.scores
        assert not ((scores > row_has[:, None]) & (scores > column_has)).any()
        assert len(found) == 9


def test_neighbours_are_candidates_without_their_padding():
    found = top_k(np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32), 2)
    assert match(found, "stable", n_columns=3).pairs.tolist() == [[0, 0], [1, 1], [2, 2]]
    padded = Neighbors(np.array([[1, -1]]), np.array([[0.5, 0.0]], np.float32))
    assert len(as_candidates(padded, 2)) == 1


def test_a_zero_score_stays_a_candidate():
    table = sparse.coo_array(([0.0], ([0], [0])), shape=(1, 1))
    assert match(table, "mutual").pairs.tolist() == [[0, 0]]


@pytest.mark.parametrize("method", METHODS)
def test_nothing_gives_no_pairs(method):
    assert len(match(np.empty((0, 3)), method)) == len(match(sparse.csr_array((2, 3)), method)) == 0


def test_wrong_calls_say_what_is_right():
    with pytest.raises(ValueError, match="method must be one of"):
        match(_scores(), "best")
    with pytest.raises(ValueError, match="dustbin"):
        match(_scores(), "csls", dustbin=0.1)
    with pytest.raises(ValueError, match="finite"):
        match(np.array([[np.nan]]), "mutual")


def test_equal_scores_are_paired_alike_dense_and_sparse():
    scores = np.random.default_rng(0).integers(1, 4, (30, 20)).astype(np.float32)
    for method in ("mutual", "stable"):
        dense, thin = match(scores, method), match(sparse.csr_array(scores), method)
        np.testing.assert_array_equal(dense.pairs, thin.pairs)
    pairs = match(scores, "mutual").pairs
    best = (scores == scores.max(axis=1, keepdims=True)) & (scores == scores.max(axis=0))
    assert best[pairs[:, 0], pairs[:, 1]].all()
    assert len(set(pairs[:, 0])) == len(set(pairs[:, 1])) == len(pairs) > 0
