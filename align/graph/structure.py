"""Which entities have like labels around them through like relations: exact scores, by lists of who has what."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from interlingua.align.arrays import unit_rows
from interlingua.align.matching.scores import find_keys

from .candidates import BestOfGroups, best_of
from .propagation import Triples

Matrix = NDArray[np.float32]
Ids = NDArray[np.int64]
_LEAST = 0.05  # shares of a label in a neighbourhood below are left out: those of hubs, which are like many
_LIKE, _SOME = 20, 0.1  # relations of the other graph that one is compared with, and how like they must be
_SKETCH, _AT_ONCE = 512, 32  # columns for the likeness of relations, and so many at a time
_LONGEST = 500  # entities with one feature, beyond which it tells nobody apart
_OWN_ROWS, _OTHER_ROWS = 256, 8192
_LOOKED_UP = 1_000_000  # features at a time


def compare_structure(
    edges: Triples,
    n: int,
    n_relations: int,
    pairs: Ids,
    sides: tuple[Ids, Ids],
    k: int,
    also: Ids,
    *,
    seed: int = 0,
) -> tuple[Ids, NDArray[np.float32]]:
    """Compare entities by which labels lie around them, through which relations.

    Both entities of a pair get one label, and labels spread over entities E and relations R as LightEA's [1]_ do, each
    pair being a dimension of its own:

        E[1] = unit(EE E[0]),    R[l + 1] = unit(RE E[l]),    l = 0, 1

    with RE[r, h] = 1 where r leaves h, EE the number of edges between two entities and the degree on its diagonal, and
    E[0] the labels. An entity of a side is

        X[h] = unit(sum over its edges (h, r, t) of e_r (x) [E[0][t], E[1][t]])

    with e_r the r-th unit vector, and two entities are as like as X[x] K X[y], K[r, q] = (R[1][r] R[1][q] + R[2][r]
    R[2][q]) / 2. All is sparse: shares of a label below 0.05 in E[1] are left out, of K those below 0.1 or beyond the
    20 best of either relation, and features that more than 500 entities of the right side have. So the scores are exact
    but for these, and pairs without any common feature are never looked at.

    Parameters
    ----------
    edges : (m, 3) array of int64
        Distinct triples that hold their inverses, see `with_inverses`; entities of both graphs under one numbering.
    n, n_relations : int
        Entities, and relations with the inverses counted.
    pairs : (p, 2) array of int64
        Pairs of entities, distinct.
    sides : two arrays of int64, (a,) and (b,)
        The entities to compare.
    k : int
        Pairs of the k best of each entity are returned.
    also : array of int64
        Keys of pairs that are returned as well if their score is not zero, distinct and rising.
    seed : int
        Of the signs that R is multiplied with where there are more than 512 labels.

    Returns
    -------
    keys : (e,) array of int64
        row * b + column, distinct and rising.
    scores : (e,) array of float32

    Notes
    -----
    Memory is both sides' features, some tens an edge, which of them are like, and the result.

    References
    ----------
    .. [1] Mao, Wang, Wu and Lan (2022), "LightEA: a scalable, robust, and interpretable entity alignment framework via
       three-view label propagation", EMNLP. doi:10.18653/v1/2022.emnlp-main.52
    """
    left, right = sides
    m = len(right)
    if not len(pairs) or not len(edges):
        return np.zeros(0, np.int64), np.zeros(0, np.float32)
    spread, vectors = _spread(edges, n, n_relations, pairs, np.random.default_rng(seed))
    own, other = (_Side.of(edges, each, n, spread) for each in sides)
    like = _like_relations(vectors, np.unique(own.relations), np.unique(other.relations))
    codes, having = _lists(other, m)
    own_codes, own_having = _lists(own, len(left), longest=None)
    shared = _shared(own_codes, codes, np.diff(having.indptr) > 0, like, spread.shape[1])
    told = sparse.csr_array(own_having.T)
    del own_having
    best = BestOfGroups(min(k, len(left)), m)
    keys, scores = [], []
    for start in range(0, len(left), _OWN_ROWS):
        size = min(_OWN_ROWS, len(left) - start)
        block = told[start : start + size] @ shared
        products = sparse.coo_array(block @ having)
        columns, values = products.col.astype(np.int64), products.data.astype(np.float32)
        rows = products.row.astype(np.int64)
        places = (rows + start) * m + columns
        chosen = best_of(values, rows, k)
        first, last = np.searchsorted(also, [start * m, (start + size) * m])
        chosen = np.union1d(chosen, np.flatnonzero(np.isin(places, also[first:last])))
        keys.append(places[chosen])
        scores.append(values[chosen])
        high = values >= best.least[columns]
        best.add(columns[high], places[high], values[high])
    found = best.trim()
    together, first_of = np.unique(np.concatenate([*keys, found[0]]), return_index=True)
    return together, np.concatenate([*scores, found[1]])[first_of]


@dataclass(frozen=True, eq=False)
class _Side:
    """The edges of one side's entities, by entity, and the labels of all entities, which may be at their other ends."""

    relations: Ids
    tails: Ids
    starts: Ids
    spread: sparse.csr_array

    @classmethod
    def of(cls, edges: Triples, entities: Ids, n: int, spread: sparse.csr_array) -> "_Side":
        place = np.full(n, -1)
        place[entities] = np.arange(len(entities))
        own = edges[place[edges[:, 0]] >= 0]
        own = own[np.argsort(place[own[:, 0]], kind="stable")]
        return cls(own[:, 1], own[:, 2], np.searchsorted(place[own[:, 0]], np.arange(len(entities) + 1)), spread)

    def features(self, first: int, last: int) -> tuple[Ids, Ids, NDArray[np.float32]]:
        """Return X of some rows: row, relation * width + label, and value."""
        begin, end = self.starts[first], self.starts[last]
        row = np.repeat(np.arange(first, last), np.diff(self.starts[first : last + 1]))
        tail, labels = self.tails[begin:end], self.spread.indptr.astype(np.int64)
        which, at = _ranges(labels[tail], labels[tail + 1])
        codes = self.relations[begin:end][which] * self.spread.shape[1] + self.spread.indices[at]
        rows, codes, values = _summed(row[which], codes, self.spread.data[at])
        squares = np.bincount(rows - first, values.astype(np.float64) ** 2, last - first)
        return rows, codes, values / np.sqrt(squares).astype(np.float32)[rows - first]


