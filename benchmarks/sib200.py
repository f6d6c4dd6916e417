"""Topics of sentences: a linear head on frozen vectors, trained on English, tested on 19 other languages.

    python -m interlingua.benchmarks.sib200

SIB-200 (Adelani et al. 2024, doi:10.18653/v1/2024.eacl-long.14), seven topics, 701 sentences to train on and 204 to
test on in each of 20 languages. The head is a logistic regression. Its strength is chosen by ten-fold cross-validation
on English: the strongest regularisation within one standard error of the best, for a head that clings to English
carries over less.

Means and covariances of each language come from its unlabelled training (or dev) sentences; the test sentences are seen
only to be classified. *+ neighbours* mixes the head's probabilities with those of the nearest sentences that are known:
English ones with their labels, and with *unlabelled* also those of the tested language with the head's own
probabilities. What is mixed and how many neighbours there are is chosen by cross-validation on English, too. The
training sentences of all languages are translations of each other, the test sentences are not among them.
"""

import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align import REMOVAL_METHODS, Centring, MeanCovariance, SharedSpace, top_k
from interlingua.align.optional import require
from interlingua.pipelines import Encoder, load_encoder

from .datasets import data_folder, read_sib200
from .measure import peak_mb, run_benchmark, watch
from .report import row

__all__ = ["Head", "Split", "fit_head", "main", "run"]

COMMAND = "python -m interlingua.benchmarks.sib200"
ENGLISH = "eng_Latn"
FEW_SHOT_LANGUAGES = ("swh_Latn", "yor_Latn", "tam_Taml")
FEW_SHOT_SIZES = (0, 8, 32, 128, 512)
_SEEDS = (0, 1, 2)
_FOLDS = 10
_STRENGTHS = (0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0)
_MIXES = tuple(product((5, 15, 30), (0.05, 0.1), (0.3, 0.6)))  # neighbours, temperature, their share
_MORE = (" + neighbours", " + neighbours, unlabelled")
Vectors = NDArray[np.float32]
Labels = NDArray[np.str_]


@dataclass(frozen=True)
class Split:
    """The vectors and topics of one part of the data, by language."""

    vectors: dict[str, Vectors]
    topics: dict[str, Labels]

    def mapped(self, space: SharedSpace | None) -> "Split":
        """Return the same topics with vectors in a space."""
        if space is None:
            return self
        return Split({name: space.transform(each, name) for name, each in self.vectors.items()}, self.topics)


@dataclass(frozen=True)
class Head:
    """A logistic regression with the labelled vectors it was trained on, and how to mix in neighbours."""

    model: Any
    vectors: Vectors
    targets: NDArray[np.float64]
    mix: tuple[int, float, float] = (1, 0.1, 0.0)

    def probabilities(self, vectors: Vectors, unlabelled: Vectors | None = None) -> NDArray[np.float64]:
        """Return the probability of each topic, mixed with those of the nearest known vectors."""
        own = np.asarray(self.model.predict_proba(vectors))
        k, temperature, share = self.mix
        if share == 0:
            return own
        bank, targets = self.vectors, self.targets
        if unlabelled is not None:
            bank = np.concatenate([bank, unlabelled])
            targets = np.concatenate([targets, self.model.predict_proba(unlabelled)])
        near = top_k(vectors, bank, k)
        weights = np.exp((near.scores - near.scores[:, :1]) / temperature)
        weights /= weights.sum(axis=1, keepdims=True)
        return np.asarray((1 - share) * own + share * np.einsum("nk,nkc->nc", weights, targets[near.ids]))

    def accuracy(self, vectors: Vectors, topics: Labels, unlabelled: Vectors | None = None) -> float:
        """Return the share of vectors whose topic is named."""
        named = self.model.classes_[self.probabilities(vectors, unlabelled).argmax(axis=1)]
        return float((named == topics).mean())


def fit_head(
    vectors: Vectors,
    topics: Labels,
    *,
    neighbours: bool = False,
    strength: float | None = None,
) -> Head:
    """Train a head; what is not given is chosen by cross-validation on the vectors themselves."""
    if strength is None:
        scores = {each: _fold_scores(vectors, topics, each, ((1, 0.1, 0.0),))[0] for each in _STRENGTHS}
        best = max(scores, key=lambda each: float(scores[each].mean()))
        least = scores[best].mean() - scores[best].std(ddof=1) / np.sqrt(_FOLDS)
        strength = min(each for each, found in scores.items() if found.mean() >= least)
    mix = (1, 0.1, 0.0)
    if neighbours:
        found = _fold_scores(vectors, topics, strength, _MIXES)
        mix = _MIXES[int(np.argmax([each.mean() for each in found]))]
    model = _logistic(strength).fit(vectors, topics)
    targets = (topics[:, None] == model.classes_).astype(np.float64)
    return Head(model, vectors, targets, mix)


def run(encoder: Encoder | None = None) -> list[dict[str, Any]]:
    """Encode, train every head, and return the result rows."""
    encoder = load_encoder() if encoder is None else encoder
    languages = sorted(each.name for each in data_folder("sib-200").iterdir() if each.is_dir())
    train, dev, test = (_read(encoder, languages, part) for part in ("train", "dev", "test"))
    spaces: dict[str, SharedSpace | None] = {"raw": None}
    spaces["centring, means from dev"] = Centring().fit(dev.vectors).space_
    for name, make in REMOVAL_METHODS.items():
        spaces[name] = make().fit(train.vectors).space_
    spaces["mean-covariance, Ledoit-Wolf"] = MeanCovariance(shrinkage="auto").fit(train.vectors).space_
    rows: list[dict[str, Any]] = []
    for method, space in spaces.items():
        with watch() as working:
            accuracies = _accuracies(method, train.mapped(space), test.mapped(space))
        for name, found in accuracies.items():
            rows += _zero_shot_rows(name, found, len(test.topics[ENGLISH]), working.seconds / len(accuracies))
    for method in ("raw", "centring", "mean-covariance"):
        rows += _few_shot_rows(method, train.mapped(spaces[method]), test.mapped(spaces[method]))
    return rows


