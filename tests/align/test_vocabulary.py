"""Labels and vectors stay together, and what would break an aligner is refused on construction."""

import dataclasses
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from interlingua.align.arrays import MissingExtraError
from interlingua.align.formats.rows import ReadReport
from interlingua.align.space import SpaceError
from interlingua.align.vocabulary import Embeddings, export_embeddings, export_languages, map_embeddings, to_gensim
from interlingua.align.word.methods.procrustes import Procrustes

DATA = Path(os.environ.get("INTERLINGUA_DATA", Path(__file__).resolve().parents[2].parent / "shared" / "data"))


def words(*labels, d=3, seed=0):
    rng = np.random.default_rng(seed)
    return Embeddings(labels, rng.standard_normal((len(labels), d)).astype(np.float32), space="eng")


def test_labels_rows_and_index_agree():
    some = words("sun", "moon", "star")
    assert len(some) == 3
    assert some.dimension == 3
    assert list(some) == ["sun", "moon", "star"]
    assert dict(some.index) == {"sun": 0, "moon": 1, "star": 2}
    assert some.index is some.index
    assert "moon" in some
    assert "Moon" not in some
    np.testing.assert_array_equal(some["star"], some.vectors[2])


def test_an_absent_label_is_named():
    with pytest.raises(KeyError, match="'mars' is not among the 2 labels of eng"):
        words("sun", "moon")["mars"]


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_vectors_become_contiguous_float32_and_the_input_stays(dtype, order):
    given = np.array([[1, 2], [3, 4]], dtype=dtype, order=order)
    before = given.copy()
    made = Embeddings(["a", "b"], given)
    assert made.labels == ("a", "b")
    assert made.vectors.dtype == np.float32
    assert made.vectors.flags.c_contiguous
    np.testing.assert_array_equal(made.vectors, before)
    np.testing.assert_array_equal(given, before)


def test_a_contiguous_float32_matrix_is_not_copied():
    given = np.eye(2, dtype=np.float32)
    assert np.shares_memory(Embeddings(("a", "b"), given).vectors, given)


def test_no_attribute_can_be_set():
    with pytest.raises(dataclasses.FrozenInstanceError):
        words("a").space = "fra"


@pytest.mark.parametrize(
    ("labels", "vectors", "error", "said"),
    [
        (("a",), np.eye(2), ValueError, "1 labels and 2 rows"),
        (("a", "a"), np.eye(2), ValueError, "1 duplicates, 'a' among them"),
        (("a", "b"), np.ones(2), ValueError, r"shape \(2,\)"),
        (("a", "b"), np.ones((2, 0)), ValueError, r"shape \(2, 0\)"),
        (("a", "b"), [[1.0], [np.nan]], ValueError, r"row 1 \('b'\) holds NaN"),
        (("a", "b"), [[np.inf], [1.0]], ValueError, r"row 0 \('a'\)"),
        (("a", "b"), [[1e39], [1.0]], ValueError, r"finite in float32; row 0"),
        (("a", "b"), [["x"], ["y"]], TypeError, "real numbers"),
        (("a", "b"), np.eye(2) * 1j, TypeError, "real numbers"),
        (("a", 2), np.eye(2), TypeError, "2 of type int"),
        ("ab", np.eye(2), TypeError, "sequence of strings"),
    ],
)
def test_what_would_break_an_aligner_is_refused(labels, vectors, error, said):
    with pytest.raises(error, match=said):
        Embeddings(labels, vectors)


def test_a_nan_far_down_is_found():
    vectors = np.zeros((70000, 1), dtype=np.float32)
    vectors[69999] = np.nan
    with pytest.raises(ValueError, match="row 69999"):
        Embeddings(tuple(map(str, range(70000))), vectors)


def test_selection_by_labels_rows_and_mask_agree():
    some = words("a", "b", "c", "d")
    for chosen in (
        some.select(["d", "b"]),
        some.select([3, 1]),
        some.select(range(3, 0, -2)),
        some.select(np.array([3, 1])),
        some.select(np.array(["d", "b"])),
    ):
        assert chosen.labels == ("d", "b")
        np.testing.assert_array_equal(chosen.vectors, some.vectors[[3, 1]])
        assert chosen.space == "eng"
    assert some.select(np.array([False, True, False, True])).labels == ("b", "d")
    assert len(some.select([])) == 0


