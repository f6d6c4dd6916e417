"""What a search returns: arrays of ids and scores, or string ids with metadata."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .metric import Metric

__all__ = ["CollectionResult", "Hit", "QueryHits", "SearchResult"]


@dataclass(frozen=True, eq=False)
class QueryHits:
    """The hits of one query, best first, without missing slots.

    Attributes
    ----------
    ids : (m,) int64 array
    scores : (m,) float32 array, never ascending
    """

    ids: NDArray[np.int64]
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, eq=False)
class SearchResult:
    """The k best ids of each query, as columns; `result[i]` gives those of query i.

    Attributes
    ----------
    ids : (n, k) int64 array
        Best first; -1 where fewer than k vectors were there to be found.
    scores : (n, k) float32 array
        Higher is better, see `Metric`; -inf in missing slots.
    metric : Metric

    Examples
    --------
    >>> result = SearchResult(
    ...     ids=np.array([[7, 4, -1]]),
    ...     scores=np.array([[-0.25, -1.0, -np.inf]], dtype=np.float32),
    ...     metric=Metric.L2,
    ... )
    >>> result[0].ids.tolist()
    [7, 4]
    >>> result.distances.tolist()
    [[0.25, 1.0, inf]]
    """

    ids: NDArray[np.int64]
    scores: NDArray[np.float32]
    metric: Metric

    @property
    def distances(self) -> NDArray[np.float32]:
        """The squared Euclidean distances, (n, k), inf in missing slots; for `l2` only.

        Raises
        ------
        ValueError
            For the other metrics, whose scores are no distances.
        """
        if self.metric is not Metric.L2:
            raise ValueError(f"metric {str(self.metric)!r} has no distances; read `scores` (higher is better)")
        return np.abs(self.scores)  # the score is -distance <= 0; abs keeps 0 from becoming -0

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, query: int) -> QueryHits:
        found = self.ids[query] >= 0
        return QueryHits(self.ids[query][found], self.scores[query][found])

    def __iter__(self) -> Iterator[QueryHits]:
        return (self[query] for query in range(len(self)))


@dataclass(frozen=True)
class Hit:
    """One row of a collection that a search found."""

    id: str
    score: float
    metadata: dict[str, Any]


@dataclass(frozen=True, eq=False)
class CollectionResult:
    """The best rows of a collection for each query; `result[i]` lists those of query i.

    Attributes
    ----------
    ids : tuple of tuples of str
        One tuple a query, best first, without missing slots.
    scores : (n, k) float32 array
        Row i holds the scores of ``ids[i]``; -inf in missing slots.
    metadata : tuple of tuples of dict
        As `ids`. The dictionaries are copies: changing them does not change the collection. Made when first read,
        as the rows were at the time of the search.
    metric : Metric
    """

    ids: tuple[tuple[str, ...], ...]
    scores: NDArray[np.float32]
    metadata: tuple[tuple[dict[str, Any], ...], ...]
    metric: Metric

    @classmethod
    def deferred(
        cls,
        ids: tuple[tuple[str, ...], ...],
        scores: NDArray[np.float32],
        read: Callable[[], list[dict[str, Any]]],
        metric: Metric,
    ) -> "CollectionResult":
        """Return a result whose metadata `read` gives when first asked for: a list over the hits of all queries."""
        result = cls.__new__(cls)
        result.__dict__.update(ids=ids, scores=scores, metric=metric, _read=read)
        return result

    if not TYPE_CHECKING:  # a type checker would take any name for an attribute

        def __getattr__(self, name: str) -> Any:
            if name != "metadata" or "_read" not in self.__dict__:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            read = self.__dict__["_read"]
            if read is not None:
                rows = iter(read())
                made = tuple([tuple([next(rows) for _ in each]) for each in self.ids])
                self.__dict__.setdefault("metadata", made)  # of two threads, the first one's stay
                self.__dict__["_read"] = None
            return self.__dict__["metadata"]

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.ids, self.scores, self.metadata, self.metric)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, query: int) -> list[Hit]:
        columns = zip(self.ids[query], self.scores[query], self.metadata[query])
        return [Hit(id, float(score), metadata) for id, score, metadata in columns]

    def __iter__(self) -> Iterator[list[Hit]]:
        return (self[query] for query in range(len(self)))
