import numpy as np
import pytest

from interlingua.align.word.evaluation import parallel_accuracy
from interlingua.align.word.methods.optimal_transport import WassersteinProcrustes, convex_initialization


def accuracy(space, source, target, order):
    return min(parallel_accuracy(space.transform(source, "source"), space.transform(target[order], "target")))


def test_the_convex_start_is_doubly_stochastic_and_beats_the_uniform_plan(planted):
    source, target, order = planted(80, 6, 6, noise=0.01)
    plan = convex_initialization(source, target, iterations=60)
    np.testing.assert_allclose(plan.sum(axis=0), 1, atol=1e-6)
    np.testing.assert_allclose(plan.sum(axis=1), 1, atol=1e-2)
    assert (plan >= 0).all()

    def loss(chosen):
        grams = []
        for rows in (source, target):
            u, s, _ = np.linalg.svd(rows.astype(np.float64), full_matrices=False)
            grams.append((u * s) @ u.T)
        x, y = grams
        y = y * np.linalg.norm(x) / np.linalg.norm(y)
        return np.linalg.norm(chosen @ x - y @ chosen) ** 2

    true = np.zeros((80, 80))
    true[order, np.arange(80)] = 1  # row of target, column of source
    assert loss(true) < 0.01 * loss(np.eye(80))
    assert loss(plan) < 0.05 * loss(np.eye(80))


def test_the_convex_start_needs_as_many_rows_of_both():
    with pytest.raises(ValueError, match="have 5 and 6"):
        convex_initialization(np.ones((5, 2)), np.ones((6, 2)))


@pytest.mark.parametrize("d_target", [6, 9])
def test_wasserstein_procrustes_recovers_a_rotation(planted, d_target):
    source, target, order = planted(200, 6, d_target, noise=0.02)
    told = []
    aligner = WassersteinProcrustes(
        normalize="unit", initial_iterations=40, epochs=2, iterations=20, batch_size=100, callback=told.append
    )
    fitted = aligner.fit(source, target)
    assert accuracy(fitted.space_, source, target, order) > 0.95
    assert tuple(told) == fitted.history_
    rotation = fitted.initial_rotation_.astype(np.float64)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(6), atol=1e-5)


def test_equal_seeds_give_equal_maps(planted):
    source, target, _ = planted(80, 5, 5, noise=0.1)
    settings = {"initial_iterations": 5, "epochs": 1, "iterations": 5, "batch_size": 30}
    first, again = (WassersteinProcrustes(seed=3, **settings).fit(source, target).space_ for _ in range(2))
    other = WassersteinProcrustes(seed=4, **settings).fit(source, target).space_
    assert first.fingerprint == again.fingerprint
    assert first.fingerprint != other.fingerprint
