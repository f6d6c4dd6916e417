"""Agreement of the indexes, killed saves, and altered files.

    python -m interlingua.benchmarks storage

1. FAISS (flat, and HNSW at full effort) beside the exact NumPy index for each metric, before and after save and load,
   on 384-dimensional clustered vectors. Full effort of HNSW is an exact scan, as some vectors may have no link; its
   recall with the default effort and with a walk over the whole graph stands beside it.
2. A process that saves is killed (SIGKILL) at random moments; the folder is loaded after each and compared with
   what the old and the new state hold.
3. Collections whose files are truncated, altered, prolonged, deleted, exchanged or replaced are loaded; a refusal
   counts if it names the file.
"""

import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.benchmarks.harness.measure import Case, calling, watch
from interlingua.index import (
    Collection,
    CollectionStore,
    CorruptCollectionError,
    FaissIndex,
    HNSWConfig,
    VectorIndex,
    create_index,
    load_index,
    save_index,
)
from interlingua.index.engines.base import Metric, SearchResult

_MUTATED = ("flat", "faiss-flat", "hnsw")
_TOLERANCE = 1e-5
_DIMENSION = 384

_LISTS = {"n_lists": 4, "train_size": 640, "threads": 1}
DAMAGED_KINDS: dict[str, tuple[str, dict[str, Any] | None]] = {
    "flat": ("flat", None),
    "faiss-flat": ("faiss-flat", {"threads": 1}),
    "hnsw": ("hnsw", {"threads": 1}),
    "hnsw-sq8": ("hnsw", {"storage": "sq8", "train_size": 640, "threads": 1}),
    "ivf-flat": ("ivf-flat", _LISTS),
    "ivf-pq": ("ivf-pq", _LISTS),
    "ivf-rabitq": ("ivf-rabitq", _LISTS),
}
OUTCOMES = (
    "refused by name", "recovered as documented", "refused without name", "loaded unnoticed", "process crashed",
)  # fmt: skip
_ROWS, _WIDTH, CHANGES = 700, 16, 6
_SECONDS = 60.0


def run(
    n_flat: int = 100_000, n_graph: int = 20_000, n_queries: int = 200, n_kills: int = 20, n_mutations: int = 20
) -> Iterator[Case]:
    """Compare indexes, kill saving processes, and alter files."""
    for metric in Metric:
        yield from compare_indexes("faiss-flat", metric, n_flat, n_queries)
    for metric in Metric:
        yield from compare_indexes("hnsw", metric, n_graph, n_queries)
    yield kill_savers(n_kills)
    for kind in _MUTATED:
        yield mutate_files(kind, n_mutations)


def missed(rows: list[dict[str, Any]]) -> list[str]:
    """Say what differs, is lost, or is not refused by name."""
    return [
        f"{each['data']}, {each['method']}: {each['metric']} {each['value']}" for each in rows if not _is_good(each)
    ]


def compare_indexes(kind: str, metric: Metric, n_vectors: int, n_queries: int, *, k: int = 10) -> Iterator[Case]:
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
    for method, measured in figures.items():
        yield Case(task="index agreement", data=data, method=method, figures=measured, n=n_queries * k, seconds=seconds)


def kill_savers(n_kills: int, *, n_rows: int = 20_000, seed: int = 0) -> Case:
    """Kill a saving process `n_kills` times and count what the folder holds after each.

    The moments are spread evenly at random over 1.1 times the duration of an undisturbed save.
    """
    start = time.perf_counter()
    rng = np.random.default_rng(seed)
    counts: Counter[str] = Counter({"old": 0, "new": 0, "neither": 0, "killed while saving": 0})
    with tempfile.TemporaryDirectory() as parent:
        folder, current = Path(parent) / "collection", 0
        durations = [_seconds_of_a_save(folder, n_rows) for _ in range(3)]
        for version in range(1, n_kills + 1):
            moment = float(rng.uniform(0, 1.1 * float(np.median(durations))))
            counts["killed while saving"] += _killed_while_saving(folder, version, n_rows, moment)
            found = _version_on_disk(folder, n_rows)
            outcome = {current: "old", version: "new"}.get(found, "neither")
            counts[outcome] += 1
            current = found if outcome != "neither" else current
    seconds = time.perf_counter() - start
    data = f"{n_rows} x {_DIMENSION}, a save takes {float(np.median(durations)):.2f} s"
    return Case(task="killed saves", data=data, method="SIGKILL", figures=counts, n=n_kills, seconds=seconds)


