"""Pieces are measured one by one, kept, and become rows."""

import json

import numpy as np
import pytest

from interlingua.benchmarks.harness.measure import NotDoneError, result_rows
from interlingua.benchmarks.search import ann


def test_vectors_are_unit_rows_and_the_same_for_a_seed():
    rows = ann.draw_vectors(50, 3)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(rows, ann.draw_vectors(50, 3))
    assert not np.array_equal(rows, ann.draw_vectors(50, 4))


def test_exact_search_finds_the_truth_with_and_without_filters(tmp_path):
    ann.measure_piece("truth", 400, str(tmp_path))
    queries, truth = np.load(tmp_path / "queries.npy"), np.load(tmp_path / "truth.npy")
    scores = queries.astype(np.float64) @ ann.draw_vectors(400, 0).T.astype(np.float64)
    np.testing.assert_array_equal(truth, np.argsort(-scores, axis=1)[:, :10])
    figures = ann.measure_piece("flat", 400, str(tmp_path))
    assert figures["curve"][0]["recall"] == pytest.approx(1)
    points = ann.measure_piece("defaults-flat", 400, str(tmp_path))["defaults"]
    assert [(each["share"], each["recall"]) for each in points[:3]] == [(1, 1), (0.5, 1), (0.1, 1)]


def test_speeds_are_ratios_to_exact_search():
    common = {"build_seconds": 1.0, "peak_mb": 3.072, "seconds": 2.0}
    pieces = {
        ("flat", 1000): {**common, "curve": [{"effort": 0, "recall": 1.0, "qps": 100.0}]},
        ("hnsw", 1000): {**common, "curve": [{"effort": 64, "recall": 0.9, "qps": 450.0}]},
    }
    found = {(each["method"], each["metric"]): each["value"] for each in result_rows(ann.cases_of(pieces), "")}
    assert found["hnsw, effort 64", "speed, exact = 1"] == 4.5
    assert found["hnsw", "peak / raw float32"] == pytest.approx(2)


def test_default_efforts_become_rows_of_recall_and_speed():
    points = [{"share": 1.0, "recall": 0.97, "ms": 0.5, "effort": 128}, {"share": 0.1, "recall": 0.96, "ms": 2.0}]
    sentences = {"as encoded": points[:1], "centred": points[1:], "n": 800}
    pieces = {("defaults-hnsw", 1000): {"defaults": points}, ("sentences-hnsw", 1000): {"sentences": sentences}}
    cases = ann.cases_of({key: {**figures, "seconds": 1.0} for key, figures in pieces.items()})
    rows = result_rows(cases, "")
    found = {(each["data"], each["method"], each["metric"]): each["value"] for each in rows}
    assert found["1000 x 384 clustered", "hnsw, all allowed", "recall@10"] == 0.97
    assert found["1000 x 384 clustered", "hnsw, 10% allowed", "queries/s"] == 500
    assert found["800 x 384 sentences, as encoded", "hnsw, all allowed", "queries/s"] == 2000
    assert found["800 x 384 sentences, centred", "hnsw, 10% allowed", "recall@10"] == 0.96


def test_names_of_indexes_say_how_vectors_are_kept():
    assert ann.settings_of("hnsw-sq8", 100)[1]["storage"] == "sq8"
    assert ann.settings_of("ivf-pq+float32", 100)[1]["refine"] == "float32"
    assert "refine" not in ann.settings_of("ivf-pq", 100)[1]


def test_pieces_that_are_kept_are_not_measured_again_and_time_ends_a_run(tmp_path, monkeypatch):
    measured = []

    def kept(path, function, name, *arguments, again, threads):
        if again or not path.exists():
            measured.append(name)
            path.parent.mkdir(exist_ok=True)
            piece = {
                "seconds": 1.0,
                "curve": [{"effort": 1, "recall": 1.0, "qps": 1.0}],
                "build_seconds": 2.0,
                "peak_mb": 3.0,
            }
            path.write_text(json.dumps(piece))

    monkeypatch.setattr(ann, "kept", kept)
    with pytest.raises(NotDoneError, match="truth and what follows"):
        list(ann.run(1000, minutes=-1.0, keep=tmp_path))
    assert {each.method for each in ann.run(1000, only="flat", keep=tmp_path)} == {"flat"}
    assert len(list(ann.run(1000, keep=tmp_path))) == 2 * len((*ann.OURS, *ann.PEERS, *ann.EXTRA))  # and building
    assert measured.count("flat") == 1
    list(ann.run(1000, minutes=-1.0, only="flat", keep=tmp_path))
    assert measured.count("flat") == 2
