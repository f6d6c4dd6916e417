"""How much texts in the question's own language are preferred: one dial, from own over balanced to blind.

Where language is removed from vectors, a question finds what it asks for in every language alike, and a little less of
it in its own: what is as near there as elsewhere now has as many rivals as there are languages. A bonus on the scores
of its own language gives that back. It is counted in standard deviations of the question's scores over all texts, so
that it means the same for every question, encoder and ranking.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interlingua.index import Collection
from interlingua.index.engines.base import CollectionResult, Hit, Metric
from interlingua.pipelines.texts.languages import matches
from interlingua.pipelines.texts.passages import UNDETERMINED

from .copies import distinct_rows
from .lexical.fusion import AskedWords
from .ranked import APPROXIMATE, CorrectedRows, rows_by_language
from .rows import AnyCollection, PlainRows

#: The names of 0, 0.5 and 1.
Preference = Literal["own", "balanced", "blind"]
_NAMED: Mapping[str, float] = {"own": 0.0, "balanced": 0.5, "blind": 1.0}
_BONUS = 0.6  # deviations of a question's scores, at 0.5; chosen on descriptions of packages in nine languages
#: Texts from which the default is balanced: in fewer, a search that asks for ten sees most of them anyway.
FEWEST_TEXTS = 100
_SAMPLE = 1024
_FEW = 3  # texts of a language whose level counts as much as that of all
_SEEN, _TIMES = 50, 4  # rows that are looked at before the own language is searched alone
_TINY = 1e-9


def as_preference(prefer: Preference | str | float) -> float:
    """Return the number from 0 (own) to 1 (blind) that a preference is.

    Parameters
    ----------
    prefer : str or float
        "own", "balanced", "blind", or a number from 0 to 1, also as text.

    Raises
    ------
    ValueError
        If it is none of these.

    Examples
    --------
    >>> as_preference("own"), as_preference("balanced"), as_preference("0.7"), as_preference(1)
    (0.0, 0.5, 0.7, 1.0)
    """
    try:
        number = _NAMED[prefer] if isinstance(prefer, str) and prefer in _NAMED else float(prefer)
    except (TypeError, ValueError):
        number = -1.0
    if isinstance(prefer, bool) or not 0 <= number <= 1:
        raise ValueError(
            f"a preference is one of {', '.join(get_args(Preference))}, or a number from 0 (own) to 1 (blind), but is "
            f"{prefer!r}"
        )
    return number


def own_language_bonus(prefer: Preference | str | float) -> float:
    """Return the bonus of the question's own language in deviations of its scores: 0.6 (1 - p) / p.

    Nothing where p is 1 (blind), and infinite where p is 0 (own).

    Examples
    --------
    >>> own_language_bonus("balanced"), own_language_bonus("blind"), own_language_bonus("own"), own_language_bonus(0.25)
    (0.6, 0.0, inf, 1.8)
    """
    number = as_preference(prefer)
    return float("inf") if number == 0 else round(_BONUS * (1 - number) / number, 12)


def own_languages(asked_in: str, held: Iterable[str]) -> list[str]:
    """Return those of the languages that are a question's own: ``fr`` owns ``fr-FR``; "und" owns none."""
    return [] if asked_in in ("", UNDETERMINED) else [each for each in held if matches(asked_in, each)]


