"""Many writers and readers on one folder at once: processes, threads and forks, and what is lost.

    python -m interlingua.benchmarks stress                     # a minute each
    python -m interlingua.benchmarks stress --only memory       # one kind; other rows stay

Each writer notes what was acknowledged, and at the end the folder is compared with all notes: a goal is missed if one
is lost, if something is there that nobody was promised, or if a reader meets an error or half a change. Writers that
are told to wait are no loss, and counted.
"""

import contextlib
import io
import json
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from interlingua.benchmarks.harness.measure import Case, calling, watch
from interlingua.index import Collection, CollectionReader, CollectionStore, LockedError, verify

from .example import ENGLISH, FRENCH
from .examples import examples

COUNTS = ("acknowledged", "told to wait", "readings", "lost", "never promised", "errors")
MUST_BE_ZERO = ("lost", "never promised", "errors")
_WIDTH, _GROUP = 8, 5


@dataclass(frozen=True)
class Kind:
    """A folder that is changed by several: what makes it, what changes it, and what says which changes are there."""

    make: Callable[[Path], None]
    change: Callable[[Path, str], None]
    names: Callable[[Path], set[str]]


def _make_collection(folder: Path) -> None:
    Collection.create(_WIDTH).save(folder)


def _rows(name: str) -> tuple[list[str], Any, list[dict[str, Any]]]:
    """Return the rows of one change, which are there together or not at all."""
    vectors = np.random.default_rng(list(name.encode())).normal(size=(_GROUP, _WIDTH)).astype(np.float32)
    return [f"{name}/{row}" for row in range(_GROUP)], vectors, [{"change": name}] * _GROUP


def _save_collection(folder: Path, name: str) -> None:
    from interlingua.index.folder import locked

    with locked(folder, patience=60):
        collection = Collection.load(folder)
        collection.add(*_rows(name))
        collection.save(folder)


def _open_store(folder: Path, name: str) -> None:
    with CollectionStore(folder, checkpoint_bytes=20_000) as store:
        store.add(*_rows(name))


def _names_of(folder: Path) -> set[str]:
    """Return the changes that are in a collection, and refuse half ones and rows that do not belong together."""
    collection = Collection.load(folder)
    counts = Counter(id.rpartition("/")[0] for id in collection.ids)
    if set(counts.values()) - {_GROUP}:
        raise ValueError(f"half a change is there: {counts}")
    for name in list(counts)[-1:]:
        ids, vectors, metadata = _rows(name)
        if collection.get(ids) != metadata or not np.allclose(
            collection.vectors(ids), vectors / np.linalg.norm(vectors, axis=1, keepdims=True), atol=1e-5
        ):
            raise ValueError(f"rows of {name} are not what was written")
    return set(counts)


def _command(*words: str) -> None:
    from interlingua.pipelines.commands.main import main

    if main([*words, "--quiet"]):
        raise LockedError("the command has said why")


