"""Two noisy copies of graphs of growing size, aligned: CPU seconds, memory and what is found.

    python -m interlingua.benchmarks graph_scale [--only "names:10000"] [--before FOLDER]

Graphs are made, with degrees and relations drawn from DBP15K's Chinese and English graphs: entities lie in communities
of fifty, seven triples of ten within them. Each copy has 80 % of the entities and, of the triples among these, 85 %.
Names are vectors of 384 dimensions, as of an encoder: the same for both copies but for noise. *Names*: these vectors
and the structure, no seeds; *structure and 30 % seeds*: no names, three of ten counterparts known. All entities of
either copy are candidates, also those that the other does not have. Found is the share of counterparts (those not known
before) that are linked; precision is that of the links of confidence 0.5 or more.

Every piece is a process of its own and is kept as soon as it ends. With `--before`, a checkout of an earlier state, its
`align_entities` is measured on the same graphs, for the piece that `--only` names.
"""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from interlingua.align.graph import align_entities
from interlingua.benchmarks.harness.datasets import data_folder
from interlingua.benchmarks.harness.measure import Case, kept, peak_mb
from interlingua.benchmarks.harness.processes import run_measured
from interlingua.pipelines.encoders.cache import user_cache_folder
from interlingua.pipelines.graphs.graph import read_graph_pair

SIZES = (5_000, 10_000, 30_000, 100_000)
_SEEDS = "structure and 30 % seeds"
REGIMES = ("names", _SEEDS)
_BEFORE, _NOW = "all with all", "lists and candidates"
_WORLD, _HELD, _KEPT = 1.25, 0.8, 0.85
_COMMUNITY, _WITHIN = 50, 0.7
_DIMENSION, _NOISE = 384, 1.1


def run(only: str = "", measure: bool = True, before: Path | None = None, keep: Path | None = None) -> Iterator[Case]:
    """Give the figures of every piece; of those that are kept, only the named one is measured again.

    Parameters
    ----------
    only : str
        A REGIME:SIZE, measured again if it is there; no other is measured.
    measure : bool
        If not, only what is there is given.
    before : path, optional
        A checkout whose `align_entities` is measured instead.
    keep : path, optional
        Folder of the pieces; by default in the user's cache.
    """
    folder = user_cache_folder() / "benchmarks" / "graph_scale" if keep is None else keep
    for regime in REGIMES:
        for size in SIZES:
            for method in (_BEFORE, _NOW):
                name = f"{regime}-{size}-{'before' if method == _BEFORE else 'now'}"
                path = folder / f"{name.replace(' ', '-').replace('%', 'percent')}.json"
                named = only == f"{regime}:{size}" and (method == _BEFORE) == (before is not None)
                if measure and (named or (not only and method == _NOW)):
                    where = None if before is None else str(before.resolve())
                    kept(path, f"{__name__}:measure_piece", size, regime, where, again=named, threads=1)
                if path.exists():
                    found = json.loads(path.read_text(encoding="utf-8"))
                    yield Case(
                        task="graphs that grow", data=f"{size} entities a side", method=f"{regime}, {method}",
                        figures=found["figures"], n=found["n"], seconds=found["seconds"], peak_mb=found["peak MB"],
                    )  # fmt: skip


