"""One encoder for many requests: what comes at the same time is encoded together."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from interlingua.pipelines.encoders.base import Encoder, Role, check_role, check_texts, encoder_for

from .passed_on import PassedOnEncoder

_MOST = 32  # texts of a batch: so that others are encoded while the answers of one batch are worked out
_KEPT = 256  # single texts whose vectors are kept
Counted = Callable[[int, float], None]


class ClosedError(RuntimeError):
    """The service ends, and encodes nothing more."""


class JoinedEncoder(PassedOnEncoder):
    """An encoder that threads share: one thread encodes, and takes all that waits as one batch.

    Texts are computed in one way, whatever comes together: an encoder that computes few texts otherwise than many
    (`encoder_for`) takes the way for many. Long lists go in pieces, between which the texts of others are encoded.

    Parameters
    ----------
    encoder : Encoder
    most : int
        Texts of a batch.
    counted : callable, optional
        Told the number of texts of each batch, and its seconds.

    Examples
    --------
    ::

        encoder = JoinedEncoder(load_encoder())
        search = CrossLingualSearch.load("manuals", encoder)  # whose questions are encoded together, from now on
    """

    def __init__(self, encoder: Encoder, *, most: int = _MOST, counted: Counted = lambda _n, _s: None) -> None:
        super().__init__(encoder_for(encoder, most))
        self._most, self._counted = most, counted
        self._waiting: deque[_Ticket] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._kept: dict[tuple[str, Role], NDArray[np.float32]] = {}

    def encode(self, texts: Sequence[str], *, role: Role = "symmetric", progress: bool = False) -> NDArray[np.float32]:
        """Return one unit vector for each text, in order; see `Encoder.encode`.

        Raises
        ------
        ClosedError
            After `close`.
        """
        checked, wanted = check_texts(texts), check_role(role)
        if not checked:
            return np.empty((0, self.dimension), np.float32)
        if len(checked) == 1:
            return self._again(checked[0], wanted)[None].copy()
        parts = [
            self._encoded(checked[start : start + self._most], start, wanted)
            for start in range(0, len(checked), self._most)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _again(self, text: str, role: Role) -> NDArray[np.float32]:
        """Return the vector (d,) of a single text, kept for a while: a question is asked again, with other options."""
        kept = self._kept.pop((text, role), None)
        vector = self._encoded([text], 0, role)[0] if kept is None else kept
        self._kept[text, role] = vector
        while len(self._kept) > _KEPT:
            with suppress(StopIteration, KeyError, RuntimeError):  # of another thread, which has done it
                del self._kept[next(iter(self._kept))]
        return vector

    def close(self) -> None:
        """Encode nothing more; who waits gets a `ClosedError`."""
        with self._changed:
            self._closed = True
            for ticket in self._waiting:
                ticket.fail(ClosedError("the service ends"))
            self._waiting.clear()
            self._changed.notify_all()

    def _encoded(self, texts: list[str], start: int, role: Role) -> NDArray[np.float32]:
        ticket = _Ticket(texts, role)
        with self._changed:
            if self._closed:
                raise ClosedError("the service ends")
            if self._thread is None:  # a daemon: a batch that is under way does not keep the process
                self._thread = threading.Thread(target=self._work, name="encoding", daemon=True)
                self._thread.start()
            self._waiting.append(ticket)
            self._changed.notify_all()
        return ticket.result(start)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                batch = self._together()
            self._encode(batch)

    def _together(self) -> list[_Ticket]:
        """Take the ticket that waits longest, and those of its role that fit beside it."""
        first = self._waiting.popleft()
        batch, room, left = [first], self._most - len(first.texts), deque[_Ticket]()
        while self._waiting:
            ticket = self._waiting.popleft()
            if ticket.role == first.role and len(ticket.texts) <= room:
                batch.append(ticket)
                room -= len(ticket.texts)
            else:
                left.append(ticket)
        self._waiting = left
        return batch

    def _encode(self, batch: list[_Ticket]) -> None:
        import time

        texts = [text for ticket in batch for text in ticket.texts]
        begun = time.perf_counter()
        try:
            vectors = self._encoder.encode(texts, role=batch[0].role)
        except Exception as error:
            if len(batch) == 1:
                batch[0].fail(error)
            else:
                for ticket in batch:  # so that a text that cannot be encoded is an error of who sent it
                    self._encode([ticket])
            return
        self._counted(len(texts), time.perf_counter() - begun)
        start = 0
        for ticket in batch:
            ticket.give(vectors[start : start + len(ticket.texts)])
            start += len(ticket.texts)


class _Ticket:
    """Texts that wait for their vectors."""

    def __init__(self, texts: list[str], role: Role) -> None:
        self.texts, self.role = texts, role
        self._there = threading.Event()
        self._vectors: NDArray[np.float32] | None = None
        self._error: Exception | None = None

    def give(self, vectors: NDArray[np.float32]) -> None:
        self._vectors = vectors
        self._there.set()

    def fail(self, error: Exception) -> None:
        self._error = error
        self._there.set()

    def result(self, start: int) -> NDArray[np.float32]:
        """Wait, and return the vectors; an error about a text counts from `start`."""
        self._there.wait()
        if self._vectors is None:
            position = getattr(self._error, "position", None)
            if position is not None and start:
                raise type(self._error)(position + start, self._error.reason)  # type: ignore[union-attr,misc]
            raise self._error or ClosedError("the service ends")
        return self._vectors
