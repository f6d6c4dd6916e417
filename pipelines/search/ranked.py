"""Rows of a collection that are ranked by 2 x·y - r(y), where each target y brings its own r.

How that lies in an index is known here alone: who wants the vectors of such a collection asks `own_vectors`, who makes
one `ranked_collection` and `laid_out`.

A collection that ranks by CSLS: the criterion is `align`'s, the store `index`'s, and this keeps the two in step.

How near passages are to everything in their language: what CSLS takes from their score.
"""

import hashlib
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interlingua.align import fold_csls, fold_query, mean_neighbor_similarity, top_k
from interlingua.align.arrays import unit_rows
from interlingua.index import Collection, CollectionResult, CollectionStore, Metric, array_to_bytes, bytes_to_array
from interlingua.index.collection.journal import Change, read_journal
from interlingua.index.collection.parts import settled
from interlingua.index.folder import manifest_digest

#: Of index that a collection of texts may have; see `interlingua.index.create_index`.
IndexKind = Literal["flat", "faiss-flat", "hnsw", "ivf-flat", "ivf-pq", "ivf-rabitq"]
_NUMBERS, _MEANS = "hub-rows.npy", "hub-means.npy"
_APPROXIMATE = ("hnsw", "ivf-flat", "ivf-pq", "ivf-rabitq")
_CANDIDATES = 100  # by cosine, in inverted lists
_OVERSAMPLING, _FEWEST = 8, 80  # by the folded score, in graphs


_RANKED = ("search", "memory", "answers")  # pipelines whose collections are ranked


def folds(kind: str) -> bool:
    """Return whether an index of this kind can hold the correction in its vectors; inverted lists cannot."""
    return not kind.startswith("ivf")


def ranked_spec(kind: str, dimension: int) -> tuple[int, Metric]:
    """Return columns and metric of an index that ranks rows of `dimension` numbers; see `CorrectedRows`."""
    return (dimension + 1, Metric.IP) if folds(kind) else (dimension, Metric.COSINE)


def ranked_collection(kind: str, dimension: int, config: Any = None) -> Collection:
    """Return an empty collection for `CorrectedRows`; `kind` and `config` as `create_index`."""
    return Collection.create(*ranked_spec(kind, dimension), kind, config)


def laid_out(rows: NDArray[np.float32], means: NDArray[np.float32], *, folded: bool) -> NDArray[np.float32]:
    """Return unit rows (n, d) with their r (n,) as an index holds them that has r in its vectors, or not."""
    return np.asarray(fold_csls(rows, means) if folded else rows, np.float32)


def own_vectors(collection: Collection, ids: Sequence[str] | None = None) -> NDArray[np.float32]:
    """Return the vectors (n, d) of rows, by default of all, without what ranks them by CSLS.

    Those of a collection that is not ranked are returned as they are kept.

    Raises
    ------
    KeyError
        If an id is not in the collection.
    """
    wanted = collection.ids if ids is None else ids
    about = collection.attributes
    if about.get("pipeline") in _RANKED or _ATTRIBUTE in about:
        return CorrectedRows(collection).vectors(wanted)
    return collection.vectors(wanted)


