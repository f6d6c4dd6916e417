"""Hold sentence pairs out, and score an encoder by finding their translations.

Scores of labelled texts and words: accuracy, F1 of labels, F1 of spans.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from interlingua.pipelines.texts.pairs import Pair

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
        If `size` is negative, `seed` is negative or takes more than 64 bits, or fewer than two pairs are left to learn
        from.
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
    if len(kept) < 2:
        raise ValueError(f"at least two pairs are needed to learn from, got {len(kept)} of {len(pairs)}")
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


def accuracy(gold: Sequence[str], predicted: Sequence[str]) -> float:
    """Return the share of equal labels.

    Raises
    ------
    ValueError
        If there is none, or the lengths differ.
    """
    _check(gold, predicted)
    return float(np.mean([left == right for left, right in zip(gold, predicted, strict=True)]))


def label_f1(gold: Sequence[str], predicted: Sequence[str]) -> float:
    """Return the mean over the labels that occur in `gold` of 2 TP / (2 TP + FP + FN): macro-F1.

    Examples
    --------
    >>> label_f1(["a", "a", "b"], ["a", "b", "b"])
    0.6666666666666666
    """
    _check(gold, predicted)
    scores = []
    for label in sorted(set(gold)):
        right = sum(left == label == other for left, other in zip(gold, predicted, strict=True))
        said = sum(each == label for each in gold) + sum(each == label for each in predicted)
        scores.append(2 * right / said)
    return float(np.mean(scores))


def span_f1(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> float:
    """Return the F1 of labelled spans, as CoNLL's `conlleval` counts them: right are those with equal ends and type.

    Without any span on either side it is 0.

    References
    ----------
    Tjong Kim Sang and De Meulder (2003), "Introduction to the CoNLL-2003 shared task", doi:10.3115/1119176.1119195
    """
    _check(gold, predicted)
    wanted = {(row, *each) for row, tags in enumerate(gold) for each in spans(tags)}
    found = {(row, *each) for row, tags in enumerate(predicted) for each in spans(tags)}
    total = len(wanted) + len(found)
    return 2 * len(wanted & found) / total if total else 0.0


def spans(tags: Sequence[str]) -> list[tuple[int, int, str]]:
    """Return (first word, word after the last, type) of each span of BIO tags.

    An ``I-`` that continues nothing, or another type, starts a span, so that IOB1 is read too.

    Examples
    --------
    >>> spans(["B-PER", "I-PER", "O", "I-LOC", "B-LOC"])
    [(0, 2, 'PER'), (3, 4, 'LOC'), (4, 5, 'LOC')]
    """
    found: list[tuple[int, int, str]] = []
    start, kind = 0, ""
    for place, tag in enumerate([*tags, "O"]):
        prefix, _, name = tag.partition("-")
        name = name if prefix in ("B", "I") else ""
        if kind and (prefix == "B" or name != kind):
            found.append((start, place, kind))
        if name and (prefix == "B" or name != kind):
            start = place
        kind = name
    return found


def _check(gold: Sequence[object], predicted: Sequence[object]) -> None:
    if not gold or len(gold) != len(predicted):
        raise ValueError(f"gold and predicted labels must correspond, but are {len(gold)} and {len(predicted)}")
