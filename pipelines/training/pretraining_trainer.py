"""Drive Hugging Face's Trainer so that a run which was killed goes on as if it had not been."""

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from interlingua.align.optional import require
from interlingua.pipelines.transformer_encoder import native_dtype, resolve_device

from .pretraining_examples import Batches, Masking
from .pretraining_model import masked_loss
from .pretraining_settings import PretrainingSettings

__all__ = [
    "Trained",
    "held_out_loss",
    "last_checkpoint",
    "own_randomness",
    "quiet_libraries",
    "resolve_dtype",
    "train",
]

_PREFIX = "held_out "


@dataclass(frozen=True)
class Trained:
    """The curve and the tokens of a run, those before an interruption included; and whether all steps are done."""

    history: tuple[dict[str, float], ...]
    tokens: int
    finished: bool


def train(
    model: Any,
    batches: Batches,
    masking: Masking,
    held_out: Mapping[str, Sequence[str]],
    folder: Path,
    settings: PretrainingSettings,
    *,
    learning_rate: float,
    max_minutes: float | None,
    callback: Callable[[Mapping[str, float]], None] | None,
) -> Trained:
    """Train the model in place, from the last checkpoint in `folder` if there is one."""
    transformers = require("transformers", extra="train")
    device, dtype = resolve_device(settings.device), resolve_dtype(settings)
    checkpoint = last_checkpoint(folder)
    begun = 0 if checkpoint is None else _state(checkpoint)["global_step"] * settings.accumulation
    measured = {
        language: _in_batches(batches.sentences(language, texts), settings.batch_size)
        for language, texts in held_out.items()
        if texts
    }
    arguments = transformers.TrainingArguments(
        output_dir=str(folder),
        max_steps=settings.steps,
        per_device_train_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.accumulation,
        learning_rate=learning_rate,
        weight_decay=settings.weight_decay,
        warmup_steps=round(settings.warmup * settings.steps),
        lr_scheduler_type="linear",
        logging_strategy="steps",
        logging_steps=settings.reports,
        eval_strategy="steps" if measured else "no",
        eval_steps=settings.reports,
        eval_on_start=bool(measured) and checkpoint is None,
        save_strategy="steps",
        save_steps=settings.saves,
        save_total_limit=2,
        seed=settings.seed,
        use_cpu=device == "cpu",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        ignore_data_skip=True,  # the stream begins at the right batch by itself
        include_num_input_tokens_seen="non_padding",
    )
    trainer = _trainer_class()(model=model, args=arguments, eval_dataset=list(measured) or None)
    trainer.processing_class = batches.tokenizer  # tells which token is padding
    trainer.stream = lambda: (
        masking.training(number, batch) for number, batch in enumerate(batches.draw(begun), begun)
    )
    trainer.measure = lambda: {
        language: held_out_loss(model, masking, some, dtype=dtype) for language, some in measured.items()
    }
    trainer.layer_dtype = dtype
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.add_callback(_reporter(callback, max_minutes, bool(measured)))
    trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    finished = trainer.state.global_step >= settings.steps
    if finished and measured and settings.steps % settings.reports:
        trainer.evaluate()
    model.eval()
    return Trained(_history(trainer.state.log_history), int(trainer.state.num_input_tokens_seen), finished)


def held_out_loss(model: Any, masking: Masking, batches: Sequence[Sequence[Any]], *, dtype: str = "float32") -> float:
    """Return the mean of -log p(token) over the masked tokens of all batches, each masked the same way every time.

    Parameters
    ----------
    model : a masked language model of transformers
        Put into evaluation mode while it is measured.
    masking : Masking
    batches : sequence of sequences of Example
    dtype : {"float32", "bfloat16"}
        See `masked_loss`.

    Returns
    -------
    float
        In nats; lower is better.
    """
    torch = require("torch", extra="train")
    training = model.training
    model.eval()
    device = next(model.parameters()).device
    total, count = 0.0, 0
    with torch.no_grad():
        for number, batch in enumerate(batches):
            inputs = {name: value.to(device) for name, value in masking.held_out(number, batch).items()}
            loss, masked = masked_loss(model, inputs, dtype=dtype)
            total, count = total + float(loss), count + masked
    model.train(training)
    return total / max(count, 1)


