"""How well translations find each other in a space: the score that heads are chosen by."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..neighbors import top_k
from .parallel import ParallelVectors

__all__ = ["TranslationQuality", "translation_quality"]

_TEMPERATURES = np.geomspace(0.005, 0.5, 15)
_MOST_PAIRS = 40
_NEIGHBORHOOD = 4
_RIVALS = 20


@dataclass(frozen=True)
class TranslationQuality:
    """Retrieval of translations by CSLS, both ways, the mean over domains of the mean over language pairs.

    Attributes
    ----------
    accuracy : float
        Share of sentences whose best candidate is their translation, in [0, 1].
    surprisal : float
        Mean of -log p(translation), in nats, p the softmax of CSLS / temperature over the translation and the best 20
        others, at the temperature that makes it least. Lower is better. It tells heads apart where all are near an
        accuracy of 1.
    by_domain : mapping of str to float
        The accuracy in each domain.
    by_pair : mapping of (domain, language, language) to tuple of two float
        The accuracy there and back.
    """

    accuracy: float
    surprisal: float
    by_domain: Mapping[str, float]
    by_pair: Mapping[tuple[str, str, str], tuple[float, float]]


def translation_quality(
    transform: Callable[[Any, str], Any],
    parallel: ParallelVectors,
    *,
    pivot: str = "",
    neighborhood: int = _NEIGHBORHOOD,
    most_rows: int = 1000,
) -> TranslationQuality:
    """Score a map on translations that it was not fitted on.

    Parameters
    ----------
    transform : callable
        (vectors, language) to unit rows, such as `SharedSpace.transform`.
    parallel : ParallelVectors
        Held-out translations.
    pivot : str
        Score only the pairs with this language where a domain has it; otherwise all pairs, at most 40 a domain,
        evenly chosen.
    neighborhood : int
        Neighbours in the means of CSLS.
    most_rows : int
        Sentences a domain; the first are taken.

    Raises
    ------
    ValueError
        If there is no translation.

    Examples
    --------
    >>> x = np.eye(30, dtype=np.float32)
    >>> translation_quality(lambda rows, _: rows, ParallelVectors.of({"eng": x, "fin": x})).accuracy
    1.0
    """
    if not parallel:
        raise ValueError("there is no held-out translation to score on; give validation pairs, or more pairs")
    by_domain, by_pair, losses = {}, {}, []
    for domain, languages in parallel:
        mapped = {name: transform(rows[:most_rows], name) for name, rows in languages.items()}
        hits, curves = [], []
        for one, other in _pairs(tuple(languages), pivot):
            scores = _csls(mapped[one], mapped[other], neighborhood)
            gold = np.arange(len(scores))
            there, back = (float((scores.argmax(axis=axis) == gold).mean()) for axis in (1, 0))
            by_pair[domain, one, other] = (there, back)
            hits.append((there + back) / 2)
            curves.append(_surprisals(scores))
        by_domain[domain] = float(np.mean(hits))
        losses.append(float(np.mean(curves, axis=0).min()))
    return TranslationQuality(float(np.mean(list(by_domain.values()))), float(np.mean(losses)), by_domain, by_pair)


def _pairs(languages: tuple[str, ...], pivot: str) -> list[tuple[str, str]]:
    if pivot in languages:
        return [(name, pivot) for name in languages if name != pivot]
    pairs = list(combinations(languages, 2))
    return pairs[:: -(-len(pairs) // _MOST_PAIRS)]


def _csls(source: NDArray[np.float32], target: NDArray[np.float32], neighborhood: int) -> NDArray[np.float32]:
    own = top_k(source, target, neighborhood).scores.mean(axis=1)
    other = top_k(target, source, neighborhood).scores.mean(axis=1)
    return np.asarray(source @ target.T - (own[:, None] + other[None, :]) / 2, np.float32)


def _surprisals(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the mean of -log p of the diagonal among the best others, both ways, at each temperature."""
    gold = np.diag(scores).astype(np.float64)[:, None]
    others = scores.copy()
    np.fill_diagonal(others, -np.inf)
    rivals = min(_RIVALS, len(gold))
    found = np.zeros(len(_TEMPERATURES))
    for table in (others, others.T):
        ahead = np.partition(table, -rivals, axis=1)[:, -rivals:] - gold
        for number, temperature in enumerate(_TEMPERATURES):
            found[number] += np.logaddexp.reduce(np.append(ahead / temperature, 0 * gold, axis=1), axis=1).mean() / 2
    return found
