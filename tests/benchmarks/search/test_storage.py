import pytest

from interlingua.benchmarks.search import storage
from interlingua.index import Metric


def values(rows):
    return {(row["method"], row["metric"]): row["value"] for row in rows}


@pytest.mark.parametrize("metric", list(Metric))
def test_full_effort_agrees_with_the_exact_index(metric):
    for kind in ("faiss-flat", "hnsw"):
        rows = storage.compare_indexes(kind, metric, 400, 20)
        found = values(rows)
        for method in (f"{kind}, full effort", f"{kind}, full effort, saved and loaded"):
            assert found[method, "largest score difference"] < 1e-5
            assert found[method, "same ids"] == 1
        assert all(map(storage._is_good, rows))


def test_wrong_ids_and_scores_are_noticed(monkeypatch):
    clustered = storage._clustered
    # the index under test gets other vectors than the exact one: the seeds of a second call differ
    seeds = iter([0, 1])
    monkeypatch.setattr(storage, "_clustered", lambda n, metric, seed: clustered(n, metric, next(seeds)))
    recorded = storage.create_index

    def disturbed(kind, *arguments):
        index = recorded(kind, *arguments)
        if kind != "flat":
            add = index.add
            index.add = lambda ids, vectors: add(ids, vectors[::-1])
        return index

    monkeypatch.setattr(storage, "create_index", disturbed)
    rows = storage.compare_indexes("faiss-flat", Metric.IP, 100, 10)
    assert values(rows)["faiss-flat, full effort", "same ids"] < 0.5
    assert not all(map(storage._is_good, rows))


@pytest.mark.parametrize("kind", ["flat", "faiss-flat", "hnsw"])
def test_twenty_altered_files_are_refused_by_name(kind):
    found = values(storage.mutate_files(kind, 20))
    assert found == {("load", "refused by name"): 20, ("load", "refused without name"): 0, ("load", "loaded"): 0}


def test_an_altered_file_that_loads_is_counted(monkeypatch):
    monkeypatch.setattr(storage, "_MUTATIONS", (lambda file, rng: None,))
    rows = storage.mutate_files("flat", 3)
    assert values(rows)["load", "loaded"] == 3
    assert not all(map(storage._is_good, rows))


@pytest.mark.slow
def test_killed_saves_leave_old_or_new():
    found = values(storage.kill_savers(3, n_rows=2000))
    assert found["SIGKILL", "neither"] == 0
    assert found["SIGKILL", "old"] + found["SIGKILL", "new"] == 3
