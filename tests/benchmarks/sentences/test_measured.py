"""The benchmarks' own arithmetic, on small made-up spaces: no encoder, no data set."""

import time

import numpy as np
import pytest

from interlingua.align.language import Centring
from interlingua.benchmarks.harness.measure import peak_mb, result_rows, watch
from interlingua.benchmarks.sentences import tatoeba, udhr
from interlingua.benchmarks.sentences.udhr import ArticleParser, extract
from interlingua.pipelines import load_declaration


class OffsetEncoder:
    """A text's vector is drawn from its article's number; each language adds an offset of its own."""

    identity, dimension = "offset@1", 24

    def __init__(self, offset):
        self.offset = offset

    def encode(self, texts, *, role="symmetric", progress=False):
        languages = {text: code for code, each in load_declaration().items() for text in each.articles}
        vectors = []
        for row, text in enumerate(texts):
            push = np.random.default_rng(sum(languages[text].encode())).normal(size=24)
            vectors.append(np.random.default_rng(row).normal(size=24) + self.offset * push)
        return np.asarray(vectors, np.float32)


def test_udhr_rows_hold_the_mean_and_the_worst_pairs(monkeypatch):
    few = dict(list(load_declaration().items())[:6])
    monkeypatch.setattr(udhr, "load_declaration", lambda: few)
    rows = result_rows(udhr.run(OffsetEncoder(offset=0.0)), "")
    means = {each["method"]: each["value"] for each in rows if "mean of 30 pairs" in each["data"]}
    assert means == dict.fromkeys(["cosine (raw)", "CSLS alone", "centred", "centred + CSLS"], 100.0)
    assert len(rows) == 4 * 6


def test_tatoeba_scores_are_percent_of_right_rows():
    english = np.eye(4, dtype=np.float32)
    pairs = {"fin": (english[[0, 1, 3, 2]], english)}
    assert tatoeba.score_method(pairs, lambda _: None, "nn", 10) == {"fin": (50.0, 50.0)}


def test_tatoeba_maps_both_sides_by_their_language():
    rng = np.random.default_rng(0)
    english = rng.normal(size=(50, 8)).astype(np.float32)
    finnish = english + 40 * rng.normal(size=8).astype(np.float32)
    space = Centring().fit({"fin": finnish, "eng": english}).space_
    raw = tatoeba.score_method({"fin": (finnish, english)}, lambda _: None, "nn", 10)["fin"]
    centred = tatoeba.score_method({"fin": (finnish, english)}, lambda _: space, "nn", 10)["fin"]
    assert raw[0] < 50 < centred[0]


def test_a_watch_stops_at_the_end_of_its_block():
    with watch() as running:
        time.perf_counter()
    first = running.seconds
    assert 0 <= first == running.seconds


def test_peak_memory_is_that_of_a_python_process():
    assert 10 < peak_mb() < 50_000


def test_headings_and_preamble_are_no_article():
    parser = ArticleParser()
    parser.feed(
        "<header><p>whereas</p></header><article data-number=1><h2>Article 1</h2><p>all</p><p>are free</p></article>"
    )
    assert list(parser.articles) == [1]
    assert parser.articles == {1: "all are free"}


def test_a_language_without_thirty_articles_is_refused(tmp_path):
    folder = tmp_path / "declaration"
    folder.mkdir()
    (folder / "amh.html").write_text("<article data-number=1><p>x</p></article>", encoding="utf-8")
    with pytest.raises(ValueError, match="amh must have articles 1 to 30, but has"):
        extract(tmp_path)
