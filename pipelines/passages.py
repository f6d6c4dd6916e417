"""Texts to be found, and how they are read from JSON lines."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["UNDETERMINED", "Passage", "read_passages"]

#: The language of what has none, or too few passages for a mean of its own: BCP 47's "undetermined".
UNDETERMINED = "und"


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


def read_passages(lines: Iterable[str], *, name: str, language: str | None = None) -> list[Passage]:
    """Read JSON lines of passages.

    Parameters
    ----------
    lines : iterable of str
        Each ``{"text": ..., "language": ..., "id": ..., ...}``; empty lines are passed over. Without an id the line
        number is it; other keys are metadata.
    name : str
        What to call the file in errors.
    language : str, optional
        The language of passages that name none; else "und".

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
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{name}, line {number}: each line must be a JSON object ({error})") from error
        if not isinstance(record, dict) or not isinstance(record.get("text"), str) or not record["text"].strip():
            raise ValueError(f'{name}, line {number}: each line needs a "text" that is not empty, but is {line[:80]!r}')
        text, own = record.pop("text"), record.pop("language", language or UNDETERMINED)
        id = str(record.pop("id", number))
        if not isinstance(own, str):
            raise ValueError(f'{name}, line {number}: "language" must be a string, but is {own!r}')
        if id in passages:
            raise ValueError(f"{name}, line {number}: the id {id!r} was there before; give each text its own")
        passages[id] = Passage(id, text, own, record)
    return list(passages.values())
