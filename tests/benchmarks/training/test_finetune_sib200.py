"""The parts of the benchmark: what waits, what is taken, and what becomes of the scores; nothing is trained."""

import pytest

from interlingua.benchmarks.harness.measure import NotDoneError, result_rows
from interlingua.benchmarks.training import finetune_sib200
from interlingua.benchmarks.training.finetune_sib200 import PARTS, cases_of, measure_parts


def row(language, accuracy, *, adversarial="none", seed=0, shots=0):
    scores = {"accuracy": accuracy, "f1": accuracy / 2, "seconds": 5.0, "n": 204}
    return {"language": language, "adversarial": adversarial, "seed": seed, "shots": shots, **scores}


@pytest.fixture
def measured(monkeypatch):
    names = []

    def measure(folder, part):
        names.append(part)
        return {"source": "eng_Latn", "rows": []}

    monkeypatch.setattr(finetune_sib200, "measure", measure)
    return names


def test_each_part_is_measured_once_and_plain_ones_first(measured, tmp_path):
    assert set(measure_parts(tmp_path, None)) == set(PARTS)
    assert sorted(measured) == sorted(PARTS)
    for part in ("reversal-1", "alternating-1"):
        assert measured.index("none-1") < measured.index(part)
    measure_parts(tmp_path, None)
    assert len(measured) == len(PARTS)


def test_what_another_process_measures_is_left_to_it(measured, tmp_path):
    (tmp_path / "none-0.taken").touch()
    measure_parts(tmp_path, None)
    waiting = {
        "none-0",
        "reversal-0",
        "alternating-0",
        "probe",
        *(each for each in PARTS if "shot" in each or "alone" in each),
    }
    assert set(measured) == set(PARTS) - waiting


def test_a_part_that_fails_can_be_measured_again(tmp_path, monkeypatch):
    def fail(folder, part):
        raise MemoryError

    monkeypatch.setattr(finetune_sib200, "measure", fail)
    with pytest.raises(MemoryError):
        measure_parts(tmp_path, None)
    assert list(tmp_path.iterdir()) == []


def test_no_part_is_begun_when_time_is_up(measured, tmp_path):
    assert measure_parts(tmp_path, -1.0) == {}
    with pytest.raises(NotDoneError, match="none-0, none-1"):
        list(finetune_sib200.run(tmp_path, minutes=-1.0))
    assert list(finetune_sib200.run(tmp_path, minutes=-1.0, partial=True)) == []
    assert measured == []


def test_rows_hold_means_over_languages_and_seeds():
    parts = {
        "none-0": {"rows": [row("eng_Latn", 0.9), row("fin_Latn", 0.8), row("yor_Latn", 0.6)]},
        "none-1": {"rows": [row("eng_Latn", 1.0, seed=1), row("fin_Latn", 0.9, seed=1), row("yor_Latn", 0.7, seed=1)]},
        "few-shot-yor_Latn": {"rows": [row("yor_Latn", 0.6), row("yor_Latn", 0.75, shots=8)]},
        "ud-pud": {"rows": [row("de", 0.5)]},
        "probe": {"probe": {"before": 1.0, "none": 0.9}, "n": 50, "majority": 0.05},
    }
    found = {(each["data"], each["method"], each["metric"]): each["value"] for each in result_rows(cases_of(parts), "")}
    plain = ("2 other languages, zero-shot", "plain, 2 seeds")
    assert found[(*plain, "mean %")] == pytest.approx(75)
    assert found[(*plain, "deviation over seeds")] == pytest.approx(10 / 2**0.5, abs=1e-4)
    assert found[(*plain, "worst %")] == pytest.approx(65)
    assert found[(*plain, "English %")] == pytest.approx(95)
    assert found[("yor_Latn", "plain, 2 seeds", "accuracy %")] == pytest.approx(65)
    assert found[
        ("yor_Latn, few-shot, accuracy %", "plain, 1 seed, with the English texts", "8 examples")
    ] == pytest.approx(75)
    assert found[("de", "plain, 1 seed", "macro-F1")] == pytest.approx(25)
    assert found[("language probe of its features", "before fine-tuning, seed 0", "accuracy %")] == pytest.approx(100)
