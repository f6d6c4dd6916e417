"""Which rows are copies of each other: equal, or as good as equal.

What a collection holds many times, such as the head of every page, a licence, or what is said in every film, is near to
itself, and not to everything. So copies count once where means are learned and where nearness is measured.

Two rows are copies where 1 - x·y is below a share of 1 - m, m being the cosine of two rows that have nothing to do
with each other: of the pairs among 256 rows, the lowest 5 % reach it; negative ones count as 0. The share is 0.15 for
texts, which makes a cosine of 0.85 in centred vectors (a line with another number in it has 0.9; of 500 sentences of
Tatoeba, one pair is nearer than that), and 0.05 for vectors of which nothing else is known. In few dimensions, where
drawn rows come as near, it is below 10^(-12 / (d - 1)) / 2.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import unit_rows
from interlingua.align.neighbors import nearest_vectors

OF_TEXTS, OF_VECTORS = 0.15, 0.05  # shares of the distance of two unrelated rows
_LOW = 0.05  # quantile of the cosines that tells how unrelated rows lie
_PROBED = 256
_RARE = 1e-6  # about the share of pairs of drawn rows that are as near as copies
EQUAL = 1 - 1e-5  # cosine of equal rows, but for rounding
_ALL_PAIRS = 2048  # rows up to which each is compared with each
_FREQUENT = 100  # copies that are looked for among more rows: those that occur most often
_BLOCK = 512
_REPAID = 4  # so many times as many rows are compared with each other as it saves
_ROUNDING = 1e-5


def copy_threshold(rows: NDArray[np.float32], share: float = OF_TEXTS) -> float:
    """Return the cosine from which two rows count as copies.

    Parameters
    ----------
    rows : (n, d) array
        Unit rows, of one language.
    share : float
        Of 1 - m.

    Examples
    --------
    >>> copy_threshold(np.eye(30, dtype=np.float32))
    0.85
    """
    some = rows[np.linspace(0, len(rows) - 1, min(len(rows), _PROBED)).astype(np.int64)]
    cosines = (some @ some.T)[np.triu_indices(len(some), 1)]
    unrelated = float(np.quantile(cosines, _LOW)) if len(cosines) else 0.0
    by_chance = _RARE ** (2 / max(rows.shape[1] - 1, 1)) / 2
    return float(min(1 - min(share * (1 - max(unrelated, 0.0)), by_chance), EQUAL))


def distinct_rows(rows: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the positions of rows of which none is a copy of an earlier one, ascending.

    Among more than 2,048 rows only the copies of those that occur most often are found: 100 of them at most, by a
    sample of 2,048. Rarer ones change no mean.

    Parameters
    ----------
    rows : (n, d) array
        Unit rows, of one language.

    Examples
    --------
    >>> distinct_rows(np.array([[1, 0], [1, 0], [0, 1], [1, 1e-6]], np.float32)).tolist()
    [0, 2]
    """
    if len(rows) < 2:
        return np.arange(len(rows))
    if len(rows) > _ALL_PAIRS:
        return _without_frequent(rows)
    kept = np.arange(len(rows))
    while True:  # where most rows are copies, what is unrelated shows only when some of them are gone
        threshold = copy_threshold(rows[kept])
        fewer = kept[_leaders(rows[kept], threshold)[0]]
        if len(fewer) in (len(kept), 1):
            return fewer
        kept = fewer


