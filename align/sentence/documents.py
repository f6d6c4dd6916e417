"""Align the sentences of two texts: in order, spans with spans, in linear memory; or one to one, in whatever order.

And which documents of two collections translate each other, and how sure the beads of an alignment are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from interlingua.align.arrays import as_matrix, check_same_dimension, to_numpy, unit_matrix, unit_rows
from interlingua.align.matching.pairs import Matching, match
from interlingua.align.matching.scores import margin_scores
from interlingua.align.neighbors import nearest

from .mining import decoy_confidence, decoy_ratio, mine_pairs, shifted_margins

Floats = NDArray[np.floating[Any]]
_LEAST = 1e-6
_SAMPLED = 20_000
_JOINED = 1e-5  # what each further sentence of a bead costs: of equal paths, as of a text with itself, the plainest
# subtle: among so few sentences no random pairs tell what a translation costs: what is no worse than random is one
_FEW, _SKIP_OF_FEW = 3, 0.51
_SHORT = 3  # characters that a length may differ by for no reason
_NO_MOVE, _SKIP_SOURCE, _SKIP_TARGET, _FIRST_MOVE = 0, 1, 2, 3


@dataclass(frozen=True)
class Beads:
    """What belongs together, in the order of the source; each sentence of either side is in one bead.

    Attributes
    ----------
    spans : (p, 4) array of int64
        First sentence of the source and the one after its last, then of the target. A span is empty where the other
        side's sentence has no translation.
    costs : (p,) array of float32
        1 is about what a random pair of sentences costs; the cost of a skip where a span is empty.
    skip_cost : float
    """

    spans: NDArray[np.int64]
    costs: NDArray[np.float32]
    skip_cost: float

    def __len__(self) -> int:
        return len(self.spans)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Sentences of either side, (p, 2)."""
        return np.stack([self.spans[:, 1] - self.spans[:, 0], self.spans[:, 3] - self.spans[:, 2]], axis=1)

    @property
    def paired(self) -> NDArray[np.bool_]:
        """Which beads have both sides, (p,)."""
        return np.asarray((self.sizes > 0).all(axis=1))


def span_means(vectors: Any, largest: int, weights: Any = None) -> list[NDArray[np.float32]]:
    """Return the unit mean vectors of all spans of 1 to `largest` neighbouring sentences.

    Parameters
    ----------
    vectors : (n, d) array
    largest : int
    weights : (n,) array, optional
        How much each sentence counts, such as its length.

    Returns
    -------
    list of (n - k + 1, d) arrays, k = 1 ... min(largest, n)

    Examples
    --------
    >>> [each.shape for each in span_means(np.eye(4), 3)]
    [(4, 4), (3, 4), (2, 4)]
    """
    rows = to_numpy(as_matrix(vectors, "vectors"))
    if weights is not None:
        rows = rows * np.asarray(weights, np.float32)[:, None]
    sums, made = rows, []
    for size in range(1, max(min(largest, len(rows)), 1) + 1):
        if size > 1:
            sums = sums[:-1] + rows[size - 1 :]
        made.append(np.asarray(unit_rows(sums), np.float32))
    return made


