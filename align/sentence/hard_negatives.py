"""Sentences that are near to another one and mean something else: what a head learns most from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..arrays import unit_rows
from ..retrieval import retrieve

__all__ = ["HardNegatives", "mean_rows", "mine_hard_negatives", "same_meaning_limit"]

_SAMPLE = 500
_DEVIATIONS = 3
_HIGHEST_FLOOR = 0.9


@dataclass(frozen=True)
class HardNegatives:
    """Neighbours of each sentence that are taken for another meaning.

    Attributes
    ----------
    ids : (n, k) array of int64
        The hardest first; -1 where there are fewer.
    limit : float
        From this cosine on two sentences are taken to mean the same.
    """

    ids: NDArray[np.int64]
    limit: float


def mine_hard_negatives(translations: NDArray[np.float32], k: int = 3, *, guard: float = 1.0) -> HardNegatives:
    """Return for each sentence its k CSLS neighbours, without those that may be further right answers.

    A sentence stands for the mean of its translations. Two sentences whose means are as near as translations of one
    sentence are to each other, in the median, count as the same meaning: news repeat themselves, and a right answer
    that is pushed away does more harm than a negative does good.

    Parameters
    ----------
    translations : (languages, n, d) array
        Unit rows in a common space; row i is the same sentence in all languages.
    k : int
        Negatives a sentence.
    guard : float
        The limit is this times the median cosine of a sentence's translations to each other, and at least three
        standard deviations above the mean cosine of two sentences, or 0.9.

    Raises
    ------
    ValueError
        If there are fewer than two languages or k is below 1.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, but is {k}")
    n = translations.shape[1]
    limit = same_meaning_limit(translations, guard=guard)
    meanings = mean_rows(translations)
    if n < 2:
        return HardNegatives(np.full((n, k), -1), limit)
    # the sentence itself and the few that mean the same are among the first and left out
    found = retrieve(meanings, meanings, min(n, 4 * k + 1), criterion="csls").ids
    cosines = np.einsum("nd,nkd->nk", meanings, meanings[found])
    other = (found != np.arange(n)[:, None]) & (cosines < limit)
    order = np.argsort(~other, axis=1, kind="stable")[:, :k]
    ids = np.where(np.take_along_axis(other, order, axis=1), np.take_along_axis(found, order, axis=1), -1)
    return HardNegatives(np.pad(ids, ((0, 0), (0, k - ids.shape[1])), constant_values=-1).astype(np.int64), limit)


def same_meaning_limit(translations: NDArray[np.float32], *, guard: float = 1.0) -> float:
    """Return the cosine of the means from which on two sentences are taken to mean the same.

    Parameters are those of `mine_hard_negatives`.
    """
    if translations.ndim != 3 or len(translations) < 2:
        raise ValueError(f"translations must have shape (languages, n, d), two or more, but {translations.shape}")
    languages = len(translations)
    total = translations.sum(axis=0, dtype=np.float64)
    # the sum of all pairwise cosines of L unit rows is ||sum||² - L, over L (L - 1) ordered pairs
    agreement = ((total**2).sum(axis=1) - languages) / (languages * (languages - 1))
    sample = mean_rows(translations[:, :_SAMPLE])
    cosines = sample @ sample.T
    # where the space does not yet bring translations together, their cosine tells nothing: few sentences are alike
    unusual = float(cosines.mean() + _DEVIATIONS * cosines.std())
    return max(guard * float(np.median(agreement)), min(unusual, _HIGHEST_FLOOR))


def mean_rows(translations: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the unit mean of each sentence's translations, shape (n, d)."""
    return np.asarray(unit_rows(translations.sum(axis=0, dtype=np.float64)), np.float32)
