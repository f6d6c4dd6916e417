"""The pre-training benchmark's own arithmetic; nothing is trained."""

from pathlib import Path

import numpy as np
import pytest

from interlingua.benchmarks import pretraining
from interlingua.pipelines.training import PretrainingResult


def test_top_1_is_the_mean_of_both_directions_and_all_languages(monkeypatch):
    monkeypatch.setattr(pretraining, "_HELD_OUT", 4)
    english = np.eye(4, dtype=np.float32)
    vectors = dict.fromkeys(pretraining.LANGUAGES, english)
    assert pretraining._top_1(vectors) == 100.0
    # one language has two lines swapped: 2 of 4 are right in both of its directions
    assert pretraining._top_1({**vectors, "fin": english[[1, 0, 2, 3]]}) == pytest.approx(100 * (6 + 0.5) / 7)


def test_curves_are_compared_entry_by_entry_without_the_start():
    history = ({"iteration": 0.0}, {"iteration": 1.0, "objective": 5.0}, {"objective": 4.0, "iteration": 2.0})
    curve = pretraining._curve(PretrainingResult(Path("x"), history, 1, 1))
    np.testing.assert_array_equal(curve, [[1.0, 5.0], [2.0, 4.0]])


def test_a_run_that_has_no_time_left_asks_to_be_run_again(tmp_path):
    assert pretraining.main(["--minutes", "0", "--folder", str(tmp_path / "runs")]) == 3
    assert list((tmp_path / "runs").iterdir()) == []
