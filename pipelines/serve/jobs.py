"""Long work: one piece after the other in a thread, with its state for who waits, and an end for who waits no more."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from interlingua.pipelines.encoders.base import Encoder, Role, UnknownTextError

from .passed_on import PassedOnEncoder
from .problems import Refused, said_by, status_of

State = Literal["waiting", "running", "done", "failed", "cancelled"]
_KEPT = 200  # jobs that have ended
_AT_ONCE = 32  # texts between which a job is looked at
ENDED: tuple[State, ...] = ("done", "failed", "cancelled")


class CancelledError(Exception):
    """Somebody wants the work no more."""


class Job:
    """A piece of long work.

    Attributes
    ----------
    id : str
    collection : str
    state : str
        waiting, running, done, failed or cancelled.
    stage : str
        What is being done.
    done, total : int
        How far it is.
    rows : int
        That are on the disk.
    problem : dict or None
        What went wrong: status and detail.
    version : int
        One more with each change.
    """

    def __init__(self, collection: str, work: Callable[[Job], None], names: Mapping[str, str]) -> None:
        self.id, self.collection = uuid4().hex[:16], collection
        self.state: State = "waiting"
        self.stage, self.done, self.total, self.rows = "waiting", 0, 0, 0
        self.problem: dict[str, Any] | None = None
        self.version = 0
        self._work, self._names = work, names
        self._wanted = True

    def step(self, stage: str, done: int = 0, total: int = 0) -> None:
        """Say how far the work is.

        Raises
        ------
        CancelledError
            If nobody wants it.
        """
        if not self._wanted:
            raise CancelledError
        self.stage, self.done, self.total = stage, done, total
        self.version += 1

    def cancel(self) -> None:
        """End the work at its next step; what is on the disk stays."""
        self._wanted = False
        if self.state == "waiting":
            self._end("cancelled")

    def run(self) -> None:
        """Do the work, and note what became of it."""
        if self.state != "waiting":
            return
        self.state = "running"
        try:
            self._work(self)
            self._end("done")
        except CancelledError:
            self._end("cancelled")
        except Exception as error:
            status = status_of(error)
            told = said_by(error, self._names) if status < 500 else "the service failed; its log says where"
            if status >= 500:
                from .gate import logger

                logger.exception("a job failed: %s", self.id)
            self.problem = {"status": status, "detail": told}
            self._end("failed")

    def as_json(self) -> dict[str, Any]:
        """Return what is said of it."""
        return {
            "id": self.id,
            "collection": self.collection,
            "state": self.state,
            "stage": self.stage,
            "done": self.done,
            "total": self.total,
            "rows": self.rows,
            "problem": self.problem,
        }

    def _end(self, state: State) -> None:
        self.state = state
        self.version += 1


class Jobs:
    """The jobs of a service, done one after the other.

    Parameters
    ----------
    most : int
        That wait.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[str, Job] = OrderedDict()
        self._waiting: deque[Job] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._running: Job | None = None

    def add(self, job: Job) -> Job:
        """Take a job in.

        Raises
        ------
        Refused
            429 if too many wait.
        """
        with self._changed:
            if self._closed:
                raise Refused(503, "the service ends; ask again later")
            if len(self._waiting) >= self._most:
                raise Refused(429, f"{self._most} uploads are waiting already; ask again later")
            ended = [id for id, each in self._kept.items() if each.state in ENDED]
            for id in ended[: max(len(self._kept) - _KEPT, 0)]:
                del self._kept[id]
            self._kept[job.id] = job
            self._waiting.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)
                self._thread.start()
            self._changed.notify_all()
        return job

    def get(self, id: str) -> Job:
        """Return a job; `Refused` with 404 if there is none."""
        if id not in self._kept:
            raise Refused(404, "there is no such job; it may have been forgotten")
        return self._kept[id]

    def all(self) -> list[Job]:
        """Return the jobs that are known, the oldest first."""
        return list(self._kept.values())

    def close(self, patience: float = 3.0) -> None:
        """Cancel what waits and what runs, and wait for the latter's next step."""
        with self._changed:
            self._closed = True
            for job in (*self._waiting, *([self._running] if self._running else [])):
                job.cancel()
            self._waiting.clear()
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(patience)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                self._running = job = self._waiting.popleft()
            job.run()
            self._running = None


class WatchedEncoder(PassedOnEncoder):
    """An encoder whose work a job tells of, and which stops when nobody wants it.

    Parameters
    ----------
    encoder : Encoder
    job : Job
    total : int
        Texts that the job will encode.
    """

    def __init__(self, encoder: Encoder, job: Job, total: int) -> None:
        super().__init__(encoder)
        self._job, self._total = job, total
        self._done = 0

    def encode(self, texts: Sequence[str], *, role: Role = "symmetric", progress: bool = False) -> NDArray[np.float32]:
        """Return one unit vector for each text, in order; see `Encoder.encode`."""
        rows = np.empty((len(texts), self.dimension), np.float32)
        for start in range(0, len(texts), _AT_ONCE):
            part = list(texts[start : start + _AT_ONCE])
            try:
                rows[start : start + len(part)] = self._encoder.encode(part, role=role)
            except UnknownTextError as error:
                raise UnknownTextError(error.position + start, error.reason) from error
            if role == "passage":  # what a search learns of questions is no part of the work that was asked for
                self._done = min(self._done + len(part), self._total)
            self._job.step("encoding", self._done, self._total)
        return rows
