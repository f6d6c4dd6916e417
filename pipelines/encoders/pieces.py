"""Encode texts as the mean of the vectors of their pieces: the tables that `interlingua train static` makes.

The folder of such a table loads in model2vec and in sentence-transformers as well, which give the passages' vectors.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import require

from .base import NO_PROMPTS, Encoder, Role, UnknownTextError, check_role, check_texts, unit_rows
from .cache import encoding_progress
from .fingerprint import PROBES_KEY, Fingerprint, identity_with

#: The file that tells such a folder from others.
MARKER = "interlingua-static.json"
_FORMAT = 1
_PIECES = "sentencepiece.model"
_TABLE = "model.safetensors"
_QUESTIONS = "questions.safetensors"
_CHUNK = 4096


def is_piece_table(folder: str | Path) -> bool:
    """Tell whether `interlingua train static` wrote a folder."""
    return (Path(folder) / MARKER).is_file()


def piece_table_note(folder: str | Path) -> dict[str, Any]:
    """Return what a folder says of its table: who reads questions, how it was trained, what it kept.

    Raises
    ------
    ValueError
        If the note is damaged.
    """
    place = Path(folder) / MARKER
    try:
        return dict(json.loads(place.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{place} is no whole table of pieces ({error}); copy or train it again") from error


@dataclass(frozen=True)
class QuestionMap:
    """How the vectors of an encoder that reads whole questions come into a table's space: (q W + b)' + share t'.

    t is the table's own vector of the question, and ' scales to length 1.

    Attributes
    ----------
    weight : (t, d) float32 array
        W; t is the encoder's dimension, d the table's.
    offset : (d,) float32 array
        b.
    identity : str
        Of the encoder.
    name : str
        What `load_encoder` makes it by.
    prompt : str
        What it puts before a question.
    share : float
        Of the table's own vector; words that stand in both, a question and a text, it knows best.
    probes : Fingerprint, optional
        What the encoder is known by under any name.
    """

    weight: NDArray[np.float32]
    offset: NDArray[np.float32]
    identity: str
    name: str
    prompt: str
    share: float = 0.7
    probes: Fingerprint | None = None


class PieceEncoder:
    """A table of piece vectors as an `Encoder`.

    A text of pieces p_1 ... p_n becomes sum_i E[p_i], scaled to length 1; the rows' lengths are their weights. With a
    map, questions are read by another encoder, mapped to the same space and joined with the table's own vector;
    without, all roles are alike.

    Parameters
    ----------
    pieces : bytes
        A model of SentencePiece; its piece 0 is what it does not know.
    vectors : (v, d) array
        E, a row a piece; row 0 is zero. Kept in float16.
    questions : QuestionMap, optional
        How questions come here.
    asked : Encoder, optional
        The encoder that reads questions; it must be the one that the map was made for.

    Raises
    ------
    MissingExtraError
        If `sentencepiece` is not installed.
    ValueError
        If rows and pieces differ in number, or the encoder of questions is another one.
    """

    dtype = "float32"
    loaded_as = ""  # the lasting name that `load_encoder` made it by

    def __init__(
        self,
        pieces: bytes,
        vectors: NDArray[np.floating],
        *,
        questions: QuestionMap | None = None,
        asked: Encoder | None = None,
    ) -> None:
        library = require("sentencepiece", extra="offline")
        self._pieces = pieces
        self._cutter: Any = library.SentencePieceProcessor(model_proto=pieces)
        self._stored = np.asarray(vectors, np.float16)
        if self._stored.ndim != 2 or len(self._stored) != self._cutter.get_piece_size():
            raise ValueError(
                f"a table has one row for each piece, but there are {self._cutter.get_piece_size()} pieces and rows of "
                f"shape {self._stored.shape}; take both from one folder"
            )
        self.vectors: NDArray[np.float32] = self._stored.astype(np.float32)
        self.questions = questions
        self.asked = asked
        if questions is not None and asked is not None:
            what = f"the table of {questions.name or questions.identity}"
            found = identity_with(asked, questions.identity, questions.probes, what=what)
            if found != questions.identity:
                raise ValueError(
                    f"questions of this table are read by {questions.identity!r}, but the encoder is {found!r}; "
                    "bring that one back, or train the table again"
                )

    @classmethod
    def read(cls, folder: str | Path) -> PieceEncoder:
        """Return the table in a folder, as yet without the encoder of its questions.

        Raises
        ------
        ValueError
            If a file is damaged, or of a later version.
        FileNotFoundError
            If one is missing.
        """
        from safetensors.numpy import load_file

        place = Path(folder)
        about = piece_table_note(place)
        try:
            version = about["format"]
            asks = about["questions"]
            table = load_file(place / _TABLE)["embeddings"]
            maps = load_file(place / _QUESTIONS) if asks else {}
            questions = None
            if asks:
                told = {key: str(asks[key]) for key in ("identity", "name", "prompt")}
                questions = QuestionMap(maps["weight"], maps["offset"], **told, share=float(asks["share"]),
                                        probes=Fingerprint.from_json(asks.get(PROBES_KEY)))  # fmt: skip
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{place} is no whole table of pieces ({error}); copy or train it again") from error
        except Exception as error:  # safetensors has errors of its own, which are no ValueError
            if isinstance(error, OSError):
                raise
            raise ValueError(f"{place / _TABLE} cannot be read ({error}); copy or train it again") from error
        if version != _FORMAT:
            raise ValueError(
                f"{place} has the format {version}, but this version reads {_FORMAT}; take a later version"
            )
        return cls((place / _PIECES).read_bytes(), table, questions=questions)

    def answering(self, asked: Encoder) -> PieceEncoder:
        """Return the same table with the encoder that reads its questions."""
        return PieceEncoder(self._pieces, self._stored, questions=self.questions, asked=asked)

    def write(self, folder: Path, *, about: Mapping[str, Any]) -> None:
        """Write the table into an existing folder, in the layouts of model2vec and sentence-transformers, too.

        Parameters
        ----------
        folder : Path
        about : mapping
            What else its own file says, as JSON holds it.
        """
        from safetensors.numpy import save_file

        asks = self.questions
        told: dict[str, Any] | None = None
        if asks is not None:
            told = {"identity": asks.identity, "name": asks.name, "prompt": asks.prompt, "share": asks.share}
            if asks.probes is not None:
                told[PROBES_KEY] = asks.probes.to_json()
        (folder / _PIECES).write_bytes(self._pieces)
        save_file({"embeddings": self._stored}, folder / _TABLE, metadata={"format": "pt"})
        if asks is not None:
            save_file({"weight": asks.weight, "offset": asks.offset}, folder / _QUESTIONS)
        kinds = (("", "StaticEmbedding"), ("1_Normalize", "Normalize"))
        modules = [
            {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for number, (path, kind) in enumerate(kinds)
        ]
        (folder / "1_Normalize").mkdir()
        contents: dict[str, Any] = {
            "modules.json": modules,
            "config.json": {
                "model_type": "model2vec",
                "architectures": ["StaticModel"],
                "hidden_dim": self.dimension,
                "normalize": True,
                "max_length": None,
                "embedding_dtype": "float16",
            },
            "config_sentence_transformers.json": {"prompts": {}, "similarity_fn_name": "cosine"},
            MARKER: {"format": _FORMAT, "questions": told, **about},
        }
        for name, content in contents.items():
            (folder / name).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        text = json.dumps(fast_tokenizer(self._pieces), ensure_ascii=False)
        (folder / "tokenizer.json").write_text(text, encoding="utf-8")
        for name in (_TABLE, *([_QUESTIONS] if asks else [])):  # the library writes them 0600
            (folder / name).chmod((folder / MARKER).stat().st_mode & 0o777)

    @cached_property
    def identity(self) -> str:
        """Names pieces, vectors, and the map and encoder of questions by their content."""
        digest = hashlib.sha256(f"pieces-{_FORMAT}\0".encode())
        digest.update(hashlib.sha256(self._pieces).digest())
        digest.update(np.ascontiguousarray(self._stored, "<f2").tobytes())
        if self.questions is not None:
            asks = self.questions
            digest.update(f"{asks.identity}\0{asks.prompt}\0{asks.share}\0".encode())
            for array in (self.questions.weight, self.questions.offset):
                digest.update(np.ascontiguousarray(array, "<f4").tobytes())
        return f"pieces-{digest.hexdigest()[:32]}"

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        return int(self.vectors.shape[1])

    @property
    def prompts(self) -> Mapping[str, str]:
        """None, but for questions that another encoder reads: its own."""
        return (
            NO_PROMPTS if self.questions is None else MappingProxyType({**NO_PROMPTS, "query": self.questions.prompt})
        )

    def encode(self, texts: Sequence[str], *, role: Role = "symmetric", progress: bool = False) -> NDArray[np.float32]:
        """Return one unit vector for each text, in order; see `Encoder.encode`.

        Raises
        ------
        UnknownTextError
            If the table knows no piece of a text; a ValueError.
        ValueError
            If questions are read by another encoder, which is not there.
        """
        checked = check_texts(texts)
        if check_role(role) == "query" and self.questions is not None:
            return self._questions(checked, self.questions, progress)
        vectors = np.zeros((len(checked), self.dimension), dtype=np.float32)
        with encoding_progress(len(checked), show=progress) as advance:
            for start in range(0, len(checked), _CHUNK):
                some = checked[start : start + _CHUNK]
                sums = self._sums(some)
                unknown = np.flatnonzero(~sums.any(axis=1))
                if len(unknown):
                    position = start + int(unknown[0])
                    raise UnknownTextError(
                        position,
                        f"holds no piece that the table knows: {checked[position]!r:.60}; leave such texts out, or "
                        "train a table on texts of its language",
                    )
                vectors[start : start + len(some)] = unit_rows(sums, some)
                advance(len(some))
        return vectors

    def _sums(self, texts: list[str]) -> NDArray[np.float32]:
        from scipy import sparse

        ids = self.ids(texts)
        starts = np.cumsum([0, *map(len, ids)])
        columns = np.fromiter(chain.from_iterable(ids), np.int32, count=int(starts[-1]))
        bags = sparse.csr_array(
            (np.ones(len(columns), np.float32), columns, starts), shape=(len(ids), len(self.vectors))
        )
        return np.asarray(bags @ self.vectors, np.float32)

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the pieces of each text by their numbers; 0 is what the table does not know."""
        found: list[list[int]] = self._cutter.encode(list(texts))
        return found

    def _questions(self, texts: list[str], asks: QuestionMap, progress: bool) -> NDArray[np.float32]:
        if self.asked is None:
            raise ValueError(
                f"questions of this table are read by {asks.name or asks.identity!r}, which is not loaded; "
                "load the folder with `load_encoder`"
            )
        read = self.asked.encode(texts, role="query", progress=progress)
        # subtle: einsum sums each row alone; a matrix product may round a row by how many there are
        mapped = unit_rows(np.einsum("ij,jk->ik", read, asks.weight) + asks.offset, texts)
        own = self._sums(texts)
        own /= np.maximum(np.linalg.norm(own, axis=1, keepdims=True), np.finfo(np.float32).tiny)
        return unit_rows(mapped + np.float32(asks.share) * own, texts)


def fast_tokenizer(pieces: bytes) -> dict[str, Any]:
    """Return the content of `tokenizer.json` that cuts texts as a unigram model of SentencePiece does.

    Pieces may reach across blanks, so that the text is not cut there first.

    Parameters
    ----------
    pieces : bytes
        The model.
    """
    protocol = require("sentencepiece.sentencepiece_model_pb2", extra="offline")
    model = protocol.ModelProto()
    model.ParseFromString(pieces)
    table = str(base64.b64encode(bytes(model.normalizer_spec.precompiled_charsmap)), "ascii")
    blanks = [
        {"type": "Strip", "strip_left": True, "strip_right": True},
        {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
    ]
    space = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": False}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [{"type": "Precompiled", "precompiled_charsmap": table}, *blanks],
        },
        "pre_tokenizer": space,
        "post_processor": None,
        "decoder": space,
        "model": {
            "type": "Unigram",
            "unk_id": 0,
            "vocab": [[piece.piece, piece.score] for piece in model.pieces],
            "byte_fallback": False,
        },
    }
