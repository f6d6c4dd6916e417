"""XTREME and the retrieval tasks of XTREME-R: the table of tasks, readers of their files, the evaluation.

References
----------
Hu et al. 2020, "XTREME", arXiv:2003.11080; Ruder et al. 2021, "XTREME-R", arXiv:2104.07412.
"""

import os
from collections.abc import Sequence
from functools import partial
from types import MappingProxyType

from .evaluation import Evaluation, Scores, answer_floors, evaluate_tasks, label_floors, tag_floors
from .scorers import accuracy, mean_average_precision, mining_f1, normalize_mlqa, question_answering, tag_f1
from .tasks import Examples, Kind, Task, lareqa_gold, lareqa_pool, read_json, read_rows, read_tags

GROUPS = {
    "classification": ("xnli", "pawsx"),
    "tagging": ("panx", "udpos"),
    "qa": ("xquad", "mlqa", "tydiqa"),
    "retrieval": ("bucc2018", "tatoeba"),
    "xtreme": ("xnli", "pawsx", "panx", "udpos", "xquad", "mlqa", "tydiqa", "bucc2018", "tatoeba"),
}


def _task(
    name: str, kind: Kind, metric: str, languages: str, columns: str, ending: str, source: str, licence: str,
    files: tuple[str, ...] = (), train: str = "", gold: str = "",
) -> Task:  # fmt: skip
    own = f"{name}/test-{{l}}.{ending}"
    inputs = tuple(f"{name}/{each}" for each in files) or (f"{name}/{{s}}-{{l}}.{ending}",)
    train = train if "/" in train else train and f"{name}/{train}"
    known, named = tuple(languages.split()), tuple(columns.split())
    return Task(name, kind, metric, known, inputs, train, named, own, gold or own, source, licence)


_UD = "af ar bg de el en es et eu fa fi fr he hi hu id it ja kk ko mr nl pt ru ta te th tl tr ur vi yo zh"
_PANX = "bn jv ka ml ms my sw"
_TATOEBA = "ar he vi id jv tl eu ml ta te af nl de el bn hi mr ur fa fr it pt es bg ru ja ka ko th sw zh kk tr et fi hu"
_QUESTIONS = "id context question answers"
_TABLE = (
    _task("xnli", "pair", "accuracy", "ar bg de el en es fr hi ru sw th tr ur vi zh", "premise hypothesis label", "tsv",
          "https://github.com/facebookresearch/XNLI", "CC BY-NC 4.0", train="train-en.tsv"),
    _task("pawsx", "pair", "accuracy", "de en es fr ja ko zh", "sentence1 sentence2 label", "tsv",
          "https://github.com/google-research-datasets/paws", "free for any purpose, with acknowledgement of Google",
          train="train-en.tsv"),
    _task("udpos", "tags", "f1", _UD, "token tag", "tsv", "https://universaldependencies.org (v2.5)",
          "by treebank, mostly CC BY-SA", train="train-en.tsv"),
    _task("panx", "tags", "f1", " ".join(sorted(f"{_UD} {_PANX}".split())), "token tag", "tsv",
          "WikiANN, https://github.com/afshinrahimi/mmner", "ODC-BY", train="train-en.tsv"),
    _task("xquad", "answers", "em, f1", "ar de el en es hi ru th tr vi zh", _QUESTIONS, "json",
          "https://github.com/google-deepmind/xquad", "CC BY-SA 4.0", ("xquad.{l}.json",),
          train="squad/train-v1.1.json"),
    _task("mlqa", "answers", "em, f1", "ar de en es hi vi zh", _QUESTIONS, "json",
          "https://github.com/facebookresearch/MLQA", "CC BY-SA 3.0",
          ("MLQA_V1/test/test-context-{l}-question-{l}.json",), train="squad/train-v1.1.json"),
    _task("tydiqa", "answers", "em, f1", "ar bn en fi id ko ru sw te", _QUESTIONS, "json",
          "https://github.com/google-research-datasets/tydiqa (GoldP)", "Apache-2.0",
          ("tydiqa-goldp-v1.1-dev/tydiqa.goldp.{l}.dev.json",),
          train="tydiqa/tydiqa-goldp-v1.1-train/tydiqa.goldp.en.train.json"),
    _task("bucc2018", "mining", "f1", "de fr ru zh", "id sentence", "tsv",
          "https://comparable.limsi.fr/bucc2018/bucc2018-task.html", "research; see the task's page",
          ("{l}-en.{s}.{l}", "{l}-en.{s}.en")),
    _task("tatoeba", "translation", "accuracy", _TATOEBA, "sentence", "tsv",
          "https://github.com/facebookresearch/LASER (data/tatoeba/v1)", "CC BY 2.0 FR", ("{l}-en.{l}", "{l}-en.en")),
    _task("lareqa", "retrieval", "map@20", "ar de el en es hi ru th tr vi zh", "id text", "json",
          "https://github.com/google-research-datasets/lareqa", "CC BY-SA 4.0", ("xquad-r/{l}.json",),
          gold="lareqa/xquad-r/{l}.json"),
    _task("mewslix", "retrieval", "map@20", "ar de en es fa ja pl ro ta tr uk", "id text", "json",
          "https://github.com/google-research/google-research/tree/master/dense_representations_for_entity_retrieval",
          "texts of Wikipedia and Wikinews: CC BY-SA, CC BY",
          ("wikinews_mentions/{s}-{l}.jsonl", "candidate_set_entities.jsonl"),
          gold="mewslix/test-{l}.json|mewslix/wikinews_labels/test-{l}.json"),
    _task("xcopa", "choice", "accuracy", "et ht id it qu sw ta th tr vi zh", "premise choice1 choice2 question label",
          "jsonl", "https://github.com/cambridgeltl/xcopa; English COPA of SuperGLUE", "CC BY 4.0; COPA BSD 2-clause",
          train="train-en.jsonl"),
)  # fmt: skip
TASKS = MappingProxyType({task.name: task for task in _TABLE})
_Folder = str | os.PathLike[str]


