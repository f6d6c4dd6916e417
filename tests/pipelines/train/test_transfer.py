"""Tables of scores, nested few-shot runs, and runs that are taken from where they are kept."""

from dataclasses import replace
from itertools import pairwise

import pytest

pytest.importorskip("torch")
pytest.importorskip("accelerate")

from interlingua.pipelines.texts.labelled import Labelled, LabelledWords
from interlingua.pipelines.train import transfer
from interlingua.pipelines.train.classifier import TextClassifier
from interlingua.pipelines.train.scores import span_f1
from interlingua.pipelines.train.settings import FineTuning
from interlingua.pipelines.train.transfer import TransferRow, TransferTable, evaluate, few_shot, zero_shot


def texts(n, language="low"):
    found = tuple(" ".join("abc" if i % 2 else "xyz") + " " + "klmnopq"[i % 7] for i in range(n))
    found = found if language == "low" else tuple(text.upper() for text in found)
    return Labelled(found, tuple("early" if i % 2 else "late" for i in range(n)), language)


@pytest.fixture(scope="module")
def settings(write_tiny_sentence_model, tmp_path_factory):
    folder = write_tiny_sentence_model(tmp_path_factory.mktemp("model") / "tiny")
    return FineTuning(encoder=str(folder), epochs=1, learning_rate=3e-3, head_rate=1e-2, max_length=16, dtype="float32")


def row(language, accuracy, *, adversarial="none", seed=0, shots=0):
    return TransferRow(language, adversarial, seed, shots, 10, accuracy, 0.0, 1.0)


def test_the_summary_is_of_the_other_languages():
    rows = (row("en", 0.9), row("en", 1.0, seed=1), row("de", 0.8), row("de", 0.6, seed=1), row("sw", 0.5))
    rows += (row("sw", 0.5, seed=1), row("de", 0.9, adversarial="reversal"), row("sw", 0.1, shots=8))
    plain, game = TransferTable(rows, "en").summary()
    assert plain["adversarial"] == "none"
    assert plain["seeds"] == 2
    assert plain["source"] == pytest.approx(0.95)
    assert plain["mean"] == pytest.approx(0.6)
    assert plain["deviation"] == pytest.approx(0.1 / 2**0.5)  # of 0.65 and 0.55
    assert (plain["worst"], plain["worst_language"]) == (pytest.approx(0.5), "sw")
    assert (game["adversarial"], game["mean"], game["source"]) == ("reversal", pytest.approx(0.9), None)


def test_curves_are_of_the_languages_that_gave_examples():
    rows = (row("de", 0.8), row("sw", 0.5), row("sw", 0.7, shots=8), row("sw", 0.9, seed=1, shots=8))
    assert TransferTable(rows, "en").curves() == {"sw": {0: 0.5, 8: pytest.approx(0.8)}}


def test_adversarial_runs_are_never_without_the_plain_ones(settings):
    train, tests = texts(16), {"low": texts(8), "cap": texts(8, "cap")}
    settings = replace(settings, adversarial="reversal")
    lines = []
    table = zero_shot(train, tests, settings, seeds=(0, 1), others={"cap": tests["cap"].texts}, callback=lines.append)
    found = [(each.adversarial, each.seed, each.language) for each in table.rows]
    assert found == [(v, s, language) for s in (0, 1) for v in ("none", "reversal") for language in ("low", "cap")]
    assert [line.split(":")[0] for line in lines] == ["none-seed0", "reversal-seed0", "none-seed1", "reversal-seed1"]


def test_kept_runs_are_not_run_again(settings, tmp_path, monkeypatch):
    train, tests = texts(16), {"cap": texts(8, "cap")}
    first = zero_shot(train, tests, settings, seeds=(0,), output=tmp_path / "runs")
    loaded = TextClassifier.load(tmp_path / "runs" / "none-seed0.model", dtype="float32")
    assert evaluate(loaded, tests["cap"])[1] == first.rows[0].accuracy
    with pytest.raises(FileExistsError, match="resume what is in it"):
        zero_shot(train, tests, settings, seeds=(0,), output=tmp_path / "runs")
    monkeypatch.setattr(transfer, "fine_tune", None)  # calling it would raise
    again = zero_shot(train, tests, settings, seeds=(0,), output=tmp_path / "runs", resume=True)
    assert again == first
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == [
        "none-seed0.json",
        "none-seed0.model",
        "run.json",
    ]


