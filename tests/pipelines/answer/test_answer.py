"""Answers by an encoder that knows its words, and the calibration against known probabilities."""

import json

import numpy as np
import pytest

from interlingua.pipelines import Passage, QuestionAnswerer
from interlingua.pipelines.answer.answer import AnswerCalibration
from interlingua.pipelines.commands import main as cli
from interlingua.pipelines.encoders import load as encoder_loading
from interlingua.pipelines.stored import kind_of
from interlingua.pipelines.texts.sentences import sentence_bounds

TOPICS = ("sun", "moon", "star", "sea", "fish", "bird", "tree", "stone", "road", "king", "bread", "fire")


def passages():
    return [Passage(f"{code}-{topic}", f"{topic}.{code}", code) for code in ("en", "sw") for topic in TOPICS]


@pytest.fixture
def answerer(fake_encoder):
    return QuestionAnswerer.build(passages(), fake_encoder, split=False)


def calibrated(answerer):
    questions = [f"{topic}.{code}" for code in ("en", "sw") for topic in TOPICS] + [f"nothing{n}.en" for n in range(12)]
    answers = [{f"{topic}.en", f"{topic}.sw"} for _ in range(2) for topic in TOPICS] + [None] * 12
    answerer.calibrate(questions, answers, language=["en"] * 12 + ["sw"] * 12 + ["en"] * 12)
    return answerer


def test_the_best_sentence_is_in_the_wanted_language(answerer):
    (found,) = answerer.answer(["fish.sw"], precision=None, language="sw", languages=["en"])
    assert (found.sentence, found.language, found.passage.id) == ("fish.en", "en", "en-fish")
    assert 0 < found.probability < 1  # without any label
    (more,) = answerer.answer(["fish.sw"], 3, precision=None, language="sw")
    assert len(more.alternatives) == 2


def test_what_no_passage_answers_is_left_open(answerer):
    known, unknown = calibrated(answerer).answer(["bird.en", "nothing99.en"], precision=0.9, language="en")
    assert known.sentence in ("bird.en", "bird.sw")
    assert known.probability > 0.7
    assert unknown is None
    (forced,) = answerer.answer(["nothing99.en"], precision=None, language="en")
    assert forced.probability < known.probability


def test_a_saved_folder_answers_the_same(answerer, fake_encoder, tmp_path):
    calibrated(answerer).save(tmp_path / "kept")
    again = QuestionAnswerer.load(tmp_path / "kept", fake_encoder)
    ours, theirs = (each.answer(["king.sw"], language="sw")[0] for each in (answerer, again))
    assert ours.sentence == theirs.sentence
    assert ours.probability == pytest.approx(theirs.probability, abs=1e-5)
    with pytest.raises(ValueError, match="holds no answers"):
        QuestionAnswerer.load(tmp_path, fake_encoder)


def test_sentences_know_where_they_stand():
    pytest.importorskip("sentencex")
    text = "  Dr. Wu kam um 9 Uhr.  Alle warteten. "
    assert [text[first:last] for first, last in sentence_bounds(text, "deu_Latn")] == [
        "Dr. Wu kam um 9 Uhr.",
        "Alle warteten.",
    ]
    chinese = "他来了。大家在等。"
    assert len(sentence_bounds(chinese, "zh")) == 2


def test_passages_are_split_and_answers_point_into_them(fake_encoder):
    pytest.importorskip("sentencex")
    whole = [Passage(f"p{n}", f"{TOPICS[n]}.en {TOPICS[n]}.en. {TOPICS[n + 1]}.en {TOPICS[n + 1]}.en.", "en")
             for n in range(0, 12, 2)]  # fmt: skip
    answerer = QuestionAnswerer.build(whole, fake_encoder)
    (found,) = answerer.answer(["bird.en bird.en."], precision=None, language="en")
    assert found.sentence == found.passage.text[found.start : found.end]
    assert "bird" in found.sentence


