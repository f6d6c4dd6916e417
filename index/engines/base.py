"""The contract that every vector index keeps: metric, results, operations, and the checks of what comes in.

Vectors, ids and k are looked at once, at the border, before anything is touched.
"""

from collections.abc import Callable, Iterator, Mapping, Sized
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interlingua.index.folder import FileWriter


class Metric(StrEnum):
    """How a query and a stored vector are compared; a score is higher for a better match.

    ===========  ==========================  ==================================================
    value        score of query x, vector y  remark
    ===========  ==========================  ==================================================
    ``ip``       ``x . y``                   stored as given; folded CSLS needs this one
    ``cosine``   ``x . y / (|x| |y|)``       the index scales both to unit length; no zero vectors
    ``l2``       ``-|x - y|^2``              minus the SQUARED Euclidean distance
    ===========  ==========================  ==================================================

    Examples
    --------
    >>> Metric.parse("cosine")
    <Metric.COSINE: 'cosine'>
    >>> Metric.parse("dot")
    Traceback (most recent call last):
    ...
    ValueError: unknown metric 'dot'; choose one of 'ip', 'cosine', 'l2'
    """

    IP = "ip"
    COSINE = "cosine"
    L2 = "l2"

    @classmethod
    def parse(cls, value: "Metric | str") -> "Metric":
        """Return the metric named `value`.

        Raises
        ------
        ValueError
            If there is no such metric; the text lists those there are.
        """
        try:
            return cls(value)
        except ValueError:
            choices = ", ".join(repr(str(metric)) for metric in cls)
            raise ValueError(f"unknown metric {value!r}; choose one of {choices}") from None


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


@dataclass(frozen=True, eq=False)
class Batch:
    """Some rows of a collection, in order; what `Collection.add` and `upsert` take.

    Attributes
    ----------
    ids : tuple of n str
    vectors : (n, d) float32 array
        As they are kept: of unit length for `cosine`.
    metadata : list of n dict
        Copies.
    """

    ids: tuple[str, ...]
    vectors: NDArray[np.float32]
    metadata: list[dict[str, Any]]

    def __len__(self) -> int:
        return len(self.ids)


class UnsupportedOperation(RuntimeError):
    """An index cannot do what was asked; the text says what can be done instead."""


@dataclass(frozen=True)
class IndexSpec:
    """What it takes to make an empty index again: `create_index(**vars(spec))`."""

    kind: str
    dimension: int
    metric: Metric
    config: dict[str, Any] = field(default_factory=dict)


@runtime_checkable
class VectorIndex(Protocol):
    """Vectors under int64 ids, and a search for the nearest of them.

    Every index checks its input itself, leaves it unmodified, and refuses NaN, infinities, a wrong dimension,
    empty arrays, k < 1 and ids that are there already. A failing call leaves the index as it was.

    Threads may search an index beside each other, but nothing may go on beside a change: FAISS would answer with other
    rows, or crash. A `Collection` sees to that by itself.
    """

    @property
    def spec(self) -> IndexSpec:
        """Kind, dimension, metric and configuration."""

    @property
    def dimension(self) -> int:
        """Length d of each vector."""

    @property
    def metric(self) -> Metric:
        """How vectors are compared."""

    def __len__(self) -> int: ...

    def add(self, ids: ArrayLike, vectors: ArrayLike) -> None:
        """Add vectors (n, d) under new ids (n,), each >= 0."""

    def remove(self, ids: ArrayLike) -> None:
        """Remove vectors by id; an id that is not there is refused and nothing is removed."""

    def search(self, queries: ArrayLike, k: int, *, allowed: ArrayLike | None = None) -> SearchResult:
        """Return the k best ids of each query (n, d), among those in `allowed` if given.

        Ids in `allowed` that the index does not hold are passed over.
        """

    def reconstruct(self, ids: ArrayLike) -> NDArray[np.float32]:
        """Return the stored vectors (n, d); for `cosine` those are of unit length, not as they were added."""

    def files(self) -> Mapping[str, FileWriter]:
        """Return what must be written to keep this index: file name -> function that writes the file.

        The files hold no checksums; `save_index` and `Collection.save` add them.
        """


