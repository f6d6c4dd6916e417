"""Find answers in passages by a linear head on frozen token vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from interlingua.pipelines import Encoder

from .readers import Question
from .token_vectors import Tokens, text_tokens

__all__ = ["SpanHead"]

_AROUND = 5


class SpanHead:
    """The likeliest first and last token of the answer, each by a softmax over the passage's tokens.

    A token h is described by [h; h * q; its best cosine with a token of the question; the mean of these best cosines
    over eleven tokens around; its cosine with q], q being the question's vector. Question and passage never see each
    other in the encoder, so expect little.

    Parameters
    ----------
    encoder : Encoder
    limit : int
        Questions learned from, at most; drawn at random.
    longest : int
        Tokens of an answer, at most.
    penalty : float
        Of the squared weights.
    seed : int
    """

    def __init__(
        self, encoder: Encoder, *, limit: int = 1000, longest: int = 30, penalty: float = 1e-4, seed: int = 0
    ) -> None:
        self.encoder, self.limit, self.longest = encoder, limit, longest
        self.penalty, self.seed = penalty, seed

    def fit(self, questions: Sequence[Question]) -> SpanHead:
        """Learn from questions with answers.

        Raises
        ------
        ValueError
            If no answer lies in the tokens that the encoder reads.
        """
        known = [each for each in questions if each.start >= 0 and each.answer]
        order = np.random.default_rng(self.seed).permutation(len(known))[: self.limit]
        chosen = [known[row] for row in order]
        features, firsts, lasts = [], [], []
        for each, tokens, described in zip(chosen, *self._describe(chosen)):
            inside = [
                row
                for row, (start, end) in enumerate(tokens.spans)
                if start < each.start + len(each.answer) and end > each.start
            ]
            if inside:
                features.append(described)
                firsts.append(inside[0])
                lasts.append(inside[-1])
        if not features:
            raise ValueError(f"none of {len(questions)} questions has an answer among the tokens of its passage")
        self.weights_ = tuple(_fit(features, places, self.penalty) for places in (firsts, lasts))
        return self

    def predict(self, questions: Sequence[Question]) -> list[str]:
        """Return the likeliest part of each passage; empty where it has no tokens."""
        found = []
        for each, tokens, described in zip(questions, *self._describe(questions)):
            if not tokens.spans:
                found.append("")
                continue
            starts, ends = (described @ weights for weights in self.weights_)
            joint = starts[:, None] + ends[None, :]
            length = len(starts)
            allowed = np.triu(np.tril(np.ones((length, length), dtype=bool), self.longest - 1))
            first, last = divmod(int(np.where(allowed, joint, -np.inf).argmax()), length)
            found.append(each.passage[tokens.spans[first][0] : tokens.spans[last][1]])
        return found

    def _describe(self, questions: Sequence[Question]) -> tuple[list[Tokens], list[NDArray[np.float32]]]:
        texts = [each.text for each in questions]
        whole = self.encoder.encode(texts, role="query")
        asked = text_tokens(self.encoder, texts, role="query")
        passages = list(dict.fromkeys(each.passage for each in questions))
        read = dict(zip(passages, text_tokens(self.encoder, passages)))
        tokens = [read[each.passage] for each in questions]
        return tokens, [_features(*each) for each in zip(whole, asked, tokens)]


def _features(question: NDArray[np.float32], asked: Tokens, passage: Tokens) -> NDArray[np.float32]:
    vectors = passage.vectors
    if not len(vectors):
        return np.empty((0, 2 * len(question) + 3), np.float32)
    best = (vectors @ asked.vectors.T).max(axis=1) if asked.spans else np.zeros(len(vectors), np.float32)
    window = np.ones(2 * _AROUND + 1)
    around = np.convolve(best, window)[_AROUND:-_AROUND] / np.convolve(np.ones(len(best)), window)[_AROUND:-_AROUND]
    columns = np.stack([best, around, vectors @ question], axis=1)
    return np.asarray(np.hstack([vectors, vectors * question, columns]), np.float32)


def _fit(features: Sequence[NDArray[np.float32]], places: Sequence[int], penalty: float) -> NDArray[np.float64]:
    """Return the w of the least mean -log softmax(F w)[place] + penalty |w|^2 / 2."""
    rows = np.concatenate(features)
    starts = np.cumsum([0] + [len(each) for each in features[:-1]])
    lengths = [len(each) for each in features]
    gold = starts + np.array(places)

    def loss(weights: NDArray[np.float64]) -> tuple[float, Any]:
        scores = rows @ weights
        scores -= np.repeat(np.maximum.reduceat(scores, starts), lengths)
        raised = np.exp(scores)
        totals = np.add.reduceat(raised, starts)
        slope = raised / np.repeat(totals, lengths)
        slope[gold] -= 1
        value = float(np.mean(np.log(totals) - scores[gold]) + penalty / 2 * weights @ weights)
        return value, rows.T @ slope / len(lengths) + penalty * weights

    found = minimize(loss, np.zeros(rows.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 200})
    return np.asarray(found.x)
