"""Folders in the user's cache that are made once: written whole, verified, by whichever process comes first."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_STALE_SECONDS = 3600.0


def is_whole(folder: Path, marker: str, *, hashes: bool = False) -> bool:
    """Return whether every file that the folder's marker names is there with its size (and SHA-256)."""
    try:
        files = json.loads((folder / marker).read_text(encoding="utf-8"))["files"]
        for name, facts in files.items():
            if (folder / name).stat().st_size != facts["size"]:
                return False
            if hashes and sha256_of(folder / name) != facts["sha256"]:
                return False
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
    return bool(files)


def write_marker(folder: Path, marker: str, facts: Mapping[str, Any]) -> None:
    """Write the marker that names all files of a folder, behind `facts`, and put everything on the disk."""
    written = sorted(path for path in folder.rglob("*") if path.is_file())
    files = {
        path.relative_to(folder).as_posix(): {"size": path.stat().st_size, "sha256": sha256_of(path)}
        for path in written
    }
    path = folder / marker
    path.write_text(json.dumps({**facts, "files": files}, indent=2) + "\n", encoding="utf-8")
    for each in [*written, path]:
        with each.open("rb") as handle:
            os.fsync(handle.fileno())


def publish(folder: Path, marker: str, write: Callable[[Path], None], *, megabytes: int) -> None:
    """Let `write` fill a folder beside `folder`, marker last, then move it into place in one step.

    A killed or a second process never leaves half of it; a folder that is not whole is replaced.

    Parameters
    ----------
    folder : Path
    marker : str
        Name of the file in it that `write_marker` writes.
    write : callable
    megabytes : int
        How much that is, for the error where there is no room.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(folder.parent)
        building = folder.parent / f".building-{uuid.uuid4().hex}"
        building.mkdir()
    except OSError as error:
        raise _unwritable(folder.parent, megabytes, error) from error
    try:
        write(building)
        if not is_whole(building, marker, hashes=True):
            raise OSError(f"the files in {building} read back differently than written; check the disk")
        _move_into_place(building, folder, marker)
    except OSError as error:
        raise _unwritable(folder.parent, megabytes, error) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _move_into_place(building: Path, folder: Path, marker: str) -> None:
    if is_whole(folder, marker, hashes=True):  # another process was faster
        return
    if folder.exists():
        broken = folder.parent / f".building-{uuid.uuid4().hex}"
        with contextlib.suppress(FileNotFoundError):
            folder.rename(broken)
        shutil.rmtree(broken, ignore_errors=True)
    try:
        building.rename(folder)
    except OSError:
        if not is_whole(folder, marker):
            raise


def _remove_stale(parent: Path) -> None:
    """Delete what a killed build left behind an hour ago or more."""
    for left in parent.glob(".building-*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(left, ignore_errors=True)


def _unwritable(folder: Path, megabytes: int, error: OSError) -> OSError:
    return OSError(
        f"cannot write the rebuilt encoder (about {megabytes} MB) into {folder}: {error}; "
        "set INTERLINGUA_CACHE to a folder with room"
    )


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
