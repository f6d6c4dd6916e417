"""Ranks over a pool of several languages, in blocks of queries: the counting behind `language_bias`."""

import numpy as np
from numpy.typing import NDArray

from .neighbors import top_k

__all__ = ["mean_rank_correlation", "neighborhood_levels", "translation_ranks"]

_BLOCK = 1 << 24
_LEVEL = 10
_GROUPS, _POOL = 200, 2000
Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


def neighborhood_levels(
    queries: NDArray[np.float32],
    query_languages: Rows,
    vectors: NDArray[np.float32],
    languages: Rows,
    n_languages: int,
    k: int,
    itself: Rows | None = None,
) -> tuple[Floats, float, Floats]:
    """Return whose languages the nearest rows are, and how near those of each language are.

    Parameters
    ----------
    queries : (q, d) array
        Unit rows.
    query_languages : (q,) array of int
        Below `n_languages`.
    vectors : (n, d) array
        Unit rows.
    languages : (n,) array of int
    n_languages : int
        L.
    k : int
        Neighbours.
    itself : (q,) array of int, optional
        The row of `vectors` that each query is, and that it does not find.

    Returns
    -------
    (L, L) array
        For queries of a language, the shares of languages among their k nearest; NaN without queries.
    float
        Share of neighbours in the query's own language.
    (L, L) array
        Mean cosine of the ten nearest rows of each language; NaN where there is none.
    """
    extra = int(itself is not None)
    found = top_k(queries, vectors, k + extra)
    kept = _without_itself(found.ids, itself, k)
    neighbors = languages[kept]
    same = float((neighbors == query_languages[:, None]).mean())
    shares = np.full((n_languages, n_languages), np.nan)
    levels = np.full((n_languages, n_languages), np.nan)
    for i in np.unique(query_languages):
        shares[i] = np.bincount(neighbors[query_languages == i].ravel(), minlength=n_languages)
        shares[i] /= shares[i].sum()
    for j in range(n_languages):
        columns = np.flatnonzero(languages == j)
        nearest = top_k(queries, vectors[columns], _LEVEL + extra)
        mask = np.ones(nearest.ids.shape, bool) if itself is None else columns[nearest.ids] != itself[:, None]
        mask &= mask.cumsum(axis=1) <= _LEVEL
        means = np.where(mask, nearest.scores, 0).sum(axis=1, dtype=np.float64) / np.maximum(mask.sum(axis=1), 1)
        for i in np.unique(query_languages):
            levels[i, j] = means[query_languages == i].mean()
    return shares, same, levels


def translation_ranks(
    queries: NDArray[np.float32],
    query_groups: Rows,
    vectors: NDArray[np.float32],
    languages: Rows,
    groups: Rows,
    n_languages: int,
    itself: Rows | None = None,
) -> tuple[Floats, Floats, Floats]:
    """Return where the right row of each language is ranked, alone with its language and among all.

    Parameters
    ----------
    queries, vectors, languages, n_languages, itself
        As in `neighborhood_levels`.
    query_groups : (q,) array of int
    groups : (n,) array of int
        A row is right where its group is the query's.

    Returns
    -------
    (q, L) array
        1 + the number of wrong rows of the language that score higher than its best right row; infinite without one.
    (q, L) array
        1 + the number of wrong rows of all languages that do.
    (q, L) array
        The score of the best right row; -inf without one.
    """
    n_queries = len(queries)
    single, mixed, best = (np.full((n_queries, n_languages), fill) for fill in (np.inf, np.inf, -np.inf))
    members = [np.flatnonzero(languages == j) for j in range(n_languages)]
    size = max(1, _BLOCK // max(1, len(vectors)))
    for start in range(0, n_queries, size):
        block = slice(start, min(start + size, n_queries))
        scores = queries[block] @ vectors.T
        right = query_groups[block, None] == groups[None, :]
        if itself is not None:
            rows = np.arange(len(scores))
            scores[rows, itself[block]] = -np.inf
            right[rows, itself[block]] = False
        wrong = np.where(right, -np.inf, scores)
        for j, columns in enumerate(members):
            score = np.where(right[:, columns], scores[:, columns], -np.inf).max(axis=1)
            has = np.flatnonzero(np.isfinite(score))
            best[start + has, j] = score[has]
            single[start + has, j] = 1 + (wrong[np.ix_(has, columns)] > score[has, None]).sum(axis=1)
            mixed[start + has, j] = 1 + (wrong[has] > score[has, None]).sum(axis=1)
    return single, mixed, best


def mean_rank_correlation(
    queries: NDArray[np.float32],
    query_languages: Rows,
    query_groups: Rows,
    vectors: NDArray[np.float32],
    groups: Rows,
    rng: np.random.Generator,
) -> float:
    """Return the mean Spearman correlation of the rankings that translations of one query give to the same rows.

    At most 200 groups are asked, of at most 2,000 rows of other groups; each pair of languages within a group counts
    once. NaN where no group has queries in two languages, or there are no other rows.
    """
    from scipy.stats import rankdata

    order = np.lexsort((query_languages, query_groups))
    starts = np.flatnonzero(np.diff(query_groups[order], prepend=-1))
    sets = [each for each in np.split(order, starts[1:]) if len(np.unique(query_languages[each])) > 1]
    if not sets:
        return float("nan")
    sets = [sets[i] for i in rng.permutation(len(sets))[:_GROUPS]]
    pool = rng.permutation(len(vectors))[:_POOL]
    found = []
    for rows in sets:
        others = pool[groups[pool] != query_groups[rows[0]]]
        if len(others) < 2:
            continue
        one_each = rows[np.unique(query_languages[rows], return_index=True)[1]]
        ranks = rankdata(queries[one_each] @ vectors[others].T, axis=1)
        correlations = np.corrcoef(ranks)
        found.append(correlations[np.triu_indices(len(one_each), 1)])
    return float(np.concatenate(found).mean()) if found else float("nan")


def _without_itself(ids: Rows, itself: Rows | None, k: int) -> Rows:
    """Return the first k columns of each row, its own number left out."""
    if itself is None:
        return ids[:, :k]
    mask = ids != itself[:, None]
    k = min(k, ids.shape[1] - 1)
    # subtle: a row may be missing from its own list where k + 1 others are equal to it
    keep = mask & (mask.cumsum(axis=1) <= k)
    return np.asarray(ids[keep].reshape(len(ids), k))
