import pytest

from interlingua.index.engines.base import Metric


def test_metrics_are_parsed_by_name():
    assert [Metric.parse(name) for name in ("ip", "cosine", "l2")] == list(Metric)
    assert Metric.parse(Metric.L2) is Metric.L2


@pytest.mark.parametrize("name", ["euclidean", "IP", "", None])
def test_unknown_metric_error_lists_the_known_ones(name):
    with pytest.raises(ValueError, match="choose one of 'ip', 'cosine', 'l2'"):
        Metric.parse(name)
