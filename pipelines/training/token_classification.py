"""Scores of labelled texts and words: accuracy, F1 of labels, F1 of spans."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["accuracy", "label_f1", "span_f1", "spans"]


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
