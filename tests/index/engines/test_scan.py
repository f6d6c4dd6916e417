"""Scans, and what they are used for, beside brute force in float64."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from interlingua.index import FaissIndex, FlatIndex, load_index, save_index
from interlingua.index.engines import scan as scanning
from interlingua.index.engines.base import Metric
from interlingua.index.engines.ids import IdTable
from interlingua.index.engines.scan import load_faiss, scan


def brute_force(queries, rows, metric):
    x, y = queries.astype(np.float64), rows.astype(np.float64)
    return -((x[:, None] - y[None]) ** 2).sum(axis=2) if metric == "l2" else x @ y.T


@pytest.mark.parametrize("metric", ["ip", "l2"])
@pytest.mark.parametrize("n_queries", [1, 3, 4, 40])
@pytest.mark.parametrize("share", [None, 0.02, 0.6])
def test_a_scan_finds_what_brute_force_finds(metric, n_queries, share):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(40_000, 12)).astype(np.float32)
    queries = rng.normal(size=(n_queries, 12)).astype(np.float32)
    allowed = None if share is None else np.sort(rng.permutation(len(rows))[: int(share * len(rows))])
    positions, scores = scan(queries, rows, 15, Metric(metric), allowed)
    truth = brute_force(queries, rows, metric)
    if allowed is not None:
        truth[:, np.setdiff1d(np.arange(len(rows)), allowed)] = -np.inf
    np.testing.assert_array_equal(positions, np.argsort(-truth, axis=1, kind="stable")[:, :15])
    np.testing.assert_allclose(scores, np.take_along_axis(truth, positions, axis=1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("before", "after"), [(128_000, 1280), (20, 20), (7_000, 7_000)])
def test_the_limit_of_faiss_is_lowered_once_and_only_if_it_is_its_own(monkeypatch, before, after):
    fake = SimpleNamespace(cvar=SimpleNamespace(distance_compute_blas_threshold=before))
    monkeypatch.setitem(sys.modules, "faiss", fake)
    load = scanning.load_faiss.__wrapped__
    assert load() is fake
    assert fake.cvar.distance_compute_blas_threshold == after


def test_distances_between_close_vectors_far_from_the_origin_are_no_product_of_matrices():
    rng = np.random.default_rng(0)
    rows = (1000 + rng.normal(size=(3000, 16))).astype(np.float32)
    index = FaissIndex(16, "l2")
    index.add(np.arange(3000), rows)
    found = index.search(rows[:200], 5)
    truth = np.argsort(-brute_force(rows[:200], rows, "l2"), axis=1, kind="stable")[:, :5]
    np.testing.assert_array_equal(found.ids, truth)


@pytest.mark.parametrize("metric", ["ip", "cosine", "l2"])
def test_flat_search_is_exact_where_float32_cannot_tell_rows_apart(metric):
    rng = np.random.default_rng(1)
    base = rng.normal(size=(1, 24))
    close = base + 1e-7 * rng.normal(size=(600, 24))  # all but equal in float32
    rows = np.concatenate([rng.normal(size=(2000, 24)), close, np.repeat(base, 300, axis=0)])
    rows = rows[rng.permutation(len(rows))].astype(np.float32)
    index = FlatIndex(24, metric)
    index.add(np.arange(len(rows)), rows)
    queries = np.concatenate([base, 3 * base, rng.normal(size=(6, 24))]).astype(np.float32)
    stored = index.reconstruct(np.arange(len(rows)))
    asked = queries / np.linalg.norm(queries, axis=1, keepdims=True) if metric == "cosine" else queries
    truth = brute_force(asked.astype(np.float32), stored, metric)
    found = index.search(queries, 20)
    expected = np.argsort(-truth.astype(np.float32), axis=1, kind="stable")[:, :20]
    best = np.take_along_axis(truth, expected, axis=1)
    np.testing.assert_allclose(found.scores, best, rtol=2e-7, atol=2e-7)
    equal = np.flatnonzero((rows == base.astype(np.float32)).all(axis=1))
    if metric != "ip":  # there others, longer, may be better
        assert found.ids[0].tolist()[:1] == [equal[0]] or found.scores[0, 0] == pytest.approx(best[0, 0], abs=1e-7)


def test_equal_rows_come_in_the_order_of_adding_however_many_they_are():
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(5000, 8)).astype(np.float32)
    rows[700:1400] = rows[3]
    index = FlatIndex(8)
    index.add(np.arange(5000), rows)
    assert index.search(rows[3:4], 12).ids.tolist() == [[3, *range(700, 711)]]
    assert index.search(np.repeat(rows[3:4], 9, axis=0), 12).ids.tolist() == [[3, *range(700, 711)]] * 9


@pytest.mark.parametrize("kind", [FlatIndex, FaissIndex])
@pytest.mark.parametrize("metric", ["ip", "cosine", "l2"])
@pytest.mark.parametrize(("n_queries", "k"), [(1, 1), (1, 10), (30, 1), (30, 10), (30, 250), (3, 1990)])
def test_removed_rows_leave_holes_that_nothing_finds(kind, metric, n_queries, k, tmp_path):
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(2000, 16)).astype(np.float32)
    index = kind(16, metric)
    index.add(np.arange(2000) * 3, rows)
    gone = rng.permutation(2000)[:150]
    queries = np.concatenate([rows[gone[: n_queries // 2 + 1]], rng.normal(size=(n_queries, 16))])[:n_queries]
    index.remove(gone[:149] * 3)
    index.remove(gone[149:] * 3)
    assert len(index) == 1850
    assert len(index._table) == 2000  # none has moved yet
    rest = np.setdiff1d(np.arange(2000), gone)
    kept = index.reconstruct(rest * 3)
    asked = queries / np.linalg.norm(queries, axis=1, keepdims=True) if metric == "cosine" else queries
    truth = brute_force(asked.astype(np.float32), kept, metric)
    order = np.argsort(-truth, axis=1, kind="stable")[:, : min(k, 1850)]
    save_index(index, tmp_path / "saved")
    for each in (index, load_index(tmp_path / "saved")):
        found = each.search(queries, k)
        np.testing.assert_array_equal(found.ids[:, :1850], rest[order] * 3)
        assert (found.ids[:, 1850:] == -1).all()
        with pytest.raises(KeyError):
            each.reconstruct([gone[0] * 3])
        assert np.isfinite(each.reconstruct(rest * 3)).all()
        each.add([gone[0] * 3], rows[gone[:1]])  # the id is free again
        assert each.search(rows[gone[:1]], 1, allowed=[gone[0] * 3]).ids.tolist() == [[gone[0] * 3]]
    index.remove(rest[:200] * 3)
    assert len(index._table) == len(index) == 1651


@pytest.mark.parametrize("ascending", [True, False])
def test_ids_are_found_beside_dead_positions(ascending):
    ids = np.array([2, 5, 7, 11, 13, 17]) if ascending else np.array([7, 2, 17, 5, 13, 11])
    table = IdTable(ids.copy())
    table.kill(np.array([0, 3]))
    gone, rest = ids[[0, 3]], ids[[1, 2, 4, 5]]
    assert table.positions(gone).tolist() == [-1, -1]
    assert table.positions(rest).tolist() == [1, 2, 4, 5]
    assert (len(table), table.n_dead) == (6, 2)
    assert table.ids.tolist() == table.at(np.arange(6)).tolist() == [-1, *ids[[1, 2]], -1, *ids[[4, 5]]]
    table.append(np.array([gone[1], 40]))
    again = IdTable(table.ids)
    for each in (table, again):
        assert each.positions(np.array([gone[1], 40, gone[0]])).tolist() == [6, 7, -1]
        assert each.positions(rest).tolist() == [1, 2, 4, 5]
        assert each.allowed(np.concatenate([ids, [40]])).tolist() == [1, 2, 4, 5, 6, 7]
    table.kill(table.positions(rest[:1]))
    assert table.positions(np.array([*rest, 40])).tolist() == [-1, 2, 4, 5, 7]
    table.keep(table.living)
    assert table.positions(np.array([*rest, 40])).tolist() == [-1, 0, 1, 2, 4]


def test_the_module_is_loaded_with_the_limit_that_scans_are_made_for():
    assert load_faiss().cvar.distance_compute_blas_threshold <= 1280
