"""Mine translations from two sets of sentence vectors: margins both ways, and how many of the pairs are wrong.

And mine what is near and no translation: sentences of another meaning, from which a head learns most.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import as_matrix, check_same_dimension, namespace, to_numpy, unit_rows
from interlingua.align.both_ways import top_k_among, top_k_both_ways
from interlingua.align.matching.confidence import count_for_precision, isotonic
from interlingua.align.matching.pairs import Retrieval
from interlingua.align.matching.scores import Margin, check_margin, over_neighborhood
from interlingua.align.neighbors import Neighbors, nearest, retrieve, top_k

_LEAST = 1e-6
_FITS = 2  # more rounds take doubtful pairs for right ones
_SAMPLE, _DEVIATIONS, _HIGHEST_FLOOR = 500, 3, 0.9  # of the limit from which on two sentences mean the same
_LEAST_WRONG = 20.0  # fewer wrong pairs do not tell where their bulk lies
# subtle: two sentences of one side that are ten times nearer than usual, and than the next one, say the same, and one's
# translation is right for the other; where the next one is near too, they differ by a word, and are the best decoys
_COPY = 0.1
_COPIES_LOOKED_PAST = 16  # neighbours that are looked at beyond k, where copies are among them


Numbers = NDArray[np.int64]
#: Numbers of the texts of the rows of either side; rows of one number are copies of each other.
Copies = tuple[Any, Any]


@dataclass(frozen=True)
class MinedPairs:
    """Pairs, best first.

    Attributes
    ----------
    rows : (p, 2) array of int64
        Source row, target row.
    scores : (p,) array of float32
        Margins, falling.
    confidences : (p,) array of float32
        Estimated probability that the pair is a translation, falling or equal.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]
    confidences: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.rows)

    def first(self, n: int) -> "MinedPairs":
        """Return the n best."""
        return self.keep(slice(n))

    def keep(self, which: Any) -> "MinedPairs":
        """Return the pairs of a slice or a mask."""
        return replace(self, rows=self.rows[which], scores=self.scores[which], confidences=self.confidences[which])

    def for_precision(self, precision: float) -> "MinedPairs":
        """Return as many of the best pairs as keep the mean confidence at `precision` or above; none if none do.

        Raises
        ------
        ValueError
            If the precision is not above 0 and at most 1.
        """
        return self.first(count_for_precision(self.confidences, precision, required=False))

    def for_best_f1(self) -> "MinedPairs":
        """Return the best pairs down to where the estimated F1, 2 TP / (kept + all right ones), is largest."""
        if not len(self):
            return self
        right = np.cumsum(self.confidences, dtype=np.float64)
        likely = float(self.confidences[self.confidences >= 0.5].sum(dtype=np.float64))
        return self.first(int(np.argmax(2 * right / (np.arange(1, len(self) + 1) + max(likely, _LEAST)))) + 1)

    @property
    def precision(self) -> float:
        """Estimated share of right pairs; 0 of none."""
        return float(self.confidences.mean(dtype=np.float64)) if len(self) else 0.0


