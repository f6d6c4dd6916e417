from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import ortho_group

from interlingua.align.arrays import to_numpy, unit_rows
from interlingua.align.word.evaluation import parallel_accuracy
from interlingua.align.word.methods.procrustes import Procrustes
from interlingua.align.word.methods.rcsls import RCSLS, relaxed_csls


def rows(n, d, seed=0):
    return unit_rows(np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32))


def pairs(n):
    return np.stack([np.arange(n), np.arange(n)], axis=1)


def brute_loss(w, a, b, x, y, k, neighbors=None):
    """The loss in float64 from its definition, with its neighbours or given ones."""
    w, a, b, x, y = (np.asarray(each, np.float64) for each in (w, a, b, x, y))
    to_y, to_x = a @ w @ y.T, b @ (x @ w).T
    if neighbors is None:
        neighbors = np.argsort(-to_y, axis=1)[:, :k], np.argsort(-to_x, axis=1)[:, :k]
    terms = -2 * np.sum((a @ w) * b, axis=1)
    terms += np.take_along_axis(to_y, neighbors[0], axis=1).mean(axis=1)
    terms += np.take_along_axis(to_x, neighbors[1], axis=1).mean(axis=1)
    return terms.mean(), neighbors


@pytest.mark.parametrize(("d_source", "d_target"), [(6, 6), (5, 8), (8, 5)])
def test_loss_is_its_definition_and_gradient_that_of_finite_differences(to_namespace, d_source, d_target):
    x, y = rows(40, d_source), rows(50, d_target, seed=1)
    a, b, w = x[:20], y[:20], rows(d_source, d_target, seed=2)
    loss, gradient = relaxed_csls(*(to_namespace(each) for each in (w, a, b, x, y)), neighborhood=4)
    expected, frozen = brute_loss(w, a, b, x, y, 4)
    assert loss == pytest.approx(expected, abs=1e-6)
    rng = np.random.default_rng(3)
    for _ in range(10):
        direction = rng.normal(size=w.shape)
        # linear in W with the neighbours frozen, so that a long step is exact
        up, down = (brute_loss(w + sign * direction, a, b, x, y, 4, frozen)[0] for sign in (1, -1))
        assert np.sum(to_numpy(gradient) * direction) == pytest.approx((up - down) / 2, abs=1e-5)


def test_loss_is_homogeneous_and_convex():
    x, y = rows(40, 6), rows(50, 6, seed=1)
    a, b = x[:20], y[:20]
    first, second = rows(6, 6, seed=2), rows(6, 6, seed=3)

    def loss(w):
        return relaxed_csls(w, a, b, x, y, neighborhood=4)[0]

    assert loss(3 * first) == pytest.approx(3 * loss(first), rel=1e-5)
    for share in (0.2, 0.5, 0.8):
        assert loss(share * first + (1 - share) * second) <= share * loss(first) + (1 - share) * loss(second) + 1e-6


def noisy_rotation(d_target, noise, seed=0):
    source = rows(400, 8, seed=seed)
    rotation = ortho_group.rvs(d_target, random_state=3)[:8].astype(np.float32)
    return source, source @ rotation + noise * rows(400, d_target, seed=seed + 1)


@pytest.mark.parametrize("start", ["multi-step", "procrustes"])
@pytest.mark.parametrize("d_target", [8, 11])
def test_rotation_is_recovered_under_noise(d_target, start):
    source, target = noisy_rotation(d_target, 0.15)
    space = RCSLS(start=start, n_iterations=4, held_out=0).fit(source, target, pairs(100), names=("a", "b")).space_
    there, back = parallel_accuracy(space.transform(source[100:], "a"), space.transform(target[100:], "b"))
    assert min(there, back) > 0.97


@pytest.mark.parametrize("constraint", ["none", "spectral"])
@pytest.mark.parametrize("start", ["multi-step", "procrustes"])
def test_the_loss_falls_in_every_step_by_armijos_condition(start, constraint):
    source, target = noisy_rotation(10, 0.8)
    aligner = RCSLS(start=start, constraint=constraint, n_iterations=6, held_out=0, largest_change=0.5)
    aligner.fit(source, target, pairs(120))
    losses = [entry["objective"] for entry in aligner.history_]
    assert len(losses) > 3
    assert all(later < earlier for earlier, later in pairwise(losses))
    if constraint == "spectral":
        assert np.linalg.norm(aligner.matrix_.astype(np.float64), 2) <= 1 + 1e-5


def test_the_objective_noted_is_the_loss_of_the_matrix_kept():
    source, target = noisy_rotation(8, 0.8)
    aligner = RCSLS(normalize="unit", start="procrustes", n_iterations=3, held_out=0).fit(source, target, pairs(120))
    x, y = unit_rows(source), unit_rows(target)
    expected, _ = brute_loss(aligner.matrix_, x[:120], y[:120], x, y, 10)
    assert aligner.history_[-1]["objective"] == pytest.approx(expected, abs=1e-5)
    start = Procrustes(normalize="unit").fit(source, target, pairs(120)).matrix_
    assert aligner.history_[0]["objective"] == pytest.approx(brute_loss(start, x[:120], y[:120], x, y, 10)[0], abs=1e-5)


def test_held_out_words_stop_it_before_it_overfits():
    source, target = noisy_rotation(8, 1.5)
    aligner = RCSLS(n_iterations=40, held_out=0.3, largest_change=0.3).fit(source, target, pairs(100))
    ranks = [entry["held_out_mrr"] for entry in aligner.history_]
    assert len(ranks) < 41
    assert aligner.n_iterations_ == int(np.argmax(ranks))


def test_a_run_that_was_still_improving_says_so():
    source, target = noisy_rotation(40, 0.6)
    target[:, :20] += 2 * rows(1, 20, seed=9)
    with pytest.warns(UserWarning, match="raise n_iterations"):
        RCSLS(normalize="unit", start="procrustes", n_iterations=1, held_out=0.3).fit(source, target, pairs(300))


def test_callback_sees_what_history_keeps():
    source, target = noisy_rotation(8, 0.5)
    seen = []
    aligner = RCSLS(n_iterations=2, held_out=0, callback=seen.append).fit(source, target, pairs(50))
    assert tuple(seen) == aligner.history_
    assert [entry["iteration"] for entry in seen] == [0, 1, 2]


def test_fewer_pairs_than_dimensions_stay_finite():
    source, target = rows(60, 30), rows(60, 40, seed=1)
    space = RCSLS(n_iterations=5).fit(source, target, pairs(6)).space_
    assert np.isfinite(space.transform(source, "source")).all()


def test_fit_gives_the_same_space_in_every_namespace(to_namespace):
    source, target = noisy_rotation(10, 0.5)
    settings = {"n_iterations": 2, "held_out": 0, "start": "procrustes"}
    plain = RCSLS(**settings).fit(source, target, pairs(50)).space_
    other = RCSLS(**settings).fit(to_namespace(source), to_namespace(target), pairs(50)).space_
    np.testing.assert_allclose(other.transform(source, "source"), plain.transform(source, "source"), atol=1e-4)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"start": "zero"}, "start must be one of multi-step, procrustes"),
        ({"constraint": "orthogonal"}, "constraint must be one of"),
        ({"held_out": 1.0}, "held_out must lie in"),
        ({"n_iterations": 0}, "n_iterations must be at least 1"),
        ({"largest_change": 0.0}, "largest_change must be positive"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters, said):
    with pytest.raises(ValueError, match=said):
        RCSLS(**parameters).fit(rows(30, 4), rows(30, 4), pairs(5))
