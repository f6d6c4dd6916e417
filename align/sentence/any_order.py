"""Align the sentences of two texts one to one, in whatever order they come."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import as_matrix, check_same_dimension, to_numpy, unit_rows
from ..matching import margin_scores, match
from ..neighbors import top_k
from .document_alignment import Beads

__all__ = ["align_in_any_order"]

_LEAST = 1e-6
_DENSE = 4_000_000  # pairs of sentences whose scores are held at once


def align_in_any_order(source: Any, target: Any, *, k: int = 4, threshold: float | None = None) -> Beads:
    """Align the sentences of two texts one to one, in whatever order they come.

    The pairs of the largest sum of ratio margins, see `interlingua.align.matching.match`; mutually best ones only
    where the texts have more than 4 million pairs of sentences.

    Parameters
    ----------
    source : (n, d) array
        Language bias removed.
    target : (m, d) array
    k : int
        Neighbours of the margin.
    threshold : float, optional
        The least margin of a pair; by default 1, that of the neighbours.

    Returns
    -------
    Beads
        Of one sentence at most on either side; what only the target has comes last.

    Examples
    --------
    >>> x = np.eye(6)
    >>> align_in_any_order(x, x[[2, 0, 1, 3, 5]], k=2).spans[:, ::2].tolist()
    [[0, 1], [1, 2], [2, 0], [3, 3], [4, 5], [5, 4]]
    """
    x, y = (
        np.asarray(unit_rows(to_numpy(as_matrix(each, name))), np.float32)
        for each, name in ((source, "source"), (target, "target"))
    )
    check_same_dimension(x, y, ("source", "target"))
    least = 1.0 if threshold is None else threshold
    n, m = len(x), len(y)
    if not n or not m:
        pairs = np.zeros((0, 2), np.int64)
    elif n * m <= _DENSE:
        margins = margin_scores(x @ y.T, "ratio", k=min(k, n, m))
        pairs = match(margins, "hungarian", threshold=least).pairs
    else:
        pairs = match(top_k(x, y, k), "ratio", k=k, threshold=least, n_columns=m).pairs
    return _one_to_one(pairs, x, y)


def _one_to_one(pairs: NDArray[np.int64], x: NDArray[np.float32], y: NDArray[np.float32]) -> Beads:
    n, m = len(x), len(y)
    to = np.full(n, -1, np.int64)
    to[pairs[:, 0]] = pairs[:, 1]
    alone = np.setdiff1d(np.arange(m), pairs[:, 1])
    rows = np.arange(n)
    first = np.stack([rows, rows + 1, np.where(to < 0, m, to), np.where(to < 0, m, to + 1)], axis=1)
    last = np.stack([np.full_like(alone, n), np.full_like(alone, n), alone, alone + 1], axis=1)
    costs = np.ones(n + len(alone), np.float32)
    if len(pairs):
        away = 2 - x[pairs[:, 0]] @ y.mean(axis=0) - y[pairs[:, 1]] @ x.mean(axis=0)
        cosines = np.einsum("ij,ij->i", x[pairs[:, 0]], y[pairs[:, 1]])
        costs[pairs[:, 0]] = 2 * (1 - cosines) / np.maximum(away, _LEAST)
    return Beads(np.concatenate([first, last]).astype(np.int64), costs, 1.0)
