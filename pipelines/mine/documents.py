"""Align the sentences of documents, and of collections of documents whose partners are found first."""

import os
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from interlingua.align import SharedSpace
from interlingua.align.arrays import unit_rows
from interlingua.align.files import replacing
from interlingua.align.sentence import align_in_any_order, align_in_order, pair_documents
from interlingua.align.sentence.documents import Beads, bead_confidences, span_means
from interlingua.pipelines.search.judged import relevance_of
from interlingua.pipelines.search.relevance import Relevance
from interlingua.pipelines.texts.lines import read_lines, says_something
from interlingua.pipelines.texts.pairs import Pair
from interlingua.pipelines.texts.sentences import split_sentences

from .mining import MinedBitext, Texts

if TYPE_CHECKING:
    from interlingua.pipelines.encoders.base import Encoder

Order = Literal["same", "any"]
Move = Callable[[NDArray[np.float32]], NDArray[np.float32]]
_FEWEST_FOR_MEAN = 10  # sentences of a language whose mean says more about it than about them
_SHOWN = 3
_Given = TypeVar("_Given")


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
        """Read the lines of a UTF-8 file or a sequence, but those that show nothing.

        With `split` a line may hold several sentences.

        Raises
        ------
        ValueError
            If a line is not UTF-8.
        """
        if isinstance(texts, str | os.PathLike):
            name = name or Path(texts).name
            numbered: Iterable[tuple[int, str]] = read_lines(texts)
        else:
            numbered = enumerate(texts, 1)
        sentences, lines = [], []
        for number, line in numbered:
            for sentence in split_sentences(line, language) if split else [" ".join(line.split())]:
                if says_something(sentence):
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


def _joined(sentences: Sequence[str]) -> str:
    """Join with blanks, except beside a wide character, as of Chinese and Japanese, whose sentences have none."""
    text = sentences[0] if sentences else ""
    for sentence in sentences[1:]:
        wide = {unicodedata.east_asian_width(each) for each in (text[-1], sentence[0])} & {"W", "F"}
        text += sentence if wide else f" {sentence}"
    return text


def align_documents(
    source: Texts,
    target: Texts,
    *,
    languages: tuple[str, str],
    encoder: "Encoder | None" = None,
    space: SharedSpace | None = None,
    order: Order = "same",
    most: int = 4,
    skip: float = 0.02,
    overlaps: Literal["encode", "mean"] = "encode",
    split: bool = False,
    progress: bool = False,
) -> AlignedDocuments:
    """Align the sentences of a text with those of its translation.

    Parameters
    ----------
    source : path of a file with a sentence a line, or sequence of str
        Blank lines are left out.
    target : path of a file with a sentence a line, or sequence of str
        As `source`.
    languages : (str, str)
        Their names.
    encoder : Encoder, optional
        By default the bundled one.
    space : SharedSpace, optional
        Maps both languages; by default each is centred on its own mean, or, if one has fewer than ten sentences, on
        that of texts about anything.
    order : {"same", "any"}
        Whether the sentences come in the same order, see `align_in_order`, or in any, see `align_in_any_order`, then
        one to one.
    most : int
        Sentences of both sides of a bead together; a warning tells where sentences are left over beside such a bead.
    skip : float
        Larger keeps more pairs, see `align_in_order`.
    overlaps : {"encode", "mean"}
        Vectors of neighbouring sentences together: what the encoder makes of the joined text, which takes `most` - 1
        times as long, or their mean weighted by length.
    split : bool
        Whether lines may hold several sentences (extra `text`).
    progress : bool

    Returns
    -------
    AlignedDocuments

    Raises
    ------
    ValueError
        If an argument is unknown, the languages are equal, or a text has no sentence.
    """
    sides = [
        [Document.read(texts, name, split=split)] for texts, name in zip(_checked(source, target, languages), languages)
    ]
    for side in sides:
        if not side[0].sentences:
            raise ValueError(f"{side[0].name or 'the text'} ({side[0].language}) has no sentence")
    vectors = [_Vectors(side, encoder, space, overlaps, most, progress) for side in sides]
    given = np.zeros((1, 2), np.int64)
    return _align(sides, vectors, given, np.ones(1, np.float32), space, order=order, most=most, skip=skip)