def distinct_by_language(rows: NDArray[np.float32], groups: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """Return the positions of rows that are no copy of an earlier row of their group, ascending.

    Parameters
    ----------
    rows : (n, d) array
        Of any length; zero rows are copies of no row.
    groups : sequence of sequence of int
        The rows of each language.
    """
    found = []
    for each in groups:
        numbers = np.asarray(each)
        unit = unit_rows(np.asarray(rows[numbers], np.float32))
        zero = ~unit.any(axis=1)
        known = np.flatnonzero(~zero)
        found += [numbers[known[distinct_rows(unit[known])]], numbers[zero]]
    return np.sort(np.concatenate(found)) if found else np.empty(0, np.int64)


def first_distinct(among: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which of w rows in order are copies of none that is kept before, for n such lists.

    Parameters
    ----------
    among : (n, w, w) array of bool
        Whether two of a list's rows are copies.

    Returns
    -------
    (n, w) array of bool
    """
    kept = np.ones(among.shape[:2], bool)
    off = np.count_nonzero(among, axis=(1, 2)) > np.count_nonzero(among.diagonal(axis1=1, axis2=2), axis=1)
    if len(some := np.flatnonzero(off)):
        near, own = among[some], kept[some]
        for place in range(1, among.shape[1]):
            own[:, place] = ~(near[:, place, :place] & own[:, :place]).any(axis=1)
        kept[some] = own
    return kept


def distinct_places(
    rows: NDArray[np.float32], k: int, thresholds: Sequence[float], groups: Sequence[object] | None = None
) -> list[int]:
    """Return the places of the first k rows of which none is a copy of one before.

    Parameters
    ----------
    rows : (n, d) array
        Unit rows.
    k : int
    thresholds : sequence of n float
        From `copy_threshold`, for each row.
    groups : sequence, optional
        The language of each row; copies are of one language.
    """
    kept: list[int] = []
    for place in range(len(rows)):
        near = np.flatnonzero(rows[kept] @ rows[place] > thresholds[place]).tolist() if kept else []
        if not any(groups is None or groups[kept[other]] == groups[place] for other in near):
            kept.append(place)
        if len(kept) == k:
            break
    return kept


def nearness(
    vectors: NDArray[np.float32],
    others: NDArray[np.float32],
    neighborhood: int,
    *,
    apart: bool = False,
    share: float = OF_TEXTS,
    threshold: float | None = None,
) -> NDArray[np.float32]:
    """Return the mean cosine of each row and its nearest others, of which copies count once: r in CSLS.

    Parameters
    ----------
    vectors : (n, d) array
        Unit rows.
    others : (m, d) array
        Unit rows.
    neighborhood : int
        Others in the mean; where there are fewer, all.
    apart : bool
        Leave out those that are copies of the row itself; 1 where nothing else is there.
    share : float
        As in `copy_threshold`.
    threshold : float, optional
        What that gives, where it is known.

    Returns
    -------
    (n,) array of float32
    """
    threshold = copy_threshold(others, share) if threshold is None else threshold
    near = _rows_near_others(others, threshold) if len(vectors) * _REPAID >= len(others) else None
    means = np.empty(len(vectors), np.float32)
    for start in range(0, len(vectors), _BLOCK):
        waiting = np.arange(start, min(start + _BLOCK, len(vectors)))
        width = neighborhood + 1
        while len(waiting):
            width = min(2 * width, len(others))
            part = _BLOCK if width <= 4 * neighborhood else 16
            left = []
            for begin in range(0, len(waiting), part):
                some = waiting[begin : begin + part]
                asked = vectors[some], others, neighborhood, width, threshold
                means[some], enough = _mean_of_distinct(*asked, apart=apart, near=near)
                left.append(some[~enough])
            waiting = np.concatenate(left) if width < len(others) else waiting[:0]
    return means


def _mean_of_distinct(
    vectors: NDArray[np.float32],
    others: NDArray[np.float32],
    neighborhood: int,
    width: int,
    threshold: float,
    *,
    apart: bool,
    near: NDArray[np.bool_] | None,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the mean over the distinct ones of the `width` nearest, and whether these were enough."""
    found = nearest_vectors(vectors, others, width)
    kept = np.ones(found.ids.shape, bool)
    doubtful = slice(None) if near is None else np.flatnonzero(np.count_nonzero(near[found.ids], axis=1) > 1)
    rows = others[found.ids[doubtful]]
    kept[doubtful] = first_distinct(rows @ rows.transpose(0, 2, 1) > threshold)
    if apart:
        kept &= found.scores <= threshold
    places = np.cumsum(kept, axis=1)
    taken = kept & (places <= neighborhood)
    count = taken.sum(axis=1)
    total = np.where(taken, found.scores, 0).sum(axis=1, dtype=np.float64)
    means = np.where(count > 0, total / np.maximum(count, 1), found.scores[:, 0])
    return means.astype(np.float32), places[:, -1] >= neighborhood


def _rows_near_others(rows: NDArray[np.float32], threshold: float) -> NDArray[np.bool_]:
    """Return which rows may have a copy among the others; rounding may be on its side."""
    near = np.zeros(len(rows), bool)
    for start in range(0, len(rows), _BLOCK):
        cosines = rows[start : start + _BLOCK] @ rows[start:].T
        places = np.arange(len(cosines))
        cosines[places, places] = -1
        found = cosines > threshold - _ROUNDING
        near[start : start + _BLOCK] |= found.any(axis=1)
        near[start:] |= found.any(axis=0)
    return near


def _leaders(rows: NDArray[np.float32], threshold: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first row of each group of copies, and how many copies each has, itself among them."""
    leader = np.full(len(rows), -1)
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, min(start + _BLOCK, len(rows)))
        before = np.flatnonzero(leader[:start] == np.arange(start))
        if len(before):
            cosines = rows[block] @ rows[before].T
            copied = np.flatnonzero(cosines.max(axis=1) > threshold)
            leader[start + copied] = before[cosines[copied].argmax(axis=1)]
        inside = np.flatnonzero(leader[block] < 0) + start
        near = rows[inside] @ rows[inside].T > threshold
        for place in np.flatnonzero(np.count_nonzero(near, axis=1) > near.diagonal()).tolist():
            if leader[inside[place]] < 0:
                following = inside[place:][near[place, place:]]
                leader[following[leader[following] < 0]] = inside[place]
        alone = inside[leader[inside] < 0]
        leader[alone] = alone
    first, counts = np.unique(leader, return_counts=True)
    return first, counts


def _without_frequent(rows: NDArray[np.float32]) -> NDArray[np.int64]:
    sample = rows[np.linspace(0, len(rows) - 1, _ALL_PAIRS).astype(np.int64)]
    distinct = distinct_rows(sample)
    if len(distinct) == len(sample):
        return np.arange(len(rows))
    threshold = copy_threshold(sample[distinct])
    first, counts = _leaders(sample, threshold)
    frequent = sample[first[np.argsort(-counts, kind="stable")][:_FREQUENT]]
    frequent = frequent[np.sort(-counts)[:_FREQUENT] < -1]
    if not len(frequent):
        return np.arange(len(rows))
    copied = np.full(len(rows), -1)
    for start in range(0, len(rows), _ALL_PAIRS):
        cosines = rows[start : start + _ALL_PAIRS] @ frequent.T
        copied[start : start + _ALL_PAIRS] = np.where(cosines.max(axis=1) > threshold, cosines.argmax(axis=1), -1)
    once = np.unique(copied, return_index=True)[1]
    kept = copied < 0
    kept[once] = True
    return np.flatnonzero(kept)
