"""Tables of sqlite-vec (``vec0``) in SQLite files.

They are read without the extension, which not every Python can load: a table NAME is kept in ordinary ones, where each
row is (``NAME_rowids``), the vectors by chunks of rows (``NAME_vector_chunks00``), and fields by chunks
(``NAME_metadatachunks00``) or by rows (``NAME_auxiliary``). It is written by the extension.
"""

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.index.files import replacing_file

from .base import MetricName, Place, StoreError, StoreRows, program, reading_sqlite, scalar, stacked
from .columns import choose_column

KIND = "sqlite-vec"
_TABLE = re.compile(r"create\s+virtual\s+table.*\busing\s+vec0\s*\((.*)\)\s*$", re.IGNORECASE | re.DOTALL)
_NAME = r"^\s*(\+?)\s*[\"'\[`]?(\w+)[\"'\]`]?\s+"
_VECTOR = re.compile(_NAME + r"(float|f32|int8|i8|bit)\s*\[\s*(\d+)\s*\](.*)$", re.IGNORECASE | re.DOTALL)
_FIELD = re.compile(_NAME + r"(text|integer|int|float|double|boolean|bool|blob)\b(.*)$", re.IGNORECASE | re.DOTALL)
_METRIC = re.compile(r"distance_metric\s*=\s*(\w+)", re.IGNORECASE)
_METRICS: dict[str, MetricName] = {"l2": "l2", "cosine": "cosine"}
_TYPES: dict[type, str] = {str: "text", int: "integer", float: "float"}
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")  # vec0 knows no quotes
_TAKEN = ("id", "embedding", "distance", "k", "rowid", "metadata")
_MOST = 16  # auxiliary columns that vec0 takes
_VIEW, _SHORT = 16, 12  # bytes of a text in a chunk: its length and its beginning; and what fits there whole


@dataclass(frozen=True)
class _Declared:
    """The columns of a table, each kind by itself in the order in which they are numbered."""

    vectors: dict[str, tuple[str, int, str]]
    key: str
    partitions: list[str]
    auxiliary: list[str]
    fields: dict[str, str]

    @classmethod
    def of(cls, parts: Sequence[str]) -> "_Declared":
        vectors, partitions, auxiliary, fields, key = {}, [], [], {}, ""
        for part in parts:
            if each := _VECTOR.match(part):
                vectors[each[2]] = (each[3].lower(), int(each[4]), each[5])
            elif each := _FIELD.match(part):
                rest = each[4].lower()
                if "primary" in rest:
                    key = each[2]
                elif "partition" in rest:
                    partitions.append(each[2])
                elif each[1]:
                    auxiliary.append(each[2])
                else:
                    fields[each[2]] = each[3].lower()
        return cls(vectors, key, partitions, auxiliary, fields)


