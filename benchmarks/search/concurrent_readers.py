"""One process writes a collection and others read it, all checking a rule that holds in every state."""

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.index import Collection, CollectionReader, CollectionStore, verify

_DIMENSION, _GROUPS, _ROWS, _K = 32, 64, 4, 5
_LEDGER = "ledger"
_REMOVE_EVERY, _COMPACT_EVERY = 7, 400
_CHECKPOINT_BYTES = 200_000
_TOLERANCE = 1e-5


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
        CollectionStore.create(folder, Collection.create(_DIMENSION, "cosine", kind, config)).close()
        roles = ["writer", *(list(counts)[1 + number % 2] for number in range(n_readers))]
        processes = [_start(folder, role, seconds, number) for number, role in enumerate(roles)]
        for role, process in zip(roles, processes):
            said, _ = process.communicate(timeout=seconds + 300)
            if process.returncode == 0:
                counts[role].update(json.loads(said))
            else:
                counts[role]["errors"] += 1
        found = verify(folder)
        counts["writer"]["problems after"] = len(found.problems) + (found.rows == 0)
    return counts


def main(arguments: list[str]) -> int:
    """Be one of the processes: the folder, the role, seconds, seed."""
    folder, role, seconds, seed = Path(arguments[0]), arguments[1], float(arguments[2]), int(arguments[3])
    end = time.monotonic() + seconds
    counts = _be_writer(folder, end) if role == "writer" else _be_reader(folder, end, seed, follow="follow" in role)
    sys.stdout.write(json.dumps(counts) + "\n")
    return 0


def _start(folder: Path, role: str, seconds: float, seed: int) -> "subprocess.Popen[str]":
    module = "interlingua.benchmarks.search.concurrent_readers"
    command = [sys.executable, "-c", f"import sys, {module} as m; sys.exit(m.main(sys.argv[1:]))"]
    return subprocess.Popen([*command, str(folder), role, str(seconds), str(seed)], stdout=subprocess.PIPE, text=True)


def _be_writer(folder: Path, end: float) -> Counter[str]:
    counts = Counter[str]()
    with CollectionStore(folder, threads=1, checkpoint_bytes=_CHECKPOINT_BYTES) as store:
        saved = {path.name for path in folder.glob("journal-*.log")}
        while time.monotonic() < end:
            number = counts["changes"] + 1
            group = number % _GROUPS
            if _removes(number):
                store.remove([f"{group}/{row}" for row in range(_ROWS)])
            ids = [f"{group}/{row}" for row in range(_ROWS)]
            rows = [{"group": group, "number": number}] * _ROWS
            ledger = np.ones((1, _DIMENSION), np.float32)
            store.upsert(
                [*ids, _LEDGER], np.concatenate([_vectors(group, number), ledger]), [*rows, {"number": number}]
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
            number, wrong = _check(collection, rng)
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


def _check(collection: Collection, rng: np.random.Generator) -> tuple[int, int]:
    """Return the number of the state, and how much in it is not as the rule says."""
    if _LEDGER not in collection:
        return 0, int(len(collection) != 0)
    number = int(collection.get([_LEDGER])[0]["number"])
    upcoming = (number + 1) % _GROUPS
    expected = {group: _last(group, number) for group in range(_GROUPS) if _last(group, number) > 0}
    if _removes(number + 1) and f"{upcoming}/0" not in collection:
        del expected[upcoming]
    ids = [f"{group}/{row}" for group in expected for row in range(_ROWS)]
    if {*collection.ids} != {*ids, _LEDGER} or len(collection) != len(ids) + 1:
        return number, 1
    vectors = np.concatenate([_vectors(group, at) for group, at in expected.items()])
    rows = [{"group": group, "number": at} for group, at in expected.items() for _ in range(_ROWS)]
    wrong = int(collection.get(ids) != rows)
    wrong += int(not np.allclose(collection.vectors(ids), vectors, atol=_TOLERANCE))
    return number, wrong + _wrong_searches(collection, ids, vectors, list(expected), rng)


def _wrong_searches(
    collection: Collection, ids: list[str], vectors: NDArray[np.float32], groups: list[int], rng: np.random.Generator
) -> int:
    queries = rng.normal(size=(_K, _DIMENSION)).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    ledger = np.full((1, _DIMENSION), _DIMENSION**-0.5, np.float32)
    truth = np.sort(queries @ np.concatenate([vectors, ledger]).T, axis=1)[:, ::-1][:, :_K]
    found = collection.search(queries, _K)
    wrong = int(not np.allclose(found.scores[:, : truth.shape[1]], truth, atol=_TOLERANCE))
    chosen = rng.integers(len(ids), size=_K)
    itself = collection.search(vectors[chosen], 1)
    wrong += sum(int(itself[query][0].id != ids[row]) for query, row in enumerate(chosen.tolist()))
    group = groups[int(rng.integers(len(groups)))]
    inside = collection.search(queries[:1], _ROWS + 1, where={"group": group})
    return wrong + int({*inside.ids[0]} != {f"{group}/{row}" for row in range(_ROWS)})


def _last(group: int, number: int) -> int:
    """Return the last change up to `number` that put the group."""
    return number - (number - group) % _GROUPS


@cache
def _vectors(group: int, number: int) -> Any:
    vectors = np.random.default_rng([group, number]).normal(size=(_ROWS, _DIMENSION)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
