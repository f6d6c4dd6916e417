"""Multilingual pre-training: masked and translation language modelling, resumable, told its cost beforehand.

What a pre-training is known by: the record that a resumed run is compared with, and the card of its model.

Drive Hugging Face's Trainer so that a run which was killed goes on as if it had not been.
"""

import json
import os
import random
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from interlingua.align.arrays import require
from interlingua.align.files import replacing
from interlingua.pipelines.encoders.transformer import native_dtype, resolve_device
from interlingua.pipelines.texts.corpus import Corpus
from interlingua.pipelines.texts.pairs import Pair

from .masking import Batches, Masking
from .pretraining_model import (
    add_language_embeddings,
    build_model,
    first_position,
    load_model,
    masked_loss,
    write_encoder,
)
from .settings import NewModel, PretrainingCost, PretrainingResult, PretrainingSettings
from .tokenizer import train_tokenizer

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


RECORD = "pretraining.json"


def run_record(
    texts: Corpus[str],
    pairs: Corpus[Pair] | None,
    held_out: Mapping[str, Sequence[str]],
    start: NewModel | str | Path,
    settings: PretrainingSettings,
) -> dict[str, Any]:
    """Return what makes a run this one and no other, as JSON gives it back."""
    record = {
        "settings": asdict(settings),
        "start": asdict(start) if isinstance(start, NewModel) else str(start),
        "sentences": dict(texts.counts),
        "pairs": dict(pairs.counts) if pairs else {},
        "held_out": {name: len(some) for name, some in held_out.items()},
        "corpus": [texts.fingerprint, pairs.fingerprint if pairs else ""],
    }
    return dict(json.loads(json.dumps(record)))


def check_record(work: Path, record: dict[str, Any]) -> None:
    """Keep the record of a run that begins in `work`, or compare it with the one that is kept there.

    Raises
    ------
    ValueError
        If the run that was begun is another one.
    """
    path = work / RECORD
    if not path.exists():
        if last_checkpoint(work / "checkpoints") is not None:
            raise ValueError(f"{work} has checkpoints but no {RECORD}; remove that folder and begin anew")
        work.mkdir(exist_ok=True)
        with replacing(path, "w") as file:
            json.dump(record, file, indent=1)
        return
    found = json.loads(path.read_text(encoding="utf-8"))
    for key, value in record.items():
        if found.get(key) == value:
            continue
        if isinstance(value, dict) and isinstance(found.get(key), dict):
            names = [name for name in value if found[key].get(name) != value[name]]
            changed = ", ".join(f"{name} was {found[key].get(name)}, now {value[name]}" for name in names)
        else:
            changed = f"was {found.get(key)}, now {value}"
        raise ValueError(f"{work} was begun with another {key} ({changed}); give what it was, or remove that folder")


def model_card(record: dict[str, Any], result: PretrainingResult) -> str:
    """Return the README of the model: what it was trained on, how long, and how well it guesses."""
    last = result.history[-1] if result.history else {}
    losses = ", ".join(f"{name.partition(' ')[2]} {value:.3f}" for name, value in last.items() if " " in name)
    objective = "masked and translation" if record["pairs"] else "masked"
    told = record["settings"]["language_embeddings"]
    facts = {
        "Parameters": f"{result.n_parameters:,}",
        "Steps": f"{record['settings']['steps']:,}, {result.tokens:,} tokens",
        "Sentences": _counts(record["sentences"]),
        "Pairs": _counts(record["pairs"]) or "none",
        "Held-out loss, nats a masked token": losses or "not measured",
        "Languages as token_type_ids": "`interlingua_languages` in config.json; 0 is not told" if told else "no",
        "Settings and the whole curve": RECORD,
    }
    lines = "".join(f"- {name}: {value}\n" for name, value in facts.items())
    return (
        "# A multilingual encoder\n\n"
        f"Pre-trained by {objective} language modelling. The vector of a text is the mean of those of its tokens.\n\n"
        f"{lines}"
    )


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


Callback = Callable[[Mapping[str, float]], None]

_TOKENIZER_TEXTS = 1_000_000
_MEASURED_STEPS = 3


