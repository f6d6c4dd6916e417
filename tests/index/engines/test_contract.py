"""What every index promises, compared with a brute force of its own in float64."""

import dataclasses

import numpy as np
import pytest

from interlingua.index import FaissIndex, UnsupportedOperation, VectorIndex, create_index, load_index, save_index
from interlingua.index.engines.choose import INDEX_KINDS


def brute_force(ids, vectors, queries, metric, k):
    x, y = queries.astype(np.float64), vectors.astype(np.float64)
    if metric == "cosine":
        x, y = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (x, y))
    scores = -((x[:, None] - y[None]) ** 2).sum(axis=2) if metric == "l2" else x @ y.T
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return ids[order], np.take_along_axis(scores, order, axis=1)


def assert_same(result, ids, scores):
    np.testing.assert_array_equal(result.ids, ids)
    np.testing.assert_allclose(result.scores, scores, rtol=1e-6, atol=1e-5)


def test_an_index_keeps_the_protocol(empty_index, configured, metric):
    assert isinstance(empty_index, VectorIndex)
    assert (empty_index.spec.kind, str(empty_index.metric), len(empty_index)) == (configured[0], metric, 0)
    spec = empty_index.spec
    assert create_index(spec.kind, spec.dimension, spec.metric, spec.config).spec == spec


@pytest.mark.parametrize("k", [1, 10, 300])
def test_search_equals_brute_force(filled, ids, vectors, queries, metric, k):
    result = filled.search(queries, k)
    assert (result.ids.dtype, result.scores.dtype) == (np.int64, np.float32)
    assert_same(result, *brute_force(ids, vectors, queries, metric, k))


def test_saved_and_loaded_index_answers_the_same(index, ids, vectors, queries, metric, tmp_path):
    index.remove(ids[:20])
    save_index(index, tmp_path / "saved")
    loaded = load_index(tmp_path / "saved", threads=1)
    assert loaded.spec == index.spec
    assert len(loaded) == len(index)
    result = loaded.search(queries, 10)
    assert_same(result, *brute_force(ids[20:], vectors[20:], queries, metric, 10))
    np.testing.assert_array_equal(result.scores, index.search(queries, 10).scores)
    with pytest.raises(KeyError):
        loaded.reconstruct(ids[:1])
    loaded.add(ids[:1], vectors[:1])  # and it goes on living
    assert loaded.search(vectors[:1], 1).ids.shape == (1, 1)


# few removed: HNSW keeps them as dead links; many: it rebuilds
@pytest.mark.parametrize("n_removed", [1, 60, 299])
def test_removed_vectors_are_not_found(index, ids, vectors, queries, metric, n_removed):
    index.remove(ids[:n_removed])
    k = min(10, len(ids) - n_removed)
    assert len(index) == len(ids) - n_removed
    assert_same(index.search(queries, k), *brute_force(ids[n_removed:], vectors[n_removed:], queries, metric, k))


def test_all_vectors_can_be_removed_and_added_again(index, ids, vectors, queries, metric):
    index.remove(ids)
    assert len(index) == 0
    assert (index.search(queries, 3).ids == -1).all()
    index.add(ids, vectors)
    assert_same(index.search(queries, 10), *brute_force(ids, vectors, queries, metric, 10))


def test_an_id_can_be_added_again_after_its_removal(index, ids, vectors, queries, metric):
    index.remove(ids[:5])
    index.add(ids[:5], vectors[5:10] + 1)
    changed = np.concatenate([vectors[5:], vectors[5:10] + 1])
    assert_same(index.search(queries, 10), *brute_force(np.roll(ids, -5), changed, queries, metric, 10))


# HNSW answers the narrow filters by a scan and the wide ones by the graph
@pytest.mark.parametrize("n_allowed", [1, 5, 29, 31, 150, 299])
def test_only_allowed_ids_are_found(filled, ids, vectors, queries, metric, n_allowed):
    allowed = np.concatenate([ids[:n_allowed], [999_999]])  # an id that is not there is passed over
    k = min(10, n_allowed)
    assert_same(
        filled.search(queries, k, allowed=allowed),
        *brute_force(ids[:n_allowed], vectors[:n_allowed], queries, metric, k),
    )


def test_filter_and_removal_work_together(index, ids, vectors, queries, metric):
    index.remove(ids[:20])
    result = index.search(queries, 10, allowed=ids[:120])
    assert_same(result, *brute_force(ids[20:120], vectors[20:120], queries, metric, 10))


@pytest.mark.parametrize("n_allowed", [0, 4])
def test_slots_beyond_the_last_vector_are_missing(filled, ids, queries, n_allowed):
    result = filled.search(queries, 7, allowed=ids[:n_allowed])
    assert result.ids.shape == result.scores.shape == (len(queries), 7)
    assert (result.ids[:, n_allowed:] == -1).all()
    assert (result.scores[:, n_allowed:] == -np.inf).all()
    assert [len(hits) for hits in result] == [n_allowed] * len(queries)
    assert sorted(result[0].ids) == sorted(ids[:n_allowed])


