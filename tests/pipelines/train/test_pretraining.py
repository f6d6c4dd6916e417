"""Pre-training: masks, pairs, losses and languages against their definitions; a killed run goes on unchanged."""

import itertools
import json
import random
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from interlingua.pipelines import load_encoder
from interlingua.pipelines.texts.corpus import as_corpus
from interlingua.pipelines.texts.pairs import Pair
from interlingua.pipelines.train.masking import Batches, Example, Masking, join_pair
from interlingua.pipelines.train.pretraining import (
    estimate_pretraining,
    held_out_loss,
    pretrain,
)
from interlingua.pipelines.train.pretraining_model import (
    add_language_embeddings,
    build_model,
    first_position,
    load_model,
    masked_loss,
    write_encoder,
)
from interlingua.pipelines.train.settings import NewModel, PretrainingSettings
from interlingua.pipelines.train.tokenizer import train_tokenizer
from interlingua.pipelines.train.trainer import last_checkpoint, quiet_libraries

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("accelerate")
pytest.importorskip("sentencepiece")

ENGLISH = ("sun", "moon", "star", "sea", "fish", "bird", "tree", "stone", "road", "king")
SWAHILI = ("jua", "mwezi", "nyota", "bahari", "samaki", "ndege", "mti", "jiwe", "njia", "mfalme")
ROWS = np.random.default_rng(0).integers(0, 10, size=(60, 3))
TEXTS = {name: [" ".join(words[i] for i in row) for row in ROWS] for name, words in (("en", ENGLISH), ("sw", SWAHILI))}
PAIRS = [Pair(english, swahili, "en", "sw") for english, swahili in zip(TEXTS["en"], TEXTS["sw"], strict=True)]
HELD_OUT = {"en": ["sun sea king", "fish bird road"], "sw": ["jua bahari mfalme"]}
MODEL = NewModel(layers=1, width=16, heads=2, vocabulary_size=70)
SETTINGS = PretrainingSettings(
    steps=6, batch_size=4, max_length=12, report_every=1, save_every=2, language_embeddings=True, learning_rate=1e-2,
    device="cpu", dtype="float32",
)  # fmt: skip


class Killed(BaseException):
    pass


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    train_tokenizer(itertools.chain(*TEXTS.values()), folder, vocabulary_size=70, max_length=12)
    return transformers.AutoTokenizer.from_pretrained(folder)


@pytest.fixture
def model(tokenizer):
    torch.manual_seed(0)
    return build_model(MODEL, tokenizer, 12).eval()


@pytest.fixture
def roberta(tokenizer):
    torch.manual_seed(0)
    config = transformers.XLMRobertaConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=20, type_vocab_size=1, pad_token_id=1, bos_token_id=0, eos_token_id=2,
    )  # fmt: skip
    return transformers.XLMRobertaForMaskedLM(config).eval()


@pytest.fixture
def modernbert(tokenizer):
    torch.manual_seed(0)
    config = transformers.ModernBertConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=20, pad_token_id=1, bos_token_id=0, eos_token_id=2, cls_token_id=0, sep_token_id=2,
    )  # fmt: skip
    return transformers.ModernBertForMaskedLM(config).eval()


def make_batches(tokenizer, **changes):
    settings = replace(SETTINGS, **changes)
    return Batches(as_corpus(TEXTS), as_corpus({"en-sw": PAIRS}), tokenizer, settings, languages={"en": 1, "sw": 2})


def make_masking(tokenizer, *, rate=0.15, seed=0, position=0):
    return Masking(tokenizer, rate=rate, seed=seed, first_position=position, told=True)


def run(folder, *, resume=False, stop_at=None, **changes):
    def callback(entry):
        if entry["iteration"] == stop_at:
            raise Killed

    settings = replace(SETTINGS, **changes)
    return pretrain(folder, as_corpus(TEXTS), pairs=as_corpus({"en-sw": PAIRS}), held_out=HELD_OUT, start=MODEL,
                    settings=settings, resume=resume, callback=callback)  # fmt: skip


