"""Milvus Lite, the Milvus server and our own Collection on the same rows; and a server that is killed meanwhile.

    python -m interlingua.benchmarks milvus_server --install FOLDER
    INTERLINGUA_MILVUS_SERVER=FOLDER python -m interlingua.benchmarks milvus

20 000 x 384 clustered vectors with a language (ten, so that one is a tenth of the rows); HNSW with M 16 and
efConstruction 100; one query a call, 20 seconds after the flush: until then another index than the graph answers on
the server. *Rows in the log* are those that Milvus Lite has not put away, asked by pymilvus alone. *Hub-corrected*
rows compare folded CSLS in Milvus' graph with exact CSLS. Without INTERLINGUA_MILVUS_SERVER the server's rows are
left out.
"""

import itertools
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align import top_k
from interlingua.align.neighbors import fold_csls, fold_query, mean_neighbor_similarity
from interlingua.benchmarks.harness.measure import Case, watch
from interlingua.index import Collection, create_index
from interlingua.index.engines.base import Batch
from interlingua.index.milvus.client import MilvusError, connect
from interlingua.index.milvus.collection import MilvusCollection

from .milvus_server import MilvusServer

ROWS, DIMENSION, QUERIES, K, BATCH = 20_000, 384, 200, 10, 1000
LANGUAGES = [f"l{number}" for number in range(10)]
BUILD = {"M": 16, "efConstruction": 100}
_SETTLING = 20.0  # seconds until a graph answers
_FOLDED, _ASKED = 10_000, 500
DATA = f"{ROWS} x {DIMENSION} clustered"


def run() -> Iterator[Case]:
    """Measure all engines, and the restarts."""
    vectors, queries = clustered(ROWS + QUERIES, DIMENSION, seed=0)[:ROWS], clustered(ROWS + QUERIES, DIMENSION)[ROWS:]
    with tempfile.TemporaryDirectory() as folder:
        yield from _ours(vectors, queries)
        for ef in (64, 256):
            uri = str(Path(folder) / f"lite{ef}.db")
            yield from _milvus("Milvus Lite", uri, vectors, queries, ef, ["Session"])
        yield from _in_the_log(str(Path(folder) / "log.db"), vectors, queries)
        yield from _hub_corrected("Milvus Lite", str(Path(folder) / "folded.db"))
    if not (server_folder := os.environ.get("INTERLINGUA_MILVUS_SERVER")):
        return
    with MilvusServer(Path(server_folder)) as server:
        yield from _milvus("Milvus server", server.uri, vectors, queries, 64, ["Session", "Bounded", "Strong"])
        yield from _milvus("Milvus server", server.uri, vectors, queries, 256, ["Session"])
        yield from _hub_corrected("Milvus server", server.uri)
        yield from _killed(server, vectors)