class CorrectedRows:
    """What ranks the rows of a collection by 2 x·y - r(y), and keeps each r beside its row.

    `ranked_collection` makes the collection:

    - Exact indexes and graphs (metric ``ip``, d + 1 columns) hold the folded vector [2 y, -r], and one inner-product
      search answers. r is the last number of the vector. Graphs find less in folded vectors than in others, so 8 k
      candidates are asked for, at least 80, which raises the effort; those of short numbers (``float16``, ``sq8``) are
      scored again with r as it was.
    - Inverted lists (metric ``cosine``, d columns) hold y itself, since folding spoils their cells: the 100 best by
      cosine (2 k where that is more) are scored again.

    Scores are as exact as the index keeps y.

    Parameters
    ----------
    collection : Collection
        Empty, or to be followed by `restore_means`.
    store : CollectionStore, optional
        Has `collection` open; changes then go through it.
    """

    def __init__(self, collection: Collection, store: CollectionStore | None = None) -> None:
        self.collection = collection
        self.store = store
        spec = collection.index.spec
        self.folds = collection.metric is Metric.IP  # whether r is a column of the vectors
        self._whole = self.folds and spec.config.get("storage", "float32") == "float32"
        self._mean_of: dict[str, float] = {}

    @property
    def dimension(self) -> int:
        """Length d of targets and queries."""
        return self.collection.dimension - self.folds

    def put(
        self,
        ids: Sequence[str],
        rows: NDArray[np.float32],
        means: NDArray[np.float32],
        metadata: Sequence[Mapping[str, Any]] | None,
        *,
        replace: bool,
    ) -> None:
        """Add unit rows (n, d) with their r (n,), in place of rows of the same ids with `replace`."""
        target = self.collection if self.store is None else self.store
        names = [ids] if isinstance(ids, str) else [str(id) for id in ids]
        before = {name: self._mean_of[name] for name in names if name in self._mean_of}
        if not self._whole:  # subtle: before the row itself, since a store may save right after it
            self._mean_of.update(zip(names, means.tolist()))
        try:
            put = target.upsert if replace else target.add
            put(ids, laid_out(rows, means, folded=self.folds), metadata)
        except BaseException:
            for name in names:
                self._mean_of.pop(name, None)
            self._mean_of |= before
            raise

    def remove(self, ids: Sequence[str]) -> None:
        """Remove rows by id; `KeyError` if one is not there, and nothing is removed."""
        (self.collection if self.store is None else self.store).remove(ids)
        for id in [ids] if isinstance(ids, str) else ids:
            self._mean_of.pop(str(id), None)

    def means(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """Return the r of rows, shape (n,); `KeyError` if an id is unknown."""
        if self._whole:
            return -self.collection.vectors(ids)[:, -1] if len(ids) else np.empty(0, np.float32)
        missing = [id for id in ids if id not in self._mean_of]
        if missing:
            raise KeyError(f"ids are not in the collection: {', '.join(map(repr, missing[:3]))}")
        return np.array([self._mean_of[id] for id in ids], dtype=np.float32)

    def vectors(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """Return y as it is kept, shape (n, d); what the index has rounded is brought back to unit length."""
        if not len(ids):
            return np.empty((0, self.dimension), np.float32)
        kept = self.collection.vectors(ids)
        rows: NDArray[np.float32] = kept[:, :-1] / np.float32(2) if self.folds else kept
        return rows if self._whole else unit_rows(rows)

    def search(self, queries: NDArray[np.float32], k: int = 10, **filters: Any) -> CollectionResult:
        """Return the k best rows of unit queries (n, d) by 2 x·y - r; filters as `Collection.search`."""
        asked = fold_query(queries) if self.folds else queries
        if k < 1 or self.collection.index.spec.kind not in _APPROXIMATE:
            return self.collection.search(asked, k, **filters)
        wide = max(_FEWEST, _OVERSAMPLING * k) if self.folds else max(_CANDIDATES, 2 * k)
        found = self.collection.search(asked, wide, **filters)
        k = min(k, found.scores.shape[1])
        if not self._whole:
            return self._rescored(queries, found, k)
        ids = tuple([each[:k] for each in found.ids])
        read = lambda: [row for rows in found.metadata for row in rows[:k]]  # noqa: E731
        return CollectionResult.deferred(ids, found.scores[:, :k], read, found.metric)

    def search_by_cosine(self, queries: NDArray[np.float32], k: int, **filters: Any) -> CollectionResult:
        """Return the k best rows of unit queries (n, d) by cosine."""
        # [x / 2, 0] · [2 y, -r] = x · y
        halves = np.concatenate([queries / 2, np.zeros((len(queries), 1), np.float32)], axis=1)
        return self.collection.search(halves if self.folds else queries, k, **filters)

    def attachments(self) -> dict[str, bytes]:
        """Return what `restore_means` reads: every r that the vectors do not hold, and the numbers of their rows."""
        if self._whole:
            return {}
        means = self.means(self.collection.ids)
        return {_MEANS: array_to_bytes(means), _NUMBERS: array_to_bytes(self.collection.numbers)}

    def take_means(self, means: NDArray[np.float32]) -> None:
        """Take the r (n,) of all rows, in the order of the collection's ids, of rows that were put in without."""
        if not self._whole:
            self._mean_of = dict(zip(self.collection.ids, means.tolist(), strict=True))

    def restore_means(
        self, changes: Iterable[Change], measure: Callable[[NDArray[np.float32], Sequence[str]], NDArray[np.float32]]
    ) -> None:
        """Take every r from the collection's attachments and from the journal's changes since.

        Parameters
        ----------
        changes : iterable of Change
            Those that the collection has, and its attachments have not.
        measure : callable
            Unit rows (n, d) and their ids -> r (n,). For rows of a journal of inverted lists, and for rows that were
            put into the saved collection by other means: theirs is measured on the vectors as they are kept.
        """
        if self._whole:
            return
        kept, ids = self.collection.attachments, self.collection.ids
        if _MEANS in kept:
            means = bytes_to_array(kept[_MEANS])
            numbers = bytes_to_array(kept[_NUMBERS]) if _NUMBERS in kept else self.collection.numbers
            if numbers.shape != means.shape:
                raise ValueError(f"{len(means)} hub corrections do not fit {len(numbers)} rows; build the folder again")
            known = dict(zip(numbers.tolist(), means.tolist()))
            pairs = zip(ids, self.collection.numbers.tolist())
            self._mean_of = {id: known[number] for id, number in pairs if number in known}
        for change in changes:
            if change.vectors is not None:
                own = -change.vectors[:, -1] if self.folds else measure(change.vectors, change.ids)
                self._mean_of.update(zip(change.ids, own.tolist()))
        if missing := [id for id in ids if id not in self._mean_of]:
            self._mean_of.update(zip(missing, measure(self.vectors(missing), missing).tolist()))
        self._mean_of = {id: self._mean_of[id] for id in ids}

    def _rescored(self, queries: NDArray[np.float32], found: CollectionResult, k: int) -> CollectionResult:
        distinct = list(dict.fromkeys(id for ids in found.ids for id in ids))
        row_of = {id: row for row, id in enumerate(distinct)}
        vectors, means = self.vectors(distinct), self.means(distinct)
        scores = np.full((len(queries), k), -np.inf, np.float32)
        orders = []
        for number, ids in enumerate(found.ids):
            rows = [row_of[id] for id in ids]
            own = 2 * (vectors[rows] @ queries[number]) - means[rows]
            orders.append(np.argsort(-own, kind="stable")[:k].tolist())
            scores[number, : len(orders[-1])] = own[orders[-1]]
        kept = tuple([tuple([ids[place] for place in order]) for ids, order in zip(found.ids, orders)])

        def read() -> list[dict[str, Any]]:
            return [row[place] for row, order in zip(found.metadata, orders) for place in order]

        return CollectionResult.deferred(kept, scores, read, Metric.IP)


_ATTRIBUTE = "hub_correction"
_SOURCES = "hub-sources.npy"
_BLOCK = 16_384


class HubCorrectedCollection:
    """Vectors with string ids and metadata, ranked by CSLS against a fixed set of source vectors.

    The score of query x and target y is 2 x·y - r_S(y), CSLS [1]_ but for a constant of the query; r_S(y) is the mean
    cosine of y and its `neighborhood` nearest sources.

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
        collection.attributes.setdefault(_ATTRIBUTE, {})  # what `own_vectors` goes by
        self._rows = CorrectedRows(collection)
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
        return self._rows.collection

    @property
    def folds(self) -> bool:
        """Whether the correction is a column of the vectors; else candidates are scored again."""
        return self._rows.folds

    @property
    def dimension(self) -> int:
        """Length d of targets, sources and queries."""
        return self._rows.dimension

    @property
    def sources_sha256(self) -> str:
        """SHA-256 of the sources that the means were measured against."""
        return _digest(self.sources)

    @property
    def staleness(self) -> float:
        """Share of sources, of old and new ones together, that the means do not reflect; 0 after `refresh`."""
        return 0.0 if self._pending is None else _share_changed(self.sources, self._pending)

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
        self._rows.remove(ids)

    def means(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """Return r_S of targets, shape (n,)."""
        return self._rows.means(ids)

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
        return self._rows.search(self._checked(queries, "queries"), k, **filters)

    def update_sources(self, sources: ArrayLike) -> float:
        """Take note of other sources and return the staleness; compute all means anew where it exceeds the bound."""
        self._pending = self._checked(sources, "sources")
        stale = self.staleness
        if stale > self.max_staleness:
            self.refresh()
        elif stale:
            warnings.warn(
                f"{stale:.1%} of the sources changed, and the hub correction does not reflect it "
                f"(bound: {self.max_staleness:.1%}); call refresh() to compute it anew",
                stacklevel=2,
            )
        return stale

    def refresh(self) -> None:
        """Compute all means anew, from the sources noted last and the vectors as they are kept: O(n s d)."""
        sources = self.sources if self._pending is None else self._pending
        old, spec = self.collection, self.collection.index.spec
        fresh = HubCorrectedCollection(
            Collection.create(spec.dimension, spec.metric, spec.kind, spec.config or None),
            sources,
            neighborhood=self.neighborhood,
            max_staleness=self.max_staleness,
        )
        for start in range(0, len(old), _BLOCK):
            ids = old.ids[start : start + _BLOCK]
            fresh.add(ids, self._rows.vectors(ids), old.get(ids))
        fresh.collection.attributes, fresh.collection.attachments = dict(old.attributes), dict(old.attachments)
        if store := self._rows.store:
            store.before_save = fresh._note
            try:
                store.replace(fresh.collection)
            finally:
                store.before_save = self._note
            fresh._rows.store = store
        self._rows, self.sources, self._pending = fresh._rows, sources, None

    def save(self, path: str | Path) -> None:
        """Write collection, sources, means and k into a folder, whole or not at all; see `Collection.save`.

        Raises
        ------
        ValueError
            If the means are stale: `refresh` first, or the folder would name sources that they do not reflect.
        """
        if self.staleness:
            raise ValueError(f"{self.staleness:.1%} of the sources changed since the means were computed; refresh()")
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

        def attempt(manifest: str) -> HubCorrectedCollection:
            collection = Collection.load(folder, threads=threads, mapped=mapped, journal=mapped)
            changes = [] if mapped else list(read_journal(folder, manifest))
            for change in changes:
                collection.apply(change)
            return cls._restored(folder, CorrectedRows(collection), changes)

        return settled(folder, attempt)

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
            changes = list(read_journal(store.path, manifest_digest(store.path)))
            made = cls._restored(store.path, CorrectedRows(store.collection, store), changes)
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
        if self._rows.store is not None:
            self._rows.store.close()

    def __enter__(self) -> "HubCorrectedCollection":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @classmethod
    def _restored(cls, path: Path, rows: CorrectedRows, changes: Sequence[Change]) -> "HubCorrectedCollection":
        about, kept = rows.collection.attributes.get(_ATTRIBUTE), rows.collection.attachments
        if not isinstance(about, dict) or _SOURCES not in kept:
            raise ValueError(f"{path} is a collection without hub correction; open it with Collection.load")
        sources = bytes_to_array(kept[_SOURCES])
        made = cls(rows.collection, sources, neighborhood=about["neighborhood"], max_staleness=about["max_staleness"])
        made._rows, made.sources = rows, np.asarray(sources, np.float32)  # as they were, to the last bit
        if made.sources_sha256 != about["sources_sha256"]:
            raise ValueError(f"{path}: the sources are not those of its hub correction; build it again")
        rows.restore_means(changes, lambda vectors, _: made._measured(vectors))
        return made

    def _note(self, collection: Collection) -> None:
        """Bring a collection that is about to be saved up to date: sources, means and k."""
        collection.attributes[_ATTRIBUTE] = {
            "neighborhood": self.neighborhood,
            "max_staleness": self.max_staleness,
            "sources": len(self.sources),
            "sources_sha256": self.sources_sha256,
        }
        collection.attachments |= {_SOURCES: array_to_bytes(self.sources), **self._rows.attachments()}

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
        if self._rows.store is None:
            raise ValueError("this collection is not open for writing; use save, or HubCorrectedCollection.open")
        return self._rows.store

    def _measured(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        return mean_neighbor_similarity(_unit(rows, "vectors"), self.sources, self.neighborhood)

    def _put(
        self, ids: Sequence[str], vectors: ArrayLike, metadata: Sequence[Mapping[str, Any]] | None, *, replace: bool
    ) -> None:
        rows = self._checked(vectors, "vectors")
        means = mean_neighbor_similarity(rows, self.sources, self.neighborhood)
        self._rows.put(ids, rows, means, metadata, replace=replace)


def _unit(vectors: ArrayLike, name: str) -> NDArray[np.float32]:
    """Return rows of unit length, (n, d) float32, or raise what says why not."""
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


_SAMPLE = 2048
_SAME = 1 - 1e-5


def sample_languages(
    vectors: NDArray[np.float32], languages: Sequence[str], *, neighborhood: int, seed: int
) -> dict[str, NDArray[np.float32]]:
    """Return for each language with more than `neighborhood` vectors at most 2,048 of them.

    With fewer, what is measured says more about the few than about hubs: of three texts, an exact match may come last.
    """
    rng = np.random.default_rng(seed)
    return {
        language: vectors[np.sort(rng.permutation(rows)[:_SAMPLE])]
        for language, rows in rows_by_language(languages).items()
        if len(rows) > neighborhood
    }


def measure_hubness(
    vectors: NDArray[np.float32],
    languages: Sequence[str],
    background: Mapping[str, NDArray[np.float32]],
    neighborhood: int,
) -> NDArray[np.float32]:
    """Return the mean cosine of each row and the nearest background rows of its language, itself left out.

    Parameters
    ----------
    vectors : (n, d) array
        Unit rows.
    languages : sequence of n str
        Their languages.
    background : mapping of str to (b, d) array
        From `sample_languages`.
    neighborhood : int
        Neighbours in the mean; where there are fewer, all.

    Returns
    -------
    (n,) array of float32
        NaN for rows of a language without a background.
    """
    hubness = np.full(len(vectors), np.nan, np.float32)
    for language, rows in rows_by_language(languages).items():
        if language not in background:
            continue
        found = top_k(vectors[rows], background[language], neighborhood + 1).scores
        # subtle: a row that is in the background finds itself first
        itself = found[:, 0] > _SAME
        hubness[rows] = np.where(itself, found[:, 1:].mean(axis=1), found[:, :neighborhood].mean(axis=1))
    return hubness


def hubness_of(
    vectors: NDArray[np.float32],
    languages: Sequence[str],
    background: Mapping[str, NDArray[np.float32]],
    neighborhood: int,
    typical: Callable[[], float],
) -> NDArray[np.float32]:
    """Return the r (n,) of rows: their hubness, what is `typical` for a language without background, or 0 without any.

    Parameters
    ----------
    vectors, languages, background, neighborhood
        As in `measure_hubness`; without any background the ranking is by cosine.
    typical : callable
        Gives `typical_hubness`; called only where it is needed.
    """
    if not background:
        return np.zeros(len(vectors), np.float32)
    hubness = measure_hubness(vectors, languages, background, neighborhood)
    unknown = np.isnan(hubness)
    if unknown.any():
        hubness[unknown] = typical()
    return hubness


def typical_hubness(background: Mapping[str, NDArray[np.float32]], neighborhood: int) -> float:
    """Return the mean hubness of the background itself: what neither raises nor lowers a passage."""
    measured = [
        measure_hubness(rows, [name] * len(rows), background, neighborhood) for name, rows in background.items()
    ]
    return float(np.concatenate(measured).mean()) if measured else 0.0


def rows_by_language(languages: Sequence[str]) -> dict[str, list[int]]:
    """Return the rows of each language, in the order of first appearance."""
    groups: dict[str, list[int]] = {}
    for row, language in enumerate(languages):
        groups.setdefault(language, []).append(row)
    return groups
