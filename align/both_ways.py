"""The nearest neighbours of two sets in either direction, or within one set, with each pair multiplied once."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import as_matrix, is_numpy, known_rows
from .neighbors import Neighbors, nearest, top_k

_SAMPLE = 2048
_FEWEST = 8 * _SAMPLE  # rows a side, from where one product repays its bookkeeping
_ROWS, _COLUMNS = 2048, 4096  # of a block


def top_k_both_ways(
    source: Any, target: Any, k: int, k_back: int, *, search: Callable[[Any, Any, int], Neighbors] = top_k
) -> tuple[Neighbors, Neighbors]:
    """Return the k nearest targets of each source and the nearest sources of each target, exactly, as `top_k` does.

    A sample says from which score on a row can be among the best of another; what reaches that in a block of the
    product is kept, and the rest is never sorted. Time is that of one product, a little more than half of two searches.

    Parameters
    ----------
    source : (n, d) array
    target : (m, d) array
    k, k_back : int
        Neighbours of each source, and of each target.
    search : callable
        `top_k` or `nearest`, by which small sets, those with zero rows and those on other devices are searched.

    Examples
    --------
    >>> ahead, back = top_k_both_ways(np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32)[::-1], 1, 1)
    >>> ahead.ids.ravel().tolist(), back.ids.ravel().tolist()
    ([2, 1, 0], [2, 1, 0])
    """
    if not (_pays(source, max(k, k_back)) and _pays(target, max(k, k_back))):
        return search(source, target, k), search(target, source, k_back)
    source, target = as_matrix(source, "source"), as_matrix(target, "target")
    ahead, back = _Best(source, target, k), _Best(target, source, k_back)
    for start in range(0, len(source), _ROWS):
        rows = source[start : start + _ROWS]
        for first in range(0, len(target), _COLUMNS):
            _take_block(ahead, back, rows @ target[first : first + _COLUMNS].T, start, first)
    return ahead.found(), back.found()


def top_k_among(vectors: Any, k: int, *, search: Callable[[Any, Any, int], Neighbors] = top_k) -> Neighbors:
    """Return what `top_k` does of a set and itself, each row among its own neighbours, in half of the time.

    Parameters
    ----------
    vectors : (n, d) array
    k : int
    search : callable
        As in `top_k_both_ways`.

    Examples
    --------
    >>> top_k_among(np.eye(3, dtype=np.float32), 1).ids.ravel().tolist()
    [0, 1, 2]
    """
    if not _pays(vectors, k):
        return search(vectors, vectors, k)
    vectors = as_matrix(vectors, "vectors")
    best = _Best(vectors, vectors, k)
    for start in range(0, len(vectors), _ROWS):
        rows = vectors[start : start + _ROWS]
        for first in range(start, len(vectors), _ROWS):
            other = None if first == start else best
            _take_block(best, other, rows @ vectors[first : first + _ROWS].T, start, first)
    return best.found()


def _pays(rows: Any, k: int) -> bool:
    return bool(rows.shape[0] >= max(_FEWEST, k) and is_numpy(rows) and known_rows(rows) is None)


def _take_block(ahead: "_Best", back: "_Best | None", products: NDArray[np.float32], start: int, first: int) -> None:
    """Keep what is among the best of a block's rows, which begin at `start`, and of its columns, from `first`."""
    near = np.flatnonzero(products >= ahead.least[start : start + len(products), None])
    ahead.take(*_placed(products, near, start, first))
    if back is not None:
        near = np.flatnonzero(products >= back.least[first : first + products.shape[1]])
        rows, columns, values = _placed(products, near, start, first)
        back.take(columns, rows, values)


def _placed(
    products: NDArray[np.float32], near: NDArray[np.int64], start: int, first: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Return row, column and value of some places of a block that begins at a row and a column."""
    rows, columns = np.divmod(near, products.shape[1])
    return rows + start, columns + first, products.ravel()[near]


class _Best:
    """The k best of each row, of scores that come block by block."""

    def __init__(self, queries: NDArray[np.float32], candidates: NDArray[np.float32], k: int) -> None:
        some = np.linspace(0, len(candidates) - 1, _SAMPLE).astype(np.int64)
        self._k = k
        # subtle: one unit of rounding less, as a product of another shape may round otherwise
        self.least = np.nextafter(nearest(queries, candidates[some], k).scores[:, -1], -np.inf) - np.float32(1e-6)
        self._scores = np.full((len(queries), k), -np.inf, np.float32)
        self._ids = np.zeros((len(queries), k), np.int64)

    def take(self, rows: NDArray[np.int64], columns: NDArray[np.int64], values: NDArray[np.float32]) -> None:
        """Keep what is among the best so far, of scores (p,) of rows and candidates."""
        if not len(rows):
            return
        order = np.lexsort((columns, -values, rows))
        rows, columns, values = rows[order], columns[order], values[order]
        place = np.arange(len(rows)) - np.searchsorted(rows, rows)
        first = place < self._k
        rows, columns, values, place = rows[first], columns[first], values[first], place[first]
        met, group = np.unique(rows, return_inverse=True)
        more, there = np.full((len(met), self._k), -np.inf, np.float32), np.zeros((len(met), self._k), np.int64)
        more[group, place], there[group, place] = values, columns
        both = np.concatenate([self._scores[met], more], axis=1)
        ids = np.concatenate([self._ids[met], there], axis=1)
        best = np.lexsort((ids, -both), axis=1)[:, : self._k]
        self._scores[met] = np.take_along_axis(both, best, axis=1)
        self._ids[met] = np.take_along_axis(ids, best, axis=1)
        self.least[met] = np.maximum(self.least[met], self._scores[met, -1])

    def found(self) -> Neighbors:
        """Return the best, best first."""
        return Neighbors(self._ids, self._scores)
