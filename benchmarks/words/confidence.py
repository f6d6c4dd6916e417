"""Tell right alignments from wrong ones by the confidence, without any test pair.

    python -m interlingua.benchmarks confidence
    python -m interlingua.benchmarks confidence --only "no pairs" --dry-run

Good and broken runs on four pairs of languages: other amounts of supervision, few pairs of several kinds, none, pairs
drawn at random, the target's words shuffled, and vectors drawn from a Gaussian with the target's covariance. P@1 (CSLS)
is measured afterwards on the test dictionary. A run is right with a P@1 over 15 and wrong under 5; those between are
printed and not counted. Restarts and races are judged beside the run that agrees best with theirs. "two runs" are
restarts that stop after two, on 5,000 words, so that some of them are wrong.

The thresholds of the confidence were set on other runs of the same vectors, and on "first 25 lines" itself, so this
shows that it holds here, not that it holds everywhere.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align import Embeddings, SeedDictionary, SharedSpace
from interlingua.align.word import MultiStep, Procrustes, Race, assess_space, score_dictionary
from interlingua.align.word.methods.self_learning import SelfLearning
from interlingua.align.word.restarts import Restarts
from interlingua.benchmarks.harness.datasets import read_countries, read_lexicon, read_vectors
from interlingua.benchmarks.harness.measure import Case, watch

_RIGHT, _WRONG = 15.0, 5.0


def run(only: str = "") -> Iterator[Case]:
    """Fit each run whose data or method holds a text, judge it, and score it."""
    wrongly, counted = 0, 0
    for data, method, source, target, fit, test in _runs():
        if only not in f"{data}, {method}":
            continue
        with watch() as judging:
            space, seeds, others = fit()
            confidence = assess_space(space, source, target, seeds=seeds, others=others)
        score = score_dictionary(space, source, target, test)
        precision = 100 * score.precision_at_1
        if not _WRONG <= precision <= _RIGHT:
            counted += 1
            wrongly += confidence.accepted != (precision > _RIGHT)
        yield Case(task="confidence", data=data, method=method, n=score.n_words, seconds=judging.seconds,
                   figures={"P@1 %": precision, "confidence": confidence.value})  # fmt: skip
    yield Case(task="confidence", data="all right or wrong runs", method="threshold 0.5", n=counted, seconds=0.0,
               figures={"wrongly sorted": wrongly})  # fmt: skip


#: Returns the space, the pairs to tell the judge, and the spaces of independent runs.
Fit = Callable[[], tuple[SharedSpace, Any, Sequence[SharedSpace]]]


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
        yield data, "restarts, 25 pairs", source, target, _fit(Restarts(), source, target, few), test
        lines, _ = SeedDictionary(read_lexicon(lexicon, "5k").pairs[:25]).index_pairs(source, target)
        frequent = _one_each(pairs)[:800]
        for label, chosen in (
            ("7 pairs", frequent[np.sort(rng.permutation(len(frequent))[:7])]),
            ("12 pairs", frequent[np.sort(rng.permutation(len(frequent))[:12])]),
            ("first 25 lines", lines),
        ):
            yield data, f"two runs, {label}", source, target, _fit(_two_runs(), source, target, chosen), test
        yield data, "restarts, first 25 lines", source, target, _fit(Restarts(), source, target, lines), test
        yield data, "race, no pairs", source, target, _fit_race(source, target), test
        yield data, "Procrustes, 25 pairs", source, target, _fit(Procrustes(), source, target, few), test
        yield data, "Procrustes, random pairs", source, target, _fit(Procrustes(), source, target, drawn, False), test
        yield data, "multi-step, shuffled words", source, shuffled, _fit(MultiStep(), source, shuffled, pairs), test
        yield data, "multi-step, Gaussian", source, gaussian, _fit(MultiStep(), source, gaussian, pairs), test
    test = read_countries("jpn", "fra")
    strings, _ = SeedDictionary.identical(japanese, french).index_pairs(japanese, french)
    restarts = Restarts(learner=SelfLearning(trust_pairs=False))
    yield "ja-fr", "restarts, equal strings", japanese, french, _fit(restarts, japanese, french, strings), test
    yield "ja-fr", "race, no pairs", japanese, french, _fit_race(japanese, french), test


def _one_each(pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the first pair of each source word, by frequency."""
    rows = pairs[np.argsort(pairs[:, 0], kind="stable")]
    return np.asarray(rows[np.unique(rows[:, 0], return_index=True)[1]])


def _two_runs() -> Restarts:
    return Restarts(learner=SelfLearning(vocabulary=5000), restarts=2, enough_agreement=2.0)


def _fit(aligner: Any, source: Embeddings, target: Embeddings, pairs: Any, known: bool = True) -> Fit:
    """Delay the fit; `known` says whether the pairs are told to the judge as what the fit was given."""

    def fit() -> tuple[SharedSpace, Any, Sequence[SharedSpace]]:
        fitted = aligner.fit(source.vectors, target.vectors, pairs, names=(source.space, target.space))
        return fitted.space_, pairs if known else None, getattr(fitted, "others_", ())

    return fit


def _fit_race(source: Embeddings, target: Embeddings) -> Fit:
    def fit() -> tuple[SharedSpace, Any, Sequence[SharedSpace]]:
        race = Race().fit(source.vectors, target.vectors, names=(source.space, target.space))
        return race.space_, None, race.others_

    return fit


def _gaussian(vectors: np.ndarray, rng: np.random.Generator) -> Any:
    covariance = np.cov(vectors.T.astype(np.float64)) + 1e-6 * np.eye(vectors.shape[1])
    drawn = rng.normal(size=vectors.shape) @ np.linalg.cholesky(covariance).T
    return (drawn + vectors.mean(axis=0)).astype(np.float32)
