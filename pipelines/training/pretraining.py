"""Multilingual pre-training: masked and translation language modelling, resumable, told its cost beforehand."""

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from interlingua.align.files import replacing
from interlingua.align.optional import require
from interlingua.pipelines.transformer_encoder import resolve_device

from .bitext import Pair
from .corpus import Corpus
from .pretraining_examples import Batches, Masking
from .pretraining_model import (
    NewModel,
    add_language_embeddings,
    first_position,
    load_model,
    masked_loss,
    write_encoder,
)
from .pretraining_record import RECORD, check_record, model_card, run_record
from .pretraining_settings import PretrainingCost, PretrainingResult, PretrainingSettings
from .pretraining_trainer import own_randomness, quiet_libraries, resolve_dtype, train
from .tokenizer import train_tokenizer

__all__ = [
    "NewModel",
    "PretrainingCost",
    "PretrainingResult",
    "PretrainingSettings",
    "estimate_pretraining",
    "pretrain",
]

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
    return PretrainingCost(
        settings.steps, n_parameters, per_step, per_step * seconds / tokens, 2 * 3 * 4 * n_parameters
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
        model = start.build(tokenizer, settings.max_length)
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
