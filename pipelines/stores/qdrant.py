"""Folders of Qdrant's local mode (``QdrantClient(path=...)``): SQLite files with pickled points, never loaded."""

import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .base import MetricName, Place, StoreError, StoreRows, new_folder, program, reading_sqlite, stacked
from .pickles import Kept, read_pickle

KIND = "qdrant"
_POINTS = ("qdrant_client.http.models.models.PointStruct", "qdrant_client.http.models.PointStruct")
_METRICS: dict[str, MetricName] = {"Cosine": "cosine", "Dot": "ip", "Euclid": "l2"}
_AT_ONCE = 1000


def recognises(path: Path) -> bool:
    """Tell whether a folder has the description of local collections."""
    return (path / "meta.json").is_file() and (path / "collection").is_dir()


def read(place: Place) -> StoreRows:
    """Return the points of a collection with their payload.

    Raises
    ------
    StoreError
        If there are several collections, or several vectors a point, and none is named; or it compares by a metric that
        is not known here.
    """
    folder = Path(place.store)
    collections = json.loads((folder / "meta.json").read_text(encoding="utf-8")).get("collections", {})
    spaces = {}
    for name, each in collections.items():
        vectors = each.get("vectors") or {}
        if "size" in vectors:
            spaces[name] = (name, "", vectors)
        else:
            spaces |= {f"{name}.{vector}": (name, vector, about) for vector, about in vectors.items()}
    chosen = place.choose(list(spaces), "space")
    name, vector, about = spaces[chosen]
    if about.get("distance") not in _METRICS:
        raise StoreError(f"{folder} compares by {about.get('distance')!r}; known are {', '.join(_METRICS)}")
    path = folder / "collection" / name / "storage.sqlite"
    ids, rows, metadata, left_out = [], [], [], 0
    with reading_sqlite(path) as base:
        for (data,) in base.execute("select point from points order by rowid"):
            point = read_pickle(data, _POINTS, name=str(path))
            if not isinstance(point, Kept):
                raise StoreError(f"{path} holds a point that is none")
            row = point.field("vector")
            row = row.get(vector) if vector and isinstance(row, dict) else row
            if not isinstance(row, list):
                left_out += 1
                continue
            ids.append(str(point.field("id")))
            rows.append(np.asarray(row, np.float32))
            metadata.append(point.field("payload") or {})
    return StoreRows(ids, stacked(rows, f"{folder}#{chosen}"), metadata, _METRICS[about["distance"]], KIND, chosen,
                     left_out=left_out)  # fmt: skip


def write(rows: StoreRows, place: Place) -> None:
    """Write a new folder, by Qdrant's client itself.

    An id that is neither a whole number nor a UUID becomes a UUID of its text, and stands in the payload as ``id``.

    Raises
    ------
    ImportError
        If qdrant-client is not installed.
    """
    client = program("qdrant_client", "qdrant-client")
    models = program("qdrant_client.models", "qdrant-client")
    distance = next(name for name, metric in _METRICS.items() if metric == rows.metric)
    named = [_named(id) for id in rows.ids]
    with new_folder(place.store, "Qdrant") as folder:
        made = client.QdrantClient(path=str(folder))
        try:
            size = models.VectorParams(size=rows.vectors.shape[1], distance=distance)
            made.create_collection(rows.table, vectors_config=size)
            for start in range(0, len(named), _AT_ONCE):
                points = [
                    models.PointStruct(
                        id=named[at],
                        vector=rows.vectors[at].tolist(),
                        payload={
                            **rows.metadata[at],
                            **({} if str(named[at]) == rows.ids[at] else {"id": rows.ids[at]}),
                        },
                    )
                    for at in range(start, min(start + _AT_ONCE, len(named)))
                ]
                made.upsert(rows.table, points)
        finally:
            made.close()


def _payload(row: Mapping[str, Any], id: str, named: Any) -> dict[str, Any]:
    return dict(row) if str(named) == id else {**row, "id": id}


def _named(id: str) -> Any:
    if id.isascii() and id.isdigit() and str(int(id)) == id and int(id) < 2**64:
        return int(id)
    try:
        return str(uuid.UUID(id)) if str(uuid.UUID(id)) == id else str(uuid.uuid5(uuid.NAMESPACE_URL, id))
    except ValueError:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, id))
