"""Parts that the trainer takes: small checkpoints, batches of like length, an evaluator, and what ends a run early."""

import json
import random
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from interlingua.align.arrays import require

#: A spread below this share of the reference's is a collapse.
COLLAPSED = 0.1
_WEIGHTS = "trainable.safetensors"


def trainer_class() -> Any:
    """Return a `SentenceTransformerTrainer` whose checkpoints hold the trained parameters only.

    Frozen word embeddings are 80 % of multilingual-e5-small; with LoRA a checkpoint is a few megabytes.
    """
    library: Any = require("sentence_transformers", extra="train")
    tensors = require("safetensors.torch", extra="train")

    class Trainer(library.SentenceTransformerTrainer):  # type: ignore[misc]  # the library is untyped
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

        def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
            pass  # the card is written with the finished encoder; theirs would look at every text

    return Trainer


def by_length_sampler(dataset: Any, **options: Any) -> Any:
    """Return a sampler of batches without equal texts, each sorted by length.

    Equal texts would be negatives of each other. The parts that a large batch is encoded in are of like length so.
    """
    library: Any = require("sentence_transformers.base.sampler", extra="train")
    lengths = [len(source) + len(target) for source, target in zip(dataset["source"], dataset["target"])]

    class ByLength(library.NoDuplicatesBatchSampler):  # type: ignore[misc]  # the library is untyped
        def __iter__(self) -> Iterator[list[int]]:
            for batch in super().__iter__():
                yield sorted(batch, key=lambda row: lengths[row])

    return ByLength(dataset.select_columns(["source", "target"]), **options)


def evaluator(score: Callable[[Any], dict[str, float]]) -> Any:
    """Return an evaluator of the library that gives the scores of `score(model)`."""
    library: Any = require("sentence_transformers.base.evaluation", extra="train")

    class Scores(library.BaseEvaluator):  # type: ignore[misc]  # the library is untyped
        def __call__(self, model: Any, output_path: Any = None, epoch: float = -1, steps: int = -1) -> dict[str, float]:
            return score(model)

    return Scores()


def make_watch(
    *,
    patience: int,
    max_minutes: float | None,
    reference_spread: float | None,
    best_before: float | None,
    callback: Callable[[Mapping[str, float]], None] | None,
) -> Any:
    """Return a callback of the trainer that passes scores on and ends a run early.

    It ends where the held-out vectors' spread falls below a tenth of `reference_spread` (then `collapsed` is set),
    where the last `patience` evaluations brought no better "mrr" than before them, `best_before` included, or, after a
    checkpoint, where `max_minutes` have passed (then `out_of_time` is set). What it decides by lies in the trainer's
    own log, so that a resumed run decides alike.
    """
    library: Any = require("transformers", extra="train")

    class Ending(library.TrainerCallback):  # type: ignore[misc]  # the library is untyped
        def __init__(self) -> None:
            self.collapsed = False
            self.out_of_time = False
            self.began = time.perf_counter()

        def on_train_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            self.began = time.perf_counter()

        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            late = max_minutes is not None and time.perf_counter() - self.began > 60 * max_minutes
            if late and state.global_step < state.max_steps:
                self.out_of_time = control.should_save = control.should_training_stop = True

        def on_evaluate(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            seen = [line for line in state.log_history if "eval_mrr" in line]
            scores = [line["eval_mrr"] for line in seen]
            if reference_spread is not None and seen[-1]["eval_spread"] < COLLAPSED * reference_spread:
                self.collapsed = control.should_training_stop = True
            earlier = scores[:-patience] + ([] if best_before is None else [best_before])
            if len(scores) >= patience and earlier and max(scores[-patience:]) <= max(earlier):
                control.should_training_stop = True
            self.out_of_time = self.out_of_time and not control.should_training_stop

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **rest: Any) -> None:
            if callback is not None and logs:
                numbers = {key: float(value) for key, value in logs.items() if isinstance(value, (int, float))}
                callback({"step": float(state.global_step), **numbers})

    return Ending()


def make_stopwatch(times: list[float]) -> Any:
    """Return a callback of the trainer that notes the time at the end of each step."""
    library: Any = require("transformers", extra="train")

    class Stopwatch(library.TrainerCallback):  # type: ignore[misc]  # the library is untyped
        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            times.append(time.perf_counter())

    return Stopwatch()


def latest_whole(folder: Path) -> Path | None:
    """Return the newest checkpoint whose state, which is written last, can be read; remove newer ones."""
    for path in sorted(folder.glob("checkpoint-*"), key=lambda each: int(each.name.rpartition("-")[2]), reverse=True):
        try:
            json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            shutil.rmtree(path, ignore_errors=True)
        else:
            return path
    return None


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Hide the bars and notes of transformers; what matters reaches the callback."""
    logging = require("transformers.utils.logging", extra="train")
    level, shown = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()


@contextmanager
def kept_random_state() -> Iterator[None]:
    """Give back the states of the global generators, which the trainer seeds."""
    torch = require("torch", extra="torch")
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002 - to give it back
    try:
        with torch.random.fork_rng():
            yield
    finally:
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)
