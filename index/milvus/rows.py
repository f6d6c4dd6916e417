"""How rows are kept in Milvus, so that one filter expression means the same on every version of it.

========================  =====================  ===============================================================
field                     type                   holds
========================  =====================  ===============================================================
``id``                    VARCHAR, primary key   the row's id
``key_COLUMN``            VARCHAR, partition     the value of the metadata column COLUMN, see `partition_code`
``added``                 INT64                  rising with the time of adding
``fields``, ``rest``      JSON                   the metadata, see `encode_row`
``vector_METRIC``         FLOAT_VECTOR           the vector; the metric is in the name, as Lite keeps no description
========================  =====================  ===============================================================

A scalar goes into the JSON field ``fields``: a text as ``"s..."``, True and False as ``"b1"`` and ``"b0"``, None as
``"n"``, a number as it is. So every value is a text or a number, each kind of value is told from the others, and texts
keep their order. A list or dictionary goes into the JSON field ``rest``, and ``fields`` says ``"o"``; what a list holds
is there once more as texts, under its name behind a ``/``, for filters (see `member_code`). Names are percent-encoded,
as the expressions of some versions know no other letters than ASCII's.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from urllib.parse import quote, unquote

from interlingua.index.engines.base import Metric

from .client import RemoteCollection, until_answered, vector_field

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
    >>> encode_row("a", {"language": "sw", "ok": True, "year": 2020, "größe": None})
    ({'language': 'ssw', 'ok': 'b1', 'year': 2020, 'gr%C3%B6%C3%9Fe': 'n'}, {})
    >>> encode_row("a", {"tags": ["x", 5]})
    ({'tags': 'o'}, {'tags': ['x', 5], '/tags': ['sx', 'f5.0']})
    """
    fields: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for name, value in row.items():
        key = encode_name(name)
        if type(value) is int and abs(value) > LARGEST_WHOLE:
            raise ValueError(f"{name!r} of {id!r} is the integer {value}, beyond 2^53; keep it as text for Milvus")
        if isinstance(value, list | dict):
            rest[key], fields[key] = value, "o"
            if isinstance(value, list):
                rest[f"/{key}"] = [member_code(each) for each in value if not isinstance(each, list | dict)]
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


def member_code(value: str | int | float | bool | None) -> str:
    """Return what stands for a scalar in a list: a text, the same for 2020 and 2020.0.

    Examples
    --------
    >>> [member_code(each) for each in ("x", True, None, 2020, 2020.0, 2**60 + 1)]
    ['sx', 'b1', 'n', 'f2020.0', 'f2020.0', 'i1152921504606846977']
    """
    code = encode_value(value)
    if isinstance(code, str):
        return code
    try:
        number = float(code) + 0.0
    except OverflowError:
        return f"i{code}"
    return f"f{number!r}" if number == code else f"i{code}"


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


def metadata_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata of a row that Milvus has answered."""
    return decode_row(row["fields"], row["rest"])


@dataclass(frozen=True)
class RowSchema:
    """What a collection's fields say."""

    dimension: int
    metric: Metric
    partition: str | None


def create_rows(remote: RemoteCollection, dimension: int, metric: Metric, partition: str | None) -> None:
    """Make the collection, empty, indexed and ready to be searched."""
    if partition is not None and not (isinstance(partition, str) and f"key_{partition}".isidentifier()):
        raise ValueError(f"the partition column must be named by letters, digits and underscores, not {partition!r}")
    if partition is not None and not partition.isascii():
        raise ValueError(f"the partition column must be named in ASCII, not {partition!r}; Milvus knows no others")
    types = import_module("pymilvus").DataType
    schema = remote.client.create_schema(auto_id=False)
    schema.add_field("id", types.VARCHAR, max_length=65_535, is_primary=True)
    if partition is not None:
        schema.add_field(f"key_{partition}", types.VARCHAR, max_length=1024, is_partition_key=_divides(remote))
    schema.add_field("added", types.INT64)
    schema.add_field("fields", types.JSON)
    schema.add_field("rest", types.JSON)
    schema.add_field(vector_field(metric), types.FLOAT_VECTOR, dim=dimension)
    remote.make(schema, metric)


def _divides(remote: RemoteCollection) -> bool:
    """Return whether rows are divided by a partition key: by servers since 2.4.

    Those before put an upserted row where its id belongs, and a filter on the partition key does not find it there
    (measured on 2.3.5; milvus-io/milvus#30772). Milvus Lite 3.2 divides the rows and then reads all parts in each
    search, which takes twice as long as if they were one.
    """
    if remote.config.local:
        return False
    version = until_answered(remote.config, lambda left: remote.client.get_server_version(timeout=left))
    found = re.match(r"v?(\d+)\.(\d+)", str(version))
    return found is None or (int(found[1]), int(found[2])) >= (2, 4)


def read_schema(remote: RemoteCollection) -> RowSchema:
    """Return what the fields of a collection say.

    Raises
    ------
    ValueError
        If it is not one that `create_rows` made.
    """
    fields = remote.fields
    vectors = [name for name in fields if name.startswith("vector_")]
    if len(vectors) != 1 or not {"id", "added", "fields", "rest"} <= set(fields):
        raise ValueError(
            f"{remote} has the fields {', '.join(fields)}, which are not those of a MilvusCollection; "
            "choose another name"
        )
    keys = [name.removeprefix("key_") for name in fields if name.startswith("key_")]
    metric = Metric.parse(vectors[0].removeprefix("vector_"))
    return RowSchema(int(fields[vectors[0]]["dim"]), metric, keys[0] if keys else None)
