"""The tree of filter conditions as an expression of Milvus.

Milvus' versions differ in what a comparison says of a row without the field (Milvus Lite: unknown, so that neither it
nor its negation holds). So no negation is left in the expression: it is pushed to the conditions, and each of them says
itself which rows do not meet it, namely those without the field, those below, those above, and those of the other type.
"""

import math
import sys
from collections.abc import Collection, Sequence
from typing import Any

from interlingua.index.collection.filters import And, Filter, In, Not, Or, Range

from .rows import LARGEST_WHOLE, encode_name, encode_value, member_code, partition_code

EVERY_ROW, NO_ROW = "added >= 0", "added < 0"  # every version takes these, where `true` is an error on some
_LARGEST = sys.float_info.max
_NUMBER = f">= {-_LARGEST!r}"
_TEXT = '>= ""'
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def compile_filter(condition: Filter, partition: str | None = None, lists: Collection[str] = ()) -> str:
    """Return the expression that the rows of `condition` meet, in a collection of `MilvusCollection`.

    Parameters
    ----------
    condition : Eq, In, Range, And, Or or Not
    partition : str, optional
        The column that divides the rows; conditions on its values are such that Milvus reads those partitions only.
    lists : collection of str
        The fields that hold a list in some row; to ask for what lists hold takes Milvus Lite half as long again.

    Examples
    --------
    >>> from interlingua.index import Eq
    >>> print(compile_filter(Eq("language", "sw")))
    fields["language"] == "ssw"
    >>> print(compile_filter(And(In("language", ["sw", "zh"]), Range("year", least=2020)), partition="language"))
    (key_language in ["ssw", "szh"]) and (fields["year"] >= 2020)
    >>> print(compile_filter(Not(Eq("year", 2020))))
    not (exists fields["year"]) or fields["year"] < 2020 or fields["year"] > 2020 or fields["year"] >= ""
    >>> print(compile_filter(Eq("tags", "new"), lists=["tags"]))
    (fields["tags"] == "snew") or (json_contains(rest["/tags"], "snew"))
    """
    return _compile(condition, partition, lists, True)


def equal_names(condition: Filter) -> set[str]:
    """Return the fields whose values a condition compares, or what lists in them hold."""
    match condition:
        case Not(inner):
            return equal_names(inner)
        case And(parts) | Or(parts):
            return set().union(*map(equal_names, parts))
    return set() if isinstance(condition, Range) else {condition.field}


def lists_in(field: str, partition: str | None = None) -> str:
    """Return the condition that a row holds a list, or a dictionary, in a field."""
    return f'key_{partition} == "o"' if field == partition else f'{_path(field)} == "o"'


def field_names(condition: Filter) -> set[str]:
    """Return the fields that a condition names."""
    match condition:
        case Not(inner):
            return field_names(inner)
        case And(parts) | Or(parts):
            return set().union(*map(field_names, parts))
    return {condition.field}


def literal(text: str) -> str:
    """Return a text as Milvus' expressions write it; control characters stay as they are, which all versions take."""
    return f'"{text.translate(_ESCAPES)}"'


def among(ids: Sequence[str]) -> str:
    """Return the condition that a row has one of these ids."""
    return f"id in [{', '.join(map(literal, ids))}]"


def _compile(condition: Filter, partition: str | None, lists: Collection[str], wanted: bool) -> str:
    match condition:
        case Not(inner):
            return _compile(inner, partition, lists, not wanted)
        case And(parts):
            return _join("and" if wanted else "or", [_compile(part, partition, lists, wanted) for part in parts])
        case Or(parts):
            return _join("or" if wanted else "and", [_compile(part, partition, lists, wanted) for part in parts])
        case Range():
            return _range(condition, wanted)
    values = condition.values if isinstance(condition, In) else (condition.value,)
    equal = _one_of(condition.field, values, partition, wanted)
    if condition.field not in lists or not values:
        return equal
    inside = _held(condition.field, values)
    return _join("or", [equal, inside]) if wanted else _join("and", [equal, f"not ({inside})"])


def _one_of(field: str, values: Sequence[Any], partition: str | None, wanted: bool) -> str:
    if field == partition:
        codes = [literal(code) for code in dict.fromkeys(_code(value, partition) for value in values) if code]
        if not codes:
            return NO_ROW if wanted else EVERY_ROW
        return f"key_{partition} {'in' if wanted else 'not in'} [{', '.join(codes)}]"
    return _join("or" if wanted else "and", [_equal(field, value, wanted) for value in values])