def mine_pairs(
    source: Any,
    target: Any,
    *,
    k: int = 4,
    margin: Margin = "ratio",
    retrieval: Retrieval = "intersection",
    search: Callable[[Any, Any, int], Neighbors] = nearest,
    allowed: Callable[[NDArray[np.int64], str], NDArray[np.bool_]] | None = None,
    copies: Copies | None = None,
) -> MinedPairs:
    """Find the pairs of two sets of sentences that are translations, each sentence in one pair at most.

    With N_k(x) the k nearest targets of x, and cos the inner product of unit vectors, the margin [1]_ is

        m(x, y) = cos(x, y) / b(x, y)    or    cos(x, y) - b(x, y),    twice that for CSLS,
        b(x, y) = (mean of cos(x, z) for z in N_k(x) + mean of cos(z, y) for z in N_k(y)) / 2

    Each x proposes its best y (``forward``), each y its best x (``backward``); ``intersection`` keeps what both
    propose, ``max`` all of both, best first, as long as neither sentence is taken.

    Confidence comes from decoys [2]_, which need no known pair: each language is mined against itself, no sentence with
    itself or with a copy: ten times nearer than two sentences of that side are in the mean, and than the next one, that
    is of a cosine of 0.9 + c / 10 or more, for their mean cosine and that of the next one. What is found there is near,
    but no translation. Margins over 1 (over 0) of the decoys are scaled so that their bulk lies where that of the wrong
    pairs does, since a translation attenuates what is near; their number is brought to that of the pairs below the
    decoys' median [3]_.

    Parameters
    ----------
    source : (n, d) array
        Unit rows, language bias removed, such as by centring each language.
    target : (m, d) array
    k : int
        Size of the neighbourhoods.
    margin : {"ratio", "distance", "csls"}
    retrieval : {"intersection", "max", "forward", "backward"}
    search : callable, optional
        Called as search(queries, candidates, depth), returns `Neighbors`; by default exact, as `top_k`.
    allowed : callable, optional
        Gets pairs of rows, (p, 2), and what they are of, "pairs", "source" or "target" (rows of this side both), and
        returns which to keep, (p,) of bool; such as a comparison of lengths. Decoys go through the same check.
    copies : pair of (n,), (m,) arrays of int, optional
        A number for the text of each row. Rows of one number, on one side or on both, are copies of each other: they
        are neither translations nor neighbours, nor decoys. A row with a copy on the other side is no decoy at all.

    Returns
    -------
    MinedPairs
        All pairs, best first; cut them by `MinedPairs.for_precision`.

    Raises
    ------
    ValueError
        If an argument is unknown or out of range, or a side has fewer than 3 sentences.

    Notes
    -----
    Time of the exact search grows as (n m + n^2 / 2 + m^2 / 2) d, each pair of rows multiplied once; memory as
    (n + m) (d + k).

    References
    ----------
    .. [1] Artetxe and Schwenk (2019), "Margin-based parallel corpus mining with multilingual sentence embeddings",
       ACL. doi:10.18653/v1/P19-1309
    .. [2] Elias and Gygi (2007), "Target-decoy search strategy for increased confidence in large-scale protein
       identifications by mass spectrometry", Nature Methods 4. doi:10.1038/nmeth1019
    .. [3] Storey (2002), "A direct approach to false discovery rates", Journal of the Royal Statistical Society B 64.
       doi:10.1111/1467-9868.00346

    Examples
    --------
    >>> x = np.eye(6, dtype=np.float32)
    >>> mine_pairs(x[:5], x[::-1]).rows[:5].tolist()
    [[0, 5], [1, 4], [2, 3], [3, 2], [4, 1]]
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, but is {k}")
    check_margin(margin)
    if retrieval not in get_args(Retrieval):
        raise ValueError(f"retrieval must be one of {', '.join(get_args(Retrieval))}, but is {retrieval!r}")
    source, target = as_matrix(source, "source"), as_matrix(target, "target")
    check_same_dimension(source, target, ("source", "target"))
    if min(source.shape[0], target.shape[0]) < 3:
        raise ValueError(f"each side needs 3 sentences, but they have {source.shape[0]} and {target.shape[0]}")
    numbers = _checked_copies(copies, (source, target))
    depths, exact = [k + _most_copies(*each) for each in (numbers, numbers[::-1])], search in (nearest, top_k)
    if exact:
        found = top_k_both_ways(source, target, *depths, search=search)
    else:
        found = search(source, target, depths[0]), search(target, source, depths[1])
    forward, backward = (
        _without(near, own[:, None] == others[near.ids], k) for near, own, others in zip(found, numbers, numbers[::-1])
    )
    decoys, depth = [], k + 1 + _COPIES_LOOKED_PAST
    for side, vectors, (own, others) in (("source", source, numbers), ("target", target, numbers[::-1])):
        near = top_k_among(vectors, depth, search=search) if exact else search(vectors, vectors, depth)
        # subtle: what was left untranslated has its translation on its own side, which is no decoy
        foreign = np.isin(own, others)
        same = (own[:, None] == own[near.ids]) | _near_copies(near, vectors)
        near = _without(near, same | foreign[:, None] | foreign[near.ids], k)
        rows, scores = _propose(near, near, k, margin, retrieval)
        decoys.append(scores if allowed is None else scores[allowed(rows, side)])
    rows, scores = _propose(forward, backward, k, margin, retrieval)
    if allowed is not None:
        kept = allowed(rows, "pairs")
        rows, scores = rows[kept], scores[kept]
    return MinedPairs(
        rows, scores, fitted_confidence(scores, np.concatenate(decoys), 1.0 if margin == "ratio" else 0.0)
    )


def pair_margins(
    source: Any,
    target: Any,
    *,
    k: int = 4,
    margin: Margin = "ratio",
    background: tuple[Any, Any] | None = None,
    copies: Copies | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the margins of given pairs, row by row, and those of the same sentences paired wrongly.

    Parameters
    ----------
    source, target : (p, d) arrays
        Unit rows; row i of one is the translation of row i of the other, or is said to be.
    k, margin
        As in `mine_pairs`.
    background : pair of (n, d), (m, d) arrays, optional
        Further sentences of either language, for the neighbourhoods; the pairs' own are always there.
    copies : pair of arrays of int, optional
        As in `mine_pairs`, of the pairs' rows and then of the background's. Of the rows of one side that have one
        number, the first is a neighbour, and none is of its copies on the other side.

    Returns
    -------
    margins : (p,) array of float32
    decoys : (q,) array of float32
        Source i with the target of the next pair, unless either is a copy of its counterpart's side, which would be
        right.

    Raises
    ------
    ValueError
        If the sides differ in shape.
    """
    source, target = (to_numpy(as_matrix(each, name)) for each, name in ((source, "source"), (target, "target")))
    if source.shape != target.shape:
        raise ValueError(f"pairs correspond row by row, but the sides have shapes {source.shape} and {target.shape}")
    if not len(source):
        return np.zeros(0, np.float32), np.zeros(0, np.float32)
    margins, decoys = shifted_margins(source, target, (0, 1), k=k, margin=margin, background=background, copies=copies)
    return margins, decoys


