"""Tags of words by a linear layer on frozen vectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from interlingua.pipelines import Encoder

from .token_vectors import depth, word_vectors

__all__ = ["TokenTagger", "WordClassifier"]

_CHOSEN_BY = 1000


class WordClassifier:
    """A logistic regression on vectors of words, each component scaled to variance 1 where it was learned.

    Parameters
    ----------
    strength : float
        C of the regression.
    limit : int
        Words learned from, at most; drawn at random.
    seed : int
    """

    def __init__(self, *, strength: float = 0.01, limit: int = 60_000, seed: int = 0) -> None:
        self.strength, self.limit, self.seed = strength, limit, seed

    def fit(self, vectors: Sequence[NDArray[np.float32]], tags: Sequence[Sequence[str]]) -> WordClassifier:
        """Learn from [(words, d), ...] and the tags of the same sentences."""
        from interlingua.pipelines.vector_classifier import VectorClassifier

        words, labels = np.concatenate(list(vectors)), np.array([tag for each in tags for tag in each])
        chosen = np.random.default_rng(self.seed).permutation(len(labels))[: self.limit]
        words, labels = words[chosen], labels[chosen]
        self.mean_, deviation = words.mean(axis=0), words.std(axis=0)
        self.scale_ = 1 / np.where(deviation > 0, deviation, 1)
        classifier = VectorClassifier("logistic", strength=self.strength, calibrate=False)
        self.classifier_ = classifier.fit((words - self.mean_) * self.scale_, labels)
        return self

    def predict(self, vectors: Sequence[NDArray[np.float32]]) -> list[list[str]]:
        """Return the tags of each sentence."""
        words = (np.concatenate(list(vectors)) - self.mean_) * self.scale_
        found = self.classifier_.predict(words).tolist()
        ends = np.cumsum([len(each) for each in vectors])
        return [found[end - len(each) : end] for end, each in zip(ends, vectors)]


class TokenTagger:
    """Tags words by their frozen vectors in the sentence.

    Parameters
    ----------
    encoder : Encoder
    layer : int, optional
        Hidden layer of a transformer that is read. None chooses among those at a third, a half, two thirds and the end,
        by a tenth of the sentences (at most 1,000 of them are looked at): the last one knows the text, not its words.
    seed : int
        Draws that tenth.

    Attributes
    ----------
    layer_ : int
    """

    def __init__(self, encoder: Encoder, *, layer: int | None = None, seed: int = 0) -> None:
        self.encoder, self.layer, self.seed = encoder, layer, seed
        self.classifier = WordClassifier(seed=seed)

    def fit(self, sentences: Sequence[Sequence[str]], tags: Sequence[Sequence[str]]) -> TokenTagger:
        """Learn from sentences of words and their tags."""
        self.layer_ = self._choose(sentences, tags) if self.layer is None else self.layer
        self.classifier.fit(word_vectors(self.encoder, sentences, layers=(self.layer_,)), tags)
        return self

    def predict(self, sentences: Sequence[Sequence[str]]) -> list[list[str]]:
        """Return the tags of each sentence."""
        return self.classifier.predict(word_vectors(self.encoder, sentences, layers=(self.layer_,)))

    def _choose(self, sentences: Sequence[Sequence[str]], tags: Sequence[Sequence[str]]) -> int:
        layers = sorted({round(share * depth(self.encoder)) for share in (1 / 3, 1 / 2, 2 / 3, 1)})
        order = np.random.default_rng(self.seed).permutation(len(sentences))[:_CHOSEN_BY]
        held, rest = order[: len(order) // 10], order[len(order) // 10 :]
        if len(layers) == 1 or not len(held):
            return layers[-1]
        gold = [tag for row in held for tag in tags[row]]
        right: dict[int, int] = {}
        for layer in layers:
            vectors = dict(zip(order, word_vectors(self.encoder, [sentences[row] for row in order], layers=(layer,))))
            part = WordClassifier(seed=self.seed).fit([vectors[row] for row in rest], [tags[row] for row in rest])
            said = [tag for each in part.predict([vectors[row] for row in held]) for tag in each]
            right[layer] = sum(one == two for one, two in zip(gold, said))
        return max(right, key=lambda layer: right[layer])
