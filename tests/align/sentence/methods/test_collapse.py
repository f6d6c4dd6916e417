import math

import numpy as np
import pytest

from interlingua.align.sentence.methods.head import collapse_signs


def spread(n=200, d=16, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def test_the_signs_equal_brute_force():
    x = spread(30, 5).astype(np.float64)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    cosines = x @ x.T
    shares = np.linalg.svd(x, compute_uv=False) ** 2 / 30
    signs = collapse_signs(x)
    assert signs.mean_cosine == pytest.approx(cosines[~np.eye(30, dtype=bool)].mean(), abs=1e-6)
    assert signs.effective_rank == pytest.approx(math.exp(-(shares * np.log(shares)).sum()), rel=1e-4)


def test_a_healthy_space_gives_no_reason():
    signs = collapse_signs(spread())
    assert signs.reasons(collapse_signs(spread(seed=1)), loss=1.0, batch_size=64) == ()


def test_one_point_one_line_and_a_guess_are_each_a_reason():
    start = collapse_signs(spread())
    point = collapse_signs(spread() * 1e-3 + 1)
    line = collapse_signs(np.outer(np.tile([1, -1], 100), np.eye(16)[0]) + 1e-4 * spread())
    assert any("mean cosine of 1.00" in each for each in point.reasons(start))
    assert line.mean_cosine < 0.1
    assert any("effective rank fell from" in each for each in line.reasons(start))
    (guess,) = start.reasons(start, loss=math.log(64), batch_size=64)
    assert "that of a guess among 64" in guess
    assert start.reasons(start, loss=float("nan"), batch_size=64) == ("the loss is nan",)


def test_a_narrow_encoder_is_no_collapse_of_training():
    # raw vectors of some encoders all have cosines near 0.9: what counts is the change
    narrow = collapse_signs(spread() + 12)
    assert narrow.mean_cosine > 0.9
    assert narrow.reasons(narrow) == ()


def test_one_vector_is_refused():
    with pytest.raises(ValueError, match="two sentences or more"):
        collapse_signs(np.ones((1, 3)))
