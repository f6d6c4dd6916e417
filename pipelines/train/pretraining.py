"""Multilingual pre-training: masked and translation language modelling, resumable, told its cost beforehand."""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from interlingua.align.arrays import require, torch_device
from interlingua.align.files import refuse_links, replacing
from interlingua.pipelines.encoders.transformer import native_dtype
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
from .trainer import (
    last_checkpoint,
    make_watch,
    merge_log,
    own_randomness,
    quiet_libraries,
    read_run,
    run_trainer,
    small_checkpoints,
    take_checkpoint,
    training_arguments,
    write_run,
)

RECORD = "pretraining.json"
_PREFIX = "held_out "
_TOKENIZER_TEXTS = 1_000_000
_MEASURED_STEPS = 3
Callback = Callable[[Mapping[str, float]], None]


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
    begins = not work.exists()
    _keep_record(work, record)
    with own_randomness(settings.seed), quiet_libraries():
        try:
            run = _prepare(work / "tokenizer", texts, pairs, start, settings)
        except BaseException:
            if begins:  # nothing has been learned that could be resumed
                shutil.rmtree(work)
            raise
        result = _train(run, held_out or {}, target, work / "checkpoints", max_minutes, callback)
    if not result.finished:
        return result
    final = work / "final"
    shutil.rmtree(final, ignore_errors=True)
    final.mkdir()
    card = model_card(record, result)
    with quiet_libraries():
        write_encoder(run.model, run.batches.tokenizer, final, max_length=settings.max_length, card=card)
    with replacing(final / RECORD, "w") as file:
        json.dump({**record, "tokens": result.tokens, "history": result.history}, file, indent=1)
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
    with ExitStack() as stack:
        stack.enter_context(own_randomness(settings.seed))
        stack.enter_context(quiet_libraries())
        folder = Path(stack.enter_context(TemporaryDirectory())) / "tokenizer"
        run = _prepare(folder, texts, pairs, start, settings)
        model = run.model.to(run.device).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=True)
        sizes = [sum(len(example.ids) for example in batch) for batch in islice(run.batches.draw(), 64)]
        seconds, tokens = 0.0, 0
        for number, batch in enumerate(islice(run.batches.draw(), 1 + _MEASURED_STEPS)):
            inputs = {name: value.to(run.device) for name, value in run.masking.training(number, batch).items()}
            begin = time.perf_counter()
            loss, count = masked_loss(model, inputs, dtype=run.dtype)
            (loss / max(count, 1)).backward()
            optimizer.step()
            optimizer.zero_grad()
            if run.device.startswith("cuda"):
                torch.cuda.synchronize()
            if number:  # the first step also fills caches
                seconds += time.perf_counter() - begin
                tokens += sizes[number]
    per_step = settings.accumulation * sum(sizes) / len(sizes)
    seconds_per_step = per_step * seconds / tokens
    n_parameters = _n_parameters(model)
    return PretrainingCost(
        steps=settings.steps,
        seconds=settings.steps * seconds_per_step,
        n_parameters=n_parameters,
        tokens_per_step=per_step,
        seconds_per_step=seconds_per_step,
        disk_bytes=2 * 3 * 4 * n_parameters,  # float32 weights and Adam's two moments, in each of two checkpoints
    )


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


def run_record(
    texts: Corpus[str],
    pairs: Corpus[Pair] | None,
    held_out: Mapping[str, Sequence[str]],
    start: NewModel | str | Path,
    settings: PretrainingSettings,
) -> dict[str, Any]:
    """Return what makes a run this one and no other."""
    return {
        "settings": asdict(settings),
        "start": asdict(start) if isinstance(start, NewModel) else str(start),
        "sentences": dict(texts.counts),
        "pairs": dict(pairs.counts) if pairs else {},
        "held_out": {name: len(some) for name, some in held_out.items()},
        "corpus": [texts.fingerprint, pairs.fingerprint if pairs else ""],
    }


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


@dataclass(frozen=True)
class _Run:
    """A model at its start, the stream of its batches, and where and in what its layers compute."""

    model: Any
    batches: Batches
    masking: Masking
    settings: PretrainingSettings
    device: str
    dtype: str


def _prepare(
    folder: Path,
    texts: Corpus[str],
    pairs: Corpus[Pair] | None,
    start: NewModel | str | Path,
    settings: PretrainingSettings,
) -> _Run:
    """Return the model at its start; a tokenizer that is trained stands in `folder` afterwards."""
    require("accelerate", extra="train")
    device = torch_device(settings.device, mps=True)
    if isinstance(start, NewModel):
        tokenizer = _own_tokenizer(folder, texts, start, settings)
        model, usual_rate = build_model(start, tokenizer, settings.max_length), 5e-4
    else:
        (model, tokenizer), usual_rate = load_model(start), 5e-5
    position = first_position(model)
    longest = getattr(model.config, "max_position_embeddings", settings.max_length) - position
    if settings.max_length > longest:
        raise ValueError(f"the model has {longest} positions, but max_length is {settings.max_length}; lower it")
    languages: dict[str, int] = {}
    if settings.language_embeddings:
        languages = {name: number for number, name in enumerate(sorted(texts.sources), 1)}
        add_language_embeddings(model, languages)
    rate = usual_rate if settings.learning_rate is None else settings.learning_rate
    return _Run(
        model,
        Batches(texts, pairs, tokenizer, settings, languages=languages),
        Masking(tokenizer, rate=settings.mask_rate, seed=settings.seed, first_position=position, told=bool(languages)),
        replace(settings, learning_rate=rate),
        device,
        native_dtype(device) if settings.dtype == "auto" else settings.dtype,
    )


