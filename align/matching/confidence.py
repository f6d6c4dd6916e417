"""How sure a pair is: probabilities and thresholds from known true pairs and decoys."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

_ROUNDING = 1e-6  # probabilities in float32 are off by less


def isotonic(values: Any, weights: Any = None) -> NDArray[np.float64]:
    """Return the non-decreasing sequence nearest to `values` in weighted squares, by pooling adjacent violators.

    References
    ----------
    Ayer, Brunk, Ewing, Reid and Silverman (1955), "An empirical distribution function for sampling with incomplete
    information", The Annals of Mathematical Statistics 26. doi:10.1214/aoms/1177728423

    Examples
    --------
    >>> isotonic([1.0, 3.0, 2.0, 4.0]).tolist()
    [1.0, 2.5, 2.5, 4.0]
    """
    if not np.size(values):
        return np.empty(0)
    return np.asarray(isotonic_regression(np.asarray(values, np.float64), weights=weights).x, np.float64)


def count_for_precision(probabilities: Any, precision: float, *, last: Any = None, required: bool = True) -> int:
    """Return how many of the first pairs can be kept while their mean probability is `precision` or more.

    Parameters
    ----------
    probabilities : (p,) array
        That each is right; of the best pairs first.
    precision : float
        Expected share of right ones.
    last : (p,) array of bool, optional
        After which a cut is allowed; by default after each.
    required : bool
        Whether it is an error if even the first do not reach it; else none are kept.

    Raises
    ------
    ValueError
        If the precision is not above 0 and at most 1, or is required and not reached.

    Examples
    --------
    >>> count_for_precision([0.9, 0.8, 0.1], 0.85)
    2
    """
    if not 0 < precision <= 1:
        raise ValueError(f"precision must be above 0 and at most 1, but is {precision}")
    falling = np.asarray(probabilities, np.float64)
    means = np.cumsum(falling) / np.arange(1, len(falling) + 1)
    allowed = np.ones(len(falling), bool) if last is None else np.asarray(last, bool)
    enough = np.flatnonzero((means >= precision - _ROUNDING) & allowed)
    if required and not len(enough):
        best = means[allowed].max(initial=0.0)
        raise ValueError(f"a precision of {precision} is not reached; the best is {best:.3f}; ask for less")
    return int(enough[-1]) + 1 if len(enough) else 0


@dataclass(frozen=True)
class ScoreCalibration:
    """A monotone map from scores to the probability that a pair is right.

    Attributes
    ----------
    scores : (b,) array of float64
        Rising.
    probabilities : (b,) array of float64
        Rising or equal.
    """

    scores: NDArray[np.float64]
    probabilities: NDArray[np.float64]

    @classmethod
    def fit(cls, planted: Any, decoys: Any, *, share: float = 0.5) -> "ScoreCalibration":
        """Fit by isotonic regression of right (1) and wrong (0) on the score.

        Parameters
        ----------
        planted, decoys : (a,), (b,) arrays
            Scores of pairs known to be right, and of wrong ones.
        share : float
            Share of right pairs among those to be judged; both sorts are weighted to it.

        Raises
        ------
        ValueError
            If a sort has fewer than 10 scores, one is not finite, or the share is not between 0 and 1.
        """
        right, wrong = (np.asarray(each, np.float64).ravel() for each in (planted, decoys))
        if min(len(right), len(wrong)) < 10:
            raise ValueError(f"10 planted and 10 decoy scores are needed, but there are {len(right)} and {len(wrong)}")
        if not (np.isfinite(right).all() and np.isfinite(wrong).all()):
            raise ValueError("scores must be finite")
        if not 0 < share < 1:
            raise ValueError(f"share must lie between 0 and 1, but is {share}")
        weights = np.repeat([share / len(right), (1 - share) / len(wrong)], [len(right), len(wrong)])
        levels, group = np.unique(np.concatenate([right, wrong]), return_inverse=True)
        mass = np.bincount(group, weights)
        hits = np.bincount(group[: len(right)], weights[: len(right)], len(levels))
        return cls(levels, isotonic(hits / mass, mass))

    def probability(self, scores: Any) -> NDArray[np.float32]:
        """Return the probability of each score; beyond the known ones, that of the nearest."""
        return np.interp(np.asarray(scores, np.float64), self.scores, self.probabilities).astype(np.float32)

    def threshold_for(self, precision: float, scores: Any) -> float:
        """Return the lowest of `scores` from which on the mean probability reaches `precision`.

        Raises
        ------
        ValueError
            If the precision is not above 0 and at most 1, or even the best of the scores do not reach it.
        """
        falling = np.sort(np.asarray(scores, np.float64))[::-1]
        last = np.append(falling[1:] != falling[:-1], True)[: len(falling)]  # equal scores pass or fail together
        return float(falling[count_for_precision(self.probability(falling), precision, last=last) - 1])
