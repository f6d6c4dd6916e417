"""Read the span that answers a question out of a passage, with a model of transformers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interlingua.align.arrays import require

_WINDOW, _STRIDE = 384, 128


@dataclass(frozen=True)
class Span:
    """A part of a passage.

    Attributes
    ----------
    text : str
    start, end : int
        Characters of the passage.
    score : float
        Probability by the reader that the answer begins and ends there, among the spans of its window.
    """

    text: str
    start: int
    end: int
    score: float


class SpanReader:
    """An extractive reader: any model for question answering that transformers loads.

    Parameters
    ----------
    model : str or Path
        A name or a folder; its tokenizer must be a fast one.
    device : str
        As torch names it.
    longest : int
        Tokens of an answer, at most.
    """

    def __init__(self, model: str | Path, *, device: str = "cpu", longest: int = 30) -> None:
        transformers = require("transformers", extra="torch")
        self.name, self.device, self.longest = str(model), device, longest
        self._tokenizer: Any = transformers.AutoTokenizer.from_pretrained(self.name)
        self._model: Any = transformers.AutoModelForQuestionAnswering.from_pretrained(self.name).to(device).eval()
        if not self._tokenizer.is_fast:
            raise ValueError(
                f"the tokenizer of {self.name} does not say where tokens lie in the text; choose a fast one"
            )

    def read(self, question: str, passage: str) -> Span:
        """Return the likeliest span of a passage; a long passage is read in windows that overlap.

        Raises
        ------
        ValueError
            If the question alone fills the window.
        """
        torch = require("torch", extra="torch")
        window = min(_WINDOW, self._tokenizer.model_max_length, self._positions())
        own = len(self._tokenizer(question)["input_ids"])
        if own + 8 > window:
            raise ValueError(
                f"the question has {own} tokens, but question and passage share {window}; ask a shorter one"
            )
        given = self._tokenizer(
            question,
            passage,
            truncation="only_second",
            max_length=window,
            stride=min(_STRIDE, (window - own) // 2),
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            padding=True,
            return_tensors="pt",
        )
        offsets = given.pop("offset_mapping").tolist()
        given.pop("overflow_to_sample_mapping", None)
        with torch.inference_mode():
            found = self._model(**given.to(self.device))
        best = Span("", 0, 0, 0.0)
        for number, places in enumerate(offsets):
            inside = torch.tensor([part == 1 for part in given.sequence_ids(number)])
            starts, ends = (
                each[number].float().cpu().masked_fill(~inside, float("-inf")).softmax(dim=0)
                for each in (found.start_logits, found.end_logits)
            )
            joint = (starts[:, None] * ends[None, :]).triu().tril(self.longest - 1)
            first, last = divmod(int(joint.argmax()), joint.shape[1])
            score = float(joint[first, last])
            if score > best.score:
                start, end = places[first][0], places[last][1]
                best = Span(passage[start:end], start, end, score)
        return best

    def _positions(self) -> int:
        return int(getattr(self._model.config, "max_position_embeddings", _WINDOW))
