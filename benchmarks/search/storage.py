"""Agreement of the indexes, killed saves, and altered files.

    python -m interlingua.benchmarks.search.storage

1. FAISS (flat, and HNSW at full effort) beside the exact NumPy index for each metric, before and after save and load,
   on 384-dimensional clustered vectors. Full effort of HNSW is an exact scan, as some vectors may have no link; its
   recall with the default effort and with a walk over the whole graph stands beside it.
2. A process that saves is killed (SIGKILL) at random moments; the folder is loaded after each and compared with
   what the old and the new state hold.
3. Collections whose files are truncated, altered, prolonged, deleted, exchanged or replaced are loaded; a refusal
   counts if it names the file.
"""

import dataclasses
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from interlingua.index import (
    Collection,
    CorruptCollectionError,
    FaissIndex,
    HNSWConfig,
    Metric,
    SearchResult,
    VectorIndex,
    create_index,
    load_index,
    save_index,
)

Row = dict[str, Any]
_COMMAND = "python -m interlingua.benchmarks.search.storage"
_KINDS = ("flat", "faiss-flat", "hnsw")
_TOLERANCE = 1e-5
_DIMENSION = 384


def run(
    *, n_flat: int = 100_000, n_graph: int = 20_000, n_queries: int = 200, n_kills: int = 20, n_mutations: int = 20
) -> list[Row]:
    """Return the rows of all three measurements."""
    rows = [row for metric in Metric for row in compare_indexes("faiss-flat", metric, n_flat, n_queries)]
    rows += [row for metric in Metric for row in compare_indexes("hnsw", metric, n_graph, n_queries)]
    rows += kill_savers(n_kills)
    rows += [row for kind in _KINDS for row in mutate_files(kind, n_mutations)]
    return rows


def compare_indexes(kind: str, metric: Metric, n_vectors: int, n_queries: int, *, k: int = 10) -> list[Row]:
    """Compare one kind of index at full effort with `FlatIndex`, before and after save and load.

    `same ids` is the share of the n_queries x k result slots with the same id; where it is below 1, `largest gap of
    exchanged ids` is the largest difference of the exact scores of the two ids in a slot.
    """
    start = time.perf_counter()
    vectors, queries = _clustered(n_vectors, metric, seed=0), _clustered(n_queries, metric, seed=1)
    ids = np.random.default_rng(2).permutation(n_vectors)
    exact = create_index("flat", _DIMENSION, metric)
    exact.add(ids, vectors)
    expected = exact.search(queries, k)
    index = create_index(kind, _DIMENSION, metric)
    index.add(ids, vectors)
    data = f"{n_vectors} x {_DIMENSION} clustered, {n_queries} queries, {metric}"

    figures: dict[str, dict[str, float]] = {}
    if isinstance(index, FaissIndex) and isinstance(index.config, HNSWConfig):
        for effort, name in ((index.effort, ""), (n_vectors - 1, ", the whole graph")):
            index.config = dataclasses.replace(index.config, ef_search=effort)
            figures[f"{kind}, ef_search {effort}{name}"] = {"recall@10": _recall(index.search(queries, k), expected)}
        index.config = dataclasses.replace(index.config, ef_search=n_vectors)
    figures[f"{kind}, full effort"] = _agreement(index, exact, queries, expected)
    with tempfile.TemporaryDirectory() as folder:
        save_index(index, Path(folder) / "index")
        figures[f"{kind}, full effort, saved and loaded"] = _agreement(
            load_index(Path(folder) / "index"), exact, queries, expected
        )
    seconds = time.perf_counter() - start
    return [
        _row("index agreement", data, method, name, value, n_queries * k, seconds)
        for method, measured in figures.items()
        for name, value in measured.items()
    ]


def kill_savers(n_kills: int, *, n_rows: int = 20_000, seed: int = 0) -> list[Row]:
    """Kill a saving process `n_kills` times and count what the folder holds after each.

    The moments are spread evenly at random over 1.1 times the duration of an undisturbed save.
    """
    start = time.perf_counter()
    rng = np.random.default_rng(seed)
    counts: Counter[str] = Counter({"old": 0, "new": 0, "neither": 0, "killed while saving": 0})
    with tempfile.TemporaryDirectory() as parent:
        folder, current = Path(parent) / "collection", 0
        durations = [_save_in_a_process(folder, version, n_rows, kill_after=None) for version in (0, 0, 0)]
        for version in range(1, n_kills + 1):
            moment = float(rng.uniform(0, 1.1 * float(np.median(durations))))
            finished = _save_in_a_process(folder, version, n_rows, kill_after=moment)
            counts["killed while saving"] += finished < 0
            found = _version_on_disk(folder, n_rows)
            outcome = {current: "old", version: "new"}.get(found, "neither")
            counts[outcome] += 1
            current = found if outcome != "neither" else current
    seconds = time.perf_counter() - start
    data = f"{n_rows} x {_DIMENSION}, a save takes {float(np.median(durations)):.2f} s"
    return [_row("killed saves", data, "SIGKILL", name, count, n_kills, seconds) for name, count in counts.items()]


