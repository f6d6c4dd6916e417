"""Write a file whole or not at all, with errors that name it, and put it on the disk."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing_file(path: Path) -> Iterator[Path]:
    """Yield a new path beside `path`; what is written there takes the place of `path` at the end, whole or not at all.

    Raises
    ------
    FileNotFoundError
        If the folder of `path` is not there.
    IsADirectoryError
        If `path` is a folder.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot write {path}: the folder {path.parent} does not exist; create it first")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name a file in it")
    draft = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(6)}")
    try:
        with naming_write(path):
            yield draft
        with draft.open("rb+") as stream:
            os.fsync(stream.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(path.parent)


@contextmanager
def naming_write(path: Path) -> Iterator[None]:
    """Let an error of the disk while `path` is written name it: NumPy's is "75900 requested and 36832 written"."""
    try:
        yield
    except OSError as error:
        if error.filename is not None or type(error) is not OSError:
            raise
        if error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise OSError(errno.ENOSPC, f"not written whole, most likely for want of space ({error})", str(path)) from error


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on the disk."""
    if os.name == "nt":  # Windows opens no folders, and renames are durable there without
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
