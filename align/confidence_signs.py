"""Signs that an alignment is right or wrong, each with what a wrong map would give: no gold pair is used."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .arrays import unit_rows
from .isomorphy import gram_distance, laplacian_distance
from .neighbors import top_k
from .retrieval import retrieve

__all__ = ["Sign", "measure_signs"]

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
        agreed = [float(np.mean(forward == _best(*other))) for other in others]
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


def _best(source: Matrix, target: Matrix) -> Rows:
    return retrieve(source, target, 1).ids[:, 0]


def _translations(source: Matrix, target: Matrix) -> tuple[Rows, Rows]:
    """Return the CSLS translation of each word, and the mutual pairs."""
    forward, backward = _best(source, target), _best(target, source)
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
    # subtle: imported here, for the package of word aligners may itself import this module
    from .word.procrustes import orthogonal_map

    if len(pairs) == 0:
        return source
    return np.asarray(unit_rows(source @ orthogonal_map(source[pairs[:, 0]], target[pairs[:, 1]])))


def _halves(source: Matrix, target: Matrix, pairs: Rows) -> float:
    if len(pairs) < 2:
        return 0.0
    first, second = (_best(_refitted(source, target, half), target) for half in (pairs[::2], pairs[1::2]))
    return float(np.mean(first == second))


def _recovery(source: Matrix, target: Matrix, forward: Rows, rng: np.random.Generator) -> float:
    some = rng.choice(len(source), max(int(_TENTH * len(source)), 1), replace=False)
    moved = _refitted(source, target, np.stack([some, forward[some]], axis=1))
    for _ in range(_ROUNDS):
        moved = _refitted(source, target, _translations(moved, target)[1])
    return float(np.mean(_best(moved, target) == forward))


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
    spread = counts.std()
    return float(np.mean(((counts - counts.mean()) / spread) ** 3)) if spread > 0 else 0.0


def _rank_correlation(pairs: Rows) -> float:
    if len(pairs) < _FEWEST_PAIRS:
        return 0.0
    ranks = np.argsort(np.argsort(pairs, axis=0, kind="stable"), axis=0, kind="stable")
    return float(np.corrcoef(ranks[:, 0], ranks[:, 1])[0, 1])


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
