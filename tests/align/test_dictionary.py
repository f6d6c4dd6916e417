"""Translation pairs: read exactly, indexed with their coverage, split without leaks."""

import os
from pathlib import Path

import numpy as np
import pytest

from interlingua.align.dictionary import DictionaryError, SeedDictionary
from interlingua.align.vocabulary import Embeddings

DATA = Path(os.environ.get("INTERLINGUA_DATA", Path(__file__).resolve().parents[2].parent / "shared" / "data"))
NBSP = "\u00a0"


def vocabulary(*labels):
    return Embeddings(labels, np.eye(len(labels)))


def read(tmp_path, data, **options):
    path = tmp_path / "pairs.txt"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return SeedDictionary.read(path, **options)


def test_tabs_and_muse_style_blanks_are_both_read(tmp_path):
    text = f"the le\nsun   soleil\nNew York\tNueva York\nice cream \t glace\n#\t#\n10{NBSP}000 10000\nx\t\u2028\r\n"
    pairs = read(tmp_path, text)
    assert pairs.pairs == (
        ("the", "le"),
        ("sun", "soleil"),
        ("New York", "Nueva York"),
        ("ice cream", "glace"),
        ("#", "#"),
        (f"10{NBSP}000", "10000"),
        ("x", "\u2028"),
    )


def test_blank_lines_and_byte_order_mark_are_passed_over_and_duplicates_kept_once(tmp_path):
    pairs = read(tmp_path, b"\xef\xbb\xbfa b\n\n \t\r\na\tb\na c\n")
    assert pairs.pairs == (("a", "b"), ("a", "c"))
    assert (pairs.report.n_read, pairs.report.n_kept, pairs.report.duplicates) == (3, 2, 1)
    assert "2 of 3 pairs kept; dropped: 1 duplicate" in pairs.report.summary()


def test_lower_casing_merges_pairs(tmp_path):
    pairs = read(tmp_path, "The Le\nthe le\nÄrger\tIRE\n", lowercase=True)
    assert pairs.pairs == (("the", "le"), ("ärger", "ire"))
    assert pairs.report.duplicates == 1


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (b"word", "found 1 fields: 'word'"),
        (b"new york nueva york", "found 4 fields"),
        (b"a\tb\t0.5", "found 3 fields"),
        (b"a\t", "found 2 fields"),
        (b"\tb", "found 2 fields"),
        (b"a \xe9", "not UTF-8"),
    ],
)
def test_a_malformed_line_is_named_by_number_or_dropped_and_listed(tmp_path, bad, said):
    data = b"a b\n\n" + bad + b"\nc d\n"
    with pytest.raises(DictionaryError, match=rf"pairs\.txt, line 3: .*{said}.*on_malformed='skip'"):
        read(tmp_path, data)
    pairs = read(tmp_path, data, on_malformed="skip")
    assert pairs.pairs == (("a", "b"), ("c", "d"))
    assert (pairs.report.malformed, pairs.report.malformed_lines) == (1, (3,))


def test_a_file_without_pairs_is_refused(tmp_path):
    for data, options in ((b"", {}), (b"\n \n", {}), (b"word\n", {"on_malformed": "skip"})):
        with pytest.raises(DictionaryError, match="no pair found"):
            read(tmp_path, data, **options)
    with pytest.raises(ValueError, match="on_malformed"):
        read(tmp_path, b"a b", on_malformed="ignore")


@pytest.mark.parametrize("pair", [("a",), ("a", "b", "c"), ("a", ""), ("a", 1), "ab"])
def test_pairs_are_two_strings(pair):
    with pytest.raises(ValueError, match="two strings"):
        SeedDictionary((pair,))


def test_what_is_written_is_read_back(tmp_path):
    pairs = SeedDictionary((("New York", "Nueva York"), (f"a{NBSP}b", "\u2028"), ("a", "b"), ("a", "c")))
    pairs.write(tmp_path / "x.tsv")
    assert SeedDictionary.read(tmp_path / "x.tsv").pairs == pairs.pairs


@pytest.mark.parametrize("label", ["a\tb", "a\nb", "a\r", " a", "a "])
def test_labels_that_would_not_be_read_back_are_not_written(tmp_path, label):
    with pytest.raises(ValueError, match="labels hold no tab"):
        SeedDictionary((("ok", label),)).write(tmp_path / "x.tsv")
    assert list(tmp_path.iterdir()) == []


