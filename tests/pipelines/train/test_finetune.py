"""Fine-tuning on a planted task in a planted language: letters, and the same letters in capitals."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")

from interlingua.align.language.probe import language_probe  # noqa: E402
from interlingua.pipelines.texts.labelled import Labelled, LabelledWords  # noqa: E402
from interlingua.pipelines.train.classifier import TextClassifier, transformer_layers  # noqa: E402
from interlingua.pipelines.train.finetune import (  # noqa: E402
    batch_rows,
    estimate_finetuning,
    fine_tune,
)
from interlingua.pipelines.train.scores import accuracy  # noqa: E402
from interlingua.pipelines.train.settings import FineTuning  # noqa: E402

EARLY, LATE = list("abcde"), list("vwxyz")


def texts_of(n, seed=0, *, capitals=False):
    """Texts of early letters or of late ones, which is their label."""
    rng = np.random.default_rng(seed)
    labels = ["early" if each else "late" for each in rng.integers(2, size=n)]
    texts = [" ".join(rng.choice(EARLY if label == "early" else LATE, rng.integers(2, 6))) for label in labels]
    texts = [text.upper() if capitals else text for text in texts]
    return Labelled(tuple(texts), tuple(labels), "cap" if capitals else "low")


@pytest.fixture(scope="module")
def settings(write_tiny_sentence_model, tmp_path_factory):
    folder = write_tiny_sentence_model(
        tmp_path_factory.mktemp("model") / "tiny", layers=2, prompts={"query": "query: ", "passage": "passage: "}
    )
    return FineTuning(encoder=str(folder), steps=30, learning_rate=3e-3, head_rate=1e-2, max_length=16, dtype="float32")


def probe_accuracy(classifier, low, high):
    """Return how well a linear probe tells the two languages by the classifier's features."""
    return language_probe(classifier.features(low + high), ["low"] * len(low) + ["cap"] * len(high)).accuracy


def test_a_planted_task_is_learned(settings):
    classifier = fine_tune(texts_of(96), settings)
    fresh = texts_of(60, seed=1)
    assert accuracy(fresh.labels, classifier.predict(fresh.texts)) > 0.95
    scores = classifier.scores(fresh.texts)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)
    assert tuple(np.array(classifier.shape.labels)[scores.argmax(axis=1)]) == classifier.predict(fresh.texts)


def test_what_is_frozen_stays(settings):
    start = TextClassifier.create(settings.encoder, ["early", "late"], dtype="float32")
    before = {name: each.clone() for name, each in start.network.backbone.state_dict().items()}
    after = fine_tune(texts_of(32), replace(settings, frozen_layers=1, steps=3)).network.backbone.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(name.startswith("encoder.layer.1.") for name in changed)
    after = fine_tune(texts_of(32), replace(settings, steps=3)).network.backbone.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert "embeddings.position_embeddings.weight" in changed
    assert "embeddings.word_embeddings.weight" not in changed


def test_an_earlier_layer_is_the_hidden_state_of_the_whole_model(settings):
    whole = TextClassifier.create(settings.encoder, ["a", "b"], dtype="float32")
    early = TextClassifier.create(settings.encoder, ["a", "b"], layer=1, dtype="float32", pooling="cls")
    batch = whole.collate(whole.encode_inputs(["a b c", "x"]))
    whole.network.eval()
    early.network.eval()
    with torch.no_grad():
        hidden = whole.network.backbone(**batch, output_hidden_states=True).hidden_states[1]
        torch.testing.assert_close(early.network(**batch)[1], hidden[:, 0])
    assert len(transformer_layers(early.network.backbone)) == early.shape.layer == 1


def test_mean_pooling_does_not_see_padding(settings):
    classifier = TextClassifier.create(settings.encoder, ["a", "b"], dtype="float32")
    alone, together = classifier.scores(["a b"]), classifier.scores(["a b", "c d e f g h i"])
    np.testing.assert_allclose(alone[0], together[0], atol=1e-5)


