"""Search the settings of fine-tuning with a small Optuna study."""

from __future__ import annotations

import json
import math
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from interlingua.align.arrays import require
from interlingua.pipelines.texts.labelled import Labelled, LabelledWords

from .classifier import model_depth
from .finetune import fine_tune, run_identity
from .settings import FineTuning, SearchSpace
from .transfer import evaluate

#: What is printed beside every result.
PROXY_WARNING = (
    "accuracy in the training language is an unstable guide to accuracy in others: the two are often not correlated, "
    "or even against each other (Keung et al. 2020, doi:10.18653/v1/2020.emnlp-main.40). Differences within the "
    "standard error say nothing; a few labelled texts of a target language say more"
)
_NAMES = ("batch_size", "learning_rate", "warmup", "layer", "adversarial_weight")


@dataclass(frozen=True)
class Trial:
    """One setting that was tried.

    Attributes
    ----------
    number : int
        From 0.
    parameters : dict
        The searched settings.
    accuracy : float
        On the development texts.
    seconds : float
        Wall clock.
    """

    number: int
    parameters: dict[str, Any]
    accuracy: float
    seconds: float


@dataclass(frozen=True)
class Tuning:
    """What a study found.

    Attributes
    ----------
    trials : tuple of Trial
        In the order in which they were tried.
    best : FineTuning
        The settings of the best trial; the first of equals.
    standard_error : float
        Of the best accuracy, from the number of development labels.
    """

    trials: tuple[Trial, ...]
    best: FineTuning
    standard_error: float

    @property
    def best_trial(self) -> Trial:
        """The trial of the highest accuracy; the first of equals."""
        return max(self.trials, key=lambda each: each.accuracy)


def tune(
    train: Labelled | LabelledWords,
    development: Labelled | LabelledWords,
    settings: FineTuning | None = None,
    *,
    space: SearchSpace | None = None,
    trials: int = 10,
    others: Mapping[str, Sequence[Any]] | None = None,
    storage: str | Path | None = None,
    resume: bool = False,
    seed: int = 0,
    callback: Callable[[Trial], None] | None = None,
) -> Tuning:
    """Return the settings with the highest accuracy on development texts of the training language.

    Parameters
    ----------
    train, development : Labelled or LabelledWords
        Of one language. See `PROXY_WARNING`.
    settings : FineTuning, optional
        What is not searched; its seed trains each trial.
    space : SearchSpace, optional
    trials : int
        In all, those of a resumed study included.
    others : mapping of str to sequence, optional
        See `fine_tune`.
    storage : str or Path, optional
        An SQLite file that keeps each trial when it is done.
    resume : bool
        Go on with the study that is there. A resumed study tries what an unbroken one would have tried.
    seed : int
        Of the sampler (tree-structured Parzen estimators, Bergstra et al. 2011).
    callback : callable, optional
        Gets each trial when it is done.

    Raises
    ------
    MissingExtraError
        If the extra `train` is not installed.
    FileExistsError
        If `storage` holds a study and `resume` is not set.
    ValueError
        If it is a study of other texts, settings or another space, or none at all; if there is nothing to search, or
        the model has no such layer. No new `storage` is left by an error of the arguments.

    References
    ----------
    Akiba et al. (2019), "Optuna", doi:10.1145/3292500.3330701
    """
    optuna = require("optuna", extra="train")
    settings, space = settings or FineTuning(), space or SearchSpace()
    if trials < 1:
        raise ValueError(f"trials must be at least 1, but is {trials}")
    searched = [name for name in _NAMES if getattr(space, name) is not None]
    if settings.adversarial == "none":
        searched = [name for name in searched if name != "adversarial_weight"]
    if not searched:
        raise ValueError("the space leaves nothing to search; give a choice or a range for at least one setting")
    fixed = {name: value for name, value in run_identity(train, settings, others).items() if name not in searched}
    identity = json.dumps({**fixed, "space": asdict(space), "sampler_seed": seed}, sort_keys=True)
    _check_layers(settings, space)
    _check_storage(storage, resume=resume)
    done: list[Trial] = []
    with _unused_removed(storage, done), _open_study(optuna, storage) as study:
        if study.user_attrs.setdefault("identity", identity) != identity:
            raise ValueError(f"{storage} is a study of other texts, settings or ranges; use the same, or another file")
        study.set_user_attr("identity", identity)
        for each in study.get_trials(deepcopy=False):
            if each.state.name == "COMPLETE":
                done.append(Trial(len(done), dict(each.params), each.value, each.user_attrs["seconds"]))
            elif each.state.name == "RUNNING":  # its process was killed
                study.tell(each.number, state=optuna.trial.TrialState.FAIL)
        while len(done) < trials:
            # subtle: a new sampler for each trial, so that a resumed study draws as an unbroken one
            study.sampler = optuna.samplers.TPESampler(seed=seed + len(done), n_startup_trials=min(5, trials))
            asked = study.ask()
            chosen = _suggest(asked, space, searched)
            started = time.perf_counter()
            try:
                classifier = fine_tune(train, replace(settings, **chosen), others=others)
            except BaseException:
                study.tell(asked, state=optuna.trial.TrialState.FAIL)
                raise
            accuracy = evaluate(classifier, development)[1]
            trial = Trial(len(done), chosen, accuracy, time.perf_counter() - started)
            asked.set_user_attr("seconds", trial.seconds)
            study.tell(asked, accuracy)
            done.append(trial)
            if callback is not None:
                callback(trial)
    best = max(done, key=lambda each: each.accuracy)
    n = sum(map(len, development.labels)) if isinstance(development, LabelledWords) else len(development)
    error = math.sqrt(best.accuracy * (1 - best.accuracy) / n)
    return Tuning(tuple(done), replace(settings, **best.parameters), error)


