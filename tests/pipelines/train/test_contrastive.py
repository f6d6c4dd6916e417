import shutil
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

pytest.importorskip("datasets")
pytest.importorskip("peft")

from interlingua.pipelines import load_encoder
from interlingua.pipelines.texts import Pair
from interlingua.pipelines.train import ContrastiveSettings, contrastive, finetune_contrastive, sentences
from interlingua.pipelines.train.contrastive import estimate_contrastive
from interlingua.pipelines.train.trainer import make_watch

QUICK = ContrastiveSettings(
    steps=4, batch_size=8, mini_batch_size=8, learning_rate=3e-3, evaluations=2, held_out=10, precision="float32"
)


def weights(folder):
    from sentence_transformers import SentenceTransformer

    return {name: each.numpy() for name, each in SentenceTransformer(str(folder)).state_dict().items()}


def batches(encoder, pairs, **options):
    """The token ids of the batches, as [sources, targets]."""
    training = contrastive._training(encoder, pairs, replace(QUICK, **options))
    with TemporaryDirectory() as unused:
        loader = training._trainer(Path(unused), make_watch(), save=False).get_train_dataloader()
        return [[batch[f"{side}_input_ids"] for side in ("source", "target")] for batch in loader]


@pytest.mark.slow
def test_translations_become_nearest_neighbours(write_tiny_sentence_model, capital_pairs, tmp_path):
    encoder = write_tiny_sentence_model(tmp_path / "tiny", dropout=0.0)
    settings = replace(QUICK, steps=100, batch_size=32, mini_batch_size=32, evaluations=2, held_out=50,
                       learning_rate=6e-3, train_word_embeddings=True, temperature=0.1)  # fmt: skip
    run = finetune_contrastive(encoder, capital_pairs(300), output=tmp_path / "out", settings=settings)
    assert run.improved
    assert run.start["accuracy"] < 0.3
    assert run.best["accuracy"] > 0.8
    unseen = capital_pairs(100, seed=1)
    low, cap = (load_encoder(tmp_path / "out", cache=False).encode(texts) for texts in zip(
        *((pair.source, pair.target) for pair in unseen)
    ))  # fmt: skip
    assert ((low @ cap.T).argmax(axis=1) == np.arange(100)).mean() > 0.8


@pytest.fixture(scope="module")
def trained(tiny_sentence_model, capital_pairs, tmp_path_factory):
    """Two steps with nothing held out, and torch's random state before and after."""
    import torch

    output, before = tmp_path_factory.mktemp("trained") / "out", torch.get_rng_state()
    run = finetune_contrastive(
        tiny_sentence_model, capital_pairs(40), output=output, settings=replace(QUICK, held_out=0, steps=2)
    )
    return run, before, torch.get_rng_state()


def test_frozen_word_embeddings_are_unchanged_and_the_layers_are_not(tiny_sentence_model, trained):
    run, *_ = trained
    before, after = weights(tiny_sentence_model), weights(run.folder)
    (words,) = (name for name in before if "word_embeddings" in name)
    np.testing.assert_array_equal(after[words], before[words])
    assert run.n_frozen == before[words].size
    assert any(np.abs(after[name] - before[name]).max() > 1e-3 for name in before if "attention" in name)


def test_the_folder_is_loaded_by_both_libraries_alike(trained):
    from sentence_transformers import SentenceTransformer

    folder = trained[0].folder
    plain, ours = SentenceTransformer(str(folder)), load_encoder(folder, cache=False, dtype="float32")
    theirs = plain.encode(["a b", "C d"], prompt_name="query", normalize_embeddings=True)
    np.testing.assert_allclose(ours.encode(["a b", "C d"], role="query"), theirs, atol=1e-6)
    assert ours.prompts == {"symmetric": "", "query": "query: ", "passage": ""}
    assert ours.folder == folder
    assert not folder.with_name("out.checkpoints").exists()
    assert "fine-tuned contrastively" in (folder / "README.md").read_text(encoding="utf-8")


def test_a_run_in_pieces_from_an_older_checkpoint_too_equals_one_without_a_break(
    tiny_sentence_model, capital_pairs, tmp_path
):
    settings = replace(QUICK, steps=3, held_out=0, evaluations=1)  # with dropout: the random states have to be kept too
    arguments = tiny_sentence_model, capital_pairs(60)
    whole = finetune_contrastive(*arguments, output=tmp_path / "whole", settings=settings)

    def piece():
        pieces = replace(settings, max_minutes=1e-9)
        run = finetune_contrastive(*arguments, output=tmp_path / "parts", settings=pieces, resume=True)
        return run.steps, run.finished

    assert [piece(), piece()] == [(1, False), (2, False)]
    (tmp_path / "parts.checkpoints" / "checkpoint-2" / "trainer_state.json").write_text("{")
    with pytest.warns(UserWarning, match=r"checkpoint-2 is damaged .*: the run goes on from checkpoint-1"):
        assert piece() == (2, False)
    assert [piece(), whole.steps] == [(3, True), 3]
    expected, found, start = (weights(each) for each in (whole.folder, tmp_path / "parts", tiny_sentence_model))
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name])
    assert any(np.abs(expected[name] - start[name]).max() > 1e-3 for name in start)


