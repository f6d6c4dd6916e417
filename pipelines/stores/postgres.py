"""Tables of PostgreSQL with vectors of pgvector."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .base import MetricName, Place, StoreError, StoreRows, program, without_password
from .columns import choose_column, rows_of_values

KIND = "pgvector"
_TYPES = ("vector", "halfvec", "sparsevec")
_CLASSES: dict[str, MetricName] = {"cosine": "cosine", "ip": "ip", "l2": "l2"}
_AT_ONCE = 2000
_HNSW, _HNSW_HALF = 2000, 4000  # dimensions that an index takes, and one of half precision
_OURS = ("id", "embedding", "metadata")
# Tables, views, materialized views, foreign and partitioned tables; a partition is read through the whole.
_COLUMNS = """
    select n.nspname, c.relname, a.attname from pg_attribute a join pg_class c on c.oid = a.attrelid
    join pg_namespace n on n.oid = c.relnamespace join pg_type t on t.oid = a.atttypid
    where t.typname = any(%s) and c.relkind = any('{r,v,m,f,p}') and not c.relispartition and not a.attisdropped
    order by 1, 2, a.attnum
"""


@dataclass
class _Table:
    schema: str
    name: str
    vectors: list[str] = field(default_factory=list)


def read(place: Place) -> StoreRows:
    """Return the rows of a table or view with vectors; ids are its key of one column, else row numbers.

    Nothing can be changed by the session that reads. A column of JSON called metadata gives its fields. Of what has no
    key, a column called id is taken where its values differ.

    Raises
    ------
    StoreError
        If there are several such tables, or columns of vectors, and none is named; or the server cannot be reached, or
        refuses.
    ImportError
        If psycopg is not installed.
    """
    psycopg = program("psycopg", "'psycopg[binary]'")
    sql = psycopg.sql
    shown = without_password(place.store)
    with _connected(psycopg, place.store) as link:
        link.read_only = True
        name, table, vector = _chosen(link, place)
        key, metric = _key(link, table), _metric(link, table, vector)
        whole = sql.Identifier(table.schema, table.name)
        columns = link.execute(sql.SQL("select * from {} limit 0").format(whole)).description
        names = [each.name for each in columns if each.name == vector or each.name not in table.vectors]
        # subtle: a sparse one becomes a vector first, whose text is that of a list
        as_text = sql.SQL("{}::vector::text").format(sql.Identifier(vector))
        wanted = sql.SQL(", ").join(as_text if each == vector else sql.Identifier(each) for each in names)
        order = sql.SQL(" order by {}").format(sql.Identifier(key)) if key else sql.SQL("")
        with link.cursor(name="rows") as cursor:
            cursor.itersize = _AT_ONCE
            cursor.execute(sql.SQL("select {} from {}{}").format(wanted, whole, order))
            values = list(cursor)
    key = key or _differing("id", names, values)
    return rows_of_values(names, values, id=key, vector=vector, metric=metric, kind=KIND, table=name,
                          place=f"{shown}#{name}")  # fmt: skip


def _chosen(link: Any, place: Place) -> tuple[str, _Table, str]:
    """Return what a place names: the name, the table, its column of vectors."""
    tables: dict[str, _Table] = {}
    for schema, name, column in link.execute(_COLUMNS, (list(_TYPES),)):
        called = name if schema == "public" else f"{schema}.{name}"
        tables.setdefault(called, _Table(schema, name)).vectors.append(column)
    named, vector = place.table, ""
    ahead = [each for each in tables if named.startswith(f"{each}.")]
    if named not in tables and ahead:  # of names with dots, the longest
        whole = max(ahead, key=len)
        named, vector = whole, named[len(whole) + 1 :]
    shown = without_password(place.store)
    name = Place(shown, named).choose(list(tables), "table")
    return name, tables[name], choose_column(tables[name].vectors, vector, f"{shown}#{name}")


def _differing(name: str, names: Sequence[str], values: Sequence[Sequence[Any]]) -> str:
    """Return the name if there is such a column, and no two values of it are equal."""
    if name not in names:
        return ""
    at = names.index(name)
    seen = {str(row[at]) for row in values if row[at] is not None}
    return name if len(seen) == len(values) else ""


def write(rows: StoreRows, place: Place) -> None:
    """Write a new table: id, embedding, the text if there is one, and the other metadata as JSON; all or nothing.

    It has an HNSW index: in half precision above 2,000 dimensions, none above 4,000, where pgvector has none.

    Raises
    ------
    StoreError
        If there is a table of that name, or the server refuses.
    ImportError
        If psycopg is not installed.
    """
    psycopg = program("psycopg", "'psycopg[binary]'")
    json = program("psycopg.types.json", "'psycopg[binary]'")
    sql = psycopg.sql
    schema, _, table = rows.table.rpartition(".")
    whole = sql.Identifier(*([schema] if schema else []), table)
    text = rows.text if rows.text not in _OURS else ""
    column = sql.SQL(", {} text").format(sql.Identifier(text)) if text else sql.SQL("")
    dimension = rows.vectors.shape[1]
    with _connected(psycopg, place.store) as link, link.cursor() as cursor:
        cursor.execute("create extension if not exists vector")
        create = sql.SQL("create table {} (id text primary key, embedding vector({}){}, metadata jsonb)")
        try:
            cursor.execute(create.format(whole, sql.Literal(dimension), column))
        except psycopg.errors.DuplicateTable as error:
            raise StoreError(
                f"{without_password(place.store)} has a table {rows.table!r} already; name a new one"
            ) from error
        with cursor.copy(sql.SQL("copy {} from stdin").format(whole)) as copy:
            for id, row, told in zip(rows.ids, rows.vectors, rows.metadata, strict=True):
                rest = {key: value for key, value in told.items() if key != text}
                given = [told.get(text)] if text else []
                vector = np.array2string(row, separator=",", threshold=row.size + 1, floatmode="unique",
                                         max_line_width=10**9)  # fmt: skip
                copy.write_row([id, vector, *given, json.Json(_as_json(rest))])
        if dimension <= _HNSW_HALF:
            kind = "vector" if dimension <= _HNSW else "halfvec"
            index = sql.SQL("create index on {} using hnsw ((embedding::{}) {})" if kind == "halfvec"
                            else "create index on {0} using hnsw (embedding {2})")  # fmt: skip
            typed = sql.SQL(f"{kind}({dimension})")
            cursor.execute(index.format(whole, typed, sql.SQL(f"{kind}_{rows.metric}_ops")))


def _as_json(value: Any) -> Any:
    """Return a value without the numbers that JSON has not: None in their place."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _as_json(each) for key, each in value.items()}
    return [_as_json(each) for each in value] if isinstance(value, list | tuple) else value


