"""What a bridge keeps of re-embedding, measured on a sample; and what one would keep, before it is fitted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.bridge import (
    Bridge,
    BridgeError,
    Retention,
    answer_ranks,
    nearest_rows,
    retention,
    shared_share,
)
from interlingua.pipelines.encoders.base import Encoder
from interlingua.pipelines.texts.lines import PathLike
from interlingua.pipelines.texts.passages import UNDETERMINED, Passage, read_passage_file

from .models import check_model
from .questions import map_questions

#: Languages with fewer questions have no interval of their own.
FEWEST_QUESTIONS = 20
_FEWEST = 50


@dataclass(frozen=True)
class Question:
    """A question to a sample of texts.

    Attributes
    ----------
    text, language : str
    answer : int or None
        Row of the text that answers it, if that is known.
    """

    text: str
    language: str
    answer: int | None = None


@dataclass(frozen=True)
class Verification:
    """What was kept of re-embedding's recall at k.

    Attributes
    ----------
    overall : Retention
        The mean over the languages' questions together.
    by_language : mapping of str to Retention
        Of each language with at least 20 questions.
    k : int
    texts : int
        That the recall was measured among.
    by_answers : bool
        Whether recall is of known answers; else of the k texts that re-embedding finds.
    goal : float
        What had to be kept.
    """

    overall: Retention
    by_language: Mapping[str, Retention]
    k: int
    texts: int
    by_answers: bool
    goal: float

    @property
    def failed(self) -> list[str]:
        """Who keeps less than the goal: "all" and languages."""
        every = {"all": self.overall, **self.by_language}
        return [name for name, each in every.items() if each.value < self.goal]

    @property
    def unsure(self) -> list[str]:
        """Who keeps the goal, but may do so by chance: the interval goes below it."""
        every = {"all": self.overall, **self.by_language}
        return [name for name, each in every.items() if each.value >= self.goal > each.low]

    def about(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        every = {"all": self.overall, **self.by_language}
        kept = {
            name: {
                "kept": round(each.value, 4),
                "from": round(each.low, 4),
                "to": round(each.high, 4),
                "bridge": round(each.recall, 4),
                "re-embedding": round(each.yardstick, 4),
                "questions": each.n,
            }
            for name, each in every.items()
        }
        return {
            "k": self.k,
            "texts": self.texts,
            "recall of": "answers" if self.by_answers else "what re-embedding finds",
            "goal": self.goal,
            "below": self.failed,
            "unsure": self.unsure,
            "kept": kept,
        }


def read_questions(path: PathLike, texts: Sequence[Passage], *, language: str | None = None) -> list[Question]:
    """Read questions to a sample of texts from a table.

    Parameters
    ----------
    path : str or path
        Each row has a `text`, a `language`, and perhaps an `answer`, the id of the text that answers it; all rows or
        none.
    texts : sequence of Passage
        The sample.
    language : str, optional
        The language of questions that name none.

    Raises
    ------
    ValueError
        If a question has no text, or its answer is none of the texts.
    """
    rows = {each.id: row for row, each in enumerate(texts)}
    found = []
    for each in read_passage_file(path, language=language):
        answer = each.metadata.get("answer")
        if answer is not None and str(answer) not in rows:
            raise ValueError(
                f"{path}: the answer {answer!r} of the question {each.text!r:.40} is the id of none of the "
                f"{len(texts)} texts; the sample must hold the answers"
            )
        found.append(Question(each.text, each.language, None if answer is None else rows[str(answer)]))
    return found


def verify_bridge(
    bridge: Bridge,
    texts: Sequence[str],
    questions: Sequence[Question],
    source: Encoder,
    target: Encoder,
    *,
    k: int = 10,
    goal: float = 0.9,
    alone: bool = False,
    seed: int = 0,
    progress: bool = False,
) -> Verification:
    """Compare a bridged search with one that re-embedded the texts, among a sample of them.

    Both ask the same questions: bridged ones in the texts' vectors by the index's own model, and the source model's
    vectors in its own vectors of the texts, by cosine. Where each question names its answer, recall is of the answers;
    otherwise of the k texts that the re-embedded search finds, which is the stricter measure. Intervals hold 95 %, over
    answers, or over questions.

    Parameters
    ----------
    bridge : Bridge
    texts : sequence of str
        A sample of the index: some hundreds or more. Recall among fewer texts is higher on both sides.
    questions : sequence of Question
    source, target : Encoder
        The two models of the bridge.
    k : int
        Hits a question.
    goal : float, from 0 to 2
        What must be kept of re-embedding's recall at k, in all languages together and in each.
    alone : bool
        Verify the map alone, as without the index's own model.
    seed : int
        Of the bootstrap.
    progress : bool
        Show bars on standard error.

    Raises
    ------
    BridgeError
        If there are too few questions or texts, or a model is not the bridge's.
    """
    if len(questions) < _FEWEST or len(texts) < max(_FEWEST, k):
        raise BridgeError(
            f"a bridge is verified with at least {_FEWEST} questions and {max(_FEWEST, k)} texts, but there are "
            f"{len(questions)} and {len(texts)}; give more"
        )
    answered = [each.answer is not None for each in questions]
    if any(answered) and not all(answered):
        raise BridgeError(f"{answered.count(False)} of {len(questions)} questions name no answer; all must, or none")
    check_model(bridge.source, source, "question model")
    check_model(bridge.target, target, "index model")
    old = target.encode(texts, role="passage", progress=progress)
    new = source.encode(texts, role="passage", progress=progress)
    asked = source.encode([each.text for each in questions], role="query", progress=progress)
    bridged = bridged_by_language(bridge, questions, source, None if alone else target, progress=progress)
    languages = np.array([each.language for each in questions])
    if all(answered):
        answers = np.array([each.answer for each in questions])
        found: NDArray[Any] = answer_ranks(bridged, old, answers) < k
        yardstick: NDArray[Any] = answer_ranks(asked, new, answers) < k
        groups: NDArray[Any] = answers
    else:
        expected = nearest_rows(asked, new, k)
        found, yardstick = shared_share(nearest_rows(bridged, old, k), expected), np.ones(len(questions))
        groups = np.arange(len(questions))
    overall = retention(found, yardstick, groups=groups, seed=seed)
    each_language = {
        name: retention(found[rows], yardstick[rows], groups=groups[rows], seed=seed)
        for name in dict.fromkeys(languages.tolist())
        if (rows := languages == name).sum() >= FEWEST_QUESTIONS and yardstick[rows].sum() > 0
    }
    return Verification(overall, each_language, k, len(texts), all(answered), goal)


def bridged_by_language(
    bridge: Bridge,
    questions: Sequence[Question],
    source: Encoder,
    target: Encoder | None,
    *,
    progress: bool = False,
) -> NDArray[np.float32]:
    """Return the bridged vectors of questions in several languages, in their order."""
    vectors = np.empty((len(questions), bridge.target.dimension), np.float32)
    for language in dict.fromkeys(each.language for each in questions):
        rows = [row for row, each in enumerate(questions) if each.language == language]
        some = [questions[row].text for row in rows]
        vectors[rows] = map_questions(
            bridge, some, language or UNDETERMINED, source=source, target=target, progress=progress
        ).vectors
    return vectors
