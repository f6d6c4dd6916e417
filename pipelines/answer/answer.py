"""Answer questions of any language with sentences of passages, or not at all.

How likely the best sentence answers a question, learned from questions with known answers.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interlingua.align.logit import fit_logit
from interlingua.align.matching.confidence import count_for_precision
from interlingua.pipelines.encoders.base import Encoder
from interlingua.pipelines.encoders.known import remember_model, require_known_model
from interlingua.pipelines.search.finding import SearchHit
from interlingua.pipelines.search.judged import relevance_of, search_judged
from interlingua.pipelines.search.parts import SearchParts, read_search, write_search
from interlingua.pipelines.search.relevance import Relevance
from interlingua.pipelines.search.search import CrossLingualSearch
from interlingua.pipelines.stored import OLDER_MARKERS, EncoderNote, Stored, encoder_of, is_older
from interlingua.pipelines.texts.passages import Passage, check_passages, read_passages
from interlingua.pipelines.texts.sentences import sentence_bounds

from .reader import Span, SpanReader

_FEWEST = 20
_RIDGE = 1.0  # an example's worth: keeps the weights finite where right and wrong separate


@dataclass(frozen=True)
class AnswerCalibration:
    """The probability that an answer is right, by a logistic function of what the search says of it.

    Attributes
    ----------
    weights : (f,) array of float64
    bias : float
        p = 1 / (1 + exp(-(evidence @ weights + bias))).
    sample : (n,) array of float64
        Probabilities of the questions it was fitted on, rising.
    """

    weights: NDArray[np.float64]
    bias: float
    sample: NDArray[np.float64]

    @classmethod
    def fit(cls, evidence: ArrayLike, right: ArrayLike, weights: ArrayLike | None = None) -> AnswerCalibration:
        """Fit on answers that are known to be right or wrong (Platt scaling) [1]_.

        Parameters
        ----------
        evidence : (n, f) array
        right : (n,) array of bool
        weights : (n,) array, optional
            How much each counts.

        Raises
        ------
        ValueError
            With fewer than 20 answers, or none right, or none wrong.

        References
        ----------
        .. [1] Guo, Pleiss, Sun and Weinberger (2017), "On calibration of modern neural networks", ICML.
           arXiv:1706.04599
        """
        rows, labels = np.asarray(evidence, np.float64), np.asarray(right, bool)
        if len(rows) < _FEWEST or labels.all() or not labels.any():
            seen = f"{len(rows)} of which {int(labels.sum())} are answered rightly"
            raise ValueError(
                f"calibration needs {_FEWEST} questions, some answered rightly and some not, but has {seen}"
            )
        slopes, bias = _logistic(rows, labels, np.ones(len(rows)) if weights is None else np.asarray(weights, float))
        made = cls(slopes, bias, np.empty(0))
        return cls(slopes, bias, np.sort(made.probability(rows)))

    def probability(self, evidence: ArrayLike) -> NDArray[np.float64]:
        """Return the probability that each answer is right, (n,), from (n, f)."""
        raw = np.asarray(evidence, np.float64) @ self.weights + self.bias
        found: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(raw, -30, 30)))
        return found

    def threshold(self, precision: float) -> float:
        """Return the probability from which on answers are right in `precision` of all cases, infinity if never.

        The expected precision of the answers above it, over the questions that it was fitted on.

        Raises
        ------
        ValueError
            If `precision` is negative or above 1.
        """
        falling = self.sample[::-1]
        kept = count_for_precision(falling, precision, required=False) if precision != 0 else len(falling)
        return float(falling[kept - 1]) if kept else float("inf")

    def to_json(self) -> dict[str, Any]:
        """Return everything as values of JSON."""
        return {
            "weights": self.weights.tolist(),
            "bias": self.bias,
            "sample": self.sample.round(6).tolist(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> AnswerCalibration:
        """Return what `to_json` wrote."""
        weights, sample = (np.asarray(value[name], np.float64) for name in ("weights", "sample"))
        return cls(weights, float(value["bias"]), sample)


def _logistic(
    rows: NDArray[np.float64], labels: NDArray[np.bool_], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Return slopes and bias of a logistic regression, its standardised slopes held by a ridge."""
    mean, scale = rows.mean(axis=0), rows.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    design = np.column_stack([(rows - mean) / scale, np.ones(len(rows))])
    beta = fit_logit(
        design,
        np.arange(len(rows)),
        labels,
        penalties=np.array([_RIDGE] * rows.shape[1] + [1e-9]),
        outside=True,
        shares=weights * (len(rows) / weights.sum()),
        tolerance=1e-14,
    )
    slopes = beta[:-1] / scale
    return slopes, float(beta[-1] - mean @ slopes)