class Described:
    """The length of the vectors that something holds, and how it compares them: checked once, and fixed."""

    def __init__(self, dimension: int, metric: Metric | str) -> None:
        self._dimension = check_dimension(dimension)
        self._metric = Metric.parse(metric)

    @property
    def dimension(self) -> int:
        """Length d of each vector."""
        return self._dimension

    @property
    def metric(self) -> Metric:
        """How vectors are compared."""
        return self._metric


def refuse_mapped(mapped: bool) -> None:
    """Raise `UnsupportedOperation` if an index that is to be changed is mapped from its file."""
    if mapped:
        raise UnsupportedOperation("this index is mapped from its file and can only be read; load it without mapping")


# Squared distances of two vectors reach 4 times their largest squared norm, and must stay float32.
_LARGEST_SQUARED_NORM = float(np.finfo(np.float32).max) / 4
_SMALLEST_SQUARED_NORM = float(np.finfo(np.float32).tiny)

# A unit vector whose entries are rounded to float32 has a squared norm within (1 ± 2^-24)^2 of 1.
_UNIT = 2.0**-23 * 1.001


def check_vectors(vectors: ArrayLike, dimension: int, metric: Metric, *, name: str = "vectors") -> NDArray[np.float32]:
    """Return `vectors` as an (n, d) float32 array in C order, of unit length for `cosine`.

    The input is not modified; where nothing needs changing it is returned itself. Vectors that are of unit length to
    float32 are left as they are, so that what was scaled once is not changed by being scaled again.

    Raises
    ------
    TypeError
        If the values are not real numbers.
    ValueError
        If the array is empty or not (n, `dimension`), holds NaN or infinities or values beyond float32, holds
        nothing but values whose squares are below it, or, for `cosine`, a zero vector.

    Examples
    --------
    >>> check_vectors([[3.0, 4.0]], 2, Metric.COSINE)
    array([[0.6, 0.8]], dtype=float32)
    >>> check_vectors([[0.0, 0.0]], 2, Metric.COSINE)
    Traceback (most recent call last):
    ...
    ValueError: vectors row 0 is a zero vector, which has no cosine; leave such rows out or use metric 'ip'
    """
    refuse_masked(vectors, name)
    array = np.asarray(vectors)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name} must hold real numbers, not {array.dtype}")
    if array.ndim != 2:
        hint = f"; for one vector write {name}[None, :]" if array.ndim == 1 else ""
        raise ValueError(f"{name} must be an (n, {dimension}) array, but its shape is {array.shape}{hint}")
    if array.shape[1] != dimension:
        raise ValueError(
            f"{name} and the index differ in dimension ({array.shape[1]} vs {dimension}); "
            "encode both with the same model and the same shared space"
        )
    if len(array) == 0:
        raise ValueError(f"{name} is empty (shape {array.shape}); give at least one row")
    with np.errstate(over="ignore"):  # float64 beyond float32 becomes inf and is refused below
        single: NDArray[np.float32] = np.ascontiguousarray(array, dtype=np.float32)
    squared = np.einsum("ij,ij->i", single, single, dtype=np.float64)
    least, most = squared.min(), squared.max()  # subtle: NaN, if one is
    if not most <= _LARGEST_SQUARED_NORM:
        bad = np.flatnonzero(~(squared <= _LARGEST_SQUARED_NORM))
        raise ValueError(
            f"{name} row {bad[0]} holds NaN, infinite or too large values ({bad.size} such rows of "
            f"{len(array)}); remove or repair them first"
        )
    # a question near the origin has distances all the same
    small = metric is Metric.IP or (metric is Metric.L2 and name != "queries")
    if small and most < _SMALLEST_SQUARED_NORM and array.any():
        raise ValueError(
            f"{name} must have squares that float32 can hold, but the largest value is {np.abs(array).max():.3g}, so "
            "that all scores would be zero; scale all vectors alike, or use metric 'cosine'"
        )
    if metric is not Metric.COSINE or (1 - least <= _UNIT and most - 1 <= _UNIT):
        return single
    if least == 0:
        raise ValueError(
            f"{name} row {np.argmin(squared)} is a zero vector, which has no cosine; leave such rows out or use "
            "metric 'ip'"
        )
    other = np.abs(squared - 1) > _UNIT
    unit: NDArray[np.float32] = (single / np.sqrt(np.where(other, squared, 1.0))[:, None]).astype(np.float32)
    return unit


