"""Token vectors of a transformer, and texts of an encoder-decoder: tiny models made here."""

import numpy as np
import pytest

from interlingua.benchmarks.field import xglue
from interlingua.benchmarks.field.frozen import depth, text_tokens, word_vectors
from interlingua.benchmarks.field.heads import SpanHead, TokenTagger
from interlingua.benchmarks.field.runner import predict
from interlingua.benchmarks.field.tasks import Question

from .tiny_bert import WORDS, tiny_encoder, tokenizer


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return tiny_encoder(tmp_path_factory.mktemp("bert"))


def test_a_words_vector_is_the_mean_of_its_tokens(encoder):
    torch = pytest.importorskip("torch")
    ((found, other), _) = word_vectors(encoder, [["sun", "moons"], ["tree"]], layers=(1,))
    tokens = encoder.model.tokenizer("sun moons", return_tensors="pt")
    with torch.inference_mode():
        states = encoder.model.transformers_model(**tokens, output_hidden_states=True).hidden_states[1][0].numpy()
    assert len(states) > 4  # [CLS] sun, two or more pieces, [SEP]
    np.testing.assert_allclose(found, states[1], atol=1e-6)
    np.testing.assert_allclose(other, states[2:-1].mean(axis=0), atol=1e-6)
    assert depth(encoder) == 2


def test_layers_stand_side_by_side(encoder):
    first, second, both = (word_vectors(encoder, [["sun", "moon"]], layers=each)[0] for each in ((0,), (2,), (0, 2)))
    np.testing.assert_allclose(both, np.hstack([first, second]), atol=1e-6)


def test_spans_of_tokens_are_those_of_the_text_without_its_prompt(encoder):
    text = "sun  moon tree"
    (found,) = text_tokens(encoder, [text], role="passage")
    assert [text[start:end] for start, end in found.spans] == ["sun", "moon", "tree"]
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1, atol=1e-5)


def test_a_tagger_learns_from_token_vectors(encoder):
    sentences = [[WORDS[(start + step) % 8] for step in range(3)] for start in range(8)]
    tags = [[str(WORDS.index(word) % 2) for word in each] for each in sentences]
    tagger = TokenTagger(encoder, layer=1).fit(sentences, tags)
    assert tagger.predict(sentences) == tags


def test_a_tagger_chooses_a_layer_by_held_out_sentences(encoder):
    sentences = [[WORDS[(start * (1 + start % 3) + step) % 8] for step in range(3)] for start in range(40)]
    tags = [[str(WORDS.index(word) % 2) for word in each] for each in sentences]
    tagger = TokenTagger(encoder).fit(sentences, tags)
    assert tagger.layer_ in (1, 2)
    assert tagger.predict(sentences) == tags


def test_a_head_finds_the_word_that_follows(encoder):
    passages = [" ".join(WORDS[(start + step) % 8] for step in range(6)) for start in range(8)]
    asked = [
        Question(str(n), "bird", each, "fish", each.index("fish")) for n, each in enumerate(passages) if "fish" in each
    ]
    assert set(SpanHead(encoder).fit(asked).predict(asked)) == {"fish"}
    with pytest.raises(ValueError, match="none of 1 questions has an answer"):
        SpanHead(encoder).fit([Question("1", "sun", "sun moon")])


@pytest.mark.parametrize("task", ["QG", "NTG"])
def test_an_encoder_decoder_learns_writes_and_is_scored(task, tmp_path):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    size = tokenizer(tmp_path / "model")
    torch.manual_seed(0)
    config = transformers.T5Config(
        vocab_size=size, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2, pad_token_id=0, eos_token_id=3,
        decoder_start_token_id=0,
    )  # fmt: skip
    transformers.T5ForConditionalGeneration(config).save_pretrained(tmp_path / "model")
    stem = f"{task}/xglue.{task.lower()}"
    folder = tmp_path / "data" / task
    folder.mkdir(parents=True)
    for side, lines in (("src", ["sun moon", "tree river"]), ("tgt", ["bird", "bird"])):
        (tmp_path / f"data/{stem}.en.{side}.train").write_text("\n".join(lines) + "\n")
        (tmp_path / f"data/{stem}.de.{side}.test").write_text("\n".join(lines) + "\n")
    with pytest.raises(ValueError, match="name an encoder-decoder"):
        predict("xglue", task, tmp_path / "data", tmp_path / "out", None, ["de"])
    predict("xglue", task, tmp_path / "data", tmp_path / "out", None, ["de"], model=str(tmp_path / "model"), steps=2)
    assert len((tmp_path / f"out/{task}/de.prediction").read_text().split("\n")) == 3
    found = xglue.evaluate(tmp_path / "out", tmp_path / "data", [task], ["de"])
    assert 0 <= found.scores[task]["de"]["bleu"] <= 1
    assert set(found.floors[task]["de"]) == {"empty", "first words"}
