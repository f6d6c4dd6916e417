"""What is asked of the things that are served, and the answers as JSON holds them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.index import parse_filter
from interlingua.index.collection.filters import Where, as_filter
from interlingua.pipelines.encoders.base import Encoder, Role
from interlingua.pipelines.encoders.load import encode_named
from interlingua.pipelines.search.equals import search_joined
from interlingua.pipelines.search.finding import SearchHit
from interlingua.pipelines.search.judged import relevance_of
from interlingua.pipelines.search.languages import map_by_language
from interlingua.pipelines.search.relevance import Relevance
from interlingua.pipelines.search.search import CrossLingualSearch

from .joined import JoinedEncoder


@cache
def known_relevance(encoder: JoinedEncoder) -> Relevance | None:
    """Return what tells the probabilities of an encoder, worked out once."""
    return relevance_of(encoder)


def filter_of(where: str | Mapping[str, Any] | None) -> Where | None:
    """Return the condition that a client writes, as text or as fields and values."""
    if where is None or isinstance(where, Mapping):
        try:
            return as_filter(where) if where else None
        except TypeError as error:
            raise ValueError(str(error)) from error
    return parse_filter(where) if where.strip() else None


def found(search: CrossLingualSearch, query: str, k: int, *, language: str | None, **options: Any) -> dict[str, Any]:
    """Return the language of a query, and what a search finds for it with some of its options."""
    (hits,) = search_joined(search, [query], k, language=language, **{"least": 0.0, **options})
    raw = encode_named(search.encoder, [query], ["the query"], "query") if language is None else None
    spoken = language if raw is None else search.guess_languages(raw, [query])[0]
    return {"language": spoken, "hits": [_hit(hit) for hit in hits]}


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
    return map_by_language(
        space, raw, search.guess_languages(raw, texts) if language is None else [language] * len(raw)
    )


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
        best = np.argsort(-relevance.similarity(question, passages)[0], kind="stable")
        judged = relevance.judge(question[0], passages[best], len(documents))
        alike, sure = np.empty(len(best)), np.empty(len(best))
        alike[best], sure[best] = judged.similarity, judged.probability
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


def _hit(hit: SearchHit) -> dict[str, Any]:
    return {
        "id": hit.id,
        "text": hit.text,
        "language": hit.language,
        "score": finite(hit.score),
        "cosine": finite(hit.cosine),
        "probability": finite(hit.probability),
        "metadata": {name: _plain(value) for name, value in hit.metadata.items()},
        **({} if hit.window is None else {"window": list(hit.window), "window_text": hit.found_text}),
        **({} if not hit.copies else {"copies": list(hit.copies)}),
    }


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
