"""What entities are said to have in words and numbers: values that both graphs hold, as further nodes of the graphs."""

import re
import unicodedata
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .graph import KnowledgeGraph

__all__ = ["SharedValues", "folded_value", "shared_values"]

_TYPED = re.compile(r'"(.*)"(?:\^\^\S+|@[\w-]+)?\s*\.?', re.DOTALL)
_NUMBER = re.compile(r"[+-]?(\d+(?:\.\d*)?|\.\d+)(e[+-]?\d+)?")
_MIDNIGHT = re.compile(r"(-?\d{4,}-\d\d-\d\d)(?:t00:00:00(?:\.0+)?)?(?:z|[+-]\d\d:\d\d)?")


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
