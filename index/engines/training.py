"""What an index learns from vectors before it takes any: cells, codes and ranges; and when it has to learn anew.

Vectors that are kept as bytes are cut off at the ends of the range that was learned. So a range is widened before
vectors are added that lie outside, and those that are there are kept in its new steps. Cells and short codes only lead
to candidates: they are learned anew when a tenth of the vectors lies farther from the cells than what these were
learned from, and again twice while the index grows by half: what was rare at first may become the most.
"""

from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .base import Metric
from .config import FaissConfig, FaissFlatConfig, HNSWConfig, IVFPQConfig, IVFRaBitQConfig
from .scan import load_faiss


def exact_index(dimension: int, metric: Metric) -> Any:
    """Return an empty exact index."""
    faiss = load_faiss()
    return (faiss.IndexFlatL2 if metric is Metric.L2 else faiss.IndexFlatIP)(dimension)


def flat_rows(index: Any) -> NDArray[np.float32]:
    """Return the rows (n, d) of an exact index where they lie; they are gone when the index changes."""
    rows: NDArray[np.float32] = load_faiss().rev_swig_ptr(index.get_xb(), index.ntotal * index.d)
    return rows.reshape(index.ntotal, index.d)


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
        return exact_index(dimension, metric)
    if isinstance(config, HNSWConfig):
        dimension = stored_dimension(config, dimension)
        index, sample = _graph(config, dimension, measure), with_zeros(sample, dimension)
    else:
        index = faiss.index_factory(dimension, _ivf_description(config, dimension, len(sample), metric), measure)
        cells = faiss.extract_index_ivf(index)
        cells.cp.min_points_per_centroid = 1  # its own hint about few vectors goes to the console; ours is in the docs
        if isinstance(config, IVFPQConfig):  # the same, once a sub-vector
            faiss.downcast_index(cells).pq.cp.min_points_per_centroid = 1
    if not index.is_trained:
        index.train(sample)
    if config.kind == "ivf-flat":
        index.set_direct_map_type(faiss.DirectMap.Array)  # else no vector can be read back by its position
    return index


def faiss_class(config: FaissConfig, metric: Metric) -> str:
    """Return the name of the FAISS class that an index of this configuration is an instance of."""
    if isinstance(config, FaissFlatConfig):
        return type(exact_index(1, metric)).__name__
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
        size = config.sub_vectors(dimension)
        if dimension % size:
            raise ValueError(f"code_size must divide the dimension {dimension}, but is {size}; give None for the best")
        # codes of what is left after the centre are finer; for distances they would need a table for each list
        residual = "" if metric is Metric.L2 else "r"
        return f"IVF{n_lists},PQ{size}x4fs{residual}{refine}"
    return f"IVF{n_lists},RaBitQfs{refine}" if isinstance(config, IVFRaBitQConfig) else f"IVF{n_lists},Flat"


_BLOCK = 65_536
_SPARE = 0.1  # by how much of its width a range is widened beyond what made it too narrow


def _bytes_of(index: Any) -> Any:
    """Return the part of an index that keeps vectors as bytes, or None."""
    faiss = load_faiss()
    kept = lookup_storage(index)
    whole = not isinstance(kept, faiss.IndexScalarQuantizer) or kept.sq.qtype != faiss.ScalarQuantizer.QT_8bit
    return None if whole else kept


def take_ranges(index: Any, other: Any) -> None:
    """Have an empty index keep bytes in the ranges of another one: what that gives out then loses nothing more."""
    faiss = load_faiss()
    if (kept := _bytes_of(index)) is not None:
        faiss.copy_array_to_vector(faiss.vector_to_array(_bytes_of(other).sq.trained), kept.sq.trained)


def widen(index: Any, vectors: NDArray[np.float32]) -> bool:
    """Make the ranges of an index that keeps vectors (n, d) as bytes so wide that they hold these too.

    Returns whether they had to be, so that what is there is kept in other bytes.
    """
    faiss = load_faiss()
    kept = _bytes_of(index)
    if kept is None:
        return False
    lowest, width = faiss.vector_to_array(kept.sq.trained).reshape(2, -1)
    highest = lowest + width
    low, high = vectors.min(axis=0), vectors.max(axis=0)
    half = width / 510  # of a step: no more than what is rounded anyway
    if (low >= lowest - half).all() and (high <= highest + half).all():
        return False
    span = np.maximum(high, highest) - np.minimum(low, lowest)
    lowest = np.where(low < lowest - half, low - _SPARE * span, lowest)
    highest = np.where(high > highest + half, high + _SPARE * span, highest)
    starts = range(0, int(kept.ntotal), _BLOCK)
    before = [kept.reconstruct_n(start, min(_BLOCK, int(kept.ntotal) - start)) for start in starts]
    faiss.copy_array_to_vector(np.concatenate([lowest, highest - lowest]).astype(np.float32), kept.sq.trained)
    if before:
        faiss.copy_array_to_vector(np.concatenate([kept.sa_encode(part) for part in before]).ravel(), kept.codes)
    return True


_PROBED = 1024
_TYPICAL = 0.95  # quantile of the distances to the cells
_FARTHER = 1.25  # times that is strange
_STRANGE = 0.1  # share of strange vectors at which the cells are learned anew
_GROWTH, _AGAIN = 1.5, 2


class Drift:
    """Counts the vectors that lie farther from the cells of inverted lists than what the cells were learned from.

    Parameters
    ----------
    begin : int
        Vectors that are there.
    again : int
        How often the cells are to be learned anew because the index has grown.
    """

    def __init__(self, begin: int = 0, again: int = 0) -> None:
        self._limit: float | None = None
        self._strange = 0.0
        self._begin, self._again = begin, again

    def after(self, index: Any) -> "Drift":
        """Return what counts on when the cells of `index` were learned anew."""
        return Drift(int(index.ntotal), self._again - 1 if self._has_grown(index.ntotal) else _AGAIN)

    def _has_grown(self, total: int) -> bool:
        return self._again > 0 and total >= _GROWTH * self._begin

    def exceeded(self, index: Any, vectors: NDArray[np.float32]) -> bool:
        """Count vectors (n, d) that are about to be added, and return whether the cells are to be learned anew."""
        if self._limit is None:
            if not index.ntotal:
                return False
            some = np.unique(np.linspace(0, index.ntotal - 1, _PROBED).astype(np.int64))
            self._limit = _FARTHER * float(np.quantile(_distances(index, index.reconstruct_batch(some)), _TYPICAL))
        some = np.unique(np.linspace(0, len(vectors) - 1, _PROBED // 4).astype(np.int64))
        self._strange += float((_distances(index, vectors[some]) > self._limit).mean()) * len(vectors)
        total = int(index.ntotal) + len(vectors)
        return self._strange > _STRANGE * total or self._has_grown(total)


def _distances(index: Any, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the squared distance of each vector and the centre of its cell."""
    cells = load_faiss().extract_index_ivf(index).quantizer
    centres = cells.reconstruct_batch(cells.search(vectors, 1)[1][:, 0])
    distances: NDArray[np.float32] = ((vectors - centres) ** 2).sum(axis=1)
    return distances


def sample_size(config: FaissConfig, total: int) -> int:
    """Return how many of `total` vectors an index of this configuration should learn from; 0 if from none."""
    if not needs_training(config):
        return 0
    least: int = config.train_size  # type: ignore[union-attr] # those that learn have it
    if total < least:
        return 0
    cells = getattr(config, "n_lists", 0)
    return min(total, least if cells is not None else max(least, 39 * round(4 * sqrt(total))))