def align_in_order(
    source: Any,
    target: Any,
    *,
    most: int = 4,
    skip: float = 0.02,
    radius: int = 10,
    exact: int = 1_000_000,
    background: tuple[Any, Any] | None = None,
    lengths: tuple[Any, Any] | None = None,
    length_weight: float = 0.25,
    seed: int = 0,
) -> Beads:
    """Align two texts whose sentences come in the same order, spans of sentences with spans.

    The path of least cost, where a span x of a sentences and a span y of b cost [1]_

        c(x, y) = a b (1 - cos(x, y)) / ((E_z[1 - cos(x, z)] + E_z[1 - cos(z, y)]) / 2)

    with the means over all sentences z of the other text, and a skipped sentence half of the `skip` quantile of c over
    random pairs of sentences, the share 1 / max(n, m) of the cheapest left out since they are translations: two
    sentences stay alone where such a share of random pairs fits better. Where a side has three sentences or fewer, a
    skip costs 0.51 at least: nothing tells what random pairs cost. Given `lengths`,

        (a + b) / 2 length_weight |log(length of x + 3) - log(length of y + 3)|

    is added to c: vectors tell what a span is about, lengths whether a sentence of it is missing [3]_. By dynamic
    programming, row by row; beyond `exact` pairs of sentences in a band around the path of the texts with each two
    neighbours averaged, found in the same way [1]_, [2]_.

    Parameters
    ----------
    source : (n, d) array, or sequence of (n - k + 1, d) arrays
        Vectors of the sentences, or of all spans of 1, 2, ... neighbouring sentences; by `span_means` if not given.
        Language bias removed, such as by centring each language.
    target : (m, d) array, or sequence of (m - k + 1, d) arrays
    most : int
        Sentences of both sides of a bead together, 2 or more; 2 aligns one to one.
    skip : float
        Larger keeps more pairs.
    radius : int
        Rows and columns around the coarse path that are searched.
    exact : int
        Pairs of sentences up to which everything is searched.
    background : pair of (p, d), (q, d) arrays, optional
        Sentences of the source's and the target's language in place of the texts' own, for the means and the random
        pairs; worth it where the texts are short.
    lengths : pair of (n,), (m,) arrays, optional
        Of the sentences, in characters; those of one side multiplied so that translations are equally long on average.
    length_weight : float
    seed : int
        Of the random pairs, where there are more than 20,000.

    Returns
    -------
    Beads

    Raises
    ------
    ValueError
        If an argument is out of range, or spans and sentences do not fit.

    Notes
    -----
    Time grows as n m d up to `exact`, beyond it as (n + m) radius d; memory as (n + m) (d + radius).

    References
    ----------
    .. [1] Thompson and Koehn (2019), "Vecalign: improved sentence alignment in linear time and space", EMNLP.
       doi:10.18653/v1/D19-1136
    .. [2] Salvador and Chan (2007), "Toward accurate dynamic time warping in linear time and space", Intelligent Data
       Analysis 11. doi:10.3233/IDA-2007-11508
    .. [3] Gale and Church (1993), "A program for aligning sentences in bilingual corpora", Computational Linguistics
       19(1). https://aclanthology.org/J93-1004/

    Examples
    --------
    >>> x = np.eye(5)
    >>> y = np.stack([x[0], x[1] + x[2], x[4]])
    >>> align_in_order(x, y).spans.tolist()
    [[0, 1, 0, 1], [1, 3, 1, 2], [3, 4, 2, 2], [4, 5, 2, 3]]
    """
    if most < 2 or radius < 2:
        raise ValueError(f"most and radius must be at least 2, but are {most} and {radius}")
    if not 0 <= skip <= 1:
        raise ValueError(f"skip is a share from 0 to 1, but is {skip}")
    if length_weight < 0:
        raise ValueError(f"length_weight must not be negative, but is {length_weight}")
    x, y = _spans(source, "source", most - 1), _spans(target, "target", most - 1)
    check_same_dimension(x[0], y[0], ("source", "target"))
    if not len(x[0]) or not len(y[0]):
        return _beads([(_SKIP_SOURCE, 1, 0)] * len(x[0]) + [(_SKIP_TARGET, 0, 1)] * len(y[0]), np.zeros(0), 1.0)
    others = (
        (x[0], y[0])
        if background is None
        else (unit_matrix(background[0], "source"), unit_matrix(background[1], "target"))
    )
    prices = _Prices(x, y, others, skip, np.random.default_rng(seed))
    if lengths is not None:
        prices.add_lengths(_log_lengths(lengths[0], x), _log_lengths(lengths[1], y), length_weight)
    path, costs = _cheapest(prices, _moves(x, y, most), _band(prices, radius, exact))
    return _beads(path, costs, prices.skip)


