import json
import shutil

import pytest

from interlingua.pipelines.encoders.transformer import folder_identity, hub_folder, hub_identity


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


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json", "1_Pooling/config.json"])
def test_identity_changes_with_every_file_that_matters(folder, name):
    before = folder_identity(folder)
    (folder / name).write_text('{"other": 2}')
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