def test_index_pairs_and_coverage_by_hand():
    source, target = vocabulary("a", "b", "c"), vocabulary("x", "y")
    pairs = SeedDictionary((("b", "y"), ("b", "z"), ("a", "x"), ("a", "y"), ("q", "x"), ("c", "z"), ("r", "s")))
    rows, coverage = pairs.index_pairs(source, target)
    assert rows.dtype == np.int64
    assert rows.tolist() == [[1, 1], [0, 0], [0, 1]]
    assert (coverage.n_pairs, coverage.n_covered) == (7, 3)
    assert (coverage.n_sources, coverage.n_sources_covered) == (5, 2)
    assert (coverage.n_missing_source, coverage.n_missing_target) == (2, 3)
    assert coverage.missing == (("b", "z"), ("q", "x"), ("c", "z"), ("r", "s"))
    assert coverage.summary() == "3 of 7 pairs covered, 2 of 5 source words"


def test_nothing_covered_gives_an_empty_matrix_of_two_columns():
    rows, coverage = SeedDictionary((("q", "r"),)).index_pairs(vocabulary("a"), vocabulary("b"))
    assert rows.shape == (0, 2)
    assert rows.dtype == np.int64
    assert coverage.n_covered == 0


def test_at_most_ten_missing_pairs_are_shown():
    pairs = SeedDictionary(tuple((f"s{i}", "t") for i in range(30)))
    _, coverage = pairs.index_pairs(vocabulary("a"), vocabulary("b"))
    assert coverage.missing == pairs.pairs[:10]
    assert coverage.n_missing_source == 30


def test_targets_are_grouped_by_source_in_order():
    pairs = SeedDictionary((("a", "x"), ("b", "y"), ("a", "w")))
    assert dict(pairs.by_source) == {"a": ("x", "w"), "b": ("y",)}
    assert pairs.inverted().pairs == (("x", "a"), ("y", "b"), ("w", "a"))


def test_identical_strings_and_numerals():
    source, target = (
        vocabulary("taxi", "the", "1984", "²", "٣", "3.5", "7"),
        vocabulary("7", "²", "٣", "1984", "taxi", "3.5"),
    )
    assert SeedDictionary.identical(source, target).pairs == tuple(
        (label, label) for label in ("taxi", "1984", "²", "٣", "3.5", "7")
    )
    assert SeedDictionary.numerals(source, target).pairs == (("1984", "1984"), ("7", "7"))
    assert len(SeedDictionary.identical(vocabulary("a"), vocabulary("b"))) == 0


@pytest.mark.parametrize("fraction", [0.001, 0.1, 0.5, 0.9, 0.999])
def test_no_source_label_is_on_both_sides_of_a_split(fraction):
    rng = np.random.default_rng(1)
    pairs = SeedDictionary(tuple((f"s{s}", f"t{t}") for s, t in rng.integers(0, 60, size=(200, 2)).tolist()))
    first, second = pairs.split(fraction, seed=3)
    sources = set(pairs.by_source)
    assert not set(first.by_source) & set(second.by_source)
    assert sorted(first.pairs + second.pairs) == sorted(pairs.pairs)
    expected = min(max(round(fraction * len(sources)), 1), len(sources) - 1)
    assert len(first.by_source) == expected
    assert [pair for pair in pairs.pairs if pair in set(first.pairs)] == list(first.pairs)


def test_a_split_depends_on_its_seed_only():
    pairs = SeedDictionary(tuple((f"s{i}", f"t{i}") for i in range(100)))
    assert pairs.split(0.5, seed=1) == pairs.split(0.5, seed=1)
    assert pairs.split(0.5, seed=1) != pairs.split(0.5, seed=2)


@pytest.mark.parametrize("fraction", [0, 1, -0.5, 1.5, float("nan")])
def test_fractions_outside_are_refused(fraction):
    with pytest.raises(ValueError, match="between 0 and 1"):
        SeedDictionary((("a", "x"), ("b", "y"))).split(fraction, seed=0)


def test_one_source_label_cannot_be_split():
    with pytest.raises(ValueError, match="at least two different source labels, got 1"):
        SeedDictionary((("a", "x"), ("a", "y"))).split(0.5, seed=0)


def test_published_dictionaries_and_their_coverage():
    folder = DATA / "xling-eval" / "en-fr"
    if not folder.exists() or not (DATA / "vectors").exists():
        pytest.skip("the dictionaries are not here")
    train = SeedDictionary.read(folder / "yacle.train.freq.5k.en-fr.tsv")
    test = SeedDictionary.read(folder / "yacle.test.freq.2k.en-fr.tsv")
    assert (train.report.n_read, test.report.n_read) == (5000, 2000)
    english = Embeddings.read(DATA / "vectors" / "en.glove100d.30k.npz", limit=20000)
    french = Embeddings.read(DATA / "vectors" / "fr.vec20k.npz").lowercased()
    _, coverage = test.index_pairs(english, french)
    # The published setting: 1,113 test words with a covered translation.
    assert coverage.n_sources_covered == 1113
