"""Milvus behind the contract of `VectorIndex`: vectors under int64 ids, searched by the engine."""

import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interlingua.index.engines.base import (
    Described,
    IndexSpec,
    Metric,
    SearchResult,
    check_ids,
    check_k,
    check_rows,
    check_vectors,
    shorten,
)
from interlingua.index.folder import FileWriter

from .client import MOST_RESULTS, MilvusConfig, MilvusError, RemoteCollection, message_slices, vector_field


class MilvusIndex(Described):
    """Vectors in a collection of Milvus, made at first use and found again by its name.

    `cosine` is kept as unit vectors under inner product, so that scores are those of the other indexes. What is saved
    is where the vectors are, not the vectors: they stay with Milvus, which keeps them durable and, on a cluster,
    spread. Checks for ids that are there cost a query more; several writers at once are not kept apart.

    Parameters
    ----------
    dimension : int
        Length d of each vector.
    metric : Metric or str
    config : MilvusConfig

    Raises
    ------
    ValueError
        If the collection is there with another dimension or metric.
    MilvusError
        If Milvus cannot be reached.
    """

    def __init__(self, dimension: int, metric: Metric | str, config: MilvusConfig) -> None:
        super().__init__(dimension, metric)
        self._field = vector_field(self._metric)
        self._remote = RemoteCollection(config, self._create)
        if int(self._remote.fields.get(self._field, {}).get("dim", 0)) != self._dimension:
            raise ValueError(
                f"{self._remote} has the fields {self._remote.fields}, not vectors of dimension {self._dimension} "
                f"under {str(self._metric)!r}; choose another name"
            )

    @property
    def spec(self) -> IndexSpec:
        """Kind, dimension, metric and configuration."""
        return IndexSpec("milvus", self._dimension, self._metric, self._remote.config.to_json())

    def __len__(self) -> int:
        return self._remote.count()

    def add(self, ids: ArrayLike, vectors: ArrayLike) -> None:
        """Add vectors (n, d) under new ids (n,); if a message fails, those before it are taken out again."""
        new_ids = check_ids(ids)
        checked = check_rows(new_ids, vectors, self._dimension, self._metric)
        held = self._held(new_ids)
        if held.any():
            raise ValueError(f"ids are in the index already: {shorten(new_ids[held].tolist())}; remove them first")
        try:
            for part in message_slices(len(new_ids), 4 * self._dimension + 8):
                rows = [{"id": id, self._field: vector} for id, vector in zip(new_ids[part].tolist(), checked[part])]
                # subtle: an insert whose answer is lost would be doubled by the next attempt, an upsert is not
                self._remote.upsert(rows)
        except MilvusError:
            self._delete(new_ids)
            raise

    def remove(self, ids: ArrayLike) -> None:
        """Remove vectors by id."""
        wanted = np.unique(check_ids(ids, unique=False))
        held = self._held(wanted)
        if not held.all():
            raise KeyError(f"ids are not in the index: {shorten(wanted[~held].tolist())}")
        self._delete(wanted)

    def search(self, queries: ArrayLike, k: int, *, allowed: ArrayLike | None = None) -> SearchResult:
        """Return the k best ids of each query (n, d), among those in `allowed` if given."""
        k = check_k(k)
        checked = check_vectors(queries, self._dimension, self._metric, name="queries")
        width = min(k, MOST_RESULTS)
        if width < k and len(self) > width:
            raise ValueError(f"k must be at most {MOST_RESULTS} with Milvus, but is {k}")
        condition = ""
        if allowed is not None:
            within = np.unique(check_ids(allowed, name="allowed", unique=False))
            condition = f"id in {within.tolist()}"
        ids = np.full((len(checked), k), -1, dtype=np.int64)
        scores = np.full((len(checked), k), -np.inf, dtype=np.float32)
        if condition == "id in []":
            return SearchResult(ids, scores, self._metric)
        found = self._remote.search(checked, width, self._metric, condition=condition)
        for row, (hits, values) in enumerate(found):
            ids[row, : len(hits)] = [hit["id"] for hit in hits]
            scores[row, : len(hits)] = np.clip(values, -1, 1) if self._metric is Metric.COSINE else values
        return SearchResult(ids, scores, self._metric)

    def reconstruct(self, ids: ArrayLike) -> NDArray[np.float32]:
        """Return the stored vectors (n, d), of unit length for `cosine`."""
        wanted = check_ids(ids, unique=False)
        held: dict[int, Any] = {}
        for part in message_slices(len(wanted), 4 * self._dimension):
            for row in self._remote.query(f"id in {wanted[part].tolist()}", ["id", self._field]):
                held[row["id"]] = row[self._field]
        if missing := [id for id in wanted.tolist() if id not in held]:
            raise KeyError(f"ids are not in the index: {shorten(missing)}")
        vectors = [held[id] for id in wanted.tolist()]
        return np.array(vectors, dtype=np.float32).reshape(len(wanted), self._dimension)

    def files(self) -> Mapping[str, FileWriter]:
        """Return the writer of ``milvus.json``, which says where the vectors are."""

        def write(path: Path) -> None:
            path.write_text(json.dumps(self._remote.config.to_json(), indent=1) + "\n", encoding="utf-8")

        return {"milvus.json": write}

    def _held(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        found: list[int] = []
        for part in message_slices(len(ids), 8):
            found += [row["id"] for row in self._remote.query(f"id in {ids[part].tolist()}", ["id"])]
        return np.isin(ids, found)

    def _delete(self, ids: NDArray[np.int64]) -> None:
        for part in message_slices(len(ids), 8):
            self._remote.ask(self._remote.client.delete, ids=ids[part].tolist())
        self._remote.settle_deletes()

    def _create(self, remote: RemoteCollection) -> None:
        types = import_module("pymilvus").DataType
        schema = remote.client.create_schema(auto_id=False)
        schema.add_field("id", types.INT64, is_primary=True)
        schema.add_field(self._field, types.FLOAT_VECTOR, dim=self._dimension)
        remote.make(schema, self._metric)
