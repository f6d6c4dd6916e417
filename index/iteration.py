"""Walk through the rows of a collection in batches."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .checks import check_k
from .filters import Where, matching_rows
from .metadata import MetadataTable
from .vector_index import VectorIndex

__all__ = ["Batch", "iterate", "numbers_in_batches"]


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


def iterate(index: VectorIndex, table: MetadataTable, size: int, where: Where | None) -> Iterator[Batch]:
    """Yield the rows that pass `where`, `size` at a time; see `Collection.batches`."""
    for numbers in numbers_in_batches(table, size, where):
        rows = table.rows_of(numbers)
        ids = tuple(table.ids[row] for row in rows.tolist())
        yield Batch(ids, index.reconstruct(numbers), table.metadata(rows))


def numbers_in_batches(table: MetadataTable, size: int, where: Where | None) -> Iterator[NDArray[np.int64]]:
    """Yield the numbers of the rows that pass `where`, ascending, `size` at a time.

    Raises
    ------
    RuntimeError
        If rows were added or removed meanwhile.
    """
    size = check_k(size, name="size")
    allowed = matching_rows(table, where)
    numbers = table.numbers_where(np.ones(len(table), dtype=bool)) if allowed is None else allowed
    state = table.state
    for start in range(0, len(numbers), size):
        if table.state != state:
            raise RuntimeError("the collection changed while it was walked through; note the changes, make them after")
        yield numbers[start : start + size]
