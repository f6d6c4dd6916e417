"""Texts beyond an encoder's limit are told, and windows show all of them."""

import json
import warnings
from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("sentence_transformers")

from interlingua.pipelines.encoders.base import UnknownTextError
from interlingua.pipelines.encoders.cache import CachedEncoder, EmbeddingCache
from interlingua.pipelines.encoders.limits import TextsCutWarning, cut_limits, naming_languages, text_windows
from interlingua.pipelines.encoders.load import encode_named
from interlingua.pipelines.encoders.transformer import TransformerEncoder

POSITIONS = 64
MARKS = 2
PROMPT = 2  # "passage", ":"
FITS = POSITIONS - MARKS - PROMPT  # tokens of a passage


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write_tiny_model):
    place = tmp_path_factory.mktemp("model")
    write_tiny_model(place, {"query": "query: ", "passage": "passage: "}, positions=POSITIONS)
    return place


@pytest.fixture(scope="module")
def encoder(folder):
    return TransformerEncoder(folder, device="cpu", dtype="float32")


def words(count, seed=0):
    return " ".join(np.random.default_rng(seed).choice([*"abcdefghij"], count))


def said(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return [str(each.message) for each in caught if each.category is TextsCutWarning]


@pytest.mark.parametrize(("count", "cut"), [(FITS, False), (FITS + 1, True), (500, True)])
def test_a_text_is_cut_if_its_tokens_and_those_of_the_prompt_exceed_the_limit(encoder, count, cut):
    text = words(count)
    assert cut_limits(encoder, [text, "a b"], "passage").tolist() == [POSITIONS * cut, 0]
    other = " ".join(text.split()[:FITS] + ["j"] * (count - FITS))  # what is beyond has no part in the vector
    moved = np.abs(encoder_vectors(encoder, text) - encoder_vectors(encoder, other)).max()
    assert (moved < 1e-6) == (cut or text == other)


def test_the_warning_counts_texts_and_languages(encoder):
    texts = [words(200), "a b", words(200), words(90, 1), "c"]
    assert said(lambda: encoder.encode(["a b", "c"], role="passage")) == []
    (plain,) = said(lambda: encoder.encode(texts, role="passage"))
    assert plain.startswith("3 of 5 texts are longer than the 64 tokens that the encoder reads, ")
    with naming_languages(["sw", "sw", "fi", "sw", "fi"]):
        (named,) = said(lambda: encoder.encode(texts, role="passage"))
    assert named.startswith("3 of 5 texts (sw: 2, fi: 1) are longer")


def test_a_cached_vector_is_told_of_as_well_without_the_model(encoder, folder, tmp_path):
    texts = [words(200), "a b", words(FITS, 3)]
    cache = EmbeddingCache(tmp_path / "vectors.sqlite")
    first = said(lambda: CachedEncoder(encoder, cache).encode(texts, role="passage"))
    unloaded = TransformerEncoder(folder, device="cpu", dtype="float32")
    vars(unloaded)["dimension"] = encoder.dimension  # as the bundled one knows it
    again = said(lambda: CachedEncoder(unloaded, cache).encode([texts[0], texts[0], *texts[1:]], role="passage"))
    assert [each[:16] for each in (*first, *again)] == ["1 of 3 texts are", "2 of 4 texts are"]
    assert "model" not in vars(unloaded)


def test_a_vector_of_an_earlier_version_of_the_cache_is_measured_once(encoder, tmp_path):
    cache, text = EmbeddingCache(tmp_path / "vectors.sqlite"), words(200)
    cached = CachedEncoder(encoder, cache)
    cached.cache.put([_key(cached, text)], encoder_vectors(encoder, text))
    assert len(said(lambda: cached.encode([text], role="passage"))) == 1
    assert cached.misses == 0


def _key(cached, text):
    from interlingua.pipelines.encoders.cache import _text_key

    return _text_key(cached._base(cached.encoder, "passage"), text)


def encoder_vectors(encoder, text):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TextsCutWarning)
        return encoder.encode([text], role="passage")


