"""Cut texts into the bundled encoder's tokens with SentencePiece, exactly as its tokenizer.json does.

The model file of SentencePiece is made once of the pieces and scores in the package, and kept in the user's cache.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import require

from .blob import ModelBlob
from .kept import is_whole, publish, write_marker
from .wheel import BundledWheel

_RECIPE = 1  # raise it whenever the file becomes another one
_MARKER = "interlingua-tokenizer.json"
_FILE = "sentencepiece.model"
_MASK = "<mask>"  # the piece that a checkpoint's tokenizer strips the blanks before


class BundledTokenizer:
    """Texts to token ids: ``<s> text </s>``.

    The marks themselves, such as ``</s>``, are one token where they stand in a text, as in the original.

    Parameters
    ----------
    wheel : BundledWheel
    blob : ModelBlob

    Raises
    ------
    MissingExtraError
        If `sentencepiece` is not installed.
    """

    def __init__(self, wheel: BundledWheel, blob: ModelBlob) -> None:
        self._library = require("sentencepiece", extra="offline")
        self._wheel, self._blob = wheel, blob
        ids = blob.special_ids
        self._begin, self._end = ids["bos"], ids["eos"]
        self.limit = blob.n_positions
        self._marks = {blob.pieces[number]: number for number in ids.values()}
        if _MASK in blob.pieces:
            self._marks[_MASK] = blob.pieces.index(_MASK)
        alternatives = "|".join(rf"\s*{mark}" if mark == _MASK else re.escape(mark) for mark in self._marks)
        self._mark = re.compile(alternatives)

    @cached_property
    def _model(self) -> Any:
        folder = self._wheel.place(f"tokenizer-r{_RECIPE}")
        if not is_whole(folder, _MARKER):
            publish(folder, _MARKER, self._write, megabytes=6)
        return self._library.SentencePieceProcessor(model_file=str(folder / _FILE))

    def _write(self, folder: Path) -> None:
        (folder / _FILE).write_bytes(sentencepiece_model(self._blob))
        write_marker(folder, _MARKER, {"recipe": _RECIPE})

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of whole texts with both marks."""
        return [[self._begin, *found, self._end] for found in self._inner(texts)]

    def cut(self, ids: list[int]) -> list[int]:
        """Return what the model reads of a text."""
        return ids if len(ids) <= self.limit else [*ids[: self.limit - 1], self._end]

    def lengths(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return how many tokens the whole texts are, both marks included."""
        return np.array([len(found) + 2 for found in self._inner(texts)], dtype=np.int64)

    def spans(self, text: str) -> NDArray[np.int64]:
        """Return an (m, 2) array: the first character of each token of a text, and the one behind its last."""
        found: list[tuple[int, int]] = []
        for begin, end, mark in self._segments(text):
            if mark is not None:
                found.append((begin, end))
                continue
            found += [(begin + first, begin + last) for first, last in self._places(text[begin:end])]
        return np.array(found, np.int64).reshape(-1, 2)

    def _places(self, text: str) -> list[tuple[int, int]]:
        protocol = require("sentencepiece.sentencepiece_pb2", extra="offline")
        cut = protocol.SentencePieceText()
        cut.ParseFromString(self._model.encode(text, out_type="serialized_proto"))
        behind = np.cumsum([0, *(len(letter.encode()) for letter in text)])  # it counts bytes
        places = np.searchsorted(behind, [(piece.begin, piece.end) for piece in cut.pieces] or np.empty((0, 2), int))
        return [(int(first), int(last)) for first, last in places]

    def _inner(self, texts: Sequence[str]) -> list[list[int]]:
        found: list[list[int]] = self._model.encode(list(texts))
        for row, text in enumerate(texts):
            if "<" in text and self._mark.search(text):
                found[row] = []
                for begin, end, mark in self._segments(text):
                    found[row] += self._model.encode(text[begin:end]) if mark is None else [mark]
        return found

    def _segments(self, text: str) -> list[tuple[int, int, int | None]]:
        """Return begin and end of what stands between marks (None), and of the marks with their ids."""
        found: list[tuple[int, int, int | None]] = []
        last = 0
        for match in self._mark.finditer(text) if "<" in text else ():
            found += [(last, match.start(), None), (match.start(), match.end(), self._marks[match.group().strip()])]
            last = match.end()
        return [*found, (last, len(text), None)]


def sentencepiece_model(blob: ModelBlob) -> bytes:
    """Return the model file of SentencePiece for the pieces and scores of a model: unigrams behind `nmt_nfkc`.

    Ids are the places of the pieces, as in the original, where SentencePiece's own would be others.
    """
    protocol = require("sentencepiece.sentencepiece_model_pb2", extra="offline")
    model = protocol.ModelProto()
    model.ParseFromString(throwaway_model())
    del model.pieces[:]
    kinds = protocol.ModelProto.SentencePiece
    special = dict.fromkeys((*blob.special_ids.values(), len(blob.pieces)), kinds.CONTROL)
    special[blob.special_ids["unk"]] = kinds.UNKNOWN
    for number, (piece, score) in enumerate(zip(blob.pieces, blob.scores.tolist())):
        added = model.pieces.add(piece=piece, score=score)
        if number in special or piece == _MASK:
            added.type = special.get(number, kinds.CONTROL)
    trained = model.trainer_spec
    trained.unk_id, trained.bos_id = blob.special_ids["unk"], blob.special_ids["bos"]
    trained.eos_id, trained.pad_id = blob.special_ids["eos"], blob.special_ids["pad"]
    trained.vocab_size = len(blob.pieces)
    return bytes(model.SerializeToString())


def throwaway_model() -> bytes:
    """Return a small model of SentencePiece, which holds its compiled `nmt_nfkc` rule."""
    buffer = io.BytesIO()
    require("sentencepiece", extra="offline").SentencePieceTrainer.train(
        sentence_iterator=iter(["a b c d e f g"] * 20),
        model_writer=buffer,
        vocab_size=12,
        hard_vocab_limit=False,
        normalization_rule_name="nmt_nfkc",
        minloglevel=2,
    )
    return buffer.getvalue()
