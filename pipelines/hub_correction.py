"""A collection that ranks by CSLS: the criterion is `align`'s, the store `index`'s, and this keeps the two in step."""

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interlingua.align import fold_csls, fold_query, mean_neighbor_similarity
from interlingua.index import Collection, CollectionResult, Metric, array_to_bytes, bytes_to_array

__all__ = ["HubCorrectedCollection"]

_ATTRIBUTE = "hub_correction"
_SOURCES, _MEANS = "hub-sources.npy", "hub-means.npy"
_CANDIDATES = 100
_BLOCK = 16_384


class HubCorrectedCollection:
    """Vectors with string ids and metadata, ranked by CSLS against a fixed set of source vectors.

    The score of query x and target y is 2 x·y - r_S(y), CSLS [1]_ but for a constant of the query; r_S(y) is the mean
    cosine of y and its `neighborhood` nearest sources.

    - ``flat``, ``faiss-flat`` and ``hnsw`` (of any storage) hold the folded vector [2 y, -r_S(y)], and one
      inner-product search answers: exactly for the first two.
    - Inverted lists (``ivf-flat``, ``ivf-pq``, ``ivf-rabitq``) hold y itself, since folding spoils their cells: the 100
      best by cosine (2 k where that is more) are scored again by 2 x·y - r_S(y), with y as the index keeps it.

    Staleness. r_S(y) depends on y and the sources alone: adding and removing targets leaves every other mean exact, and
    the means of new targets are computed exactly. Only other sources make means stale: `update_sources` says by how
    much (the share of the old and new sources that only one of the two sets holds) and computes all means anew as soon
    as that is more than `max_staleness`; up to there it warns, and `refresh` does it at will.

    Use `create` or `load`; the constructor takes their parts.

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
        self.collection = collection
        self.sources = _unit(sources, "sources")
        if self.sources.shape[1] != self.dimension:
            raise ValueError(
                f"sources and targets differ in dimension ({self.sources.shape[1]} vs {self.dimension}); "
                "map both into the same shared space"
            )
        self.neighborhood = neighborhood
        self.max_staleness = max_staleness
        self._pending: NDArray[np.float32] | None = None
        self._means: dict[str, float] = {}

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
        folds = not kind.startswith("ivf")
        collection = Collection.create(rows.shape[1] + folds, Metric.IP if folds else Metric.COSINE, kind, config)
        return cls(collection, rows, neighborhood=neighborhood, max_staleness=max_staleness)

    @property
    def folds(self) -> bool:
        """Whether the correction is a column of the vectors; else candidates are scored again."""
        return self.collection.metric is Metric.IP

    @property
    def dimension(self) -> int:
        """Length d of targets, sources and queries."""
        return self.collection.dimension - self.folds

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
        self.collection.remove(ids)
        for id in [ids] if isinstance(ids, str) else ids:
            self._means.pop(str(id), None)

    def means(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """Return r_S of targets, shape (n,)."""
        missing = [id for id in ids if id not in self._means]
        if missing:
            raise KeyError(f"ids are not in the collection: {', '.join(map(repr, missing[:3]))}")
        return np.array([self._means[id] for id in ids], dtype=np.float32)

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
        rows = _unit(queries, "queries")
        if rows.shape[1] != self.dimension:
            raise ValueError(
                f"queries and targets differ in dimension ({rows.shape[1]} vs {self.dimension}); "
                "encode both with the same model and the same shared space"
            )
        if self.folds:
            return self.collection.search(fold_query(rows), k, **filters)
        found = self.collection.search(rows, max(_CANDIDATES, 2 * k) if k >= 1 else k, **filters)
        return self._rescored(rows, found, min(k, found.scores.shape[1]))

    def update_sources(self, sources: ArrayLike) -> float:
        """Take note of other sources and return the staleness; compute all means anew where it exceeds the bound."""
        rows = _unit(sources, "sources")
        if rows.shape[1] != self.dimension:
            raise ValueError(f"sources and targets differ in dimension ({rows.shape[1]} vs {self.dimension})")
        self._pending = rows
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
            vectors = old.vectors(ids)
            fresh.add(ids, vectors[:, : self.dimension], old.get(ids))
        fresh.collection.attributes, fresh.collection.attachments = old.attributes, old.attachments
        self.collection, self.sources = fresh.collection, sources
        self._means, self._pending = fresh._means, None

    def save(self, path: str | Path) -> None:
        """Write collection, sources, means and k into a folder, whole or not at all; see `Collection.save`.

        Raises
        ------
        ValueError
            If the means are stale: `refresh` first, or the folder would name sources that they do not reflect.
        """
        if self.staleness:
            raise ValueError(f"{self.staleness:.1%} of the sources changed since the means were computed; refresh()")
        self.collection.attributes[_ATTRIBUTE] = {
            "neighborhood": self.neighborhood,
            "max_staleness": self.max_staleness,
            "sources": len(self.sources),
            "sources_sha256": self.sources_sha256,
        }
        self.collection.attachments[_SOURCES] = array_to_bytes(self.sources)
        self.collection.attachments[_MEANS] = array_to_bytes(self.means(self.collection.ids))
        self.collection.save(path)

    @classmethod
    def load(cls, path: str | Path, *, threads: int | None = None) -> "HubCorrectedCollection":
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            If the folder has no hub correction, was changed by other means than this class, or is damaged.
        FileNotFoundError
            If it is not there.
        """
        collection = Collection.load(path, threads=threads)
        about, kept = collection.attributes.get(_ATTRIBUTE), collection.attachments
        if not isinstance(about, dict) or not {_SOURCES, _MEANS} <= set(kept):
            raise ValueError(f"{path} is a collection without hub correction; open it with Collection.load")
        loaded = cls(
            collection,
            bytes_to_array(kept[_SOURCES]),
            neighborhood=about["neighborhood"],
            max_staleness=about["max_staleness"],
        )
        loaded.sources = np.asarray(bytes_to_array(kept[_SOURCES]), np.float32)  # as they were, to the last bit
        means = bytes_to_array(kept[_MEANS])
        if loaded.sources_sha256 != about["sources_sha256"] or len(means) != len(collection):
            raise ValueError(
                f"{path}: the hub correction is not that of its {len(collection)} rows; build it again, and change it "
                "through HubCorrectedCollection only"
            )
        loaded._means = dict(zip(collection.ids, means.tolist()))
        return loaded

    def _put(
        self, ids: Sequence[str], vectors: ArrayLike, metadata: Sequence[Mapping[str, Any]] | None, *, replace: bool
    ) -> None:
        rows = _unit(vectors, "vectors")
        if rows.shape[1] != self.dimension:
            raise ValueError(
                f"vectors and sources differ in dimension ({rows.shape[1]} vs {self.dimension}); "
                "map both into the same shared space"
            )
        means = mean_neighbor_similarity(rows, self.sources, self.neighborhood)
        put = self.collection.upsert if replace else self.collection.add
        put(ids, fold_csls(rows, means) if self.folds else rows, metadata)
        self._means.update(zip(map(str, ids), means.tolist()))

    def _rescored(self, queries: NDArray[np.float32], found: CollectionResult, k: int) -> CollectionResult:
        distinct = list(dict.fromkeys(id for ids in found.ids for id in ids))
        row_of = {id: row for row, id in enumerate(distinct)}
        vectors, means = (self.collection.vectors(distinct), self.means(distinct)) if distinct else (None, None)
        scores = np.full((len(queries), k), -np.inf, np.float32)
        kept_ids, kept_metadata = [], []
        for number, (ids, metadata) in enumerate(zip(found.ids, found.metadata)):
            order: list[int] = []
            if vectors is not None and means is not None and ids:
                rows = [row_of[id] for id in ids]
                own = 2 * (vectors[rows] @ queries[number]) - means[rows]
                order = np.argsort(-own, kind="stable")[:k].tolist()
                scores[number, : len(order)] = own[order]
            kept_ids.append(tuple(ids[place] for place in order))
            kept_metadata.append(tuple(metadata[place] for place in order))
        return CollectionResult(tuple(kept_ids), scores, tuple(kept_metadata), Metric.IP)


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
