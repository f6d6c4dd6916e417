"""Grow many sure pairs of entities from few: neighbours speak for neighbours, spellings for spellings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from interlingua.align.matching.pairs import mutual_best
from interlingua.align.matching.scores import Candidates, find_keys
from interlingua.align.neighbors import nearest

from .counterparts import compress_spellings, mutual_predictions
from .propagation import as_triples, with_inverses

_FIRST = 0.5  # least similarity of the pairs to begin with
_CERTAIN = 0.95
_KEPT = 0.1
_NO_PAIR = 0.3  # weight of having no partner
_STEEP = {"neighbours": 3.0, "similarity": 4.0, "counterparts": 8.0}
_CHANCE = 0.3  # cosine of counterparts that says nothing
_UNSEEN, _DOUBT = 0.1, 1.0  # likeness of relations of which nothing is known; pseudo-count
_CROWD = 40  # edges of one relation into one entity beyond which it tells nobody apart
_HUB = 20_000
_LEAST_EVIDENCE = 0.02
_SURE = 0.98
_TARGETS, _MOST_PREDICTED = 400, 10
_FIRST_ROUNDS, _ROUNDS = 15, 6
_GROWTH = 1.01


@dataclass(frozen=True)
class GrownPairs:
    """What `grow_pairs` finds.

    Attributes
    ----------
    pairs : (p, 2) array of int64
        Entities, one-to-one, seeds not among them.
    probabilities : (p,) array of float64
        Rather too low than too high.
    scored : Candidates
        All pairs that were weighed, by position in left and right.
    history : tuple of dict
        One entry a stage: how many pairs there were.
    """

    pairs: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    scored: Candidates
    history: tuple[dict[str, float], ...] = field(default=())


def grow_pairs(
    triples: Any,
    n_relations: int,
    similar: Candidates,
    left: Any,
    right: Any,
    *,
    n_entities: int,
    spellings: Any | None = None,
    seeds: Any | None = None,
    stages: int = 12,
    callback: Callable[[Mapping[str, float]], None] | None = None,
) -> GrownPairs:
    """Grow pairs from those whose names are alike, where few are.

    Pairs that are each other's most similar, above 0.5, are the first. Then, again and again, all are weighed anew:
    over the pairs of edges (x, r, u), (y, q, v) whose ends are a pair of the round before, of probability p,

        E(x, y) = - sum log(1 - p(u, v) c(r, q) / max(n(r, u), n(q, v)))

    in the manner of PARIS [1]_, with n(r, u) the edges of r into u and c(r, q) the likeness of two relations as in
    `weigh_neighbors`, 0.1 and falling while nothing is known of them. With similarity s, and with t the mean cosine
    of what `predict_counterparts` tells of both and what is there,

        w = exp(3 E + 4 s + 8 max(0, t - 0.3)) - 1,    P(x, y) = w / (0.3 + sum_y' w(x, y') + sum_x' w(x', y) - w)

    Each other's best above P = 0.1 are the pairs of the next round. A stage is 15 rounds, later 6; after each one the
    counterparts are learnt again, and stages end when the pairs grow by less than 1 %. No pair is kept for having been
    one, and none speaks for itself.

    Parameters
    ----------
    triples : (m, 3) array of integers
        Head, relation, tail; both graphs under one numbering of entities and of relations, none in both.
    n_relations, n_entities : int
    similar : Candidates
        Similarity of names, 0 to 1, for positions in left and right; pairs that are left out have none.
    left, right : (a,), (b,) arrays of integers
        The entities to pair.
    spellings : (n, f) array, sparse or not, optional
        How names are written, see `align_entities`; without them counterparts are not learnt.
    seeds : (s, 2) array of integers, optional
        Known pairs of entities, not in `left` and `right`.
    stages : int
        At most, 1 or more.
    callback : callable, optional
        Gets each stage's entry of `history`.

    Returns
    -------
    GrownPairs

    Raises
    ------
    ValueError
        If shapes do not fit, or `stages` is not positive.

    Notes
    -----
    The constants were chosen on DBP15K's French and English graphs, with the French names enciphered; the rounds of a
    stage and the rule that ends growth after a first run on its Chinese and English ones.

    References
    ----------
    .. [1] Suchanek, Abiteboul and Senellart (2011), "PARIS: probabilistic alignment of relations, instances, and
       schema", PVLDB 5. doi:10.14778/2078331.2078332
    """
    left, right = np.asarray(left, np.int64), np.asarray(right, np.int64)
    if similar.shape != (len(left), len(right)):
        raise ValueError(f"similar must have the shape {(len(left), len(right))} of left and right: {similar.shape}")
    if stages < 1:
        raise ValueError(f"stages must be at least 1, but is {stages}")
    known = np.zeros((0, 2), np.int64) if seeds is None else np.asarray(seeds, np.int64).reshape(-1, 2)
    evidence = _Evidence(as_triples(triples, n_entities, n_relations), n_relations, n_entities, left, right)
    written = None if spellings is None else sparse.csr_array(spellings, dtype=np.float32)
    targets = None if written is None else compress_spellings(written, _TARGETS)
    dense = None if written is None else written.toarray()
    chosen = mutual_best(similar)
    chosen = chosen[similar.scores[chosen] > _FIRST]
    pairs = np.stack([left[similar.rows[chosen]], right[similar.columns[chosen]]], axis=1)
    sure = np.full(len(pairs), _CERTAIN)
    predicted: Candidates | None = None
    scored = similar
    history: list[dict[str, float]] = []
    for stage in range(1, stages + 1):
        before = len(pairs)
        if stage > 1 and dense is not None and len(known) + len(pairs):
            predicted = _predicted(dense, targets, np.concatenate([known, pairs]), left, right)
        for _ in range(_FIRST_ROUNDS if stage == 1 else _ROUNDS):
            seen = evidence(np.concatenate([known, pairs]), np.concatenate([np.ones(len(known)), sure]))
            scored = _weigh(similar, seen, predicted)
            chosen = mutual_best(scored)
            chosen = chosen[scored.scores[chosen] > _KEPT]
            pairs = np.stack([left[scored.rows[chosen]], right[scored.columns[chosen]]], axis=1)
            sure = np.minimum(scored.scores[chosen].astype(np.float64), _CERTAIN)
        entry = {"stage": float(stage), "grown": float(len(pairs))}
        history.append(entry)
        if callback is not None:
            callback(entry)
        if stage > 1 and len(pairs) < _GROWTH * before:
            break
    return GrownPairs(pairs, sure, scored, tuple(history))


def _weigh(similar: Candidates, seen: Candidates, predicted: Candidates | None) -> Candidates:
    """Return the probability of every pair that any source has."""
    n, m = similar.shape
    sources = [("similarity", similar), ("neighbours", seen)]
    sources += [] if predicted is None else [("counterparts", predicted)]
    keys = [each.keys for _, each in sources]
    together = np.unique(np.concatenate(keys))
    total = np.zeros(len(together))
    for (name, each), own in zip(sources, keys, strict=True):
        total[np.searchsorted(together, own)] += _STEEP[name] * each.scores
    weight = np.expm1(np.minimum(total, 50.0))
    rows, columns = np.divmod(together, m)
    of_row, of_column = np.bincount(rows, weight, n), np.bincount(columns, weight, m)
    rivals = np.maximum(of_row[rows] + of_column[columns] - weight, weight)
    return Candidates(rows, columns, (weight / (_NO_PAIR + rivals)).astype(np.float32), (n, m))


def _predicted(
    written: NDArray[np.float32], targets: Any, pairs: NDArray[np.int64], left: NDArray[np.int64], right: NDArray[Any]
) -> Candidates:
    """Return the pairs whose spellings tell each other, and by how much more than chance."""
    own, other = mutual_predictions(written, targets, pairs, left, right)
    m = len(right)
    found = [nearest(own, other, _MOST_PREDICTED), nearest(other, own, _MOST_PREDICTED)]
    keys = [np.repeat(np.arange(len(each.ids)), each.ids.shape[1]) for each in found]
    codes = np.concatenate([keys[0] * m + found[0].ids.ravel(), found[1].ids.ravel() * m + keys[1]])
    codes, first = np.unique(codes, return_index=True)
    scores = np.concatenate([each.scores.ravel() for each in found])[first]
    kept = scores > _CHANCE
    rows, columns = np.divmod(codes[kept], m)
    return Candidates(rows, columns, scores[kept] - np.float32(_CHANCE), (len(left), m))


class _Evidence:
    """What pairs of entities say of their neighbours."""

    def __init__(
        self, triples: NDArray[np.int64], n_relations: int, n: int, left: NDArray[np.int64], right: NDArray[np.int64]
    ) -> None:
        self._n, self._total, self._shape = n, 2 * n_relations, (len(left), len(right))
        edges = with_inverses(triples, n_relations)
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
        codes, shares, seen = self._likeness(pairs, sure)
        degrees = np.diff(self._starts)
        products = degrees[pairs[:, 0]] * degrees[pairs[:, 1]]
        products = np.where(products <= _HUB, products, 0)
        which = np.repeat(np.arange(len(pairs)), products)
        within = np.arange(len(which)) - np.repeat(np.cumsum(products) - products, products)
        across = degrees[pairs[which, 1]]
        a = self._starts[pairs[which, 0]] + within // np.maximum(across, 1)
        b = self._starts[pairs[which, 1]] + within % np.maximum(across, 1)
        x, y = self._place[self._telling[a, 0]], self._place[self._telling[b, 0]]
        inside = (x >= 0) & (y >= 0)
        which, a, b, x, y = which[inside], a[inside], b[inside], x[inside], y[inside]
        r, q = self._telling[a, 1], self._telling[b, 1]
        at = find_keys(codes, r * self._total + q)
        unknown = _UNSEEN * _DOUBT / (np.minimum(seen[r], seen[q]) + _DOUBT)
        like = np.maximum(np.where(at >= 0, shares[at] if len(shares) else 0.0, 0.0), unknown)
        weight = np.minimum(sure[which] * like / np.maximum(self._crowd[a], self._crowd[b]), _SURE)
        keys, group = np.unique(x * self._shape[1] + y, return_inverse=True)
        found = np.bincount(group, -np.log1p(-weight), len(keys))
        kept = found > _LEAST_EVIDENCE
        rows, columns = np.divmod(keys[kept], self._shape[1])
        return Candidates(rows, columns, found[kept].astype(np.float32), self._shape)

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
