"""Kill a writer inside each of its calls, and compare what is on the disk with what it acknowledged."""

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align import mean_neighbor_similarity
from interlingua.align.arrays import unit_rows
from interlingua.index import Collection, CollectionStore, CorruptCollectionError, verify
from interlingua.pipelines import HubCorrectedCollection

CALLS = ("add", "upsert", "remove", "compact", "save")
# Kinds that give vectors back as they were added, so that the latest content can be compared to the bit.
_LISTS = {"n_lists": 8, "train_size": 700, "threads": 1}
KINDS: dict[str, dict[str, Any]] = {
    "flat": {},
    "faiss-flat": {"threads": 1},
    "hnsw": {"M": 16, "ef_construction": 64, "threads": 1},
    "ivf-flat": _LISTS,
    "ivf-pq": {**_LISTS, "refine": "float32"},
}
# Hub-corrected collections: means that the vectors hold, that a journal holds, and that are measured anew.
HUB_KINDS: dict[str, dict[str, Any]] = {
    "hub-corrected hnsw": KINDS["hnsw"],
    "hub-corrected hnsw-float16": {**KINDS["hnsw"], "storage": "float16"},
    "hub-corrected ivf-flat": _LISTS,
}
_DIMENSION, _ROWS = 128, 100
_NEIGHBORHOOD = 5
_FIRST_GROUPS = 12
_ATTEMPTS = 5

Step = tuple[str, int, int]  # call, group, generation
State = dict[int, int]  # group -> generation


@dataclass
class _Folder:
    """A collection on the disk and what it must hold."""

    path: Path
    hub: bool = False
    state: State = field(default_factory=dict)
    next_group: int = 0
    generation: int = 0


@dataclass(frozen=True)
class _Run:
    """How far a writer came: steps it acknowledged, and whether one more had begun when it was killed."""

    acknowledged: int
    begun: int
    seconds: list[float]


