"""Approximate search beside its peers: recall, speed, build time, memory; filters, hub correction, overhead.

    python -m interlingua.benchmarks.ann --n 200000 --minutes 7
    python -m interlingua.benchmarks.ann --plot docs/ann.png

Each piece (one engine at one size) runs in a process of its own, so that its peak memory is its own, and is kept: the
command goes on where it stopped and writes `results/ann.json` from all pieces there are. `--only NAME` runs one piece.

Vectors: 2000 clusters of power-law size in 48 latent dimensions, projected at random to 384, isotropic noise 0.15, a
common offset, of unit length. The queries are 500 further draws. One thread, one query a call.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from interlingua.index import recall_at_k

from .measure import peak_mb
from .report import RESULTS, row, write_results

__all__ = ["draw_vectors", "main", "measure_piece", "rows_of"]

_DIMENSION, _QUERIES, _K, _BLOCK = 384, 500, 10, 20_000
_FILTERED = 100  # queries of a filtered search
_BATCHES = {1: 128, 64: 448}  # size: queries
_CSLS_TARGETS = 50_000  # at most; exact CSLS is what costs
_EFFORTS = (16, 32, 64, 128, 256)
_PROBES = (4, 8, 16, 32, 64, 128)
_SELECTIVITIES = (0.01, 0.1, 0.5)
OURS = ("flat", "hnsw", "hnsw-sq8", "ivf-flat", "ivf-pq", "ivf-rabitq")
PEERS = ("hnswlib", "usearch", "milvus-lite")
EXTRA = ("csls", "overhead-flat", "overhead-hnsw")


def draw_vectors(n: int, seed: int) -> NDArray[np.float32]:
    """Return n vectors as the module's docstring says, shape (n, 384)."""
    fixed, rng = np.random.default_rng(99), np.random.default_rng(seed)
    centres, projection = fixed.normal(size=(2000, 48)), fixed.normal(size=(48, _DIMENSION)) / np.sqrt(48)
    offset, weights = fixed.normal(size=_DIMENSION), 1 / np.arange(1, 2001)
    latent = centres[rng.choice(2000, size=n, p=weights / weights.sum())] + 0.5 * rng.normal(size=(n, 48))
    vectors = latent @ projection + 0.15 * rng.normal(size=(n, _DIMENSION)) + 0.5 * offset
    single: NDArray[np.float32] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return single


def measure_piece(name: str, n: int, folder: Path) -> dict[str, Any]:
    """Build one engine on n vectors and return its figures; `truth` makes the files that the others read."""
    import faiss

    faiss.omp_set_num_threads(1)
    if name == "truth":
        return _make_truth(n, folder)
    queries, truth = np.load(folder / "queries.npy"), np.load(folder / "truth.npy")
    if name == "csls":
        return _measure_csls(n, queries)
    if name.startswith("overhead-"):
        return _measure_overhead(name.removeprefix("overhead-"), n, queries)
    before, start = peak_mb(), time.perf_counter()
    search, efforts, index = _PEERS[name](n, folder) if name in PEERS else _build_ours(name, n)
    build = time.perf_counter() - start
    figures: dict[str, Any] = {"build_seconds": build, "peak_mb": peak_mb() - before, "curve": []}
    for effort in efforts:
        found, seconds = _timed(lambda query: search(query, effort), queries)  # noqa: B023  # called at once
        figures["curve"].append({"effort": effort, "recall": recall_at_k(found, truth), "qps": len(queries) / seconds})
    if index is not None:
        figures["filters"] = _measure_filters(name, n, index, queries)
    return figures


