"""A scan of rows by FAISS's kernels: how they are loaded, with how many threads, and which of them is the quicker.

FAISS compares a question with one row after the other, or many questions with many rows at once, as a product of
matrices. From about four questions on the second is the quicker one, five times at a hundred; for one question it takes
twice as long.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .base import Metric

_BY_PRODUCT = 1280  # numbers in the questions from which FAISS multiplies matrices
_ITS_OWN = 128_000  # the same, as FAISS 1.15 comes; before, it was 20 questions
_FEW = 4  # questions
_ROW_BLOCK = 16_384


@cache
def load_faiss() -> Any:
    """Return the module, imported at its first use; untyped, since its stubs know half of what it can do.

    FAISS 1.15 compares row by row until questions hold 128,000 numbers, which is 333 questions of 384. That limit is
    the process's; it is lowered here once, unless somebody has changed it, and not touched again, so that threads find
    what they leave. Where rows are to be compared one by one, a selector of all says so, see `few`.
    """
    faiss = import_module("faiss")
    if faiss.cvar.distance_compute_blas_threshold == _ITS_OWN:
        faiss.cvar.distance_compute_blas_threshold = _BY_PRODUCT
    return faiss


@contextmanager
def faiss_threads(threads: int | None) -> Iterator[None]:
    """Let FAISS use `threads` OpenMP threads inside the block, and as many as before after it.

    The setting is the calling thread's, and where torch was imported before faiss it is torch's as well; hence it is
    put back. In a process that was forked off after FAISS was imported it is one thread whatever is asked for: OpenMP's
    others stayed behind, and it would wait for them for ever.
    """
    threads = 1 if _FORKED else threads
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


_FORKED: list[bool] = []  # whether OpenMP's threads may have stayed behind in the parent


def _leave_threads() -> None:
    if faiss := sys.modules.get("faiss"):
        _FORKED.append(True)
        faiss.omp_set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_threads)


def selector(mask: NDArray[np.bool_], *, listed: bool = False) -> Any:
    """Return the FAISS selector of the positions where `mask` is true; if `listed`, by a list where they are few."""
    faiss = load_faiss()
    if listed and len(positions := np.flatnonzero(mask)) <= len(mask) // 2:
        return faiss.IDSelectorArray(positions)
    return faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))


def few(queries: NDArray[np.float32], metric: Metric) -> bool:
    """Return whether rows are compared with these queries one by one.

    For ``l2`` as long as FAISS itself does so: a product of matrices takes small distances from large numbers.
    """
    return len(queries) < _FEW or (metric is Metric.L2 and queries.size < _ITS_OWN)


def scan(
    queries: NDArray[np.float32],
    rows: NDArray[np.float32],
    k: int,
    metric: Metric,
    allowed: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the k best rows of each query, best first, and their scores in float32; exact ties come in any order.

    Parameters
    ----------
    queries : (q, d) array
        In C order.
    rows : (n, d) array
        In C order.
    k : int
        At most as many as rows are searched.
    metric : Metric
    allowed : (m,) array, optional
        Positions to be searched, distinct.

    Returns
    -------
    (q, k) array of int64, (q, k) array of float32
        Positions and scores.
    """
    faiss = load_faiss()
    if allowed is not None and not few(queries, metric):
        return _scan_gathered(queries, rows, k, metric, allowed)
    chosen = faiss.IDSelectorArray(allowed) if allowed is not None else None
    if allowed is None and few(queries, metric):
        chosen = faiss.IDSelectorAll()
    values = np.empty((len(queries), k), np.float32)
    positions = np.empty((len(queries), k), np.int64)
    places = (faiss.swig_ptr(each) for each in (queries, rows))
    sizes = (rows.shape[1], len(queries), len(rows), k, faiss.swig_ptr(values), faiss.swig_ptr(positions))
    if metric is Metric.L2:
        faiss.knn_L2sqr(*places, *sizes, None, chosen)
        np.negative(values, out=values)
    else:
        faiss.knn_inner_product(*places, *sizes, chosen)
    return positions, values


def _scan_gathered(
    queries: NDArray[np.float32], rows: NDArray[np.float32], k: int, metric: Metric, allowed: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Bring allowed rows together, block by block, where products of matrices repay it."""
    faiss = load_faiss()
    heap = faiss.ResultHeap(len(queries), k, keep_max=True)
    for start in range(0, len(allowed), _ROW_BLOCK):
        block = allowed[start : start + _ROW_BLOCK]
        positions, values = scan(queries, rows[block], min(k, len(block)), metric)
        heap.add_result(values, block[positions])
    heap.finalize()
    return heap.I, heap.D