def test_k_may_exceed_the_number_of_vectors(filled, ids, vectors, queries, metric):
    result = filled.search(queries, 350)
    expected_ids, expected = brute_force(ids, vectors, queries, metric, 300)
    np.testing.assert_array_equal(result.ids[:, :300], expected_ids)
    np.testing.assert_allclose(result.scores[:, :300], expected, rtol=1e-6, atol=1e-5)
    assert (result.ids[:, 300:] == -1).all()


def test_an_empty_index_finds_nothing(empty_index, queries, tmp_path):
    save_index(empty_index, tmp_path / "saved")
    for index in (empty_index, load_index(tmp_path / "saved")):
        result = index.search(queries, 2)
        assert result.ids.tolist() == [[-1, -1]] * len(queries)
        assert (result.scores == -np.inf).all()


def test_reconstruct_returns_what_is_compared(filled, ids, vectors, metric):
    expected = vectors[[7, 0, 7]]
    if metric == "cosine":
        expected = expected / np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(filled.reconstruct(ids[[7, 0, 7]]), expected, rtol=1e-6)
    assert filled.reconstruct([]).shape == (0, filled.dimension)


def test_distances_are_those_of_l2_only(filled, ids, vectors, metric):
    result = filled.search(vectors[:3], 2)
    if metric == "l2":
        expected = ((vectors[:3].astype(np.float64) - vectors[[0, 1, 2]]) ** 2).sum(axis=1)
        np.testing.assert_allclose(result.distances[:, 0], expected, atol=1e-5)
        assert (result.distances[:, 1] > 0).all()
        np.testing.assert_array_equal(result.distances[:, 1], -result.scores[:, 1])
    else:
        with pytest.raises(ValueError, match="has no distances"):
            _ = result.distances


def test_inputs_are_not_modified(empty_index, ids, vectors, queries):
    copies = [array.copy() for array in (ids, vectors, queries)]
    empty_index.add(ids, vectors)
    vectors_before = empty_index.reconstruct(ids[:1]).copy()
    empty_index.search(queries, 3, allowed=ids)
    for array, copy in zip((ids, vectors, queries), copies, strict=True):
        np.testing.assert_array_equal(array, copy)
    vectors[:] = 0  # nor is the index a view of what was added
    np.testing.assert_array_equal(empty_index.reconstruct(ids[:1]), vectors_before)


@pytest.mark.parametrize("dtype", ["float16", "float64", "int32"])
def test_other_number_types_are_converted(empty_index, dtype):
    rows = (np.arange(24).reshape(2, 12) % 5 + 1).astype(dtype)
    empty_index.add([0, 1], np.asfortranarray(rows))
    assert empty_index.search(rows, 2).scores.dtype == np.float32


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones((2, 5)), r"differ in dimension \(5 vs 12\)"),
        (np.ones(12), r"write .*\[None, :\]"),
        (np.ones((2, 12, 1)), "must be an"),
        (np.empty((0, 12)), "is empty"),
        (np.array([[1.0] * 12, [NAN] * 12]), "row 1 holds NaN"),
        (np.array([[INF] + [1.0] * 11]), "row 0 holds NaN, infinite"),
        (np.full((1, 12), 1e300), "too large"),
        (np.full((1, 12), 1e25), "too large"),
    ],
)
def test_bad_vectors_and_queries_are_refused(filled, array, message):
    with pytest.raises(ValueError, match=message):
        filled.search(array, 1)
    n = len(array) if array.ndim == 2 else 1
    with pytest.raises(ValueError, match=message):
        filled.add(np.arange(100_000, 100_000 + n), array)
    assert len(filled) == 300


def test_zero_vectors_are_refused_for_cosine_only(index, metric):
    zeros = np.zeros((1, index.dimension))
    if metric == "cosine":
        with pytest.raises(ValueError, match="zero vector"):
            index.search(zeros, 1)
        with pytest.raises(ValueError, match="zero vector"):
            index.add([99_999], zeros)
    else:
        index.add([99_999], zeros)
        assert index.search(zeros, 301).ids.max() == 99_999


@pytest.mark.parametrize("k", [0, -1])
def test_k_below_one_is_refused(filled, queries, k):
    with pytest.raises(ValueError, match="k must be at least 1"):
        filled.search(queries, k)


@pytest.mark.parametrize("k", [1.0, "1", True])
def test_k_that_is_no_integer_is_refused(filled, queries, k):
    with pytest.raises(TypeError, match="k must be an integer"):
        filled.search(queries, k)


