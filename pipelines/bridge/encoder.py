"""Questions through a bridge, as an encoder of the index's space: what a search takes for its own encoder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interlingua.align.bridge import Bridge, BridgeError
from interlingua.pipelines.encoders.base import NO_PROMPTS, Encoder, Role, check_texts

from .models import check_model
from .questions import map_questions
from .texts import guess_language


@dataclass(frozen=True)
class BridgedEncoder:
    """Questions of any language as vectors of the index's model.

    Attributes
    ----------
    bridge : Bridge
    source : Encoder
        The multilingual model.
    target : Encoder, optional
        The index's own model; without it, questions go through the map alone.
    language : str, optional
        Of all questions; by default guessed for each by its letters.
    """

    bridge: Bridge
    source: Encoder
    target: Encoder | None = None
    language: str | None = None

    @property
    def identity(self) -> str:
        """That of the index's model: its vectors and these may be compared."""
        return self.bridge.target.encoder if self.target is None else self.target.identity

    @property
    def dimension(self) -> int:
        """Of the index's vectors."""
        return self.bridge.target.dimension

    @property
    def prompts(self) -> Mapping[str, str]:
        """Those of the index's model; none where the bridge was fitted on vectors alone."""
        return {**NO_PROMPTS, **self.bridge.target.prompts}

    def encode(self, texts: Sequence[str], *, role: Role = "query", progress: bool = False) -> NDArray[np.float32]:
        """Return the vectors of questions; of passages, those of the index's model itself.

        Raises
        ------
        BridgeError
            If a model is not the bridge's, or does not understand a language, or passages are given without the index's
            own model.
        """
        checked = check_texts(texts)
        if role != "query":
            if self.target is None:
                raise BridgeError("a bridge maps questions; passages need the index's own model, which is not here")
            return self.target.encode(checked, role=role, progress=progress)
        spoken = [self.language or guess_language([each]) for each in checked]
        made = np.empty((len(checked), self.dimension), np.float32)
        for language in dict.fromkeys(spoken):
            rows = [row for row, each in enumerate(spoken) if each == language]
            made[rows] = map_questions(
                self.bridge, [checked[row] for row in rows], language, source=self.source, target=self.target,
                progress=progress,
            ).vectors  # fmt: skip
        return made


def end_named(bridge: Bridge, encoder: Encoder) -> str:
    """Return which end of a bridge an encoder is: "source" or "target".

    Raises
    ------
    BridgeError
        If it is neither.
    """
    try:
        check_model(bridge.target, encoder, "index model")
    except BridgeError as error:
        try:
            check_model(bridge.source, encoder, "question model")
        except BridgeError:
            raise error from None
        return "source"
    return "target"