def pretrain(
    output: str | os.PathLike[str],
    texts: Corpus[str],
    *,
    pairs: Corpus[Pair] | None = None,
    held_out: Mapping[str, Sequence[str]] | None = None,
    start: NewModel | str | Path | None = None,
    settings: PretrainingSettings | None = None,
    resume: bool = False,
    max_minutes: float | None = None,
    callback: Callback | None = None,
) -> PretrainingResult:
    """Train an encoder to guess masked words, in sentences and in pairs of translations.

    The loss is the mean of -log p(token | the rest) over the masked tokens. In a sentence the rest is its other words
    (MLM) [1]_; in a pair it is both sentences, so that a word can be guessed from its translation (TLM) [2]_.

    Parameters
    ----------
    output : path
        The folder to make. While training, ``OUTPUT.partial`` stands beside it; it becomes `output` when it is whole.
    texts : Corpus of str
        Sentences by language, from `read_corpus` or `as_corpus`.
    pairs : Corpus of Pair, optional
        Without them there is no TLM.
    held_out : mapping of str to sequence of str, optional
        Sentences by language to measure the loss on.
    start : NewModel, str or Path, optional
        A new model with a tokenizer trained on `texts` (default), or a masked language model, by folder or name.
    settings : PretrainingSettings, optional
    resume : bool
        Go on from the last checkpoint of ``OUTPUT.partial``, or begin if there is none. On a CPU the losses are those
        of a run that was not interrupted, to the last digit.
    max_minutes : float, optional
        Write a checkpoint and stop at the first report after so long, to be resumed.
    callback : callable, optional
        Gets each entry of the history as it is made.

    Raises
    ------
    MissingExtraError
        If the extra `train` is not installed.
    FileExistsError
        If `output` is there already, or an unfinished run and `resume` is False.
    ValueError
        If the unfinished run was of other settings or texts, or the model cannot do what is asked.

    Notes
    -----
    One process on one device; the Trainer's own checkpoints, optimiser and schedule.

    References
    ----------
    .. [1] Devlin, Chang, Lee and Toutanova (2019), "BERT: pre-training of deep bidirectional transformers for language
       understanding", NAACL. doi:10.18653/v1/N19-1423
    .. [2] Conneau and Lample (2019), "Cross-lingual language model pretraining", NeurIPS. arXiv:1901.07291
    """
    settings, start = settings or PretrainingSettings(), start or NewModel()
    target = Path(output)
    work = target.with_name(target.name + ".partial")
    record = run_record(texts, pairs, held_out or {}, start, settings)
    if target.exists():
        raise FileExistsError(f"{target} is there already; name another folder or remove it")
    if work.exists() and not resume:
        raise FileExistsError(f"{work} holds a run that was not finished; resume it, or remove that folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    begins = not work.exists()
    check_record(work, record)
    with own_randomness(settings.seed), quiet_libraries():
        try:
            run = _prepare(work / "tokenizer", texts, pairs, start, settings)
        except BaseException:
            if begins:  # nothing has been learned that could be resumed
                shutil.rmtree(work)
            raise
        trained = train(
            run.model,
            run.batches,
            run.masking,
            held_out or {},
            work / "checkpoints",
            settings,
            learning_rate=_learning_rate(start, settings),
            max_minutes=max_minutes,
            callback=callback,
        )
    result = PretrainingResult(
        target, trained.history, _n_parameters(run.model), trained.tokens, finished=trained.finished
    )
    if not trained.finished:
        return result
    final = work / "final"
    shutil.rmtree(final, ignore_errors=True)
    final.mkdir()
    card = model_card(record, result)
    with quiet_libraries():
        write_encoder(run.model, run.tokenizer, final, max_length=settings.max_length, card=card)
    with replacing(final / RECORD, "w") as file:
        json.dump({**record, "tokens": trained.tokens, "history": trained.history}, file, indent=1)
    final.rename(target)
    shutil.rmtree(work, ignore_errors=True)
    return result


def estimate_pretraining(
    texts: Corpus[str],
    *,
    pairs: Corpus[Pair] | None = None,
    start: NewModel | str | Path | None = None,
    settings: PretrainingSettings | None = None,
) -> PretrainingCost:
    """Return what `pretrain` would cost, from three of its steps; nothing is kept.

    Parameters
    ----------
    texts, pairs, start, settings
        As in `pretrain`.
    """
    torch = require("torch", extra="train")
    settings, start = settings or PretrainingSettings(), start or NewModel()
    device, dtype = resolve_device(settings.device), resolve_dtype(settings)
    with ExitStack() as stack:
        stack.enter_context(own_randomness(settings.seed))
        stack.enter_context(quiet_libraries())
        folder = Path(stack.enter_context(TemporaryDirectory())) / "tokenizer"
        run = _prepare(folder, texts, pairs, start, settings)
        model = run.model.to(device).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=True)
        sizes = [sum(len(example.ids) for example in batch) for batch in islice(run.batches.draw(), 64)]
        seconds, tokens = 0.0, 0
        for number, batch in enumerate(islice(run.batches.draw(), 1 + _MEASURED_STEPS)):
            inputs = {name: value.to(device) for name, value in run.masking.training(number, batch).items()}
            begin = time.perf_counter()
            loss, count = masked_loss(model, inputs, dtype=dtype)
            (loss / max(count, 1)).backward()
            optimizer.step()
            optimizer.zero_grad()
            if device.startswith("cuda"):
                torch.cuda.synchronize()
            if number:  # the first step also fills caches
                seconds += time.perf_counter() - begin
                tokens += sizes[number]
    per_step = settings.accumulation * sum(sizes) / len(sizes)
    n_parameters = _n_parameters(model)
    # float32 weights and Adam's two moments, in each of two checkpoints
    seconds_per_step = per_step * seconds / tokens
    return PretrainingCost(
        steps=settings.steps,
        seconds=settings.steps * seconds_per_step,
        n_parameters=n_parameters,
        tokens_per_step=per_step,
        seconds_per_step=seconds_per_step,
        disk_bytes=2 * 3 * 4 * n_parameters,
    )


