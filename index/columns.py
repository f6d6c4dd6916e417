"""What the columns of Arrow tables hold: ids, vectors, and the values of metadata fields.

Columns that other programs wrote become metadata as they are where they hold texts, numbers, truth values, or lists and
structures of these. Dates, times and timestamps become texts in the form of ISO 8601, in UTC where they have a zone, so
that ranges of texts order them; decimals become numbers. NaN, like null, is a row without the field, and None inside a
list or structure.
"""

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.index.collection.metadata import MetadataTable
from interlingua.index.engines.base import shorten

_TYPES: dict[type, str] = {str: "string", int: "int64", float: "double", bool: "bool"}
_WHOLE = range(-(2**63), 2**63)
ABSENT: Any = object()  # stands for the value of a row that has no such field


def load_pyarrow() -> Any:
    """Return pyarrow.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.compute
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError('this needs pyarrow: pip install "interlingua[parquet]"') from error
    return pyarrow


@dataclass(frozen=True)
class ColumnForm:
    """How a field is kept: the Arrow type's name, or "json", and what a null stands for ("absent" or "none")."""

    type: str
    null: str = "absent"

    @classmethod
    def of(cls, table: MetadataTable, field: str, rows: NDArray[np.int64]) -> "ColumnForm | None":
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
            return cls("json")
        if kind is int and not all(value in _WHOLE for value in present if value is not None):
            return cls("json")
        return cls(_TYPES[kind], "none" if has_none else "absent")

    @classmethod
    def foreign(cls, name: str, kind: Any) -> "ColumnForm":
        """Return how to read a column that another program wrote; TypeError if metadata cannot keep such values."""
        if not _is_json(load_pyarrow().types, kind):
            raise TypeError(
                f"the column {name} is of type {kind}, which metadata cannot keep; cast it to text or numbers, or "
                "leave it out with `columns`"
            )
        return cls(str(kind))

    @property
    def arrow(self) -> Any:
        """The Arrow type."""
        pyarrow = load_pyarrow()
        return pyarrow.string() if self.type == "json" else pyarrow.type_for_alias(self.type)

    def encode(self, codes: NDArray[np.int32], values: list[Any]) -> Any:
        """Return the Arrow array of a field, from the code of each row and the value of each code."""
        pyarrow = load_pyarrow()
        used, inverse = np.unique(codes, return_inverse=True)
        found: list[Any] = [None if code < 0 else values[code] for code in used.tolist()]
        if self.type == "json":
            found = [
                None if code < 0 else json.dumps(value, ensure_ascii=False, allow_nan=False)
                for code, value in zip(used.tolist(), found)
            ]
        return pyarrow.array(found, type=self.arrow).take(pyarrow.array(inverse.astype(np.int64)))

    def decode(self, array: Any) -> list[Any]:
        """Return the value of each row, `ABSENT` where a row has none."""
        null = None if self.null == "none" else ABSENT
        values = [_without_nan(value) for value in _readable(array).to_pylist()]
        if self.type == "json":
            return [null if value is None else json.loads(value) for value in values]
        return [null if value is None else value for value in values]


def _is_text(types: Any, kind: Any) -> bool:
    return bool(types.is_string(kind) or types.is_large_string(kind) or str(kind) == "string_view")


def _is_json(types: Any, kind: Any) -> bool:
    kind = _readable_type(kind)
    if types.is_dictionary(kind):
        return _is_json(types, kind.value_type)
    if types.is_struct(kind):
        return all(_is_json(types, kind.field(place).type) for place in range(kind.num_fields))
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _is_json(types, kind.value_type)
    plain = (types.is_integer, types.is_floating, types.is_boolean, types.is_null)
    return _is_text(types, kind) or any(each(kind) for each in plain)


def _readable_type(kind: Any) -> Any:
    """Return the type that values of a type are read as: itself where Python has the same."""
    pyarrow = load_pyarrow()
    types = pyarrow.types
    if isinstance(kind, pyarrow.BaseExtensionType):
        return _readable_type(kind.storage_type)
    if types.is_dictionary(kind):
        inner = _readable_type(kind.value_type)
        return kind if inner == kind.value_type else inner
    if types.is_date(kind) or types.is_time(kind) or types.is_timestamp(kind):
        return pyarrow.string()
    if types.is_decimal(kind) or types.is_floating(kind):
        return pyarrow.float64()
    if any(is_list(kind) for is_list in _lists(types)):
        inner = _readable_type(kind.value_type)
        fixed = types.is_fixed_size_list(kind)
        return pyarrow.list_(inner, kind.list_size) if fixed else pyarrow.large_list(inner)
    if types.is_struct(kind):
        fields = [kind.field(place) for place in range(kind.num_fields)]
        return pyarrow.struct([pyarrow.field(each.name, _readable_type(each.type)) for each in fields])
    return kind


