"""A search whose hits come with the probability that they answer, and that anything does."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interlingua.pipelines.encoders.base import Encoder, check_texts
from interlingua.pipelines.encoders.load import encode_named
from interlingua.pipelines.texts.languages import matching_languages

from .finding import SearchHit
from .languages import map_by_language, unmap_by_language
from .relevance import Relevance
from .search import CrossLingualSearch


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
    search: CrossLingualSearch,
    relevance: Relevance | None,
    questions: Sequence[str],
    k: int,
    *,
    language: str | None = None,
    languages: Iterable[str] | None = None,
) -> list[JudgedHits]:
    """Search, and judge what was found.

    Hits come as `CrossLingualSearch.search` ranks them; where the collection is too small for that to remove the
    languages, by s.

    Parameters
    ----------
    search : CrossLingualSearch
    relevance : Relevance or None
        Of its encoder.
    questions, k, language, languages
        As in `CrossLingualSearch.search`.
    """
    raw = encode_named(search.encoder, check_texts(questions), ["the question"] * len(questions), "query")
    spoken = search.guess_languages(raw) if language is None else [language] * len(raw)
    allowed = None if languages is None else matching_languages(languages, list(search.languages))
    searched = sum(n for name, n in search.languages.items() if allowed is None or name in allowed)
    lists = search.search_vectors(map_by_language(search.question_space, raw, spoken), k, languages=allowed)
    return [judge(search, relevance, raw[row], hits, searched, spoken[row]) for row, hits in enumerate(lists)]


def judge(
    search: CrossLingualSearch,
    relevance: Relevance | None,
    raw: NDArray[np.float32],
    hits: list[SearchHit],
    searched: int,
    language: str,
) -> JudgedHits:
    """Judge the hits of one question, whose vector (d,) is as the encoder gave it, among so many passages."""
    if relevance is None or not hits:
        unknown = float("nan")
        nothing = np.full(len(hits), unknown)
        return JudgedHits(hits, nothing, nothing, unknown if hits else 0.0, unknown, searched, language)
    spoken = [hit.language for hit in hits]
    found = relevance.judge(raw, _raw_passages(search, hits), searched, spoken)
    alike, sure = found.similarity, found.probability
    if search.space is None:
        order = np.argsort(-alike, kind="stable")
        hits, alike, sure = [hits[place] for place in order], alike[order], sure[order]
    return JudgedHits(hits, alike, sure, found.answerable, float(relevance.nearness(raw[None])[0]), searched, language)


def _raw_passages(search: CrossLingualSearch, hits: Sequence[SearchHit]) -> NDArray[np.float32]:
    """Return the vectors of hits as the encoder gave them, by encoding them anew only where the space hides them."""
    spoken = [hit.language for hit in hits]
    raw = unmap_by_language(search.space, search.vectors([hit.id for hit in hits]), spoken)
    return search.encoder.encode([hit.text for hit in hits], role="passage") if raw is None else raw
