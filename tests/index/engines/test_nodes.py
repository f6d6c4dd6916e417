"""Graphs in which vectors repeat, compared with brute force over what they keep."""

import dataclasses

import faiss
import numpy as np
import pytest

from interlingua.align.arrays import unit_rows
from interlingua.index import (
    Collection,
    CollectionStore,
    CorruptCollectionError,
    FaissIndex,
    HNSWConfig,
    create_index,
    load_index,
    save_index,
)
from interlingua.index.engines import nodes as nodes_module
from interlingua.index.engines.choose import tune
from interlingua.index.folder import read_manifest
from interlingua.pipelines.search.ranked import CorrectedRows, ranked_collection

D = 32
GRAPH = {"threads": 1, "M": 16, "ef_construction": 60, "train_size": 300}


def drawn(n, d=D, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def repeating(n, share, groups, order, seed=0):
    """Return rows of which a share are equal, in so many groups, and which rows those are."""
    rng = np.random.default_rng(seed + 1)
    rows, count = drawn(n, seed=seed), int(n * share)
    places = {"first": np.arange(count), "last": np.arange(n - count, n), "mixed": rng.permutation(n)[:count]}[order]
    rows[places] = drawn(groups, seed=seed + 2)[np.arange(count) % groups]
    return rows, np.isin(np.arange(n), places)


def best_scores(rows, queries, metric, k, unit):
    """Return the k best scores of each query by brute force, of rows as they are kept."""
    x, y = queries.astype(np.float64), rows.astype(np.float64)
    if metric == "cosine":
        x /= np.linalg.norm(x, axis=1, keepdims=True)
    if unit:
        y /= np.linalg.norm(y, axis=1, keepdims=True)
    scores = -((x[:, None] - y[None]) ** 2).sum(axis=2) if metric == "l2" else x @ y.T
    return scores, -np.sort(-scores, axis=1)[:, :k]


def check(index, ids, queries, k=10, allowed=None):
    """Compare with brute force: the scores of what is found, each id's own score, and no id twice."""
    ids = np.asarray(ids)
    within = ids if allowed is None else ids[np.isin(ids, allowed)]
    found = index.search(queries, k, allowed=allowed)
    unit = index.metric == "cosine" and index.config.storage == "sq8"  # what it promises of bytes
    own, best = best_scores(index.reconstruct(within), queries, str(index.metric), k, unit)
    width = min(k, len(within))
    assert (found.ids[:, width:] == -1).all()
    assert np.isin(found.ids[:, :width], within).all()
    assert all(len(set(each[:width])) == width for each in found.ids.tolist())
    order = np.argsort(within)
    places = order[np.searchsorted(within[order], found.ids[:, :width])]
    scores = found.scores[:, :width]
    np.testing.assert_allclose(scores, np.take_along_axis(own, places, axis=1), rtol=2e-5, atol=2e-5)
    assert (np.diff(scores, axis=1) <= 0).all()
    assert np.isclose(scores, best, rtol=2e-5, atol=2e-5).mean() >= 0.98


def finds_itself(index, ids, rows):
    return float(np.mean(index.search(rows, 1).ids[:, 0] == ids))


@pytest.mark.parametrize("step", [1200, 90])
@pytest.mark.parametrize("order", ["mixed", "first", "last"])
@pytest.mark.parametrize("storage", ["float32", "float16", "sq8"])
def test_what_repeats_hides_nothing_else(storage, order, step, tmp_path):
    rows, equal = repeating(1200, 0.5, 1, order)
    index = FaissIndex(D, "cosine", HNSWConfig(storage=storage, **GRAPH))
    for start in range(0, 1200, step):
        index.add(np.arange(start, min(start + step, 1200)), rows[start : start + step])
    assert index.n_nodes < 610
    others, queries = np.flatnonzero(~equal), np.concatenate([drawn(60, seed=9), rows[equal][:1] + drawn(20) / 8])
    save_index(index, tmp_path / "kept")
    for made in (index, load_index(tmp_path / "kept", threads=1), load_index(tmp_path / "kept", mapped=True)):
        assert len(made) == 1200
        assert finds_itself(made, others, rows[others]) >= 0.98
        check(made, np.arange(1200), queries)
    check(index, np.arange(1200), queries, allowed=np.arange(0, 1200, 2))
    check(index, np.arange(1200), queries[:10], k=1300)


@pytest.mark.parametrize("metric", ["ip", "cosine", "l2"])
@pytest.mark.parametrize("groups", [2, 20, 150])
def test_many_groups_are_found_by_every_metric(metric, groups):
    rows, _ = repeating(900, 0.5, groups, "mixed")
    index = FaissIndex(D, metric, HNSWConfig(**GRAPH))
    index.add(np.arange(900), rows)
    assert index.n_nodes == 450 + groups
    check(index, np.arange(900), drawn(80, seed=9))
    np.testing.assert_allclose(index.search_exactly(rows[:5], 7).scores, index.search(rows[:5], 7).scores, rtol=1e-6)


@pytest.mark.parametrize("storage", ["float32", "float16", "sq8"])
@pytest.mark.parametrize("seed", [0, 1])
def test_any_history_leaves_what_brute_force_finds(storage, seed, tmp_path):
    rng = np.random.default_rng(seed)
    pool, queries = drawn(260, seed=seed), drawn(25, seed=seed + 7)
    index = FaissIndex(D, "cosine", HNSWConfig(storage=storage, rebuild_share=0.2, **GRAPH))
    held, fresh = {}, 0
    for turn in range(24):
        n = int(rng.integers(1, 90))
        rows = np.where(rng.random(n) < 0.5, rng.integers(3, size=n), rng.integers(len(pool), size=n))
        coming = np.arange(fresh, fresh + n)
        rng.shuffle(coming)
        fresh += n
        index.add(coming, pool[rows] * rng.choice([1, 1, 1.5], size=(n, 1)))
        held.update(zip(coming.tolist(), rows.tolist(), strict=True))
        gone = rng.choice(list(held), int(rng.integers(0, 2 + len(held) // 4)), replace=False).tolist()
        if turn % 5 == 4:  # all rows of some vectors
            gone = [id for id, row in held.items() if row % 4 == 1]
        if gone:
            index.remove(gone)
            held = {id: row for id, row in held.items() if id not in set(gone)}
        if turn % 6 == 5:
            save_index(index, tmp_path / "kept")
            index = load_index(tmp_path / "kept", threads=1)
        if turn % 8 == 7:
            index.compact()
        ids = np.array(list(held))
        assert len(index) == len(ids)
        check(index, ids, queries, k=int(rng.integers(1, 30)))
        check(index, ids, queries, allowed=rng.choice(fresh, fresh // 2, replace=False))
    kept = pool[list(held.values())]
    kept /= np.linalg.norm(kept, axis=1, keepdims=True)
    np.testing.assert_allclose(index.reconstruct(ids), kept, atol={"float32": 1e-6, "float16": 1e-3}.get(storage, 0.05))


def test_a_node_goes_with_its_last_row():
    rows = np.repeat(drawn(4), [100, 1, 1, 1], axis=0)
    index = FaissIndex(D, "l2", HNSWConfig(rebuild_share=0.25, **GRAPH))
    index.add(np.arange(103), rows)
    assert (len(index), index.n_nodes) == (103, 4)
    index.remove([100])  # a fourth of the nodes: it stays, unfound
    assert (len(index), index.n_nodes) == (102, 4)
    assert 100 not in index.search(rows[100:101], 102).ids
    index.remove([101])  # more
    assert (len(index), index.n_nodes) == (101, 2)
    index.remove(np.arange(90))
    assert (len(index), index.n_nodes) == (11, 2)
    index.remove(np.arange(90, 100))
    assert (len(index), index.n_nodes) == (1, 1)
    index.add([100], rows[:1])
    np.testing.assert_array_equal(index.search(rows[:1], 3).ids, [[100, 102, -1]])
    index.remove([100, 102])
    assert (len(index), index.n_nodes) == (0, 0)
    index.add([7, 8], rows[:2])
    assert sorted(index.search(rows[:1], 3).ids[0]) == [-1, 7, 8]


def test_where_nothing_repeats_the_graph_and_its_folder_are_what_they_were(tmp_path):
    rows = drawn(500)
    index = FaissIndex(D, "l2", HNSWConfig(**GRAPH))
    plain = faiss.IndexHNSWFlat(D, 16, faiss.METRIC_L2)
    plain.hnsw.efConstruction = 60
    for start in (0, 250):
        index.add(np.arange(start, start + 250), rows[start : start + 250])
        plain.add(rows[start : start + 250])
    np.testing.assert_array_equal(faiss.serialize_index(index._faiss), faiss.serialize_index(plain))
    save_index(index, tmp_path / "kept")
    assert set(read_manifest(tmp_path / "kept").files) == {"index.faiss", "ids.npy"}
    index.add([500], rows[3:4])
    save_index(index, tmp_path / "kept")
    assert set(read_manifest(tmp_path / "kept").files) == {"index.faiss", "ids.npy", "nodes.npy"}
    index.remove([3])  # what is left is there once, in the node of what went
    assert index.n_nodes == 500
    save_index(index, tmp_path / "kept")
    assert set(read_manifest(tmp_path / "kept").files) == {"index.faiss", "ids.npy"}
    loaded = load_index(tmp_path / "kept", threads=1)
    check(loaded, np.delete(np.arange(501), 3), rows[:40])
    assert finds_itself(loaded, [500], rows[3:4]) == 1


def test_a_vector_that_is_replaced_by_itself_again_and_again_leaves_one_node():
    rows = drawn(300)
    made = Collection.create(D, "cosine", "hnsw", GRAPH)
    made.add([str(row) for row in range(300)], rows)
    for _ in range(40):
        made.upsert(["5", "6"], rows[5:7])
    assert made.index.n_nodes == 300
    assert made.search(rows[5:6], 1).ids == (("5",),)


@pytest.mark.parametrize("storage", ["float32", "sq8"])
def test_a_store_and_its_journal_keep_equal_rows(storage, tmp_path):
    rows, equal = repeating(600, 0.5, 3, "mixed")
    names = [f"r{row}" for row in range(600)]
    config = {**GRAPH, "storage": storage}
    exact = Collection.create(D, "cosine")
    with CollectionStore.create(tmp_path / "rows", Collection.create(D, "cosine", "hnsw", config)) as store:
        store.add(names[:400], rows[:400])
        store.checkpoint()
        store.add(names[400:], rows[400:])
        store.upsert(names[:50], rows[100:150])
        store.remove(names[300:350])
        exact.add(names, rows)
        exact.upsert(names[:50], rows[100:150])
        exact.remove(names[300:350])
        for made in (store.collection, Collection.load(tmp_path / "rows", threads=1)):
            found, truth = made.search(rows, 10), exact.search(rows, 10)
            np.testing.assert_allclose(found.scores, truth.scores, atol=1e-5 if storage == "float32" else 0.02)
            own = [row for row in np.flatnonzero(~equal) if not (row < 150 or 300 <= row < 350)]
            assert np.mean([found.ids[row][0] == names[row] for row in own]) >= 0.98


def test_a_graph_in_which_equal_vectors_have_nodes_of_their_own_is_built_anew_on_demand(tmp_path):
    rows, equal = repeating(1500, 0.5, 1, "mixed")
    index = FaissIndex(D, "l2", HNSWConfig(**GRAPH))
    index.add(np.arange(1500), drawn(1500))
    plain = faiss.IndexHNSWFlat(D, 16, faiss.METRIC_L2)
    plain.add(rows)
    index._faiss = plain  # as it was saved before nodes were shared
    save_index(index, tmp_path / "kept")
    loaded = load_index(tmp_path / "kept", threads=1)
    others = np.flatnonzero(~equal)
    before = finds_itself(loaded, others, rows[others])
    loaded.add([1500], rows[equal][:1])
    assert loaded.n_nodes == 1500
    loaded.compact()
    assert loaded.n_nodes == 751
    assert before < 0.98 <= finds_itself(loaded, others, rows[others])
    check(loaded, np.arange(1501), drawn(60, seed=9))


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros(40, np.int64),
        np.arange(40, dtype=np.int64) - 1,
        np.arange(40, dtype=np.int64),
        np.arange(20, dtype=np.int64),
        np.tile(np.arange(20, dtype=np.int32), 2),
        np.tile(np.arange(20, dtype=np.int64), (2, 1)),
    ],
)
def test_nodes_that_do_not_fit_the_graph_are_refused(wrong, tmp_path):
    index = FaissIndex(D, "l2", HNSWConfig(**GRAPH))
    index.add(np.arange(40), np.tile(drawn(20), (2, 1)))
    index._nodes._of = wrong
    index._nodes.ids_by_node = lambda ids: None
    save_index(index, tmp_path / "kept")
    with pytest.raises(CorruptCollectionError, match="does not name each of the 20 nodes for 40 positions"):
        load_index(tmp_path / "kept")


def test_only_graphs_have_nodes(tmp_path):
    index = create_index("faiss-flat", D, "l2")
    index.add([0, 1], drawn(2))
    index._nodes._of = np.zeros(2, np.int64)
    save_index(index, tmp_path / "kept")
    with pytest.raises(CorruptCollectionError, match="does not name"):
        load_index(tmp_path / "kept")


def test_hashes_that_are_the_same_by_chance_make_nothing_equal(monkeypatch):
    rows = np.tile(drawn(200), (2, 1))
    monkeypatch.setattr(nodes_module, "_hashes", lambda kept: np.zeros(len(kept), np.uint64))
    index = FaissIndex(D, "l2", HNSWConfig(**GRAPH))
    for start in range(0, 400, 100):
        index.add(np.arange(start, start + 100), rows[start : start + 100])
    assert 200 <= index.n_nodes <= 400
    np.testing.assert_array_equal(index.reconstruct(np.arange(400)), rows)
    check(index, np.arange(400), drawn(30, seed=9))


@pytest.mark.parametrize("d", [1, 3, 8, 33])
def test_hashes_tell_rows_apart(d):
    rows = drawn(20_000, d)
    rows[:100] = np.eye(100, d, dtype=np.float32) if d > 1 else np.arange(100)[:, None]
    for kept in (rows, rows.round(2), (rows * 40).astype(np.int64).astype(np.uint8)):
        assert len(np.unique(nodes_module._hashes(kept))) == len(np.unique(kept, axis=0))


def test_minus_zero_is_zero():
    rows = drawn(50)
    rows[:, ::2] = 0
    index = FaissIndex(D, "l2", HNSWConfig(**GRAPH))
    index.add(np.arange(50), rows)
    index.add(np.arange(50, 100), np.where(rows == 0, np.float32(-0.0), rows))
    assert index.n_nodes == 50


def test_rows_of_a_node_come_in_the_order_of_adding_and_as_far_as_they_are_allowed():
    rows = drawn(3)
    index = FaissIndex(D, "l2", HNSWConfig(exact_share=0.0, **GRAPH))
    index.add([9, 8, 7, 6, 5], rows[[0, 1, 0, 2, 0]])
    assert index.search(rows[:1], 3).ids.tolist() == [[9, 7, 5]]
    assert index.search(rows[:1], 2).ids.tolist() == [[9, 7]]
    assert index.search(rows[:1], 3, allowed=[5, 7, 8]).ids[0, :2].tolist() == [7, 5]
    assert index.search(rows[:2], 9, allowed=[5]).ids.tolist() == [[5] + [-1] * 8] * 2
    index.remove([7])
    assert index.search(rows[:1], 2).ids.tolist() == [[9, 5]]


def test_tuning_measures_the_graph_and_not_a_scan():
    rows, _ = repeating(1500, 0.6, 2, "mixed")
    index = FaissIndex(D, "cosine", HNSWConfig(**{**GRAPH, "M": 2, "ef_construction": 4}))
    index.add(np.arange(1500), rows)
    assert tune(index, drawn(50, seed=9), recall=1.0).effort < index.n_nodes


@pytest.mark.parametrize("storage", ["float32", "float16", "sq8"])
@pytest.mark.parametrize("order", ["mixed", "first"])
def test_folded_rows_of_equal_texts_are_ranked_as_exact_search_does(storage, order):
    rows, equal = repeating(1200, 0.5, 4, order)
    rows = unit_rows(rows)
    means = np.random.default_rng(3).uniform(0.2, 0.4, size=1200).astype(np.float32)
    means[equal] = means[equal][np.arange(equal.sum()) % 4] if order == "first" else 0.3
    names = [str(row) for row in range(1200)]
    made = {}
    for kind, config in (("flat", None), ("hnsw", {**GRAPH, "storage": storage})):
        made[kind] = CorrectedRows(ranked_collection(kind, D, config))
        made[kind].put(names, rows, means, None, replace=False)
    queries = unit_rows(rows[~equal][:100] + drawn(100, seed=8) / 12)
    found, truth = made["hnsw"].search(queries, 10), made["flat"].search(queries, 10)
    close = {"float32": 1e-5, "float16": 2e-3, "sq8": 3e-2}[storage]
    assert np.isclose(found.scores, truth.scores, atol=close).mean() >= 0.98
    assert np.mean([a[0] == b[0] for a, b in zip(found.ids, truth.ids, strict=True)]) >= 0.98


def test_what_a_configuration_does_not_shape_can_still_be_set():
    rows, _ = repeating(600, 0.5, 1, "mixed")
    index = FaissIndex(D, "cosine", HNSWConfig(**GRAPH))
    index.add(np.arange(600), rows)
    index.config = dataclasses.replace(index.config, ef_search=301)  # as many as nodes: a scan of them
    assert index.n_nodes == 301
    check(index, np.arange(600), drawn(30, seed=9))
