"""What is learned on a GPU: maps of words, a head, the encoder itself, one from nothing, and MUSE's game in full."""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from interlingua.align.arrays import require
from interlingua.align.sentence.methods.head import ContrastiveHead
from interlingua.align.word import Adversarial
from interlingua.align.word.methods.procrustes import Procrustes
from interlingua.align.word.methods.rcsls import RCSLS
from interlingua.benchmarks.harness.measure import Case
from interlingua.pipelines.demo.demo import load_declaration
from interlingua.pipelines.texts import Pair
from interlingua.pipelines.texts.corpus import Corpus, as_corpus
from interlingua.pipelines.train import PretrainingSettings, finetune_contrastive, pretrain
from interlingua.pipelines.train.contrastive import estimate_contrastive
from interlingua.pipelines.train.pretraining import estimate_pretraining
from interlingua.pipelines.train.settings import NewModel

from .command import finish, machine
from .search import sides

_TIMES = 20  # the steps that the CPU's benchmarks do
_FINE_TUNING_STEPS, _PRETRAINING_STEPS = 50 * _TIMES, 5000 * _TIMES
_RESERVE = 0.6  # of the time, for the steps themselves: the rest is loading, evaluation and writing
_GAME = (5, 31_250)  # epochs, map steps of each
_TRIED = 50


@dataclass(frozen=True)
class Size:
    """How large a part is: words and pairs of maps, sentences of a head, dimension of all vectors."""

    words: int
    pairs: int
    sentences: int
    dimension: int


_FULL, _TOY = Size(200_000, 5_000, 50_000, 384), Size(300, 150, 200, 16)


def maps(device: str, seconds: float) -> Iterator[Case]:
    """Fit Procrustes and RCSLS to pairs among two large vocabularies on the device."""
    torch = require("torch", extra="torch")
    size = _FULL if device == "cuda" else _TOY
    source, target = (torch.from_numpy(each).to(device) for each in sides(size.words, size.dimension))
    pairs = np.repeat(np.arange(size.pairs)[:, None], 2, axis=1)
    for name, method in (("Procrustes", Procrustes()), ("RCSLS", RCSLS())):
        method.fit(source[: size.pairs], target[: size.pairs], pairs)  # what the first call builds is not counted
        finish(device)
        begun = time.perf_counter()
        method.fit(source, target, pairs)
        finish(device)
        took = time.perf_counter() - begun
        data = f"{size.words:,} words a side x {source.shape[1]}, {size.pairs:,} pairs, {machine(device)}"
        yield Case(task="GPU: maps of words", data=data, method=name, figures={"seconds": took}, n=size.pairs,
                   seconds=took)  # fmt: skip