def rerank_languages(
    scores: ArrayLike,
    languages: Sequence[str] | Sequence[Sequence[str]],
    asked_in: str | Sequence[str] | None = None,
    *,
    prefer: Preference | float = "balanced",
    level: bool = True,
) -> NDArray[np.int64]:
    r"""Rank anyone's results anew, with as much preference for the question's own language as is wanted.

    With s the score of a text in language l, m_l and d_l the mean and deviation of the question's scores in l, and m
    and d those of all its scores,

        s' = m + d (s - m_l) / d_l + d b [l is the question's own],    b = 0.6 (1 - p) / p

    The first part takes away what makes texts of one language score higher for this question, whatever they say. Means
    and deviations of a language with n texts count n times, those of all three times. So the scores of all texts serve
    best; where only the best of each language are there, m_l and d_l are of those; and of a list of the best of all,
    little can be told about languages that hardly occur in it.

    Parameters
    ----------
    scores : (n,) or (q, n) array
        Of n texts for a question, or for q questions; higher is better, and -inf stands for what was not found.
    languages : sequence of n str, or of q sequences of n str
        Of the texts; of each question's own texts where they differ.
    asked_in : str or sequence of q str, optional
        Language of the question, or of each. Without it, or with "und", no language is preferred; ``fr`` owns texts in
        ``fr-FR``.
    prefer : {"own", "balanced", "blind"} or float
        From 0, all texts in the question's language first, to 1, languages alike.
    level : bool
        Bring languages level first; not for scores from which language was removed before.

    Returns
    -------
    (n,) or (q, n) array of int64
        Places of the texts, best first; equal ones stay as they were, and those of -inf come last.

    Raises
    ------
    ValueError
        If shapes do not fit, a score is NaN or +inf, or `prefer` is none.

    Examples
    --------
    >>> scores, languages = [0.9, 0.88, 0.87, 0.8, 0.7, 0.6], ["en", "en", "en", "de", "de", "de"]
    >>> rerank_languages(scores, languages, "en", prefer="blind").tolist()
    [0, 1, 3, 2, 4, 5]
    >>> rerank_languages(scores, languages, "en", prefer="own").tolist()
    [0, 1, 2, 3, 4, 5]
    """
    rows = np.asarray(scores, np.float64)
    given = np.atleast_2d(rows)
    if rows.ndim not in (1, 2) or np.isnan(given).any() or (given == np.inf).any():
        raise ValueError(
            f"scores must be an (n,) or (q, n) array of numbers below infinity, but have the shape {rows.shape}"
            + (" and hold NaN or infinity" if rows.ndim in (1, 2) else "")
        )
    bonus = own_language_bonus(prefer)
    spoken = _shaped(languages, given.shape)
    asked = [asked_in or UNDETERMINED] * len(given) if asked_in is None or isinstance(asked_in, str) else list(asked_in)
    if len(asked) != len(given):
        raise ValueError(
            f"each question needs a language, but there are {len(given)} questions and {len(asked)} languages"
        )
    ranked = np.empty(given.shape, np.int64)
    for number, (row, names) in enumerate(zip(given, spoken)):
        there = np.isfinite(row)
        values, spread = _levelled(row[there], names[there], level=level)
        own = own_languages(asked[number], dict.fromkeys(names.tolist()))
        full = np.full(len(row), -np.inf)
        full[there] = values
        mine = np.isin(names, own) & there
        if own and bonus == np.inf:
            ranked[number] = np.lexsort((-full, ~mine))
        else:
            ranked[number] = np.argsort(-(full + np.where(mine, bonus * spread, 0.0) if own else full), kind="stable")
    return ranked[0] if rows.ndim == 1 else ranked


def _shaped(languages: Sequence[Any], shape: tuple[int, ...]) -> NDArray[np.str_]:
    """Return the language of each score."""
    nested = len(languages) > 0 and not isinstance(languages[0], str)
    lengths = {len(each) for each in languages} if nested else {len(languages)}
    if isinstance(languages, str) or lengths != {shape[1]} or (nested and len(languages) != shape[0]):
        raise ValueError(
            f"languages must name that of each text, {shape[1]} of them or {shape[0]} times so many, but there are "
            f"{len(languages)}" + (f" with {', '.join(map(str, sorted(lengths)))} names" if nested else "")
        )
    names = np.array([list(each) for each in languages] if nested else [list(languages)], dtype=np.str_)
    return np.broadcast_to(names.reshape(-1, shape[1]), shape)


def _levelled(
    values: NDArray[np.float64], names: NDArray[np.str_], *, level: bool
) -> tuple[NDArray[np.float64], float]:
    """Return the scores of a question with its languages brought level, or as they are, and their deviation."""
    if not len(values):
        return values, 0.0
    mean, spread = float(values.mean()), float(values.std())
    if not level or spread < _TINY:
        return values, spread
    made = np.empty_like(values)
    for name in dict.fromkeys(names.tolist()):
        mine = names == name
        middle, wide = _shrunk(values[mine].mean(), values[mine].std(), int(mine.sum()), mean, spread)
        made[mine] = mean + spread * (values[mine] - middle) / wide
    return made, spread


