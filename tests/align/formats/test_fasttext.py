"""The reader against bytes laid out by hand, and against values that the fastText library computed."""

import struct
from pathlib import Path

import numpy as np
import pytest

from interlingua.align.formats.fasttext import SubwordVectors, ngram_hash, subword_ngrams
from interlingua.align.formats.rows import EmbeddingFileError
from interlingua.align.space import SpaceError
from interlingua.align.vocabulary import Embeddings
from interlingua.align.word.methods.procrustes import Procrustes

TINY = Path(__file__).parent / "data" / "fasttext_tiny.bin"

# get_word_vector of fasttext-wheel 0.9.2 for the model above: five dimensions, 50 buckets, n-grams of 1 to 3
WORDS = {
    "sun": [-0.007645321, 0.006946079, 0.008560327, 0.004005122, -0.010264705],
    "été": [-0.005303947, 0.007304936, -0.002501119, 0.002516408, 0.005306754],
    "東京": [-0.003039560, 0.004795826, -0.001193046, 0.002396222, 0.003604773],
    "😀": [-0.003521865, 0.005562370, -0.001384619, 0.002623810, 0.004125140],
    "don't": [-0.003772947, 0.006100913, -0.001411086, 0.003047377, 0.004599275],
    "unknown": [-0.003819051, 0.005723025, -0.001584144, 0.002485130, 0.004228273],
    "дорога": [-0.004042130, 0.006017957, -0.001631370, 0.002694395, 0.004312730],
    "東京都": [-0.003308916, 0.004969663, -0.001371909, 0.002166290, 0.003640882],
    "</s>": [-0.166615367, 0.157614186, -0.124342211, -0.040357564, 0.098076515],
    "": [-0.009153010, 0.013231867, -0.003793123, 0.005626430, 0.009583009],
}
# get_sentence_vector of the same
PHRASES = {
    "sun moon": [-0.438394070, 0.534103096, 0.159866616, 0.263944387, -0.048233688],
    "unknown 東京 water": [-0.436452478, 0.664363325, -0.175086185, 0.308798254, 0.491518855],
    "</s> day": [-0.510188580, 0.611906648, -0.309710741, 0.084044322, 0.422352076],
    "moon": [-0.436399519, 0.668095529, -0.173361927, 0.297184229, 0.494804025],
}

# bucket numbers modulo 2,000,003 by get_subwords of fasttext-wheel 0.9.2
HASHES = {
    "<da": 268729, "day>": 997170, "<day>": 241711, "a": 1996484, "é": 1042244, "<été>": 995782, "té": 37571,
    "水": 789607, "<水>": 454308, "😀": 30590, "😀>": 506796, "naïve": 826883, "'t>": 1428571, "don't>": 1381123,
}  # fmt: skip


@pytest.mark.parametrize(("ngram", "bucket"), HASHES.items())
def test_hashes_are_those_of_the_library(ngram, bucket):
    assert ngram_hash(ngram) % 2_000_003 == bucket


def test_ascii_hashes_are_standard_fnv1a():
    # published test vectors of 32-bit FNV-1a
    assert ngram_hash("") == 0x811C9DC5
    assert ngram_hash("a") == 0xE40C292C
    assert ngram_hash("foobar") == 0xBF9CF968


def test_ngrams_are_in_the_order_of_the_library():
    expected = ("<d", "<da", "<day", "d", "da", "day", "day>", "a", "ay", "ay>", "y", "y>")
    assert subword_ngrams("day", 1, 4) == expected
    assert subword_ngrams("水", 3, 6) == ("<水>",)


@pytest.mark.parametrize("mmap", [True, False])
def test_vectors_are_those_of_the_library(mmap):
    model = SubwordVectors.read(TINY, mmap=mmap)
    np.testing.assert_allclose(model.vectors(list(WORDS)), list(WORDS.values()), atol=2e-8)
    np.testing.assert_allclose(model.phrases(list(PHRASES)), list(PHRASES.values()), atol=2e-7)
    assert "sun" in model
    assert "unknown" not in model
    assert (len(model), model.dimension, model.shortest, model.longest, model.n_buckets) == (31, 5, 1, 3, 50)


def brute_force(rows, words, n_buckets, shortest, longest, word):
    """The definition: all character substrings of <word>, hashed one by one."""
    marked = f"<{word}>"
    picked = [words.index(word)] if word in words else []
    for start in range(len(marked)):
        for length in range(shortest, longest + 1):
            ngram = marked[start : start + length]
            if len(ngram) < length or (length == 1 and ngram in "<>"):
                continue
            value = np.uint32(2166136261)
            with np.errstate(over="ignore"):
                for byte in np.frombuffer(ngram.encode(), np.int8):
                    value = np.uint32(value ^ np.uint32(np.int32(byte).view(np.uint32))) * np.uint32(16777619)
            picked.append(len(words) + int(value) % n_buckets)
    return rows[picked].mean(axis=0)


