"""Whether vectors of many languages are found by what they say, or by the language they say it in.

Ranks over a pool of several languages, in blocks of queries: the counting behind `language_bias`.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import unit_matrix
from interlingua.align.neighbors import nearest

from .probe import LanguageProbe, language_probe

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
    found = nearest(queries, vectors, k + extra)
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
        best = nearest(queries, vectors[columns], _LEVEL + extra)
        mask = np.ones(best.ids.shape, bool) if itself is None else columns[best.ids] != itself[:, None]
        mask &= mask.cumsum(axis=1) <= _LEVEL
        means = np.where(mask, best.scores, 0).sum(axis=1, dtype=np.float64) / np.maximum(mask.sum(axis=1), 1)
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


_FEWEST = 2


@dataclass(frozen=True)
class TranslationBias:
    """What can be measured where rows with one id say the same thing in several languages.

    A row of another language with the query's id is a *right* one; other right rows never count against one.

    Attributes
    ----------
    recall_single, recall_mixed : (L, L) array of float64
        For queries of one language and right rows of another, the share found in the first k: when only rows of that
        language are searched, and when all are. NaN where there is no such pair.
    first_language : (L, L) array of float64
        Of the right rows of a query, the language of the one ranked first, as shares of the queries of a language.
    preference : float
        Language preference rate: among queries with right rows in their own language and in others, the share that
        ranks its own language's first; NaN where there is none. `fair_preference` is what chance would give.
    fair_preference : float
    rank_correlation : float
        Mean Spearman correlation of how translations of one query rank the same pool: 1 where the language of the
        question does not matter.
    n_queries : int
        Queries with a right row.
    """

    recall_single: NDArray[np.float64]
    recall_mixed: NDArray[np.float64]
    first_language: NDArray[np.float64]
    preference: float
    fair_preference: float
    rank_correlation: float
    n_queries: int

    @property
    def single(self) -> float:
        """Mean of `recall_single` over the pairs of different languages."""
        return _cross_mean(self.recall_single)

    @property
    def mixed(self) -> float:
        """Mean of `recall_mixed` over the pairs of different languages."""
        return _cross_mean(self.recall_mixed)

    @property
    def own(self) -> float:
        """Mean of `recall_mixed` over the languages, for right rows in the query's own; NaN where there are none."""
        known = np.diag(self.recall_mixed)[np.isfinite(np.diag(self.recall_mixed))]
        return float(known.mean()) if len(known) else float("nan")


@dataclass(frozen=True)
class LanguageBias:
    """The audit of a set of vectors in several languages.

    Attributes
    ----------
    languages : tuple of str
        L languages, in the order of all tables.
    counts : tuple of int
        Rows of each that are searched.
    k : int
        Neighbours a query.
    shares : (L, L) array of float64
        Row by row, for queries of a language, which share of their k nearest rows is in which language.
    same_language_share : float
        Share of neighbours in the query's own language, the mean over queries.
    fair_share : float
        What it would be if language played no role.
    levels : (L, L) array of float64
        Mean cosine of queries of a language and their ten nearest rows of each language.
    probe : LanguageProbe
        A linear classifier of the language.
    translations : TranslationBias or None
        None without ids.
    n_queries : int
    """

    languages: tuple[str, ...]
    counts: tuple[int, ...]
    k: int
    shares: NDArray[np.float64]
    same_language_share: float
    fair_share: float
    levels: NDArray[np.float64]
    probe: LanguageProbe
    translations: TranslationBias | None
    n_queries: int

    @property
    def score_offsets(self) -> NDArray[np.float64]:
        """By how much the best rows in a query's own language outscore the best ones in the others, a language."""
        own = np.diag(self.levels)
        others = (np.nansum(self.levels, axis=1) - own) / max(1, len(own) - 1)
        return np.asarray(own - others)

    @property
    def lost(self) -> float:
        """Share of translations found among their own language and lost in the mixed pool; NaN without ids."""
        each = self.translations
        if each is None or not each.single > 0:
            return float("nan")
        return 1 - each.mixed / each.single