def recognises(path: Path) -> bool:
    """Tell whether a file is SQLite's and holds a table of vectors."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        if file.read(16) != b"SQLite format 3\0":
            return False
    try:
        with reading_sqlite(path) as base:
            return bool(_tables(base))
    except StoreError:
        return False


def read(place: Place) -> StoreRows:
    """Return the rows of a table ``vec0``.

    Where that has no texts, the fields of the one other table whose keys are its row numbers are added.

    Raises
    ------
    StoreError
        If there are several tables, or several columns of vectors, and none is named; or vectors are of bits.
    """
    path = Path(place.store)
    with reading_sqlite(path) as base:
        tables = _tables(base)
        table, _, column = place.table.partition(".")
        name = Place(place.store, table).choose(list(tables), "table")
        declared = _Declared.of(tables[name])
        vector = choose_column(list(declared.vectors), column, f"{path}#{name}")
        kind, dimension, options = declared.vectors[vector]
        said = _METRIC.search(options)
        metric = (said[1] if said else "l2").lower()
        if metric not in _METRICS or kind == "bit":
            raise StoreError(f"{path}#{name} compares {kind} by {metric}; only float and int8 by L2 or cosine are read")
        try:
            places = base.execute(
                f"select rowid, id, chunk_id, chunk_offset from {_quoted(name + '_rowids')} order by rowid"  # noqa: S608
            ).fetchall()
            number = list(declared.vectors).index(vector)
            whole = _chunks(base, f"{name}_vector_chunks{number:02}", "vectors")
            chunks = {at: np.frombuffer(data, "i1" if kind in ("int8", "i8") else "<f4") for at, data in whole.items()}
            rows = [chunks[chunk].reshape(-1, dimension)[offset] for _, _, chunk, offset in places]
            metadata = _fields(base, name, declared, places)
        except (sqlite3.DatabaseError, KeyError, IndexError, ValueError) as error:
            raise StoreError(f"{path}#{name} is not laid out as by sqlite-vec 0.1 ({error})") from error
        ids = [id if declared.key and id is not None else number for number, id, _, _ in places]
        if not any(isinstance(value, str) for row in metadata[:50] for value in row.values()):
            beside = _beside(base, ids)
            metadata = [{**row, **beside.get(id, {})} for id, row in zip(ids, metadata, strict=True)]
    plain = [{k: v for k, v in row.items() if isinstance(v, str | int | float)} for row in metadata]
    return StoreRows(list(map(str, ids)), stacked(rows, f"{path}#{name}"), plain, _METRICS[metric], KIND, name)


def _fields(
    base: sqlite3.Connection, name: str, declared: _Declared, places: Sequence[tuple[Any, ...]]
) -> list[dict[str, Any]]:
    """Return the fields of the rows that lie at some places: row number, id, chunk and offset."""
    found: list[dict[str, Any]] = [{} for _ in places]
    for number, (field, kind) in enumerate(declared.fields.items()):
        chunks = _chunks(base, f"{name}_metadatachunks{number:02}", "data")
        longer = _chunks(base, f"{name}_metadatatext{number:02}", "data") if kind == "text" else {}
        for row, (at, _, chunk, offset) in zip(found, places, strict=True):
            row[field] = longer.get(at, _value_at(chunks[chunk], kind, offset))
    if declared.auxiliary:
        columns = ", ".join(f"value{number:02}" for number in range(len(declared.auxiliary)))
        table = _quoted(f"{name}_auxiliary")
        beside = {at: values for at, *values in base.execute(f"select rowid, {columns} from {table}")}  # noqa: S608
        for row, (at, *_) in zip(found, places, strict=True):
            row |= zip(declared.auxiliary, beside[at], strict=True)
    for number, field in enumerate(declared.partitions):
        values = _chunks(base, f"{name}_chunks", f"partition{number:02}", key="chunk_id")
        for row, (_, _, chunk, _) in zip(found, places, strict=True):
            row[field] = values[chunk]
    return found


def _value_at(chunk: bytes, kind: str, offset: int) -> Any:
    if kind == "text":
        view = chunk[offset * _VIEW : (offset + 1) * _VIEW]
        return str(view[4 : 4 + min(int.from_bytes(view[:4], "little"), _SHORT)], "utf-8", "replace")
    if kind in ("boolean", "bool"):
        return bool(chunk[offset // 8] >> (offset % 8) & 1)
    numbers: NDArray[Any] = np.frombuffer(chunk, "<i8" if kind in ("integer", "int") else "<f8")
    return numbers[offset].item()


def _chunks(base: sqlite3.Connection, table: str, column: str, *, key: str = "rowid") -> dict[int, Any]:
    return dict(base.execute(f"select {key}, {_quoted(column)} from {_quoted(table)}").fetchall())  # noqa: S608


def _beside(base: sqlite3.Connection, ids: list[Any]) -> dict[Any, dict[str, Any]]:
    """Return by key the fields of the one other table that has all the row numbers, and texts."""
    if not all(isinstance(each, int) for each in ids):
        return {}
    shadows = tuple(f"{each}_" for each in _tables(base))
    found = []
    for (name,) in base.execute("select name from sqlite_master where type = 'table' and sql like 'create table%'"):
        if name.startswith(("sqlite_", *shadows)):
            continue
        about = base.execute(f"pragma table_info({_quoted(name)})").fetchall()
        keys = [each[1] for each in about if each[5]]
        if len(keys) > 1 or not any("TEXT" in each[2].upper() or "CHAR" in each[2].upper() for each in about):
            continue
        key = keys[0] if keys else "rowid"
        cursor = base.execute(f"select {_quoted(key)}, * from {_quoted(name)}")  # noqa: S608
        columns = [each[0] for each in cursor.description][1:]
        rows = {row[0]: dict(zip(columns, row[1:], strict=True)) for row in cursor}
        if set(ids) <= set(rows):
            found.append({id: {k: v for k, v in row.items() if k != key} for id, row in rows.items()})
    return found[0] if len(found) == 1 else {}


def write(rows: StoreRows, place: Place) -> None:
    """Write a new file with one table; metadata are its auxiliary columns, lists and objects as JSON.

    Raises
    ------
    StoreError
        If the metric is inner product, which sqlite-vec has not, and the vectors are not of unit length.
    ImportError
        If sqlite-vec is not installed.
    """
    metric = rows.metric
    if metric == "ip":
        if not np.allclose(np.linalg.norm(rows.vectors, axis=1), 1, atol=1e-3):
            raise StoreError(
                "sqlite-vec compares by cosine or L2, not by inner product; scale the vectors to unit length"
            )
        metric = "cosine"
    path = Path(place.store)
    if path.exists():
        raise FileExistsError(f"{path} is there already; name a new file")
    fields, told = _laid_out(rows)
    kinds = {name: _kind(row.get(name) for row in told) for name in fields}
    columns = "".join(f", +{name} {kind}" for name, kind in kinds.items())
    marks, names = ", ".join("?" * (2 + len(fields))), "".join(f", {name}" for name in fields)
    with replacing_file(path) as draft, closing(_able().connect(str(draft))) as base, _with_vectors(base):
        base.execute(
            f"create virtual table {_quoted(rows.table)} using vec0(id text primary key, "
            f"embedding float[{rows.vectors.shape[1]}] distance_metric={metric}{columns})"
        )
        base.executemany(
            f"insert into {_quoted(rows.table)}(id, embedding{names}) values ({marks})",  # noqa: S608
            (
                (id, row.astype("<f4").tobytes(), *(_value(each.get(name), kinds[name]) for name in fields))
                for id, row, each in zip(rows.ids, rows.vectors, told, strict=True)
            ),
        )
        base.commit()


def _laid_out(rows: StoreRows) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the columns and what each row has in them: names that vec0 takes; all others as JSON under metadata."""
    counts = Counter(name for row in rows.metadata for name in row)
    able = [name for name, _ in counts.most_common() if _WORD.fullmatch(name) and name.lower() not in _TAKEN]
    fields = sorted(able, key=lambda name: name != rows.text)[: _MOST - 1]
    rest = [{key: value for key, value in row.items() if key not in fields} for row in rows.metadata]
    told = [{key: row[key] for key in fields if key in row} for row in rows.metadata]
    if not any(rest):
        return fields, told
    both = [{**row, **({"metadata": json.dumps(more)} if more else {})} for row, more in zip(told, rest, strict=True)]
    return [*fields, "metadata"], both


