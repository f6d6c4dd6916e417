"""How a row's metadata is kept in Milvus, so that one filter expression means the same on every version of it.

A scalar goes into the JSON field ``fields``: a text as ``"s..."``, True and False as ``"b1"`` and ``"b0"``, None as
``"n"``, a number as it is. So every value is a text or a number, each kind of value is told from the others, and texts
keep their order. A list or dictionary goes into the JSON field ``rest``, and ``fields`` says ``"o"``. Names are
percent-encoded, as the expressions of some versions know no other letters than ASCII's.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

LARGEST_WHOLE = 2**53  # beyond it, an integer and the float beside it are one number in JSON
_LONGEST_KEY = 1000  # bytes


def encode_row(id: str, row: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the fields ``fields`` and ``rest`` hold of a row's metadata.

    Raises
    ------
    ValueError
        If a number is an integer beyond 2^53.

    Examples
    --------
    >>> encode_row("a", {"language": "sw", "ok": True, "year": 2020, "größe": None, "tags": ["x"]})
    ({'language': 'ssw', 'ok': 'b1', 'year': 2020, 'gr%C3%B6%C3%9Fe': 'n', 'tags': 'o'}, {'tags': ['x']})
    """
    fields: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for name, value in row.items():
        key = encode_name(name)
        if type(value) is int and abs(value) > LARGEST_WHOLE:
            raise ValueError(f"{name!r} of {id!r} is the integer {value}, beyond 2^53; keep it as text for Milvus")
        if isinstance(value, list | dict):
            rest[key], fields[key] = value, "o"
        else:
            fields[key] = encode_value(value)
    return fields, rest


def decode_row(fields: Mapping[str, Any], rest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata that `encode_row` has encoded."""
    row: dict[str, Any] = {}
    for key, value in fields.items():
        name = "" if key == "%" else unquote(key)
        if not isinstance(value, str):
            row[name] = value
        elif value == "o":
            row[name] = rest[key]
        else:
            row[name] = value[1:] if value[0] == "s" else {"b1": True, "b0": False, "n": None}[value]
    return row


def encode_name(name: str) -> str:
    """Return the key of a field in the JSON: ASCII letters, digits and ``_.-~%``."""
    return quote(name, safe="") or "%"


def encode_value(value: str | int | float | bool | None) -> str | int | float:
    """Return a scalar as the JSON holds it."""
    if isinstance(value, str):
        return "s" + value
    if isinstance(value, bool):
        return f"b{int(value)}"
    return "n" if value is None else value


def partition_code(row: Mapping[str, Any], column: str) -> str:
    """Return the value of the partition key: empty for a row without the column, and the same for 2020 and 2020.0.

    Raises
    ------
    ValueError
        If a text is longer than 1000 bytes.
    """
    if column not in row:
        return ""
    value = row[column]
    if isinstance(value, list | dict):
        return "o"
    code = encode_value(value)
    text = code if isinstance(code, str) else f"f{float(code) + 0.0!r}"
    if len(text.encode()) > _LONGEST_KEY:
        raise ValueError(f"{column!r} divides the rows and must be at most 1000 bytes long, not {value[:20]!r}...")
    return text
