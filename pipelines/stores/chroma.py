"""Folders of Chroma's PersistentClient, read without Chroma: texts in SQLite, vectors in a log there and in graphs.

New rows lie in the table ``embeddings_queue`` until there are some thousand of them; then a graph of hnswlib, in a
folder beside it, has them, and a pickle says under which label.
"""

import json
import sqlite3
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .base import MetricName, Place, StoreError, StoreRows, new_folder, program, reading_sqlite, scalar, stacked
from .pickles import Kept, read_pickle

KIND = "chroma"
_BASE = "chroma.sqlite3"
_TEXT = "document"
_LABELS = ("chromadb.segment.impl.vector.local_persistent_hnsw.PersistentData",)
_ADDED, _DELETED = 0, 3  # operations of the queue; what is there already is not added again
_AT_ONCE = 2000


def recognises(path: Path) -> bool:
    """Tell whether a folder has Chroma's base."""
    return (path / _BASE).is_file()


def read(place: Place) -> StoreRows:
    """Return the rows of a collection; their documents are the field ``document``.

    Raises
    ------
    StoreError
        If it cannot be read, or there are several collections and none is named.
    """
    folder = Path(place.store)
    with reading_sqlite(folder / _BASE) as base:
        try:
            found = dict(base.execute("select name, id from collections").fetchall())
            name = place.choose(list(found))
            return _read(base, folder, found[name], name)
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{folder / _BASE} is not laid out as Chroma's since 0.4 ({error})") from error


def _read(base: sqlite3.Connection, folder: Path, collection: str, name: str) -> StoreRows:
    segments = dict(base.execute("select scope, id from segments where collection = ?", (collection,)).fetchall())
    rows = base.execute(
        "select id, embedding_id from embeddings where segment_id = ? order by id", (segments["METADATA"],)
    ).fetchall()
    vectors = _graph_vectors(folder / segments["VECTOR"])
    for operation, id, vector, encoding in base.execute(
        "select operation, id, vector, encoding from embeddings_queue where topic like ? order by seq_id",
        (f"%/{collection}",),
    ):
        if operation == _DELETED:
            vectors.pop(id, None)
        elif vector is not None and not (operation == _ADDED and id in vectors):
            vectors[id] = np.frombuffer(vector, "<f4" if encoding in (None, "FLOAT32") else "<i4").astype(np.float32)
    metadata = _metadata(base, segments["METADATA"])
    kept = [(key, id) for key, id in rows if id in vectors]
    if not kept:
        raise StoreError(f"{folder}: the collection {name!r} holds no vector")
    made = stacked([vectors[id] for _, id in kept], f"{folder}: the collection {name!r}")
    metric, about = _settings(base, collection)
    told = [metadata.get(key, {}) for key, _ in kept]
    ids, left_out = [id for _, id in kept], len(rows) - len(kept)
    return StoreRows(ids, made, told, metric, KIND, name, _TEXT, left_out, about)


def _metadata(base: sqlite3.Connection, segment: str) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for row, key, text, whole, real, truth in base.execute(
        "select m.id, m.key, m.string_value, m.int_value, m.float_value, m.bool_value from embedding_metadata m "
        "join embeddings e on e.id = m.id where e.segment_id = ?",
        (segment,),
    ):
        values = (text, whole, real, None if truth is None else bool(truth))
        value = next((each for each in values if each is not None), None)
        if value is not None:
            found.setdefault(row, {})[_TEXT if key == "chroma:document" else key] = value
    return found


def _settings(base: sqlite3.Connection, collection: str) -> tuple[MetricName, dict[str, Any]]:
    """Return the metric, and what is noted of the model: in the columns of today, or in the metadata of before."""
    columns = [row[1] for row in base.execute("pragma table_info(collections)")]
    texts = [each for each in ("schema_str", "config_json_str") if each in columns]
    said: list[Any] = []
    for each in texts:
        (text,) = base.execute(f"select {each} from collections where id = ?", (collection,)).fetchone()  # noqa: S608
        said.append(json.loads(text) if text else {})
    old = dict(
        base.execute("select key, str_value from collection_metadata where collection_id = ?", (collection,)).fetchall()
    )
    space = next((each for part in said if (each := _find(part, "space"))), None) or old.get("hnsw:space") or "l2"
    functions = (_find(part, "embedding_function") for part in said)
    model = next((each["name"] for each in functions if isinstance(each, Mapping) and "name" in each), "")
    metrics: dict[str, MetricName] = {"l2": "l2", "cosine": "cosine", "ip": "ip"}
    return metrics[str(space)], ({"model": str(model)} if model else {})


def _find(part: Any, name: str) -> Any:
    """Return the first value of that name, wherever in nested settings it stands."""
    if isinstance(part, Mapping):
        if part.get(name):
            return part[name]
        return next((found for each in part.values() if (found := _find(each, name))), None)
    return None


def _graph_vectors(folder: Path) -> dict[str, NDArray[np.float32]]:
    """Return the vectors by id in the files of hnswlib: a header, and rows of links, vector and label."""
    labels = folder / "index_metadata.pickle"
    if not labels.is_file():
        return {}
    said = read_pickle(labels.read_bytes(), _LABELS, name=str(labels))
    named = said.field("id_to_label") if isinstance(said, Kept) else said.get("id_to_label")
    ids = {int(label): id for id, label in (named or {}).items()}
    head = (folder / "header.bin").read_bytes()
    try:
        _, _, _, count, size, label_at, vector_at = struct.unpack_from("<i6Q", head)
        rows = np.frombuffer((folder / "data_level0.bin").read_bytes(), np.uint8)[: count * size].reshape(count, size)
    except (struct.error, ValueError) as error:
        raise StoreError(f"{folder} is not laid out as hnswlib writes it ({error})") from error
    found = np.ascontiguousarray(rows[:, label_at : label_at + 8]).view("<u8").ravel().tolist()
    vectors = np.ascontiguousarray(rows[:, vector_at:label_at]).view("<f4")
    return {ids[label]: vectors[row] for row, label in enumerate(found) if label in ids}


def write(rows: StoreRows, place: Place) -> None:
    """Write a new folder, by Chroma itself; what is no text, number or truth value is kept as JSON.

    Raises
    ------
    ImportError
        If chromadb is not installed.
    """
    chromadb = program("chromadb", "chromadb")
    text = rows.text
    with new_folder(place.store, "Chroma") as folder:
        settings = chromadb.config.Settings(anonymized_telemetry=False)
        client = chromadb.PersistentClient(str(folder), settings=settings)
        made = client.create_collection(
            rows.table, configuration={"hnsw": {"space": rows.metric}}, embedding_function=None
        )
        for start in range(0, len(rows.ids), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            plain = [{key: scalar(value) for key, value in row.items() if key != text} for row in rows.metadata[part]]
            made.add(
                ids=list(rows.ids[part]),
                embeddings=rows.vectors[part],
                documents=[str(row.get(text) or "") for row in rows.metadata[part]],
                metadatas=[each or None for each in plain],
            )
