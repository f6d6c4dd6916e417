"""How well a linear classifier tells the language of a vector."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import as_matrix, to_numpy

_FEWEST = 4


@dataclass(frozen=True)
class LanguageProbe:
    """What a linear classifier reads of the language from vectors it has not seen.

    Attributes
    ----------
    accuracy : float
        Share of held-out vectors whose language it names, in [0, 1].
    majority : float
        The accuracy of always naming the most frequent language: what a vector without language gives.
    n_train, n_test : int
    """

    accuracy: float
    majority: float
    n_train: int
    n_test: int


def language_probe(
    vectors: Any,
    languages: Sequence[str],
    ids: Sequence[Hashable] | None = None,
    *,
    ridge: float = 1e-2,
    seed: int = 0,
) -> LanguageProbe:
    """Train a ridge classifier on one half of the vectors and test it on the other.

    It regresses the one-hot language on the vectors with a constant, and names the language of the largest output:
    W = (X'X + a I)^-1 X'Y on centred X and Y, with a = `ridge` times the mean eigenvalue of X'X.

    Parameters
    ----------
    vectors : (n, d) array
    languages : sequence of n str
    ids : sequence of n hashable, optional
        Rows with one id go to the same half, so that translations of a training sentence are not in the test.
    ridge : float
        Above 0.
    seed : int
        Draws the halves.

    Raises
    ------
    ValueError
        If there are fewer than four rows, or their number is not that of languages and ids.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(200, 4)); x[::2, 0] += 9
    >>> language_probe(x, ["fi", "en"] * 100).accuracy
    1.0
    """
    matrix = to_numpy(as_matrix(vectors, "vectors")).astype(np.float64)
    n = len(matrix)
    if len(languages) != n or (ids is not None and len(ids) != n):
        raise ValueError(f"one language, and one id if any, is needed for each of the {n} vectors")
    if n < _FEWEST:
        raise ValueError(f"a probe needs at least {_FEWEST} vectors, but there are {n}")
    if not ridge > 0:
        raise ValueError(f"ridge must be positive, but is {ridge}")
    _, codes = np.unique(np.asarray(languages, str), return_inverse=True)
    train = _half(range(n) if ids is None else ids, np.random.default_rng(seed))
    x, y = matrix[train], np.eye(codes.max() + 1)[codes[train]]
    mean, shares = x.mean(axis=0), y.mean(axis=0)
    gram = (x - mean).T @ (x - mean)
    gram[np.diag_indices_from(gram)] += ridge * max(np.trace(gram) / len(gram), np.finfo(np.float64).tiny)
    weights = np.linalg.solve(gram, (x - mean).T @ (y - shares))
    named = ((matrix[~train] - mean) @ weights + shares).argmax(axis=1)
    test = codes[~train]
    return LanguageProbe(
        float((named == test).mean()),
        float(np.bincount(test).max() / len(test)),
        int(train.sum()),
        len(test),
    )


def _half(ids: Sequence[Hashable], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return which rows train: those of half of the ids, at least one id on each side."""
    groups = {each: number for number, each in enumerate(dict.fromkeys(ids))}
    drawn = rng.permutation(len(groups)) < max(1, len(groups) // 2)
    return np.asarray(drawn[[groups[each] for each in ids]])
