"""Random vectors and scores: what turning, scaling and reordering must not change, and answers by brute force."""

from functools import partial
from itertools import permutations

import numpy as np
import pytest

from interlingua.align import SharedSpace, retrieve
from interlingua.align.arrays import unit_rows
from interlingua.align.matching import as_candidates, margin_scores, match, reciprocal_rank_scores, sinkhorn_scores
from interlingua.align.word import RCSLS, MultiStep, Procrustes

hypothesis = pytest.importorskip("hypothesis")
given, settings, st = hypothesis.given, hypothesis.settings, hypothesis.strategies
#: The same examples in every run, none kept on the disk.
STEADY = settings(derandomize=True, database=None, deadline=None, max_examples=15, print_blob=False)
SEEDS = st.integers(0, 2**32 - 1)
CRITERIA = st.sampled_from(["nn", "csls", "isf"])
N, D, P = 60, 5, 40
METHODS = {"procrustes": Procrustes, "multi-step": MultiStep, "rcsls": partial(RCSLS)}


def two_sides(seed):
    rng = np.random.default_rng(seed)
    source = rng.normal(size=(N, D)) * np.linspace(2, 0.5, D)
    return source, source @ turn(rng) + 0.1 * rng.normal(size=(N, D)), rng


def turn(rng):
    """Return a random orthogonal matrix, reflections among them."""
    q, r = np.linalg.qr(rng.normal(size=(D, D)))
    return q * np.sign(np.diag(r))


def similarities(method, source, target, pairs):
    space = METHODS[method]().fit(source, target, pairs, names=("a", "b")).space_
    one, other = space.transform(source, "a"), space.transform(target, "b")
    return unit_rows(one.astype(np.float64)) @ unit_rows(other.astype(np.float64)).T


@pytest.mark.parametrize("method", METHODS)
@settings(STEADY, max_examples=4)
@given(SEEDS, st.floats(-4, 4))
def test_turning_scaling_and_reordering_change_no_similarity(method, seed, power):
    source, target, rng = two_sides(seed)
    pairs = np.stack([np.arange(P)] * 2, axis=1)
    usual = similarities(method, source, target, pairs)
    turned = similarities(method, 10**power * source @ turn(rng), target @ turn(rng), pairs)
    np.testing.assert_allclose(turned, usual, atol=2e-3)
    rows, columns, order = rng.permutation(N), rng.permutation(N), rng.permutation(P)
    moved = np.stack([np.argsort(rows)[pairs[order, 0]], np.argsort(columns)[pairs[order, 1]]], axis=1)
    np.testing.assert_allclose(
        similarities(method, source[rows], target[columns], moved), usual[rows][:, columns], atol=2e-3
    )


@settings(STEADY, max_examples=8)
@given(SEEDS)
def test_procrustes_goes_back_by_its_transpose(seed):
    source, target, _ = two_sides(seed)
    pairs = np.stack([np.arange(P)] * 2, axis=1)
    there, back = similarities("procrustes", source, target, pairs), similarities("procrustes", target, source, pairs)
    np.testing.assert_allclose(there, back.T, atol=1e-4)


def by_hand(queries, candidates, criterion, neighborhood):
    """Return all scores of a criterion, as its formula says; of zero candidates minus infinity."""
    known = candidates.any(axis=1)
    scores = queries @ candidates.T
    if criterion == "csls":
        background = queries[queries.any(axis=1)]

        def mean_of_best(table):
            return np.sort(table, axis=1)[:, -neighborhood:].mean(axis=1)

        of_queries = mean_of_best(queries @ candidates[known].T)
        scores = 2 * scores - of_queries[:, None] - mean_of_best(candidates @ background.T)
    elif criterion == "isf":
        background = queries[queries.any(axis=1)]
        scores = 30 * scores - np.log(np.exp(30 * background @ candidates.T).sum(axis=0))
    return np.where(known, scores, -np.inf)


@settings(STEADY, max_examples=40)
@given(
    SEEDS,
    st.integers(2, 40),
    st.integers(1, 40),
    st.integers(1, 50),
    st.integers(1, 12),
    st.sampled_from(["nn", "csls", "isf"]),
)
def test_retrieval_is_brute_force(seed, n, m, k, neighborhood, criterion):
    rng = np.random.default_rng(seed)
    queries, candidates = (unit_rows(rng.normal(size=(count, 4))).astype(np.float32) for count in (n, m))
    candidates[rng.random(m) < 0.2] = 0
    candidates[0] = queries[0]
    found = retrieve(queries, candidates, k, criterion=criterion, neighborhood=neighborhood)
    scores = by_hand(queries.astype(np.float64), candidates.astype(np.float64), criterion, neighborhood)
    width = min(k, int(candidates.any(axis=1).sum()))
    assert found.ids.shape == (n, width)
    np.testing.assert_allclose(found.scores, -np.sort(-scores, axis=1)[:, :width], atol=1e-4)
    np.testing.assert_allclose(found.scores, np.take_along_axis(scores, found.ids, axis=1), atol=1e-4)
    assert all(len(set(row)) == width for row in found.ids.tolist())


def tables(seed, n, m):
    """Return scores with equal ones among them."""
    return (np.random.default_rng(seed).integers(-6, 7, size=(n, m)) / 8).astype(np.float32)