def kill_writers(
    n_kills: int, *, seed: int = 0, kinds: Mapping[str, Mapping[str, Any]] = KINDS
) -> dict[str, Counter[str]]:
    """Kill writers with SIGKILL, `n_kills` of them inside a call, in turn each call, and count what the disk holds.

    A writer makes some calls, says before each that it begins and after each that it is done, and is killed at a random
    moment of one of them, uniform over what that call took when nobody disturbed it. A kill that comes late, between
    two calls, is judged as well but made up for by another, up to `_ATTEMPTS` times as many. All rows of a call carry
    its number as vectors and metadata; the state on the disk must be that of all acknowledged calls, with or without
    the one that had begun, whole. Of hub-corrected collections (`HUB_KINDS`) each mean must be that of its vector as
    well. The next writer goes on with the same folder.

    Returns
    -------
    dict of Counter
        For each call: ``kills``, ``inside the call``, ``acknowledged calls``, ``rows lost or outdated``,
        ``rows doubled``, ``torn calls``, ``verify problems``; of the calls that had begun: ``not there``, ``there``.
    """
    rng = np.random.default_rng(seed)
    counts: dict[str, Counter[str]] = {call: Counter() for call in CALLS}
    with tempfile.TemporaryDirectory() as parent:
        folders = {kind: _new_folder(Path(parent) / kind, kind, kinds[kind]) for kind in kinds}
        usual = {kind: _usual_seconds(folder, rng) for kind, folder in folders.items()}
        for trial in range(_ATTEMPTS * n_kills):
            call = CALLS[trial % len(CALLS)]
            if counts[call]["inside the call"] >= -(-n_kills // len(CALLS)):
                continue
            kind = list(kinds)[(trial + trial // len(CALLS)) % len(kinds)]
            folder = folders[kind]
            before = int(rng.integers(1, 5))
            steps = list(_plan(folder, [*rng.choice(CALLS[:3], size=before).tolist(), call, "add"], rng))
            run = _write(folder.path, steps, kill_in=before, after=float(rng.uniform(0, usual[kind][call])))
            counts[call] += _judge(folder, steps, run, before)
    return counts


def main(arguments: list[str]) -> int:
    """Be the writer: a folder, and steps as JSON."""
    folder, steps = Path(arguments[0]), json.loads(arguments[1])
    hub = folder.name in HUB_KINDS
    store: Any = HubCorrectedCollection.open(folder, threads=1) if hub else CollectionStore(folder, threads=1)
    with store:
        for number, (call, group, generation) in enumerate(steps):
            ids, vectors, metadata = _group(group, generation)
            _say(f"begin {number}")
            start = time.perf_counter()
            if call == "add":
                store.add(ids, vectors, metadata)
            elif call == "upsert":
                store.upsert(ids, vectors, metadata)
            elif call == "remove":
                store.remove(ids)
            elif call == "compact":
                store.compact()
            else:
                store.checkpoint()
            _say(f"done {number} {time.perf_counter() - start}")
    return 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _group(group: int, generation: int) -> tuple[list[str], NDArray[np.float32], list[dict[str, Any]]]:
    vectors = np.random.default_rng([group, generation]).normal(size=(_ROWS, _DIMENSION)).astype(np.float32)
    rows = [{"group": group, "generation": generation, "row": row} for row in range(_ROWS)]
    return [f"{group}/{row}" for row in range(_ROWS)], vectors, rows


def _sources() -> NDArray[np.float32]:
    rows: NDArray[np.float32] = unit_rows(np.random.default_rng(3).normal(size=(300, _DIMENSION)).astype(np.float32))
    return rows


def _new_folder(path: Path, name: str, config: Mapping[str, Any]) -> _Folder:
    kind = name.removeprefix("hub-corrected ").removesuffix("-float16")
    folder = _Folder(path, hub=name in HUB_KINDS)
    if folder.hub:
        made = HubCorrectedCollection.create(_sources(), kind=kind, config=config, neighborhood=_NEIGHBORHOOD)
        made.save(path)
    else:
        CollectionStore.create(path, Collection.create(_DIMENSION, "ip", kind, config or None)).close()
    steps = list(_plan(folder, ["add"] * _FIRST_GROUPS, np.random.default_rng(0)))
    _write(path, steps)
    folder.state = _after(folder.state, steps)
    return folder


def _usual_seconds(folder: _Folder, rng: np.random.Generator) -> dict[str, float]:
    steps = list(_plan(folder, [*CALLS, *CALLS, *CALLS], rng))
    seconds = _write(folder.path, steps).seconds
    folder.state = _after(folder.state, steps)
    return {call: float(np.median(seconds[place :: len(CALLS)])) for place, call in enumerate(CALLS)}


def _plan(folder: _Folder, calls: Sequence[str], rng: np.random.Generator) -> Iterator[Step]:
    """Yield calls that fit the folder: new groups are added, living ones are changed and removed."""
    living = list(folder.state)
    for call in calls:
        folder.generation += 1
        if call == "add":
            folder.next_group += 1
            living.append(folder.next_group)
            yield call, folder.next_group, folder.generation
        elif call in ("upsert", "remove"):
            group = living[int(rng.integers(len(living)))]
            if call == "remove":
                living.remove(group)
            yield call, group, folder.generation
        else:
            yield call, 0, 0


def _after(state: State, steps: Sequence[Step]) -> State:
    state = dict(state)
    for call, group, generation in steps:
        if call in ("add", "upsert"):
            state[group] = generation
        elif call == "remove":
            del state[group]
    return state


def _write(folder: Path, steps: Sequence[Step], *, kill_in: int | None = None, after: float = 0.0) -> _Run:
    """Let a process take the steps, and kill it `after` seconds of the step `kill_in`."""
    module = "interlingua.benchmarks.search.killed_writers"
    command = [sys.executable, "-c", f"import sys, {module} as m; sys.exit(m.main(sys.argv[1:]))"]
    seconds, begun = list[float](), 0
    with subprocess.Popen([*command, str(folder), json.dumps(steps)], stdout=subprocess.PIPE, text=True) as process:
        stream = process.stdout
        if stream is None:
            raise RuntimeError("the writer has no standard output")
        for line in stream:
            word, number, *rest = line.split()
            if word == "begin":
                begun = int(number) + 1
                if int(number) == kill_in:
                    time.sleep(after)
                    process.kill()
            elif rest:  # subtle: the last line of a killed process may be cut short, and was then not said
                seconds.append(float(rest[0]))
    if kill_in is None and process.returncode != 0:
        raise RuntimeError(f"the writer ended with exit status {process.returncode}")
    return _Run(len(seconds), begun, seconds)


def _judge(folder: _Folder, steps: Sequence[Step], run: _Run, target: int) -> Counter[str]:
    """Compare the folder with what the run acknowledged, and take over what is there."""
    counts = Counter({"kills": 1, "acknowledged calls": run.acknowledged})
    counts["inside the call"] = int(run.acknowledged == target and run.begun == target + 1)
    promised = _after(folder.state, steps[: run.acknowledged])
    begun = _after(folder.state, steps[: run.begun])
    try:
        counts["verify problems"] = len(verify(folder.path).problems)
        hub = HubCorrectedCollection.load(folder.path, threads=1) if folder.hub else None
        loaded = Collection.load(folder.path, threads=1) if hub is None else hub.collection
    except (CorruptCollectionError, OSError):
        counts["verify problems"] += 1
        counts["rows lost or outdated"] += len(promised) * _ROWS
        return counts
    counts["rows doubled"] = len(loaded.ids) - len(set(loaded.ids)) + abs(len(loaded.index) - len(loaded))
    found = {group: _whole(loaded, group, generation, hub) for group, generation in promised.items()}
    open_groups = {group for group in promised | begun if promised.get(group) != begun.get(group)}
    counts["rows lost or outdated"] = _ROWS * sum(
        not there for group, there in found.items() if group not in open_groups
    )
    there = all(_is_at(loaded, group, begun.get(group), hub) for group in open_groups)
    absent = all(_is_at(loaded, group, promised.get(group), hub) for group in open_groups)
    expected = len(begun if there else promised) * _ROWS
    counts["torn calls"] = int(not (there or absent) or len(loaded) != expected)
    if open_groups:
        counts["there" if there else "not there"] += 1
    folder.state = begun if there else promised
    return counts


def _is_at(
    collection: Collection, group: int, generation: int | None, hub: HubCorrectedCollection | None = None
) -> bool:
    if generation is None:
        return not any(id in collection for id in _group(group, 0)[0])
    return _whole(collection, group, generation, hub)


def _whole(collection: Collection, group: int, generation: int, hub: HubCorrectedCollection | None = None) -> bool:
    ids, vectors, metadata = _group(group, generation)
    if not all(id in collection for id in ids) or collection.get(ids) != metadata:
        return False
    kept = collection.vectors(ids)
    if hub is None:
        return np.array_equal(kept, vectors)
    rows = unit_rows(vectors)
    means = mean_neighbor_similarity(rows, _sources(), _NEIGHBORHOOD)
    own = kept[:, :_DIMENSION] / (2 if hub.folds else 1)
    return np.allclose(own, rows, atol=1e-3) and np.allclose(hub.means(ids), means, atol=1e-6)
