"""Where the languages of a collection lie, and where questions about it lie.

A collection is about something, and its passages are statements. Both push every question to the same side of the
passages' mean, whatever it asks, and single out the passages on that side. How far, is told by questions about
anything.
"""

from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align import Centring, Normalization, SharedSpace, SpaceError, SpaceMap

from .encoder import Encoder, UnknownTextError
from .hubness import rows_by_language
from .passages import UNDETERMINED

__all__ = [
    "FEWEST_FOR_MEAN",
    "centre_languages",
    "check_languages",
    "everyday_questions",
    "map_by_language",
    "rows_of_languages",
    "shift_to_questions",
]

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
    text = (resources.files(__package__) / "data" / "everyday_questions.txt").read_text(encoding="utf-8")
    return tuple(text.splitlines())


def check_languages(space: SharedSpace, languages: Sequence[str]) -> None:
    """Raise SpaceError if the space can map one of the languages neither by its own map nor by "und" nor by "*"."""
    unknown = [each for each in dict.fromkeys(languages) if not space.covers(each)]
    if unknown and UNDETERMINED not in space.maps:
        raise SpaceError(
            f"texts are in {', '.join(map(repr, unknown))}, but the space has only: {', '.join(space.languages)}; "
            "name the languages as the space does, or fit a space with all of them"
        )


def map_by_language(
    space: SharedSpace | None, raw: NDArray[np.float32], languages: Sequence[str]
) -> NDArray[np.float32]:
    """Map each row by its language, by "und" where the space does not know it, or by "*"; None maps nothing."""
    if space is None:
        return raw
    check_languages(space, languages)
    mapped = np.empty((len(raw), space.dimension), np.float32)
    for language, rows in rows_by_language(
        [each if each in space.maps else UNDETERMINED for each in languages]
    ).items():
        mapped[rows] = space.transform(raw[rows], language)
    return mapped


def _centred_by(centre: NDArray[Any], matrix: NDArray[np.float32] | None = None) -> SpaceMap:
    return SpaceMap(Normalization(("unit", "centre"), np.asarray(centre, np.float32)[None, :]), matrix)