def test_the_models_prompt_stands_before_each_text(settings):
    with_prompt = TextClassifier.create(settings.encoder, ["a", "b"])
    without = TextClassifier.create(settings.encoder, ["a", "b"], prompt="")
    assert with_prompt.encode_inputs(["k"])[0]["input_ids"] == without.encode_inputs(["query: k"])[0]["input_ids"]


def test_a_saved_classifier_says_the_same(settings, tmp_path):
    classifier = fine_tune(texts_of(48), replace(settings, layer=1, steps=5))
    fresh = texts_of(20, seed=1)
    for _ in range(2):  # the second replaces the first
        classifier.save(tmp_path / "saved")
    loaded = TextClassifier.load(tmp_path / "saved", dtype="float32")
    assert loaded.shape == classifier.shape
    np.testing.assert_array_equal(loaded.scores(fresh.texts), classifier.scores(fresh.texts))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["saved"]
    assert not list((tmp_path / "saved").glob("*.bin"))


def test_saving_does_not_replace_what_is_no_classifier(settings, tmp_path):
    classifier = TextClassifier.create(settings.encoder, ["a", "b"])
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="something else"):
        classifier.save(tmp_path)
    with pytest.raises(FileNotFoundError, match="holds no classifier"):
        TextClassifier.load(tmp_path)


def test_seeds_decide_and_the_global_generators_are_left(settings):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    train = texts_of(48)
    first, second = (fine_tune(train, replace(settings, steps=4)) for _ in range(2))
    assert torch.equal(torch.rand(1), expected)
    other = fine_tune(train, replace(settings, steps=4, seed=1))
    np.testing.assert_array_equal(first.scores(train.texts), second.scores(train.texts))
    assert not np.array_equal(first.scores(train.texts), other.scores(train.texts))


@pytest.mark.parametrize("adversarial", ["none", "reversal", "alternating"])
def test_a_resumed_run_ends_like_an_unbroken_one(settings, tmp_path, adversarial, monkeypatch):
    import transformers

    settings = replace(settings, adversarial=adversarial, steps=4, batch_size=16)
    train, others = texts_of(32), {"cap": texts_of(32, capitals=True).texts}
    whole = fine_tune(train, settings, others=others)

    def break_off(self, args, state, control, **_):
        if state.global_step == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(transformers.trainer_callback.DefaultFlowCallback, "on_step_begin", break_off)
        with pytest.raises(KeyboardInterrupt):
            fine_tune(train, settings, others=others, checkpoints=tmp_path / "states")
    assert (tmp_path / "states" / "checkpoint-2").is_dir()
    resumed = fine_tune(train, settings, others=others, checkpoints=tmp_path / "states", resume=True)
    np.testing.assert_allclose(resumed.scores(train.texts), whole.scores(train.texts), atol=1e-6)


def test_states_of_another_run_are_refused(settings, tmp_path):
    fine_tune(texts_of(16), replace(settings, steps=1), checkpoints=tmp_path / "states")
    with pytest.raises(FileExistsError, match="resume it"):
        fine_tune(texts_of(16), replace(settings, steps=1), checkpoints=tmp_path / "states")
    with pytest.raises(ValueError, match="it has other texts"):
        fine_tune(texts_of(16, seed=5), replace(settings, steps=1), checkpoints=tmp_path / "states", resume=True)


@pytest.fixture(scope="module")
def plain(settings):
    """A classifier that was trained without a game, and how."""
    settings = replace(settings, steps=100, learning_rate=2e-3, freeze_embeddings=False, prompt="")
    return fine_tune(texts_of(96), settings), settings