# --- examples and masks


def test_masks_have_the_rates_of_bert(tokenizer):
    rng = np.random.default_rng(1)
    rows = [[0, *rng.integers(5, len(tokenizer), size=98).tolist(), 2] for _ in range(400)]
    examples = [Example(ids, range(100), [0] * 100) for ids in rows]
    batch = make_masking(tokenizer).training(0, examples)
    original = torch.nn.functional.pad(torch.tensor(rows), (0, 4), value=1)
    masked = batch["labels"] != -100
    assert torch.equal(batch["labels"][masked], original[masked])
    assert not masked[:, [0, 99, 100, 101, 102, 103]].any()
    assert torch.equal(batch["input_ids"][~masked], original[~masked])
    n, count = 400 * 98, int(masked.sum())
    assert abs(count / n - 0.15) < 4 * np.sqrt(0.15 * 0.85 / n)
    became = batch["input_ids"][masked]
    # a random token is the mask, or the token itself, once in so many
    for share, seen in ((0.8, became == 4), (0.1, became == original[masked])):
        expected = share + 0.1 / len(tokenizer)
        assert abs(seen.float().mean() - expected) < 4 * np.sqrt(expected * (1 - expected) / count)


def test_a_batch_is_masked_by_its_number_and_what_is_held_out_always_alike(tokenizer):
    batch = next(make_batches(tokenizer).draw())
    one, other_seed = make_masking(tokenizer), make_masking(tokenizer, seed=1)
    torch.manual_seed(5)
    first = one.training(3, batch)
    torch.manual_seed(6)
    again = one.training(3, batch)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["labels"], one.training(4, batch)["labels"])
    assert not torch.equal(first["labels"], other_seed.training(3, batch)["labels"])
    assert torch.equal(one.held_out(3, batch)["labels"], other_seed.held_out(3, batch)["labels"])


def test_the_positions_of_the_second_sentence_begin_anew(tokenizer):
    source, target = tokenizer("sun sea")["input_ids"], tokenizer("jua")["input_ids"]
    batch = make_masking(tokenizer, position=2).training(0, [join_pair(source, target, (1, 2))])
    ends = len(source), len(source) + len(target)
    expected = [*range(2, 2 + len(source)), *range(2, 2 + len(target))]
    assert batch["position_ids"][0, : ends[1]].tolist() == expected
    assert batch["token_type_ids"][0, : ends[1]].tolist() == [1] * len(source) + [2] * len(target)
    assert batch["attention_mask"][0].tolist() == [1] * ends[1] + [0] * (batch["input_ids"].shape[1] - ends[1])
    assert batch["input_ids"].shape[1] % 8 == 0


@pytest.mark.parametrize("kind", ["model", "roberta", "modernbert"])
def test_the_words_of_a_pair_see_the_other_sentence(tokenizer, kind, request):
    model = request.getfixturevalue(kind)
    source = tokenizer("sun sea")["input_ids"]
    scores = []
    for text in ("jua mti", "njia mti"):
        joined = join_pair(source, tokenizer(text)["input_ids"], (0, 0))
        batch = make_masking(tokenizer, rate=1e-9, position=first_position(model)).training(0, [joined])
        del batch["labels"], batch["token_type_ids"]
        with torch.no_grad():
            scores.append(model(**batch).logits[0, : len(source)])
    assert (scores[0] - scores[1]).abs().max() > 1e-6


def test_sentences_get_the_positions_that_roberta_itself_gives(tokenizer, roberta):
    examples = make_batches(tokenizer).sentences("en", [*TEXTS["en"][:5], "sun"])
    batch = make_masking(tokenizer, position=first_position(roberta)).training(0, examples)
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    with torch.no_grad():
        own, given = roberta(**inputs).logits, roberta(**inputs, position_ids=batch["position_ids"]).logits
    attended = batch["attention_mask"].bool()
    torch.testing.assert_close(own[attended], given[attended], rtol=0, atol=1e-6)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.9, 1.0])
