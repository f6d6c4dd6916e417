"""Align the sentences of documents, and of collections of documents whose partners are found first."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from interlingua.align import SharedSpace
from interlingua.align.arrays import unit_rows
from interlingua.align.sentence import (
    Beads,
    align_in_any_order,
    align_in_order,
    bead_confidences,
    pair_documents,
    span_means,
)

from .documents import AlignedDocuments, Document, Texts

if TYPE_CHECKING:
    from ..encoder import Encoder

__all__ = ["align_documents", "match_documents"]

Order = Literal["same", "any"]
Move = Callable[[NDArray[np.float32]], NDArray[np.float32]]
_FEWEST_FOR_MEAN = 10  # sentences of a language whose mean says more about it than about them


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
    source, target : path of a file with a sentence a line, or sequence of str
        Blank lines are left out.
    languages : (str, str)
        Their names.
    encoder : Encoder, optional
        By default the bundled one.
    space : SharedSpace, optional
        Maps both languages; by default each is centred on its own mean, if both have ten sentences or more.
    order : {"same", "any"}
        Whether the sentences come in the same order, see `align_in_order`, or in any, see `align_in_any_order`, then
        one to one.
    most : int
        Sentences of both sides of a bead together.
    skip : float
        See `align_in_order`: larger keeps more pairs.
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
        Documents by name; of a folder all files whose name does not begin with a dot.
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
        from ..encoder_loading import load_encoder

        if overlaps not in ("mean", "encode"):
            raise ValueError(f"overlaps must be 'mean' or 'encode', but is {overlaps!r}")
        self.language = documents[0].language
        self.documents, self.encoded = documents, overlaps == "encode"
        texts = [
            [each.span(first, first + size) for first in range(len(each.sentences) - size + 1)]
            for size in range(1, most if self.encoded else 2)
            for each in documents
        ]
        vectors = (encoder or load_encoder()).encode([text for each in texts for text in each], progress=progress)
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
    both = (placed[:, 0] < placed[:, 1]) & (placed[:, 2] < placed[:, 3])
    scores, sure = np.zeros(len(placed), np.float32), np.zeros(len(placed), np.float32)
    if both.any():
        x_beads, y_beads = (np.stack(each) for each in beads_of)
        scores[both], sure[both] = bead_confidences(
            x_beads, y_beads, background=(np.concatenate(alone[0]), np.concatenate(alone[1]))
        )
    numbers = np.concatenate([np.zeros(0, np.int64), *of])
    return AlignedDocuments(
        tuple(sides[0]), tuple(sides[1]), pairs, np.asarray(pair_scores, np.float32), numbers, placed, scores, sure
    )


def _moves(vectors: Sequence[_Vectors], space: SharedSpace | None) -> list[Move]:
    """Return what brings the vectors of either language into a common space, as unit rows."""
    few = min(len(each.sentences) for each in vectors) < _FEWEST_FOR_MEAN

    def move(each: _Vectors) -> Move:
        if space is not None:
            return lambda rows: unit_rows(space.transform(rows, each.language))
        mean = np.zeros(1) if few else each.sentences.mean(axis=0, dtype=np.float64)
        return lambda rows: unit_rows((rows - mean).astype(np.float32))

    return [move(each) for each in vectors]


_Given = TypeVar("_Given")


def _checked(source: _Given, target: _Given, languages: tuple[str, str]) -> tuple[_Given, _Given]:
    if languages[0] == languages[1]:
        raise ValueError(f"the two texts must be of different languages, but both are {languages[0]!r}")
    return source, target


def _collection(given: Mapping[str, Texts] | str | os.PathLike[str], language: str, split: bool) -> list[Document]:
    if isinstance(given, str | os.PathLike):
        given = {each.name: each for each in sorted(Path(given).iterdir()) if each.is_file() and each.name[0] != "."}
    read = [Document.read(texts, language, name=name, split=split) for name, texts in given.items()]
    documents = [each for each in read if each.sentences]
    if not documents:
        raise ValueError(f"the collection of {language!r} has no document with a sentence; expected text files")
    return documents
