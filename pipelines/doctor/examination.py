"""The examination of a store: its figures, what is mixed in it, and whether an encoder made it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .encoding import TEXTS, Comparison, Verdict, Ways, choose_texts
from .geometry import Geometry, geometry_of
from .mixture import Mixture, find_mixture

_SHOWN = 20
_HUB = 20  # times the mean


@dataclass(frozen=True)
class Examination:
    """What was found in a store.

    Attributes
    ----------
    geometry : Geometry
    mixture : Mixture
    verdict : Verdict or None
        Of the encoder, where one was at hand.
    ids : tuple of str
        Rows of another model than the most, the first of them.
    problems : tuple of str
        What is wrong, and what can be done; none where nothing is.
    odd : dict
        By what they were encoded instead: rows whose texts had another prompt than the most.
    """

    geometry: Geometry
    mixture: Mixture
    verdict: Verdict | None
    ids: tuple[str, ...]
    problems: tuple[str, ...]
    odd: dict[str, list[int]] = field(default_factory=dict)

    def about(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        looked = "too few rows" if np.isnan(self.mixture.agreement) else self.mixture.found
        return {
            "problems": list(self.problems),
            "geometry": self.geometry.about(),
            "models mixed": looked,
            "rows of another model": len(self.mixture.rows),
            "such as": list(self.ids),
            "encoder": None if self.verdict is None else self.verdict.about(),
            "rows encoded otherwise": {name: len(rows) for name, rows in self.odd.items()},
        }


def examine(
    ids: Sequence[str],
    vectors: NDArray[np.float32],
    texts: Sequence[str] | None = None,
    ways: Ways | None = None,
    *,
    count: int = TEXTS,
    metric: str = "",
    seed: int = 0,
) -> Examination:
    """Return what is to be said about some vectors.

    Parameters
    ----------
    ids : sequence of str
    vectors : (n, d) array
    texts : sequence of str, optional
        Of the rows; "" where one has none.
    ways : Ways, optional
        The ways of encoding to compare with, such as those of `interlingua.pipelines.doctor.encoding.ways_of`.
    count : int
        Texts that are compared.
    metric : str
        What the store compares by.
    seed : int
        Of samples.

    Raises
    ------
    ValueError
        If there are no vectors, or the encoder's are of another dimension, or there is an encoder and no text.
    """
    rows = np.asarray(vectors, np.float32)
    geometry = geometry_of(rows, seed=seed)
    lengths = np.linalg.norm(rows, axis=1)
    sound = np.flatnonzero(np.isfinite(lengths) & (lengths > 0))
    found = find_mixture(rows[sound], seed=seed)
    mixture = Mixture(sound[found.rows], found.agreement)
    verdict, chosen, odd = None, [], {}
    if ways is not None:
        usable = set(sound.tolist())
        chosen = [row for row in choose_texts(texts or (), count) if row in usable]
        if not chosen:
            raise ValueError("the store has no texts to compare the encoder with; name their field with --text-field")
        asked = [(texts or ())[row] for row in chosen]
        compared = Comparison(asked, rows[chosen], ways, geometry.precision)
        verdict = compared.verdict()
        told = compared.odd_rows(verdict.way, [(texts or ())[row] for row in sound.tolist()], rows[sound])
        odd = {name: sound[each].tolist() for name, each in told.items()}
    problems = [*_of_geometry(geometry, metric), *_of_mixture(mixture, len(rows)), *_of_encoder(verdict, ids, chosen),
                *_of_odd(odd, ids)]  # fmt: skip
    named = tuple(str(ids[row]) for row in mixture.rows[:_SHOWN])
    return Examination(geometry, mixture, verdict, named, tuple(problems), odd)


def _of_geometry(seen: Geometry, metric: str) -> list[str]:
    found = []
    if seen.not_finite:
        found.append(f"{seen.not_finite} of {seen.rows} vectors hold NaN or infinity: encode these rows again")
    if seen.zero:
        found.append(f"{seen.zero} of {seen.rows} vectors are zero: encode these rows again")
    if seen.longest > 1.01 * seen.shortest and metric == "ip":
        found.append(
            f"vectors have lengths from {seen.shortest:.3g} to {seen.longest:.3g} and are compared by inner product: "
            "long ones come first whatever is asked; scale them to one length, or compare by cosine"
        )
    if seen.unused:
        found.append(f"{seen.unused} of {seen.dimension} numbers are the same in all vectors: were they cut or padded?")
    if seen.rounded:
        told = ", ".join(
            f"{count} to {name}" for name, count in sorted(seen.rounded.items(), key=lambda each: -each[1])
        )
        found.append(
            f"rows were rounded unlike: {told.replace(' to float32', ' not (float32)')}; encode or round them alike"
        )
    if seen.copies > seen.rows // 20:
        found.append(f"{seen.copies} of {seen.rows} vectors are copies of others: the same texts several times")
    if seen.hub > 10 * _HUB and seen.hub > 0.2 * seen.rows:
        found.append(f"one row is among the ten nearest of {seen.hub:.0f} others: a hub, such as of an empty text")
    return found


def _of_mixture(mixture: Mixture, rows: int) -> list[str]:
    if not mixture.found:
        return []
    share = len(mixture.rows) / rows
    return [
        f"{len(mixture.rows)} of {rows} rows ({share:.0%}) are vectors of another model than the others: their "
        f"directions have nothing in common (agreement {mixture.agreement:.2f}; of one model .3 and more); encode them "
        "again"
    ]


def _of_encoder(verdict: Verdict | None, ids: Sequence[str], chosen: Sequence[int]) -> list[str]:
    if verdict is None:
        return []
    if not verdict.way:
        return [
            f"the encoder gives other vectors of the stored texts (cosine {verdict.right:.3f}, at best "
            f"{verdict.cosine:.3f}): the store is of another model, or its texts were "
            "changed in a way that was not tried"
        ]
    found = []
    if not verdict.same:
        found.append(
            f"the texts were encoded {verdict.way} (cosine {verdict.cosine:.4f}; as passages {verdict.right:.4f}): "
            "encode them again as passages, or questions find them less well"
        )
    for way, rows in verdict.also:
        named = ", ".join(str(ids[chosen[at]]) for at in rows[:5])
        found.append(f"{len(rows)} of {verdict.texts} texts were encoded otherwise, {way}: {named}")
    if verdict.others:
        named = ", ".join(str(ids[chosen[at]]) for at in verdict.others[:5])
        found.append(f"{len(verdict.others)} of {verdict.texts} texts have other vectors than that gives: {named}")
    return found


def _of_odd(odd: dict[str, list[int]], ids: Sequence[str]) -> list[str]:
    return [
        f"{len(rows)} rows or more were encoded {name}, not as the others: "
        f"{', '.join(str(ids[row]) for row in rows[:5])}; encode them again"
        for name, rows in odd.items()
    ]
