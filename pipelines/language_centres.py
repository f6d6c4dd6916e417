"""Where the languages of a collection lie, and where questions about it lie.

A collection is about something, and its passages are statements. Both push every question to the same side of the
passages' mean, whatever it asks, and single out the passages on that side. How far, is told by questions about anything.
"""

from collections.abc import Sequence
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from interlingua.align import Centring, Normalization, SharedSpace, SpaceMap

from .encoder import Encoder
from .passages import UNDETERMINED

__all__ = ["centre_languages", "everyday_questions", "shift_to_questions"]

_FEWEST = 10
_SHIFT = 0.4


def centre_languages(raw: NDArray[np.float32], languages: Sequence[str], encoder: str) -> SharedSpace:
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
    SharedSpace
        One map for each language with at least ten passages, and one named "und" for all others, which centres by the
        mean of those languages' means.
    """
    names = np.array(languages)
    groups = {str(name): raw[names == name] for name in dict.fromkeys(languages) if name != UNDETERMINED}
    enough = {name: rows for name, rows in groups.items() if len(rows) >= _FEWEST}
    means = [rows.mean(axis=0, keepdims=True) for rows in enough.values()]
    return (
        Centring(minimum=1)
        .fit({**enough, UNDETERMINED: np.concatenate(means) if means else raw}, encoder=encoder)
        .space_
    )


def shift_to_questions(space: SharedSpace, encoder: Encoder) -> SharedSpace:
    """Move the centre of each language towards where questions lie: m_l + a (g - m).

    With m_l the passages' mean of language l, m the mean of the m_l, g the mean vector of questions about anything, and
    a = 0.4. On XQuAD-R, where questions and passages lie close, it costs nothing; on a collection about one thing it
    finds more; `benchmarks/results/search.json` has both.

    Parameters
    ----------
    space : SharedSpace
        From `centre_languages`.
    encoder : Encoder
        Encodes the questions, 40 short ones.
    """
    questions = encoder.encode(everyday_questions(), role="query")
    centres = {name: each.normalization.means[0] for name, each in space.maps.items()}
    towards = _SHIFT * (questions.mean(axis=0) - np.mean(list(centres.values()), axis=0))
    maps = {
        name: SpaceMap(Normalization(("unit", "centre"), np.asarray(centre + towards, np.float32)[None, :]))
        for name, centre in centres.items()
    }
    return SharedSpace(maps, "centring of questions", space.encoder, provenance={"shift": _SHIFT})


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
