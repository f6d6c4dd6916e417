"""Data extension: the properties, names and aliases of entities as columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .reconciliation_evidence import property_values
from .reconciliation_index import LinkedEntity
from .reconciliation_queries import ReconciliationError, whole_number

__all__ = ["extension", "proposed_properties"]

_MOST_CELLS = 20_000
_NAME = "name:"  # name:de is the name in German
_PLAIN = ("description", "aliases", "types")


def extension(
    query: Any,
    get: Callable[[str], LinkedEntity | None],
    properties: Sequence[str],
    *,
    api: str = "0.2",
    languages: Sequence[str] = (),
) -> dict[str, Any]:
    """Return ``{"meta": [...], "rows": ...}`` for ``{"ids": [...], "properties": [{"id", "settings"}]}``.

    An id that is not there gets empty cells, so that one stale row does not fail the others.

    Raises
    ------
    ReconciliationError
        Status 400 if the query is not of that form or names a property that there is not, 413 if it asks for too much.
    """
    ids = query.get("ids") if isinstance(query, dict) else None
    wanted = query.get("properties") if isinstance(query, dict) else None
    if not isinstance(ids, list) or not all(isinstance(each, str) for each in ids):
        raise ReconciliationError("a data extension needs 'ids', an array of texts")
    if not isinstance(wanted, list) or not all(
        isinstance(each, dict) and isinstance(each.get("id"), str) for each in wanted
    ):
        raise ReconciliationError("a data extension needs 'properties', an array of objects with an 'id'")
    if len(ids) * max(len(wanted), 1) > _MOST_CELLS:
        raise ReconciliationError(f"a data extension is of at most {_MOST_CELLS} cells; ask for fewer ids at once", 413)
    limits = {}
    for each in wanted:
        name = each["id"]
        if name not in properties and name not in _PLAIN and not name.startswith(_NAME):
            raise ReconciliationError(f"there is no property {name!r}; there are: {', '.join(properties)}"[:300])
        settings = each.get("settings") or {}
        if not isinstance(settings, dict):
            raise ReconciliationError(f"'settings' of the property {name!r} must be an object"[:200])
        limits[name] = whole_number(settings.get("limit") or 0, f"'limit' of the property {name!r}")
    rows: dict[str, dict[str, list[dict[str, str]]]] = {}
    for one in ids:
        entity = get(one)
        rows[one] = {
            name: [{"str": value} for value in _cells(entity, name)[: limit or None]] if entity else []
            for name, limit in limits.items()
        }
    meta = [{"id": name, "name": _label(name)} for name in limits]
    if api == "1.0-draft":
        listed = [
            {"id": one, "properties": [{"id": name, "values": values} for name, values in cells.items()]}
            for one, cells in rows.items()
        ]
        return {"meta": meta, "rows": listed}
    return {"meta": meta, "rows": rows}


def proposed_properties(entities: Iterable[LinkedEntity], kind: str | None, limit: int | None) -> dict[str, Any]:
    """Return ``{"properties": [{"id", "name"}]}`` of the entities of a type, or of all."""
    counts: Counter[str] = Counter()
    names: Counter[str] = Counter()
    others: Counter[str] = Counter()
    for entity in entities:
        if kind is not None and kind not in entity.types:
            continue
        counts.update(key for key, values in property_values(entity).items() if values)
        names.update(_NAME + language for language in entity.names)
        others.update(name for name in _PLAIN if _cells(entity, name))
    found = [name for counter in (counts, others, names) for name, _ in counter.most_common()]
    answer: dict[str, Any] = {"properties": [{"id": name, "name": _label(name)} for name in found[: limit or None]]}
    if kind is not None:
        answer["type"] = kind
    if limit is not None:
        answer["limit"] = limit
    return answer


def _cells(entity: LinkedEntity, name: str) -> list[str]:
    own = property_values(entity)
    if name in own:
        return own[name]
    if name.startswith(_NAME):
        found = entity.names.get(name.removeprefix(_NAME))
        return [found] if found else []
    if name == "description":
        return [entity.description] if entity.description else []
    if name == "aliases":
        return list(entity.aliases)
    return list(entity.types) if name == "types" else []


def _label(name: str) -> str:
    return f"name ({name.removeprefix(_NAME)})" if name.startswith(_NAME) else name