def _accuracies(method: str, train: Split, test: Split) -> dict[str, dict[str, float]]:
    """Return the accuracy in each language of the head alone, and with neighbours."""
    head = fit_head(train.vectors[ENGLISH], train.topics[ENGLISH], neighbours=True)
    alone = Head(head.model, head.vectors, head.targets)
    found: dict[str, dict[str, float]] = {f"{method}{more}": {} for more in ("", *_MORE)}
    for name, vectors in test.vectors.items():
        topics = test.topics[name]
        scores = (
            alone.accuracy(vectors, topics),
            head.accuracy(vectors, topics),
            head.accuracy(vectors, topics, train.vectors[name]),
        )
        for each, score in zip(found.values(), scores, strict=True):
            each[name] = score
    return found


def _zero_shot_rows(method: str, found: Mapping[str, float], n: int, seconds: float) -> list[dict[str, Any]]:
    others = {name: each for name, each in found.items() if name != ENGLISH}
    common: dict[str, Any] = {"command": COMMAND, "seconds": seconds, "peak_mb": peak_mb(), "method": method}
    summary = {
        "mean accuracy": float(np.mean(list(others.values()))),
        "worst": min(others.values()),
        "English": found[ENGLISH],
    }
    rows = [
        row(task="topics, zero-shot", data=f"SIB-200, {len(others)} languages", metric=metric, value=value,
            n=n * len(others), **common)
        for metric, value in summary.items()
    ]  # fmt: skip
    return rows + [
        row(task="topics, zero-shot", data=f"SIB-200, {name}", metric="accuracy", value=value, n=n, **common)
        for name, value in others.items()
    ]


def _few_shot_rows(method: str, train: Split, test: Split) -> list[dict[str, Any]]:
    """All of English with n sentences of the language, and all 701 of the language without English."""
    rows = []
    english, topics = train.vectors[ENGLISH], train.topics[ENGLISH]
    first = fit_head(english, topics, neighbours=True)
    strength = float(first.model.C)
    for language in FEW_SHOT_LANGUAGES:
        others, labels = train.vectors[language], train.topics[language]
        tested = test.vectors[language], test.topics[language]
        found: dict[str, list[tuple[float, float]]] = {}
        with watch() as working:
            for size in FEW_SHOT_SIZES:
                for seed in _SEEDS if size else _SEEDS[:1]:
                    chosen = np.random.default_rng(seed).permutation(len(labels))[:size]
                    both = np.concatenate([english, others[chosen]]), np.concatenate([topics, labels[chosen]])
                    head = fit_head(*both, strength=strength)
                    mixed = Head(head.model, head.vectors, head.targets, first.mix)
                    found.setdefault(f"{size} examples", []).append((head.accuracy(*tested), mixed.accuracy(*tested)))
            alone = fit_head(others, labels, neighbours=True)
            plain = Head(alone.model, alone.vectors, alone.targets)
            found["701 examples, no English"] = [(plain.accuracy(*tested), alone.accuracy(*tested))]
        for number, name in enumerate((method, f"{method}{_MORE[0]}")):
            rows += [
                row(task="topics, few-shot", data=f"SIB-200, {language}", method=name, metric=metric,
                    value=float(np.mean([each[number] for each in values])), n=len(tested[1]) * len(values),
                    command=COMMAND, seconds=working.seconds / (2 * len(found)), peak_mb=peak_mb())
                for metric, values in found.items()
            ]  # fmt: skip
    return rows


def _fold_scores(
    vectors: Vectors, topics: Labels, strength: float, mixes: tuple[tuple[int, float, float], ...]
) -> list[NDArray[np.float64]]:
    """Return the accuracies of each mix in each fold."""
    folds = np.random.default_rng(0).permutation(len(topics)) % _FOLDS
    scores = np.zeros((len(mixes), _FOLDS))
    for fold in range(_FOLDS):
        out = folds == fold
        model = _logistic(strength).fit(vectors[~out], topics[~out])
        targets = (topics[~out][:, None] == model.classes_).astype(np.float64)
        for number, mix in enumerate(mixes):
            scores[number, fold] = Head(model, vectors[~out], targets, mix).accuracy(vectors[out], topics[out])
    return list(scores)


def _logistic(strength: float) -> Any:
    linear = require("sklearn.linear_model", extra="plot")
    return linear.LogisticRegression(C=strength, max_iter=1000)


def _read(encoder: Encoder, languages: list[str], part: str) -> Split:
    texts = {name: list(read_sib200(name, part).values()) for name in languages}
    return Split(
        {name: encoder.encode([text for _, text in each]) for name, each in texts.items()},
        {name: np.array([topic for topic, _ in each]) for name, each in texts.items()},
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the command in the module's docstring."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=FutureWarning)  # scikit-learn's, about defaults to come
        return run_benchmark("sib200", run, arguments)


if __name__ == "__main__":
    sys.exit(main())
