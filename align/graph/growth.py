"""Grow many sure pairs of entities from few: neighbours speak for neighbours, spellings for spellings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from interlingua.align.matching.pairs import mutual_best
from interlingua.align.matching.scores import Candidates

from .candidates import best_pairs
from .counterparts import compress_spellings, mutual_predictions
from .evidence import NeighborEvidence
from .propagation import as_triples, with_inverses

_FIRST = 0.5  # least similarity of the pairs to begin with
_CERTAIN = 0.95
_KEPT = 0.1
_NO_PAIR = 0.3  # weight of having no partner
_STEEP = {"neighbours": 3.0, "similarity": 4.0, "counterparts": 8.0}
_CHANCE = 0.3  # cosine of counterparts that says nothing
_TARGETS, _MOST_PREDICTED = 400, 10
_FIRST_ROUNDS, _ROUNDS = 15, 6
_GROWTH = 1.01
_SETTLED = 0.998  # share of the pairs that a further round would leave as they are


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

    in the manner of PARIS [1]_, see `NeighborEvidence`, with n(r, u) the edges of r into u and c(r, q) the likeness of
    two relations, 0.1 and falling while nothing is known of them. With similarity s, and with t the mean cosine
    of what `predict_counterparts` tells of both and what is there,

        w = exp(3 E + 4 s + 8 max(0, t - 0.3)) - 1,    P(x, y) = w / (0.3 + sum_y' w(x, y') + sum_x' w(x', y) - w)

    Each other's best above P = 0.1 are the pairs of the next round. A stage is at most 15 rounds, later 6, and ends
    when a round changes no more than two pairs in a thousand. After each stage the counterparts are learnt again, and
    stages end when the pairs grow by less than 1 %. No pair is kept for having been one, and none speaks for itself.

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
    edges = with_inverses(as_triples(triples, n_entities, n_relations), n_relations)
    evidence = NeighborEvidence(edges, 2 * n_relations, n_entities, left, right)
    is_known = np.zeros(n_entities, bool)
    is_known[known.ravel()] = True
    written = None if spellings is None else sparse.csr_array(spellings, dtype=np.float32)
    targets = None if written is None else compress_spellings(written, _TARGETS)
    chosen = mutual_best(similar)
    chosen = chosen[similar.scores[chosen] > _FIRST]
    pairs = np.stack([left[similar.rows[chosen]], right[similar.columns[chosen]]], axis=1)
    sure = np.full(len(pairs), _CERTAIN)
    predicted: Candidates | None = None
    scored = similar
    history: list[dict[str, float]] = []
    for stage in range(1, stages + 1):
        before = len(pairs)
        if stage > 1 and written is not None and len(known) + len(pairs):
            predicted = _predicted(written, targets, np.concatenate([known, pairs]), left, right)
        for _ in range(_FIRST_ROUNDS if stage == 1 else _ROUNDS):
            seen = evidence(np.concatenate([known, pairs]), np.concatenate([np.ones(len(known)), sure]))
            scored = _weigh(similar, seen, predicted)
            chosen = mutual_best(scored)
            chosen = chosen[scored.scores[chosen] > _KEPT]
            chosen = chosen[~(is_known[left[scored.rows[chosen]]] | is_known[right[scored.columns[chosen]]])]
            earlier, pairs = pairs, np.stack([left[scored.rows[chosen]], right[scored.columns[chosen]]], axis=1)
            sure = np.minimum(scored.scores[chosen].astype(np.float64), _CERTAIN)
            if _shared(earlier, pairs, n_entities) >= _SETTLED * max(len(earlier), len(pairs)):
                break
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


def _shared(one: NDArray[np.int64], other: NDArray[np.int64], n: int) -> int:
    """Return how many pairs are in both."""
    return len(np.intersect1d(one[:, 0] * n + one[:, 1], other[:, 0] * n + other[:, 1], assume_unique=True))


def _predicted(
    written: sparse.csr_array, targets: Any, pairs: NDArray[np.int64], left: NDArray[np.int64], right: NDArray[Any]
) -> Candidates:
    """Return the pairs whose spellings tell each other, and by how much more than chance."""
    own, other = mutual_predictions(written, targets, pairs, left, right)
    codes, scores = best_pairs(own, other, _MOST_PREDICTED)
    kept = scores > _CHANCE
    rows, columns = np.divmod(codes[kept], len(right))
    return Candidates(rows, columns, scores[kept] - np.float32(_CHANCE), (len(left), len(right)))
