"""Questions as vectors for an index of another model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from interlingua.align.bridge import Bridge, BridgeError
from interlingua.pipelines.encoders.base import Encoder
from interlingua.pipelines.encoders.load import encode_named
from interlingua.pipelines.texts.passages import UNDETERMINED

from .models import check_model, known_as

How = Literal["own model", "map", "map and own model"]


@dataclass(frozen=True)
class BridgedQuestions:
    """Vectors of questions, and how they were made.

    Attributes
    ----------
    vectors : (n, d) array of float32
        Unit rows for a search by cosine in the index.
    language : str
        The bridge's name of their language; empty where it has no mean of it.
    how : {"own model", "map", "map and own model"}
        What they were made by.
    """

    vectors: NDArray[np.float32]
    language: str
    how: How


def language_of(bridge: Bridge, language: str) -> str:
    """Return what the bridge calls a language, such as "zh" for "zh_CN" and "cmn", or "" where it knows no mean of it.

    Raises
    ------
    BridgeError
        If the model of the questions does not understand the language.
    """
    known = [*bridge.languages, *([bridge.language] if bridge.language else [])]
    found = known_as(language, known)
    poor = bridge.provenance.get("not_understood", {})
    if found and found in poor:
        raise BridgeError(
            f"the model of the questions does not know {language!r}: it finds {poor[found]:.0%} of the articles of "
            "the Universal Declaration of Human Rights by their translations; take another model for this language"
        )
    return found


def map_questions(
    bridge: Bridge,
    questions: Sequence[str],
    language: str,
    *,
    source: Encoder | None = None,
    target: Encoder | None = None,
    names: Sequence[str] | None = None,
    progress: bool = False,
) -> BridgedQuestions:
    """Return vectors of questions for an index of the bridge's target model.

    Questions in the language that the bridge was fitted on go to the target model itself, where it is at hand; others
    to the source model and through the map, with the target model's own vector beside it where there is one.

    Parameters
    ----------
    bridge : Bridge
    questions : sequence of str
    language : str
        Of all the questions; "und" where nobody knows.
    source, target : Encoder, optional
        The models; the target may be missing, the source only for questions that the target reads itself.
    names : sequence of str, optional
        What errors call the questions.
    progress : bool
        Show a bar on standard error.

    Raises
    ------
    BridgeError
        If a model is not the one of the bridge, or is missing, or does not understand the language.
    """
    called = [f"question {number}" for number in range(1, len(questions) + 1)] if names is None else names
    own: NDArray[np.float32] | None = None
    known = language_of(bridge, language) if language != UNDETERMINED else ""
    if target is not None:
        check_model(bridge.target, target, "index model")
        own = encode_named(target, questions, called, "query", progress=progress)
        if known and known == bridge.language:
            return BridgedQuestions(own, known, "own model")
    if source is None:
        raise BridgeError(
            f"questions in {language!r} need the model that the bridge leads from, {bridge.source.encoder!r}; load it"
        )
    check_model(bridge.source, source, "question model")
    vectors = encode_named(source, questions, called, "query", progress=progress)
    mapped = bridge.transform(vectors, known or None, own)
    return BridgedQuestions(mapped, known, "map" if own is None else "map and own model")