def test_a_run_that_broke_off_goes_on_to_the_same_history_and_weights(tiny_sentence_model, capital_pairs, tmp_path):
    class Killed(BaseException):
        pass

    def killed(line):
        if line["step"] == 4:
            raise Killed

    arguments, settings = (tiny_sentence_model, capital_pairs(40)), replace(QUICK, held_out=0)
    with pytest.raises(Killed):
        finetune_contrastive(*arguments, output=tmp_path / "broken", settings=settings, callback=killed)
    assert [path.name for path in (tmp_path / "broken.checkpoints").glob("checkpoint-*")] == ["checkpoint-2"]
    resumed = finetune_contrastive(*arguments, output=tmp_path / "broken", settings=settings, resume=True)
    whole = finetune_contrastive(*arguments, output=tmp_path / "whole", settings=settings)
    assert resumed.history == whole.history
    first, second = (load_encoder(each.folder, cache=False) for each in (resumed, whole))
    assert first.identity == second.identity  # a hash of the weights


def test_another_run_is_neither_overwritten_nor_gone_on_from(tiny_sentence_model, capital_pairs, tmp_path):
    settings = replace(QUICK, held_out=0, max_minutes=1e-9)
    pairs, output = capital_pairs(40), tmp_path / "out"
    finetune_contrastive(tiny_sentence_model, pairs, output=output, settings=settings)
    with pytest.raises(FileExistsError, match="resume it or remove"):
        finetune_contrastive(tiny_sentence_model, pairs, output=output, settings=settings)
    hotter = replace(settings, temperature=0.1)
    with pytest.raises(ValueError, match=r"temperature was 0\.05 and is 0\.1"):
        finetune_contrastive(tiny_sentence_model, pairs, output=output, settings=hotter, resume=True)
    with pytest.raises(ValueError, match="it has other pairs"):
        finetune_contrastive(tiny_sentence_model, pairs[1:], output=output, settings=settings, resume=True)
    shutil.rmtree(tmp_path / "out.checkpoints")
    output.mkdir()
    with pytest.raises(FileExistsError, match="name another folder"):
        finetune_contrastive(tiny_sentence_model, pairs, output=output, settings=settings)


def test_a_run_that_broke_before_its_first_checkpoint_begins_anew(tiny_sentence_model, capital_pairs, tmp_path):
    def broken(line):
        raise RuntimeError("pulled the plug")

    settings = replace(QUICK, steps=2, evaluations=1, learning_rate=1e-12)
    arguments = {"output": tmp_path / "out", "settings": settings}
    with pytest.raises(RuntimeError, match="plug"):
        finetune_contrastive(tiny_sentence_model, capital_pairs(60), callback=broken, **arguments)
    assert (tmp_path / "out.checkpoints" / "run.json").exists()
    with pytest.warns(UserWarning, match="gained nothing"):
        assert finetune_contrastive(tiny_sentence_model, capital_pairs(60), **arguments).finished


def test_low_rank_updates_merge_into_a_plain_checkpoint(tiny_sentence_model, capital_pairs, tmp_path, monkeypatch):
    held = {}

    def remember(model):
        held["adapters"] = model.encode(["a b c", "D e"])
        held["merged"] = merge(model).encode(["a b c", "D e"])
        return model

    merge = contrastive.merge_lora
    monkeypatch.setattr(contrastive, "merge_lora", remember)
    settings = replace(QUICK, held_out=0, learning_rate=0.05, lora_rank=2)
    run = finetune_contrastive(tiny_sentence_model, capital_pairs(40), output=tmp_path / "out", settings=settings)
    assert run.n_trained < run.n_frozen
    np.testing.assert_allclose(held["merged"], held["adapters"], atol=1e-5)
    before, after = weights(tiny_sentence_model), weights(tmp_path / "out")
    assert set(after) == set(before)
    changed = {name for name in before if np.abs(after[name] - before[name]).max() > 1e-4}
    assert changed
    assert all(".weight" in name and before[name].ndim == 2 and "embeddings" not in name for name in changed)
    for name in changed:
        assert np.linalg.matrix_rank(after[name] - before[name], tol=1e-4) <= 2
    loaded = load_encoder(tmp_path / "out", cache=False, dtype="float32").model.encode(["a b c", "D e"])
    np.testing.assert_allclose(loaded, held["merged"], atol=1e-5)


