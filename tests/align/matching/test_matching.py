import itertools

import numpy as np
import pytest
from scipy import sparse

from interlingua.align import Neighbors, retrieve, top_k
from interlingua.align.arrays import unit_rows
from interlingua.align.matching import (
    ScoreCalibration,
    as_candidates,
    count_for_precision,
    isotonic,
    margin_scores,
    match,
    reciprocal_rank_scores,
    sinkhorn_scores,
)

METHODS = ("mutual", "csls", "ratio", "distance", "reciprocal-rank", "sinkhorn", "hungarian", "stable")


def _scores(n: int = 12, m: int = 9, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.1, 1, (n, m)).astype(np.float32)


def _dense(table) -> np.ndarray:
    return sparse.csr_array((table.scores, (table.rows, table.columns)), shape=table.shape).toarray()


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


def test_sinkhorn_agrees_with_pot():
    ot = pytest.importorskip("ot")
    scores = _scores(8, 8)
    expected = 8 * ot.sinkhorn(np.full(8, 1 / 8), np.full(8, 1 / 8), -scores.astype(float), 0.1, stopThr=1e-12)
    for form in (scores, sparse.csr_array(scores)):
        found = sinkhorn_scores(form, temperature=0.1, iterations=300)
        found = found if isinstance(found, np.ndarray) else _dense(found)
        np.testing.assert_allclose(found, expected, atol=2e-5)


def test_sinkhorn_with_a_dustbin_is_plain_transport_of_the_larger_matrix():
    ot = pytest.importorskip("ot")
    scores = _scores(6, 4)
    larger = np.full((7, 5), 0.5)
    larger[:6, :4] = scores
    rows, columns = np.array([1.0] * 6 + [4]), np.array([1.0] * 4 + [6])
    expected = ot.sinkhorn(rows, columns, -larger, 0.1, stopThr=1e-12)[:6, :4]
    for form in (scores, sparse.csr_array(scores)):
        found = sinkhorn_scores(form, temperature=0.1, iterations=500, dustbin=0.5)
        found = found if isinstance(found, np.ndarray) else _dense(found)
        np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize(("n", "m"), [(6, 9), (9, 6)])
def test_sinkhorn_shares_the_rows_mass_out_among_the_columns(n, m):
    """Row sums are 1 and column sums n / m: the same total, whichever side is larger."""
    for form in (_scores(n, m), sparse.csr_array(_scores(n, m))):
        found = sinkhorn_scores(form, temperature=0.2, iterations=500)
        found = found if isinstance(found, np.ndarray) else _dense(found)
        np.testing.assert_allclose(found.sum(axis=0), n / m, rtol=1e-5)
        np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-4)


def test_sinkhorn_survives_a_tiny_temperature_and_rows_without_candidates():
    table = sparse.coo_array(([1.0, -1.0, 0.5], ([0, 0, 2], [0, 1, 1])), shape=(3, 2))
    assert np.isfinite(sinkhorn_scores(table, temperature=1e-4, iterations=20).scores).all()


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


def test_isotonic_means_are_the_smallest_largest_means():
    """Of position i, the largest over a <= i of the smallest over b >= i of the weighted mean from a to b."""
    rng = np.random.default_rng(0)
    values, weights = rng.normal(size=25), rng.uniform(0.1, 2, 25)
    means = np.array([[np.average(values[a : max(a, b) + 1], weights=weights[a : max(a, b) + 1]) for b in range(25)]
                      for a in range(25)])  # fmt: skip
    expected = [max(means[a, i:].min() for a in range(i + 1)) for i in range(25)]
    np.testing.assert_allclose(isotonic(values, weights), expected, atol=1e-12)
    assert isotonic([]).shape == (0,)


@pytest.mark.parametrize(
    ("precision", "kept"), [(1.0, 1), (0.95, 2), (0.9, 3), (0.8499995, 4), (0.85, 4), (0.8501, 3), (0.01, 4)]
)
def test_as_many_pairs_are_kept_as_the_mean_probability_allows(precision, kept):
    assert count_for_precision(np.array([1.0, 0.9, 0.8, 0.7], np.float32), precision) == kept


def test_a_precision_that_is_not_reached_is_an_error_or_nothing():
    with pytest.raises(ValueError, match=r"a precision of 0\.9 is not reached; the best is 0\.800; ask for less"):
        count_for_precision([0.8, 0.7], 0.9)
    assert count_for_precision([0.8, 0.7], 0.9, required=False) == count_for_precision([], 0.9, required=False) == 0
    for precision in (0.0, 1.01, float("nan")):
        with pytest.raises(ValueError, match="above 0 and at most 1"):
            count_for_precision([0.8], precision)


def test_a_cut_falls_only_where_it_may():
    assert count_for_precision([1.0, 0.9, 0.9, 0.1], 0.93, last=[True, False, True, True]) == 3
    assert count_for_precision([1.0, 0.9, 0.8, 0.1], 0.93, last=[True, False, True, True]) == 1


def test_equal_scores_are_paired_alike_dense_and_sparse():
    scores = np.random.default_rng(0).integers(1, 4, (30, 20)).astype(np.float32)
    for method in ("mutual", "stable"):
        dense, thin = match(scores, method), match(sparse.csr_array(scores), method)
        np.testing.assert_array_equal(dense.pairs, thin.pairs)
    pairs = match(scores, "mutual").pairs
    best = (scores == scores.max(axis=1, keepdims=True)) & (scores == scores.max(axis=0))
    assert best[pairs[:, 0], pairs[:, 1]].all()
    assert len(set(pairs[:, 0])) == len(set(pairs[:, 1])) == len(pairs) > 0


def test_pairs_are_looked_up_whatever_the_order():
    table = as_candidates(sparse.coo_array(([0.5, 0.2, 0.9], ([0, 2, 1], [3, 0, 1])), shape=(3, 4)))
    rows, columns = np.array([1, 0, 0, 2]), np.array([1, 0, 3, 0])
    assert table.find(rows, columns).tolist() == [1, -1, 0, 2]
    np.testing.assert_allclose(table.scores_of(rows, columns), [0.9, 0, 0.5, 0.2])
    assert as_candidates(sparse.csr_array((3, 4))).scores_of(rows, columns).tolist() == [0, 0, 0, 0]


def test_the_threshold_asked_for_gives_that_precision_on_other_pairs():
    rng = np.random.default_rng(0)
    calibration = ScoreCalibration.fit(rng.normal(2, 1, 4000), rng.normal(0, 1, 4000), share=0.2)
    right, wrong = rng.normal(2, 1, 4000), rng.normal(0, 1, 16000)
    threshold = calibration.threshold_for(0.9, np.concatenate([right, wrong]))
    passed = (right >= threshold).sum(), (wrong >= threshold).sum()
    assert passed[0] / sum(passed) == pytest.approx(0.9, abs=0.02)
    with pytest.raises(ValueError, match="not reached"):
        calibration.threshold_for(0.9, np.full(20, -3.0))


def test_equal_scores_pass_a_threshold_together():
    calibration = ScoreCalibration(np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    # the mean of 1 and .9 is .95, but both of .5 pass with one of them: (1 + .9 + .5 + .5) / 4 = .725
    scores = [1.0, 0.9, 0.5, 0.5]
    assert calibration.threshold_for(0.79, scores) == 0.9
    assert calibration.threshold_for(0.72, scores) == 0.5