def mutate_files(kind: str, n_mutations: int, *, seed: int = 0) -> list[Row]:
    """Alter one file of a saved collection at a time and count how loading it ends."""
    start = time.perf_counter()
    rng = np.random.default_rng(seed)
    counts: Counter[str] = Counter({"refused by name": 0, "refused without name": 0, "loaded": 0})
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "collection"
        _small_collection(kind).save(folder)
        originals = {file: file.read_bytes() for file in sorted(folder.iterdir())}
        for trial in range(n_mutations):
            file = list(originals)[trial % len(originals)]
            _MUTATIONS[trial % len(_MUTATIONS)](file, rng)
            counts[_outcome_of_loading(folder, file)] += 1
            file.write_bytes(originals[file])
        whole = len(Collection.load(folder)) > 0
    counts["refused by name"] *= whole  # a folder that is refused even when whole would prove nothing
    seconds = time.perf_counter() - start
    data = f"{len(originals)} files of a collection, {kind}"
    return [_row("mutated files", data, "load", name, count, n_mutations, seconds) for name, count in counts.items()]


def main(arguments: list[str] | None = None) -> int:
    """Measure, write `results/storage.json`, and exit 1 if something differs, is lost or is not refused."""
    options = sys.argv[1:] if arguments is None else arguments
    if options[:1] == ["--save"]:  # the process that is killed
        return _save(Path(options[1]), int(options[2]), int(options[3]))
    from interlingua.benchmarks.harness.report import write_results

    rows = run()
    table = Table("task", "data", "method", "metric", "value", "n")
    for row in rows:
        table.add_row(*(str(row[key]) for key in ("task", "data", "method", "metric", "value", "n")))
    console = Console(width=150)
    console.print(table)
    console.print(f"written: {write_results('storage', rows).name}")
    return int(not all(map(_is_good, rows)))


def _is_good(row: Row) -> bool:
    metric, value = row["metric"], float(row["value"])
    if metric in ("largest score difference", "largest gap of exchanged ids"):
        return value <= _TOLERANCE
    if metric == "refused by name":
        return value == float(row["n"])
    return metric != "neither" or value == 0


def _row(task: str, data: str, method: str, metric: str, value: float, n: int, seconds: float) -> Row:
    from interlingua.benchmarks.harness.report import row

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return row(
        task=task,
        data=data,
        method=method,
        metric=metric,
        value=value,
        n=n,
        command=_COMMAND,
        seconds=seconds,
        peak_mb=peak,
    )


def _clustered(n: int, metric: Metric, seed: int) -> NDArray[np.float32]:
    """Return vectors like those of an encoder: clusters of power-law size in 48 latent dimensions, plus noise.

    Of unit length but for inner products, which would otherwise be cosines under another name.
    """
    fixed, rng = np.random.default_rng(99), np.random.default_rng(seed)
    centres, projection = fixed.normal(size=(2000, 48)), fixed.normal(size=(48, _DIMENSION)) / np.sqrt(48)
    weights = 1 / np.arange(1, 2001)
    latent = centres[rng.choice(2000, size=n, p=weights / weights.sum())] + 0.5 * rng.normal(size=(n, 48))
    vectors = latent @ projection + 0.15 * rng.normal(size=(n, _DIMENSION))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    if metric is Metric.IP:
        vectors *= rng.lognormal(sigma=0.1, size=(n, 1))
    single: NDArray[np.float32] = vectors.astype(np.float32)
    return single


def _agreement(
    index: VectorIndex, exact: VectorIndex, queries: NDArray[np.float32], expected: SearchResult
) -> dict[str, float]:
    found = index.search(queries, expected.ids.shape[1])
    same = found.ids == expected.ids
    gaps = [0.0]
    for query in np.flatnonzero(~same.all(axis=1)):
        ids = found.ids[query]
        if (ids < 0).any():
            gaps.append(np.inf)
            continue
        hits = exact.search(queries[query : query + 1], len(ids), allowed=ids)[0]
        score_of = dict(zip(hits.ids.tolist(), hits.scores.tolist()))
        gaps += [abs(score_of[id] - score) for id, score in zip(ids.tolist(), expected.scores[query].tolist())]
    return {
        "largest score difference": float(np.abs(found.scores - expected.scores).max()),
        "same ids": float(same.mean()),
        "largest gap of exchanged ids": max(gaps),
    }


