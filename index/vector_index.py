"""The contract that every vector index keeps."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .metric import Metric
from .result import SearchResult

__all__ = ["FileWriter", "IndexSpec", "UnsupportedOperation", "VectorIndex", "refuse_mapped"]

FileWriter = Callable[[Path], None]
"""Writes one file at the path it is given."""


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


def refuse_mapped(mapped: bool) -> None:
    """Raise `UnsupportedOperation` if an index that is to be changed is mapped from its file."""
    if mapped:
        raise UnsupportedOperation("this index is mapped from its file and can only be read; load it without mapping")
