"""Filters on metadata: one tree of conditions, for every engine."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.index.engines.base import check_k

from .metadata import MetadataTable, plain


@dataclass(frozen=True)
class Eq:
    """The field has this value, or is a list that holds it: str, int, float, bool or None.

    2020 equals 2020.0, and True is not 1.
    """

    field: str
    value: str | int | float | bool | None

    def __post_init__(self) -> None:
        _check_field(self.field)
        object.__setattr__(self, "value", plain(self.value))
        _check_value(self.field, self.value)


@dataclass(frozen=True)
class In:
    """The field has one of these values, or is a list that holds one; for no value, no row passes."""

    field: str
    values: tuple[Any, ...]

    def __init__(self, field: str, values: Iterable[Any]) -> None:
        _check_field(field)
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise TypeError(f"the values of {field!r} must be a list of them, not {values!r}; for one value use Eq")
        listed = tuple(plain(value) for value in values)
        for value in listed:
            _check_value(field, value)
        object.__setattr__(self, "field", field)
        object.__setattr__(self, "values", listed)


@dataclass(frozen=True)
class Range:
    """The field lies between two numbers, or two texts (dates as ``2026-01-31``), both included; None is no bound.

    Values of another type than the bounds do not pass.
    """

    field: str
    least: float | str | None = None
    most: float | str | None = None

    def __post_init__(self) -> None:
        _check_field(self.field)
        object.__setattr__(self, "least", plain(self.least))
        object.__setattr__(self, "most", plain(self.most))
        bounds = [bound for bound in (self.least, self.most) if bound is not None]
        if not bounds:
            raise ValueError(f"a range of {self.field!r} needs `least`, `most` or both")
        kinds = {str if isinstance(bound, str) else float for bound in bounds}
        for bound in bounds:
            if isinstance(bound, bool) or not isinstance(bound, str | int | float) or bound != bound:
                raise TypeError(f"the bounds of {self.field!r} must be numbers or texts, but one is {bound!r}")
        if len(kinds) > 1:
            raise TypeError(f"the bounds of {self.field!r} must be of one kind, not {self.least!r} and {self.most!r}")


@dataclass(frozen=True)
class And:
    """All conditions hold; of none, every row passes."""

    conditions: tuple["Filter", ...]

    def __init__(self, *conditions: "Filter") -> None:
        object.__setattr__(self, "conditions", _checked(conditions))


@dataclass(frozen=True)
class Or:
    """At least one condition holds; of none, no row passes."""

    conditions: tuple["Filter", ...]

    def __init__(self, *conditions: "Filter") -> None:
        object.__setattr__(self, "conditions", _checked(conditions))


@dataclass(frozen=True)
class Not:
    """The condition does not hold; so rows without its field pass."""

    condition: "Filter"

    def __post_init__(self) -> None:
        _checked((self.condition,))


Filter = Eq | In | Range | And | Or | Not
Where = Mapping[str, Any] | Filter
"""A filter, or short for one: field -> one wanted value, or a list, tuple or set of them; all fields must match."""


def as_filter(where: Where | None) -> Filter | None:
    """Return the filter that a mapping is short for; None where there is nothing to pass.

    Examples
    --------
    >>> as_filter({"language": ["sw", "zh"], "year": 2020})
    And(conditions=(In(field='language', values=('sw', 'zh')), Eq(field='year', value=2020)))
    """
    if where is None or isinstance(where, Filter):
        return where
    if not isinstance(where, Mapping):
        raise TypeError(
            f"a filter must be a mapping of fields to values, or Eq, In, Range, And, Or, Not; not {where!r}"
        )
    if not where:
        return None
    several = (list, tuple, set, frozenset)
    return And(*(In(field, each) if isinstance(each, several) else Eq(field, each) for field, each in where.items()))


def merge_languages(where: Where | None, languages: Iterable[str] | None) -> Where | None:
    """Return `where` and, besides, the condition that the field ``language`` is one of `languages`.

    Raises
    ------
    TypeError
        If `languages` is one string.
    ValueError
        If a mapping asks for the language too.
    """
    if languages is None:
        return where
    if isinstance(languages, str):
        raise TypeError(f"languages must be a list of languages, such as [{languages!r}], not one string")
    if isinstance(where, Mapping) and "language" in where:
        raise ValueError("the language is asked for twice; use `languages` or where={'language': ...}, not both")
    condition, spoken = as_filter(where), In("language", languages)
    return spoken if condition is None else And(condition, spoken)


def matching_rows(table: MetadataTable, where: Where | None) -> NDArray[np.int64] | None:
    """Return the numbers of the rows that pass `where`; None if there is nothing to pass, or all do.

    A row without a field passes no condition on it. Lists pass by what they hold, dictionaries not at all. Costs O(n)
    a condition, and for a range O(distinct values) more.

    Raises
    ------
    ValueError
        If no row has, or had, such a field: most likely it is misspelt. An empty collection has no rows to miss.
    TypeError
        If a wanted value is no str, int, float, bool or None.

    Examples
    --------
    >>> table = MetadataTable()
    >>> rows = [{"language": "sw", "n": 1}, {"language": "zh", "n": 1}, {"language": "fi", "n": 2}]
    >>> _ = table.append(["a", "b", "c"], rows)
    >>> matching_rows(table, {"language": ["zh", "fi"], "n": 1})
    array([1])
    >>> matching_rows(table, Or(Range("n", least=2), Not(In("language", ["zh", "fi"]))))
    array([0, 2])
    >>> matching_rows(table, {"lang": "zh"})
    Traceback (most recent call last):
    ...
    ValueError: no row has the field 'lang'; the fields are 'language', 'n'
    """
    condition = as_filter(where)
    if condition is None or (mask := _mask(table, condition)).all():
        return None
    return table.numbers_where(mask)


def matching_batches(table: MetadataTable, size: int, where: Where | None) -> Iterator[NDArray[np.int64]]:
    """Yield the numbers of the rows that pass `where`, ascending, `size` at a time.

    Raises
    ------
    RuntimeError
        If rows were added or removed meanwhile.
    """
    size = check_k(size, name="size")
    allowed = matching_rows(table, where)
    numbers = table.numbers_where(np.ones(len(table), dtype=bool)) if allowed is None else allowed
    state = table.state
    for start in range(0, len(numbers), size):
        if table.state != state:
            raise RuntimeError("the collection changed while it was walked through; note the changes, make them after")
        yield numbers[start : start + size]


def _mask(table: MetadataTable, condition: Filter) -> NDArray[np.bool_]:
    match condition:
        case Not(inner):
            return ~_mask(table, inner)
        case And(parts):
            masks = [_mask(table, part) for part in parts]
            return np.logical_and.reduce(masks) if masks else np.ones(len(table), dtype=bool)
        case Or(parts):
            masks = [_mask(table, part) for part in parts]
            return np.logical_or.reduce(masks) if masks else np.zeros(len(table), dtype=bool)
    if condition.field not in table.fields:
        if len(table) == 0:
            return np.zeros(0, dtype=bool)
        known = ", ".join(map(repr, table.fields)) or "none"
        raise ValueError(f"no row has the field {condition.field!r}; the fields are {known}")
    if isinstance(condition, Range):
        return table.lies_between(condition.field, condition.least, condition.most)
    return table.matches(condition.field, condition.values if isinstance(condition, In) else (condition.value,))


def _check_field(field: Any) -> None:
    if not isinstance(field, str):
        raise TypeError(f"a field is named by a text, not by {field!r}")


def _check_value(field: str, value: Any) -> None:
    if value is not None and type(value) not in (str, int, float, bool):
        raise TypeError(f"where[{field!r}] wants a {type(value).__name__}; give str, int, float, bool, None")


def _checked(conditions: Sequence[Any]) -> tuple[Filter, ...]:
    for each in conditions:
        if not isinstance(each, Filter):
            raise TypeError(f"a condition must be Eq, In, Range, And, Or or Not, but one is {each!r}")
    return tuple(conditions)