def _own_tokenizer(folder: Path, texts: Corpus[str], sizes: NewModel, settings: PretrainingSettings) -> Any:
    """Return the tokenizer in `folder`, trained on the texts where there is none yet."""
    transformers = require("transformers", extra="train")
    if not folder.exists():
        with TemporaryDirectory(dir=folder.parent) as making:
            made = Path(making) / "tokenizer"
            made.mkdir()
            drawn = islice(texts.draw(alpha=settings.alpha, seed=settings.seed), min(len(texts), _TOKENIZER_TEXTS))
            train_tokenizer(
                (text for _, text in drawn),
                made,
                vocabulary_size=sizes.vocabulary_size,
                max_length=settings.max_length,
            )
            made.rename(folder)
    return transformers.AutoTokenizer.from_pretrained(folder)


def _train(
    run: _Run,
    held_out: Mapping[str, Sequence[str]],
    target: Path,
    folder: Path,
    max_minutes: float | None,
    callback: Callback | None,
) -> PretrainingResult:
    """Train the model in place, from the last whole checkpoint in `folder` if there is one."""
    transformers = require("transformers", extra="train")
    settings = run.settings
    checkpoint = take_checkpoint(folder)
    begun = 0 if checkpoint is None else int(checkpoint.name.rpartition("-")[2]) * settings.accumulation
    measured = {
        language: _in_batches(run.batches.sentences(language, texts), settings.batch_size)
        for language, texts in held_out.items()
        if texts
    }
    arguments = training_arguments(
        transformers.TrainingArguments,
        folder,
        settings,
        steps=settings.steps,
        device=run.device,
        save_every=settings.saves,
        report_every=settings.reports,
        per_device_train_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.accumulation,
        eval_strategy="steps" if measured else "no",
        eval_steps=settings.reports,
        eval_on_start=bool(measured) and checkpoint is None,
        remove_unused_columns=False,
        ignore_data_skip=True,  # the stream begins at the right batch by itself
        include_num_input_tokens_seen="non_padding",
    )
    trainer = _trainer(run, arguments, measured, begun)
    watch = make_watch(max_minutes=max_minutes, at_reports=True, report=_reporting(callback, measured=bool(measured)))
    trainer.add_callback(watch)
    run_trainer(trainer, checkpoint)
    if not watch.out_of_time and measured and settings.steps % settings.reports:
        trainer.evaluate()
    run.model.eval()
    return PretrainingResult(
        target,
        _history(trainer.state.log_history),
        _n_parameters(run.model),
        int(trainer.state.num_input_tokens_seen),
        finished=not watch.out_of_time,
    )


def _trainer(run: _Run, arguments: Any, measured: Mapping[str, Sequence[Sequence[Any]]], begun: int) -> Any:
    """Return a trainer on the stream from batch `begun` on, that measures the held-out loss by language."""
    torch = require("torch", extra="train")
    transformers = require("transformers", extra="train")

    class Stream(torch.utils.data.IterableDataset):  # type: ignore[misc,name-defined]  # torch is loaded late
        def __iter__(self) -> Iterator[dict[str, Any]]:
            return (run.masking.training(number, batch) for number, batch in enumerate(run.batches.draw(begun), begun))

    class Pretrainer(small_checkpoints(transformers.Trainer)):  # type: ignore[misc]  # transformers is loaded late
        def get_train_dataloader(self) -> Any:
            # subtle: a loader without its own generator draws its seed from the global one when it begins, after that
            # was set back to the checkpoint's, and dropout would differ from then on
            return torch.utils.data.DataLoader(Stream(), batch_size=None, generator=torch.Generator())

        def compute_loss(
            self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            loss, count = masked_loss(model, inputs, dtype=run.dtype)
            # subtle: the Trainer divides by the batches of an update only where it was given no number of tokens
            return loss / max(int(num_items_in_batch if num_items_in_batch is not None else count), 1)

        def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
            metrics = {
                f"eval_{_PREFIX}{language}": held_out_loss(run.model, run.masking, batches, dtype=run.dtype)
                for language, batches in measured.items()
            }
            self.log(metrics)
            return metrics

    trainer = Pretrainer(model=run.model, args=arguments, eval_dataset=list(measured) or None)
    trainer.processing_class = run.batches.tokenizer  # tells which token is padding
    return trainer


def _reporting(callback: Callback | None, *, measured: bool) -> Callable[[Any, Mapping[str, Any]], None]:
    """Return what passes each entry of the history on when it is whole."""
    reported = -1

    def report(state: Any, line: Mapping[str, Any]) -> None:
        nonlocal reported
        whole = any(name.startswith("eval_") for name in line) if measured else "loss" in line
        # the Trainer measures once more when it ends
        if callback is not None and whole and line["step"] != reported:
            reported = line["step"]
            callback(_history(state.log_history)[-1])

    return report


def _history(log: Sequence[Mapping[str, Any]]) -> tuple[dict[str, float], ...]:
    return merge_log(log, step="iteration", names={"loss": "objective"})


def _keep_record(work: Path, record: Mapping[str, Any]) -> None:
    """Write what makes the run into its folder, or compare it with the run that was begun there."""
    refuse_links(*work.glob("*"))
    if read_run(work, record) is None:
        if last_checkpoint(work / "checkpoints") is not None:
            raise ValueError(f"{work} has checkpoints and does not say of which run; remove that folder")
        write_run(work, record)


def _in_batches(examples: list[Any], size: int) -> list[list[Any]]:
    ordered = sorted(examples, key=lambda example: len(example.ids))
    return [ordered[start : start + size] for start in range(0, len(ordered), size)]


def _n_parameters(model: Any) -> int:
    return sum(each.numel() for each in model.parameters())