def _lists(side: _Side, n: int, *, longest: int | None = _LONGEST) -> tuple[Ids, sparse.csr_array]:
    """Return the features of a side, rising, and which entities have them, (features, n); none of those many have."""
    blocks = [side.features(start, min(start + _OTHER_ROWS, n)) for start in range(0, n, _OTHER_ROWS)]
    rows, codes, values = (np.concatenate(each) for each in zip(*blocks, strict=True))
    del blocks
    found, columns, counts = np.unique(codes, return_inverse=True, return_counts=True)
    if longest is not None:
        kept = (counts <= longest)[columns]
        rows, columns, values = rows[kept], columns[kept], values[kept]
    return found, sparse.csr_array((values, (columns, rows)), shape=(len(found), n))


def _shared(
    own: Ids, other: Ids, listed: NDArray[np.bool_], like: tuple[Ids, Ids, NDArray[np.float32]], width: int
) -> sparse.csr_array:
    """Return K between the features of one side and the listed ones of the other, (own, other).

    A feature of the one side is like those of the other that have its label and a relation like its own. Features are
    looked up once each, however many entities have them, and relation by relation, in rising order.
    """
    r, q, weights = like
    labels = own % width
    first, last = (np.searchsorted(own, r * width + offset) for offset in (0, width))
    blocks = np.cumsum(last - first) // _LOOKED_UP
    rows, columns, values = [], [], []
    for block in np.unique(blocks):
        pairs = np.flatnonzero(blocks == block)
        which, at = _ranges(first[pairs], last[pairs])
        found = find_keys(other, q[pairs][which] * width + labels[at])
        held = found >= 0
        held[held] = listed[found[held]]
        rows.append(at[held].astype(np.int32))
        columns.append(found[held].astype(np.int32))
        values.append(weights[pairs][which[held]])
    nothing = np.zeros(0, np.int32)
    places = (np.concatenate([nothing, *rows]), np.concatenate([nothing, *columns]))
    return sparse.csr_array((np.concatenate([np.zeros(0, np.float32), *values]), places), shape=(len(own), len(other)))


