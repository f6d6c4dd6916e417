import itertools

import numpy as np
import pytest
from scipy import sparse

from interlingua.align import retrieve
from interlingua.align.arrays import unit_rows
from interlingua.align.matching import (
    as_candidates,
    margin_scores,
    reciprocal_rank_scores,
)
from interlingua.align.matching.scores import best_of_groups


def _scores(n: int = 12, m: int = 9, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.1, 1, (n, m)).astype(np.float32)


def test_csls_is_that_of_retrieve():
    rng = np.random.default_rng(1)
    x, y = (unit_rows(rng.standard_normal((20, 8)).astype(np.float32)) for _ in range(2))
    expected = retrieve(x, y, 20, criterion="csls", neighborhood=4)
    found = margin_scores(x @ y.T, "csls", k=4)
    np.testing.assert_allclose(np.take_along_axis(found, expected.ids, axis=1), expected.scores, atol=1e-5)


def test_ratio_margin_is_its_formula():
    scores = _scores(5, 4)
    a, b = np.sort(scores, axis=1)[:, -2:].mean(axis=1), np.sort(scores, axis=0)[-2:].mean(axis=0)
    for row, column in itertools.product(range(5), range(4)):
        expected = scores[row, column] / ((a[row] + b[column]) / 2)
        assert margin_scores(scores, "ratio", k=2)[row, column] == pytest.approx(expected, rel=1e-5)


def test_reciprocal_ranks_are_those_counted_one_by_one():
    scores = _scores(5, 4)
    first, second = scores - scores.max(axis=0), scores - scores.max(axis=1, keepdims=True)
    for row, column in itertools.product(range(5), range(4)):
        ranks = (first[row] > first[row, column]).sum() + (second[:, column] > second[row, column]).sum() + 2
        # of equal preferences the earlier goes first
        ranks += (first[row, :column] == first[row, column]).sum() + (second[:row, column] == second[row, column]).sum()
        assert reciprocal_rank_scores(scores)[row, column] == pytest.approx(2 / ranks)


def test_pairs_are_looked_up_whatever_the_order():
    table = as_candidates(sparse.coo_array(([0.5, 0.2, 0.9], ([0, 2, 1], [3, 0, 1])), shape=(3, 4)))
    rows, columns = np.array([1, 0, 0, 2]), np.array([1, 0, 3, 0])
    assert table.find(rows, columns).tolist() == [1, -1, 0, 2]
    np.testing.assert_allclose(table.scores_of(rows, columns), [0.9, 0, 0.5, 0.2])
    assert as_candidates(sparse.csr_array((3, 4))).scores_of(rows, columns).tolist() == [0, 0, 0, 0]


def test_the_best_of_groups_are_those_of_a_loop():
    rng = np.random.default_rng(0)
    scores, groups, ties = rng.integers(0, 5, 60) / 5, rng.integers(0, 6, 60), rng.permutation(60)
    for k in (1, 3, 60):
        for order in (np.arange(60), ties):
            expected = [
                each
                for group in range(6)
                for each in sorted(np.flatnonzero(groups == group), key=lambda e, order=order: (-scores[e], order[e]))[
                    :k
                ]
            ]
            found = best_of_groups(scores, groups, k, ties=None if order is not ties else ties)
            assert found.tolist() == expected
