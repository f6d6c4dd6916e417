"""Vectors with string ids and metadata: what people add to, search, save and load."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, repeat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interlingua.index.engines.base import (
    Batch,
    CollectionResult,
    Metric,
    SearchResult,
    UnsupportedOperation,
    VectorIndex,
    check_k,
    is_nothing,
)
from interlingua.index.engines.choose import create_index, spec_to_json
from interlingua.index.engines.config import FaissConfig
from interlingua.index.engines.faiss import FaissIndex
from interlingua.index.exchange import Outgoing, gather, open_arrow, open_parquet
from interlingua.index.folder import MANIFEST_NAME, CorruptCollectionError, LockedError, manifest_digest
from interlingua.index.threads import SharedLock

from .filters import Where, matching_batches, matching_rows, merge_languages
from .journal import Change, Place, journal_path, read_on
from .metadata import MetadataTable, check_json
from .parts import Parts, read_parts, settled, write_parts


@dataclass(frozen=True)
class Origin:
    """Which state of a folder a collection was loaded from, or saved as.

    Attributes
    ----------
    manifest : str
        SHA-256 of the folder's manifest.
    place : Place or None
        How much of the journal it has; None where the journal was left aside.
    """

    manifest: str
    place: Place | None = field(default_factory=Place)


class Collection:
    """Vectors under string ids with metadata, searched with filters, saved into a folder.

    A failing call leaves the collection exactly as it was. Memory is that of the index and of `MetadataTable`.

    Threads may share a collection. Those that read go on beside each other; one that changes it waits for them and has
    it alone, so that each answer is of the state before or after a change. What takes several calls is of one state
    inside ``with collection.lock.reading``. A forked process may go on with its copy, which is its own; a copy of what
    another thread was changing at the fork is refused (`RuntimeError`).

    Attributes
    ----------
    attributes : dict
        JSON-able facts of the user's own that are saved with the collection, such as the encoder's identity.
    attachments : dict of bytes
        Files of the user's own that are saved with it, under names of letters, digits, dots, dashes and underscores;
        `array_to_bytes` makes one of an array.
    lock : SharedLock
        ``reading``, ``keeping`` and ``writing``; a thread that reads cannot change the collection.
    origins : dict of Path to Origin
        The folders that it was loaded from or saved to, as it was then.

    Examples
    --------
    >>> collection = Collection.create(2)
    >>> collection.add(["hujambo", "ni hao"], [[1.0, 0.1], [0.9, 0.3]], [{"language": "sw"}, {"language": "zh"}])
    >>> collection.search([[1.0, 0.0]], k=1)[0][0].id
    'hujambo'
    >>> collection.search([[1.0, 0.0]], k=5, languages=["zh"]).ids
    (('ni hao',),)
    """

    def __init__(self, index: VectorIndex, table: MetadataTable | None = None) -> None:
        self._index = index
        self._table = MetadataTable() if table is None else table
        if len(self._index) != len(self._table):
            raise ValueError(
                f"index and metadata differ in length ({len(self._index)} vs {len(self._table)}); "
                "start from an empty index and use add"
            )
        self.attributes: dict[str, Any] = {}
        self.attachments: dict[str, bytes] = {}
        self.lock = SharedLock()
        self.origins: dict[Path, Origin] = {}

    @classmethod
    def create(
        cls,
        dimension: int,
        metric: Metric | str = Metric.COSINE,
        kind: str = "flat",
        config: FaissConfig | Mapping[str, Any] | None = None,
    ) -> "Collection":
        """Return an empty collection; the arguments are those of `create_index`."""
        return cls(create_index(kind, dimension, metric, config))

    @property
    def dimension(self) -> int:
        """Length of each vector."""
        return self._index.dimension

    @property
    def metric(self) -> Metric:
        """How vectors are compared."""
        return self._index.metric

    @property
    def index(self) -> VectorIndex:
        """The index beneath; read it, but add and remove through the collection."""
        return self._index

    @property
    def ids(self) -> tuple[str, ...]:
        """All ids, in the order of adding (an upserted row counts as added last); O(n)."""
        with self.lock.reading:
            return tuple(self._table.ids)

    @property
    def numbers(self) -> NDArray[np.int64]:
        """A number for each of `ids`, ascending: it stays a row's own, and no later row of the collection gets it."""
        with self.lock.reading:
            return self._table.numbers_where(np.ones(len(self), dtype=bool))

    @property
    def state(self) -> tuple[int, int]:
        """Two numbers that are others after any change of the rows."""
        with self.lock.reading:
            return self._table.state

    @property
    def info(self) -> dict[str, Any]:
        """What the collection is: kind, dimension, metric, config, count, fields, attributes, attachments."""
        with self.lock.reading:
            return {
                **spec_to_json(self._index.spec),
                "count": len(self),
                "fields": list(self._table.fields),
                "attributes": check_json(self.attributes, "attributes"),
                "attachments": {name: len(content) for name, content in self.attachments.items()},
            }

    def __len__(self) -> int:
        with self.lock.reading:
            return len(self._table)

    def __contains__(self, id: object) -> bool:
        with self.lock.reading:
            return id in self._table

    def __iter__(self) -> Iterator[str]:
        return iter(self.ids)

    def check(
        self, ids: Sequence[str], metadata: Sequence[Mapping[str, Any]] | None = None, *, replace: bool = False
    ) -> tuple[list[str], list[dict[str, Any]]]:
        """Return ids and metadata as `add` (or, with `replace`, `upsert`) would take them, or raise what it would."""
        ids = ids if isinstance(ids, str) else list(ids)
        with self.lock.reading:
            rows = self._table.check(ids, metadata, replace=replace)
        return [str(id) for id in ids], rows  # NumPy's strings become Python's

    def add(self, ids: Sequence[str], vectors: ArrayLike, metadata: Sequence[Mapping[str, Any]] | None = None) -> None:
        """Add rows.

        Parameters
        ----------
        ids : n strings
            New and distinct.
        vectors : (n, d) array
        metadata : n dictionaries, optional
            JSON-able; copied.

        Raises
        ------
        ValueError, TypeError
            If an id is there already, repeats or is no string, or vectors or metadata cannot be kept.
        """
        self._put(ids, vectors, metadata, replace=False)

    def upsert(
        self, ids: Sequence[str], vectors: ArrayLike, metadata: Sequence[Mapping[str, Any]] | None = None
    ) -> None:
        """Add rows, each in place of the row of the same id if there is one; metadata is replaced, not merged."""
        self._put(ids, vectors, metadata, replace=True)

    def remove(self, ids: Sequence[str]) -> None:
        """Remove rows by id.

        Raises
        ------
        KeyError
            If an id is not in the collection; then nothing is removed.
        """
        ids = ids if isinstance(ids, str) else list(ids)
        with self.lock.writing:
            numbers = np.unique(self._table.numbers(ids))
            if len(numbers):
                self._index.remove(numbers)
                self._table.remove(numbers)

    def compact(self) -> None:
        """Drop removed vectors from the index for good, where its kind keeps them; `Collection.save` then does not."""
        if isinstance(self._index, FaissIndex):
            with self.lock.writing:
                self._index.compact()

    def get(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """Return a copy of each row's metadata; `KeyError` if an id is not in the collection."""
        with self.lock.reading:
            return self._table.metadata(self._table.rows(ids))

    def numbers_of(self, ids: Iterable[str]) -> NDArray[np.int64]:
        """Return the number of each row, see `numbers`; `KeyError` if an id is not in the collection."""
        with self.lock.reading:
            return self._table.numbers(ids)

    def numbers_where(
        self, where: Where | None = None, languages: Iterable[str] | None = None
    ) -> NDArray[np.int64] | None:
        """Return the numbers of the rows that pass a filter, ascending, or None where all do; see `search`."""
        with self.lock.reading:
            return matching_rows(self._table, merge_languages(where, languages))

    def counts(self, field: str) -> list[tuple[Any, int]]:
        """Return the distinct values of a metadata field, each with the number of its rows, most first.

        From the field's column: no row's metadata is copied. Rows without the field are not counted.
        """
        with self.lock.reading:
            if field not in self._table.fields:
                return []
            return self._table.counts(field)

    def vectors(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """Return the stored vectors (n, d), of unit length for `cosine`; `KeyError` if an id is unknown."""
        with self.lock.reading:
            return self._index.reconstruct(self._table.numbers(ids))

    def search(
        self,
        queries: ArrayLike,
        k: int = 10,
        *,
        where: Where | None = None,
        languages: Iterable[str] | None = None,
    ) -> CollectionResult:
        """Return the k best rows for each query.

        Parameters
        ----------
        queries : (n, d) array
        k : int
            At least 1; fewer rows are returned where fewer pass the filter.
        where : mapping or filter, optional
            Field -> wanted value or list of them: all of the fields, any of the values; or a tree of `Eq`, `In`,
            `Range`, `And`, `Or` and `Not`; see `matching_rows`.
        languages : iterable of str, optional
            Short for ``where={"language": [...]}``, besides what else `where` asks.

        Raises
        ------
        ValueError
            If queries, k or the filter are not as above, or the filter names a field that no row has.
        """
        with self.lock.reading:
            allowed = matching_rows(self._table, merge_languages(where, languages))
            # subtle: an index pads its answer to k columns; a huge k would cost memory for slots that nothing can fill
            found = self._index.search(queries, min(check_k(k), max(len(self), 1)), allowed=allowed)
            return self.result_of(found)

    def result_of(self, found: SearchResult) -> CollectionResult:
        """Return what `index` found as rows: their string ids, and their metadata once it is asked for."""
        with self.lock.reading:
            numbers, width = found.ids.ravel(), found.ids.shape[1]
            whole = not numbers.size or numbers.min() >= 0
            rows = self._table.rows_of(numbers if whole else numbers[numbers >= 0])
            names, read = list(map(self._table.ids.__getitem__, rows.tolist())), self._table.reader(rows)
        ids = iter(names)
        lengths = repeat(width, len(found.ids)) if whole else np.count_nonzero(found.ids >= 0, axis=1).tolist()
        parts = tuple([tuple(islice(ids, length)) for length in lengths])
        return CollectionResult.deferred(parts, found.scores, read, found.metric)

    def batches(self, size: int = 1024, *, where: Where | None = None) -> Iterator[Batch]:
        """Yield ids, vectors and metadata of the rows that pass `where`, `size` at a time, in the order of `ids`.

        Raises
        ------
        RuntimeError
            If the collection is changed before the end.
        """
        walked = matching_batches(self._table, size, where)
        while True:
            with self.lock.reading:  # and not beyond the batch: who asks for it may never ask for the next
                if (numbers := next(walked, None)) is None:
                    return
                rows = self._table.rows_of(numbers)
                ids = tuple(self._table.ids[row] for row in rows.tolist())
                batch = Batch(ids, self._index.reconstruct(numbers), self._table.metadata(rows))
            yield batch

    def to_arrow(self, *, where: Where | None = None, id: str = "id", vector: str = "vector") -> Any:
        """Return a `pyarrow.Table` of the rows that pass `where`, as `interlingua.index.exchange` describes it."""
        with self.lock.keeping:
            return Outgoing(collection=self, table=self._table, where=where, id=id, vector=vector).to_arrow()

    def to_parquet(
        self,
        path: str | Path,
        *,
        where: Where | None = None,
        id: str = "id",
        vector: str = "vector",
        batch_size: int = 16_384,
    ) -> int:
        """Write the rows that pass `where` into a Parquet file, whole or not at all, and return how many they are.

        Parameters
        ----------
        path : str or Path
        where : mapping or filter, optional
            As in `search`.
        id : str
            Call the column of ids so.
        vector : str
            Call the column of vectors so; the others are named as the metadata fields are.
        batch_size : int
            Rows a row group, and rows in memory at a time.

        Raises
        ------
        ValueError
            If a metadata field has the name of the column of ids or vectors.
        ImportError
            If pyarrow is not installed (the extra ``parquet``).
        """
        rows = Outgoing(collection=self, table=self._table, where=where, id=id, vector=vector)
        with self.lock.keeping:
            return rows.to_parquet(Path(path), check_k(batch_size))

    @classmethod
    def from_arrow(
        cls,
        source: Any,
        *,
        id: str | None = None,
        vector: str | None = None,
        columns: Sequence[str] | None = None,
        metric: Metric | str | None = None,
        kind: str | None = None,
        config: FaissConfig | Mapping[str, Any] | None = None,
        batch_size: int = 4096,
    ) -> "Collection":
        """Return a collection of the rows of a pyarrow table, or of what gives an Arrow stream; see `from_parquet`."""
        rows = open_arrow(source, id=id, vector=vector, columns=columns, batch_size=check_k(batch_size))
        return gather(rows, cls.create, metric=metric, kind=kind, config=config)

    @classmethod
    def from_parquet(
        cls,
        path: str | Path,
        *,
        id: str | None = None,
        vector: str | None = None,
        columns: Sequence[str] | None = None,
        metric: Metric | str | None = None,
        kind: str | None = None,
        config: FaissConfig | Mapping[str, Any] | None = None,
        batch_size: int = 4096,
    ) -> "Collection":
        """Return a collection of the rows of a Parquet file: one of `to_parquet`, or of any other program.

        Parameters
        ----------
        path : str or Path
        id : str, optional
            The column of ids, texts or whole numbers; by default what the file notes, else id.
        vector : str, optional
            The column of vectors, lists of numbers; by default what the file notes, else vector.
        columns : sequence of str, optional
            The columns that become metadata; by default all others. A null is a row without the field.
        metric : Metric or str, optional
            As in `create`; by default what the file notes, else cosine.
        kind : str, optional
            Of the index, as in `create`; by default what the file notes, else flat (exact).
        config : FaissConfig or mapping, optional
            As in `create`; by default what the file notes.
        batch_size : int
            Rows that are read at a time.

        Raises
        ------
        ValueError, TypeError
            If a column is missing or of another type, vectors differ in length, or `add` refuses rows; the text names
            the file and the rows.
        """
        with open_parquet(Path(path), id=id, vector=vector, columns=columns, batch_size=check_k(batch_size)) as rows:
            return gather(rows, cls.create, metric=metric, kind=kind, config=config)

    def save(self, path: str | Path) -> None:
        """Write the collection into the folder `path`, whole or not at all; see `interlingua.index.folder`.

        Raises
        ------
        FileExistsError
            If the folder holds something that is no saved collection.
        LockedError
            If a `CollectionStore` has the folder open: save through that. Or if somebody has changed the folder since
            this was loaded from there or saved there, whose changes would be lost.
        ValueError, TypeError
            If attributes or attachments cannot be kept; nothing is written then.
        """
        folder = Path(path)
        with self.lock.keeping:
            parts = Parts(self._index, self._table, self.attributes, self.attachments)
            manifest = write_parts(parts, folder, before=lambda: self._refuse_outdated(folder))
            self.origins[folder.resolve()] = Origin(manifest)

    @classmethod
    def load(
        cls, path: str | Path, *, threads: int | None = None, journal: bool = True, mapped: bool = False
    ) -> "Collection":
        """Return the collection saved in the folder `path`, after verifying every checksum.

        May be called while a `CollectionStore` writes there; it sees what was acknowledged up to then.

        Parameters
        ----------
        path, threads
            Folder, and threads of FAISS as in `FaissFlatConfig`.
        journal : bool
            Apply what a `CollectionStore` has acknowledged since the last save.
        mapped : bool
            Leave the vectors on the disk, in pages that processes share; ids and metadata are read into memory. Such a
            collection can only be read; a later save into the folder does not disturb it.

        Raises
        ------
        FileNotFoundError
            If there is no such folder.
        CorruptCollectionError
            If a file is missing, altered or foreign, or of another format; the text names it.
        UnsupportedOperation
            If `mapped`, and there are changes in the journal or the vectors are with Milvus.
        """
        folder = Path(path)

        def attempt(manifest: str) -> Collection:
            parts = read_parts(folder, threads, mapped=mapped)
            loaded = cls(parts.index, parts.table)
            loaded.attributes, loaded.attachments = parts.attributes, dict(parts.attachments)
            loaded.origins[folder.resolve()] = Origin(manifest, Place() if journal else None)
            if journal and mapped and next(read_on(folder, manifest, Place()), None):
                way_out = "save them (`interlingua index compact`), or load with journal=False"
                raise UnsupportedOperation(f"mapped vectors take no changes, but {folder} has a journal; {way_out}")
            loaded.follow(folder)
            return loaded

        return settled(folder, attempt)

    def apply(self, change: Change) -> None:
        """Make a change of a journal."""
        if change.vectors is None:
            self.remove(change.ids)
        else:
            self._put(change.ids, change.vectors, change.metadata, replace=change.operation == "upsert")

    def follow(self, path: str | Path) -> bool:
        """Make the changes that were acknowledged in a folder of `origins` since, and return whether there were any.

        Raises
        ------
        CorruptCollectionError
            If the journal is damaged or gone, or holds what cannot be done to these rows.
        """
        folder = Path(path)
        began = self.origins[folder.resolve()]
        if began.place is None:
            return False
        for change, place in read_on(folder, began.manifest, began.place):
            with self.lock.writing:
                try:
                    self.apply(change)
                except (ValueError, TypeError, LookupError) as error:
                    raise CorruptCollectionError(
                        f"{journal_path(folder, began.manifest)} holds at byte {place.start} a change that does "
                        f"not fit the rows before it ({error}); restore the folder from a copy, or delete this file to "
                        "go back to the last save"
                    ) from error
                self.origins[folder.resolve()] = replace(began, place=place)
        return self.origins[folder.resolve()] is not began

    def _refuse_outdated(self, folder: Path) -> None:
        """Raise `LockedError` if a save into `folder` would undo what somebody else has done there."""
        origin = self.origins.get(folder.resolve())
        if origin is None or not (folder / MANIFEST_NAME).is_file():
            return
        outdated = manifest_digest(folder) != origin.manifest
        if outdated or (origin.place is not None and next(read_on(folder, origin.manifest, origin.place), None)):
            raise LockedError(
                f"{folder} was changed by someone else since it was loaded, and a save would undo that; load it again "
                "and repeat the change (hold the folder from load to save with interlingua.index.folder.locked), or "
                "save to another folder"
            )

    def _put(
        self,
        ids: Sequence[str],
        vectors: ArrayLike,
        metadata: Sequence[Mapping[str, Any]] | None,
        *,
        replace: bool,
    ) -> None:
        with self.lock.writing:
            ids, rows = self.check(ids, metadata, replace=replace)
            if is_nothing(ids, vectors):
                return
            outdated = self._table.numbers_held(ids)
            # New rows go in before old ones go out: they have numbers of their own, and only adding can fail, which
            # checks the vectors.
            self._index.add(self._table.next_numbers(len(ids)), vectors)
            self._table.append(ids, rows)
            if len(outdated):
                self._index.remove(outdated)
                self._table.remove(outdated)
