"""What every training with Hugging Face's trainer shares: checkpoints, resuming, the log, an early end, randomness."""

import json
import random
import shutil
import time
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from interlingua.align.arrays import require
from interlingua.align.files import refuse_links, replacing

from .settings import Settings

#: What may differ when a run goes on.
ANYTIME = ("device", "max_minutes")
_RUN = "run.json"
_WEIGHTS = "trained.safetensors"
_STATES = ("optimizer.pt", "scheduler.pt", "rng_state.pth")
_TIMINGS = ("runtime", "samples_per_second", "steps_per_second")


def small_checkpoints(trainer: Any) -> Any:
    """Return a trainer's class, changed so that its checkpoints hold the trained parameters only.

    Frozen word embeddings are 80 % of multilingual-e5-small; with LoRA a checkpoint is a few megabytes.
    """
    tensors = require("safetensors.torch", extra="train")

    class SmallCheckpoints(trainer):  # type: ignore[misc]  # the library is untyped
        def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
            folder = Path(output_dir or self.args.output_dir)
            folder.mkdir(parents=True, exist_ok=True)
            trained = {name: each for name, each in self.model.named_parameters() if each.requires_grad}
            tensors.save_file({name: each.detach().contiguous() for name, each in trained.items()}, folder / _WEIGHTS)

        def _load_from_checkpoint(self, checkpoint_path: str, model: Any = None) -> None:
            saved = tensors.load_file(Path(checkpoint_path) / _WEIGHTS)
            unknown = self.model.load_state_dict(saved, strict=False).unexpected_keys
            if unknown:
                raise ValueError(f"{checkpoint_path} is of another model: it holds {unknown[0]!r}")

    return SmallCheckpoints


def training_arguments(
    kind: Any,
    folder: Path,
    settings: Settings,
    *,
    steps: int,
    device: str,
    save_every: int | None,
    report_every: int | None,
    **more: Any,
) -> Any:
    """Return the arguments of a trainer, of the class `kind`, that reports to our callbacks only.

    Parameters
    ----------
    kind : class
        `TrainingArguments`, or that of sentence-transformers.
    folder : Path
        For checkpoints.
    settings : Settings
        What every training is told.
    steps : int
        In all.
    device : str
        A torch device.
    save_every : int, optional
        Steps between checkpoints, of which two are kept; None writes none.
    report_every : int, optional
        Steps between entries of the log; None makes none.
    **more
        Further arguments, or others than these.
    """
    require("accelerate", extra="train")
    arguments: dict[str, Any] = {
        "output_dir": str(folder),
        "max_steps": steps,
        "learning_rate": settings.learning_rate,
        "weight_decay": settings.weight_decay,
        "lr_scheduler_type": "linear",
        "warmup_steps": round(settings.warmup * steps),
        "use_cpu": device == "cpu",
        "seed": settings.seed,
        "save_strategy": "no" if save_every is None else "steps",
        "save_steps": save_every or steps,
        "save_total_limit": 2,
        "logging_strategy": "no" if report_every is None else "steps",
        "logging_steps": report_every or steps,
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
    }
    return kind(**arguments | more)


def run_trainer(trainer: Any, checkpoint: Path | None = None) -> None:
    """Train, from a checkpoint if one is given, and print nothing: standard output is where results go."""
    trainer.remove_callback(require("transformers", extra="train").PrinterCallback)
    trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))


def make_watch(
    *,
    max_minutes: float | None = None,
    at_reports: bool = False,
    report: Callable[[Any, Mapping[str, Any]], None] | None = None,
    judge: Callable[[list[dict[str, Any]]], bool] | None = None,
) -> Any:
    """Return a callback of the trainer that reports what is logged, ends a run early and notes each step's end.

    Parameters
    ----------
    max_minutes : float, optional
        After so long a checkpoint is written and the run stopped; its attribute `out_of_time` is set then.
    at_reports : bool
        Stop for that at a report only, so that the loss of the next one is a mean over whole reports, resumed or not.
    report : callable, optional
        Gets the trainer's state and each entry of its log.
    judge : callable, optional
        Gets the log after each evaluation; True ends the run. The log lies in the checkpoints, so that a resumed run is
        judged like an unbroken one.
    """
    library: Any = require("transformers", extra="train")

    class Watch(library.TrainerCallback):  # type: ignore[misc]  # the library is untyped
        def __init__(self) -> None:
            self.out_of_time = False
            self.began = time.perf_counter()
            self.step_ends: list[float] = []

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.began = time.perf_counter()

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.step_ends.append(time.perf_counter())
            late = max_minutes is not None and self.step_ends[-1] - self.began > 60 * max_minutes
            may_stop = not at_reports or state.global_step % args.logging_steps == 0
            if late and may_stop and state.global_step < state.max_steps:
                self.out_of_time = control.should_save = control.should_training_stop = True

        def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if judge is not None and judge(state.log_history):
                control.should_training_stop = True
                self.out_of_time = False

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if report is not None and logs:
                report(state, state.log_history[-1])

    return Watch()


