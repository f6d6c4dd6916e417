"""What is said to Milvus about rows, and what it answers."""

from collections.abc import Mapping, Sequence
from typing import Any

from .milvus_filters import literal
from .milvus_rows import decode_row

__all__ = ["among", "id_bytes", "json_bytes", "metadata_of"]


def metadata_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata of a row that Milvus has answered."""
    return decode_row(row["fields"], row["rest"])


def among(ids: Sequence[str]) -> str:
    """Return the condition that a row has one of these ids."""
    return f"id in [{', '.join(map(literal, ids))}]"


def id_bytes(ids: Sequence[str]) -> int:
    """Return the bytes that one of these ids takes at most."""
    return 16 + 4 * max(map(len, ids), default=0)


def json_bytes(messages: list[dict[str, Any]]) -> int:
    """Return the length of the longest JSON, about."""
    return max((len(repr(each["fields"])) + len(repr(each["rest"])) for each in messages), default=0)
