import numpy as np
import pytest

from interlingua.index import (
    FaissIndex,
    FlatIndex,
    HNSWConfig,
    IVFConfig,
    IVFRaBitQConfig,
    UnsupportedOperation,
    recall_at_k,
    tune,
)

CONFIGS = [
    HNSWConfig(M=8, ef_construction=40, threads=1),
    IVFConfig(n_lists=50, train_size=2500, threads=1),
    IVFRaBitQConfig(n_lists=50, train_size=2500, refine_factor=60.0, threads=1),
]


def data(n=2500, d=24):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, d)).astype(np.float32), rng.normal(size=(60, d)).astype(np.float32)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.kind)
def test_the_effort_found_reaches_the_recall_and_a_smaller_one_does_not(config):
    vectors, queries = data()
    index, exact = FaissIndex(24, "cosine", config), FlatIndex(24, "cosine")
    for each in (index, exact):
        each.add(np.arange(len(vectors)), vectors)
    found = tune(index, queries, recall=0.9, k=10, exact=exact)
    truth = exact.search(queries, 10).ids
    assert found.reached
    assert found.effort == getattr(index.config, found.parameter)
    assert recall_at_k(index.search(queries, 10).ids, truth) == pytest.approx(found.recall)
    below = [recall for effort, recall in found.curve if effort < found.effort]
    assert found.recall >= 0.9 > max(below)
    assert found.effort - max(effort for effort, _ in found.curve if effort < found.effort) <= max(1, found.effort // 8)


def test_a_recall_out_of_reach_is_said():
    vectors, queries = data()
    config = IVFRaBitQConfig(n_lists=50, train_size=2500, refine_factor=1.0, threads=1)
    index = FaissIndex(24, "cosine", config)
    index.add(np.arange(len(vectors)), vectors)
    found = tune(index, queries, recall=1.0)
    assert not found.reached
    assert found.effort == index.n_lists == 50
    assert found.recall < 1


@pytest.mark.parametrize("config", [None, IVFConfig(threads=1)], ids=["flat", "not yet trained"])
def test_an_index_that_searches_exactly_has_nothing_to_tune(config):
    vectors, queries = data(50)
    index = FaissIndex(24, "cosine", config)
    index.add(np.arange(50), vectors)
    with pytest.raises(UnsupportedOperation, match="searches exactly"):
        tune(index, queries)


def test_a_recall_beyond_one_is_refused():
    with pytest.raises(ValueError, match=r"recall must be more than 0 and at most 1, but is 1.5"):
        tune(FaissIndex(2, "l2", HNSWConfig()), [[0.0, 1.0]], recall=1.5)
