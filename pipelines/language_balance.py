"""Bring the best passages of all languages level, where every language is expected to hold an answer."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.index import Collection, Hit

from .corrected_rows import CorrectedRows

__all__ = ["balanced_search"]

_BEST = 3


def balanced_search(
    collection: Collection | CorrectedRows,
    queries: NDArray[np.float32],
    k: int,
    *,
    languages: Iterable[str],
    where: Mapping[str, Any] | None = None,
) -> list[list[tuple[Hit, float]]]:
    """Search each language by itself and rank by what a hit exceeds the best of its language by.

    The level of a query and a language is the mean score of its three best hits there; see
    `interlingua.align.balance_scores` for when that is right.

    Parameters
    ----------
    collection : Collection or CorrectedRows
        Its metadata names the language of each row.
    queries : (n, d) array
    k : int
        Hits a query.
    languages : iterable of str
        Where to search; one search each.
    where : mapping, optional
        As in `Collection.search`.

    Returns
    -------
    list of list of (Hit, float)
        For each query its best hits with their scores less the level of their language, best first.
    """
    merged: list[list[tuple[Hit, float]]] = [[] for _ in queries]
    for language in languages:
        found = collection.search(queries, max(k, _BEST), where=where, languages=[language])
        for number, answers in enumerate(merged):
            hits = found[number]
            if hits:
                level = float(np.mean([hit.score for hit in hits[:_BEST]]))
                answers += [(hit, hit.score - level) for hit in hits[:k]]
    return [sorted(answers, key=lambda each: -each[1])[:k] for answers in merged]
