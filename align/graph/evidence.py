"""Evidence from neighbours: two entities that reach matched entities by like relations are probably the same."""

import numpy as np
from numpy.typing import NDArray

from interlingua.align.matching.scores import Candidates, find_keys

_AT_ONCE = 4_000_000  # products of edges held at a time
_HUB = 20_000  # matched entities with more products of edges say little and cost much
_CROWD = 40  # edges of one relation into one entity beyond which it tells nobody apart
_UNSEEN, _DOUBT = 0.1, 1.0  # likeness of relations of which nothing is known; pseudo-count
_LEAST = 0.02
_SURE = 0.98


class NeighborEvidence:
    """What matched entities say of their neighbours, in the manner of PARIS [1]_.

    Over all pairs of edges (x, r, u), (y, q, v) whose ends u, v are matched,

        E(x, y) = - sum log(1 - p(u, v) c(r, q) / max(n(r, u), n(q, v)))

    with p the probability of the match, n(r, u) the edges of r into u (one of many children tells little), and c the
    likeness of two relations: how often edges of r whose entities are both matched have an edge of q as counterpart,
    (larger + smaller share) / 2, and at least 0.1 / (1 + what was seen of the rarer). Relations run either way.

    Parameters
    ----------
    edges : (m, 3) array of int64
        Distinct triples that hold their inverses, see `with_inverses`; both graphs under one numbering, no relation in
        both.
    n_relations, n : int
        Relations with the inverses counted, and entities.
    left, right : (a,), (b,) arrays of int64
        The entities that are told of.

    Notes
    -----
    Time grows with the sum over the matches of the product of their degrees; matches with more than 20,000 products and
    more than 40 edges of one relation into one entity are left out.

    References
    ----------
    .. [1] Suchanek, Abiteboul and Senellart (2011), "PARIS: probabilistic alignment of relations, instances, and
       schema", PVLDB 5. doi:10.14778/2078331.2078332
    """

    def __init__(
        self, edges: NDArray[np.int64], n_relations: int, n: int, left: NDArray[np.int64], right: NDArray[np.int64]
    ) -> None:
        self._n, self._total, self._shape = n, n_relations, (len(left), len(right))
        edges = edges[np.lexsort((edges[:, 0], edges[:, 1], edges[:, 2]))]
        self._edges = edges
        _, group, counts = np.unique(edges[:, 2] * self._total + edges[:, 1], return_inverse=True, return_counts=True)
        crowd = counts[group] if len(edges) else np.zeros(0, np.int64)
        self._telling, self._crowd = edges[crowd <= _CROWD], crowd[crowd <= _CROWD]
        self._starts = np.searchsorted(self._telling[:, 2], np.arange(n + 1))
        ends = edges[:, 0] * n + edges[:, 2]
        order = np.argsort(ends, kind="stable")
        self._ends, self._relations = ends[order], edges[order, 1]
        self._place = np.full(n, -1)
        self._place[left], self._place[right] = np.arange(len(left)), np.arange(len(right))

    def __call__(self, pairs: NDArray[np.int64], sure: NDArray[np.float64]) -> Candidates:
        """Return the pairs of which more than 0.02 is said.

        Parameters
        ----------
        pairs : (p, 2) array of int64
            Matched entities.
        sure : (p,) array of float64
            The probability of each match, up to 1.
        """
        likeness = self._likeness(pairs, sure)
        degrees = np.diff(self._starts)
        products = degrees[pairs[:, 0]] * degrees[pairs[:, 1]]
        products = np.where(products <= _HUB, products, 0)
        blocks = np.cumsum(products) // _AT_ONCE
        codes, sums = [], []
        for block in np.unique(blocks):
            kept = np.flatnonzero((blocks == block) & (products > 0))
            which, a, b = self._edge_pairs(pairs, kept, products[kept], degrees)
            keys, weights = self._weights(which, a, b, sure, likeness)
            found, group = np.unique(keys, return_inverse=True)
            codes.append(found)
            sums.append(np.bincount(group, -np.log1p(-weights), len(found)))
        if len(codes) != 1:
            together, group = np.unique(np.concatenate([np.zeros(0, np.int64), *codes]), return_inverse=True)
            codes, sums = [together], [np.bincount(group, np.concatenate([np.zeros(0), *sums]), len(together))]
        enough = sums[0] > _LEAST
        rows, columns = np.divmod(codes[0][enough], self._shape[1])
        return Candidates(rows, columns, sums[0][enough].astype(np.float32), self._shape)

    def _edge_pairs(
        self, pairs: NDArray[np.int64], kept: NDArray[np.int64], products: NDArray[np.int64], degrees: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return pair, edge into its left entity and edge into its right one, every product of the two."""
        which = np.repeat(kept, products)
        within = np.arange(len(which)) - np.repeat(np.cumsum(products) - products, products)
        across = degrees[pairs[which, 1]]
        a, b = self._starts[pairs[which, 0]] + within // across, self._starts[pairs[which, 1]] + within % across
        inside = (self._place[self._telling[a, 0]] >= 0) & (self._place[self._telling[b, 0]] >= 0)
        return which[inside], a[inside], b[inside]

    def _weights(
        self,
        which: NDArray[np.int64],
        a: NDArray[np.int64],
        b: NDArray[np.int64],
        sure: NDArray[np.float64],
        likeness: tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]],
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the key of the pair that each product of edges speaks for, and its weight."""
        codes, shares, seen = likeness
        r, q = self._telling[a, 1], self._telling[b, 1]
        at = find_keys(codes, r * self._total + q)
        unknown = _UNSEEN * _DOUBT / (np.minimum(seen[r], seen[q]) + _DOUBT)
        like = np.maximum(np.where(at >= 0, shares[at] if len(shares) else 0.0, 0.0), unknown)
        weight = np.minimum(sure[which] * like / np.maximum(self._crowd[a], self._crowd[b]), _SURE)
        return self._place[self._telling[a, 0]] * self._shape[1] + self._place[self._telling[b, 0]], weight

    def _likeness(
        self, pairs: NDArray[np.int64], sure: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Return sorted keys r * total + q, the likeness of these relations, and how much was seen of each relation."""
        mate, known = np.full(self._n, -1), np.zeros(self._n)
        mate[pairs[:, 0]] = pairs[:, 1]
        known[pairs[:, 0]] = known[pairs[:, 1]] = sure
        head, relation, tail = self._edges.T
        seen = np.bincount(relation, known[head] * known[tail], self._total)
        mapped = (mate[head] >= 0) & (mate[tail] >= 0)
        head, relation, tail = head[mapped], relation[mapped], tail[mapped]
        wanted = mate[head] * self._n + mate[tail]
        first, last = (np.searchsorted(self._ends, wanted, side=side) for side in ("left", "right"))
        sizes = last - first
        which = np.repeat(np.arange(len(wanted)), sizes)
        other = self._relations[np.arange(len(which)) + np.repeat(first - np.cumsum(sizes) + sizes, sizes)]
        codes, group = np.unique(relation[which] * self._total + other, return_inverse=True)
        together = np.bincount(group, (known[head] * known[tail])[which], len(codes))
        r, q = np.divmod(codes, self._total)
        shares = (together / (seen[r] + _DOUBT) + together / (seen[q] + _DOUBT)) / 2
        return codes, np.asarray(np.minimum(shares, 1.0), np.float64), np.asarray(seen, np.float64)
