"""Did the alignment succeed? A confidence from signs that need no gold pair, and an honest refusal."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np

from interlingua.align.arrays import as_matrix, check_same_dimension, known_rows, to_numpy, unit_rows
from interlingua.align.space import SharedSpace
from interlingua.align.vocabulary import Embeddings

from .signs import Rows, Sign, measure_signs

OnFailure = Literal["raise", "warn", "ignore"]

#: At and above it an alignment is accepted.
THRESHOLD = 0.5
_VOCABULARY = 4000
_FEWEST_WORDS = 100

#: Boundary and half-width of each sign's excess: at the boundary it says nothing, a half-width beyond it all that it
#: can. The boundaries lie halfway between the highest twentieth of 71 failed and the lowest twentieth of 25 good runs
#: on real word vectors of four languages, 4000 words a side; the one of independent fits rests on 20 runs. Mutual
#: neighbours, hubs and isomorphy overlapped (a wrong map that self-learning has polished has as many mutual neighbours
#: as a right one) and are reported only.
_CALIBRATION: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "vocabulary_halves": (1.70, 0.40),
        "recovery": (1.20, 0.40),
        "structure": (0.10, 0.05),
        "identical_strings": (0.09, 0.05),
        "independent_fits": (0.30, 0.15),
    }
)
#: Turns the mean of the signs, in [-1, 1], into a confidence: all against gives 0.02, all for 0.98.
_GAIN = 4.0
#: Words and vectors belong together if one of these signs leaves chance: none of it, all of it.
_LABEL_RAMP = (0.05, 0.20)
#: Where independent fits are given, one of these signs must confirm the map: not at all, wholly. Self-learning polishes
#: a map that is right for function words alone until its geometry looks right throughout; such maps (P@1 of 2 to 4 on
#: English, French) had at most 0.18 and 0.06, good ones at least 0.7 in agreement, or 0.28 in strings.
_CONFIRMING: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"independent_fits": (0.20, 0.40), "identical_strings": (0.10, 0.25)}
)

_MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "vocabulary_halves": "maps learned from two halves of the vocabulary translate alike",
        "recovery": "a map restarted from a tenth of the words comes back to this one",
        "structure": "similarities among words agree with those among their translations",
        "mutual_neighbors": "words are the best of their best (no weight)",
        "hubs": "skewness of how often a word is a neighbour (lower is better; no weight)",
        "identical_strings": "strings of both vocabularies translate into themselves",
        "independent_fits": "independent fits translate alike",
        "frequency": "frequencies of mutual translations correlate",
        "isomorphy": "neighbourhood graphs are alike (no weight)",
        "spectra": "singular values are alike (no weight)",
    }
)


class AlignmentFailedError(RuntimeError):
    """An alignment shows no sign of being right; `confidence` has the signs."""

    def __init__(self, message: str, confidence: "Confidence") -> None:
        super().__init__(message)
        self.confidence = confidence


class AlignmentWarning(UserWarning):
    """An alignment shows no sign of being right, and goes on since ``on_failure="warn"``."""


@dataclass(frozen=True)
class Confidence:
    """How sure one can be, without any gold pair, that an alignment is right.

    Attributes
    ----------
    value : float
        In [0, 1]. Not a probability nor an accuracy: it sorts failed alignments (P@1 under 5 %), which lie below 0.5,
        from good ones (over 15 %), which lie above. In between it may fall either way.
    signs : mapping of str to Sign
        What it rests on; `measure_signs` explains each.
    verdict : {"accepted", "refused"}
        Whether the value reaches `THRESHOLD`.
    """

    value: float
    signs: Mapping[str, Sign]
    verdict: Literal["accepted", "refused"]

    def __post_init__(self) -> None:
        object.__setattr__(self, "signs", MappingProxyType(dict(self.signs)))

    @classmethod
    def from_signs(cls, signs: Mapping[str, Sign]) -> "Confidence":
        """Combine signs: value = l c / (1 + exp(-4 m)).

        m is the mean over the calibrated signs of clip((excess - boundary) / half-width, -1, 1). l, in [0, 1],
        rises from 0 to 1 as the larger excess of frequency and identical strings goes from 0.05 to 0.2: geometry
        alone cannot see that the right vectors carry wrong words. c is 1 where no independent fit is given; else it
        rises from 0 to 1 as these agree, from 0.2 to 0.4, or as identical strings are found, from 0.1 to 0.25: the
        larger of the two counts.

        Raises
        ------
        ValueError
            If none of the signs is calibrated.
        """
        known = [name for name in signs if name in _CALIBRATION]
        if not known:
            raise ValueError(f"signs must hold one of {', '.join(_CALIBRATION)}, but hold {', '.join(signs) or 'none'}")
        places = [(signs[name].excess - _CALIBRATION[name][0]) / _CALIBRATION[name][1] for name in known]
        mean = float(np.mean(np.clip(places, -1.0, 1.0)))
        about_labels = [signs[name].excess for name in ("frequency", "identical_strings") if name in signs]
        labels = _ramp(max(about_labels), _LABEL_RAMP) if about_labels else 1.0
        confirmed = 1.0
        if "independent_fits" in signs:
            confirmed = max(_ramp(signs[name].excess, bounds) for name, bounds in _CONFIRMING.items() if name in signs)
        value = float(labels * confirmed / (1.0 + np.exp(-_GAIN * mean)))
        return cls(value, signs, "accepted" if value >= THRESHOLD else "refused")

    @property
    def accepted(self) -> bool:
        """Whether the verdict is "accepted"."""
        return self.verdict == "accepted"

    def summary(self) -> str:
        """Return the value and each sign with its null, a line each."""
        lines = [f"confidence {self.value:.2f}: {self.verdict} (threshold {THRESHOLD})"]
        for name, sign in self.signs.items():
            lines.append(f"  {name}: {sign.value:.2f} (wrong map: {sign.null:.2f}); {_MEANINGS.get(name, '')}")
        return "\n".join(lines)

    def check(self, on_failure: OnFailure = "raise") -> "Confidence":
        """Return self if accepted; otherwise raise, warn or go on in silence.

        Raises
        ------
        AlignmentFailedError
            If refused and `on_failure` is "raise"; the text names the signs and the way out.

        Warns
        -----
        AlignmentWarning
            If refused and `on_failure` is "warn".
        """
        if on_failure not in get_args(OnFailure):
            raise ValueError(f"on_failure must be one of {', '.join(get_args(OnFailure))}, but is {on_failure!r}")
        if self.accepted or on_failure == "ignore":
            return self
        message = self._message()
        if on_failure == "raise":
            raise AlignmentFailedError(message, self)
        warnings.warn(message, AlignmentWarning, stacklevel=2)
        return self

    def _message(self) -> str:
        bounds = {name: bound for name, (bound, _) in _CALIBRATION.items()} | {"frequency": _LABEL_RAMP[1]}
        against = [(name, sign) for name, sign in self.signs.items() if sign.excess < bounds.get(name, -np.inf)]
        said = "; ".join(
            f"{name} {sign.value:.2f} where a wrong map gives {sign.null:.2f} ({_MEANINGS[name]})"
            for name, sign in against
        )
        return (
            f"the alignment has most likely failed: its confidence is {self.value:.2f}, and {THRESHOLD} is needed. "
            f"Signs against it: {said}. Give a dictionary of 25 or more translation pairs of frequent words, "
            "or start from identical strings or numerals where the languages share a script; check that words and "
            "vectors belong together and stand in the order of frequency. "
            "To get the result anyway, use on_failure='warn'"
        )


def assess(
    source: Any,
    target: Any,
    *,
    labels: tuple[Sequence[str], Sequence[str]] | None = None,
    seeds: Any | None = None,
    others: Sequence[tuple[Any, Any]] = (),
    by_frequency: bool = True,
    vocabulary: int = _VOCABULARY,
    seed: int = 0,
) -> Confidence:
    """Judge an alignment of two vocabularies from the mapped vectors alone.

    Parameters
    ----------
    source, target : (n, d), (m, d) arrays
        The vocabularies in the common space, most frequent word first. Zero rows, words without a vector, are left
        out.
    labels : two sequences of str, optional
        The words. With them identical strings, numerals among them, are looked at.
    seeds : (p, 2) array of int, optional
        Rows of the pairs that the fit was given: being found again, they prove nothing and are left out.
    others : sequence of (source, target) arrays
        The same words in the common spaces of independent fits (other initialisations, other seeds). Give the one
        that agrees best of those made: a map that none confirms is refused, unless identical strings do.
    by_frequency : bool
        False if the words do not stand in the order of frequency; then nothing but identical strings can show that
        words and vectors belong together.
    vocabulary : int
        How many of the most frequent words of each side to look at. The calibration was made with 4000.
    seed : int
        Draws the null map and the samples.

    Returns
    -------
    Confidence

    Raises
    ------
    ValueError
        If a side has fewer than 100 words, or shapes do not fit.

    Notes
    -----
    Takes about 8 CPU seconds for 4000 words of 300 dimensions. Calibrated on supervised, self-learned, unsupervised
    and failed maps, orthogonal and re-weighted, of English, French and Russian word vectors; Japanese was among the
    failed ones only, and sentence vectors not at all. It asks whether the map as a whole is right, not how good it is:
    the higher value of two good maps means nothing.

    Without `others` it accepts some maps that self-learning from few pairs has made right for function words only (P@1
    of 2 to 4 %): such a fit needs a second one beside it.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> words = (rng.normal(size=(300, 12)) * np.linspace(2, 0.3, 12) + np.linspace(0.5, 0, 300)[:, None])
    >>> assess(words, words + 0.1 * rng.normal(size=words.shape)).verdict
    'accepted'
    >>> assess(words, words[rng.permutation(300)]).verdict
    'refused'
    """
    first, second = (to_numpy(as_matrix(each, name)) for each, name in ((source, "source"), (target, "target")))
    check_same_dimension(first, second, ("source", "target"))
    if min(len(first), len(second), vocabulary) < _FEWEST_WORDS:
        raise ValueError(
            f"at least {_FEWEST_WORDS} words a side are needed to judge an alignment, but there are {len(first)} and "
            f"{len(second)}, with vocabulary={vocabulary}"
        )
    if labels is not None and (len(labels[0]) != len(first) or len(labels[1]) != len(second)):
        raise ValueError(
            f"each row needs one label, but there are {len(labels[0])} and {len(labels[1])} labels "
            f"for {len(first)} and {len(second)} rows"
        )
    known = known_rows(first), known_rows(second)
    if any(each is not None for each in known):
        rows = [
            np.arange(len(each)) if some is None else some for each, some in zip((first, second), known, strict=True)
        ]
        return assess(
            first[rows[0]],
            second[rows[1]],
            labels=None if labels is None else (_taken(labels[0], rows[0]), _taken(labels[1], rows[1])),
            seeds=None if seeds is None else _renumbered(np.asarray(seeds, np.int64).reshape(-1, 2), rows),
            others=[(to_numpy(one)[rows[0]], to_numpy(two)[rows[1]]) for one, two in others],
            by_frequency=by_frequency,
            vocabulary=vocabulary,
            seed=seed,
        )
    cut = slice(vocabulary)
    shortened = [(_frequent(one, vocabulary), _frequent(two, vocabulary)) for one, two in others]
    signs = measure_signs(
        _frequent(first, vocabulary),
        _frequent(second, vocabulary),
        labels=None if labels is None else (labels[0][cut], labels[1][cut]),
        seeds=None if seeds is None else np.asarray(seeds, np.int64).reshape(-1, 2),
        others=shortened,
        seed=seed,
    )
    if not by_frequency:
        del signs["frequency"]
    return Confidence.from_signs(signs)


def assess_space(
    space: SharedSpace,
    source: Embeddings,
    target: Embeddings,
    *,
    seeds: Any | None = None,
    others: Sequence[SharedSpace] = (),
    by_frequency: bool = True,
    vocabulary: int = _VOCABULARY,
    seed: int = 0,
) -> Confidence:
    """Judge a shared space on two vocabularies, whose `space` names the languages; everything else as in `assess`.

    Parameters
    ----------
    space : SharedSpace
    source, target : Embeddings
        Vectors as they were in the fit, not yet mapped, most frequent first.
    seeds : (p, 2) array of int, optional
        Rows of the pairs that the fit was given.
    others : sequence of SharedSpace
        Independent fits of the same two languages.
    by_frequency, vocabulary, seed
        As in `assess`.
    """
    first, second = (each.select(range(min(vocabulary, len(each)))) for each in (source, target))
    mapped = [
        (one.transform(first.vectors, source.space), one.transform(second.vectors, target.space))
        for one in (space, *others)
    ]
    return assess(
        *mapped[0],
        labels=(first.labels, second.labels),
        seeds=seeds,
        others=mapped[1:],
        by_frequency=by_frequency,
        vocabulary=vocabulary,
        seed=seed,
    )


def _taken(labels: Sequence[str], rows: Rows) -> list[str]:
    return [labels[row] for row in rows.tolist()]


def _renumbered(pairs: Rows, rows: Sequence[Rows]) -> Rows:
    """Return pairs as places among the rows that are kept of each side, without those that lose a word."""
    kept = np.isin(pairs[:, 0], rows[0]) & np.isin(pairs[:, 1], rows[1])
    return np.stack([np.searchsorted(some, pairs[kept, side]) for side, some in enumerate(rows)], axis=1)


def _ramp(excess: float, bounds: tuple[float, float]) -> float:
    """Rise from 0 at the first bound to 1 at the second."""
    low, high = bounds
    return float(np.clip((excess - low) / (high - low), 0.0, 1.0))


def _frequent(vectors: Any, count: int) -> Any:
    return unit_rows(np.ascontiguousarray(to_numpy(vectors)[:count], np.float32))
