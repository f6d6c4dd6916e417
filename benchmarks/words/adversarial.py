"""Adversarial alignment without any pair, run to its end within a budget.

    python -m interlingua.benchmarks adversarial

English and French vectors trained alike on the same documentation ("pair B"), the discriminator as published (2,048
wide, five steps a map step, five epochs), but 2,000 map steps an epoch instead of 31,250; then five refinements.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

from rich.console import Console

from interlingua.align.word import Adversarial, score_dictionary
from interlingua.benchmarks.harness.datasets import read_lexicon, read_vectors
from interlingua.benchmarks.harness.measure import Case

_STEPS = 2000


def run() -> Iterator[Case]:
    """Fit and score."""
    console = Console(stderr=True)
    english, french = (replace(read_vectors(f"{name}.docs"), space=name) for name in ("en", "fr"))

    def report(event: Mapping[str, float]) -> None:
        console.print(dict(event))

    start, cpu = time.perf_counter(), time.process_time()
    fitted = Adversarial(steps=_STEPS, callback=report).fit(english.vectors, french.vectors, names=("en", "fr"))
    seconds, used = time.perf_counter() - start, time.process_time() - cpu
    score = score_dictionary(fitted.space_, english, french, read_lexicon("en-fr", "test"))
    figures = {
        "P@1 % (CSLS)": 100 * score.precision_at_1,
        "unsupervised criterion": fitted.criterion_,
        "CPU s": used,
    }
    method = f"adversarial, 5 x {_STEPS} map steps"
    yield Case(task="alignment without pairs", data="B: en-fr, documentation", method=method, figures=figures,
               n=score.n_words, seconds=seconds)  # fmt: skip
