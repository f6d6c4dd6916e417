"""The rows of whatever is examined: a collection of ours, plain or ranked, or another program's store."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interlingua.pipelines.search.foreign import is_faiss_name, is_foreign, rows_in
from interlingua.pipelines.search.portable import open_portable
from interlingua.pipelines.stores import is_store, read_store


def stored_rows(
    store: str | Path, text_field: str | None = None
) -> tuple[list[str], NDArray[np.float32], list[str], str]:
    """Return ids, vectors as they are kept, texts and the metric.

    A store's vectors are taken as they are, also those that no collection would take: with NaN, or ids that repeat.
    """
    if is_store(store) and not is_faiss_name(str(store).partition("#")[0]):
        rows = read_store(store)
        return list(rows.ids), rows.vectors, rows.texts(text_field), rows.metric
    collection, text = (rows_in(store)[1:]) if is_foreign(store) else (open_portable(store), "text")
    ids = list(collection.ids)
    texts = [str(row.get(text_field or text) or "") for row in collection.get(ids)]
    return ids, np.asarray(collection.vectors(ids), np.float32), texts, str(collection.metric)
