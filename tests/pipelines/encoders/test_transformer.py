import shutil
import sys

import numpy as np
import pytest

pytest.importorskip("sentence_transformers")

from interlingua.align.arrays import MissingExtraError
from interlingua.pipelines.encoders import transformer as transformer_encoder
from interlingua.pipelines.encoders.base import Encoder
from interlingua.pipelines.encoders.cache import CachedEncoder, EmbeddingCache
from interlingua.pipelines.encoders.limits import TextsCutWarning
from interlingua.pipelines.encoders.transformer import TransformerEncoder

WORDS = ["query", "passage", ":", *"abcdefghijklmnopqrstuvwxyz"]
PROMPTS = {"query": "query: ", "passage": "passage: "}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write_tiny_model):
    folder = tmp_path_factory.mktemp("model")
    write_tiny_model(folder, PROMPTS)
    return folder


@pytest.fixture(scope="module")
def encoder(folder):
    return TransformerEncoder(folder, device="cpu", dtype="float32", batch_size=4)


@pytest.fixture(scope="module")
def texts():
    rng = np.random.default_rng(3)
    return [" ".join(rng.choice(WORDS, size=size)) for size in rng.integers(1, 40, size=33)]


def forward(folder, text):
    """The vector of one text, without sentence-transformers: mean over all tokens, scaled to length 1."""
    import torch
    from transformers import BertModel, PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    with torch.no_grad():
        hidden = BertModel.from_pretrained(folder)(**tokenizer([text], return_tensors="pt")).last_hidden_state[0]
    mean = hidden.double().mean(dim=0).numpy()
    return mean / np.linalg.norm(mean)


