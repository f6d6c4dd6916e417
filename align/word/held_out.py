"""Weights of translation pairs, and the words that methods validate themselves on."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import to_numpy

__all__ = ["check_weights", "rare_words"]


def check_weights(weights: Any, n_pairs: int) -> NDArray[np.float64]:
    """Return the weights of the pairs divided by their sum; None makes all equal.

    Raises
    ------
    ValueError
        If there is not one for each pair, one is negative or not finite, or all are zero.

    Examples
    --------
    >>> check_weights([3, 1], 2).tolist()
    [0.75, 0.25]
    """
    if weights is None:
        return np.full(n_pairs, 1.0 / n_pairs)
    values = np.asarray(to_numpy(weights) if hasattr(weights, "shape") else weights, np.float64)
    if values.shape != (n_pairs,):
        raise ValueError(f"weights must be one number for each of the {n_pairs} pairs, but have shape {values.shape}")
    if not np.isfinite(values).all() or values.min() < 0 or values.max() == 0:
        raise ValueError(
            f"weights must be finite, not negative, and not all zero, but lie between {values.min()} and {values.max()}"
        )
    return np.asarray(values / values.sum())


def rare_words(
    pairs: NDArray[np.int64], weights: NDArray[np.float64], share: float, *, fewest: int
) -> NDArray[np.int64]:
    """Return the source words to validate on: the rarest `share` of those that can be trusted, at least `fewest`.

    Rarer is a higher row number. Trusted are the words with a pair of the largest weight, such as gold pairs beside
    induced ones; where these are fewer than `fewest`, all words are. Fewer are returned only if there are no more.

    Examples
    --------
    >>> rows = np.stack([np.arange(10), np.arange(10)], axis=1)
    >>> rare_words(rows, np.ones(10), 0.3, fewest=2).tolist()
    [7, 8, 9]
    """
    # subtle: weights divided by their sum may differ in the last bit
    words = np.unique(pairs[weights >= weights.max() * (1 - 1e-9), 0])
    if words.size < fewest:
        words = np.unique(pairs[:, 0])
    return np.asarray(words[-max(fewest, round(share * words.size)) :])
