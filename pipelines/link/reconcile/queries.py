"""Queries of the Reconciliation API in one form, read from version 0.2 and from 1.0-draft.

Whatever a client sends ends as `Query` objects or as a `ReconciliationError` that names the field and the way out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

DEFAULT_LIMIT, MOST_CANDIDATES, MOST_CHARACTERS = 5, 100, 1000
MOST_VALUES = 100  # of all properties of a query together; and types
_STRICTNESS = ("any", "all", "should")
_QUANTIFIERS = ("any", "all", "none")
_QUALIFIERS = (None, "ExactMatch")
_EXACT = 2**53  # whole numbers below it are exact in JSON
_Several = TypeVar("_Several", tuple[str, ...], list[str])


class ReconciliationError(ValueError):
    """A request that cannot be served.

    Attributes
    ----------
    status : int
        The HTTP status that says so: 400, 404, 408, 413, 415 or 503.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Condition:
    """What an entity's property should hold.

    Attributes
    ----------
    property : str
        Its id.
    values : tuple of str
        As texts; of an entity given as a value, both its id and its name.
    required : bool
        Whether an entity that does not hold them is no candidate.
    quantifier : {"any", "all", "none"}
        How many of the values are wanted.
    """

    property: str
    values: tuple[str, ...]
    required: bool = False
    quantifier: str = "any"


@dataclass(frozen=True)
class Query:
    """One cell to reconcile.

    Attributes
    ----------
    texts : tuple of str
        Names to look for; usually one, none where only properties are asked for.
    ids : tuple of str
        Entities asked for by their id.
    types : tuple of str
        Types that an entity should have.
    strictness : {"any", "all", "should"}
        Whether any or all of the types are required, or only preferred.
    limit : int
        At most so many candidates.
    conditions : tuple of Condition
        On properties.
    language : str, optional
        Of the texts.
    """

    texts: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    strictness: str = "any"
    limit: int = DEFAULT_LIMIT
    conditions: tuple[Condition, ...] = ()
    language: str | None = None


