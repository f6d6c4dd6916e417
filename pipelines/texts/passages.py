"""Texts to be found, and how they are read from JSON lines and other tables."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from interlingua.index.collection.metadata import are_flat, are_texts, check_json

from .lines import PathLike, json_lines
from .tables import open_table

#: The language of what has none, or too few passages for a mean of its own: BCP 47's "undetermined".
UNDETERMINED = "und"

#: Fields of a collection that the passage itself fills.
RESERVED = ("text", "language")


@dataclass(frozen=True)
class Passage:
    """A text to be found.

    Attributes
    ----------
    id : str
        Its name in the collection.
    text : str
        What is encoded and shown.
    language : str
        Its language; "und" where unknown.
    metadata : mapping
        Anything else JSON can hold; returned with hits and usable in filters.
    """

    id: str
    text: str
    language: str = UNDETERMINED
    metadata: Mapping[str, Any] = field(default_factory=dict)


def check_passages(passages: Sequence[Passage]) -> None:
    """Refuse what a collection could not keep, before any text is encoded.

    Raises
    ------
    ValueError
        If ids repeat, metadata uses the name of a field of the passage's own, or a text is no valid Unicode.
    TypeError
        If metadata is nothing that JSON can hold.
    """
    own = [each.metadata for each in passages]
    named = {name: [getattr(each, name) for each in passages] for name in ("id", *RESERVED)}
    keepable = all(map(are_texts, named.values())) and len(set(named["id"])) == len(passages) and are_flat(own)
    if not keepable or any(name in row for row in own for name in RESERVED):
        _refuse_passages(passages)


def _refuse_passages(passages: Sequence[Passage]) -> None:
    """Raise what is wrong with the first of the passages, if anything is; one by one."""
    seen: set[str] = set()
    for each in passages:
        if each.id in seen:
            raise ValueError(f"ids must be different, but {each.id!r} is there twice; give each passage its own")
        seen.add(each.id)
        taken = [key for key in RESERVED if key in each.metadata]
        if taken:
            raise ValueError(
                f"metadata of {each.id!r} must not use {taken[0]!r}, which the passage itself fills; rename it"
            )
        for name, value in (("id", each.id), ("text", each.text), ("language", each.language)):
            if not isinstance(value, str):
                raise TypeError(f"the {name} of passage {each.id!r} must be a string, but is {value!r}")
    for each in passages:
        for name, value in (("id", each.id), ("text", each.text), ("language", each.language)):
            check_json(value, f"the {name}")
        check_json(dict(each.metadata), f"metadata of {each.id!r}")


def read_passages(lines: Iterable[str], *, name: str, language: str | None = None) -> list[Passage]:
    """Read JSON lines of passages.

    Parameters
    ----------
    lines : iterable of str
        Each ``{"text": ..., "language": ..., "id": ..., ...}``; empty lines are passed over. Without an id, or with
        null, the line number is it; other keys are metadata.
    name : str
        What to call the file in errors.
    language : str, optional
        The language of passages that name none or null; else "und".

    Raises
    ------
    ValueError
        If a line is no such object, or an id repeats; named by line.

    Examples
    --------
    >>> read_passages(['{"text": "Hujambo", "language": "sw", "page": 3}'], name="greetings.jsonl")
    [Passage(id='1', text='Hujambo', language='sw', metadata={'page': 3})]
    """
    found = json_lines(enumerate(lines, start=1), name)
    return _collect(((number, f"{name}, line {number}", record) for number, record in found), language)


def read_passage_file(
    path: PathLike,
    *,
    language: str | None = None,
    with_ids: bool = False,
    columns: Mapping[str, str] | None = None,
) -> list[Passage]:
    """Read the passages of a table: JSON lines, CSV, TSV or parquet, told as `open_table` does.

    Parameters
    ----------
    path : str or path
        Columns (or keys) `text` and, where there are, `language` and `id`; the others are metadata. An empty cell of
        `language` or `id` is none; without an id, the number of the line, or of parquet of the row, is it.
    language : str, optional
        The language of passages that name none; else "und".
    with_ids : bool
        Refuse passages without an id of their own, as for a collection that has others already.
    columns : mapping of str to str, optional
        Columns that are called otherwise, and which of `text`, `language` and `id` each is.

    Raises
    ------
    ValueError
        From `open_table`, or if a column is not there, a row is no passage, or an id is missing or
        repeats; named by line.
    """
    table, named = open_table(path), dict(columns or {})
    lacking = [name for name in named if name not in table.columns]
    if table.columns and table.format != "jsonl" and "text" not in {*table.columns, *named.values()}:
        lacking = ["text"]
    if lacking and table.columns:
        raise ValueError(f"{table.name} has no column {lacking[0]!r}; it has: {', '.join(table.columns)}")

    def records() -> Iterator[tuple[int, str, Any]]:
        for number, row in table.rows:
            if named:  # a column that is called like one of them, but is not meant, gives way
                taken = {name: row[name] for name in row if name not in named and name not in named.values()}
                row = {**taken, **{meant: row.get(name) for name, meant in named.items()}}
            none = [key for key, value in row.items() if value is None or (value == "" and key in ("id", "language"))]
            # of JSON lines null is kept in metadata, of tables there is nothing in such a cell
            dropped = none if table.format != "jsonl" else ()
            record = {key: value for key, value in row.items() if key not in dropped}
            if with_ids and record.get("id") is None:
                raise ValueError(
                    f'{table.where(number)}: texts that are added need an "id", or they would replace those of the '
                    "same number"
                )
            yield number, table.where(number), record

    return _collect(records(), language)


def _collect(records: Iterable[tuple[int, str, Any]], language: str | None) -> list[Passage]:
    """Return the passages of numbered records, each with the place that errors name."""
    passages: dict[str, Passage] = {}
    for number, where, record in records:
        passage = _passage(record, number, where, language)
        if passage.id in passages:
            raise ValueError(f"{where}: the id {passage.id!r} was there before; give each text its own")
        passages[passage.id] = passage
    return list(passages.values())


def _passage(record: Any, number: int, where: str, language: str | None) -> Passage:
    if not isinstance(record, dict) or not isinstance(record.get("text"), str) or not record["text"].strip():
        shown = json.dumps(record, ensure_ascii=False)[:80]
        raise ValueError(f'{where}: each line needs a "text" that is not empty, but is {shown}')
    metadata = {key: value for key, value in record.items() if key not in ("text", "language", "id")}
    own, id = record.get("language"), record.get("id")
    if own is not None and not isinstance(own, str):
        raise ValueError(f'{where}: "language" must be a string such as "sw", but is {own!r}')
    if id is not None and (isinstance(id, bool) or not isinstance(id, str | int)):
        raise ValueError(f'{where}: "id" must be a string or a whole number, but is {id!r}')
    passage = Passage(str(number if id is None else id), record["text"], own or language or UNDETERMINED, metadata)
    try:
        check_passages([passage])
    except (ValueError, TypeError) as error:
        raise ValueError(f"{where}: {error}") from error
    return passage
