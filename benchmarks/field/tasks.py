"""What a task of XTREME or XGLUE is: its files, their rows, and the files of its predictions.

Files of questions with passages, of LAReQA and of Mewsli-X.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from interlingua.align.files import replacing
from interlingua.benchmarks.harness.datasets import AnswerSet, read_answer_set

Kind = Literal["pair", "text", "rank", "tags", "answers", "mining", "translation", "retrieval", "choice", "generation"]
Path_ = str | os.PathLike[str]


class MissingDataError(FileNotFoundError):
    """A file of a task is absent; the message names it, where it comes from and its licence."""


@dataclass(frozen=True)
class Task:
    """One task: where its files lie below the data folder, `{l}` being the language and `{s}` the split.

    Attributes
    ----------
    name, kind, metric : str
    languages : tuple of str
    files : tuple of str
        Input files of a language; "a|b" is the first of the two that is there.
    train : str
        The English training file, likewise; empty if there is none.
    columns : tuple of str
        Of a row, the label last.
    prediction : str
        Below the folder of predictions.
    gold : str
        Below the folder of labels.
    source, licence : str
    """

    name: str
    kind: Kind
    metric: str
    languages: tuple[str, ...]
    files: tuple[str, ...]
    train: str
    columns: tuple[str, ...]
    prediction: str
    gold: str
    source: str
    licence: str

    def path(self, folder: Path_, pattern: str, language: str = "en", split: str = "test") -> Path:
        """Return the path of a file that exists.

        Raises
        ------
        MissingDataError
            If there is no such file.
        ValueError
            If the language is none of the task's.
        """
        self._check(language)
        paths = [Path(folder) / each for each in pattern.format(l=language, s=split).split("|")]
        found = next((each for each in paths if each.is_file()), None)
        if found is None:
            raise MissingDataError(
                f"{self.name} needs the file {' or '.join(map(str, paths))}, which is not there; "
                f"the data come from {self.source} (licence: {self.licence})"
            )
        return found

    def predicted(self, folder: Path_, language: str) -> Path:
        """Return the path of a file of predictions that exists.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the language is none of the task's.
        """
        self._check(language)
        path = Path(folder) / self.prediction.format(l=language)
        if not path.is_file():
            raise FileNotFoundError(
                f"{self.name} has no predictions for {language}: they belong into {path}; predict them, or name the "
                "folder that holds them"
            )
        return path

    def _check(self, language: str) -> None:
        if language not in self.languages and language != "en":
            raise ValueError(f"{self.name} has the languages {', '.join(self.languages)}, not {language!r}")


@dataclass(frozen=True)
class Examples:
    """Rows of a labelled file.

    Attributes
    ----------
    texts : tuple of tuple of str
        One or two texts each.
    labels : tuple of str
        Empty if the file has none.
    """

    texts: tuple[tuple[str, ...], ...]
    labels: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.texts)


def read_rows(path: Path_, columns: Sequence[int]) -> list[list[str]]:
    """Return the tab-separated rows of a file that have one of these numbers of columns.

    Raises
    ------
    ValueError
        If a row has another number; the message names the line.
    """
    rows = []
    with Path(path).open(encoding="utf-8", newline="\n") as lines:
        for number, line in enumerate(lines, 1):
            row = line.rstrip("\r\n").split("\t")
            if len(row) not in columns:
                wanted = " or ".join(map(str, columns))
                raise ValueError(f"{path}, line {number}: a row has {wanted} columns, but this one has {len(row)}")
            rows.append(row)
    return rows


def read_tags(path: Path_, separator: str | None) -> tuple[list[list[str]], list[list[str]]]:
    """Return tokens and tags of the sentences of a file, blank lines between them; no tag gives an empty one.

    A file of predictions with one tag in each line has these as its tokens. Lines of ``-DOCSTART-`` are passed over.
    """
    sentences: list[list[tuple[str, str]]] = [[]]
    for line in Path(path).read_text(encoding="utf-8").split("\n"):
        if line.startswith("-DOCSTART-"):
            continue
        if line.strip():
            token, _, tag = line.strip().partition(separator) if separator else (line.strip(), "", "")
            sentences[-1].append((token, tag.strip()))
        elif sentences[-1]:
            sentences.append([])
    kept = [sentence for sentence in sentences if sentence]
    return [[token for token, _ in each] for each in kept], [[tag for _, tag in each] for each in kept]


def read_lines(path: Path_) -> list[str]:
    """Return the lines of a file without blanks at their ends; only a line feed ends a line."""
    return [line.strip() for line in Path(path).read_text(encoding="utf-8").removesuffix("\n").split("\n")]


def read_json(path: Path_) -> Any:
    """Return the content of a JSON file, or the list of objects of a JSONL file."""
    text = Path(path).read_text(encoding="utf-8")
    try:
        if Path(path).suffix == ".jsonl":
            return [json.loads(line) for line in text.split("\n") if line.strip()]
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from error


def write_prediction(path: Path_, prediction: Mapping[str, Any] | Iterable[Any]) -> None:
    """Write predictions.

    A mapping becomes JSON, several of them JSON lines; labels stand one per line, pairs tab-separated, the tags of a
    sentence with a blank line after them.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, "w") as file:
        if isinstance(prediction, Mapping):
            json.dump(prediction, file, ensure_ascii=False)
            return
        for each in prediction:
            if isinstance(each, dict):
                file.write(json.dumps(each) + "\n")
            elif isinstance(each, tuple):
                file.write("\t".join(each) + "\n")
            elif isinstance(each, list):
                file.write("".join(f"{tag}\n" for tag in each) + "\n")
            else:
                file.write(f"{each}\n")


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


def read_questions(path: Path_) -> list[Question]:
    """Return the questions of a file in SQuAD's layout; answers may be missing."""
    found = []
    for paragraph in (each for article in read_json(path)["data"] for each in article["paragraphs"]):
        for each in paragraph["qas"]:
            answers = each.get("answers") or [{"text": "", "answer_start": -1}]
            first = answers[0]
            text, start = first["text"], int(first.get("answer_start", -1))
            found.append(Question(str(each["id"]), each["question"], paragraph["context"], text, start))
    return found


def lareqa_pool(task: Task, folder: Path_) -> dict[str, AnswerSet]:
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


def read_mentions(path: Path_) -> dict[str, str]:
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


def read_entities(path: Path_) -> tuple[list[str], list[str], list[str]]:
    """Return ids, texts (title and description) and languages of Mewsli-X's candidates."""
    entries = read_json(path)
    return (
        [each["entity_id"] for each in entries],
        [f"{each['title']}: {each['description']}" for each in entries],
        [each["description_language"] for each in entries],
    )
