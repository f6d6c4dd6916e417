import pytest

from interlingua.benchmarks.harness.measure import result_rows
from interlingua.benchmarks.search import storage
from interlingua.index.engines.base import Metric


def values(rows):
    return {(row["method"], row["metric"]): row["value"] for row in rows}


@pytest.mark.parametrize("metric", list(Metric))
def test_full_effort_agrees_with_the_exact_index(metric):
    for kind in ("faiss-flat", "hnsw"):
        rows = result_rows(storage.compare_indexes(kind, metric, 400, 20), "")
        found = values(rows)
        for method in (f"{kind}, full effort", f"{kind}, full effort, saved and loaded"):
            assert found[method, "largest score difference"] < 1e-5
            assert found[method, "same ids"] == 1
        assert storage.missed(rows) == []


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
    rows = result_rows(storage.compare_indexes("faiss-flat", Metric.IP, 100, 10), "")
    assert values(rows)["faiss-flat, full effort", "same ids"] < 0.5
    assert storage.missed(rows)


@pytest.mark.parametrize("kind", ["flat", "faiss-flat", "hnsw"])
def test_twenty_altered_files_are_refused_by_name(kind):
    found = storage.mutate_files(kind, 20).figures
    assert found == {"refused by name": 20, "refused without name": 0, "loaded": 0}


def test_an_altered_file_that_loads_is_counted(monkeypatch):
    monkeypatch.setattr(storage, "_MUTATIONS", (lambda file, rng: [file.name],))
    rows = result_rows([storage.mutate_files("flat", 3)], "")
    assert values(rows)["load", "loaded"] == 3
    assert storage.missed(rows)


@pytest.mark.slow
def test_killed_saves_leave_old_or_new():
    found = storage.kill_savers(3, n_rows=2000).figures
    assert found["neither"] == 0
    assert found["old"] + found["new"] == 3


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(storage.DAMAGED_KINDS))
def test_damaged_files_are_refused_by_name(kind):
    found = storage.damage_files(kind, 30, seed=1)
    assert found["refused by name"] + found["recovered as documented"] == 30
    assert found["refused by name"] > 20


def test_a_crash_and_damage_that_is_passed_over_are_counted(monkeypatch, tmp_path):
    said = iter([["refused by name"] * 3, [], ["loaded unnoticed"]])
    monkeypatch.setattr(storage, "try_in_a_process", lambda *arguments: next(said))
    found = storage.damage_files("flat", 6)
    assert found == {
        "refused by name": 3, "process crashed": 2, "loaded unnoticed": 1, "recovered as documented": 0,
        "refused without name": 0,
    }  # fmt: skip


def test_what_loads_in_spite_of_damage_is_told_from_what_is_documented(tmp_path):
    storage.make_damaged(tmp_path / "own", "flat", 0)
    states = storage.states_of_changes()
    (journal,) = (tmp_path / "own").glob("journal-*.log")
    outcome = storage.outcome_of_loading
    assert outcome(tmp_path / "own", ["manifest.json"], states) == "loaded unnoticed"
    journal.write_bytes(journal.read_bytes()[:-5])
    assert outcome(tmp_path / "own", [journal.name], states) == "recovered as documented"
    assert outcome(tmp_path / "own", [journal.name], states[-1:]) == "loaded unnoticed"
    (tmp_path / "own" / "manifest.json").write_bytes(b"{}")
    assert outcome(tmp_path / "own", ["manifest.json"], states) == "refused by name"
    assert outcome(tmp_path / "own", [journal.name], states) == "refused without name"