def clustered(n: int, dimension: int, seed: int = 0) -> NDArray[np.float32]:
    """Return unit vectors (n, d) around 2000 centres in a 48-dimensional subspace, with noise."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(2000, 48)) @ rng.normal(size=(48, dimension)) / np.sqrt(48)
    chosen = np.minimum(rng.zipf(1.5, size=n) - 1, 1999)
    vectors = centres[chosen] + 0.6 * rng.normal(size=(n, dimension))
    unit: NDArray[np.float32] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit


def _batches(vectors: NDArray[np.float32]) -> Iterator[Batch]:
    for start in range(0, len(vectors), BATCH):
        numbers = range(start, min(start + BATCH, len(vectors)))
        about = [{"language": LANGUAGES[number % 10], "n": number} for number in numbers]
        yield Batch(tuple(str(number) for number in numbers), vectors[numbers.start : numbers.stop], about)


def _ours(vectors: NDArray[np.float32], queries: NDArray[np.float32]) -> Iterator[Case]:
    for ef in (64, 256):
        config = {"M": 16, "ef_construction": 100, "ef_search": ef, "threads": 1}
        collection = Collection.create(DIMENSION, "cosine", "hnsw", config)
        with watch() as loading:
            for batch in _batches(vectors):
                collection.add(batch.ids, batch.vectors, batch.metadata)
        name = f"Collection, HNSW, ef {ef}"
        yield _case("load", name, {"rows/s": ROWS / loading.seconds}, ROWS, loading.seconds)
        yield from _searches(name, collection.search, vectors, queries)


def _milvus(
    engine: str, uri: str, vectors: NDArray[np.float32], queries: NDArray[np.float32], ef: int, levels: list[str]
) -> Iterator[Case]:
    config = {"uri": uri, "collection": f"bench_{ef}", "index_type": "HNSW", "build": BUILD, "search": {"ef": ef}}
    collection = MilvusCollection(config, DIMENSION)
    name = f"{engine}, HNSW, ef {ef}"
    with watch() as loading:
        collection.load_batches(_batches(vectors))
    yield _case("load", name, {"rows/s": ROWS / loading.seconds}, ROWS, loading.seconds)
    with watch() as indexing:
        collection.flush()
    yield _case("load", name, {"then flush and index, s": indexing.seconds}, ROWS, indexing.seconds)
    collection.search(queries[:1], K)
    time.sleep(_SETTLING)
    for level in levels:
        reader = MilvusCollection({**config, "consistency": level})
        reader.search(queries[:1], K)
        yield from _searches(f"{name}, {level}", reader.search, vectors, queries)
    with watch() as one:
        for number in range(20):
            collection.upsert([str(number)], vectors[number : number + 1], [{"language": LANGUAGES[number % 10]}])
            collection.get([str(number)])
    yield _case("write one, read it", name, {"ms a pair": 1000 * one.seconds / 20}, 20, one.seconds)
    if len(collection) != ROWS:
        raise RuntimeError(f"{name} holds {len(collection)} rows, not {ROWS}")
    collection.drop()


def _searches(
    name: str, search: Callable[..., Any], vectors: NDArray[np.float32], queries: NDArray[np.float32]
) -> Iterator[Case]:
    for task, languages in (("search", None), ("search, one of ten languages", ["l3"])):
        allowed = np.arange(ROWS) if languages is None else np.arange(3, ROWS, 10)
        exact = create_index("faiss-flat", DIMENSION, "cosine", {"threads": 1})
        exact.add(allowed, vectors[allowed])
        truth = exact.search(queries, K).ids
        search(queries[:1], K, languages=languages)
        answers, seconds = [], []
        for query in queries:
            with watch() as one:
                answers.append(search(query[None], K, languages=languages).ids[0])
            seconds.append(one.seconds)
        hits = [len(set(map(int, answer)) & set(ids.tolist())) for answer, ids in zip(answers, truth, strict=True)]
        figures = {"recall@10": float(np.mean(hits)) / K, "median ms": 1000 * float(np.median(seconds))}
        yield _case(task, name, figures, QUERIES, sum(seconds))


def _in_the_log(uri: str, vectors: NDArray[np.float32], queries: NDArray[np.float32]) -> Iterator[Case]:
    """Time Milvus Lite's own answers before and after its rows are put away."""
    config = {"uri": uri, "collection": "log", "index_type": "HNSW", "build": BUILD, "search": {"ef": 64}}
    collection = MilvusCollection(config, DIMENSION)
    collection.load_batches(_batches(vectors))
    client, name = connect(collection.config), config["collection"]
    field = f"vector_{collection.metric}"

    def median(asked: NDArray[np.float32]) -> float:
        seconds = []
        for query in asked:
            with watch() as one:
                client.search(name, [query], anns_field=field, limit=K, search_params={"params": {"ef": 64}})
            seconds.append(one.seconds)
        return 1000 * float(np.median(seconds))

    times = {"rows in the log": median(queries[:20])}
    client.flush(name)
    times["rows put away"] = median(queries)
    collection.drop()
    for key, value in times.items():
        name = f"Milvus Lite, HNSW, ef 64, {key}"
        yield _case("pymilvus alone", name, {"median ms": value}, QUERIES, value / 1000)


