"""Evidence from neighbours: two entities that reach matched entities by like relations are probably the same."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from interlingua.align.matching.scores import Candidates, find_keys

_AT_ONCE = 4_000_000  # products of edges held at a time
_HUB = 400_000  # matched entities with more products of edges say little and cost much
_SURE = 0.98
_DOUBT = 2.0  # pseudo-count: a relation seen twice is not known


def weigh_neighbors(
    edges: NDArray[np.int64],
    n: int,
    n_relations: int,
    candidates: Candidates,
    sides: tuple[NDArray[np.int64], NDArray[np.int64]],
    matched: NDArray[np.int64],
    sure: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Return for each candidate how much its neighbours speak for it.

    In the manner of PARIS [1]_: over all pairs of edges (x, r, u), (y, q, v) whose ends u, v are matched,

        E(x, y) = - sum log(1 - p(u, v) c(r, q) min(f(r), f(q)))

    with p the probability of the match, f(r) = distinct ends / edges of r (how well an end tells the beginning), c the
    likeness of two relations: how often edges of r whose entities are both matched have an edge of q as counterpart,
    (larger + smaller share) / 2. Relations run either way.

    Parameters
    ----------
    edges : (m, 3) array of int64
        Distinct triples that hold their inverses, see `with_inverses`; both graphs under one numbering, no relation in
        both.
    n, n_relations : int
        Entities, and relations with the inverses counted.
    candidates : Candidates
        Rows are positions in the left side, columns in the right one.
    sides : two arrays of int64, (a,) and (b,)
        The entities to align.
    matched : (p, 2) array of int64
        Matched entities, distinct.
    sure : (p,) array of float64
        The probability of each match, up to 1.

    Returns
    -------
    (e,) array of float32
        Zero or more, one a candidate.

    Notes
    -----
    Time grows with the sum over the matches of the product of their degrees.

    References
    ----------
    .. [1] Suchanek, Abiteboul and Senellart (2011), "PARIS: probabilistic alignment of relations, instances, and
       schema", PVLDB 5. doi:10.14778/2078331.2078332
    """
    edges = edges[np.argsort(edges[:, 2], kind="stable")]
    starts = np.searchsorted(edges[:, 2], np.arange(n + 1))
    degrees = np.diff(starts)
    products = degrees[matched[:, 0]] * degrees[matched[:, 1]]
    kept = (products > 0) & (products <= _HUB)
    matched, sure, products = matched[kept], sure[kept], products[kept]
    walk = _Walk(matched, products, starts, degrees)
    likeness = _likeness(edges, walk, matched, sure, n, n_relations)
    counts = np.bincount(edges[:, 1], minlength=n_relations)
    ends = np.bincount(np.unique(edges[:, [1, 2]], axis=0)[:, 0], minlength=n_relations)
    telling = ends / np.maximum(counts, 1)
    row_of, column_of = (_places(each, n) for each in sides)
    like_keys, like_values = likeness
    keys = candidates.keys
    found = np.zeros(len(keys))
    for which, a, b in walk:
        x, y = row_of[edges[a, 0]], column_of[edges[b, 0]]
        at = find_keys(keys, np.where((x >= 0) & (y >= 0), x * candidates.shape[1] + y, -1))
        like = find_keys(like_keys, edges[a, 1] * n_relations + edges[b, 1])
        good = (at >= 0) & (like >= 0)
        which, a, b, at, like = which[good], a[good], b[good], at[good], like[good]
        weight = sure[which] * like_values[like] * np.minimum(telling[edges[a, 1]], telling[edges[b, 1]])
        found += np.bincount(at, -np.log1p(-np.minimum(weight, _SURE)), len(found))
    return found.astype(np.float32)


@dataclass(frozen=True, eq=False)
class _Walk:
    """Yields blocks of (pair, edge into its left entity, edge into its right one), every product of the two."""

    pairs: NDArray[np.int64]
    products: NDArray[np.int64]
    starts: NDArray[np.int64]
    degrees: NDArray[np.int64]

    def __iter__(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
        sums = np.cumsum(self.products)
        first = 0
        while first < len(self.pairs):
            done = int(sums[first - 1]) if first else 0
            last = max(first + 1, int(np.searchsorted(sums, done + _AT_ONCE)))
            sizes = self.products[first:last]
            which = np.repeat(np.arange(first, last), sizes)
            within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
            across = self.degrees[self.pairs[which, 1]]
            yield (
                which,
                self.starts[self.pairs[which, 0]] + within // across,
                self.starts[self.pairs[which, 1]] + within % across,
            )
            first = last


def _likeness(
    edges: NDArray[np.int64], walk: _Walk, matched: NDArray[np.int64], sure: NDArray[np.float64], n: int, total: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the keys r * total + q of the pairs of relations that were seen together, sorted, and their likeness."""
    order = np.argsort(matched[:, 0] * n + matched[:, 1])
    keys, weights = (matched[:, 0] * n + matched[:, 1])[order], sure[order]
    together = sparse.csr_array((total, total), dtype=np.float64)
    for which, a, b in walk:
        at = find_keys(keys, edges[a, 0] * n + edges[b, 0])
        good = at >= 0
        block = sparse.coo_array(
            (sure[which[good]] * weights[at[good]], (edges[a[good], 1], edges[b[good], 1])), shape=(total, total)
        )
        together = together + block.tocsr()
    known = np.zeros(n)
    for side in (0, 1):
        np.maximum.at(known, matched[:, side], sure)
    seen = np.bincount(edges[:, 1], known[edges[:, 0]] * known[edges[:, 2]], minlength=total)
    found: Any = together.tocoo()
    shares = np.stack([found.data / (seen[found.row] + _DOUBT), found.data / (seen[found.col] + _DOUBT)])
    codes = found.row.astype(np.int64) * total + found.col
    order = np.argsort(codes)
    return codes[order], np.minimum(shares.mean(axis=0), 1.0)[order]


def _places(entities: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    places = np.full(n, -1)
    places[entities] = np.arange(len(entities))
    return places