def test_the_batches_of_pairs_keep_to_their_share_and_cost_as_much(tokenizer, share):
    batches = list(itertools.islice(make_batches(tokenizer, tlm_share=share).draw(), 40))
    pairs = [batch for batch in batches if max(example.ids.count(0) for example in batch) == 2]
    assert len(pairs) == round(40 * share)
    assert all(len(batch) == (2 if batch in pairs else 4) for batch in batches)


@pytest.mark.parametrize("start", [1, 2, 15, 16, 33])
def test_batches_go_on_from_any_place(tokenizer, start):
    batches = make_batches(tokenizer, tlm_share=0.3)
    expected = list(itertools.islice(batches.draw(), start + 5))[start:]
    assert list(itertools.islice(batches.draw(start), 5)) == expected


def test_languages_are_left_out_for_as_many_examples_as_asked(tokenizer):
    for untold, expected in ((0.0, {(1,), (2,), (1, 2)}), (1.0, {(0,)})):
        batches = itertools.islice(make_batches(tokenizer, untold=untold).draw(), 20)
        assert {tuple(sorted(set(example.languages))) for batch in batches for example in batch} == expected


# --- the model


@pytest.mark.parametrize("kind", ["model", "roberta", "modernbert"])
def test_the_loss_is_the_cross_entropy_of_the_masked_tokens(tokenizer, kind, request):
    model = request.getfixturevalue(kind)
    examples = make_batches(tokenizer).sentences("en", TEXTS["en"])
    masking = make_masking(tokenizer)
    batch = masking.held_out(0, examples)
    del batch["token_type_ids"]
    with torch.no_grad():
        loss, count = masked_loss(model, batch)
        scores = model(**batch)
    logits, labels = scores.logits.double().numpy(), batch["labels"].numpy()
    by_hand = [
        np.log(np.exp(logits[row, column]).sum()) - logits[row, column, labels[row, column]]
        for row, column in zip(*np.nonzero(labels != -100), strict=True)
    ]
    assert count == len(by_hand) > 20
    assert float(loss) == pytest.approx(sum(by_hand), rel=1e-5)
    assert float(loss) / count == pytest.approx(float(scores.loss), rel=1e-5)


def test_what_is_held_out_is_measured_by_the_token_not_by_the_batch(tokenizer, model):
    masking = Masking(tokenizer, rate=0.15, seed=0, first_position=0, told=False)
    examples = make_batches(tokenizer).sentences("en", TEXTS["en"])
    batches = [examples[:50], examples[50:]]
    with torch.no_grad():
        parts = [masked_loss(model, masking.held_out(number, batch)) for number, batch in enumerate(batches)]
    expected = sum(float(loss) for loss, _ in parts) / sum(count for _, count in parts)
    model.train()
    assert held_out_loss(model, masking, batches) == pytest.approx(expected, rel=1e-6)
    assert model.training


@pytest.mark.parametrize("kind", ["model", "roberta"])
def test_language_embeddings_change_nothing_at_first_and_are_read_by_a_plain_model(tokenizer, kind, request, tmp_path):
    model = request.getfixturevalue(kind)
    inputs = tokenizer(["sun sea", "jua"], padding=True, return_tensors="pt")
    with torch.no_grad():
        before = model(**inputs).logits
        add_language_embeddings(model, {"en": 1, "sw": 2})
        told = {number: torch.full_like(inputs["input_ids"], number) for number in range(3)}
        for types in told.values():
            torch.testing.assert_close(model(**inputs, token_type_ids=types).logits, before)
        model.base_model.embeddings.token_type_embeddings.weight[2] += torch.randn(16)
        after = model(**inputs, token_type_ids=told[2]).logits
        assert (after - before).abs().max() > 1e-3
        with quiet_libraries():
            write_encoder(model, tokenizer, tmp_path, max_length=12, card="")
            again = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path).eval()
        torch.testing.assert_close(again(**inputs).logits, before)
        torch.testing.assert_close(again(**inputs, token_type_ids=told[2]).logits, after)
    assert again.config.interlingua_languages == {"en": 1, "sw": 2}
    add_language_embeddings(again, {"en": 1, "sw": 2})
    with pytest.raises(ValueError, match="has embeddings of the languages"):
        add_language_embeddings(again, {"sw": 1})