def read_examples(task: Task, data: _Folder, language: str, split: str = "test") -> Examples:
    """Return pairs of sentences, with labels unless the split is "test"."""
    path = task.path(data, task.train if split == "train" else task.files[0], language, split)
    rows = read_rows(path, (2, 3) if split == "test" else (3,))
    return Examples(tuple((row[0], row[1]) for row in rows), tuple(row[2] for row in rows if len(row) == 3))


def read_gold_tags(path: _Folder) -> list[list[str]]:
    """Return the tags of sentences, from lines "token TAB tag" or "tag"."""
    tokens, tags = read_tags(path, "\t")
    return [own if any(own) else first for first, own in zip(tokens, tags)]


def read_answers(path: _Folder) -> dict[str, list[str]]:
    """Return the answers of each question of a file in SQuAD's layout."""
    paragraphs = [paragraph for article in read_json(path)["data"] for paragraph in article["paragraphs"]]
    questions = [question for paragraph in paragraphs for question in paragraph["qas"]]
    return {each["id"]: [answer["text"] for answer in each["answers"]] for each in questions}


def read_pairs_of_ids(path: _Folder) -> list[tuple[str, str]]:
    """Return the identifiers of sentences that are translations."""
    return [(row[0], row[1]) for row in read_rows(path, (2,))]


def evaluate(
    predictions: _Folder, labels: _Folder, tasks: Sequence[str] | None = None, languages: Sequence[str] | None = None
) -> Evaluation:
    """Score ``predictions/{task}/test-{language}.*`` by the files of the same names in `labels`.

    Parameters
    ----------
    predictions, labels : path
    tasks : sequence of str, optional
        None scores those of which `predictions` has a folder.
    languages : sequence of str, optional
        None demands all languages of a task.

    Raises
    ------
    MissingDataError
        If a file of labels is absent; the message says where it comes from. FileNotFoundError if it is predictions.
    ValueError
        If a task is unknown, or predictions do not fit the gold file.
    """
    names = [name for name in TASKS if os.path.isdir(os.path.join(predictions, name))] if tasks is None else tasks  # noqa: PTH112, PTH118
    return evaluate_tasks(TASKS, GROUPS, _score, predictions, labels, names, languages)


def _score(task: Task, language: str, predictions: _Folder, labels: _Folder) -> tuple[Scores, Scores]:
    wanted = task.path(labels, task.gold, language)
    given = task.predicted(predictions, language)
    if task.kind == "tags":
        tags = read_gold_tags(wanted)
        return {"f1": tag_f1(tags, read_gold_tags(given))}, tag_floors(tags, tag_f1)
    if task.kind == "answers":
        rule = {"normalize": partial(normalize_mlqa, language=language)} if task.name == "mlqa" else {}
        exact, overlap = question_answering(read_answers(wanted), read_json(given), **rule)
        return {"em": exact, "f1": overlap}, answer_floors(wanted, **rule)
    if task.kind == "mining":
        return {"f1": mining_f1(read_pairs_of_ids(wanted), read_pairs_of_ids(given))}, {"empty": 0.0}
    if task.kind == "retrieval":
        right = lareqa_gold(lareqa_pool(task, labels), language) if task.name == "lareqa" else read_json(wanted)
        return {"map@20": mean_average_precision(right, read_json(given))}, {"empty": 0.0}
    if task.kind == "choice":
        chosen, said = ([str(each["label"]) for each in read_json(path)] for path in (wanted, given))
        return {"accuracy": accuracy(chosen, said)}, label_floors(chosen)
    gold = [row[-1].strip() for row in read_rows(wanted, (1, 2, 3))]
    return {"accuracy": accuracy(gold, [row[0].strip() for row in read_rows(given, (1,))])}, label_floors(gold)
