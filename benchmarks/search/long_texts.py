"""Texts of about 2,000 tokens: what stands beyond the encoder's limit is found by windows, and what that costs.

    python -m interlingua.benchmarks long_texts

XQuAD-R's paragraphs in English, German and Chinese, those that follow each other joined until the English text has
2,000 tokens, the first ten such texts; all languages in one pool, searched as `CrossLingualSearch` does by default, by
vectors alone. *Inside* are questions whose answer begins among the first 480 tokens of its text in the question's
language, *beyond* those whose answer begins behind the limit. *Right first*: the best hit is the text with the answer,
in any language. *Window with the answer*: of hits that are the right text in the question's own language, those whose
window holds the answer.
"""

import json
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from interlingua.benchmarks.harness.datasets import data_folder
from interlingua.benchmarks.harness.measure import Case, watch
from interlingua.pipelines import CrossLingualSearch, Encoder, Passage, load_encoder
from interlingua.pipelines.encoders.limits import cut_limits, cuts_told_elsewhere

LANGUAGES = ("en", "de", "zh")
_TEXTS, _TOKENS, _INSIDE, _ASKED, _K = 10, 2000, 480, 300, 10


@dataclass(frozen=True)
class Asked:
    """A question.

    Attributes
    ----------
    text, language : str
        Of the question.
    group : int
        The joined text that answers it.
    answer : (int, int)
        First character of the answer in the joined text of its language, and the one behind the last.
    token : int
        Before which so many tokens stand.
    """

    text: str
    language: str
    group: int
    answer: tuple[int, int]
    token: int


def run(encoder: Encoder | None = None) -> Iterator[Case]:
    """Search the joined texts without windows and with them."""
    encoder = load_encoder() if encoder is None else encoder
    content = {name: _paragraphs(name) for name in LANGUAGES}
    lengths = [len(each) for each in _spans(encoder, [part["context"] for part in content["en"]])]
    groups = joined_by_tokens(lengths, _TOKENS)[:_TEXTS]
    texts = {name: [_joined(content[name], rows) for rows in groups] for name in LANGUAGES}
    passages = [Passage(f"{name}-{row}", text, name) for name in LANGUAGES for row, text in enumerate(texts[name])]
    asked = {name: _questions(encoder, name, content[name], groups, texts[name]) for name in LANGUAGES}
    limit = int(cut_limits(encoder, texts[LANGUAGES[0]], "passage").max())
    for method, windows in (("without windows", False), ("windows", True)):
        with watch() as working, cuts_told_elsewhere():
            search = CrossLingualSearch.build(passages, encoder, windows=windows, lexical=False)
        for name in LANGUAGES:
            hits = search.search([each.text for each in asked[name]], _K, language=name)
            yield Case(task="long texts", data=f"XQuAD-R, {name}", method=method, n=len(asked[name]),
                       seconds=working.seconds, figures=_figures(asked[name], hits, limit) | {
                           "texts": len(groups), "rows a text": len(search.collection) / len(passages)})  # fmt: skip


def joined_by_tokens(lengths: Sequence[int], least: int) -> list[range]:
    """Return which neighbours are joined so that each group but the last, which joins the one before, has `least`.

    Examples
    --------
    >>> joined_by_tokens([3, 3, 3, 5, 1], 5)
    [range(0, 2), range(2, 5)]
    """
    groups: list[range] = []
    start, total = 0, 0
    for row, length in enumerate(lengths):
        total += length
        if total >= least:
            groups.append(range(start, row + 1))
            start, total = row + 1, 0
    if start < len(lengths):
        groups[-1:] = [range(groups[-1].start if groups else 0, len(lengths))]
    return groups


def _paragraphs(language: str) -> list[dict[str, Any]]:
    content = json.loads((data_folder("xquad-r") / f"{language}.json").read_text(encoding="utf-8"))
    return [each for article in content["data"] for each in article["paragraphs"]]


def _joined(paragraphs: Sequence[dict[str, Any]], rows: range) -> str:
    return "\n".join(paragraphs[row]["context"] for row in rows)


def _spans(encoder: Encoder, texts: list[str]) -> list[Any]:
    return list(encoder.token_spans(texts))  # type: ignore[attr-defined]  # an encoder without has no limit to show


def _questions(
    encoder: Encoder, language: str, paragraphs: Sequence[dict[str, Any]], groups: list[range], texts: list[str]
) -> list[Asked]:
    """Return questions of one language, drawn at random, each with the place of its answer."""
    found = []
    for group, (rows, spans) in enumerate(zip(groups, _spans(encoder, texts), strict=True)):
        starts = [int(first) for first, _ in spans]
        before = 0
        for row in rows:
            for each in paragraphs[row]["qas"]:
                begin = before + each["answers"][0]["answer_start"]
                answer = begin, begin + len(each["answers"][0]["text"])
                found.append(Asked(each["question"], language, group, answer, bisect_left(starts, begin)))
            before += len(paragraphs[row]["context"]) + 1
    drawn = np.random.default_rng(0).permutation(len(found))[:_ASKED]
    return [found[row] for row in sorted(drawn.tolist())]


def _figures(asked: Sequence[Asked], answers: Sequence[Sequence[Any]], limit: int) -> dict[str, float]:
    first: dict[str, list[bool]] = {"inside": [], "beyond": []}
    shown = []
    for each, hits in zip(asked, answers, strict=True):
        place = "inside" if each.token < _INSIDE else "beyond" if each.token >= limit else ""
        right = bool(hits) and hits[0].id.rpartition("-")[2] == f"{each.group}"
        if place:
            first[place].append(right)
        own = next((hit for hit in hits if hit.id == f"{each.language}-{each.group}"), None)
        if own is not None and own.window is not None:
            start, end = own.window
            shown.append(start <= each.answer[0] and each.answer[1] <= end)
    found = {f"{place}, right first %": 100 * float(np.mean(values)) for place, values in first.items()}
    return found | ({"window with the answer %": 100 * float(np.mean(shown))} if shown else {})
