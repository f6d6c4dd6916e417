"""From files of predictions to scores by task and language, with floors and averages of what is complete."""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from .scorers import accuracy, average, bleu, group_averages, normalize_squad, question_answering, wpr_ndcg
from .tasks import Task, read_questions

Scores = dict[str, float]
Scorer = Callable[[Task, str, str | os.PathLike[str], str | os.PathLike[str]], tuple[Scores, Scores]]
_SHUFFLES = 20


@dataclass(frozen=True)
class Evaluation:
    """Scores between 0 and 1.

    Attributes
    ----------
    scores, floors : dict
        By task, language and metric; floors by task, language and name of the floor.
    tasks : dict
        By task: the mean over languages (of the mean of exact match and F1, where both are scored). A task of
        which languages are missing is not here.
    averages : dict
        By group of tasks, of the groups that are complete.
    """

    scores: dict[str, dict[str, Scores]]
    floors: dict[str, dict[str, Scores]] = field(default_factory=dict)
    tasks: Scores = field(default_factory=dict)
    averages: Scores = field(default_factory=dict)


def evaluate_tasks(
    table: Mapping[str, Task],
    groups: Mapping[str, Sequence[str]],
    scorer: Scorer,
    predictions: str | os.PathLike[str],
    labels: str | os.PathLike[str],
    names: Sequence[str],
    languages: Sequence[str] | None,
) -> Evaluation:
    """Score tasks; `languages` restricts them, and then only tasks whose languages are all there have a score."""
    if unknown := sorted(set(names) - set(table)):
        raise ValueError(f"unknown tasks {', '.join(unknown)}; known are {', '.join(table)}")
    scores: dict[str, dict[str, Scores]] = {}
    floors: dict[str, dict[str, Scores]] = {}
    complete = {}
    for name in names:
        task = table[name]
        chosen = [each for each in task.languages if languages is None or each in languages]
        if not chosen:
            raise ValueError(
                f"{name} has the languages {', '.join(task.languages)}, none of {', '.join(languages or ())}"
            )
        found = {language: scorer(task, language, predictions, labels) for language in chosen}
        scores[name] = {language: each for language, (each, _) in found.items()}
        floors[name] = {language: each for language, (_, each) in found.items()}
        if len(chosen) == len(task.languages):
            complete[name] = average({language: average(each) for language, each in scores[name].items()})
    return Evaluation(scores, floors, complete, group_averages(complete, groups))


def label_floors(gold: Sequence[str]) -> Scores:
    """Return the accuracy of the most frequent label, and of the first label by name at every row."""
    counts = Counter(gold)
    return {"majority": max(counts.values()) / len(gold), "constant": accuracy(gold, [sorted(counts)[0]] * len(gold))}


def answer_floors(path: str | os.PathLike[str], normalize: Callable[[str], str] = normalize_squad) -> Scores:
    """Return the F1 of the whole passage as the answer, and of its first five words."""
    questions = read_questions(path)
    gold = {each.id: [each.answer] for each in questions}
    said = {
        "whole passage": {each.id: each.passage for each in questions},
        "first words": {each.id: " ".join(each.passage.split()[:5]) for each in questions},
    }
    return {name: question_answering(gold, each, normalize)[1] for name, each in said.items()}


def generation_floors(gold: Sequence[str], sources: Sequence[str]) -> Scores:
    """Return the BLEU of nothing, and of the first ten words of each source where there are sources."""
    floors = {"empty": 0.0}
    if len(sources) == len(gold):
        floors["first words"] = bleu(gold, [" ".join(each.split()[:10]) for each in sources])
    return floors


def tag_floors(gold: Sequence[Sequence[str]], score: Callable[..., float]) -> Scores:
    """Return the score of the most frequent tag at every token."""
    tag = Counter(each for sentence in gold for each in sentence).most_common(1)[0][0]
    return {"majority": score(gold, [[tag] * len(sentence) for sentence in gold])}


def ranking_floors(queries: Sequence[str], grades: Sequence[float]) -> Scores:
    """Return nDCG of equal scores, and the mean of twenty random orders: high, for the lists are short."""
    rng = np.random.default_rng(0)
    shuffled = [wpr_ndcg(queries, grades, rng.random(len(grades)).tolist()) for _ in range(_SHUFFLES)]
    return {"constant": wpr_ndcg(queries, grades, [0.0] * len(grades)), "shuffled": float(np.mean(shuffled))}