def _check_layers(settings: FineTuning, space: SearchSpace) -> None:
    if space.layer is None:
        return
    depth = model_depth(settings.source())
    if depth is not None and max(space.layer) > depth:
        raise ValueError(f"layer must be between 1 and {depth}, the model's last, but one is {max(space.layer)}")
    if settings.frozen_layers >= min(space.layer):
        raise ValueError(
            f"frozen_layers must be below each layer that is tried, but is {settings.frozen_layers}, and layer "
            f"{min(space.layer)} is to be tried"
        )


def _check_storage(storage: str | Path | None, *, resume: bool) -> None:
    if storage is None:
        return
    path = Path(storage)
    if not path.resolve().parent.is_dir():
        raise FileNotFoundError(f"cannot write {path}: the folder {path.parent} does not exist; create it first")
    if not path.exists():
        return
    if not _is_study(path):
        raise ValueError(f"{path} is no study; name another file")
    if not resume:
        raise FileExistsError(f"{path} holds a study; resume it, or name another file")


def _is_study(path: Path) -> bool:
    """Tell whether a file is a database of Optuna, or empty as one that was cut off when it was made."""
    if path.stat().st_size == 0:
        return True
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as opened:
            tables = {name for (name,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.DatabaseError:
        return False
    return not tables or "studies" in tables


@contextmanager
def _unused_removed(storage: str | Path | None, done: Sequence[Trial]) -> Iterator[None]:
    """Remove a file that is new, where what was asked for was refused before a trial was done."""
    new = storage is not None and not Path(storage).exists()
    try:
        yield
    except (ValueError, TypeError, OSError, ImportError):
        if new and storage is not None and not done:
            Path(storage).unlink(missing_ok=True)
        raise


def _suggest(trial: Any, space: SearchSpace, searched: Sequence[str]) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    for name in searched:
        values = getattr(space, name)
        if name in ("batch_size", "layer"):
            chosen[name] = trial.suggest_categorical(name, list(values))
        else:
            chosen[name] = trial.suggest_float(name, *values, log=name != "warmup")
    return chosen


@contextmanager
def _open_study(optuna: Any, storage: str | Path | None) -> Iterator[Any]:
    """Yield the study of a file, or one in memory; its connections are closed at the end."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    kept = None if storage is None else optuna.storages.RDBStorage(f"sqlite:///{Path(storage).resolve()}")
    try:
        yield optuna.create_study(storage=kept, study_name="interlingua", direction="maximize", load_if_exists=True)
    finally:
        if kept is not None:
            kept.remove_session()
            kept.engine.dispose()
        optuna.logging.set_verbosity(level)
