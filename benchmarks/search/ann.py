"""Approximate search beside its peers: recall, speed, build time, memory; default efforts, filters, CSLS, overhead.

    python -m interlingua.benchmarks ann --n 200000 --minutes 7
    python -m interlingua.benchmarks ann_plot docs/ann.png

Each piece (one engine at one size) runs in a process of its own, so that its peak memory is its own, and is kept: the
command goes on where it stopped and writes the results of all pieces there are. `--only NAME` runs one piece.

Vectors: 2000 clusters of power-law size in 48 latent dimensions, projected at random to 384, isotropic noise 0.15, a
common offset, of unit length. The queries are 500 further draws. One thread, one query a call. Default efforts, filters
and CSLS are also measured on sentence vectors, which need the data sets of docs/data.md.
"""

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from interlingua.align.arrays import require
from interlingua.benchmarks.harness.datasets import (
    SIB_CODES,
    TATOEBA_LANGUAGES,
    read_bible,
    read_ntrex,
    read_sib200,
    read_tatoeba,
)
from interlingua.benchmarks.harness.measure import Case, NotDoneError, kept, peak_mb
from interlingua.benchmarks.harness.report import RESULTS
from interlingua.index import Collection, FaissIndex, create_index
from interlingua.index.engines.choose import recall_at_k
from interlingua.index.engines.scan import load_faiss
from interlingua.pipelines.encoders.cache import user_cache_folder

DIMENSION = 384
_BLOCK = 20_000
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
FILTERED = 100  # queries of a search at default effort
BATCHES = {1: 128, 64: 448}  # size: queries
_SHARES = (1.0, 0.5, 0.1, 0.01)
_SOURCES, _TARGETS = 5000, 50_000  # targets at most, of drawn vectors: exact CSLS is what costs
_KINDS = ("flat", "hnsw", "hnsw-float16", "hnsw-sq8", "ivf-flat", "ivf-pq", "ivf-rabitq")

Vectors = NDArray[np.float32]
Blocks = Iterator[tuple[int, Vectors]]
Piece = Mapping[str, Any]


def run(n: int = 200_000, minutes: float | None = None, only: str = "", keep: Path | None = None) -> Iterator[Case]:
    """Measure what is not kept yet of n vectors, and give the figures of all pieces that are, of every n.

    Parameters
    ----------
    n : int
        Vectors.
    minutes : float, optional
        Begin no further piece after so many.
    only : str
        The piece of this name alone, measured again if it is there.
    keep : path, optional
        Folder of the pieces; by default in the user's cache.

    Raises
    ------
    NotDoneError
        If the time is over before the last piece has begun.
    """
    keep = user_cache_folder() / "benchmarks" / "ann" if keep is None else keep
    folder, begun = keep / str(n), time.perf_counter()
    for name in [only] if only else ("truth", *OURS, *PEERS, *EXTRA):
        path = folder / f"{name}.json"
        if minutes is not None and not path.exists() and time.perf_counter() - begun > 60 * minutes:
            raise NotDoneError(f"{name} and what follows")
        try:
            kept(path, f"{__name__}:measure_piece", name, n, str(folder), again=bool(only), threads=1)
        except RuntimeError as error:  # such as a peer that is not installed
            Console(stderr=True).print(str(error))
    yield from cases_of(_read_pieces(keep))


def measure_piece(name: str, n: int, folder: str) -> dict[str, Any]:
    """Build one engine on n vectors and return its figures; `truth` makes the files that the others read."""
    start = time.perf_counter()
    return {**_measured(name, n, Path(folder)), "seconds": time.perf_counter() - start}


def _measured(name: str, n: int, folder: Path) -> dict[str, Any]:
    load_faiss().omp_set_num_threads(1)
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


