"""Exact ranking of 200,000 x 200,000 words in 300 dimensions: speed beside the plain matrix product, and memory.

    python -m interlingua.benchmarks ranking

The search is measured on a part of the queries against all candidates; time grows with their number, memory does not.
The matrix product of the same blocks, without any ranking, is measured in turn with it, as the machine's speed.
"""

import time
from collections.abc import Iterator

import numpy as np

from interlingua.align import top_k
from interlingua.align.arrays import unit_rows
from interlingua.benchmarks.harness.measure import Case, peak_mb

_CANDIDATES, _QUERIES, _DIMENSION, _REPEATS = 200_000, 4096, 300, 3


def run() -> Iterator[Case]:
    """Measure in turn, and give the medians."""
    rng = np.random.default_rng(0)
    candidates = unit_rows(rng.standard_normal((_CANDIDATES, _DIMENSION), dtype=np.float32))
    queries = candidates[:_QUERIES] + np.float32(0.1)
    top_k(queries[:64], candidates, 10)
    before = peak_mb()
    searching, multiplying = [], []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        top_k(queries, candidates, 10)
        searching.append(time.perf_counter() - start)
        start = time.perf_counter()
        for first in range(0, _CANDIDATES, 8000):
            queries @ candidates[first : first + 8000].T
        multiplying.append(time.perf_counter() - start)
    seconds, product = float(np.median(searching)), float(np.median(multiplying))
    whole = seconds * _CANDIDATES / _QUERIES
    inputs = candidates.nbytes / 1e6
    figures = {
        "share of the matrix product's speed": product / seconds,
        "GFLOP/s": 2 * _QUERIES * _CANDIDATES * _DIMENSION / seconds / 1e9,
        "minutes for all queries (extrapolated)": whole / 60,
        "peak MB, inputs included": peak_mb(),
        "peak MB before, inputs included": before,
        "MB of the candidates": inputs,
    }
    yield Case(task="ranking", data="200,000 words x 300", method="top_k, k=10", figures=figures, n=_QUERIES,
               seconds=seconds)  # fmt: skip
