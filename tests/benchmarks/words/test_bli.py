"""The table's cases are fitted with what they name, and scored on the test words alone."""

import numpy as np
import pytest

from interlingua.align import Embeddings, SeedDictionary, SharedSpace
from interlingua.align.space import Normalization, SpaceMap
from interlingua.benchmarks.harness.measure import result_rows
from interlingua.benchmarks.words import bli


@pytest.fixture
def data(monkeypatch):
    """Two vocabularies that differ by a rotation: 300 words, training pairs of 200, test pairs of the rest."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 8)).astype(np.float32)
    turned = x @ np.linalg.qr(rng.normal(size=(8, 8)))[0].astype(np.float32)
    labels = tuple(f"w{i}" for i in range(300))
    spaces = {"en": Embeddings(labels, x, "en"), "fr": Embeddings(labels, turned, "fr")}
    parts = {"5k": range(199, -1, -1), "1k": range(100), "test": range(200, 310)}
    monkeypatch.setattr(bli, "read_vectors", lambda name: spaces[name])
    monkeypatch.setattr(
        bli, "read_lexicon", lambda pair, part: SeedDictionary(tuple((f"w{i}", f"w{i}") for i in parts[part]))
    )


def test_a_case_is_fitted_as_it_says_and_its_space_saved(data, tmp_path):
    used = bli.fit_case("en-fr", "1k pairs", "procrustes", tmp_path / "s")
    space = SharedSpace.load(tmp_path / "s")
    assert (space.method, space.provenance["pairs"], used["chosen"], used["refused"]) == (
        "procrustes", 100, "procrustes", False,
    )  # fmt: skip
    assert used["cpu"] > 0
    few = bli.fit_case("en-fr", "25 pairs", "auto", tmp_path / "s")
    assert few["chosen"] == "self-learning"
    assert SharedSpace.load(tmp_path / "s").provenance["dictionary_pairs"] == 25


def test_the_most_frequent_pairs_are_those_of_the_first_rows(data):
    english, french = bli.read_vectors("en"), bli.read_vectors("fr")
    chosen = bli.most_frequent(bli.read_lexicon("en-fr", "5k"), english, french, 3)
    assert chosen.pairs == (("w0", "w0"), ("w1", "w1"), ("w2", "w2"))


def test_rows_hold_the_score_its_interval_and_what_the_fit_used(data, monkeypatch):
    monkeypatch.setattr(bli, "CASES", (("en-fr", "1k pairs", "procrustes"), ("en-fr", "no pairs", "auto")))

    def fit(pair, given, method, path):
        if method == "auto":  # a space that translates nothing
            both = {name: SpaceMap(Normalization.fit(bli.read_vectors(name).vectors, "unit")) for name in ("en", "fr")}
            SharedSpace(both, method="identity").save(path)
            return {"cpu": 1.0, "seconds": 2.0, "process": {"peak_mb": 3.0}, "chosen": "race", "refused": True}
        return bli.fit_case(pair, given, method, path) | {"process": {"peak_mb": 5.0}}

    rows = result_rows(bli.run(fit=fit), "")
    values = {(each["method"], each["metric"]): each["value"] for each in rows}
    assert values["Procrustes + CSLS", "P@1 %"] == values["Procrustes + nearest neighbour", "P@1 %"] == 100.0
    assert values["Procrustes + CSLS", "coverage %"] == pytest.approx(100 * 100 / 110, abs=1e-3)
    assert values["Procrustes + CSLS", "P@1 from %"] == 100.0
    assert values["auto (race, refused) + CSLS", "P@1 %"] < 20
    assert values["auto (race, refused) + CSLS", "CPU s"] == 1.0
    assert {each["n"] for each in rows} == {100}
    few = result_rows(bli.run(only="no pairs", fit=fit), "")
    assert few == [each for each in rows if "auto" in each["method"]]


@pytest.mark.parametrize("ranking", ["CSLS, then re-ranking (vectors)", "CSLS, then re-ranking (vectors, word forms)"])
def test_a_ranking_is_learned_and_named_so_that_nobody_takes_it_for_csls(data, monkeypatch, ranking):
    monkeypatch.setattr(bli, "CASES", (("en-fr", "5k pairs", f"multi-step + {ranking}"),))
    rows = result_rows(bli.run(fit=lambda *case: bli.fit_case(*case) | {"process": {"peak_mb": 5.0}}), "")
    assert {each["method"] for each in rows} == {f"multi-step + {ranking}"}
    values = {each["metric"]: each["value"] for each in rows}
    assert values["P@1 %"] == 100.0
    assert values["P@1 from %"] <= values["P@1 %"] <= values["P@1 to %"]
    assert values["peak MB"] == 5.0
