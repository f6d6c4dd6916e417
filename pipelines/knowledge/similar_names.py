"""Names that are alike letter by letter."""

import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from interlingua.align.matching import Candidates

__all__ = ["similar_names"]

_SIZES = (2, 3)
_ROWS_AT_ONCE = 500


def similar_names(left: Sequence[str], right: Sequence[str], *, k: int = 20, least: float = 0.2) -> Candidates:
    """Return the cosines of the names' groups of two and three characters, rare groups weighing more.

    A group weighs log((1 + names) / (1 + names with it)) + 1, over both sides.

    Parameters
    ----------
    left, right : sequence of str
    k : int
        At most so many of each name, either way.
    least : float
        Pairs below are left out.

    Returns
    -------
    Candidates

    Examples
    --------
    >>> found = similar_names(["香港 1997", "巴黎"], ["Paris", "Hong Kong 1997"])
    >>> found.rows.tolist(), found.columns.tolist()
    ([0], [1])
    """
    first, second = _weighed(left, right)
    shape = (len(left), len(right))
    rows, columns, scores = _best(first, second, k, least)
    other_columns, other_rows, other_scores = _best(second, first, k, least)
    codes = np.concatenate([rows * shape[1] + columns, other_rows * shape[1] + other_columns])
    codes, kept = np.unique(codes, return_index=True)
    found = np.minimum(np.concatenate([scores, other_scores])[kept], np.float32(1))
    rows, columns = np.divmod(codes, max(shape[1], 1))
    return Candidates(rows, columns, found, shape)


def _weighed(left: Sequence[str], right: Sequence[str]) -> tuple[sparse.csr_array, sparse.csr_array]:
    vocabulary: dict[str, int] = {}
    rows, columns = [], []
    for row, name in enumerate((*left, *right)):
        text = f" {unicodedata.normalize('NFKC', name).casefold()} "
        for size in _SIZES:
            for start in range(len(text) - size + 1):
                rows.append(row)
                columns.append(vocabulary.setdefault(text[start : start + size], len(vocabulary)))
    n = len(left) + len(right)
    counts = sparse.csr_array((np.ones(len(rows), np.float32), (rows, columns)), shape=(n, max(len(vocabulary), 1)))
    counts.sum_duplicates()
    names_with = np.bincount(counts.indices, minlength=counts.shape[1])
    counts.data *= (np.log((1 + n) / (1 + names_with)) + 1)[counts.indices].astype(np.float32)
    lengths = np.sqrt(np.asarray(counts.multiply(counts).sum(axis=1)).ravel())
    counts.data /= np.repeat(np.maximum(lengths, 1e-12), np.diff(counts.indptr)).astype(np.float32)
    return counts[: len(left)], counts[len(left) :]


def _best(
    own: sparse.csr_array, other: sparse.csr_array, k: int, least: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Return the k best of each row of own other', those of `least` or more."""
    turned = sparse.csr_array(other.T)
    found = []
    for start in range(0, own.shape[0], _ROWS_AT_ONCE):
        block = sparse.coo_array(own[start : start + _ROWS_AT_ONCE] @ turned)
        high = block.data >= least
        rows, columns, scores = block.row[high], block.col[high], block.data[high]
        order = np.lexsort((columns, -scores, rows))
        kept = order[np.arange(len(order)) - np.searchsorted(rows[order], rows[order]) < k]
        found.append((rows[kept].astype(np.int64) + start, columns[kept].astype(np.int64), scores[kept]))
    if not found:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32)
    rows, columns, scores = (np.concatenate(part) for part in zip(*found, strict=True))
    return rows.astype(np.int64), columns.astype(np.int64), scores.astype(np.float32)
