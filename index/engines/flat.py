"""Exact search with the scores of float64: the oracle that other indexes are compared with."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interlingua.index.folder import FileWriter

from .base import (
    Described,
    IndexSpec,
    Metric,
    SearchResult,
    check_k,
    check_vectors,
    refuse_mapped,
)
from .ids import IdTable
from .scan import faiss_threads, scan

#: Holes that removed vectors may leave among all before the others move up.
DEAD_SHARE = 0.1
_CANDIDATES = 4  # a result, in float32
_MORE = 64  # of them than results, at most
_UNIT_ROUNDOFF = 2.0**-24
_NUMBERS_AGAIN = 1 << 22  # in float64 at a time
_QUERY_BLOCK = 256
_VECTOR_BLOCK = 4096


class FlatIndex(Described):
    """Exact search over all vectors, with scores computed in float64 and ties in the order of adding.

    Search costs O(n q d) for q queries over n vectors. FAISS's kernels find candidates in float32; their scores are
    computed again in float64. Where the error of float32 could have left out a better one, as among many equal vectors
    or for distances far smaller than the vectors are long, that query is compared with all vectors in float64, in
    blocks of 256 queries x 4096 vectors. Memory: 4 d + 8 bytes a vector; while it grows, the old and the new buffer
    together. Removed vectors leave a hole until a tenth of all are holes.

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
        self._longest: float | None = 0.0  # no vector has a greater norm; None where that is to be measured

    @property
    def spec(self) -> IndexSpec:
        """Kind, dimension and metric."""
        return IndexSpec(self.kind, self._dimension, self._metric)

    def __len__(self) -> int:
        return len(self._table) - self._table.n_dead

    @property
    def _rows(self) -> NDArray[np.float32]:
        return self._buffer[: len(self._table)]

    def add(self, ids: ArrayLike, vectors: ArrayLike) -> None:
        """Add vectors (n, d) under new ids (n,); amortised O(n d)."""
        refuse_mapped(self._mapped)
        checked = check_vectors(vectors, self._dimension, self._metric)
        new_ids = self._table.new(ids, len(checked))
        end = len(self._table)
        size = end + len(checked)
        if size > len(self._buffer):
            grown = np.empty((max(size, end * 3 // 2), self._dimension), dtype=np.float32)
            grown[:end] = self._rows
            self._buffer = grown
        self._buffer[end:size] = checked
        if self._longest is not None:
            self._longest = max(self._longest, _longest(checked))
        self._table.append(new_ids)

    def remove(self, ids: ArrayLike) -> None:
        """Remove vectors by id, at O(n) without copying vectors, but for every tenth of all that goes."""
        refuse_mapped(self._mapped)
        positions = self._table.known(ids)
        self._table.kill(positions)
        self._buffer[positions] = np.nan  # nothing is nearer than that, and nothing of it stays
        if self._table.n_dead > DEAD_SHARE * len(self._table) and (living := self._table.living) is not None:
            self._buffer = self._rows[living]
            self._table.keep(living)

    def search(self, queries: ArrayLike, k: int, *, allowed: ArrayLike | None = None) -> SearchResult:
        """Return the k best ids of each query (n, d), exactly."""
        k = check_k(k)
        checked = check_vectors(queries, self._dimension, self._metric, name="queries")
        rows = self._table.allowed(allowed)
        n_rows = len(self) if rows is None else len(rows)
        positions = np.empty((len(checked), min(k, n_rows)), dtype=np.int64)
        scores = np.empty(positions.shape, dtype=np.float32)
        unsure = np.arange(len(checked))
        if n_rows > _CANDIDATES * k:  # else little is saved
            unsure = np.flatnonzero(~self._find(checked, k, rows, positions, scores))
        if len(unsure) and rows is None and (living := self._table.living) is not None:
            rows = np.flatnonzero(living)
        for start in range(0, len(unsure), _QUERY_BLOCK):
            block = unsure[start : start + _QUERY_BLOCK]
            positions[block], scores[block] = self._search_block(checked[block].astype(np.float64), k, rows)
        return pad_result(self._table, positions, scores, k, self._metric)

    def reconstruct(self, ids: ArrayLike) -> NDArray[np.float32]:
        """Return a copy of the stored vectors (n, d), of unit length for `cosine`."""
        return np.asarray(self._buffer[self._table.known(ids)])

    def files(self) -> Mapping[str, FileWriter]:
        """Return the writers of ``vectors.npy`` and ``ids.npy``."""
        return {"vectors.npy": self._write_vectors, "ids.npy": self._write_ids}

    @classmethod
    def read(cls, files: Mapping[str, Path], spec: IndexSpec, *, mapped: bool = False) -> "FlatIndex":
        """Return the index whose `files` were written; checksums are the caller's business.

        With `mapped`, the vectors stay on the disk, and the index refuses to be written to.
        """
        index = cls(spec.dimension, spec.metric)
        index._buffer = np.load(files["vectors.npy"], mmap_mode="r" if mapped else None, allow_pickle=False)
        index._mapped = mapped
        index._table = IdTable(np.load(files["ids.npy"], allow_pickle=False))
        index._longest = None
        if index._buffer.shape != (len(index), spec.dimension) or index._buffer.dtype != np.float32:
            raise ValueError(f"the shape {index._buffer.shape} is not ({len(index)}, {spec.dimension})")
        return index

    def _write_vectors(self, path: Path) -> None:
        living = self._table.living
        write_array(self._rows if living is None else self._rows[living], path)

    def _write_ids(self, path: Path) -> None:
        ids = self._table.ids
        write_array(ids[ids >= 0], path)

    def _find(
        self,
        queries: NDArray[np.float32],
        k: int,
        rows: NDArray[np.int64] | None,
        positions: NDArray[np.int64],
        scores: NDArray[np.float32],
    ) -> NDArray[np.bool_]:
        """Put the k best rows of each query in place, and return for which queries it is certain that they are."""
        with faiss_threads(None):
            found, rough = scan(queries, self._rows, min(_CANDIDATES * k, k + _MORE), self._metric, rows)
        certain = found.min(axis=1) >= 0
        if self._table.n_dead and certain.all():
            certain &= (self._table.at(found) >= 0).all(axis=1)
        if self._longest is None:
            self._longest = _longest(self._rows)
        wide = queries.astype(np.float64)
        lengths = np.sqrt(np.einsum("ij,ij->i", wide, wide))
        # of d products, whatever the order of their sum (Higham, "Accuracy and stability", 3.1)
        error = _UNIT_ROUNDOFF * (self._dimension + 8) * 1.01 * lengths * self._longest
        if self._metric is Metric.L2:
            error = _UNIT_ROUNDOFF * (self._dimension + 8) * 1.01 * (lengths + self._longest) ** 2
        step = max(1, _NUMBERS_AGAIN // (found.shape[1] * self._dimension))
        for start in range(0, len(queries), step):
            part = slice(start, start + step)
            places = np.sort(found[part].clip(min=0), axis=1)  # so that the first of equal ones wins
            stored = self._rows[places.ravel()].astype(np.float64).reshape(*places.shape, self._dimension)
            own = _scores(wide[part], stored, self._metric)
            order = np.argsort(-own, axis=1, kind="stable")[:, :k]
            positions[part] = np.take_along_axis(places, order, axis=1)
            scores[part] = np.take_along_axis(own, order, axis=1)
        worst = scores[:, -1].astype(np.float64)
        return np.asarray(certain & (rough[:, -1] + error < worst - np.abs(worst) * _UNIT_ROUNDOFF * 2))

    def _search_block(
        self, queries: NDArray[np.float64], k: int, rows: NDArray[np.int64] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        positions = np.empty((len(queries), 0), dtype=np.int64)
        scores = np.empty((len(queries), 0), dtype=np.float32)
        n_rows = len(self._table) if rows is None else len(rows)
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
        all_ids[:, :width] = np.where(found, table.at(positions.clip(min=0)), -1)
        all_scores[:, :width] = np.where(found, scores, -np.inf)
    return SearchResult(all_ids, all_scores, metric)


def write_array(array: NDArray[np.generic], path: Path) -> None:
    """Write `array` as an ``.npy`` file, without pickle."""
    with path.open("wb") as stream:
        np.save(stream, array, allow_pickle=False)


def _longest(rows: NDArray[np.float32]) -> float:
    """Return the greatest norm; rows of NaN are holes."""
    squares = np.einsum("ij,ij->i", rows, rows, dtype=np.float64)
    return float(np.sqrt(np.fmax.reduce(squares, initial=0.0)))


def _scores(queries: NDArray[np.float64], stored: NDArray[np.float64], metric: Metric) -> NDArray[np.float32]:
    """Return the scores of queries (q, d) and the rows (q, m, d) of each, as `_block_scores` rounds them."""
    if metric is Metric.L2:
        off = stored - queries[:, None]
        return np.asarray(-np.einsum("ijk,ijk->ij", off, off), np.float32)
    return np.asarray(np.einsum("ijk,ik->ij", stored, queries), np.float32)


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
