"""The propagation formulas against loops over triples."""

import numpy as np
import pytest

from interlingua.align.graph.propagation import as_triples, propagate_features, weighted_adjacency, with_inverses

N, R = 12, 3


def drawn(seed=0, m=30):
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(0, N, m), rng.integers(0, R, m), rng.integers(0, N, m)], axis=1)


def unit(x):
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(lengths > 0, lengths, 1)


def edges_of(triples):
    both = {(h, r, t) for h, r, t in triples.tolist()} | {(t, r + R, h) for h, r, t in triples.tolist()}
    return sorted(both)


def test_adjacency_is_the_sum_of_logarithms_of_rarity():
    edges = edges_of(drawn())
    expected = np.log(len(edges) / N) * np.eye(N)
    for h, r, t in edges:
        expected[h, t] += np.log(len(edges) / sum(each[1] == r for each in edges))
    np.testing.assert_allclose(weighted_adjacency(drawn(), N, R).toarray(), expected, rtol=1e-5)


def test_features_spread_as_in_the_dense_product():
    features = np.random.default_rng(1).normal(size=(N, 5))
    a = weighted_adjacency(drawn(), N, R)
    hops = propagate_features(a, features, depth=2)
    first = unit(a.toarray() @ unit(features))
    for got, expected in zip(hops, [unit(features), first, unit(a.toarray() @ first)], strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-5)


def test_inverses_are_distinct_and_bad_triples_refused():
    assert with_inverses(np.array([[0, 0, 1], [1, 0, 0]]), 1).tolist() == [[0, 0, 1], [0, 1, 1], [1, 0, 0], [1, 1, 0]]
    with pytest.raises(ValueError, match=r"tails must lie in 0 \.\. 1, but reach from 1 to 2"):
        as_triples([[0, 0, 1], [0, 0, 2]], 2, 1)
    with pytest.raises(ValueError, match="features must have 12 rows"):
        propagate_features(weighted_adjacency(drawn(), N, R), np.ones((3, 2)))


def test_distinct_triples_are_sorted_also_where_they_do_not_fit_into_one_number():
    rows = drawn(m=200)
    expected = np.unique(rows, axis=0)
    np.testing.assert_array_equal(as_triples(rows, N, R), expected)
    np.testing.assert_array_equal(as_triples(rows, 2**31, 2**31), expected)
