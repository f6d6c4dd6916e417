"""Vectors and words together: rows are ranked by both, each on a scale of its own question.

With s the score of a row by vectors, d the deviation of the question's scores over all rows, and z what the question's
words say of it (`interlingua.pipelines.search.lexical.index`),

    s' = s + 0.2 d z    (0.3 d z where a lexicon translates the question's words)

so that scores stay what they were where words say nothing. What is in neither list of the best is not looked at.
Reciprocal rank fusion, which others use, takes the ranks of one list of all languages; such a list is as biased as raw
vectors, and so is what is made of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from interlingua.index import Collection
from interlingua.index.collection.filters import Where
from interlingua.index.engines.base import Hit, Metric, SearchResult

from .index import LexicalIndex, WordScores

#: Whether words count: where they are indexed, never, or else it is an error.
Hybrid = Literal["auto", "off", "on"]
_WEIGHT, _WEIGHT_TRANSLATED = 0.2, 0.3  # chosen on descriptions of packages in nine languages
#: Rows by vectors, and by words, that are looked at in an exact index, and in another.
SEEN, SEEN_IN_GRAPH = 100, 30
Found = list[tuple[Hit, float]]


def check_hybrid(hybrid: str, words: LexicalIndex | None, ranked: Any, *, balance: bool) -> None:
    """Raise ValueError unless it is one of `Hybrid`, and where it is "on" but words cannot count.

    They cannot where none are indexed, or where all languages are brought level.
    """
    if hybrid not in get_args(Hybrid):
        raise ValueError(f"hybrid must be one of {', '.join(get_args(Hybrid))}, but is {hybrid!r}")
    if hybrid != "on":
        return
    if balance:
        raise ValueError("balance ranks by vectors alone; leave it out, or hybrid")
    if words is not None:
        return
    if not isinstance(ranked.collection, Collection):
        raise ValueError(
            "words of rows in Milvus are not indexed, so that hybrid cannot be on; leave it out, or keep the rows in a "
            "collection of interlingua"
        )
    raise ValueError(
        "no words are indexed in this collection, so that hybrid cannot be on; add them with `interlingua index words "
        "COLLECTION`, or build it anew without --no-lexical"
    )


@dataclass(frozen=True)
class AskedWords:
    """What the words of questions say of the rows of a search.

    Attributes
    ----------
    ranked : CorrectedRows
    scores : tuple of n WordScores or None
        None for a question of which no word is known.
    units : (n,) array
        Deviation of each question's scores by vectors.
    weight : float
        Of the words.
    """

    ranked: Any
    scores: tuple[WordScores | None, ...]
    units: NDArray[np.float64]
    weight: float = _WEIGHT

    @classmethod
    def of(
        cls,
        ranked: Any,
        index: LexicalIndex,
        questions: Sequence[str],
        asked_in: Sequence[str | None],
        languages: Iterable[str] | None,
        units: NDArray[np.float64],
    ) -> "AskedWords | None":
        """Return what the words of questions say; None where no word of any is known."""
        among = None if languages is None else list(languages)
        scores = tuple(index.scores(*each, among) for each in zip(questions, asked_in, strict=True))
        weight = _WEIGHT if index.lexicon is None else _WEIGHT_TRANSLATED
        return None if all(each is None for each in scores) else cls(ranked, scores, units, weight)

    def bonus(self, number: int, hits: Sequence[Hit]) -> NDArray[np.float64]:
        """Return what the words add to the score of each hit of a question."""
        scores = self.scores[number]
        if scores is None or not hits:
            return np.zeros(len(hits))
        z = scores.of(self.ranked.collection.numbers_of([hit.id for hit in hits]))
        return np.asarray(self.weight * self.units[number] * z, np.float64)

    def scored(self, number: int, hits: Sequence[Hit]) -> list[Hit]:
        """Return hits with what the words add to their scores, in the same order."""
        added = self.bonus(number, hits).tolist()
        return [replace(hit, score=hit.score + more) for hit, more in zip(hits, added)]

    def merged(
        self,
        vectors: NDArray[np.float32],
        found: Sequence[Found],
        where: Where | None,
        languages: Iterable[str] | None,
        depth: int,
    ) -> list[Found]:
        """Return the rows that were found by vectors and those by words, with their scores; in no order.

        Those by vectors stay in theirs, at the end.
        """
        allowed = self.ranked.collection.numbers_where(where, languages)
        merged: list[Found] = []
        for number, hits in enumerate(found):
            added = self.bonus(number, [hit for hit, _ in hits]).tolist()
            by_vectors = [(hit, score + more) for (hit, score), more in zip(hits, added)]
            merged.append([*self._by_words(number, vectors[number], hits, allowed, depth), *by_vectors])
        return merged

    def _by_words(
        self, number: int, vector: NDArray[np.float32], seen: Found, allowed: NDArray[np.int64] | None, depth: int
    ) -> Found:
        scores, held = self.scores[number], self.ranked.collection
        if scores is None:
            return []
        best = scores.best(depth, allowed)
        best = best[~np.isin(best, held.numbers_of([hit.id for hit, _ in seen]))]
        if not len(best):
            return []
        (listed,) = held.result_of(SearchResult(best[None, :], np.zeros((1, len(best)), np.float32), Metric.IP)).ids
        own = 2 * (self.ranked.vectors(listed) @ vector) - self.ranked.means(listed)
        total = np.asarray(own + self.weight * self.units[number] * scores.of(best), np.float32)
        result = held.result_of(SearchResult(best[None, :], total[None, :], Metric.IP))
        return [(hit, hit.score) for hit in result[0]]
