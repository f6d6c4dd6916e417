"""Score an alignment: translation retrieval of parallel rows, and lexicon induction."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import as_matrix
from .retrieval import Criterion, retrieve

__all__ = ["LexiconScore", "lexicon_score", "parallel_accuracy"]


def parallel_accuracy(
    source: Any, target: Any, *, criterion: Criterion = "csls", neighborhood: int = 10
) -> tuple[float, float]:
    """Return the share of rows whose best candidate is their own translation, both ways.

    Parameters
    ----------
    source, target : (n, d) array
        Unit rows in the common space; row i of one translates row i of the other.
    criterion : {"nn", "csls", "isf"}
        How candidates are ranked.
    neighborhood : int
        Neighbours in the means of CSLS.

    Returns
    -------
    tuple of two float
        Source to target and target to source, in [0, 1].

    Examples
    --------
    >>> x = np.eye(4, dtype=np.float32)
    >>> parallel_accuracy(x, x)
    (1.0, 1.0)
    """
    source, target = as_matrix(source, "source"), as_matrix(target, "target")
    if source.shape[0] != target.shape[0] or source.shape[0] == 0:
        raise ValueError(
            f"parallel rows are needed, but source has {source.shape[0]} and target {target.shape[0]} rows"
        )
    gold = np.arange(source.shape[0])

    def one_way(queries: Any, candidates: Any) -> float:
        found = retrieve(queries, candidates, 1, criterion=criterion, neighborhood=neighborhood)
        return float((found.ids[:, 0] == gold).mean())

    return one_way(source, target), one_way(target, source)


@dataclass(frozen=True)
class LexiconScore:
    """How well a lexicon is induced.

    Attributes
    ----------
    precision_at_1, precision_at_5, precision_at_10 : float
        Share of source words with a gold translation among the best 1, 5, 10 candidates, in [0, 1].
    mrr : float
        Mean reciprocal rank of the first gold translation, over the best 10 (0 beyond).
    n_words : int
        Source words scored: those with a vector that have at least one gold translation with a vector.
    n_asked : int
        Source words of the dictionary. Words without a vector are left out, not counted as wrong.
    """

    precision_at_1: float
    precision_at_5: float
    precision_at_10: float
    mrr: float
    n_words: int
    n_asked: int

    @property
    def coverage(self) -> float:
        """Share of the dictionary's source words that were scored."""
        return self.n_words / self.n_asked if self.n_asked else 0.0


def lexicon_score(
    source: Any,
    target: Any,
    gold: Mapping[int, NDArray[np.int64]],
    *,
    n_asked: int | None = None,
    criterion: Criterion = "csls",
    neighborhood: int = 10,
) -> LexiconScore:
    """Score word translation by the rank of the gold translations among the whole target vocabulary.

    Parameters
    ----------
    source : (n, d) array
        The whole mapped source vocabulary: CSLS measures hubness against it.
    target : (m, d) array
        The whole mapped target vocabulary: every word is a candidate, training words too.
    gold : mapping of int to array of int
        For each source row its right target rows.
    n_asked : int, optional
        Source words in the dictionary before those without a vector were left out, for the coverage.
    criterion, neighborhood
        As in `retrieve`.

    Raises
    ------
    ValueError
        If `gold` is empty.
    """
    if not gold:
        raise ValueError("no test word has a vector on both sides; check casing and the vocabulary cut-off")
    source, target = as_matrix(source, "source"), as_matrix(target, "target")
    rows = np.fromiter(gold, dtype=np.int64, count=len(gold))
    found = retrieve(source[rows, :], target, 10, criterion=criterion, background=source, neighborhood=neighborhood)
    hits = np.stack([np.isin(ids, gold[int(row)]) for row, ids in zip(rows, found.ids, strict=True)])
    first = np.where(hits.any(axis=1), hits.argmax(axis=1), np.iinfo(np.int64).max - 1)
    return LexiconScore(
        precision_at_1=float((first < 1).mean()),
        precision_at_5=float((first < 5).mean()),
        precision_at_10=float((first < 10).mean()),
        mrr=float(np.where(hits.any(axis=1), 1.0 / (first + 1.0), 0.0).mean()),
        n_words=len(gold),
        n_asked=len(gold) if n_asked is None else n_asked,
    )