def model_bytes(
    rows,
    words,
    *,
    n_buckets,
    shortest=2,
    longest=4,
    version=12,
    kind=2,
    labels=(),
    pruned=None,
    quantised=0,
    shape=None,
):
    """A fastText file, field by field."""
    d = rows.shape[1]
    parts = [struct.pack("<ii", 793712314, version)]
    parts.append(struct.pack("<12id", d, 5, 5, 1, 5, 1, 2, kind, n_buckets, shortest, longest, 100, 1e-4))
    size = -1 if pruned is None else len(pruned)
    parts.append(struct.pack("<3i2q", len(words) + len(labels), len(words), len(labels), 100, size))
    for kind_of_entry, entries in ((0, words), (1, labels)):
        parts += [
            word.encode("utf-8", "surrogateescape") + b"\0" + struct.pack("<qb", 7, kind_of_entry) for word in entries
        ]
    parts += [struct.pack("<ii", *each) for each in (pruned or {}).items()]
    parts += [struct.pack("<?2q", quantised, *(shape or rows.shape)), rows.astype("<f4").tobytes()]
    parts += [struct.pack("<?2q", 0, 1, d), np.zeros(d, "<f4").tobytes()]
    return b"".join(parts)


def numbers(n, d=3, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def written(tmp_path, *args, **kwargs):
    path = tmp_path / "model.bin"
    path.write_bytes(model_bytes(*args, **kwargs))
    return path


@pytest.mark.parametrize(("shortest", "longest"), [(1, 1), (1, 3), (3, 6), (2, 40)])
def test_any_word_is_the_mean_of_its_ngrams(tmp_path, shortest, longest):
    words = ["sun", "été", "東京"]
    rows = numbers(3 + 17)
    path = written(tmp_path, rows, words, n_buckets=17, shortest=shortest, longest=longest)
    model = SubwordVectors.read(path, space="xx")
    for word in ("sun", "été", "東京", "moon", "水火木金土", "naïveté", "😀"):
        expected = brute_force(rows.astype(np.float64), words, 17, shortest, longest, word)
        np.testing.assert_allclose(model.vector(word), expected, atol=1e-6)
        assert model.vector(word).dtype == np.float32
    vocabulary = model.embeddings(limit=2)
    assert (vocabulary.labels, vocabulary.space) == (("sun", "été"), "xx")
    np.testing.assert_array_equal(vocabulary["été"], model.vector("été"))


def test_the_end_of_sentence_is_its_own_row_alone(tmp_path):
    rows = numbers(2 + 9)
    model = SubwordVectors.read(written(tmp_path, rows, ["sun", "</s>"], n_buckets=9))
    np.testing.assert_array_equal(model.vector("</s>"), rows[1])


def test_a_model_without_subwords_knows_its_words_only(tmp_path):
    rows = numbers(2)
    model = SubwordVectors.read(written(tmp_path, rows, ["sun", "moon"], n_buckets=0, shortest=0, longest=0))
    np.testing.assert_array_equal(model.vector("moon"), rows[1])
    np.testing.assert_array_equal(model.vector("star"), np.zeros(3))


def test_supervised_models_of_version_11_have_no_subwords(tmp_path):
    rows = numbers(1 + 9)
    path = written(tmp_path, rows, ["sun"], n_buckets=9, version=11, kind=3, labels=["__label__a"])
    np.testing.assert_array_equal(SubwordVectors.read(path).vector("sun"), rows[0])


def test_pruned_models_use_the_buckets_kept(tmp_path):
    bucket = ngram_hash("<ab>") % 50
    other = ngram_hash("<cd>") % 50
    rows = numbers(1 + 2)
    path = written(tmp_path, rows, ["ab"], n_buckets=50, shortest=4, longest=4, pruned={other: 0, bucket: 1})
    model = SubwordVectors.read(path)
    np.testing.assert_allclose(model.vector("ab"), (rows[0] + rows[2]) / 2, atol=1e-7)
    np.testing.assert_array_equal(model.vector("cd"), rows[1])
    np.testing.assert_array_equal(model.vector("ef"), np.zeros(3))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"quantised": 1}, "quantised"),
        ({"version": 13}, "version 13"),
        ({"shape": (5, 3)}, "must be 11 x 3"),
        ({"shape": (11, 4)}, "must be 11 x 3"),
        ({"shape": (1 << 40, 3)}, "truncated"),
    ],
)
def test_what_cannot_be_right_is_refused(tmp_path, change, said):
    path = written(tmp_path, numbers(11), ["sun", "moon"], n_buckets=9, **change)
    with pytest.raises(EmbeddingFileError, match=said):
        SubwordVectors.read(path)


