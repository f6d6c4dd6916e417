"""The propagation formulas against loops over triples."""

import numpy as np
import pytest

from interlingua.align.graph.propagation import (
    as_triples,
    describe_edges,
    propagate_features,
    spread_labels,
    weighted_adjacency,
    with_inverses,
)

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


def both_ways(triples):
    return with_inverses(as_triples(triples, N, R), R)


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


def test_labels_spread_as_in_loops():
    labels = np.zeros((N, 4), np.float32)
    labels[:3] = np.random.default_rng(2).normal(size=(3, 4))
    edges = edges_of(drawn())
    entity, relation = unit(labels), np.zeros((2 * R, 4))
    entities, relations = spread_labels(both_ways(drawn()), unit(labels), 2 * R, depth=3)
    for step in range(1, 4):
        new_entity, new_relation = np.zeros((N, 4)), np.zeros((2 * R, 4))
        for h, _, t in edges:
            new_entity[h] += entity[t] + entity[h]
        for t, r in {(t, r) for _, r, t in edges}:
            new_entity[t] += relation[r]
        for r, h in {(r, h) for h, r, _ in edges}:
            new_relation[r] += entity[h]
        entity, relation = unit(new_entity), unit(new_relation)
        np.testing.assert_allclose(entities[step], entity, atol=1e-5)
        np.testing.assert_allclose(relations[step], relation, atol=1e-5)


def test_described_edges_have_the_inner_products_of_the_tensor_sums():
    rng = np.random.default_rng(3)
    e, r = unit(rng.normal(size=(N, 6))), unit(rng.normal(size=(2 * R, 6)))
    exact = np.zeros((N, 36))
    for h, relation, t in edges_of(drawn()):
        exact[h] += np.outer(r[relation], e[t]).ravel()
    exact = unit(exact)
    got = describe_edges(both_ways(drawn()), e, r, np.arange(N))
    np.testing.assert_allclose(got @ got.T, exact @ exact.T, atol=0.12)  # 8192 random dimensions
    some = describe_edges(both_ways(drawn()), e, r, np.array([7, 2]))
    np.testing.assert_allclose(some, got[[7, 2]], atol=1e-6)


def test_two_renamed_copies_are_aligned_from_a_few_seeds():
    rng = np.random.default_rng(4)
    n = 120
    left = np.unique(np.stack([rng.integers(0, n, 900), rng.integers(0, 5, 900), rng.integers(0, n, 900)], 1), axis=0)
    renamed = rng.permutation(n)
    right = np.stack([renamed[left[:, 0]] + n, left[:, 1] + 5, renamed[left[:, 2]] + n], axis=1)
    seeds = np.arange(30)
    labels = np.zeros((2 * n, 256), np.float32)
    labels[seeds] = labels[renamed[seeds] + n] = rng.normal(size=(30, 256))
    edges = with_inverses(as_triples(np.concatenate([left, right]), 2 * n, 10), 10)
    entities, relations = spread_labels(edges, unit(labels), 20)
    found = describe_edges(edges, np.concatenate(entities, 1), np.concatenate(relations, 1), np.arange(2 * n))
    assert ((found[:n] @ found[n:].T).argmax(axis=1) == renamed).all()


def test_inverses_are_distinct_and_bad_triples_refused():
    assert with_inverses(np.array([[0, 0, 1], [1, 0, 0]]), 1).tolist() == [[0, 0, 1], [0, 1, 1], [1, 0, 0], [1, 1, 0]]
    with pytest.raises(ValueError, match=r"tails must lie in 0 \.\. 1, but reach from 1 to 2"):
        as_triples([[0, 0, 1], [0, 0, 2]], 2, 1)
    with pytest.raises(ValueError, match="features must have 12 rows"):
        propagate_features(weighted_adjacency(drawn(), N, R), np.ones((3, 2)))
