"""Pre-train a small BERT with and without translation pairs, and search translations with its vectors.

    python -m interlingua.benchmarks.training.pretraining
    python -m interlingua.benchmarks.training.pretraining --minutes 7 --part 0   # in pieces: what is done is kept

Eight languages of NTREX-128, SIB-200 and, in English and Swahili, the New Testament; the same sentences whether or not
pairs of them are seen. A batch of pairs holds half as many pairs as one of sentences holds sentences, so that both
runs have equal steps and nearly equal tokens. The last 400 lines of NTREX are never trained on: they measure the loss,
and the search of each sentence's translation among 400, by the mean of the tokens in the last layer and in the first.
The steps, the share of pairs and the layers were settled on the 400 lines before, not trained on then. One
run is killed and resumed beside one that is not.
"""

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from interlingua.align import Centring
from interlingua.align.arrays import require
from interlingua.align.files import replacing
from interlingua.benchmarks.harness.datasets import read_bible, read_ntrex, read_sib200
from interlingua.benchmarks.harness.measure import peak_mb, run_benchmark
from interlingua.benchmarks.harness.report import row
from interlingua.pipelines import load_encoder
from interlingua.pipelines.encoders.cache import user_cache_folder
from interlingua.pipelines.texts import Corpus, Pair, as_corpus
from interlingua.pipelines.train import NewModel, PretrainingResult, PretrainingSettings, pretrain
from interlingua.pipelines.train.masking import Masking, join_pair
from interlingua.pipelines.train.pretraining import held_out_loss
from interlingua.pipelines.train.pretraining_model import first_position, load_model
from interlingua.pipelines.train.trainer import last_checkpoint

COMMAND = "python -m interlingua.benchmarks.training.pretraining"
#: NTREX's names of the languages, and SIB-200's.
LANGUAGES = {
    "eng": "eng_Latn",
    "deu": "deu_Latn",
    "fra": "fra_Latn",
    "spa": "spa_Latn",
    "rus": "rus_Cyrl",
    "fin": "fin_Latn",
    "swh": "swh_Latn",
    "hin": "hin_Deva",
}
_HELD_OUT = 400
_MEASURED = 100  # of them, for the loss
_MODEL = NewModel(layers=2, width=128, heads=2, vocabulary_size=4000, dropout=0.0)
_METHODS = {"MLM": 0.0, "MLM + TLM": 0.9}
_SEEDS = (0, 1, 2)
_STEPS = 5000
_LENGTH = 32  # tokens
_BATCH = 50
_OVER = f"mean of {len(_SEEDS)} seeds" if len(_SEEDS) > 1 else "one seed"
_DATA = "NTREX-128, SIB-200, Bible: 8 languages"
_TASK = "pre-training from nothing"


def run(folder: Path, *, minutes: float | None = None, only: int | None = None) -> list[dict[str, Any]]:
    """Train what is not yet trained in `folder`, and return the result rows; none if something is left to be done.

    Parameters
    ----------
    folder : Path
        Holds the models, and what is needed to go on with one that is not finished.
    minutes : float, optional
        Stop after so long.
    only : int, optional
        Train the model of that number only, so that several processes can share the work.
    """
    console = Console(stderr=True)
    end = None if minutes is None else time.monotonic() + 60 * minutes
    parts = [(name, seed) for seed in _SEEDS for name in reversed(_METHODS)]
    for name, seed in parts if only is None else [parts[only]]:
        left = None if end is None else (end - time.monotonic()) / 60
        target = _run_folder(folder, name, seed)
        if target.exists():
            continue
        if left is not None and left <= 0:
            return []
        console.print(f"{name}, seed {seed}")
        if not _train(target, _METHODS[name], seed, left, console):
            return []
    if only is not None or (end is not None and time.monotonic() > end):
        return []
    return [*_loss_rows(folder), *_retrieval_rows(folder), _resume_row()]


def main(arguments: list[str] | None = None) -> int:
    """Run the command in the module's docstring; exit code 3: not finished, run it again."""
    parser = argparse.ArgumentParser(prog="interlingua.benchmarks.training.pretraining", add_help=False)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--part", type=int, choices=range(len(_METHODS) * len(_SEEDS)))
    parser.add_argument("--folder", type=Path, default=user_cache_folder() / "benchmarks" / "pretraining")
    options, others = parser.parse_known_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    rows = run(options.folder, minutes=options.minutes, only=options.part)
    if not rows:
        return 3
    return run_benchmark("pretraining", lambda: rows, others)


