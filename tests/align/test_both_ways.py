"""Neighbours in both directions are those of two searches, whatever the blocks and samples."""

import numpy as np
import pytest

from interlingua.align import both_ways, top_k
from interlingua.align.both_ways import top_k_among, top_k_both_ways
from interlingua.align.neighbors import nearest
from interlingua.align.sentence import mining


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    for name, value in {"_SAMPLE": 40, "_FEWEST": 100, "_ROWS": 64, "_COLUMNS": 96}.items():
        monkeypatch.setattr(both_ways, name, value)


def drawn(n, seed, copies=0):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, 12)) + rng.normal(size=(5, 12))[rng.integers(0, 5, n)]
    if copies:
        rows[-copies:] = rows[:copies]
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize(("n", "m"), [(300, 201), (128, 577), (99, 300), (101, 100)])
@pytest.mark.parametrize("copies", [0, 60])
def test_one_product_gives_what_two_searches_give(n, m, copies):
    source, target = drawn(n, 1, copies), drawn(m, 2, copies)
    ahead, back = top_k_both_ways(source, target, 7, 3)
    for found, wanted in ((ahead, top_k(source, target, 7)), (back, top_k(target, source, 3))):
        np.testing.assert_allclose(found.scores, wanted.scores, atol=1e-6)
        assert copies or (found.ids == wanted.ids).all()
    within, wanted = top_k_among(source, 30), top_k(source, source, 30)
    np.testing.assert_allclose(within.scores, wanted.scores, atol=1e-6)
    assert copies or (within.ids == wanted.ids).all()
    own = np.take_along_axis(source @ source.T, within.ids, axis=1)
    np.testing.assert_allclose(within.scores, own, atol=1e-6)


def test_the_blocks_are_used_and_zero_rows_are_left_to_the_search(monkeypatch):
    source, target = drawn(200, 1), drawn(150, 2)

    def refuse(*_):
        raise AssertionError("searched twice")

    top_k_both_ways(source, target, 3, 3, search=refuse)
    top_k_among(source, 3, search=refuse)
    target[7] = 0
    for search in (top_k, nearest):
        ahead, back = top_k_both_ways(source, target, 3, 3, search=search)
        assert (ahead.ids == search(source, target, 3).ids).all()
        assert (back.ids == search(target, source, 3).ids).all()


def test_mining_is_the_same(monkeypatch):
    meaning = drawn(240, 3)
    rng = np.random.default_rng(4)
    source, target = (meaning + 0.1 * rng.normal(size=meaning.shape).astype(np.float32) for _ in range(2))
    found = mining.mine_pairs(source, target)
    monkeypatch.setattr(both_ways, "_FEWEST", 10**6)
    wanted = mining.mine_pairs(source, target)
    assert found.rows.tolist() == wanted.rows.tolist()
    np.testing.assert_allclose(found.confidences, wanted.confidences, atol=1e-5)
