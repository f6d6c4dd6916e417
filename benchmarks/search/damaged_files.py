"""Damage every kind of file of saved collections, and let a process of its own load what is left."""

import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from interlingua.index import Collection, CollectionStore, CorruptCollectionError

_LISTS = {"n_lists": 4, "train_size": 640, "threads": 1}
KINDS: dict[str, tuple[str, dict[str, Any] | None]] = {
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
_ROWS, _DIMENSION, _CHANGES = 700, 16, 6
_SECONDS = 60.0


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
            _make(Path(parent) / name, kind, version)
        done = 0
        while done < n_trials:
            found = list(_try_in_a_process(parent, done, n_trials, seed))
            counts.update(found)
            done += len(found)
            if done < n_trials:
                counts["process crashed"] += 1
                done += 1
    return counts


def main(arguments: list[str]) -> int:
    """Be the process that loads: the folder of both collections, first and last trial, seed."""
    parent, first, stop, seed = Path(arguments[0]), *map(int, arguments[1:])
    own, twin, here = parent / "own", parent / "twin", parent / "here"
    files = sorted(path.name for path in own.iterdir() if path.name != "writer.lock")
    states = [_state(changes) for changes in range(_CHANGES + 1)]
    here.mkdir(exist_ok=True)
    for trial in range(first, stop):
        rng = np.random.default_rng([seed, trial])
        for path in here.iterdir():
            path.unlink()
        for name in files:
            (here / name).write_bytes((own / name).read_bytes())
        damage = _DAMAGES[(trial // len(files) + trial) % len(_DAMAGES)]
        damaged = damage(here, files[trial % len(files)], twin, rng)
        sys.stdout.write(json.dumps(_outcome(here, damaged, states)) + "\n")
        sys.stdout.flush()
    return 0


def _try_in_a_process(parent: str, first: int, stop: int, seed: int) -> Iterator[str]:
    module = "interlingua.benchmarks.search.damaged_files"
    command = [sys.executable, "-c", f"import sys, {module} as m; sys.exit(m.main(sys.argv[1:]))"]
    done = subprocess.run(
        [*command, parent, str(first), str(stop), str(seed)],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=_SECONDS + 2.0 * (stop - first),
    )
    for line in done.stdout.splitlines():
        yield json.loads(line)


def _make(folder: Path, kind: str, version: int) -> None:
    """Write a collection with a journal of `_CHANGES` changes."""
    with CollectionStore.create(folder, _saved(kind, version)) as store:
        for change in range(_CHANGES):
            _change(store, change, version)


def _saved(kind: str, version: int) -> Collection:
    name, config = KINDS[kind]
    collection = Collection.create(_DIMENSION, "ip", name, config)
    vectors = np.random.default_rng(version).normal(size=(_ROWS, _DIMENSION))
    rows = [{"language": "sw", "text": f"text {row} of {version}"} for row in range(_ROWS)]
    collection.add([f"{version}/{row}" for row in range(_ROWS)], vectors, rows)
    collection.attachments["space.bin"] = bytes([7 + version]) * 1000
    return collection


def _change(target: Collection | CollectionStore, change: int, version: int = 0) -> None:
    ids = [f"{version}/new {change} {row}" for row in range(3)]
    vectors = np.random.default_rng([version, change]).normal(size=(3, _DIMENSION))
    if change % 3 == 2:
        target.remove([f"{version}/new {change - 1} 0", f"{version}/{change}"])
    else:
        target.upsert([*ids[:2], f"{version}/{change + 7}"], vectors, [{"change": change}] * 3)


def _state(changes: int) -> Any:
    collection = _saved("flat", 0)
    for change in range(changes):
        _change(collection, change)
    return _content(collection)


def _content(collection: Collection) -> Any:
    return dict(zip(collection.ids, collection.get(collection.ids))), collection.attachments


def _outcome(folder: Path, damaged: list[str], states: list[Any]) -> str:
    try:
        loaded = Collection.load(folder, threads=1)
        loaded.search(np.ones((1, _DIMENSION)), 5)
    except CorruptCollectionError as error:
        return "refused by name" if any(name in str(error) for name in damaged) else "refused without name"
    except Exception:  # whatever else it is, it is no refusal by name
        return "refused without name"
    journal = all(name.startswith("journal-") for name in damaged)
    return "recovered as documented" if journal and _content(loaded) in states else "loaded unnoticed"


def _flip(folder: Path, name: str, twin: Path, rng: np.random.Generator) -> list[str]:
    content = bytearray((folder / name).read_bytes())
    for _ in range(int(rng.integers(1, 4))):
        content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
    if bytes(content) == (folder / name).read_bytes():  # flipped there and back
        content[0] ^= 1
    (folder / name).write_bytes(content)
    return [name]


def _truncate(folder: Path, name: str, twin: Path, rng: np.random.Generator) -> list[str]:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: int(rng.integers(len(content)))])
    return [name]


def _append(folder: Path, name: str, twin: Path, rng: np.random.Generator) -> list[str]:
    with (folder / name).open("ab") as file:
        file.write(rng.bytes(int(rng.integers(1, 64))))
    return [name]


def _zero(folder: Path, name: str, twin: Path, rng: np.random.Generator) -> list[str]:
    content = bytearray((folder / name).read_bytes())
    held = np.flatnonzero(np.frombuffer(bytes(content), np.uint8))
    start = int(rng.choice(held))
    content[start : start + 64] = bytes(len(content[start : start + 64]))
    (folder / name).write_bytes(content)
    return [name]


def _exchange(folder: Path, name: str, twin: Path, rng: np.random.Generator) -> list[str]:
    mine = (folder / name).read_bytes()
    others = [path for path in sorted(folder.iterdir()) if path.name != name and path.read_bytes() != mine]
    other = others[int(rng.integers(len(others)))]
    (folder / name).write_bytes(other.read_bytes())
    other.write_bytes(mine)
    return [name, other.name]


def _replace_by_twin(folder: Path, name: str, twin: Path, rng: np.random.Generator) -> list[str]:
    role = name.split(".")[0].split("-")[0]
    mine = (folder / name).read_bytes()
    others = [path.read_bytes() for path in sorted(twin.iterdir()) if path.name.split(".")[0].split("-")[0] == role]
    different = [content for content in others if content != mine]
    if not different:  # such as the row numbers, which are the same in both
        return _flip(folder, name, twin, rng)
    (folder / name).write_bytes(different[0])
    return [name]


def _delete(folder: Path, name: str, twin: Path, rng: np.random.Generator) -> list[str]:
    (folder / name).unlink()
    return [name]


_DAMAGES: tuple[Callable[[Path, str, Path, np.random.Generator], list[str]], ...] = (
    _flip, _truncate, _append, _zero, _exchange, _replace_by_twin, _delete,
)  # fmt: skip