_FORMAT = 1
_PASSAGES, _OLDER_SEARCH = "passages.jsonl", "sentences"
_LIST = 40  # hits that are looked at for a question
_BACKGROUND = slice(10, 20)  # those that stand for sentences near the question which do not answer it


@dataclass(frozen=True)
class Answer:
    """A sentence that answers a question.

    Attributes
    ----------
    sentence : str
    passage : Passage
        Where it stands.
    start, end : int
        Characters of the passage that the sentence takes.
    language : str
    probability : float or None
        That it is right: by the questions of `QuestionAnswerer.calibrate`, and before by `Relevance`, which needs none.
        None where that knows too little of the encoder.
    score, cosine : float
        Of question and sentence, see `SearchHit`.
    span : Span or None
        The words of the passage that a reader chose.
    alternatives : tuple of Answer
        The next best sentences; their probability is not known after `QuestionAnswerer.calibrate`, for that is of the
        best.
    """

    sentence: str
    passage: Passage
    start: int
    end: int
    language: str
    probability: float | None
    score: float
    cosine: float
    span: Span | None = None
    alternatives: tuple[Answer, ...] = ()


class QuestionAnswerer:
    """Find the sentence that answers a question, and abstain where it is likely wrong.

    Sentences are found by `CrossLingualSearch`: language is removed, and hubs are ranked lower. Whether the best one
    is right is judged without any label by `Relevance`, and better from questions with known answers by its cosine and
    by how far its score exceeds the mean of the 11th to 20th, see `calibrate`.

    Parameters
    ----------
    search : CrossLingualSearch
        Over sentences, whose metadata name their passages. `build` makes it.
    passages : iterable of Passage
    calibration : AnswerCalibration, optional
    reader : str, Path or SpanReader, optional
        A model of transformers for extractive question answering, which chooses the words of the passage.

    Examples
    --------
    ::

        answers = QuestionAnswerer.build([Passage("1", "Die Brücke wurde 1889 gebaut. Sie ist aus Stahl.", "de")])
        answers.calibrate(questions, right_answers)
        answers.answer(["When was the bridge built?"], precision=0.9)[0]
    """

    def __init__(
        self,
        search: CrossLingualSearch,
        passages: Iterable[Passage],
        *,
        calibration: AnswerCalibration | None = None,
        reader: str | Path | SpanReader | None = None,
    ) -> None:
        self.search = search
        self.passages = {each.id: each for each in passages}
        self.calibration = calibration
        if isinstance(reader, str | Path):
            remember_model(reader)
            reader = SpanReader(reader)
        self.reader = reader

    @classmethod
    def build(
        cls,
        passages: Iterable[Passage],
        encoder: Encoder | None = None,
        *,
        split: bool = True,
        reader: str | Path | SpanReader | None = None,
        **options: Any,
    ) -> QuestionAnswerer:
        """Split passages into sentences, encode and index these.

        Parameters
        ----------
        passages : iterable of Passage
        encoder : Encoder, optional
            By default the bundled one.
        split : bool
            Split passages into sentences (extra `text`); else each passage is an answer as it is.
        reader : str, Path or SpanReader, optional
            A question answering model of transformers, which finds the words of the answer.
        **options
            Of `CrossLingualSearch.build`.

        Raises
        ------
        ValueError
            As there, and if a passage holds no sentence.
        """
        given = list(passages)
        check_passages(given)
        sentences = []
        for passage in given:
            bounds = sentence_bounds(passage.text, passage.language) if split else [(0, len(passage.text))]
            if not bounds:
                raise ValueError(f"the passage {passage.id!r} holds no sentence; leave it out")
            sentences += [
                Passage(
                    f"{passage.id}#{number}",
                    passage.text[start:end],
                    passage.language,
                    {"passage": passage.id, "start": start, "end": end},
                )
                for number, (start, end) in enumerate(bounds)
            ]
        return cls(CrossLingualSearch.build(sentences, encoder, lexical=False, **options), given, reader=reader)

    def __len__(self) -> int:
        """Return the number of sentences."""
        return len(self.search)

    def answer(
        self,
        questions: Sequence[str],
        k: int = 1,
        *,
        precision: float | None = 0.9,
        least: float = 0.0,
        language: str | None = None,
        languages: Iterable[str] | None = None,
    ) -> list[Answer | None]:
        """Return the best answer to each question, or None where it would likely be wrong.

        Parameters
        ----------
        questions : sequence of str
            In any language.
        k : int
            1, or more for alternatives.
        precision : float or None
            Share of the answers given that shall be right: questions are left open below the probability from which
            on this is so, by the questions of `calibrate`; all, if it is never so. None answers all that `least` lets.
        least : float
            Leave a question open where the probability that the passages are about what it asks is lower, see
            `Relevance.answerable`, which needs no `calibrate`; 0.5 refuses nonsense and other subjects.
        language : str, optional
            Of the questions; guessed if not given.
        languages : iterable of str, optional
            Only sentences in these.

        Raises
        ------
        ValueError
            If a precision is asked for before `calibrate`, `least` is no probability, or k < 1.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, but is {k}")
        if not 0 <= least <= 1:
            raise ValueError(f"least is a probability from 0 to 1, but is {least}")
        if precision is not None and self.calibration is None:
            raise ValueError(
                f"a precision of {precision} can only be kept after calibrate(); or take precision=None, least=0.5"
            )
        needed = -1.0 if precision is None or self.calibration is None else self.calibration.threshold(precision)
        allowed = None if languages is None else list(languages)
        judged = search_judged(self.search, self.relevance, questions, k, language=language, languages=allowed)
        found: list[Answer | None] = []
        for question, each in zip(questions, judged, strict=True):
            learned = self._probability(each.hits[:_LIST])
            if not each.hits or each.answerable < least or (learned is not None and learned < needed):
                found.append(None)
                continue
            sure = [None if math.isnan(value) else value for value in each.probability[:k].tolist()]
            if learned is not None:
                sure = [learned] + [None] * (len(sure) - 1)
            best, *others = each.hits[:k]
            more = tuple(self._answer(hit, own) for hit, own in zip(others, sure[1:], strict=True))
            found.append(self._answer(best, sure[0], question, more))
        return found

    def calibrate(
        self,
        questions: Sequence[str],
        right_answers: Sequence[str | Collection[str] | None],
        *,
        language: str | Sequence[str] | None = None,
        unanswerable: float | None = None,
    ) -> AnswerCalibration:
        """Learn how likely an answer is right; 20 questions are the fewest, 200 are enough.

        Parameters
        ----------
        questions : sequence of n str
            Of the sort that will be asked.
        right_answers : sequence of n
            For each question a text or several (its translations), and None where the passages hold no answer. A
            sentence is right if it holds one of them, or they it.
        language : str or sequence of n str, optional
            Of the questions.
        unanswerable : float, optional
            The share of questions to be expected that the passages do not answer; each question is then also taken
            with its right answers left out. By default, as among `questions`.

        Returns
        -------
        AnswerCalibration
            Which `answer` uses from now on.

        Raises
        ------
        ValueError
            With too few questions, right or wrong answers; see there.
        """
        lists = self._search(questions, language)
        if len(right_answers) != len(questions):
            raise ValueError(
                f"each of {len(questions)} questions needs a right answer or None, got {len(right_answers)}"
            )
        if unanswerable is not None and not 0 <= unanswerable < 1:
            raise ValueError(f"unanswerable must lie in 0 ... 1, but is {unanswerable}")
        evidence, right, weights = [], [], []
        for hits, answers in zip(lists, right_answers, strict=True):
            if not hits:
                continue
            texts = [answers] if isinstance(answers, str) else list(answers or ())
            matches = [any(_holds(hit.text, text) for text in texts) for hit in hits]
            evidence.append(_evidence(hits))
            right.append(matches[0])
            weights.append(1.0 if unanswerable is None or not texts else 1 - unanswerable)
            rest = [hit for hit, match in zip(hits, matches, strict=True) if not match]
            if unanswerable and texts and rest:
                evidence.append(_evidence(rest))
                right.append(False)
                weights.append(unanswerable)
        self.calibration = AnswerCalibration.fit(np.array(evidence).reshape(-1, 2), right, weights)
        return self.calibration

    def save(self, folder: str | Path) -> None:
        """Write a folder that `load` reads, whole or not at all.

        Raises
        ------
        FileExistsError
            If something else lies there.
        """
        about = {
            "format": _FORMAT,
            "calibration": self.calibration and self.calibration.to_json(),
            "reader": self.reader and self.reader.name,
        }
        rows = [{**each.metadata, "id": each.id, "text": each.text, "language": each.language}
                for each in self.passages.values()]  # fmt: skip
        lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
        encoder = EncoderNote.of(self.search.encoder, self.search.encoder_name)
        write_search(folder, self.search.parts, encoder, "answers", about=about, files={_PASSAGES: lines})

    @classmethod
    def load(
        cls,
        folder: str | Path,
        encoder: Encoder | str | Path | None = None,
        *,
        reader: str | Path | SpanReader | None = None,
    ) -> QuestionAnswerer:
        """Return what `save` wrote; encoder and reader are by default those it names.

        Raises
        ------
        ValueError
            If the folder holds no answers, damaged ones, or those of another encoder.
        UnknownModelError
            If the folder names a model that is not known here, see `interlingua.pipelines.encoders.known`.
        FileNotFoundError
            If the folder, or the file of the encoder, is not there.
        """
        parts, held = _read_older(Path(folder)) if is_older(folder, "answers") else read_search(folder, "answers")
        if held.about["format"] != _FORMAT:
            raise ValueError(
                f"{folder} has format {held.about['format']}, this version reads {_FORMAT}; build it again"
            )
        with io.TextIOWrapper(io.BytesIO(held.files[_PASSAGES]), encoding="utf-8") as lines:
            passages = read_passages(lines, name=f"{_PASSAGES} in {folder}")
        kept = held.about["calibration"]
        if reader is None and held.about["reader"] is not None:
            reader = str(held.about["reader"])
            require_known_model(reader, folder, what="reader")
        return cls(
            CrossLingualSearch.of_parts(parts, *encoder_of(folder, held.encoder, encoder)),
            passages,
            calibration=AnswerCalibration.from_json(kept) if kept else None,
            reader=reader,
        )

    @cached_property
    def relevance(self) -> Relevance | None:
        """What tells probabilities without `calibrate`; None where the encoder knows too few texts about anything."""
        return relevance_of(self.search.encoder)

    def _search(self, questions: Sequence[str], language: str | Sequence[str] | None) -> list[list[SearchHit]]:
        if language is None or isinstance(language, str):
            return self.search.search(questions, _LIST, language=language)
        found: list[list[SearchHit]] = [[] for _ in questions]
        for name in dict.fromkeys(language):
            rows = [row for row, each in enumerate(language) if each == name]
            asked = self.search.search([questions[row] for row in rows], _LIST, language=name)
            for row, hits in zip(rows, asked, strict=True):
                found[row] = hits
        return found

    def _probability(self, hits: Sequence[SearchHit]) -> float | None:
        if self.calibration is None or not hits:
            return None
        return float(self.calibration.probability(_evidence(hits)[None])[0])

    def _answer(
        self, hit: SearchHit, probability: float | None, question: str = "", others: tuple[Answer, ...] = ()
    ) -> Answer:
        passage = self.passages[hit.metadata["passage"]]
        span = self.reader.read(question, passage.text) if self.reader is not None and question else None
        start, end = hit.metadata["start"], hit.metadata["end"]
        return Answer(hit.text, passage, start, end, hit.language, probability, hit.score, hit.cosine, span, others)


def _read_older(folder: Path) -> tuple[SearchParts, Stored]:
    """Return what a folder in the layout from before manifests holds: a folder of a search, and two files."""
    parts, held = read_search(folder / _OLDER_SEARCH)
    about = json.loads((folder / OLDER_MARKERS["answers"]).read_text(encoding="utf-8"))
    return parts, Stored(held.encoder, about, {_PASSAGES: (folder / _PASSAGES).read_bytes()})


def _evidence(hits: Sequence[SearchHit]) -> NDArray[np.float64]:
    """Return the best hit's cosine, and by how much its score exceeds the mean of the 11th to 20th, or the last."""
    others = hits[_BACKGROUND] or hits[-1:]
    return np.array([hits[0].cosine, hits[0].score - np.mean([each.score for each in others])])


def _holds(sentence: str, answer: str) -> bool:
    one, other = (" ".join(each.casefold().split()) for each in (sentence, answer))
    return bool(other) and (other in one or one in other)