@pytest.mark.parametrize("overlap", [0, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("count", [FITS, FITS + 1, 100, 333, 1000])
def test_windows_cover_a_text_and_each_is_read_whole(encoder, count, overlap):
    text = words(count)
    (windows,) = text_windows(encoder, [text], overlap=overlap)
    assert windows[0][0] == 0
    assert windows[-1][1] == len(text)
    for (begin, end), (following, beyond) in pairwise(windows):
        assert begin < following <= end < beyond
        assert text[following - 1] == " "
    parts = [text[begin:end] for begin, end in windows]
    assert not cut_limits(encoder, parts, "passage").any()
    assert len(windows) == 1 or count > FITS
    tokens = [len(each) for each in encoder.token_spans(parts)]
    assert sum(tokens) <= count / (1 - overlap) * 1.6 + 2 * FITS


def test_windows_of_one_endless_word_cover_it_too(encoder):
    text = "-".join("abcdefgh" * 50)  # cut at each hyphen, without a blank
    (windows,) = text_windows(encoder, [text])
    assert (windows[0][0], windows[-1][1]) == (0, len(text))
    assert all(begin < following <= end for (begin, end), (following, _) in pairwise(windows))
    assert not cut_limits(encoder, [text[begin:end] for begin, end in windows], "passage").any()


def test_an_encoder_without_a_limit_reads_whole_texts(fake_encoder):
    assert text_windows(fake_encoder, ["sun.sw " * 900, "x"]) == [[(0, 6300)], [(0, 1)]]


def test_windows_need_an_overlap_below_one_and_room(encoder, tmp_path, write_tiny_model):
    with pytest.raises(ValueError, match="at least 0 and below 1, but is 1"):
        text_windows(encoder, ["a"], overlap=1)
    write_tiny_model(tmp_path, {}, default=None, positions=15)
    with pytest.raises(ValueError, match="which leaves windows of 7 for texts"):
        text_windows(TransformerEncoder(tmp_path, device="cpu", dtype="float32"), [words(100)], role="symmetric")


@pytest.mark.parametrize("stated", [None, 10**30, 500])
def test_texts_are_cut_where_positions_of_roberta_end(tmp_path, write_tiny_model, stated):
    import torch
    from transformers import XLMRobertaConfig, XLMRobertaModel

    write_tiny_model(tmp_path, {}, default=None)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        settings = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
        config = XLMRobertaConfig(vocab_size=40, max_position_embeddings=34, pad_token_id=1, **settings)
        XLMRobertaModel(config).save_pretrained(tmp_path)
    about = json.loads((tmp_path / "tokenizer_config.json").read_text())
    del about["model_max_length"]
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps(about | ({} if stated is None else {"model_max_length": stated}))
    )
    (tmp_path / "sentence_bert_config.json").unlink()
    encoder = TransformerEncoder(tmp_path, device="cpu", dtype="float32")
    assert encoder.token_limit == 32
    (told,) = said(lambda: encoder.encode([words(400), "a b"]))
    assert told.startswith("1 of 2 texts are longer than the 32 tokens")
    np.testing.assert_allclose(
        encoder_vectors(encoder, words(400)), encoder_vectors(encoder, words(400)[:61]), atol=1e-6
    )


def test_a_text_without_tokens_is_named_by_its_place(tmp_path):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import StaticEmbedding
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"a": 0, "b": 1, "?": 2}, unk_token="?"))  # noqa: S106
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    vectors = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=vectors)]).save(str(tmp_path / "model"))
    encoder = TransformerEncoder(tmp_path / "model", device="cpu", dtype="float32")
    assert encoder.encode(["a b", "b"]).shape == (2, 4)
    texts = ["a", "b", "\u3000", "a b", " "]
    for each in (encoder, CachedEncoder(encoder, EmbeddingCache(tmp_path / "vectors.sqlite"), chunk_size=2)):
        with pytest.raises(UnknownTextError, match="finds no token in") as refused:
            each.encode(texts)
        assert refused.value.position in (2, 4)
        with pytest.raises(ValueError, match=r"^texts.txt, line [35]: the text has no vector"):
            encode_named(each, texts, [f"texts.txt, line {n}: the text" for n in range(1, 6)], "passage")
