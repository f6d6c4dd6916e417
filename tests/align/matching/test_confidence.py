import numpy as np
import pytest

from interlingua.align.matching import ScoreCalibration
from interlingua.align.matching.confidence import count_for_precision, isotonic


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
