"""Hold sentence pairs out, and score an encoder by finding their translations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from .bitext import Pair

__all__ = ["HeldOutScores", "hold_out", "mean_scores", "score_translations", "spread"]

_LARGEST_SHARE = 0.2
_FEWEST = 5


@dataclass(frozen=True)
class HeldOutScores:
    """How well one language pair's translations are found by cosine, mean of both directions.

    Attributes
    ----------
    accuracy : float
        Share of texts whose nearest of the other language is their translation.
    mrr : float
        Mean reciprocal rank of the translation among the texts of both languages. Parallel text of one domain is found
        among the other language's alone almost without error by any good encoder; here it still tells them apart,
        as texts of the query's own language are nearer than they should be.
    n : int
        Pairs.
    """

    accuracy: float
    mrr: float
    n: int


def hold_out(pairs: Sequence[Pair], size: int, *, seed: int = 0) -> tuple[list[Pair], list[Pair]]:
    """Split the pairs into those to learn from and `size` of each language pair to select by.

    At most a fifth of a language pair is held out, and none where that is fewer than five pairs. Where languages share
    the texts of a side, as parallel corpora do, the same texts are chosen in each. Pairs that share a text with a
    held-out pair are in neither part.

    Raises
    ------
    ValueError
        If `size` is negative, or `seed` is negative or takes more than 64 bits.
    """
    if size < 0:
        raise ValueError(f"the number of held-out pairs must not be negative, got {size}")
    if not 0 <= seed < 2**64:
        raise ValueError(f"the seed must be from 0 to 2**64 - 1, got {seed}")

    def order(pair: Pair) -> bytes:
        return blake2b(pair.target.encode(), digest_size=8, salt=seed.to_bytes(8, "little")).digest()

    held: list[Pair] = []
    for rows in _groups(pairs).values():
        by_source = {pairs[row].source: pairs[row] for row in rows}
        distinct = {pair.target: pair for pair in by_source.values()}  # equal answers would be indistinguishable
        n = min(size, int(_LARGEST_SHARE * len(distinct)))
        if n >= _FEWEST:
            held += sorted(distinct.values(), key=order)[:n]
    texts = {text for pair in held for text in (pair.source, pair.target)}
    kept = [pair for pair in pairs if pair.source not in texts and pair.target not in texts]
    return kept, held


def score_translations(
    pairs: Sequence[Pair], sources: NDArray[np.floating], targets: NDArray[np.floating]
) -> dict[str, HeldOutScores]:
    """Return the scores of each language pair, by its name, such as "fin-eng".

    Parameters
    ----------
    pairs : sequence of Pair
        Held out.
    sources, targets : (len(pairs), d) array
        The vectors of their texts, of any length; the targets may be another encoder's, a teacher's.
    """
    unit = _unit(sources), _unit(targets)
    scores = {}
    for name, group in _groups(pairs).items():
        u, v = (rows[group] for rows in unit)
        across = np.concatenate([_better(u, v, u @ v.T), _better(v, u, v @ u.T)])
        within = np.concatenate([_better(u, v, u @ u.T), _better(v, u, v @ v.T)])
        accuracy, mrr = float((across == 0).mean()), float((1 / (1 + across + within)).mean())
        scores[name] = HeldOutScores(accuracy, mrr, len(group))
    return scores


def mean_scores(scores: Mapping[str, HeldOutScores]) -> dict[str, float]:
    """Return the means over language pairs, each counted alike."""
    return {
        "accuracy": float(np.mean([each.accuracy for each in scores.values()])),
        "mrr": float(np.mean([each.mrr for each in scores.values()])),
    }


def spread(vectors: NDArray[np.floating]) -> float:
    """Return the variance of unit vectors about their mean: 1 minus the squared length of the mean, in [0, 1].

    It is 0 for an encoder that has collapsed: all texts have one vector, all cosines are 1.

    Examples
    --------
    >>> spread(np.eye(4)), spread(np.ones((4, 4)))
    (0.75, 0.0)
    """
    return float(1 - np.square(_unit(vectors).mean(axis=0, dtype=np.float64)).sum())


def _groups(pairs: Sequence[Pair]) -> dict[str, list[int]]:
    """Return the positions of each language pair's pairs, by its name."""
    groups: dict[str, list[int]] = {}
    for position, pair in enumerate(pairs):
        groups.setdefault(f"{pair.source_language}-{pair.target_language}", []).append(position)
    return dict(sorted(groups.items()))


def _better(
    queries: NDArray[np.floating], answers: NDArray[np.floating], similarity: NDArray[np.floating]
) -> NDArray[np.int64]:
    """Count the candidates as near to each query as its answer or nearer, without the answer or the query itself."""
    right = np.einsum("ij,ij->i", queries, answers)
    wrong = ~np.eye(len(queries), dtype=np.bool_)
    # subtle: equal scores count as nearer, so that a constant encoder ranks last; the sums differ in the last digit
    return np.asarray(((similarity >= right[:, None] - 1e-12) & wrong).sum(axis=1), np.int64)


def _unit(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    rows = np.asarray(vectors, np.float64)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))
