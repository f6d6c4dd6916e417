"""What the properties of an entity say for or against a match, by the counts of a table."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from .reconciliation_index import LinkedEntity
from .reconciliation_queries import Condition

__all__ = ["PropertyEvidence", "property_values"]

TYPE = "type"


class PropertyEvidence:
    r"""The log-likelihood ratio of agreeing or disagreeing properties (Fellegi and Sunter 1969).

    With :math:`u` the share of the entities that hold a value, and :math:`m` the chance that a true match holds it, an
    entity that holds the value weighs :math:`\log(m / u)` and one that holds another :math:`\log((1-m) / (1-u))`: rare
    values that agree weigh much, and values that most entities have weigh nothing. An entity without the property, and
    a value that no entity has, weigh nothing either way.

    Parameters
    ----------
    entities : iterable of LinkedEntity
        All of them; their types count as the property "type".
    agreement : float
        :math:`m`; the rest are errors in the data.

    References
    ----------
    Fellegi and Sunter, "A theory for record linkage", Journal of the American Statistical Association 1969,
    doi:10.1080/01621459.1969.10501049.
    """

    def __init__(self, entities: Iterable[LinkedEntity], *, agreement: float = 0.9) -> None:
        self._agreement = agreement
        self._ids: dict[str, dict[str, list[str]]] = {}
        self._n: dict[str, int] = {}
        self._held: dict[str, dict[str, frozenset[str]]] = {}
        for entity in entities:
            held = {key: frozenset(map(_folded, values)) for key, values in property_values(entity).items()}
            held[TYPE] = held.get(TYPE, frozenset()) | frozenset(map(_folded, entity.types))
            self._held[entity.id] = held
            for key, values in held.items():
                self._n[key] = self._n.get(key, 0) + bool(values)
                for value in values:
                    self._ids.setdefault(key, {}).setdefault(value, []).append(entity.id)

    @property
    def properties(self) -> dict[str, int]:
        """The ids of all properties, most frequent first, with the number of entities that have them."""
        found = {key: n for key, n in self._n.items() if n and key != TYPE}
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    def weight(self, entity_id: str, condition: Condition) -> float:
        """Return the evidence of one condition on one entity."""
        own = self._held.get(entity_id, {}).get(condition.property, frozenset())
        wanted = self._known(condition)
        if not own or not wanted:
            return 0.0
        shares = [len(self._ids[condition.property][value]) / self._n[condition.property] for value in wanted]
        share = min(shares) if condition.quantifier == "all" else min(1.0, sum(shares))
        agrees = wanted <= own if condition.quantifier == "all" else bool(wanted & own)
        if condition.quantifier == "none":
            return self._against(share) if agrees else 0.0
        return max(0.0, math.log(self._agreement / share)) if agrees else self._against(share)

    def holds(self, entity_id: str, condition: Condition) -> bool:
        """Return whether an entity fulfils a condition."""
        own = self._held.get(entity_id, {}).get(condition.property, frozenset())
        wanted = {_folded(value) for value in condition.values}
        if condition.quantifier == "all":
            return wanted <= own
        return bool(wanted & own) == (condition.quantifier == "any")

    def agreeing(self, condition: Condition, most: int) -> list[str]:
        """Return entities that hold any of the values, at most so many."""
        found = [each for value in sorted(self._known(condition)) for each in self._ids[condition.property][value]]
        return list(dict.fromkeys(found))[:most]

    def unknown(self, condition: Condition) -> list[str]:
        """Return the values that no entity has; in another language, they may still say something as context."""
        known = self._ids.get(condition.property, {})
        return [value for value in condition.values if value and _folded(value) not in known]

    def _known(self, condition: Condition) -> set[str]:
        known = self._ids.get(condition.property, {})
        return {folded for value in condition.values if (folded := _folded(value)) in known}

    def _against(self, share: float) -> float:
        return min(0.0, math.log((1 - self._agreement) / (1 - share))) if share < 1 else 0.0


def property_values(entity: LinkedEntity) -> dict[str, list[str]]:
    """Return the properties of an entity, each a list of texts."""
    return {key: [str(each) for each in _listed(value)] for key, value in entity.properties.items()}


def _listed(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    if isinstance(value, (str, int, float, Mapping)):
        return [value]
    return [each for each in value if each is not None and each != ""]


def _folded(value: str) -> str:
    text = " ".join(unicodedata.normalize("NFKC", value).casefold().split())
    try:
        number = float(text)
    except ValueError:
        return text
    return repr(number) if math.isfinite(number) else text
