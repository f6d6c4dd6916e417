import socket
import ssl
import urllib.error
import urllib.request
from io import BytesIO

import pytest

pytest.importorskip("sentence_transformers")

import huggingface_hub.constants

from interlingua.pipelines.encoders import transformer as transformer_encoder
from interlingua.pipelines.encoders.transformer import TransformerEncoder, hub_is_reachable


@pytest.fixture
def answer(monkeypatch):
    """Let the Hub answer with a result or an error, and say whether it was asked."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    asked = []

    def set_to(result):
        def urlopen(request, timeout):
            asked.append((request.get_method(), request.full_url))
            if isinstance(result, Exception):
                raise result
            return result

        monkeypatch.setattr(urllib.request, "urlopen", urlopen)
        return asked

    return set_to


@pytest.mark.parametrize(
    ("result", "reachable"),
    [
        (BytesIO(), True),
        (urllib.error.HTTPError("https://hub", 403, "no", None, None), True),
        (urllib.error.URLError(ssl.SSLError("certificate")), True),
        (urllib.error.URLError(socket.gaierror(-2, "Name or service not known")), False),
        (urllib.error.URLError(ConnectionRefusedError()), False),
        (urllib.error.URLError(TimeoutError()), False),
        (TimeoutError(), False),
    ],
    ids=["answer", "refusal", "certificate", "no name", "no server", "slow", "slow answer"],
)
def test_the_hub_is_reachable_unless_nobody_is_there(answer, result, reachable):
    asked = answer(result)
    assert hub_is_reachable() is reachable
    assert asked == [("HEAD", huggingface_hub.constants.ENDPOINT)]


def test_offline_nobody_is_asked(answer, monkeypatch):
    asked = answer(BytesIO())
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert not hub_is_reachable()
    assert asked == []


def test_an_unreachable_model_is_one_error_and_the_client_never_tries(answer, cli, tmp_path, monkeypatch):
    import sentence_transformers

    def client(*_, **__):
        raise AssertionError("the client was asked")

    monkeypatch.setattr(sentence_transformers, "SentenceTransformer", client)
    answer(urllib.error.URLError(socket.gaierror(-2, "Name or service not known")))
    with pytest.raises(OSError, match="no copy of it on this machine, and the Hugging Face Hub cannot be reached"):
        TransformerEncoder("nobody/nothing", device="cpu").encode(["a"])
    (tmp_path / "texts").write_text("a\n")
    arguments = ("--language", "en", "--encoder", "nobody/nothing", "--no-cache", "-o", tmp_path / "out.npy")
    failed = cli("encode", tmp_path / "texts", *arguments)
    assert failed.code == 1
    assert failed.err.count("\n") == 1


def test_a_copy_on_this_machine_is_used_where_the_hub_is_silent(answer, tmp_path, monkeypatch, write_tiny_model):
    import sentence_transformers

    folder = tmp_path / "copy"
    folder.mkdir()
    write_tiny_model(folder, {"passage": "passage: "})
    seen = {}

    def client(name, *, device, revision, local_files_only, real=sentence_transformers.SentenceTransformer):
        seen.update(name=name, local_files_only=local_files_only)
        return real(str(folder), device=device)

    monkeypatch.setattr(sentence_transformers, "SentenceTransformer", client)
    monkeypatch.setattr(transformer_encoder, "hub_folder", lambda name, revision: folder)
    answer(urllib.error.URLError(ConnectionRefusedError()))
    assert TransformerEncoder("some/model", device="cpu", dtype="float32").encode(["a"]).shape == (1, 32)
    assert seen == {"name": "some/model", "local_files_only": True}
    answer(BytesIO())
    assert TransformerEncoder("some/model", device="cpu", dtype="float32").encode(["a"]).shape == (1, 32)
    assert seen == {"name": "some/model", "local_files_only": False}
