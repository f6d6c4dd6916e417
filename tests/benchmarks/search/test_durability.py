import numpy as np
import pytest

from interlingua.benchmarks.search import concurrent_readers, damaged_files, durability, killed_writers
from interlingua.index import Collection, CollectionStore


@pytest.mark.slow
@pytest.mark.parametrize("kinds", [killed_writers.KINDS, killed_writers.HUB_KINDS], ids=["plain", "hub-corrected"])
def test_killed_writers_lose_double_and_tear_nothing(kinds):
    found = killed_writers.kill_writers(5, kinds=kinds)
    for call, counts in found.items():
        assert counts["kills"] >= counts["inside the call"] == 1, call
        assert counts["acknowledged calls"] >= 1
        assert not any(counts[name] for name in durability._MUST_BE_ZERO)
        assert counts["there"] + counts["not there"] <= counts["kills"]


@pytest.fixture
def folder(tmp_path):
    made = killed_writers._Folder(tmp_path / "store", False, {1: 1, 2: 2}, 2, 2)
    with CollectionStore.create(made.path, Collection.create(128, "ip")) as store:
        for group in (1, 2):
            ids, vectors, metadata = killed_writers._group(group, group)
            store.add(ids, vectors, metadata)
    return made


def judged(folder, steps, acknowledged, begun):
    return killed_writers._judge(folder, steps, killed_writers._Run(acknowledged, begun, []), target=0)


def test_a_whole_state_before_or_after_the_call_that_had_begun_is_sound(folder):
    assert judged(folder, [("upsert", 1, 3)], 0, 1)["not there"] == 1
    with CollectionStore(folder.path) as store:
        ids, vectors, metadata = killed_writers._group(1, 3)
        store.upsert(ids, vectors, metadata)
    counts = judged(folder, [("upsert", 1, 3)], 0, 1)
    assert (counts["there"], counts["torn calls"], counts["rows lost or outdated"]) == (1, 0, 0)
    assert folder.state == {1: 3, 2: 2}


def test_lost_outdated_and_torn_calls_are_counted(folder):
    assert judged(folder, [("upsert", 1, 3)], 1, 1)["rows lost or outdated"] == 100  # acknowledged, and not there
    folder.state = {1: 1, 2: 2}
    with CollectionStore(folder.path) as store:
        ids, vectors, metadata = killed_writers._group(1, 3)
        store.upsert(ids[:50], vectors[:50], metadata[:50])  # half of a call
    assert judged(folder, [("upsert", 1, 3)], 0, 1)["torn calls"] == 1
    folder.state = {2: 2}
    assert judged(folder, [("add", 1, 1)], 0, 0)["torn calls"] == 1  # rows that nobody promised


def test_a_damaged_folder_is_a_problem(folder):
    (vectors,) = folder.path.glob("vectors.*.npy")
    vectors.unlink()
    counts = judged(folder, [], 0, 0)
    assert counts["verify problems"] > 0
    assert counts["rows lost or outdated"] == 200


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(damaged_files.KINDS))
def test_damaged_files_are_refused_by_name(kind):
    found = damaged_files.damage_files(kind, 30, seed=1)
    assert found["refused by name"] + found["recovered as documented"] == 30
    assert found["refused by name"] > 20


def test_a_crash_and_damage_that_is_passed_over_are_counted(monkeypatch, tmp_path):
    said = iter([["refused by name"] * 3, [], ["loaded unnoticed"]])
    monkeypatch.setattr(damaged_files, "_try_in_a_process", lambda *arguments: next(said))
    found = damaged_files.damage_files("flat", 6)
    assert found == {
        "refused by name": 3, "process crashed": 2, "loaded unnoticed": 1, "recovered as documented": 0,
        "refused without name": 0,
    }  # fmt: skip


def test_what_loads_in_spite_of_damage_is_told_from_what_is_documented(tmp_path):
    damaged_files._make(tmp_path / "own", "flat", 0)
    states = [damaged_files._state(changes) for changes in range(damaged_files._CHANGES + 1)]
    (journal,) = (tmp_path / "own").glob("journal-*.log")
    outcome = damaged_files._outcome
    assert outcome(tmp_path / "own", ["manifest.json"], states) == "loaded unnoticed"
    journal.write_bytes(journal.read_bytes()[:-5])
    assert outcome(tmp_path / "own", [journal.name], states) == "recovered as documented"
    assert outcome(tmp_path / "own", [journal.name], states[-1:]) == "loaded unnoticed"
    (tmp_path / "own" / "manifest.json").write_bytes(b"{}")
    assert outcome(tmp_path / "own", ["manifest.json"], states) == "refused by name"
    assert outcome(tmp_path / "own", [journal.name], states) == "refused without name"


@pytest.mark.slow
def test_readers_beside_a_writer_see_no_error_and_no_wrong_result():
    found = concurrent_readers.read_and_write(4.0, 2)
    assert found["writer"]["changes"] > 50
    assert found["writer"]["problems after"] == 0
    for party in ("readers that follow", "readers that load"):
        assert found[party]["states"] > 0
        assert found[party]["errors"] == found[party]["wrong results"] == 0


def written(n_changes):
    collection = Collection.create(32)
    for number in range(1, n_changes + 1):
        group = number % 64
        ids = [*(f"{group}/{row}" for row in range(4)), "ledger"]
        vectors = np.concatenate([concurrent_readers._vectors(group, number), np.ones((1, 32), np.float32)])
        collection.upsert(ids, vectors, [*[{"group": group, "number": number}] * 4, {"number": number}])
    return collection


@pytest.mark.parametrize(
    "disturb",
    [
        lambda c: c.remove(["5/0"]),
        lambda c: c.upsert(["5/0"], concurrent_readers._vectors(5, 5)[:1], [{"group": 5, "number": 5}]),
        lambda c: c.upsert(["5/0"], np.ones((1, 32)), c.get(["5/0"])),
        lambda c: c.upsert(["ledger"], np.ones((1, 32)), [{"number": 69}]),
        lambda c: c.add(["more"], np.ones((1, 32))),
    ],
)
def test_every_breach_of_the_rule_is_noticed(disturb):
    collection = written(70)
    assert concurrent_readers._check(collection, np.random.default_rng(0)) == (70, 0)
    disturb(collection)
    assert concurrent_readers._check(collection, np.random.default_rng(0))[1] > 0


def test_a_wrong_search_is_noticed(monkeypatch):
    collection = written(70)
    search = type(collection).search
    monkeypatch.setattr(type(collection), "search", lambda self, queries, *a, **b: search(self, -queries, *a, **b))
    assert concurrent_readers._check(collection, np.random.default_rng(0))[1] > 0


def test_rows_are_good_only_without_damage():
    rows = durability._rows("t", "d", "m", damaged_files.Counter({"errors": 1, "states": 5}), ("errors", "states"), 1.0)
    assert [durability.is_good(each) for each in rows] == [False, True]
