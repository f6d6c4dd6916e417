"""How many threads compute batches of texts, and that each of them computes with one."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


def usable_threads() -> int:
    """Return how many threads to compute with: OMP_NUM_THREADS, or the processors that this process may use.

    `--threads` sets the former.
    """
    stated = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    if stated.isdecimal() and int(stated) > 0:
        return int(stated)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


_LOCK = threading.Lock()
_INSIDE: list[ExitStack] = []


@contextmanager
def one_thread_a_product() -> Iterator[None]:
    """Have NumPy's matrix products use one thread inside the block, since batches are computed beside each other.

    Of the process: with several such blocks at once, the last to end brings back what was before the first.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

    with _LOCK:
        if not _INSIDE:
            outer = ExitStack()
            outer.enter_context(threadpool_limits(1, user_api="blas"))
            _INSIDE.append(outer)
        else:
            _INSIDE.append(ExitStack())
    try:
        yield
    finally:
        with _LOCK:
            if len(_INSIDE) > 1:
                _INSIDE.pop()  # an empty one
            else:
                _INSIDE.pop().close()