@pytest.mark.parametrize(
    ("which", "error", "said"),
    [
        (["a", "x", "y"], KeyError, r"2 of 3 labels are absent.*'x', 'y'"),
        ([0, 2], IndexError, "0 to 1, got 0 to 2"),
        ([-1], IndexError, "got -1"),
        ("a", TypeError, r"write \['a'\]"),
        ([1.5], TypeError, "row numbers"),
        ([True, False], TypeError, "boolean array"),
        (np.array([True]), IndexError, "2 rows"),
        ([0, 0], ValueError, "duplicates"),
    ],
)
def test_wrong_selections_are_refused(which, error, said):
    with pytest.raises(error, match=said):
        words("a", "b").select(which)


def test_lower_casing_keeps_the_first_and_counts():
    some = words("The", "sun", "the", "THE", "Ärger", "Sun")
    lower = some.lowercased()
    assert lower.labels == ("the", "sun", "ärger")
    np.testing.assert_array_equal(lower.vectors, some.vectors[[0, 1, 4]])
    assert (lower.report.n_read, lower.report.n_kept, lower.report.duplicates) == (6, 3, 3)
    assert lower.space == "eng"


def test_lower_casing_adds_to_the_report_of_the_file():
    report = ReadReport("x.vec", "word2vec", n_read=5, n_kept=2, dimension=1, duplicates=3)
    lower = dataclasses.replace(Embeddings(("A", "a"), [[1.0], [2.0]]), report=report).lowercased()
    assert (lower.report.path, lower.report.n_kept, lower.report.duplicates) == ("x.vec", 1, 4)


def test_a_mapping_keeps_its_order():
    made = Embeddings.from_mapping({"b": [1, 2], "a": np.array([3.0, 4.0])}, space="x")
    assert made.labels == ("b", "a")
    assert made.vectors.tolist() == [[1, 2], [3, 4]]
    assert made.space == "x"


@pytest.mark.parametrize("mapping", [{}, {"a": [1], "b": [1, 2]}, {"a": [[1]]}])
def test_mappings_without_one_length_are_refused(mapping):
    with pytest.raises(ValueError, match="vector"):
        Embeddings.from_mapping(mapping)


def test_the_summary_is_one_line_with_every_count():
    report = ReadReport(
        "x.vec",
        "word2vec",
        n_read=40,
        n_kept=10,
        dimension=5,
        promised=50,
        duplicates=2,
        zero_vectors=1,
        non_finite=1,
        malformed=27,
        non_finite_lines=(7,),
        malformed_lines=tuple(range(1, 21)),
        damage="truncated",
    )
    assert report.summary() == (
        "x.vec: 10 of 40 vectors of dimension 5 kept (word2vec); dropped: 2 duplicates, "
        "27 malformed (at 1, 2, 3, 4, 5, ...), 1 non-finite (at 7); kept 1 zero vector; truncated"
    )


@pytest.mark.parametrize(("name", "shape"), [("en.glove100d.30k.npz", (30000, 100)), ("fr.vec20k.npz", (19994, 300))])
def test_real_vectors_survive_text_and_binary(tmp_path, name, shape):
    path = DATA / "vectors" / name
    if not path.exists():
        pytest.skip(f"{path.name} is not here")
    oracle = np.load(path)
    every = Embeddings.read(path)
    assert every.vectors.shape == shape
    assert every.labels == tuple(oracle["words"].tolist())
    np.testing.assert_array_equal(every.vectors, oracle["vectors"].astype(np.float32))
    # Real labels of one Unicode space or line separator (U+0085, U+2028, U+3000, ...) are among the French ones.
    odd = [label for label in every.labels if label.isspace()]
    assert len(odd) == (6 if name.startswith("fr") else 0)
    some = every.select([*odd, *(label for label in every.labels[:250] if label not in odd)])
    for suffix in (".vec", ".glove", ".bin", ".vec.gz"):
        some.write(tmp_path / ("x" + suffix))
        again = Embeddings.read(tmp_path / ("x" + suffix))
        assert again.labels == some.labels
        np.testing.assert_array_equal(again.vectors, some.vectors)


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    english = rng.normal(size=(30, 4)).astype(np.float32)
    french = rng.normal(size=(30, 4)).astype(np.float32)
    pairs = np.stack([np.arange(30)] * 2, axis=1)
    space = Procrustes().fit(english, french, pairs, names=("en", "fr")).space_
    words = {
        "en": Embeddings(tuple(f"word{k}" for k in range(30)), english, "en"),
        "fr": Embeddings(tuple(f"mot{k}é" for k in range(30)), french, "fr"),
    }
    return space, words


