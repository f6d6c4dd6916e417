"""Exact neighbours and CSLS, a million against a million: in torch, CuPy and FAISS."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import require, to_numpy
from interlingua.align.neighbors import retrieve, top_k
from interlingua.benchmarks.harness.measure import Case

from .command import finish, machine

SIZES = (100_000, 1_000_000)
_TOY_SIZES = (300, 600)
_DIMENSION = 384
_K = 10
_CHECKED = 200
_NOISE = 1.5

Search = Callable[[Any, Any], NDArray[np.int64]]


def sides(n: int, dimension: int = _DIMENSION, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return unit rows and, row by row, what translates them: the same with noise."""
    rng = np.random.default_rng(seed)
    source = rng.standard_normal((n, dimension), np.float32)
    target = source + np.float32(_NOISE) * rng.standard_normal((n, dimension), np.float32)
    for each in (source, target):
        each /= np.linalg.norm(each, axis=1, keepdims=True)
    return source, target


def search_torch(device: str, seconds: float) -> Iterator[Case]:
    """Search by the library's own functions on tensors."""
    torch = require("torch", extra="torch")
    yield from _both(device, seconds, "torch", lambda rows: torch.from_numpy(rows).to(device), _ours, _ours_csls)


def search_cupy(device: str, seconds: float) -> Iterator[Case]:
    """Search by the same functions on CuPy's arrays; without a GPU on NumPy's."""
    move = require("cupy", extra="gpu").asarray if device == "cuda" else np.asarray
    yield from _both(device, seconds, "CuPy" if device == "cuda" else "NumPy", move, _ours, _ours_csls)


def search_faiss(device: str, seconds: float) -> Iterator[Case]:
    """Search by FAISS, CSLS by one more column of the vectors."""
    faiss = require("faiss", extra="gpu")
    if device == "cuda" and not hasattr(faiss, "StandardGpuResources"):
        from interlingua.align.arrays import MissingExtraError

        raise MissingExtraError(
            'FAISS here has no GPU; in an environment of its own: pip install "interlingua[gpu]" faiss-gpu-cuvs',
            name="faiss",
        )
    resources = faiss.StandardGpuResources() if device == "cuda" else None

    def scored(x: NDArray[np.float32], y: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        if resources is None:
            scores, ids = faiss.knn(x, y, _K, metric=faiss.METRIC_INNER_PRODUCT)
        else:
            scores, ids = faiss.knn_gpu(resources, x, y, _K, metric=faiss.METRIC_INNER_PRODUCT)
        return scores, ids

    def csls(x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.int64]:
        around = scored(y, x)[0].mean(axis=1, keepdims=True)
        asked = np.concatenate([2 * x, -np.ones((len(x), 1), np.float32)], axis=1)
        return scored(asked, np.concatenate([y, around], axis=1).astype(np.float32))[1]

    yield from _both(device, seconds, "faiss-gpu-cuvs" if resources else "FAISS", np.ascontiguousarray,
                     lambda x, y: scored(x, y)[1], csls)  # fmt: skip


def _ours(x: Any, y: Any) -> NDArray[np.int64]:
    return top_k(x, y, _K).ids


def _ours_csls(x: Any, y: Any) -> NDArray[np.int64]:
    return retrieve(x, y, _K, criterion="csls", neighborhood=_K).ids


def _both(
    device: str, seconds: float, name: str, move: Callable[[NDArray[np.float32]], Any], plain: Search, csls: Search
) -> Iterator[Case]:
    """Search each size by both ways, as long as the size before says that the next one is done in time."""
    end = time.perf_counter() + seconds
    sizes = SIZES if device == "cuda" else _TOY_SIZES
    for size, following in zip(sizes, (*sizes[1:], None), strict=True):
        source, target = sides(size)
        moved = move(source), move(target)
        spent = 0.0
        for kind, search in (("top 10", plain), ("CSLS", csls)):
            search(moved[0][:64], moved[1][:1024])  # what the first call builds is not counted
            finish(device)
            begun = time.perf_counter()
            ids = to_numpy(search(*moved))
            finish(device)
            took = time.perf_counter() - begun
            spent += took
            figures = {"seconds": took, "questions / s": size / took, "own translation first %": _first(ids)}
            if search is plain:
                figures["as NumPy's exact %"] = _agreement(ids, source, target)
            yield Case(task="GPU: exact search", data=f"{size:,} x {size:,} x {_DIMENSION}, {machine(device)}",
                       method=f"{kind}, {name}", figures=figures, n=size, seconds=took)  # fmt: skip
        if following and spent * (following / size) ** 2 > end - time.perf_counter():
            return


def _first(ids: NDArray[np.int64]) -> float:
    return float(100 * np.mean(ids[:, 0] == np.arange(len(ids))))


def _agreement(ids: NDArray[np.int64], x: NDArray[np.float32], y: NDArray[np.float32]) -> float:
    """Return how many of the first questions' neighbours are those that NumPy finds."""
    exact = np.argpartition(-(x[:_CHECKED] @ y.T), _K - 1, axis=1)[:, :_K]
    return float(100 * np.mean([len(set(a) & set(b)) / _K for a, b in zip(exact.tolist(), ids.tolist())]))