def merge_log(log: Iterable[Mapping[str, Any]], *, step: str, names: Mapping[str, str]) -> tuple[dict[str, float], ...]:
    """Return one entry a step of the trainer's log, which has separate ones for the loss and for evaluations.

    Parameters
    ----------
    log : iterable of mappings
        In order.
    step : str
        What the step is called.
    names : mapping of str to str
        What else is taken, and what it is called; "eval_X" is taken as X, but for timings.
    """
    rows: dict[int, dict[str, float]] = {}
    for line in log:
        row = rows.setdefault(int(line["step"]), {step: float(line["step"])})
        named = {**names, **{key: key[5:] for key in line if key.startswith("eval_") and key[5:] not in _TIMINGS}}
        row |= {name: float(line[key]) for key, name in named.items() if key in line}
    return tuple(row for row in rows.values() if len(row) > 1)


def last_checkpoint(folder: Path) -> Path | None:
    """Return the latest checkpoint that is whole."""
    return next((path for path, damage in _checkpoints(folder) if not damage), None)


def take_checkpoint(folder: Path) -> Path | None:
    """Return the latest checkpoint that is whole, and remove later ones; a warning says why.

    Raises
    ------
    FileExistsError
        If a link lies in the folder.
    """
    refuse_links(*folder.glob("*"))
    found = last_checkpoint(folder)
    for path, damage in _checkpoints(folder):
        if path == found:
            break
        shutil.rmtree(path, ignore_errors=True)
        way = "the run begins anew" if found is None else f"the run goes on from {found.name}"
        warnings.warn(f"{path} is damaged ({damage}): {way}", stacklevel=2)
    return found


def open_checkpoints(folder: Path, run: Mapping[str, Any], *, resume: bool) -> tuple[Path | None, dict[str, Any]]:
    """Return the checkpoint that a run goes on from and what `write_run` noted; where there is none the run begins.

    Raises
    ------
    FileExistsError
        If there is one and `resume` is not set, or a link lies in the folder.
    ValueError
        If it is of another run; see `read_run`.
    """
    if not resume and last_checkpoint(folder) is not None:
        raise FileExistsError(f"{folder} holds the checkpoints of another run; resume it or remove the folder")
    checkpoint = take_checkpoint(folder)
    if checkpoint is None:
        write_run(folder, run)
        return None, {}
    noted = read_run(folder, run)
    if noted is None:
        raise ValueError(f"{folder} has checkpoints and does not say of which run; remove the folder")
    return checkpoint, noted


def write_run(folder: Path, run: Mapping[str, Any], **notes: Any) -> None:
    """Write what makes a run this one and no other into its folder, and notes beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / _RUN, "w", links="replace") as file:
        file.write(json.dumps({**notes, "run": dict(run)}, indent=1))


def read_run(folder: Path, run: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the notes in a folder, None where no run is kept.

    Raises
    ------
    ValueError
        If the folder is of another run, naming what differs, but for `ANYTIME`; or not readable.
    """
    file = folder / _RUN
    if not file.exists():
        return None
    try:
        notes = json.loads(file.read_text(encoding="utf-8"))
        then = notes.pop("run")
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{folder} holds no run that can be resumed ({error}); remove the folder") from error
    differing = ", ".join(_differences(then, json.loads(json.dumps(dict(run)))))
    if differing:
        raise ValueError(f"{folder} is of another run: {differing}; use the same, or remove the folder")
    return dict(notes)


@contextmanager
def own_randomness(seed: int) -> Iterator[None]:
    """Seed the global generators, which trainers and models draw from, and give them back as they were."""
    torch = require("torch", extra="torch")
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002 - to give it back
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            yield
    finally:
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Hide transformers' bars and its remarks on what is meant to be so; what matters reaches the callback."""
    logging: Any = require("transformers.utils.logging", extra="train")
    level, shown = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()


def _checkpoints(folder: Path) -> list[tuple[Path, str]]:
    """Return the checkpoints, the latest first, and what is wrong with each: nothing with a whole one."""
    found = [path for path in folder.glob("checkpoint-*") if path.name.rpartition("-")[2].isdigit()]
    found.sort(key=lambda path: -int(path.name.rpartition("-")[2]))
    return [(path, _damage(path)) for path in found]


def _damage(checkpoint: Path) -> str:
    """Return what is missing or cut short in a checkpoint; the trainer writes its state last."""
    safetensors = require("safetensors", extra="train")
    try:
        json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
        with safetensors.safe_open(checkpoint / _WEIGHTS, framework="np"):
            pass
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        return str(error)
    files = {*_STATES, *(path.name for path in checkpoint.glob("*.pt"))}  # torch writes zip files, their table last
    cut = sorted(name for name in files if not zipfile.is_zipfile(checkpoint / name))
    return f"{cut[0]} is missing or cut short" if cut else ""


def _differences(then: Mapping[str, Any], now: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Yield in words what two runs differ in; of the hash of texts only that it does."""
    for key in sorted(now):
        before, value = then.get(key), now[key]
        if before == value or key in ANYTIME:
            continue
        if isinstance(value, dict) and isinstance(before, dict):
            yield from _differences(before, value, f"{above}{key} ")
        elif isinstance(value, str) and len(value) >= 32 and set(value) <= set("0123456789abcdef"):
            yield f"it has other {above}{key}"
        else:
            yield f"{above}{key} was {before!r} and is {value!r}"
