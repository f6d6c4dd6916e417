"""Intervals of shares, beside SciPy's."""

import numpy as np
from scipy.stats import binomtest

from interlingua.align.shares import share_interval


def test_intervals_are_those_of_scipy():
    for found, n in ((0, 20), (3, 20), (19, 20), (20, 20), (44, 50)):
        for level in (0.9, 0.95):
            expected = binomtest(found, n).proportion_ci(level, "exact")
            np.testing.assert_allclose(share_interval(found, n, level), (expected.low, expected.high), atol=1e-9)


def test_means_of_values_between_yes_and_no_lie_in_theirs():
    rng = np.random.default_rng(0)
    values = rng.choice([0.8, 0.9, 1.0], size=(400, 50), p=[0.1, 0.2, 0.7])
    inside = [low <= 0.96 <= high for low, high in (share_interval(float(each.sum()), 50) for each in values)]
    assert np.mean(inside) > 0.95
