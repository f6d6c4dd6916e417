"""Scores of pairs in one form: a dense matrix, or the few candidates that a search has kept."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..arrays import to_numpy
from ..neighbors import Neighbors

__all__ = ["Candidates", "as_candidates", "as_scores"]


@dataclass(frozen=True)
class Candidates:
    """Scored pairs, sorted by row, then column; pairs that are absent are no candidates.

    Attributes
    ----------
    rows, columns : (e,) array of int64
    scores : (e,) array of float32
        Higher is better.
    shape : (int, int)
        Sizes of both sides.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    scores: NDArray[np.float32]
    shape: tuple[int, int]

    def __len__(self) -> int:
        return len(self.rows)

    def with_scores(self, scores: NDArray[Any]) -> "Candidates":
        """Return the same pairs with other scores, shape (e,)."""
        return replace(self, scores=np.asarray(scores, np.float32))

    @cached_property
    def by_column(self) -> NDArray[np.int64]:
        """Order of the pairs by column, then row."""
        return np.lexsort((self.rows, self.columns)).astype(np.int64)

    def to_csr(self) -> sparse.csr_array:
        """Return them as a sparse matrix; a score of zero stays an explicit entry."""
        starts = np.searchsorted(self.rows, np.arange(self.shape[0] + 1))
        return sparse.csr_array((self.scores, self.columns, starts), shape=self.shape)


def as_candidates(scores: Any, n_columns: int | None = None) -> Candidates:
    """Return `Neighbors`, a sparse or a dense matrix as candidates.

    Parameters
    ----------
    scores : Neighbors, Candidates, sparse or dense (n, m) array
        Of a sparse matrix the stored entries count, zeros among them. Ids of `Neighbors` below zero are padding.
    n_columns : int, optional
        m, where `Neighbors` do not tell; by default the largest id plus one.

    Raises
    ------
    ValueError
        If a score is not finite, an id lies outside, or a pair occurs twice.
    """
    if isinstance(scores, Candidates):
        return scores
    if isinstance(scores, Neighbors):
        rows = np.repeat(np.arange(len(scores)), scores.ids.shape[1])
        columns, values = scores.ids.ravel(), scores.scores.ravel()
        held = columns >= 0
        rows, columns, values = rows[held], columns[held], values[held]
        width = int(columns.max(initial=-1)) + 1 if n_columns is None else n_columns
        shape = (len(scores), width)
    elif sparse.issparse(scores):
        given: Any = scores
        found: Any = sparse.coo_array(given)
        rows, columns, values = found.row, found.col, found.data
        shape = (int(found.shape[0]), int(found.shape[1]))
    else:
        matrix = _dense(scores)
        shape = (matrix.shape[0], matrix.shape[1])
        rows, columns = (each.ravel() for each in np.indices(shape))
        values = matrix.ravel()
    if not np.isfinite(values).all():
        raise ValueError("scores must be finite; leave out the pairs that are no candidates")
    if columns.size and int(columns.max()) >= shape[1]:
        raise ValueError(f"there are {shape[1]} columns, but a candidate has the id {int(columns.max())}")
    order = np.lexsort((columns, rows))
    rows, columns = rows[order].astype(np.int64), columns[order].astype(np.int64)
    if ((np.diff(rows) == 0) & (np.diff(columns) == 0)).any():
        raise ValueError("each pair may occur once, but one occurs twice; keep its best score")
    return Candidates(rows, columns, np.asarray(values[order], np.float32), shape)


def as_scores(scores: Any, n_columns: int | None = None) -> "NDArray[np.float32] | Candidates":
    """Return a dense float32 matrix as it is, and anything sparse as `Candidates`."""
    if isinstance(scores, Neighbors | Candidates) or sparse.issparse(scores):
        return as_candidates(scores, n_columns)
    return _dense(scores)


def _dense(scores: Any) -> NDArray[np.float32]:
    matrix = np.asarray(to_numpy(scores) if hasattr(scores, "shape") else scores, np.float32)
    if matrix.ndim != 2:
        raise ValueError(f"scores must be a matrix (n, m) or candidates, but have the shape {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise ValueError("scores must be finite; for pairs that are no candidates give a sparse matrix")
    return matrix