def language_bias(
    vectors: Any,
    languages: Sequence[str],
    ids: Sequence[Hashable] | None = None,
    *,
    queries: Any | None = None,
    query_languages: Sequence[str] | None = None,
    query_ids: Sequence[Hashable] | None = None,
    k: int = 5,
    sample: int = 2000,
    seed: int = 0,
) -> LanguageBias:
    """Measure how strongly the language of vectors decides what is found.

    Every row is a query that is asked of all other rows; give `queries` where questions and passages are different.

    Parameters
    ----------
    vectors : (n, d) array
        What is searched; brought to unit length.
    languages : sequence of n str
        At least two different ones.
    ids : sequence of n hashable, optional
        Rows with one id are translations of each other, or answers to the query with that id. Without ids only what
        needs none is measured.
    queries, query_languages, query_ids
        The same for questions. By default the vectors themselves, each left out of its own search.
    k : int
        Neighbours a query, fewer than there are to find.
    sample : int
        Ask at most so many queries, drawn alike from all languages.
    seed : int
        Draws queries, the halves of the probe and the pool of the rank correlation.

    Raises
    ------
    ValueError
        If there are fewer than two languages, a language has fewer than two rows, or numbers do not correspond,
        or `k` is not below the number of rows that can be found: all are hits then, and look fair whatever they are.

    References
    ----------
    .. [1] Roy et al. (2020), "LAReQA: language-agnostic answer retrieval from a multilingual pool", EMNLP.
       doi:10.18653/v1/2020.emnlp-main.477
    .. [2] Yang, Jiang and Baldwin (2025), "Language bias in information retrieval: the nature of the beast and
       mitigation methods". arXiv:2509.06195
    .. [3] Jang et al. (2026), "MLAIRE: multilingual language-aware information retrieval evaluation protocol", on the
       language preference rate. arXiv:2605.07249

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> meaning = rng.normal(size=(50, 16))
    >>> rows = np.concatenate([meaning, meaning + 5 * np.eye(16)[0]])
    >>> report = language_bias(rows, ["en"] * 50 + ["fi"] * 50, [*range(50), *range(50)])
    >>> report.same_language_share > report.fair_share, report.translations.single
    (True, 1.0)
    """
    matrix = unit_matrix(vectors, "vectors")
    asked = matrix if queries is None else unit_matrix(queries, "queries")
    asked_in = languages if queries is None else query_languages
    asked_ids = ids if queries is None else query_ids
    if asked_in is None or (ids is None) != (asked_ids is None):
        raise ValueError("queries need query_languages, and query_ids where there are ids")
    names, columns = _codes(languages, len(matrix), "vectors")
    _check_counts(names, columns)
    unknown = sorted(set(map(str, asked_in)) - set(names))
    if unknown:
        raise ValueError(f"queries are in {', '.join(unknown)}, but no vector is; the languages are {', '.join(names)}")
    rows = np.array([names.index(str(each)) for each in asked_in], np.int64)
    if len(rows) != len(asked) or k < 1 or sample < 1:
        raise ValueError("each query needs one language, and k and sample must be at least 1")
    hits = len(matrix) - (queries is None)
    if k >= hits:
        raise ValueError(
            f"at most {hits} hits exist, and the first {k} would be all of them, whatever their language; "
            "choose a smaller k"
        )
    rng = np.random.default_rng(seed)
    chosen = _stratified(rows, sample, rng)
    itself = chosen if queries is None else None
    shares, same, levels = neighborhood_levels(asked[chosen], rows[chosen], matrix, columns, len(names), k, itself)
    sizes = np.bincount(columns, minlength=len(names))
    fair = (sizes[rows[chosen]] - (queries is None)) / (len(matrix) - (queries is None))
    return LanguageBias(
        languages=tuple(names),
        counts=tuple(int(each) for each in sizes),
        k=k,
        shares=shares,
        same_language_share=same,
        fair_share=float(fair.mean()),
        levels=levels,
        probe=language_probe(matrix, list(map(str, languages)), ids, seed=seed),
        translations=None
        if ids is None or asked_ids is None
        else _translations(
            (asked, rows, asked_ids), (matrix, columns, ids), chosen, len(names), k, queries is None, rng
        ),
        n_queries=len(chosen),
    )