def measure_piece(size: int, regime: str, before: str | None = None) -> dict[str, Any]:
    """Align two copies and return the figures; those of another checkout in a process of its own."""
    if before is not None:
        paths = {"PYTHONPATH": str(Path(before) / ".typing")}
        used = run_measured([sys.executable, __file__, str(size), regime], environment=paths)
        if used.code:
            raise RuntimeError(f"{before} ended with {used.code}")
        return dict(json.loads(used.output))
    began = time.perf_counter()
    made = twin_graphs(size, data_folder("dbp15k") / "zh_en")
    left, right, pairs, seeds = np.arange(size), np.arange(size, 2 * size), made["pairs"], None
    given: dict[str, Any] = {"features": made["names"]}
    if regime == _SEEDS:
        seeds, pairs = np.split(pairs, [3 * len(pairs) // 10])
        given = {"seeds": seeds}
        left, right = np.setdiff1d(left, seeds[:, 0]), np.setdiff1d(right, seeds[:, 1])
    start = time.process_time()
    found = align_entities(made["triples"], made["relations"], left, right, n_entities=2 * size, **given)
    cpu = time.process_time() - start
    chosen, scores = found.pairs, found.scores
    counterpart = np.full(2 * size, -1)
    counterpart[pairs[:, 0]] = pairs[:, 1]
    right_ones = counterpart[left[chosen[:, 0]]] == right[chosen[:, 1]]
    sure = scores >= 0.5
    figures = {
        "cpu s": cpu,
        "peak MB": peak_mb(),
        "found %": 100 * float(right_ones.sum()) / len(pairs),
        "precision %": 100 * float(right_ones[sure].mean()),
        "triples": float(len(made["triples"])),
    }
    return {"figures": figures, "n": len(pairs), "seconds": time.perf_counter() - began, "peak MB": peak_mb()}


def twin_graphs(size: int, folder: Path, seed: int = 0) -> dict[str, Any]:
    """Return two noisy copies of a graph, `size` entities each: triples, relations, names and the counterparts.

    Parameters
    ----------
    size : int
    folder : path
        Of the two graphs whose degrees and relations are drawn from.
    seed : int
    """
    rng = np.random.default_rng(seed)
    graphs = read_graph_pair(folder)
    triples = [graph.triples for graph in (graphs.left, graphs.right)]
    degrees = np.concatenate([np.bincount(each[:, [0, 2]].ravel()) for each in triples])
    degrees = degrees[degrees > 0]
    relations = np.bincount(np.concatenate([each[:, 1] for each in triples]))
    world = round(_WORLD * size)
    weights = rng.choice(degrees, world).astype(float)
    n_triples = round(world * degrees.mean() / 2 / _HELD**2 / _KEPT * _HELD)
    heads = rng.choice(world, n_triples, p=weights / weights.sum())
    tails = rng.choice(world, n_triples, p=weights / weights.sum())
    near = rng.random(n_triples) < _WITHIN
    tails[near] = np.minimum(
        heads[near] // _COMMUNITY * _COMMUNITY + rng.integers(0, _COMMUNITY, near.sum()), world - 1
    )
    kinds = rng.choice(len(relations), n_triples, p=relations / relations.sum())
    centres = rng.standard_normal((world // _COMMUNITY + 1, _DIMENSION), dtype=np.float32)
    meaning = centres[np.arange(world) // _COMMUNITY]
    meaning += rng.standard_normal(meaning.shape, dtype=np.float32)
    meaning /= np.linalg.norm(meaning, axis=1, keepdims=True)
    names = np.empty((2 * size, _DIMENSION), np.float32)
    copies, places = [], []
    for copy in (0, 1):
        held = rng.permutation(world)[:size]
        place = np.full(world, -1)
        place[held] = np.arange(size) + copy * size
        kept_ones = (place[heads] >= 0) & (place[tails] >= 0) & (rng.random(n_triples) < _KEPT)
        copies.append(np.stack([place[heads], kinds + copy * len(relations), place[tails]], axis=1)[kept_ones])
        noise = rng.standard_normal((size, _DIMENSION), dtype=np.float32) * np.float32(_NOISE / np.sqrt(_DIMENSION))
        names[copy * size : (copy + 1) * size] = meaning[held] + noise
        places.append(place)
    both = (places[0] >= 0) & (places[1] >= 0)
    pairs = np.stack([places[0][both], places[1][both]], axis=1)
    names -= names.mean(axis=0)
    return {"triples": np.concatenate(copies), "relations": 2 * len(relations), "names": names, "pairs": pairs}


BENCHMARKS = {"graph_scale": run}

if __name__ == "__main__":  # by the interpreter of another checkout, see `measure_piece`
    sys.stdout.write(json.dumps(measure_piece(int(sys.argv[1]), sys.argv[2])))
