"""Predictions of an encoder fine-tuned on English: labels of texts and of pairs, grades of pages, tags of words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from interlingua.pipelines.training import FineTuning, Labelled, LabelledWords, TextClassifier, fine_tune

from .frozen import Work
from .tasks import Examples
from .token_protocols import read_tagged

__all__ = ["classify", "rank", "tag"]

Found = Iterator[tuple[str, Any]]


def classify(work: Work) -> Found:
    """Yield labels; the two texts of a pair are read together."""
    classifier = _learned_from_examples(work)
    for language in work.languages:
        yield language, list(classifier.predict(_texts(work.module.read_examples(work.task, work.data, language))))


def rank(work: Work) -> Found:
    """Yield the expected grade of each query's page, sum_g g p(g)."""
    classifier = _learned_from_examples(work)
    grades = np.array([float(label) for label in classifier.shape.labels])
    for language in work.languages:
        texts = _texts(work.module.read_examples(work.task, work.data, language))
        yield language, (classifier.scores(texts) @ grades).tolist()


def tag(work: Work) -> Found:
    """Yield the tags of each sentence."""
    sentences, tags = read_tagged(work, work.task.train)
    classifier = _learned(
        work, LabelledWords(tuple(tuple(each) for each in sentences), tuple(tuple(each) for each in tags), "en")
    )
    for language in work.languages:
        said = classifier.predict(read_tagged(work, work.task.files[0], language)[0])
        yield language, [list(each) for each in said]


def _learned_from_examples(work: Work) -> TextClassifier:
    train = work.module.read_examples(work.task, work.data, "en", "train")
    return _learned(work, Labelled(_texts(train), train.labels, "en"))


def _learned(work: Work, train: Labelled | LabelledWords) -> TextClassifier:
    """Fine-tune on as many examples, drawn at random, as the steps will see."""
    settings = work.tuning or FineTuning()
    steps = settings.steps_for(len(train))
    order = np.random.default_rng(settings.seed).permutation(len(train))[: steps * settings.batch_size]
    words = isinstance(train, LabelledWords)
    labels = [tag for tags in train.labels for tag in tags] if words else list(train.labels)
    start = TextClassifier.create(
        work.vectors.encoder, [str(each) for each in labels], words=words, pooling=settings.pooling,
        layer=settings.layer, prompt=settings.prompt, max_length=settings.max_length, dropout=settings.dropout,
        seed=settings.seed, device=settings.device, dtype=settings.dtype,
    )  # fmt: skip
    return fine_tune(train.select(sorted(order.tolist())), replace(settings, steps=steps), start=start)


def _texts(examples: Examples) -> tuple[Any, ...]:
    """Return pairs as they are, single texts without their tuples."""
    return tuple(each if len(each) == 2 else each[0] for each in examples.texts)
