import numpy as np
import pytest

from interlingua.align import neighbors
from interlingua.align.neighbors import top_k


def random_rows(n, d, seed):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


@pytest.mark.parametrize("k", [1, 3, 50])
def test_neighbours_are_those_of_brute_force(k, to_namespace, monkeypatch):
    # small blocks, so that the merge of blocks is what is tested
    monkeypatch.setattr(neighbors, "_QUERY_BLOCK", 7)
    monkeypatch.setattr(neighbors, "_CANDIDATE_BLOCK", 11)
    x, y = random_rows(30, 5, 0), random_rows(40, 5, 1)
    scores = x.astype(np.float64) @ y.astype(np.float64).T
    order = np.argsort(-scores, axis=1)[:, :k]
    found = top_k(to_namespace(x), to_namespace(y), k)
    assert np.array_equal(found.ids, order)
    np.testing.assert_allclose(found.scores, np.take_along_axis(scores, order, axis=1), atol=1e-5)
    assert found.ids.dtype == np.int64
    assert found.scores.dtype == np.float32


def test_equal_scores_come_in_row_order():
    y = np.ones((6, 2), np.float32)
    assert top_k(y[:1], y, 6).ids.tolist() == [[0, 1, 2, 3, 4, 5]]


def test_no_query_gives_no_row():
    assert top_k(np.empty((0, 3)), random_rows(4, 3, 0), 2).ids.shape == (0, 2)


@pytest.mark.parametrize(
    ("queries", "candidates", "k", "said"),
    [
        (np.ones((1, 3)), np.ones((1, 2)), 1, "have 3 and 2"),
        (np.ones((1, 3)), np.ones((1, 3)), 0, "k must be at least 1, but is 0"),
        (np.ones((1, 3)), np.empty((0, 3)), 1, "at least one candidate"),
        (np.full((1, 3), np.nan), np.ones((1, 3)), 1, "queries must be finite"),
    ],
)
def test_misuse_is_named(queries, candidates, k, said):
    with pytest.raises(ValueError, match=said):
        top_k(queries, candidates, k)
