"""Choose a kind of index from how much there is to hold and how much memory holds it."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Any

from .effort import graph_effort, probes
from .faiss_config import FaissConfig, FaissFlatConfig, HNSWConfig, IVFPQConfig, IVFRaBitQConfig
from .faiss_library import stored_dimension
from .vector_index import UnsupportedOperation

__all__ = ["Recommendation", "index_bytes", "recommend"]

_EXACT_LIMIT = 200_000  # exact search of so many vectors of 384 dimensions takes some milliseconds a query
_GRAPH_LIMIT = 20_000_000  # a graph of more takes a day to build on few cores
_SMALLEST_RECALL, _LARGEST_RECALL = 0.5, 0.999


@dataclass(frozen=True)
class Recommendation:
    """A kind of index, its configuration, its predicted size, and why.

    Attributes
    ----------
    kind : str
        For `create_index`.
    config : configuration of the kind
    memory_bytes : int
        Predicted size of the index in memory, its ids included; see `index_bytes`.
    reason : str
        One sentence.
    """

    kind: str
    config: FaissConfig
    memory_bytes: int
    reason: str


def recommend(n: int, dimension: int, *, memory_bytes: float | None = None, recall: float = 0.95) -> Recommendation:
    """Return the kind of index for n vectors, with its predicted memory and the reason.

    Exact search while it is fast enough or recall must be 1; then a graph, of whole numbers, else of bytes; then
    inverted lists of short codes with bytes to re-order, else of one bit a dimension. The first that fits is taken.
    `tune` then finds the search effort that reaches the recall on the vectors themselves.

    Parameters
    ----------
    n, dimension : int
        Number of vectors when the index is full, and their length d.
    memory_bytes : float, optional
        What the index may take; None for as much as it needs.
    recall : float
        Wanted share of the true neighbours, 0.5 to 1; 1 asks for exact search.

    Raises
    ------
    ValueError
        If an argument is out of range.
    UnsupportedOperation
        If nothing fits; the text says what the smallest needs.

    Examples
    --------
    >>> recommend(50_000, 384).kind
    'faiss-flat'
    >>> recommend(1_000_000, 384).config
    HNSWConfig(M=32, ef_construction=200, ef_search=600, storage='float32', train_size=2000, rebuild_share=0.25, \
exact_share=None, threads=None)
    >>> recommend(1_000_000, 384, memory_bytes=1e9).reason
    'a graph over 1,000,000 vectors kept as bytes: 668 MB, where whole numbers take 1,820 MB of the 1,000 MB allowed'
    """
    for name, value in (("n", n), ("dimension", dimension)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be an integer of at least 1, but is {value!r}")
    if not _SMALLEST_RECALL <= recall <= 1:
        raise ValueError(f"recall must lie between {_SMALLEST_RECALL} and 1, but is {recall!r}")
    allowed = float("inf") if memory_bytes is None else float(memory_bytes)
    if not allowed > 0:
        raise ValueError(f"memory_bytes must be positive, but is {memory_bytes!r}")
    tried: list[tuple[str, int]] = []
    for config, words in _candidates(n, recall):
        size = index_bytes(config, n, dimension)
        if size <= allowed:
            reason = words.format(n=f"{n:,}", size=_megabytes(size))
            if tried:
                what, least = tried[-1]
                reason += f", where {what} take {_megabytes(least)} of the {_megabytes(allowed)} allowed"
            return Recommendation(config.kind, config, size, reason)
        tried.append((_KEPT[_kept(config)], size))
    what, least = min(tried, key=lambda each: each[1])
    raise UnsupportedOperation(
        f"{n:,} vectors of dimension {dimension} need {_megabytes(least)} ({what}), but {_megabytes(allowed)} are "
        "allowed; map the index from disk (load_index(..., mapped=True)), reduce the dimension, or use several machines"
    )


def index_bytes(config: FaissConfig, n: int, dimension: int) -> int:
    """Return the predicted bytes of an index of n vectors, ids included, working memory while it is built not.

    Constants follow FAISS' layout: 8 M bytes of links on the lowest level and 4 M / (M - 1) above it, each vector;
    4 bits a sub-vector; d / 8 + 8 bytes a RaBitQ code; 8 bytes an id, twice in inverted lists.
    """
    kept = stored_dimension(config, dimension)
    numbers = {"float32": 4 * kept, "float16": 2 * kept, "sq8": kept}
    each: float = 8.0
    shared: float = 0
    if isinstance(config, FaissFlatConfig):
        each += numbers["float32"]
    elif isinstance(config, HNSWConfig):
        each += numbers[config.storage] + 8 * config.M + 4 * config.M / (config.M - 1) + 16
    else:
        each += 8
        shared = 4 * dimension * (config.n_lists or 4 * sqrt(n))
        if isinstance(config, IVFPQConfig):
            sub_vectors = config.code_size or max(m for m in range(1, max(dimension // 2, 1) + 1) if dimension % m == 0)
            each += sub_vectors / 2 + numbers[config.refine]
            shared += 4 * 16 * dimension
        elif isinstance(config, IVFRaBitQConfig):
            each += dimension / 8 + 8 + numbers[config.refine]
        else:
            each += numbers["float32"] + 8
    return ceil(n * each + shared)


_KEPT = {"float32": "whole numbers", "sq8": "bytes", "ivf-pq": "codes of two dimensions", "ivf-rabitq": "bits"}


def _kept(config: FaissConfig) -> str:
    return config.storage if isinstance(config, HNSWConfig) else config.kind if config.kind in _KEPT else "float32"


def _candidates(n: int, recall: float) -> Iterator[tuple[FaissConfig, str]]:
    """Yield configurations with the words for them, best first."""
    if n <= _EXACT_LIMIT or recall > _LARGEST_RECALL:
        yield FaissFlatConfig(), "exact search of {n} vectors: {size}"
        if recall > _LARGEST_RECALL:
            return
    if n <= _GRAPH_LIMIT:
        usual = graph_effort(n)
        effort = usual // 2 if recall < 0.9 else usual if recall <= 0.97 else 2 * usual
        yield HNSWConfig(ef_search=effort), "a graph over {n} vectors: {size}"
        yield HNSWConfig(ef_search=effort, storage="sq8"), "a graph over {n} vectors kept as bytes: {size}"
    n_lists = max(1, min(round(4 * sqrt(n)), 262_144, n // 39))
    lists: dict[str, Any] = {"n_lists": n_lists, "nprobe": probes(n_lists), "train_size": min(n, 50 * n_lists)}
    yield IVFPQConfig(**lists), "inverted lists over {n} vectors, codes re-ordered by bytes: {size}"
    yield IVFRaBitQConfig(**lists), "inverted lists over {n} vectors, one bit a dimension re-ordered by bytes: {size}"


def _megabytes(size: float) -> str:
    return f"{size / 1e6:,.0f} MB"
