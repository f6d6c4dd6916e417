"""Texts to be found, and how they are read from JSON lines."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from interlingua.index.collection.metadata import check_json

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
    passages: dict[str, Passage] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{name}, line {number}"
        try:
            record = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            raise ValueError(f"{where}: each line must be a JSON object ({error}): {line[:80]!r}") from error
        if not isinstance(record, dict) or not isinstance(record.get("text"), str) or not record["text"].strip():
            raise ValueError(f'{where}: each line needs a "text" that is not empty, but is {line[:80]!r}')
        text, own, id = record.pop("text"), record.pop("language", None), record.pop("id", None)
        if own is not None and not isinstance(own, str):
            raise ValueError(f'{where}: "language" must be a string such as "sw", but is {own!r}')
        if id is not None and (isinstance(id, bool) or not isinstance(id, str | int)):
            raise ValueError(f'{where}: "id" must be a string or a whole number, but is {id!r}')
        passage = Passage(str(number if id is None else id), text, own or language or UNDETERMINED, record)
        try:
            check_passages([passage])
        except (ValueError, TypeError) as error:
            raise ValueError(f"{where}: {error}") from error
        if passage.id in passages:
            raise ValueError(f"{where}: the id {passage.id!r} was there before; give each text its own")
        passages[passage.id] = passage
    return list(passages.values())