@pytest.mark.parametrize("suffix", [".vec", ".vec.gz", ".glove", ".bin", ".npz", ".safetensors"])
def test_every_format_gives_the_mapped_vectors_back(tmp_path, case, suffix):
    space, words = case
    for language, each in words.items():
        path = tmp_path / (language + suffix)
        returned = export_embeddings(space, each, path)
        read = Embeddings.read(path)
        expected = space.transform(each.vectors, language)
        assert read.labels == each.labels == returned.labels
        np.testing.assert_array_equal(read.vectors, expected)
        np.testing.assert_allclose(np.linalg.norm(read.vectors, axis=1), 1.0, atol=1e-6)


def test_the_binary_file_is_laid_out_as_gensim_reads_it(tmp_path, case):
    space, words = case
    export_embeddings(space, words["fr"], tmp_path / "fr.bin", limit=5)
    content = (tmp_path / "fr.bin").read_bytes()
    header, _, rest = content.partition(b"\n")
    assert header == b"5 4"
    expected = space.transform(words["fr"].vectors[:5], "fr")
    for row, label in enumerate(words["fr"].labels[:5]):
        name, _, rest = rest.lstrip(b"\n").partition(b" ")
        assert name.decode() == label
        np.testing.assert_array_equal(struct.unpack("<4f", rest[:16]), expected[row])
        rest = rest[16:]
    assert rest.strip(b"\n") == b""


def test_gensim_reads_it(tmp_path, case):
    models = pytest.importorskip("gensim.models")
    space, words = case
    mapped = export_embeddings(space, words["fr"], tmp_path / "fr.bin")
    read = models.KeyedVectors.load_word2vec_format(str(tmp_path / "fr.bin"), binary=True)
    built = to_gensim(mapped)
    for vectors in (read, built):
        assert tuple(vectors.index_to_key) == mapped.labels
        np.testing.assert_array_equal(vectors.vectors, mapped.vectors)


def test_without_gensim_the_extra_is_named(case, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "gensim", None)
    monkeypatch.setitem(__import__("sys").modules, "gensim.models", None)
    with pytest.raises(MissingExtraError, match=r"interlingua\[gensim\]"):
        to_gensim(case[1]["fr"])


def test_all_languages_go_into_one_folder(tmp_path, case):
    space, words = case
    paths = export_languages(space, words, tmp_path / "out", suffix=".npz", limit=7)
    assert {name: path.name for name, path in paths.items()} == {"en": "en.npz", "fr": "fr.npz"}
    for name, path in paths.items():
        read = Embeddings.read(path)
        assert (read.space, len(read)) == (name, 7)
        np.testing.assert_array_equal(read.vectors, space.transform(words[name].vectors[:7], name))


def test_a_wrong_language_writes_nothing(tmp_path, case):
    space, words = case
    with pytest.raises(SpaceError, match="no language 'de'"):
        export_languages(space, {**words, "de": words["en"]}, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    unnamed = Embeddings(words["en"].labels, words["en"].vectors)
    with pytest.raises(SpaceError, match="language=: en, fr"):
        map_embeddings(space, unnamed)
    np.testing.assert_array_equal(
        map_embeddings(space, unnamed, language="en").vectors, map_embeddings(space, words["en"]).vectors
    )


def test_names_that_are_no_file_names_are_refused(tmp_path, case):
    space, words = case
    other = type(space)({"../en": space.maps["en"]}, method="x")
    with pytest.raises(ValueError, match="cannot name a file"):
        export_languages(other, {"../en": words["en"]}, tmp_path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="at least 1"):
        export_embeddings(space, words["en"], tmp_path / "en.vec", limit=0)
