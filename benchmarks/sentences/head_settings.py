"""Settings of sentence heads, told apart by domains that they did not learn from.

    python -m interlingua.benchmarks head_settings [--minutes 7]

NTREX-128, SIB-200 and the New Testament, each left out in turn: a head learns from the other two and finds the
translations of the third, from and to English. XCOPA, short sentences without English, is scored by what is learned
from all three, between all pairs of its four languages. Accuracy is that of CSLS with k = 4 in both directions,
surprisal as in `interlingua.align.sentence.TranslationQuality`; both are means over the four. Heads are linear, one
seed, 200 steps in batches of 1024, none stopped early. With ``--minutes`` it stops after so long and goes on at the
next call; rows are written when it is done.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from interlingua.align import SharedSpace
from interlingua.align.files import replacing
from interlingua.align.sentence import Consensus, ContrastiveHead, ParallelVectors, translation_quality
from interlingua.benchmarks.harness.datasets import TATOEBA_LANGUAGES
from interlingua.benchmarks.harness.measure import Case, NotDoneError, watch
from interlingua.pipelines import load_encoder
from interlingua.pipelines.encoders.cache import user_cache_folder

from .tatoeba import parallel_domains, validation_domains

Fit = Callable[[ParallelVectors], SharedSpace]


def _head(**settings: Any) -> Fit:
    def fit(parallel: ParallelVectors) -> SharedSpace:
        return ContrastiveHead(steps=200, batch_size=1024, held_out=0.0, **settings).fit(parallel).space_

    return fit


def _consensus(**settings: Any) -> Fit:
    return lambda parallel: Consensus(**settings).fit(parallel).space_


SETTINGS: Mapping[str, Fit] = {
    "centring": _consensus(turn="none", shrinkage=None),
    "consensus, where heads start": _consensus(),
    **{f"head, penalty 0.03, margin {m:g}": _head(penalty=0.03, margin=m) for m in (0.0, 0.3, 0.1)},
    **{f"head, penalty {p:g}, margin 0": _head(penalty=p) for p in (0.01, 0.001)},
}


def left_out_scores(
    fit: Fit, learned: ParallelVectors, others: ParallelVectors
) -> dict[str, tuple[float, float, float]]:
    """Return accuracy there and back, in percent, and surprisal, in each domain that the fit did not see."""
    scores = {}
    tests = [(name, {other: each for other, each in learned if other != name}, each) for name, each in learned]
    tests += [(name, dict(learned.domains), each) for name, each in others]
    for name, seen, unseen in tests:
        space = fit(ParallelVectors(seen))
        held = ParallelVectors({name: {code: rows for code, rows in unseen.items() if space.covers(code)}})
        quality = translation_quality(space.transform, held, pivot="eng", most_rows=2000)
        there, back = np.mean(list(quality.by_pair.values()), axis=0)
        scores[name] = (100 * float(there), 100 * float(back), quality.surprisal)
    return scores


def run(minutes: float | None = None, notes: Path | None = None) -> Iterator[Case]:
    """Score every setting, or those that are not in `notes` yet.

    Raises
    ------
    NotDoneError
        If `minutes` are over before all are.
    """
    notes = user_cache_folder() / "benchmarks" / "head_settings.json" if notes is None else notes
    done: dict[str, Any] = json.loads(notes.read_text(encoding="utf-8")) if notes.exists() else {}
    encoder = load_encoder()
    learned = parallel_domains(encoder, TATOEBA_LANGUAGES)
    others = validation_domains(encoder, TATOEBA_LANGUAGES)
    end = time.monotonic() + 60 * (minutes or np.inf)
    for name, fit in SETTINGS.items():
        if name in done:
            continue
        if time.monotonic() > end:
            raise NotDoneError(f"{name} and what follows")
        with watch() as fitting:
            scores = left_out_scores(fit, learned, others)
        done[name] = {"scores": scores, "seconds": fitting.seconds}
        notes.parent.mkdir(parents=True, exist_ok=True)
        with replacing(notes) as file:
            file.write(json.dumps(done).encode())
    names = ("there %", "back %", "surprisal, nats")
    for name, each in done.items():
        mean = np.mean(list(each["scores"].values()), axis=0)
        for domain, values in {"mean of the domains left out": mean, **each["scores"]}.items():
            yield Case(task="translations of an unseen domain", data=domain, method=name,
                       figures=dict(zip(names, values, strict=True)), n=len(each["scores"]),
                       seconds=each["seconds"])  # fmt: skip
