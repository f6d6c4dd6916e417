"""Look over a saved folder and name all that is wrong with it."""

from collections.abc import Callable, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from interlingua.index.engines.choose import load_index
from interlingua.index.folder import CorruptCollectionError, Manifest, manifest_digest, read_manifest, verify_files
from interlingua.index.milvus.collection import MilvusCollection

from .collection import Collection
from .journal import journal_path, read_journal, stale_journals
from .parts import CONTINUES

T = TypeVar("T")
_LOADERS: dict[str, Callable[[Path], Sized]] = {
    "collection": Collection.load,
    "milvus-collection": MilvusCollection.load,
}


@dataclass(frozen=True)
class Verification:
    """What a folder holds and what is wrong with it.

    Attributes
    ----------
    path : Path
    rows : int
        Vectors, the journal's changes included; 0 where they cannot be read.
    files : int
        Files that the manifest lists.
    changes : int
        Acknowledged changes in the journal.
    problems : tuple of str
        One sentence each, with the file's name and what can be done; empty for a sound folder.
    """

    path: Path
    rows: int
    files: int
    changes: int
    problems: tuple[str, ...]


def verify(path: str | Path) -> Verification:
    """Check every file of a saved collection or index, and read it; nothing is changed.

    Reads every byte twice. Takes as much memory as loading does. Rows that Milvus keeps are counted there.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    """
    folder, problems = Path(path), list[str]()
    manifest = _collect(problems, lambda: read_manifest(folder))
    if manifest is None:
        return Verification(folder, 0, 0, 0, tuple(problems))
    for name, entry in manifest.files.items():
        _collect(problems, lambda name=name, entry=entry: verify_files(folder, Manifest({}, {name: entry})))  # type: ignore[misc] # bound
    digest = manifest_digest(folder)
    changes = _collect(problems, lambda: sum(1 for _ in read_journal(folder, digest))) or 0
    saved = journal_path(folder, str(manifest.contents.get(CONTINUES, "")))
    problems += [
        f"{stale} continues an older save, and the present one may or may not hold its changes; open the folder with "
        "CollectionStore, which removes it, if that is meant"
        for stale in stale_journals(folder, digest)
        if stale != saved  # left by a writer that was killed before it could remove it
    ]
    rows = 0
    if not problems:
        load: Callable[[Path], Sized] = _LOADERS.get(manifest.contents["type"], load_index)
        loaded = _collect(problems, lambda: load(folder))
        rows = 0 if loaded is None else len(loaded)
    return Verification(folder, rows, len(manifest.files), changes, tuple(problems))


def _collect(problems: list[str], check: Callable[[], T]) -> T | None:
    try:
        return check()
    except (CorruptCollectionError, KeyError) as error:
        problems.append(str(error))
        return None
