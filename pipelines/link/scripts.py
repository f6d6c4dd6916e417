"""Where the names of a script lie in an encoder's space, from names that are known in many languages."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from interlingua.pipelines.encoders.base import Encoder, UnknownTextError
from interlingua.pipelines.texts.languages import main_script

_NAMES, _PACKED = "known_names.tsv", "known_names.npz"
_FEWEST = 6  # names that two scripts must have in common
_WRITTEN_AS = {"HIRAGANA": "KATAKANA"}  # a script without names of its own: that of the same language

Vectors = NDArray[np.float32]


class ScriptOffsets:
    r"""How far names of one script lie from the same names in other scripts, for one encoder.

    With D the differences of n known names x in script s and y in those of an index, each the mean of the languages
    that write so, the offset is their mean, drawn towards zero as James and Stein do it [1]_,

    .. math:: \bar D \max(0, 1 - \mathrm{tr}\,\mathrm{Var}(D) / (n \lVert\bar D\rVert^2))

    so that an encoder that knows no language, whose differences are chance, has none. What the package holds of the
    bundled encoder is taken from there; others encode 12 names in each language of a script that is met.

    Parameters
    ----------
    encoder : Encoder

    References
    ----------
    .. [1] James and Stein (1961), "Estimation with quadratic loss", in Proceedings of the Fourth Berkeley Symposium.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._names: dict[str, Vectors | None] = {}

    def of(self, scripts: Sequence[str], among: Mapping[str, int]) -> dict[str, Vectors]:
        """Return the offset of each script from names in the scripts `among`, where it is known and not zero.

        Parameters
        ----------
        scripts : sequence of str
            As `main_script` calls them.
        among : mapping of str to int
            Those of the index, with how many of its names are in each.
        """
        asked = [each for each in dict.fromkeys(scripts) if each and set(among) != {each}]
        known = {each: names for each in among if asked and (names := self._known(each)) is not None}
        if not known:
            return {}
        total = sum(among[each] for each in known)
        middle = sum(among[each] / total * names for each, names in known.items())
        found = {each: _offset(names - middle) for each in asked if (names := self._known(each)) is not None}
        return {each: offset for each, offset in found.items() if offset is not None}

    def _known(self, script: str) -> Vectors | None:
        """Return the vectors of the known names in a script, (n, d), NaN where the encoder knows none."""
        script = _WRITTEN_AS.get(script, script)
        if script not in self._names:
            packed = _packed().get(_called(self._encoder), {})
            self._names[script] = packed.get(script) if packed else known_in_script(self._encoder, script)
        return self._names[script]


def known_in_script(encoder: Encoder, script: str) -> Vectors | None:
    """Return the mean vectors of each known name in the languages that write in a script, (n, d); None without any."""
    rows = [names for names in known_names().values() if script in {main_script(each) for each in names}]
    if not rows:
        return None
    with np.errstate(invalid="ignore"):
        vectors = np.stack([_encoded(encoder, names) for names in rows])
        there = ~np.isnan(vectors[..., :1])
        found: Vectors = (np.where(there, vectors, 0).sum(axis=0) / there.sum(axis=0)).astype(np.float32)
    return found


@cache
def known_names() -> Mapping[str, tuple[str, ...]]:
    """Return names and nouns by language; those of one place mean the same.

    Examples
    --------
    >>> known_names()["en"][:2], known_names()["de"][:2]
    (('Munich', 'Venice'), ('München', 'Venedig'))
    """
    text = (resources.files("interlingua.pipelines") / "data" / _NAMES).read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines()]
    return {language: tuple(names) for language, *names in rows}


def pack_known_names(encoder: Encoder) -> bytes:
    """Return the package's file of what an encoder makes of the names; see pipelines/data/README.md."""
    scripts = dict.fromkeys(main_script(each) for names in known_names().values() for each in names)
    arrays = {each: known_in_script(encoder, each) for each in scripts}
    file = io.BytesIO()
    of = np.array(_called(encoder))
    np.savez_compressed(file, of=of, **{name: each.astype(np.float16) for name, each in arrays.items()})  # type: ignore[union-attr, arg-type]
    return file.getvalue()


@cache
def _packed() -> dict[tuple[str, str], dict[str, Vectors]]:
    """Return what is in the package: by what `_called` makes of the encoder, by script."""
    place = resources.files("interlingua.pipelines") / "data" / _PACKED
    with np.load(io.BytesIO(place.read_bytes()), allow_pickle=False) as kept:
        return {
            tuple(kept["of"].tolist()): {name: kept[name].astype(np.float32) for name in kept.files if name != "of"}
        }


def _called(encoder: Encoder) -> tuple[str, str]:
    """Return the encoder's identity without its recipe, and its prompt for names."""
    return encoder.identity.rpartition("-")[0], encoder.prompts["symmetric"]


def _offset(differences: Vectors) -> Vectors | None:
    rows = differences[~np.isnan(differences).any(axis=1)]
    if len(rows) < _FEWEST:
        return None
    mean = rows.mean(axis=0)
    chance, length = float(rows.var(axis=0, ddof=1).sum()) / len(rows), float(mean @ mean)
    return None if length <= chance else np.asarray(mean * (1 - chance / length), np.float32)


def _encoded(encoder: Encoder, names: Sequence[str]) -> Vectors:
    """Return the vectors of names, NaN of those that the encoder does not know."""
    try:
        return encoder.encode(list(names))
    except UnknownTextError:
        found = np.full((len(names), encoder.dimension), np.nan, np.float32)
        for row, name in enumerate(names):
            try:
                found[row] = encoder.encode([name])[0]
            except UnknownTextError:
                continue
        return found
