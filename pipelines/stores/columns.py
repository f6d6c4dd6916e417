"""Rows of tables with any columns: which holds the vectors, which the ids; the others are metadata."""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import numpy as np

from interlingua.index import Collection
from interlingua.index.columns import load_pyarrow

from .base import MetricName, StoreError, StoreRows, stacked

_VECTORS = ("vector", "embedding", "embeddings", "vectors")


def rows_of_arrow(table: Any, column: str, metric: MetricName, kind: str, name: str, place: str) -> StoreRows:
    """Return the rows of a pyarrow table; the vectors are in `column`, or in the only one that can hold them."""
    pyarrow = load_pyarrow()
    able = [each.name for each in table.schema if _is_vectors(pyarrow, each.type)]
    vector = choose_column(able, column, place)
    whole = table.filter(pyarrow.compute.is_valid(table[vector]))
    others = [each for each in whole.schema.names if each not in able]
    id = "id" if "id" in others and _differ(pyarrow, whole["id"]) else None
    if id is None:
        fresh, others = "id" if "id" not in others else "id_", [*others]
        numbers = pyarrow.array([str(each) for each in range(whole.num_rows)])
        whole, id = whole.append_column(fresh, numbers), fresh
    kept = [each for each in others if each != id]
    try:
        made = Collection.from_arrow(
            whole.select([id, vector, *kept]), id=id, vector=vector, columns=kept, metric=metric
        )
    except (ValueError, TypeError) as error:
        raise StoreError(f"{place}: {error}") from error
    ids = list(made.ids)
    rows = table.num_rows - whole.num_rows
    return StoreRows(ids, made.vectors(ids), made.get(ids), metric, kind, name, left_out=rows)


def rows_of_values(
    names: Sequence[str], values: Sequence[Sequence[Any]], *, id: str, vector: str, metric: MetricName, kind: str,
    table: str, place: str,
) -> StoreRows:  # fmt: skip
    """Return rows of a table of a data base; a vector is a list of numbers, or the text of one.

    A column that holds JSON objects and is called metadata gives its fields.
    """
    at, by = names.index(vector), names.index(id) if id else None
    kept = [row for row in values if row[at] is not None]
    vectors = [np.asarray(json.loads(row[at]) if isinstance(row[at], str) else row[at], np.float32) for row in kept]
    metadata = []
    for row in kept:
        fields: dict[str, Any] = {}
        for position, (name, value) in enumerate(zip(names, row, strict=True)):
            if position in (at, by) or value is None:
                continue
            if isinstance(value, Mapping) and name.endswith("metadata"):
                fields |= {key: each for key, each in value.items() if key not in names}
            else:
                fields[name] = value
        metadata.append({name: plain for name, value in fields.items() if (plain := _plain(value)) is not None})
    ids = [str(number) if by is None else str(row[by]) for number, row in enumerate(kept)]
    return StoreRows(ids, stacked(vectors, place), metadata, metric, kind, table, left_out=len(values) - len(kept))


def _plain(value: Any) -> Any:
    """Return a value as metadata hold it, as those of Arrow do: times as ISO texts; None for NaN and for bytes."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
        return f"{value.isoformat(timespec='microseconds')}Z"
    if isinstance(value, datetime | time):
        return value.isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal | float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, bytes | bytearray | memoryview):
        return None
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value if value is None or isinstance(value, str | int | bool | dict) else str(value)


def choose_column(able: Sequence[str], named: str, place: str) -> str:
    """Return the column of vectors that is meant: the one that is named, the only one, or the one called vector.

    Raises
    ------
    StoreError
        If there is no such column, or there are several; with the way to name one.
    """
    if named in able:
        return named
    told = ", ".join(map(repr, able)) or "none"
    if named:
        raise StoreError(f"{place} has no column of vectors {named!r}; it has: {told}")
    usual = [each for each in able if each.lower() in _VECTORS]
    found = able if len(able) == 1 else usual
    if len(found) != 1:
        way_out = f"; name one: {place}.{able[0]}" if able else ""
        raise StoreError(f"{place} has {len(able)} columns of vectors: {told}{way_out}")
    return found[0]


def _is_vectors(pyarrow: Any, kind: Any) -> bool:
    types = pyarrow.types
    if types.is_fixed_size_list(kind):
        return bool(types.is_floating(kind.value_type))
    return bool((types.is_list(kind) or types.is_large_list(kind)) and types.is_floating(kind.value_type))


def _differ(pyarrow: Any, column: Any) -> bool:
    types = pyarrow.types
    if not (types.is_string(column.type) or types.is_large_string(column.type) or types.is_integer(column.type)):
        return False
    return bool(column.null_count == 0 and pyarrow.compute.count_distinct(column).as_py() == len(column))
