"""The pre-training benchmark's own arithmetic; nothing is trained."""

from pathlib import Path

import numpy as np
import pytest

from interlingua.benchmarks.harness.measure import NotDoneError
from interlingua.benchmarks.training import pretraining
from interlingua.pipelines import load_encoder
from interlingua.pipelines.train.pretraining_model import build_model, write_encoder
from interlingua.pipelines.train.settings import NewModel, PretrainingResult
from interlingua.pipelines.train.tokenizer import train_tokenizer


def test_top_1_is_the_mean_of_both_directions_and_all_languages(monkeypatch):
    monkeypatch.setattr(pretraining, "_HELD_OUT", 4)
    english = np.eye(4, dtype=np.float32)
    vectors = dict.fromkeys(pretraining.LANGUAGES, english)
    assert pretraining._top_1(vectors) == 100.0
    # one language has two lines swapped: 2 of 4 are right in both of its directions
    assert pretraining._top_1({**vectors, "fin": english[[1, 0, 2, 3]]}) == pytest.approx(100 * (6 + 0.5) / 7)


def test_the_vectors_of_the_last_layer_are_the_encoders(tmp_path):
    pytest.importorskip("sentencepiece")
    torch = pytest.importorskip("torch")
    texts = ["one sun", "two seas and a star", "the sun and the sea"]
    train_tokenizer(texts, tmp_path, vocabulary_size=40)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        tokenizer = pytest.importorskip("transformers").AutoTokenizer.from_pretrained(tmp_path)
        model = build_model(NewModel(layers=2, width=16, heads=2, dropout=0.0), tokenizer, 32).eval()
    write_encoder(model, tokenizer, tmp_path, max_length=32, card="")
    encoded = load_encoder(tmp_path, device="cpu", dtype="float32", cache=False).encode(texts)
    np.testing.assert_allclose(pretraining.layer_vectors(tmp_path, texts, 2), encoded, atol=1e-6)
    assert not np.allclose(pretraining.layer_vectors(tmp_path, texts, 1), encoded, atol=1e-3)


def test_curves_are_compared_entry_by_entry_without_the_start():
    history = ({"iteration": 0.0}, {"iteration": 1.0, "objective": 5.0}, {"objective": 4.0, "iteration": 2.0})
    curve = pretraining._curve(PretrainingResult(Path("x"), history, 1, 1))
    np.testing.assert_array_equal(curve, [[1.0, 5.0], [2.0, 4.0]])


def test_a_run_that_has_no_time_left_asks_to_be_run_again(tmp_path):
    with pytest.raises(NotDoneError, match="seed 0 and what follows"):
        list(pretraining.run(tmp_path / "runs", minutes=0))
    assert list((tmp_path / "runs").iterdir()) == []