@settings(STEADY, max_examples=40)
@given(SEEDS, st.integers(1, 5), st.integers(1, 5), st.one_of(st.none(), st.sampled_from([-0.5, 0.0, 0.25])))
def test_the_hungarian_total_is_the_largest_of_all_assignments(seed, n, m, dustbin):
    scores = tables(seed, n, m)
    if n > m:
        scores, n, m = scores.T, m, n
    worth = scores if dustbin is None else np.maximum(scores, dustbin)
    best = max(sum(worth[row, column] for row, column in enumerate(columns)) for columns in permutations(range(m), n))
    for given_scores in (scores, as_candidates(scores)):
        pairs = match(given_scores, "hungarian", dustbin=dustbin).pairs
        assert len({row for row, _ in pairs.tolist()}) == len({column for _, column in pairs.tolist()}) == len(pairs)
        total = scores[pairs[:, 0], pairs[:, 1]].sum() + (0 if dustbin is None else dustbin * (n - len(pairs)))
        assert total == pytest.approx(best)


@settings(STEADY, max_examples=40)
@given(SEEDS, st.integers(1, 8), st.integers(1, 8))
def test_no_two_would_leave_a_stable_matching_and_mutual_ones_are_best_of_both(seed, n, m):
    scores = tables(seed, n, m)
    stable = match(scores, "stable").pairs
    of_row, of_column = (dict(each.tolist()) for each in (stable, stable[:, ::-1]))
    assert len(of_row) == len(of_column) == min(n, m)
    for row in range(n):
        for column in range(m):
            row_has = scores[row, of_row[row]] if row in of_row else -np.inf
            column_has = scores[of_column[column], column] if column in of_column else -np.inf
            assert not (scores[row, column] > row_has and scores[row, column] > column_has)
    for row, column in match(scores, "mutual").pairs.tolist():
        assert scores[row, column] == scores[row].max() == scores[:, column].max()


@settings(STEADY, max_examples=20)
@given(SEEDS, st.integers(1, 9), st.integers(1, 9), st.integers(1, 6), st.sampled_from(["ratio", "distance", "csls"]))
def test_margins_are_their_formula_dense_and_sparse(seed, n, m, k, margin):
    scores = np.abs(tables(seed, n, m)) + np.float32(0.1)
    rows = np.sort(scores, axis=1)[:, -k:].mean(axis=1)[:, None]
    columns = np.sort(scores, axis=0)[-k:].mean(axis=0)[None]
    middle = (rows + columns) / 2
    wanted = {"ratio": scores / middle, "distance": scores - middle, "csls": 2 * (scores - middle)}[margin]
    np.testing.assert_allclose(margin_scores(scores, margin, k=k), wanted, atol=1e-5)
    np.testing.assert_allclose(margin_scores(as_candidates(scores), margin, k=k).scores, wanted.ravel(), atol=1e-5)


@settings(STEADY, max_examples=10)
@given(SEEDS, st.integers(2, 8))
def test_sinkhorn_is_a_plan_and_knows_no_order(seed, n):
    rng = np.random.default_rng(seed)
    scores = rng.uniform(-1, 1, size=(n, n)).astype(np.float32)
    plan = sinkhorn_scores(scores, temperature=0.5, iterations=300)
    np.testing.assert_allclose(plan.sum(axis=0) * n / plan.sum(), 1, atol=1e-3)
    np.testing.assert_allclose(plan.sum(axis=1) * n / plan.sum(), 1, atol=1e-3)
    rows, columns = rng.permutation(n), rng.permutation(n)
    moved = sinkhorn_scores(scores[rows][:, columns], temperature=0.5, iterations=300)
    np.testing.assert_allclose(moved, plan[rows][:, columns], atol=1e-4)


@settings(STEADY, max_examples=10)
@given(SEEDS, st.text(min_size=1, max_size=8), st.text(min_size=1, max_size=8))
def test_a_space_comes_back_from_its_bytes(seed, one, other):
    hypothesis.assume(one != other)
    source, target, _ = two_sides(seed)
    space = Procrustes().fit(source, target, np.stack([np.arange(P)] * 2, axis=1), names=(one, other)).space_
    again = SharedSpace.from_bytes(space.to_bytes())
    assert (again.languages, again.fingerprint) == (space.languages, space.fingerprint)
    np.testing.assert_array_equal(again.transform(source, one), space.transform(source, one))


@settings(STEADY, max_examples=15)
@given(SEEDS, st.integers(1, 7), st.integers(1, 7))
def test_reciprocal_ranks_are_the_same_dense_and_sparse(seed, n, m):
    scores = np.random.default_rng(seed).permutation(n * m).reshape(n, m).astype(np.float32) / 64  # no two are equal
    dense, sparse = reciprocal_rank_scores(scores), reciprocal_rank_scores(as_candidates(scores))
    np.testing.assert_allclose(sparse.scores, np.asarray(dense).ravel(), atol=1e-6)


def test_a_ratio_to_a_neighbourhood_that_is_not_positive_is_zero():
    assert margin_scores(np.full((3, 3), -0.5, np.float32), "ratio").tolist() == [[0.0] * 3] * 3
