"""Which entities of two knowledge graphs are the same."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.files import replacing
from interlingua.align.graph import align_entities

from .graph import KnowledgeGraph
from .name_features import name_features, name_spellings

if TYPE_CHECKING:
    from ..encoder import Encoder

__all__ = ["FEATURES", "EntityLink", "GraphAlignment", "align_graphs"]

FEATURES = ("names", "characters", "structure")
_NOT_IN_IRI = re.compile('[\x00-\x20<>"{}|^`\\\\]')
_SAME_AS = "http://www.w3.org/2002/07/owl#sameAs"


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
    """

    left: str
    right: str
    confidence: float
    why: dict[str, float]


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

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write left, right, confidence and why between tabs, with a header, whole or not at all."""
        with replacing(path, "w") as file:
            file.write("left\tright\tconfidence\twhy\n")
            for each in self.links:
                why = " ".join(f"{name}={value:.3f}" for name, value in each.why.items())
                file.write(f"{each.left}\t{each.right}\t{each.confidence:.4f}\t{why}\n")

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
                file.write(f"<{each.left}> <{_SAME_AS}> <{each.right}> .\n")


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
    left, right : KnowledgeGraph
    seeds : (s, 2) array of integers, optional
        Known pairs, positions in left and right. They are not among the links found.
    features : sequence of {"names", "characters", "structure"}
        Names through a multilingual encoder, each graph centred; hashed groups of two and three characters of the
        names; and the graph itself, which spreads them. With names or characters, sure pairs teach how names of one
        graph are written in the other.
    encoder : Encoder, optional
        By default the bundled one.
    candidates : pair of arrays of integers, optional
        Positions of the entities to link; by default all that are no seeds.
    k : int, optional
        The k best of each left entity, instead of a one-to-one alignment.
    rounds : int
        Of labels from sure pairs, see `interlingua.align.graph.align_entities`.
    seed : int
    progress : bool

    Returns
    -------
    GraphAlignment

    Raises
    ------
    ValueError
        If a feature is unknown, or structure alone is asked for without seeds.

    Notes
    -----
    For 15,000 entities a side some two minutes a round on one core, names' encoding apart, and 6 GB.
    """
    unknown = [name for name in features if name not in FEATURES]
    if unknown or not features:
        raise ValueError(f"features are of {', '.join(FEATURES)}, at least one; got {', '.join(features) or 'none'}")
    known = np.zeros((0, 2), np.int64) if seeds is None else np.asarray(seeds, np.int64).reshape(-1, 2)
    shift = np.array([0, len(left)])
    sides = [
        np.setdiff1d(np.arange(len(graph)), known[:, side]) if candidates is None else np.asarray(candidates[side])
        for side, graph in enumerate((left, right))
    ]
    structured = "structure" in features
    relations = len(left.relations)
    named = name_features(left, right, features, encoder, progress=progress)
    moved = right.triples + np.array([len(left), relations, len(left)])
    found = align_entities(
        np.concatenate([left.triples, moved]) if structured else np.zeros((0, 3), np.int64),
        relations + len(right.relations),
        sides[0],
        sides[1] + len(left),
        n_entities=len(left) + len(right),
        features=named,
        spellings=None if named is None else name_spellings(left, right),
        seeds=known + shift if len(known) else None,
        rounds=rounds if structured else 0,
        depth=2 if structured else 0,
        seed=seed,
    )
    scored = found.candidates
    chosen = found.positions if k is None else _best(scored.rows, scored.scores, k)
    links = tuple(
        EntityLink(
            left.entities[sides[0][scored.rows[at]]],
            right.entities[sides[1][scored.columns[at]]],
            float(min(scored.scores[at], 1.0)),
            {name: float(values[at]) for name, values in found.blocks.items()},
        )
        for at in chosen.tolist()
    )
    return GraphAlignment(links, found.history)


def _best(rows: NDArray[np.int64], scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Return the positions of the k best of each row, row by row, best first."""
    order = np.lexsort((-scores, rows))
    ranks = np.arange(len(order)) - np.searchsorted(rows[order], rows[order])
    chosen: NDArray[np.int64] = order[ranks < k]
    return chosen
