"""Passages that are longer than their encoder reads, searched whole: a row for each of their windows.

The first window is the row of the passage itself, with its whole text. Each further one is a row of its own, with the
passage's metadata and language, so that filters mean the same, and with the fields

- ``window.of``: the id of the passage; ``window.language``: its language once more, which tells such rows apart;
- ``window.start``, ``window.end``: the characters that the window takes; these the first row of a cut passage has too.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from interlingua.index import Eq, In
from interlingua.pipelines.encoders.base import Encoder
from interlingua.pipelines.encoders.limits import text_windows
from interlingua.pipelines.texts.passages import UNDETERMINED, Passage

from .rows import AnyCollection, value_counts

OF, LANGUAGE, START, END = "window.of", "window.language", "window.start", "window.end"
FIELDS = (OF, LANGUAGE, START, END)
_MARK = "\x1f"  # between a passage's id and the number of a window; in no id that people give


def as_windows(passages: Sequence[Passage], encoder: Encoder) -> tuple[list[Passage], list[Passage]]:
    """Return the windows of passages, to be encoded, and the same rows as they are kept.

    Raises
    ------
    ValueError
        If an id or a field of a passage cannot be told from those of windows.
    """
    for each in passages:
        if _MARK in each.id or any(name in each.metadata for name in FIELDS):
            raise ValueError(
                f"the passage {each.id!r} has an id with the character U+001F, or metadata called {', '.join(FIELDS)}, "
                "which windows need; rename it, or build the search without windows"
            )
    parts, kept = [], []
    for passage, bounds in zip(passages, text_windows(encoder, [each.text for each in passages]), strict=True):
        for number, (start, end) in enumerate(bounds):
            text, about = passage.text[start:end], dict(passage.metadata)
            if len(bounds) > 1:
                about |= {START: start, END: end}
            if number:
                about |= {OF: passage.id, LANGUAGE: passage.language}
            id = f"{passage.id}{_MARK}{number}" if number else passage.id
            parts.append(Passage(id, text, passage.language, about))
            kept.append(Passage(id, text if number else passage.text, passage.language, about))
    return parts, kept


def further_windows(collection: AnyCollection, ids: Iterable[str]) -> list[str]:
    """Return the ids of the rows of all windows but the first of these passages."""
    try:
        return [id for batch in collection.batches(4096, where=In(OF, list(ids))) for id in batch.ids]
    except ValueError:  # no row has the field: every passage is one window
        return []


@dataclass(frozen=True)
class LongTexts:
    """Passages that are longer than their encoder reads.

    Attributes
    ----------
    languages : dict of str to int
        How many there are in each language, most first.
    windows : int
        By which they are searched.
    """

    languages: dict[str, int]
    windows: int


def long_texts(collection: AnyCollection) -> LongTexts:
    """Return which passages of a collection were split into windows."""
    try:
        firsts = [row for batch in collection.batches(4096, where=Eq(START, 0)) for row in batch.metadata]
    except ValueError:  # no row has the field: every passage is one window
        return LongTexts({}, 0)
    spoken = Counter(said_in(row)[1] for row in firsts)
    return LongTexts(dict(spoken.most_common()), len(firsts) + sum(value_counts(collection, LANGUAGE).values()))


def rows_of_spans(collection: AnyCollection, ids: Iterable[str]) -> dict[tuple[str, tuple[int, int] | None], str]:
    """Return the rows of all windows of these passages by the passage's id and their span."""
    batches = collection.batches(4096, where=In(OF, list(ids)))
    return {(passage_of(id, row), span_of(row)): id for batch in batches for id, row in zip(batch.ids, batch.metadata)}


def said_in(metadata: Mapping[str, Any]) -> tuple[str, str]:
    """Return the text that a row was encoded from, and its language."""
    text, spoken = str(metadata.get("text", "")), metadata.get("language")
    if START in metadata and OF not in metadata:  # the first window, kept with the whole text
        text = text[int(metadata[START]) : int(metadata[END])]
    return text, spoken if isinstance(spoken, str) else UNDETERMINED


def passage_of(id: str, metadata: Mapping[str, Any]) -> str:
    """Return the id of the passage that a row is a window of."""
    return str(metadata.get(OF, id))


def span_of(metadata: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return the characters of the passage that a row's window takes; None where it takes all."""
    return (int(metadata[START]), int(metadata[END])) if START in metadata else None