def test_vectors_are_unit_float32_rows_in_the_order_of_the_texts(encoder, texts):
    together = encoder.encode(texts)
    assert together.dtype == np.float32
    assert together.shape == (33, 32)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    alone = np.vstack([encoder.encode([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert np.min(np.linalg.norm(alone[1:] - alone[:-1], axis=1)) > 1e-3  # else any order would pass


@pytest.mark.parametrize(("role", "prompt"), [("query", "query: "), ("passage", "passage: "), ("symmetric", "query: ")])
def test_the_roles_prompt_goes_before_the_text(encoder, folder, role, prompt):
    vector = encoder.encode(["a b c"], role=role)[0]
    np.testing.assert_allclose(vector, forward(folder, prompt + "a b c"), atol=1e-5)


@pytest.mark.parametrize(("lost", "told"), [("pooler.", False), ("encoder.layer.1.", True)])
def test_only_missing_weights_that_count_are_reported(tmp_path, write_tiny_model, lost, told):
    import logging

    from safetensors.torch import load_file, save_file

    write_tiny_model(tmp_path, PROMPTS)
    tensors = {name: each for name, each in load_file(tmp_path / "model.safetensors").items() if lost not in name}
    tensors["cls.predictions.bias"] = tensors["embeddings.LayerNorm.bias"].clone()  # as after masked words
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    records = []
    handler = logging.Handler()
    handler.emit = records.append
    logger = logging.getLogger("transformers.modeling_utils")
    logger.addHandler(handler)
    try:
        TransformerEncoder(tmp_path, device="cpu", dtype="float32").encode(["a"])
    finally:
        logger.removeHandler(handler)
    assert any("LOAD REPORT" in record.getMessage() for record in records) is told


def test_the_models_default_prompt_is_never_added(folder):
    encoder = TransformerEncoder(
        folder, device="cpu", dtype="float32", prompts=dict.fromkeys(("symmetric", "query", "passage"), "")
    )
    np.testing.assert_allclose(encoder.encode(["a b c"])[0], forward(folder, "a b c"), atol=1e-5)


def test_equal_texts_are_encoded_once_and_all_answered(encoder, texts, monkeypatch):
    seen = []
    real = encoder.model.encode
    monkeypatch.setattr(encoder.model, "encode", lambda some, **options: seen.extend(some) or real(some, **options))
    vectors = encoder.encode([texts[0], texts[1], texts[0]])
    assert sorted(seen) == sorted(texts[:2])
    np.testing.assert_array_equal(vectors[0], vectors[2])


def test_batches_hold_texts_of_like_length_longest_first(encoder, texts, monkeypatch):
    sizes = []
    real = encoder.model.encode
    monkeypatch.setattr(encoder.model, "encode", lambda some, **o: sizes.append(some) or real(some, **o))
    encoder.encode(texts)
    lengths = [len(text.split()) for batch in sizes for text in batch]
    assert [len(batch) for batch in sizes] == [4] * 8 + [1]
    # every word is one token, ":" included
    assert lengths == sorted(lengths, reverse=True)


def test_a_cold_cache_gives_the_same_bits_as_none(encoder, texts, tmp_path):
    cached = CachedEncoder(encoder, EmbeddingCache(tmp_path / "cache.sqlite"), chunk_size=8)
    np.testing.assert_array_equal(cached.encode(texts), encoder.encode(texts))
    np.testing.assert_array_equal(cached.encode(texts[::-1]), encoder.encode(texts)[::-1])
    assert (cached.hits, cached.misses) == (33, 33)


def test_bfloat16_is_near_float32_and_its_vectors_are_unit_float32(folder, encoder, texts):
    half = TransformerEncoder(folder, device="cpu", dtype="bfloat16").encode(texts)
    assert half.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(half, axis=1), 1, atol=1e-6)
    assert np.min(np.sum(half * encoder.encode(texts), axis=1)) > 0.999


def test_it_is_an_encoder(encoder):
    assert isinstance(encoder, Encoder)
    assert encoder.dimension == 32
    assert dict(encoder.prompts) == {"symmetric": "query: ", **PROMPTS}


def test_no_texts_and_empty_texts(encoder):
    assert encoder.encode([]).shape == (0, 32)
    assert np.linalg.norm(encoder.encode([""])) == pytest.approx(1, abs=1e-6)


def test_identity_depends_on_content_only(folder, encoder, tmp_path):
    moved = shutil.copytree(folder, tmp_path / "moved")
    assert TransformerEncoder(moved, dtype="bfloat16").identity == encoder.identity
    (moved / "tokenizer.json").write_text((moved / "tokenizer.json").read_text().replace('"z"', '"Z"'))
    assert TransformerEncoder(moved).identity != encoder.identity


def test_a_text_beyond_the_models_positions_is_cut_and_told(encoder):
    with pytest.warns(TextsCutWarning, match=r"^1 of 1 texts are longer than the \d+ tokens"):
        assert np.isfinite(encoder.encode(["a " * 1000])).all()


def test_nothing_is_written_to_the_streams_unless_asked(folder, texts, capfd):
    encoder = TransformerEncoder(folder, device="cpu", dtype="float32")
    encoder.encode(texts)
    assert capfd.readouterr() == ("", "")


def test_progress_goes_to_standard_error(encoder, texts, capfd):
    encoder.encode(texts, progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "encoding" in err


def test_a_broken_model_is_refused_with_its_name(folder, tmp_path):
    broken = shutil.copytree(folder, tmp_path / "broken")
    (broken / "model.safetensors").unlink()
    with pytest.raises(OSError, match="broken"):
        TransformerEncoder(broken, device="cpu").encode(["a"])


@pytest.mark.parametrize("options", [{"batch_size": 0}, {"dtype": "int8"}, {"prompts": {"document": "x"}}])
def test_bad_options_are_refused(folder, options):
    with pytest.raises(ValueError):
        TransformerEncoder(folder, **options)


def test_a_device_that_is_not_there_is_refused(folder):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has the device")
    with pytest.raises(ValueError, match="cuda"):
        TransformerEncoder(folder, device="cuda")


def test_without_the_library_the_extra_is_named(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(MissingExtraError, match=r"interlingua\[torch\]"):
        TransformerEncoder(folder)


@pytest.mark.parametrize(
    ("flags", "dtype"),
    [("fpu avx2 avx512_bf16", "bfloat16"), ("fpu amx_bf16", "bfloat16"), ("fpu avx512f", "float32"), ("", "float32")],
)
def test_auto_takes_bfloat16_only_where_the_cpu_computes_in_it(flags, dtype, folder, tmp_path, monkeypatch):
    info = tmp_path / "cpuinfo"
    info.write_text(f"processor : 0\nflags\t\t: {flags}\n")
    found = transformer_encoder._cpu_flags(info)
    monkeypatch.setattr(transformer_encoder, "_cpu_flags", lambda: found)
    assert TransformerEncoder(folder, device="cpu").dtype == dtype


def test_a_machine_without_the_list_of_flags_has_none(tmp_path):
    assert transformer_encoder._cpu_flags(tmp_path / "missing") == frozenset()
