"""Exact search in NumPy: the oracle that other indexes are compared with."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interlingua.index.folder import FileWriter

from .base import (
    Described,
    IdTable,
    IndexSpec,
    Metric,
    SearchResult,
    check_k,
    check_vectors,
    refuse_mapped,
)

_QUERY_BLOCK = 256
_VECTOR_BLOCK = 4096


class FlatIndex(Described):
    """Exact search over all vectors, with scores computed in float64 and ties in the order of adding.

    Search costs O(n q d) for q queries over n vectors and holds blocks of 256 queries x 4096 vectors besides the
    result, whatever n is. Memory: 4 d + 8 bytes a vector; while it grows, the old and the new buffer together.
    FAISS's flat index answers a single query several times faster, and computes in float32.

    Parameters
    ----------
    dimension : int
        Length d of each vector.
    metric : Metric or str
        ``cosine`` scales vectors and queries to unit length itself.

    Examples
    --------
    >>> index = FlatIndex(2, "l2")
    >>> index.add([10, 20, 30], [[0.0, 0.0], [3.0, 4.0], [1.0, 0.0]])
    >>> result = index.search([[0.0, 0.0]], k=2)
    >>> result.ids.tolist(), result.distances.tolist()
    ([[10, 30]], [[0.0, 1.0]])
    >>> index.search([[0.0, 0.0]], k=2, allowed=[20]).ids.tolist()
    [[20, -1]]
    """

    kind = "flat"

    def __init__(self, dimension: int, metric: Metric | str = Metric.COSINE) -> None:
        super().__init__(dimension, metric)
        self._table = IdTable()
        self._buffer = np.empty((0, self._dimension), dtype=np.float32)  # its first len(self) rows count
        self._mapped = False

    @property
    def spec(self) -> IndexSpec:
        """Kind, dimension and metric."""
        return IndexSpec(self.kind, self._dimension, self._metric)

    def __len__(self) -> int:
        return len(self._table.ids)

    def add(self, ids: ArrayLike, vectors: ArrayLike) -> None:
        """Add vectors (n, d) under new ids (n,); amortised O(n d)."""
        refuse_mapped(self._mapped)
        checked = check_vectors(vectors, self._dimension, self._metric)
        new_ids = self._table.new(ids, len(checked))
        size = len(self) + len(checked)
        if size > len(self._buffer):
            grown = np.empty((max(size, len(self) * 3 // 2), self._dimension), dtype=np.float32)
            grown[: len(self)] = self._buffer[: len(self)]
            self._buffer = grown
        self._buffer[len(self) : size] = checked
        self._table.append(new_ids)

    def remove(self, ids: ArrayLike) -> None:
        """Remove vectors by id; O(n d), so remove many at once."""
        refuse_mapped(self._mapped)
        mask = np.ones(len(self), dtype=bool)
        mask[self._table.known(ids)] = False
        self._buffer = self._buffer[: len(self)][mask]
        self._table.keep(mask)

    def search(self, queries: ArrayLike, k: int, *, allowed: ArrayLike | None = None) -> SearchResult:
        """Return the k best ids of each query (n, d), exactly."""
        k = check_k(k)
        checked = check_vectors(queries, self._dimension, self._metric, name="queries")
        rows = self._table.allowed(allowed)
        blocks = [
            self._search_block(checked[start : start + _QUERY_BLOCK].astype(np.float64), k, rows)
            for start in range(0, len(checked), _QUERY_BLOCK)
        ]
        positions = np.concatenate([block[0] for block in blocks])
        scores = np.concatenate([block[1] for block in blocks])
        return pad_result(self._table, positions, scores, k, self._metric)

    def reconstruct(self, ids: ArrayLike) -> NDArray[np.float32]:
        """Return a copy of the stored vectors (n, d), of unit length for `cosine`."""
        return np.asarray(self._buffer[self._table.known(ids)])

    def files(self) -> Mapping[str, FileWriter]:
        """Return the writers of ``vectors.npy`` and ``ids.npy``."""
        return {
            "vectors.npy": partial(write_array, self._buffer[: len(self)]),
            "ids.npy": partial(write_array, self._table.ids),
        }

    @classmethod
    def read(cls, files: Mapping[str, Path], spec: IndexSpec, *, mapped: bool = False) -> "FlatIndex":
        """Return the index whose `files` were written; checksums are the caller's business.

        With `mapped`, the vectors stay on the disk, and the index refuses to be written to.
        """
        index = cls(spec.dimension, spec.metric)
        index._buffer = np.load(files["vectors.npy"], mmap_mode="r" if mapped else None, allow_pickle=False)
        index._mapped = mapped
        index._table = IdTable(np.load(files["ids.npy"], allow_pickle=False))
        if index._buffer.shape != (len(index), spec.dimension) or index._buffer.dtype != np.float32:
            raise ValueError(f"the shape {index._buffer.shape} is not ({len(index)}, {spec.dimension})")
        return index

    def _search_block(
        self, queries: NDArray[np.float64], k: int, rows: NDArray[np.int64] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        positions = np.empty((len(queries), 0), dtype=np.int64)
        scores = np.empty((len(queries), 0), dtype=np.float32)
        n_rows = len(self) if rows is None else len(rows)
        for start in range(0, n_rows, _VECTOR_BLOCK):
            stop = min(start + _VECTOR_BLOCK, n_rows)
            block = np.arange(start, stop) if rows is None else rows[start:stop]
            stored = self._buffer[start:stop] if rows is None else self._buffer[block]
            block_scores = _block_scores(queries, stored.astype(np.float64), self._metric)
            positions, scores = _best_columns(
                np.concatenate([positions, np.broadcast_to(block, block_scores.shape)], axis=1),
                np.concatenate([scores, block_scores], axis=1),
                k,
            )
        return positions, scores


def pad_result(
    table: IdTable, positions: NDArray[np.int64], scores: NDArray[np.float32], k: int, metric: Metric
) -> SearchResult:
    """Return the result for found positions (n, m <= k), -1 where nothing was found, filled up to k."""
    if metric is Metric.COSINE:  # of unit vectors in float32 it may be 1.0000001
        scores = scores.clip(-1, 1)
    if positions.shape[1] == k and positions.size and positions.min() >= 0:
        return SearchResult(table.at(positions), scores, metric)
    all_ids = np.full((len(positions), k), -1, dtype=np.int64)
    all_scores = np.full((len(positions), k), -np.inf, dtype=np.float32)
    if positions.size:
        found, width = positions >= 0, positions.shape[1]
        all_ids[:, :width] = np.where(found, table.ids[positions], -1)
        all_scores[:, :width] = np.where(found, scores, -np.inf)
    return SearchResult(all_ids, all_scores, metric)


def write_array(array: NDArray[np.generic], path: Path) -> None:
    """Write `array` as an ``.npy`` file, without pickle."""
    with path.open("wb") as stream:
        np.save(stream, array, allow_pickle=False)


def _block_scores(queries: NDArray[np.float64], stored: NDArray[np.float64], metric: Metric) -> NDArray[np.float32]:
    # float64 products rounded to float32: equal vectors get equal scores wherever they stand in a block, which
    # float32 matrix products do not promise, and squared distances do not suffer from cancellation.
    products = queries @ stored.T
    if metric is Metric.L2:
        squares = np.einsum("ij,ij->i", queries, queries)[:, None] + np.einsum("ij,ij->i", stored, stored)
        products = np.minimum(2 * products - squares, 0)
    return products.astype(np.float32)


def _best_columns(
    positions: NDArray[np.int64], scores: NDArray[np.float32], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the k best columns of each row, best first; among equal scores the first columns win."""
    n_columns = scores.shape[1]
    if n_columns > k:
        cut = np.partition(scores, n_columns - k, axis=1)[:, n_columns - k, None]
        above, equal = scores > cut, scores == cut
        room = k - np.count_nonzero(above, axis=1)
        taken = above | (equal & (np.cumsum(equal, axis=1) <= room[:, None]))
        positions, scores = positions[taken].reshape(-1, k), scores[taken].reshape(-1, k)
    order = np.argsort(-scores, axis=1, kind="stable")
    return np.take_along_axis(positions, order, axis=1), np.take_along_axis(scores, order, axis=1)
