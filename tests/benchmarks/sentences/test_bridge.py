"""What is kept of re-embedding is counted as the page says."""

import numpy as np
import pytest

from interlingua.benchmarks.sentences.bridge import LANGUAGES, Task, _verified


@pytest.fixture
def task():
    answers = {name: np.arange(4) for name in LANGUAGES}
    return Task({name: ["?"] * 4 for name in LANGUAGES}, answers, ["text"] * 6, [], [])


def test_kept_is_recall_beside_the_yardsticks(task):
    yardstick = {name: np.array([0, 0, 3, 20]) for name in LANGUAGES}
    ranks = {**yardstick, "de": np.array([0, 5, 30, 30])}
    cases = {case.data: case for case in task.cases("bridge", ranks, yardstick)}
    german = cases["English index of 6, de"]
    assert german.figures == pytest.approx({"R@1 %": 25, "kept @1 %": 50, "R@10 %": 50, "kept @10 %": 200 / 3})
    mean = cases["English index of 6, mean of 8 languages"].figures
    assert mean["R@10 %"] == pytest.approx((7 * 75 + 50) / 8)
    assert mean["kept @1 %"] == pytest.approx(100 * (7 * 50 + 25) / (8 * 50))
    assert mean["worst kept @10 %"] == pytest.approx(200 / 3)
    assert len(cases) == 1 + len(LANGUAGES)


def test_intervals_are_counted_over_packages():
    answers = {name: np.arange(750) for name in LANGUAGES}
    task = Task({}, answers, [], [], [])
    rng = np.random.default_rng(0)
    yardstick = {name: rng.integers(12, size=750) for name in LANGUAGES}
    ranks = {name: each + rng.integers(3, size=750) for name, each in yardstick.items()}
    (case,) = _verified(task, ranks, yardstick)
    assert case.figures["intervals that hold the truth %"] >= 90
    assert 0 < case.figures["half width, points"] < 10
