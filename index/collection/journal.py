"""A write-ahead journal: what was acknowledged since the last save, each change on disk before it is answered.

The file starts with one line that names the manifest that it continues. Then come records: 8 bytes of length, 4 bytes
of CRC-32 of those 8, the SHA-256 of the content, the content. A process killed while it writes leaves a record that is
cut short, which nobody was promised and which readers pass over; any other damage is refused.
"""

import hashlib
import io
import json
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from interlingua.index.files import naming_write, sync_folder
from interlingua.index.folder import CorruptCollectionError, open_own

_TITLE = b"interlingua journal 1 "
_HEAD = struct.Struct("<QI")
_DIGEST = 32
_WAY_OUT = "restore the folder from a copy, or delete this file to go back to the last save"


@dataclass(frozen=True, eq=False)
class Change:
    """One acknowledged change.

    Attributes
    ----------
    operation : {"add", "upsert", "remove"}
    ids : tuple of str
    vectors : (n, d) array of float32, or None
        None for ``remove``.
    metadata : list of dict, or None
    """

    operation: str
    ids: tuple[str, ...]
    vectors: NDArray[np.float32] | None = None
    metadata: list[dict[str, Any]] | None = None

    def to_bytes(self) -> bytes:
        """Return a JSON line and the vectors' bytes."""
        shape = None if self.vectors is None else list(self.vectors.shape)
        fields = {"operation": self.operation, "ids": self.ids, "metadata": self.metadata, "shape": shape}
        head = json.dumps(fields, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        return head if self.vectors is None else head + np.ascontiguousarray(self.vectors, "<f4").tobytes()

    @classmethod
    def parse(cls, content: bytes) -> "Change":
        """Return the change of `to_bytes`."""
        head, _, tail = content.partition(b"\n")
        fields = json.loads(head)
        vectors = None if fields["shape"] is None else np.frombuffer(tail, "<f4").reshape(fields["shape"])
        return cls(fields["operation"], tuple(fields["ids"]), vectors, fields["metadata"])


@dataclass(frozen=True)
class Place:
    """How far a journal was read: where the last record read starts and ends, and its SHA-256; 0, 0 and nothing."""

    start: int = 0
    end: int = 0
    digest: bytes = b""


class Journal:
    """The journal of one manifest, open for appending; made where there is none.

    Parameters
    ----------
    folder : Path
    manifest : str
        SHA-256 of the manifest that the changes continue.
    """

    def __init__(self, folder: Path, manifest: str) -> None:
        self.path = journal_path(folder, manifest)
        title = _TITLE + manifest.encode() + b"\n"
        self._file: BinaryIO = open_own(self.path, "r+b")
        try:
            # subtle: what was cut short must go, or the next record would follow its remains
            whole = max((end for _, end in _records(self.path, manifest)), default=0)
            if not whole:  # new, without records, or cut off while it was made
                self._file.write(title)
                whole = len(title)
            self._file.truncate(whole)
            self._file.seek(whole)
            os.fsync(self._file.fileno())
        except BaseException:
            self._file.close()
            raise
        sync_folder(folder)

    def __len__(self) -> int:
        """Bytes so far."""
        return self._file.tell()

    def append(self, change: Change) -> Place:
        """Write a change, wait until it is on the disk and return its place; a failing call leaves all as it was.

        Raises
        ------
        OSError
            If the disk is full or fails.
        """
        content = change.to_bytes()
        length = struct.pack("<Q", len(content))
        start = self._file.tell()
        try:
            digest = hashlib.sha256(content).digest()
            record = length + struct.pack("<I", zlib.crc32(length)) + digest + content
            view = memoryview(record)
            with naming_write(self.path):
                while view:
                    view = view[self._file.write(view) :]
                os.fsync(self._file.fileno())
        except BaseException:
            self.undo(start)
            raise
        return Place(start, self._file.tell(), digest)

    def undo(self, start: int) -> None:
        """Forget what was written from byte `start` on."""
        self._file.truncate(start)
        self._file.seek(start)
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def journal_path(folder: Path, manifest: str) -> Path:
    """Return where the journal of a manifest lies, whether it is there or not."""
    return folder / f"journal-{manifest[:24]}.log"


def stale_journals(folder: Path, manifest: str) -> list[Path]:
    """Return journals of other manifests: what they hold has been saved, or replaced by another save."""
    return [path for path in folder.glob("journal-*.log") if path != journal_path(folder, manifest)]


def read_on(folder: Path, manifest: str, place: Place) -> Iterator[tuple[Change, Place]]:
    """Yield the changes after a place, and how far each of them reaches.

    Raises
    ------
    CorruptCollectionError
        If the journal is damaged, or what was read at that place has been taken back by the writer since.
    """
    path = journal_path(folder, manifest)
    if not os.path.lexists(path):
        if place.end:
            raise CorruptCollectionError(f"{path} is missing, and was there before; {_WAY_OUT}")
        return
    with open_own(path, "rb") as file:
        file.seek(place.start + _HEAD.size)
        if place.end and file.read(_DIGEST) != place.digest:
            raise CorruptCollectionError(f"{path} was altered at byte {place.start}; {_WAY_OUT}")
    start = place.end or len(_TITLE) + len(manifest) + 1
    for content, end in _records(path, manifest, start):
        yield _parsed(path, content), Place(start, end, hashlib.sha256(content).digest())
        start = end


def read_journal(folder: Path, manifest: str) -> Iterator[Change]:
    """Yield the changes since the manifest, first to last.

    Raises
    ------
    CorruptCollectionError
        If the journal is damaged otherwise than by being cut short.
    """
    path = journal_path(folder, manifest)
    if os.path.lexists(path):
        for content, _ in _records(path, manifest):
            yield _parsed(path, content)


def _parsed(path: Path, content: bytes) -> Change:
    try:
        return Change.parse(content)
    except (ValueError, LookupError, TypeError) as error:  # what has its checksum was written so
        raise CorruptCollectionError(f"{path} holds a record that is not understood: {error}") from error


def _records(path: Path, manifest: str, begin: int = 0) -> Iterator[tuple[bytes, int]]:
    """Yield the content of each whole record from byte `begin` on, and where it ends."""
    title = _TITLE + manifest.encode() + b"\n"
    with io.BufferedReader(cast(io.RawIOBase, open_own(path, "rb"))) as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(len(title))
        if start != title:
            if title.startswith(start):
                return
            raise CorruptCollectionError(f"{path} is no journal of this folder's manifest; {_WAY_OUT}")
        file.seek(max(begin, len(title)))
        while len(head := file.read(_HEAD.size)) == _HEAD.size:
            at = file.tell() - _HEAD.size
            length, check = _HEAD.unpack(head)
            if zlib.crc32(head[:8]) != check:
                raise CorruptCollectionError(f"{path} was altered at byte {at}; {_WAY_OUT}")
            if size - file.tell() < _DIGEST + length:
                return
            digest, content = file.read(_DIGEST), file.read(length)
            if hashlib.sha256(content).digest() != digest:
                raise CorruptCollectionError(f"{path} was altered after byte {at}; {_WAY_OUT}")
            yield content, file.tell()