@cache
def _texts() -> Corpus[str]:
    """Return the sentences that are trained on, by language."""
    texts = {language: [*_ntrex(language)[:-_HELD_OUT], *_sib(language)] for language in LANGUAGES}
    english, swahili = read_bible()
    texts["eng"] += english
    texts["swh"] += swahili
    return as_corpus(texts)


@cache
def _pairs() -> Corpus[Pair]:
    """Return the same sentences as pairs with English."""
    english = [*_ntrex("eng")[:-_HELD_OUT], *_sib("eng")]
    pairs = {
        language: [
            Pair(text, other, language, "eng")
            for text, other in zip([*_ntrex(language)[:-_HELD_OUT], *_sib(language)], english, strict=True)
        ]
        for language in LANGUAGES
        if language != "eng"
    }
    pairs["swh"] += [Pair(swahili, english, "swh", "eng") for english, swahili in zip(*read_bible(), strict=True)]
    return as_corpus(pairs)


def _ntrex(language: str) -> list[str]:
    return read_ntrex(language)


def _sib(language: str) -> list[str]:
    parts = (read_sib200(LANGUAGES[language], part) for part in ("train", "dev", "test"))
    sentences = {number: text for part in parts for number, (_, text) in part.items()}
    return [sentences[number] for number in sorted(sentences)]


def _settings(share: float, seed: int, steps: int) -> PretrainingSettings:
    return PretrainingSettings(
        steps=steps,
        batch_size=32,
        max_length=_LENGTH,
        mask_rate=0.3,
        tlm_share=share,
        learning_rate=2e-3,
        report_every=max(steps // 10, 1),
        save_every=max(steps // 10, 1) * 2,
        seed=seed,
        device="cpu",
    )


def _run_folder(folder: Path, name: str, seed: int) -> Path:
    return folder / f"{name.replace(' ', '').lower()}-{_STEPS}-{seed}"


def _train(target: Path, share: float, seed: int, minutes: float | None, console: Console) -> bool:
    """Go on with one run, adding up its CPU seconds; return whether it is finished."""
    clock = target.with_name(target.name + ".seconds")
    before = float(clock.read_text(encoding="utf-8")) if clock.exists() else 0.0
    start = time.process_time()

    def keep_time(entry: Any) -> None:
        with replacing(clock, "w") as file:
            file.write(str(before + time.process_time() - start))
        console.print({name: round(value, 3) for name, value in entry.items()})

    result = pretrain(
        target,
        _texts(),
        pairs=_pairs() if share else None,
        held_out={language: _ntrex(language)[-_HELD_OUT:][:_MEASURED] for language in LANGUAGES},
        start=_MODEL,
        settings=_settings(share, seed, _STEPS),
        resume=True,
        max_minutes=minutes,
        callback=keep_time,
    )
    return result.finished


def _loss_rows(folder: Path) -> list[dict[str, Any]]:
    rows = []
    for name in _METHODS:
        records = [json.loads((_run_folder(folder, name, seed) / "pretraining.json").read_text()) for seed in _SEEDS]
        seconds = [float(_run_folder(folder, name, seed).with_suffix(".seconds").read_text()) for seed in _SEEDS]
        begin, end = (
            np.mean([[record["history"][at][f"held_out {each}"] for each in LANGUAGES] for record in records])
            for at in (0, -1)
        )
        figures = {
            "held-out loss, start": begin,
            "held-out loss, end": end,
            "million tokens": np.mean([record["tokens"] for record in records]) / 1e6,
            "CPU s": np.mean(seconds),
        }
        rows += [
            row(
                task=_TASK,
                data=_DATA,
                method=f"{name}, {_STEPS} steps, {_OVER}",
                metric=metric,
                value=float(value),
                n=_MEASURED * len(LANGUAGES),
                command=COMMAND,
                seconds=float(np.mean(seconds)),
            )
            for metric, value in figures.items()
        ]
    return rows


def _retrieval_rows(folder: Path) -> list[dict[str, Any]]:
    rows = []
    for name in _METHODS:
        start = time.perf_counter()
        found = [_search(_run_folder(folder, name, seed)) for seed in _SEEDS]
        for metric in found[0]:
            values = [each[metric] for each in found]
            figures = {metric: float(np.mean(values))}
            if len(values) > 1:
                figures[f"{metric}, spread"] = float(np.ptp(values))
            rows += [
                row(
                    task="NTREX-128 lines not trained on",
                    data="7 languages to English and back",
                    method=f"{name}, {_STEPS} steps, {_OVER}",
                    metric=label,
                    value=value,
                    n=_HELD_OUT,
                    command=COMMAND,
                    seconds=time.perf_counter() - start,
                    peak_mb=peak_mb(),
                )
                for label, value in figures.items()
            ]
    return rows


def _search(folder: Path) -> dict[str, float]:
    """Return how often the nearest of 400 is the translation, as the vectors are and with each language centred."""
    encoder = load_encoder(folder, device="cpu", cache=False)
    encoders: dict[str, Callable[[list[str]], Any]] = {
        "": encoder.encode,
        ", layer 1": lambda texts: layer_vectors(folder, texts, 1),
    }
    found: dict[str, float] = {}
    for name, encode in encoders.items():
        vectors = {language: encode(_ntrex(language)[-_HELD_OUT:]) for language in LANGUAGES}
        # the means come from lines that were trained on, never from those that are searched
        space = Centring().fit({language: encode(_ntrex(language)[:800]) for language in LANGUAGES}).space_
        centred = {language: space.transform(each, language) for language, each in vectors.items()}
        found |= {f"top-1 %{name}": _top_1(vectors), f"top-1 %{name}, centred": _top_1(centred)}
    return {**found, **_pair_losses(folder)}


def layer_vectors(folder: Path, texts: list[str], layer: int) -> Any:
    """Return (n, d) unit vectors: the mean of the tokens in a hidden layer, 0 being the embeddings."""
    torch = require("torch", extra="train")
    model, tokenizer = load_model(folder)
    rows = []
    with torch.no_grad():
        for start in range(0, len(texts), _BATCH):
            batch = texts[start : start + _BATCH]
            tokens = tokenizer(batch, truncation=True, max_length=_LENGTH, padding=True, return_tensors="pt")
            hidden = model.base_model(**tokens, output_hidden_states=True).hidden_states[layer]
            mask = tokens["attention_mask"].unsqueeze(-1)
            rows.append(torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1)).numpy())
    return np.concatenate(rows)


