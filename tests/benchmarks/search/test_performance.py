import pytest

from interlingua.benchmarks.search import performance

pytest.importorskip("pandas")


def test_every_door_is_measured_beside_what_lies_beneath():
    cases = list(performance.run(600, 400, 40))
    tasks = [(case.task, case.method) for case in cases]
    assert len(tasks) == len(set(tasks)) == 2 * 7 + 4
    for case in cases:
        assert case.figures["CPU ms"] > 0
        if "ratio" in case.figures:
            assert case.figures["ratio"] == pytest.approx(case.figures["CPU ms"] / case.figures["bare CPU ms"])
    assert [case.task for case in cases if "ratio" not in case.figures] == ["one row replaced"] * 2
