"""A folder on disk: written whole or not at all, read with every checksum verified, and held by one writer at a time.

``manifest.json`` is the commit point of a save: whatever it lists, with size and checksum, is the folder's content, and
whatever it does not list is not. It carries a checksum of itself and must be, byte for byte, what this module writes. A
save writes its files under fresh names beside those of the last one, puts them on disk (fsync), and only then
replaces ``manifest.json`` in one step (a rename). A process killed at any moment leaves the folder as it was before
or as it is after. Files that no manifest lists are leftovers of killed saves; the next save removes them.

Two processes that save into one folder do not mix: file names carry the process and a random number, and on POSIX the
second waits for the first (an advisory lock on the folder, which the system drops with the process). The last
manifest wins: what the first one saved is then replaced as a whole, not merged. Where the file system has no locks,
and on Windows, leftovers are kept, since they may belong to a save that is under way.

A writer that stays (`locked`, or a `CollectionStore`) holds a lock of its own, which the system drops with the process.
"""

import errno
import hashlib
import json
import os
import re
import secrets
import stat
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import Any, BinaryIO, Literal, TypeVar
from weakref import WeakSet

from .files import naming_write, sync_folder

FORMAT_VERSION = 1
MANIFEST_NAME = "manifest.json"

FileWriter = Callable[[Path], None]
"""Writes one file at the path it is given."""

_FORMAT = "interlingua-folder"
_WAY_OUT = "restore the folder from a copy, or build it again"
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_GENERATION_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.g\d+-[0-9a-f]{12}(\.[A-Za-z0-9]+)?")
_OWN_FIELDS = frozenset({"format", "format_version", "library_version"})
_BLOCK = 1 << 20
_READ_ATTEMPTS = 5
_LOCK_NAME = "writer.lock"
_GLANCE, _LOCK_PAUSE = 0.05, 0.01  # seconds: a save looks for a moment whether there is a writer

T = TypeVar("T")


class CorruptCollectionError(ValueError):
    """A saved folder cannot be trusted; the text names the file and says what to do."""


@dataclass(frozen=True)
class FileEntry:
    """One file of the folder: its name there, its size in bytes, its SHA-256 in hex."""

    stored: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a folder holds: `contents` describes it, `files` maps each logical name to the file stored."""

    contents: dict[str, Any]
    files: dict[str, FileEntry]

    def to_bytes(self) -> bytes:
        """Return the text of ``manifest.json``, its own checksum included."""
        fields: dict[str, Any] = {
            "format": _FORMAT,
            "format_version": FORMAT_VERSION,
            "library_version": _library_version(),
            **{key: value for key, value in self.contents.items() if key != "files"},
            "files": {name: asdict(entry) for name, entry in self.files.items()},
        }
        return _json_bytes({**fields, "sha256": _fields_digest(fields)})


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of `folder`, with every field checked; the files are not looked at.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    CorruptCollectionError
        If the manifest is missing, altered, foreign, or of another format version.
    """
    path = folder / MANIFEST_NAME
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder; save a collection there first, or mend the path")
    if not path.is_file():
        raise CorruptCollectionError(
            f"{path} is missing: nothing was saved here, or the first save was cut off; mend the path, or {_WAY_OUT}"
        )
    raw = path.read_bytes()
    try:
        fields = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise CorruptCollectionError(f"{path} is not readable as JSON ({error}); {_WAY_OUT}") from None
    if not isinstance(fields, dict) or fields.get("format") != _FORMAT:
        raise CorruptCollectionError(f"{path} is no manifest of interlingua; mend the path, or {_WAY_OUT}")
    found = fields.get("format_version")
    if found != FORMAT_VERSION or isinstance(found, bool):
        raise CorruptCollectionError(
            f"{path} has format_version {found!r}, and this version of interlingua reads {FORMAT_VERSION} only; "
            f"it was written by interlingua {fields.get('library_version')!r}: load it with that, or build it again"
        )
    checksum = fields.pop("sha256", None)
    if checksum != _fields_digest(fields) or raw != _json_bytes({**fields, "sha256": checksum}):
        raise CorruptCollectionError(f"{path} was altered after it was saved; {_WAY_OUT}")
    with naming(path):
        files = {name: _parse_entry(name, entry) for name, entry in fields.pop("files").items()}
    return Manifest({key: fields[key] for key in fields if key not in _OWN_FIELDS}, files)


def manifest_digest(folder: Path) -> str:
    """Return the SHA-256 of the bytes of the folder's manifest, in hex; no two saves have the same."""
    return sha256_of(folder / MANIFEST_NAME)