def test_patience_ends_a_run_that_gains_nothing_and_the_start_is_given_back(
    tiny_sentence_model, capital_pairs, tmp_path
):
    settings = replace(QUICK, learning_rate=1e-12, steps=8, evaluations=8, patience=3)
    with pytest.warns(UserWarning, match="gained nothing"):
        run = finetune_contrastive(tiny_sentence_model, capital_pairs(60), output=tmp_path / "out", settings=settings)
    assert (run.steps, run.improved, run.finished) == (3, False, True)
    before, after = weights(tiny_sentence_model), weights(tmp_path / "out")
    for name in before:
        np.testing.assert_array_equal(after[name], before[name])


@pytest.mark.filterwarnings("ignore:training gained nothing")
def test_a_collapse_ends_the_run(tiny_sentence_model, capital_pairs, tmp_path, monkeypatch):
    monkeypatch.setattr(sentences, "COLLAPSED", 100.0)
    run = finetune_contrastive(tiny_sentence_model, capital_pairs(60), output=tmp_path / "out", settings=QUICK)
    assert run.collapsed
    assert run.steps == 2


def test_an_estimate_counts_and_writes_nothing(tiny_sentence_model, capital_pairs):
    cost = estimate_contrastive(tiny_sentence_model, capital_pairs(100), settings=replace(QUICK, steps=None, epochs=2))
    assert (cost.n_pairs, cost.n_held_out) == (90, 10)
    assert cost.steps == 2 * -(-90 // 8)
    assert cost.evaluations == 3
    assert cost.seconds == pytest.approx(
        cost.steps * cost.seconds_per_step + cost.evaluations * cost.seconds_per_evaluation
    )
    assert cost.seconds_per_step > 0
    assert cost.checkpoint_mb == pytest.approx(cost.n_trained * 12 / 1e6)
    assert [path.name for path in tiny_sentence_model.parent.iterdir()] == ["tiny"]


def test_each_side_gets_the_prompt_of_its_role(tiny_sentence_model, capital_pairs):
    roles = ("query", "passage")
    sources, targets = batches(tiny_sentence_model, capital_pairs(40), roles=roles)[0]
    query, colon = 4, 5
    assert (sources[:, 1] == query).all()
    assert (sources[:, 2] == colon).all()
    assert not (targets == query).any()


def test_no_batch_holds_a_text_twice(tiny_sentence_model, capital_pairs):
    pairs = capital_pairs(40)
    reverse = [Pair(pair.source[::-1], pair.target, "rev", "cap") for pair in pairs]
    for _, targets in batches(tiny_sentence_model, pairs + reverse):
        assert len({tuple(row.tolist()) for row in targets}) == len(targets)


def test_a_batch_may_be_of_one_language_pair(tiny_sentence_model, capital_pairs):
    pairs = capital_pairs(40)
    swapped = [pair.swapped for pair in capital_pairs(40, seed=1)]
    last_small = 5 + 26
    kinds = {True: set(), False: set()}
    for alone in kinds:
        for sources, _ in batches(tiny_sentence_model, pairs + swapped, one_language_pair_a_batch=alone):
            letters = sources[sources > 5]
            kinds[alone].add(float((letters <= last_small).float().mean()))
    assert kinds[True] == {0.0, 1.0}
    assert any(0.0 < share < 1.0 for share in kinds[False])


def test_bfloat16_trains_close_to_float32(tiny_sentence_model, capital_pairs, trained, tmp_path):
    settings = replace(QUICK, held_out=0, steps=2, precision="bfloat16")
    finetune_contrastive(tiny_sentence_model, capital_pairs(40), output=tmp_path / "rough", settings=settings)
    exact, rough = weights(trained[0].folder), weights(tmp_path / "rough")
    for name in exact:
        assert rough[name].dtype == np.float32
        # Adam's steps are bounded
        np.testing.assert_allclose(rough[name], exact[name], atol=3 * 2 * QUICK.learning_rate)


def test_what_cannot_be_trained_is_refused(fake_encoder, tiny_sentence_model, capital_pairs, tmp_path):
    pairs = capital_pairs(20)
    with pytest.raises(ValueError, match="only a transformer can be trained, but fake-1 is a FakeEncoder"):
        finetune_contrastive(fake_encoder, pairs, output=tmp_path / "out")
    with pytest.raises(ValueError, match="at least two pairs"):
        finetune_contrastive(tiny_sentence_model, pairs[:1], output=tmp_path / "out")


def test_the_global_random_state_is_left_alone(trained):
    _, before, after = trained
    assert before.equal(after)
