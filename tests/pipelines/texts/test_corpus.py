"""Texts of several languages: drawn in the shares of the formula, the same from any place, streamed."""

import gzip
import itertools
from collections import Counter

import numpy as np
import pytest

from interlingua.pipelines.texts import corpus as module
from interlingua.pipelines.texts.corpus import as_corpus, read_corpus, sampling_shares


def texts(**counts):
    return {name: [f"{name} {row}" for row in range(count)] for name, count in counts.items()}


def first(corpus, number, **options):
    return list(itertools.islice(corpus.draw(**options), number))


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.7, 1.0])
def test_shares_are_those_of_the_formula(alpha):
    counts = {"en": 10_000, "fi": 700, "sw": 31}
    total = sum(count**alpha for count in counts.values())
    shares = sampling_shares(counts, alpha)
    assert shares == pytest.approx({name: count**alpha / total for name, count in counts.items()}, rel=1e-12)


def test_the_draws_keep_to_the_shares():
    corpus = as_corpus(texts(en=3000, fi=300, sw=30))
    n = 20_000
    drawn = Counter(name for name, _ in first(corpus, n, alpha=0.3, seed=5))
    for name, share in sampling_shares(corpus.counts, 0.3).items():
        # four standard errors of a binomial
        assert abs(drawn[name] / n - share) < 4 * np.sqrt(share * (1 - share) / n)


def test_each_pass_gives_every_item_once_in_an_order_of_its_own():
    corpus = as_corpus(texts(en=500))
    drawn = [text for _, text in first(corpus, 1000)]
    assert sorted(drawn[:500]) == sorted(drawn[500:]) == sorted(corpus.sources["en"])
    assert drawn[:500] != drawn[500:]


@pytest.mark.parametrize("start", [0, 1, 7, 8, 9, 40, 333, 5000])
def test_drawing_from_a_place_goes_on_as_if_it_had_come_there(monkeypatch, start):
    monkeypatch.setattr(module, "_BLOCK", 8)
    corpus = as_corpus(texts(en=41, fi=16, sw=3))
    assert first(corpus, 30, seed=2, start=start) == first(corpus, start + 30, seed=2)[start:]


def test_the_seed_decides():
    corpus = as_corpus(texts(en=400, sw=40))
    assert first(corpus, 50, seed=1) == first(corpus, 50, seed=1)
    assert first(corpus, 50, seed=1) != first(corpus, 50, seed=2)


def test_files_are_read_as_lines_without_blanks_and_what_is_held_out(tmp_path):
    (tmp_path / "en.txt").write_text("\ufeffone  two\n\n \nthree\u2028four\r\n", encoding="utf-8")
    (tmp_path / "sw.txt.gz").write_bytes(gzip.compress("".join(f"neno {row}\n" for row in range(50)).encode()))
    (tmp_path / "more.txt").write_text("neno 50\n")
    corpus, held_out = read_corpus(
        {"en": tmp_path / "en.txt", "sw": [tmp_path / "sw.txt.gz", tmp_path / "more.txt"]}, held_out=3
    )
    assert list(corpus.sources["en"]) == ["one two", "three\u2028four"]
    assert held_out["en"] == ()
    assert held_out["sw"] == ("neno 8", "neno 25", "neno 42")
    assert corpus.counts == {"en": 2, "sw": 48}
    assert set(held_out["sw"]).isdisjoint(corpus.sources["sw"])
    assert len(corpus) == 50


def test_equal_corpora_have_equal_fingerprints_and_others_do_not():
    one, same, other = (as_corpus(each) for each in (texts(en=5), texts(en=5), {"en": ["en 0"]}))
    assert one.fingerprint == same.fingerprint != other.fingerprint


def test_a_source_that_changes_is_noticed():
    sentences = ["a", "b", "c"]
    corpus = as_corpus({"en": sentences})
    sentences.append("d")
    with pytest.raises(ValueError, match="'en' was counted to have 3 items"):
        first(corpus, 9)


def test_what_cannot_be_drawn_from_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"alpha must lie in \[0, 1\], got 2"):
        sampling_shares({"en": 1}, 2)
    for sources in ({}, {"en": []}):
        with pytest.raises(ValueError, match="at least one sentence"):
            as_corpus(sources)
    with pytest.raises(FileNotFoundError, match="'en'"):
        read_corpus({"en": tmp_path / "none.txt"})
    with pytest.raises(ValueError, match="start"):
        first(as_corpus(texts(en=1)), 1, start=-1)
