"""The Reconciliation API on top of an entity index: requests in, responses out, no network.

References
----------
Reconciliation Service API 0.2, W3C Entity Reconciliation Community Group 2023; version 1.0-draft of the same group.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib import metadata
from typing import Any, Literal

from .linked import LinkedCandidate, LinkedEntity, LinkingIndex
from .preview import direction, display_name, preview_page
from .properties import TYPE, PropertyEvidence, extension, proposed_properties
from .queries import Condition, Query, ReconciliationError, parse_match, parse_queries

#: Versions of the API.
ApiVersion = Literal["0.2", "1.0-draft"]
PREVIEW_SIZE = {"width": 420, "height": 260}
FEATURES = {
    "name": "similarity of the names",
    "spelling": "similarity in spelling",
    "context": "similarity of the context",
    "type": "agreement of the type",
    "language": "language of the name",
    "properties": "evidence of the properties (log-likelihood ratio)",
    "probability": "probability before the properties",
}
_SUGGESTIONS, _MOST_SUGGESTIONS = 10, 100
_SEARCHED, _SEARCHED_WITH_CONDITIONS, _BY_PROPERTIES_ALONE, _RARE = 5, 25, 1000, 10
_MOST_ODDS = 700.0  # what exp can take
_LIMIT: Mapping[str, Any] = {
    "name": "limit",
    "label": "Limit",
    "type": "number",
    "default": 0,
    "help_text": "At most so many values a row (0: all)",
}
_LIMIT_DRAFT: Mapping[str, Any] = {
    "id": "limit",
    "name": "Limit",
    "type": "number",
    "default": 0,
    "helpText": _LIMIT["help_text"],
}


@dataclass(frozen=True)
class _Found:
    entity: LinkedEntity
    probability: float
    features: dict[str, float] = field(default_factory=dict)


class Reconciler:
    """Answers the requests of the Reconciliation API from an entity index.

    Parameters
    ----------
    index : LinkingIndex
        The entities to reconcile with.
    threshold : float, above 0 and at most 1
        A candidate is a `match` from this probability on, if no other reaches it.
    batch : int
        Queries a request, at most.
    name : str
        Of the service, as a client shows it.
    view : str, optional
        The address of an entity's page, with {{id}} where its id goes; by default the preview.
    identifiers : str, optional
        The address space of the ids; by default below the service's own address.

    Raises
    ------
    ValueError
        If the threshold is not a probability, or `view` has no ``{{id}}``.
    """

    def __init__(
        self,
        index: LinkingIndex,
        *,
        threshold: float = 0.95,
        batch: int = 100,
        name: str = "interlingua",
        view: str | None = None,
        identifiers: str | None = None,
    ) -> None:
        if not 0 < threshold <= 1:
            raise ValueError(f"the threshold is a probability above 0 and at most 1, but is {threshold}")
        if view is not None and "{{id}}" not in view:
            raise ValueError(f"the address of a page needs {{{{id}}}} where the id goes, but is {view!r}")
        self.index = index
        self.threshold = threshold
        self.batch = batch
        self.name = name
        self._view = view
        self._identifiers = identifiers
        self._evidence = PropertyEvidence(index.entities)

    def manifest(self, url: str, api: str = "0.2") -> dict[str, Any]:
        """Return what the service offers at an address, in the form of one version of the API."""
        url = url.rstrip("/")
        view = self._view or f"{url}/preview?id={{{{id}}}}"
        types = [{"id": each, "name": each} for each in list(self._types())[:_SUGGESTIONS]]
        shared = {
            "versions": [api],
            "name": self.name,
            "identifierSpace": self._identifiers or f"{url}/entity/",
            "schemaSpace": f"{url}/type/",
            "serviceVersion": metadata.version("interlingua"),
            "defaultTypes": types,
            "batchSize": self.batch,
        }
        if api == "1.0-draft":
            return shared | {
                "view": {"url": view.replace("{{id}}", "{id}")},
                "preview": PREVIEW_SIZE,
                "suggest": {"entity": True, "property": True, "type": True},
                "extend": {"proposeProperties": True, "propertySettings": [_LIMIT_DRAFT]},
                "standardizedScore": True,
            }
        suggest = {
            kind: {
                "service_url": url,
                "service_path": f"/suggest/{kind}",
                "flyout_service_url": url,
                "flyout_service_path": f"/flyout/{kind}?id=${{id}}",
            }
            for kind in ("entity", "property", "type")
        }
        return shared | {
            "view": {"url": view},
            "preview": {"url": f"{url}/preview?id={{{{id}}}}"} | PREVIEW_SIZE,
            "suggest": suggest,
            "extend": {
                "propose_properties": {"service_url": url, "service_path": "/properties"},
                "property_settings": [_LIMIT],
            },
        }

    def reconcile(self, batch: Any, languages: Sequence[str] = ()) -> dict[str, Any]:
        """Return the candidates for a batch of queries of version 0.2: ``{key: {"result": [...]}}``.

        Raises
        ------
        ReconciliationError
            If the batch is too large or a query is not as the specification says.
        """
        queries = parse_queries(batch, most=self.batch)
        answers = self.answer(list(queries.values()))
        return {
            key: {"result": self._rendered(found, query, languages)}
            for (key, query), found in zip(queries.items(), answers)
        }

    def match(self, batch: Any, languages: Sequence[str] = ()) -> dict[str, Any]:
        """Return the candidates for a batch of queries of version 1.0-draft: ``{"results": [{"candidates": [...]}]}``.

        Raises
        ------
        ReconciliationError
            If the batch is too large or a query is not as the specification says.
        """
        queries = parse_match(batch, most=self.batch)
        results = []
        for query, found in zip(queries, self.answer(queries)):
            candidates = self._rendered(found, query, languages)
            for each in candidates:
                each["features"] = [{"name": FEATURES.get(one["id"], one["id"])} | one for one in each["features"]]
                if direction(each["name"]) == "rtl":
                    each["dir"] = "rtl"
            results.append({"candidates": candidates})
        return {"results": results}

    def answer(self, queries: Sequence[Query]) -> list[list[_Found]]:
        """Return the candidates of each query, most probable first, a few more than its limit."""
        found = self._linked(queries)
        return [self._ranked(query, each) for query, each in zip(queries, found)]

    def suggest(
        self, kind: str, prefix: str, *, limit: int | None = None, offset: int = 0, languages: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Return the entities, properties or types whose id or name begins with a prefix.

        Raises
        ------
        ReconciliationError
            Status 404 for another kind.
        """
        first, last = offset, offset + min(limit or _SUGGESTIONS, _MOST_SUGGESTIONS)
        if kind == "entity":
            entities = self.index.suggest(prefix, min(last, 10 * _MOST_SUGGESTIONS)) if prefix.strip() else []
            exact = self._entity(prefix)
            if exact is not None:
                entities = [exact, *(each for each in entities if each.id != exact.id)]
            return {"result": [_suggestion(each, languages) for each in entities[first:last]]}
        if kind == "property":
            named: Mapping[str, int] = self._evidence.properties
        elif kind == "type":
            named = self._types()
        else:
            raise ReconciliationError(f"there are suggestions for entity, property and type, but not {kind!r}", 404)
        wanted = prefix.strip().casefold()
        starts = [each for each in named if each.casefold().startswith(wanted)]
        holds = [each for each in named if wanted in each.casefold() and each not in starts]
        return {
            "result": [
                {"id": each, "name": each, "description": f"{named[each]} entities"}
                for each in (starts + holds)[first:last]
            ]
        }

    def extend(self, query: Any, api: str = "0.2", languages: Sequence[str] = ()) -> dict[str, Any]:
        """Return the values of properties of entities; see `reconciliation_extension.extension`."""
        return extension(query, self._entity, list(self._evidence.properties), api=api, languages=languages)

    def propose_properties(self, kind: str | None = None, limit: int | None = None) -> dict[str, Any]:
        """Return the properties that entities of a type have, the frequent ones first."""
        return proposed_properties(self.index.entities, kind or None, limit)

    def preview(self, entity_id: str, languages: Sequence[str] = ()) -> str:
        """Return a small page of HTML about one entity.

        Raises
        ------
        ReconciliationError
            Status 404 if there is none of that id.
        """
        return preview_page(self._known(entity_id), languages)

    def flyout(self, kind: str, one: str, languages: Sequence[str] = ()) -> dict[str, str]:
        """Return the preview of a suggested entity, property or type as ``{"id", "html"}``.

        Raises
        ------
        ReconciliationError
            Status 404 if there is none of that id.
        """
        if kind == "entity":
            return {"id": one, "html": preview_page(self._known(one), languages, whole=False)}
        found = self.suggest(kind, one, limit=_MOST_SUGGESTIONS)["result"]
        for each in found:
            if each["id"] == one:
                return {"id": one, "html": f"<p><b>{escape(one)}</b>: {escape(each['description'])}</p>"}
        raise ReconciliationError(f"there is no {kind} with the id {one!r}"[:200], 404)

    def _types(self) -> dict[str, int]:
        return dict(sorted(self.index.types().items(), key=lambda item: (-item[1], item[0])))

    def _known(self, entity_id: str) -> LinkedEntity:
        found = self._entity(entity_id)
        if found is None:
            raise ReconciliationError(f"there is no entity with the id {entity_id!r}"[:200], 404)
        return found

    def _entity(self, entity_id: str) -> LinkedEntity | None:
        try:
            return self.index.get(entity_id)
        except LookupError:
            return None

    def _linked(self, queries: Sequence[Query]) -> list[list[_Found]]:
        """Return what the names, ids or properties of each query find, with the probability by name."""
        found: list[dict[str, _Found]] = [{} for _ in queries]
        groups: dict[tuple[tuple[str, ...], str | None], list[tuple[int, str]]] = {}
        for row, query in enumerate(queries):
            types = query.types if query.strictness != "should" else ()
            for text in query.texts:
                groups.setdefault((types, query.language), []).append((row, text))
        for (types, language), members in groups.items():
            asked = [queries[row] for row, _ in members]
            linked = self.index.link(
                [text for _, text in members],
                language=language,
                types=list(types) or None,
                k=max(_searched(query) for query in asked),
            )
            for (row, _), candidates in zip(members, linked):
                for each in candidates[: _searched(queries[row])]:
                    _keep(found[row], _from_candidate(each))
        for row, query in enumerate(queries):
            for one in (*query.ids, *query.texts):
                entity = self._entity(one)
                if entity is not None:
                    _keep(found[row], _Found(entity, 1.0, {"id": 1.0}))
            if not query.ids:
                self._add_by_properties(query, found[row])
        return [list(each.values()) for each in found]

    def _add_by_properties(self, query: Query, found: dict[str, _Found]) -> None:
        """Add entities that hold the values: all where there is no name, else those of rare values."""
        unlikely = min([1 / (1 + len(self.index)), *(each.probability for each in found.values())])
        for condition in query.conditions:
            ids = self._evidence.agreeing(condition, _BY_PROPERTIES_ALONE)
            if condition.quantifier == "none" or (query.texts and len(ids) > _RARE):
                continue
            for one in ids:
                if one not in found:
                    found[one] = _Found(self._known(one), unlikely)

    def _ranked(self, query: Query, found: list[_Found]) -> list[_Found]:
        conditions = query.conditions
        if query.types and query.strictness == "should":
            conditions = (*conditions, Condition(TYPE, query.types))
        kept = []
        for each in found:
            if not self._allowed(query, each.entity):
                continue
            if not conditions:
                kept.append(each)
                continue
            weight = sum(self._evidence.weight(each.entity.id, condition) for condition in conditions)
            features = each.features | {"properties": weight, "probability": each.probability}
            kept.append(_Found(each.entity, _shifted(each.probability, weight), features))
        return sorted(kept, key=lambda each: -each.probability)

    def _allowed(self, query: Query, entity: LinkedEntity) -> bool:
        own = set(entity.types)
        if query.types and query.strictness == "any" and not own & set(query.types):
            return False
        if query.types and query.strictness == "all" and not own >= set(query.types):
            return False
        return all(self._evidence.holds(entity.id, each) for each in query.conditions if each.required)

    def _rendered(self, found: list[_Found], query: Query, languages: Sequence[str]) -> list[dict[str, Any]]:
        sure = sum(each.probability >= self.threshold for each in found)
        return [
            {
                "id": each.entity.id,
                "name": display_name(each.entity, languages),
                **({"description": each.entity.description} if each.entity.description else {}),
                "type": [{"id": one, "name": one} for one in each.entity.types],
                "score": round(100 * each.probability, 3),
                "match": number == 0 and sure == 1,
                "features": [{"id": name, "value": round(float(value), 4)} for name, value in each.features.items()],
            }
            for number, each in enumerate(found[: query.limit])
        ]


def _searched(query: Query) -> int:
    return max(query.limit, _SEARCHED_WITH_CONDITIONS if query.conditions or query.types else _SEARCHED)


def _from_candidate(candidate: LinkedCandidate) -> _Found:
    return _Found(candidate.entity, float(candidate.probability), dict(candidate.features))


def _keep(found: dict[str, _Found], new: _Found) -> None:
    old = found.get(new.entity.id)
    if old is None or new.probability > old.probability:
        found[new.entity.id] = new if old is None else _Found(new.entity, new.probability, old.features | new.features)


def _shifted(probability: float, weight: float) -> float:
    """Return the probability after evidence, a log-likelihood ratio."""
    inside = min(max(probability, 1e-9), 1 - 1e-9)
    odds = math.log(inside / (1 - inside)) + weight
    return 1 / (1 + math.exp(-min(max(odds, -_MOST_ODDS), _MOST_ODDS)))


def _suggestion(entity: LinkedEntity, languages: Sequence[str]) -> dict[str, Any]:
    return {
        "id": entity.id,
        "name": display_name(entity, languages),
        **({"description": entity.description} if entity.description else {}),
        "notable": [{"id": each, "name": each} for each in entity.types],
    }
