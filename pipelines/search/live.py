"""A saved search that lives: one who changes it, whose changes are on the disk when the calls return, and readers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from interlingua.index import Collection, CollectionReader, CollectionStore
from interlingua.pipelines.encoders.base import Encoder
from interlingua.pipelines.stored import check_kind, encoder_of
from interlingua.pipelines.texts.passages import Passage

from .parts import parts_of
from .search import CrossLingualSearch
from .windows import said_in

Signature = tuple[tuple[str, int, int, int], ...]


class SearchStore:
    """One writer's hold on a saved search; what `upsert` and `remove` acknowledge survives a kill at any moment.

    Parameters
    ----------
    folder : str or Path
        What `CrossLingualSearch.save` wrote, not into Milvus.
    encoder : Encoder, str or Path, optional
        By default that of the folder.
    device, cache
        For an encoder that is loaded by name.

    Raises
    ------
    LockedError
        If another writer has it open.
    ValueError, FileNotFoundError
        As `CrossLingualSearch.load`.

    Examples
    --------
    ::

        with SearchStore("manuals") as store:
            store.upsert([Passage("sw-7", "Badilisha kichujio kila mwaka.", "sw")])  # on the disk when it returns
    """

    def __init__(
        self,
        folder: str | Path,
        encoder: Encoder | str | Path | None = None,
        *,
        device: str = "auto",
        cache: bool = True,
    ) -> None:
        check_kind(folder, "search")
        self._store = CollectionStore(folder)
        try:
            self.search = _search_over(self._store.collection, Path(folder), encoder, device=device, cache=cache)
        except BaseException:
            self._store.close()
            raise
        rows = self.search._ranked
        rows.store = self._store
        self._store.before_save = self._renew_attachments

    def _renew_attachments(self, collection: Collection) -> None:
        collection.attachments.update(self.search._ranked.attachments())
        if self.search.words is not None:
            collection.attachments.update(self.search.words.attachments(collection, said_in))

    def upsert(self, passages: Iterable[Passage]) -> None:
        """Add passages, each in place of the one with the same id; see `CrossLingualSearch.upsert`."""
        self.search.upsert(passages)

    def remove(self, ids: Sequence[str]) -> None:
        """Remove passages by id; `KeyError` if one is not there, and then nothing is removed."""
        self.search.remove(ids)

    def close(self) -> None:
        """Let other writers in; nothing needs to be saved."""
        self._store.close()

    def __enter__(self) -> SearchStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class SearchReader:
    """A saved search, open for reading, that follows what others write into its folder.

    Threads may share it. `current` looks for changes, at most once in `patience` seconds, and only at names, sizes and
    times of the folder's files where there are none.

    Parameters
    ----------
    folder : str or Path
        What `CrossLingualSearch.save` wrote, not into Milvus.
    encoder : Encoder, str or Path, optional
        By default that of the folder.
    patience : float
        Seconds for which a change may not be seen.

    Raises
    ------
    ValueError, FileNotFoundError
        As `CrossLingualSearch.load`.
    """

    def __init__(
        self, folder: str | Path, encoder: Encoder | str | Path | None = None, *, patience: float = 0.0
    ) -> None:
        self.folder, self.patience = Path(folder), patience
        self._lock = threading.Lock()
        self._signature, self._looked = signature(self.folder), time.monotonic()
        self._reader = CollectionReader(self.folder)
        self._search = _search_over(self._reader.collection, self.folder, encoder)

    def current(self, *, fresh: bool = False) -> CrossLingualSearch:
        """Return the search as it is now; `fresh` looks for changes whenever that was done last.

        Raises
        ------
        FileNotFoundError
            If the folder has gone.
        """
        if fresh or time.monotonic() - self._looked >= self.patience:
            with self._lock:
                self._look()
        return self._search

    def _look(self) -> None:
        seen = signature(self.folder)
        self._looked = time.monotonic()
        if seen == self._signature:
            return
        before = self._reader.collection
        if self._search._ranked.whole:
            self._reader.refresh()
        else:  # each r is beside its row: a change of both cannot be followed while others search
            self._reader = CollectionReader(self.folder)
        if self._reader.collection is not before:
            self._search = _search_over(self._reader.collection, self.folder, self._search.encoder)
        self._signature = seen


def signature(folder: Path) -> Signature:
    """Return what tells whether a folder has changed; `FileNotFoundError` if it is not there."""
    found = []
    for path in sorted(folder.iterdir()):
        try:
            about = path.stat()
        except FileNotFoundError:
            continue  # a writer has just put another in its place
        found.append((path.name, about.st_size, about.st_mtime_ns, about.st_ino))
    return tuple(found)


def _search_over(
    collection: Collection, folder: Path, encoder: Encoder | str | Path | None, **loading: Any
) -> CrossLingualSearch:
    parts, held = parts_of(collection, folder)
    return CrossLingualSearch.of_parts(parts, *encoder_of(folder, held.encoder, encoder, **loading))