def _kind(values: Iterator[Any]) -> str:
    kinds = {type(scalar(each)) for each in values if each is not None}
    return _TYPES.get(kinds.pop(), "text") if len(kinds) == 1 else "text"


def _value(value: Any, kind: str) -> Any:
    if value is None:
        return None
    plain = scalar(value)
    return plain if kind != "text" or isinstance(plain, str) else str(plain)


def _tables(base: sqlite3.Connection) -> dict[str, list[str]]:
    """Return the columns of each vec0 table, as they were declared."""
    found = {}
    for name, sql in base.execute("select name, sql from sqlite_master where type = 'table' and sql is not null"):
        if declared := _TABLE.search(sql):
            found[str(name)] = re.split(r",(?![^\[]*\])", declared[1])
    return found


def _able() -> Any:
    """Return a module like sqlite3 that loads extensions."""
    if hasattr(sqlite3.Connection, "enable_load_extension"):
        return sqlite3
    return program("pysqlite3", "pysqlite3-binary  # this Python's sqlite3 loads no extensions")


@contextmanager
def _with_vectors(base: Any) -> Iterator[None]:
    extension = program("sqlite_vec", "sqlite-vec")
    base.enable_load_extension(True)
    extension.load(base)
    base.enable_load_extension(False)
    yield


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