class _Prices:
    """What beads cost."""

    def __init__(
        self,
        x: list[NDArray[np.float32]],
        y: list[NDArray[np.float32]],
        others: tuple[NDArray[np.float32], NDArray[np.float32]],
        skip: float,
        rng: np.random.Generator,
    ) -> None:
        self.x, self.y, self.others, self.quantile, self.rng = x, y, others, skip, rng
        mean_x, mean_y = (each.mean(axis=0, dtype=np.float64).astype(np.float32) for each in others)
        # the mean of 1 - cos(x, z) over all z is 1 - cos with their mean, so that nothing need be sampled
        self.away_x = [np.maximum(1 - rows @ mean_y, _LEAST) for rows in x]
        self.away_y = [np.maximum(1 - rows @ mean_x, _LEAST) for rows in y]
        one, other = others
        n, m = len(one), len(other)
        if n * m <= _SAMPLED:
            left, right = np.repeat(np.arange(n), m), np.tile(np.arange(m), n)
        else:
            left, right = rng.integers(n, size=_SAMPLED), rng.integers(m, size=_SAMPLED)
        away = np.maximum(1 - one @ mean_y, _LEAST)[left] + np.maximum(1 - other @ mean_x, _LEAST)[right]
        costs = 2 * (1 - np.einsum("ij,ij->i", one[left], other[right])) / away
        true = 1 / max(n, m)  # the share of pairs that are translations, the cheapest
        least = _SKIP_OF_FEW if min(n, m) <= _FEW else _LEAST
        self.skip = max(float(np.quantile(costs, true + (1 - true) * skip)) / 2, least)
        self.lengths: tuple[list[Floats], list[Floats]] | None = None
        self.weight = 0.0

    def add_lengths(self, x: list[Floats], y: list[Floats], weight: float) -> None:
        """Let spans of unequal logarithms of lengths cost more."""
        self.lengths, self.weight = (x, y), weight

    def __call__(self, i: int, a: int, first: int, last: int, b: int) -> Floats:
        """Return the costs of the span of `a` from `i` with those of `b` from `first` to before `last`."""
        cosines = self.y[b - 1][first:last] @ self.x[a - 1][i]
        away = self.away_x[a - 1][i] + self.away_y[b - 1][first:last]
        costs = np.asarray(np.maximum(1 - cosines, 0) * (2 * a * b) / away + _JOINED * (a + b - 2))
        if self.lengths is None:
            return costs
        unequal = np.abs(self.lengths[0][a - 1][i] - self.lengths[1][b - 1][first:last])
        return np.asarray(costs + (a + b) / 2 * self.weight * unequal)

    def halved(self) -> "_Prices":
        """Return the prices of the texts with each two neighbours averaged."""
        x, y = (span_means(_halved(each), 2) for each in (self.x[0], self.y[0]))
        return _Prices(x, y, (x[0], y[0]), self.quantile, self.rng)


def _cheapest(
    prices: _Prices, moves: list[tuple[int, int]], band: tuple[NDArray[np.int64], NDArray[np.int64]]
) -> tuple[list[tuple[int, int, int]], NDArray[np.float64]]:
    """Return the moves of the cheapest path within the band, (kind, sentences, sentences), and their costs.

    Row i of the band holds the states "i sentences of the source and j of the target are done" for lows[i] <= j <
    highs[i]. Moves that take a sentence of the source come from earlier rows, all at once; skips within a row are a
    running minimum.
    """
    lows, highs = (each.tolist() for each in band)
    n, m = len(prices.x[0]), len(prices.y[0])
    rows: list[Floats] = []
    choices = []
    furthest = max(a for a, _ in moves)
    for i in range(n + 1):
        low, high = lows[i], highs[i]
        best = np.full(high - low, np.inf)
        choice = np.zeros(high - low, np.uint8)
        if i == 0:
            best[0] = 0.0
        for number, (a, b) in enumerate([(1, 0), *moves]):
            if i < a:
                continue
            start, stop = max(low, lows[i - a] + b), min(high, highs[i - a] + b)
            if start >= stop:
                continue
            came = rows[i - a][start - b - lows[i - a] : stop - b - lows[i - a]]
            total = came + (prices(i - a, a, start - b, stop - b, b) if b else prices.skip)
            here = slice(start - low, stop - low)
            better = total < best[here]
            best[here][better] = total[better]
            choice[here][better] = _SKIP_SOURCE if number == 0 else _FIRST_MOVE + number - 1
        slope = prices.skip * np.arange(high - low)
        level = best - slope
        lowest = np.minimum.accumulate(level)
        choice[lowest < level] = _SKIP_TARGET
        rows.append(lowest + slope)
        choices.append(choice)
        if i >= furthest:
            rows[i - furthest] = rows[i][:0]  # no move comes from there any more
    path, costs = [], []
    i, j = n, m
    while i or j:
        kind = int(choices[i][j - lows[i]])
        a, b = {_SKIP_SOURCE: (1, 0), _SKIP_TARGET: (0, 1)}.get(kind) or moves[kind - _FIRST_MOVE]
        i, j = i - a, j - b
        path.append((kind, a, b))
        costs.append(float(prices(i, a, j, j + 1, b)[0]) if a and b else prices.skip)
    return path[::-1], np.array(costs[::-1])


