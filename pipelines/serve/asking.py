"""What is asked of the things that are served, and the answers as JSON holds them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.index import parse_filter
from interlingua.index.collection.filters import Where
from interlingua.pipelines.encoders.base import Encoder, Role
from interlingua.pipelines.encoders.load import encode_named
from interlingua.pipelines.search.judged import judge, relevance_of
from interlingua.pipelines.search.languages import map_by_language
from interlingua.pipelines.search.preference import Preference
from interlingua.pipelines.search.relevance import Relevance
from interlingua.pipelines.search.search import CrossLingualSearch, SearchHit
from interlingua.pipelines.texts.languages import matching_languages

from .joined import JoinedEncoder


@cache
def known_relevance(encoder: JoinedEncoder) -> Relevance | None:
    """Return what tells the probabilities of an encoder, worked out once."""
    return relevance_of(encoder)


def filter_of(where: str | Mapping[str, Any] | None) -> Where | None:
    """Return the condition that a client writes, as text or as fields and values."""
    if where is None or isinstance(where, Mapping):
        return where or None
    return parse_filter(where) if where.strip() else None


def found(
    search: CrossLingualSearch,
    encoder: JoinedEncoder,
    queries: Sequence[str],
    k: int,
    *,
    language: str | None = None,
    languages: Sequence[str] | None = None,
    where: Where | None = None,
    balance: bool = False,
    prefer: Preference | float | None = None,
) -> list[dict[str, Any]]:
    """Return for each query its language, how sure it is that anything answers it, and the hits."""
    raw = encode_named(search.encoder, queries, ["the query"] * len(queries), "query")
    spoken = search.guess_languages(raw) if language is None else [language] * len(raw)
    counts = search.languages
    allowed = None if languages is None else matching_languages(languages, list(counts))
    searched = sum(counts.values()) if allowed is None else sum(counts[name] for name in allowed)
    vectors = map_by_language(search.question_space, raw, spoken)
    options: dict[str, Any] = {"languages": allowed, "where": where, "balance": balance, "prefer": prefer}
    lists = search.search_vectors(vectors, k, asked_in=spoken, **options)
    answers = []
    for row, hits in enumerate(lists):
        judged = judge(search, known_relevance(encoder), raw[row], hits, searched, spoken[row])
        sure = dict(zip([hit.id for hit in judged.hits], judged.probability.tolist(), strict=True))
        ordered = hits if balance or prefer is not None else judged.hits  # those too few to remove language, by meaning
        answers.append(
            {
                "language": spoken[row],
                "answerable": finite(judged.answerable),
                "hits": [_hit(hit, finite(sure[hit.id])) for hit in ordered],
            }
        )
    return answers


def embedded(
    encoder: Encoder, search: CrossLingualSearch | None, texts: Sequence[str], role: Role, language: str | None
) -> NDArray[np.float32]:
    """Return vectors of texts, in the space of a search if one is given; (n, d)."""
    raw = encode_named(encoder, texts, [f"input {number}" for number in range(len(texts))], role)
    if search is None:
        return raw
    space = search.question_space if role == "query" else search.space
    if space is None:
        return raw
    return map_by_language(space, raw, search.guess_languages(raw) if language is None else [language] * len(raw))


def shortened(vectors: NDArray[np.float32], dimensions: int) -> NDArray[np.float32]:
    """Return the first numbers of vectors (n, d), scaled to length 1 again."""
    short = vectors[:, :dimensions]
    lengths = np.linalg.norm(short, axis=1, keepdims=True)
    return np.asarray(short / np.where(lengths > 0, lengths, 1), np.float32)


def ranked(encoder: JoinedEncoder, query: str, documents: Sequence[str]) -> list[tuple[int, float]]:
    """Return the places of documents, the best first, each with the probability that it answers the query.

    Where the encoder knows too few texts to tell, that is (1 + cosine) / 2.
    """
    question = encode_named(encoder, [query], ["the query"], "query")
    names = [f"document {number}" for number in range(len(documents))]
    passages = encode_named(encoder, documents, names, "passage")
    relevance = known_relevance(encoder)
    if relevance is None:
        alike = (passages @ question[0]).astype(np.float64)
        sure = (1 + alike.clip(-1, 1)) / 2
    else:
        judged = relevance.judge(question[0], passages, len(documents))
        alike, sure = judged.similarity, judged.probability
    order = np.lexsort((-alike, -sure))
    return [(int(place), float(sure[place])) for place in order]


def tokens(encoder: Encoder, texts: Sequence[str]) -> int:
    """Return how many tokens an encoder reads of texts; of one that does not count, their words."""
    lengths = getattr(encoder, "text_lengths", None)
    if lengths is None:
        return sum(len(text.split()) for text in texts)
    return int(np.asarray(lengths(list(texts))).sum())


def finite(value: float | None) -> float | None:
    """Return a number as JSON can hold it; None for one that is not known."""
    return None if value is None or not math.isfinite(value) else round(float(value), 6)


def _hit(hit: SearchHit, probability: float | None) -> dict[str, Any]:
    return {
        "id": hit.id,
        "text": hit.text,
        "language": hit.language,
        "score": finite(hit.score),
        "cosine": finite(hit.cosine),
        "probability": probability,
        "metadata": {name: _plain(value) for name, value in hit.metadata.items()},
        **({} if hit.window is None else {"window": list(hit.window)}),
    }


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
