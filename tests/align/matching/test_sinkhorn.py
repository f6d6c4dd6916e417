import numpy as np
import ot
import pytest
from scipy import sparse
from scipy.optimize import linear_sum_assignment

from interlingua.align.matching import (
    sinkhorn_scores,
)
from interlingua.align.matching.sinkhorn import sinkhorn_plan


def problem(n, m, seed=0):
    rng = np.random.default_rng(seed)
    mass = rng.uniform(0.5, 1.5, n), rng.uniform(0.5, 1.5, m)
    return rng.normal(size=(n, m)), *(each / each.sum() for each in mass)


@pytest.mark.parametrize("regularization", [1.0, 0.1])
def test_the_plan_is_that_of_pot(regularization):
    cost, rows, columns = problem(30, 22)
    got = sinkhorn_plan(
        cost, regularization=regularization, row_mass=rows, column_mass=columns, tolerance=1e-10, max_iterations=20_000
    )
    expected = ot.sinkhorn(rows, columns, cost, regularization, method="sinkhorn_log", stopThr=1e-10, numItermax=20_000)
    np.testing.assert_allclose(got, expected, atol=1e-8)


@pytest.mark.parametrize("shift", [0.0, 1e4, -1e4])
def test_masses_hold_and_costs_far_beyond_the_range_of_exp_do_not_underflow(shift):
    cost, rows, columns = problem(25, 25, seed=1)
    # exp(-1000 * 3 / 0.5) is far below the smallest float
    plan = sinkhorn_plan(
        1000 * cost + shift, regularization=20.0, row_mass=rows, column_mass=columns, max_iterations=20_000
    )
    assert np.isfinite(plan).all()
    np.testing.assert_allclose(plan.sum(axis=0), columns, atol=1e-12)
    np.testing.assert_allclose(plan.sum(axis=1), rows, atol=2e-6)


@pytest.mark.parametrize(("n", "m"), [(12, 30), (30, 12)])
@pytest.mark.parametrize("max_iterations", [1, 500])
def test_sides_of_unlike_size_share_a_mass_of_one_and_columns_hold_even_if_stopped(n, m, max_iterations):
    cost, _, _ = problem(n, m, seed=4)
    plan = sinkhorn_plan(cost, regularization=0.2, max_iterations=max_iterations)
    np.testing.assert_allclose(plan.sum(axis=0), 1 / m, rtol=1e-10)
    if max_iterations > 1:
        np.testing.assert_allclose(plan.sum(axis=1), 1 / n, rtol=1e-4)


def test_with_little_entropy_the_plan_is_the_best_assignment():
    cost, _, _ = problem(8, 8, seed=2)
    plan = sinkhorn_plan(cost, regularization=0.01, max_iterations=5000)
    found = linear_sum_assignment(cost)
    np.testing.assert_array_equal(plan.argmax(axis=1), found[1])
    assert (plan * cost).sum() == pytest.approx(cost[found].mean(), abs=1e-3)


def test_it_does_not_depend_on_constants_of_rows_and_columns():
    cost, _, _ = problem(10, 14, seed=3)
    plain = sinkhorn_plan(cost, regularization=0.2, tolerance=1e-12)
    moved = sinkhorn_plan(cost + np.arange(10)[:, None] - 3.0 * np.arange(14), regularization=0.2, tolerance=1e-12)
    np.testing.assert_allclose(moved, plain, atol=1e-10)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"regularization": 0.0}, "regularization must be positive"),
        ({"row_mass": np.ones(3)}, "masses must be 2 positive numbers"),
        ({"row_mass": np.array([1.0, 1.0])}, "same total mass, but have 2.0 and 1.0"),
        ({"cost": np.array([[np.nan, 1.0]])}, "must be a finite matrix"),
    ],
)
def test_bad_input_is_refused(bad, said):
    arguments = {"cost": np.eye(2), "regularization": 0.1, **bad}
    with pytest.raises(ValueError, match=said):
        sinkhorn_plan(arguments.pop("cost"), **arguments)


def _scores(n: int = 12, m: int = 9, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.1, 1, (n, m)).astype(np.float32)


def _dense(table) -> np.ndarray:
    return sparse.csr_array((table.scores, (table.rows, table.columns)), shape=table.shape).toarray()


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
