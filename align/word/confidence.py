"""Did the alignment succeed? A confidence from signs that need no gold pair, and an honest refusal.

Each sign is measured beside what a wrong map would give; two of them compare the shapes of the spaces without any map.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import as_matrix, check_same_dimension, to_numpy, unit_rows
from interlingua.align.neighbors import retrieve, top_k
from interlingua.align.space import SharedSpace
from interlingua.align.vocabulary import Embeddings
from interlingua.align.word.methods.procrustes import orthogonal_map


def gram_distance(source: Any, target: Any) -> float:
    """Return how much the singular values of two spaces differ; 0 for a rotated copy.

    The mean over i of (log s_i - log t_i)^2, where s and t are the singular values of the unit rows, divided by their
    sums, over the first min(d_source, d_target) of them: the singular value gap [1]_ per dimension, made free of size.

    Parameters
    ----------
    source : (n, d_source) array
        Vectors of frequent words.
    target : (m, d_target) array
        Vectors of frequent words of the other language; take about as many.

    Raises
    ------
    ValueError
        If a side has no vector but zero.

    References
    ----------
    .. [1] Dubossarsky, Vulić, Reichart and Korhonen (2020), "The secret is in the spectra: predicting cross-lingual
       task performance with spectral similarity measures", EMNLP. doi:10.18653/v1/2020.emnlp-main.186

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    >>> round(gram_distance(x, x[:, ::-1]), 6)
    0.0
    """
    spectra = [_shares(each, name) for each, name in ((source, "source"), (target, "target"))]
    size = min(map(len, spectra))
    logs = [np.log(np.maximum(each[:size], 1e-8)) for each in spectra]
    return float(np.mean((logs[0] - logs[1]) ** 2))


def laplacian_distance(source: Any, target: Any, *, neighborhood: int = 10) -> float:
    """Return how much the neighbourhood graphs of two spaces differ in shape; 0 for a rotated copy.

    Each graph joins every word with its `neighborhood` nearest others, both ways. With l_1 >= l_2 >= ... the
    eigenvalues of its Laplacian (degrees minus adjacency), the distance is the mean of (l_i - m_i)^2 over the first k,
    where k is the smaller number that holds 90 % of the sum in one of the graphs [1]_; here divided by k, so that it
    does not grow with the number of words.

    Parameters
    ----------
    source, target : (n, d) arrays
        Vectors of frequent words, as many on both sides: time grows as n cubed, 1000 take a second. The dimensions
        may differ.
    neighborhood : int
        Below n.

    Raises
    ------
    ValueError
        If the numbers of words differ or are not above `neighborhood`.

    References
    ----------
    .. [1] Søgaard, Ruder and Vulić (2018), "On the limitations of unsupervised bilingual dictionary induction", ACL.
       doi:10.18653/v1/P18-1072
    """
    first, second = (unit_rows(as_matrix(each, name)) for each, name in ((source, "source"), (target, "target")))
    n = int(first.shape[0])
    if n != second.shape[0] or n <= neighborhood or neighborhood < 1:
        raise ValueError(
            f"both sides need the same number of words, above neighborhood={neighborhood}, "
            f"but have {n} and {second.shape[0]}"
        )
    spectra = [_laplacian_spectrum(each, neighborhood) for each in (first, second)]
    k = min(int(np.searchsorted(np.cumsum(each), 0.9 * each.sum())) + 1 for each in spectra)
    return float(np.mean((spectra[0][:k] - spectra[1][:k]) ** 2))


def _shares(vectors: Any, name: str) -> NDArray[np.float64]:
    rows = to_numpy(unit_rows(as_matrix(vectors, name))).astype(np.float64)
    values = np.sqrt(np.maximum(np.linalg.eigvalsh(rows.T @ rows)[::-1], 0.0))
    if values.sum() == 0:
        raise ValueError(f"{name} must have a vector that is not zero, but has none")
    shares: NDArray[np.float64] = values / values.sum()
    return shares


def _laplacian_spectrum(vectors: Any, neighborhood: int) -> NDArray[np.float64]:
    ids = top_k(vectors, vectors, neighborhood + 1).ids
    n = len(ids)
    adjacency = np.zeros((n, n))
    adjacency[np.arange(n)[:, None], ids] = 1.0
    np.fill_diagonal(adjacency, 0.0)
    adjacency = np.maximum(adjacency, adjacency.T)
    laplacian = np.diag(adjacency.sum(axis=1)) - adjacency
    return np.asarray(np.linalg.eigvalsh(laplacian)[::-1], np.float64)


Matrix = NDArray[np.float32]
Rows = NDArray[np.int64]

_TENTH = 0.1
_ROUNDS = 4
_GRAM_WORDS = 600
_GRAPH_WORDS = 600
_FEWEST_STRINGS = 20
_FEWEST_PAIRS = 10
#: Skewness below which there is no hub to speak of.
_NO_HUBS = 1.0


@dataclass(frozen=True)
class Sign:
    """One sign of an alignment's quality.

    Attributes
    ----------
    value : float
        What was measured.
    null : float
        What the same measure gives for a wrong map of the same vocabularies.
    excess : float
        How far the value lies beyond the null, on the scale that `measure_signs` names; 0 is chance, higher is better.
    """

    value: float
    null: float
    excess: float


def measure_signs(
    source: Matrix,
    target: Matrix,
    *,
    labels: tuple[Sequence[str], Sequence[str]] | None = None,
    seeds: Rows | None = None,
    others: Sequence[tuple[Matrix, Matrix]] = (),
    seed: int = 0,
) -> dict[str, Sign]:
    """Measure all signs on frequent words.

    The null of the first five is the map itself after a reflection of the source along each of its principal axes
    with probability one half: it keeps every length, every similarity among source words and how the variances of the
    two languages meet, and destroys which word meets which.

    Parameters
    ----------
    source, target : (n, d), (m, d) arrays
        Unit rows in the common space, most frequent first.
    labels : two sequences of str, optional
        The words, for `identical_strings`.
    seeds : (p, 2) array of int, optional
        Pairs that the fit was given: they do not count as recovered strings.
    others : sequence of (source, target)
        The same words mapped by independent fits.
    seed : int
        Draws the reflection and the samples.

    Returns
    -------
    dict of str to Sign
        Excesses are value - null unless said.

        ``vocabulary_halves``: the share of words that maps learned from two disjoint halves of the induced mutual
        pairs translate alike; the excess is the logarithm of the odds ratio of value and null.
        ``recovery``: a map learned from the translations of a random tenth of the words, then refined four times by its
        own mutual pairs: the share of words that it translates as the map given does. A right map is the centre
        of a wide basin; a wrong one is left. Excess as before.
        ``structure``: correlation of the similarities among source words with those among their translations;
        the excess is the difference of Fisher's z, atanh(r).
        ``mutual_neighbors``: share of source words that are the best of their best (CSLS); excess as for the halves.
        ``hubs``: skewness of the number of words that have a target word among their ten nearest; the excess is the
        logarithm of null over value, each at least 1.
        ``frequency``: rank correlation of the frequencies of mutual pairs; the null is 0, that of shuffled labels. It
        sees what geometry cannot: right vectors under wrong words.
        ``isomorphy``: 1 - (distance of the neighbourhood graphs) / (distance of the target's graph from that of
        Gaussian vectors with its covariance), not below -1; the null is 0.
        ``spectra``: 1 - (distance of the singular values) / (distance of the target's from equal ones); the null is 0.
        ``identical_strings``: share of strings in both vocabularies that translate into themselves, numerals among
        them; the null is how often these targets are chosen by any word. Only where 20 or more are no seeds.
        ``independent_fits``: share of words that the other fits translate alike; the null is 0. Only where given.
    """
    rng = np.random.default_rng(seed)
    forward, pairs = _translations(source, target)
    wrong = _reflected(source, rng)
    wrong_forward, wrong_pairs = _translations(wrong, target)
    signs: dict[str, Sign] = {}
    measures: dict[str, Callable[[Matrix, Rows, Rows], float]] = {
        "vocabulary_halves": lambda rows, best, mutual: _halves(rows, target, mutual),
        "recovery": lambda rows, best, mutual: _recovery(rows, target, best, rng),
        "structure": lambda rows, best, mutual: _structure(rows, target, mutual, rng),
        "mutual_neighbors": lambda rows, best, mutual: len(mutual) / len(rows),
    }
    for name, measure in measures.items():
        value, null = measure(source, forward, pairs), measure(wrong, wrong_forward, wrong_pairs)
        excess = np.arctanh(_inside(value)) - np.arctanh(_inside(null))
        if name != "structure":
            excess = _log_odds(value, len(source)) - _log_odds(null, len(source))
        signs[name] = Sign(value, null, float(excess))
    skew, wrong_skew = _hub_skew(source, target), _hub_skew(wrong, target)
    signs["hubs"] = Sign(skew, wrong_skew, float(np.log(max(wrong_skew, _NO_HUBS) / max(skew, _NO_HUBS))))
    signs["frequency"] = _difference(_rank_correlation(pairs), 0.0)
    signs |= _isomorphy(source, target, rng)
    if labels is not None and (strings := _identical(labels, seeds, forward)) is not None:
        signs["identical_strings"] = strings
    if others:
        agreed = [float(np.mean(forward == _nearest_by_csls(*other))) for other in others]
        signs["independent_fits"] = _difference(float(np.mean(agreed)), 0.0)
    return signs


def _difference(value: float, null: float) -> Sign:
    return Sign(value, null, value - null)


def _log_odds(rate: float, count: int) -> float:
    """Logarithm of rate / (1 - rate), half a word away from 0 and 1."""
    kept = min(max(rate, 0.5 / count), 1.0 - 0.5 / count)
    return float(np.log(kept / (1.0 - kept)))


def _inside(correlation: float) -> float:
    return min(max(correlation, -0.999), 0.999)


def _nearest_by_csls(source: Matrix, target: Matrix) -> Rows:
    return retrieve(source, target, 1).ids[:, 0]


def _translations(source: Matrix, target: Matrix) -> tuple[Rows, Rows]:
    """Return the CSLS translation of each word, and the mutual pairs."""
    forward, backward = _nearest_by_csls(source, target), _nearest_by_csls(target, source)
    words = np.arange(len(source))
    kept = backward[forward] == words
    return forward, np.stack([words[kept], forward[kept]], axis=1)


def _reflected(source: Matrix, rng: np.random.Generator) -> Matrix:
    rows = source.astype(np.float64)
    _, axes = np.linalg.eigh(rows.T @ rows)
    signs = rng.choice([-1.0, 1.0], axes.shape[1])
    return np.asarray(rows @ ((axes * signs) @ axes.T), np.float32)


def _refitted(source: Matrix, target: Matrix, pairs: Rows) -> Matrix:
    """Return the source after the rotation that fits the pairs best."""
    if len(pairs) == 0:
        return source
    return np.asarray(unit_rows(source @ orthogonal_map(source[pairs[:, 0]], target[pairs[:, 1]])))


def _halves(source: Matrix, target: Matrix, pairs: Rows) -> float:
    if len(pairs) < 2:
        return 0.0
    first, second = (_nearest_by_csls(_refitted(source, target, half), target) for half in (pairs[::2], pairs[1::2]))
    return float(np.mean(first == second))


def _recovery(source: Matrix, target: Matrix, forward: Rows, rng: np.random.Generator) -> float:
    some = rng.choice(len(source), max(int(_TENTH * len(source)), 1), replace=False)
    moved = _refitted(source, target, np.stack([some, forward[some]], axis=1))
    for _ in range(_ROUNDS):
        moved = _refitted(source, target, _translations(moved, target)[1])
    return float(np.mean(_nearest_by_csls(moved, target) == forward))


def _structure(source: Matrix, target: Matrix, pairs: Rows, rng: np.random.Generator) -> float:
    if len(pairs) < _FEWEST_PAIRS:
        return 0.0
    some = pairs[rng.choice(len(pairs), min(_GRAM_WORDS, len(pairs)), replace=False)]
    first, second = source[some[:, 0]], target[some[:, 1]]
    upper = np.triu_indices(len(some), 1)
    correlation = np.corrcoef((first @ first.T)[upper], (second @ second.T)[upper])[0, 1]
    return float(np.nan_to_num(correlation))


def _hub_skew(source: Matrix, target: Matrix) -> float:
    counts = np.bincount(top_k(source, target, 10).ids.ravel(), minlength=len(target)).astype(np.float64)
    from scipy.stats import skew

    return float(skew(counts)) if np.ptp(counts) > 0 else 0.0


def _rank_correlation(pairs: Rows) -> float:
    if len(pairs) < _FEWEST_PAIRS:
        return 0.0
    from scipy.stats import spearmanr

    return float(spearmanr(pairs[:, 0], pairs[:, 1]).statistic)


def _isomorphy(source: Matrix, target: Matrix, rng: np.random.Generator) -> Mapping[str, Sign]:
    size = min(len(source), len(target), _GRAPH_WORDS)
    first, second = source[:size], target[:size]
    rows = second.astype(np.float64) - second.mean(axis=0, dtype=np.float64)
    gaussian = (rng.normal(size=(size, size)) @ rows / np.sqrt(size)).astype(np.float32) + second.mean(axis=0)
    neighborhood = min(10, size - 1)
    graphs = laplacian_distance(first, second, neighborhood=neighborhood)
    random_graphs = laplacian_distance(gaussian, second, neighborhood=neighborhood)
    spectra = gram_distance(source, target)
    flat = gram_distance(np.eye(target.shape[1], dtype=np.float32), target)
    return {
        name: Sign(value, 0.0, value)
        for name, value in (
            ("isomorphy", max(-1.0, 1.0 - graphs / max(random_graphs, 1e-12))),
            ("spectra", max(-1.0, 1.0 - spectra / max(flat, 1e-12))),
        )
    }


def _identical(labels: tuple[Sequence[str], Sequence[str]], seeds: Rows | None, forward: Rows) -> Sign | None:
    place = {label: row for row, label in enumerate(labels[1])}
    given = set() if seeds is None else set(map(tuple, seeds.tolist()))
    both = [(row, place[label]) for row, label in enumerate(labels[0]) if label in place]
    rows = np.array([pair for pair in both if pair not in given], np.int64).reshape(-1, 2)
    if len(rows) < _FEWEST_STRINGS:
        return None
    chosen = np.bincount(forward, minlength=len(labels[1])) / len(forward)
    return _difference(float(np.mean(forward[rows[:, 0]] == rows[:, 1])), float(chosen[rows[:, 1]].mean()))


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
        The vocabularies in the common space, most frequent word first.
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


def _ramp(excess: float, bounds: tuple[float, float]) -> float:
    """Rise from 0 at the first bound to 1 at the second."""
    low, high = bounds
    return float(np.clip((excess - low) / (high - low), 0.0, 1.0))


def _frequent(vectors: Any, count: int) -> Any:
    return unit_rows(np.ascontiguousarray(to_numpy(vectors)[:count], np.float32))
