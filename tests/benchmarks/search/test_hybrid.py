import numpy as np

from interlingua.benchmarks.search import hybrid
from interlingua.benchmarks.search.dial import Pool


def test_figures_are_counted_by_rank_and_by_names():
    texts = [("en", "a"), ("de", "b"), ("en", "c"), ("ja", "d")]
    asked = [("en", "plain"), ("de", "plain"), ("en", "iPod"), ("ja", "GIMP 用")]
    pool = Pool(texts, asked, [(0,), (0,), (2,), (3,)], {})
    found = np.array([[1, 0], [2, -1], [2, 1], [0, 1]])
    figures = hybrid.scores(pool, found)
    assert figures["across"] == 0.0
    np.testing.assert_allclose(figures["home"], 2 / 3)
    np.testing.assert_allclose(figures["MRR home"], (1 / 2 + 1) / 3)
    np.testing.assert_allclose(figures["MRR home, names"], 1 / 2)  # of iPod and of GIMP
    np.testing.assert_allclose(figures["own share of top 10"], 2 / 7)


def test_ranks_of_two_lists_are_fused():
    found = hybrid._fused(np.array([[3, 1]]), np.array([[1, 2]]), 12)[0]
    assert found[:3].tolist() == [1, 3, 2]  # 1/62 + 1/61, 1/61, 1/62