def shifted_margins(
    source: NDArray[np.float32],
    target: NDArray[np.float32],
    shifts: Iterable[int],
    *,
    k: int,
    margin: Margin = "ratio",
    background: tuple[Any, Any] | None = None,
    copies: Copies | None = None,
) -> list[NDArray[np.float32]]:
    """Return for each shift the margins of source i with target i + shift, the last with the first ones.

    Where that source or that target is a copy of what it is paired with at shift 0, the margin is left out. Parameters
    are those of `pair_margins`.
    """
    pools = (source, target)
    if background is not None:
        more = [to_numpy(as_matrix(each, "background")) for each in background]
        pools = (np.concatenate([source, more[0]]), np.concatenate([target, more[1]]))
    numbers = _checked_copies(copies, pools)
    n = len(source)
    firsts = [np.unique(each, return_index=True)[1] for each in numbers]
    means = []
    for queries, own, pool, of, first in (
        (source, numbers[0], pools[1], numbers[1], firsts[1]),
        (target, numbers[1], pools[0], numbers[0], firsts[0]),
    ):
        near = nearest(queries, pool[first], k + _most_copies(own[:n], of[first]))
        means.append(_means(_without(near, own[:n, None] == of[first][near.ids], k).scores))
    found = []
    for shift in shifts:
        moved = np.roll(target, -shift, axis=0)
        cosines = np.einsum("ij,ij->i", source, moved, dtype=np.float64)
        around = (means[0] + np.roll(means[1], -shift)) / 2
        margins = over_neighborhood(cosines, around, margin).astype(np.float32)
        found.append(margins if shift == 0 else margins[~_rolled_copies(source, target, numbers, shift)])
    return found


