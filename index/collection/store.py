"""A saved collection that lives: one writer, whose changes are on disk when its calls return, and readers."""

import os
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from numpy.typing import ArrayLike

from interlingua.index.engines.base import CollectionResult, UnsupportedOperation, check_rows, is_nothing
from interlingua.index.folder import (
    MANIFEST_NAME,
    CorruptCollectionError,
    LockedError,
    WriterLock,
    manifest_digest,
    read_manifest,
    refuse_foreign,
)

from .collection import Collection, Origin
from .filters import Where
from .journal import Change, Journal, stale_journals


class CollectionStore:
    """One writer's hold on a saved collection; what it acknowledges survives a kill at any moment.

    `add`, `upsert` and `remove` write the change to a journal beside the saved files, wait for the disk, and then
    change the collection in memory. `checkpoint` saves the whole collection and starts an empty journal; a store does
    so by itself when the journal has outgrown the saved files and `checkpoint_bytes`. Readers call `Collection.load`,
    as many as like and at any time: they see the last save and the journal up to then.

    One change costs one fsync (some milliseconds on a disk): add many rows at once.

    Threads may share a store: changes go in one after the other, and searches go on meanwhile, each in the state before
    or after a change (`Collection`). A process that is forked off can search its copy; to write, it opens the folder
    itself when this store is closed.

    Parameters
    ----------
    path : str or Path
        A folder that `Collection.save` wrote. `create` makes a new one.
    threads : int, optional
        For FAISS, see `FaissFlatConfig`.
    checkpoint_bytes : int
        The smallest journal that is worth a save.
    before_save : callable, optional
        Called with the collection before each save, to bring its attributes and attachments up to date.
    collection : Collection, optional
        What was loaded from this folder, or saved there: it is brought up to date and gone on with, at the cost of the
        changes since, instead of all being read anew.

    Raises
    ------
    LockedError
        If another writer has it open, or `collection` is not of the folder as it was saved last.
    UnsupportedOperation
        If the vectors are with Milvus.
    CorruptCollectionError
        If a file is missing, altered or foreign; the text names it.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp()) / "words"
    >>> with CollectionStore.create(folder, Collection.create(2)) as store:
    ...     store.add(["hujambo", "ni hao"], [[1.0, 0.1], [0.9, 0.3]])
    >>> len(Collection.load(folder))
    2
    """

    def __init__(
        self,
        path: str | Path,
        *,
        threads: int | None = None,
        checkpoint_bytes: int = 1 << 26,
        before_save: Callable[[Collection], None] | None = None,
        collection: Collection | None = None,
    ) -> None:
        self.path = Path(path)
        self.before_save = before_save
        self._checkpoint_bytes = checkpoint_bytes
        if self.path.is_dir():
            read_manifest(self.path)  # the lock would leave its file where something else lies
        self._lock = WriterLock(self.path)
        self._changes, self._process = threading.RLock(), os.getpid()
        try:
            self.collection = self._opened(collection, threads)
            manifest = self.collection.origins[self.path.resolve()].manifest
            for stale in stale_journals(self.path, manifest):
                stale.unlink()
            self._journal = Journal(self.path, manifest)
            self._manifest = manifest
        except BaseException:
            self._lock.close()
            raise

    def _opened(self, collection: Collection | None, threads: int | None) -> Collection:
        """Return the folder's collection as it is now."""
        if collection is None:
            return _local(Collection.load(self.path, threads=threads))
        origin = collection.origins.get(self.path.resolve())
        if origin is None or origin.place is None or origin.manifest != manifest_digest(self.path):
            raise LockedError(f"{self.path} was saved by someone else since it was loaded; load it again")
        _local(collection).follow(self.path)
        return collection

    @classmethod
    def create(cls, path: str | Path, collection: Collection, *, checkpoint_bytes: int = 1 << 26) -> "CollectionStore":
        """Save a collection into a new folder and open it.

        Raises
        ------
        FileExistsError
            If there is something at `path` already.
        """
        folder = Path(path)
        _local(collection)
        refuse_foreign(folder)
        if (folder / MANIFEST_NAME).exists():
            raise FileExistsError(f"{folder} holds a collection already; open it with CollectionStore({str(path)!r})")
        collection.save(folder)
        return cls(folder, checkpoint_bytes=checkpoint_bytes)

    def __len__(self) -> int:
        return len(self.collection)

    def add(self, ids: Sequence[str], vectors: ArrayLike, metadata: Sequence[Mapping[str, Any]] | None = None) -> None:
        """Add rows, as `Collection.add`; on disk when the call returns."""
        self._put("add", ids, vectors, metadata)

    def upsert(
        self, ids: Sequence[str], vectors: ArrayLike, metadata: Sequence[Mapping[str, Any]] | None = None
    ) -> None:
        """Add rows or replace those of the same ids, as `Collection.upsert`; on disk when the call returns."""
        self._put("upsert", ids, vectors, metadata)

    def remove(self, ids: Sequence[str]) -> None:
        """Remove rows by id, as `Collection.remove`; on disk when the call returns."""
        names = [str(id) for id in ([ids] if isinstance(ids, str) else ids)]
        with self._alone():
            self.collection.numbers_of(names)  # refuses unknown ones before anything is written
            if names:
                self._write(Change("remove", tuple(names)))

    def search(
        self, queries: ArrayLike, k: int = 10, *, where: Where | None = None, languages: Iterable[str] | None = None
    ) -> CollectionResult:
        """Return the k best rows for each query; see `Collection.search`."""
        return self.collection.search(queries, k, where=where, languages=languages)

    def checkpoint(self) -> None:
        """Save the whole collection and start an empty journal; a kill leaves the old state and its journal."""
        with self._alone():
            self._save(self.collection)

    def replace(self, collection: Collection) -> None:
        """Save another collection in the place of this one, whole or not at all, and go on with it."""
        with self._alone():
            _local(collection).origins[self.path.resolve()] = self.collection.origins[self.path.resolve()]
            self._save(collection)
            self.collection = collection

    def compact(self) -> None:
        """Drop removed vectors from the index for good, and save."""
        with self._alone():
            self.collection.compact()
            self.checkpoint()

    def snapshot(self, path: str | Path) -> None:
        """Save the present state into another folder; to restore it, open that folder or copy it back."""
        with self._alone():
            _save_anew(self.collection, Path(path), "choose a new folder for the snapshot")

    def close(self) -> None:
        """Let other writers in, after a change that is under way; nothing needs to be saved."""
        if self._process != os.getpid():
            return  # the parent's lock was left at the fork
        with self._changes:
            self._journal.close()
            self._lock.close()

    def __enter__(self) -> "CollectionStore":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _put(
        self, operation: str, ids: Sequence[str], vectors: ArrayLike, metadata: Sequence[Mapping[str, Any]] | None
    ) -> None:
        with self._alone():
            names, rows = self.collection.check(ids, metadata, replace=operation == "upsert")
            if is_nothing(names, vectors):
                return
            checked = check_rows(names, vectors, self.collection.dimension, self.collection.metric)
            self._write(Change(operation, tuple(names), checked, rows))

    def _write(self, change: Change) -> None:
        if manifest_digest(self.path) != self._manifest:
            raise LockedError(f"{self.path} was saved by someone else meanwhile; open it again")
        start = len(self._journal)
        place = self._journal.append(change)
        try:
            self.collection.apply(change)
            self.collection.origins[self.path.resolve()] = Origin(self._manifest, place)
        except BaseException:
            self._journal.undo(start)  # the collection is as it was, and so must be what is on the disk
            raise
        if len(self._journal) > max(self._checkpoint_bytes, _saved_bytes(self.path)):
            try:
                self.checkpoint()
            except OSError as error:  # the change itself is safe in the journal
                warnings.warn(f"{self.path} could not be saved, and its journal grows: {error}", stacklevel=4)

    def _save(self, collection: Collection) -> None:
        with self._lock.held():
            if self.before_save is not None:
                self.before_save(collection)
            collection.save(self.path)
        manifest = collection.origins[self.path.resolve()].manifest
        fresh = Journal(self.path, manifest)
        self._journal.close()
        self._journal, self._manifest = fresh, manifest
        for stale in stale_journals(self.path, manifest):
            stale.unlink()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let no other thread change anything inside the block; refuse what cannot write here."""
        if self._process != os.getpid():  # subtle: before the lock, which a thread of the parent may have held
            raise LockedError(
                f"this store of {self.path} was opened by process {self._process}, which this one was forked off; open "
                "the folder here, after the other has closed it (reading needs no lock: Collection.load)"
            )
        with self._changes:
            if self._lock.closed:
                raise ValueError(f"this store of {self.path} is closed; open it again")
            yield


def restore(snapshot: str | Path, path: str | Path) -> None:
    """Write what a snapshot holds to a new place, whole or not at all, after every checksum was verified."""
    _save_anew(Collection.load(snapshot), Path(path), "choose a new folder, or remove it first")


def _save_anew(collection: Collection, folder: Path, way_out: str) -> None:
    """Save into a folder that is not there; if that fails, it still is not, and the call can be repeated."""
    if folder.exists():
        raise FileExistsError(f"{folder} is there already; {way_out}")
    try:
        collection.save(folder)
    except BaseException:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
        raise


def _local(collection: Collection) -> Collection:
    if collection.index.spec.kind == "milvus":
        raise UnsupportedOperation(
            "Milvus keeps its vectors itself, and a journal or a snapshot beside them would disagree; use Collection"
        )
    return collection


def _saved_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir() if not path.name.startswith("journal-"))


class CollectionReader:
    """A saved collection, open for reading; `refresh` brings in what a writer has acknowledged meanwhile.

    A refresh costs what the changes cost, not what the collection does; only after a save is it read anew. Any number
    of readers, in any number of processes, may follow one `CollectionStore`; each sees whole changes, in their order.
    Threads may share a reader, and one may refresh it while others search; take `collection` once for what belongs
    together.

    Parameters
    ----------
    path : str or Path
        A folder that `Collection.save` or `CollectionStore` wrote.
    threads : int, optional
        For FAISS, see `FaissFlatConfig`.

    Raises
    ------
    FileNotFoundError, CorruptCollectionError
        As `Collection.load`.

    Examples
    --------
    >>> import tempfile
    >>> from interlingua.index import CollectionStore
    >>> folder = Path(tempfile.mkdtemp()) / "words"
    >>> store = CollectionStore.create(folder, Collection.create(2))
    >>> reader = CollectionReader(folder)
    >>> store.add(["hujambo", "ni hao"], [[1.0, 0.1], [0.9, 0.3]])
    >>> len(reader.collection), reader.refresh(), len(reader.collection)
    (0, True, 2)
    >>> store.close()
    """

    def __init__(self, path: str | Path, *, threads: int | None = None) -> None:
        self.path = Path(path)
        self._threads = threads
        self._refreshing = threading.Lock()
        self.collection = self._load()

    def refresh(self) -> bool:
        """Bring `collection` up to date and return whether there was anything new.

        After a save by a writer `collection` is another object.

        Raises
        ------
        CorruptCollectionError
            If a file is damaged; `collection` is then as of some change before that.
        """
        with self._refreshing:
            before = self._origin()
            if manifest_digest(self.path) == before.manifest:
                try:
                    return self.collection.follow(self.path)
                except (CorruptCollectionError, OSError):
                    pass  # subtle: a save has removed the journal, or the writer taken back what the disk did not take
            self.collection = self._load()
            return self._origin() != before

    def _origin(self) -> Origin:
        return self.collection.origins[self.path.resolve()]

    def _load(self) -> Collection:
        return Collection.load(self.path, threads=self._threads)
