"""What each step of the search pipeline is worth, on two collections that hold several languages at once.

    python -m interlingua.benchmarks.search

XQuAD-R (Roy et al. 2020, doi:10.18653/v1/2020.emnlp-main.477), English, Chinese, Arabic and Russian: each question is
asked, its language given, of all sentences of all four languages; mAP@200 over the four right sentences, and the share
of the top 5 in the question's own language (0.25 is fair). UDHR: 120 questions over 41 languages, of which the
question's own is left out. *Balanced* brings the best passages of all languages level (``search(..., balance=True)``);
all languages of both collections say the same.
"""

import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from interlingua.pipelines import CrossLingualSearch, Encoder, Passage, load_declaration, load_encoder
from interlingua.pipelines.declaration import load_questions
from interlingua.pipelines.demo import question_accuracy

from .datasets import AnswerSet, read_xquad_r
from .measure import peak_mb, run_benchmark, watch
from .report import row

__all__ = ["average_precision", "main", "run"]

COMMAND = "python -m interlingua.benchmarks.search"
LANGUAGES = ("en", "zh", "ar", "ru")
_TOP = 5


def average_precision(found: Iterable[str], right: set[str]) -> float:
    """Return the mean, over the right ids (at least one), of the precision at the rank of each; 0 for one not found.

    Examples
    --------
    >>> average_precision(["a", "x", "b"], {"a", "b"})  # (1/1 + 2/3) / 2
    0.8333333333333333
    """
    hits, total = 0, 0.0
    for rank, each in enumerate(found, start=1):
        if each in right:
            hits += 1
            total += hits / rank
    return total / len(right)


def run(encoder: Encoder | None = None) -> list[dict[str, Any]]:
    """Build each variant on both collections, ask, and return the result rows."""
    encoder = load_encoder() if encoder is None else encoder
    sets = {language: read_xquad_r(language) for language in LANGUAGES}
    xquad = [
        Passage(f"{language}-{number}", text, language)
        for language, each in sets.items()
        for number, text in enumerate(each.sentences)
    ]
    declaration = load_declaration()
    articles = [
        Passage(f"{code}-{number}", text, code, {"article": number})
        for code, each in declaration.items()
        for number, text in enumerate(each.articles, start=1)
    ]
    variants: dict[str, Callable[[list[Passage]], Any]] = {
        "cosine (raw)": lambda passages: CrossLingualSearch.build(passages, encoder, space=None, ranking="cosine"),
        "centred": lambda passages: _without_shift(CrossLingualSearch.build(passages, encoder, ranking="cosine")),
        "centred, question centre": lambda passages: CrossLingualSearch.build(passages, encoder, ranking="cosine"),
        "centred, question centre, CSLS (default)": lambda passages: CrossLingualSearch.build(passages, encoder),
        "the default, balanced": lambda passages: _Balanced(CrossLingualSearch.build(passages, encoder)),
    }
    rows: list[dict[str, Any]] = []
    for method, build in variants.items():
        with watch() as asking:
            precision, own = _ask_all(build(xquad), sets)
        common: dict[str, Any] = {"method": method, "command": COMMAND, "peak_mb": peak_mb()}
        n = sum(len(each.questions) for each in sets.values())
        for metric, value in (("mAP@200", precision), ("share of own language in top 5", own)):
            rows.append(row(task="search", data="XQuAD-R en zh ar ru", metric=metric, value=value, n=n,
                            seconds=asking.seconds, **common))  # fmt: skip
        with watch() as asking:
            accuracy = question_accuracy(build(articles), declaration)
        rows.append(row(task="search", data="UDHR, 41 languages", metric="top-1", value=accuracy,
                        n=len(load_questions()), seconds=asking.seconds, **common))  # fmt: skip
    return rows


class _Balanced:
    """A search whose languages are brought level."""

    def __init__(self, search: CrossLingualSearch) -> None:
        self._search = search

    def search(self, questions: list[str], k: int, **options: Any) -> Any:
        return self._search.search(questions, k, balance=True, **options)


def _without_shift(search: CrossLingualSearch) -> CrossLingualSearch:
    search.question_space = search.space
    return search


def _ask_all(search: Any, sets: dict[str, AnswerSet]) -> tuple[float, float]:
    precision: list[float] = []
    own: list[float] = []
    for language, each in sets.items():
        answers = search.search(list(each.questions.values()), 200, language=language)
        for question, hits in zip(each.questions, answers, strict=True):
            right = {f"{code}-{other.answers[question]}" for code, other in sets.items() if question in other.answers}
            precision.append(average_precision((hit.id for hit in hits), right))
            own.append(float(np.mean([hit.language == language for hit in hits[:_TOP]])))
    return float(np.mean(precision)), float(np.mean(own))


def main(arguments: list[str] | None = None) -> int:
    """Run the command in the module's docstring."""
    return run_benchmark("search", run, arguments)


if __name__ == "__main__":
    sys.exit(main())
