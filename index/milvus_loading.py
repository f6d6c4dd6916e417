"""Load many rows into Milvus: batch by batch, at Milvus' own speed, and from where an earlier run was stopped."""

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .folder import replacing_file
from .iteration import Batch
from .milvus_client import MilvusError

if TYPE_CHECKING:
    from .milvus_collection import MilvusCollection

__all__ = ["Loaded", "load_batches"]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 30.0  # seconds


@dataclass(frozen=True)
class Loaded:
    """What `load_batches` has done.

    Attributes
    ----------
    rows, batches : int
        Acknowledged by Milvus in this run.
    skipped : int
        Batches that an earlier run had acknowledged.
    retries : int
        Attempts that Milvus refused or did not answer, and that were made again.
    """

    rows: int
    batches: int
    skipped: int
    retries: int


def load_batches(
    collection: "MilvusCollection",
    batches: Iterable[Batch],
    *,
    resume: str | Path | None = None,
    patience: float = 600.0,
    progress: Callable[[int], None] | None = None,
) -> Loaded:
    """Upsert batch after batch into a collection.

    The next batch is read when Milvus has acknowledged the one before, so that no more than one is in memory and a
    slow server slows the reading down. Where Milvus is away or asks to go slower, the batch is sent again after a
    pause that doubles from 0.1 s to 30 s. Rows are upserted by id: a batch that is sent twice is there once.

    Parameters
    ----------
    collection : MilvusCollection
    batches : iterable of Batch
        The same ones in the same order in every run that resumes another.
    resume : str or Path, optional
        A file that notes how many batches were acknowledged. If it is there, as many are passed over.
    patience : float
        Seconds for which one batch is tried.
    progress : callable, optional
        Called with the rows acknowledged so far.

    Raises
    ------
    MilvusError
        If Milvus refuses a batch, or `patience` is over; what was acknowledged stays, and is noted in `resume`.
    ValueError
        If `resume` notes the progress of another collection, or is no such file.
    """
    note = None if resume is None else Path(resume)
    target = {"uri": collection.config.uri, "collection": collection.config.collection}
    done = _read(note, target)
    rows = sent = retries = 0
    for number, batch in enumerate(batches):
        if number < done:
            continue
        retries += _send(collection, batch, patience)
        rows, sent = rows + len(batch), sent + 1
        if note is not None:
            with replacing_file(note) as file:
                file.write_text(json.dumps({**target, "batches": number + 1}) + "\n", encoding="utf-8")
        if progress is not None:
            progress(rows)
    return Loaded(rows, sent, done, retries)


def _send(collection: "MilvusCollection", batch: Batch, patience: float) -> int:
    """Upsert one batch and return how many attempts failed before."""
    end, pause, failed = time.monotonic() + patience, _FIRST_PAUSE, 0
    while True:
        try:
            collection.upsert(batch.ids, batch.vectors, batch.metadata)
        except MilvusError as error:
            if not error.transient or time.monotonic() + pause > end:
                raise
        else:
            return failed
        time.sleep(pause)
        pause, failed = min(2 * pause, _LONGEST_PAUSE), failed + 1


def _read(note: Path | None, target: dict[str, Any]) -> int:
    if note is None or not note.exists():
        return 0
    try:
        noted = json.loads(note.read_text(encoding="utf-8"))
        done = noted.pop("batches")
    except (ValueError, KeyError, AttributeError, TypeError):
        raise ValueError(f"{note} does not note the progress of a load; choose another file") from None
    if noted != target:
        raise ValueError(f"{note} notes the progress of {noted}, not of {target}; choose another file or remove it")
    return int(done)
