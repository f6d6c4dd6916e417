"""Predictions of frozen sentence vectors: classifiers learned in English, nearest rows, mined pairs, rankings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align import top_k
from interlingua.align.matching import match

from .choices import ChoiceClassifier, Choices
from .frozen import Work
from .readers import lareqa_pool, read_entities, read_mentions
from .tasks import Examples, read_json, read_rows
from .xtreme import read_pairs_of_ids

__all__ = ["best_threshold", "choose", "classify", "mine", "pair_features", "rank", "retrieve", "translate"]

Found = Iterator[tuple[str, Any]]
_CUT = 20


def classify(work: Work) -> Found:
    """Yield labels by a logistic regression learned on English, on [u; v; |u - v|; u * v] or on u."""
    from interlingua.pipelines.vector_classifier import VectorClassifier

    train = work.module.read_examples(work.task, work.data, "en", "train")
    classifier = VectorClassifier("logistic").fit(_features(work, train, "en"), list(train.labels))
    for language in work.languages:
        test = work.module.read_examples(work.task, work.data, language)
        yield language, classifier.predict(_features(work, test, language)).tolist()


def rank(work: Work) -> Found:
    """Yield the cosine of each query with its page."""
    for language in work.languages:
        queries, pages = zip(*work.module.read_examples(work.task, work.data, language).texts)
        left = work.vectors.encode(list(queries), language, "query")
        right = work.vectors.encode(list(pages), language, "passage")
        yield language, np.einsum("nd,nd->n", left, right).tolist()


def translate(work: Work) -> Found:
    """Yield the nearest foreign row of each English one."""
    for language in work.languages:
        foreign, english = (
            [row[0] for row in read_rows(work.task.path(work.data, file, language), (1,))] for file in work.task.files
        )
        found = top_k(work.vectors.encode(english, "en"), work.vectors.encode(foreign, language), 1)
        yield language, found.ids[:, 0].tolist()


def mine(work: Work) -> Found:
    """Yield mutual nearest pairs by ratio margin with k = 4, at the best threshold of the development set."""
    gold_file = f"{work.task.name}/{{l}}-en.{{s}}.gold"
    for language in work.languages:
        pairs, scores = _margins(work, language, "dev")
        gold = set(read_pairs_of_ids(work.task.path(work.data, gold_file, language, "dev")))
        threshold = best_threshold(scores, np.array([pair in gold for pair in pairs], dtype=bool), len(gold))
        found, margins = _margins(work, language, "test")
        yield language, [pair for pair, margin in zip(found, margins) if margin >= threshold]


def retrieve(work: Work) -> Found:
    """Yield the twenty nearest candidates of each question or mention, of all languages."""
    if work.task.name == "lareqa":
        pool = lareqa_pool(work.task, work.data)
        ids = [f"{name}:{row}" for name, each in pool.items() for row in range(len(each.sentences))]
        vectors = np.concatenate([work.vectors.encode(each.sentences, name, "passage") for name, each in pool.items()])
    else:
        ids, texts, languages = read_entities(work.task.path(work.data, work.task.files[1]))
        vectors = np.empty((len(texts), work.vectors.encoder.dimension), np.float32)
        for name in dict.fromkeys(languages):
            rows = [row for row, each in enumerate(languages) if each == name]
            vectors[rows] = work.vectors.encode([texts[row] for row in rows], name, "passage")
    for language in work.languages:
        if work.task.name == "lareqa":
            work.task.path(work.data, work.task.files[0], language)
            asked = {key: text for key, text in pool[language].questions.items() if key in pool[language].answers}
        else:
            asked = read_mentions(work.task.path(work.data, work.task.files[0], language))
        queries = work.vectors.encode(list(asked.values()), language, "query")
        near = top_k(queries, vectors, min(_CUT, len(ids)))
        yield language, {key: [ids[row] for row in rows] for key, rows in zip(asked, near.ids)}


def choose(work: Work) -> Found:
    """Yield XCOPA's choices, by a logistic regression on the differences of pairs, learned on English COPA."""

    def read(pattern: str, language: str) -> tuple[Choices, NDArray[np.int64]]:
        items = read_json(work.task.path(work.data, pattern, language))
        return Choices.of(items, lambda texts: work.vectors.encode(texts, language))

    classifier = ChoiceClassifier().fit(*read(work.task.train, "en"))
    for language in work.languages:
        said = classifier.predict(read(work.task.files[0], language)[0])
        yield language, [{"label": int(each)} for each in said]


def pair_features(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return [u; v; |u - v|; u * v] of rows u and v, (n, 4 d)."""
    return np.concatenate([left, right, np.abs(left - right), left * right], axis=1)


def best_threshold(scores: NDArray[np.floating], right: NDArray[np.bool_], n_gold: int) -> float:
    """Return the score at which the pairs that reach it have the greatest F1 = 2 hits / (pairs + n_gold)."""
    if len(scores) == 0:
        return float("inf")
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    f1 = 2 * np.cumsum(right[order]) / (np.arange(1, len(ranked) + 1) + n_gold)
    f1[:-1][ranked[:-1] == ranked[1:]] = -1  # equal scores pass together
    return float(ranked[int(f1.argmax())])


def _features(work: Work, examples: Examples, language: str) -> NDArray[np.float32]:
    sides = [work.vectors.encode(list(side), language) for side in zip(*examples.texts)]
    return pair_features(*sides) if len(sides) == 2 else sides[0]


def _margins(work: Work, language: str, split: str) -> tuple[list[tuple[str, str]], NDArray[np.float32]]:
    left, right = (read_rows(work.task.path(work.data, file, language, split), (2,)) for file in work.task.files)
    one = work.vectors.encode([row[1] for row in left], language)
    two = work.vectors.encode([row[1] for row in right], "en")
    found = match(one @ two.T, "ratio", k=4)
    return [(left[row][0], right[column][0]) for row, column in found.pairs], found.scores