@pytest.mark.parametrize(
    ("new_ids", "error", "message"),
    [
        ([1, 1], ValueError, "must not repeat.*: 1"),
        ([-1, 2], ValueError, ">= 0"),
        ([1], ValueError, r"differ in number \(1 vs 2\)"),
        ([[1, 2]], ValueError, "one-dimensional"),
        ([0.5, 1.5], TypeError, "integers"),
        (["a", "b"], TypeError, "integers"),
        (np.array([2**63, 1], dtype=np.uint64), ValueError, "int64"),
    ],
)
def test_bad_ids_are_refused(empty_index, new_ids, error, message):
    with pytest.raises(error, match=message):
        empty_index.add(new_ids, np.ones((2, empty_index.dimension)))
    assert len(empty_index) == 0


def test_ids_that_are_there_already_are_refused(filled, ids, vectors, queries):
    before = filled.search(queries, 5)
    with pytest.raises(ValueError, match=f"already: {ids[4]}"):
        filled.add([100_000, ids[4]], vectors[:2])
    after = filled.search(queries, 5)
    np.testing.assert_array_equal(before.ids, after.ids)
    with pytest.raises(KeyError):
        filled.reconstruct([100_000])


def test_removing_an_unknown_id_removes_nothing(filled, ids):
    with pytest.raises(KeyError, match="100000"):
        filled.remove([ids[0], 100_000])
    assert len(filled) == 300
    assert len(filled.reconstruct(ids)) == 300


def test_vectors_that_are_not_numbers_are_refused(filled):
    with pytest.raises(TypeError, match="real numbers"):
        filled.search(np.array([["a"] * 12]), 1)
    with pytest.raises(TypeError, match="real numbers"):
        filled.search(np.ones((1, 12), dtype=complex), 1)


# Kinds that round their vectors: not the scores of the brute force, but all else that an index promises.
@pytest.mark.parametrize(
    "storage",
    [
        ("hnsw", {"threads": 1, "storage": "float16"}),
        ("hnsw", {"threads": 1, "storage": "sq8", "train_size": 200}),
        ("ivf-pq", {"threads": 1, "n_lists": 4, "train_size": 200, "refine": "float16"}),
        ("ivf-rabitq", {"threads": 1, "n_lists": 4, "train_size": 200}),
    ],
    ids=["hnsw-float16", "hnsw-sq8", "ivf-pq-float16", "ivf-rabitq-sq8"],
)
def test_what_rounds_its_vectors_keeps_the_rest_of_the_contract(storage, metric, ids, vectors, queries, tmp_path):
    kind, config = storage
    index = create_index(kind, 12, metric, config)
    index.add(ids, vectors)
    index.remove(ids[:20])
    index.add(ids[:5], vectors[:5])
    there = {*ids[20:], *ids[:5]}
    assert len(index) == len(there)
    found = index.search(queries, 350)
    assert all(set(hits.ids) == there and len(hits) == len(there) for hits in found)
    assert (np.diff(found.scores[:, : len(there)], axis=1) <= 0).all()
    some = index.search(queries, 10, allowed=ids[:40])
    assert set(some.ids.ravel()) <= {*ids[:5], *ids[20:40]}
    assert (some.ids >= 0).all()
    expected, _ = brute_force(np.concatenate([ids[20:], ids[:5]]), np.concatenate([vectors[20:], vectors[:5]]), queries,
                              metric, 10)  # fmt: skip
    assert np.mean([np.isin(a, b).mean() for a, b in zip(expected, found.ids[:, :10], strict=True)]) > 0.8
    kept = vectors / np.linalg.norm(vectors, axis=1, keepdims=True) if metric == "cosine" else vectors
    np.testing.assert_allclose(index.reconstruct(ids[30:]), kept[30:], atol=0.05)
    save_index(index, tmp_path / "saved")
    loaded = load_index(tmp_path / "saved", threads=1)
    np.testing.assert_array_equal(loaded.search(queries, 10).ids, index.search(queries, 10).ids)
    for wrong, error in (([ids[0], 99_999], KeyError), ([-1], ValueError), (["a"], TypeError)):
        with pytest.raises(error):
            index.remove(wrong)
    with pytest.raises(ValueError, match="already"):
        index.add(ids[:1], vectors[:1])
    assert len(index) == len(there)


def test_every_kind_of_index_is_looked_at(engines):
    assert {kind for kind, _ in engines.values()} == set(INDEX_KINDS)


def test_what_shapes_an_index_cannot_be_changed_afterwards(index):
    """What can be set again is; all else says that a new index is to be built."""
    if not isinstance(index, FaissIndex):
        assert not hasattr(type(index), "config")
        return
    index.config = dataclasses.replace(index.config, threads=2)
    assert index.config.threads == 2
    for name in index.config.shape:
        value = {"storage": "sq8", "refine": "float16"}.get(name, 21)
        with pytest.raises(UnsupportedOperation, match="build a new one"):
            index.config = dataclasses.replace(index.config, **{"train_size": 300, name: value})