def cases_of(pieces: Mapping[tuple[str, int], Piece]) -> Iterator[Case]:
    """Give the figures of the pieces; speeds also as ratios to exact search of the same size."""
    for (name, n), piece in pieces.items():
        exact = pieces.get(("flat", n), {}).get("curve", [{}])[0].get("qps")
        shown = "sentences, centred" if "sentences" in name else "clustered"
        data = f"{piece.get('n', n)} x {DIMENSION} {shown}"
        common = {"data": data, "n": _QUERIES, "seconds": piece["seconds"], "peak_mb": piece.get("peak_mb")}
        for found in (*_curve(name, n, piece, exact), *_defaults(name, piece), *_csls(piece), *_overhead(name, piece)):
            yield Case(**{**common, **found})


def _curve(name: str, n: int, piece: Piece, exact: float | None) -> Iterator[dict[str, Any]]:
    for point in piece.get("curve", ()):
        figures = {"recall@10": point["recall"], "queries/s": point["qps"]}
        if exact:
            figures["speed, exact = 1"] = point["qps"] / exact
        method = name if name == "flat" else f"{name}, effort {point['effort']}"
        yield {"task": "ann", "method": method, "figures": figures}
    if "curve" in piece:
        raw = piece["peak_mb"] * 1e6 / (4 * n * DIMENSION)
        figures = {"build s": piece["build_seconds"], "peak MB": piece["peak_mb"], "peak / raw float32": raw}
        yield {"task": "ann build", "method": name, "figures": figures}


def _defaults(name: str, piece: Piece) -> Iterator[dict[str, Any]]:
    kind, sentences = name.partition("-")[2], piece.get("sentences", {})
    states = {f"{sentences['n']} x {DIMENSION} sentences, {state}": sentences[state]
              for state in ("as encoded", "centred") if sentences}  # fmt: skip
    for data, points in {"": piece.get("defaults", ()), **states}.items():
        for point in points:
            method = f"{kind}, " + ("all allowed" if point["share"] == 1 else f"{point['share']:.0%} allowed")
            figures = {"recall@10": point["recall"], "queries/s": 1000 / point["ms"]}
            found = {"task": "default effort", "method": method, "figures": figures, "n": FILTERED}
            yield {**found, "data": data} if data else found


def _csls(piece: Piece) -> Iterator[dict[str, Any]]:
    for method, found in piece.get("csls", {}).items():
        figures = {"recall@10": found["recall"]} | ({"queries/s": found["qps"]} if "qps" in found else {})
        shown = "cosine alone, against CSLS" if method == "cosine" else f"CSLS, {method}"
        yield {"task": "exact CSLS", "method": shown, "figures": figures}


def _overhead(name: str, piece: Piece) -> Iterator[dict[str, Any]]:
    for batch, ms in piece.get("overhead", {}).items():
        more = ms["collection"] - ms["bare"]
        figures = {"FAISS ms a query": ms["bare"], "more ms a query": more, "more %": 100 * more / ms["bare"]}
        method = f"{name.removeprefix('overhead-')}, batch {batch}"
        yield {"task": "overhead of Collection", "method": method, "figures": figures, "n": BATCHES[int(batch)]}


def ann_plot(path: Path) -> int:
    """Draw recall against queries a second from the results of `ann`: one line an engine, one panel a size."""
    rows = json.loads((RESULTS / "ann.json").read_text(encoding="utf-8"))
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
    return 0


def settings_of(name: str, n: int) -> tuple[str, dict[str, Any]]:
    """Return kind and configuration of the index that is called so, for n vectors; its efforts are the defaults.

    Graphs are as narrow as those of the peers, but for "hnsw-wide", which is the default one.
    """
    n_lists = max(16, round(4 * np.sqrt(n)))
    lists = {"threads": 1, "n_lists": n_lists, "train_size": min(n, 50 * n_lists)}
    kind, _, storage = name.partition("-")
    if name == "hnsw-wide":
        return kind, {"threads": 1}
    if kind == "hnsw":
        return kind, {"threads": 1, "M": 16, "ef_construction": 64, "storage": storage or "float32"}
    name, _, refine = name.partition("+")
    return (
        ("faiss-flat", {"threads": 1}) if name == "flat" else (name, {**lists, "refine": refine} if refine else lists)
    )


