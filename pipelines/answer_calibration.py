"""How likely the best sentence answers a question, learned from questions with known answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["AnswerCalibration"]

_FEWEST = 20
_RIDGE = 1.0  # an example's worth: keeps the weights finite where right and wrong separate


@dataclass(frozen=True)
class AnswerCalibration:
    """The probability that an answer is right, by a logistic function of what the search says of it.

    Attributes
    ----------
    weights : (f,) array of float64
    bias : float
        p = 1 / (1 + exp(-(evidence @ weights + bias))).
    sample : (n,) array of float64
        Probabilities of the questions it was fitted on, rising.
    """

    weights: NDArray[np.float64]
    bias: float
    sample: NDArray[np.float64]

    @classmethod
    def fit(cls, evidence: ArrayLike, right: ArrayLike, weights: ArrayLike | None = None) -> AnswerCalibration:
        """Fit on answers that are known to be right or wrong (Platt scaling) [1]_.

        Parameters
        ----------
        evidence : (n, f) array
        right : (n,) array of bool
        weights : (n,) array, optional
            How much each counts.

        Raises
        ------
        ValueError
            With fewer than 20 answers, or none right, or none wrong.

        References
        ----------
        .. [1] Guo, Pleiss, Sun and Weinberger (2017), "On calibration of modern neural networks", ICML.
           arXiv:1706.04599
        """
        rows, labels = np.asarray(evidence, np.float64), np.asarray(right, bool)
        if len(rows) < _FEWEST or labels.all() or not labels.any():
            seen = f"{len(rows)} of which {int(labels.sum())} are answered rightly"
            message = f"calibration needs {_FEWEST} questions, some answered rightly and some not, but has {seen}"
            raise ValueError(message)
        slopes, bias = _logistic(rows, labels, np.ones(len(rows)) if weights is None else np.asarray(weights, float))
        made = cls(slopes, bias, np.empty(0))
        return cls(slopes, bias, np.sort(made.probability(rows)))

    def probability(self, evidence: ArrayLike) -> NDArray[np.float64]:
        """Return the probability that each answer is right, (n,), from (n, f)."""
        raw = np.asarray(evidence, np.float64) @ self.weights + self.bias
        found: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(raw, -30, 30)))
        return found

    def threshold(self, precision: float) -> float:
        """Return the probability from which on answers are right in `precision` of all cases, infinity if never.

        The expected precision of the answers above it, over the questions that it was fitted on.

        Raises
        ------
        ValueError
            If `precision` is not between 0 and 1.
        """
        if not 0 <= precision <= 1:
            message = f"precision must lie between 0 and 1, but is {precision}"
            raise ValueError(message)
        falling = self.sample[::-1]
        means = np.cumsum(falling) / np.arange(1, len(falling) + 1)
        enough = np.flatnonzero(means >= precision)
        return float(falling[enough[-1]]) if len(enough) else float("inf")

    def to_json(self) -> dict[str, Any]:
        """Return everything as values of JSON."""
        return {
            "weights": self.weights.tolist(),
            "bias": self.bias,
            "sample": self.sample.round(6).tolist(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> AnswerCalibration:
        """Return what `to_json` wrote."""
        weights, sample = (np.asarray(value[name], np.float64) for name in ("weights", "sample"))
        return cls(weights, float(value["bias"]), sample)


def _logistic(
    rows: NDArray[np.float64], labels: NDArray[np.bool_], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Return slopes and bias of a logistic regression, its standardised slopes held by a ridge; Newton's method."""
    mean, scale = rows.mean(axis=0), rows.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    design = np.column_stack([(rows - mean) / scale, np.ones(len(rows))])
    heavy = weights * (len(rows) / weights.sum())
    ridge = np.diag([_RIDGE] * rows.shape[1] + [1e-9])
    beta = np.zeros(design.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(design @ beta, -30, 30)))
        gradient = design.T @ (heavy * (labels - p)) - ridge @ beta
        curvature = (design * (heavy * p * (1 - p))[:, None]).T @ design + ridge
        step = np.linalg.solve(curvature, gradient)
        beta = beta + step / max(1.0, float(np.abs(step).max()))  # no leap: the first steps may overshoot
        if np.abs(step).max() < 1e-9:
            break
    slopes = beta[:-1] / scale
    return slopes, float(beta[-1] - mean @ slopes)
