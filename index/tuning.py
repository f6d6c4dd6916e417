"""Find the smallest search effort that reaches a wanted recall."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .checks import check_k, check_vectors
from .faiss_config import HNSWConfig, IVFConfig
from .faiss_index import FaissIndex
from .vector_index import UnsupportedOperation, VectorIndex

__all__ = ["Tuning", "recall_at_k", "tune"]


@dataclass(frozen=True)
class Tuning:
    """What `tune` found.

    Attributes
    ----------
    parameter : str
        ``ef_search`` or ``nprobe``.
    effort : int
        The smallest value that reached the recall, else the largest tried.
    recall : float
        Reached with it, on the queries given.
    reached : bool
        Whether that is the wanted recall.
    curve : tuple of (int, float)
        Every effort tried with its recall, ascending.
    """

    parameter: str
    effort: int
    recall: float
    reached: bool
    curve: tuple[tuple[int, float], ...]


def tune(
    index: FaissIndex, queries: ArrayLike, *, recall: float = 0.95, k: int = 10, exact: VectorIndex | None = None
) -> Tuning:
    """Set the index to the smallest effort whose recall@k on the queries is at least `recall`.

    Recall@k is the share of the k best ids by exact search that the index finds. Efforts double until it is reached
    and are then halved in between: about 2 log2(effort) searches of all queries, and one exact one.

    Parameters
    ----------
    index : FaissIndex
        A graph or inverted lists; its `config` is replaced by one with the effort found.
    queries : (n, d) array
        A sample of real queries, some hundreds; not the stored vectors themselves, which are found too easily.
    recall : float
        More than 0, at most 1.
    k : int
    exact : VectorIndex, optional
        Holds the same ids and answers exactly. Without it, exact is a scan of what the index keeps: for indexes
        that keep bytes, the loss by that is then not seen.

    Returns
    -------
    Tuning
        With `reached` false where even the largest effort falls short: refine more, or build a better index.

    Raises
    ------
    UnsupportedOperation
        If the index has no effort to set.
    ValueError
        If recall, k or the queries are out of range.

    Examples
    --------
    >>> from interlingua.index import FaissIndex, HNSWConfig
    >>> vectors = np.random.default_rng(0).normal(size=(2000, 16)).astype(np.float32)
    >>> index = FaissIndex(16, "cosine", HNSWConfig(M=8, ef_construction=40, threads=1))
    >>> index.add(np.arange(2000), vectors)
    >>> found = tune(index, vectors[:50] + 0.5, recall=0.9)
    >>> found.reached, index.config.ef_search == found.effort
    (True, True)
    """
    if not 0 < recall <= 1:
        raise ValueError(f"recall must be more than 0 and at most 1, but is {recall!r}")
    config = index.config
    parameter = "ef_search" if isinstance(config, HNSWConfig) else "nprobe"
    if not isinstance(config, HNSWConfig | IVFConfig) or not index.trained or not len(index):
        raise UnsupportedOperation("this index searches exactly and has no effort to tune")
    k = min(check_k(k), len(index))
    checked = check_vectors(queries, index.dimension, index.metric, name="queries")
    truth = (index.search_exactly(checked, k) if exact is None else exact.search(checked, k)).ids
    tried: dict[int, float] = {}

    def measure(effort: int) -> float:
        if effort not in tried:
            index.config = _with(config, effort)
            tried[effort] = recall_at_k(index.search(checked, k).ids, truth)
        return tried[effort]

    # subtle: an effort of all vectors is an exact scan, which says nothing of the graph
    largest = max(len(index) - 1, 1) if parameter == "ef_search" else index.n_lists
    low, high = 0, min(k if parameter == "ef_search" else 1, largest)
    while measure(high) < recall and high < largest:
        low, high = high, min(2 * high, largest)
    reached = tried[high] >= recall
    while reached and high - low > max(1, high // 16):
        middle = (low + high) // 2
        low, high = (low, middle) if measure(middle) >= recall else (middle, high)
    index.config = _with(config, high)
    return Tuning(parameter, high, tried[high], reached, tuple(sorted(tried.items())))


def recall_at_k(found: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    """Return the mean share of each row of `truth` (n, k) that the same row of `found` (n, k) holds.

    Examples
    --------
    >>> recall_at_k(np.array([[1, 2], [3, 4]]), np.array([[2, 1], [3, 9]]))
    0.75
    """
    hits = [np.isin(right, got).mean() for got, right in zip(found, truth)]
    return float(np.mean(hits))


def _with(config: HNSWConfig | IVFConfig, effort: int) -> HNSWConfig | IVFConfig:
    return replace(config, ef_search=effort) if isinstance(config, HNSWConfig) else replace(config, nprobe=effort)
