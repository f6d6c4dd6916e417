"""How sure a pair is: probabilities and thresholds from known true pairs and decoys."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


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
    numbers = np.asarray(values, np.float64)
    heavy = np.ones_like(numbers) if weights is None else np.asarray(weights, np.float64)
    means: list[float] = []
    masses: list[float] = []
    counts: list[int] = []
    for value, weight in zip(numbers.tolist(), heavy.tolist(), strict=True):
        mean, mass, count = value, weight, 1
        while means and means[-1] >= mean:
            mean = (masses[-1] * means.pop() + mass * mean) / (masses[-1] + mass)
            mass, count = mass + masses.pop(), count + counts.pop()
        means.append(mean)
        masses.append(mass)
        counts.append(count)
    return np.repeat(means, counts)


def decoy_precision(scores: Any, decoys: Any, *, at: float, ratio: float = 1.0) -> float:
    """Return the estimated precision of the pairs that score at least `at`: 1 - ratio (d + 1) / n.

    n of `scores` and d of `decoys` pass. Decoys must score as wrong pairs do (matched against texts that hold no
    partner), `ratio` times fewer than the wrong pairs that there could be [1]_.

    References
    ----------
    .. [1] Elias and Gygi (2007), "Target-decoy search strategy for increased confidence in large-scale protein
       identifications by mass spectrometry", Nature Methods 4. doi:10.1038/nmeth1019
    """
    n = int((np.asarray(scores) >= at).sum())
    wrong = ratio * (int((np.asarray(decoys) >= at).sum()) + 1)
    return max(0.0, 1.0 - wrong / n) if n else 0.0


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
            If even the best of the scores do not reach it.
        """
        falling = np.sort(np.asarray(scores, np.float64))[::-1]
        means = np.cumsum(self.probability(falling), dtype=np.float64) / np.arange(1, len(falling) + 1)
        last = np.append(falling[1:] != falling[:-1], True)[: len(falling)]  # equal scores pass or fail together
        enough = np.flatnonzero((means >= precision - 1e-9) & last)
        if not len(enough):
            best = means[last].max(initial=0.0)
            raise ValueError(f"a precision of {precision} is not reached; the best is {best:.3f}; ask for less")
        return float(falling[enough[-1]])
