"""Exact nearest neighbours by inner product, in blocks, so that memory stays bounded."""

from dataclasses import dataclass
from typing import Any

import array_api_compat
import numpy as np
from numpy.typing import NDArray

from .arrays import as_matrix, check_same_dimension, is_numpy, namespace, row_blocks, to_numpy

__all__ = ["Neighbors", "top_k"]

_QUERY_BLOCK = 1024
_CANDIDATE_BLOCK = 16384


@dataclass(frozen=True)
class Neighbors:
    """The best candidates of each query, best first.

    Attributes
    ----------
    ids : (n, k) array of int64
        Row numbers of the candidates.
    scores : (n, k) array of float32
        Higher is better.
    """

    ids: NDArray[np.int64]
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        return int(self.ids.shape[0])


def top_k(queries: Any, candidates: Any, k: int) -> Neighbors:
    """Find for each query the k candidates with the largest inner product, exactly.

    Parameters
    ----------
    queries : (n, d) array
        For cosine similarity give unit rows.
    candidates : (m, d) array
        Same namespace and device as `queries`.
    k : int
        At least one; where it exceeds m, m neighbours are returned.

    Returns
    -------
    Neighbors
        NumPy arrays of shape (n, min(k, m)), sorted by falling score; among the returned ones, equal scores
        are sorted by row number.

    Raises
    ------
    ValueError
        If k < 1, there is no candidate, the dimensions differ or a value is not finite.

    Notes
    -----
    Time grows as n m d. Memory is the input, the result and one block of scores (1024 x 16384 float32, 64 MB),
    whatever n and m are. NumPy arrays are searched by FAISS's exact kernel, arrays on other devices by blocked
    products in their own namespace.

    Examples
    --------
    >>> x = np.eye(3, dtype=np.float32)
    >>> top_k(x[:1], x + 0.5, k=2).ids.tolist()
    [[0, 1]]
    """
    queries, candidates = as_matrix(queries, "queries"), as_matrix(candidates, "candidates")
    check_same_dimension(queries, candidates, ("queries", "candidates"))
    if k < 1:
        raise ValueError(f"k must be at least 1, but is {k}")
    if candidates.shape[0] == 0:
        raise ValueError("there must be at least one candidate to search, but there is none")
    k = min(k, int(candidates.shape[0]))
    if queries.shape[0] == 0:
        return Neighbors(np.empty((0, k), np.int64), np.empty((0, k), np.float32))
    if is_numpy(queries):
        import faiss

        scores, ids = faiss.knn(queries, candidates, k, metric=faiss.METRIC_INNER_PRODUCT)
    else:
        scores, ids = _blocked_top_k(queries, candidates, k)
    order = np.lexsort((ids, -scores), axis=1)
    return Neighbors(
        np.take_along_axis(ids, order, axis=1).astype(np.int64, copy=False),
        np.take_along_axis(scores, order, axis=1).astype(np.float32, copy=False),
    )


def _blocked_top_k(queries: Any, candidates: Any, k: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Keep the k best of each block of candidates and merge, on the arrays' own device."""
    xp = namespace(queries, candidates)
    n = int(queries.shape[0])
    all_scores, all_ids = np.empty((n, k), np.float32), np.empty((n, k), np.int64)
    for start, block in row_blocks(queries, _QUERY_BLOCK):
        kept_scores, kept_ids = [], []
        for first, part in row_blocks(candidates, _CANDIDATE_BLOCK):
            scores, ids = _largest(xp, block @ xp.matrix_transpose(part), min(k, int(part.shape[0])))
            kept_scores.append(scores)
            kept_ids.append(ids + first)
        scores, positions = _largest(xp, xp.concat(kept_scores, axis=1), k)
        ids = xp.take_along_axis(xp.concat(kept_ids, axis=1), positions, axis=1)
        all_scores[start : start + block.shape[0]] = to_numpy(scores)
        all_ids[start : start + block.shape[0]] = to_numpy(ids)
    return all_scores, all_ids


def _largest(xp: Any, scores: Any, k: int) -> tuple[Any, Any]:
    """Return the k largest of each row and their columns, best first."""
    if array_api_compat.is_torch_namespace(xp):
        values, columns = scores.topk(k, dim=1)
        return values, columns
    # the standard has no partial sort
    columns = xp.argsort(scores, axis=1, descending=True, stable=True)[:, :k]
    return xp.take_along_axis(scores, columns, axis=1), columns
