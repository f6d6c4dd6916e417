"""The conditional logit: its formula, its gradient, its minimum."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.sparse import csr_array

from interlingua.align.logit import fit_logit, logit_loss


def problem(c=4, seed=0):
    """Thirty lists of one to seven candidates, each with a right one at least."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 8, size=30)
    starts = np.cumsum(sizes) - sizes
    right = rng.random(sizes.sum()) < 0.3
    right[starts + rng.integers(sizes)] = True
    settings = {"penalties": rng.uniform(0.1, 2, size=c), "prior": rng.normal(size=c), "shares": rng.uniform(1, 3, 30)}
    return rng.normal(size=(sizes.sum(), c)), starts, right, settings, rng.normal(size=c)


def expected_loss(weights, features, starts, right, *, penalties, prior, shares, outside):
    loss = 0.5 * (penalties * (weights - prior) ** 2).sum()
    for rows, answers, share in zip(np.split(features, starts[1:]), np.split(right, starts[1:]), shares, strict=True):
        mass = np.exp(rows @ weights)
        chosen = mass[answers].sum() if answers.any() else 1.0
        loss -= share * np.log(chosen / (mass.sum() + outside))
    return loss


@pytest.mark.parametrize("outside", [False, True])
def test_the_loss_is_its_formula(outside):
    features, starts, right, settings, weights = problem()
    if outside:
        right[starts[5] : starts[9]] = False
    expected = expected_loss(weights, features, starts, right, outside=outside, **settings)
    loss, _ = logit_loss(weights, features, starts, right, outside=outside, **settings)
    assert loss == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("outside", [False, True])
@pytest.mark.parametrize("kind", [np.asarray, csr_array])
def test_the_gradient_is_that_of_finite_differences(kind, outside):
    features, starts, right, settings, weights = problem()
    settings["outside"] = outside
    gradient = logit_loss(weights, kind(features), starts, right, **settings)[1]
    for c in range(weights.size):
        step = np.zeros(weights.size)
        step[c] = 1e-6
        high, low = (logit_loss(weights + sign * step, features, starts, right, **settings)[0] for sign in (1, -1))
        assert gradient[c] == pytest.approx((high - low) / 2e-6, rel=1e-6, abs=1e-7)


def test_planted_weights_are_recovered():
    rng = np.random.default_rng(1)
    planted = np.array([2.0, -1.0, 0.0])
    features = rng.normal(size=(4000 * 5, 3))
    chance = np.exp((features @ planted).reshape(4000, 5))
    drawn = (chance.cumsum(axis=1) / chance.sum(axis=1, keepdims=True) < rng.random((4000, 1))).sum(axis=1)
    right = (np.arange(5) == drawn[:, None]).ravel()
    found = fit_logit(csr_array(features), np.arange(0, 20_000, 5), right, penalties=1e-3)
    np.testing.assert_allclose(found, planted, atol=0.1)


def test_no_other_weights_have_a_smaller_loss():
    features, starts, right, settings, _ = problem()
    best = fit_logit(features, starts, right, **settings)
    assert np.abs(logit_loss(best, features, starts, right, **settings)[1]).max() < 1e-3
    close = fit_logit(features, starts, right, tolerance=1e-12, **settings)
    assert np.abs(logit_loss(close, features, starts, right, **settings)[1]).max() < 1e-5


def test_lists_of_one_with_the_outside_choice_are_logistic_regression():
    rng = np.random.default_rng(2)
    design = np.column_stack([rng.normal(size=(200, 2)), np.ones(200)])
    labels = rng.random(200) < 1 / (1 + np.exp(-design @ [1.5, -0.5, 0.3]))
    signs = np.where(labels, -1.0, 1.0)
    by_hand = minimize(lambda beta: np.logaddexp(0, signs * (design @ beta)).sum() + 0.5 * (beta**2).sum(), np.zeros(3))
    found = fit_logit(design, np.arange(200), labels, penalties=1.0, outside=True, tolerance=1e-10)
    np.testing.assert_allclose(found, by_hand.x, atol=1e-4)


def test_bounds_are_kept_and_a_strong_penalty_holds_the_prior():
    features, starts, right, settings, _ = problem()
    settings["prior"] = np.full(4, 0.5)
    bounded = fit_logit(-3 * features, starts, right, bounds=[(0.4, None)] * 4, **settings)
    assert bounded.min() >= 0.4
    held = fit_logit(features, starts, right, **{**settings, "penalties": 1e6})
    np.testing.assert_allclose(held, 0.5, atol=1e-3)


def test_a_hopeless_list_has_a_finite_loss():
    loss, gradient = logit_loss(np.ones(1), np.array([[0.0], [-5000.0]]), np.array([0]), np.array([False, True]))
    assert np.isfinite(loss)
    assert np.isfinite(gradient).all()
