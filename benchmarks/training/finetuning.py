"""What fine-tuning the encoder itself adds on Tatoeba and XQuAD-R, for the CPU minutes that it costs.

    python -m interlingua.benchmarks finetuning [--minutes 7] [--folder FOLDER]

multilingual-e5-small, its word embeddings frozen, on NTREX-128 (15 languages to English) and the New Testament (Swahili
to English); the weights are selected on held-out pairs of those. *Fine-tuned* trains all other weights; *LoRA* low-rank
updates of the linear layers (rank 16, ten times the learning rate), merged in the end. Beside the frozen encoder, on

- the first 250 pairs of each language of Tatoeba: cosine; per-language centring and CSLS (k = 10), with means of 100
  sentences of NTREX-128 (inductive); a *mixed pool*, in which texts of the query's own language are candidates too;
- XQuAD-R in six languages, every question asked of the sentences of all, see `xquad_r`: as the
  encoder gives them, and with language removed by what is asked and searched itself (transductive).

With ``--minutes`` training stops after so long and goes on at the next call; rows are written when it is done.
"""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.language import Centring, MeanCovariance
from interlingua.align.word.evaluation import parallel_accuracy
from interlingua.benchmarks.harness.datasets import TATOEBA_LANGUAGES, ntrex_pairs, read_bible, read_ntrex, read_tatoeba
from interlingua.benchmarks.harness.measure import Case, NotDoneError, watch
from interlingua.benchmarks.sentences.xquad_r import read_pools, score_pool
from interlingua.pipelines import Encoder, load_encoder
from interlingua.pipelines.encoders.cache import user_cache_folder
from interlingua.pipelines.texts import Pair
from interlingua.pipelines.train import ContrastiveSettings, finetune_contrastive

SETTINGS = ContrastiveSettings(
    steps=50, batch_size=32, mini_batch_size=32, learning_rate=2e-5, max_tokens=64, held_out=20, evaluations=2,
    same_language_negatives=True, one_language_pair_a_batch=True,
)  # fmt: skip
SUBSET = 250
FOR_MEANS = 100
Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Variant:
    """A way to train the encoder.

    Attributes
    ----------
    folder : str
        What its folder is called.
    settings : ContrastiveSettings
    """

    folder: str
    settings: ContrastiveSettings


VARIANTS: Mapping[str, Variant] = {
    "fine-tuned": Variant("finetuned-e5-small", SETTINGS),
    "LoRA": Variant("finetuned-e5-small-lora", replace(SETTINGS, learning_rate=2e-4, lora_rank=16)),
}


def training_pairs() -> list[Pair]:
    """Return NTREX-128 in Tatoeba's languages and the New Testament, all with English as the target."""
    verses = [Pair(swahili, verse, "swh", "eng") for verse, swahili in zip(*read_bible(), strict=True)]
    return ntrex_pairs() + verses


def score_encoder(encoder: Encoder, *, subset: int = SUBSET) -> dict[str, dict[str, tuple[float, float]]]:
    """Return, by method and language, the accuracy in percent to English and back."""
    news = {name: encoder.encode(read_ntrex(name)[:FOR_MEANS]) for name in (*TATOEBA_LANGUAGES, "eng")}
    space = Centring().fit(news).space_
    scores: dict[str, dict[str, tuple[float, float]]] = {
        "cosine": {},
        "centred + CSLS, inductive": {},
        "mixed pool": {},
    }
    for language in TATOEBA_LANGUAGES:
        foreign, english = (encoder.encode(texts[:subset]) for texts in read_tatoeba(language))
        centred = space.transform(foreign, language), space.transform(english, "eng")
        found = {
            "cosine": parallel_accuracy(foreign, english, criterion="nn"),
            "centred + CSLS, inductive": parallel_accuracy(*centred, criterion="csls", neighborhood=10),
            "mixed pool": (mixed_accuracy(foreign, english), mixed_accuracy(english, foreign)),
            "centred, inductive, mixed pool": (mixed_accuracy(*centred), mixed_accuracy(*centred[::-1])),
        }
        for method, (there, back) in found.items():
            scores.setdefault(method, {})[language] = (100 * there, 100 * back)
    return scores


def mixed_accuracy(queries: Vectors, answers: Vectors) -> float:
    """Return how often row i of the answers is nearest to query i among all answers and all other queries."""
    right = np.einsum("ij,ij->i", queries, answers)
    own = np.eye(len(queries), dtype=np.bool_)
    best = [np.where(own, -np.inf, queries @ others.T).max(axis=1) for others in (answers, queries)]
    return float((right > np.maximum(*best)).mean())