@dataclass(frozen=True)
class _Run:
    model: Any
    tokenizer: Any
    batches: Batches
    masking: Masking


def _prepare(
    folder: Path,
    texts: Corpus[str],
    pairs: Corpus[Pair] | None,
    start: NewModel | str | Path,
    settings: PretrainingSettings,
) -> _Run:
    """Return the model at its start; a tokenizer that is trained stands in `folder` afterwards."""
    transformers = require("transformers", extra="train")
    require("accelerate", extra="train")
    if isinstance(start, NewModel):
        if not folder.exists():
            with TemporaryDirectory(dir=folder.parent) as making:
                made = Path(making) / "tokenizer"
                made.mkdir()
                drawn = islice(texts.draw(alpha=settings.alpha, seed=settings.seed), min(len(texts), _TOKENIZER_TEXTS))
                train_tokenizer(
                    (text for _, text in drawn),
                    made,
                    vocabulary_size=start.vocabulary_size,
                    max_length=settings.max_length,
                )
                made.rename(folder)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        model = build_model(start, tokenizer, settings.max_length)
    else:
        model, tokenizer = load_model(start)
    longest = getattr(model.config, "max_position_embeddings", settings.max_length) - first_position(model)
    if settings.max_length > longest:
        raise ValueError(f"the model has {longest} positions, but max_length is {settings.max_length}; lower it")
    languages: dict[str, int] = {}
    if settings.language_embeddings:
        languages = {name: number for number, name in enumerate(sorted(texts.sources), 1)}
        add_language_embeddings(model, languages)
    batches = Batches(
        texts,
        pairs,
        tokenizer,
        batch_size=settings.batch_size,
        max_length=settings.max_length,
        tlm_share=settings.tlm_share,
        alpha=settings.alpha,
        languages=languages,
        untold=settings.untold,
        seed=settings.seed,
    )
    masking = Masking(
        tokenizer,
        rate=settings.mask_rate,
        seed=settings.seed,
        first_position=first_position(model),
        told=bool(languages),
    )
    return _Run(model, tokenizer, batches, masking)


def _learning_rate(start: NewModel | str | Path, settings: PretrainingSettings) -> float:
    if settings.learning_rate is not None:
        return settings.learning_rate
    return 5e-4 if isinstance(start, NewModel) else 5e-5


def _n_parameters(model: Any) -> int:
    return sum(each.numel() for each in model.parameters())