# --- runs


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return run(tmp_path_factory.mktemp("whole") / "model")


def test_a_run_makes_an_encoder_with_mean_pooling(whole):
    encoder = load_encoder(whole.folder, device="cpu", dtype="float32", cache=False)
    texts = ["sun sea king", "jua"]
    with quiet_libraries():
        model, tokenizer = load_model(whole.folder)
        vectors = encoder.encode(texts)
    for text, vector in zip(texts, vectors, strict=True):
        with torch.no_grad():
            states = model.base_model(**tokenizer(text, return_tensors="pt"))[0][0].mean(0).numpy()
        np.testing.assert_allclose(vector, states / np.linalg.norm(states), atol=1e-6)
    assert encoder.dimension == 16
    assert not whole.folder.with_name("model.partial").exists()
    record = json.loads((whole.folder / "pretraining.json").read_text())
    assert record["history"] == list(whole.history)
    assert record["settings"]["steps"] == 6
    assert "en 60" in (whole.folder / "README.md").read_text()


def test_the_history_holds_every_report(whole):
    assert [row["iteration"] for row in whole.history] == [0, 1, 2, 3, 4, 5, 6]
    assert all({"held_out en", "held_out sw"} <= set(row) for row in whole.history)
    assert all("objective" in row for row in whole.history[1:])
    assert whole.n_parameters == sum(each.numel() for each in load_model(whole.folder)[0].parameters())


@pytest.mark.parametrize("stop_at", [1, 3, 6])
def test_a_run_that_is_stopped_and_resumed_gives_the_same_curve_and_weights(tmp_path, whole, stop_at):
    with pytest.raises(Killed):
        run(tmp_path / "model", stop_at=stop_at)
    assert not (tmp_path / "model").exists()
    resumed = run(tmp_path / "model", resume=True)
    assert resumed.history == whole.history
    assert resumed.tokens == whole.tokens
    weights = (folder / "model.safetensors" for folder in (resumed.folder, whole.folder))
    assert next(weights).read_bytes() == next(weights).read_bytes()


def test_accumulated_batches_are_resumed_too(tmp_path):
    options = {"accumulation": 2, "steps": 4}
    expected = run(tmp_path / "one", **options)
    with pytest.raises(Killed):
        run(tmp_path / "two", stop_at=3, **options)
    assert run(tmp_path / "two", resume=True, **options).history == expected.history


def test_a_checkpoint_that_was_cut_short_is_passed_over(tmp_path, whole):
    with pytest.raises(Killed):
        run(tmp_path / "model", stop_at=5)
    checkpoints = tmp_path / "model.partial" / "checkpoints"
    assert last_checkpoint(checkpoints).name == "checkpoint-4"
    state = checkpoints / "checkpoint-4" / "trainer_state.json"
    state.write_text(state.read_text()[:50])
    assert last_checkpoint(checkpoints).name == "checkpoint-2"
    with pytest.warns(UserWarning, match=r"checkpoint-4 is damaged .*: the run goes on from checkpoint-2"):
        assert run(tmp_path / "model", resume=True).history == whole.history


@pytest.mark.slow
def test_a_killed_process_is_resumed_to_the_same_curve(tmp_path, whole):
    code = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
import os, signal, test_pretraining as t
from pathlib import Path
def callback(entry):
    if entry["iteration"] == 5: os.kill(os.getpid(), signal.SIGKILL)