def _rolled_copies(
    source: NDArray[np.float32], target: NDArray[np.float32], numbers: tuple[Numbers, Numbers], shift: int
) -> NDArray[np.bool_]:
    """Tell of each row whether it and the one `shift` rows on are copies, on either side."""
    same = np.zeros(len(source), bool)
    for rows, own in ((source, numbers[0][: len(source)]), (target, numbers[1][: len(source)])):
        same |= own == np.roll(own, -shift)
        same |= np.einsum("ij,ij->i", rows, np.roll(rows, -shift, axis=0)) >= _copy_limit(rows)
    return same


def decoy_confidence(scores: Any, decoys: Any, *, ratio: float = 1.0) -> NDArray[np.float32]:
    """Return for each score the estimated probability that it is right: 1 - ratio * (decoys / scores near it).

    The share of decoys among all is made monotone in the score by isotonic regression.

    Parameters
    ----------
    scores : (p,) array
    decoys : (q,) array
        As many as there are wrong ones among `scores`, or `ratio` times fewer.
    ratio : float

    Returns
    -------
    (p,) array of float32

    Examples
    --------
    >>> decoy_confidence([5.0, 4.0, 3.0, 2.0, 1.0], [1.0, 0.5]).tolist()
    [0.75, 0.75, 0.75, 0.75, 0.0]
    """
    given, wrong = np.asarray(scores, np.float64), np.asarray(decoys, np.float64)
    # subtle: one more wrong pair than was seen, above all: few decoys must not look like none (Elias and Gygi 2007)
    values = np.concatenate([given, wrong, [np.inf]])
    weights = np.repeat([1.0, ratio, 1.0], [len(given), len(wrong), 1])
    levels, group = np.unique(values, return_inverse=True)
    mass = np.maximum(np.bincount(group, weights), _LEAST)
    real = np.bincount(group[: len(given)], minlength=len(levels))
    share = isotonic(real / mass, mass)[group[: len(given)]]
    return np.asarray(np.clip(2 - 1 / np.maximum(share, _LEAST), 0, 1), np.float32)


def decoy_ratio(scores: Any, decoys: Any) -> float:
    """Return how many wrong pairs there are for each decoy, told by the half of them below the decoys' median [1]_.

    Without a decoy, 1.

    References
    ----------
    .. [1] Storey (2002), "A direct approach to false discovery rates", Journal of the Royal Statistical Society B 64.
       doi:10.1111/1467-9868.00346

    Examples
    --------
    >>> decoy_ratio([5.0, 4.0, 0.5, 0.4, 0.3], [1.0, 2.0])
    3.0
    """
    return 2 * float((np.asarray(scores) <= np.median(decoys)).sum()) / len(decoys) if len(decoys) else 1.0


@dataclass(frozen=True)
class HardNegatives:
    """Neighbours of each sentence that are taken for another meaning.

    Attributes
    ----------
    ids : (n, k) array of int64
        The hardest first; -1 where there are fewer.
    limit : float
        From this cosine on two sentences are taken to mean the same.
    """

    ids: NDArray[np.int64]
    limit: float