def head(device: str, seconds: float) -> Iterator[Case]:
    """Learn a contrastive head from translations of two languages."""
    size = _FULL if device == "cuda" else _TOY
    source, target = sides(size.sentences, size.dimension)
    steps, every = (300, 50) if device == "cuda" else (4, 2)
    made = ContrastiveHead(device=device, steps=steps, batch_size=min(512, size.sentences // 2), check_every=every)
    begun = time.perf_counter()
    made.fit({"xx": source, "yy": target})
    took = time.perf_counter() - begun
    figures = {"seconds": took, "best step": float(made.steps_[0])}
    yield Case(task="GPU: contrastive head", data=f"{size.sentences:,} pairs, {machine(device)}",
               method=f"linear, {steps} steps at most", figures=figures, n=size.sentences, seconds=took)  # fmt: skip


def declared_pairs(device: str) -> list[Pair]:
    """Return the pairs that the CPU's benchmark fine-tunes on; of toy size, articles of the Declaration."""
    if device == "cuda":
        from interlingua.benchmarks.training.finetuning import training_pairs

        return training_pairs()
    every = load_declaration()
    return [
        Pair(text, other, name, "eng")
        for name in ("deu", "swh")
        for text, other in zip(every[_short(name)].articles, every["en"].articles, strict=True)
    ]


def _short(name: str) -> str:
    return {"deu": "de", "swh": "sw"}[name]


def fine_tuning(device: str, seconds: float, encoder: Any = None) -> Iterator[Case]:
    """Fine-tune the encoder with twenty times the steps of the CPU's benchmark, or as many as there is time for.

    Parameters
    ----------
    device : str
    seconds : float
    encoder : optional
        A folder; by default the bundled encoder.
    """
    from interlingua.benchmarks.training.finetuning import SETTINGS

    wanted = replace(SETTINGS, steps=_FINE_TUNING_STEPS, device=device, evaluations=4)
    if device != "cuda":
        wanted = replace(
            wanted, steps=2, batch_size=8, mini_batch_size=8, held_out=4, evaluations=1, precision="float32"
        )
    pairs = declared_pairs(device)
    begun = time.perf_counter()
    cost = estimate_contrastive(encoder, pairs, settings=wanted)
    left = seconds - (time.perf_counter() - begun)
    settings = _fitting(wanted, cost.seconds_per_step, left)
    with tempfile.TemporaryDirectory() as place:
        begun = time.perf_counter()
        done = finetune_contrastive(encoder, pairs, output=Path(place) / "model", settings=settings)
        took = time.perf_counter() - begun
    figures = {"steps": float(done.steps), "seconds": took, "pairs / s": done.steps * settings.batch_size / took}
    for part in ("start", "best"):
        figures |= {f"held-out {key.replace('_', ' ')}, {part}": value for key, value in getattr(done, part).items()}
    yield Case(task="GPU: fine-tuning", data=f"{len(pairs):,} pairs, {machine(device)}",
               method=f"all but word embeddings, {_FINE_TUNING_STEPS:,} steps wanted", figures=figures, n=len(pairs),
               seconds=took)  # fmt: skip


def _fitting(settings: Any, seconds_per_step: float, seconds: float) -> Any:
    """Return the settings with as many steps as there is time for."""
    return replace(settings, steps=int(np.clip(_RESERVE * seconds / max(seconds_per_step, 1e-9), 1, settings.steps)))


def pre_training(device: str, seconds: float) -> Iterator[Case]:
    """Pre-train with and without translation pairs, with twenty times the steps of the CPU's benchmark.

    If there is time; both runs do equally many steps, so that they can be compared.
    """
    texts, pairs, held = _corpora(device)
    model = NewModel(layers=2, width=128, heads=2, vocabulary_size=4000 if device == "cuda" else 400, dropout=0.0)
    wanted = PretrainingSettings(steps=_PRETRAINING_STEPS if device == "cuda" else 4, batch_size=32, max_length=32,
                                 mask_rate=0.3, learning_rate=2e-3, device=device, report_every=10**9,
                                 save_every=10**9)  # fmt: skip
    begun = time.perf_counter()
    ways = {"MLM": replace(wanted, tlm_share=0.0), "MLM + TLM": replace(wanted, tlm_share=0.9)}
    slowest = estimate_pretraining(texts, pairs=pairs, start=model, settings=ways["MLM + TLM"]).seconds_per_step
    left = seconds - (time.perf_counter() - begun)
    for name, way in ways.items():
        settings = _fitting(way, slowest, left / len(ways))
        with tempfile.TemporaryDirectory() as place:
            begun = time.perf_counter()
            done = pretrain(Path(place) / "model", texts, pairs=pairs if way.tlm_share else None, held_out=held,
                            start=model, settings=settings)  # fmt: skip
            took = time.perf_counter() - begun
        losses = [np.mean([value for key, value in done.history[at].items() if key.startswith("held_out ")])
                  for at in (0, -1)]  # fmt: skip
        figures = {"steps": float(settings.steps), "seconds": took, "million tokens": done.tokens / 1e6,
                   "held-out loss, start": float(losses[0]), "held-out loss, end": float(losses[1])}  # fmt: skip
        yield Case(task="GPU: pre-training", data=f"8 languages, {machine(device)}",
                   method=f"{name}, {_PRETRAINING_STEPS:,} steps wanted", figures=figures, n=len(texts),
                   seconds=took)  # fmt: skip


def _corpora(device: str) -> tuple[Corpus[str], Corpus[Pair], dict[str, list[str]]]:
    """Return what the CPU's benchmark trains and measures on; of toy size, articles of the Declaration."""
    if device == "cuda":
        from interlingua.benchmarks.training.pretraining import corpora

        return corpora()
    pairs = declared_pairs(device)
    english = [pair.target for pair in pairs[:20]]
    texts = {"eng": english, "deu": [pair.source for pair in pairs[:20]]}
    return as_corpus(texts), as_corpus({"deu": pairs[:20]}), {"eng": [pair.target for pair in pairs[20:28]]}


def adversarial(device: str, seconds: float) -> Iterator[Case]:
    """Play MUSE's game with all its 156,250 map steps, or as many as there is time for."""
    words = 30_000 if device == "cuda" else 200
    x, y = sides(words, (_FULL if device == "cuda" else _TOY).dimension)
    small: dict[str, Any] = {} if device == "cuda" else {"hidden": 16, "refinements": 1, "criterion_vocabulary": 100}
    tried = _TRIED if device == "cuda" else 2
    begun = time.perf_counter()
    Adversarial(device=device, epochs=1, steps=tried, **{**small, "refinements": 0}).fit(x, y)
    first = time.perf_counter() - begun
    begun = time.perf_counter()
    Adversarial(device=device, epochs=1, steps=5 * tried, **{**small, "refinements": 0}).fit(x, y)
    pace = max((time.perf_counter() - begun - first) / (4 * tried), 1e-6)
    epochs, steps = _GAME if device == "cuda" else (2, 5)
    steps = int(np.clip(_RESERVE * (seconds - 2 * first) / pace / epochs, 1, steps))
    begun = time.perf_counter()
    game = Adversarial(device=device, epochs=epochs, steps=steps, **small).fit(x, y)
    took = time.perf_counter() - begun
    figures = {"map steps": float(epochs * steps), "of the schedule %": 100 * epochs * steps / (_GAME[0] * _GAME[1]),
               "seconds": took, "unsupervised criterion": float(game.criterion_)}  # fmt: skip
    yield Case(task="GPU: alignment without pairs", data=f"{words:,} words a side, {machine(device)}",
               method="adversarial", figures=figures, n=words, seconds=took)  # fmt: skip
