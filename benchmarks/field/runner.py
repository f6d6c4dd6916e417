"""Predictions of frozen sentence vectors for the tasks that they can do."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align import top_k
from interlingua.align.matching import match
from interlingua.pipelines import Encoder

from . import xglue, xtreme
from .tasks import Examples, Task, read_json, read_rows, write_prediction

__all__ = ["SERVED", "best_threshold", "pair_features", "predict"]

SERVED = ("pair", "text", "rank", "mining", "translation", "retrieval")
_Folder = str | os.PathLike[str]


def predict(
    benchmark: str, name: str, data: _Folder, output: _Folder, encoder: Encoder, languages: Sequence[str] | None = None
) -> list[str]:
    """Write the predictions of a task in the layout of its submissions, and return the names of the files.

    Pairs and topics: a logistic regression learned on English, on [u; v; |u - v|; u * v] or on u. WPR: the cosine.
    Tatoeba: the nearest row, from English to the language. BUCC: mutual nearest pairs by ratio margin with k = 4,
    above the threshold of the best F1 on the development set. LAReQA and Mewsli-X: the twenty nearest candidates.

    Parameters
    ----------
    benchmark : {"xtreme", "xglue"}
    name : str
        Of the task.
    data, output : path
        Folders of the data and of the predictions.
    encoder : Encoder
    languages : sequence of str, optional

    Raises
    ------
    MissingDataError
        If a file of the task is absent.
    ValueError
        If the task is unknown, or needs more than frozen sentence vectors.
    """
    module = {"xtreme": xtreme, "xglue": xglue}.get(benchmark)
    if module is None:
        raise ValueError(f"the benchmark must be xtreme or xglue, but is {benchmark!r}")
    if name not in module.TASKS:
        raise ValueError(f"{name!r} is no task of {benchmark}; its tasks are {', '.join(module.TASKS)}")
    task = module.TASKS[name]
    if task.kind not in SERVED:
        raise ValueError(
            f"{name} asks for {task.kind}, which frozen sentence vectors cannot give; "
            "write the predictions with another model, and score them here"
        )
    chosen = [each for each in task.languages if languages is None or each in languages]
    classifier = None
    if task.kind in ("pair", "text"):
        from interlingua.pipelines.vector_classifier import VectorClassifier

        train = module.read_examples(task, data, "en", "train")
        classifier = VectorClassifier("logistic").fit(_features(encoder, train), list(train.labels))
    written = []
    for language in chosen:
        if classifier is not None:
            found: Any = classifier.predict(_features(encoder, module.read_examples(task, data, language))).tolist()
        elif task.kind == "rank":
            found = _cosines(encoder, module.read_examples(task, data, language)).tolist()
        elif task.kind == "mining":
            found = _mine(encoder, task, data, language)
        elif task.kind == "translation":
            foreign, english = (
                [row[0] for row in read_rows(task.path(data, file, language), (1,))] for file in task.files
            )
            found = top_k(encoder.encode(english), encoder.encode(foreign), 1).ids[:, 0].tolist()
        else:
            found = _retrieve(encoder, task, data, language)
        write_prediction(os.path.join(output, task.prediction.format(l=language)), found)  # noqa: PTH118
        written.append(task.prediction.format(l=language))
    return written


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


def _features(encoder: Encoder, examples: Examples) -> NDArray[np.float32]:
    sides = [encoder.encode(list(side)) for side in zip(*examples.texts)]
    return pair_features(*sides) if len(sides) == 2 else sides[0]


def _cosines(encoder: Encoder, examples: Examples) -> NDArray[np.float32]:
    queries, pages = zip(*examples.texts)
    left, right = encoder.encode(list(queries), role="query"), encoder.encode(list(pages), role="passage")
    return np.asarray(np.einsum("nd,nd->n", left, right))


def _mine(encoder: Encoder, task: Task, data: _Folder, language: str) -> list[tuple[str, str]]:
    """Mine the test set at the best threshold of the development set."""
    pairs, scores = _margins(encoder, task, data, language, "dev")
    gold = set(xtreme.read_pairs_of_ids(task.path(data, f"{task.name}/{{l}}-en.{{s}}.gold", language, "dev")))
    threshold = best_threshold(scores, np.array([pair in gold for pair in pairs], dtype=bool), len(gold))
    found, margins = _margins(encoder, task, data, language, "test")
    return [pair for pair, margin in zip(found, margins) if margin >= threshold]


def _margins(
    encoder: Encoder, task: Task, data: _Folder, language: str, split: str
) -> tuple[list[tuple[str, str]], NDArray[np.float32]]:
    left, right = (read_rows(task.path(data, file, language, split), (2,)) for file in task.files)
    vectors = [encoder.encode([row[1] for row in side]) for side in (left, right)]
    found = match(vectors[0] @ vectors[1].T, "ratio", k=4)
    return [(left[row][0], right[column][0]) for row, column in found.pairs], found.scores


def _retrieve(encoder: Encoder, task: Task, data: _Folder, language: str) -> dict[str, list[str]]:
    """Rank candidates of all languages; objects have "id" or "entity_id", and "text" or "title" and "description"."""
    queries, candidates = (read_json(task.path(data, file, language)) for file in task.files)
    found = top_k(
        encoder.encode([_text(each) for each in queries], role="query"),
        encoder.encode([_text(each) for each in candidates], role="passage"),
        min(20, len(candidates)),
    )
    names = [str(each.get("entity_id", each.get("id"))) for each in candidates]
    return {str(each["id"]): [names[row] for row in rows] for each, rows in zip(queries, found.ids)}


def _text(entry: dict[str, str]) -> str:
    return entry["text"] if "text" in entry else f"{entry.get('title', '')} {entry.get('description', '')}".strip()