def _translations(
    asked: tuple[NDArray[np.float32], NDArray[np.int64], Sequence[Hashable]],
    pool: tuple[NDArray[np.float32], NDArray[np.int64], Sequence[Hashable]],
    chosen: NDArray[np.int64],
    n_languages: int,
    k: int,
    same_rows: bool,
    rng: np.random.Generator,
) -> TranslationBias | None:
    queries, rows, query_ids = asked
    matrix, columns, ids = pool
    if len(ids) != len(matrix) or len(query_ids) != len(queries):
        raise ValueError(f"each row needs one id: {len(matrix)} vectors, {len(ids)} ids")
    numbers = {each: number for number, each in enumerate(dict.fromkeys((*ids, *query_ids)))}
    groups, query_groups = (np.array([numbers[each] for each in given], np.int64) for given in (ids, query_ids))
    single, mixed, best = translation_ranks(
        queries[chosen],
        query_groups[chosen],
        matrix,
        columns,
        groups,
        n_languages,
        chosen if same_rows else None,
    )
    has = np.isfinite(best)
    if not has.any():
        return None
    languages = rows[chosen]
    tables = []
    for ranks in (single, mixed):
        table = np.full((n_languages, n_languages), np.nan)
        for i in range(n_languages):
            mine, here = ranks[languages == i], has[languages == i]
            counts = here.sum(axis=0)
            table[i, counts > 0] = ((mine <= k) & here).sum(axis=0)[counts > 0] / counts[counts > 0]
        tables.append(table)
    found = has.any(axis=1)
    first = np.where(has, best, -np.inf).argmax(axis=1)
    first_language = np.full((n_languages, n_languages), np.nan)
    for i in range(n_languages):
        mine = first[found & (languages == i)]
        if mine.size:
            first_language[i] = np.bincount(mine, minlength=n_languages) / mine.size
    choice = has[np.arange(len(languages)), languages] & (has.sum(axis=1) > 1)
    return TranslationBias(
        recall_single=tables[0],
        recall_mixed=tables[1],
        first_language=first_language,
        preference=float((first == languages)[choice].mean()) if choice.any() else float("nan"),
        fair_preference=float((1 / has.sum(axis=1)[choice]).mean()) if choice.any() else float("nan"),
        rank_correlation=mean_rank_correlation(queries, rows, query_groups, matrix, groups, rng),
        n_queries=int(found.sum()),
    )


def _codes(languages: Sequence[str], n: int, what: str) -> tuple[list[str], NDArray[np.int64]]:
    names = list(dict.fromkeys(map(str, languages)))
    if len(languages) != n:
        raise ValueError(f"one language a row is needed: {n} {what}, {len(languages)} languages")
    if len(names) < _FEWEST:
        raise ValueError(f"an audit compares languages, but all rows are in {names[0] if names else 'none'!r}")
    numbers = {name: number for number, name in enumerate(names)}
    return names, np.array([numbers[str(each)] for each in languages], np.int64)


def _check_counts(names: list[str], columns: NDArray[np.int64]) -> None:
    few = [names[i] for i, count in enumerate(np.bincount(columns)) if count < _FEWEST]
    if few:
        has = "has" if len(few) == 1 else "have"
        raise ValueError(
            f"each language needs at least {_FEWEST} rows, but {', '.join(few)} {has} fewer; add some, or leave out "
            "such languages"
        )


def _stratified(rows: NDArray[np.int64], sample: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return at most `sample` rows, as evenly over the languages as they allow, in their order."""
    if len(rows) <= sample:
        return np.arange(len(rows))
    order = rng.permutation(len(rows))
    turn = np.empty(len(rows), np.int64)
    for language in np.unique(rows):
        mine = order[rows[order] == language]
        turn[mine] = np.arange(len(mine))
    # subtle: the first of every language, then the second of every language, and so on
    return np.sort(order[np.argsort(turn[order], kind="stable")][:sample])


def _cross_mean(table: NDArray[np.float64]) -> float:
    values = table[~np.eye(len(table), dtype=bool) & np.isfinite(table)]
    return float(values.mean()) if values.size else float("nan")