@pytest.mark.slow
@pytest.mark.parametrize("adversarial", ["reversal", "alternating"])
def test_adversarial_training_hides_the_language_and_keeps_the_task(plain, adversarial):
    train, others = texts_of(96), {"cap": texts_of(96, seed=2, capitals=True).texts}
    fresh = texts_of(200, seed=3)
    capitals = texts_of(200, seed=4, capitals=True)
    unplayed, settings = plain
    weight = 1.0 if adversarial == "reversal" else 0.2
    played = fine_tune(
        train,
        replace(settings, adversarial=adversarial, adversarial_weight=weight, discriminator_rate=1e-2),
        others=others,
    )
    before, after = (probe_accuracy(each, fresh.texts, capitals.texts) for each in (unplayed, played))
    assert before > 0.95
    assert after < before - 0.06  # three standard errors of the probe's 200 texts
    assert accuracy(fresh.labels, played.predict(fresh.texts)) > 0.9


def test_words_are_labelled_by_their_first_token(settings):
    rng = np.random.default_rng(0)
    words = tuple(tuple(rng.choice(EARLY + LATE, rng.integers(2, 6))) for _ in range(64))
    tags = tuple(tuple("E" if word in EARLY else "L" for word in each) for each in words)
    classifier = fine_tune(
        LabelledWords(words, tags, "low"), replace(settings, steps=60, learning_rate=1e-2, freeze_embeddings=False)
    )
    right = [a == b for p, t in zip(classifier.predict(words), tags, strict=True) for a, b in zip(p, t, strict=True)]
    assert np.mean(right) > 0.95
    inputs = classifier.encode_inputs([("ab", "c")], [("E", "L")])[0]
    # [CLS] query : then, as the tiny vocabulary has letters only, one unknown token for "ab", and "c" [SEP]
    assert inputs["labels"] == [-100, -100, -100, 0, 1, -100]
    assert inputs["starts"] == [(3, 0), (4, 1)]


def test_words_beyond_the_longest_text_get_the_commonest_label_with_a_warning(settings):
    classifier = TextClassifier.create(
        settings.encoder, ["E", "L", "L"], words=True, max_length=6
    )  # [CLS] query : a b [SEP]
    with pytest.warns(UserWarning, match="2 words lie beyond max_length=6"):
        (tags,) = classifier.predict([("a", "b", "c", "d")])
    assert tags[2:] == ("L", "L")


def test_a_cost_counts_steps_and_parameters(settings):
    cost = estimate_finetuning(texts_of(32), replace(settings, steps=None, epochs=2.5))
    assert cost.steps == 5
    assert cost.seconds > 0
    embeddings = 58 * 32
    assert cost.parameters - cost.trained_parameters == embeddings


def test_every_epoch_has_each_row_once_and_batches_go_by_length():
    lengths = np.random.default_rng(0).integers(5, 90, size=100).tolist()
    batches = list(batch_rows(lengths, 8, 26, seed=0))
    assert sorted(row for batch in batches[:13] for row in batch) == list(range(100))
    assert sorted(row for batch in batches[13:] for row in batch) == list(range(100))
    assert batches[:13] != batches[13:]
    spread = np.mean([np.ptp([lengths[row] for row in batch]) for batch in batches])
    assert spread < 15 < np.ptp(lengths)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"layer": 3}, "between 1 and 2"),
        ({"frozen_layers": 2}, "below 2"),
        ({"adversarial": "reversal"}, "needs texts of other languages"),
    ],
)
def test_what_the_model_has_not_is_refused(settings, wrong, said):
    with pytest.raises(ValueError, match=said):
        fine_tune(texts_of(16), replace(settings, **wrong))


def test_one_label_is_no_choice(settings):
    with pytest.raises(ValueError, match="at least 2 labels"):
        TextClassifier.create(settings.encoder, ["a", "a"])
    with pytest.raises(ValueError, match="not among"):
        TextClassifier.create(settings.encoder, ["a", "b"]).encode_inputs(["x"], ["c"])
    with pytest.raises(ValueError, match="pooling is 'mean' or 'cls', got 'max'"):
        TextClassifier.create(settings.encoder, ["a", "b"], pooling="max")
