import dataclasses

import faiss
import numpy as np
import pytest

from interlingua.index import FaissFlatConfig, FaissIndex, HNSWConfig, UnsupportedOperation
from interlingua.index.faiss_config import faiss_threads


def clustered(n, d, seed):
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(20, d))  # the same for every seed
    return (centres[rng.integers(20, size=n)] + 0.3 * rng.normal(size=(n, d))).astype(np.float32)


def test_threads_are_put_back():
    before = faiss.omp_get_max_threads()
    with faiss_threads(before + 1):
        assert faiss.omp_get_max_threads() == before + 1
    assert faiss.omp_get_max_threads() == before
    with pytest.raises(KeyError), faiss_threads(before + 1):
        raise KeyError
    assert faiss.omp_get_max_threads() == before


def test_more_effort_finds_more_and_full_effort_all():
    vectors = clustered(2000, 32, 0)
    exact = FaissIndex(32, "l2")
    graph = FaissIndex(32, "l2", HNSWConfig(M=8, ef_construction=40, ef_search=10, threads=1))
    for index in (exact, graph):
        index.add(np.arange(2000), vectors)
    queries = clustered(100, 32, 1)
    truth = exact.search(queries, 10).ids

    def recall(ef_search):
        graph.config = dataclasses.replace(graph.config, ef_search=ef_search)
        found = graph.search(queries, 10).ids
        return np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found.tolist(), truth.tolist(), strict=True)])

    assert 0.8 < recall(10) < recall(20) < recall(100) == recall(1999) == recall(2000) == 1.0


def test_full_effort_finds_what_no_link_reaches():
    rng = np.random.default_rng(0)
    vectors = clustered(500, 8, 0) * rng.lognormal(sigma=1, size=(500, 1)).astype(np.float32)
    graph = FaissIndex(8, "ip", HNSWConfig(M=2, ef_construction=4, ef_search=499, threads=1))
    graph.add(np.arange(500), vectors)
    queries = clustered(50, 8, 1)
    expected = np.argsort(-(queries.astype(np.float64) @ vectors.T.astype(np.float64)), axis=1)[:, :10]
    assert (graph.search(queries, 10).ids != expected).any()
    graph.config = dataclasses.replace(graph.config, ef_search=500)
    np.testing.assert_array_equal(graph.search(queries, 10).ids, expected)


def test_a_query_that_the_graph_leaves_short_is_answered_by_a_scan():
    # Two far clusters and hardly any links: the walk from one cannot reach the other, where the allowed ids are.
    vectors = np.concatenate([clustered(300, 8, 0), clustered(300, 8, 1) + 100])
    index = FaissIndex(8, "l2", HNSWConfig(M=2, ef_construction=2, ef_search=1, exact_share=0.0, threads=1))
    index.add(np.arange(600), vectors)
    allowed = np.arange(300, 360)
    result = index.search(vectors[:20], 50, allowed=allowed)
    distances = ((vectors[:20, None].astype(np.float64) - vectors[None, allowed]) ** 2).sum(axis=2)
    assert np.isin(result.ids, allowed).all()
    np.testing.assert_allclose(result.distances, np.sort(distances, axis=1)[:, :50], rtol=1e-4)


def test_dead_vectors_leave_the_graph_when_they_are_many():
    vectors = clustered(100, 8, 0)
    index = FaissIndex(8, "ip", HNSWConfig(rebuild_share=0.25, threads=1))
    index.add(np.arange(100), vectors)
    index.remove(np.arange(25))
    assert (len(index), index._faiss.ntotal) == (75, 100)
    index.remove([25])
    assert (len(index), index._faiss.ntotal) == (74, 74)
    np.testing.assert_array_equal(index.reconstruct(np.arange(26, 100)), vectors[26:])


def test_config_that_shapes_the_graph_cannot_change():
    index = FaissIndex(4, "l2", HNSWConfig(M=8))
    index.config = dataclasses.replace(index.config, ef_search=7)
    assert index.spec.config["ef_search"] == 7
    for other in (HNSWConfig(M=16), FaissFlatConfig()):
        with pytest.raises(UnsupportedOperation, match="build a new one"):
            index.config = other


@pytest.mark.parametrize(
    "settings",
    [{"M": 1}, {"M": 8.0}, {"ef_search": 0}, {"ef_construction": True}, {"rebuild_share": 1.5}, {"threads": 0},
     {"exact_share": "x"}],
)  # fmt: skip
def test_bad_settings_are_refused_by_name(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        HNSWConfig(**settings)
