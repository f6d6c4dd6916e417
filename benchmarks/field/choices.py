"""Choose one of two sentences for a premise, on frozen vectors; XCOPA's task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ChoiceClassifier", "Choices", "nearer"]

Vectors = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Choices:
    """Premises with two choices each.

    Attributes
    ----------
    vectors : tuple of three (n, d) arrays
        Premises, first choices, second choices.
    effect : (n,) array of bool
        Whether the effect is asked for, not the cause.
    """

    vectors: tuple[Vectors, Vectors, Vectors]
    effect: NDArray[np.bool_]

    @classmethod
    def of(
        cls, items: Sequence[Mapping[str, Any]], encode: Callable[[Sequence[str]], Vectors]
    ) -> tuple[Choices, Labels]:
        """Encode objects of XCOPA's files, and return their labels beside."""
        premise, one, two = (encode([item[field] for item in items]) for field in ("premise", "choice1", "choice2"))
        effect = np.array([item["question"] == "effect" for item in items], dtype=bool)
        return cls((premise, one, two), effect), np.array([int(item["label"]) for item in items])

    @classmethod
    def join(cls, parts: Sequence[Choices]) -> Choices:
        """Return one after the other."""
        premise, one, two = (np.concatenate([each.vectors[side] for each in parts]) for side in range(3))
        return cls((premise, one, two), np.concatenate([each.effect for each in parts]))

    def mapped(self, transform: Callable[[Vectors], Vectors]) -> Choices:
        """Return the same with vectors that went through a map."""
        premise, one, two = (transform(each) for each in self.vectors)
        return Choices((premise, one, two), self.effect)


class ChoiceClassifier:
    """A logistic regression on f(premise, second) - f(premise, first), which knows no first and second.

    f joins the choice, |u - v| and u * v, once for all and once with the sign of the question, for what causes and
    what follows are not the same.
    """

    def fit(self, choices: Choices, labels: Labels) -> ChoiceClassifier:
        """Learn from choices and the numbers, 0 or 1, of the right ones."""
        from interlingua.pipelines.vector_classifier import VectorClassifier

        features = _features(choices)
        both, signs = np.concatenate([features, -features]), np.concatenate([labels, 1 - labels])
        self.classifier_ = VectorClassifier("logistic", calibrate=False).fit(both, signs)
        return self

    def predict(self, choices: Choices) -> Labels:
        """Return 0 for the first choice and 1 for the second, (n,)."""
        return np.asarray(self.classifier_.predict(_features(choices)), np.int64)


def nearer(choices: Choices) -> Labels:
    """Return which choice has the higher cosine with the premise, (n,)."""
    premise, one, two = choices.vectors
    return np.asarray(((two - one) * premise).sum(axis=1) > 0, np.int64)


def _features(choices: Choices) -> Vectors:
    premise, one, two = choices.vectors
    pair = [np.hstack([side, np.abs(premise - side), premise * side]) for side in (one, two)]
    difference = pair[1] - pair[0]
    signs = np.where(choices.effect, 1, -1)[:, None]
    return np.asarray(np.hstack([difference, difference * signs]), np.float32)
