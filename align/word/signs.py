"""Signs of an alignment's quality that need no gold pair, each beside what a wrong map would give.

Two of them compare the shapes of the spaces without any map.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import as_matrix, take_known, to_numpy, unit_rows
from interlingua.align.neighbors import retrieve, top_k
from interlingua.align.word.methods.procrustes import orthogonal_map

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
    vectors = take_known(vectors)
    ids = top_k(vectors, vectors, neighborhood + 1).ids
    n = len(ids)
    adjacency = np.zeros((n, n))
    adjacency[np.arange(n)[:, None], ids] = 1.0
    np.fill_diagonal(adjacency, 0.0)
    adjacency = np.maximum(adjacency, adjacency.T)
    laplacian = np.diag(adjacency.sum(axis=1)) - adjacency
    return np.asarray(np.linalg.eigvalsh(laplacian)[::-1], np.float64)


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
