"""When the benchmark of encoding fails."""

import pytest

from interlingua.benchmarks.sentences import encoding


@pytest.mark.parametrize(
    ("metric", "value", "misses"),
    [
        ("times before", 2.1, 0),
        ("times before", 1.9, 1),
        ("times sentence-transformers", 2.5, 1),
        ("mean cosine", 0.9991, 0),
        ("mean cosine", 0.997, 1),
        ("least cosine", 0.9, 0),
    ],
)
def test_what_is_slower_or_other_than_it_shall_be_is_told(metric, value, misses):
    row = {"method": encoding.KERNELS, "metric": metric, "value": value}
    assert len(encoding.missed([row])) == misses
    assert encoding.missed([row | {"method": encoding.BEFORE}]) == []
