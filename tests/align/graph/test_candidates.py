"""Candidates against a full sort, and how many of them buckets find."""

import numpy as np
import pytest

from interlingua.align.graph import candidates as module
from interlingua.align.graph.candidates import best_pairs, bucketed_pairs, known_products


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def expected(own, other, k):
    scores = own @ other.T
    kept = np.zeros(scores.shape, bool)
    np.put_along_axis(kept, np.argsort(-scores, axis=1)[:, :k], True, axis=1)
    np.put_along_axis(kept, np.argsort(-scores, axis=0)[:k], True, axis=0)
    keys = np.flatnonzero(kept)
    return keys, scores.ravel()[keys]


@pytest.mark.parametrize(
    ("n", "m", "k", "at_once"), [(300, 500, 5, 20_000), (40, 7, 10, 100), (900, 800, 3, 8_000_000)]
)
def test_best_pairs_are_those_of_a_full_sort(monkeypatch, n, m, k, at_once):
    monkeypatch.setattr(module, "_PRODUCTS", at_once)
    rng = np.random.default_rng(n)
    own, other = unit(rng.normal(size=(n, 20))), unit(rng.normal(size=(m, 20)))
    keys, scores = best_pairs(own, other, k)
    wanted, values = expected(own, other, k)
    np.testing.assert_array_equal(keys, wanted)
    np.testing.assert_allclose(scores, values, atol=1e-5)


def test_of_equal_rows_no_more_are_kept_than_asked_for():
    own, other = np.zeros((60, 4), np.float32), np.zeros((50, 4), np.float32)
    own[:5, 0] = other[:5, 0] = 1
    keys, scores = best_pairs(own, other, 2)
    assert len(keys) <= 2 * (60 + 50)
    assert set(np.flatnonzero(np.bincount(keys // 50, minlength=60) >= 2)) == set(range(60))
    assert (np.bincount(keys[scores == 1] // 50, minlength=60)[:5] >= 2).all()


def test_buckets_find_nearly_all_near_pairs_and_their_products(monkeypatch):
    monkeypatch.setattr(module, "_IN_BUCKET", 100)
    rng = np.random.default_rng(1)
    meaning = rng.normal(size=(1500, 32))
    own, other = (unit(meaning + 0.5 * rng.normal(size=meaning.shape)) for _ in range(2))
    own[7] = 0
    keys, scores = bucketed_pairs(own, other, 3)
    wanted, _ = expected(own, other, 1)
    rows, columns = np.divmod(keys, 1500)
    assert np.isin(wanted, keys).mean() > 0.9
    assert not (rows == 7).any()
    assert np.bincount(rows).max() > 3  # also of the columns' best
    np.testing.assert_allclose(scores, np.einsum("nd,nd->n", own[rows], other[columns]), atol=1e-5)


def test_known_products_are_kept_and_others_made():
    own, other = np.eye(3, dtype=np.float32), np.ones((2, 3), np.float32)
    keys = np.array([0, 3, 5])
    assert known_products(own, other, keys, (np.array([3]), np.array([7.0], np.float32))).tolist() == [1, 7, 1]
