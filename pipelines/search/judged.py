"""A search whose hits come with the probability that they answer, and that anything does."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from math import isnan
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from interlingua.align import SharedSpace
from interlingua.pipelines.encoders.base import Encoder, check_texts
from interlingua.pipelines.encoders.load import encode_named
from interlingua.pipelines.texts.languages import matching_languages

from .finding import SearchHit
from .languages import map_by_language, unmap_by_language
from .relevance import RIVALS, Relevance


class Searching(Protocol):
    """What is asked of a search here."""

    @property
    def encoder(self) -> Encoder:
        """Made the vectors."""

    @property
    def space(self) -> SharedSpace | None:
        """Mapped the passages."""

    @property
    def question_space(self) -> SharedSpace | None:
        """Maps the questions."""

    @property
    def languages(self) -> Mapping[str, int]:
        """Number of passages in each language."""

    def guess_languages(self, raw: NDArray[np.float32], texts: Sequence[str] | None = None) -> list[str]:
        """Return the languages of questions."""

    def search_vectors(
        self, vectors: NDArray[np.float32], k: int, *, languages: Iterable[str] | None
    ) -> list[list[SearchHit]]:
        """Return the best passages of mapped questions."""

    def reading(self) -> AbstractContextManager[Any]:
        """Hold the passages in one state."""

    def vectors(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """Return the mapped vectors of passages."""


@dataclass(frozen=True)
class JudgedHits:
    """What was found for a question, best first.

    Attributes
    ----------
    hits : list of SearchHit
    similarity : (h,) array of float64
        s of `Relevance`.
    probability : (h,) array of float64
        That each answers the question.
    answerable : float
        That the passages are about what was asked at all.
    near : float
        How near the question is to texts about anything, see `Relevance.nearness`.
    searched : int
        Passages among which they are the best.
    language : str
        Of the question.

    Similarity and probabilities are NaN where the encoder knows too few texts about anything to tell.
    """

    hits: list[SearchHit]
    similarity: NDArray[np.float64]
    probability: NDArray[np.float64]
    answerable: float
    near: float
    searched: int
    language: str


def relevance_of(encoder: Encoder, *, symmetric: bool = False) -> Relevance | None:
    """Return the `Relevance` of an encoder, or None where it knows too few texts about anything."""
    try:
        return Relevance.of(encoder, symmetric=symmetric)
    except ValueError:
        return None


def search_judged(
    search: Searching,
    relevance: Relevance | None,
    questions: Sequence[str],
    k: int,
    *,
    language: str | None = None,
    languages: Iterable[str] | None = None,
) -> list[JudgedHits]:
    """Search, and judge what was found.

    Hits come as `CrossLingualSearch.search` ranks them; where the collection is too small for that to remove the
    languages, by s. There are at least 50 of them where there are passages: what a probability is does not depend
    on how many are wanted.

    Parameters
    ----------
    search : Searching
    relevance : Relevance or None
        Of its encoder.
    questions, k, language, languages
        As in `CrossLingualSearch.search`.
    """
    raw = encode_named(search.encoder, check_texts(questions), ["the question"] * len(questions), "query")
    spoken = search.guess_languages(raw, questions) if language is None else [language] * len(raw)
    allowed = None if languages is None else matching_languages(languages, list(search.languages))
    vectors = map_by_language(search.question_space, raw, spoken)
    with search.reading():  # subtle: what was found must still be there when it is judged
        searched = sum(n for name, n in search.languages.items() if allowed is None or name in allowed)
        lists = search.search_vectors(vectors, max(k, RIVALS), languages=allowed)
        return [judge(search, relevance, raw[row], hits, searched, spoken[row]) for row, hits in enumerate(lists)]


def judge(
    search: Searching,
    relevance: Relevance | None,
    raw: NDArray[np.float32],
    hits: list[SearchHit],
    searched: int,
    language: str,
    rows: Sequence[str] | None = None,
) -> JudgedHits:
    """Judge the hits of one question, whose vector (d,) is as the encoder gave it, among so many passages.

    `rows` are the ids of the hits' vectors, where they are not those of the hits.
    """
    if relevance is None or not hits:
        unknown = float("nan")
        nothing = np.full(len(hits), unknown)
        return JudgedHits(hits, nothing, nothing, unknown if hits else 0.0, unknown, searched, language)
    spoken = [hit.language for hit in hits]
    found = relevance.judge(raw, _raw_passages(search, hits, rows), searched, spoken)
    alike, sure = found.similarity, found.probability
    if search.space is None:
        order = np.argsort(-alike, kind="stable")
        hits, alike, sure = [hits[place] for place in order], alike[order], sure[order]
    return JudgedHits(hits, alike, sure, found.answerable, float(relevance.nearness(raw[None])[0]), searched, language)


def with_probabilities(
    search: Any, raw: NDArray[np.float32], hits: list[SearchHit], asked_in: str, searched: int, least: float
) -> list[SearchHit]:
    """Return the hits of a question with their probabilities, or none where it is not what passages are about."""
    found = judge(search, search.relevance, raw, hits, searched, asked_in, search._finder.rows_of(hits))
    if found.answerable < least:
        return []
    sure = {hit.id: value for hit, value in zip(found.hits, found.probability.tolist(), strict=True)}
    return [hit if isnan(sure[hit.id]) else replace(hit, probability=sure[hit.id]) for hit in hits]


def _raw_passages(search: Searching, hits: Sequence[SearchHit], rows: Sequence[str] | None) -> NDArray[np.float32]:
    """Return the vectors of hits as the encoder gave them, by encoding them anew only where the space hides them."""
    spoken = [hit.language for hit in hits]
    vectors = search.vectors([hit.id for hit in hits] if rows is None else rows)
    raw = unmap_by_language(search.space, vectors, spoken)
    if raw is not None:
        return raw
    return search.encoder.encode([hit.found_text for hit in hits], role="passage")
