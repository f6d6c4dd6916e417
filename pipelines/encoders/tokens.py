"""Vectors of the tokens of texts, where an encoder gives them.

An encoder gives them by a method ``token_vectors(texts, role)``: for each text a (t, d) array of its tokens in order,
those of the prompt and the marks at the ends left out. They are scaled together so that the mean of all tokens, which
is the text's vector before its length is made 1, has length 1.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .base import Encoder, Role, check_texts

Tokens = NDArray[np.float32]


def gives_tokens(encoder: Encoder) -> bool:
    """Tell whether an encoder gives vectors of tokens."""
    inner: Any = getattr(encoder, "encoder", encoder)  # what a cache keeps the vectors of
    return callable(getattr(inner, "token_vectors", None))


def token_vectors(encoder: Encoder, texts: Sequence[str], role: Role = "symmetric") -> list[Tokens]:
    """Return the vectors of the tokens of texts.

    Raises
    ------
    ValueError
        If the encoder gives none, as those of words do.
    """
    if not gives_tokens(encoder):
        raise ValueError(f"the encoder {encoder.identity} gives no vectors of tokens; take one that is a transformer")
    found: list[Tokens] = encoder.token_vectors(check_texts(texts), role)  # type: ignore[attr-defined]  # it has them
    return found


def of_text(rows: NDArray[np.floating], before: int, after: int) -> Tokens:
    """Return the tokens of a text from those (t, d) of its prompt, text and marks; all where nothing else is left.

    Parameters
    ----------
    rows : (t, d) array
    before, after : int
        Tokens of the prompt and the marks.
    """
    length = float(np.linalg.norm(rows.mean(axis=0)))
    scaled = np.asarray(rows / max(length, 1e-9), np.float32)
    return scaled[before : len(scaled) - after] if len(scaled) > before + after else scaled
