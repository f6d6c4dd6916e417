"""Bilingual lexicon induction: English to French, vectors of two origins and dimensions (100 and 300).

    python -m interlingua.benchmarks.bli

English: GloVe, 20,000 words; French: fastText CBOW, lower-cased; dictionaries of xling-eval (Glavaš et al. 2019,
doi:10.18653/v1/P19-1070). Candidates: the whole French vocabulary. Only test words with a vector and a translation with
a vector are scored; `coverage` says how many. No setting is chosen on the test words.
"""

import sys
from typing import Any

from interlingua.align.word import fit_dictionary, score_dictionary

from .datasets import read_lexicon, read_vectors
from .measure import peak_mb, run_benchmark, watch
from .report import row

__all__ = ["main", "run"]

COMMAND = "python -m interlingua.benchmarks.bli"


def run() -> list[dict[str, Any]]:
    """Fit, score, and return the result rows."""
    english, french, test = read_vectors("en"), read_vectors("fr"), read_lexicon("en-fr", "test")
    rows = []
    for part in ("5k", "1k"):
        with watch() as fitting:
            space = fit_dictionary(english, french, read_lexicon("en-fr", part), held_out=0.0)
        for name, criterion in (("nearest neighbour", "nn"), ("CSLS", "csls"), ("inverted softmax", "isf")):
            score = score_dictionary(space, english, french, test, criterion=criterion)  # type: ignore[arg-type] # literals
            figures = {
                "P@1 %": 100 * score.precision_at_1,
                "P@5 %": 100 * score.precision_at_5,
                "MRR %": 100 * score.mrr,
                "coverage %": 100 * score.coverage,
            }
            rows += [
                row(task="lexicon induction", data=f"en-fr, {part} pairs", method=f"Procrustes + {name}", metric=metric,
                    value=value, n=score.n_words, command=COMMAND, seconds=fitting.seconds, peak_mb=peak_mb())
                for metric, value in figures.items()
            ]  # fmt: skip
    return rows


def main(arguments: list[str] | None = None) -> int:
    """Run the command in the module's docstring."""
    return run_benchmark("bli", run, arguments)


if __name__ == "__main__":
    sys.exit(main())
