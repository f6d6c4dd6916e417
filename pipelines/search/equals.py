"""Passages that say the same, joined in what a search finds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .finding import SearchHit

if TYPE_CHECKING:
    from .search import CrossLingualSearch


def search_joined(
    search: CrossLingualSearch, questions: Sequence[str], k: int = 10, **options: Any
) -> list[list[SearchHit]]:
    """Return the k best texts for each question; passages of one text and language are one hit.

    Parameters
    ----------
    search : CrossLingualSearch
    questions : sequence of str
    k : int
        Hits a question, at most.
    **options
        Of `CrossLingualSearch.search`.

    Returns
    -------
    list of list of SearchHit
        Each hit is the best of its passages, with the ids of the others as `copies`: those found among enough hits to
        have k different texts.
    """
    wide = k
    while True:
        found = search.search(questions, wide, **options)
        joined = [join_equal(hits) for hits in found]
        if all(len(distinct) >= k or len(hits) < wide for distinct, hits in zip(joined, found, strict=True)):
            return [distinct[:k] for distinct in joined]
        wide *= 4  # copies have taken the place of others


def join_equal(hits: Iterable[SearchHit]) -> list[SearchHit]:
    """Return hits with those of equal text and language in one; rows without a text stay as they are.

    Examples
    --------
    >>> one, other = (SearchHit(id, "same", "en", 1.0, 1.0, {}) for id in "ab")
    >>> [(hit.id, hit.copies) for hit in join_equal([one, other])]
    [('a', ('b',))]
    """
    best: dict[tuple[str, str], int] = {}
    kept: list[SearchHit] = []
    for hit in hits:
        place = best.setdefault((hit.text, hit.language), len(kept)) if hit.text else len(kept)
        if place == len(kept):
            kept.append(hit)
        else:
            kept[place] = replace(kept[place], copies=(*kept[place].copies, hit.id))
    return kept
