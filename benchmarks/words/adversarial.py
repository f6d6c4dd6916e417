"""Adversarial alignment without any pair, run to its end within a budget.

    python -m interlingua.benchmarks.words.adversarial

English and French vectors trained alike on the same documentation ("pair B"), the discriminator as published (2,048
wide, five steps a map step, five epochs), but 2,000 map steps an epoch instead of 31,250; then five refinements.
"""

import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rich.console import Console

from interlingua.align.word import Adversarial, score_dictionary
from interlingua.benchmarks.harness.datasets import read_lexicon, read_vectors
from interlingua.benchmarks.harness.measure import peak_mb, run_benchmark
from interlingua.benchmarks.harness.report import row

COMMAND = "python -m interlingua.benchmarks.words.adversarial"
_STEPS = 2000


def run() -> list[dict[str, Any]]:
    """Fit, score, and return the result rows."""
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
    return [
        row(
            task="alignment without pairs",
            data="B: en-fr, documentation",
            method=f"adversarial, 5 x {_STEPS} map steps",
            metric=metric,
            value=value,
            n=score.n_words,
            command=COMMAND,
            seconds=seconds,
            peak_mb=peak_mb(),
        )
        for metric, value in figures.items()
    ]


def main(arguments: list[str] | None = None) -> int:
    """Run the command in the module's docstring."""
    return run_benchmark("adversarial", run, arguments)


if __name__ == "__main__":
    sys.exit(main())
