"""Passages as the vectors that an encoder gives."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from interlingua.pipelines.encoders.base import Encoder
from interlingua.pipelines.encoders.load import encode_named
from interlingua.pipelines.texts.passages import Passage


def encode_passages(encoder: Encoder, passages: Sequence[Passage], *, progress: bool = False) -> NDArray[np.float32]:
    """Return the vectors of passages; an error about a text that the encoder does not know names its passage."""
    names = [f"the passage {each.id!r}" for each in passages]
    texts, languages = [each.text for each in passages], [each.language for each in passages]
    return encode_named(encoder, texts, names, "passage", languages=languages, progress=progress)
