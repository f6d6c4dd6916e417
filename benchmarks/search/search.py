"""What each step of the search pipeline is worth, on two collections that hold several languages at once.

    python -m interlingua.benchmarks search

XQuAD-R (Roy et al. 2020, doi:10.18653/v1/2020.emnlp-main.477), English, Chinese, Arabic and Russian: each question is
asked, its language given, of all sentences of all four languages; mAP@200 over the four right sentences, and the share
of the top 5 in the question's own language (0.25 is fair). The second collection keeps every paragraph in one of the
four languages only, about 300 sentences each: one right answer, by which the questions are ranked (MRR@200). UDHR: 120
questions over 41 languages, of which the question's own is left out. What removes language is learned from the passages
alone. *Balanced* brings the best passages of all languages level (``search(..., balance=True)``); all languages of the
first and the third collection say the same.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np

from interlingua.benchmarks.harness.datasets import AnswerSet, read_xquad_r
from interlingua.benchmarks.harness.measure import Case, watch
from interlingua.benchmarks.sentences.xquad_r import read_paragraphs
from interlingua.pipelines import CrossLingualSearch, Encoder, Passage, load_declaration, load_encoder
from interlingua.pipelines.demo.demo import load_questions, question_accuracy
from interlingua.pipelines.search.languages import LanguageMethod

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


def run(encoder: Encoder | None = None) -> Iterator[Case]:
    """Build each variant on both collections, and ask."""
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
    split = _one_language_a_paragraph(xquad)
    variants: dict[str, Callable[[list[Passage]], Any]] = {
        "cosine (raw)": lambda passages: CrossLingualSearch.build(passages, encoder, space=None, ranking="cosine"),
        "centring": lambda passages: _without_shift(
            CrossLingualSearch.build(passages, encoder, space="centring", ranking="cosine")
        ),
        "centring, question centre": lambda passages: CrossLingualSearch.build(
            passages, encoder, space="centring", ranking="cosine"
        ),
        **{
            f"{name}, question centre, CSLS": partial(_built, encoder, name)
            for name in ("centring", "mean-variance", "mean-covariance", "lir", "lsar", "leace")
        },
        "the default (auto)": lambda passages: CrossLingualSearch.build(passages, encoder),
        "the default, balanced": lambda passages: _Balanced(CrossLingualSearch.build(passages, encoder)),
    }
    for method, build in variants.items():
        with watch() as asking:
            precision, own, _ = _ask_all(build(xquad), sets)
        n = sum(len(each.questions) for each in sets.values())
        yield Case(task="search", data="XQuAD-R en zh ar ru", method=method, n=n, seconds=asking.seconds,
                   figures={"mAP@200": precision, "share of own language in top 5": own})  # fmt: skip
        with watch() as asking:
            *_, reciprocal = _ask_all(build(split), sets)
        yield Case(task="search", data="XQuAD-R, one language a paragraph", method=method, n=n, seconds=asking.seconds,
                   figures={"MRR@200": reciprocal})  # fmt: skip
        with watch() as asking:
            accuracy = question_accuracy(build(articles), declaration)
        yield Case(task="search", data="UDHR, 41 languages", method=method, n=len(load_questions()),
                   figures={"top-1": accuracy}, seconds=asking.seconds)  # fmt: skip


class _Balanced:
    """A search whose languages are brought level."""

    def __init__(self, search: CrossLingualSearch) -> None:
        self.search_ = search

    def search(self, questions: list[str], k: int, **options: Any) -> Any:
        return self.search_.search(questions, k, balance=True, **options)


def _without_shift(search: CrossLingualSearch) -> CrossLingualSearch:
    search.question_space = search.space
    return search


def _built(encoder: Encoder, method: LanguageMethod, passages: list[Passage]) -> CrossLingualSearch:
    return CrossLingualSearch.build(passages, encoder, space=method)


def _one_language_a_paragraph(passages: list[Passage]) -> list[Passage]:
    """Return the passages of one language of each paragraph, drawn at random."""
    paragraphs = {language: read_paragraphs(language) for language in LANGUAGES}
    count = 1 + max(int(each.max()) for each in paragraphs.values())
    drawn = np.random.default_rng(0).permutation(np.arange(count) % len(LANGUAGES))
    return [
        each
        for each in passages
        if LANGUAGES[drawn[paragraphs[each.language][int(each.id.partition("-")[2])]]] == each.language
    ]


def _ask_all(search: Any, sets: dict[str, AnswerSet]) -> tuple[float, float, float]:
    """Return mAP@200, the share of the question's language in the top 5, and MRR@200, of the texts that are there."""
    precision: list[float] = []
    own: list[float] = []
    reciprocal: list[float] = []
    there = set(getattr(search, "search_", search).collection.ids)
    for language, each in sets.items():
        answers = search.search(list(each.questions.values()), 200, language=language)
        for question, hits in zip(each.questions, answers, strict=True):
            right = {f"{code}-{other.answers[question]}" for code, other in sets.items() if question in other.answers}
            right &= there
            if not right:
                continue
            found = [hit.id for hit in hits]
            precision.append(average_precision(found, right))
            own.append(float(np.mean([hit.language == language for hit in hits[:_TOP]])))
            reciprocal.append(next((1 / rank for rank, id in enumerate(found, start=1) if id in right), 0.0))
    return float(np.mean(precision)), float(np.mean(own)), float(np.mean(reciprocal))
