"""Predicted counterparts: the closed form against refits, and what spellings teach."""

import numpy as np
import pytest
from scipy import sparse

from interlingua.align.graph import align_entities
from interlingua.align.graph.counterparts import compress_spellings, predict_counterparts


def ridge(x, y, regularization):
    return np.linalg.solve(x.T @ x + regularization * np.eye(x.shape[1]), x.T @ y)


def unit(matrix):
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


def test_a_pair_is_left_out_of_its_own_prediction():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((9, 4)), rng.standard_normal((6, 3))
    rows = np.array([7, 0, 3, 4, 8, 1])
    found = predict_counterparts(x, [5, 3, 8], rows, y, regularization=0.7)
    expected = [x[5] @ ridge(x[rows], y, 0.7)]
    for entity in (3, 8):
        others = rows != entity
        expected.append(x[entity] @ ridge(x[rows[others]], y[others], 0.7))
    np.testing.assert_allclose(found, unit(np.array(expected)), atol=1e-4)


def test_spellings_are_compressed_as_by_singular_values():
    spellings = np.random.default_rng(1).standard_normal((8, 5))
    u, s, _ = np.linalg.svd(spellings, full_matrices=False)
    found = compress_spellings(sparse.csr_array(spellings), 3)
    expected = (u * s)[:, :3]
    expected = unit(expected - expected.mean(axis=0))
    np.testing.assert_allclose(np.abs(found @ found.T), np.abs(expected @ expected.T), atol=1e-4)
    assert compress_spellings(spellings, 50).shape == (8, 5)


def test_seeds_teach_how_names_are_written_in_the_other_graph():
    rng = np.random.default_rng(2)
    n, letters = 120, 12
    counts = (rng.random((n, letters)) < 0.4).astype(np.float32)
    order = rng.permutation(letters)  # the other alphabet
    written = np.zeros((2 * n, 2 * letters), np.float32)
    written[:n, :letters], written[n:, letters:] = counts, counts[:, order]
    features = np.zeros((2 * n, 2), np.float32)  # tell nothing
    seeds = np.stack([np.arange(80), np.arange(80) + n], axis=1)
    ends = np.arange(80, n)
    distinct = len(np.unique(counts[80:], axis=0))
    right = {}
    for spellings in (None, written):
        found = align_entities(
            np.zeros((0, 3), np.int64), 1, ends, ends + n, n_entities=2 * n, features=features, spellings=spellings,
            seeds=seeds, rounds=0,
        )  # fmt: skip
        right[spellings is None] = int((found.pairs[:, 0] == found.pairs[:, 1]).sum())
    assert right[True] < 10
    assert right[False] > 0.8 * distinct


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"targets": np.ones((3, 2))}, "as many targets as pairs"),
        ({"rows": [], "targets": np.ones((0, 2))}, "at least one"),
        ({"regularization": 0.0}, "above 0"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    given = {"features": np.eye(3), "wanted": [2], "rows": [0, 1], "targets": np.ones((2, 2)), **changes}
    with pytest.raises(ValueError, match=message):
        predict_counterparts(**given)


def test_spellings_need_features_and_one_row_an_entity():
    common = {"n_entities": 4, "seeds": [(0, 2)]}
    with pytest.raises(ValueError, match="need features"):
        align_entities([[0, 0, 1]], 1, [1], [3], spellings=np.eye(4), **common)
    with pytest.raises(ValueError, match="4 rows"):
        align_entities([[0, 0, 1]], 1, [1], [3], spellings=np.eye(3), features=np.eye(4), **common)
