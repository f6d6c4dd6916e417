"""Put the parts of all shards into one index."""

from pathlib import Path
from typing import Any

import numpy as np

from interlingua.index import FaissIndex, Metric, VectorIndex, create_index
from interlingua.index.faiss_config import CONFIGS
from interlingua.index.faiss_library import load_faiss
from interlingua.index.flat import write_array
from interlingua.index.folder import read_folder, write_folder
from interlingua.index.vector_index import IndexSpec

from .stages import Work

__all__ = ["merge_shards"]


def merge_shards(work: Work, config: dict[str, Any] | None, dimension: int) -> VectorIndex:
    """Return the index of all shards under the numbers 0 to n - 1, in the order of the input.

    Inverted lists are merged by FAISS; a flat index and a graph take the shards' vectors one shard after the other, as
    graphs cannot be merged. Needs the memory of the index, and of one shard.
    """
    settings = work.settings
    metric = Metric.COSINE if settings.vectors_only else Metric.IP
    if not settings.kind.startswith("ivf"):
        index = create_index(settings.kind, dimension, metric, config)
        total = 0
        for number in range(len(work.shards)):
            vectors = np.load(_files(work.place("filled", number))["vectors.npy"], mmap_mode="r", allow_pickle=False)
            if len(vectors):
                index.add(np.arange(total, total + len(vectors)), vectors)
                total += len(vectors)
        return index
    folder = work.place("merged")
    n_vectors = _write_merged(work, folder)
    spec = IndexSpec(settings.kind, dimension, metric, config or {})
    read: VectorIndex = FaissIndex.read(_files(folder), spec, CONFIGS[settings.kind](**(config or {})))
    if len(read) != n_vectors:
        raise ValueError(f"the merged index holds {len(read)} vectors instead of {n_vectors}; build it again")
    return read


def _write_merged(work: Work, folder: Path) -> int:
    faiss = load_faiss()
    merged = faiss.read_index(str(_files(work.place("common"))["quantiser.faiss"]))
    for number in range(len(work.shards)):
        part = faiss.read_index(str(_files(work.place("filled", number))["part.faiss"]))
        lists, more = faiss.extract_index_ivf(merged), faiss.extract_index_ivf(part)
        lists.merge_from(more, lists.ntotal)
        if hasattr(merged, "refine_index"):
            faiss.downcast_index(merged.refine_index).merge_from(faiss.downcast_index(part.refine_index), 0)
            merged.base_index.ntotal = lists.ntotal
        merged.ntotal = lists.ntotal
    if work.settings.kind == "ivf-flat":
        merged.set_direct_map_type(faiss.DirectMap.Array)
    total = int(merged.ntotal)
    files: dict[str, Any] = {
        "index.faiss": lambda path: faiss.write_index(merged, str(path)),
        "ids.npy": lambda path: write_array(np.arange(total), path),
    }
    write_folder(folder, contents={"type": "merged"}, files=files)
    return total


def _files(folder: Path) -> dict[str, Path]:
    return read_folder(folder, lambda _, files: files)
