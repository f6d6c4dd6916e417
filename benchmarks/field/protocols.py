"""Predictions of frozen sentence vectors: classifiers learned in English, nearest rows, mined pairs, rankings.

Predictions of frozen token vectors, tags and answers, and of encoder-decoders.

Predictions of an encoder fine-tuned on English: labels of texts and of pairs, grades of pages, tags of words.

Choose one of two sentences for a premise, on frozen vectors; XCOPA's task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align import top_k
from interlingua.align.matching import match
from interlingua.pipelines.texts.labelled import Labelled, LabelledWords
from interlingua.pipelines.train import FineTuning, TextClassifier, fine_tune

from .frozen import Work
from .heads import SpanHead, TextGenerator, TokenTagger
from .tasks import (
    Examples,
    lareqa_pool,
    read_entities,
    read_json,
    read_lines,
    read_mentions,
    read_questions,
    read_rows,
    read_tags,
)
from .xtreme import read_pairs_of_ids

Found = Iterator[tuple[str, Any]]


def tag(work: Work) -> Found:
    """Yield the tags of each sentence, by a tagger learned on English."""
    tagger = TokenTagger(work.vectors.encoder).fit(*read_tagged(work, work.task.train))
    for language in work.languages:
        yield language, tagger.predict(read_tagged(work, work.task.files[0], language)[0])


def read_tagged(work: Work, pattern: str, language: str = "en") -> tuple[list[list[str]], list[list[str]]]:
    """Return the words and the tags of a file of the task."""
    separator = " " if work.task.name.isupper() else "\t"  # XGLUE's, and XTREME's
    return read_tags(work.task.path(work.data, pattern, language), separator)


def answer(work: Work) -> Found:
    """Yield the answer to each question: of a head learned on English, or of the reader that is named."""
    reader: Any
    if work.model is None:
        train = read_questions(work.task.path(work.data, work.task.train))
        reader = SpanHead(work.vectors.encoder).fit(train)
    else:
        from interlingua.pipelines.answer.reader import SpanReader

        reader = SpanReader(work.model)
    for language in work.languages:
        questions = read_questions(work.task.path(work.data, work.task.files[0], language))
        if work.model is None:
            said = reader.predict(questions)
        else:
            said = [reader.read(each.text, each.passage).text for each in questions]
        yield language, {each.id: text for each, text in zip(questions, said)}


def write(work: Work) -> Found:
    """Yield a text for each source, by an encoder-decoder that goes on learning on English.

    Raises
    ------
    ValueError
        If no model is named.
    """
    if work.model is None:
        raise ValueError(
            f"{work.task.name} asks for written texts; name an encoder-decoder of transformers, such as "
            "google/mt5-small (--model NAME)"
        )
    task = work.task
    generator = TextGenerator(work.model, steps=work.steps)
    if work.steps:
        sources = read_lines(task.path(work.data, task.train))
        generator.fit(sources, read_lines(task.path(work.data, task.train.replace(".src.", ".tgt."))))
    for language in work.languages:
        yield language, generator.generate(read_lines(task.path(work.data, task.files[0], language)))


def fine_tuned_classify(work: Work) -> Found:
    """Yield labels; the two texts of a pair are read together."""
    classifier = _learned_from_examples(work)
    for language in work.languages:
        yield language, list(classifier.predict(_texts(work.module.read_examples(work.task, work.data, language))))


def fine_tuned_rank(work: Work) -> Found:
    """Yield the expected grade of each query's page, sum_g g p(g)."""
    classifier = _learned_from_examples(work)
    grades = np.array([float(label) for label in classifier.shape.labels])
    for language in work.languages:
        texts = _texts(work.module.read_examples(work.task, work.data, language))
        yield language, (classifier.scores(texts) @ grades).tolist()


def fine_tuned_tag(work: Work) -> Found:
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
    labels = [fine_tuned_tag for tags in train.labels for fine_tuned_tag in tags] if words else list(train.labels)
    start = TextClassifier.create(
        work.vectors.encoder, [str(each) for each in labels], words=words, pooling=settings.pooling,
        layer=settings.layer, prompt=settings.prompt, max_length=settings.max_length, dropout=settings.dropout,
        seed=settings.seed, device=settings.device, dtype=settings.dtype,
    )  # fmt: skip
    return fine_tune(train.select(sorted(order.tolist())), replace(settings, steps=steps), start=start)


def _texts(examples: Examples) -> tuple[Any, ...]:
    """Return pairs as they are, single texts without their tuples."""
    return tuple(each if len(each) == 2 else each[0] for each in examples.texts)


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
        from interlingua.pipelines.classify.vectors import VectorClassifier

        features = _choices_features(choices)
        both, signs = np.concatenate([features, -features]), np.concatenate([labels, 1 - labels])
        self.classifier_ = VectorClassifier("logistic", calibrate=False).fit(both, signs)
        return self

    def predict(self, choices: Choices) -> Labels:
        """Return 0 for the first choice and 1 for the second, (n,)."""
        return np.asarray(self.classifier_.predict(_choices_features(choices)), np.int64)


def nearer(choices: Choices) -> Labels:
    """Return which choice has the higher cosine with the premise, (n,)."""
    premise, one, two = choices.vectors
    return np.asarray(((two - one) * premise).sum(axis=1) > 0, np.int64)


def _choices_features(choices: Choices) -> Vectors:
    premise, one, two = choices.vectors
    pair = [np.hstack([side, np.abs(premise - side), premise * side]) for side in (one, two)]
    difference = pair[1] - pair[0]
    signs = np.where(choices.effect, 1, -1)[:, None]
    return np.asarray(np.hstack([difference, difference * signs]), np.float32)


_CUT = 20


def classify(work: Work) -> Found:
    """Yield labels by a logistic regression learned on English, on [u; v; |u - v|; u * v] or on u."""
    from interlingua.pipelines.classify.vectors import VectorClassifier

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
