"""The harnesses notice what they are there for, and short runs of them find nothing."""

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from interlingua.benchmarks.reliability import bombs, mutations, stress
from interlingua.benchmarks.reliability.example import Example
from interlingua.benchmarks.reliability.examples import digest, examples
from interlingua.index import CollectionStore
from interlingua.index.folder import CorruptCollectionError


def text(read, *, own=True):
    def make(folder):
        (folder / "a.txt").write_text("abc")
        return folder / "a.txt"

    return Example(make, read, own=own)


def fail(error):
    def read(path):
        raise error

    return read


@pytest.mark.parametrize(
    ("read", "outcome"),
    [
        (lambda path: "as written", "read as written"),
        (lambda path: "up to a cut", "read up to a cut"),
        (lambda path: "other", "read otherwise"),
        (fail(ValueError("a.txt, line 1: no")), "refused by name"),
        (fail(CorruptCollectionError("a.txt was altered")), "refused by name"),
        (fail(ValueError("no")), "refused without name"),
        (fail(KeyError("a.txt")), "raw error"),
        (fail(UnicodeDecodeError("utf-8", b"", 0, 1, "a.txt")), "raw error"),
        (fail(MemoryError("a.txt")), "raw error"),
    ],
)
def test_each_end_of_a_reading_is_told_from_the_others(read, outcome, tmp_path):
    example = text(read)
    found, _ = mutations._outcome(
        example, example.make(tmp_path), digest("as written"), {digest("up to a cut"), digest("x")}
    )
    assert found == outcome


@pytest.mark.parametrize("change", mutations._CHANGES)
def test_mutations_are_the_same_for_a_seed_and_alter_something(change):
    content = bytes(range(40, 120)) * 4
    made = [change(bytearray(content), np.random.default_rng(seed)) for seed in (1, 1, *range(2, 9))]
    assert made[0] == made[1]
    assert any(each != content for each in made)


def test_what_was_read_is_compared_to_the_last_bit():
    one, other = np.ones(3, np.float32), np.array([1, 1, 1 + 2**-23], np.float32)
    assert digest({"a": [one, "b"]}) == digest({"a": [one.copy(), "b"]})
    assert len({digest(each) for each in (one, other, one.astype(np.float64), one.reshape(1, 3), [1, 1, 1])}) == 5


@pytest.mark.parametrize(
    "name",
    ["collection with journal", "vectors as .safetensors", "pairs as TMX", "judgements", "bridge", "store, sqlite-vec"],
)
def test_altered_examples_are_refused_by_name(name, tmp_path):
    example = examples()[name]
    (tmp_path / "written").mkdir()
    written = example.make(tmp_path / "written")
    wanted = digest(example.read(written))
    allowed = {digest(each) for each in example.earlier(written)} if example.earlier else set()
    whole = {path: path.read_bytes() for path in written.parent.rglob("*") if path.is_file()}
    counts = Counter()
    for number in range(30):
        for path, content in whole.items():
            path.write_bytes(content)
        mutations._alter_one(written, np.random.default_rng([7, number]))
        counts[mutations._outcome(example, written, wanted, allowed)[0]] += 1
    assert not {outcome for outcome in mutations.MUST_BE_ZERO if counts[outcome]}
    assert not example.own or not counts["read otherwise"]
    assert counts["refused by name"] >= 10


# the same lines, wider: they go the same way, and millions of short ones take half a minute to be refused
_WIDER = {
    "word2vec: blank lines": b" " * 255 + b"\n",
    "entities, CSV: one row of many lines": b',"' + b"a" * 255 + b'\n"',
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name == "Turtle: brackets" else []) for name in bombs.BOMBS]
)
def test_a_bomb_is_refused_by_its_name(name, tmp_path):
    bomb = bombs.BOMBS[name]
    if "Triples" in name or "Turtle" in name:
        pytest.importorskip("pyoxigraph")
    if name in _WIDER:
        bomb = dataclasses.replace(bomb, unit=_WIDER[name])
    path = tmp_path / bomb.file
    bombs.write_bomb(path, bomb, 70 if path.suffix == ".npz" else 22)
    assert path.stat().st_size < 200_000
    with pytest.raises(ValueError, match=path.name):
        bomb.read(path)


@pytest.mark.slow
def test_nothing_is_lost_by_many_writers():
    """A loss needs two writers, and a third of a second sees some to hundreds of changes of each kind."""
    names = [*stress.KINDS, stress.FORKS]
    found = stress.by_processes(names, 0.3, 2, 1)
    assert {name for name, counts in found.items() if counts["acknowledged"]} == set(names)
    assert {name: [each for each in stress.MUST_BE_ZERO if counts[each]] for name, counts in found.items()} == {
        name: [] for name in names
    }


def test_threads_of_a_store_lose_nothing():
    counts = stress.work(stress.THREADS, 0.3, 3, 1)
    assert counts["acknowledged"]
    assert not {each for each in stress.MUST_BE_ZERO if counts[each]}


def test_losses_and_half_changes_are_noticed(tmp_path):
    counts = stress._judged(Counter(), {"0-0", "0-1"}, {"0-1", "1-0"})
    assert (counts["lost"], counts["never promised"]) == (1, 1)
    folder = Path(tmp_path / "folder")
    stress._make_collection(folder)
    stress._open_store(folder, "0-0")
    assert stress._names_of(folder) == {"0-0"}
    with CollectionStore(folder) as store:
        store.remove(["0-0/1"])
    with pytest.raises(ValueError, match="half a change"):
        stress._names_of(folder)


def test_goals_are_named():
    row = {"data": "space", "metric": "read otherwise", "value": 2.0, "method": "our format"}
    assert mutations.missed([row]) == ["space: read otherwise 2"]
    assert mutations.missed([{**row, "method": "another's format"}, {**row, "value": 0.0}]) == []
    assert mutations.missed([{**row, "method": "another's format", "metric": "crash"}]) == ["space: crash 2"]
    assert stress.missed([{**row, "metric": "lost"}]) == ["space: lost 2"]
    assert bombs.missed([{**row, "metric": "refused by name", "value": 0.0}]) == ["space: not refused by name"]
