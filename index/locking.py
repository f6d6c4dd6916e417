"""One writer a folder: a lock that the system drops with the process."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["LockedError", "WriterLock", "folder_lock", "refuse_locked"]

_NAME = "writer.lock"
_ATTEMPTS, _PAUSE = 5, 0.01  # seconds


class LockedError(RuntimeError):
    """Another process, or another part of this one, has the folder open for writing."""


class WriterLock:
    """Hold a folder for writing until `close`, or until the process ends.

    An advisory lock on the file ``writer.lock``, which stays. Where the system has none (Windows, some network file
    systems) two writers are not kept apart.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    LockedError
        If it is held already.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise FileNotFoundError(f"{folder} is no folder; make it with CollectionStore.create, or mend the path")
        self._file: BinaryIO = (folder / _NAME).open("a+b")
        for _ in range(_ATTEMPTS):  # a save looks for a moment whether there is a writer
            if _lock(self._file):
                break
            time.sleep(_PAUSE)
        else:
            self._file.close()
            raise LockedError(_text(folder))
        self._file.truncate(0)
        self._file.write(f"{os.getpid()}\n".encode())
        self._file.flush()

    @property
    def closed(self) -> bool:
        """Whether the lock was given up."""
        return self._file.closed

    def close(self) -> None:
        """Let others write."""
        self._file.close()


def refuse_locked(folder: Path) -> None:
    """Raise `LockedError` if a writer holds the folder.

    Called while the folder's lock of saves is held: a writer that comes later waits for that.
    """
    path = folder / _NAME
    if path.is_file():
        with path.open("rb") as file:
            if not _lock(file):
                raise LockedError(_text(folder))


@contextmanager
def folder_lock(folder: Path) -> Iterator[bool]:
    """Hold the folder's lock of saves inside the block, after waiting for it; yield False where there are no locks."""
    if sys.platform == "win32":
        yield False
        return
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            held = True
        except OSError:
            held = False
        yield held
    finally:
        os.close(descriptor)


def _lock(file: BinaryIO) -> bool:
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # no locks on this file system
        return True
    return True


def _text(folder: Path) -> str:
    return f"{folder} is open for writing elsewhere; close that writer (Collection.load reads meanwhile)"