def _recall(found: SearchResult, expected: SearchResult) -> float:
    shares = [len(np.intersect1d(a.ids, b.ids)) / len(b) for a, b in zip(found, expected)]
    return float(np.mean(shares))


def _collection_of(version: int, n_rows: int) -> Collection:
    collection = Collection.create(_DIMENSION, kind="faiss-flat")
    vectors = np.random.default_rng(version).normal(size=(n_rows, _DIMENSION)).astype(np.float32)
    ids = [f"{version}/{row}" for row in range(n_rows)]
    collection.add(ids, vectors, [{"text": f"text {row} of {version}"} for row in range(n_rows)])
    collection.attributes["version"] = version
    return collection


def _save(folder: Path, version: int, n_rows: int) -> int:
    collection = _collection_of(version, n_rows)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    start = time.perf_counter()
    collection.save(folder)
    sys.stdout.write(f"saved in {time.perf_counter() - start}\n")
    sys.stdout.flush()
    return 0


def _save_in_a_process(folder: Path, version: int, n_rows: int, *, kill_after: float | None) -> float:
    """Return how many seconds the save took, -1 if the process was killed before the save returned."""
    command = [
        sys.executable,
        "-m",
        "interlingua.benchmarks.search.storage",
        "--save",
        str(folder),
        str(version),
        str(n_rows),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        ready = process.stdout.readline() if process.stdout else ""
        if ready != "ready\n":
            raise RuntimeError(f"the saving process said {ready!r} and not that it is ready")
        if kill_after is not None:
            time.sleep(kill_after)
            process.kill()
        said, _ = process.communicate()
        if kill_after is None and process.returncode != 0:
            raise RuntimeError(f"the saving process ended with exit status {process.returncode}")
        return float(said.split()[-1]) if said else -1.0


def _version_on_disk(folder: Path, n_rows: int) -> int:
    """Return which version is there whole, -1 if none is."""
    try:
        loaded = Collection.load(folder)
    except (CorruptCollectionError, OSError):
        return -1
    version = int(loaded.attributes["version"])
    expected = _collection_of(version, n_rows)
    same = loaded.ids == expected.ids and loaded.get(loaded.ids) == expected.get(expected.ids)
    same = same and np.array_equal(loaded.vectors(loaded.ids), expected.vectors(expected.ids))
    return version if same else -1


def _small_collection(kind: str) -> Collection:
    collection = Collection.create(16, kind=kind)
    rows = range(500)
    vectors = np.random.default_rng(0).normal(size=(500, 16))
    collection.add([f"{row}" for row in rows], vectors, [{"language": "sw", "text": f"{row}"} for row in rows])
    collection.attachments["space.bin"] = bytes(1000)
    return collection


def _outcome_of_loading(folder: Path, altered: Path) -> str:
    try:
        Collection.load(folder)
    except CorruptCollectionError as error:
        return "refused by name" if altered.name in str(error) else "refused without name"
    except Exception:  # whatever else it is, it is no refusal by name
        return "refused without name"
    return "loaded"


def _truncate(file: Path, rng: np.random.Generator) -> None:
    file.write_bytes(file.read_bytes()[: int(rng.integers(file.stat().st_size))])


def _flip_a_bit(file: Path, rng: np.random.Generator) -> None:
    content = bytearray(file.read_bytes())
    content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
    file.write_bytes(content)


def _prolong(file: Path, rng: np.random.Generator) -> None:
    file.write_bytes(file.read_bytes() + rng.bytes(8))


def _delete(file: Path, rng: np.random.Generator) -> None:
    file.unlink()


def _replace(file: Path, rng: np.random.Generator) -> None:
    file.write_bytes(rng.bytes(file.stat().st_size))


def _exchange(file: Path, rng: np.random.Generator) -> None:
    contents = [path.read_bytes() for path in sorted(file.parent.iterdir())]
    others = [content for content in contents if content != file.read_bytes()]  # two files may hold the same
    file.write_bytes(others[int(rng.integers(len(others)))])


# Six, so that over the seven files of a collection every file meets every mutation in 42 trials.
_MUTATIONS = (_truncate, _flip_a_bit, _prolong, _delete, _replace, _exchange)


if __name__ == "__main__":
    sys.exit(main())
