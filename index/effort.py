"""How hard an approximate search tries where its configuration does not say."""

from math import cbrt, ceil, sqrt
from typing import Any

from .faiss_config import HNSWConfig

__all__ = ["graph_effort", "probes", "refine_factor", "scan_limit", "widened"]

_LEAST_EFFORT, _LEAST_PROBES = 128, 16
_GRAPH_COST = 3.0  # see exact_share in HNSWConfig
_CODE_COST = 2.5  # see exact_share in IVFConfig


def graph_effort(n: int, k: int = 10) -> int:
    """Return ``ef_search`` for k results of a graph of n vectors: 0.6 sqrt(n), at least 128, more beyond 10 results.

    Examples
    --------
    >>> [graph_effort(n) for n in (10_000, 200_000, 1_000_000)]
    [128, 269, 600]
    >>> graph_effort(10_000, k=80)
    256
    """
    return ceil(max(_LEAST_EFFORT, 0.6 * sqrt(n)) * _growth(k))


def probes(n_lists: int, k: int = 10) -> int:
    """Return ``nprobe`` for k results of so many lists: 3 sqrt(n_lists), at least 16, more beyond 10 results.

    Examples
    --------
    >>> [probes(n_lists) for n_lists in (8, 400, 4000)]
    [8, 60, 190]
    """
    return min(n_lists, ceil(max(_LEAST_PROBES, 3 * sqrt(n_lists)) * _growth(k)))


def refine_factor(n: int, k: int) -> float:
    """Return how many candidates a result the codes yield to be put in order, among n vectors, for k results.

    Examples
    --------
    >>> [refine_factor(n, 10) for n in (10_000, 200_000, 1_000_000)]
    [8.0, 22.4, 50.0]
    """
    return max(8.0, ceil(sqrt(n) / 2) / max(k, 10))


def widened(effort: int, config: Any, k: int, widening: float) -> int:
    """Return the effort that a filter needs which leaves one of `widening` vectors.

    What may not be returned is still walked through. An effort that was set is multiplied by w = `widening`; one that
    was chosen by size has room to spare: in lists it takes sqrt(w), in a graph w up to two and sqrt(2 w) beyond, but
    enough to meet 4 k vectors that pass.

    Examples
    --------
    >>> widened(100, HNSWConfig(ef_search=100), 10, 8.0), widened(100, HNSWConfig(), 10, 8.0)
    (800, 400)
    """
    graph = isinstance(config, HNSWConfig)
    if (config.ef_search if graph else config.nprobe) is not None or widening == 1:
        return ceil(effort * widening)
    return ceil(max(effort * min(widening, sqrt(2 * widening)), 4 * k * widening) if graph else effort * sqrt(widening))


def scan_limit(config: Any, n: int, n_lists: int) -> float:
    """Return of how many allowed vectors a scan is cheaper than an approximate search of all n."""
    if config.exact_share is not None:
        return float(config.exact_share * n)
    if isinstance(config, HNSWConfig):
        if config.ef_search is not None:
            return _GRAPH_COST * sqrt(config.ef_search * n)
        return float((_GRAPH_COST**2 * graph_effort(n) * sqrt(n)) ** (2 / 3))
    read = min(config.nprobe or probes(n_lists), n_lists) * n / n_lists + n_lists
    return float(read if config.kind == "ivf-flat" or config.nprobe is None else _CODE_COST * read)


def _growth(k: int) -> float:
    return cbrt(max(k / 10, 1))  # the 100th neighbour is harder to find than the tenth, though not ten times