def _hub_corrected(engine: str, uri: str) -> Iterator[Case]:
    """Compare folded CSLS in a graph with exact CSLS; sources are other vectors of the same clusters."""
    drawn = clustered(2 * _FOLDED + _ASKED, DIMENSION, seed=1)
    vectors, sources, queries = np.split(drawn, [_FOLDED, 2 * _FOLDED])
    folded, asked = fold_csls(vectors, mean_neighbor_similarity(vectors, sources, K)), fold_query(queries)
    truth = top_k(asked, folded, K).ids
    build = {"M": 16, "efConstruction": 200}
    config = {"uri": uri, "collection": "folded", "index_type": "HNSW", "build": build, "search": {"ef": 64}}
    collection = MilvusCollection(config, DIMENSION + 1, "ip")
    for start in range(0, _FOLDED, BATCH):
        collection.upsert([str(number) for number in range(start, start + BATCH)], folded[start : start + BATCH])
    collection.flush()
    collection.search(asked[:1], K)
    time.sleep(_SETTLING)
    for ef in (64, 256, 1024):
        reader = MilvusCollection({**config, "search": {"ef": ef}})
        with watch() as working:
            answers = reader.search(asked, K).ids
        hits = [len(set(map(int, answer)) & set(ids.tolist())) for answer, ids in zip(answers, truth, strict=True)]
        name = f"{engine}, HNSW, efConstruction 200, ef {ef}"
        yield Case(task="hub-corrected", data=f"{_FOLDED} x {DIMENSION + 1} clustered, folded", method=name,
                   figures={"recall@10 of exact CSLS": float(np.mean(hits)) / K}, n=_ASKED,
                   seconds=working.seconds)  # fmt: skip
    collection.drop()


def _killed(server: MilvusServer, vectors: NDArray[np.float32], times: int = 3) -> Iterator[Case]:
    """Kill the server while rows are written and read; count what was acknowledged and is missing."""
    config: dict[str, Any] = {"uri": server.uri, "collection": "killed", "index_type": "FLAT"}
    MilvusCollection(config, DIMENSION)  # making it takes some seconds
    config["timeout"] = 2.0
    collection = MilvusCollection(config)
    acknowledged: set[str] = set()
    errors: list[str] = []
    wrong: list[str] = []
    stop = threading.Event()

    reader = MilvusCollection(config)

    def read() -> None:
        while not stop.is_set():
            some = sorted(acknowledged)[:5]
            try:
                if some and [row["id"] for row in reader.get(some)] != some:
                    wrong.append("metadata")
            except MilvusError as error:
                errors.append(str(error))
            except Exception as error:  # every other error is a fault of ours, and counted
                wrong.append(repr(error))
            time.sleep(0.05)

    def batches() -> Iterator[Batch]:
        for start in itertools.cycle(range(0, ROWS, 50)):  # until the last restart
            ids = tuple(f"{number}" for number in range(start, start + 50))
            yield Batch(ids, vectors[start : start + 50], [{"id": id} for id in ids])

    reading = threading.Thread(target=read)
    reading.start()
    killing = threading.Thread(target=_kill_often, args=(server, times, stop))
    killing.start()
    retries = 0
    with watch() as whole:
        for batch in batches():
            retries += collection.load_batches([batch]).retries
            acknowledged |= set(batch.ids)
            if stop.is_set():
                break
    killing.join()
    reading.join()
    lasting = MilvusCollection({**config, "timeout": 20.0})
    with watch() as recovering:
        held = _read_all(lasting)
    counts = {
        "kills": times,
        "rows acknowledged": len(acknowledged),
        "of them missing": len(acknowledged - set(held)),
        "doubled": len(held) - len(set(held)),
        "attempts made again": retries,
        "reads refused by our error": len(errors),
        "wrong answers or other errors": len(wrong),
        "s until all is read": recovering.seconds,
    }
    sys.stderr.write("".join(f"{text}\n" for text in [*errors[:1], *wrong[:3]]))
    lasting.drop()
    yield _case("killed server", "SIGKILL, start again", counts, times, whole.seconds)


def _read_all(collection: MilvusCollection, patience: float = 420.0) -> tuple[str, ...]:
    """Return all ids, asked for again while the server is still recovering."""
    with watch() as waiting:
        while True:
            try:
                return collection.ids
            except MilvusError as error:
                if not error.transient or waiting.seconds > patience:
                    raise


def _kill_often(server: MilvusServer, times: int, stop: threading.Event) -> None:
    try:
        for _ in range(times):
            time.sleep(3)
            server.kill()
            time.sleep(3)
            server.start()
        time.sleep(3)
    finally:
        stop.set()


def _case(task: str, method: str, figures: Mapping[str, float], n: int, seconds: float) -> Case:
    return Case(task=task, data=DATA, method=method, figures=figures, n=n, seconds=seconds)
