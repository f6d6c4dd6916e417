r"""Tables whose columns have names: CSV, TSV, JSON lines and parquet; the one reader for every command."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from interlingua.align.arrays import require

from .lines import MOST_BYTES, PathLike, input_name, json_lines, numbered_lines, plain_name

Format = Literal["csv", "tsv", "jsonl", "parquet"]

_FORMATS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
}


@dataclass(frozen=True)
class Table:
    """A table that is read row by row.

    Attributes
    ----------
    name : str
        What it is called in errors.
    format : {"csv", "tsv", "jsonl", "parquet"}
    columns : tuple of str
        Those that the first line, or the first object, names.
    rows : iterator of (int, dict)
        The line, from 1, at which each row begins (of parquet the number of the row), and its values by column:
        strings, or what JSON and parquet hold.
    """

    name: str
    format: Format
    columns: tuple[str, ...]
    rows: Iterator[tuple[int, dict[str, Any]]]

    def where(self, number: int) -> str:
        """Return the position of a row, for errors."""
        return f"{self.name}, {'row' if self.format == 'parquet' else 'line'} {number}"

    def texts(self, columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
        """Yield the values of some columns as strings, row by row.

        Raises
        ------
        ValueError
            If a column is missing, with those that there are, or an object has other keys than the first one.
        """
        missing = [each for each in columns if each not in self.columns]
        if missing:
            raise ValueError(f"{self.name} has no column {missing[0]!r}; it has: {', '.join(self.columns) or 'none'}")
        for number, row in self.rows:
            if row.keys() != set(self.columns):
                raise ValueError(f"{self.where(number)}: expected an object with {', '.join(self.columns)}")
            yield tuple("" if row[each] is None else str(row[each]) for each in columns)


def is_table(path: PathLike) -> bool:
    """Tell whether a name is that of a table with columns.

    Examples
    --------
    >>> is_table("news.tsv.gz"), is_table("news.txt"), is_table("-")
    (True, False, False)
    """
    return plain_name(path).suffix.lower() in _FORMATS


def open_table(path: PathLike, *, quoted: bool = False, short: bool = False) -> Table:
    """Open a table, and read which columns it has.

    The name tells the format: ``.csv``, ``.tsv`` or ``.tab``, ``.jsonl`` or ``.ndjson``, ``.parquet`` (extra
    `parquet`); else the first line does: an object, or names between tabs, commas or semicolons. Empty lines are
    passed over, columns without a name are left out.

    Parameters
    ----------
    path : str or path
        Text may be compressed; ``-`` is standard input.
    quoted : bool
        Whether cells between tabs may stand in quotation marks, as they may in CSV. By default those belong to the
        text.
    short : bool
        Whether rows may be shorter than the first line; the cells that they lack are empty, and empty ones beyond
        its end are nothing.

    Raises
    ------
    ValueError
        If two columns have one name, or, while its rows are read, one has more or fewer cells than the first line,
        a quotation mark has no end, or a line is no JSON object or not UTF-8; with the line.
    """
    name = input_name(path)
    format = _FORMATS.get(plain_name(path).suffix.lower())
    if format == "parquet":
        return _parquet(path, name)
    lines = numbered_lines(path)
    first = next((each for each in lines if each[1].strip()), None)
    if first is None:
        return Table(name, format or "tsv", (), iter(()))
    if format is None:
        format = "jsonl" if first[1].lstrip().startswith("{") else "csv" if _separator(first[1]) != "\t" else "tsv"
    whole = itertools.chain([first], lines)
    if format == "jsonl":
        objects = _objects(whole, name)
        head = next(objects)
        return Table(name, format, tuple(head[1]), itertools.chain([head], objects))
    separator = "\t" if format == "tsv" else _separator(first[1])
    rows = _quoted(whole, separator, name) if quoted or format == "csv" else _plain(whole)
    columns = tuple(cell.strip() for cell in next(rows)[1])
    _check_names(columns, f"{name}, line {first[0]}")
    return Table(name, format, tuple(filter(None, columns)), _named(rows, columns, name, short=short))


def read_columns(path: PathLike, columns: Sequence[str], *, optional: Sequence[str] = ()) -> dict[str, list[str]]:
    r"""Return columns of a table, each a list of strings, row by row.

    Parameters
    ----------
    path : str or path
        See `open_table`.
    columns : sequence of str
        Those that must be there.
    optional : sequence of str
        Those that are left out where they are missing.

    Raises
    ------
    ValueError
        From `open_table`, or if the table is empty or a column is missing.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "news.tsv"
    ...     written = path.write_text("text\ttopic\nThe team won.\tsports\n")
    ...     read_columns(path, ["text", "topic"])
    {'text': ['The team won.'], 'topic': ['sports']}
    """
    table = open_table(path)
    names = (*columns, *(each for each in optional if each in table.columns))
    rows = list(table.texts(names))
    if not rows:
        raise ValueError(f"{table.name} holds no rows; expected at least one")
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


def read_cells(path: PathLike) -> Iterator[tuple[int, list[str]]]:
    """Yield the line and the cells of each row of a table without names: CSV by its name, else between tabs."""
    lines = numbered_lines(path)
    return _quoted(lines, ",", input_name(path)) if plain_name(path).suffix.lower() == ".csv" else _plain(lines)


def _separator(line: str) -> str:
    """Return what separates the names of columns."""
    return "\t" if "\t" in line else max(",;", key=line.count) if any(mark in line for mark in ",;") else "\t"


def _plain(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, list[str]]]:
    # subtle: a line of tabs is a row of empty cells, one of blanks is none
    return ((number, line.split("\t")) for number, line in lines if line.strip(" "))


def _quoted(lines: Iterable[tuple[int, str]], separator: str, name: str) -> Iterator[tuple[int, list[str]]]:
    number = begin = size = 0

    def texts() -> Iterator[str]:
        nonlocal number, size
        for place, line in lines:
            number = place
            size += len(line)
            if size > MOST_BYTES:
                raise ValueError(f"{name}, line {begin}: a row may have at most {MOST_BYTES:,} characters; {way_out}")
            yield line + "\n"

    way_out = "close each quotation mark, double those inside a cell, or write .jsonl"
    reader = csv.reader(texts(), delimiter=separator, strict=True)
    while True:
        begin, size = number + 1, 0
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise ValueError(f"{name}, line {begin}: the row is no CSV ({error}); {way_out}") from error
        if cells is None:
            return
        if cells and (len(cells) > 1 or cells[0].strip()):
            yield begin, cells


def _named(
    rows: Iterator[tuple[int, list[str]]], columns: Sequence[str], name: str, *, short: bool
) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, cells in rows:
        while short and len(cells) > len(columns) and not cells[-1].strip():
            cells = cells[:-1]
        lacking = len(columns) - len(cells)
        if lacking < 0 or (lacking > 0 and not short):
            hint = "; quote cells that hold the separator" if lacking < 0 else ""
            raise ValueError(
                f"{name}, line {number}: expected {len(columns)} columns as in the first line, got {len(cells)}{hint}"
            )
        yield (
            number,
            {column: cell for column, cell in zip(columns, cells + [""] * lacking, strict=True) if column},
        )


def _check_names(columns: Sequence[str], where: str) -> None:
    for column in columns:
        if column and columns.count(column) > 1:
            positions = " and ".join(str(place) for place, each in enumerate(columns, 1) if each == column)
            raise ValueError(f"{where}: the columns {positions} are called {column!r}; give each its own name")


def _objects(lines: Iterable[tuple[int, str]], name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, record in json_lines(lines, name):
        if not isinstance(record, dict):
            raise ValueError(f"{name}, line {number}: expected a JSON object, but is {json.dumps(record)[:80]}")
        yield number, record


def _parquet(path: PathLike, name: str) -> Table:
    library: Any = require("pyarrow.parquet", extra="parquet")
    try:
        file = library.ParquetFile(path)
    except ValueError as error:
        raise ValueError(f"{name} is no parquet file ({error})") from error
    columns = tuple(file.schema_arrow.names)
    _check_names(columns, name)
    rows = itertools.chain.from_iterable(batch.to_pylist() for batch in file.iter_batches())
    return Table(name, "parquet", columns, enumerate(rows, 1))
