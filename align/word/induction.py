"""Dictionary induction: which words of two mapped vocabularies translate each other, and how good a map is by that."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import (
    as_matrix,
    check_same_dimension,
    is_numpy,
    known_rows,
    namespace,
    take_known,
    to_numpy,
)
from interlingua.align.neighbors import mean_neighbor_similarity

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
    if 2 * columns.size < block.shape[1]:
        return np.asarray((block[:, columns] == largest).argmax(axis=0), np.int64)
    wanted = np.full(block.shape[1], np.nan, block.dtype)
    wanted[columns] = largest
    rows, found = np.divmod(np.flatnonzero(block == wanted), block.shape[1])
    first = np.zeros(block.shape[1], np.int64)
    first[found[::-1]] = rows[::-1]  # subtle: of equal ones the first row is written last
    return first[columns]


Direction = Literal["union", "mutual", "forward", "backward"]

_BLOCK_ENTRIES = 1 << 20  # 4 MB of float32: what a cache holds
_CACHE_BYTES = 256 << 20


@dataclass(frozen=True)
class InducedDictionary:
    """Pairs of words that are each other's best candidates, with their scores.

    Attributes
    ----------
    pairs : (q, 2) array of int64
        Source row and target row. In the direction "union" a pair found both ways stands twice, so that an
        aligner weighs it double.
    scores : (q,) array of float32
        The criterion of each pair; higher is better.
    objective : float
        Mean of the best raw similarities of all source and of all target words, each side half: what self-learning
        watches. It says little of correctness: a wrong map can score as high as a right one.
    mutual_rate : float
        Share of the smaller vocabulary that is in a pair found both ways.
    """

    pairs: NDArray[np.int64]
    scores: NDArray[np.float32]
    objective: float
    mutual_rate: float

    def __len__(self) -> int:
        return int(self.pairs.shape[0])


def induce_dictionary(
    mapped_source: Any,
    mapped_target: Any,
    *,
    criterion: Literal["csls", "nn"] = "csls",
    direction: Direction = "union",
    vocabulary_cutoff: int | None = None,
    keep_probability: float = 1.0,
    rng: np.random.Generator | int = 0,
    neighborhood: int = 10,
) -> InducedDictionary:
    """Find for each word the best candidate of the other language.

    Forward, t(i) = argmax_j over the kept j of c(i, j); backward, s(j) = argmax_i likewise, where c is the inner
    product (``nn``) or CSLS, 2 x_i·y_j - r_T(i) - r_S(j) (``csls``). With `keep_probability` p below one every
    candidate pair is dropped independently with probability 1 - p, that is, its score is -inf for this call in both
    directions: the stochastic induction of [1]_ that lets self-learning leave poor local optima. A dropped pair can
    never win; a word all of whose candidates are dropped gets no pair.

    Parameters
    ----------
    mapped_source : (n, d) array
        Unit rows in the common space, most frequent word first. Zero rows stand for words without a vector, which
        get no pair.
    mapped_target : (m, d) array
        Likewise; same namespace and device.
    criterion : {"csls", "nn"}
        How candidates are ranked.
    direction : {"union", "mutual", "forward", "backward"}
        Which pairs are returned: all of both directions, those found both ways (once), or one direction.
    vocabulary_cutoff : int, optional
        Only the first so many words of each side take part; all by default.
    keep_probability : float
        p in (0, 1], to within 1/65536.
    rng : numpy Generator or int
        Draws the dropped pairs; unused where p is one.
    neighborhood : int
        Neighbours in the means of CSLS, which are taken over the kept *and* dropped candidates.

    Returns
    -------
    InducedDictionary
        Ordered by source row (then the backward pairs by target row). Ties go to the first word.

    Raises
    ------
    ValueError
        If a side is empty, the dimensions differ, or a parameter is out of range.

    Notes
    -----
    One matrix product serves both directions and the neighbourhood means: column maxima and the best k of each
    column are carried from block to block. Blocks of scores are kept up to 256 MB and computed a second time beyond
    that, so that memory does not grow with n m.

    References
    ----------
    .. [1] Artetxe, Labaka and Agirre (2018), "A robust self-learning method for fully unsupervised cross-lingual
       mappings of word embeddings", ACL. doi:10.18653/v1/P18-1073

    Examples
    --------
    >>> x = np.array([[1.0, 0.0], [0.0, 1.0], [0.8, 0.6]], dtype=np.float32)
    >>> y = np.array([[0.0, 1.0], [1.0, 0.0]], dtype=np.float32)
    >>> induce_dictionary(x, y, criterion="nn", direction="mutual").pairs.tolist()
    [[0, 1], [1, 0]]
    >>> induce_dictionary(x, y, criterion="nn", direction="forward").pairs.tolist()
    [[0, 1], [1, 0], [2, 1]]
    """
    source, target = as_matrix(mapped_source, "mapped_source"), as_matrix(mapped_target, "mapped_target")
    check_same_dimension(source, target, ("mapped_source", "mapped_target"))
    _check(criterion, direction, vocabulary_cutoff, keep_probability, neighborhood)
    source, target = (matrix[: _clipped(matrix, vocabulary_cutoff), :] for matrix in (source, target))
    known_source, known_target = known_rows(source), known_rows(target)
    source, target = take_known(source), take_known(target)
    n, m = int(source.shape[0]), int(target.shape[0])
    if n == 0 or m == 0:
        raise ValueError(f"both vocabularies must have words, but they have {n} and {m} with a vector")
    rng = np.random.default_rng(rng)
    blocks = _Blocks(source, target)
    half_source, half_target, objective = _statistics(source, target, blocks, neighborhood)
    if criterion == "nn":
        half_source, half_target = np.zeros(n, np.float32), np.zeros(m, np.float32)
    forward, forward_scores = np.empty(n, np.int64), np.empty(n, np.float32)
    backward, backward_scores = np.zeros(m, np.int64), np.full(m, -np.inf, np.float32)
    xp = namespace(source)
    columns = xp.asarray(half_target, device=source.device)
    for first, scores in blocks:
        rows = slice(first, first + int(scores.shape[0]))
        block_rows = xp.asarray(half_source[rows], device=source.device)[:, None]
        if is_numpy(scores):  # in place: the block is not used again
            scores -= columns
            scores -= block_rows
        else:
            scores = scores - columns - block_rows
        if keep_probability < 1:
            dropped = dropped_entries(rng, int(scores.shape[0]), m, keep_probability)
            if is_numpy(scores):
                np.putmask(scores, dropped, -np.inf)
            else:
                minus = xp.full_like(scores, -np.inf)
                scores = xp.where(xp.asarray(dropped, device=source.device), minus, scores)
        forward[rows] = to_numpy(xp.argmax(scores, axis=1))
        forward_scores[rows] = to_numpy(xp.max(scores, axis=1))
        largest = to_numpy(xp.max(scores, axis=0))
        better = np.flatnonzero(largest > backward_scores)  # subtle: strict, so that the first word wins a tie
        if better.size:
            backward[better] = first + column_argmax(scores, better, largest[better])
            backward_scores[better] = largest[better]
    scale = 1.0 if criterion == "nn" else 2.0
    found = _collect(direction, (forward, scale * forward_scores), (backward, scale * backward_scores), objective)
    for side, known in enumerate((known_source, known_target)):
        if known is not None:
            found.pairs[:, side] = known[found.pairs[:, side]]
    return found


def dropped_entries(rng: np.random.Generator, rows: int, columns: int, keep_probability: float) -> NDArray[np.bool_]:
    """Draw which entries of a (rows, columns) block of scores are dropped, each independently.

    Sixteen random bits an entry, whole words a row: the result does not depend on how the rows are cut into blocks.
    """
    words = rng.integers(0, 2**64 - 1, size=(rows, -(-columns // 4)), dtype=np.uint64, endpoint=True)
    dropped: NDArray[np.bool_] = words.view(np.uint16)[:, :columns] >= round(keep_probability * 65536)
    return dropped


class _Blocks:
    """The blocks of source times target transposed: kept from the first pass while they fit, else computed again."""

    def __init__(self, source: Any, target: Any) -> None:
        self._source, self._target_columns = source, namespace(target).matrix_transpose(target)
        self._size = max(16, _BLOCK_ENTRIES // int(target.shape[0]))
        self._kept: dict[int, Any] = {}
        self._room = _CACHE_BYTES

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        n = int(self._source.shape[0])
        for first in range(0, n, self._size):
            yield first, self._kept.pop(first) if first in self._kept else self._product(first, n)

    def first_pass(self) -> Iterator[tuple[int, Any]]:
        for first, block in self:
            # subtle: handed over before it is kept, for the reader of this pass does not change it
            yield first, block
            size = 4 * int(block.shape[0]) * int(block.shape[1])
            if size <= self._room:
                self._room -= size
                self._kept[first] = block

    def _product(self, first: int, n: int) -> Any:
        return self._source[first : min(first + self._size, n), :] @ self._target_columns


def _statistics(
    source: Any, target: Any, blocks: _Blocks, neighborhood: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    """Return r_T / 2 of each source word, r_S / 2 of each target word, and the objective."""
    n, m = int(source.shape[0]), int(target.shape[0])
    if not is_numpy(source):  # no partial sort in the standard: two searches, which also find the maxima
        means = [mean_neighbor_similarity(a, b, neighborhood) for a, b in ((source, target), (target, source))]
        best = [mean_neighbor_similarity(a, b, 1) for a, b in ((source, target), (target, source))]
        half = [np.asarray(mean / 2, np.float32) for mean in means]
        return half[0], half[1], float(best[0].mean() + best[1].mean()) / 2
    k = min(neighborhood, m)
    row_means, row_best = np.empty(n, np.float32), np.empty(n, np.float32)
    column_top = ColumnTop(min(neighborhood, n), m)
    for first, scores in blocks.first_pass():
        rows = slice(first, first + scores.shape[0])
        top = np.partition(scores, m - k, axis=1)[:, m - k :]
        row_means[rows], row_best[rows] = top.mean(axis=1), top.max(axis=1)
        column_top.update(scores)
    column_best, column_means = column_top.values.max(axis=0), column_top.values.mean(axis=0)
    objective = float(row_best.mean() + column_best.mean()) / 2
    return np.asarray(row_means / 2, np.float32), np.asarray(column_means / 2, np.float32), objective


def _collect(
    direction: Direction,
    forward: tuple[NDArray[np.int64], NDArray[np.float32]],
    backward: tuple[NDArray[np.int64], NDArray[np.float32]],
    objective: float,
) -> InducedDictionary:
    """Put the two directions together."""
    (targets, target_scores), (sources, source_scores) = forward, backward
    n, m = targets.size, sources.size
    found_forward = np.stack([np.arange(n), targets], axis=1)
    found_backward = np.stack([sources, np.arange(m)], axis=1)
    mutual = (sources[targets] == np.arange(n)) & np.isfinite(target_scores) & np.isfinite(source_scores[targets])
    if direction == "forward":
        pairs, scores = found_forward, target_scores
    elif direction == "backward":
        pairs, scores = found_backward, source_scores
    elif direction == "mutual":
        pairs, scores = found_forward[mutual], target_scores[mutual]
    else:
        pairs = np.concatenate([found_forward, found_backward])
        scores = np.concatenate([target_scores, source_scores])
    won = np.isfinite(scores)
    return InducedDictionary(
        pairs[won].astype(np.int64, copy=False),
        scores[won].astype(np.float32, copy=False),
        objective,
        float(mutual.sum()) / min(n, m),
    )


def _clipped(matrix: Any, cutoff: int | None) -> int:
    return int(matrix.shape[0]) if cutoff is None else min(cutoff, int(matrix.shape[0]))


def _check(criterion: str, direction: str, cutoff: int | None, keep_probability: float, neighborhood: int) -> None:
    if criterion not in ("csls", "nn"):
        raise ValueError(f"criterion must be 'csls' or 'nn', but is {criterion!r}")
    if direction not in get_args(Direction):
        raise ValueError(f"direction must be one of {', '.join(get_args(Direction))}, but is {direction!r}")
    if not 0 < keep_probability <= 1 or round(keep_probability * 65536) == 0:
        raise ValueError(f"keep_probability must be in (0, 1], at least 1/65536, but is {keep_probability}")
    if cutoff is not None and cutoff < 1:
        raise ValueError(f"vocabulary_cutoff must be at least 1, but is {cutoff}")
    if neighborhood < 1:
        raise ValueError(f"neighborhood must be at least 1, but is {neighborhood}")


def mean_csls_cosine(mapped_source: Any, mapped_target: Any, *, vocabulary: int = 10_000) -> float:
    """Return the mean cosine of the CSLS-best pairs of the most frequent source words [1]_.

    For each of the first `vocabulary` source words the best target by CSLS is taken; pairs whose target is rarer than
    the first `vocabulary` are dropped. Comparable only between maps of the same two files with the same
    normalisation, and no proof of success: a wrong rotation can score nearly as high as a right one, and training
    can raise it while the translations get worse.

    Parameters
    ----------
    mapped_source, mapped_target : (n, d), (m, d) array
        Unit rows in the common space, most frequent first; all of them count as candidates.
    vocabulary : int
        What "frequent" means.

    Returns
    -------
    float
        In [-1, 1]; -1 where no pair is left.

    References
    ----------
    .. [1] Conneau, Lample, Ranzato, Denoyer and Jégou (2018), "Word translation without parallel data", ICLR.
       arXiv:1710.04087

    Examples
    --------
    >>> x = np.eye(3, dtype=np.float32)
    >>> mean_csls_cosine(x, x[::-1].copy())
    1.0
    """
    source, target = as_matrix(mapped_source, "mapped_source"), as_matrix(mapped_target, "mapped_target")
    found = induce_dictionary(source, target, direction="forward").pairs
    found = found[(found < vocabulary).all(axis=1)]
    if len(found) == 0:
        return -1.0
    xp = namespace(source, target)
    x, y = (
        xp.take(side, xp.asarray(found[:, i], device=side.device), axis=0) for i, side in enumerate((source, target))
    )
    cosines = to_numpy(xp.sum(x * y, axis=1))
    return float(cosines.mean(dtype=np.float64))


def translation_agreement(first: NDArray[np.int64], second: NDArray[np.int64]) -> float:
    """Return how far two induced dictionaries translate the same source words to the same targets.

    Two wrong maps found independently agree by chance only (about one word in the vocabulary's size), two right
    ones on most words; so agreement tells success from failure where the objective does not.

    Parameters
    ----------
    first, second : (p, 2), (q, 2) array of int64
        Pairs found both ways: each source row once at most.

    Returns
    -------
    float
        Pairs that both have over pairs that either has, in [0, 1]; 0 where there is none.

    Examples
    --------
    >>> translation_agreement(np.array([[0, 1], [1, 2]]), np.array([[0, 1], [1, 0]]))
    0.3333333333333333
    """
    keys = [set(map(tuple, pairs.tolist())) for pairs in (first, second)]
    either = len(keys[0] | keys[1])
    return len(keys[0] & keys[1]) / either if either else 0.0
