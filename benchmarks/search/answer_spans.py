"""The words that answer a question, found by a linear head on frozen token vectors that learned in English.

    python -m interlingua.benchmarks.search.answer_spans

XQuAD-R's questions with their passages, of which they are SQuAD's (Roy et al. 2020,
doi:10.18653/v1/2020.emnlp-main.477), in en de es ru zh ar. The head learns from the English questions of the first half
of the articles, and answers those of the other half in every language. Question and passage never meet in the encoder.
Scores are SQuAD's, which know no Chinese words: there F1 is hardly more than exact match. Floors: the whole passage and
its first five words.
"""

import sys
from typing import Any

import numpy as np

from interlingua.benchmarks.field.heads import SpanHead
from interlingua.benchmarks.field.scorers import question_answering
from interlingua.benchmarks.field.tasks import Question, read_questions
from interlingua.benchmarks.harness.datasets import data_folder
from interlingua.benchmarks.harness.measure import peak_mb, run_benchmark, watch
from interlingua.benchmarks.harness.report import row
from interlingua.benchmarks.sentences.xquad_r import LANGUAGES
from interlingua.pipelines import Encoder, load_encoder

COMMAND = "python -m interlingua.benchmarks.search.answer_spans"


def run(encoder: Encoder | None = None) -> list[dict[str, Any]]:
    """Learn in English, answer in all languages, and return the result rows."""
    encoder = load_encoder() if encoder is None else encoder
    questions = {name: read_questions(data_folder("xquad-r") / f"{name}.json") for name in LANGUAGES}
    half = len(questions["en"]) // 2
    passage = questions["en"][half].passage
    half = next(row for row, each in enumerate(questions["en"]) if each.passage == passage)
    learned = {each.id for each in questions["en"][:half]}
    with watch() as working:
        head = SpanHead(encoder).fit(questions["en"][:half])
    rows: list[dict[str, Any]] = []
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for name, every in questions.items():
        asked = [each for each in every if each.id not in learned]
        for method, said in {
            "linear head, frozen tokens": head.predict(asked),
            "floor: whole passage": [each.passage for each in asked],
            "floor: first five words": [" ".join(each.passage.split()[:5]) for each in asked],
        }.items():
            found.setdefault(method, {})[name] = _scores(asked, said)
    for method, scores in found.items():
        others = [each for name, each in scores.items() if name != "en"]
        named = {**scores, "mean of the others": tuple(np.mean(others, axis=0))}
        rows += [
            row(task="answer spans, from English", data=f"XQuAD-R, {name}", method=method, metric=metric, value=value,
                n=len(questions["en"]) - half, command=COMMAND, seconds=working.seconds, peak_mb=peak_mb())
            for name, each in named.items()
            for metric, value in zip(("exact match", "F1"), each)
        ]  # fmt: skip
    return rows


def _scores(asked: list[Question], said: list[str]) -> tuple[float, float]:
    gold = {each.id: [each.answer] for each in asked}
    return question_answering(gold, {each.id: text for each, text in zip(asked, said)})


def main(arguments: list[str] | None = None) -> int:
    """Run the command in the module's docstring."""
    return run_benchmark("answer_spans", run, arguments)


if __name__ == "__main__":
    sys.exit(main())