def test_scores_of_another_experiment_are_not_resumed(settings, tmp_path, monkeypatch):
    trained = []

    class Trained:
        def save(self, folder):
            trained.append(folder.name)

    monkeypatch.setattr(transfer, "fine_tune", lambda *_, **__: Trained())
    monkeypatch.setattr(transfer, "evaluate", lambda *_: (8, 0.5, 0.5))
    monkeypatch.setattr(transfer.shutil, "rmtree", lambda _: None)
    train, tests, folder = texts(16), {"cap": texts(8, "cap")}, tmp_path / "runs"
    zero_shot(train, tests, settings, seeds=(0,), output=folder)
    for what, changed in {
        "it has other texts": (texts(18), tests, settings),
        "it has other tests": (train, {"cap": texts(6, "cap")}, settings),
        "epochs was 1 and is 2, warmup was 0.1 and is 0.2": (train, tests, replace(settings, epochs=2, warmup=0.2)),
    }.items():
        with pytest.raises(ValueError, match=f"is of another run: {what}; use the same"):
            zero_shot(*changed, seeds=(0,), output=folder, resume=True)
    assert len(zero_shot(train, tests, replace(settings, seed=5), seeds=(0, 1), output=folder, resume=True).rows) == 2
    (folder / "run.json").unlink()
    with pytest.raises(ValueError, match="does not say what was trained and tested"):
        zero_shot(train, tests, settings, seeds=(0,), output=folder, resume=True)
    assert trained == ["none-seed0.model"]


def test_settings_that_cannot_be_trained_leave_the_folder_free(settings, tmp_path):
    train, tests, folder = texts(16), {"cap": texts(8, "cap")}, tmp_path / "runs"
    with pytest.raises(ValueError, match="layer must be between"):
        zero_shot(train, tests, replace(settings, layer=9), seeds=(0,), output=folder)
    assert len(zero_shot(train, tests, settings, seeds=(0,), output=folder).rows) == 1


def test_few_shot_samples_are_nested_and_leave_the_start_as_it_is(settings, monkeypatch):
    start = TextClassifier.create(settings.encoder, ["early", "late"], prompt="", dtype="float32")
    before = start.scores(["a b c"])
    taken = []
    real = transfer.fine_tune

    def spy(train, run, **rest):
        taken.append((set(train.texts), run.steps, run.batch_size))
        assert rest["start"] is not start
        return real(train, replace(run, steps=1), **rest)

    monkeypatch.setattr(transfer, "fine_tune", spy)
    pool = Labelled(tuple(f"{a} {b}" for a in "abcdef" for b in "klmnop"), ("early", "late") * 18, "cap")
    table = few_shot(start, {"cap": pool}, {"cap": texts(8, "cap")}, settings, shots=(0, 4, 8, 32, 512))
    assert [each.shots for each in table.rows] == [0, 4, 8, 32, 36]
    sizes = [len(each) for each, _, _ in taken]
    assert sizes == [4, 8, 32, 36]
    assert all(small <= large for (small, _, _), (large, _, _) in pairwise(taken))
    assert [(steps, batch) for _, steps, batch in taken] == [(30, 4), (30, 8), (30, 16), (30, 16)]
    assert (start.scores(["a b c"]) == before).all()


def test_replay_keeps_the_source_in_the_training(settings, monkeypatch):
    start = TextClassifier.create(settings.encoder, ["early", "late"], prompt="", dtype="float32")
    pool, source = texts(64, "cap"), Labelled(("k l",) * 40, ("early", "late") * 20, "low")
    taken = []

    def spy(train, run, **rest):
        taken.append((len(train), sum(text == "k l" for text in train.texts), run.steps_for(len(train))))
        return rest["start"]

    monkeypatch.setattr(transfer, "fine_tune", spy)
    few_shot(start, {"cap": pool}, {"cap": texts(4, "cap")}, settings, replay=source, shots=(2, 8, 64))
    # 2 ten times, 8 five times, 64 once; one epoch in batches of 16
    assert taken == [(60, 40, 4), (80, 40, 5), (104, 40, 7)]


def test_words_are_counted_one_by_one(settings):
    classifier = TextClassifier.create(settings.encoder, ["E", "L"], words=True, prompt="", dtype="float32")
    predicted = classifier.predict([("a", "x"), ("k",)])
    test = LabelledWords((("a", "x"), ("k",)), (predicted[0], ("E" if predicted[1] == ("L",) else "L",)), "low")
    n, right, _ = evaluate(classifier, test)
    assert (n, right) == (3, pytest.approx(2 / 3))


def test_bio_tags_are_scored_as_spans(settings):
    classifier = TextClassifier.create(settings.encoder, ["B-X", "I-X", "O"], words=True, prompt="", dtype="float32")
    words = (("a", "b", "c"), ("k", "x"))
    predicted = classifier.predict(words)
    gold = (("B-X", "I-X", "O"), ("O", "B-X"))
    _, right, f1 = evaluate(classifier, LabelledWords(words, gold, "low"))
    assert f1 == span_f1(gold, predicted)
    assert right == pytest.approx(sum(a == b for g, p in zip(gold, predicted) for a, b in zip(g, p)) / 5)