def mine_hard_negatives(translations: NDArray[np.float32], k: int = 3, *, guard: float = 1.0) -> HardNegatives:
    """Return for each sentence its k CSLS neighbours, without those that may be further right answers.

    A sentence stands for the mean of its translations. Two sentences whose means are as near as translations of one
    sentence are to each other, in the median, count as the same meaning: news repeat themselves, and a right answer
    that is pushed away does more harm than a negative does good.

    Parameters
    ----------
    translations : (languages, n, d) array
        Unit rows in a common space; row i is the same sentence in all languages.
    k : int
        Negatives a sentence.
    guard : float
        The limit is this times the median cosine of a sentence's translations to each other, and at least three
        standard deviations above the mean cosine of two sentences, or 0.9.

    Raises
    ------
    ValueError
        If there are fewer than two languages or k is below 1.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, but is {k}")
    n = translations.shape[1]
    limit = same_meaning_limit(translations, guard=guard)
    meanings = mean_rows(translations)
    if n < 2:
        return HardNegatives(np.full((n, k), -1), limit)
    # the sentence itself and the few that mean the same are among the first and left out
    found = retrieve(meanings, meanings, min(n, 4 * k + 1), criterion="csls").ids
    cosines = np.einsum("nd,nkd->nk", meanings, meanings[found])
    other = (found != np.arange(n)[:, None]) & (cosines < limit)
    order = np.argsort(~other, axis=1, kind="stable")[:, :k]
    ids = np.where(np.take_along_axis(other, order, axis=1), np.take_along_axis(found, order, axis=1), -1)
    return HardNegatives(np.pad(ids, ((0, 0), (0, k - ids.shape[1])), constant_values=-1).astype(np.int64), limit)


def same_meaning_limit(translations: NDArray[np.float32], *, guard: float = 1.0) -> float:
    """Return the cosine of the means from which on two sentences are taken to mean the same.

    Parameters are those of `mine_hard_negatives`.
    """
    if translations.ndim != 3 or len(translations) < 2:
        raise ValueError(f"translations must have shape (languages, n, d), two or more, but {translations.shape}")
    languages = len(translations)
    total = translations.sum(axis=0, dtype=np.float64)
    # the sum of all pairwise cosines of L unit rows is ||sum||² - L, over L (L - 1) ordered pairs
    agreement = ((total**2).sum(axis=1) - languages) / (languages * (languages - 1))
    sample = mean_rows(translations[:, :_SAMPLE])
    cosines = sample @ sample.T
    # where the space does not yet bring translations together, their cosine tells nothing: few sentences are alike
    unusual = float(cosines.mean() + _DEVIATIONS * cosines.std())
    return max(guard * float(np.median(agreement)), min(unusual, _HIGHEST_FLOOR))


def mean_rows(translations: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the unit mean of each sentence's translations, shape (n, d)."""
    return np.asarray(unit_rows(translations.sum(axis=0, dtype=np.float64)), np.float32)


def _by_margin(neighbors: Neighbors, own: NDArray[Any], others: NDArray[Any], margin: Margin) -> Neighbors:
    """Return the candidates sorted by their margins."""
    base = (own[:, None] + others[neighbors.ids]) / 2
    margins = over_neighborhood(neighbors.scores.astype(np.float64), base, margin)
    margins[np.isneginf(neighbors.scores)] = -np.inf  # of a copy, whatever is around it
    order = np.argsort(-margins, axis=1, kind="stable")
    sorted_margins = np.take_along_axis(margins, order, axis=1)
    return Neighbors(np.take_along_axis(neighbors.ids, order, axis=1), sorted_margins.astype(np.float32))


