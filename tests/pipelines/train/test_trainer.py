"""Checkpoints, runs and the log of Hugging Face's trainer, without a training."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
safetensors = pytest.importorskip("safetensors.numpy")

from interlingua.pipelines.train.sentences import _Judge  # noqa: E402
from interlingua.pipelines.train.trainer import (  # noqa: E402
    last_checkpoint,
    make_watch,
    merge_log,
    open_checkpoints,
    own_randomness,
    read_run,
    take_checkpoint,
    write_run,
)

FILES = ("trainer_state.json", "trained.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "game.pt")


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    for step in (2, 4, 10):
        checkpoint = folder / f"checkpoint-{step}"
        checkpoint.mkdir()
        (checkpoint / "trainer_state.json").write_text(json.dumps({"global_step": step}))
        safetensors.save_file({"weight": np.arange(100.0)}, checkpoint / "trained.safetensors")
        for name in FILES[2:]:
            torch.save({"state": torch.arange(100)}, checkpoint / name)
    return folder


@pytest.fixture
def folder(three, tmp_path):
    return shutil.copytree(three, tmp_path / "run")


def test_the_last_checkpoint_is_that_of_the_most_steps(folder):
    assert last_checkpoint(folder).name == "checkpoint-10"
    assert take_checkpoint(folder).name == "checkpoint-10"
    assert last_checkpoint(folder / "nowhere") is None


# not every training plays a game, so that its file may be missing
@pytest.mark.parametrize(
    ("name", "size"),
    [(name, size) for name in FILES for size in (0, 0.5, None) if name != "game.pt" or size is not None],
)
def test_a_damaged_checkpoint_is_passed_over_and_removed_with_a_note(folder, name, size):
    file = folder / "checkpoint-10" / name
    content = file.read_bytes()
    file.unlink()
    if size is not None:
        file.write_bytes(content[: int(size * len(content))])
    assert last_checkpoint(folder).name == "checkpoint-4"
    assert (folder / "checkpoint-10").is_dir()
    with pytest.warns(UserWarning, match=r"checkpoint-10 is damaged \(.+\): the run goes on from checkpoint-4"):
        assert take_checkpoint(folder).name == "checkpoint-4"
    assert sorted(path.name for path in folder.iterdir()) == ["checkpoint-2", "checkpoint-4"]


def test_a_run_without_a_whole_checkpoint_begins_anew(folder):
    for path in folder.iterdir():
        (path / "optimizer.pt").unlink()
    with pytest.warns(UserWarning, match="optimizer.pt is missing or cut short.*: the run begins anew") as notes:
        assert open_checkpoints(folder, {"seed": 1}, resume=False) == (None, {})
    assert len(notes) == 3
    assert [path.name for path in folder.iterdir()] == ["run.json"]


def test_checkpoints_are_gone_on_from_by_the_same_run_only(folder):
    run = {"seed": 0, "roles": ("query", "passage"), "device": "cpu"}
    with pytest.raises(ValueError, match="does not say of which run"):
        open_checkpoints(folder, run, resume=True)
    write_run(folder, run, start={"mrr": 0.5})
    with pytest.raises(FileExistsError, match="resume it or remove the folder"):
        open_checkpoints(folder, run, resume=False)
    found = open_checkpoints(folder, {**run, "device": "cuda"}, resume=True)
    assert found == (folder / "checkpoint-10", {"start": {"mrr": 0.5}})
    with pytest.raises(ValueError, match="seed was 0 and is 1; use the same, or remove the folder"):
        open_checkpoints(folder, {**run, "seed": 1}, resume=True)


def test_what_differs_is_named_and_hashes_are_not_shown(tmp_path):
    write_run(tmp_path, {"seed": 0, "settings": {"steps": 3, "rate": 0.1}, "texts": "0" * 64})
    other = {"seed": 1, "settings": {"steps": 4, "rate": 0.1}, "texts": "1" * 64}
    told = "of another run: seed was 0 and is 1, settings steps was 3 and is 4, it has other texts; use"
    with pytest.raises(ValueError, match=told):
        read_run(tmp_path, other)
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(ValueError, match="holds no run that can be resumed"):
        read_run(tmp_path, other)
    assert read_run(tmp_path / "nowhere", other) is None


def test_the_log_is_merged_by_the_step():
    log = [
        {"step": 0, "eval_mrr": 0.1, "eval_runtime": 3.0},
        {"step": 2, "loss": 1.5, "learning_rate": 0.1, "epoch": 1.0},
        {"step": 2, "eval_mrr": 0.2},
        {"step": 3, "train_runtime": 9.0},
    ]
    assert merge_log(log, step="at", names={"loss": "objective"}) == (
        {"at": 0.0, "mrr": 0.1},
        {"at": 2.0, "objective": 1.5, "mrr": 0.2},
    )


def ended(watch, *, step=3, log=(), evaluated=False):
    """Play the end of a step; return whether the run is stopped, and whether for its time."""
    control = SimpleNamespace(should_save=False, should_training_stop=False)
    state = SimpleNamespace(global_step=step, max_steps=10, log_history=list(log))
    watch.on_step_end(SimpleNamespace(logging_steps=2), state, control)
    if evaluated:
        watch.on_evaluate(None, state, control)
    return control.should_training_stop, watch.out_of_time


def test_a_run_whose_time_is_up_is_stopped_but_not_finished_even_at_an_evaluation():
    assert ended(make_watch()) == (False, False)
    assert ended(make_watch(max_minutes=100)) == (False, False)
    assert ended(make_watch(max_minutes=0)) == (True, True)
    assert ended(make_watch(max_minutes=0), step=10) == (False, False)
    assert ended(make_watch(max_minutes=0, judge=lambda log: False), evaluated=True) == (True, True)
    assert ended(make_watch(max_minutes=0, judge=lambda log: True), evaluated=True) == (True, False)
    assert ended(make_watch(judge=lambda log: True), evaluated=True) == (True, False)


def test_a_run_that_reports_means_is_stopped_at_a_report():
    assert ended(make_watch(max_minutes=0, at_reports=True), step=3) == (False, False)
    assert ended(make_watch(max_minutes=0, at_reports=True), step=4) == (True, True)


def scored(*values, spread=0.5):
    return [{"step": 0, "loss": 1.0}, *({"eval_mrr": each, "eval_spread": spread} for each in values)]


def test_evaluations_without_gain_tire_and_a_small_spread_is_a_collapse():
    assert not _Judge(2, 0.5, 0.3)(scored(0.1))
    assert _Judge(2, 0.5, 0.3)(scored(0.1, 0.3))  # the start was as good
    assert not _Judge(2, 0.5, 0.3)(scored(0.1, 0.4))
    assert not _Judge(2, 0.5, None)(scored(0.4, 0.1))
    assert _Judge(2, 0.5, None)(scored(0.4, 0.1, 0.4))
    judge = _Judge(2, 0.5, 0.3)
    assert not judge(scored(0.9, spread=0.06))
    assert judge(scored(0.9, spread=0.04))
    assert judge.collapsed


def test_randomness_is_seeded_and_given_back_even_by_an_error():
    def drawn():
        return float(torch.rand(())), float(np.random.random())  # noqa: NPY002

    def broken():
        with own_randomness(7):
            np.random.seed(0)  # noqa: NPY002
            seen.append(float(torch.rand(())))
            raise KeyError

    torch.manual_seed(3), np.random.seed(3)  # noqa: NPY002
    expected = drawn()
    torch.manual_seed(3), np.random.seed(3)  # noqa: NPY002
    seen = []
    for _ in range(2):
        with pytest.raises(KeyError):
            broken()
    assert seen[0] == seen[1]
    assert drawn() == expected
