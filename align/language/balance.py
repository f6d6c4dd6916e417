"""Make scores of candidates in different languages comparable.

Even where the languages' means are one, an encoder gives pairs in one language higher scores than translations of them.
What the scores of a pair of languages exceed others by is an offset that can be measured without any right answer, and
taken away.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import as_matrix, check_same_dimension, is_numpy, namespace
from interlingua.align.neighbors import Neighbors, nearest

_SAME = 1 - 1e-5


@dataclass(frozen=True)
class LanguageOffsets:
    """How near the nearest candidates of each language are to queries of each language, on average.

    Attributes
    ----------
    query_languages, candidate_languages : tuple of str
    offsets : (len(query_languages), len(candidate_languages)) array of float32
        Mean cosine; the higher, the more the scores of this pair of languages are to be lowered.
    """

    query_languages: tuple[str, ...]
    candidate_languages: tuple[str, ...]
    offsets: NDArray[np.float32]

    def of(self, query_languages: Sequence[str], candidate_languages: Sequence[str]) -> NDArray[np.float32]:
        """Return the (n, m) offsets of queries and candidates; 0 for a language that was not measured."""
        rows, columns = (
            np.array([{name: i for i, name in enumerate(known)}.get(each, -1) for each in asked], np.int64)
            for known, asked in (
                (self.query_languages, query_languages),
                (self.candidate_languages, candidate_languages),
            )
        )
        padded = np.pad(self.offsets, ((0, 1), (0, 1)))
        return np.asarray(padded[np.ix_(rows, columns)])


def language_offsets(
    queries: Any,
    query_languages: Sequence[str],
    candidates: Any,
    candidate_languages: Sequence[str],
    *,
    neighborhood: int = 10,
) -> LanguageOffsets:
    """Measure for each pair of languages how near the nearest candidates are, whatever they say.

    Parameters
    ----------
    queries : (n, d) array
        Unit rows; any sample of what is asked, with no right answers known. Without one, give the candidates: each
        leaves itself out.
    query_languages : sequence of n str
    candidates : (m, d) array
        Unit rows.
    candidate_languages : sequence of m str
    neighborhood : int
        Candidates of each language whose cosines are averaged.

    Examples
    --------
    >>> x = np.eye(3, dtype=np.float32)
    >>> language_offsets(x[:1], ["fi"], x, ["fi", "en", "en"], neighborhood=1).offsets.tolist()
    [[0.0, 0.0]]
    """
    queries, candidates = _checked(queries, candidates)
    asked = _rows_by_language(query_languages, queries, "queries")
    found = _rows_by_language(candidate_languages, candidates, "candidates")
    if neighborhood < 1:
        raise ValueError(f"neighborhood must be at least 1, but is {neighborhood}")
    offsets = np.zeros((len(asked), len(found)), np.float32)
    for i, rows in enumerate(asked.values()):
        for j, columns in enumerate(found.values()):
            scores = nearest(_take(queries, rows), _take(candidates, columns), neighborhood + 1).scores
            itself = scores[:, 0] > _SAME
            usual = scores[:, :neighborhood].mean(axis=1, dtype=np.float64)
            others = scores[:, 1:].mean(axis=1, dtype=np.float64) if scores.shape[1] > 1 else np.zeros(len(rows))
            offsets[i, j] = np.where(itself, others, usual).mean()
    return LanguageOffsets(tuple(asked), tuple(found), offsets)


def balance_scores(
    scores: NDArray[np.floating], candidate_languages: Sequence[str], *, neighborhood: int = 3
) -> NDArray[np.float32]:
    """Subtract from each query's scores in a language the mean of its best ones there.

    The best candidates of all languages come out level: right where every language holds an answer, as in a collection
    of translations; wrong where only one does, for then the best of the others are raised to it.

    Parameters
    ----------
    scores : (n, m) array
        Higher is better.
    candidate_languages : sequence of m str
    neighborhood : int
        Scores in the mean.

    Examples
    --------
    >>> print(balance_scores(np.array([[0.9, 0.8, 0.5, 0.1]]), ["fi", "fi", "en", "en"], neighborhood=2).round(2))
    [[ 0.05 -0.05  0.2  -0.2 ]]
    """
    balanced = np.array(scores, np.float32)
    for columns in _rows_by_language(candidate_languages, balanced.T, "columns of scores").values():
        part = balanced[:, columns]
        k = min(neighborhood, part.shape[1])
        best = -np.partition(-part, k - 1, axis=1)[:, :k]
        balanced[:, columns] = part - best.mean(axis=1, keepdims=True)
    return balanced


def retrieve_balanced(
    queries: Any,
    candidates: Any,
    candidate_languages: Sequence[str],
    k: int = 1,
    *,
    query_languages: Sequence[str] | None = None,
    offsets: LanguageOffsets | None = None,
    neighborhood: int = 3,
) -> Neighbors:
    """Rank candidates of several languages by scores that are comparable across them.

    With offsets b the score is s(q, p) - b(language of q, language of p); without, s(q, p) less the mean of the query's
    best `neighborhood` scores in the language of p, see `balance_scores` for when that is right.

    Parameters
    ----------
    queries : (n, d) array
        Unit rows.
    candidates : (m, d) array
        Unit rows.
    candidate_languages : sequence of m str
    k : int
        Candidates a query.
    query_languages : sequence of n str, optional
        Needed with `offsets`.
    offsets : LanguageOffsets, optional
        From `language_offsets`.
    neighborhood : int
        Without offsets.

    Returns
    -------
    Neighbors
        As `top_k` returns; memory grows as n k times the number of languages.

    Examples
    --------
    >>> x = np.array([[1.0, 0.0], [0.9, 0.436], [0.6, 0.8]], dtype=np.float32)
    >>> retrieve_balanced(x[:1], x, ["fi", "fi", "en"], k=2, neighborhood=2).ids.tolist()
    [[0, 2]]
    """
    queries, candidates = _checked(queries, candidates)
    if offsets is not None and (query_languages is None or len(query_languages) != queries.shape[0]):
        raise ValueError("offsets need the language of every query; give query_languages")
    ids, scores = [], []
    for language, rows in _rows_by_language(candidate_languages, candidates, "candidates").items():
        found = nearest(queries, _take(candidates, rows), max(k, 1 if offsets else neighborhood))
        if offsets is not None and query_languages is not None:
            level = offsets.of(query_languages, [language])
        else:
            level = found.scores[:, :neighborhood].mean(axis=1, keepdims=True)
        ids.append(rows[found.ids][:, :k])
        scores.append((found.scores - level)[:, :k])
    every_id, every_score = np.concatenate(ids, axis=1), np.concatenate(scores, axis=1)
    order = np.lexsort((every_id, -every_score), axis=1)[:, :k]
    return Neighbors(np.take_along_axis(every_id, order, axis=1), np.take_along_axis(every_score, order, axis=1))


def _checked(queries: Any, candidates: Any) -> tuple[Any, Any]:
    queries, candidates = as_matrix(queries, "queries"), as_matrix(candidates, "candidates")
    check_same_dimension(queries, candidates, ("queries", "candidates"))
    return queries, candidates


def _rows_by_language(languages: Sequence[str], matrix: Any, what: str) -> dict[str, NDArray[np.int64]]:
    """Return the rows of each language, in the order of first appearance."""
    if len(languages) != matrix.shape[0]:
        raise ValueError(f"one language a row is needed: {len(languages)} languages, {matrix.shape[0]} {what}")
    names = np.asarray(languages, dtype=object)
    return {str(name): np.flatnonzero(names == name) for name in dict.fromkeys(languages)}


def _take(matrix: Any, rows: NDArray[np.int64]) -> Any:
    if is_numpy(matrix):
        return matrix[rows]
    xp = namespace(matrix)
    return xp.take(matrix, xp.asarray(rows, device=matrix.device), axis=0)
