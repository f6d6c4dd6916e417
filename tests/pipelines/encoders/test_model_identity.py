import json
import shutil

import numpy as np
import pytest

from interlingua.pipelines.encoders.base import identity_for
from interlingua.pipelines.encoders.cache import CachedEncoder
from interlingua.pipelines.encoders.identity import folder_identity, former_folder_identity
from interlingua.pipelines.encoders.transformer import TransformerEncoder, hub_folder, hub_identity


@pytest.fixture
def folder(tmp_path):
    model = tmp_path / "model"
    (model / "1_Pooling").mkdir(parents=True)
    (model / "config.json").write_text(json.dumps({"hidden_size": 4, "transformers_version": "4.46"}))
    (model / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    (model / "model.safetensors").write_bytes(b"weights")
    (model / "tokenizer.json").write_text('{"a": 1}')
    return model


def test_identity_does_not_depend_on_the_place(folder, tmp_path):
    moved = shutil.copytree(folder, tmp_path / "elsewhere" / "renamed")
    assert folder_identity(moved) == folder_identity(folder)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.safetensors", "other"),
        ("tokenizer.json", "{}"),
        ("config.json", '{"hidden_size": 8}'),
        ("config.json", '{"hidden_size": 4, "hidden_act": "relu"}'),
        ("1_Pooling/config.json", '{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}'),
        ("1_Pooling/config.json", '{"pooling_mode_mean_tokens": true, "include_prompt": false}'),
        ("sentence_bert_config.json", '{"max_seq_length": 99}'),
        ("config_sentence_transformers.json", '{"prompts": {"query": "ask: "}}'),
        ("modules.json", '[{"type": "x.Transformer", "path": ""}]'),
    ],
)
def test_identity_changes_with_everything_that_matters(folder, name, content):
    before = folder_identity(folder)
    (folder / name).write_text(content)
    assert folder_identity(folder) != before


def test_same_size_other_content_changes_identity(folder):
    before = folder_identity(folder)
    (folder / "model.safetensors").write_bytes(b"Weights")
    assert folder_identity(folder) != before


def test_version_stamps_paths_and_notes_do_not_enter(folder):
    before = folder_identity(folder)
    config = {"transformers_version": "5.0", "_name_or_path": "/some/where", "hidden_size": 4}
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    (folder / "README.md").write_text("a note")
    (folder / "onnx").mkdir()
    (folder / "onnx" / "config.json").write_text("{}")
    (folder / "pytorch_model.bin").write_bytes(b"the same weights in an older form")
    assert folder_identity(folder) == before


def test_an_empty_folder_has_no_identity(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no model"):
        folder_identity(tmp_path)


def test_a_copy_of_the_hub_is_named_by_its_commit(tmp_path, monkeypatch):
    commit = "0123456789abcdef0123456789abcdef01234567"
    import huggingface_hub.constants

    repository = tmp_path / "models--some--model"
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    import huggingface_hub.file_download

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.file_download, "HF_HUB_CACHE", str(tmp_path), raising=False)
    assert hub_identity("some/model", None) == f"some/model@{commit}"
    assert hub_folder("some/model", None) == snapshot
    assert hub_identity("other/model", None) is None
    assert hub_folder("some:model", None) is None  # a name that no model can have
    assert hub_folder("other/model", None) is None


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory, write_tiny_model):
    folder = tmp_path_factory.mktemp("model")
    write_tiny_model(folder, {"query": "query: ", "passage": "passage: "})
    return folder


def test_a_model_that_is_loaded_and_saved_again_keeps_its_identity(model_folder, tmp_path):
    library = pytest.importorskip("sentence_transformers")
    library.SentenceTransformer(str(model_folder)).save(str(tmp_path / "again"), create_model_card=False)
    assert (tmp_path / "again" / "1_Pooling" / "config.json").read_text() != (
        model_folder / "1_Pooling" / "config.json"
    ).read_text()
    assert folder_identity(tmp_path / "again") == folder_identity(model_folder)
    assert former_folder_identity(tmp_path / "again") != former_folder_identity(model_folder)


def rewritten(folder, target, write):
    """Copy a model's folder and write its weights in another way."""
    from safetensors.numpy import load_file

    shutil.copytree(folder, target)
    tensors = load_file(target / "model.safetensors")
    (target / "model.safetensors").unlink()
    write(target, tensors)
    return target


def write_in_two_files(target, tensors):
    from safetensors.numpy import save_file

    names = sorted(tensors)
    for number, part in enumerate((names[::2], names[1::2]), start=1):
        save_file({name: tensors[name] for name in part}, target / f"model-0000{number}-of-00002.safetensors")


def write_with_a_head(target, tensors):
    from safetensors.numpy import save_file

    prefixed = {f"bert.{name}": each for name, each in tensors.items() if not name.startswith("pooler.")}
    save_file({**prefixed, "cls.predictions.bias": np.ones(3, np.float32)}, target / "model.safetensors")


def write_by_torch(target, tensors):
    import torch

    torch.save({name: torch.from_numpy(each) for name, each in tensors.items()}, target / "pytorch_model.bin")


def write_in_double(target, tensors):
    from safetensors.numpy import save_file

    save_file({name: each.astype(np.float64) for name, each in tensors.items()}, target / "model.safetensors")


@pytest.mark.parametrize("write", [write_in_two_files, write_with_a_head, write_by_torch, write_in_double])
def test_equal_weights_have_one_identity_however_they_are_written(model_folder, tmp_path, write):
    assert folder_identity(rewritten(model_folder, tmp_path / "other", write)) == folder_identity(model_folder)


@pytest.mark.parametrize("name", ["embeddings.word_embeddings.weight", "encoder.layer.1.output.dense.bias"])
def test_one_other_number_is_another_identity(model_folder, tmp_path, name):
    def write(target, tensors):
        from safetensors.numpy import save_file

        changed = tensors[name].copy()
        changed.flat[0] += 1e-6
        save_file({**tensors, name: changed}, target / "model.safetensors")

    assert folder_identity(rewritten(model_folder, tmp_path / "other", write)) != folder_identity(model_folder)


def test_another_tokenizer_is_another_identity(model_folder, tmp_path):
    def altered(key, change):
        folder = shutil.copytree(model_folder, tmp_path / key)
        content = json.loads((folder / "tokenizer.json").read_text())
        change(content)
        (folder / "tokenizer.json").write_text(json.dumps(content))
        return folder_identity(folder)

    def swap(content):
        words = content["model"]["vocab"]
        words["a"], words["b"] = words["b"], words["a"]

    before = folder_identity(model_folder)
    assert altered("vocabulary", swap) != before
    assert altered("lower case", lambda content: content.update(normalizer={"type": "Lowercase"})) != before
    truncation = {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0}
    assert altered("truncation", lambda content: content.update(truncation=truncation, version="1.0")) == before


def test_a_folder_of_an_earlier_version_still_names_its_encoder(model_folder):
    encoder = TransformerEncoder(model_folder, device="cpu", dtype="float32")
    earlier = former_folder_identity(model_folder)
    assert encoder.former_identities == (earlier,)
    assert identity_for(encoder, earlier) == identity_for(CachedEncoder(encoder, None), earlier) == earlier
    assert identity_for(encoder, "model-of-another") == encoder.identity
