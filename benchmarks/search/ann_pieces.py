"""What `ann` measures of our own indexes alone: default efforts, filters, CSLS, overhead."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.index.engines.choose import recall_at_k

from .ann_vectors import DIMENSION, clusters, draw_vectors, exact_neighbors, sentence_vectors

FILTERED = 100  # queries of a search at default effort
BATCHES = {1: 128, 64: 448}  # size: queries
_K = 10
_SHARES = (1.0, 0.5, 0.1, 0.01)
_SOURCES, _TARGETS = 5000, 50_000  # targets at most, of drawn vectors: exact CSLS is what costs
_KINDS = ("flat", "hnsw", "hnsw-float16", "hnsw-sq8", "ivf-flat", "ivf-pq", "ivf-rabitq")

Vectors = NDArray[np.float32]
Blocks = Iterator[tuple[int, Vectors]]


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
    from interlingua.index import create_index

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
    from interlingua.pipelines.search.ranked import HubCorrectedCollection

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
    from interlingua.index import Collection
    from interlingua.index.engines.faiss import load_faiss

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
