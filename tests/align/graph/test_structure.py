"""Structure's scores against the formula by loops, and copies of graphs that they align."""

import numpy as np
import pytest

from interlingua.align.graph import structure
from interlingua.align.graph.propagation import as_triples, with_inverses
from interlingua.align.graph.structure import compare_structure

N, R = 30, 4


def unit(x):
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(lengths > 0, lengths, 1)


def exact(edges, pairs, sides, n, n_relations):
    """The docstring's formulas by loops."""
    first = np.zeros((n, len(pairs)))
    for label, ends in enumerate(pairs):
        first[ends, label] = 1
    near, steps = np.zeros_like(first), np.zeros((2, n_relations, len(pairs)))
    for h, _, t in edges.tolist():
        near[h] += first[t] + first[h]
    near = unit(near)
    for r, h in {(r, h) for h, r, _ in edges.tolist()}:
        steps[0, r] += first[h]
        steps[1, r] += near[h]
    vectors = np.concatenate([unit(each) for each in steps], axis=1) / np.sqrt(2)
    like = vectors @ vectors.T
    like[like <= 0.1] = 0
    found = np.zeros((n, n_relations, 2 * len(pairs)))
    for h, r, t in edges.tolist():
        found[h, r] += np.concatenate([first[t], near[t]])
    left, right = (unit(found[side].reshape(len(side), -1)).reshape(len(side), n_relations, -1) for side in sides)
    return np.einsum("xrl,rq,yql->xy", left, like, right)


def two_graphs(seed=0, m=60):
    rng = np.random.default_rng(seed)
    triples = np.stack([rng.integers(0, N, m), rng.integers(0, R, m), rng.integers(0, N, m)], axis=1)
    both = np.concatenate([triples, triples[: m // 2] + np.array([N, R, N])])
    return with_inverses(as_triples(both, 2 * N, 2 * R), 2 * R)


@pytest.mark.parametrize("rows", [256, 7])
def test_scores_are_those_of_the_formula(monkeypatch, rows):
    monkeypatch.setattr(structure, "_LEAST", 0.0)
    monkeypatch.setattr(structure, "_OWN_ROWS", rows)
    monkeypatch.setattr(structure, "_OTHER_ROWS", rows)
    monkeypatch.setattr(structure, "_LOOKED_UP", rows)
    edges, pairs = two_graphs(), np.stack([np.arange(8), N + np.arange(8)], axis=1)
    rng = np.random.default_rng(1)
    sides = rng.permutation(N)[:25], N + rng.permutation(N)[:20]
    expected = exact(edges, pairs, sides, 2 * N, 4 * R)
    keys, scores = compare_structure(edges, 2 * N, 4 * R, pairs, sides, 30, np.zeros(0, np.int64))
    given = np.zeros(expected.size)
    given[keys] = scores
    assert expected.max() > 0.3
    np.testing.assert_allclose(given.reshape(expected.shape), expected, atol=1e-5)
    also = np.sort(rng.permutation(expected.size)[:40])
    some, values = compare_structure(edges, 2 * N, 4 * R, pairs, sides, 1, also)
    np.testing.assert_allclose(values, given[some], atol=1e-5)
    wanted = np.flatnonzero(expected.ravel() > 1e-6)
    assert np.isin(np.intersect1d(also, wanted), some).all()
    first = np.arange(25) * 20 + expected.argmax(axis=1)
    assert np.isin(first[expected.max(axis=1) > 1e-6], some).mean() > 0.8  # all but for equal ones


def test_without_pairs_or_edges_there_is_nothing_to_compare():
    edges, pairs, sides = two_graphs(), np.array([[0, N]]), (np.arange(N), N + np.arange(N))
    for given, known in ((edges, pairs[:0]), (edges[:0], pairs)):
        assert not len(compare_structure(given, 2 * N, 4 * R, known, sides, 5, np.zeros(0, np.int64))[0])


def test_two_renamed_copies_are_aligned_from_a_few_seeds():
    rng = np.random.default_rng(4)
    n = 120
    left = np.unique(np.stack([rng.integers(0, n, 900), rng.integers(0, 5, 900), rng.integers(0, n, 900)], 1), axis=0)
    renamed = rng.permutation(n)
    right = np.stack([renamed[left[:, 0]] + n, left[:, 1] + 5, renamed[left[:, 2]] + n], axis=1)
    pairs = np.stack([np.arange(30), renamed[:30] + n], axis=1)
    edges = with_inverses(as_triples(np.concatenate([left, right]), 2 * n, 10), 10)
    sides = np.arange(n), n + np.arange(n)
    keys, scores = compare_structure(edges, 2 * n, 20, pairs, sides, 5, np.zeros(0, np.int64))
    table = np.zeros((n, n))
    table.ravel()[keys] = scores
    assert (table.argmax(axis=1) == renamed).mean() > 0.85