def test_probabilities_are_those_that_made_the_labels():
    rng = np.random.default_rng(0)
    evidence = rng.normal(size=(4000, 2))
    true = 1 / (1 + np.exp(-(evidence @ [2.0, -1.0] + 0.5)))
    made = AnswerCalibration.fit(evidence, rng.random(4000) < true)
    np.testing.assert_allclose(made.probability(evidence), true, atol=0.06)
    above = made.probability(evidence) >= made.threshold(0.9)
    assert true[above].mean() == pytest.approx(0.9, abs=0.02)
    assert AnswerCalibration.fit(evidence, true > 0.5).threshold(0.0) <= made.threshold(0.99)
    again = AnswerCalibration.from_json(json.loads(json.dumps(made.to_json())))
    np.testing.assert_allclose(again.probability(evidence), made.probability(evidence), rtol=1e-9)


def test_weights_count_examples():
    rng = np.random.default_rng(1)
    evidence, right = rng.normal(size=(60, 2)), rng.random(60) < 0.5
    twice = AnswerCalibration.fit(evidence, right, np.full(60, 2.0))
    once = AnswerCalibration.fit(evidence, right)
    np.testing.assert_allclose(twice.weights, once.weights, rtol=1e-6)


def test_the_reader_chooses_words_of_the_passage(tmp_path):
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    from interlingua.pipelines.answer.reader import SpanReader

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "who", "came", "king", "the", "in", "night"]
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel({word: n for n, word in enumerate(words)}, "[UNK]"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep")}
    transformers.PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=32, **names).save_pretrained(tmp_path)
    config = transformers.BertConfig(
        vocab_size=10, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8,
        max_position_embeddings=32,
    )  # fmt: skip
    transformers.BertForQuestionAnswering(config).save_pretrained(tmp_path)
    reader = SpanReader(tmp_path)
    text = "the king came in the night " * 12
    span = reader.read("who came", text)
    assert span.text == text[span.start : span.end]
    assert 0 < span.score <= 1
    assert len(span.text.split()) <= 30
    with pytest.raises(ValueError, match="ask a shorter one"):
        reader.read("who " * 40, text)


def test_wrong_arguments_are_refused(answerer):
    with pytest.raises(ValueError, match="after calibrate"):
        answerer.answer(["fish.en"])
    with pytest.raises(ValueError, match="k must be"):
        answerer.answer(["fish.en"], 0, precision=None)
    with pytest.raises(ValueError, match="needs a right answer or None"):
        answerer.calibrate(["fish.en"], [])
    with pytest.raises(ValueError, match="calibration needs 20"):
        answerer.calibrate(["fish.en"], ["fish.en"])
    with pytest.raises(ValueError, match="unanswerable"):
        answerer.calibrate(["fish.en"], ["fish.en"], unanswerable=1.0)
    with pytest.raises(ValueError, match="precision must be above 0"):
        calibrated(answerer).answer(["fish.en"], precision=2)


def test_the_command_answers_and_keeps_a_folder(tmp_path, fake_encoder, monkeypatch, capsys):
    monkeypatch.setattr(encoder_loading, "load_encoder", lambda name=None: fake_encoder)
    lines = [{"id": each.id, "text": each.text, "language": each.language} for each in passages()]
    (tmp_path / "p.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    passages_file = str(tmp_path / "p.jsonl")
    command = ["answer", passages_file, "--whole", "--json"]
    assert cli.main(["answer", passages_file, "star.en", "--whole", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["answers"][0]["sentence"].startswith("star")
    table = ["question\tanswer\tlanguage"]
    table += [f"{topic}.en\t{topic}.en\ten" for topic in TOPICS] + [f"nothing{n}.en\t\ten" for n in range(12)]
    (tmp_path / "q.tsv").write_text("\n".join(table) + "\n")
    calibrate = ["--calibrate", str(tmp_path / "q.tsv"), "-o", str(tmp_path / "kept")]
    assert cli.main([*command, *calibrate]) == 0
    assert kind_of(tmp_path / "kept") == "answers"
    assert cli.main(["answer", passages_file, "star.en", "--precision", "0.9", "--whole"]) == 2
    assert "--calibrate" in capsys.readouterr().err
    assert cli.main(command) == 2
