"""Approximate search beside its peers: recall, speed, build time, memory; default efforts, filters, CSLS, overhead.

    python -m interlingua.benchmarks.search.ann --n 200000 --minutes 7
    python -m interlingua.benchmarks.search.ann --plot docs/ann.png

Each piece (one engine at one size) runs in a process of its own, so that its peak memory is its own, and is kept: the
command goes on where it stopped and writes `results/ann.json` from all pieces there are. `--only NAME` runs one piece.

Vectors: 2000 clusters of power-law size in 48 latent dimensions, projected at random to 384, isotropic noise 0.15, a
common offset, of unit length. The queries are 500 further draws. One thread, one query a call. Default efforts, filters
and CSLS are also measured on sentence vectors, which need the data sets of docs/data.md.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from interlingua.benchmarks.harness.measure import peak_mb
from interlingua.benchmarks.harness.report import RESULTS, row, write_results
from interlingua.index import recall_at_k

from .ann_pieces import (
    BATCHES,
    FILTERED,
    measure_csls,
    measure_defaults,
    measure_overhead,
    measure_sentences,
    settings_of,
    timed,
)
from .ann_vectors import DIMENSION, clusters, draw_vectors, exact_neighbors

_QUERIES, _K = 500, 10
_EFFORTS = (16, 32, 64, 128, 256)
_PROBES = (4, 8, 16, 32, 64, 128)
OURS = ("flat", "hnsw", "hnsw-sq8", "ivf-flat", "ivf-pq", "ivf-rabitq")
PEERS = ("hnswlib", "usearch", "milvus-lite")
REFINED = ("ivf-pq+float32", "ivf-rabitq+float32")  # with whole vectors in place of bytes
EXTRA = (
    *(f"defaults-{name}" for name in (*OURS, *REFINED, "hnsw-wide")),
    *(f"sentences-{name}" for name in OURS[1:]),
    *("csls", "csls-sentences", "overhead-flat", "overhead-hnsw"),
)


def measure_piece(name: str, n: int, folder: Path) -> dict[str, Any]:
    """Build one engine on n vectors and return its figures; `truth` makes the files that the others read."""
    import faiss

    faiss.omp_set_num_threads(1)
    if name == "truth":
        return _make_truth(n, folder)
    queries, truth = np.load(folder / "queries.npy"), np.load(folder / "truth.npy")
    what, _, kind = name.partition("-")
    if what == "csls":
        return measure_csls(n, queries, sentences=kind == "sentences")
    if what == "overhead":
        return measure_overhead(kind, n, queries)
    if what == "sentences":
        return {"sentences": measure_sentences(kind)}
    if what == "defaults":
        return {"defaults": measure_defaults(kind, n, queries[:FILTERED], partial(clusters, n))}
    before, start = peak_mb(), time.perf_counter()
    search, efforts = _PEERS[name](n, folder) if name in PEERS else _build_ours(name, n)
    build = time.perf_counter() - start
    figures: dict[str, Any] = {"build_seconds": build, "peak_mb": peak_mb() - before, "curve": []}
    for effort in efforts:
        found, seconds = timed(lambda query: search(query, effort), queries)  # noqa: B023  # called at once
        figures["curve"].append({"effort": effort, "recall": recall_at_k(found, truth), "qps": len(queries) / seconds})
    return figures


def rows_of(pieces: dict[tuple[str, int], dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the result rows of the pieces; speeds also as ratios to exact search of the same size."""
    rows: list[dict[str, Any]] = []
    for (name, n), figures in pieces.items():
        command = f"python -m interlingua.benchmarks.search.ann --n {n} --only {name}"
        data = f"{figures.get('n', n)} x {DIMENSION} {'sentences, centred' if 'sentences' in name else 'clustered'}"

        def put(task: str, method: str, metric: str, value: float, asked: int = _QUERIES, data: str = data) -> None:
            rows.append(
                row(task=task, data=data, method=method, metric=metric, value=value, n=asked,
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
            put("ann build", name, "peak / raw float32", figures["peak_mb"] * 1e6 / (4 * n * DIMENSION))
        kind = name.partition("-")[2]
        for point in figures.get("defaults", ()):
            _put_default(put, kind, point, data)
        for state in ("as encoded", "centred") if "sentences" in figures else ():
            for point in figures["sentences"][state]:
                _put_default(put, kind, point, f"{figures['sentences']['n']} x {DIMENSION} sentences, {state}")
        for method, found in figures.get("csls", {}).items():
            method = "cosine alone, against CSLS" if method == "cosine" else f"CSLS, {method}"
            put("exact CSLS", method, "recall@10", found["recall"])
            if "qps" in found:
                put("exact CSLS", method, "queries/s", found["qps"])
        for batch, ms in figures.get("overhead", {}).items():
            method = f"{name.removeprefix('overhead-')}, batch {batch}"
            more = ms["collection"] - ms["bare"]
            parts = {"FAISS ms a query": ms["bare"], "more ms a query": more, "more %": 100 * more / ms["bare"]}
            for metric, value in parts.items():
                put("overhead of Collection", method, metric, value, BATCHES[int(batch)])
    return rows


def _put_default(put: Any, kind: str, point: dict[str, float], data: str) -> None:
    method = f"{kind}, " + ("all allowed" if point["share"] == 1 else f"{point['share']:.0%} allowed")
    for metric, value in {"recall@10": point["recall"], "queries/s": 1000 / point["ms"]}.items():
        put("default effort", method, metric, value, FILTERED, data)


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw recall against queries a second, one line an engine, one panel a size."""
    from interlingua.align.arrays import require

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
    parser = argparse.ArgumentParser(prog="interlingua.benchmarks.search.ann")
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
        from interlingua.pipelines.encoders.cache import user_cache_folder

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
        command = [sys.executable, "-m", "interlingua.benchmarks.search.ann", "--one", name, "--n", str(options.n)]
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


def _make_truth(n: int, folder: Path) -> dict[str, Any]:
    queries = draw_vectors(_QUERIES, seed=10**6)
    np.save(folder / "queries.npy", queries)
    np.save(folder / "truth.npy", exact_neighbors(queries, clusters(n), _K, np.arange(n)))
    return {}


def _build_ours(name: str, n: int) -> tuple[Any, tuple[int, ...]]:
    from dataclasses import replace

    from interlingua.index import FaissIndex, create_index

    kind, settings = settings_of(name, n)
    index = create_index(kind, DIMENSION, "cosine", settings)
    if not isinstance(index, FaissIndex):
        raise TypeError(f"{kind} is no kind of FAISS index")
    for start, block in clusters(n):
        index.add(np.arange(start, start + len(block)), block)
    setting = {"flat": None, "hnsw": "ef_search", "hnsw-sq8": "ef_search"}.get(name, "nprobe")

    def search(query: NDArray[np.float32], effort: int) -> NDArray[np.int64]:
        if setting and getattr(index.config, setting) != effort:
            changed: dict[str, Any] = {setting: effort}
            index.config = replace(index.config, **changed)
        return index.search(query, _K).ids

    efforts = {"ef_search": _EFFORTS, "nprobe": _PROBES}.get(setting or "", (0,))
    return search, efforts


def _build_hnswlib(n: int, folder: Path) -> tuple[Any, tuple[int, ...]]:
    import hnswlib  # type: ignore[import-not-found,import-untyped,unused-ignore]  # ships no types

    index = hnswlib.Index(space="ip", dim=DIMENSION)
    index.init_index(max_elements=n, M=16, ef_construction=64)
    index.set_num_threads(1)
    for start, block in clusters(n):
        index.add_items(block, np.arange(start, start + len(block)), num_threads=1)

    def search(query: NDArray[np.float32], effort: int) -> NDArray[np.int64]:
        index.set_ef(effort)
        return np.asarray(index.knn_query(query, k=_K, num_threads=1)[0], np.int64)

    return search, _EFFORTS


def _build_usearch(n: int, folder: Path) -> tuple[Any, tuple[int, ...]]:
    from usearch.index import Index  # type: ignore[import-not-found,import-untyped,unused-ignore]  # ships no types

    index = Index(ndim=DIMENSION, metric="ip", dtype="f32", connectivity=16, expansion_add=64)
    for start, block in clusters(n):
        index.add(np.arange(start, start + len(block)), block, threads=1)

    def search(query: NDArray[np.float32], effort: int) -> NDArray[np.int64]:
        if index.expansion_search != effort:
            index.expansion_search = effort
        return np.asarray(index.search(query[0], _K, threads=1).keys, np.int64)[None]

    return search, _EFFORTS


def _build_milvus(n: int, folder: Path) -> tuple[Any, tuple[int, ...]]:
    import tempfile

    from pymilvus import MilvusClient  # type: ignore[import-not-found,import-untyped,unused-ignore]  # ships no types

    client = MilvusClient(str(Path(tempfile.mkdtemp()) / "ann.db"))
    client.create_collection("ann", dimension=DIMENSION, metric_type="IP", auto_id=False)
    for start, block in clusters(n):
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

    return search, (64, 256)


_PEERS = {"hnswlib": _build_hnswlib, "usearch": _build_usearch, "milvus-lite": _build_milvus}


if __name__ == "__main__":
    sys.exit(main())
