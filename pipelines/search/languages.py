"""Where the languages of a collection lie, and where questions about it lie.

A collection is about something, and its passages are statements. Both push every question to the same side of the
passages' mean, whatever it asks, and single out the passages on that side. How far, is told by questions about
anything.

What a collection does about the languages of its passages, learned from the passages themselves.

Bring the best passages of all languages level, where every language is expected to hold an answer.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from importlib import resources
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from interlingua.align import ANY_LANGUAGE, Normalization, SharedSpace, SpaceError, SpaceMap
from interlingua.align.arrays import unit_rows
from interlingua.align.language import REMOVAL_METHODS, Centring
from interlingua.index import Collection
from interlingua.index.collection.filters import Where
from interlingua.index.engines.base import Hit
from interlingua.pipelines.encoders.base import Encoder, UnknownTextError
from interlingua.pipelines.encoders.fingerprint import check_space
from interlingua.pipelines.texts.languages import find_language
from interlingua.pipelines.texts.passages import UNDETERMINED

from .copies import EQUAL, distinct_by_language, distinct_places
from .ranked import APPROXIMATE, CorrectedRows, rows_by_language

#: Passages of a language that a mean of its own needs.
FEWEST_FOR_MEAN = 10
_SHIFT = 0.4


def centre_languages(raw: NDArray[np.float32], languages: Sequence[str], encoder: str) -> SharedSpace | None:
    """Learn the mean of each language from the passages themselves.

    Parameters
    ----------
    raw : (n, d) array
        Vectors of the passages, as the encoder gave them.
    languages : sequence of n str
        Their languages.
    encoder : str
        Identity of the encoder.

    Returns
    -------
    SharedSpace or None
        One map for each language with at least ten passages, and one named "und" for all others, which centres by the
        mean of those languages' means; where no language has ten, by the mean of all passages. None with fewer than
        ten passages in all, whose mean would say more about them than about any language.
    """
    if len(raw) < FEWEST_FOR_MEAN:
        return None
    enough = rows_of_languages(raw, languages, FEWEST_FOR_MEAN)
    if not enough:
        return Centring().fit({UNDETERMINED: raw}, encoder=encoder).space_
    fitted = Centring().fit(enough, encoder=encoder).space_
    # subtle: the means are no unit vectors, and must not become some before their mean is taken
    middle = np.mean([each.normalization.means[0] for each in fitted.maps.values()], axis=0, dtype=np.float64)
    maps = {**fitted.maps, UNDETERMINED: _centred_by(np.asarray(middle))}
    return SharedSpace(maps, fitted.method, encoder, provenance=fitted.provenance)


def rows_of_languages(
    raw: NDArray[np.float32], languages: Sequence[str], fewest: int
) -> dict[str, NDArray[np.float32]]:
    """Return the rows of each language that has at least `fewest`; "und" is no language."""
    groups = {name: rows for name, rows in rows_by_language(languages).items() if name != UNDETERMINED}
    return {name: raw[rows] for name, rows in groups.items() if len(rows) >= fewest}


def shift_to_questions(space: SharedSpace, encoder: Encoder) -> SharedSpace:
    """Move the centre of each language towards where questions lie: m_l + a (g - m).

    With m_l the passages' mean of language l, m the mean of the m_l, g the mean vector of questions about anything, and
    a = 0.4, chosen on XQuAD-R and on the questions about the Universal Declaration of Human Rights. On the first, where
    questions and passages lie close, it changes little; on the second, a collection about one thing, it finds more;
    `benchmarks/results/search.json` has both.

    Word vectors of another language know no English question and cannot say where questions lie: nothing is moved then.
    Nor is a map that subtracts no mean, such as those of LIR. A matrix behind the mean stays.

    Parameters
    ----------
    space : SharedSpace
        From `centre_languages` or `remove_languages`.
    encoder : Encoder
        Encodes the questions, 40 short ones.

    Returns
    -------
    SharedSpace
        The moved centres; or `space` itself where the encoder does not know all the questions.
    """
    try:
        questions = encoder.encode(everyday_questions(), role="query")
    except UnknownTextError:
        return space
    centres = {name: each.normalization.means[0] for name, each in space.maps.items() if len(each.normalization.means)}
    if not centres:
        return space
    towards = _SHIFT * (questions.mean(axis=0) - np.mean(list(centres.values()), axis=0))
    moved = {name: _centred_by(centre + towards, space.maps[name].matrix) for name, centre in centres.items()}
    method = f"{space.method} of questions"
    return SharedSpace({**space.maps, **moved}, method, space.encoder, provenance={**space.provenance, "shift": _SHIFT})


@cache
def everyday_questions() -> tuple[str, ...]:
    """Return 40 English questions about anything.

    Examples
    --------
    >>> everyday_questions()[0]
    'How do I cook rice?'
    """
    text = (resources.files("interlingua.pipelines") / "data" / "everyday_questions.txt").read_text(encoding="utf-8")
    return tuple(text.splitlines())


def check_languages(space: SharedSpace, languages: Sequence[str]) -> None:
    """Raise SpaceError if the space can map one of the languages neither by its own map nor by "und" nor by "*"."""
    _maps_of(space, languages)


def check_given(space: SharedSpace, encoder: Encoder, languages: Sequence[str]) -> None:
    """Raise SpaceError unless a space is of an encoder and maps all languages."""
    check_space(space, encoder)
    check_languages(space, languages)


def _maps_of(space: SharedSpace, languages: Sequence[str]) -> dict[str, str]:
    """Return for each language which map of the space is its own; errors as `check_languages`."""
    own = {each: find_language(each, space.maps) for each in dict.fromkeys(languages)}
    unknown = [each for each, name in own.items() if name is None]
    if unknown and UNDETERMINED not in space.maps and ANY_LANGUAGE not in space.maps:
        raise SpaceError(
            f"texts are in {', '.join(map(repr, unknown))}, but the space has only: {', '.join(space.languages)}; "
            "name the languages as the space does, or fit a space with all of them"
        )
    return {each: name or UNDETERMINED for each, name in own.items()}


def map_by_language(
    space: SharedSpace | None, raw: NDArray[np.float32], languages: Sequence[str]
) -> NDArray[np.float32]:
    """Map each row by its language, by "und" where the space does not know it, or by "*"; None maps nothing.

    A language without a map of its own has that of the first that it finds: ``fr`` is mapped as ``fr-FR``.
    """
    if space is None:
        return raw
    own = _maps_of(space, languages)
    mapped = np.empty((len(raw), space.dimension), np.float32)
    for language, rows in rows_by_language([own[each] for each in languages]).items():
        mapped[rows] = space.transform(raw[rows], language)
    return mapped


def unmap_by_language(
    space: SharedSpace | None, mapped: NDArray[np.float32], languages: Sequence[str]
) -> NDArray[np.float32] | None:
    """Return the unit rows that `map_by_language` has mapped, or None where a map does more than subtract a mean.

    Of y = unit(x - m) and |x| = 1 follows x = m + t y with t = sqrt((m y)^2 + 1 - |m|^2) - m y.
    """
    if space is None:
        return mapped
    own = _maps_of(space, languages)
    raw = np.empty_like(mapped)
    for name, rows in rows_by_language([own[each] for each in languages]).items():
        used = space.maps.get(name) or space.maps.get(ANY_LANGUAGE)
        if used is None or used.matrix is not None or used.hidden is not None:
            return None
        if used.normalization.steps != ("unit", "centre"):
            return None
        mean = used.normalization.means[0].astype(np.float64)
        along = mapped[rows] @ mean
        length = np.sqrt(np.maximum(along**2 + 1 - mean @ mean, 0)) - along
        raw[rows] = mean + length[:, None] * mapped[rows]
    return raw


def _centred_by(centre: NDArray[Any], matrix: NDArray[np.float32] | None = None) -> SpaceMap:
    return SpaceMap(Normalization.centring(centre), matrix)


#: What `CrossLingualSearch.build` takes; all but "auto" are those of `interlingua.align.REMOVAL_METHODS`.
LanguageMethod = Literal["auto", "centring", "mean-variance", "mean-covariance", "lir", "lsar", "leace"]

_ONE_MAP = ("lsar", "leace")


def check_method(method: str) -> None:
    """Raise ValueError unless `method` is a `LanguageMethod`."""
    if method not in get_args(LanguageMethod):
        raise ValueError(
            f"languages are removed by one of {', '.join(get_args(LanguageMethod))}, but the method is {method!r}"
        )


def remove_languages(
    raw: NDArray[np.float32], languages: Sequence[str], encoder: str, method: LanguageMethod | str = "auto"
) -> SharedSpace | None:
    """Learn from passages how to map each language; copies of a passage, or what is nearly one, count once.

    "auto" is mean-covariance where at least two languages have as many passages as the vectors have dimensions, for
    those languages, and centring otherwise. With fewer passages no covariance is known in all directions, and what is
    unlike the passages, such as short questions about a collection of 30 texts a language, is found less often than
    after centring; with that many, mean-covariance was better on every set; see `benchmarks/results/search.json`.

    Parameters
    ----------
    raw : (n, d) array
        Vectors of the passages, as the encoder gave them.
    languages : sequence of n str
        Their languages.
    encoder : str
        Identity of the encoder.
    method : str
        See `LanguageMethod`.

    Returns
    -------
    SharedSpace or None
        For "lsar" and "leace" one map for all languages, ``"*"``. Otherwise one for each language with enough
        passages, and those of `centre_languages` for the others, "und" among them. None with fewer than ten passages.

    Raises
    ------
    ValueError
        If the method is none, or "lsar" or "leace" has fewer than two languages with ten passages to compare.
    """
    check_method(method)
    once = distinct_by_language(raw, list(rows_by_language(languages).values()))
    if len(once) < len(raw):
        raw, languages = raw[once], [languages[row] for row in once.tolist()]
    centred = centre_languages(raw, languages, encoder)
    if centred is None or method == "centring":
        return centred
    fewest = raw.shape[1] if method == "auto" else FEWEST_FOR_MEAN
    enough = rows_of_languages(raw, languages, fewest)
    if method in _ONE_MAP and len(enough) < 2:
        raise ValueError(
            f"{method} compares languages: it needs two with at least {fewest} passages each, but there are "
            f"{len(enough)}; take another method, such as centring"
        )
    # one language alone cannot tell what the languages have in common
    if len(enough) < 2:
        return centred
    fitted = REMOVAL_METHODS["mean-covariance" if method == "auto" else method]().fit(enough, encoder=encoder).space_
    maps = dict(fitted.maps) if ANY_LANGUAGE in fitted.maps else {**centred.maps, **fitted.maps}
    return SharedSpace(maps, fitted.method, encoder, provenance=fitted.provenance)


_BEST = 3
_WIDER = 3  # as many hits are seen at once as languages need, where all hold an answer


def balanced_search(
    collection: Collection | CorrectedRows,
    queries: NDArray[np.float32],
    k: int,
    *,
    languages: Iterable[str],
    where: Where | None = None,
    thresholds: Mapping[str, float] | None = None,
) -> list[list[tuple[Hit, float]]]:
    """Search each language by itself and rank by what a hit exceeds the best of its language by.

    The level of a query and a language is the mean score of its three best hits there, of which copies count once; see
    `interlingua.align.balance_scores` for when that is right.

    Parameters
    ----------
    collection : Collection or CorrectedRows
        Its metadata names the language of each row.
    queries : (n, d) array
    k : int
        Hits a query.
    languages : iterable of str
        Where to search: each by itself, or all at once where the index is exact.
    where : mapping or filter, optional
        As in `Collection.search`.
    thresholds : mapping of str to float, optional
        For each language, from which cosine two of its rows are copies; by default where they are equal.

    Returns
    -------
    list of list of (Hit, float)
        For each query its best hits with their scores less the level of their language, best first.
    """
    names, deep, near = list(dict.fromkeys(languages)), max(k, _BEST), thresholds or {}
    merged: list[list[tuple[Hit, float]]] = []
    for number, answers in enumerate(_best_of_each(collection, queries, deep, names, where)):
        level_hits: list[tuple[Hit, float]] = []
        for language, hits in answers.items():
            if hits:
                asked = queries[number : number + 1]
                search = partial(collection.search, asked, where=where, languages=[language])
                level = float(np.mean(_best_different(collection, hits, near.get(language, EQUAL), search)))
                level_hits += [(hit, hit.score - level) for hit in hits[:k]]
        merged.append(sorted(level_hits, key=lambda each: -each[1])[:k])
    return merged


def levelled_search(
    collection: Collection | CorrectedRows,
    queries: NDArray[np.float32],
    k: int,
    *,
    languages: Iterable[str],
    where: Where | None = None,
    level: Callable[[int, str, float], float],
) -> list[list[tuple[Hit, float]]]:
    """Return for each query the k best hits of each language with their levelled scores, best first.

    Parameters
    ----------
    collection, queries, k, languages, where
        As `balanced_search`.
    level : callable
        (number of the query, language, score) -> score: `ScoreSample.level`.
    """
    names = list(dict.fromkeys(languages))
    return [
        sorted(
            ((hit, level(number, name, hit.score)) for name, hits in answers.items() for hit in hits[:k]),
            key=lambda each: -each[1],
        )
        for number, answers in enumerate(_best_of_each(collection, queries, k, names, where))
    ]


def _best_different(
    collection: Collection | CorrectedRows, hits: list[Hit], threshold: float, search: Callable[[int], Any]
) -> list[float]:
    """Return the scores of the three best hits that are no copies of each other, asking for more where they are few."""
    while True:
        rows = unit_rows(collection.vectors([hit.id for hit in hits]))
        kept = distinct_places(rows, _BEST, [threshold] * len(rows))
        if len(kept) == _BEST:
            break
        more = search(4 * len(hits))[0]
        if len(more) <= len(hits):
            break
        hits = more
    return [hits[place].score for place in kept]


def _best_of_each(
    collection: Collection | CorrectedRows,
    queries: NDArray[np.float32],
    deep: int,
    languages: Sequence[str],
    where: Where | None,
) -> list[dict[str, list[Hit]]]:
    """Return for each query the `deep` best hits of each language, or all there are.

    An exact index is searched once for the best of all, and again for the languages alone that have too few of them.
    """
    best: list[dict[str, list[Hit]]] = [{name: [] for name in languages} for _ in queries]
    rows = collection if isinstance(collection, Collection) else collection.collection
    missing = {name: list(range(len(queries))) for name in languages}
    # subtle: what is no index of ours has each language searched alone
    exact = isinstance(rows, Collection) and rows.index.spec.kind not in APPROXIMATE
    if exact and len(languages) > 1:
        width = min(_WIDER * deep * len(languages), max(len(rows), 1))
        together = collection.search(queries, width, where=where, languages=languages)
        seen = [together[number] for number in range(len(queries))]
        if any(type(hit.metadata.get("language")) is not str for hits in seen for hit in hits):  # of several languages
            return _best_of_each_alone(collection, queries, deep, missing, where, best)
        for hits, kept in zip(seen, best):
            for hit in hits:
                if len(own := kept[hit.metadata["language"]]) < deep:
                    own.append(hit)
        whole = [len(ids) < width or width == len(rows) for ids in together.ids]
        missing = {
            name: [number for number, hits in enumerate(best) if not whole[number] and len(hits[name]) < deep]
            for name in languages
        }
    return _best_of_each_alone(collection, queries, deep, missing, where, best)


def _best_of_each_alone(
    collection: Collection | CorrectedRows,
    queries: NDArray[np.float32],
    deep: int,
    missing: Mapping[str, Sequence[int]],
    where: Where | None,
    best: list[dict[str, list[Hit]]],
) -> list[dict[str, list[Hit]]]:
    """Put in place the best hits of each language for the queries that miss them, one search a language."""
    for language, numbers in missing.items():
        if numbers:
            found = collection.search(queries[numbers], deep, where=where, languages=[language])
            for place, number in enumerate(numbers):
                best[number][language] = found[place]
    return best
