"""One writer a folder: a lock that the system drops with the process."""

import os
import sys
from pathlib import Path
from typing import BinaryIO

__all__ = ["LockedError", "WriterLock", "refuse_locked"]

_NAME = "writer.lock"


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
        if not _lock(self._file):
            self._file.close()
            raise LockedError(
                f"{folder} is open for writing elsewhere; close that writer (Collection.load reads meanwhile)"
            )
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
    """Raise `LockedError` if a writer holds the folder."""
    if (folder / _NAME).is_file():
        WriterLock(folder).close()


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
