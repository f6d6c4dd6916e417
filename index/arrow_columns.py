"""Metadata fields as typed Arrow columns, and back without loss.

A field whose values are all text, all whole numbers, all floating-point numbers or all truth values is a column of that
type. What no Arrow type keeps apart, such as 1 beside 1.0 or lists beside texts, is a column of JSON texts. A null
stands for a row without the field, or for None where every row has the field; where both occur the column is JSON.
"""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .checks import shorten
from .metadata import MetadataTable

__all__ = ["ABSENT", "ColumnForm", "column_form", "decode_column", "encode_column", "foreign_form", "plain_texts"]

ABSENT: Any = object()
"""Stands for the value of a row that has no such field."""

_TYPES: dict[type, str] = {str: "string", int: "int64", float: "double", bool: "bool"}
_WHOLE = range(-(2**63), 2**63)


@dataclass(frozen=True)
class ColumnForm:
    """How a field is kept: the Arrow type's name, or "json", and what a null stands for ("absent" or "none")."""

    type: str
    null: str = "absent"


def column_form(table: MetadataTable, field: str, rows: NDArray[np.int64]) -> ColumnForm | None:
    """Return how the field of these rows is kept; None where none of them has it."""
    codes, values = table.column(field, rows)
    used = np.unique(codes).tolist()
    absent = bool(used) and used[0] < 0
    present = [values[code] for code in used if code >= 0]
    if not present:
        return None
    has_none = any(value is None for value in present)
    kinds = {type(value) for value in present if value is not None}
    kind = kinds.pop() if len(kinds) == 1 else None
    if kind not in _TYPES or (has_none and absent):
        return ColumnForm("json")
    if kind is int and not all(value in _WHOLE for value in present if value is not None):
        return ColumnForm("json")
    return ColumnForm(_TYPES[kind], "none" if has_none else "absent")


def encode_column(pyarrow: Any, form: ColumnForm, codes: NDArray[np.int32], values: list[Any]) -> Any:
    """Return the Arrow array of a field, from the code of each row and the value of each code."""
    used, inverse = np.unique(codes, return_inverse=True)
    found: list[Any] = [None if code < 0 else values[code] for code in used.tolist()]
    if form.type == "json":
        found = [
            None if code < 0 else json.dumps(value, ensure_ascii=False, allow_nan=False)
            for code, value in zip(used.tolist(), found)
        ]
    distinct = pyarrow.array(found, type=arrow_type(pyarrow, form))
    return distinct.take(pyarrow.array(inverse.astype(np.int64)))


def decode_column(form: ColumnForm, array: Any) -> list[Any]:
    """Return the value of each row, `ABSENT` where a row has none."""
    null = None if form.null == "none" else ABSENT
    values = array.to_pylist()
    if form.type == "json":
        return [null if value is None else json.loads(value) for value in values]
    return [null if value is None else value for value in values]


def arrow_type(pyarrow: Any, form: ColumnForm) -> Any:
    """Return the Arrow type of a form."""
    return pyarrow.string() if form.type == "json" else pyarrow.type_for_alias(form.type)


def foreign_form(pyarrow: Any, name: str, kind: Any) -> ColumnForm:
    """Return how to read a column that another program wrote.

    Raises
    ------
    TypeError
        If metadata cannot keep such values.
    """
    if not _is_json(pyarrow.types, kind):
        raise TypeError(
            f"the column {name} is of type {kind}, which metadata cannot keep; cast it to text or numbers, or leave "
            "it out with `columns`"
        )
    return ColumnForm(str(kind))


def plain_texts(pyarrow: Any, array: Any, name: str) -> list[str]:
    """Return a column of texts or whole numbers as texts.

    Raises
    ------
    TypeError
        If it holds something else.
    ValueError
        If one is missing.
    """
    types, kind = pyarrow.types, array.type
    if types.is_dictionary(kind):
        kind, array = kind.value_type, array.cast(kind.value_type)
    if not (_is_text(types, kind) or types.is_integer(kind)):
        raise TypeError(f"the column {name!r} must hold texts or whole numbers, but is of type {kind}")
    if array.null_count:
        missing = np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False)).tolist()
        raise ValueError(f"the column {name!r} is empty in {len(missing)} rows ({shorten(missing)}); fill or drop them")
    return [str(value) for value in array.to_pylist()]


def _is_text(types: Any, kind: Any) -> bool:
    return bool(types.is_string(kind) or types.is_large_string(kind) or str(kind) == "string_view")


def _is_json(types: Any, kind: Any) -> bool:
    if types.is_dictionary(kind):
        return _is_json(types, kind.value_type)
    if types.is_struct(kind):
        return all(_is_json(types, kind.field(place).type) for place in range(kind.num_fields))
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _is_json(types, kind.value_type)
    plain = (types.is_integer, types.is_floating, types.is_boolean, types.is_null)
    return _is_text(types, kind) or any(each(kind) for each in plain)
