"""Which pairs are worth comparing: the best of each row of two matrices, both ways, in one pass."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from interlingua.align.arrays import unit_rows
from interlingua.align.matching.scores import find_keys

Matrix = NDArray[np.float32]
_PRODUCTS = 8_000_000  # scores held at a time
_IN_BUCKET, _OVERLAP = 1000, 4


@dataclass
class BestOfGroups:
    """The k best of each group so far, and what a further score must exceed."""

    k: int
    size: int
    groups: list[NDArray[np.int64]] = field(default_factory=list)
    keys: list[NDArray[np.int64]] = field(default_factory=list)
    scores: list[NDArray[np.float32]] = field(default_factory=list)
    held: int = 0

    def __post_init__(self) -> None:
        self.least = np.full(self.size, -np.inf, np.float32)

    def add(self, groups: NDArray[np.int64], keys: NDArray[np.int64], scores: NDArray[np.float32]) -> None:
        """Take further scores, of keys that are new."""
        self.groups.append(groups)
        self.keys.append(keys)
        self.scores.append(scores)
        self.held += len(keys)
        if self.held > 3 * self.k * self.size:
            self.trim()

    def trim(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Forget what is not among the best; return keys and scores of the others."""
        if not self.keys:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        groups, keys, scores = np.concatenate(self.groups), np.concatenate(self.keys), np.concatenate(self.scores)
        kept = best_of(scores, groups, self.k)
        groups, keys, scores = groups[kept], keys[kept], scores[kept]
        full = np.bincount(groups, minlength=self.size) >= self.k
        lowest = np.full(self.size, np.inf, np.float32)
        np.minimum.at(lowest, groups, scores)
        np.maximum(self.least, np.where(full, lowest, -np.inf), out=self.least)
        self.groups, self.keys, self.scores, self.held = [groups], [keys], [scores], len(keys)
        return keys, scores


def best_pairs(own: Matrix, other: Matrix, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the pairs of the k largest inner products of each row of either matrix, exactly, and these products.

    Parameters
    ----------
    own, other : (a, d), (b, d) arrays of float32
    k : int

    Returns
    -------
    keys : (e,) array of int64
        row * b + column, distinct and rising.
    scores : (e,) array of float32

    Notes
    -----
    Every product is made once, for both ways. A score can only be among the k best of its row if it reaches the k-th
    largest of the maxima of parts of the row, so that few are sorted.

    Examples
    --------
    >>> keys, scores = best_pairs(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32)[::-1], 1)
    >>> keys.tolist(), scores.tolist()
    ([1, 2], [1.0, 1.0])
    """
    n, m = len(own), len(other)
    columns = BestOfGroups(min(k, n), m)
    keys, scores = [], []
    turned = np.ascontiguousarray(other.T)
    at_once = max(1, _PRODUCTS // max(m, 1))
    for start in range(0, n, at_once):
        products = own[start : start + at_once] @ turned
        offset = start * m
        rows, found = _high(products, min(k, m), None)
        places = rows * m + found
        places = np.sort(places[best_of(products.ravel()[places], rows, min(k, m))])
        keys.append(places + offset)
        scores.append(products.ravel()[places])
        some = columns.k <= len(products)
        found, rows = _high(products.T, min(columns.k, len(products)), columns.least if some else None)
        columns.add(found, (start + rows) * m + found, products[rows, found])
    best = columns.trim()
    together, first_of = np.unique(np.concatenate([*keys, best[0]]), return_index=True)
    return together, np.concatenate([*scores, best[1]])[first_of]


def _high(products: Matrix, k: int, least: NDArray[np.float32] | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows and columns of the k largest of each row that reach `least`, and of some more."""
    reached = _reached(products, k)
    if least is not None:
        np.maximum(least, reached, out=least)  # what k of these reach, the k best of all reach as well
        reached = least
    high = products >= reached[:, None]
    equal = np.flatnonzero(np.count_nonzero(high, axis=1) > 4 * k)  # many equal ones, as of rows of zeros
    high[equal] = False
    rows, columns = np.nonzero(high) if high.flags.c_contiguous else np.nonzero(high.T)[::-1]
    if len(equal):
        best = np.argpartition(products[equal], products.shape[1] - k, axis=1)[:, products.shape[1] - k :]
        rows, columns = np.concatenate([rows, np.repeat(equal, k)]), np.concatenate([columns, best.ravel()])
    return rows.astype(np.int64), columns.astype(np.int64)