def _make_example(name: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        making = folder.parent / "making"  # the words of its encoder lie beside
        making.mkdir()
        examples()[name].make(making).rename(folder)

    return make


def _words(name: str) -> str:
    """Return a text of known words that no other name has."""
    number = int(name.replace("-", ""))
    return " ".join(ENGLISH[number // len(ENGLISH) ** place % len(ENGLISH)] for place in range(7))


def _add_passages(folder: Path, name: str) -> None:
    lines = [{"id": f"new-{name}/{row}", "text": f"{_words(name)} sun", "language": "en"} for row in range(_GROUP)]
    path = folder.parent / f"{name}.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in lines), encoding="utf-8")
    _command("index", "add", str(folder), str(path))


def _names_of_passages(folder: Path) -> set[str]:
    ids = Collection.load(folder).ids
    counts = Counter(id.removeprefix("new-").rpartition("/")[0] for id in ids if id.startswith("new-"))
    if set(counts.values()) - {_GROUP}:
        raise ValueError(f"half a change is there: {counts}")
    return set(counts)


def _add_pair(folder: Path, name: str) -> None:
    path = folder.parent / f"{name}.tsv"
    path.write_text(f"en\tfr\n{_words(name)}\t{FRENCH[0]} {name}\n", encoding="utf-8")
    _command("memory", "add", str(folder), str(path))


def _names_of_pairs(folder: Path) -> set[str]:
    rows = Collection.load(folder)
    texts = (each["text"] for each in rows.get(rows.ids))
    return {text.partition(" ")[2] for text in texts if text.startswith(f"{FRENCH[0]} ")}


def _accept(folder: Path, name: str) -> None:
    from interlingua.pipelines.link import EntityIndex

    EntityIndex.load(folder).accept(f"sun {name}", "sun")


def _names_of_mentions(folder: Path) -> set[str]:
    rows = Collection.load(folder)
    texts = (each.get("text", "") for each in rows.get(rows.ids))
    return {text.removeprefix("sun ") for text in texts if text.startswith("sun ")}


KINDS = {
    "Collection, load and save": Kind(_make_collection, _save_collection, _names_of),
    "CollectionStore, opened each time": Kind(_make_collection, _open_store, _names_of),
    "index add": Kind(_make_example("search"), _add_passages, _names_of_passages),
    "memory add": Kind(_make_example("memory"), _add_pair, _names_of_pairs),
    "accepted links of entities": Kind(_make_example("index of entities"), _accept, _names_of_mentions),
}
THREADS, FORKS = "CollectionStore, shared by threads", "CollectionStore, with forks"


def run(only: str = "", seconds: float = 60.0, n_writers: int = 4, n_readers: int = 2) -> Iterator[Case]:
    """Let writers and readers work for some seconds on each kind of folder whose name holds `only`."""
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that are started
    for name in (*KINDS, THREADS, FORKS):
        if only in name:
            with watch() as passed:
                counts = work(name, seconds, n_writers, n_readers)
            who = "threads" if name == THREADS else "processes"
            yield Case(task="stress", data=name, method=f"{n_writers} writing and {n_readers} reading {who}",
                       figures={each: counts[each] for each in COUNTS}, n=1, seconds=passed.seconds)  # fmt: skip


def missed(rows: list[dict[str, Any]]) -> list[str]:
    """Say what was lost or read wrongly."""
    return [
        f"{each['data']}: {each['metric']} {each['value']:.0f}"
        for each in rows
        if each["metric"] in MUST_BE_ZERO and each["value"]
    ]


def work(name: str, seconds: float, n_writers: int, n_readers: int) -> Counter[str]:
    """Return `COUNTS` of writers and readers on one kind of folder."""
    if name != THREADS:
        return by_processes([name], seconds, n_writers, n_readers)[name]
    with tempfile.TemporaryDirectory() as parent:
        return _by_threads(Path(parent) / "folder", seconds, n_writers, n_readers)


def by_processes(names: Sequence[str], seconds: float, n_writers: int, n_readers: int) -> dict[str, Counter[str]]:
    """Return `COUNTS` of each kind of folder; the same processes write and read one after another, so long each."""
    with tempfile.TemporaryDirectory() as parent:
        folders = {name: Path(parent) / str(number) / "folder" for number, name in enumerate(names)}
        for name, folder in folders.items():
            folder.parent.mkdir()
            _kind(name).make(folder)
        told = [(name, str(folder)) for name, folder in folders.items()]
        running = [
            subprocess.Popen(
                calling(f"{__name__}:take_part", told, number, number < n_writers, seconds), stdout=subprocess.PIPE
            )
            for number in range(n_writers + n_readers)
        ]
        counts = {name: Counter(dict.fromkeys(COUNTS, 0)) for name in names}
        promised: dict[str, set[str]] = {name: set() for name in names}
        for process in running:
            said, _ = process.communicate(timeout=len(names) * seconds + 300)
            for name in names if process.returncode else ():
                counts[name]["errors"] += 1
            for name, (own, acknowledged) in ({} if process.returncode else json.loads(said)).items():
                counts[name].update(own)
                promised[name] |= set(acknowledged)
        for name, folder in folders.items():
            counts[name]["errors"] += len(verify(folder).problems)
            _judged(counts[name], promised[name], _kind(name).names(folder))
        return counts


def _kind(name: str) -> Kind:
    return KINDS["Collection, load and save" if name == FORKS else name]


def _judged(counts: Counter[str], promised: set[str], names: set[str]) -> Counter[str]:
    counts["lost"], counts["never promised"] = len(promised - names), len(names - promised)
    return counts


def take_part(
    folders: Sequence[tuple[str, str]], number: int, writes: bool, seconds: float
) -> dict[str, tuple[dict[str, int], list[str]]]:
    """Be a process that writes or reads folders of some kinds in turn; return its counts and what it was promised."""
    return {
        name: (_fork_and_write if writes and name == FORKS else _take_turns)(
            _kind(name), Path(folder), number, writes, seconds
        )
        for name, folder in folders
    }


def _take_turns(
    kind: Kind, folder: Path, number: int, writes: bool, seconds: float
) -> tuple[dict[str, int], list[str]]:
    """Write or read for some seconds after the first time, which imports what it needs."""
    counts, promised = Counter[str](), list[str]()
    end = math.inf
    while time.monotonic() < end:
        change = f"{number}-{len(promised)}"
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # of commands
                if writes:
                    kind.change(folder, change)
                    promised.append(change)
                else:
                    kind.names(folder)
            counts["acknowledged" if writes else "readings"] += 1
        except LockedError:
            counts["told to wait"] += 1
            time.sleep(0.01)
        except Exception as error:  # whatever it is, it is counted, and told
            counts["errors"] += 1
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
        end = min(end, time.monotonic() + seconds)
    return dict(counts), promised


def _fork_and_write(
    _: Kind, folder: Path, number: int, writes: bool, seconds: float
) -> tuple[dict[str, int], list[str]]:
    """Open a store, fork, and write, while the child tries to."""
    counts, promised = Counter[str](), list[str]()
    end = math.inf
    while time.monotonic() < end:
        change = f"{number}-{len(promised)}"
        try:
            with CollectionStore(folder, checkpoint_bytes=20_000) as store:
                child = os.fork()
                if not child:
                    os._exit(_refused(store, change))
                store.add(*_rows(change))
                promised.append(change)
                counts["acknowledged"] += 1
                counts["errors"] += int(os.waitpid(child, 0)[1] != 0)
        except LockedError:
            counts["told to wait"] += 1
            time.sleep(0.01)
        end = min(end, time.monotonic() + seconds)
    return dict(counts), promised


def _refused(store: CollectionStore, change: str) -> int:
    """Return 0 if a forked process may search, and is refused where it would write."""
    try:
        store.search(np.ones((1, _WIDTH), np.float32), 1)
        store.add(*_rows(f"{change}-child"))
    except LockedError:
        return 0
    except BaseException:
        return 2
    return 1


def _by_threads(folder: Path, seconds: float, n_writers: int, n_readers: int) -> Counter[str]:
    _make_collection(folder)
    counts: Counter[str] = Counter(dict.fromkeys(COUNTS, 0))
    promised: set[str] = set()
    alone, end = threading.Lock(), time.monotonic() + seconds

    def note(what: str, change: str = "") -> None:
        with alone:
            counts[what] += 1
            promised.update([change] if change else [])

    def write(number: int) -> None:
        done = 0
        while time.monotonic() < end:
            store.add(*_rows(f"{number}-{done}"))
            note("acknowledged", f"{number}-{done}")
            if done % 3 == 2:
                store.remove(_rows(f"{number}-{done}")[0])
                promised.discard(f"{number}-{done}")
            done += 1

    def read(number: int) -> None:
        reader = CollectionReader(folder) if number % 2 else None
        while time.monotonic() < end:
            if reader is not None:
                reader.refresh()
            searched = store if reader is None else reader.collection
            for hits in searched.search(np.ones((3, _WIDTH), np.float32), 5):
                if len({hit.id for hit in hits}) < len(hits):
                    note("errors")
            note("readings")

    def guarded(part: Callable[[int], None], number: int) -> None:
        try:
            part(number)
        except Exception as error:  # whatever it is, it is counted, and told
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            note("errors")

    with CollectionStore(folder, checkpoint_bytes=20_000) as store:
        threads = [
            threading.Thread(target=guarded, args=(write if number < n_writers else read, number))
            for number in range(n_writers + n_readers)
        ]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    counts["errors"] += len(verify(folder).problems)
    return _judged(counts, promised, _names_of(folder))