def mutate_files(kind: str, n_mutations: int, *, seed: int = 0) -> Case:
    """Alter one file of a saved collection at a time and count how loading it ends."""
    rng = np.random.default_rng(seed)
    counts: Counter[str] = Counter({"refused by name": 0, "refused without name": 0, "loaded": 0})
    with tempfile.TemporaryDirectory() as parent, watch() as passed:
        folder = Path(parent) / "collection"
        _saved(kind, 0).save(folder)
        originals = {file: file.read_bytes() for file in sorted(folder.iterdir())}
        for trial in range(n_mutations):
            file = list(originals)[trial % len(originals)]
            altered = _MUTATIONS[trial % len(_MUTATIONS)](file, rng)
            outcome = outcome_of_loading(folder, altered, [])
            counts["loaded" if outcome == "loaded unnoticed" else outcome] += 1
            for name in altered:
                (folder / name).write_bytes(originals[folder / name])
        whole = len(Collection.load(folder)) > 0
    counts["refused by name"] *= whole  # a folder that is refused even when whole would prove nothing
    data = f"{len(originals)} files of a collection, {kind}"
    return Case(task="mutated files", data=data, method="load", figures=counts, n=n_mutations, seconds=passed.seconds)


def damage_files(kind: str, n_trials: int, *, seed: int = 0) -> Counter[str]:
    """Damage a saved collection and its journal `n_trials` times and count how loading it ends.

    Bits are flipped; ends cut off or added to; blocks overwritten by zeros; files exchanged with one another, replaced
    by the file of the same role of a collection of the same kind and size, or deleted. The manifest and the journal are
    among them. What is documented for a journal whose last record is cut short, or which is deleted: the changes before
    are there, whole and in order, and nothing else. All other damage must be refused with the file's name.

    Returns
    -------
    Counter
        Of `OUTCOMES`.
    """
    counts = Counter(dict.fromkeys(OUTCOMES, 0))
    with tempfile.TemporaryDirectory() as parent:
        for name, version in (("own", 0), ("twin", 1)):
            make_damaged(Path(parent) / name, kind, version)
        done = 0
        while done < n_trials:
            found = try_in_a_process(parent, done, n_trials, seed)
            counts.update(found)
            done += len(found)
            if done < n_trials:
                counts["process crashed"] += 1
                done += 1
    return counts


