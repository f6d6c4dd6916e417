"""What the benchmark of fresh processes asks, and when it fails."""

import pytest

from interlingua.benchmarks.search import cold_start


def test_passages_repeat_with_a_number_and_ids_do_not():
    some = cold_start.passages(3000)
    assert len(some) == len({each.id for each in some}) == len({each.text for each in some}) == 3000
    assert {each.language for each in some} == {each.language for each in cold_start.passages()}


@pytest.mark.parametrize(
    ("metric", "value", "misses"),
    [("CPU seconds", 1.1, 0), ("CPU seconds", 1.3, 1), ("peak MB", 100, 0), ("peak MB", 400, 1)],
)
def test_what_takes_more_than_it_may_is_told(metric, value, misses):
    row = {"data": "UDHR, 41 languages", "method": cold_start.ONE, "metric": metric, "value": value}
    assert len(cold_start.missed([row])) == misses
    assert cold_start.missed([row | {"data": "100000 passages"}, row | {"method": cold_start.TORCH}]) == []