def _held(field: str, values: Sequence[Any]) -> str:
    """Return the condition that a list holds one of the values."""
    codes = [literal(code) for code in dict.fromkeys(member_code(value) for value in values)]
    path = f'rest["/{encode_name(field)}"]'
    return (
        f"json_contains({path}, {codes[0]})" if len(codes) == 1 else f"json_contains_any({path}, [{', '.join(codes)}])"
    )


def _join(word: str, parts: list[str]) -> str:
    """Join by "and" or "or", leaving out what decides nothing."""
    neutral, decisive = (EVERY_ROW, NO_ROW) if word == "and" else (NO_ROW, EVERY_ROW)
    if decisive in parts:
        return decisive
    kept = [part for part in dict.fromkeys(parts) if part != neutral]
    if not kept:
        return neutral
    while len(kept) > 1:  # in pairs, as a long chain is a deep one to Milvus' parser
        pairs = [kept[start : start + 2] for start in range(0, len(kept), 2)]
        kept = [f" {word} ".join(f"({part})" for part in pair) if len(pair) > 1 else pair[0] for pair in pairs]
    return kept[0]


def _code(value: str | int | float | bool | None, partition: str) -> str:
    """Return the partition of a value, or nothing where no row can have it."""
    if type(value) in (int, float) and not _storable(value):  # type: ignore[arg-type] # a number by now
        return ""
    try:
        return partition_code({partition: value}, partition)
    except ValueError:
        return ""


def _equal(field: str, value: str | int | float | bool | None, wanted: bool) -> str:
    if type(value) in (int, float) and not _storable(value):  # type: ignore[arg-type] # a number by now
        return NO_ROW if wanted else EVERY_ROW
    path, code = _path(field), encode_value(value)
    shown, others = (literal(code), _NUMBER) if isinstance(code, str) else (repr(code), _TEXT)
    if wanted:
        return f"{path} == {shown}"
    return f"not (exists {path}) or {path} < {shown} or {path} > {shown} or {path} {others}"


def _range(condition: Range, wanted: bool) -> str:
    path = _path(condition.field)
    least, most = condition.least, condition.most
    low: str | None
    high: str | None
    if isinstance(least if most is None else most, str):
        low = "< " + literal(f"s{least or ''}")
        high = '>= "t"' if most is None else "> " + literal(f"s{most}")
        others = _NUMBER
    else:
        bounds = _number_bounds(least, most)  # type: ignore[arg-type] # numbers, as the other bound is
        if bounds is None:
            return NO_ROW if wanted else EVERY_ROW
        low = None if bounds[0] is None else f"< {bounds[0]!r}"
        high = None if bounds[1] is None else f"> {bounds[1]!r}"
        others = _TEXT
        if low is None and high is None:
            low = f"< {-_LARGEST!r}"
    outside = [f"{path} {bound}" for bound in (low, high) if bound]
    if not wanted:
        return " or ".join([f"not (exists {path})", *outside, f"{path} {others}"])
    opposite = {"<": ">=", ">": "<=", ">=": "<"}
    inside = []
    for bound in (low, high):
        if bound:
            sign, _, value = bound.partition(" ")
            inside.append(f"{path} {opposite[sign]} {value}")
    return " and ".join(inside)


def _number_bounds(
    least: int | float | None, most: int | float | None
) -> tuple[int | float | None, int | float | None] | None:
    """Return bounds that JSON's numbers can be compared with; None where nothing lies between them."""
    low, high = _storable_bound(least, math.inf), _storable_bound(most, -math.inf)
    if low == math.inf or high == -math.inf:
        return None
    return None if low == -math.inf else low, None if high == math.inf else high


def _storable_bound(bound: int | float | None, inwards: float) -> int | float | None:
    """Return the number nearest to a bound that a row can have, on the side `inwards` of it."""
    if bound is None or _storable(bound):
        return bound
    try:
        rounded = float(bound)  # an infinite one stays so
    except OverflowError:
        return math.inf if bound > 0 else -math.inf
    crossed = rounded < bound if inwards > 0 else rounded > bound
    return math.nextafter(rounded, inwards) if crossed else rounded


def _storable(number: int | float) -> bool:
    return math.isfinite(number) if isinstance(number, float) else abs(number) <= LARGEST_WHOLE


def _path(field: str) -> str:
    return f'fields["{encode_name(field)}"]'
