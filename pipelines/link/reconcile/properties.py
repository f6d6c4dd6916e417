"""What the properties of an entity say for or against a match, by the counts of a table.

Data extension: the properties, names and aliases of entities as columns.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from .linked import LinkedEntity
from .queries import Condition, ReconciliationError, whole_number

TYPE = "type"
_MOST_CELLS = 20_000
_NAME = "name:"  # name:de is the name in German
_PLAIN = ("description", "aliases", "types")
_DAY = re.compile(
    r"(?P<year>[+-]?\d{4,})-(?P<month>\d\d)(?:-(?P<day>\d\d)(?:t[\d:.]*(?:z|[+-]\d\d:\d\d)?)?)?", re.ASCII
)
_PLAIN_NUMBER = re.compile(r"(\d+(\.\d*)?|\.\d+)(e[+-]?\d{1,3})?", re.ASCII)
_DECIMAL_COMMA = re.compile(r"\d+,\d+", re.ASCII)
# by threes, of which the first may be shorter, in India by twos before the last three; then the decimals
_THOUSANDS = {
    ",": re.compile(r"[1-9]\d{0,2}(?:,\d{2,3})*,\d{3}(?:\.\d+)?", re.ASCII),
    ".": re.compile(r"[1-9]\d{0,2}(?:\.\d{3})+(?:,\d+)?", re.ASCII),
    " ": re.compile(r"[1-9]\d{0,2}(?: \d{3})+(?:[.,]\d+)?", re.ASCII),
    "'": re.compile(r"[1-9]\d{0,2}(?:'\d{3})+(?:[.,]\d+)?", re.ASCII),
}
_MARKS = {"٬": ",", "٫": ".", "−": "-", "’": "'"}


class PropertyEvidence:
    r"""The log-likelihood ratio of agreeing or disagreeing properties (Fellegi and Sunter 1969).

    With :math:`u` the share of the entities that hold a value, and :math:`m` the chance that a true match holds it, an
    entity that holds the value weighs :math:`\log(m / u)` and one that holds another :math:`\log((1-m) / (1-u))`: rare
    values that agree weigh much, and values that most entities have weigh nothing. An entity without the property, and
    a value that no entity has, weigh nothing either way.

    Values are compared as `readings` has them: a day is also its year, and 3,700,000 a number.

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
        self._own: dict[str, set[str]] = {}  # values as they are held, without the years of days
        for entity in entities:
            values = property_values(entity)
            values[TYPE] = [*values.get(TYPE, []), *entity.types]
            held = {}
            for key, each in values.items():
                read = [readings(value)[0] for value in each]
                self._own.setdefault(key, set()).update(read)
                held[key] = frozenset(form for value in read for form in (value, *_coarser(value)))
                self._n[key] = self._n.get(key, 0) + bool(each)
                for form in held[key]:
                    self._ids.setdefault(key, {}).setdefault(form, []).append(entity.id)
            self._held[entity.id] = held

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
        known = [self._reading(condition.property, value) for value in condition.values]
        agrees = [value is not None and value in own for value in known]
        if condition.quantifier == "all":
            return all(agrees)
        return any(agrees) == (condition.quantifier == "any")

    def agreeing(self, condition: Condition, most: int) -> list[str]:
        """Return entities that hold any of the values, at most so many."""
        found = [each for value in sorted(self._known(condition)) for each in self._ids[condition.property][value]]
        return list(dict.fromkeys(found))[:most]

    def _known(self, condition: Condition) -> set[str]:
        """Return the values that any entity holds, as they are held."""
        found = (self._reading(condition.property, value) for value in condition.values)
        return {value for value in found if value is not None}

    def _reading(self, name: str, value: str) -> str | None:
        """Return the first reading of a value that any entity holds; None where none does."""
        held, own = self._ids.get(name, {}), self._own.get(name, ())
        read = readings(value) if value else ()
        coarse = (each for reading in read[:1] for each in _coarser(reading) if each in own)
        return next((each for each in read if each in held), next(coarse, None))

    def _against(self, share: float) -> float:
        return min(0.0, math.log((1 - self._agreement) / (1 - share))) if share < 1 else 0.0


def readings(value: str) -> tuple[str, ...]:
    """Return what a value may mean, the likeliest first; equal values have equal first readings.

    Without what only looks different: case, width, spaces, the time of a day, and what parts the digits of a number by
    thousands. A single comma or point before three digits may also be a decimal one.

    Examples
    --------
    >>> readings("3,700,000"), readings("3.700.000,50"), readings("3 700 000.0")
    (('3700000.0',), ('3700000.5',), ('3700000.0',))
    >>> readings("3,700"), readings("3.700"), readings("0.125"), readings("3,7")
    (('3700.0', '3.7'), ('3.7', '3700.0'), ('0.125',), ('3.7',))
    >>> readings("+1991-04-09T00:00:00Z"), readings("1991-04-00"), readings("TBILISI")
    (('1991-04-09',), ('1991-04',), ('tbilisi',))
    """
    text = " ".join(unicodedata.normalize("NFKC", value).casefold().split())
    if day := _DAY.fullmatch(text):
        parts = [day["year"].removeprefix("+"), day["month"], day["day"]]
        known = next((n for n, part in enumerate(parts) if part in (None, "00")), 3)
        return ("-".join(parts[:known]) if known > 1 else repr(float(parts[0])),)
    return tuple(dict.fromkeys(repr(each + 0.0) for each in _numbers(text) if math.isfinite(each))) or (text,)


def _numbers(text: str) -> Iterator[float]:
    """Yield which numbers a text may be."""
    written = "".join(_MARKS.get(each) or str(unicodedata.decimal(each, each)) for each in text)
    sign, bare = (written[:1], written[1:]) if written[:1] in ("+", "-") else ("", written)
    if _PLAIN_NUMBER.fullmatch(bare):
        yield float(sign + bare)
    for thousands, pattern in _THOUSANDS.items():
        if pattern.fullmatch(bare):
            yield float(sign + bare.replace(thousands, "").replace(",", "."))
    if _DECIMAL_COMMA.fullmatch(bare):
        yield float(sign + bare.replace(",", "."))


def _coarser(value: str) -> Iterator[str]:
    """Yield the month and the year of a day, as `readings` has them."""
    day = _DAY.fullmatch(value)
    if day and day["day"]:
        yield f"{day['year']}-{day['month']}"
    if day and day["month"]:
        yield repr(float(day["year"]))


def property_values(entity: LinkedEntity) -> dict[str, list[str]]:
    """Return the properties of an entity, each a list of texts."""
    return {key: [str(each) for each in _listed(value)] for key, value in entity.properties.items()}


def _listed(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    if isinstance(value, (str, int, float, Mapping)):
        return [value]
    return [each for each in value if each is not None and each != ""]


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
