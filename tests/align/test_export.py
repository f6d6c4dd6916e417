import struct

import numpy as np
import pytest

from interlingua.align.arrays import MissingExtraError
from interlingua.align.space import SpaceError
from interlingua.align.vocabulary import Embeddings, export_embeddings, export_languages, map_embeddings, to_gensim
from interlingua.align.word.methods.procrustes import Procrustes


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