def refuse_masked(array: Any, name: str) -> None:
    """Raise ValueError if an array has masked entries, whose numbers NumPy would take for given."""
    if np.ma.isMaskedArray(array) and bool(np.ma.getmaskarray(array).any()):
        raise ValueError(f"{name} has masked entries; leave such rows out, or fill them (`filled`)")


def is_nothing(ids: Sized, vectors: ArrayLike) -> bool:
    """Return whether there is no id and no vector, so that nothing is to be done."""
    return len(ids) == 0 and len(np.asarray(vectors)) == 0


def check_rows(ids: Sized, vectors: ArrayLike, dimension: int, metric: Metric) -> NDArray[np.float32]:
    """Return `vectors` as `check_vectors` does, one for each of the checked ids.

    Raises
    ------
    ValueError
        If their numbers differ, or as `check_vectors`.
    """
    checked = check_vectors(vectors, dimension, metric)
    if len(checked) != len(ids):
        raise ValueError(f"ids and vectors differ in number ({len(ids)} vs {len(checked)})")
    return checked


def check_ids(ids: ArrayLike, *, name: str = "ids", unique: bool = True) -> NDArray[np.int64]:
    """Return `ids` as an (n,) int64 array of numbers >= 0, itself where it is one.

    Raises
    ------
    TypeError
        If they are not integers.
    ValueError
        If they are not one-dimensional, negative, or, with `unique`, repeated.
    """
    refuse_masked(ids, name)
    array = np.asarray(ids)
    if array.size and array.dtype.kind not in "iu":
        raise TypeError(f"{name} must be integers, not {array.dtype}")
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, but its shape is {array.shape}")
    if array.dtype.kind == "u" and array.size and array.max() > np.iinfo(np.int64).max:
        raise ValueError(f"{name} must fit into int64, but the largest is {array.max()}")
    whole: NDArray[np.int64] = array.astype(np.int64, copy=False)
    if whole.size and whole.min() < 0:
        raise ValueError(f"{name} must be >= 0 (-1 marks a missing result), but one is {whole.min()}")
    if unique:
        distinct, counts = np.unique(whole, return_counts=True)
        if len(distinct) < len(whole):
            raise ValueError(f"{name} must not repeat, but these do: {shorten(distinct[counts > 1].tolist())}")
    return whole


def check_k(k: int, *, name: str = "k") -> int:
    """Return `k`, the number of results a query, as an int of at least 1."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer):
        raise TypeError(f"{name} must be an integer, not {type(k).__name__}")
    if k < 1:
        raise ValueError(f"{name} must be at least 1, but is {k}")
    return int(k)


def check_dimension(dimension: int) -> int:
    """Return `dimension` as an int of at least 1."""
    if isinstance(dimension, bool) or not isinstance(dimension, int | np.integer):
        raise TypeError(f"dimension must be an integer, not {type(dimension).__name__}")
    if dimension < 1:
        raise ValueError(f"dimension must be at least 1, but is {dimension}")
    return int(dimension)


def shorten(values: list[Any], limit: int = 3) -> str:
    """Return the first values for an error text, and how many more there are.

    Examples
    --------
    >>> shorten(["a", "b", "c", "d", "e"])
    "'a', 'b', 'c' and 2 more"
    """
    text = ", ".join(repr(value) for value in values[:limit])
    return text if len(values) <= limit else f"{text} and {len(values) - limit} more"
