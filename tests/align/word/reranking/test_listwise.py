import numpy as np
import pytest
from scipy.sparse import csr_array

from interlingua.align.word.reranking.ranking import fit_listwise, listwise_loss


def problem(n=30, k=6, c=4, seed=0):
    rng = np.random.default_rng(seed)
    right = rng.random((n, k)) < 0.3
    right[np.arange(n), rng.integers(k, size=n)] = True
    return rng.normal(size=(n * k, c)), right, rng.uniform(0.1, 2, size=c), rng.normal(size=c)


def test_the_loss_is_its_formula():
    features, right, penalties, weights = problem()
    expected = 0.5 * (penalties * weights**2).sum()
    for rows, answers in zip(features.reshape(*right.shape, -1), right, strict=True):
        mass = np.exp(rows @ weights)
        expected -= np.log(mass[answers].sum() / mass.sum())
    assert listwise_loss(weights, features, right, penalties)[0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("kind", [np.asarray, csr_array])
def test_the_gradient_is_that_of_finite_differences(kind):
    features, right, penalties, weights = problem()
    gradient = listwise_loss(weights, kind(features), right, penalties)[1]
    for c in range(weights.size):
        step = np.zeros(weights.size)
        step[c] = 1e-6
        high, low = (listwise_loss(weights + sign * step, features, right, penalties)[0] for sign in (1, -1))
        assert gradient[c] == pytest.approx((high - low) / 2e-6, rel=1e-6, abs=1e-7)


def test_planted_weights_are_recovered():
    rng = np.random.default_rng(1)
    planted = np.array([2.0, -1.0, 0.0])
    features = rng.normal(size=(4000 * 5, 3))
    chance = np.exp((features @ planted).reshape(4000, 5))
    drawn = (chance.cumsum(axis=1) / chance.sum(axis=1, keepdims=True) < rng.random((4000, 1))).sum(axis=1)
    right = np.arange(5) == drawn[:, None]
    np.testing.assert_allclose(fit_listwise(csr_array(features), right, np.full(3, 1e-3)), planted, atol=0.1)


def test_no_other_weights_have_a_smaller_loss():
    features, right, penalties, _ = problem()
    best = fit_listwise(features, right, penalties)
    assert np.abs(listwise_loss(best, features, right, penalties)[1]).max() < 1e-3


def test_lists_without_a_right_candidate_change_nothing():
    features, right, penalties, _ = problem()
    more = np.concatenate([features, np.ones((12, 4))])
    padded = np.concatenate([right, np.zeros((2, 6), bool)])
    np.testing.assert_array_equal(fit_listwise(more, padded, penalties), fit_listwise(features, right, penalties))
    with pytest.raises(ValueError, match="nothing to learn a ranking from"):
        fit_listwise(features, np.zeros_like(right), penalties)


def test_a_hopeless_list_has_a_finite_loss():
    features = np.array([[0.0], [-5000.0]])
    loss, gradient = listwise_loss(np.ones(1), features, np.array([[False, True]]), np.zeros(1))
    assert np.isfinite(loss)
    assert np.isfinite(gradient).all()
