"""XGLUE: the table of tasks, readers of their files, the evaluation; Liang et al. 2020, arXiv:2004.01401."""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType

from .evaluation import (
    Evaluation,
    Scores,
    answer_floors,
    evaluate_tasks,
    generation_floors,
    label_floors,
    ranking_floors,
    tag_floors,
)
from .scorers import accuracy, bleu, normalize_mlqa, question_answering, tag_f1, tag_precision, wpr_ndcg
from .tasks import Examples, Kind, Task, read_json, read_lines, read_rows, read_tags
from .xtreme import read_answers, read_gold_tags

GROUPS = {
    "understanding": ("NER", "POS", "NC", "MLQA", "XNLI", "PAWSX", "QADSM", "WPR", "QAM"),
    "generation": ("QG", "NTG"),
}


def _task(name: str, kind: Kind, metric: str, languages: str, columns: str) -> Task:
    stem = f"{name}/xglue.{name.lower()}."
    test, train = f"{stem}{{l}}.{{s}}", f"{stem}en.train"
    files, gold = (test,), f"{stem}{{l}}.test"
    if name in ("NER", "POS", "XNLI"):
        files, gold, train = (f"{test}|{name}/{{l}}.{{s}}",), f"{gold}|{name}/{{l}}.test", f"{train}|{name}/en.train"
    if name == "XNLI":
        train += "|XNLI/multinli.train.en.tsv"
    if name == "PAWSX":
        files, gold = (f"{test}|PAWSX/{{l}}/{{s}}_2k.tsv",), f"{gold}|PAWSX/{{l}}/test_2k.tsv"
        train += "|PAWSX/en/train.tsv"
    if name == "MLQA":
        official = "MLQA/MLQA_V1/{s}/{s}-context-{l}-question-{l}.json"
        files, gold = (f"{test}|{official}",), f"{gold}|{official}"
        train += "|MLQA/squad1.1/train-v1.1.json"
    if kind == "generation":
        files, gold, train = (f"{stem}{{l}}.src.{{s}}",), f"{stem}{{l}}.tgt.test", f"{stem}en.src.train"
    return Task(name, kind, metric, tuple(languages.split()), files, train, tuple(columns.split()),
                f"{name}/{{l}}.prediction", gold, "https://microsoft.github.io/XGLUE/ (after its terms are accepted)",
                "non-commercial research")  # fmt: skip


TASKS = MappingProxyType(
    {
        task.name: task
        for task in (
            _task("NER", "tags", "f1", "de en es nl", "token tag"),
            _task("POS", "tags", "precision", "ar bg de el en es fr hi it nl pl pt ru th tr ur vi zh", "token tag"),
            _task("NC", "text", "accuracy", "de en es fr ru", "title body category"),
            _task("MLQA", "answers", "f1", "ar de en es hi vi zh", "id context question answers"),
            _task(
                "XNLI", "pair", "accuracy", "ar bg de el en es fr hi ru sw th tr ur vi zh", "premise hypothesis label"
            ),
            _task("PAWSX", "pair", "accuracy", "de en es fr", "id sentence1 sentence2 label"),
            _task("QADSM", "pair", "accuracy", "de en fr", "query title description label"),
            _task("WPR", "rank", "ndcg", "de en es fr it pt zh", "query title snippet label"),
            _task("QAM", "pair", "accuracy", "de en fr", "question passage label"),
            _task("QG", "generation", "bleu", "de en es fr it pt", "passage question"),
            _task("NTG", "generation", "bleu", "de en es fr ru", "body title"),
        )
    }
)
_Folder = str | os.PathLike[str]


