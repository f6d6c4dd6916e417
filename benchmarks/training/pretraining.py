"""Pre-train a small BERT with and without translation pairs, and search translations with its vectors.

    python -m interlingua.benchmarks pretraining
    python -m interlingua.benchmarks pretraining --minutes 7 --part 0   # in pieces: what is done is kept

Eight languages of NTREX-128, SIB-200 and, in English and Swahili, the New Testament; the same sentences whether or not
pairs of them are seen. A batch of pairs holds half as many pairs as one of sentences holds sentences, so that both
runs have equal steps and nearly equal tokens. The last 400 lines of NTREX are never trained on: they measure the loss,
and the search of each sentence's translation among 400, by the mean of the tokens in the last layer and in the first.
The steps, the share of pairs and the layers were settled on the 400 lines before, not trained on then. One
run is killed and resumed beside one that is not.
"""

import json
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from interlingua.align.arrays import require
from interlingua.align.files import replacing
from interlingua.align.language import Centring
from interlingua.benchmarks.harness.datasets import read_bible, read_ntrex, read_sib200
from interlingua.benchmarks.harness.measure import Case, NotDoneError
from interlingua.pipelines import load_encoder
from interlingua.pipelines.encoders.cache import user_cache_folder
from interlingua.pipelines.texts import Pair
from interlingua.pipelines.texts.corpus import Corpus, as_corpus
from interlingua.pipelines.train import PretrainingSettings, pretrain
from interlingua.pipelines.train.masking import Masking, join_pair
from interlingua.pipelines.train.pretraining import held_out_loss
from interlingua.pipelines.train.pretraining_model import first_position, load_model
from interlingua.pipelines.train.settings import NewModel, PretrainingResult
from interlingua.pipelines.train.trainer import last_checkpoint

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


def run(folder: Path | None = None, minutes: float | None = None, part: int | None = None) -> Iterator[Case]:
    """Train what is not yet trained in `folder`, and measure it.

    Parameters
    ----------
    folder : Path, optional
        Holds the models, and what is needed to go on with one that is not finished; by default in the user's cache.
    minutes : float, optional
        Stop after so long.
    part : int, optional
        Train the model of that number only, from 0, so that several processes can share the work.

    Raises
    ------
    NotDoneError
        If something is left to be done.
    """
    place = user_cache_folder() / "benchmarks" / "pretraining" if folder is None else folder
    place.mkdir(parents=True, exist_ok=True)
    console = Console(stderr=True)
    end = None if minutes is None else time.monotonic() + 60 * minutes
    parts = [(name, seed) for seed in _SEEDS for name in reversed(_METHODS)]
    for name, seed in parts if part is None else [parts[part]]:
        left = None if end is None else (end - time.monotonic()) / 60
        target = _run_folder(place, name, seed)
        if target.exists():
            continue
        if left is not None and left <= 0:
            raise NotDoneError(f"{name}, seed {seed} and what follows")
        console.print(f"{name}, seed {seed}")
        if not _train(target, _METHODS[name], seed, left, console):
            raise NotDoneError(f"{name}, seed {seed}")
    if part is not None or (end is not None and time.monotonic() > end):
        raise NotDoneError("the other models" if part is not None else "the measurements")
    yield from _losses(place)
    yield from _retrieval(place)
    yield _resumed()


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


def corpora() -> tuple[Corpus[str], Corpus[Pair], dict[str, list[str]]]:
    """Return sentences and pairs to train on, and by language the lines that the loss is measured on."""
    return _texts(), _pairs(), {language: _ntrex(language)[-_HELD_OUT:][:_MEASURED] for language in LANGUAGES}


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
        held_out=corpora()[2],
        start=_MODEL,
        settings=_settings(share, seed, _STEPS),
        resume=True,
        max_minutes=minutes,
        callback=keep_time,
    )
    return result.finished


def _losses(folder: Path) -> Iterator[Case]:
    for name in _METHODS:
        records = [json.loads((_run_folder(folder, name, seed) / "pretraining.json").read_text()) for seed in _SEEDS]
        seconds = [float(_run_folder(folder, name, seed).with_suffix(".seconds").read_text()) for seed in _SEEDS]
        begin, end = (
            np.mean([[record["history"][at][f"held_out {each}"] for each in LANGUAGES] for record in records])
            for at in (0, -1)
        )
        figures = {
            "held-out loss, start": float(begin),
            "held-out loss, end": float(end),
            "million tokens": float(np.mean([record["tokens"] for record in records])) / 1e6,
            "CPU s": float(np.mean(seconds)),
        }
        yield Case(task=_TASK, data=_DATA, method=f"{name}, {_STEPS} steps, {_OVER}", figures=figures,
                   n=_MEASURED * len(LANGUAGES), seconds=figures["CPU s"])  # fmt: skip


def _retrieval(folder: Path) -> Iterator[Case]:
    for name in _METHODS:
        start = time.perf_counter()
        found = [_search(_run_folder(folder, name, seed)) for seed in _SEEDS]
        figures: dict[str, float] = {}
        for metric in found[0]:
            values = [each[metric] for each in found]
            figures[metric] = float(np.mean(values))
            if len(values) > 1:
                figures[f"{metric}, spread"] = float(np.ptp(values))
        yield Case(task="NTREX-128 lines not trained on", data="7 languages to English and back",
                   method=f"{name}, {_STEPS} steps, {_OVER}", figures=figures, n=_HELD_OUT,
                   seconds=time.perf_counter() - start)  # fmt: skip


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


def _resumed() -> Case:
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
    return Case(task="a run killed and resumed", data=_DATA, method=f"MLM + TLM, {_SHORT} steps",
                figures={"largest difference of a loss": float(np.abs(curves[0] - curves[1]).max())},
                n=curves[0].size, seconds=time.perf_counter() - start)  # fmt: skip


_SHORT = 36


def _short_run(folder: Path) -> PretrainingResult:
    held_out = {language: _ntrex(language)[-20:] for language in LANGUAGES}
    settings = _settings(0.5, 0, _SHORT)
    return pretrain(folder, _texts(), pairs=_pairs(), held_out=held_out, start=_MODEL, settings=settings, resume=True)


def _curve(result: PretrainingResult) -> Any:
    return np.array([[value for name, value in sorted(entry.items())] for entry in result.history[1:]])
