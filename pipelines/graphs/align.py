"""Which entities of two knowledge graphs are the same, by names, structure and the values that both hold."""

import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from interlingua.align.files import replacing
from interlingua.align.graph import align_entities
from interlingua.align.matching.confidence import count_for_precision
from interlingua.align.matching.scores import best_of_groups

from .graph import SAME_AS, KnowledgeGraph
from .names import name_features, name_spellings, similar_names

if TYPE_CHECKING:
    from interlingua.pipelines.encoders.base import Encoder

_TYPED = re.compile(r'"(.*)"(?:\^\^\S+|@[\w-]+)?\s*\.?', re.DOTALL)
_NUMBER = re.compile(r"[+-]?(\d+(?:\.\d*)?|\.\d+)(e[+-]?\d+)?")
_MIDNIGHT = re.compile(r"(-?\d{4,}-\d\d-\d\d)(?:t00:00:00(?:\.0+)?)?(?:z|[+-]\d\d:\d\d)?")
FEATURES = ("names", "characters", "structure", "attributes")
_NOT_IN_IRI = re.compile('[\x00-\x20<>"{}|^`\\\\]')


@dataclass(frozen=True)
class SharedValues:
    """Values as nodes, one of each graph for every value; left entities come first, then right ones, then the values.

    Attributes
    ----------
    triples : (m, 3) array of int64
        Entity, attribute, value; attributes are numbered from the graphs' relations on, those of the left graph first.
    pairs : (v, 2) array of int64
        The nodes of each value, in the left and the right graph.
    n_attributes : int
    """

    triples: NDArray[np.int64]
    pairs: NDArray[np.int64]
    n_attributes: int


def folded_value(value: str) -> str:
    """Return a value without what only looks different: quotes, type and language of RDF, zeros, case, spaces.

    Examples
    --------
    >>> folded_value('"1969"^^<http://www.w3.org/2001/XMLSchema#gYear>'), folded_value("1969.0")
    ('1969', '1969')
    >>> folded_value('"ＡＢＣ  street"@en'), folded_value("1969-07-20T00:00:00Z")
    ('abc street', '1969-07-20')
    """
    typed = _TYPED.fullmatch(value.strip())
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", typed[1] if typed else value).casefold())
    text = " ".join(text.split())
    if day := _MIDNIGHT.fullmatch(text):
        return day[1]
    if _NUMBER.fullmatch(text):
        number = float(text)
        return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)
    return text


def shared_values(left: KnowledgeGraph, right: KnowledgeGraph, *, most: int = 20) -> SharedValues:
    """Return the values that both graphs hold, each by at most `most` entities of either.

    Raises
    ------
    ValueError
        If there is none.

    Examples
    --------
    >>> one = KnowledgeGraph.from_triples([], attributes=[("ex/Rome", "founded", "-753"), ("ex/Rome", "is", "city")])
    >>> two = KnowledgeGraph.from_triples([], attributes=[("ex/罗马", "建立", '"-753"^^<integer>')])
    >>> found = shared_values(one, two)
    >>> found.triples.tolist(), found.pairs.tolist()
    ([[0, 0, 2], [1, 1, 3]], [[2, 3]])
    """
    held: list[dict[str, dict[tuple[int, str], None]]] = [{}, {}]
    for side, graph in zip(held, (left, right), strict=True):
        for entity, attribute, value in graph.attributes:
            if folded := folded_value(value):
                side.setdefault(folded, {})[entity, attribute] = None
    common = [
        value
        for value in held[0]
        if value in held[1] and all(len({e for e, _ in side[value]}) <= most for side in held)
    ]
    if not common:
        raise ValueError(
            f"no value is shared by the {len(left.attributes)} attributes of the left graph and the "
            f"{len(right.attributes)} of the right one; leave the feature 'attributes' out"
        )
    start, relation = len(left) + len(right), len(left.relations) + len(right.relations)
    numbers: dict[tuple[int, str], int] = {}
    triples = []
    for right_side, found in enumerate(held):
        for place, value in enumerate(common, start + right_side * len(common)):
            for entity, attribute in found[value]:
                named = numbers.setdefault((right_side, attribute), len(numbers))
                triples.append((entity + right_side * len(left), relation + named, place))
    nodes = start + np.arange(len(common))
    return SharedValues(np.array(triples, np.int64), np.stack([nodes, nodes + len(common)], axis=1), len(numbers))