def verify_files(folder: Path, manifest: Manifest) -> dict[str, Path]:
    """Return logical name -> path of every file, after comparing size and SHA-256.

    Reads every byte once, in blocks of 1 MiB.

    Raises
    ------
    CorruptCollectionError
        If a file is missing, or not the one that was saved.
    """
    paths = {}
    for name, entry in manifest.files.items():
        path = folder / entry.stored
        if not path.is_file():
            raise CorruptCollectionError(f"{path} is missing, and {MANIFEST_NAME} lists it; {_WAY_OUT}")
        size = path.stat().st_size
        if size != entry.size:
            raise CorruptCollectionError(f"{path} has {size} bytes instead of {entry.size}; {_WAY_OUT}")
        if sha256_of(path) != entry.sha256:
            raise CorruptCollectionError(
                f"{path} was altered after it was saved (its SHA-256 is not the one in {MANIFEST_NAME}); {_WAY_OUT}"
            )
        paths[name] = path
    return paths


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hex, read in blocks of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def open_own(path: Path, mode: Literal["rb", "r+b"]) -> BinaryIO:
    """Open a file of a folder, unbuffered; no link is followed, and "r+b" makes it where there is none.

    A folder may come from anywhere: written through a link in it, a file elsewhere would be destroyed, and a pipe would
    be waited for.

    Raises
    ------
    CorruptCollectionError
        If it is a link or no ordinary file.
    """
    flags = os.O_RDONLY if mode == "rb" else os.O_RDWR | os.O_CREAT
    refused = path.is_symlink()
    if not refused:
        flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        try:
            file = os.fdopen(os.open(path, flags, 0o666), mode, buffering=0)
        except OSError as error:
            # a link made since, a folder, a socket
            if error.errno not in (errno.ELOOP, errno.EMLINK, errno.EISDIR, errno.ENXIO):
                raise
            refused = True
        else:
            refused = not stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            if refused:
                file.close()
    if refused:
        raise CorruptCollectionError(
            f"{path} is a link or no ordinary file, and a folder's own files are nothing else; remove it, or {_WAY_OUT}"
        )
    return file


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong while `path` is parsed into a `CorruptCollectionError` that names it."""
    try:
        yield
    except CorruptCollectionError:
        raise
    except (ValueError, TypeError, LookupError, AttributeError, RuntimeError, EOFError) as error:
        reason = f"the field {error} is missing" if isinstance(error, KeyError) else error
        raise CorruptCollectionError(f"{path} cannot be used: {reason}; {_WAY_OUT}") from error


def _parse_entry(name: str, entry: Any) -> FileEntry:
    parsed = FileEntry(**entry)
    if not isinstance(parsed.size, int) or not isinstance(parsed.sha256, str):
        raise TypeError(f"the entry of {name!r} has fields of the wrong type")
    if not isinstance(parsed.stored, str) or not _FILE_NAME.fullmatch(parsed.stored):
        raise ValueError(f"the entry of {name!r} names {parsed.stored!r}, which is no plain file name")
    return parsed


def _json_bytes(fields: Mapping[str, Any]) -> bytes:
    return (json.dumps(fields, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode()


def _fields_digest(fields: Mapping[str, Any]) -> str:
    try:
        return hashlib.sha256(_json_bytes(fields)).hexdigest()
    except ValueError:  # NaN, or a lone surrogate: nothing that was ever written
        return ""


def _library_version() -> str:
    try:
        return version("interlingua")
    except PackageNotFoundError:
        return "unknown"


class LockedError(RuntimeError):
    """Another process, or another part of this one, has the folder open for writing."""


class WriterLock:
    """Hold a folder for writing until `close`, or until the process ends.

    An advisory lock on the file ``writer.lock``, which stays and holds nothing. Where the system has none (Windows,
    some network file systems) two writers are not kept apart. A save that is under way ends first. A process that is
    forked off does not hold it.

    Parameters
    ----------
    folder : Path
    patience : float
        Seconds to wait for another writer.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    LockedError
        If it is held already, other than by a block of this thread, see `held`.
    CorruptCollectionError
        If ``writer.lock`` is a link or no ordinary file.
    """

    def __init__(self, folder: Path, *, patience: float = 0.0) -> None:
        if not folder.is_dir():
            raise FileNotFoundError(f"{folder} is no folder; make it with CollectionStore.create, or mend the path")
        self._folder = folder.resolve()
        outer = _held(folder)
        # subtle: a copy of a descriptor has its lock as well, which lasts until both are closed
        self._file: BinaryIO = open_own(folder / _LOCK_NAME, "r+b") if outer is None else outer._copy()
        _LOCKS.add(self)
        end = time.monotonic() + max(patience, _GLANCE)
        while not _lock(self._file):
            if time.monotonic() > end:
                self._file.close()
                raise LockedError(_held_elsewhere(folder))
            time.sleep(_LOCK_PAUSE)
        with folder_lock(folder):  # a save that began before waits for nobody: let it end
            pass

    @property
    def closed(self) -> bool:
        """Whether the lock was given up."""
        return self._file.closed

    def close(self) -> None:
        """Let others write."""
        self._file.close()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let this thread save into the folder inside the block, and lock it again."""
        before = _HELD.set({**_HELD.get(), self._folder: self})
        try:
            yield
        finally:
            _HELD.reset(before)

    def _copy(self) -> BinaryIO:
        return os.fdopen(os.dup(self._file.fileno()), "r+b", buffering=0)


_LOCKS: WeakSet[WriterLock] = WeakSet()


