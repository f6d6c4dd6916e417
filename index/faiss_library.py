"""FAISS itself: imported at its first use, with as many threads as asked for, and built by configuration."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .faiss_config import FaissConfig, FaissFlatConfig, HNSWConfig, IVFPQConfig, IVFRaBitQConfig
from .metric import Metric

__all__ = [
    "build_trained",
    "faiss_class",
    "faiss_threads",
    "flat",
    "load_faiss",
    "lookup_storage",
    "needs_training",
    "selector",
    "stored_dimension",
    "with_zeros",
]


def load_faiss() -> Any:
    """Return the module, imported at its first use; untyped, since its stubs know half of what it can do."""
    return import_module("faiss")


@contextmanager
def faiss_threads(threads: int | None) -> Iterator[None]:
    """Let FAISS use `threads` OpenMP threads inside the block, and as many as before after it.

    The setting belongs to the whole process, and where torch was imported before faiss it is torch's as well;
    hence it is put back. Processes that used OpenMP must not fork: start helpers with the method "spawn".
    """
    if threads is None:
        yield
        return
    faiss = load_faiss()
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(threads)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def flat(dimension: int, metric: Metric) -> Any:
    """Return an empty exact index."""
    faiss = load_faiss()
    return (faiss.IndexFlatL2 if metric is Metric.L2 else faiss.IndexFlatIP)(dimension)


def needs_training(config: FaissConfig) -> bool:
    """Return whether an index of this configuration learns from vectors before it takes any."""
    return not isinstance(config, FaissFlatConfig) and not (isinstance(config, HNSWConfig) and config.storage != "sq8")


def stored_dimension(config: FaissConfig, dimension: int) -> int:
    """Return how many numbers of a vector an index keeps: short numbers are read eight at a time, or far more slowly.

    Examples
    --------
    >>> stored_dimension(HNSWConfig(storage="sq8"), 385), stored_dimension(HNSWConfig(), 385)
    (392, 385)
    """
    short = isinstance(config, HNSWConfig) and config.storage != "float32"
    return -(-dimension // 8) * 8 if short else dimension


def with_zeros(vectors: NDArray[np.float32], dimension: int) -> NDArray[np.float32]:
    """Return vectors (n, d) with as many zeros behind each as `dimension` is more than d."""
    missing = dimension - vectors.shape[1]
    return np.pad(vectors, ((0, 0), (0, missing))) if missing else vectors


def build_trained(config: FaissConfig, dimension: int, metric: Metric, sample: NDArray[np.float32]) -> Any:
    """Return an empty index, trained on the sample (n, d) where its kind needs that.

    Raises
    ------
    ValueError
        If the code size does not divide the dimension, or there are more cells than vectors.
    """
    faiss = load_faiss()

    measure = faiss.METRIC_L2 if metric is Metric.L2 else faiss.METRIC_INNER_PRODUCT
    if isinstance(config, FaissFlatConfig):
        return flat(dimension, metric)
    if isinstance(config, HNSWConfig):
        dimension = stored_dimension(config, dimension)
        index, sample = _graph(config, dimension, measure), with_zeros(sample, dimension)
    else:
        index = faiss.index_factory(dimension, _ivf_description(config, dimension, len(sample), metric), measure)
        cells = faiss.extract_index_ivf(index)
        cells.cp.min_points_per_centroid = 1  # its own hint about few vectors goes to the console; ours is in the docs
    if not index.is_trained:
        index.train(sample)
    if config.kind == "ivf-flat":
        index.set_direct_map_type(faiss.DirectMap.Array)  # else no vector can be read back by its position
    return index


def faiss_class(config: FaissConfig, metric: Metric) -> str:
    """Return the name of the FAISS class that an index of this configuration is an instance of."""
    if isinstance(config, FaissFlatConfig):
        return type(flat(1, metric)).__name__
    if isinstance(config, HNSWConfig):
        return "IndexHNSWFlat" if config.storage == "float32" else "IndexHNSWSQ"
    refine = getattr(config, "refine", None)
    return {None: "IndexIVFFlat", "float32": "IndexRefineFlat", "float16": "IndexRefine", "sq8": "IndexRefine"}[refine]


def lookup_storage(index: Any) -> Any:
    """Return the part of an index that keeps its vectors in order of adding, or None (plain inverted lists)."""
    faiss = load_faiss()
    if hasattr(index, "refine_index"):
        return faiss.downcast_index(index.refine_index)
    if hasattr(index, "storage"):
        return faiss.downcast_index(index.storage)
    return None if hasattr(index, "nlist") else index


def selector(mask: NDArray[np.bool_], *, listed: bool = False) -> Any:
    """Return the FAISS selector of the positions where `mask` is true; if `listed`, by a list where they are few."""
    faiss = load_faiss()
    if listed and len(positions := np.flatnonzero(mask)) <= len(mask) // 2:
        return faiss.IDSelectorArray(positions)
    return faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))


def _graph(config: HNSWConfig, dimension: int, measure: int) -> Any:
    faiss = load_faiss()
    if config.storage == "float32":
        graph = faiss.IndexHNSWFlat(dimension, config.M, measure)
    else:
        quantiser = faiss.ScalarQuantizer
        kept = quantiser.QT_8bit if config.storage == "sq8" else quantiser.QT_fp16
        graph = faiss.IndexHNSWSQ(dimension, kept, config.M, measure)
        # what is learned from is a sample: a tenth more at both ends, or the largest numbers would be cut off
        faiss.downcast_index(graph.storage).sq.rangestat_arg = 0.1
    graph.hnsw.efConstruction = config.ef_construction
    return graph


def _ivf_description(config: Any, dimension: int, n_vectors: int, metric: Metric) -> str:
    n_lists = config.n_lists or max(1, min(round(4 * sqrt(n_vectors)), n_vectors // 39))
    if n_lists > n_vectors:
        raise ValueError(
            f"{n_lists} cells cannot be learned from {n_vectors} vectors; give n_lists=None or more vectors"
        )
    refine = {"sq8": ",Refine(SQ8)", "float16": ",Refine(SQfp16)", "float32": ",RFlat"}.get(
        getattr(config, "refine", ""), ""
    )
    if isinstance(config, IVFPQConfig):
        size = config.code_size or max(m for m in range(1, max(dimension // 2, 1) + 1) if dimension % m == 0)
        if dimension % size:
            raise ValueError(f"code_size must divide the dimension {dimension}, but is {size}; give None for the best")
        # codes of what is left after the centre are finer; for distances they would need a table for each list
        residual = "" if metric is Metric.L2 else "r"
        return f"IVF{n_lists},PQ{size}x4fs{residual}{refine}"
    return f"IVF{n_lists},RaBitQfs{refine}" if isinstance(config, IVFRaBitQConfig) else f"IVF{n_lists},Flat"