def parse_json(text: str | bytes, what: str) -> Any:
    """Return what a JSON text holds.

    Raises
    ------
    ReconciliationError
        If it is not JSON, not UTF-8, or nested too deeply.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        said = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise ReconciliationError(f"{what} must be JSON in UTF-8, but {said}") from error


def parse_queries(payload: Any, *, most: int) -> dict[str, Query]:
    """Return the queries of a batch of version 0.2, by their keys.

    Raises
    ------
    ReconciliationError
        Status 413 for more than `most` queries, 400 for a field of the wrong kind.
    """
    batch = _object(payload, "the batch of queries")
    _check_size(len(batch), most)
    return {key: _query(each, f"query {key!r}") for key, each in batch.items()}


def parse_match(payload: Any, *, most: int) -> list[Query]:
    """Return the queries of a batch of version 1.0-draft, in order.

    Raises
    ------
    ReconciliationError
        Status 413 for more than `most` queries, 400 for a field of the wrong kind.
    """
    batch = _object(payload, "the body").get("queries")
    if not isinstance(batch, list):
        raise ReconciliationError(f"'queries' must be an array of queries, but is {_kind(batch)}")
    _check_size(len(batch), most)
    return [_draft_query(each, f"query {number}") for number, each in enumerate(batch)]


def whole_number(value: Any, what: str, *, least: int = 0) -> int:
    """Return a whole number that was sent as a number or as digits.

    Raises
    ------
    ReconciliationError
        If it is none, or below `least`.
    """
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ReconciliationError(f"{what} must be a whole number of at least {least}, but is {value!r}"[:200])
    return value


def property_value(value: Any, what: str) -> tuple[str, ...]:
    """Return a property value as texts: one, or the id and the name of an entity; none for null, an empty cell."""
    if value is None:
        return ()
    if isinstance(value, bool):
        return (str(value).lower(),)
    if isinstance(value, (str, int, float)):
        whole = isinstance(value, float) and value.is_integer() and abs(value) < _EXACT
        return (_clean(str(int(value) if whole else value)),)
    if isinstance(value, Mapping) and isinstance(value.get("id"), str):
        name = value.get("name")
        return (_clean(value["id"]), *((_clean(name),) if isinstance(name, str) and name != value["id"] else ()))
    raise ReconciliationError(f"{what} must be a text, a number, a boolean or an object with an id, not {_kind(value)}")


def _query(payload: Any, what: str) -> Query:
    sent = _given(payload, what)
    conditions = []
    for each in _array(sent.get("properties", []), f"'properties' of {what}"):
        condition = _object(each, f"a property of {what}")
        if "v" not in condition:
            raise ReconciliationError(f"each property of {what} needs a value 'v' beside its 'pid'")
        name = _text(condition.get("pid"), f"'pid' of a property of {what}")
        conditions.append(Condition(name, _values(condition["v"], f"'v' of the property {name!r} of {what}")))
    if "query" not in sent and not conditions:
        raise ReconciliationError(f"{what} needs a text 'query' or at least one of 'properties'")
    text = sent.get("query", "")
    # cells of tables hold numbers and booleans, too
    (text,) = (
        property_value(text, f"'query' of {what}")
        if isinstance(text, (int, float))
        else (_text(text, f"'query' of {what}"),)
    )
    types = sent.get("type", [])
    types = _array(types, f"'type' of {what}") if isinstance(types, list) else [types]
    # a list of objects with ids is what some clients send
    types = [each["id"] if isinstance(each, Mapping) and "id" in each else each for each in types]
    strictness = sent.get("type_strict", "any")
    if strictness not in _STRICTNESS:
        raise ReconciliationError(f"'type_strict' of {what} must be one of {_STRICTNESS}, but is {strictness!r}"[:200])
    return Query(
        texts=(text,) if text else (),
        types=_types(types, what),
        strictness=strictness,
        limit=_limit(sent, what),
        conditions=_conditions(conditions, what),
    )


def _draft_query(payload: Any, what: str) -> Query:
    sent = _given(payload, what)
    texts: list[str] = []
    ids: list[str] = []
    conditions = []
    for each in _array(sent.get("conditions"), f"'conditions' of {what}"):
        whole = _object(each, f"a condition of {what}")
        if "propertyValue" not in whole:
            raise ReconciliationError(f"each condition of {what} needs a 'propertyValue'")
        values = _values(whole["propertyValue"], f"'propertyValue' of {what}")
        condition = _given(whole, f"a condition of {what}")
        kind = condition.get("matchType")
        quantifier = condition.get("matchQuantifier", "any")
        if quantifier not in (_QUANTIFIERS if kind == "property" else ("any",)):
            raise ReconciliationError(f"the matchQuantifier {quantifier!r} of {what} is not supported here"[:200])
        if condition.get("matchQualifier") not in _QUALIFIERS:
            raise ReconciliationError(f"the only matchQualifier is 'ExactMatch', but {what} has another")
        if kind == "name":
            texts += [value for value in values if value]
        elif kind == "id":
            ids += values
        elif kind == "property":
            name = _text(condition.get("propertyId"), f"'propertyId' of {what}")
            required = condition.get("required", False)
            if not isinstance(required, bool):
                raise ReconciliationError(f"'required' of {what} must be true or false, but is {_kind(required)}")
            conditions.append(Condition(name, values, required, quantifier))
        else:
            raise ReconciliationError(f"'matchType' of {what} must be name, id or property, but is {kind!r}"[:200])
    if not sent.get("conditions"):
        raise ReconciliationError(f"{what} needs at least one condition")
    language = sent.get("lang")
    return Query(
        texts=tuple(texts),
        ids=tuple(ids),
        types=_types([sent.get("type", "")], what),
        limit=_limit(sent, what),
        conditions=_conditions(conditions, what),
        language=_text(language, f"'lang' of {what}") or None if language is not None else None,
    )


def _given(value: Any, what: str) -> dict[str, Any]:
    """Return the fields of an object but for those that are null: an optional field that is null was not sent."""
    return {key: each for key, each in _object(value, what).items() if each is not None}


def _types(sent: list[Any], what: str) -> tuple[str, ...]:
    """Return types, each once; null and "" are none."""
    found = [_text(each, f"each 'type' of {what}") for each in sent if each is not None]
    return _bounded(tuple(dict.fromkeys(filter(None, found))), f"types of {what}")


def _conditions(found: list[Condition], what: str) -> tuple[Condition, ...]:
    """Return the conditions that have a value; an empty cell says nothing."""
    kept = tuple(each for each in found if each.values)
    _bounded([value for each in kept for value in each.values], f"values in the properties of {what}")
    return kept


def _bounded(found: _Several, what: str) -> _Several:
    if len(found) > MOST_VALUES:
        raise ReconciliationError(f"there may be {MOST_VALUES} {what}, but there are {len(found)}; send fewer", 413)
    return found


def _values(value: Any, what: str) -> tuple[str, ...]:
    found = [property_value(each, what) for each in (value if isinstance(value, list) else [value])]
    return tuple(dict.fromkeys(text for texts in found for text in texts))


def _limit(sent: Mapping[str, Any], what: str) -> int:
    """Return how many candidates are wanted; 0 is the default, as clients send it that have no limit."""
    return min(whole_number(sent.get("limit", 0), f"'limit' of {what}") or DEFAULT_LIMIT, MOST_CANDIDATES)


def _check_size(n: int, most: int) -> None:
    if n > most:
        raise ReconciliationError(f"a batch holds at most {most} queries, but this one has {n}; send several", 413)


def _object(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ReconciliationError(f"{what} must be an object, but is {_kind(value)}")
    return value


def _array(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise ReconciliationError(f"{what} must be an array, but is {_kind(value)}")
    return value


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise ReconciliationError(f"{what} must be a text, but is {_kind(value)}")
    return _clean(value)


def _clean(text: str) -> str:
    """Return a text that every encoder takes: one line, no lone surrogates, not endless."""
    text = text[: 10 * MOST_CHARACTERS].encode("utf-8", "replace").decode("utf-8")
    return " ".join(text.split())[:MOST_CHARACTERS]


def _kind(value: Any) -> str:
    names = {type(None): "missing", bool: "a boolean", str: "a text", list: "an array", dict: "an object"}
    return names.get(type(value), "a number")
