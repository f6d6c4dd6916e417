"""Vectors of another program, to be searched as they are.

Vectors that it has written into a FAISS index, with the table of what they are of.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.index import Collection, MilvusCollection
from interlingua.pipelines.encoders.base import Encoder
from interlingua.pipelines.encoders.load import lasting_name, load_encoder
from interlingua.pipelines.stored import encoder_of, open_plain
from interlingua.pipelines.texts.tables import open_table

SUFFIXES = (".faiss", ".index", ".idx")


def open_foreign(
    folder: str | Path, encoder: Encoder | str | Path | None, *, mapped: bool, device: str, cache: bool
) -> tuple[Collection | MilvusCollection, Encoder, str]:
    """Return the rows of a folder that holds no search, their encoder, and its lasting name.

    Raises
    ------
    ValueError
        If nothing names the encoder, or its vectors have another dimension.
    """
    note, rows = open_plain(folder, mapped=mapped)
    no_search = f"{folder} holds no search; `interlingua index build` writes one"
    if encoder is None and not note.name:
        raise ValueError(
            f"{no_search}. To search its vectors as they are, name the encoder that made them: --encoder NAME "
            "(in Python encoder=): a sentence-transformers model or its folder, a file of word vectors, bundled"
        )
    if note.identity or encoder is None:
        made, name = encoder_of(folder, note, encoder, device=device, cache=cache)
    else:
        made = load_encoder(encoder, device=device, cache=cache) if isinstance(encoder, str | Path) else encoder
        name = lasting_name(None, made)
    if rows.dimension != made.dimension:
        raise ValueError(
            f"{no_search}. Its vectors have dimension {rows.dimension}, but those of {made.identity!r} have "
            f"{made.dimension}; to search them as they are, name the encoder that made them"
        )
    return rows, made, name


def collection_from_faiss(
    path: str | Path, rows: str | Path | None = None, *, id: str | None = None, kind: str | None = None
) -> Collection:
    """Return a collection of the vectors in a FAISS index file.

    The index is read by FAISS itself: open files of people whom you trust. Codes come out as they are kept.

    Parameters
    ----------
    path : str or Path
        Of ``faiss.write_index``.
    rows : str or Path, optional
        A table (JSON lines, CSV, TSV or parquet) with a row for each vector, in their order: their metadata.
    id : str, optional
        The column of the table that names the rows; by default ``id``, where there is one, else the numbers of an
        ``IndexIDMap``, else 0, 1, ...
    kind : str, optional
        Of the index that is made, as in `create_index`; by default flat.

    Raises
    ------
    ValueError
        If FAISS cannot read the file or give its vectors back, or the table has another number of rows or no such
        column.
    FileNotFoundError
        If there is no such file.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no file {path}; mend the path")
    vectors, metric, numbers = _read(str(path))
    names = [str(number) for number in numbers]
    metadata: list[Mapping[str, Any]] | None = None
    if rows is not None:
        table = open_table(rows)
        read = [row for _, row in table.rows]
        if len(read) != len(vectors):
            raise ValueError(
                f"{path} holds {len(vectors)} vectors, but {table.name} has {len(read)} rows; give a row for each"
            )
        column = id or ("id" if all("id" in row for row in read) else None)
        if column is not None:
            if missing := [number for number, row in enumerate(read, start=1) if row.get(column) is None]:
                raise ValueError(f"{table.name}, row {missing[0]}, has no {column!r}; name the right column (--id)")
            names = [str(row[column]) for row in read]
        metadata = [
            {name: value for name, value in row.items() if name != column and value is not None} for row in read
        ]
    made = Collection.create(vectors.shape[1], metric, kind or "flat")
    try:
        made.add(names, vectors, metadata)
    except (ValueError, TypeError) as error:
        raise type(error)(f"{path}: {error}") from error
    return made


def _read(path: str) -> tuple[NDArray[np.float32], str, NDArray[np.int64]]:
    """Return vectors (n, d), the metric and the number of each."""
    import faiss

    try:
        index = faiss.read_index(path)
    except RuntimeError as error:
        raise ValueError(
            f"{path} is no index that FAISS reads ({_reason(error)}); write it with write_index"
        ) from error
    metrics = {faiss.METRIC_INNER_PRODUCT: "ip", faiss.METRIC_L2: "l2"}
    if index.metric_type not in metrics:
        raise ValueError(f"{path} compares by FAISS' metric {index.metric_type}; only inner product and L2 can be read")
    numbers = np.arange(index.ntotal, dtype=np.int64)
    held = faiss.downcast_index(index)
    if isinstance(held, faiss.IndexIDMap | faiss.IndexIDMap2):
        numbers = faiss.vector_to_array(held.id_map).astype(np.int64)
        held = faiss.downcast_index(held.index)
    if isinstance(held, faiss.IndexIVF):
        held.make_direct_map()
    try:
        found = held.reconstruct_n(0, held.ntotal) if held.ntotal else np.empty((0, held.d), np.float32)
    except RuntimeError as error:
        kind = type(held).__name__
        raise ValueError(f"{path} is a {kind}, which does not give its vectors back ({_reason(error)})") from error
    return np.asarray(found, np.float32), metrics[index.metric_type], numbers


def _reason(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rpartition("Error: ")[2][:200]