t.pretrain(Path({str(tmp_path / "model")!r}), t.as_corpus(t.TEXTS), pairs=t.as_corpus({{"en-sw": t.PAIRS}}),
           held_out=t.HELD_OUT, start=t.MODEL, settings=t.SETTINGS, callback=callback)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert run(tmp_path / "model", resume=True).history == whole.history


def test_what_is_there_is_not_overwritten_and_other_settings_are_not_resumed(tmp_path, whole):
    with pytest.raises(FileExistsError, match="is there already"):
        run(whole.folder)
    with pytest.raises(Killed):
        run(tmp_path / "model", stop_at=2)
    with pytest.raises(FileExistsError, match="was not finished; resume it"):
        run(tmp_path / "model")
    with pytest.raises(ValueError, match="settings seed was 0 and is 1"):
        run(tmp_path / "model", resume=True, seed=1)


def test_the_loss_falls_on_what_was_not_seen(tmp_path):
    rng = np.random.default_rng(7)
    words = [f"w{row}" for row in range(8)]
    lines = [" ".join([words[row]] * 4) for row in rng.integers(0, 8, size=80)]
    settings = PretrainingSettings(steps=60, batch_size=16, max_length=12, learning_rate=2e-2, report_every=60,
                                   device="cpu", dtype="float32")  # fmt: skip
    model = NewModel(layers=1, width=32, heads=2, vocabulary_size=40, dropout=0.0)
    result = pretrain(
        tmp_path / "m", as_corpus({"en": lines}), held_out={"en": lines[:8]}, start=model, settings=settings
    )
    begin, end = (row["held_out en"] for row in (result.history[0], result.history[-1]))
    assert begin == pytest.approx(np.log(28), rel=0.15)
    # eight words, four alike in a line: without its neighbours a word costs log 8, with them nothing
    assert end < 0.5 * np.log(8)


def test_a_given_model_goes_on_from_its_own_weights(tmp_path, roberta, tokenizer):
    with quiet_libraries():
        write_encoder(roberta, tokenizer, tmp_path / "start", max_length=12, card="")
    settings = PretrainingSettings(
        steps=1, batch_size=4, max_length=12, learning_rate=0.0, device="cpu", dtype="float32"
    )
    result = pretrain(tmp_path / "out", as_corpus(TEXTS), start=tmp_path / "start", settings=settings)
    kept = transformers.AutoModelForMaskedLM.from_pretrained(result.folder).state_dict()
    for name, tensor in roberta.state_dict().items():
        torch.testing.assert_close(kept[name], tensor, rtol=0, atol=0)
    too_long = PretrainingSettings(max_length=19, device="cpu")
    with pytest.raises(ValueError, match="the model has 18 positions, but max_length is 19"):
        pretrain(tmp_path / "no", as_corpus(TEXTS), start=tmp_path / "start", settings=too_long)
    assert not (tmp_path / "no.partial").exists()


def test_the_global_generators_are_left_as_they_were(tmp_path):
    def state():
        return random.random(), np.random.random(), float(torch.rand(()))  # noqa: NPY002

    random.seed(3), np.random.seed(3), torch.manual_seed(3)  # noqa: NPY002
    expected = state()
    random.seed(3), np.random.seed(3), torch.manual_seed(3)  # noqa: NPY002
    run(tmp_path / "model", steps=1)
    assert state() == expected


def test_the_cost_counts_the_tokens_that_a_step_sees(tokenizer):
    cost = estimate_pretraining(as_corpus(TEXTS), pairs=as_corpus({"en-sw": PAIRS}), start=MODEL, settings=SETTINGS)
    batches = itertools.islice(make_batches(tokenizer).draw(), 64)
    assert cost.tokens_per_step == pytest.approx(sum(len(each.ids) for batch in batches for each in batch) / 64)
    assert cost.n_parameters > 70 * 16
    assert cost.tokens == 6 * cost.tokens_per_step
    assert 0 < cost.seconds == 6 * cost.seconds_per_step < 60