def last_checkpoint(folder: Path) -> Path | None:
    """Return the latest checkpoint that is whole: the Trainer writes its state last."""
    found = [path for path in folder.glob("checkpoint-*") if path.name.rpartition("-")[2].isdigit()]
    for path in sorted(found, key=lambda path: -int(path.name.rpartition("-")[2])):
        try:
            _state(path)
        except (OSError, ValueError):
            continue
        return path
    return None


@contextmanager
def own_randomness(seed: int) -> Iterator[None]:
    """Seed the global generators, which the Trainer and the models draw from, and give them back as they were."""
    torch = require("torch", extra="train")
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002  # the Trainer's, to be restored
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Hide transformers' bars and its remarks on what is meant to be so, such as weights that are tied."""
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


def resolve_dtype(settings: PretrainingSettings) -> str:
    """Return "float32" or "bfloat16"."""
    if settings.dtype != "auto":
        return settings.dtype
    return native_dtype(resolve_device(settings.device))


def _state(checkpoint: Path) -> dict[str, Any]:
    return dict(json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8")))


def _in_batches(examples: list[Any], size: int) -> list[list[Any]]:
    ordered = sorted(examples, key=lambda example: len(example.ids))
    return [ordered[start : start + size] for start in range(0, len(ordered), size)]


def _trainer_class() -> Any:
    torch = require("torch", extra="train")
    dataset: Any = torch.utils.data.IterableDataset
    trainer: Any = require("transformers", extra="train").Trainer

    class _Stream(dataset):  # type: ignore[misc]  # torch's types are not followed
        def __init__(self, make: Callable[[], Iterator[dict[str, Any]]]) -> None:
            self._make = make

        def __iter__(self) -> Iterator[dict[str, Any]]:
            return self._make()

    class _Pretrainer(trainer):  # type: ignore[misc]  # transformers' types are not followed
        stream: Callable[[], Iterator[dict[str, Any]]]
        measure: Callable[[], dict[str, float]]
        layer_dtype: str

        def get_train_dataloader(self) -> Any:
            # subtle: a loader without its own generator draws its seed from the global one when it begins, after that
            # was set back to the checkpoint's, and dropout would differ from then on
            return torch.utils.data.DataLoader(_Stream(self.stream), batch_size=None, generator=torch.Generator())

        def compute_loss(
            self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            loss, count = masked_loss(model, inputs, dtype=self.layer_dtype)
            # subtle: the Trainer divides by the batches of an update only where it was given no number of tokens
            return loss / max(int(num_items_in_batch if num_items_in_batch is not None else count), 1)

        def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
            metrics = {f"eval_{_PREFIX}{language}": loss for language, loss in self.measure().items()}
            self.log(metrics)
            return metrics

    return _Pretrainer


def _reporter(callback: Callable[[Mapping[str, float]], None] | None, max_minutes: float | None, measured: bool) -> Any:
    base: Any = require("transformers", extra="train").TrainerCallback

    class _Reporter(base):  # type: ignore[misc]  # transformers' types are not followed
        reported = -1
        end = None if max_minutes is None else time.monotonic() + 60 * max_minutes

        def on_step_end(self, arguments: Any, state: Any, control: Any, **__: Any) -> None:
            # at a report only: the loss of the next one is a mean over whole reports, resumed or not
            if (
                self.end is not None
                and time.monotonic() > self.end
                and state.global_step % arguments.logging_steps == 0
            ):
                control.should_save = control.should_training_stop = True

        def on_log(self, arguments: Any, state: Any, control: Any, **__: Any) -> None:
            del arguments, control
            last = state.log_history[-1]
            whole = any(name.startswith("eval_") for name in last) if measured else "loss" in last
            # the Trainer measures once more when it ends
            if callback is not None and whole and last["step"] != self.reported:
                self.reported = last["step"]
                callback(_history(state.log_history)[-1])

    return _Reporter()


def _history(log: Sequence[Mapping[str, float]]) -> tuple[dict[str, float], ...]:
    """Return one entry a step, from the Trainer's separate ones for the loss and the measurements."""
    rows: dict[int, dict[str, float]] = {}
    for entry in log:
        row = rows.setdefault(int(entry["step"]), {"iteration": float(entry["step"])})
        if "loss" in entry:
            row["objective"] = float(entry["loss"])
        row.update({name[5:]: float(value) for name, value in entry.items() if name.startswith(f"eval_{_PREFIX}")})
    return tuple(row for row in rows.values() if len(row) > 1)
