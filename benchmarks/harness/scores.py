"""Scores that several benchmarks give."""

import numpy as np
from numpy.typing import NDArray


def f1(precision: float, recall: float) -> float:
    """Return the harmonic mean of precision and recall, 0 of two zeros."""
    return 2 * precision * recall / max(precision + recall, 1e-9)


def calibration_error(sure: NDArray[np.floating], right: NDArray[np.bool_]) -> float:
    """Return the expected calibration error in ten bins of equal width (Guo et al. 2017).

    Parameters
    ----------
    sure : (n,) array
        Probabilities.
    right : (n,) array of bool
        What they are the probabilities of.

    Examples
    --------
    >>> round(calibration_error(np.array([0.9, 0.9, 0.2]), np.array([True, False, False])), 3)
    0.333
    """
    bins = np.minimum((sure * 10).astype(int), 9)
    gaps = [abs(float(sure[bins == each].sum() - right[bins == each].sum())) for each in np.unique(bins)]
    return sum(gaps) / len(sure)
