"""Whether vectors of two models are mixed in one store, told by the vectors alone.

Texts of another language, length or topic lie elsewhere, but vary along the same directions: a model's directions of
most variance are its own. With U the k first principal directions of some rows A, and B other rows, each centred::

    agreement(A, B) = (c(B) - k/d) / (c(A') - k/d),    c(X) = ||X U||^2 / ||X||^2,

where A' are rows of A that U was not learned from. Rows of another model, whatever it is, are to U like noise: k/d of
their variance lies there, and the agreement is 0 within some hundredths. Between languages of one model it is .3 and
more, but between short sentences of talk and paragraphs it was seen as low as .06 (USE). So two figures more must say
the same; between groups of two models neither was seen above half of its limit, nor below it within one model::

    shared(A, B)   = (tr(S_A S_B) - tr S_A tr S_B / d) / (norms of the same of A, A and of B, B)
    likeness(A, B) = (q - log q_B) / (q - log q_A'),    q_X = mean of (x - m)' S_A^-1 (x - m) / ||x - m||^2,

with covariances S, of all directions, and q that of noise in place of X. The displacement of a group from the others
counts in the last one: what differs only in its mean lies where the model's texts vary.

The other model's rows are looked for in three ways, none of which is believed without that: as a cluster, as rows that
the others' second moments make unlikely, and as a piece of the graph of nearest neighbours.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import unit_rows

#: Agreement below which two groups are of two models.
OF_ANOTHER = 0.15
_SHARED, _ALIKE = 0.05, 0.11  # likewise, of the two other figures
_TURNS = 10
_SURELY_SHARED = 0.6
_DOUBTFUL = 0.35  # from which a group is not looked at again
#: Fewest rows of a store that are looked at, and of a model that is found in it.
FEWEST, FEWEST_OTHER = 200, 8
_SHARE = 0.01
_MOST = 2000
_DIRECTIONS = 48
_NEIGHBOURS = 10
_CLUSTERS = 8
_ROUNDS = 2
_NOISE, _LIKE = 0.25, 0.6  # of the median likeness: what is noise to the others, and what may be one of them
_PRIOR = 0.1  # weight of equal variance in all directions


@dataclass(frozen=True, eq=False)
class Mixture:
    """Whether two models are mixed.

    Attributes
    ----------
    rows : (m,) array of int
        Rows of the smaller group that are of another model than the others; none where no mixing was found.
    agreement : float
        The lowest agreement of a group with the others that was seen; NaN where there were too few rows.
    """

    rows: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    agreement: float = float("nan")

    @property
    def found(self) -> bool:
        """Whether there are two models."""
        return len(self.rows) > 0


def find_mixture(vectors: NDArray[np.float32], *, seed: int = 0) -> Mixture:
    """Return the rows of a second model, if there are any: from 1 % of the rows and 8 on.

    Parameters
    ----------
    vectors : (n, d) array
    seed : int
        Of the sample of 2,000 that a larger store is judged by, and of the starts.
    """
    whole = unit_rows(np.asarray(vectors, np.float32))
    # subtle: copies vary along nothing, as if they were of another model
    _, first, copies = np.unique(np.round(whole, 5), axis=0, return_index=True, return_inverse=True)
    found = _find(whole[np.sort(first)], np.random.default_rng(seed))
    if not found.found:
        return found
    place = np.argsort(np.argsort(first))[copies.ravel()]
    return Mixture(np.flatnonzero(np.isin(place, found.rows)), found.agreement)


def _find(rows: NDArray[np.float32], rng: np.random.Generator) -> Mixture:
    if len(rows) < FEWEST:
        return Mixture()
    sample = np.sort(rng.choice(len(rows), _MOST, replace=False)) if len(rows) > _MOST else np.arange(len(rows))
    some = rows[sample]
    lowest = 1.0
    for side in _starts(some, rng):
        other = side if side.sum() * 2 <= len(some) else ~side
        if other.sum() < max(FEWEST_OTHER, _SHARE * len(some)):
            continue
        found = _least_agreement(some[~other], some[other])
        if found < _DOUBTFUL:
            other = _refined(some, other)
            found = _least_agreement(some[~other], some[other])
        lowest = min(lowest, found)
        if found < OF_ANOTHER and _nothing_shared(some[~other], some[other]):
            if len(some) == len(rows):
                return Mixture(np.flatnonzero(other), lowest)
            share = rows.shape[1] / (rows.shape[1] + 4 * other.sum())
            models = [_Moments.of(some[each], share) for each in (~other, other)]
            of_other = models[1].fit(rows) > models[0].fit(rows)
            of_other[sample] = other
            return Mixture(np.flatnonzero(of_other), lowest)
    return Mixture(agreement=lowest)


def agreement(main: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the agreement of two groups of rows: about 1 of one model, about 0 of two."""
    half = len(main) // 2
    order = np.arange(len(main)) % 2 == 0
    first, second = main[order][: half or None], main[~order]
    dimension = main.shape[1]
    count = int(min(_DIRECTIONS, dimension // 4, max(4, len(first) // 6)))
    centred = first - first.mean(axis=0)
    axes = np.linalg.eigh(centred.T @ centred)[1][:, -count:]

    def kept(rows: NDArray[np.float32]) -> float:
        rest = rows - rows.mean(axis=0)
        return float(np.square(rest @ axes).sum() / max(np.square(rest).sum(), 1e-12))

    chance = count / dimension
    return float((kept(other) - chance) / max(kept(second) - chance, 1e-6))


@dataclass(frozen=True)
class _Moments:
    """A model as its second moments about zero: its mean is among the directions."""

    axes: NDArray[np.float32]
    variances: NDArray[np.float32]

    @classmethod
    def of(cls, rows: NDArray[np.float32], prior: float = _PRIOR) -> "_Moments":
        values, axes = np.linalg.eigh(rows.T @ rows / len(rows))
        values = np.maximum(values, 0)
        return cls(axes, (1 - prior) * values + prior * values.mean())

    def likeness(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return how much likelier each row is than one of noise: 0 for noise itself, in the mean."""
        noise = -0.5 * (1 / len(self.variances) / self.variances + np.log(self.variances)).sum()
        return self.fit(rows) - np.float32(noise)

    def fit(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the log likelihood of each row."""
        terms = np.square(rows @ self.axes) / self.variances + np.log(self.variances)
        return np.asarray(-0.5 * terms.sum(axis=1), np.float32)


def _starts(rows: NDArray[np.float32], rng: np.random.Generator) -> Iterator[NDArray[np.bool_]]:
    """Yield which rows may be of another model."""
    yield from _clusters(rows, 2, rng)
    yield _unlikely(rows)
    yield from _clusters(rows, _CLUSTERS, rng)
    yield _graph_piece(rows - rows.mean(axis=0))


def _unlikely(rows: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return the rows that are to the second moments of the others what a row of noise is.

    A row is judged by moments of which it has no part: of the half of the rows that it is not in. The moments are those
    of the likelier half first, then of all rows that are nearer to these than to noise.
    """
    kept = np.ones(len(rows), bool)
    for turn in range(3):
        scores = _cross_fit(rows, kept)
        kept = scores >= (1 if turn == 0 else 0.4) * np.median(scores)
    return scores < _NOISE * np.median(scores)


def _refined(rows: NDArray[np.float32], start: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the start without what is like the rest, and with what is likelier by its moments than by the rest's.

    Where that ends in two groups of one model, the start stays.
    """
    scores = _cross_fit(rows, ~start)
    other = start & (scores < _LIKE * np.median(scores[~start]))
    for _ in range(_ROUNDS):
        if min((~other).sum(), other.sum()) < FEWEST_OTHER // 2:
            return start
        other = _cross_fit(rows, other, beside_noise=False) > _cross_fit(rows, ~other, beside_noise=False)
    able = max(FEWEST_OTHER, _SHARE * len(rows)) / 2 <= other.sum() <= len(rows) / 2 + 1
    apart = able and _least_agreement(rows[~other], rows[other]) < OF_ANOTHER
    return other if apart and _nothing_shared(rows[~other], rows[other]) else start


def _cross_fit(rows: NDArray[np.float32], kept: NDArray[np.bool_], *, beside_noise: bool = True) -> NDArray[np.float32]:
    """Return how likely each row is by those that are kept, of the half of the rows that it is not in."""
    scores = np.zeros(len(rows), np.float32)
    for half in (0, 1):
        seen = np.arange(len(rows)) % 2 == half
        if (kept & ~seen).any():
            known = rows[kept & ~seen]
            # subtle: beside each other, a model of few rows must not be sure of its directions
            prior = _PRIOR if beside_noise else rows.shape[1] / (rows.shape[1] + 4 * len(known))
            model = _Moments.of(known, prior)
            scores[seen] = model.likeness(rows[seen]) if beside_noise else model.fit(rows[seen])
    return scores


def _least_agreement(main: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the agreement by the directions of the larger group; of both, where both are large."""
    found = agreement(main, other)
    return max(found, agreement(other, main)) if len(other) >= 5 * FEWEST_OTHER else found


def _nothing_shared(main: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    """Tell whether two groups are as unlike in all directions as two models are.

    The limits are those of hundreds of dimensions; of fewer, what some turns of the other group give by chance counts.
    """
    rng = np.random.default_rng(0)
    figures = ((relative_likeness, _ALIKE), (shared_variance, _SHARED))
    seen = [(compute(main, other), limit, compute) for compute, limit in figures]
    if all(found < limit for found, limit, _ in seen):
        return True
    if max(found for found, _, _ in seen) > _SURELY_SHARED:
        return False
    dimension = main.shape[1]
    turns = [np.linalg.qr(rng.normal(size=(dimension, dimension)))[0].astype(np.float32) for _ in range(_TURNS)]
    for found, limit, compute in seen:
        chance = [compute(main, other @ turn) for turn in turns]
        if found >= max(limit, float(np.mean(chance) + 4 * np.std(chance))):
            return False
    return True


def shared_variance(main: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return how much two groups' covariances have in common, beyond chance: about 1 of one, about 0 of two models."""
    dimension = main.shape[1]

    def size(rows: NDArray[np.float32]) -> tuple[float, float]:
        """Return the trace of a covariance, and that of its square, from products of different rows alone."""
        products = rows @ rows.T
        squares = np.square(products)
        n = len(rows)
        trace = float(np.trace(products)) / (n - 1)
        return trace, float(squares.sum() - np.trace(squares)) / (n * (n - 1)) - trace**2 / dimension

    first, second = main - main.mean(axis=0), other - other.mean(axis=0)
    (one, own), (two, others) = size(first), size(second)
    joint = float(np.square(first @ second.T).sum()) / ((len(first) - 1) * (len(second) - 1)) - one * two / dimension
    return float(joint / np.sqrt(max(own, 1e-12) * max(others, 1e-12)))


def relative_likeness(main: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return how likely a group is by the covariance of half of another: 1 as its other half, 0 as noise."""
    known, held = main[::2], main[1::2]
    mean = known.mean(axis=0)
    values, axes = np.linalg.eigh(np.cov(known.T))
    level = values.mean()
    variances = (1 - _PRIOR) * np.maximum(values, 0) + _PRIOR * level
    noise = np.log((level / variances).mean())

    def unlikely(rows: NDArray[np.float32]) -> float:
        rest = rows - mean
        ratio = (np.square(rest @ axes) / variances).sum(axis=1) / np.maximum(np.square(rest).sum(axis=1), 1e-12)
        return float(np.log(level * ratio).mean())

    return float((noise - unlikely(other)) / max(noise - unlikely(held), 1e-6))


def _clusters(rows: NDArray[np.float32], count: int, rng: np.random.Generator) -> Iterator[NDArray[np.bool_]]:
    """Yield the clusters of unit rows around `count` centres: of three starts, those with the least spread."""
    best, kept = -np.inf, np.zeros(len(rows), np.int64)
    for _ in range(3):
        centres = rows[rng.choice(len(rows), count, replace=False)]
        for _ in range(15):
            near = (rows @ centres.T).argmax(axis=1)
            held = [each for each in range(count) if (near == each).any()]
            centres = unit_rows(np.stack([rows[near == each].mean(axis=0) for each in held]))
            count = len(held)
        close = rows @ centres.T
        fit = float(close.max(axis=1).sum())
        if fit > best:
            best, kept = fit, close.argmax(axis=1)
    for each in np.unique(kept):
        yield kept == each


def _graph_piece(rows: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return one side of the graph of nearest neighbours, cut where it hangs together least."""
    from scipy import sparse
    from scipy.sparse.linalg import eigsh

    rows = unit_rows(rows)
    near = rows @ rows.T
    np.fill_diagonal(near, -1)
    neighbours = np.argpartition(near, -_NEIGHBOURS, axis=1)[:, -_NEIGHBOURS:]
    at = np.repeat(np.arange(len(rows)), _NEIGHBOURS)
    graph = sparse.csr_matrix((np.ones(len(at)), (at, neighbours.ravel())), shape=(len(rows), len(rows)))
    graph = graph + graph.T
    scale = sparse.diags(1 / np.sqrt(np.asarray(graph.sum(axis=1)).ravel()))
    _, axes = eigsh(scale @ graph @ scale, k=2, which="LA", v0=np.ones(len(rows)), tol=1e-3)
    side: NDArray[np.bool_] = axes[:, 0] * np.sign(axes[:, 1]) > 0
    return side
