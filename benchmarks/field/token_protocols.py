"""Predictions of frozen token vectors, tags and answers, and of encoder-decoders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .frozen import Work
from .generation import TextGenerator
from .readers import read_questions
from .span_head import SpanHead
from .tagging import TokenTagger
from .tasks import read_lines, read_tags

__all__ = ["answer", "read_tagged", "tag", "write"]

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
        from interlingua.pipelines.answer_reader import SpanReader

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
