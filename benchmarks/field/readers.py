"""Files of questions with passages, of LAReQA and of Mewsli-X."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..datasets import AnswerSet, read_answer_set
from .tasks import Task, read_json

__all__ = ["Question", "lareqa_gold", "lareqa_pool", "read_entities", "read_mentions", "read_questions"]

_Path = str | os.PathLike[str]


@dataclass(frozen=True)
class Question:
    """A question on a passage.

    Attributes
    ----------
    id, text, passage : str
    answer : str
        The first that is given; empty if none is.
    start : int
        Character of the passage at which it begins; -1 without an answer.
    """

    id: str
    text: str
    passage: str
    answer: str = ""
    start: int = -1


def read_questions(path: _Path) -> list[Question]:
    """Return the questions of a file in SQuAD's layout; answers may be missing."""
    found = []
    for paragraph in (each for article in read_json(path)["data"] for each in article["paragraphs"]):
        for each in paragraph["qas"]:
            answers = each.get("answers") or [{"text": "", "answer_start": -1}]
            first = answers[0]
            text, start = first["text"], int(first.get("answer_start", -1))
            found.append(Question(str(each["id"]), each["question"], paragraph["context"], text, start))
    return found


def lareqa_pool(task: Task, folder: _Path) -> dict[str, AnswerSet]:
    """Return LAReQA's questions and sentences of every language whose file is there; their sentences are the pool."""
    files = {name: Path(folder) / task.files[0].format(l=name) for name in task.languages}
    there = {name: path for name, path in files.items() if path.is_file()}
    if not there:
        task.path(folder, task.files[0])  # says what is missing
    return {name: read_answer_set(path) for name, path in there.items()}


def lareqa_gold(pool: dict[str, AnswerSet], language: str) -> dict[str, list[str]]:
    """Return the right sentences of each question of a language, "language:row", in all languages of the pool."""
    return {
        key: [f"{name}:{each.answers[key]}" for name, each in pool.items() if key in each.answers]
        for key in pool[language].answers
    }


def read_mentions(path: _Path) -> dict[str, str]:
    """Return each mention of Mewsli-X by its id: the sentence it stands in, itself between braces.

    Braces of the text become parentheses, as in the authors' code.
    """
    found = {}
    for entry in read_json(path):
        context = entry["context"]
        text, spans = context["text"], context.get("sentence_spans") or [{"start": 0, "end": len(context["text"])}]
        for mention in entry["mentions"]:
            start, end = mention["mention_span"]["start"], mention["mention_span"]["end"]
            around = [each for each in spans if each["start"] <= start and end <= each["end"]]
            first, last = (around[0]["start"], around[0]["end"]) if around else (0, len(text))
            parts = (text[first:start], text[start:end], text[end:last])
            left, inside, right = (each.replace("{", "(").replace("}", ")") for each in parts)
            found[mention["example_id"]] = f"{left}{{ {inside} }}{right}"
    return found


def read_entities(path: _Path) -> tuple[list[str], list[str], list[str]]:
    """Return ids, texts (title and description) and languages of Mewsli-X's candidates."""
    entries = read_json(path)
    return (
        [each["entity_id"] for each in entries],
        [f"{each['title']}: {each['description']}" for each in entries],
        [each["description_language"] for each in entries],
    )
