"""Scores of pairs in one form: a dense matrix, or the few candidates that a search has kept.

Scores that compare a pair with the other candidates of both its sides: CSLS, margins, reciprocal ranks.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from interlingua.align.arrays import to_numpy
from interlingua.align.neighbors import Neighbors

#: How a score is compared with those around it, see `over_neighborhood`.
Margin = Literal["csls", "ratio", "distance"]
_NO_NEIGHBORHOOD = 1e-6


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

    def pairs(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return rows and columns at these positions, shape (p, 2)."""
        return np.stack([self.rows[positions], self.columns[positions]], axis=1)

    @cached_property
    def keys(self) -> NDArray[np.int64]:
        """One number for each pair, row * m + column, rising."""
        return self.rows * self.shape[1] + self.columns

    def find(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the positions of pairs, -1 of those that are no candidates."""
        return find_keys(self.keys, rows * self.shape[1] + columns)

    def scores_of(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the scores of pairs, 0 of those that are no candidates."""
        # subtle: position -1 is the zero at the end
        return np.append(self.scores, np.float32(0))[self.find(rows, columns)]


def find_keys(keys: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the position of each wanted key among the sorted ones, -1 where it is not.

    Examples
    --------
    >>> find_keys(np.array([2, 5, 9]), np.array([9, 3, 2])).tolist()
    [2, -1, 0]
    """
    if not len(keys):
        return np.full(len(wanted), -1)
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, at, -1)


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
    matrix = np.asarray(to_numpy(scores), np.float32)
    if matrix.ndim != 2:
        raise ValueError(f"scores must be a matrix (n, m) or candidates, but have the shape {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise ValueError("scores must be finite; for pairs that are no candidates give a sparse matrix")
    return matrix


def over_neighborhood(scores: Any, neighborhood: Any, margin: Margin) -> NDArray[Any]:
    """Return what scores a have over the mean b of their neighbourhoods: a / b, a - b, or CSLS, 2 (a - b).

    Parameters
    ----------
    scores, neighborhood : arrays of one shape
    margin : {"ratio", "distance", "csls"}

    Returns
    -------
    array
        Of the scores' type. A ratio to a neighbourhood that is not positive is 0: there is nothing to be a multiple of.
    """
    if margin == "ratio":
        base = np.maximum(neighborhood, np.asarray(_NO_NEIGHBORHOOD, scores.dtype))
        return np.asarray(np.where(neighborhood > _NO_NEIGHBORHOOD, scores / base, 0.0), scores.dtype)
    return np.asarray((scores - neighborhood) * (2 if margin == "csls" else 1), scores.dtype)


def check_margin(margin: str) -> None:
    """Raise ValueError unless the margin is known."""
    if margin not in get_args(Margin):
        raise ValueError(f"margin must be one of {', '.join(get_args(Margin))}, but is {margin!r}")


def neighborhood_means(scores: Any, k: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the mean of the k best scores of each row and of each column, shapes (n,) and (m,).

    Of fewer candidates than k, all count; where there is none the mean is 0.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, but is {k}")
    table = as_scores(scores)
    if isinstance(table, Candidates):
        n, m = table.shape
        return _best_means(table.scores, table.rows, n, k), _best_means(table.scores, table.columns, m, k)
    return _dense_means(table, k), _dense_means(table.T, k)


def best_of_groups(
    scores: NDArray[np.floating[Any]], groups: NDArray[Any], k: int, *, ties: NDArray[Any] | None = None
) -> NDArray[np.int64]:
    """Return the positions of the k best scores of each group, group by group, best first.

    Parameters
    ----------
    scores, groups : (e,) arrays
    k : int
    ties : (e,) array, optional
        Equal scores are ordered by it, else by their position.

    Examples
    --------
    >>> best_of_groups(np.array([0.1, 0.9, 0.5, 0.2]), np.array([1, 0, 1, 1]), 2).tolist()
    [1, 2, 3]
    """
    order = np.lexsort((-scores, groups) if ties is None else (ties, -scores, groups))
    sorted_groups = groups[order]
    return order[np.arange(len(order)) - np.searchsorted(sorted_groups, sorted_groups) < k]


def margin_scores(
    scores: Any, margin: Margin = "ratio", *, k: int = 4, means: tuple[Any, Any] | None = None
) -> "NDArray[np.float32] | Candidates":
    """Return the margin of each pair over the neighbourhoods of both its sides.

    With a the score of x and y and b = (mean of the k best of x + mean of the k best of y) / 2 [1]_:
    ``ratio`` a / b, ``distance`` a - b, ``csls`` 2 (a - b).

    Parameters
    ----------
    scores : (n, m) array, sparse matrix or Candidates
        Cosines.
    margin : {"ratio", "distance", "csls"}
    k : int
        Size of the neighbourhoods. Sparse candidates must hold the k best of both sides, else give `means`.
    means : pair of (n,), (m,) arrays, optional
        The neighbourhoods' means, from exact searches both ways.

    Raises
    ------
    ValueError
        If the margin is unknown or k < 1.

    References
    ----------
    .. [1] Artetxe and Schwenk (2019), "Margin-based parallel corpus mining with multilingual sentence embeddings",
       ACL. doi:10.18653/v1/P19-1309

    Examples
    --------
    >>> print(margin_scores(np.array([[0.9, 0.5], [0.3, 0.6]]), "distance", k=2).round(3))
    [[ 0.25  -0.125]
     [-0.225  0.1  ]]
    """
    check_margin(margin)
    table = as_scores(scores)
    own, others = neighborhood_means(table, k) if means is None else (np.asarray(each, np.float32) for each in means)
    if isinstance(table, Candidates):
        around = np.float32(0.5) * (own[table.rows] + others[table.columns])
        return table.with_scores(over_neighborhood(table.scores, around, margin))
    return over_neighborhood(table, np.float32(0.5) * (own[:, None] + others), margin)


def reciprocal_rank_scores(scores: Any) -> "NDArray[np.float32] | Candidates":
    """Return 2 / (r(x, y) + r(y, x)), r the ranks of the pair among its row's and its column's preferences.

    A row prefers y by S(x, y) - max over x' of S(x', y), a column x by S(x, y) - max over y' of S(x, y') [1]_; a pair
    that is first for both gets 1. Sparse ranks count the candidates only.

    References
    ----------
    .. [1] Zeng, Zhao, Li, Tang and Wang (2022), "On entity alignment at scale", The VLDB Journal 31.
       doi:10.1007/s00778-021-00703-3
    """
    table = as_scores(scores)
    if isinstance(table, Candidates):
        best_row = np.full(table.shape[0], -np.inf, np.float32)
        best_column = np.full(table.shape[1], -np.inf, np.float32)
        np.maximum.at(best_row, table.rows, table.scores)
        np.maximum.at(best_column, table.columns, table.scores)
        first = _ranks(table.scores - best_column[table.columns], table.rows)
        second = _ranks(table.scores - best_row[table.rows], table.columns)
        return table.with_scores(2.0 / (first + second))
    if 0 in table.shape:
        return table
    total = _dense_ranks(table - table.max(axis=0))
    total += _dense_ranks((table - table.max(axis=1, keepdims=True)).T).T
    return np.asarray(2.0 / total, np.float32)


def _dense_means(matrix: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    if matrix.shape[1] == 0:
        return np.zeros(len(matrix), np.float32)
    k = min(k, matrix.shape[1])
    best = np.partition(matrix, matrix.shape[1] - k, axis=1)[:, -k:]
    return np.asarray(best.mean(axis=1, dtype=np.float64), np.float32)


def _best_means(scores: NDArray[np.float32], groups: NDArray[np.int64], size: int, k: int) -> NDArray[np.float32]:
    kept = best_of_groups(scores, groups, k)
    sums = np.bincount(groups[kept], scores[kept].astype(np.float64), size)
    return np.asarray(sums / np.maximum(np.bincount(groups[kept], minlength=size), 1), np.float32)


def _ranks(scores: NDArray[np.float32], groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rank of each score within its group, from 1, best first; equal ones by position."""
    order = np.lexsort((-scores, groups))
    sorted_groups = groups[order]
    starts = np.searchsorted(sorted_groups, sorted_groups)
    ranks = np.empty(len(scores), np.int64)
    ranks[order] = np.arange(len(scores)) - starts + 1
    return ranks


def _dense_ranks(preferences: NDArray[np.float32]) -> NDArray[np.int32]:
    order = np.argsort(-preferences, axis=1, kind="stable")
    ranks = np.empty(order.shape, np.int32)
    np.put_along_axis(ranks, order, np.arange(1, order.shape[1] + 1, dtype=np.int32)[None, :], axis=1)
    return ranks