def match_documents(
    sources: Mapping[str, Texts] | str | os.PathLike[str],
    targets: Mapping[str, Texts] | str | os.PathLike[str],
    *,
    languages: tuple[str, str],
    encoder: "Encoder | None" = None,
    space: SharedSpace | None = None,
    by_name: bool = False,
    least: float = 0.2,
    order: Order = "same",
    most: int = 4,
    skip: float = 0.02,
    overlaps: Literal["encode", "mean"] = "encode",
    split: bool = False,
    progress: bool = False,
) -> AlignedDocuments:
    """Find which documents of two collections translate each other, and align those that do.

    Parameters
    ----------
    sources, targets : folder of text files, or dict of str to texts
        Documents by name; of a folder all files whose name does not begin with a dot, not
        those in folders in it, of which a warning tells.
    languages, encoder, space, order, most, skip, overlaps, split, progress
        As in `align_documents`; languages are centred over all documents.
    by_name : bool
        Pair documents of equal names (of files, up to the first dot) instead.
    least : float
        Share of their sentences that two documents must have in common, see `pair_documents`.

    Returns
    -------
    AlignedDocuments
        Documents without a partner are named by its `unmatched`.

    Raises
    ------
    ValueError
        If an argument is unknown, the languages are equal, or a collection has no document with a sentence.
    """
    sides = [_collection(each, name, split) for each, name in zip(_checked(sources, targets, languages), languages)]
    vectors = [_Vectors(side, encoder, space, overlaps, most, progress) for side in sides]
    if by_name:
        stems = [{each.name.split(".")[0]: row for row, each in enumerate(side)} for side in sides]
        both = [(row, stems[1][stem]) for stem, row in stems[0].items() if stem in stems[1]]
        pairs, scores = np.array(both, np.int64).reshape(-1, 2), np.ones(len(both), np.float32)
    else:
        joint = [move(each.sentences) for move, each in zip(_moves(vectors, space), vectors)]
        of = [np.repeat(np.arange(len(side)), [len(each.sentences) for each in side]) for side in sides]
        found = pair_documents(joint[0], joint[1], of[0], of[1], least=least)
        pairs, scores = found.pairs, found.scores
    return _align(sides, vectors, pairs, scores, space, order=order, most=most, skip=skip)


class _Vectors:
    """Vectors of the sentences of some documents, and of their spans where they are encoded."""

    def __init__(
        self,
        documents: Sequence[Document],
        encoder: "Encoder | None",
        space: SharedSpace | None,
        overlaps: str,
        most: int,
        progress: bool,
    ) -> None:
        from interlingua.pipelines.encoders.load import load_encoder

        if overlaps not in ("mean", "encode"):
            raise ValueError(f"overlaps must be 'mean' or 'encode', but is {overlaps!r}")
        self.language = documents[0].language
        self.documents, self.encoded = documents, overlaps == "encode"
        texts = [
            [each.span(first, first + size) for first in range(len(each.sentences) - size + 1)]
            for size in range(1, most if self.encoded else 2)
            for each in documents
        ]
        self.encoder = encoder or load_encoder()
        vectors = self.encoder.encode([text for each in texts for text in each], progress=progress)
        self.blocks = np.split(vectors, np.cumsum([len(each) for each in texts])[:-1])
        self.sentences = np.concatenate(self.blocks[: len(documents)])
        self.lengths = [np.array([len(sentence) for sentence in each.sentences]) for each in documents]

    def spans(self, row: int, most: int, move: Move) -> list[NDArray[np.float32]]:
        """Return the vectors of the spans of a document, moved into the common space."""
        if self.encoded:
            return [move(each) for each in self.blocks[row :: len(self.documents)]]
        return span_means(move(self.blocks[row]), most - 1, self.lengths[row])


def _align(
    sides: list[list[Document]],
    vectors: list[_Vectors],
    pairs: NDArray[np.int64],
    pair_scores: NDArray[np.float32],
    space: SharedSpace | None,
    *,
    order: str,
    most: int,
    skip: float,
) -> AlignedDocuments:
    if order not in ("same", "any"):
        raise ValueError(f"order must be 'same' or 'any', but is {order!r}")
    moves = _moves(vectors, space)
    everything = [move(each.sentences) for move, each in zip(moves, vectors)]
    characters = [sum(int(own.sum()) for own in each.lengths) for each in vectors]
    scale = characters[1] / max(characters[0], 1)  # how much longer the target's language is
    of, spans = [], [np.zeros((0, 4), np.int64)]
    beads_of: list[list[NDArray[np.float32]]] = [[], []]
    alone: list[list[NDArray[np.float32]]] = [[], []]
    for number, rows in enumerate(pairs.tolist()):
        x, y = (each.spans(row, most, move) for each, row, move in zip(vectors, rows, moves))
        beads: Beads = (
            align_in_order(
                x,
                y,
                most=most,
                skip=skip,
                background=(everything[0], everything[1]),
                lengths=(vectors[0].lengths[rows[0]] * scale, vectors[1].lengths[rows[1]]),
            )
            if order == "same"
            else align_in_any_order(x[0], y[0])
        )
        of.append(np.full(len(beads), number))
        spans.append(beads.spans)
        for side, vectors_of in enumerate((x, y)):
            own = beads.spans[:, 2 * side : 2 * side + 2]
            sizes = own[:, 1] - own[:, 0]
            beads_of[side] += [
                vectors_of[size - 1][first] for size, first in zip(sizes[beads.paired], own[beads.paired, 0])
            ]
            single = np.zeros(len(vectors_of[0]), bool)
            single[own[beads.paired & (sizes == 1), 0]] = True
            alone[side].append(vectors_of[0][~single])
    placed = np.concatenate(spans)
    _tell_of_cut_beads(placed, np.concatenate([np.zeros(0, np.int64), *of]), most)
    both = (placed[:, 0] < placed[:, 1]) & (placed[:, 2] < placed[:, 3])
    scores, sure = np.zeros(len(placed), np.float32), np.zeros(len(placed), np.float32)
    if both.any():
        x_beads, y_beads = (np.stack(each) for each in beads_of)
        others = [np.concatenate(each) for each in alone]
        scores[both], sure[both] = _confidences(x_beads, y_beads, others, _of_few(vectors, space))
    numbers = np.concatenate([np.zeros(0, np.int64), *of])
    return AlignedDocuments(
        tuple(sides[0]), tuple(sides[1]), pairs, np.asarray(pair_scores, np.float32), numbers, placed, scores, sure
    )


