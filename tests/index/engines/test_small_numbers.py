"""Vectors whose squares float32 cannot hold are refused, since all scores would be equal; cosine takes every length."""

import numpy as np
import pytest

from interlingua.index import create_index

ROWS = np.random.default_rng(0).normal(size=(40, 6))
KINDS = {"flat": {}, "faiss-flat": {"threads": 1}, "hnsw": {"threads": 1}}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [1e-25, 1e-200])
def test_vectors_that_are_all_too_small_are_refused(kind, scale):
    for metric in ("ip", "l2"):
        index = create_index(kind, 6, metric, KINDS[kind] or None)
        with pytest.raises(ValueError, match="squares that float32 can hold, but the largest value is"):
            index.add(np.arange(40), ROWS * scale)
        index.add(np.arange(40), ROWS)
        if metric == "ip":
            with pytest.raises(ValueError, match="queries must have squares"):
                index.search(ROWS * scale, 1)
        else:  # a question near the origin
            nearest = np.argsort((ROWS**2).sum(axis=1))[:2]
            assert index.search(ROWS[:1] * scale, 2).ids[0].tolist() == nearest.tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_small_vectors_beside_others_zeros_and_small_ones_by_cosine_are_taken(kind):
    index = create_index(kind, 6, "l2", KINDS[kind] or None)
    index.add(np.arange(40), np.concatenate([np.zeros((1, 6)), ROWS[1:2] * 1e-25, ROWS[2:]]))
    assert set(index.search(np.zeros((1, 6)), 2).ids[0].tolist()) == {0, 1}
    index = create_index(kind, 6, "cosine", KINDS[kind] or None)
    index.add(np.arange(40), ROWS * 1e-25)
    assert index.search(ROWS * 1e15, 1).ids[:, 0].tolist() == list(range(40))