def _leave_to_parent() -> None:
    """Close a forked process's copies of locks: one that is left open has the lock as well."""
    for lock in list(_LOCKS):
        lock.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)

# The folders that this thread may save into.
_HELD: ContextVar[Mapping[Path, WriterLock]] = ContextVar("held", default=MappingProxyType({}))


@contextmanager
def locked(folder: Path, *, patience: float = 0.0) -> Iterator[None]:
    """Hold a saved folder inside the block, so that nobody saves between what is read there and what is saved.

    This thread may save inside the block with `write_folder` and all that calls it (`Collection.save`, `save_index`),
    open a `CollectionStore`, and enter such a block again. Everybody may read; others who write are refused.

    Parameters
    ----------
    folder : Path
        It must be there.
    patience : float
        Seconds to wait for another writer.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    LockedError
        If another thread or process holds it for longer.

    Examples
    --------
    >>> import tempfile
    >>> from interlingua.index import Collection
    >>> folder = Path(tempfile.mkdtemp()) / "words"
    >>> Collection.create(2).save(folder)
    >>> with locked(folder):
    ...     collection = Collection.load(folder)
    ...     collection.add(["hujambo"], [[1.0, 0.1]])
    ...     collection.save(folder)
    """
    lock = WriterLock(folder, patience=patience)
    try:
        with lock.held():
            yield
    finally:
        lock.close()


def is_held(folder: Path) -> bool:
    """Return whether this thread is in a block that holds the folder: it alone writes there."""
    return _held(folder) is not None


def _held(folder: Path) -> WriterLock | None:
    """Return the lock of a block of this thread, other than one that it was in before a fork."""
    lock = _HELD.get().get(folder.resolve())
    return None if lock is None or lock.closed else lock


def refuse_locked(folder: Path) -> None:
    """Raise `LockedError` if a writer holds the folder.

    Called while the folder's lock of saves is held: a writer that comes later waits for that.
    """
    path = folder / _LOCK_NAME
    if os.path.lexists(path):
        with open_own(path, "rb") as file:
            if not _lock(file):
                raise LockedError(_held_elsewhere(folder))


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


def _held_elsewhere(folder: Path) -> str:
    return f"{folder} is open for writing elsewhere; close that writer (Collection.load reads meanwhile)"


def write_folder(
    folder: Path,
    *,
    contents: Mapping[str, Any],
    files: Mapping[str, FileWriter | bytes],
    before: Callable[[], None] = lambda: None,
) -> str:
    """Save `files` and a description of them into `folder`, all or nothing, and return its `manifest_digest`.

    Needs disk space for the old and the new files together.

    Parameters
    ----------
    folder : Path
        New, empty, or saved by this function before.
    contents : mapping
        JSON-able fields for the manifest.
    files : mapping
        Logical name (letters, digits, dot, dash, underscore) -> bytes, or a function that writes a path.
    before : callable
        Called when nobody else can save there any more; what it raises ends the save before anything is written.

    Raises
    ------
    LockedError
        If a writer has the folder open, other than a block of this thread (`locked`).
    FileExistsError
        If `folder` is a file, or holds something else than a saved folder.
    CorruptCollectionError
        If what was saved there is damaged: it is not overwritten unasked.
    """
    refuse_foreign(folder)
    fresh = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    sync_folder(folder.parent)
    generation = f"g{os.getpid()}-{secrets.token_hex(6)}"
    with folder_lock(folder) as locked:
        if not is_held(folder):
            refuse_locked(folder)
        before()
        stored = _stored_names(folder)
        draft = folder / _stored_name(MANIFEST_NAME, generation)
        written: list[Path] = []
        try:
            entries = {}
            for name, content in files.items():
                path = folder / _stored_name(name, generation)
                written.append(path)
                entries[name] = _write_file(path, content)
            written.append(draft)
            manifest = Manifest(dict(contents), entries).to_bytes()
            _write_file(draft, manifest)
            sync_folder(folder)
            draft.replace(folder / MANIFEST_NAME)  # the commit: one atomic rename
        except BaseException:
            # subtle: an interrupt may come right after the rename; the files are then the ones that count
            committed = draft in written and not draft.exists()
            for path in [] if committed else written:
                path.unlink(missing_ok=True)
            if fresh and not any(folder.iterdir()):
                folder.rmdir()
            raise
        sync_folder(folder)
        keep = {entry.stored for entry in entries.values()}
        for path in folder.iterdir():
            leftover = locked and _GENERATION_FILE.fullmatch(path.name) is not None
            if path.name not in keep and (leftover or path.name in stored):
                path.unlink(missing_ok=True)
        return hashlib.sha256(manifest).hexdigest()


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
    for attempt in range(_READ_ATTEMPTS):
        manifest = read_manifest(folder)
        try:
            return parse(manifest.contents, verify_files(folder, manifest))
        except (CorruptCollectionError, OSError):
            if attempt == _READ_ATTEMPTS - 1 or read_manifest(folder) == manifest:
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
    with naming_write(path):
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            content(path)
        with path.open("rb+") as stream:
            os.fsync(stream.fileno())
    return FileEntry(path.name, path.stat().st_size, sha256_of(path))