def test_every_truncation_is_refused(tmp_path):
    content = model_bytes(numbers(2 + 3), ["sun", "moon"], n_buckets=3)
    path = tmp_path / "cut.bin"
    needed = len(content) - (1 + 16 + 4 * 3)  # the output matrix is not read
    for size in range(0, needed, 3):
        path.write_bytes(content[:size])
        with pytest.raises(EmbeddingFileError, match=r"cut\.bin"):
            SubwordVectors.read(path)
    path.write_bytes(content[:needed])
    assert len(SubwordVectors.read(path)) == 2


def test_word_vectors_are_told_from_models(tmp_path):
    Embeddings(("sun",), [[1.0, 2.0]]).write(tmp_path / "words.bin")
    with pytest.raises(EmbeddingFileError, match=r"Embeddings\.read"):
        SubwordVectors.read(tmp_path / "words.bin")


def test_unknown_words_and_phrases_go_through_a_saved_space(tmp_path):
    words = [f"w{k}" for k in range(40)]
    model = SubwordVectors.read(written(tmp_path, numbers(40 + 30, d=4), words, n_buckets=30), space="xx")
    own = model.embeddings()
    rotation = np.linalg.qr(numbers(4, d=4, seed=5))[0]
    pairs = np.stack([np.arange(40)] * 2, axis=1)
    space = Procrustes().fit(own.vectors, own.vectors @ rotation, pairs, names=("xx", "yy")).space_
    space.save(tmp_path / "space")
    mapped = model.map(["w3", "unknown", "w3 unknown"], type(space).load(tmp_path / "space"))
    assert (mapped.labels, mapped.space) == (("w3", "unknown", "w3 unknown"), "xx")
    np.testing.assert_allclose(
        mapped["unknown"], space.transform(model.vector("unknown")[None] @ rotation, "yy")[0], atol=1e-5
    )
    unit = [model.vector(word) / np.linalg.norm(model.vector(word)) for word in ("w3", "unknown")]
    np.testing.assert_allclose(mapped["w3 unknown"], space.transform(np.mean(unit, axis=0)[None], "xx")[0], atol=1e-5)
    with pytest.raises(ValueError, match="'' among them"):
        model.map(["w3", ""], space)
    with pytest.raises(SpaceError, match="no language 'zz'"):
        model.map(["w3"], space, language="zz")
    with pytest.raises(TypeError, match="a sequence"):
        model.vectors("sun")


def test_a_model_is_read_like_any_file_of_vectors(tmp_path):
    path = written(tmp_path, numbers(5 + 30, d=4), ["sun", "café", "bad\udcff", "bad\udcfe", "moon"], n_buckets=30)
    model = SubwordVectors.read(path)
    read = Embeddings.read(path, space="xx")
    assert read.labels == ("sun", "café", "bad\ufffd", "moon")
    np.testing.assert_array_equal(read.vectors, model.embeddings().vectors)
    assert (read.space, read.report.format, read.report.promised, read.report.duplicates) == ("xx", "fasttext", 5, 1)
    assert Embeddings.read(path, limit=2).labels == ("sun", "café")
    with path.open("rb") as stream, pytest.raises(EmbeddingFileError, match="fasttext is read from an ordinary file"):
        Embeddings.read(stream)


def test_unknown_words_get_the_vectors_of_their_subwords(tmp_path):
    model = SubwordVectors.read(written(tmp_path, numbers(2 + 30, d=4), ["sun", "moon"], n_buckets=30), space="xx")
    words = model.embeddings()
    more = model.extended(words, ["Sun", "suns", "sun", "suns", "mooning"])
    assert more.labels == ("sun", "moon", "suns", "mooning")
    np.testing.assert_array_equal(more["suns"], model.vector("suns"))
    assert model.extended(words, ["sun"]) is words


@pytest.mark.parametrize("shortest", [0, 1])
def test_ngrams_from_zero_characters_are_those_from_one(tmp_path, shortest):
    rows = numbers(2 + 9, d=3)
    path = written(tmp_path, rows, ["sun", "moon"], n_buckets=9, shortest=shortest, longest=3)
    model = SubwordVectors.read(path)
    assert model.shortest == 1
    expected = [rows[0], *(rows[2 + ngram_hash(each) % 9] for each in subword_ngrams("sun", 1, 3))]
    np.testing.assert_allclose(model.vector("sun"), np.mean(expected, axis=0), rtol=1e-5)
