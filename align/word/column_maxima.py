"""The best values of each column of a matrix that arrives in blocks of rows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import is_numpy, namespace, to_numpy

__all__ = ["ColumnTop", "column_argmax"]

_DENSE = 0.05


class ColumnTop:
    """Carries the k largest values of each column over blocks of rows.

    After the first block hardly any value beats the k-th best of its column (about k ln(n / k) of n do in random
    order), so that one comparison an entry replaces a partial sort of every column.

    Parameters
    ----------
    k : int
        Values to keep of each column.
    n_columns : int
        Columns of every block.

    Attributes
    ----------
    values : (k, n_columns) array of float32
        The largest values so far, in no order; -inf where fewer than k rows came.

    Examples
    --------
    >>> top = ColumnTop(2, 3)
    >>> top.update(np.array([[1, 5, 2], [4, 0, 2]], dtype=np.float32))
    >>> top.update(np.array([[3, 9, 1]], dtype=np.float32))
    >>> np.sort(top.values, axis=0).tolist()
    [[3.0, 5.0, 2.0], [4.0, 9.0, 2.0]]
    """

    def __init__(self, k: int, n_columns: int) -> None:
        self.values: NDArray[np.float32] = np.full((k, n_columns), -np.inf, np.float32)

    def update(self, block: NDArray[np.float32]) -> None:
        """Take in the rows of `block`, shape (b, n_columns)."""
        beats = block > self.values.min(axis=0)
        if np.count_nonzero(beats) > _DENSE * block.size:
            self._merge(np.arange(block.shape[1]), block.T)
            return
        entries = np.flatnonzero(beats)
        if entries.size == 0:
            return
        columns = entries % block.shape[1]
        order = np.argsort(columns, kind="stable")
        columns, found = columns[order], block.ravel()[entries[order]]
        touched, starts, counts = np.unique(columns, return_index=True, return_counts=True)
        padded = np.full((touched.size, int(counts.max())), -np.inf, np.float32)
        padded[np.repeat(np.arange(touched.size), counts), np.arange(columns.size) - np.repeat(starts, counts)] = found
        self._merge(touched, padded)

    def _merge(self, columns: NDArray[np.intp], candidates: NDArray[np.float32]) -> None:
        """Keep the k best of each column and its (n_columns, c) candidates."""
        k = self.values.shape[0]
        pool = np.concatenate([self.values[:, columns].T, candidates], axis=1)
        self.values[:, columns] = np.partition(pool, pool.shape[1] - k, axis=1)[:, pool.shape[1] - k :].T


def column_argmax(block: Any, columns: NDArray[np.intp], largest: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the first row of `block` that holds the largest value of each of some columns.

    NumPy's argmax along the first axis is some four times slower than its max: so the maximum is given, and rows are
    sought in the few columns where they matter.

    Parameters
    ----------
    block : (b, m) array
        Scores.
    columns : (c,) array of int
        Columns to look at.
    largest : (c,) array of float32
        Their maxima.

    Examples
    --------
    >>> block = np.array([[1, 5, 2], [4, 0, 2]], dtype=np.float32)
    >>> column_argmax(block, np.array([0, 2]), np.array([4, 2], dtype=np.float32)).tolist()
    [1, 0]
    """
    if not is_numpy(block):
        return np.asarray(to_numpy(namespace(block).argmax(block, axis=0))[columns], np.int64)
    return np.asarray((block[:, columns] == largest).argmax(axis=0), np.int64)