def timed(
    search: Callable[[Vectors], NDArray[np.int64]], queries: Vectors, clock: Callable[[], float] = time.perf_counter
) -> tuple[NDArray[np.int64], float]:
    """Return what one call a query finds, and the least seconds of three runs (one, where a run is long)."""
    seconds = []
    for _ in range(3):
        start = clock()
        found = [search(query[None]) for query in queries]
        seconds.append(clock() - start)
        if seconds[0] > 10:
            break
    return np.concatenate(found), min(seconds)


def measure_defaults(name: str, n: int, queries: Vectors, blocks: Callable[[], Blocks]) -> list[dict[str, float]]:
    """Return recall and time at the default effort, with and without filters, against exact search of what was added.

    Times are of the processor, one thread, one query a call.
    """
    kind, settings = settings_of(name, n)
    index: Any = create_index(kind, DIMENSION, "cosine", settings)
    for start, block in blocks():
        index.add(np.arange(start, start + len(block)), block)
    points = []
    for share in _SHARES:
        allowed = np.sort(np.random.default_rng(5).permutation(n)[: int(n * share)])
        truth = exact_neighbors(queries, blocks(), _K, allowed)
        chosen = None if share == 1 else allowed
        found, seconds = timed(lambda query: index.search(query, _K, allowed=chosen).ids, queries, time.thread_time)  # noqa: B023
        recall = recall_at_k(found, truth)
        points.append({"share": share, "recall": recall, "ms": 1000 * seconds / len(queries), "effort": index.effort})
    return points


def measure_csls(n: int, queries: Vectors, *, sentences: bool) -> dict[str, Any]:
    """Recall of each kind at its defaults against exact CSLS, on at most 50,000 drawn targets or on all sentences."""
    from interlingua.align import retrieve
    from interlingua.pipelines.search.corrected import HubCorrectedCollection

    if sentences:
        rows = sentence_vectors(centred=True)
        queries, sources, targets = np.split(rows, [len(queries), len(queries) + _SOURCES])
    else:
        targets = np.concatenate([block for _, block in clusters(min(n, _TARGETS))])
        sources = draw_vectors(_SOURCES, seed=10**6 + 1)
    n = len(targets)
    ids, truth = [str(number) for number in range(n)], retrieve(queries, targets, _K, background=sources).ids
    cosine = {"recall": recall_at_k(retrieve(queries, targets, _K, criterion="nn").ids, truth)}
    figures: dict[str, Any] = {"csls": {"cosine": cosine}, "n": n}
    for name in _KINDS:
        kind, settings = settings_of(name, n)
        made = HubCorrectedCollection.create(sources, kind=kind, config=settings)
        made.add(ids, targets)
        search = lambda query: np.array([[int(id) for id in made.search(query, _K).ids[0]]])  # noqa: B023, E731
        found, seconds = timed(search, queries, time.thread_time)
        figures["csls"][name] = {"recall": recall_at_k(found, truth), "qps": len(queries) / seconds}
    return figures


def measure_sentences(name: str) -> dict[str, Any]:
    """Return what `measure_defaults` does on sentence vectors, as they are encoded and centred, and their number."""
    figures: dict[str, Any] = {}
    for state, centred in {"as encoded": False, "centred": True}.items():
        queries, rows = np.split(sentence_vectors(centred=centred), [FILTERED])
        rows = np.ascontiguousarray(rows)
        figures[state] = measure_defaults(name, len(rows), queries, lambda: iter([(0, rows)]))  # noqa: B023
        figures["n"] = len(rows)
    return figures


