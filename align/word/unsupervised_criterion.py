"""How good a map is, judged without a single pair."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import as_matrix, namespace, to_numpy
from .induction import induce_dictionary

__all__ = ["mean_csls_cosine", "translation_agreement"]


def mean_csls_cosine(mapped_source: Any, mapped_target: Any, *, vocabulary: int = 10_000) -> float:
    """Return the mean cosine of the CSLS-best pairs of the most frequent source words [1]_.

    For each of the first `vocabulary` source words the best target by CSLS is taken; pairs whose target is rarer than
    the first `vocabulary` are dropped. Comparable only between maps of the same two files with the same
    normalisation, and no proof of success: a wrong rotation can score nearly as high as a right one, and training
    can raise it while the translations get worse.

    Parameters
    ----------
    mapped_source, mapped_target : (n, d), (m, d) array
        Unit rows in the common space, most frequent first; all of them count as candidates.
    vocabulary : int
        What "frequent" means.

    Returns
    -------
    float
        In [-1, 1]; -1 where no pair is left.

    References
    ----------
    .. [1] Conneau, Lample, Ranzato, Denoyer and Jégou (2018), "Word translation without parallel data", ICLR.
       arXiv:1710.04087

    Examples
    --------
    >>> x = np.eye(3, dtype=np.float32)
    >>> mean_csls_cosine(x, x[::-1].copy())
    1.0
    """
    source, target = as_matrix(mapped_source, "mapped_source"), as_matrix(mapped_target, "mapped_target")
    found = induce_dictionary(source, target, direction="forward").pairs
    found = found[(found < vocabulary).all(axis=1)]
    if len(found) == 0:
        return -1.0
    xp = namespace(source, target)
    x, y = (
        xp.take(side, xp.asarray(found[:, i], device=side.device), axis=0) for i, side in enumerate((source, target))
    )
    cosines = to_numpy(xp.sum(x * y, axis=1))
    return float(cosines.mean(dtype=np.float64))


def translation_agreement(first: NDArray[np.int64], second: NDArray[np.int64]) -> float:
    """Return how far two induced dictionaries translate the same source words to the same targets.

    Two wrong maps found independently agree by chance only (about one word in the vocabulary's size), two right
    ones on most words; so agreement tells success from failure where the objective does not.

    Parameters
    ----------
    first, second : (p, 2), (q, 2) array of int64
        Pairs found both ways: each source row once at most.

    Returns
    -------
    float
        Pairs that both have over pairs that either has, in [0, 1]; 0 where there is none.

    Examples
    --------
    >>> translation_agreement(np.array([[0, 1], [1, 2]]), np.array([[0, 1], [1, 0]]))
    0.3333333333333333
    """
    keys = [set(map(tuple, pairs.tolist())) for pairs in (first, second)]
    either = len(keys[0] | keys[1])
    return len(keys[0] & keys[1]) / either if either else 0.0