def read_examples(task: Task, data: _Folder, language: str, split: str = "test") -> Examples:
    """Return the texts and labels of a task of rows; a title and what follows it are one text.

    Files of the test split may lack the last column, the labels: QAM, QADSM and WPR were handed out so.

    Raises
    ------
    MissingDataError
        If there is no such file.
    ValueError
        If a row has another number of columns.
    """
    path = task.path(data, task.train if split == "train" else task.files[0], language, split)
    if task.name == "XNLI":
        return _read_xnli(path, language)
    width = len(task.columns)
    bare = split == "test" and task.name in ("QAM", "QADSM", "WPR")
    rows = read_rows(path, {"PAWSX": (4,), "NC": (3, 4)}.get(task.name, (width - 1, width) if bare else (width,)))
    if bare and all(len(row) < width for row in rows):
        return Examples(tuple((row[0], " ".join(row[1:])) for row in rows))
    texts: tuple[tuple[str, ...], ...]
    if task.name == "PAWSX":
        rows = rows[1:]  # a header
        texts = tuple((row[1], row[2]) for row in rows)
    elif task.name == "NC":
        texts = tuple((f"{row[-3]} {row[-2]}",) for row in rows)
    else:
        texts = tuple((row[0], " ".join(row[1:-1])) for row in rows)
    return Examples(texts, tuple(row[-1].strip() for row in rows))


def evaluate(
    predictions: _Folder, labels: _Folder, tasks: Sequence[str] | None = None, languages: Sequence[str] | None = None
) -> Evaluation:
    """Score ``predictions/{TASK}/{language}.prediction`` by the data files with labels; see `xtreme.evaluate`."""
    names = [name for name in TASKS if os.path.isdir(os.path.join(predictions, name))] if tasks is None else tasks  # noqa: PTH112, PTH118
    return evaluate_tasks(TASKS, GROUPS, _score, predictions, labels, names, languages)


def _read_xnli(path: _Folder, language: str) -> Examples:
    rows = [line.split("\t") for line in Path(path).read_text(encoding="utf-8").rstrip("\n").split("\n")]
    if "gold_label" in rows[0]:
        label, one, two = (rows[0].index(name) for name in ("gold_label", "sentence1", "sentence2"))
        own = [row for row in rows[1:] if "language" not in rows[0] or row[rows[0].index("language")] == language]
    else:
        own, (one, two, label) = [row for row in rows if row[-1] != "label"], (0, 1, 2)
    short = [number for number, row in enumerate(own, 1) if len(row) <= max(one, two, label)]
    if short:
        raise ValueError(f"{path}: a row has the columns of the header, but row {short[0]} of {language} is shorter")
    labels = tuple("contradiction" if row[label] == "contradictory" else row[label] for row in own)
    return Examples(tuple((row[one], row[two]) for row in own), labels)


def _score(task: Task, language: str, predictions: _Folder, labels: _Folder) -> tuple[Scores, Scores]:
    wanted = task.path(labels, task.gold, language)
    given = task.predicted(predictions, language)
    if task.kind == "tags":
        score = tag_precision if task.name == "POS" else tag_f1
        tags = read_tags(wanted, " ")[1]
        said = [each + ["O"] * (len(own) - len(each)) for own, each in zip(tags, read_gold_tags(given), strict=True)]
        return {task.metric: score(tags, said)}, tag_floors(tags, score)  # the official script pads with O, too
    if task.kind == "answers":
        rule = partial(normalize_mlqa, language=language)
        return {"f1": question_answering(read_answers(wanted), read_json(given), rule)[1]}, answer_floors(wanted, rule)
    lines = given.read_text(encoding="utf-8").split("\n")
    lines = lines[:-1] if lines[-1] == "" else lines
    if task.kind == "generation":
        texts = [each.split("\t")[-1] for each in read_lines(wanted)]
        source = Path(str(wanted).replace(".tgt.", ".src."))
        floors = generation_floors(texts, read_lines(source) if source.is_file() else ())
        return {"bleu": bleu(texts, [each.strip() for each in lines])}, floors
    gold = read_examples(task, labels, language)
    if task.kind == "rank":
        queries, grades = [each[0] for each in gold.texts], [float(each) for each in gold.labels]
        return {"ndcg": wpr_ndcg(queries, grades, [float(each) for each in lines])}, ranking_floors(queries, grades)
    return {"accuracy": accuracy(gold.labels, [each.strip() for each in lines])}, label_floors(gold.labels)
