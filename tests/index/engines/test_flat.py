import numpy as np
import pytest

from interlingua.index import FlatIndex
from interlingua.index.engines import flat


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    # so that the merge of blocks is what is tested
    monkeypatch.setattr(flat, "_QUERY_BLOCK", 7)
    monkeypatch.setattr(flat, "_VECTOR_BLOCK", 11)


@pytest.mark.parametrize("k", [1, 5, 11, 40, 100])
def test_ties_come_in_the_order_of_adding(k):
    rng = np.random.default_rng(0)
    vectors = rng.integers(-1, 2, size=(100, 3)).astype(np.float32)  # 27 distinct vectors: many ties
    queries = rng.integers(-1, 2, size=(20, 3)).astype(np.float32)
    ids = rng.permutation(1000)[:100]
    index = FlatIndex(3, "ip")
    index.add(ids, vectors)
    expected = ids[np.argsort(-(queries @ vectors.T), axis=1, kind="stable")[:, :k]]
    np.testing.assert_array_equal(index.search(queries, k).ids, expected)


def test_ties_keep_their_order_under_a_filter_and_after_removal():
    index = FlatIndex(2, "l2")
    index.add(np.arange(50)[::-1].copy(), np.ones((50, 2)))
    index.remove([49, 40])
    found = index.search([[0.0, 0.0]], 5, allowed=[48, 46, 40, 3, 30, 29, 28]).ids[0]
    assert found.tolist() == [48, 46, 30, 29, 28]


def test_small_distances_between_long_vectors_are_exact():
    # |x|^2 + |y|^2 - 2 x.y would lose all digits in float32: 1e8 against 1e-2
    base = np.full((1, 4), 5000.0, dtype=np.float32)
    vectors = base + np.array([[0.0625], [0.125], [0.25]], dtype=np.float32)
    index = FlatIndex(4, "l2")
    index.add([0, 1, 2], vectors)
    result = index.search(base, 3)
    np.testing.assert_allclose(result.distances, [[4 * 0.0625**2, 4 * 0.125**2, 4 * 0.25**2]], rtol=1e-5)


def test_growing_one_by_one_equals_adding_at_once():
    vectors = np.random.default_rng(0).normal(size=(60, 4))
    one_by_one, at_once = FlatIndex(4), FlatIndex(4)
    for row, vector in enumerate(vectors):
        one_by_one.add([row], vector[None])
    at_once.add(np.arange(60), vectors)
    np.testing.assert_array_equal(one_by_one.reconstruct(np.arange(60)), at_once.reconstruct(np.arange(60)))
    np.testing.assert_array_equal(one_by_one.search(vectors, 9).ids, at_once.search(vectors, 9).ids)
