"""Columns of text files: TSV, JSON lines and parquet."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from interlingua.align.arrays import require


def read_columns(path: str | Path, columns: Sequence[str], *, optional: Sequence[str] = ()) -> dict[str, list[str]]:
    r"""Return columns of a table, each a list of strings, row by row.

    Parameters
    ----------
    path : str or Path
        ``.jsonl`` (an object a line), ``.parquet`` (extra `parquet`), else UTF-8 columns between tabs, of which the
        first line holds the names.
    columns : sequence of str
        Those that must be there.
    optional : sequence of str
        Those that are left out where they are missing.

    Raises
    ------
    ValueError
        If the table is empty, a column is missing, or a line is short or no JSON object, naming the line.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "news.tsv"
    ...     written = path.write_text("text\ttopic\nThe team won.\tsports\n")
    ...     read_columns(path, ["text", "topic"])
    {'text': ['The team won.'], 'topic': ['sports']}
    """
    place = Path(path)
    if place.suffix == ".parquet":
        table = require("pyarrow.parquet", extra="parquet").read_table(place)
        known, rows = table.column_names, table.num_rows
        found = {name: [_text(each) for each in table.column(name).to_pylist()] for name in known}
    elif place.suffix in (".jsonl", ".ndjson"):
        found = _json_lines(place)
        rows = len(next(iter(found.values()), []))
    else:
        found = _separated(place)
        rows = len(next(iter(found.values()), []))
    missing = [name for name in columns if name not in found]
    if missing:
        message = f"{path} has no column {missing[0]!r}; it has: {', '.join(found) or 'none'}"
        raise ValueError(message)
    if not rows:
        message = f"{path} holds no rows; expected at least one"
        raise ValueError(message)
    return {name: found[name] for name in (*columns, *(each for each in optional if each in found))}


def _separated(path: Path) -> dict[str, list[str]]:
    lines = path.read_text(encoding="utf-8-sig").removesuffix("\n").split("\n")
    names = lines[0].rstrip("\r").split("\t")
    found: dict[str, list[str]] = {name: [] for name in names}
    for number, line in enumerate(lines[1:], start=2):
        fields = line.rstrip("\r").split("\t")
        if len(fields) != len(names):
            message = f"{path}, line {number}: expected {len(names)} columns as in the first line, got {len(fields)}"
            raise ValueError(message)
        for name, field in zip(names, fields, strict=True):
            found[name].append(field)
    return found


def _json_lines(path: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    with path.open(encoding="utf-8-sig") as file:
        rows = 0
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                message = f"{path}, line {number}: each line must be a JSON object ({error.msg})"
                raise ValueError(message) from error
            if not isinstance(row, dict) or (rows and set(row) != set(found)):
                expected = f"an object with {', '.join(found)}" if found else "a JSON object"
                message = f"{path}, line {number}: expected {expected}"
                raise ValueError(message)
            for name, value in row.items():
                found.setdefault(name, []).append(_text(value))
            rows += 1
    return found


def _text(value: object) -> str:
    return "" if value is None else str(value)
