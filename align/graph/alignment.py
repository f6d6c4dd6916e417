"""Align the entities of two graphs: names, structure and neighbours together, round by round, without training."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from interlingua.align.matching.pairs import mutual_best
from interlingua.align.matching.scores import Candidates, as_candidates, find_keys
from interlingua.align.matching.sinkhorn import sinkhorn_scores

from .candidates import best_of, best_pairs, bucketed_pairs, known_products
from .counterparts import compress_spellings, mutual_predictions
from .evidence import NeighborEvidence
from .growth import GrownPairs, grow_pairs
from .propagation import as_triples, propagate_features, weighted_adjacency, with_inverses
from .structure import compare_structure

Vectors = NDArray[np.floating[Any]]
Scored = tuple[NDArray[np.int64], NDArray[np.float32]]
_WEIGHTS = {"names": 1.0, "counterparts": 0.5, "structure": 1.0, "neighbours": 0.2}
_TARGETS = 400
_EXHAUSTIVE = 400_000_000  # pairs, up to which all are compared
_FEW = 10  # candidates beyond
_STAGES = 12  # of growth from names; from seeds alone one, since nothing is learnt between
_NEAR = 20  # candidates of which the neighbours say most
_TEMPERATURE, _ITERATIONS = 0.02, 15
_SURE = 0.5


@dataclass(frozen=True)
class EntityAlignment:
    """What `align_entities` finds.

    Attributes
    ----------
    candidates : Candidates
        Pairs of positions in `left` and `right`, scored by Sinkhorn: about the probability that the two are one.
    blocks : dict of str to (e,) array of float32
        What each source of evidence says of each candidate: "names", "counterparts", "structure", "neighbours".
    weights : dict of str to float
        Of the blocks.
    history : tuple of dict
        One entry a round: how many pairs were sure; before them those of `grow_pairs`, if it was needed.
    """

    candidates: Candidates
    blocks: dict[str, NDArray[np.float32]]
    weights: dict[str, float]
    history: tuple[dict[str, float], ...] = field(default=())

    @property
    def positions(self) -> NDArray[np.int64]:
        """Positions of the candidates that are best of their row and of their column, (p,), best first."""
        chosen = mutual_best(self.candidates)
        chosen = chosen[self.candidates.scores[chosen] > 0]
        return chosen[np.argsort(-self.candidates.scores[chosen], kind="stable")]

    @property
    def pairs(self) -> NDArray[np.int64]:
        """Those candidates, (p, 2)."""
        return self.candidates.pairs(self.positions)

    @property
    def scores(self) -> NDArray[np.float32]:
        """Their scores, (p,)."""
        return self.candidates.scores[self.positions]


def align_entities(
    triples: Any,
    n_relations: int,
    left: Any,
    right: Any,
    *,
    n_entities: int,
    features: Any | None = None,
    spellings: Any | None = None,
    similar: Any | None = None,
    seeds: Any | None = None,
    weights: Mapping[str, float] | None = None,
    rounds: int = 3,
    k: int = 50,
    depth: int = 2,
    seed: int = 0,
    callback: Callable[[Mapping[str, float]], None] | None = None,
) -> EntityAlignment:
    """Align the entities of two knowledge graphs.

    Names are spread over the graphs by SEU's weighted adjacency [1]_ and compared; Sinkhorn's doubly stochastic
    scaling of the k best candidates of either side makes one-to-one scores. In each further round, the pairs that are
    sure (each other's best, score above 0.5) and the seeds become labels of LightEA's propagation [2]_, in the form of
    `compare_structure`, and matches of `NeighborEvidence` [3]_, and

        S = w_n names + w_c counterparts + w_s structure + w_e neighbours

    is decoded again, and once more with the evidence of the pairs that are sure then. Seeds without names grow first,
    see `grow_pairs`. With spellings, the sure pairs also teach how names of one graph are written in the other:
    `predict_counterparts` tells from an entity's features and spelling those of its counterpart, both ways, and
    "counterparts" is the mean cosine of what is told and what is there. No pair is told by itself.

    Parameters
    ----------
    triples : (m, 3) array of integers
        Head, relation, tail; both graphs under one numbering of entities and of relations, none in both.
    n_relations, n_entities : int
    left, right : (a,), (b,) arrays of integers
        The entities to align; sizes may differ, and entities without a counterpart are allowed.
    features : (n, d) array, optional
        Of names; language bias removed. A row of zeros says nothing.
    spellings : (n, f) array, sparse or not, optional
        How the names are written, such as counts of groups of characters; need not be comparable between the graphs.
        Taken only together with features or `similar`.
    similar : Candidates, sparse or dense (a, b) array, optional
        Similarity of names, 0 to 1; pairs that are left out have none. Instead of features.
    seeds : (s, 2) array of integers, optional
        Known pairs of entities, which need not be in `left` and `right`.
    weights : mapping, optional
        Of "names", "counterparts", "structure" and "neighbours"; by default 1, 0.5, 1 and 0.2. Sure pairs cannot
        choose them: those that the names find need no other evidence.
    rounds : int
        Of labels and evidence after the names, 0 or more; at least 1 without features or `similar`.
    k : int
        Candidates of each entity and source of evidence.
    depth : int
        Hops of the names.
    seed : int
    callback : callable, optional
        Gets each round's entry of `history`.

    Returns
    -------
    EntityAlignment

    Raises
    ------
    ValueError
        If there are no features, no `similar` and no seeds, or both of the first, shapes do not fit or a number is out
        of range.

    Notes
    -----
    Up to 20,000 entities a side, names are compared all with all; beyond, in buckets, see `bucketed_pairs`, and k is at
    most 10. Structure is compared by lists of who has which label nearby. So time and memory grow about as the numbers
    of entities and of triples; docs/graphs.md has the figures.

    References
    ----------
    .. [1] Mao, Wang, Wu and Lan (2021), "From alignment to assignment: frustratingly simple unsupervised entity
       alignment", EMNLP. doi:10.18653/v1/2021.emnlp-main.226
    .. [2] Mao, Wang, Wu and Lan (2022), "LightEA: a scalable, robust, and interpretable entity alignment framework via
       three-view label propagation", EMNLP. doi:10.18653/v1/2022.emnlp-main.52
    .. [3] Suchanek, Abiteboul and Senellart (2011), "PARIS: probabilistic alignment of relations, instances, and
       schema", PVLDB 5. doi:10.14778/2078331.2078332
    """
    rows = as_triples(triples, n_entities, n_relations)
    left, right = (_entities(each, n_entities, name) for each, name in ((left, "left"), (right, "right")))
    known = np.zeros((0, 2), np.int64) if seeds is None else np.asarray(seeds, np.int64).reshape(-1, 2)
    if features is None and similar is None and not len(known):
        raise ValueError("there is nothing to begin with: give features of the names, similar names, or seeds")
    if features is not None and similar is not None:
        raise ValueError("features and similar are two ways to compare names; give one of them")
    if features is None and similar is None and spellings is not None:
        raise ValueError("spellings need features or similar names beside them; leave them out")
    if rounds < (features is None and similar is None) or k < 1 or depth < 0:
        raise ValueError(
            f"rounds, k and depth must be at least 0 (1 without features), 1 and 0; got {rounds}, {k}, {depth}"
        )
    if set(weights or {}) - set(_WEIGHTS):
        raise ValueError(f"weights are of {', '.join(_WEIGHTS)}, but got {', '.join(weights or {})}")
    edges = with_inverses(rows, n_relations)
    job = _Job(edges, 2 * n_relations, n_entities, left, right, known, k, seed, {**_WEIGHTS, **(weights or {})})
    history: list[dict[str, float]] = []
    if features is not None:
        hops = propagate_features(weighted_adjacency(rows, n_entities, n_relations), features, depth=depth)
        job.take_names(hops)
        if spellings is not None:
            job.describe(hops[0], spellings)
        del hops
        job.gather((known, np.ones(len(known))), structure=False)
        job.score()
    else:
        nothing = np.zeros(0, np.int64)
        given = Candidates(nothing, nothing, np.zeros(0, np.float32), (len(left), len(right)))
        if similar is not None:
            given = job.similar = as_candidates(similar)
            if spellings is not None:
                job.describe(None, spellings)
        grown = grow_pairs(
            rows,
            n_relations,
            given,
            left,
            right,
            n_entities=n_entities,
            spellings=spellings,
            seeds=seeds,
            stages=_STAGES if similar is not None else 1,
            callback=callback,
        )
        history += grown.history
        job.begin(grown)
    for number in range(1, rounds + 1):
        entry = {"round": float(number), "sure": float(job.round())}
        history.append(entry)
        if callback is not None:
            callback(entry)
    return EntityAlignment(job.decoded, job.blocks, job.weights, tuple(history))


@dataclass(eq=False)
class _Job:
    """The state of one alignment; edges are triples with their inverses, which count as relations."""

    edges: NDArray[np.int64]
    n_relations: int
    n: int
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    seeds: NDArray[np.int64]
    k: int
    seed: int
    weights: dict[str, float]
    names: tuple[Vectors, Vectors] | None = None
    similar: Candidates | None = None
    found_names: Scored | None = None
    grown: GrownPairs | None = None
    described: Any = None
    targets: Vectors | None = None
    blocks: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        nothing = np.zeros(0, np.int64)
        self.decoded = Candidates(nothing, nothing, np.zeros(0, np.float32), (len(self.left), len(self.right)))
        self.exhaustive = len(self.left) * len(self.right) <= _EXHAUSTIVE
        self.most = self.k if self.exhaustive else min(self.k, _FEW)
        self.evidence = NeighborEvidence(self.edges, self.n_relations, self.n, self.left, self.right)

    def take_names(self, hops: Sequence[Vectors]) -> None:
        """Keep the hops of the names side by side, of the entities to align; of many, in half precision."""
        width, exact = hops[0].shape[1], np.float32 if self.exhaustive else np.float16
        scale = np.float32(np.sqrt(len(hops)))
        sides = []
        for side in (self.left, self.right):
            kept = np.empty((len(side), width * len(hops)), exact)
            for place, hop in enumerate(hops):
                kept[:, place * width : (place + 1) * width] = hop[side] / scale
            sides.append(kept)
        self.names = (sides[0], sides[1])

    def describe(self, features: Vectors | None, spellings: Any) -> None:
        """Keep what counterparts are told from, and what is told of them."""
        written = sparse.csr_array(spellings, dtype=np.float32)
        if written.shape[0] != self.n:
            raise ValueError(f"spellings must have {self.n} rows, one an entity, but have {written.shape[0]}")
        told = compress_spellings(written, _TARGETS)
        if features is None:
            self.described, self.targets = written, told
            return
        self.described = (features, written)
        self.targets = np.concatenate([features, told], axis=1) * np.float32(np.sqrt(0.5))

    def begin(self, grown: GrownPairs) -> None:
        """Take grown pairs as the sure ones of the first round, and as what is decided if there is none."""
        self.grown, self.decoded = grown, grown.scored
        if self.similar is not None:
            self.blocks = {"names": self.similar.scores_of(grown.scored.rows, grown.scored.columns)}

    def score(self) -> None:
        """Score all candidates by the weighted blocks."""
        total = np.zeros(self.decoded.scores.shape, np.float32)
        for name, scores in self.blocks.items():
            total += np.float32(self.weights[name]) * scores
        scaled: Any = sinkhorn_scores(self.decoded.with_scores(total), temperature=_TEMPERATURE, iterations=_ITERATIONS)
        self.decoded = scaled

    def round(self) -> int:
        """Label with the sure pairs, decode, hear the neighbours again, and return how many pairs were sure."""
        pairs, sure = self._sure_pairs()
        self.gather((pairs, sure))
        self.score()
        told = self.evidence(*self._sure_pairs())
        self.blocks["neighbours"] = told.scores_of(self.decoded.rows, self.decoded.columns)
        self.score()
        return len(pairs)

    def _sure_pairs(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return seeds, then pairs that are each other's best and above 0.5, surest first, and their probabilities."""
        ones = np.ones(len(self.seeds))
        if self.grown is not None:
            grown, self.grown = self.grown, None
            pairs, scores = grown.pairs, grown.probabilities
        else:
            chosen = mutual_best(self.decoded)
            chosen = chosen[self.decoded.scores[chosen] > _SURE]
            pairs = np.stack([self.left[self.decoded.rows[chosen]], self.right[self.decoded.columns[chosen]]], axis=1)
            new = ~(np.isin(pairs[:, 0], self.seeds[:, 0]) | np.isin(pairs[:, 1], self.seeds[:, 1]))
            pairs, scores = pairs[new], np.minimum(self.decoded.scores[chosen][new], 0.95).astype(np.float64)
        order = np.argsort(-scores, kind="stable")
        return np.concatenate([self.seeds, pairs[order]]), np.concatenate([ones, scores[order]])

    def gather(self, matches: tuple[NDArray[np.int64], NDArray[np.float64]], *, structure: bool = True) -> None:
        """Make the union of all blocks' candidates and each block's score of them."""
        n, m = len(self.left), len(self.right)
        vectors: dict[str, tuple[Vectors, Vectors]] = {}
        found: dict[str, Scored] = {}
        keys = [np.zeros(0, np.int64)] if self.similar is None else [self.similar.keys]
        if self.names is not None:
            if self.found_names is None:  # they are the same in each round
                self.found_names = self._search(*self.names)
            vectors["names"], found["names"] = self.names, self.found_names
        if self.described is not None and self.targets is not None and len(matches[0]):
            vectors["counterparts"] = mutual_predictions(
                self.described, self.targets, matches[0], self.left, self.right
            )
            found["counterparts"] = self._search(*vectors["counterparts"])
        keys += [each for each, _ in found.values()]
        told = self.evidence(*matches) if structure else None
        like: Scored | None = None
        if told is not None:
            keys += [told.keys[best_of(told.scores, groups, _NEAR)] for groups in (told.rows, told.columns)]
            like = compare_structure(
                self.edges,
                self.n,
                self.n_relations,
                matches[0],
                (self.left, self.right),
                self.most,
                np.unique(np.concatenate(keys)),
                seed=self.seed,
            )
            keys.append(like[0])
        together = np.unique(np.concatenate(keys))
        rows, columns = np.divmod(together, m)
        self.decoded = Candidates(rows, columns, np.zeros(len(rows), np.float32), (n, m))
        self.blocks = {} if self.similar is None else {"names": self.similar.scores_of(rows, columns)}
        for name, (own, other) in vectors.items():
            self.blocks[name] = known_products(own, other, together, found[name])
        if told is not None and like is not None:
            self.blocks["structure"] = np.append(like[1], np.float32(0))[find_keys(like[0], together)]
            self.blocks["neighbours"] = told.scores_of(rows, columns)

    def _search(self, own: Vectors, other: Vectors) -> Scored:
        if self.exhaustive:
            return best_pairs(own, other, self.most)
        return bucketed_pairs(own, other, self.most, seed=self.seed)


def _entities(given: Any, n: int, name: str) -> NDArray[np.int64]:
    entities = np.asarray(given)
    if entities.ndim != 1 or entities.dtype.kind not in "iu" or not len(entities):
        raise ValueError(f"{name} must be a row of entity numbers, at least one; got {entities.dtype} {entities.shape}")
    if int(entities.min()) < 0 or int(entities.max()) >= n or len(np.unique(entities)) < len(entities):
        raise ValueError(f"{name} must hold distinct numbers in 0 .. {n - 1}")
    return entities.astype(np.int64)
