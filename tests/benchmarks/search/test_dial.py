import json

import numpy as np
import pytest

from interlingua.benchmarks.search import dial


@pytest.fixture
def pool():
    texts = [("en", "a"), ("de", "b"), ("en", "c"), ("de", "d")]
    asked = [("en", "A"), ("de", "A"), ("en", "B"), ("de", "D")]
    return dial.Pool(texts, asked, [(0,), (0,), (1,), (3,)], {})


def test_figures_are_counted_by_the_language_of_question_and_text(pool):
    found = np.array([[0, 2], [2, 3], [0, 1], [3, 0]])
    figures = dial.scores(pool, found)
    assert figures == {"across": 1 / 2, "home": 1.0, "overall": 3 / 4, "own share of top 10": 5 / 8}


def test_turns_begin_with_the_own_language_and_go_on_by_the_best_hit(monkeypatch):
    monkeypatch.setattr(dial, "_K", 6)
    similarity = np.array([[0.9, 0.8, 0.7, 0.3, 0.2, 0.95]], np.float32)
    found = dial._round_robin(similarity, ["en", "en", "de", "de", "fr", "fr"], ["de"])
    np.testing.assert_array_equal(found[0], [2, 5, 0, 3, 4, 1])


class Lengths:
    """Encodes a text as its length and its first letter's place."""

    def encode(self, texts, role):
        return np.array([[len(each), ord(each[0])] for each in texts], np.float32)


def test_offsets_are_what_translations_differ_by():
    titles = {"en": {"x": "abc", "y": "bc"}, "de": {"y": "abcd"}}
    offsets = dial._offsets(titles, Lengths())
    assert not offsets["en"].any()
    np.testing.assert_allclose(offsets["de"], [2, -1])


def test_the_curve_is_drawn(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    rows = [
        {"task": "one pool of languages", "data": "d", "method": method, "metric": metric, "value": value}
        for method in ("raw cosine", "in one call, balanced 0.5", "in one call, blind 1")
        for metric, value in (("across", 0.8), ("home", 0.9))
    ]
    (tmp_path / "dial.json").write_text(json.dumps(rows))
    monkeypatch.setattr(dial, "RESULTS", tmp_path)
    assert dial.dial_plot(tmp_path / "dial.png") == 0
    assert (tmp_path / "dial.png").read_bytes().startswith(b"\x89PNG")