def _ranges(starts: Ids, ends: Ids) -> tuple[Ids, Ids]:
    """Return the numbers from each start to before its end, and which of the ranges each belongs to, that first."""
    sizes = ends - starts
    which = np.repeat(np.arange(len(sizes)), sizes)
    return which, np.arange(len(which)) + np.repeat(starts - np.cumsum(sizes) + sizes, sizes)


def _summed(rows: Ids, codes: Ids, values: NDArray[np.float32]) -> tuple[Ids, Ids, NDArray[np.float32]]:
    """Return each row and code once, with the sum of its values, by row and code."""
    if not len(rows):
        return rows, codes, values
    first, span = int(rows.min()), int(codes.max()) + 1
    keys = (rows - first) * span + codes
    order = np.argsort(keys)
    keys = keys[order]
    new = np.flatnonzero(np.diff(keys, prepend=-1))
    rows, codes = np.divmod(keys[new], span)
    return rows + first, codes, np.add.reduceat(values[order], new).astype(np.float32)


def _spread(
    edges: Triples, n: int, n_relations: int, pairs: Ids, rng: np.random.Generator
) -> tuple[sparse.csr_array, Matrix]:
    """Return [E[0], E[1]] without small shares, (n, 2 p), and [R[1], R[2]] / sqrt(2), projected."""
    head, relation, tail = edges.T
    p = len(pairs)
    labels = sparse.csr_array((np.ones(2 * p, np.float32), (pairs.T.ravel(), np.tile(np.arange(p), 2))), shape=(n, p))
    own, degree = np.arange(n), np.bincount(head, minlength=n).astype(np.float32)
    degrees = sparse.csr_array((degree, (own, own)), shape=(n, n))
    leaving = sparse.csr_array((np.ones(len(edges), np.float32), (relation, head)), shape=(n_relations, n))
    leaving.data[:] = 1.0  # which relations, not how often
    labelled = np.zeros(n, bool)
    labelled[pairs.ravel()] = True
    told = labelled[tail]
    between = sparse.csr_array((np.ones(int(told.sum()), np.float32), (head[told], tail[told])), shape=(n, n))
    near = sparse.csr_array(between @ labels + degrees @ labels)
    lengths = np.sqrt(np.asarray(near.multiply(near).sum(axis=1)).ravel())
    near.data /= np.repeat(np.maximum(lengths, 1e-12), np.diff(near.indptr)).astype(np.float32)
    steps: list[list[Matrix]] = [[], []]
    for start in range(0, min(p, _SKETCH), _AT_ONCE):
        if p <= _SKETCH:  # as they are
            drawn = np.eye(p, min(_AT_ONCE, p - start), -start, dtype=np.float32)
        else:
            drawn = (2 * rng.integers(0, 2, (p, _AT_ONCE), dtype=np.int8) - 1).astype(np.float32)
        steps[0].append(leaving @ (labels @ drawn))
        steps[1].append(leaving @ (near @ drawn))
    vectors = [np.asarray(unit_rows(np.concatenate(each, axis=1)), np.float32) for each in steps]
    near.data[near.data < _LEAST] = 0
    near.eliminate_zeros()
    spread = sparse.csr_array(sparse.hstack([labels, near], format="csr"))
    return spread, np.concatenate(vectors, axis=1) / np.float32(np.sqrt(2))


def _like_relations(vectors: Matrix, own: Ids, other: Ids) -> tuple[Ids, Ids, NDArray[np.float32]]:
    """Return which relations of either side are like each other, by the own ones, and how like."""
    products = vectors[own] @ vectors[other].T
    kept = np.zeros(products.shape, bool)
    for axis, size in enumerate(products.shape):
        best = np.argsort(-products, axis=axis)
        np.put_along_axis(kept, np.take(best, np.arange(min(_LIKE, size)), axis=axis), True, axis=axis)
    r, q = np.nonzero(kept & (products > _SOME))
    return own[r], other[q], products[r, q]
