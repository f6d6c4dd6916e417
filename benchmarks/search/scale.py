"""A collection of 200,000 vectors built over shards: by one process, by two Ray nodes, and by two of which one dies.

    python -m interlingua.benchmarks scale

The nodes are two raylets on this machine, bound to 127.0.0.1, which share its cores: times tell what Ray costs, not
what machines gain. One is killed (SIGKILL) after three shards of the first stage. "resumed" is a build by one process
that stops after half of the shards and starts again. Vectors are synthetic: 2,000 clusters in 48 dimensions, projected
to 384, with noise; 1,000 further ones are the queries.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.benchmarks.harness.measure import Case, calling, watch
from interlingua.index import Collection, create_index
from interlingua.pipelines.search import LocalRunner, RayRunner, build_index
from interlingua.pipelines.search.ranked import IndexKind

_N, _QUERIES, _SHARDS = 200_000, 1_000, 16
_CONFIG = {"n_lists": 512, "nprobe": 16, "train_size": 25_000}
_KIND: IndexKind = "ivf-flat"
_DATA = f"{_N // 1000}k x 384 synthetic"


def run() -> Iterator[Case]:
    """Build four times, and compare ids and recall."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        vectors = _synthetic(_N + _QUERIES)
        source, queries = folder / "vectors.npy", vectors[_N:]
        np.save(source, vectors[:_N])
        exact = create_index("faiss-flat", vectors.shape[1], "cosine")
        exact.add(np.arange(1, _N + 1), vectors[:_N])
        truth = exact.search(queries, 10).ids
        del vectors, exact
        found: dict[str, tuple[tuple[str, ...], Any]] = {}
        builds: dict[str, Callable[[Path], None]] = {
            "one process": lambda out: _build(source, out, LocalRunner()),
            "one process, resumed": lambda out: _stop_and_resume(source, out),
            "two Ray nodes": lambda out: _on_two_nodes(source, out, "none"),
            "two Ray nodes, one killed": lambda out: _on_two_nodes(source, out, "node"),
        }
        for number, (method, build) in enumerate(builds.items()):
            output = folder / f"c{number}"
            with watch() as running:
                build(output)
            collection = Collection.load(output)
            hits = collection.search(queries, 10).ids
            found[method] = (collection.ids, hits)
            shares = [len(set(map(int, got)) & set(true.tolist())) / 10 for got, true in zip(hits, truth)]
            same_ids = collection.ids == found["one process"][0]
            same_hits = np.mean([got == first for got, first in zip(hits, found["one process"][1])])
            common: dict[str, Any] = {"task": f"build over {_SHARDS} shards, {_KIND}", "data": _DATA, "method": method}
            common["seconds"] = running.seconds
            figures = {"same hits %": 100 * float(same_hits), "recall@10 %": 100 * float(np.mean(shares))}
            yield Case(figures={"seconds": running.seconds}, n=1, **common)
            yield Case(figures={"same ids": float(same_ids)}, n=_N, **common)
            yield Case(figures=figures, n=_QUERIES, **common)


def _build(source: Path, output: Path, runner: Any, *, resume: bool = False) -> None:
    build_index([source], output, kind=_KIND, config=_CONFIG, shards=_SHARDS, runner=runner, resume=resume)


class _Stopping:
    """Runs half of the tasks and stops."""

    def run(self, function: Callable[[int], None], tasks: Sequence[int]) -> Iterator[int]:
        yield from LocalRunner().run(function, tasks[: len(tasks) // 2])
        raise InterruptedError


def _stop_and_resume(source: Path, output: Path) -> None:
    try:
        _build(source, output, _Stopping())
    except InterruptedError:
        _build(source, output, LocalRunner(), resume=True)


def _on_two_nodes(source: Path, output: Path, victim: str) -> None:
    # read when Ray is imported: without, it takes 127.0.0.1 for the machine's outer address
    settings = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    command = calling(f"{__name__}:build_on_nodes", str(source), str(output), victim)
    subprocess.run(command, check=True, stdout=sys.stderr, env={**os.environ, **settings}, timeout=540)


def build_on_nodes(source: str, output: str, victim: str) -> None:
    """Build on two Ray nodes, of which one is killed if the victim is called "node"."""
    import ray
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": 100_000_000, "node_ip_address": "127.0.0.1"}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    try:
        second = cluster.add_node(**node)
        ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")

        def kill() -> None:
            while len(list(Path(output + ".parts").glob("encoded/*/manifest.json"))) < 3:
                time.sleep(0.005)
            cluster.remove_node(second, allow_graceful=False)

        killer = threading.Thread(target=kill)
        if victim == "node":
            killer.start()
        _build(Path(source), Path(output), RayRunner(cpus=0.5))
        if victim == "node":
            killer.join()
    finally:
        ray.shutdown()
        cluster.shutdown()


def _synthetic(n: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(2_000, 48))
    shares = 1 / np.arange(1, 2_001)
    latent = centres[rng.choice(2_000, n, p=shares / shares.sum())] + 0.4 * rng.normal(size=(n, 48))
    vectors = latent @ rng.normal(size=(48, 384)) / 48**0.5 + 0.5 * rng.normal(size=384)
    vectors += 0.15 * rng.normal(size=(n, 384))
    unit: NDArray[np.float32] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit
