"""Where questions about a collection lie, learned from questions that were asked; no right answer is needed."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from interlingua.align import ANY_LANGUAGE, Normalization, SharedSpace, SpaceMap
from interlingua.align.arrays import unit_rows
from interlingua.pipelines.texts.languages import find_language
from interlingua.pipelines.texts.passages import UNDETERMINED

from .copies import distinct_rows
from .ranked import rows_by_language

#: Different questions, of all languages together, from which their centre is learned.
FEWEST_QUESTIONS = 30
_DOUBT = 10  # questions that what is known before counts as
_COMMON = 0.5  # of a language's move: the part that all languages share
_ALIKE, _ONE = 0.4, 0.6  # mean cosine of questions that ask for different things, and of those that all ask for one
_NOTE = "questions"


def centre_on_questions(space: SharedSpace, raw: NDArray[np.float32], languages: Sequence[str]) -> SharedSpace:
    r"""Move the centre of each language to where its questions lie.

    With c_l the centre that the space has for questions in language l, and q_l the mean of the n_l questions in it that
    differ, the move is d_l = w_l (q_l - c_l), w_l = g n_l / (n_l + 10), and the new centre

        c_l + d / 2 + d_l / 2,    d the mean of the d_l, each counted w_l times,

    or c_l + d for a language without questions. Questions that all ask for one thing have that thing for their mean,
    which must stay: g falls from 1 to 0 as the mean cosine of different questions less c_l grows from 0.4 to 0.6, where
    it is about 0.2 for titles of many packages and 0.3 for the 40 nearest of them.

    Parameters
    ----------
    space : SharedSpace
        Maps questions; from `shift_to_questions`.
    raw : (n, d) array
        Vectors of questions, as the encoder gave them.
    languages : sequence of n str
        Their languages.

    Returns
    -------
    SharedSpace
        `space` itself where fewer than 30 different questions, or none of its maps, tell.
    """
    unit = unit_rows(raw)
    groups: dict[str, list[int]] = {}
    for language, rows in rows_by_language(languages).items():
        groups.setdefault(map_of(space, language), []).extend(rows)
    moves, weights, total = {}, {}, 0
    for name, rows in groups.items():
        if name in space.maps and _moves(space.maps[name]):
            different = unit[rows][distinct_rows(unit[rows])]
            total += len(different)
            away = different - space.maps[name].normalization.means[0]
            weights[name] = _trust(away)
            moves[name] = weights[name] * away.mean(axis=0)
    shared = sum(weights.values())
    if total < FEWEST_QUESTIONS or shared <= 0:
        return space
    common = sum(weight * moves[name] for name, weight in weights.items()) / shared
    maps = dict(space.maps)
    for name, each in space.maps.items():
        if _moves(each):
            move = _COMMON * common + (1 - _COMMON) * moves[name] if name in moves else common
            maps[name] = SpaceMap(Normalization.centring(each.normalization.means[0] + move), each.matrix)
    return SharedSpace(maps, space.method, space.encoder, provenance={**space.provenance, _NOTE: total})


def knows_questions(space: SharedSpace) -> bool:
    """Tell whether `centre_on_questions` has made a space."""
    return _NOTE in space.provenance


def map_of(space: SharedSpace, language: str) -> str:
    """Return the name of the map of a space that vectors of a language take."""
    own = find_language(language, space.maps)
    return own or (UNDETERMINED if UNDETERMINED in space.maps else ANY_LANGUAGE)


def _moves(each: SpaceMap) -> bool:
    return each.hidden is None and each.normalization.steps == ("unit", "centre")


def _trust(away: NDArray[np.float32]) -> float:
    """Return how much the mean of different questions, less their centre, counts."""
    n = len(away)
    if n < 2:
        return n / (n + _DOUBT)
    rows = away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-9)
    alike = (float((rows.sum(axis=0) ** 2).sum()) - n) / (n * (n - 1))
    return n / (n + _DOUBT) * float(np.clip((_ONE - alike) / (_ONE - _ALIKE), 0, 1))


def space_for(space: SharedSpace | None, raw: NDArray[np.float32], asked_in: Sequence[str]) -> SharedSpace | None:
    """Return what maps these questions: the space, or one centred on them where it knows no questions but these."""
    if space is None or "shift" not in space.provenance or knows_questions(space):
        return space
    return centre_on_questions(space, raw, asked_in)
