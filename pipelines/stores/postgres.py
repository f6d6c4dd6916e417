"""Tables of PostgreSQL with vectors of pgvector."""

from typing import Any

import numpy as np

from .base import MetricName, Place, StoreError, StoreRows, program
from .columns import choose_column, rows_of_values

KIND = "pgvector"
SCHEMES = ("postgresql://", "postgres://")
_TYPES = ("vector", "halfvec")
_CLASSES: dict[str, MetricName] = {"cosine": "cosine", "ip": "ip", "l2": "l2"}
_AT_ONCE = 2000


def read(place: Place) -> StoreRows:
    """Return the rows of a table or view with vectors; ids are its key of one column, else row numbers.

    Nothing can be changed by the session that reads. A column of JSON called metadata gives its fields.

    Raises
    ------
    StoreError
        If there are several such tables, or columns of vectors, and none is named; or the server cannot be reached.
    ImportError
        If psycopg is not installed.
    """
    psycopg = program("psycopg", "'psycopg[binary]'")
    with _connected(psycopg, place.store) as link:
        link.read_only = True
        columns: dict[str, list[str]] = {}
        for schema, table, column in link.execute(
            "select table_schema, table_name, column_name from information_schema.columns where udt_name = any(%s) "
            "order by 1, 2, ordinal_position",
            (list(_TYPES),),
        ):
            columns.setdefault(table if schema == "public" else f"{schema}.{table}", []).append(column)
        named, vector = place.table, ""
        if named not in columns and named.rpartition(".")[0] in columns:
            named, _, vector = named.rpartition(".")
        name = Place(place.store, named).choose(list(columns), "table")
        vector = choose_column(columns[name], vector, f"{_shown(place.store)}#{name}")
        schema, _, table = name.rpartition(".")
        key, metric = _key(link, schema or "public", table), _metric(link, schema or "public", table, vector)
        sql = psycopg.sql
        whole = sql.Identifier(schema or "public", table)
        names = [each.name for each in link.execute(sql.SQL("select * from {} limit 0").format(whole)).description]
        shown = sql.SQL(", ").join(
            sql.SQL("{}::text").format(sql.Identifier(each)) if each in columns[name] else sql.Identifier(each)
            for each in names
        )
        order = sql.SQL(" order by {}").format(sql.Identifier(key)) if key else sql.SQL("")
        with link.cursor(name="rows") as cursor:
            cursor.itersize = _AT_ONCE
            cursor.execute(sql.SQL("select {} from {}{}").format(shown, whole, order))
            values = list(cursor)
    others = [at for at, each in enumerate(names) if each == vector or each not in columns[name]]
    return rows_of_values([names[at] for at in others], [[row[at] for at in others] for row in values], id=key,
                          vector=vector, metric=metric, kind=KIND, table=name,
                          place=f"{_shown(place.store)}#{name}")  # fmt: skip


def write(rows: StoreRows, place: Place) -> None:
    """Write a new table: id, embedding, the text if there is one, and the other metadata as JSON; all or nothing.

    Raises
    ------
    StoreError
        If there is a table of that name.
    ImportError
        If psycopg is not installed.
    """
    psycopg = program("psycopg", "'psycopg[binary]'")
    json = program("psycopg.types.json", "'psycopg[binary]'")
    sql = psycopg.sql
    schema, _, table = rows.table.rpartition(".")
    whole = sql.Identifier(*([schema] if schema else []), table)
    text = rows.text
    column = sql.SQL(", {} text").format(sql.Identifier(text)) if text else sql.SQL("")
    try:
        with _connected(psycopg, place.store) as link, link.cursor() as cursor:
            cursor.execute("create extension if not exists vector")
            cursor.execute(
                sql.SQL("create table {} (id text primary key, embedding vector({}){}, metadata jsonb)").format(
                    whole, sql.Literal(rows.vectors.shape[1]), column
                )
            )
            with cursor.copy(sql.SQL("copy {} from stdin").format(whole)) as copy:
                for id, row, told in zip(rows.ids, rows.vectors, rows.metadata, strict=True):
                    rest = {key: value for key, value in told.items() if key != text}
                    given = [told.get(text)] if text else []
                    copy.write_row([id, np.array2string(row, separator=",", threshold=row.size + 1,
                                                        floatmode="unique", max_line_width=10**9),
                                    *given, json.Json(rest)])  # fmt: skip
            cursor.execute(
                sql.SQL("create index on {} using hnsw (embedding {})").format(
                    whole, sql.SQL(f"vector_{rows.metric}_ops")
                )
            )
    except psycopg.errors.DuplicateTable as error:
        raise StoreError(f"{_shown(place.store)} has a table {rows.table!r} already; name a new one") from error


def _connected(psycopg: Any, url: str) -> Any:
    try:
        return psycopg.connect(url, connect_timeout=10)
    except psycopg.OperationalError as error:
        said = " ".join(str(error).split())[:200]
        raise StoreError(f"{_shown(url)} cannot be reached: {said}") from error


def _shown(url: str) -> str:
    """Return an address without its password."""
    scheme, _, rest = url.partition("://")
    who, at, host = rest.rpartition("@")
    return f"{scheme}://{who.partition(':')[0]}{at}{host}"


def _key(link: Any, schema: str, table: str) -> str:
    found = link.execute(
        "select a.attname from pg_index i join pg_class c on c.oid = i.indrelid join pg_namespace n on n.oid = "
        "c.relnamespace join pg_attribute a on a.attrelid = c.oid and a.attnum = any(i.indkey) "
        "where i.indisprimary and n.nspname = %s and c.relname = %s",
        (schema, table),
    ).fetchall()
    return str(found[0][0]) if len(found) == 1 else ""


def _metric(link: Any, schema: str, table: str, vector: str) -> MetricName:
    """Return what an index of the column compares by; cosine where there is none."""
    for (definition,) in link.execute(
        "select indexdef from pg_indexes where schemaname = %s and tablename = %s", (schema, table)
    ):
        for name, metric in _CLASSES.items():
            if vector in definition and f"vec_{name}_ops" in definition.replace("vector_", "vec_"):
                return metric
    return "cosine"