@dataclass(frozen=True)
class EntityLink:
    """Two entities that are taken for the same.

    Attributes
    ----------
    left, right : str
        Their ids.
    confidence : float
        Sinkhorn's score of the pair, 0 to 1; docs/graphs.md compares it with the share of right pairs.
    why : dict of str to float
        What each source of evidence says: cosines of "names", of "counterparts" (what the name should be on the other
        side, as learnt from other pairs) and of "structure", weight of evidence of "neighbours".
    left_name, right_name : str
        What they are called.
    """

    left: str
    right: str
    confidence: float
    why: dict[str, float]
    left_name: str = ""
    right_name: str = ""


@dataclass(frozen=True)
class GraphAlignment:
    """Links, best first.

    Attributes
    ----------
    links : tuple of EntityLink
        One-to-one, or the k best of each left entity.
    history : tuple of dict
        How many pairs were sure in each round.
    """

    links: tuple[EntityLink, ...]
    history: tuple[dict[str, float], ...]

    def __len__(self) -> int:
        return len(self.links)

    def least(self, confidence: float) -> "GraphAlignment":
        """Return the links of this confidence or more; the other entities are taken to have no counterpart."""
        return GraphAlignment(tuple(each for each in self.links if each.confidence >= confidence), self.history)

    def for_precision(self, precision: float) -> "GraphAlignment":
        """Return as many of the links as can be while their mean confidence is `precision` or more.

        Raises
        ------
        ValueError
            If even the best link has less, an entity has several links, or the precision is not between 0 and 1.
        """
        if len({each.left for each in self.links}) < len(self.links):
            raise ValueError("the precision of links is known where each entity has one; leave out k, the candidates")
        kept = count_for_precision([each.confidence for each in self.links], precision)
        return GraphAlignment(self.links[:kept], self.history)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write left, right, confidence, why and both names between tabs, with a header, whole or not at all."""
        with replacing(path, "w") as file:
            file.write("left\tright\tconfidence\twhy\tleft_name\tright_name\n")
            for each in self.links:
                why = " ".join(f"{name}={value:.3f}" for name, value in each.why.items())
                names = "\t".join(" ".join(name.split()) for name in (each.left_name, each.right_name))
                file.write(f"{each.left}\t{each.right}\t{each.confidence:.4f}\t{why}\t{names}\n")

    def write_same_as(self, path: str | os.PathLike[str]) -> None:
        """Write the links as N-Triples of owl:sameAs, whole or not at all.

        Raises
        ------
        ValueError
            If an id is no absolute IRI.
        """
        with replacing(path, "w") as file:
            for each in self.links:
                for iri in (each.left, each.right):
                    if ":" not in iri or _NOT_IN_IRI.search(iri):
                        raise ValueError(f"owl:sameAs links absolute IRIs, but {iri!r} is none; write a table instead")
                file.write(f"<{each.left}> <{SAME_AS}> <{each.right}> .\n")


def align_graphs(
    left: KnowledgeGraph,
    right: KnowledgeGraph,
    seeds: Any | None = None,
    *,
    features: Sequence[str] = ("names", "structure"),
    encoder: "Encoder | None" = None,
    candidates: tuple[Any, Any] | None = None,
    k: int | None = None,
    rounds: int = 3,
    seed: int = 0,
    progress: bool = False,
) -> GraphAlignment:
    """Find the entities of two knowledge graphs that are the same.

    Parameters
    ----------
    left : KnowledgeGraph
    right : KnowledgeGraph
    seeds : (s, 2) array of integers, optional
        Known pairs, positions in left and right. They are not among the links found.
    features : sequence of {"names", "characters", "structure", "attributes"}
        What is compared, of names, characters, structure and attributes.

        Names through a multilingual encoder, each graph centred; hashed groups of two and three characters of the
        names; and the graph itself, which spreads them. With characters but no names, pairs grow from the few whose
        names are alike, see `interlingua.align.graph.grow_pairs`. With names or characters, sure pairs teach how names
        of one graph are written in the other. Attributes: values that both graphs hold, each by few entities, become
        nodes that are known to be the same, see `shared_values`.
    encoder : Encoder, optional
        By default the bundled one.
    candidates : pair of arrays of integers, optional
        Positions of the entities to link; by default all that are no seeds.
    k : int, optional
        The k best of each left entity, instead of a one-to-one alignment.
    rounds : int, at least 0
        Of labels from sure pairs, see `interlingua.align.graph.align_entities`.
    seed : int
    progress : bool

    Returns
    -------
    GraphAlignment

    Raises
    ------
    ValueError
        If a feature is unknown, structure alone is asked for without seeds, or attributes where no value is shared.

    Notes
    -----
    Up to 20,000 entities a side all are compared with all, beyond that only what lies near; docs/graphs.md has figures.
    """
    unknown = [name for name in features if name not in FEATURES]
    if unknown or not features:
        raise ValueError(f"features are of {', '.join(FEATURES)}, at least one; got {', '.join(features) or 'none'}")
    known = np.zeros((0, 2), np.int64) if seeds is None else np.asarray(seeds, np.int64).reshape(-1, 2)
    n, m = len(left), len(right)
    sides = [
        np.setdiff1d(np.arange(size), known[:, side]) if candidates is None else np.asarray(candidates[side])
        for side, size in enumerate((n, m))
    ]
    values = shared_values(left, right) if "attributes" in features else None
    structured = "structure" in features or values is not None
    # without an encoder few names are alike, and hops would spread noise: pairs grow from the few instead
    grown = structured and "characters" in features and "names" not in features
    named = None if grown else name_features(left, right, features, encoder, progress=progress)
    similar = None
    if grown:
        own, other = (
            [graph.names[place] for place in side.tolist()] for graph, side in zip((left, right), sides, strict=True)
        )
        similar = similar_names(own, other)
    spellings = None if named is None and similar is None else name_spellings(left, right)
    triples = np.zeros((0, 3), np.int64)
    if "structure" in features:
        moved = right.triples + np.array([n, len(left.relations), n])
        triples = np.concatenate([left.triples, moved])
    relations, equal, n_values = len(left.relations) + len(right.relations), known + np.array([0, n]), 0
    if values is not None:
        n_values, relations = values.pairs.size, relations + values.n_attributes
        triples, equal = np.concatenate([triples, values.triples]), np.concatenate([equal, values.pairs])
        named, spellings = _with_empty_rows(named, spellings, n_values)
    found = align_entities(
        triples,
        relations,
        sides[0],
        sides[1] + n,
        n_entities=n + m + n_values,
        features=named,
        similar=similar,
        spellings=spellings,
        seeds=equal if len(equal) else None,
        rounds=rounds if structured else 0,
        depth=2 if structured else 0,
        seed=seed,
    )
    scored = found.candidates
    chosen = found.positions if k is None else best_of_groups(scored.scores, scored.rows, k)
    links = tuple(
        EntityLink(
            left.entities[own],
            right.entities[other],
            float(min(scored.scores[at], 1.0)),
            {name: float(values[at]) for name, values in found.blocks.items()},
            left.names[own],
            right.names[other],
        )
        for at, own, other in zip(
            chosen.tolist(), sides[0][scored.rows[chosen]].tolist(), sides[1][scored.columns[chosen]].tolist()
        )
    )
    return GraphAlignment(links, found.history)


def _with_empty_rows(
    named: NDArray[np.float32] | None, spellings: sparse.csr_array | None, n: int
) -> tuple[NDArray[np.float32] | None, sparse.csr_array | None]:
    """Return features of names with rows of zeros behind them, for nodes that have no names."""
    if named is not None:
        named = np.pad(named, ((0, n), (0, 0)))
    if spellings is not None:
        ends = np.pad(spellings.indptr, (0, n), mode="edge")
        shape = (spellings.shape[0] + n, spellings.shape[1])
        spellings = sparse.csr_array((spellings.data, spellings.indices, ends), shape=shape)
    return named, spellings
