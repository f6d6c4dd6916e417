import numpy as np
import pytest

from interlingua.benchmarks.harness.measure import Case, result_rows
from interlingua.benchmarks.search import durability
from interlingua.index import Collection, CollectionStore


@pytest.mark.slow
@pytest.mark.parametrize(
    "kinds",
    [("hnsw", "ivf-pq"), ("hub-corrected hnsw-float16", "hub-corrected ivf-flat")],  # a graph and lists of either
    ids=["plain", "hub-corrected"],
)
def test_killed_writers_lose_double_and_tear_nothing(kinds):
    known = {**durability.KINDS, **durability.HUB_KINDS}
    found = durability.kill_writers(5, kinds={kind: known[kind] for kind in kinds})
    for call, counts in found.items():
        assert counts["kills"] >= counts["inside the call"] == 1, call
        assert counts["acknowledged calls"] >= 1
        assert not any(counts[name] for name in durability.MUST_BE_ZERO)
        assert counts["there"] + counts["not there"] <= counts["kills"]


@pytest.fixture
def folder(tmp_path):
    made = durability.WrittenFolder(tmp_path / "store", False, {1: 1, 2: 2}, 2, 2)
    with CollectionStore.create(made.path, Collection.create(128, "ip")) as store:
        for group in (1, 2):
            ids, vectors, metadata = durability.group_rows(group, group)
            store.add(ids, vectors, metadata)
    return made


def judged(folder, steps, acknowledged, begun):
    return durability.judge(folder, steps, durability.WriterRun(acknowledged, begun), target=0)


def test_a_whole_state_before_or_after_the_call_that_had_begun_is_sound(folder):
    assert judged(folder, [("upsert", 1, 3)], 0, 1)["not there"] == 1
    with CollectionStore(folder.path) as store:
        ids, vectors, metadata = durability.group_rows(1, 3)
        store.upsert(ids, vectors, metadata)
    counts = judged(folder, [("upsert", 1, 3)], 0, 1)
    assert (counts["there"], counts["torn calls"], counts["rows lost or outdated"]) == (1, 0, 0)
    assert folder.state == {1: 3, 2: 2}


def test_lost_outdated_and_torn_calls_are_counted(folder):
    assert judged(folder, [("upsert", 1, 3)], 1, 1)["rows lost or outdated"] == 100  # acknowledged, and not there
    folder.state = {1: 1, 2: 2}
    with CollectionStore(folder.path) as store:
        ids, vectors, metadata = durability.group_rows(1, 3)
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
def test_readers_beside_a_writer_see_no_error_and_no_wrong_result():
    found = durability.read_and_write(2.0, 2)
    assert found["writer"]["changes"] > 10
    assert found["writer"]["problems after"] == 0
    for party in ("readers that follow", "readers that load"):
        assert found[party]["states"] > 0
        assert found[party]["errors"] == found[party]["wrong results"] == 0


def written(n_changes):
    collection = Collection.create(32)
    for number in range(1, n_changes + 1):
        group = number % 64
        ids = [*(f"{group}/{row}" for row in range(4)), "ledger"]
        vectors = np.concatenate([durability.ledger_vectors(group, number), np.ones((1, 32), np.float32)])
        collection.upsert(ids, vectors, [*[{"group": group, "number": number}] * 4, {"number": number}])
    return collection


@pytest.mark.parametrize(
    "disturb",
    [
        lambda c: c.remove(["5/0"]),
        lambda c: c.upsert(["5/0"], durability.ledger_vectors(5, 5)[:1], [{"group": 5, "number": 5}]),
        lambda c: c.upsert(["5/0"], np.ones((1, 32)), c.get(["5/0"])),
        lambda c: c.upsert(["ledger"], np.ones((1, 32)), [{"number": 69}]),
        lambda c: c.add(["more"], np.ones((1, 32))),
    ],
)
def test_every_breach_of_the_rule_is_noticed(disturb):
    collection = written(70)
    assert durability.check_rule(collection, np.random.default_rng(0)) == (70, 0)
    disturb(collection)
    assert durability.check_rule(collection, np.random.default_rng(0))[1] > 0


def test_a_wrong_search_is_noticed(monkeypatch):
    collection = written(70)
    search = type(collection).search
    monkeypatch.setattr(type(collection), "search", lambda self, queries, *a, **b: search(self, -queries, *a, **b))
    assert durability.check_rule(collection, np.random.default_rng(0))[1] > 0


def test_goals_are_missed_only_by_damage():
    figures = {"errors": 1, "states": 5, "torn calls": 0}
    rows = result_rows([Case(task="t", data="d", method="m", figures=figures, n=1)], "")
    assert durability.missed(rows) == ["d, m: errors 1.0"]