def _lists(types: Any) -> list[Any]:
    names = ("is_list", "is_large_list", "is_fixed_size_list", "is_list_view", "is_large_list_view")
    return [getattr(types, name) for name in names if hasattr(types, name)]  # older releases have no views


def _readable(array: Any) -> Any:
    """Return an array whose values are those that Python has."""
    pyarrow = load_pyarrow()
    types, kind = pyarrow.types, array.type
    if isinstance(kind, pyarrow.BaseExtensionType):
        return _readable(array.storage)
    if (wanted := _readable_type(kind)) == kind:
        return array
    if types.is_dictionary(kind):
        return _readable(array.dictionary_decode())
    if types.is_timestamp(kind):
        texts = (array.cast(pyarrow.timestamp(kind.unit, "UTC")) if kind.tz else array).cast(pyarrow.string())
        return pyarrow.compute.replace_substring(texts, " ", "T", max_replacements=1)
    if types.is_struct(kind):
        parts = [_readable(each) for each in array.flatten()]  # with the nulls of the structure itself
        return pyarrow.StructArray.from_arrays(parts, fields=list(wanted), mask=array.is_null())
    if any(is_list(kind) for is_list in _lists(types)) and not types.is_fixed_size_list(kind):
        return _plain_list(array, _readable(array.flatten()))
    if types.is_fixed_size_list(kind):
        return _readable(array.cast(pyarrow.large_list(kind.value_type)))
    return array.cast(wanted)


def _plain_list(array: Any, values: Any) -> Any:
    """Return lists of any kind as lists one behind the other, of the given values; views are cast wrongly by Arrow."""
    pyarrow = load_pyarrow()
    lengths = pyarrow.compute.list_value_length(array).fill_null(0).to_numpy(zero_copy_only=False)
    offsets = pyarrow.array(np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64))
    return pyarrow.LargeListArray.from_arrays(offsets, values, mask=array.is_null())


def _without_nan(value: Any) -> Any:
    """Return a value with None in place of NaN, at any depth."""
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if isinstance(value, list):
        return [_without_nan(each) for each in value]
    if isinstance(value, dict):
        return {name: _without_nan(each) for name, each in value.items()}
    return value


def plain_texts(array: Any, name: str) -> list[str]:
    """Return a column of texts or whole numbers as texts.

    Raises
    ------
    TypeError
        If it holds something else.
    ValueError
        If one is missing.
    """
    types, kind = load_pyarrow().types, array.type
    if types.is_dictionary(kind):
        kind = kind.value_type  # subtle: Arrow has no cast for all of them, and their values come out without
    if not (_is_text(types, kind) or types.is_integer(kind)):
        raise TypeError(f"the column {name!r} must hold texts or whole numbers, but is of type {kind}")
    if array.null_count:
        missing = np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False)).tolist()
        raise ValueError(f"the column {name!r} is empty in {len(missing)} rows ({shorten(missing)}); fill or drop them")
    return [str(value) for value in array.to_pylist()]


def vectors_of(array: Any, name: str) -> NDArray[np.float32]:
    """Return a column of lists of numbers, or of tensors of fixed shape, as an (n, d) array.

    Raises
    ------
    TypeError
        If it holds something else.
    ValueError
        If one is missing, has no numbers, or another length than the first.
    """
    pyarrow = load_pyarrow()
    if isinstance(array.type, pyarrow.BaseExtensionType):  # tensors of fixed shape
        array = array.storage
    types = pyarrow.types
    if any(getattr(types, view, lambda _: False)(array.type) for view in ("is_list_view", "is_large_list_view")):
        array = _plain_list(array, array.flatten())
    kind = array.type
    if not (types.is_fixed_size_list(kind) or types.is_list(kind) or types.is_large_list(kind)) or not (
        types.is_floating(kind.value_type) or types.is_integer(kind.value_type)
    ):
        raise TypeError(f"the column {name!r} must hold lists of numbers, but is of type {kind}")
    if array.null_count:
        missing = int(np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False))[0])
        raise ValueError(f"row {missing} has no {name!r} ({array.null_count} such rows); drop such rows first")
    if types.is_fixed_size_list(kind):
        dimension = kind.list_size
    else:
        lengths = np.diff(array.offsets.to_numpy())
        dimension = int(lengths[0])
        if odd := np.flatnonzero(lengths != dimension).tolist():
            raise ValueError(
                f"the vectors in {name!r} differ in length: row 0 has {dimension} numbers, row {odd[0]} has "
                f"{int(lengths[odd[0]])}; all must come from one encoder"
            )
    if dimension == 0:
        raise ValueError(f"the vectors in {name!r} have no numbers; leave such rows out, or name another column")
    flat = array.flatten().to_numpy(zero_copy_only=False)
    with np.errstate(over="ignore"):  # what is beyond float32 becomes inf, which a collection refuses
        single: NDArray[np.float32] = flat.astype(np.float32, copy=False)
    return single.reshape(len(array), dimension)
