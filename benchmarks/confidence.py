"""Tell right alignments from wrong ones by the confidence, without any test pair.

    python -m interlingua.benchmarks.confidence

Good and broken runs on four pairs of languages: other amounts of supervision, pairs drawn at random, the target's words
shuffled, and vectors drawn from a Gaussian with the target's covariance. P@1 (CSLS) is measured afterwards on the test
dictionary. A run is right with a P@1 over 15 and wrong under 5; those between are printed and not counted. The
thresholds of the confidence were set on runs of these pairs, so this shows that it holds here, not that it holds
everywhere.
"""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from interlingua.align import Embeddings, SeedDictionary, SharedSpace, assess_space
from interlingua.align.word import MultiStep, Procrustes, SelfLearning, score_dictionary

from .datasets import read_countries, read_lexicon, read_vectors
from .measure import peak_mb, run_benchmark, watch
from .report import row

__all__ = ["main", "run"]

COMMAND = "python -m interlingua.benchmarks.confidence"
_RIGHT, _WRONG = 15.0, 5.0


def run() -> list[dict[str, Any]]:
    """Fit each run, judge it, score it, and return the result rows."""
    rows: list[dict[str, Any]] = []
    wrongly, counted = 0, 0
    for data, method, source, target, fit, test in _runs():
        with watch() as judging:
            space, seeds = fit()
            confidence = assess_space(space, source, target, seeds=seeds)
        score = score_dictionary(space, source, target, test)
        precision = 100 * score.precision_at_1
        if not _WRONG <= precision <= _RIGHT:
            counted += 1
            wrongly += confidence.accepted != (precision > _RIGHT)
        for metric, value in (("P@1 %", precision), ("confidence", confidence.value)):
            rows.append(_row(data, method, metric, value, score.n_words, judging.seconds))
    rows.append(_row("all right or wrong runs", "threshold 0.5", "wrongly sorted", wrongly, counted, 0.0))
    return rows


Fit = Callable[[], tuple[SharedSpace, Any]]


def _runs() -> Iterator[tuple[str, str, Embeddings, Embeddings, Fit, SeedDictionary]]:
    english, french, russian, japanese = (read_vectors(name) for name in ("en", "fr", "ru", "ja"))
    docs = (read_vectors("en.docs"), read_vectors("fr.docs"))
    settings = (
        ("A: en-fr", english, french, "en-fr"),
        ("B: en-fr, documentation", *docs, "en-fr"),
        ("en-ru", english, russian, "en-ru"),
    )
    for data, source, target, lexicon in settings:
        test = read_lexicon(lexicon, "test")
        pairs, _ = read_lexicon(lexicon, "5k").index_pairs(source, target)
        few = pairs[np.argsort(pairs[:, 0], kind="stable")[:25]]
        rng = np.random.default_rng(0)
        drawn = rng.integers(0, 5000, size=(len(pairs), 2))
        shuffled = Embeddings(target.labels, target.vectors[rng.permutation(len(target))], target.space)
        gaussian = Embeddings(target.labels, _gaussian(target.vectors, rng), target.space)
        yield data, "multi-step, 5k pairs", source, target, _fit(MultiStep(), source, target, pairs), test
        yield data, "Procrustes, 1,000 pairs", source, target, _fit(Procrustes(), source, target, pairs[:1000]), test
        yield data, "self-learning, 25 pairs", source, target, _fit(SelfLearning(), source, target, few), test
        yield data, "Procrustes, 25 pairs", source, target, _fit(Procrustes(), source, target, few), test
        yield data, "Procrustes, random pairs", source, target, _fit(Procrustes(), source, target, drawn, False), test
        yield data, "multi-step, shuffled words", source, shuffled, _fit(MultiStep(), source, shuffled, pairs), test
        yield data, "multi-step, Gaussian", source, gaussian, _fit(MultiStep(), source, gaussian, pairs), test
    test = read_countries("jpn", "fra")
    strings, _ = SeedDictionary.identical(japanese, french).index_pairs(japanese, french)
    learner = SelfLearning(trust_pairs=False)
    yield "ja-fr", "self-learning, equal strings", japanese, french, _fit(learner, japanese, french, strings), test


def _fit(aligner: Any, source: Embeddings, target: Embeddings, pairs: Any, known: bool = True) -> Fit:
    """Delay the fit; `known` says whether the pairs are told to the judge as what the fit was given."""

    def fit() -> tuple[SharedSpace, Any]:
        names = (source.space, target.space)
        return aligner.fit(source.vectors, target.vectors, pairs, names=names).space_, pairs if known else None

    return fit


def _gaussian(vectors: np.ndarray, rng: np.random.Generator) -> Any:
    covariance = np.cov(vectors.T.astype(np.float64)) + 1e-6 * np.eye(vectors.shape[1])
    drawn = rng.normal(size=vectors.shape) @ np.linalg.cholesky(covariance).T
    return (drawn + vectors.mean(axis=0)).astype(np.float32)


def _row(data: str, method: str, metric: str, value: float, n: int, seconds: float) -> dict[str, Any]:
    return row(task="confidence", data=data, method=method, metric=metric, value=value, n=n, command=COMMAND,
               seconds=seconds, peak_mb=peak_mb())  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Run the command in the module's docstring."""
    return run_benchmark("confidence", run, arguments)


if __name__ == "__main__":
    sys.exit(main())
