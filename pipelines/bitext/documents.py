"""Documents, and what belongs together in them."""

import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from interlingua.align.files import replacing

from ..sentence_splitting import split_sentences
from ..training.bitext import Pair
from .mining import MinedBitext

__all__ = ["AlignedDocuments", "Document", "Texts"]

Texts = Sequence[str] | str | os.PathLike[str]


@dataclass(frozen=True)
class Document:
    """The sentences of a text.

    Attributes
    ----------
    name, language : str
    sentences : tuple of str
    lines : tuple of int
        Where each stood, from 1.
    """

    name: str
    language: str
    sentences: tuple[str, ...]
    lines: tuple[int, ...]

    @classmethod
    def read(cls, texts: Texts, language: str, *, name: str = "", split: bool = False) -> "Document":
        """Read the lines of a UTF-8 file or a sequence, blank ones left out; with `split` each may hold several.

        Raises
        ------
        ValueError
            If a line is not UTF-8.
        """
        if isinstance(texts, str | os.PathLike):
            name, texts = name or Path(texts).name, _lines(Path(texts))
        sentences, lines = [], []
        for number, line in enumerate(texts, 1):
            for sentence in split_sentences(line, language) if split else [" ".join(line.split())]:
                if sentence:
                    sentences.append(sentence)
                    lines.append(number)
        return cls(name, language, tuple(sentences), tuple(lines))

    def span(self, first: int, last: int) -> str:
        """Return the sentences from `first` to before `last` as one text."""
        return _joined(self.sentences[first:last])


@dataclass(frozen=True)
class AlignedDocuments:
    """Pairs of documents and what belongs together in them.

    Attributes
    ----------
    sources, targets : tuple of Document
    pairs : (q, 2) array of int64
        The documents that were aligned, rows of `sources` and `targets`.
    pair_scores : (q,) array of float32
        Share of their sentences that found each other; 1 where the pair was given.
    of : (p,) array of int64
        Row of `pairs` of each bead.
    spans : (p, 4) array of int64
        First sentence and the one after the last, of the source and of the target; empty where a side has none.
    scores : (p,) array of float32
        Margins; 0 where a side is empty.
    confidences : (p,) array of float32
        Estimated probability that the sides translate each other; 0 where one is empty.
    """

    sources: tuple[Document, ...]
    targets: tuple[Document, ...]
    pairs: NDArray[np.int64]
    pair_scores: NDArray[np.float32]
    of: NDArray[np.int64]
    spans: NDArray[np.int64]
    scores: NDArray[np.float32]
    confidences: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.spans)

    @property
    def paired(self) -> NDArray[np.bool_]:
        """Which beads have both sides, (p,)."""
        return np.asarray((self.spans[:, 0] < self.spans[:, 1]) & (self.spans[:, 2] < self.spans[:, 3]))

    @property
    def unmatched(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of the sources and of the targets without a partner."""
        sides = (self.sources, self.pairs[:, 0]), (self.targets, self.pairs[:, 1])
        left, right = (
            tuple(each.name for row, each in enumerate(side) if row not in set(rows.tolist())) for side, rows in sides
        )
        return left, right

    def bitext(self, confidence: float = 0.0) -> MinedBitext:
        """Return the beads of both sides that are at least so confident, in the order of the text."""
        kept = np.flatnonzero(self.paired & (self.confidences >= confidence)).tolist()
        pairs, lines = [], []
        for row in kept:
            source, target = self._documents(row)
            a, b, c, d = self.spans[row].tolist()
            pairs.append(Pair(source.span(a, b), target.span(c, d), source.language, target.language))
            lines.append((source.lines[a], target.lines[c]))
        counts = {
            "documents": len(self.pairs),
            "beads": len(self),
            "of one sentence each": int((self._sizes() == 1).all(axis=1).sum()),
            "without a source": int((self._sizes()[:, 0] == 0).sum()),
            "without a target": int((self._sizes()[:, 1] == 0).sum()),
        }
        return MinedBitext(
            tuple(pairs), self.scores[kept], self.confidences[kept], np.array(lines, np.int64).reshape(-1, 2), counts
        )

    def write(
        self,
        path: str | os.PathLike[str],
        format: Literal["tsv", "tmx", "jsonl", "moses", "ladder"] | None = None,
        *,
        confidence: float = 0.0,
    ) -> None:
        """Write the beads of both sides that are at least so confident, whole or not at all.

        Parameters
        ----------
        path : str or path
        format : {"tsv", "tmx", "jsonl", "moses", "ladder"}, optional
            By default what the name says, see `MinedBitext.write`. ``ladder`` (.ladder) is vecalign's: a line
            ``[0, 1]:[0]:1.25`` for each bead, empty ones too, with the sentences' numbers from 0 and the margin; for
            one pair of documents.
        confidence : float

        Raises
        ------
        ValueError
            If the format is unknown, or a ladder would be of several documents.
        """
        if format != "ladder" and not (format is None and str(path).lower().endswith(".ladder")):
            self.bitext(confidence).write(path, format)
            return
        if len(self.pairs) != 1:
            raise ValueError(f"a ladder is of one pair of documents, but there are {len(self.pairs)}; write .tsv")
        with replacing(path, "w") as file:
            for (a, b, c, d), score, sure in zip(self.spans.tolist(), self.scores, self.confidences):
                if a == b or c == d or sure >= confidence:
                    file.write(f"{list(range(a, b))}:{list(range(c, d))}:{score:.4f}\n")

    def _documents(self, row: int) -> tuple[Document, Document]:
        source, target = self.pairs[self.of[row]]
        return self.sources[source], self.targets[target]

    def _sizes(self) -> NDArray[np.int64]:
        return np.stack([self.spans[:, 1] - self.spans[:, 0], self.spans[:, 3] - self.spans[:, 2]], axis=1)


def _lines(path: Path) -> list[str]:
    lines = []
    for number, raw in enumerate(path.read_bytes().split(b"\n"), 1):
        try:
            lines.append(raw.decode("utf-8-sig" if number == 1 else "utf-8"))
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}, line {number}: the text must be UTF-8 ({error.reason}); convert it") from error
    return lines


def _joined(sentences: Sequence[str]) -> str:
    """Join with blanks, except beside a wide character, as of Chinese and Japanese, whose sentences have none."""
    text = sentences[0] if sentences else ""
    for sentence in sentences[1:]:
        wide = {unicodedata.east_asian_width(each) for each in (text[-1], sentence[0])} & {"W", "F"}
        text += sentence if wide else f" {sentence}"
    return text