def _pair_losses(folder: Path) -> dict[str, float]:
    """Return the loss of masked words beside the translation of their sentence, and beside another sentence."""
    model, tokenizer = load_model(folder)
    masking = Masking(tokenizer, rate=0.15, seed=0, first_position=first_position(model), told=False)
    tokens = {
        language: tokenizer(_ntrex(language)[-_HELD_OUT:][:_MEASURED], truncation=True, max_length=_LENGTH)["input_ids"]
        for language in LANGUAGES
    }
    losses = {}
    for name, shift in (("its translation", 0), ("another sentence", 1)):
        english = [*tokens["eng"][shift:], *tokens["eng"][:shift]]
        batches = [
            [join_pair(source, target, (0, 0)) for source, target in zip(some, english, strict=True)]
            for language, some in tokens.items()
            if language != "eng"
        ]
        losses[f"held-out loss beside {name}"] = held_out_loss(model, masking, batches)
    return losses


def _top_1(vectors: dict[str, Any]) -> float:
    rows = np.arange(_HELD_OUT)
    found = []
    for language in LANGUAGES:
        if language != "eng":
            cosine = vectors[language] @ vectors["eng"].T
            found += [np.mean(cosine.argmax(axis) == rows) for axis in (0, 1)]
    return float(100 * np.mean(found))


def _resume_row() -> dict[str, Any]:
    """Kill a short run once its first checkpoint is there, resume it, and compare it with one that was left alone."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as made:
        whole, killed = Path(made) / "whole", Path(made) / "killed"
        process = multiprocessing.get_context("spawn").Process(target=_short_run, args=(killed,))
        process.start()
        while process.is_alive() and last_checkpoint(Path(f"{killed}.partial") / "checkpoints") is None:
            time.sleep(0.02)
        process.kill()
        process.join()
        if killed.exists():
            raise RuntimeError("the run was to be killed, but it had finished; make it longer")
        curves = [_curve(_short_run(folder)) for folder in (killed, whole)]
    return row(
        task="a run killed and resumed",
        data=_DATA,
        method=f"MLM + TLM, {_SHORT} steps",
        metric="largest difference of a loss",
        value=float(np.abs(curves[0] - curves[1]).max()),
        n=curves[0].size,
        command=COMMAND,
        seconds=time.perf_counter() - start,
    )


_SHORT = 36


def _short_run(folder: Path) -> PretrainingResult:
    held_out = {language: _ntrex(language)[-20:] for language in LANGUAGES}
    settings = _settings(0.5, 0, _SHORT)
    return pretrain(folder, _texts(), pairs=_pairs(), held_out=held_out, start=_MODEL, settings=settings, resume=True)


def _curve(result: PretrainingResult) -> Any:
    return np.array([[value for name, value in sorted(entry.items())] for entry in result.history[1:]])


if __name__ == "__main__":
    sys.exit(main())
