"""Predictions for every task of XTREME and XGLUE, in the layout of the submissions."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from interlingua.align import SharedSpace
from interlingua.benchmarks.field import xglue, xtreme
from interlingua.pipelines import Encoder
from interlingua.pipelines.train import FineTuning

from .frozen import FrozenVectors, Work
from .protocols import (
    answer,
    choose,
    classify,
    fine_tuned_classify,
    fine_tuned_rank,
    fine_tuned_tag,
    mine,
    rank,
    retrieve,
    tag,
    translate,
    write,
)
from .tasks import write_prediction

MODULES = {"xtreme": xtreme, "xglue": xglue}
PROTOCOLS: dict[str, Callable[[Work], Iterator[tuple[str, Any]]]] = {
    "pair": classify,
    "text": classify,
    "rank": rank,
    "translation": translate,
    "mining": mine,
    "retrieval": retrieve,
    "choice": choose,
    "tags": tag,
    "answers": answer,
    "generation": write,
}
#: Those that an encoder may be fine-tuned for.
FINE_TUNED: dict[str, Callable[[Work], Iterator[tuple[str, Any]]]] = {
    "pair": fine_tuned_classify,
    "text": fine_tuned_classify,
    "rank": fine_tuned_rank,
    "tags": fine_tuned_tag,
}
_Folder = str | os.PathLike[str]


def predict(
    benchmark: str,
    name: str,
    data: _Folder,
    output: _Folder,
    encoder: Encoder,
    languages: Sequence[str] | None = None,
    *,
    space: SharedSpace | None = None,
    model: str | None = None,
    steps: int = 1000,
    tuning: FineTuning | None = None,
) -> list[str]:
    """Write the predictions of a task in the layout of its submissions, and return the names of the files.

    Pairs and topics: a logistic regression learned on English, on [u; v; |u - v|; u * v] or on u. WPR: the cosine.
    Tatoeba: the nearest row, from English to the language. BUCC: mutual nearest pairs by ratio margin with k = 4,
    above the threshold of the best F1 on the development set. LAReQA and Mewsli-X: the twenty nearest candidates.
    XCOPA: a regression on differences of pairs. Tags: a linear layer on frozen token vectors. Answers: a linear head on
    frozen token vectors, or `model`. QG and NTG: `model`, trained on English. With `tuning`, the encoder itself learns
    on English for labels, tags and WPR's grades, and reads the two texts of a pair together.

    Parameters
    ----------
    benchmark : {"xtreme", "xglue"}
    name : str
        Of the task.
    data, output : path
        Folders of the data and of the predictions.
    encoder : Encoder
    languages : sequence of str, optional
    space : SharedSpace, optional
        What sentence vectors are mapped into; token vectors are left as they are.
    model : str, optional
        Of transformers: a reader for answers, an encoder-decoder for QG and NTG.
    steps : int
        That an encoder-decoder is trained for; 0 takes it as it is.
    tuning : FineTuning, optional
        How the encoder, a transformer, is fine-tuned; its own name of an encoder is not read. No more examples are
        drawn than its steps see.

    Raises
    ------
    MissingDataError
        If a file of the task is absent.
    ValueError
        If the task is unknown, needs a model and none is named, or has none of the languages; if an encoder is to be
        fine-tuned and is no transformer, or a space is given too, which is one of frozen vectors.
    """
    module = MODULES.get(benchmark)
    if module is None:
        raise ValueError(f"the benchmark must be xtreme or xglue, but is {benchmark!r}")
    if name not in module.TASKS:
        raise ValueError(f"{name!r} is no task of {benchmark}; its tasks are {', '.join(module.TASKS)}")
    task = module.TASKS[name]
    chosen = tuple(each for each in task.languages if languages is None or each in languages)
    if not chosen:
        raise ValueError(f"{name} has the languages {', '.join(task.languages)}, none of {', '.join(languages or ())}")
    for language in chosen:  # what is missing is said before anything is encoded
        for file in task.files:
            task.path(data, file, language)
    tuned = tuning is not None and task.kind in FINE_TUNED
    if tuned and space is not None:
        raise ValueError(f"{name} is to be fine-tuned, but a space maps frozen vectors; leave one of the two out")
    work = Work(module, task, data, chosen, FrozenVectors(encoder, space), model, steps, tuning)
    written = []
    for language, found in (FINE_TUNED if tuned else PROTOCOLS)[task.kind](work):
        written.append(task.prediction.format(l=language))
        write_prediction(os.path.join(output, written[-1]), found)  # noqa: PTH118
    return written