def _shrunk(mean: Any, spread: Any, n: int, of_all: Any, spread_of_all: Any) -> tuple[Any, Any]:
    """Return mean and deviation of n scores, those of all counted as three."""
    return (n * mean + _FEW * of_all) / (n + _FEW), (n * spread + _FEW * spread_of_all) / (n + _FEW)


@dataclass(frozen=True)
class ScoreSample:
    """Rows of a collection, which tell how a question's scores lie over all texts and over those of a language.

    Attributes
    ----------
    rows : (m, d) array
    means : (m,) array
        Their r, see `CorrectedRows`.
    languages : tuple of m str
    metric : Metric or None
        What compares them; None for 2 x·y - r.
    """

    rows: NDArray[np.float32]
    means: NDArray[np.float32]
    languages: tuple[str, ...]
    metric: Metric | None = None

    @classmethod
    def of_background(cls, background: Mapping[str, NDArray[np.float32]]) -> "ScoreSample":
        """Draw from what hubness is measured against, whose r hardly differ and are left out."""
        step = max(1, sum(map(len, background.values())) // _SAMPLE)
        parts = {name: rows[::step] for name, rows in background.items()}
        rows = np.concatenate(list(parts.values()))
        names = tuple(name for name, part in parts.items() for _ in part)
        return cls(rows, np.zeros(len(rows), np.float32), names)

    @classmethod
    def of_rows(cls, ranked: CorrectedRows, field: str) -> "ScoreSample":
        """Draw from the rows of a collection, of those of ours copies once; of one in Milvus, the first."""
        held: Any = ranked.collection
        if isinstance(held, Collection):
            ids = list(held.ids)[:: max(1, len(held) // _SAMPLE)]
        else:
            ids = list(next(iter(held.batches(_SAMPLE))).ids) if len(held) else []
        if not isinstance(ranked, PlainRows):
            ids = [ids[place] for place in distinct_rows(ranked.vectors(ids)).tolist()]
        names = tuple(str(row.get(field, UNDETERMINED)) for row in held.get(ids))
        if isinstance(ranked, PlainRows):
            return cls(held.vectors(ids), np.zeros(len(ids), np.float32), names, held.metric)
        return cls(ranked.vectors(ids), ranked.means(ids), names)

    def scores(self, queries: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the scores (n, m) of queries (n, d) as their rows are ranked by."""
        alike = (queries @ self.rows.T).astype(np.float64)
        if self.metric is None:
            return np.asarray(2 * alike - self.means)
        if self.metric is Metric.COSINE:
            lengths = np.linalg.norm(queries, axis=1)[:, None] * np.linalg.norm(self.rows, axis=1)
            return np.asarray(alike / np.maximum(lengths, _TINY))
        if self.metric is Metric.L2:
            squares = (queries.astype(np.float64) ** 2).sum(axis=1)[:, None] + (self.rows.astype(np.float64) ** 2).sum(
                axis=1
            )
            return np.asarray(2 * alike - squares)
        return np.asarray(alike)

    def spread(self, queries: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the standard deviation of each query's scores, (n,)."""
        return np.asarray(self.scores(queries).std(axis=1))

    @cached_property
    def _places(self) -> dict[str, list[int]]:
        return rows_by_language(self.languages)

    def level(self, queries: NDArray[np.float32]) -> Callable[[int, str, float], float]:
        """Return what brings a score of query i and a language level with those of all; see `rerank_languages`."""
        scores = self.scores(queries)
        mean, spread = scores.mean(axis=1), np.maximum(scores.std(axis=1), _TINY)
        known = {}
        for name, places in self._places.items():
            own = scores[:, places]
            known[name] = _shrunk(own.mean(axis=1), own.std(axis=1), len(places), mean, spread)

        def levelled(number: int, language: str, score: float) -> float:
            middle, wide = known.get(language, (mean, spread))
            return float(mean[number] + spread[number] * (score - middle[number]) / wide[number])

        return levelled


@dataclass(frozen=True)
class OwnLanguages:
    """The languages that questions prefer, and how much.

    Attributes
    ----------
    languages : tuple of n tuples of str
        For each question those of the collection that are its own.
    bonus : (n,) array
        In units of the scores; infinite to have them first.
    """

    languages: tuple[tuple[str, ...], ...]
    bonus: NDArray[np.float64]

    def owned(self, number: int, spoken: Iterable[object]) -> list[bool]:
        """Tell of each row's language, or languages, whether one is a question's own."""
        mine = self.languages[number]
        return [
            each in mine
            if isinstance(each, str)
            else isinstance(each, list | tuple) and any(one in mine for one in each)
            for each in spoken
        ]


def preferred(
    queries: NDArray[np.float32],
    k: int,
    own: OwnLanguages,
    found: Sequence[Sequence[tuple[Hit, float]]],
    *,
    field: str = "language",
    search: Callable[..., CollectionResult] | None = None,
    width: int = 0,
    words: AskedWords | None = None,
) -> list[list[tuple[Hit, float]]]:
    """Return the k best hits of each query with their scores, the bonus of its own languages among them.

    What comes into the k best by its bonus is among the k best of its language. That is searched alone only where a row
    that was not seen may be better than the last of what was.

    Parameters
    ----------
    queries : (n, d) array
    k : int
    own : OwnLanguages
    found : sequence of n sequences of (Hit, float)
        The best of all rows with their scores, at least k where there are so many.
    field : str
        The metadata with the language of a row.
    search : callable, optional
        (queries, k, languages=...) -> result: the best rows in these languages; without it, all that counts was found.
    width : int
        How many were asked for: where fewer were found, these are all.
    words : AskedWords, optional
        What words add to the scores, already there in those that were found.
    """
    answers: list[list[tuple[Hit, float]]] = []
    waiting: dict[tuple[str, ...], list[int]] = {}
    for number, hits in enumerate(found):
        ranked = _with_bonus(hits, own, number, field)
        answers.append(ranked[:k])
        all_seen = search is None or len(hits) < width or not own.languages[number] or own.bonus[number] == 0
        if not all_seen and not (len(ranked) >= k and hits[-1][1] + own.bonus[number] <= ranked[k - 1][1]):
            waiting.setdefault(own.languages[number], []).append(number)
    for names, numbers in waiting.items():
        alone = search(queries[numbers], k, languages=list(names))  # type: ignore[misc]  # not None where one waits
        for place, number in enumerate(numbers):
            more = {hit.id: (hit, score) for hit, score in found[number]}
            own_best = alone[place] if words is None else words.scored(number, alone[place])
            more |= {hit.id: (hit, hit.score) for hit in own_best}
            answers[number] = _with_bonus(list(more.values()), own, number, field)[:k]
    return answers


def wider(k: int, collection: AnyCollection) -> int:
    """Return how many rows to ask for, that the own language need not be searched alone.

    Those of a graph or of lists, and of Milvus, cost more the more are asked for.
    """
    plain = isinstance(collection, Collection) and collection.index.spec.kind not in APPROXIMATE
    return max(_SEEN, _TIMES * k) if plain else k


def _with_bonus(
    hits: Sequence[tuple[Hit, float]], own: OwnLanguages, number: int, field: str
) -> list[tuple[Hit, float]]:
    mine = own.owned(number, (hit.metadata.get(field) for hit, _ in hits))
    bonus = float(own.bonus[number])
    if bonus == np.inf:
        others = [score for (_, score), is_own in zip(hits, mine) if not is_own]
        least = min((score for (_, score), is_own in zip(hits, mine) if is_own), default=0.0)
        bonus = max(max(others, default=least) - least, 0.0) + 1.0
    scored = [(hit, score + bonus * is_own) for (hit, score), is_own in zip(hits, mine)]
    return sorted(scored, key=lambda each: -each[1])
