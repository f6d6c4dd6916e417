"""FAISS index files: whatever kind gives its vectors back, under the numbers that it gives them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.index.files import replacing_file

from .base import MetricName, Place, StoreError, StoreRows

SUFFIXES = (".faiss", ".index", ".idx")
KIND = "faiss"


def recognises(path: Path) -> bool:
    """Tell whether a file is called like an index of FAISS."""
    return path.is_file() and path.suffix.lower() in SUFFIXES


def read(place: Place) -> StoreRows:
    """Return the vectors of a file of ``faiss.write_index``; a row is called by its number.

    The index is read by FAISS itself: open files of people whom you trust. Codes come out as they are kept.

    Raises
    ------
    StoreError
        If FAISS cannot read the file, or give its vectors back.
    """
    vectors, metric, numbers = read_index(place.store)
    return StoreRows([str(each) for each in numbers], vectors, [{} for _ in numbers], metric, KIND)


def write(rows: StoreRows, place: Place) -> None:
    """Write a flat index, and beside it, as ``NAME.jsonl``, the id and metadata of each of its rows."""
    import faiss

    path = Path(place.store)
    index = flat_index(rows)
    with replacing_file(sidecar_of(path)) as draft, draft.open("w", encoding="utf-8") as file:
        for id, row in zip(rows.ids, rows.metadata, strict=True):
            file.write(json.dumps({"id": id, **{k: v for k, v in row.items() if k != "id"}}, ensure_ascii=False) + "\n")
    with replacing_file(path) as draft:
        faiss.write_index(index, str(draft))


def sidecar_of(path: Path) -> Path:
    """Return where the rows of an index file are told: under its name, with another ending."""
    return path.with_suffix(".jsonl")


def flat_index(rows: StoreRows) -> Any:
    """Return a flat index of FAISS; for the cosine, inner products of unit vectors."""
    import faiss

    vectors = np.array(rows.vectors, np.float32, order="C")
    if rows.metric == "cosine":
        faiss.normalize_L2(vectors)
    made = faiss.IndexFlatL2(vectors.shape[1]) if rows.metric == "l2" else faiss.IndexFlatIP(vectors.shape[1])
    made.add(vectors)
    return made


def read_index(path: str | Path) -> tuple[NDArray[np.float32], MetricName, NDArray[np.int64]]:
    """Return the vectors (n, d) of an index file, its metric, and the number of each; in the order of the numbers.

    Those of an ``IndexIDMap`` are in the order in which they were added.
    """
    import faiss

    try:
        index = faiss.read_index(str(path))
    except RuntimeError as error:
        raise StoreError(
            f"{path} is no index that FAISS reads ({_reason(error)}); write it with write_index"
        ) from error
    metrics: Mapping[int, MetricName] = {faiss.METRIC_INNER_PRODUCT: "ip", faiss.METRIC_L2: "l2"}
    if index.metric_type not in metrics:
        raise StoreError(f"{path} compares by FAISS' metric {index.metric_type}; only inner product and L2 can be read")
    try:
        vectors, numbers = _rows(faiss, faiss.downcast_index(index))
    except (RuntimeError, AttributeError) as error:
        kind = type(faiss.downcast_index(index)).__name__
        raise StoreError(f"{path} is a {kind}, which does not give its vectors back ({_reason(error)})") from error
    return vectors, metrics[index.metric_type], numbers


def _rows(faiss: Any, index: Any) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return vectors and numbers of an index, whatever it is wrapped in."""
    if isinstance(index, faiss.IndexIDMap | faiss.IndexIDMap2):
        vectors, numbers = _rows(faiss, faiss.downcast_index(index.index))
        return vectors, faiss.vector_to_array(index.id_map).astype(np.int64)[numbers]
    if isinstance(index, faiss.IndexPreTransform):
        vectors, numbers = _rows(faiss, faiss.downcast_index(index.index))
        for at in reversed(range(index.chain.size())):
            vectors = faiss.downcast_VectorTransform(index.chain.at(at)).reverse_transform(vectors)
        return np.asarray(vectors, np.float32), numbers
    if not index.ntotal:
        return np.empty((0, index.d), np.float32), np.empty(0, np.int64)
    if isinstance(index, faiss.IndexIVFFastScan):  # subtle: FAISS 1.15 ends the process when it is asked
        raise RuntimeError("Error: its codes are laid out for fast scans")
    if isinstance(index, faiss.IndexIVF):
        numbers = _listed(faiss, index)
        if len(np.unique(numbers)) < len(numbers):
            raise RuntimeError("Error: two of its vectors have one number")
        index.set_direct_map_type(faiss.DirectMap.Hashtable)
        return np.asarray(index.reconstruct_batch(numbers), np.float32), numbers
    return np.asarray(index.reconstruct_n(0, index.ntotal), np.float32), np.arange(index.ntotal, dtype=np.int64)


def _listed(faiss: Any, index: Any) -> NDArray[np.int64]:
    """Return the numbers in inverted lists, in their order: they need not be 0, 1, ..."""
    lists, found = index.invlists, []
    for at in range(index.nlist):
        if size := lists.list_size(at):
            held = lists.get_ids(at)
            found.append(np.array(faiss.rev_swig_ptr(held, size), np.int64))
            lists.release_ids(at, held)
    return np.sort(np.concatenate(found))


def _reason(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rpartition("Error: ")[2][:200]
