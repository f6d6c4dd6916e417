import subprocess

import numpy as np
import pytest

from interlingua.benchmarks.gpu import command, encoding, learning, search
from interlingua.benchmarks.harness.measure import Case
from interlingua.pipelines.encoders.transformer import TransformerEncoder
from interlingua.pipelines.train import PretrainingSettings, pretrain
from interlingua.pipelines.train.settings import NewModel


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory):
    """A folder with an encoder of one step."""
    pytest.importorskip("peft")
    folder = tmp_path_factory.mktemp("gpu") / "model"
    texts, _, _ = learning._corpora("cpu")
    sizes = NewModel(layers=1, width=32, heads=2, vocabulary_size=300, dropout=0.0)
    pretrain(folder, texts, start=sizes, settings=PretrainingSettings(steps=1, batch_size=4, device="cpu"))
    return folder


def figures(cases):
    found = {}
    for case in cases:
        assert isinstance(case, Case)
        assert case.data.endswith("a CPU, toy size")
        assert all(np.isfinite(value) for value in case.figures.values())
        found[case.method] = case.figures
    return found


@pytest.mark.parametrize("part", ["search_torch", "search_cupy", "search_faiss"])
def test_exact_search_is_exact_and_csls_finds_more(part):
    pytest.importorskip("torch")
    found = list(getattr(search, part)("cpu", 5.0))
    plain, csls = ([case.figures for case in found if case.method.startswith(kind)] for kind in ("top 10", "CSLS"))
    assert [case.n for case in found] == [300, 300, 600, 600]
    for one, other in zip(plain, csls, strict=True):
        assert one["as NumPy's exact %"] == pytest.approx(100, abs=0.2)
        assert one["own translation first %"] > 90
        assert other["own translation first %"] >= one["own translation first %"] - 1


def test_a_size_that_would_take_too_long_is_left_out(monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr(search, "_TOY_SIZES", (300, 10**9))
    assert [case.n for case in search.search_torch("cpu", 5.0)] == [300, 300]


def test_batches_of_equal_tokens_give_the_same_vectors(tiny_model):
    found = figures(encoding.encoding("cpu", 60.0, tiny_model))
    assert len(found) == 3
    assert found["float32, batches of 65,536 tokens"]["mean cosine"] == pytest.approx(1, abs=1e-5)
    assert found["bfloat16, batches of 65,536 tokens"]["mean cosine"] > 0.99
    encoder = TransformerEncoder(tiny_model, device="cpu", dtype="float32")
    some = ["a bird", "rights", "free and equal in dignity", "a"]
    np.testing.assert_allclose(encoding.encode_by_tokens(encoder, some, tokens=4), encoder.encode(some), atol=1e-6)


def test_maps_head_and_game_are_learned():
    pytest.importorskip("torch")
    assert set(figures(learning.maps("cpu", 5.0))) == {"Procrustes", "RCSLS"}
    assert "linear, 4 steps at most" in figures(learning.head("cpu", 5.0))
    assert figures(learning.adversarial("cpu", 20.0))["adversarial"]["map steps"] == 10


def test_what_is_trained_does_as_many_steps_as_there_is_time_for(tiny_model):
    (tuned,) = figures(learning.fine_tuning("cpu", 600.0, tiny_model)).values()
    assert tuned["steps"] == 2
    trained = figures(learning.pre_training("cpu", 600.0))
    assert {each["steps"] for each in trained.values()} == {4}
    assert len(trained) == 2
    assert learning._fitting(PretrainingSettings(steps=50), 2.0, 10.0).steps == 3


def test_each_part_has_a_process_and_a_limit_and_toys_write_nothing(monkeypatch, capsys):
    called = []

    def run(words, **given):
        called.append((words[-1], given["timeout"]))
        if len(called) == 2:
            raise subprocess.TimeoutExpired(words, given["timeout"])
        return subprocess.CompletedProcess(words, 0)

    monkeypatch.setattr(command.subprocess, "run", run)
    monkeypatch.setattr(command, "torch_device", lambda wanted: "cuda")
    assert command.gpu(minutes=8.0) == 0
    assert len(called) == len(command.PARTS)
    assert sum(limit - command._GRACE for _, limit in called) <= 480
    assert "ended after" in capsys.readouterr().err
    assert command.gpu(only="nothing") == 2
    monkeypatch.setattr(command, "write_results", lambda *_, **__: pytest.fail("a toy's rows are no results"))
    command.run_part("search-faiss", "cpu", 5.0)
    assert "own translation first" in capsys.readouterr().err


def test_a_gpu_s_rows_are_written_one_by_one_and_a_missing_library_is_said(monkeypatch, capsys):
    from interlingua.align.arrays import MissingExtraError

    written = []

    def part(device, seconds):
        yield Case(task="t", data="d", method="one", figures={"m": 1.0}, n=1)
        assert [row["method"] for row in written] == ["one"]
        raise MissingExtraError("needs cupy", name="cupy")

    monkeypatch.setattr(search, "search_cupy", part)
    monkeypatch.setattr(command, "write_results", lambda name, rows, others_stay: written.extend(rows))
    command.run_part("search-cupy", "cuda", 5.0)
    assert "left out; needs cupy" in capsys.readouterr().err