def damage_and_load(parent: str, first: int, stop: int, seed: int) -> None:
    """Be the process that loads: make the trials from the first on, and write how each ended."""
    own, twin, here = (Path(parent) / name for name in ("own", "twin", "here"))
    files = sorted(path.name for path in own.iterdir() if path.name != "writer.lock")
    states = states_of_changes()
    here.mkdir(exist_ok=True)
    for trial in range(first, stop):
        rng = np.random.default_rng([seed, trial])
        for path in here.iterdir():
            path.unlink()
        for name in files:
            (here / name).write_bytes((own / name).read_bytes())
        damages = (_flip, _truncate, _append, _zero, _exchange, partial(_replace_by_twin, twin), _delete)
        damaged = damages[(trial // len(files) + trial) % len(damages)](here / files[trial % len(files)], rng)
        sys.stdout.write(json.dumps(outcome_of_loading(here, damaged, states)) + "\n")
        sys.stdout.flush()


def try_in_a_process(parent: str, first: int, stop: int, seed: int) -> list[str]:
    """Return how the trials ended that a process came to."""
    command = calling(f"{__name__}:damage_and_load", parent, first, stop, seed)
    limit = _SECONDS + 2.0 * (stop - first)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, timeout=limit)
    return [json.loads(line) for line in done.stdout.splitlines()]


def make_damaged(folder: Path, kind: str, version: int) -> None:
    """Write a collection with a journal of `_CHANGES` changes."""
    with CollectionStore.create(folder, _saved(kind, version)) as store:
        for change in range(CHANGES):
            _change(store, change, version)


def _is_good(row: Mapping[str, Any]) -> bool:
    metric, value = row["metric"], float(row["value"])
    if metric in ("largest score difference", "largest gap of exchanged ids"):
        return value <= _TOLERANCE
    if metric == "refused by name":
        return value == float(row["n"])
    return metric != "neither" or value == 0


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


def save_version(folder: str, version: int, n_rows: int) -> None:
    """Be the process that is killed: save the collection of a version, and say when that begins and has ended."""
    collection = _collection_of(version, n_rows)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    collection.save(folder)
    sys.stdout.write("saved\n")
    sys.stdout.flush()


def _seconds_of_a_save(folder: Path, n_rows: int) -> float:
    collection = _collection_of(0, n_rows)
    with watch() as saving:
        collection.save(folder)
    return saving.seconds


def _killed_while_saving(folder: Path, version: int, n_rows: int, kill_after: float) -> bool:
    """Let a process save a version, kill it so many seconds later, and tell whether the save had not returned."""
    command = calling(f"{__name__}:save_version", str(folder), version, n_rows)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        ready = process.stdout.readline() if process.stdout else ""
        if ready != "ready\n":
            raise RuntimeError(f"the saving process said {ready!r} and not that it is ready")
        time.sleep(kill_after)
        process.kill()
        return "saved" not in process.communicate()[0]


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


def _saved(kind: str, version: int) -> Collection:
    name, config = DAMAGED_KINDS[kind]
    collection = Collection.create(_WIDTH, "ip", name, config)
    vectors = np.random.default_rng(version).normal(size=(_ROWS, _WIDTH))
    rows = [{"language": "sw", "text": f"text {row} of {version}"} for row in range(_ROWS)]
    collection.add([f"{version}/{row}" for row in range(_ROWS)], vectors, rows)
    collection.attachments["space.bin"] = bytes([7 + version]) * 1000
    return collection


def _change(target: Collection | CollectionStore, change: int, version: int = 0) -> None:
    ids = [f"{version}/new {change} {row}" for row in range(3)]
    vectors = np.random.default_rng([version, change]).normal(size=(3, _WIDTH))
    if change % 3 == 2:
        target.remove([f"{version}/new {change - 1} 0", f"{version}/{change}"])
    else:
        target.upsert([*ids[:2], f"{version}/{change + 7}"], vectors, [{"change": change}] * 3)


def states_of_changes() -> list[Any]:
    """Return what a collection holds without a change, and after each of the changes of the journal."""
    collection = _saved("flat", 0)
    states = [_content(collection)]
    for change in range(CHANGES):
        _change(collection, change)
        states.append(_content(collection))
    return states


def _content(collection: Collection) -> Any:
    return dict(zip(collection.ids, collection.get(collection.ids))), dict(collection.attachments)


def outcome_of_loading(folder: Path, damaged: list[str], states: list[Any]) -> str:
    """Return how loading ends, one of `OUTCOMES`; `states` are those that a cut journal may lead to."""
    try:
        loaded = Collection.load(folder, threads=1)
        loaded.search(np.ones((1, _WIDTH)), 5)
    except CorruptCollectionError as error:
        return "refused by name" if any(name in str(error) for name in damaged) else "refused without name"
    except Exception:  # whatever else it is, it is no refusal by name
        return "refused without name"
    journal = all(name.startswith("journal-") for name in damaged)
    return "recovered as documented" if journal and _content(loaded) in states else "loaded unnoticed"


# How a file is damaged; each returns the names of the files that are not as they were.


def _flip(file: Path, rng: np.random.Generator) -> list[str]:
    content = bytearray(file.read_bytes())
    for _ in range(int(rng.integers(1, 4))):
        content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
    if bytes(content) == file.read_bytes():  # flipped there and back
        content[0] ^= 1
    file.write_bytes(content)
    return [file.name]


def _truncate(file: Path, rng: np.random.Generator) -> list[str]:
    file.write_bytes(file.read_bytes()[: int(rng.integers(file.stat().st_size))])
    return [file.name]


def _append(file: Path, rng: np.random.Generator) -> list[str]:
    with file.open("ab") as opened:
        opened.write(rng.bytes(int(rng.integers(1, 64))))
    return [file.name]


def _zero(file: Path, rng: np.random.Generator) -> list[str]:
    content = bytearray(file.read_bytes())
    held = np.flatnonzero(np.frombuffer(bytes(content), np.uint8))
    start = int(rng.choice(held))
    content[start : start + 64] = bytes(len(content[start : start + 64]))
    file.write_bytes(content)
    return [file.name]


def _exchange(file: Path, rng: np.random.Generator) -> list[str]:
    mine = file.read_bytes()
    others = [path for path in sorted(file.parent.iterdir()) if path.read_bytes() != mine]  # two may hold the same
    other = others[int(rng.integers(len(others)))]
    file.write_bytes(other.read_bytes())
    other.write_bytes(mine)
    return [file.name, other.name]


def _replace_by_twin(twin: Path, file: Path, rng: np.random.Generator) -> list[str]:
    role = file.name.split(".")[0].split("-")[0]
    mine = file.read_bytes()
    others = [path.read_bytes() for path in sorted(twin.iterdir()) if path.name.split(".")[0].split("-")[0] == role]
    different = [content for content in others if content != mine]
    if not different:  # such as the row numbers, which are the same in both
        return _flip(file, rng)
    file.write_bytes(different[0])
    return [file.name]


def _replace(file: Path, rng: np.random.Generator) -> list[str]:
    file.write_bytes(rng.bytes(file.stat().st_size))
    return [file.name]


def _delete(file: Path, rng: np.random.Generator) -> list[str]:
    file.unlink()
    return [file.name]


# Six, so that over the seven files of a collection every file meets every mutation in 42 trials.
_MUTATIONS: tuple[Callable[[Path, np.random.Generator], list[str]], ...] = (
    _truncate, _flip, _append, _delete, _replace, _exchange,
)  # fmt: skip
