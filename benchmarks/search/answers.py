"""Answers with abstention on XQuAD-R (Roy et al. 2020): how many are given, and how many of these are right.

    python -m interlingua.benchmarks.search.answers

Sentences of six languages in one pool; of a random third of the questions all sentences that answer them, in every
language, are taken out. Half of the questions, by paragraph, calibrate; the other half is measured: the share of
questions answered and the share of these answers that are right, for several wanted precisions, and the expected
calibration error in ten bins. A right answer is the sentence that holds it, in any language.
"""

import sys
from typing import Any

import numpy as np

from interlingua.benchmarks.harness.datasets import AnswerSet, read_xquad_r
from interlingua.benchmarks.harness.measure import peak_mb, run_benchmark, watch
from interlingua.benchmarks.harness.report import row
from interlingua.pipelines import Passage, QuestionAnswerer, load_encoder

COMMAND = "python -m interlingua.benchmarks.search.answers"
LANGUAGES = ("en", "de", "es", "ru", "zh", "ar")
_PRECISIONS = (0.8, 0.9, 0.95)


def run() -> list[dict[str, Any]]:
    """Measure and return the result rows."""
    sets = {language: read_xquad_r(language) for language in LANGUAGES}
    ids = sorted(set.intersection(*(set(each.answers) for each in sets.values())))
    rng = np.random.default_rng(0)
    lost = set(rng.permutation(ids)[: len(ids) // 3].tolist())
    passages, right = _pool(sets, ids, lost)
    halves = _halves(sets["en"], ids)
    rows: list[dict[str, Any]] = []
    with watch() as working:
        answerer = QuestionAnswerer.build(passages, load_encoder(), split=False)
        asked = {
            half: [(question, language) for language in LANGUAGES for question in names]
            for half, names in zip(("calibrate", "measure"), halves)
        }
        texts = {half: [sets[language].questions[name] for name, language in pairs] for half, pairs in asked.items()}
        spoken = {half: [language for _, language in pairs] for half, pairs in asked.items()}
        known = [right.get(name) for name, _ in asked["calibrate"]]
        answerer.calibrate(texts["calibrate"], known, language=spoken["calibrate"])
        for name, metric, value in _measure(answerer, asked["measure"], texts["measure"], spoken["measure"], right):
            rows.append(
                row(task="answers with abstention", data="XQuAD-R, six languages, a third without answer",
                    method=name, metric=metric, value=value, n=len(asked["measure"]), command=COMMAND,
                    seconds=working.seconds, peak_mb=peak_mb())
            )  # fmt: skip
    return rows


def _measure(
    answerer: QuestionAnswerer,
    asked: list[tuple[str, str]],
    texts: list[str],
    spoken: list[str],
    right: dict[str, set[str]],
) -> list[tuple[str, str, float]]:
    sure, hits = np.zeros(len(asked)), np.zeros(len(asked), bool)
    for language in LANGUAGES:
        rows = [number for number, each in enumerate(spoken) if each == language]
        answers = answerer.answer([texts[number] for number in rows], precision=None, language=language)
        for number, answer in zip(rows, answers):
            if answer is not None:
                sure[number] = answer.probability or 0.0
                hits[number] = answer.sentence in right.get(asked[number][0], ())
    figures = [("always", "answered %", 100.0), ("always", "right %", 100 * float(hits.mean()))]
    for wanted in _PRECISIONS:
        least = answerer.calibration.threshold(wanted) if answerer.calibration else 0.0
        given = sure >= least
        figures.append((f"precision {wanted:.0%}", "answered %", 100 * float(given.mean())))
        figures.append(
            (f"precision {wanted:.0%}", "right %", 100 * float(hits[given].mean()) if given.any() else 100.0)
        )
    bins = np.minimum((sure * 10).astype(int), 9)
    error = sum(abs(sure[bins == b].mean() - hits[bins == b].mean()) * (bins == b).mean() for b in set(bins.tolist()))
    return [*figures, ("always", "calibration error %", 100 * float(error))]


def _pool(sets: dict[str, AnswerSet], ids: list[str], lost: set[str]) -> tuple[list[Passage], dict[str, set[str]]]:
    """Return the sentences that stay, and for each answerable question the texts that answer it."""
    passages: list[Passage] = []
    right: dict[str, set[str]] = {}
    for language, each in sets.items():
        gone = {each.answers[name] for name in ids if name in lost}
        passages += [
            Passage(f"{language}-{number}", text, language)
            for number, text in enumerate(each.sentences)
            if number not in gone and text.strip()
        ]
        for name in ids:
            if each.answers[name] not in gone:
                right.setdefault(name, set()).add(each.sentences[each.answers[name]])
    return passages, right


def _halves(english: AnswerSet, ids: list[str]) -> tuple[list[str], list[str]]:
    """Return the questions of the first and of the second half of the sentences, so that no paragraph is in both."""
    middle = len(english.sentences) // 2
    first = [name for name in ids if english.answers[name] < middle - 10]
    return first, [name for name in ids if english.answers[name] >= middle + 10]


def main(arguments: list[str] | None = None) -> int:
    """Run the command in the module's docstring."""
    return run_benchmark("answers", run, arguments)


if __name__ == "__main__":
    sys.exit(main())
