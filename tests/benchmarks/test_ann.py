"""Pieces are measured one by one, kept, and become rows."""

import numpy as np
import pytest

from interlingua.benchmarks import ann


def test_vectors_are_unit_rows_and_the_same_for_a_seed():
    rows = ann.draw_vectors(50, 3)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(rows, ann.draw_vectors(50, 3))
    assert not np.array_equal(rows, ann.draw_vectors(50, 4))


def test_exact_search_finds_the_truth_and_filters_hold(tmp_path):
    ann.measure_piece("truth", 400, tmp_path)
    queries, truth = np.load(tmp_path / "queries.npy"), np.load(tmp_path / "truth.npy")
    scores = queries.astype(np.float64) @ ann.draw_vectors(400, 0).T.astype(np.float64)
    np.testing.assert_array_equal(truth, np.argsort(-scores, axis=1)[:, :10])
    figures = ann.measure_piece("flat", 400, tmp_path)
    assert figures["curve"][0]["recall"] == pytest.approx(1)
    assert [each["recall"] for each in figures["filters"][1:]] == pytest.approx([1, 1])


def test_speeds_are_ratios_to_exact_search():
    common = {"build_seconds": 1.0, "peak_mb": 3.072, "seconds": 2.0}
    pieces = {
        ("flat", 1000): {**common, "curve": [{"effort": 0, "recall": 1.0, "qps": 100.0}]},
        ("hnsw", 1000): {**common, "curve": [{"effort": 64, "recall": 0.9, "qps": 450.0}]},
    }
    found = {(each["method"], each["metric"]): each["value"] for each in ann.rows_of(pieces)}
    assert found["hnsw, effort 64", "speed, exact = 1"] == 4.5
    assert found["hnsw", "peak / raw float32"] == pytest.approx(2)