def _band(prices: _Prices, radius: int, exact: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the columns from which and before which each row is searched, (n + 1,) each."""
    n, m = len(prices.x[0]), len(prices.y[0])
    if n * m <= exact or min(n, m) <= 2 * radius:
        return np.zeros(n + 1, np.int64), np.full(n + 1, m + 1)
    coarse = prices.halved()
    path, _ = _cheapest(coarse, _moves(coarse.x, coarse.y, 3), _band(coarse, radius, exact))
    steps = np.concatenate([[[0, 0]], np.cumsum([each[1:] for each in path], axis=0)])
    rows, columns = np.minimum(2 * steps, [n, m]).T
    wanted = np.arange(n + 1)
    before = np.maximum(np.searchsorted(rows, wanted - radius, "left") - 1, 0)
    after = np.minimum(np.searchsorted(rows, wanted + radius, "right"), len(rows) - 1)
    return np.maximum(columns[before] - radius, 0), np.minimum(columns[after] + radius, m) + 1


def _moves(x: Sequence[Any], y: Sequence[Any], most: int) -> list[tuple[int, int]]:
    sizes = [(a, b) for a in range(1, len(x) + 1) for b in range(1, len(y) + 1) if a + b <= most]
    return sorted(sizes, key=sum)


def _halved(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    even = len(rows) // 2 * 2
    pairs = rows[:even].reshape(-1, 2, rows.shape[1]).sum(axis=1)
    return np.concatenate([pairs, rows[even:]])


def _beads(path: list[tuple[int, int, int]], costs: NDArray[np.float64], skip: float) -> Beads:
    sizes = np.array([each[1:] for each in path], np.int64).reshape(-1, 2)
    ends = np.cumsum(sizes, axis=0)
    spans = np.stack([ends[:, 0] - sizes[:, 0], ends[:, 0], ends[:, 1] - sizes[:, 1], ends[:, 1]], axis=1)
    return Beads(spans, np.asarray(costs if len(costs) else np.full(len(path), skip), np.float32), skip)


def _spans(vectors: Any, name: str, largest: int) -> list[NDArray[np.float32]]:
    if not isinstance(vectors, list | tuple) or (len(vectors) and np.ndim(vectors[0]) < 2):
        return span_means(vectors, largest)
    made = [unit_matrix(each, f"{name}, spans of {size}") for size, each in enumerate(vectors, 1)]
    if not made:
        raise ValueError(f"{name} has no vectors; the first array holds those of the sentences")
    n = len(made[0])
    wrong = [len(each) for size, each in enumerate(made) if len(each) != max(n - size, 0)]
    if wrong:
        raise ValueError(f"{name} has {n} sentences, so k neighbours make {n} - k + 1 spans, but one has {wrong[0]}")
    return [each for each in made[:largest] if len(each)] or made[:1]


def _log_lengths(given: Any, spans: list[NDArray[np.float32]]) -> list[Floats]:
    """Return the logarithms of the lengths of all spans."""
    lengths = np.asarray(given, np.float64)
    if lengths.shape != (len(spans[0]),) or not np.isfinite(lengths).all() or (lengths < 0).any():
        raise ValueError(f"lengths are one for each of {len(spans[0])} sentences, 0 or more; got shape {lengths.shape}")
    ends = np.concatenate([[0.0], np.cumsum(lengths)])
    return [np.log(ends[size:] - ends[:-size] + _SHORT) for size in range(1, len(spans) + 1)]


_SHIFTS = 4


def pair_documents(
    source: Any, target: Any, source_of: Any, target_of: Any, *, k: int = 4, least: float = 0.2
) -> Matching:
    """Pair documents one to one by the sentences that they share; leave alone what has no partner.

    With v the number of mutually best sentence pairs (`mine_pairs`) between documents of n and m sentences, their score
    is 2 v / (n + m): 1 where every sentence has its translation there. The pairs have the largest sum of scores.

    Parameters
    ----------
    source, target : (n, d), (m, d) arrays
        Sentences of all documents, language bias removed.
    source_of, target_of : (n,), (m,) arrays of int
        The document of each sentence, from 0.
    k : int
        Neighbours of the margin.
    least : float
        Least score of a pair.

    Returns
    -------
    Matching
        Pairs of documents and their scores.

    Raises
    ------
    ValueError
        If `least` is not above 0 and at most 1, or sentences and their documents do not correspond.

    Examples
    --------
    >>> x = np.eye(9)
    >>> pair_documents(x[:6], x[[3, 4, 5, 7, 0, 1]], [0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 1, 1]).pairs.tolist()
    [[0, 1], [1, 0]]
    """
    if not 0 < least <= 1:
        raise ValueError(f"least must be above 0 and at most 1, but is {least}")
    left, right = np.asarray(source_of, np.int64), np.asarray(target_of, np.int64)
    for of, rows, name in ((left, source, "source"), (right, target, "target")):
        if of.shape != (len(rows),) or (len(of) and of.min() < 0):
            raise ValueError(f"{name}_of names the document, from 0, of each of {len(rows)} rows; got shape {of.shape}")
    found = mine_pairs(source, target, k=k).for_best_f1().rows
    n, m = np.bincount(left), np.bincount(right)
    ones = np.ones(len(found), np.float32)
    shared = sparse.coo_array((ones, (left[found[:, 0]], right[found[:, 1]])), shape=(len(n), len(m))).tocsr()
    votes = shared.tocoo()
    scores = 2 * votes.data / (n[votes.row] + m[votes.col])
    kept = scores >= least
    table = sparse.csr_array((scores[kept], (votes.row[kept], votes.col[kept])), shape=votes.shape)
    return match(table, "hungarian", threshold=least)


def bead_confidences(
    source: Any, target: Any, *, k: int = 4, background: tuple[Any, Any] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return for each bead its ratio margin and the estimated probability that its sides translate each other.

    The decoys are the same sides paired with those of the next four beads, which are about the same thing; their number
    is brought to twice that of the beads below the decoys' median. Beads that hold a sentence too many or too few pass
    for right ones.

    Parameters
    ----------
    source, target : (p, d) arrays
        The sides of the beads, in the order of the text.
    k : int
        Neighbours of the margin.
    background : pair of (n, d), (m, d) arrays, optional
        Further sentences of either language, such as those in no bead.

    Returns
    -------
    margins, confidences : (p,) arrays of float32
        Confidences of p beads are at most 1 - 1 / (p + 1): few beads can show little.
    """
    x, y = unit_matrix(source, "source"), unit_matrix(target, "target")
    check_same_dimension(x, y, ("source", "target"))
    if x.shape != y.shape:
        raise ValueError(f"the sides of beads correspond, but there are {len(x)} and {len(y)}")
    if not len(x):
        return np.zeros(0, np.float32), np.zeros(0, np.float32)
    shifts = range(min(_SHIFTS, len(x) - 1) + 1)
    scores, *shifted = shifted_margins(x, y, shifts, k=k, background=background)
    decoys = np.concatenate([np.zeros(0, np.float32), *shifted])
    return scores, decoy_confidence(scores, decoys, ratio=decoy_ratio(scores, decoys))


_DENSE = 4_000_000  # pairs of sentences whose scores are held at once


def align_in_any_order(source: Any, target: Any, *, k: int = 4, threshold: float | None = None) -> Beads:
    """Align the sentences of two texts one to one, in whatever order they come.

    The pairs of the largest sum of ratio margins, see `interlingua.align.matching.pairs`; mutually best ones only
    where the texts have more than 4 million pairs of sentences.

    Parameters
    ----------
    source : (n, d) array
        Language bias removed.
    target : (m, d) array
    k : int
        Neighbours of the margin.
    threshold : float, optional
        The least margin of a pair; by default 1, that of the neighbours.

    Returns
    -------
    Beads
        Of one sentence at most on either side; what only the target has comes last.

    Examples
    --------
    >>> x = np.eye(6)
    >>> align_in_any_order(x, x[[2, 0, 1, 3, 5]], k=2).spans[:, ::2].tolist()
    [[0, 1], [1, 2], [2, 0], [3, 3], [4, 5], [5, 4]]
    """
    x, y = unit_matrix(source, "source"), unit_matrix(target, "target")
    check_same_dimension(x, y, ("source", "target"))
    least = 1.0 if threshold is None else threshold
    n, m = len(x), len(y)
    if not n or not m:
        pairs = np.zeros((0, 2), np.int64)
    elif n * m <= _DENSE:
        margins = margin_scores(x @ y.T, "ratio", k=min(k, n, m))
        pairs = match(margins, "hungarian", threshold=least).pairs
    else:
        pairs = match(nearest(x, y, k), "ratio", k=k, threshold=least, n_columns=m).pairs
    return _one_to_one(pairs, x, y)


def _one_to_one(pairs: NDArray[np.int64], x: NDArray[np.float32], y: NDArray[np.float32]) -> Beads:
    n, m = len(x), len(y)
    to = np.full(n, -1, np.int64)
    to[pairs[:, 0]] = pairs[:, 1]
    alone = np.setdiff1d(np.arange(m), pairs[:, 1])
    rows = np.arange(n)
    first = np.stack([rows, rows + 1, np.where(to < 0, m, to), np.where(to < 0, m, to + 1)], axis=1)
    last = np.stack([np.full_like(alone, n), np.full_like(alone, n), alone, alone + 1], axis=1)
    costs = np.ones(n + len(alone), np.float32)
    if len(pairs):
        away = 2 - x[pairs[:, 0]] @ y.mean(axis=0) - y[pairs[:, 1]] @ x.mean(axis=0)
        cosines = np.einsum("ij,ij->i", x[pairs[:, 0]], y[pairs[:, 1]])
        costs[pairs[:, 0]] = 2 * (1 - cosines) / np.maximum(away, _LEAST)
    return Beads(np.concatenate([first, last]).astype(np.int64), costs, 1.0)