def score_answers(encoder: Encoder) -> dict[str, dict[str, float]]:
    """Return, by method, mAP and the share of the question's own language on XQuAD-R in one pool of six languages."""
    pool, _ = read_pools(encoder)
    found = {"cosine": score_pool(pool, None, "cosine")}
    for name, method in (("centred", Centring), ("mean-covariance", MeanCovariance)):
        spaces = method().fit(pool.questions).space_, method().fit(pool.sentences).space_
        found[name] = score_pool(pool, spaces, "cosine")
    return {
        name: {
            "mAP": each.precision,
            "own language in top 5": each.own_language,
            "MRR, own language alone": each.single_mrr,
        }
        for name, each in found.items()
    }


def run(folder: Path | None = None, minutes: float | None = None) -> Iterator[Case]:
    """Train where that is not done, and score.

    Raises
    ------
    NotDoneError
        If training has to go on after `minutes`.
    """
    place = user_cache_folder() / "benchmarks" if folder is None else folder
    place.mkdir(parents=True, exist_ok=True)
    spent = {name: _train(place, each, minutes) for name, each in VARIANTS.items()}
    folders = {name: place / each.folder for name, each in VARIANTS.items()}
    if unfinished := [name for name, each in folders.items() if not each.exists()]:
        raise NotDoneError(", ".join(unfinished))
    for name, source in {"frozen": None, **folders}.items():
        yield from _scored(name, load_encoder(source))
    for name, each in spent.items():
        yield from _cost(name, each)


def _scored(name: str, encoder: Encoder) -> Iterator[Case]:
    with watch() as scoring:
        scores = score_encoder(encoder)
    for method, by_language in scores.items():
        means = tuple(np.mean(list(by_language.values()), axis=0))
        for language, (there, back) in {f"mean of {len(by_language)} languages": means, **by_language}.items():
            n = min(SUBSET, len(read_tatoeba(language)[0])) if language in by_language else len(by_language)
            yield Case(task="Tatoeba", data=f"first {SUBSET}, {language}", method=f"{name}, {method}", n=n,
                       figures={"xx-en top-1 %": there, "en-xx top-1 %": back}, seconds=scoring.seconds)  # fmt: skip
    with watch() as scoring:
        answers = score_answers(encoder)
    for method, metrics in answers.items():
        yield Case(task="answer retrieval", data="XQuAD-R, all languages", method=f"{name}, {method}", figures=metrics,
                   n=7140, seconds=scoring.seconds)  # fmt: skip


def _cost(name: str, spent: Mapping[str, Any]) -> Iterator[Case]:
    settings = VARIANTS[name].settings
    common: dict[str, Any] = {"task": "fine-tuning", "data": "NTREX-128 and New Testament", "seconds": spent["seconds"]}
    common["method"] = f"{name}, batches of {settings.batch_size}, learning rate {settings.learning_rate:g}"
    cost = {
        "CPU minutes of training": spent["cpu_seconds"] / 60,
        "steps": spent["steps"],
        "million parameters trained": spent["n_trained"] / 1e6,
    }
    held_out = {
        f"held-out {metric} {when}": spent[part][key]
        for metric, key in (("MRR", "mrr"), ("top-1", "accuracy"))
        for part, when in (("start", "before"), ("best", "after"))
    }
    yield Case(figures=cost, n=spent["pairs"], **common)
    yield Case(figures=held_out, n=settings.held_out * len(TATOEBA_LANGUAGES), **common)


def _train(place: Path, variant: Variant, minutes: float | None) -> dict[str, Any]:
    """Train, or go on; return what all calls together have cost."""
    output = place / variant.folder
    notes = output.with_name(output.name + ".json")
    spent: dict[str, Any] = json.loads(notes.read_text(encoding="utf-8")) if notes.exists() else {}
    if output.exists():
        return spent
    pairs = training_pairs()
    began, clock = time.process_time(), time.perf_counter()
    settings = replace(variant.settings, max_minutes=minutes)
    done = finetune_contrastive(None, pairs, output=output, settings=settings, resume=True)
    spent = {
        "cpu_seconds": spent.get("cpu_seconds", 0) + time.process_time() - began,
        "seconds": spent.get("seconds", 0) + time.perf_counter() - clock,
        "steps": done.steps,
        "n_trained": done.n_trained,
        "start": done.start,
        "best": done.best,
        "history": done.history,
        "pairs": len(pairs),
    }
    notes.write_text(json.dumps(spent, indent=1), encoding="utf-8")
    return spent
