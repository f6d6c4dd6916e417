import warnings

import numpy as np
import pytest

from interlingua.align.arrays import unit_rows
from interlingua.align.word.evaluation import parallel_accuracy
from interlingua.align.word.methods.gromov_wasserstein import draw_pairs, gromov_wasserstein_plan
from interlingua.align.word.methods.procrustes import orthogonal_map
from interlingua.align.word.starts import reduce_dimension

ot = pytest.importorskip("ot")


@pytest.mark.parametrize("d_target", [8, 11])
def test_gromov_wasserstein_recovers_a_permutation(planted, d_target):
    source, target, order = planted(120, 8, d_target, noise=0.02)
    x, y = (unit_rows(each) for each in reduce_dimension(unit_rows(source), unit_rows(target)))
    plan = gromov_wasserstein_plan(x, y, frequency_weight=0.0)
    assert (plan.argmax(axis=1) == order).mean() > 0.95
    mapped = x @ orthogonal_map(x, plan @ y * len(x))  # each word to its barycentric target
    assert min(parallel_accuracy(mapped, y[order])) > 0.95
    np.testing.assert_allclose(plan.sum(axis=0), 1 / 120, atol=1e-4)
    np.testing.assert_allclose(plan.sum(axis=1), 1 / 120, atol=1e-4)


def test_the_gromov_wasserstein_plan_is_as_good_as_the_true_matching(planted):
    source, target, order = planted(60, 5, 5, noise=0.0)
    plan = gromov_wasserstein_plan(source, target, frequency_weight=0.0)
    units = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (source, target)]
    distances = [1 - unit.astype(np.float64) @ unit.T for unit in units]
    distances = [distance / distance.mean() for distance in distances]
    uniform = np.full(60, 1 / 60)
    true = np.zeros((60, 60))
    true[np.arange(60), order] = 1 / 60

    def loss(chosen):
        constant, left, right = ot.gromov.init_matrix(*distances, uniform, uniform)
        return ot.gromov.gwloss(constant, left, right, chosen)

    assert loss(true) == pytest.approx(0, abs=1e-6)
    assert loss(plan) < 1e-3
    assert loss(np.full((60, 60), 1 / 3600)) > 0.1  # what it started from


@pytest.mark.parametrize(("n", "m", "weight"), [(90, 70, 0.005), (60, 60, 0.3)])
def test_the_plan_is_that_of_another_solver(n, m, weight):
    rng = np.random.default_rng(0)
    sides = [(rng.normal(size=(size, 9)) * np.linspace(2, 0.5, 9)).astype(np.float32) for size in (n, m)]
    units = [unit_rows(side).astype(np.float64) for side in sides]
    distances = [1 - unit @ unit.T for unit in units]
    ranks = [np.log(np.arange(size) + 30) for size in (n, m)]
    unlike = (ranks[0][:, None] - ranks[1]) ** 2
    with warnings.catch_warnings(), np.errstate(divide="ignore"):
        warnings.simplefilter("ignore", UserWarning)  # that its inner iterations have not converged
        expected = ot.gromov.entropic_fused_gromov_wasserstein(
            unlike / unlike.mean(),
            *(each / each.mean() for each in distances),
            epsilon=0.05,
            alpha=1 - weight,
            max_iter=15,
            tol=0,
            solver="PPA",
            numItermax=30,
            stopThr=0,
        )
    plan = gromov_wasserstein_plan(
        *sides, frequency_weight=weight, regularization=0.05, max_iterations=15, tolerance=0
    )  # fmt: skip
    np.testing.assert_allclose(plan, expected, atol=1e-3 * expected.max())


def test_mass_that_single_precision_loses_is_kept_by_double():
    # four far groups each side: a step multiplies by exp(-400) and less
    rows = np.repeat(np.eye(4), 5, axis=0) + 1e-3 * np.arange(20)[:, None]
    plan = gromov_wasserstein_plan(rows, rows[::-1], regularization=1e-4, max_iterations=5)
    assert np.isfinite(plan).all()
    np.testing.assert_allclose(plan.sum(), 1.0, atol=1e-3)


def test_frequencies_decide_where_distances_do_not():
    # all distances within a side are equal: every matching is as good, but for the ranks
    plan = gromov_wasserstein_plan(np.eye(12), np.eye(12), frequency_weight=0.5)
    np.testing.assert_array_equal(plan.argmax(axis=1), np.arange(12))
    even = gromov_wasserstein_plan(np.eye(12), np.eye(12), frequency_weight=0.0)
    np.testing.assert_allclose(even, 1 / 144, atol=1e-6)


def test_pairs_are_drawn_in_proportion_to_the_plan():
    plan = np.array([[0.1, 0.3, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.2]])
    pairs = draw_pairs(plan, draws=4000, rng=0)
    assert len(pairs) == 8000
    np.testing.assert_array_equal(np.unique(pairs, axis=0), [[0, 0], [0, 1], [2, 2]])
    # four standard deviations of 4000 draws are 0.027
    assert (pairs[pairs[:, 0] == 0, 1] == 1).mean() == pytest.approx(0.75, abs=0.027)


def test_drawn_pairs_bring_the_cross_covariance_of_the_plan():
    rng = np.random.default_rng(0)
    plan, x, y = rng.uniform(size=(40, 30)) ** 4, rng.normal(size=(40, 3)), rng.normal(size=(30, 3))
    plan /= plan.sum(axis=1, keepdims=True)
    pairs = draw_pairs(plan, draws=2000, rng=1)
    expected = x.T @ plan @ y
    np.testing.assert_allclose(x[pairs[:, 0]].T @ y[pairs[:, 1]] / 2000, expected, atol=0.1 * np.abs(expected).max())


@pytest.mark.parametrize("bad", [{"frequency_weight": 1.0}, {"regularization": 0.0}, {"max_iterations": 0}])
def test_bad_parameters_are_refused(bad):
    with pytest.raises(ValueError, match=r"must be in \[0, 1\), regularization positive"):
        gromov_wasserstein_plan(np.eye(3), np.eye(3), **bad)


def test_a_plan_with_negative_mass_is_refused():
    with pytest.raises(ValueError, match="none negative"):
        draw_pairs(np.array([[1.0, -0.5]]))
