"""What a search needs of the rows beneath it, wherever they are and whoever wrote them.

`CorrectedRows` holds those of a collection that was built for ranking. Here are the others: rows that Milvus keeps, and
rows that another program has written, which are searched as they are.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import unit_rows
from interlingua.align.neighbors import fold_query
from interlingua.index import And, Collection, Eq, In, MilvusCollection, MilvusConfig, Not, Range
from interlingua.index.collection.filters import as_filter
from interlingua.index.engines.base import CollectionResult, Metric

from .ranked import CorrectedRows, laid_out

AnyCollection = Collection | MilvusCollection
_OVERSAMPLING, _FEWEST = 8, 80  # as in a graph of ours; an exact index answers the same
_EXACT = ("FLAT",)


class MilvusRows(CorrectedRows):
    """Rows that Milvus ranks by 2 x·y - r(y): the metric is ``ip`` over d + 1 columns, [2 y, -r].

    Parameters
    ----------
    collection : MilvusCollection
    """

    def __init__(self, collection: MilvusCollection) -> None:  # no super(): that is of an index of ours
        self.collection: Any = collection
        self.store = None
        self.folds = True
        self._whole = True

    def reading(self) -> AbstractContextManager[Any]:
        """Hold nothing: Milvus decides what a read sees."""
        return nullcontext()

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
        put = self.collection.upsert if replace else self.collection.add
        put(ids, laid_out(rows, means, folded=True), metadata)

    def remove(self, ids: Sequence[str]) -> None:
        """Remove rows by id; `KeyError` if one is not there, and nothing is removed."""
        self.collection.remove(ids)

    def search(self, queries: NDArray[np.float32], k: int = 10, **filters: Any) -> CollectionResult:
        """Return the k best rows of unit queries (n, d) by 2 x·y - r; filters as `Collection.search`."""
        if self.collection.config.index_type in _EXACT:
            found: CollectionResult = self.collection.search(fold_query(queries), k, **filters)
            return found
        found = self.collection.search(fold_query(queries), max(_FEWEST, _OVERSAMPLING * k), **filters)
        ids, metadata = tuple(each[:k] for each in found.ids), tuple(each[:k] for each in found.metadata)
        return CollectionResult(ids, found.scores[:, :k], metadata, found.metric)

    def search_with_nearness(
        self,
        queries: NDArray[np.float32],
        k: int,
        neighborhood: int,
        thresholds: Mapping[str, float],
        **filters: Any,
    ) -> tuple[CollectionResult, NDArray[np.float32]]:
        """Return what `search` does, and what `nearness` does of `neighborhood` rows, which no filter concerns."""
        return self.search(queries, k, **filters), self.nearness(queries, neighborhood, thresholds)


class PlainRows(CorrectedRows):
    """Rows as another program has made them: ranked by the collection's own metric, r is 0.

    Parameters
    ----------
    collection : Collection or MilvusCollection
    text, language : str
        The fields that hold a row's text and its language; a row without them has neither.
    """

    def __init__(self, collection: AnyCollection, *, text: str = "text", language: str = "language") -> None:
        self.collection: Any = collection
        self.store = None
        self.folds = False
        self._whole = True
        self.fields = (text, language)

    def reading(self) -> AbstractContextManager[Any]:
        """Hold the rows in one state, where they are in memory."""
        return self.collection.lock.reading if isinstance(self.collection, Collection) else nullcontext()

    def put(
        self,
        ids: Sequence[str],
        rows: NDArray[np.float32],
        means: NDArray[np.float32],
        metadata: Sequence[Mapping[str, Any]] | None,
        *,
        replace: bool,
    ) -> None:
        """Add unit rows (n, d); there is no r to keep."""
        (self.collection.upsert if replace else self.collection.add)(ids, rows, metadata)

    def remove(self, ids: Sequence[str]) -> None:
        """Remove rows by id; `KeyError` if one is not there, and nothing is removed."""
        self.collection.remove(ids)

    def means(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """Return zeros."""
        return np.zeros(len(ids), np.float32)

    def vectors(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """Return the rows scaled to unit length, (n, d)."""
        if not len(ids):
            return np.empty((0, self.dimension), np.float32)
        return np.asarray(unit_rows(self.collection.vectors(ids)), np.float32)

    def search(self, queries: NDArray[np.float32], k: int = 10, **filters: Any) -> CollectionResult:
        """Return the k best rows of unit queries (n, d) by the collection's metric; filters as `Collection.search`."""
        languages = filters.pop("languages", None)
        if languages is not None:
            spoken = In(self.fields[1], languages)
            where = filters.get("where")
            tree = as_filter(where)
            filters["where"] = spoken if tree is None else And(tree, spoken)
        found: CollectionResult = self.collection.search(queries, k, **filters)
        return found

    def attachments(self) -> dict[str, bytes]:
        """Return nothing: all is in the rows."""
        return {}

    def restore_means(self, changes: Iterable[Any], measure: Callable[..., NDArray[np.float32]]) -> None:
        """Do nothing: there are no means."""


def rows_of(collection: AnyCollection) -> CorrectedRows:
    """Return what ranks the rows of a collection that is a search's own: folded in Milvus only under ``ip``."""
    if not isinstance(collection, MilvusCollection):
        return CorrectedRows(collection)
    return MilvusRows(collection) if collection.metric is Metric.IP else PlainRows(collection)


def new_in_milvus(config: MilvusConfig | Mapping[str, Any], dimension: int) -> MilvusCollection:
    """Return an empty collection in Milvus for `MilvusRows` of vectors with `dimension` numbers.

    Raises
    ------
    ValueError
        If the collection is there and holds rows.
    """
    made = MilvusCollection(config, dimension + 1, Metric.IP)
    if len(made):
        raise ValueError(
            f"the collection {made.config.collection!r} at {made.config.uri} has {len(made)} rows already; name a new "
            "one, or add to the search that it is of"
        )
    return made


def value_counts(collection: AnyCollection, field: str) -> dict[str, int]:
    """Return the texts of a field with the number of their rows, most first.

    Of Milvus they are asked for one by one: as many questions as there are values, and one.
    """
    if isinstance(collection, Collection):
        return {value: count for value, count in collection.counts(field) if isinstance(value, str)}
    found: dict[str, int] = {}
    probe = np.zeros((1, collection.dimension), np.float32)
    probe[0, 0] = 1
    while True:
        others = Not(In(field, list(found)))
        try:
            (rows,) = collection.search(probe, 1, where=And(Range(field, least=""), others)).metadata
        except ValueError:  # no row has the field
            return found
        if not rows:
            return dict(sorted(found.items(), key=lambda each: -each[1]))
        value = rows[0][field]
        found[value] = collection.count(Eq(field, value))
