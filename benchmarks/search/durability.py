"""What a collection on disk withstands: killed writers, damaged files, readers beside a writer.

    python -m interlingua.benchmarks durability                # 50 kills, 500 damaged files, 8 readers for 5 minutes
    python -m interlingua.benchmarks durability --only killed  # one part; other rows stay

1. Writers are killed (SIGKILL) inside add, upsert, remove, compact and save; what is on the disk is compared with what
   they had acknowledged (`kill_writers`). A kill ends a process, not the machine: power cuts are not measured.
2. Files of saved collections of every kind of index are damaged and loaded in processes of their own (`damage_files`).
3. One writer and eight readers, each a process of one thread, work on one folder (`read_and_write`).

A goal is missed if a row is lost, doubled or torn, damage is not refused by name, or a reader sees an error or a wrong
result.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import unit_rows
from interlingua.align.neighbors import mean_neighbor_similarity
from interlingua.benchmarks.harness.measure import Case, calling, watch
from interlingua.index import Collection, CollectionReader, CollectionStore, CorruptCollectionError, verify

from .storage import DAMAGED_KINDS, OUTCOMES, damage_files

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

_KILLS = ("inside the call", "acknowledged calls", "rows lost or outdated", "rows doubled", "torn calls",
          "verify problems", "not there", "there")  # fmt: skip
_READERS = ("changes", "saves", "problems after", "states", "searches", "errors", "wrong results")
MUST_BE_ZERO = {"rows lost or outdated", "rows doubled", "torn calls", "verify problems", "refused without name",
                "loaded unnoticed", "process crashed", "problems after", "errors", "wrong results"}  # fmt: skip

# Of readers beside a writer.
_WIDTH, _GROUPS, _GROUP, _K = 32, 64, 4, 5
_LEDGER = "ledger"
_REMOVE_EVERY, _COMPACT_EVERY = 7, 400
_CHECKPOINT_BYTES = 200_000
_TOLERANCE = 1e-5


Step = tuple[str, int, int]  # call, group, generation
State = dict[int, int]  # group -> generation


@dataclass
class WrittenFolder:
    """A collection on the disk and what it must hold."""

    path: Path
    hub: bool = False
    state: State = field(default_factory=dict)
    next_group: int = 0
    generation: int = 0


@dataclass(frozen=True)
class WriterRun:
    """How far a writer came: steps it acknowledged, and whether one more had begun when it was killed."""

    acknowledged: int
    begun: int


def run(
    only: str = "", n_kills: int = 50, n_damaged: int = 500, n_readers: int = 8, seconds: float = 300.0
) -> Iterator[Case]:
    """Measure the parts whose name holds `only`: killed, damaged, readers."""
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that are started
    if only in "killed":
        for kinds, what in ((KINDS, "5 kinds of index"), (HUB_KINDS, "3 kinds of hub-corrected index")):
            with watch() as passed:
                killed = kill_writers(n_kills, kinds=kinds)
            for call, counts in killed.items():
                yield Case(task="killed writers", data=f"{what}, calls of 100 x 128", method=f"SIGKILL in {call}",
                           figures={name: counts[name] for name in _KILLS}, n=counts["kills"],
                           seconds=passed.seconds)  # fmt: skip
    for place, kind in enumerate(DAMAGED_KINDS if only in "damaged" else ()):
        share = n_damaged // len(DAMAGED_KINDS) + (place < n_damaged % len(DAMAGED_KINDS))
        with watch() as passed:
            outcomes = damage_files(kind, share)
        yield Case(task="damaged files", data=f"{kind}, with journal", method="load", n=share, seconds=passed.seconds,
                   figures={name: outcomes[name] for name in OUTCOMES})  # fmt: skip
    if only in "readers":
        with watch() as passed:
            parties = read_and_write(seconds, n_readers)
        for party, counts in parties.items():
            yield Case(task="reading while writing", method=party, seconds=passed.seconds,
                       data=f"1 writer, {n_readers} readers, {seconds:.0f} s, faiss-flat",
                       figures={name: counts[name] for name in _READERS if name in counts},
                       n=1 if party == "writer" else n_readers // 2)  # fmt: skip


def missed(rows: list[dict[str, Any]]) -> list[str]:
    """Say what was lost, doubled, torn, loaded in spite of damage, or read wrongly."""
    return [
        f"{each['data']}, {each['method']}: {each['metric']} {each['value']}"
        for each in rows
        if each["metric"] in MUST_BE_ZERO and each["value"] != 0
    ]


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
            run = _write(folder.path, steps, before, float(rng.uniform(0, usual[kind][call])))
            counts[call] += judge(folder, steps, run, before)
    return counts


def write_steps(folder: str, steps: Sequence[Step]) -> None:
    """Be the writer that is killed, and say of each step when it begins and when it is done."""
    _take_steps(Path(folder), steps, _say)


def _take_steps(folder: Path, steps: Sequence[Step], say: Callable[[str], None]) -> list[float]:
    """Take the steps, and return the seconds of each."""
    opened: Any = _hub_corrected().open if folder.name in HUB_KINDS else CollectionStore
    seconds = []
    with opened(folder, threads=1) as store:
        for number, (call, group, generation) in enumerate(steps):
            ids, vectors, metadata = group_rows(group, generation)
            say(f"begin {number}")
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
            seconds.append(time.perf_counter() - start)
            say(f"done {number} {seconds[-1]}")
    return seconds


def _hub_corrected() -> Any:
    from interlingua.pipelines import HubCorrectedCollection  # a writer of another kind needs no pipelines

    return HubCorrectedCollection


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def group_rows(group: int, generation: int) -> tuple[list[str], NDArray[np.float32], list[dict[str, Any]]]:
    """Return what a call on a group writes: all its rows carry the number of the call."""
    vectors = np.random.default_rng([group, generation]).normal(size=(_ROWS, _DIMENSION)).astype(np.float32)
    rows = [{"group": group, "generation": generation, "row": row} for row in range(_ROWS)]
    return [f"{group}/{row}" for row in range(_ROWS)], vectors, rows


def _sources() -> NDArray[np.float32]:
    rows: NDArray[np.float32] = unit_rows(np.random.default_rng(3).normal(size=(300, _DIMENSION)).astype(np.float32))
    return rows


def _new_folder(path: Path, name: str, config: Mapping[str, Any]) -> WrittenFolder:
    kind = name.removeprefix("hub-corrected ").removesuffix("-float16")
    folder = WrittenFolder(path, hub=name in HUB_KINDS)
    if folder.hub:
        made = _hub_corrected().create(_sources(), kind=kind, config=config, neighborhood=_NEIGHBORHOOD)
        made.save(path)
    else:
        CollectionStore.create(path, Collection.create(_DIMENSION, "ip", kind, config or None)).close()
    _take_undisturbed(folder, ["add"] * _FIRST_GROUPS, np.random.default_rng(0))
    return folder


def _usual_seconds(folder: WrittenFolder, rng: np.random.Generator) -> dict[str, float]:
    seconds = _take_undisturbed(folder, CALLS * 3, rng)
    return {call: float(np.median(seconds[place :: len(CALLS)])) for place, call in enumerate(CALLS)}


def _take_undisturbed(folder: WrittenFolder, calls: Sequence[str], rng: np.random.Generator) -> list[float]:
    """Make calls in this process, and return the seconds of each."""
    steps = list(_plan(folder, calls, rng))
    folder.state = _after(folder.state, steps)
    return _take_steps(folder.path, steps, lambda _: None)


def _plan(folder: WrittenFolder, calls: Sequence[str], rng: np.random.Generator) -> Iterator[Step]:
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


def _write(folder: Path, steps: Sequence[Step], kill_in: int, after: float) -> WriterRun:
    """Let a process take the steps, and kill it `after` seconds of the step `kill_in`."""
    command = calling(f"{__name__}:write_steps", str(folder), steps)
    done = begun = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
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
                done += 1
    if begun <= kill_in:
        raise RuntimeError(f"the writer ended with exit status {process.returncode} before it was killed")
    return WriterRun(done, begun)


def judge(folder: WrittenFolder, steps: Sequence[Step], run: WriterRun, target: int) -> Counter[str]:
    """Compare the folder with what the run acknowledged, and take over what is there."""
    counts = Counter({"kills": 1, "acknowledged calls": run.acknowledged})
    counts["inside the call"] = int(run.acknowledged == target and run.begun == target + 1)
    promised = _after(folder.state, steps[: run.acknowledged])
    begun = _after(folder.state, steps[: run.begun])
    try:
        counts["verify problems"] = len(verify(folder.path).problems)
        hub = _hub_corrected().load(folder.path, threads=1) if folder.hub else None
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


def _is_at(collection: Collection, group: int, generation: int | None, hub: Any = None) -> bool:
    if generation is None:
        return not any(id in collection for id in group_rows(group, 0)[0])
    return _whole(collection, group, generation, hub)


def _whole(collection: Collection, group: int, generation: int, hub: Any = None) -> bool:
    ids, vectors, metadata = group_rows(group, generation)
    if not all(id in collection for id in ids) or collection.get(ids) != metadata:
        return False
    kept = collection.vectors(ids)
    if hub is None:
        return np.array_equal(kept, vectors)
    rows = unit_rows(vectors)
    means = mean_neighbor_similarity(rows, _sources(), _NEIGHBORHOOD)
    own = kept[:, :_DIMENSION] / (2 if hub.folds else 1)
    return np.allclose(own, rows, atol=1e-3) and np.allclose(hub.means(ids), means, atol=1e-6)


def read_and_write(seconds: float, n_readers: int, *, kind: str = "faiss-flat") -> dict[str, Counter[str]]:
    """Let one writer and `n_readers` readers, each a process, work on one folder for some seconds.

    The writer's change n puts group n mod 64 and a ledger with the number n, in one call; every seventh change removes
    the group before. So the ledger's number says what each of the 257 rows must hold, and there are two states that
    may be seen at most: with the next group removed, or not. A reader compares all ids, metadata and vectors with
    that, compares searches with a brute force of its own, and requires that the number never falls. Half of the readers
    follow the writer (`CollectionReader`), half load the folder each time. The writer saves and compacts on the way.

    Returns
    -------
    dict of Counter
        ``writer``: ``changes``, ``saves``, ``problems after``; ``readers that follow`` and ``readers that load``:
        ``states``, ``searches``, ``errors``, ``wrong results``.
    """
    counts = {"writer": Counter[str](), "readers that follow": Counter[str](), "readers that load": Counter[str]()}
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "collection"
        config = None if kind == "flat" else {"threads": 1}
        CollectionStore.create(folder, Collection.create(_WIDTH, "cosine", kind, config)).close()
        roles = ["writer", *(list(counts)[1 + number % 2] for number in range(n_readers))]
        processes = [_start(str(folder), role, seconds, number) for number, role in enumerate(roles)]
        for role, process in zip(roles, processes):
            said, _ = process.communicate(timeout=seconds + 300)
            if process.returncode == 0:
                counts[role].update(json.loads(said))
            else:
                counts[role]["errors"] += 1
        found = verify(folder)
        counts["writer"]["problems after"] = len(found.problems) + (found.rows == 0)
    return counts


def _start(*arguments: Any) -> "subprocess.Popen[str]":
    return subprocess.Popen(calling(f"{__name__}:take_part", *arguments), stdout=subprocess.PIPE, text=True)


def take_part(folder: str, role: str, seconds: float, seed: int) -> Counter[str]:
    """Be one of the processes, and return what it counted."""
    end = time.monotonic() + seconds
    if role == "writer":
        return _be_writer(Path(folder), end)
    return _be_reader(Path(folder), end, seed, follow="follow" in role)


def _be_writer(folder: Path, end: float) -> Counter[str]:
    counts = Counter[str]()
    with CollectionStore(folder, threads=1, checkpoint_bytes=_CHECKPOINT_BYTES) as store:
        saved = {path.name for path in folder.glob("journal-*.log")}
        while time.monotonic() < end:
            number = counts["changes"] + 1
            group = number % _GROUPS
            if _removes(number):
                store.remove([f"{group}/{row}" for row in range(_GROUP)])
            ids = [f"{group}/{row}" for row in range(_GROUP)]
            rows = [{"group": group, "number": number}] * _GROUP
            ledger = np.ones((1, _WIDTH), np.float32)
            store.upsert(
                [*ids, _LEDGER], np.concatenate([ledger_vectors(group, number), ledger]), [*rows, {"number": number}]
            )
            counts["changes"] = number
            if number % _COMPACT_EVERY == 0:
                store.compact()
            saved |= {path.name for path in folder.glob("journal-*.log")}
    counts["saves"] = len(saved) - 1
    return counts


def _be_reader(folder: Path, end: float, seed: int, *, follow: bool) -> Counter[str]:
    rng, counts, last = np.random.default_rng(seed), Counter({"errors": 0, "wrong results": 0}), 0
    reader: CollectionReader | None = None
    while time.monotonic() < end:
        try:
            if follow and reader is not None:
                reader.refresh()
            elif follow:
                reader = CollectionReader(folder, threads=1)
            collection = Collection.load(folder, threads=1) if reader is None else reader.collection
            number, wrong = check_rule(collection, rng)
            counts["searches"] += 2 * _K
        except Exception as error:  # whatever it is, it is counted, and told
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            counts["errors"] += 1
            continue
        counts["states"] += 1
        counts["wrong results"] += wrong + (number < last)
        last = number
    return counts


def _removes(number: int) -> bool:
    return number % _REMOVE_EVERY == 0 and number > _GROUPS


def check_rule(collection: Collection, rng: np.random.Generator) -> tuple[int, int]:
    """Return the number of the state, and how much in it is not as the rule says."""
    if _LEDGER not in collection:
        return 0, int(len(collection) != 0)
    number = int(collection.get([_LEDGER])[0]["number"])
    upcoming = (number + 1) % _GROUPS
    expected = {group: _last(group, number) for group in range(_GROUPS) if _last(group, number) > 0}
    if _removes(number + 1) and f"{upcoming}/0" not in collection:
        del expected[upcoming]
    ids = [f"{group}/{row}" for group in expected for row in range(_GROUP)]
    if {*collection.ids} != {*ids, _LEDGER} or len(collection) != len(ids) + 1:
        return number, 1
    vectors = np.concatenate([ledger_vectors(group, at) for group, at in expected.items()])
    rows = [{"group": group, "number": at} for group, at in expected.items() for _ in range(_GROUP)]
    wrong = int(collection.get(ids) != rows)
    wrong += int(not np.allclose(collection.vectors(ids), vectors, atol=_TOLERANCE))
    return number, wrong + _wrong_searches(collection, ids, vectors, list(expected), rng)


def _wrong_searches(
    collection: Collection, ids: list[str], vectors: NDArray[np.float32], groups: list[int], rng: np.random.Generator
) -> int:
    queries = rng.normal(size=(_K, _WIDTH)).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    ledger = np.full((1, _WIDTH), _WIDTH**-0.5, np.float32)
    truth = np.sort(queries @ np.concatenate([vectors, ledger]).T, axis=1)[:, ::-1][:, :_K]
    found = collection.search(queries, _K)
    wrong = int(not np.allclose(found.scores[:, : truth.shape[1]], truth, atol=_TOLERANCE))
    chosen = rng.integers(len(ids), size=_K)
    itself = collection.search(vectors[chosen], 1)
    wrong += sum(int(itself[query][0].id != ids[row]) for query, row in enumerate(chosen.tolist()))
    group = groups[int(rng.integers(len(groups)))]
    inside = collection.search(queries[:1], _GROUP + 1, where={"group": group})
    return wrong + int({*inside.ids[0]} != {f"{group}/{row}" for row in range(_GROUP)})


def _last(group: int, number: int) -> int:
    """Return the last change up to `number` that put the group."""
    return number - (number - group) % _GROUPS


@cache
def ledger_vectors(group: int, number: int) -> Any:
    """Return what the rows of a group hold that the change of that number put."""
    vectors = np.random.default_rng([group, number]).normal(size=(_GROUP, _WIDTH)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