@contextmanager
def _connected(psycopg: Any, url: str) -> Iterator[Any]:
    """Yield a connection; its changes count if no error ends it, and what the server refuses is a StoreError."""
    try:
        link = psycopg.connect(url, connect_timeout=10)
    except psycopg.Error as error:
        raise StoreError(f"{without_password(url)} cannot be reached: {_said(error)}") from error
    try:
        with link:
            yield link
    except psycopg.Error as error:
        raise StoreError(f"{without_password(url)}: the server refuses: {_said(error)}") from error


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _key(link: Any, table: _Table) -> str:
    found = link.execute(
        "select a.attname from pg_index i join pg_class c on c.oid = i.indrelid join pg_namespace n on n.oid = "
        "c.relnamespace join pg_attribute a on a.attrelid = c.oid and a.attnum = any(i.indkey) "
        "where i.indisprimary and n.nspname = %s and c.relname = %s",
        (table.schema, table.name),
    ).fetchall()
    return str(found[0][0]) if len(found) == 1 else ""


def _metric(link: Any, table: _Table, vector: str) -> MetricName:
    """Return what an index of the column compares by; cosine where there is none."""
    for (definition,) in link.execute(
        "select indexdef from pg_indexes where schemaname = %s and tablename = %s", (table.schema, table.name)
    ):
        found = re.search(rf"(?<!\w){re.escape(vector)}(?!\w)[^,]*vec(?:tor)?_(cosine|ip|l2)_ops", definition)
        if found:
            return _CLASSES[found[1]]
    return "cosine"
