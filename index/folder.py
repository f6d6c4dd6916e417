"""Write a folder whole or not at all, and read it with every checksum verified.

A save writes its files under fresh names beside those of the last one, puts them on disk (fsync), and only then
replaces ``manifest.json`` in one step (a rename). A process killed at any moment leaves the folder as it was before
or as it is after. Files that no manifest lists are leftovers of killed saves; the next save removes them.

Two processes that save into one folder do not mix: file names carry the process and a random number, and on POSIX the
second waits for the first (an advisory lock on the folder, which the system drops with the process). The last
manifest wins: what the first one saved is then replaced as a whole, not merged. Where the file system has no locks,
and on Windows, leftovers are kept, since they may belong to a save that is under way.
"""

import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any, TypeVar

from .locking import folder_lock, refuse_locked
from .manifest import (
    MANIFEST_NAME,
    CorruptCollectionError,
    FileEntry,
    Manifest,
    read_manifest,
    sha256_of,
    verify_files,
)
from .vector_index import FileWriter

__all__ = ["read_folder", "refuse_foreign", "replacing_file", "sync_folder", "write_folder"]

T = TypeVar("T")

_GENERATION_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.g\d+-[0-9a-f]{12}(\.[A-Za-z0-9]+)?")
_ATTEMPTS = 5


def write_folder(
    folder: Path, *, contents: Mapping[str, Any], files: Mapping[str, FileWriter | bytes], as_writer: bool = False
) -> None:
    """Save `files` and a description of them into `folder`, all or nothing.

    Needs disk space for the old and the new files together.

    Parameters
    ----------
    folder : Path
        New, empty, or saved by this function before.
    contents : mapping
        JSON-able fields for the manifest.
    files : mapping
        Logical name (letters, digits, dot, dash, underscore) -> bytes, or a function that writes a path.
    as_writer : bool
        The caller holds the folder's `WriterLock`.

    Raises
    ------
    LockedError
        If another writer has the folder open.
    FileExistsError
        If `folder` is a file, or holds something else than a saved folder.
    CorruptCollectionError
        If what was saved there is damaged: it is not overwritten unasked.
    """
    refuse_foreign(folder)
    folder.mkdir(parents=True, exist_ok=True)
    sync_folder(folder.parent)
    generation = f"g{os.getpid()}-{secrets.token_hex(6)}"
    with folder_lock(folder) as locked:
        if not as_writer:
            refuse_locked(folder)
        before = _stored_names(folder)
        draft = folder / _stored_name(MANIFEST_NAME, generation)
        written: list[Path] = []
        try:
            entries = {}
            for name, content in files.items():
                path = folder / _stored_name(name, generation)
                written.append(path)
                entries[name] = _write_file(path, content)
            written.append(draft)
            _write_file(draft, Manifest(dict(contents), entries).to_bytes())
            sync_folder(folder)
            draft.replace(folder / MANIFEST_NAME)  # the commit: one atomic rename
        except BaseException:
            # subtle: an interrupt may come right after the rename; the files are then the ones that count
            committed = draft in written and not draft.exists()
            for path in [] if committed else written:
                path.unlink(missing_ok=True)
            raise
        sync_folder(folder)
        keep = {entry.stored for entry in entries.values()}
        for path in folder.iterdir():
            leftover = locked and _GENERATION_FILE.fullmatch(path.name) is not None
            if path.name not in keep and (leftover or path.name in before):
                path.unlink(missing_ok=True)


def read_folder(folder: Path, parse: Callable[[dict[str, Any], dict[str, Path]], T]) -> T:
    """Return ``parse(contents, {logical name: verified path})`` for a saved folder.

    If another process saves meanwhile, so that files go away under the reader, the new state is read instead.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    CorruptCollectionError
        If a file is missing, altered or foreign; the text names it.
    """
    for attempt in range(_ATTEMPTS):
        manifest = read_manifest(folder)
        try:
            return parse(manifest.contents, verify_files(folder, manifest))
        except (CorruptCollectionError, OSError):
            if attempt == _ATTEMPTS - 1 or read_manifest(folder) == manifest:
                raise
    raise CorruptCollectionError(f"{folder} is saved faster than it can be read; try again")  # pragma: no cover


def refuse_foreign(folder: Path) -> None:
    """Raise what `write_folder` would raise for this folder, before the work that leads up to a save.

    Raises
    ------
    FileExistsError
        If `folder` is a file, or holds something else than a saved folder.
    CorruptCollectionError
        If what was saved there is damaged.
    """
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file, and a folder is to be saved there; choose another path")
    if not folder.is_dir():
        return
    names = sorted(path.name for path in folder.iterdir())
    if MANIFEST_NAME in names:
        try:
            read_manifest(folder)
        except CorruptCollectionError as error:
            raise CorruptCollectionError(f"will not save over a folder that cannot be read: {error}") from None
        return
    foreign = [name for name in names if not _GENERATION_FILE.fullmatch(name)]
    if foreign:
        raise FileExistsError(
            f"{folder} holds other files ({foreign[0]!r}, {len(foreign)} in all) and no {MANIFEST_NAME}; "
            "choose a new or empty folder"
        )


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
        yield draft
        with draft.open("rb+") as stream:
            os.fsync(stream.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(path.parent)


def _stored_names(folder: Path) -> set[str]:
    if not (folder / MANIFEST_NAME).is_file():
        return set()
    return {entry.stored for entry in read_manifest(folder).files.values()}


def _stored_name(name: str, generation: str) -> str:
    pure = PurePath(name)
    stored = f"{pure.stem}.{generation}{pure.suffix}"
    if pure.name != name or not _GENERATION_FILE.fullmatch(stored):
        raise ValueError(
            f"{name!r} is no name for a file here: letters, digits, dot, dash and underscore, starting with a "
            "letter or digit"
        )
    return stored


def _write_file(path: Path, content: FileWriter | bytes) -> FileEntry:
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        content(path)
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())
    return FileEntry(path.name, path.stat().st_size, sha256_of(path))


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on the disk."""
    if os.name == "nt":  # Windows opens no folders, and renames are durable there without
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
