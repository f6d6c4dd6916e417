"""The study: seeded, resumable, and right about what is best."""

import sqlite3

import pytest

pytest.importorskip("optuna")

from interlingua.pipelines.texts.labelled import Labelled
from interlingua.pipelines.train import study as tuning
from interlingua.pipelines.train.settings import FineTuning, SearchSpace
from interlingua.pipelines.train.study import tune

DATA = Labelled(("a",) * 50, ("x", "y") * 25, "en")


@pytest.fixture
def planted(monkeypatch):
    """Training stands for a function of the settings: best at a rate of 1e-4 and a batch of 16."""
    import math

    tried = []

    def train(train, settings, *, others=None):
        tried.append(settings)
        return settings

    def accuracy(settings, development):
        far = abs(math.log10(settings.learning_rate) + 4) + (settings.batch_size != 16) * 0.3
        return len(development), 0.9 - 0.3 * far, 0.0

    monkeypatch.setattr(tuning, "model_depth", lambda _: 12)
    monkeypatch.setattr(tuning, "fine_tune", train)
    monkeypatch.setattr(tuning, "evaluate", accuracy)
    return tried


def test_the_best_of_a_planted_objective_is_found(planted):
    found = tune(DATA, DATA, trials=25)
    assert len(planted) == len(found.trials) == 25
    assert found.best_trial.accuracy == max(each.accuracy for each in found.trials)
    assert found.best.batch_size == 16
    assert 0.5e-4 < found.best.learning_rate < 2e-4
    assert found.best == next(each for each in planted if each.learning_rate == found.best.learning_rate)
    expected = (found.best_trial.accuracy * (1 - found.best_trial.accuracy) / 50) ** 0.5
    assert found.standard_error == pytest.approx(expected)


def test_a_resumed_study_tries_what_an_unbroken_one_tries(planted, tmp_path):
    whole = tune(DATA, DATA, trials=7, storage=tmp_path / "whole.db")
    with pytest.raises(KeyboardInterrupt):
        tune(DATA, DATA, trials=7, storage=tmp_path / "broken.db", callback=_stop_after(3))
    resumed = tune(DATA, DATA, trials=7, storage=tmp_path / "broken.db", resume=True)
    assert [each.parameters for each in resumed.trials] == [each.parameters for each in whole.trials]
    assert len(planted) == 7 + 7
    again = tune(DATA, DATA, trials=7, storage=tmp_path / "broken.db", resume=True)
    assert again.trials == resumed.trials
    assert len(planted) == 14


def test_a_trial_that_breaks_off_is_tried_again(planted, tmp_path, monkeypatch):
    def broken(*_, **__):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(tuning, "fine_tune", broken)
        with pytest.raises(MemoryError):
            tune(DATA, DATA, trials=2, storage=tmp_path / "study.db")
    found = tune(DATA, DATA, trials=2, storage=tmp_path / "study.db", resume=True)
    assert [each.number for each in found.trials] == [0, 1]
    assert [each.parameters for each in found.trials] == [each.parameters for each in tune(DATA, DATA, trials=2).trials]


def test_seeds_draw_other_trials(planted):
    first, again, other = (tune(DATA, DATA, trials=2, seed=seed) for seed in (0, 0, 1))
    assert [each.parameters for each in first.trials] == [each.parameters for each in again.trials]
    assert [each.parameters for each in first.trials] != [each.parameters for each in other.trials]


def test_the_games_weight_is_searched_where_it_is_played(planted):
    space = SearchSpace(batch_size=None, warmup=None, layer=(6, 12))
    assert set(tune(DATA, DATA, space=space, trials=1).trials[0].parameters) == {"learning_rate", "layer"}
    played = tune(DATA, DATA, FineTuning(adversarial="reversal"), space=space, trials=1, others={"fr": ["a"]})
    assert set(played.trials[0].parameters) == {"learning_rate", "layer", "adversarial_weight"}


def test_another_study_is_not_mixed_in(planted, tmp_path):
    tune(DATA, DATA, trials=1, storage=tmp_path / "study.db")
    with pytest.raises(FileExistsError, match="resume it"):
        tune(DATA, DATA, trials=2, storage=tmp_path / "study.db")
    with pytest.raises(ValueError, match="other texts, settings or ranges"):
        tune(DATA, DATA, FineTuning(epochs=9), trials=2, storage=tmp_path / "study.db", resume=True)


def test_an_empty_search_is_refused(planted):
    with pytest.raises(ValueError, match="nothing to search"):
        tune(DATA, DATA, space=SearchSpace(batch_size=None, learning_rate=None, warmup=None))
    with pytest.raises(ValueError, match="at least 1"):
        tune(DATA, DATA, trials=0)


def test_layers_that_the_model_has_not_are_refused_before_there_is_a_study(planted, tmp_path):
    file = tmp_path / "study.db"
    with pytest.raises(ValueError, match="layer must be between 1 and 12, the model's last, but one is 13"):
        tune(DATA, DATA, space=SearchSpace(layer=(6, 13)), storage=file)
    with pytest.raises(ValueError, match="frozen_layers must be below each layer that is tried, but is 6"):
        tune(DATA, DATA, FineTuning(frozen_layers=6), space=SearchSpace(layer=(12, 6)), storage=file)
    assert (planted, list(tmp_path.iterdir())) == ([], [])


def test_the_models_layers_are_counted_without_its_weights(write_tiny_sentence_model, tmp_path):
    pytest.importorskip("torch")
    from interlingua.pipelines.train.classifier import model_depth

    folder = write_tiny_sentence_model(tmp_path / "tiny", layers=3)
    (folder / "model.safetensors").unlink()
    assert model_depth(folder) == 3


def test_an_error_of_the_arguments_leaves_no_new_study(planted, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise ValueError("a classifier needs at least 2 labels")

    tune(DATA, DATA, trials=1, storage=tmp_path / "old.db")
    monkeypatch.setattr(tuning, "fine_tune", refuse)
    for name in ("old.db", "new.db"):
        with pytest.raises(ValueError, match="2 labels"):
            tune(DATA, DATA, trials=2, storage=tmp_path / name, resume=True)
    assert [path.name for path in tmp_path.iterdir()] == ["old.db"]


def test_a_file_that_is_no_study_is_called_so_and_left_as_it_is(planted, tmp_path):
    text, other = tmp_path / "J.db", tmp_path / "other.db"
    text.write_text("no database at all\n" * 99)
    opened = sqlite3.connect(other)
    opened.execute("CREATE TABLE songs (name TEXT)")
    opened.close()
    for path in (text, other):
        before = path.read_bytes()
        for resume in (False, True):
            with pytest.raises(ValueError, match=f"{path.name} is no study; name another file"):
                tune(DATA, DATA, trials=1, storage=path, resume=resume)
        assert path.read_bytes() == before
    with pytest.raises(FileNotFoundError, match="does not exist; create it first"):
        tune(DATA, DATA, trials=1, storage=tmp_path / "nowhere" / "study.db")


def _stop_after(n):
    def callback(trial):
        if trial.number == n - 1:
            raise KeyboardInterrupt

    return callback