def _tell_of_cut_beads(spans: NDArray[np.int64], of: NDArray[np.int64], most: int) -> None:
    """Warn where sentences are left over beside a bead that may hold no more of them."""
    sizes = np.stack([spans[:, 1] - spans[:, 0], spans[:, 3] - spans[:, 2]], axis=1)
    paired = np.asarray((sizes > 0).all(axis=1))
    full = paired & (sizes.sum(axis=1) == most) & (sizes.max(axis=1) > 1)
    cut = 0
    for row in np.flatnonzero(full).tolist():
        longer, shorter = int(sizes[row].argmax()), int(sizes[row].argmin())
        beside = [each for each in (row - 1, row + 1) if 0 <= each < len(sizes) and of[each] == of[row]]
        cut += any(sizes[each, longer] > 0 and sizes[each, shorter] == 0 for each in beside)
    left = np.zeros(2, np.int64)  # what neither side has a partner for, in one place
    for row in range(len(sizes) + 1):
        if row == len(sizes) or paired[row] or (row and of[row] != of[row - 1]):
            cut += bool(left.min() > 0 and left.sum() > most)
            left = np.zeros(2, np.int64)
        if row < len(sizes) and not paired[row]:
            left = left + sizes[row]
    if cut:
        warnings.warn(
            f"in {cut} places sentences are left over that may belong together, but a bead holds at most {most} "
            "sentences of both sides; raise most",
            stacklevel=4,
        )


def _of_few(vectors: Sequence[_Vectors], space: SharedSpace | None) -> Relevance | None:
    """Return what texts about anything tell, where the texts themselves are too few to tell means and decoys."""
    few = min(len(each.sentences) for each in vectors) < _FEWEST_FOR_MEAN
    return relevance_of(vectors[0].encoder, symmetric=True) if few and space is None else None


def _confidences(
    x: NDArray[np.float32], y: NDArray[np.float32], alone: Sequence[NDArray[np.float32]], few: Relevance | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return scores and confidences of beads."""
    scores, sure = bead_confidences(x, y, background=(alone[0], alone[1]))
    if few is None:
        return scores, sure
    alike, near = np.einsum("ij,ij->i", x, y), few.nearness_of_mapped(x)
    told = [few.probability([one], len(y) + len(alone[1]), each)[0] for one, each in zip(alike.tolist(), near.tolist())]
    return scores, np.array(told, np.float32)


def _moves(vectors: Sequence[_Vectors], space: SharedSpace | None) -> list[Move]:
    """Return what brings the vectors of either language into a common space, as unit rows."""
    few = min(len(each.sentences) for each in vectors) < _FEWEST_FOR_MEAN
    relevance = _of_few(vectors, space)

    def move(each: _Vectors) -> Move:
        if space is not None:
            return lambda rows: unit_rows(space.transform(rows, each.language))
        if relevance is not None:
            return relevance.map_passages
        mean = np.zeros(1) if few else each.sentences.mean(axis=0, dtype=np.float64)
        return lambda rows: unit_rows((rows - mean).astype(np.float32))

    return [move(each) for each in vectors]


def _checked(source: _Given, target: _Given, languages: tuple[str, str]) -> tuple[_Given, _Given]:
    if languages[0] == languages[1]:
        raise ValueError(f"the two texts must be of different languages, but both are {languages[0]!r}")
    return source, target


def _collection(given: Mapping[str, Texts] | str | os.PathLike[str], language: str, split: bool) -> list[Document]:
    if isinstance(given, str | os.PathLike):
        inside = [each for each in sorted(Path(given).iterdir()) if each.name[0] != "."]
        if passed := [each.name for each in inside if each.is_dir()]:
            shown = ", ".join(passed[:_SHOWN]) + (", ..." if len(passed) > _SHOWN else "")
            warnings.warn(f"{given}: {len(passed)} folders in it are not read: {shown}", stacklevel=3)
        given = {each.name: each for each in inside if each.is_file()}
    read = [Document.read(texts, language, name=name, split=split) for name, texts in given.items()]
    documents = [each for each in read if each.sentences]
    if not documents:
        raise ValueError(f"the collection of {language!r} has no document with a sentence; expected text files")
    return documents
