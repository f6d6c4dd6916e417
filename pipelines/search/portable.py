"""Collections as other programs can read them, and back: plain unit vectors, and what ranks them as a column.

A search keeps its rows as it ranks them, see `CorrectedRows`. What is exported has the vectors themselves, d numbers of
length 1, and r as the metadata field ``hubness``; the attribute ``layout`` says what to make of them again, so that a
search that went out and came back answers as before, to the last bit where the index keeps whole numbers.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from interlingua.index import Collection, MilvusCollection
from interlingua.index.engines.base import Metric
from interlingua.index.engines.choose import spec_to_json
from interlingua.pipelines.stored import kind_of, open_collection

from .corrected import HubCorrectedCollection
from .parts import read_search
from .ranked import ATTRIBUTE, CorrectedRows, hubness_of, typical_hubness
from .rows import PlainRows, rows_of

_LAYOUT = "layout"
_BLOCK = 16_384
_OWN_FILES = ("hub-rows.npy", "hub-means.npy")  # what `CorrectedRows.attachments` names; made anew on the way back


def open_portable(folder: str | Path) -> Collection:
    """Return the collection in a folder with plain vectors, those of a search with their hubness.

    What no pipeline has ranked is returned as it is; rows in Milvus are fetched.

    Raises
    ------
    ValueError
        If the folder is no collection, or is damaged.
    """
    rows = _rows_in(folder)
    if rows is None:
        collection = open_collection(folder)
        return collection if isinstance(collection, Collection) else _fetched(collection)
    held: Any = rows.collection
    field = "hubness"
    made = Collection.create(rows.dimension, Metric.IP)
    for ids, metadata in _blocks(held):
        while any(field in row for row in metadata):
            field += "_"
        means = rows.means(ids).tolist()
        made.add(ids, rows.vectors(ids), [{**row, field: mean} for row, mean in zip(metadata, means, strict=True)])
    in_memory = isinstance(held, Collection)
    spec = spec_to_json(held.index.spec) if in_memory else {"kind": "flat", "dimension": held.dimension, "metric": "ip"}
    made.attributes = {**held.attributes, _LAYOUT: {**spec, "hubness": field}}
    made.attachments = {name: each for name, each in held.attachments.items() if name not in _OWN_FILES}
    return made


def restored(collection: Collection, kind: str | None = None) -> Collection:
    """Return what `open_portable` was made of; another collection, or one without hubness, as it is.

    Parameters
    ----------
    collection : Collection
    kind : str, optional
        Of the index, instead of the one that it was.
    """
    layout = collection.attributes.get(_LAYOUT)
    if not isinstance(layout, dict):
        return collection
    if len(collection) > sum(count for _, count in collection.counts(layout["hubness"])):  # read without that column
        own = (_LAYOUT, "pipeline", ATTRIBUTE)
        collection.attributes = {name: value for name, value in collection.attributes.items() if name not in own}
        return collection
    kind, config = (layout["kind"], layout.get("config")) if kind in (None, layout["kind"]) else (str(kind), None)
    from .ranked import ranked_collection

    rows = CorrectedRows(ranked_collection(kind, collection.dimension, config or None))
    field = layout["hubness"]
    for ids, metadata in _blocks(collection):
        means = np.array([row[field] for row in metadata], np.float32)
        plain = [{name: value for name, value in row.items() if name != field} for row in metadata]
        rows.put(ids, collection.vectors(ids), means, plain, replace=False)
    made = rows.collection
    made.attributes = {name: value for name, value in collection.attributes.items() if name != _LAYOUT}
    made.attachments = {**collection.attachments, **rows.attachments()}
    return made


def _rows_in(folder: str | Path) -> CorrectedRows | None:
    """Return the ranked rows of a folder with their r, or None where nothing is ranked."""
    kind = kind_of(folder)
    if kind in ("search", "memory", "answers"):
        parts, _ = read_search(folder, kind)
        rows, around = rows_of(parts.collection), (parts.background, parts.neighborhood)
        if isinstance(rows, PlainRows):
            return None

        def measure(vectors: Any, ids: Any) -> Any:
            languages = [row["language"] for row in parts.collection.get(ids)]
            return hubness_of(vectors, languages, *around, lambda: typical_hubness(*around))

        rows.restore_means((), measure)
        return rows
    if kind is None and ATTRIBUTE in open_collection(folder).attributes:
        return HubCorrectedCollection.load(folder)._ranked
    return None


def _fetched(collection: MilvusCollection) -> Collection:
    made = Collection.create(collection.dimension, collection.metric)
    for batch in collection.batches(_BLOCK):
        made.add(batch.ids, batch.vectors, batch.metadata)
    made.attributes, made.attachments = dict(collection.attributes), dict(collection.attachments)
    return made


def _blocks(collection: Any) -> Iterator[tuple[list[str], list[dict[str, Any]]]]:
    every = list(collection.ids)
    for start in range(0, len(every), _BLOCK):
        ids = every[start : start + _BLOCK]
        yield ids, collection.get(ids)
