"""The pieces of somebody's own texts: words, parts of words, and phrases of two that stand together unusually often."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from interlingua.align.arrays import require

from .tokenizer import train_unigrams

_COVERAGE = 0.9998  # of the characters; the others are unknown
_NORMAL = 1  # SentencePiece's number of an ordinary piece
_BLANK = "\u2581"
_FEWEST = 5  # times that a phrase must be there
_SURPRISE = 3.0  # nats: log of how much more often than by chance
_GAIN = 0.01  # of the score, for a nat of surprise


def learn_pieces(texts: Sequence[str], *, size: int, phrases: int) -> bytes:
    """Return a model of SentencePiece for texts: piece 0 is what it does not know, marks and case are folded.

    Its pieces are unigrams [1]_, fewer than `size` where the texts do not yield as many. A phrase is two pieces a b,
    across a blank or not, that stand together at least five times and with log n(ab) N / (n(a) n(b)) > 3 [2]_; those
    with the largest n(ab) times that are taken. Its score is the sum of both and a little, so that it is chosen
    wherever both were.

    Parameters
    ----------
    texts : sequence of str
    size : int
        Unigrams at most.
    phrases : int
        Phrases at most.

    Raises
    ------
    MissingExtraError
        If `sentencepiece` is not installed.
    ValueError
        If the texts hold more characters than `size`.

    References
    ----------
    .. [1] Kudo (2018), "Subword regularization", ACL. doi:10.18653/v1/P18-1007
    .. [2] Church, Hanks (1990), "Word association norms, mutual information, and lexicography", Computational
       Linguistics 16 (1).
    """
    lines = (line for text in texts for line in text.split("\n") if line.strip())
    try:
        model, _ = train_unigrams(lines, size, _COVERAGE, normalization="nmt_nfkc_cf")
    except ValueError as error:
        if "required_chars" not in str(error):
            raise
        raise ValueError(
            f"{size} pieces are fewer than the texts have characters; take more (--pieces), some ten thousand ({error})"
        ) from error
    _keep_ordinary(model)
    cutter = require("sentencepiece", extra="train").SentencePieceProcessor(model_proto=model.SerializeToString())
    pieces = [(str(piece.piece), float(piece.score)) for piece in model.pieces]
    for first, second, surprise in mine_phrases(
        cutter.encode(list(texts)), [piece for piece, _ in pieces], most=phrases
    ):
        # subtle: equal gains would make a-bc and ab-c equally good, and which is chosen a matter of rounding
        score = pieces[first][1] + pieces[second][1] + _GAIN * surprise
        model.pieces.add(piece=pieces[first][0] + pieces[second][0], score=score)
    model.trainer_spec.vocab_size = len(model.pieces)
    return bytes(model.SerializeToString())


def mine_phrases(cut: Sequence[Sequence[int]], pieces: Sequence[str], *, most: int) -> list[tuple[int, int, float]]:
    """Return pairs of pieces that stand together more often than by chance, and by how many nats; see `learn_pieces`.

    Parameters
    ----------
    cut : sequence of sequences of int
        The pieces of each text, by number; 0 is in no phrase.
    pieces : sequence of str
    most : int

    Examples
    --------
    >>> found = mine_phrases([[1, 2, 3]] * 5 + [[3] * 200], ["", "▁New", "▁York", "▁is"], most=2)
    >>> [(first, second, round(surprise, 2)) for first, second, surprise in found]
    [(1, 2, 3.76)]
    """
    single: Counter[int] = Counter()
    both: Counter[tuple[int, int]] = Counter()
    for each in cut:
        single.update(each)
        both.update(pairwise(each))
    total = single.total()
    known = set(pieces)
    letters = [any(character.isalpha() for character in piece) for piece in pieces]
    found = []
    for (first, second), n in both.items():
        if n < _FEWEST or not (first and second and letters[first] and letters[second]):
            continue
        surprise = math.log(n * total / (single[first] * single[second]))
        if surprise > _SURPRISE and pieces[first] + pieces[second] not in known:
            found.append((-n * surprise, first, second, surprise))
    return [(first, second, surprise) for _, first, second, surprise in sorted(found)[:most]]


def spoken(pieces: bytes) -> list[str]:
    """Return what each piece of a model reads as a text of its own; a blank alone as itself.

    Parameters
    ----------
    pieces : bytes
    """
    protocol = require("sentencepiece.sentencepiece_model_pb2", extra="train")
    model = protocol.ModelProto()
    model.ParseFromString(pieces)
    texts = [str(piece.piece).replace(_BLANK, " ").strip() for piece in model.pieces]
    return [text or _BLANK for text in texts]


def _keep_ordinary(model: Any) -> None:
    """Leave only ordinary pieces in a model, behind the unknown one, which becomes number 0."""
    kept = [(piece.piece, piece.score) for piece in model.pieces if piece.type == _NORMAL]
    unknown = model.pieces[model.trainer_spec.unk_id]
    name, kind = unknown.piece, unknown.type
    del model.pieces[:]
    model.pieces.add(piece=name, score=0.0, type=kind)
    for piece, score in kept:
        model.pieces.add(piece=piece, score=score)
    told = model.trainer_spec
    told.unk_id, told.bos_id, told.eos_id, told.pad_id = 0, -1, -1, -1
    del told.user_defined_symbols[:]