def _propose(
    forward: Neighbors, backward: Neighbors, k: int, margin: Margin, retrieval: Retrieval
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the pairs, best first, and their margins."""
    own, others = (_means(each.scores[:, :k]) for each in (forward, backward))
    ahead, back = _by_margin(forward, own, others, margin), _by_margin(backward, others, own, margin)
    best = np.stack([np.arange(len(ahead)), ahead.ids[:, 0]], axis=1)
    best_back = np.stack([back.ids[:, 0], np.arange(len(back))], axis=1)
    if retrieval == "intersection":
        mutual = back.ids[best[:, 1], 0] == best[:, 0]
        rows, scores = best[mutual], ahead.scores[mutual, 0]
    else:
        chosen = {"forward": slice(len(ahead)), "backward": slice(len(ahead), None)}.get(retrieval, slice(None))
        rows = np.concatenate([best, best_back])[chosen]
        scores = np.concatenate([ahead.scores[:, 0], back.scores[:, 0]])[chosen]
    order = np.lexsort((rows[:, 1], rows[:, 0], -scores))
    order = order[scores[order] > -np.inf]
    rows, scores = rows[order].astype(np.int64), scores[order]
    taken = np.zeros(len(ahead), bool), np.zeros(len(back), bool)
    kept = np.zeros(len(rows), bool)
    for number, (x, y) in enumerate(rows.tolist()):
        if not (taken[0][x] or taken[1][y]):
            taken[0][x] = taken[1][y] = kept[number] = True
    return rows[kept], scores[kept]


def _without(neighbors: Neighbors, which: NDArray[np.bool_], k: int) -> Neighbors:
    """Return the k nearest without some, (n, more than k); fewer are filled up by a score of -inf."""
    order = np.argsort(which, axis=1, kind="stable")[:, :k]
    scores = np.where(which, np.float32(-np.inf), neighbors.scores)
    return Neighbors(np.take_along_axis(neighbors.ids, order, axis=1), np.take_along_axis(scores, order, axis=1))


def _near_copies(near: Neighbors, vectors: Any) -> NDArray[np.bool_]:
    """Tell which neighbours of each row say the same, in (n, depth); the rows themselves are among them."""
    limit = _copy_limit(vectors)
    others = np.where(near.scores < limit, near.scores, -np.inf).max(axis=1)
    others = np.where(np.isneginf(others), near.scores[:, -1], others)
    return near.scores >= np.maximum(limit, 1 - _COPY * (1 - others))[:, None]


def _copy_limit(vectors: Any) -> float:
    """Return the cosine from which on two rows of one side say the same."""
    mean = to_numpy(namespace(vectors).mean(vectors, axis=0))
    return 1 - _COPY * (1 - float(mean @ mean))


def _most_copies(own: Numbers, others: Numbers) -> int:
    """Return how many of the others, at most, are copies of one row; no more than are looked past."""
    shared = others[np.isin(others, own)]
    return min(int(np.unique(shared, return_counts=True)[1].max(initial=0)), _COPIES_LOOKED_PAST)


def _checked_copies(copies: Copies | None, sides: tuple[Any, Any]) -> tuple[Numbers, Numbers]:
    """Return the numbers of either side's texts; without copies each row has one of its own."""
    n, m = (int(each.shape[0]) for each in sides)
    if copies is None:
        return np.arange(n), np.arange(n, n + m)
    given = np.asarray(copies[0], np.int64), np.asarray(copies[1], np.int64)
    if given[0].shape != (n,) or given[1].shape != (m,):
        raise ValueError(f"copies number {n} and {m} rows, but have shapes {given[0].shape} and {given[1].shape}")
    return given


def _means(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the mean of each row, of what is finite; 0 where nothing is."""
    there = np.isfinite(scores)
    sums = np.where(there, scores, 0).sum(axis=1, dtype=np.float64)
    return np.asarray(sums / np.maximum(there.sum(axis=1), 1))


def fitted_confidence(scores: NDArray[np.float32], decoys: NDArray[np.float32], base: float) -> NDArray[np.float32]:
    """Return confidences by decoys whose scale and number are fitted to those scores that are probably wrong."""
    if not len(scores) or not len(decoys):
        return np.zeros(len(scores), np.float32)
    shares = np.linspace(0.1, 0.6, 11)
    bulk = np.quantile(decoys, shares) - base
    scale, confidences = 1.0, np.zeros(len(scores), np.float32)
    for _ in range(_FITS):
        scaled = base + scale * (decoys - base)
        confidences = decoy_confidence(scores, scaled, ratio=decoy_ratio(scores, scaled))
        wrong = 1.0 - confidences.astype(np.float64)
        if wrong.sum() < _LEAST_WRONG or not (bulk @ bulk):
            break
        scale = max(float(bulk @ (_weighted_quantiles(scores, wrong, shares) - base)) / float(bulk @ bulk), _LEAST)
    return confidences


def _weighted_quantiles(values: NDArray[Any], weights: NDArray[Any], shares: NDArray[Any]) -> NDArray[np.float64]:
    order = np.argsort(values, kind="stable")
    sums = np.cumsum(weights[order])
    return np.asarray(np.interp(shares * sums[-1], sums, values[order]), np.float64)
