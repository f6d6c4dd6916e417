"""The manifest of a saved folder: what belongs to it, with size and checksum of every file.

``manifest.json`` is the commit point of a save: whatever it lists is the folder's content, whatever it does not list
is not. It carries a checksum of itself and must be, byte for byte, what this module writes.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = [
    "FORMAT_VERSION",
    "MANIFEST_NAME",
    "CorruptCollectionError",
    "FileEntry",
    "Manifest",
    "manifest_digest",
    "naming",
    "read_manifest",
    "sha256_of",
    "verify_files",
]

FORMAT_VERSION = 1
MANIFEST_NAME = "manifest.json"

_FORMAT = "interlingua-folder"
_WAY_OUT = "restore the folder from a copy, or build it again"
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_BLOCK = 1 << 20


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
        return _dump({**fields, "sha256": _digest(fields)})


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
    if checksum != _digest(fields) or raw != _dump({**fields, "sha256": checksum}):
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


_OWN_FIELDS = frozenset({"format", "format_version", "library_version"})


def _parse_entry(name: str, entry: Any) -> FileEntry:
    parsed = FileEntry(**entry)
    if not isinstance(parsed.size, int) or not isinstance(parsed.sha256, str):
        raise TypeError(f"the entry of {name!r} has fields of the wrong type")
    if not isinstance(parsed.stored, str) or not _FILE_NAME.fullmatch(parsed.stored):
        raise ValueError(f"the entry of {name!r} names {parsed.stored!r}, which is no plain file name")
    return parsed


def _dump(fields: Mapping[str, Any]) -> bytes:
    return (json.dumps(fields, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode()


def _digest(fields: Mapping[str, Any]) -> str:
    try:
        return hashlib.sha256(_dump(fields)).hexdigest()
    except ValueError:  # NaN, or a lone surrogate: nothing that was ever written
        return ""


def _library_version() -> str:
    try:
        return version("interlingua")
    except PackageNotFoundError:
        return "unknown"