def rows_of(pieces: dict[tuple[str, int], dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the result rows of the pieces; speeds also as ratios to exact search of the same size."""
    rows: list[dict[str, Any]] = []
    for (name, n), figures in pieces.items():
        command = f"python -m interlingua.benchmarks.ann --n {n} --only {name}"
        data = f"{min(n, _CSLS_TARGETS) if 'csls' in figures else n} x {_DIMENSION} clustered"

        def put(task: str, method: str, metric: str, value: float, asked: int = _QUERIES) -> None:
            rows.append(
                row(task=task, data=data, method=method, metric=metric, value=value, n=asked,  # noqa: B023
                    command=command, seconds=figures["seconds"], peak_mb=figures.get("peak_mb"))  # noqa: B023
            )  # fmt: skip

        exact = pieces.get(("flat", n), {}).get("curve", [{}])[0].get("qps")
        for point in figures.get("curve", ()):
            method = name if name == "flat" else f"{name}, effort {point['effort']}"
            put("ann", method, "recall@10", point["recall"])
            put("ann", method, "queries/s", point["qps"])
            if exact:
                put("ann", method, "speed, exact = 1", point["qps"] / exact)
        if "curve" in figures:
            put("ann build", name, "build s", figures["build_seconds"])
            put("ann build", name, "peak MB", figures["peak_mb"])
            put("ann build", name, "peak / raw float32", figures["peak_mb"] * 1e6 / (4 * n * _DIMENSION))
        for point in figures.get("filters", ()):
            for metric, key in {"recall@10": "recall", "ms a query": "ms", "ms without filter": "ms_plain"}.items():
                put("filtered search", f"{name}, {point['share']:.0%} allowed", metric, point[key], _FILTERED)
        for method, recall in figures.get("csls", {}).items():
            put("exact CSLS", method, "recall@10", recall)
        for batch, ms in figures.get("overhead", {}).items():
            method = f"{name.removeprefix('overhead-')}, batch {batch}"
            more = ms["collection"] - ms["bare"]
            parts = {"FAISS ms a query": ms["bare"], "more ms a query": more, "more %": 100 * more / ms["bare"]}
            for metric, value in parts.items():
                put("overhead of Collection", method, metric, value, _BATCHES[int(batch)])
    return rows


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw recall against queries a second, one line an engine, one panel a size."""
    from interlingua.align.optional import require

    require("matplotlib", extra="plot")
    from matplotlib import pyplot

    found: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    for each in rows:
        if each["task"] == "ann":
            engine = each["method"].split(",")[0]
            point = found.setdefault(each["data"], {}).setdefault(engine, {}).setdefault(each["method"], {})
            point[each["metric"]] = each["value"]
    figure, axes = pyplot.subplots(1, len(found), figsize=(6.5 * len(found), 4.8), squeeze=False, layout="constrained")
    for axis, (data, engines) in zip(axes[0], found.items()):
        for engine, points in engines.items():
            style = "--" if engine in PEERS else "-"
            recall = [each["recall@10"] for each in points.values()]
            axis.plot(recall, [each["queries/s"] for each in points.values()], style, marker="o", ms=4, label=engine)
        axis.set(xlabel="recall@10", ylabel="queries a second, one thread", yscale="log", title=data)
        axis.grid(alpha=0.3, which="both")
        axis.legend(fontsize=8, title="ours solid, peers dashed", title_fontsize=8)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)


def main(arguments: list[str] | None = None) -> int:
    """Run what the docstring of the module says."""
    parser = argparse.ArgumentParser(prog="interlingua.benchmarks.ann")
    parser.add_argument("--n", type=int, default=200_000, help="vectors (default 200000)")
    parser.add_argument("--minutes", type=float, default=7, help="start no further piece after so many (default 7)")
    parser.add_argument("--only", metavar="NAME", help="run this piece alone, again if it is there")
    parser.add_argument("--cache", type=Path, help="where pieces are kept; default: the user's cache")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw results/ann.json and measure nothing")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.plot:
        plot(json.loads((RESULTS / "ann.json").read_text(encoding="utf-8")), options.plot)
        return 0
    if options.cache is None:
        from interlingua.pipelines.user_cache import user_cache_folder

        options.cache = user_cache_folder() / "benchmarks" / "ann"
    folder = options.cache / str(options.n)
    folder.mkdir(parents=True, exist_ok=True)
    if options.one:
        start = time.perf_counter()
        figures = measure_piece(options.one, options.n, folder)
        figures["seconds"] = time.perf_counter() - start
        (folder / f"{options.one}.json").write_text(json.dumps(figures), encoding="utf-8")
        return 0
    console = Console(stderr=True)
    names = [options.only] if options.only else ["truth", *OURS, *PEERS, *EXTRA]
    begun = time.perf_counter()
    for name in names:
        if (folder / f"{name}.json").exists() and not options.only:
            continue
        if time.perf_counter() - begun > 60 * options.minutes:
            console.print(f"not yet measured: {name} and what follows; run the command again")
            break
        command = [sys.executable, "-m", "interlingua.benchmarks.ann", "--one", name, "--n", str(options.n)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run([*command, "--cache", str(options.cache)], env=environment, check=False)
        console.print(f"{name}: {'done' if done.returncode == 0 else f'failed with {done.returncode}'}")
    write_results("ann", rows_of(_read_pieces(options.cache)))
    return 0


def _read_pieces(cache: Path) -> dict[tuple[str, int], dict[str, Any]]:
    sizes = sorted(int(path.name) for path in cache.iterdir() if path.name.isdigit())
    return {
        (name, n): json.loads((cache / str(n) / f"{name}.json").read_text(encoding="utf-8"))
        for n in sizes
        for name in (*OURS, *PEERS, *EXTRA)
        if (cache / str(n) / f"{name}.json").exists()
    }


def _blocks(n: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
    for number, start in enumerate(range(0, n, _BLOCK)):
        yield start, draw_vectors(min(_BLOCK, n - start), seed=number)


def _make_truth(n: int, folder: Path) -> dict[str, Any]:
    import faiss

    queries = draw_vectors(_QUERIES, seed=10**6)
    heap = faiss.ResultHeap(len(queries), _K, keep_max=True)
    for start, block in _blocks(n):
        scores, ids = faiss.knn(queries, block, _K, metric=faiss.METRIC_INNER_PRODUCT)
        heap.add_result(scores, ids + start)
    heap.finalize()
    np.save(folder / "queries.npy", queries)
    np.save(folder / "truth.npy", heap.I)
    return {}


def _timed(
    search: Callable[[NDArray[np.float32]], NDArray[np.int64]], queries: NDArray[np.float32]
) -> tuple[NDArray[np.int64], float]:
    """Return what one call a query finds, and the least seconds of three runs (one, where a run is long)."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        found = [search(query[None]) for query in queries]
        seconds.append(time.perf_counter() - start)
        if seconds[0] > 10:
            break
    return np.concatenate(found), min(seconds)


def _settings(name: str, n: int) -> tuple[str, dict[str, Any]]:
    n_lists = max(16, round(4 * np.sqrt(n)))
    lists = {"threads": 1, "n_lists": n_lists, "train_size": min(n, 50 * n_lists)}
    graph = {"threads": 1, "M": 16, "ef_construction": 64, "ef_search": 64}
    if name.startswith("hnsw"):
        return "hnsw", {**graph, "storage": "sq8" if name.endswith("sq8") else "float32"}
    return ("faiss-flat", {"threads": 1}) if name == "flat" else (name, lists)


def _build_ours(name: str, n: int) -> tuple[Any, tuple[int, ...], Any]:
    from dataclasses import replace

    from interlingua.index import FaissIndex, create_index

    kind, settings = _settings(name, n)
    index = create_index(kind, _DIMENSION, "cosine", settings)
    if not isinstance(index, FaissIndex):
        raise TypeError(f"{kind} is no kind of FAISS index")
    for start, block in _blocks(n):
        index.add(np.arange(start, start + len(block)), block)
    setting = {"flat": None, "hnsw": "ef_search", "hnsw-sq8": "ef_search"}.get(name, "nprobe")

    def search(query: NDArray[np.float32], effort: int) -> NDArray[np.int64]:
        if setting and getattr(index.config, setting) != effort:
            changed: dict[str, Any] = {setting: effort}
            index.config = replace(index.config, **changed)
        return index.search(query, _K).ids

    efforts = {"ef_search": _EFFORTS, "nprobe": _PROBES}.get(setting or "", (0,))
    return search, efforts, index


def _build_hnswlib(n: int, folder: Path) -> tuple[Any, tuple[int, ...], Any]:
    import hnswlib  # type: ignore[import-not-found,import-untyped,unused-ignore]  # ships no types

    index = hnswlib.Index(space="ip", dim=_DIMENSION)
    index.init_index(max_elements=n, M=16, ef_construction=64)
    index.set_num_threads(1)
    for start, block in _blocks(n):
        index.add_items(block, np.arange(start, start + len(block)), num_threads=1)

    def search(query: NDArray[np.float32], effort: int) -> NDArray[np.int64]:
        index.set_ef(effort)
        return np.asarray(index.knn_query(query, k=_K, num_threads=1)[0], np.int64)

    return search, _EFFORTS, None


def _build_usearch(n: int, folder: Path) -> tuple[Any, tuple[int, ...], Any]:
    from usearch.index import Index  # type: ignore[import-not-found,import-untyped,unused-ignore]  # ships no types

    index = Index(ndim=_DIMENSION, metric="ip", dtype="f32", connectivity=16, expansion_add=64)
    for start, block in _blocks(n):
        index.add(np.arange(start, start + len(block)), block, threads=1)

    def search(query: NDArray[np.float32], effort: int) -> NDArray[np.int64]:
        if index.expansion_search != effort:
            index.expansion_search = effort
        return np.asarray(index.search(query[0], _K, threads=1).keys, np.int64)[None]

    return search, _EFFORTS, None


def _build_milvus(n: int, folder: Path) -> tuple[Any, tuple[int, ...], Any]:
    import tempfile

    from pymilvus import MilvusClient  # type: ignore[import-not-found,import-untyped,unused-ignore]  # ships no types

    client = MilvusClient(str(Path(tempfile.mkdtemp()) / "ann.db"))
    client.create_collection("ann", dimension=_DIMENSION, metric_type="IP", auto_id=False)
    for start, block in _blocks(n):
        for first in range(0, len(block), 2000):
            part = block[first : first + 2000]
            client.insert("ann", [{"id": start + first + i, "vector": each} for i, each in enumerate(part)])
    client.release_collection("ann")
    client.drop_index("ann", "vector")
    params = client.prepare_index_params()
    params.add_index("vector", index_type="HNSW", metric_type="IP", params={"M": 16, "efConstruction": 64})
    client.create_index("ann", params)
    client.load_collection("ann")

    def search(query: NDArray[np.float32], effort: int) -> NDArray[np.int64]:
        hits = client.search("ann", query, limit=_K, search_params={"params": {"ef": effort}})[0]
        return np.array([[hit["id"] for hit in hits]], np.int64)

    return search, (64, 256), None


_PEERS = {"hnswlib": _build_hnswlib, "usearch": _build_usearch, "milvus-lite": _build_milvus}


def _measure_filters(name: str, n: int, index: Any, queries: NDArray[np.float32]) -> list[dict[str, float]]:
    """Recall and time at the defaults of the index, against an exact scan of the allowed vectors as they were added."""
    import faiss

    index.config = type(index.config)(**_settings(name, n)[1])
    few = queries[:_FILTERED]
    plain = _timed(lambda query: index.search(query, _K).ids, few)[1]
    points = []
    for share in _SELECTIVITIES:
        allowed = np.sort(np.random.default_rng(5).permutation(n)[: int(n * share)])
        heap = faiss.ResultHeap(len(few), _K, keep_max=True)
        for start, block in _blocks(n):
            rows = allowed[(allowed >= start) & (allowed < start + len(block))]
            scores, ids = faiss.knn(few, block[rows - start], _K, metric=faiss.METRIC_INNER_PRODUCT)
            heap.add_result(scores, rows[ids])
        heap.finalize()
        found, seconds = _timed(lambda query: index.search(query, _K, allowed=allowed).ids, few)  # noqa: B023
        ms, ms_plain = (1000 * each / len(few) for each in (seconds, plain))
        points.append({"share": share, "recall": recall_at_k(found, heap.I), "ms": ms, "ms_plain": ms_plain})
    return points


def _measure_csls(n: int, queries: NDArray[np.float32]) -> dict[str, Any]:
    """Recall of each kind against exact CSLS on at most 50,000 targets and 5,000 sources."""
    from interlingua.align import retrieve
    from interlingua.pipelines.hub_correction import HubCorrectedCollection

    n = min(n, _CSLS_TARGETS)
    targets, sources = np.concatenate([block for _, block in _blocks(n)]), draw_vectors(5000, seed=10**6 + 1)
    ids, truth = [str(number) for number in range(n)], retrieve(queries, targets, _K, background=sources).ids
    figures = {"cosine": recall_at_k(retrieve(queries, targets, _K, criterion="nn").ids, truth)}
    for name in (*OURS, "hnsw-float16"):
        kind, settings = _settings(name, n)
        settings |= {"storage": "float16"} if name == "hnsw-float16" else {}
        made = HubCorrectedCollection.create(sources, kind=kind, config={**settings, **_MORE.get(kind, {})})
        made.add(ids, targets)
        found = made.search(queries, _K)
        figures[name] = recall_at_k(np.array([[int(id) for id in each] for each in found.ids]), truth)
    return {"csls": figures}


_MORE: dict[str, dict[str, Any]] = {
    "hnsw": {"ef_search": 128},
    "ivf-flat": {"nprobe": 64},
    "ivf-pq": {"nprobe": 64, "refine": "float32"},
    "ivf-rabitq": {"nprobe": 64, "refine": "float32"},
}


def _measure_overhead(name: str, n: int, queries: NDArray[np.float32]) -> dict[str, Any]:
    """Time of `Collection.search` and of the FAISS index in it, interleaved, the least of seven runs."""
    from interlingua.index import Collection
    from interlingua.index.faiss_library import load_faiss

    kind, settings = _settings(name, n)
    collection = Collection.create(_DIMENSION, "cosine", kind, settings)
    for start, block in _blocks(n):
        names = [str(number) for number in range(start, start + len(block))]
        collection.add(names, block, [{"language": "sw", "text": f"text {each}"} for each in names])
    index: Any = collection.index
    bare, library = index._faiss, load_faiss()
    params = library.SearchParametersHNSW(efSearch=64) if kind == "hnsw" else None
    figures = {}
    for batch, asked in _BATCHES.items():
        few = queries[:asked]
        batches = [few[start : start + batch] for start in range(0, len(few), batch)]
        least = {"bare": np.inf, "collection": np.inf}
        for _ in range(7 if kind == "hnsw" else 3):
            for which in least:
                start_time = time.perf_counter()
                for each in batches:
                    bare.search(each, _K, params=params) if which == "bare" else collection.search(each, _K)
                least[which] = min(least[which], time.perf_counter() - start_time)
        figures[str(batch)] = {which: 1000 * seconds / len(few) for which, seconds in least.items()}
    return {"overhead": figures}


if __name__ == "__main__":
    sys.exit(main())