def best_of(scores: NDArray[np.float32], groups: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """Return the positions of the k best scores of each group, as `best_of_groups` does, by one sort of numbers."""
    bits = np.ascontiguousarray(scores, np.float32).view(np.int32).astype(np.int64)
    falling = (2**31 - 1) - np.where(bits < 0, bits ^ 0x7FFFFFFF, bits)  # the order of floats, upside down
    order = np.argsort((groups << 32) + falling)
    groups = groups[order]
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    ranks = np.arange(len(groups)) - np.repeat(starts, np.diff(starts, append=len(groups)))
    return np.asarray(order[ranks < k], np.int64)


def _reached(products: Matrix, k: int) -> NDArray[np.float32]:
    """Return a score for each row that at least its k best reach."""
    n, m = products.shape
    parts = min(m, 4 * k)
    if m < 2 * parts:
        return np.partition(products, m - k, axis=1)[:, m - k] if k < m else products.min(axis=1)
    size = m // parts
    if products.flags.c_contiguous:
        maxima = products[:, : size * parts].reshape(n, size, parts).max(axis=1)
    else:  # a matrix seen from its columns
        maxima = products.T[: size * parts].reshape(size, parts, n).max(axis=0).T
    return np.asarray(np.partition(maxima, parts - k, axis=1)[:, parts - k], np.float32)


def products_of(own: NDArray[Any], other: NDArray[Any], keys: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the inner products of pairs, given as rising keys row * b + column."""
    scores = np.empty(len(keys), np.float32)
    rows, columns = np.divmod(keys, max(len(other), 1))
    present, starts = np.unique(rows, return_index=True)
    for row, first, last in zip(present.tolist(), starts.tolist(), [*starts[1:].tolist(), len(keys)]):
        scores[first:last] = other[columns[first:last]].astype(np.float32, copy=False) @ own[row].astype(np.float32)
    return scores


def known_products(
    own: NDArray[Any],
    other: NDArray[Any],
    keys: NDArray[np.int64],
    known: tuple[NDArray[np.int64], NDArray[np.float32]],
) -> NDArray[np.float32]:
    """Return the inner products of pairs, of which some are known."""
    at = find_keys(known[0], keys)
    scores = np.append(known[1], np.float32(0))[at]
    missing = at < 0
    scores[missing] = products_of(own, other, keys[missing])
    return scores


def bucketed_pairs(
    own: NDArray[Any], other: NDArray[Any], k: int, *, seed: int = 0, overlap: int = _OVERLAP
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return most of the pairs of `best_pairs` in time that grows about as the number of rows, and their products.

    Rows of both matrices go to the nearest `overlap` of some hundreds of centres, some thousand rows of either to each,
    and only what meets at a centre is compared.

    Parameters
    ----------
    own, other : (a, d), (b, d) arrays
        Unit rows; zero rows are paired with nothing.
    k : int
    seed : int
        Of the centres, which begin with random rows.
    overlap : int

    Returns
    -------
    keys : (e,) array of int64
        row * b + column, distinct and rising.
    scores : (e,) array of float32
    """
    n, m = len(own), len(other)
    n_centres = max(1, round(overlap * max(n, m) / _IN_BUCKET))
    centres = _centres(own, other, n_centres, np.random.default_rng(seed))
    members = [_members(side, centres, min(overlap, n_centres)) for side in (own, other)]
    keys, scores = [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
    held = 0
    for rows, columns in zip(*members, strict=True):
        if not len(rows) or not len(columns):
            continue
        found, products = best_pairs(own[rows].astype(np.float32), other[columns].astype(np.float32), k)
        first, second = np.divmod(found, len(columns))
        keys.append(rows[first] * m + columns[second])
        scores.append(products)
        held += len(found)
        if held > 6 * k * (n + m):
            kept, values = _best_of_both(keys, scores, k, m)
            keys, scores, held = [kept], [values], 0
    return _best_of_both(keys, scores, k, m)


def _best_of_both(
    keys: list[NDArray[np.int64]], scores: list[NDArray[np.float32]], k: int, m: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the distinct pairs that are among the k best of their row or column."""
    together, first = np.unique(np.concatenate(keys), return_index=True)
    values = np.concatenate(scores)[first]
    rows, columns = np.divmod(together, m)
    kept = np.zeros(len(together), bool)
    for groups in (rows, columns):
        kept[best_of(values, groups, k)] = True
    return together[kept], values[kept]


def _centres(own: NDArray[Any], other: NDArray[Any], size: int, rng: np.random.Generator) -> Matrix:
    """Return unit centres of a sample of both sides' rows, after two rounds of k-means by cosine."""
    sample = np.concatenate(
        [side[np.sort(rng.choice(len(side), min(len(side), 20 * size), replace=False))] for side in (own, other)]
    ).astype(np.float32)
    sample = sample[sample.any(axis=1)]
    if not len(sample):
        return np.zeros((1, own.shape[1]), np.float32)
    centres = sample[rng.choice(len(sample), min(size, len(sample)), replace=False)]
    for _ in range(2):
        nearest = np.concatenate(
            [(sample[start : start + 4096] @ centres.T).argmax(axis=1) for start in range(0, len(sample), 4096)]
        )
        ones = sparse.csr_array(
            (np.ones(len(sample), np.float32), (nearest, np.arange(len(sample)))), shape=(len(centres), len(sample))
        )
        moved = np.asarray(unit_rows(ones @ sample), np.float32)
        centres = np.where(moved.any(axis=1, keepdims=True), moved, centres)
    return centres


def _members(side: NDArray[Any], centres: Matrix, overlap: int) -> list[NDArray[np.int64]]:
    """Return the rows that go to each centre, rising; where many do, the nearest."""
    overlap = min(overlap, len(centres))
    places, near = [], []
    for start in range(0, len(side), 4096):
        block = side[start : start + 4096].astype(np.float32)
        products = block @ centres.T
        nearest = np.argpartition(products, len(centres) - overlap, axis=1)[:, len(centres) - overlap :]
        scores = np.take_along_axis(products, nearest, axis=1)
        scores[~block.any(axis=1)] = -np.inf
        places.append(nearest)
        near.append(scores)
    centre, score = np.concatenate(places).ravel(), np.concatenate(near).ravel()
    rows = np.repeat(np.arange(len(side)), overlap)
    some = np.isfinite(score)
    kept = best_of(score[some], centre[some], 4 * _IN_BUCKET)
    centre, rows = centre[some][kept], rows[some][kept]
    order = np.lexsort((rows, centre))
    return np.split(rows[order], np.searchsorted(centre[order], np.arange(1, len(centres))))
