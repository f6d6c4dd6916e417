"""A collection that ranks by CSLS: the criterion is `align`'s, the store `index`'s, and this keeps the two in step."""

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interlingua.index import Collection, CollectionStore, FaissIndex
from interlingua.index.collection.journal import Change, Place, read_on
from interlingua.index.collection.parts import array_to_bytes, bytes_to_array, settled
from interlingua.index.engines.base import CollectionResult, is_nothing, refuse_masked
from interlingua.index.engines.training import sample_size
from interlingua.index.threads import SharedLock

from .copies import OF_VECTORS, nearness
from .ranked import ATTRIBUTE, CorrectedRows, laid_out, ranked_collection

_SOURCES = "hub-sources.npy"
_BLOCK = 16_384


class HubCorrectedCollection:
    """Vectors with string ids and metadata, ranked by CSLS against a fixed set of source vectors.

    The score of query x and target y is 2 x·y - r_S(y), CSLS [1]_ but for a constant of the query; r_S(y) is the mean
    cosine of y and its `neighborhood` nearest sources, of which copies count once.

    `CorrectedRows` says how each kind of index answers: exactly where it is exact, else from a graph that holds
    [2 y, -r_S(y)], or from inverted lists whose candidates are scored again.

    Staleness. r_S(y) depends on y and the sources alone: adding and removing targets leaves every other mean exact, and
    the means of new targets are computed exactly. Only other sources make means stale: `update_sources` says by how
    much (the share of the old and new sources that only one of the two sets holds) and computes all means anew as soon
    as that is more than `max_staleness`; up to there it warns, and `refresh` does it at will.

    Durability. `save` and `load` keep a collection in a folder. `open` has that folder open for writing: what `add`,
    `upsert` and `remove` acknowledge survives a kill at any moment, as with `CollectionStore`, and its means with it.
    They are in the journal with the vectors where the index holds them; for inverted lists, and for rows that came into
    the folder by other means, `load` and `open` measure them anew, against the same sources. `refresh` replaces what is
    saved whole or not at all. Sources that `update_sources` noted without computing anew are not kept.

    Threads may share one, as they may a `Collection` and a `CollectionStore`; `refresh` lets searches go on in what was
    there before, and changes wait for its end.

    Use `create`, `load` or `open`; the constructor takes their parts.

    Parameters
    ----------
    collection : Collection
        Of metric ``ip`` with d + 1 columns where vectors are folded, else of metric ``cosine`` with d.
    sources : (s, d) array
        What hubness is measured against: queries as they are expected, or the other language's vectors.
    neighborhood : int
        k of CSLS.
    max_staleness : float
        From 0 (compute anew at every change of the sources) to 1 (never).

    References
    ----------
    .. [1] Conneau, Lample, Ranzato, Denoyer and Jégou (2018), "Word translation without parallel data", ICLR.
       arXiv:1710.04087

    Examples
    --------
    >>> queries = np.array([[1, 0.5, 0.5], [0.5, 1, 0.5], [0.5, 0.5, 1]])
    >>> targets = np.array([[1, 0, 0.2], [0.2, 1, 0], [0, 0.2, 1], [1, 1, 1]])
    >>> corrected = HubCorrectedCollection.create(queries, neighborhood=2)
    >>> corrected.add(["x", "y", "z", "hub"], targets)
    >>> corrected.search(queries, k=1).ids
    (('x',), ('y',), ('z',))
    """

    def __init__(
        self, collection: Collection, sources: ArrayLike, *, neighborhood: int = 10, max_staleness: float = 0.1
    ) -> None:
        if isinstance(neighborhood, bool) or not isinstance(neighborhood, int) or neighborhood < 1:
            raise ValueError(f"neighborhood must be an integer of at least 1, but is {neighborhood!r}")
        if not 0 <= max_staleness <= 1:
            raise ValueError(f"max_staleness must lie between 0 and 1, but is {max_staleness!r}")
        collection.attributes.setdefault(ATTRIBUTE, {})  # what `own_vectors` goes by
        self._changes = SharedLock()  # changes one after the other
        self._ranked = CorrectedRows(collection)
        self.sources = self._checked(sources, "sources")
        self.neighborhood = neighborhood
        self.max_staleness = max_staleness
        self._pending: NDArray[np.float32] | None = None

    @classmethod
    def create(
        cls,
        sources: ArrayLike,
        *,
        kind: str = "flat",
        config: Any = None,
        neighborhood: int = 10,
        max_staleness: float = 0.1,
    ) -> "HubCorrectedCollection":
        """Return an empty collection for targets of the sources' dimension; `kind` and `config` as `create_index`."""
        rows = _unit(sources, "sources")
        collection = ranked_collection(kind, rows.shape[1], config)
        return cls(collection, rows, neighborhood=neighborhood, max_staleness=max_staleness)

    @property
    def collection(self) -> Collection:
        """The collection beneath; read it, but add and remove through this class."""
        return self._ranked.collection

    @property
    def folds(self) -> bool:
        """Whether the correction is a column of the vectors; else candidates are scored again."""
        return self._ranked.folds

    @property
    def dimension(self) -> int:
        """Length d of targets, sources and queries."""
        return self._ranked.dimension

    @property
    def sources_sha256(self) -> str:
        """SHA-256 of the sources that the means were measured against."""
        return _digest(self.sources)

    @property
    def staleness(self) -> float:
        """Share of sources, of old and new ones together, that the means do not reflect; 0 after `refresh`."""
        pending = self._pending
        return 0.0 if pending is None else _share_changed(self.sources, pending)

    def __len__(self) -> int:
        return len(self.collection)

    def add(self, ids: Sequence[str], vectors: ArrayLike, metadata: Sequence[Mapping[str, Any]] | None = None) -> None:
        """Add targets (n, d); arguments and errors as `Collection.add`."""
        self._put(ids, vectors, metadata, replace=False)

    def upsert(
        self, ids: Sequence[str], vectors: ArrayLike, metadata: Sequence[Mapping[str, Any]] | None = None
    ) -> None:
        """Add targets, each in place of the one of the same id if there is one."""
        self._put(ids, vectors, metadata, replace=True)

    def remove(self, ids: Sequence[str]) -> None:
        """Remove targets by id; `KeyError` if one is not there, and nothing is removed."""
        with self._changes.writing:
            self._ranked.remove(ids)

    def means(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """Return r_S of targets, shape (n,)."""
        return self._ranked.means(ids)

    def search(self, queries: ArrayLike, k: int = 10, **filters: Any) -> CollectionResult:
        """Return the k best targets of each query (n, d) by 2 x·y - r_S(y).

        Parameters
        ----------
        queries : (n, d) array
            Of any length; they are compared by cosine.
        k : int
        **filters
            ``where`` and ``languages`` of `Collection.search`.
        """
        return self._ranked.search(self._checked(queries, "queries"), k, **filters)

    def update_sources(self, sources: ArrayLike) -> float:
        """Take note of other sources and return the staleness; compute all means anew where it exceeds the bound."""
        with self._changes.writing:
            self._pending = self._checked(sources, "sources")
            stale = self.staleness
            if stale > self.max_staleness:
                self.refresh()
        if 0 < stale <= self.max_staleness:
            warnings.warn(
                f"{stale:.1%} of the sources changed, and the hub correction does not reflect it "
                f"(bound: {self.max_staleness:.1%}); call refresh() to compute it anew",
                stacklevel=2,
            )
        return stale

    def refresh(self) -> None:
        """Compute all means anew, from the sources noted last and the vectors as they are kept: O(n s d)."""
        with self._changes.writing:
            self._refresh()

    def _refresh(self) -> None:
        sources = self.sources if self._pending is None else self._pending
        old, spec = self.collection, self.collection.index.spec
        fresh = HubCorrectedCollection(
            Collection.create(spec.dimension, spec.metric, spec.kind, spec.config or None),
            sources,
            neighborhood=self.neighborhood,
            max_staleness=self.max_staleness,
        )
        if isinstance(index := fresh.collection.index, FaissIndex) and (size := sample_size(index.config, len(old))):
            chosen = [old.ids[place] for place in np.unique(np.linspace(0, len(old) - 1, size).astype(np.int64))]
            rows = self._ranked.vectors(chosen)
            index.learn(laid_out(rows, fresh._means(rows), folded=fresh.folds))
        for start in range(0, len(old), _BLOCK):
            ids = old.ids[start : start + _BLOCK]
            fresh.add(ids, self._ranked.vectors(ids), old.get(ids))
        fresh.collection.attributes, fresh.collection.attachments = dict(old.attributes), dict(old.attachments)
        if store := self._ranked.store:
            store.before_save = fresh._note
            try:
                store.replace(fresh.collection)
            finally:
                store.before_save = self._note
            fresh._ranked.store = store
        self._ranked, self.sources, self._pending = fresh._ranked, sources, None

    def save(self, path: str | Path) -> None:
        """Write collection, sources, means and k into a folder, whole or not at all; see `Collection.save`.

        Raises
        ------
        ValueError
            If the means are stale: `refresh` first, or the folder would name sources that they do not reflect.
        """
        with self._changes.writing:
            if stale := self.staleness:
                raise ValueError(f"{stale:.1%} of the sources changed since the means were computed; refresh()")
            self._note(self.collection)
            self.collection.save(path)

    @classmethod
    def load(cls, path: str | Path, *, threads: int | None = None, mapped: bool = False) -> "HubCorrectedCollection":
        """Read what `save` wrote, and what was acknowledged since where `open` has it open for writing.

        Parameters
        ----------
        path, threads, mapped
            As `Collection.load`.

        Raises
        ------
        ValueError
            If the folder has no hub correction, or is damaged.
        FileNotFoundError
            If it is not there.
        """
        folder = Path(path)

        def attempt(_: str) -> HubCorrectedCollection:
            return cls._restored(folder, CorrectedRows(Collection.load(folder, threads=threads, mapped=mapped)))

        return settled(folder, attempt)  # a save in between would take the journal away

    @classmethod
    def open(
        cls, path: str | Path, *, threads: int | None = None, checkpoint_bytes: int = 1 << 26
    ) -> "HubCorrectedCollection":
        """Open what `save` wrote for writing, until `close`; arguments and errors as `CollectionStore` and `load`.

        Examples
        --------
        >>> import tempfile
        >>> made = HubCorrectedCollection.create(np.eye(3))
        >>> made.save(folder := Path(tempfile.mkdtemp()) / "targets")
        >>> with HubCorrectedCollection.open(folder) as corrected:
        ...     corrected.add(["x", "y"], [[1.0, 0.5, 0.0], [0.0, 1.0, 0.5]])  # on the disk when it returns
        >>> len(HubCorrectedCollection.load(folder))
        2
        """
        store = CollectionStore(path, threads=threads, checkpoint_bytes=checkpoint_bytes)
        try:
            made = cls._restored(store.path, CorrectedRows(store.collection, store))
        except BaseException:
            store.close()
            raise
        store.before_save = made._note
        return made

    def checkpoint(self) -> None:
        """Save the whole collection with its means, and start an empty journal; for one that is open for writing."""
        self._writer().checkpoint()

    def compact(self) -> None:
        """Drop removed vectors from the index for good, and save as `checkpoint` does."""
        self._writer().compact()

    def close(self) -> None:
        """Let other writers in; nothing needs to be saved."""
        if self._ranked.store is not None:
            self._ranked.store.close()

    def __enter__(self) -> "HubCorrectedCollection":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @classmethod
    def _restored(cls, path: Path, rows: CorrectedRows) -> "HubCorrectedCollection":
        about, kept = rows.collection.attributes.get(ATTRIBUTE), rows.collection.attachments
        if not isinstance(about, dict) or _SOURCES not in kept:
            raise ValueError(f"{path} is a collection without hub correction; open it with Collection.load")
        sources = bytes_to_array(kept[_SOURCES])
        made = cls(rows.collection, sources, neighborhood=about["neighborhood"], max_staleness=about["max_staleness"])
        made._ranked, made.sources = rows, np.asarray(sources, np.float32)  # as they were, to the last bit
        if made.sources_sha256 != about["sources_sha256"]:
            raise ValueError(f"{path}: the sources are not those of its hub correction; build it again")
        rows.restore_means(_changes_since(path, rows.collection), lambda vectors, _: made._measured(vectors))
        return made

    def _note(self, collection: Collection) -> None:
        """Bring a collection that is about to be saved up to date: sources, means and k."""
        collection.attributes[ATTRIBUTE] = {
            "neighborhood": self.neighborhood,
            "max_staleness": self.max_staleness,
            "sources": len(self.sources),
            "sources_sha256": self.sources_sha256,
        }
        collection.attachments |= {_SOURCES: array_to_bytes(self.sources), **self._ranked.attachments()}

    def _checked(self, vectors: ArrayLike, name: str) -> NDArray[np.float32]:
        """Return rows of unit length and of the collection's dimension."""
        rows = _unit(vectors, name)
        if rows.shape[1] != self.dimension:
            raise ValueError(
                f"{name} and targets differ in dimension ({rows.shape[1]} vs {self.dimension}); "
                "encode both with the same model, and map both into the same shared space"
            )
        return rows

    def _writer(self) -> CollectionStore:
        if self._ranked.store is None:
            raise ValueError("this collection is not open for writing; use save, or HubCorrectedCollection.open")
        return self._ranked.store

    def _measured(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        return self._means(_unit(rows, "vectors"))

    def _means(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        return nearness(rows, self.sources, self.neighborhood, share=OF_VECTORS)

    def _put(
        self, ids: Sequence[str], vectors: ArrayLike, metadata: Sequence[Mapping[str, Any]] | None, *, replace: bool
    ) -> None:
        if is_nothing(ids, vectors):
            return
        rows = self._checked(vectors, "vectors")
        with self._changes.writing:
            self._ranked.put(ids, rows, self._means(rows), metadata, replace=replace)


def _changes_since(folder: Path, collection: Collection) -> list[Change]:
    """Return the changes of the folder's journal that a collection has, and its attachments have not."""
    origin = collection.origins[folder.resolve()]
    end = 0 if origin.place is None else origin.place.end
    return [change for change, place in read_on(folder, origin.manifest, Place()) if place.end <= end] if end else []


def _unit(vectors: ArrayLike, name: str) -> NDArray[np.float32]:
    """Return rows of unit length, (n, d) float32, or raise what says why not."""
    refuse_masked(vectors, name)
    array = np.asarray(vectors)
    if array.ndim != 2 or array.shape[0] < 1 or array.shape[1] < 1 or array.dtype.kind not in "fiu":
        raise ValueError(f"{name} must be an (n, d) array of numbers, but is {array.dtype} of shape {array.shape}")
    wide = array.astype(np.float64)
    lengths = np.sqrt(np.einsum("ij,ij->i", wide, wide))
    bad = np.flatnonzero(~((lengths > 0) & np.isfinite(lengths)))
    if bad.size:
        raise ValueError(f"{name} row {bad[0]} is zero or not finite and has no cosine; leave such rows out")
    rows: NDArray[np.float32] = (wide / lengths[:, None]).astype(np.float32)
    return rows


def _digest(rows: NDArray[np.float32]) -> str:
    return hashlib.sha256(np.ascontiguousarray(rows, "<f4").tobytes()).hexdigest()


def _share_changed(old: NDArray[np.float32], new: NDArray[np.float32]) -> float:
    one, other = ({row.tobytes() for row in rows} for rows in (old, new))
    return len(one ^ other) / len(one | other)
