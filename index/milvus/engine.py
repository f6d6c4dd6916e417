"""Milvus behind the contract of `VectorIndex`: vectors under int64 ids, searched by the engine."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interlingua.index.engines.base import (
    IndexSpec,
    Metric,
    SearchResult,
    check_dimension,
    check_ids,
    check_k,
    check_rows,
    check_vectors,
    shorten,
)
from interlingua.index.folder import FileWriter

from .client import (
    MOST_RESULTS,
    FreshRows,
    MilvusConfig,
    MilvusError,
    ask,
    connect,
    message_slices,
    search_parameters,
    settle_deletes,
)
from .schema import create_indexed


class MilvusIndex:
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
        self._dimension = check_dimension(dimension)
        self._metric = Metric.parse(metric)
        self._config = config
        self._field = f"vector_{self._metric}"
        self._client = connect(config)
        found_there = ask(config, self._client.has_collection, config.collection)
        if not found_there:
            _create(self._client, config, self._dimension, self._metric)
        found = ask(config, self._client.describe_collection, config.collection)
        self._check_schema(found)
        self._fresh = FreshRows(config, self._client, found=found_there)

    @property
    def spec(self) -> IndexSpec:
        """Kind, dimension, metric and configuration."""
        return IndexSpec("milvus", self._dimension, self._metric, self._config.to_json())

    @property
    def dimension(self) -> int:
        """Length d of each vector."""
        return self._dimension

    @property
    def metric(self) -> Metric:
        """How vectors are compared."""
        return self._metric

    def __len__(self) -> int:
        return int(self._query("", ["count(*)"])[0]["count(*)"])

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
                ask(self._config, self._client.upsert, self._config.collection, rows)
                self._fresh.add(len(rows))
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
        self._fresh.put_away()
        for part in message_slices(len(checked), 4 * self._dimension):
            found = ask(
                self._config,
                self._client.search,
                self._config.collection,
                data=list(checked[part]),
                limit=width,
                output_fields=[],
                filter=condition,
                search_params=search_parameters(self._config, width),
                consistency_level=self._config.consistency,
            )
            for row, hits in enumerate(found, start=part.start):
                values = np.array([hit["distance"] for hit in hits], dtype=np.float32)
                ids[row, : len(hits)] = [hit["id"] for hit in hits]
                scores[row, : len(hits)] = -values if self._metric is Metric.L2 else values
        return SearchResult(ids, scores, self._metric)

    def reconstruct(self, ids: ArrayLike) -> NDArray[np.float32]:
        """Return the stored vectors (n, d), of unit length for `cosine`."""
        wanted = check_ids(ids, unique=False)
        held: dict[int, Any] = {}
        for part in message_slices(len(wanted), 4 * self._dimension):
            for row in self._query(f"id in {wanted[part].tolist()}", ["id", self._field]):
                held[row["id"]] = row[self._field]
        if missing := [id for id in wanted.tolist() if id not in held]:
            raise KeyError(f"ids are not in the index: {shorten(missing)}")
        vectors = [held[id] for id in wanted.tolist()]
        return np.array(vectors, dtype=np.float32).reshape(len(wanted), self._dimension)

    def files(self) -> Mapping[str, FileWriter]:
        """Return the writer of ``milvus.json``, which says where the vectors are."""

        def write(path: Path) -> None:
            path.write_text(json.dumps(self._config.to_json(), indent=1) + "\n", encoding="utf-8")

        return {"milvus.json": write}

    def _held(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        found: list[int] = []
        for part in message_slices(len(ids), 8):
            found += [row["id"] for row in self._query(f"id in {ids[part].tolist()}", ["id"])]
        return np.isin(ids, found)

    def _query(self, condition: str, fields: list[str]) -> Any:
        return ask(
            self._config,
            self._client.query,
            self._config.collection,
            filter=condition,
            output_fields=fields,
            consistency_level=self._config.own_writes,
        )

    def _delete(self, ids: NDArray[np.int64]) -> None:
        for part in message_slices(len(ids), 8):
            ask(self._config, self._client.delete, self._config.collection, ids=ids[part].tolist())
        settle_deletes(self._config, self._client)

    def _check_schema(self, found: Mapping[str, Any]) -> None:
        fields = {field["name"]: field.get("params", {}) for field in found["fields"]}
        dimension = int(fields.get(self._field, {}).get("dim", 0))
        if dimension != self._dimension:
            raise ValueError(
                f"{self._config.collection!r} at {self._config.uri} has the fields {fields}, not vectors of dimension "
                f"{self._dimension} under {str(self._metric)!r}; choose another name"
            )


def _create(client: Any, config: MilvusConfig, dimension: int, metric: Metric) -> None:
    from importlib import import_module

    types = import_module("pymilvus").DataType
    schema = client.create_schema(auto_id=False)
    schema.add_field("id", types.INT64, is_primary=True)
    # subtle: the metric is kept in the field's name, as Milvus Lite keeps no description
    schema.add_field(f"vector_{metric}", types.FLOAT_VECTOR, dim=dimension)
    create_indexed(client, config, schema, metric)