def measure_overhead(name: str, n: int, queries: Vectors) -> dict[str, Any]:
    """Time of `Collection.search` and of the FAISS index in it, interleaved, the least of 15 runs (3 of exact search).

    A run reads the ids, not the metadata, which is made when it is first read.
    """
    kind, settings = settings_of(name, n)
    collection = Collection.create(DIMENSION, "cosine", kind, {**settings, "ef_search": 64} if kind == "hnsw" else None)
    for start, block in clusters(n):
        names = [str(number) for number in range(start, start + len(block))]
        collection.add(names, block, [{"language": "sw", "text": f"text {each}"} for each in names])
    index: Any = collection.index
    bare, library = index._faiss, load_faiss()
    params = library.SearchParametersHNSW(efSearch=64) if kind == "hnsw" else None
    figures = {}
    for batch, asked in BATCHES.items():
        few = queries[:asked]
        batches = [few[start : start + batch] for start in range(0, len(few), batch)]
        least = {"bare": np.inf, "collection": np.inf}
        for _ in range(15 if kind == "hnsw" else 3):
            for which in least:
                start_time = time.perf_counter()
                for each in batches:
                    bare.search(each, _K, params=params) if which == "bare" else collection.search(each, _K).ids
                least[which] = min(least[which], time.perf_counter() - start_time)
        figures[str(batch)] = {which: 1000 * seconds / len(few) for which, seconds in least.items()}
    return {"overhead": figures}


def draw_vectors(n: int, seed: int) -> NDArray[np.float32]:
    """Return n vectors around 2000 centres, as the docstring of the module says, shape (n, 384)."""
    fixed, rng = np.random.default_rng(99), np.random.default_rng(seed)
    centres, projection = fixed.normal(size=(2000, 48)), fixed.normal(size=(48, DIMENSION)) / np.sqrt(48)
    offset, weights = fixed.normal(size=DIMENSION), 1 / np.arange(1, 2001)
    latent = centres[rng.choice(2000, size=n, p=weights / weights.sum())] + 0.5 * rng.normal(size=(n, 48))
    vectors = latent @ projection + 0.15 * rng.normal(size=(n, DIMENSION)) + 0.5 * offset
    single: NDArray[np.float32] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return single


def clusters(n: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield n drawn vectors in blocks, each with the number of its first."""
    for number, start in enumerate(range(0, n, _BLOCK)):
        yield start, draw_vectors(min(_BLOCK, n - start), seed=number)


def sentence_vectors(*, centred: bool) -> NDArray[np.float32]:
    """Return the bundled encoder's vectors of different sentences of 16 languages, in random order, shape (n, 384).

    Tatoeba, NTREX-128, SIB-200 and the New Testament in English and Swahili; with `centred`, less the mean of their
    language, and of unit length again.
    """
    from interlingua.align.language import Centring
    from interlingua.pipelines import load_encoder

    texts: dict[str, dict[str, None]] = {language: {} for language in (*TATOEBA_LANGUAGES, "eng")}
    for language in TATOEBA_LANGUAGES:
        foreign, english = read_tatoeba(language)
        texts[language] |= dict.fromkeys(foreign)
        texts["eng"] |= dict.fromkeys(english)
    for language, own in texts.items():
        own |= dict.fromkeys(read_ntrex(language))
        for part in ("train", "dev", "test"):
            own |= dict.fromkeys(text for _, text in read_sib200(SIB_CODES[language], part).values())
    for language, verses in zip(("eng", "swh"), read_bible()):
        texts[language] |= dict.fromkeys(verses)
    encoder = load_encoder()
    vectors = {language: encoder.encode(list(own)) for language, own in texts.items()}
    if centred:
        space = Centring().fit(vectors).space_
        vectors = {language: space.transform(rows, language) for language, rows in vectors.items()}
    rows = np.concatenate(list(vectors.values()))
    return rows[np.random.default_rng(0).permutation(len(rows))]


def exact_neighbors(
    queries: NDArray[np.float32], blocks: Iterator[tuple[int, NDArray[np.float32]]], k: int, allowed: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the k best of the allowed vectors of each query by inner product, shape (n, k)."""
    faiss = load_faiss()
    heap = faiss.ResultHeap(len(queries), k, keep_max=True)
    for start, block in blocks:
        rows = allowed[(allowed >= start) & (allowed < start + len(block))]
        if len(rows):
            scores, ids = faiss.knn(queries, block[rows - start], k, metric=faiss.METRIC_INNER_PRODUCT)
            heap.add_result(scores, np.where(ids >= 0, rows[ids], -1))
    heap.finalize()
    found: NDArray[np.int64] = heap.I
    return found


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
