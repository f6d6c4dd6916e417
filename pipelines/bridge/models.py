"""What a bridge keeps of an encoder: what loads it, what it is known by, and where its languages lie."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interlingua.align.bridge import Bridge, BridgeEnd
from interlingua.pipelines.encoders import fingerprint
from interlingua.pipelines.encoders.base import Encoder, Role
from interlingua.pipelines.encoders.load import lasting_name
from interlingua.pipelines.texts.languages import find_language, identified_as

from .texts import BridgeTexts

_PROBE_ROLES: tuple[Role, ...] = ("query", "passage")


#: Bridges that come with the package, by name.
PACKED = {"minilm": "minilm.bridge"}


def load_bridge(place: str | Path) -> Bridge:
    """Return a bridge from a file, or one that comes with the package.

    Parameters
    ----------
    place : str or Path
        A file; or "minilm", from multilingual-e5-small into an index of all-MiniLM-L6-v2, where no file is called so.

    Raises
    ------
    BridgeError
        If it is no bridge.
    OSError
        If it cannot be read.
    """
    if str(place) not in PACKED or Path(place).exists():
        return Bridge.load(place)
    content = (resources.files("interlingua.pipelines") / "data" / PACKED[str(place)]).read_bytes()
    return Bridge.from_bytes(content, name=f"the bridge {place} of the package")


def encode_both(
    texts: BridgeTexts, encoders: Sequence[Encoder], *, progress: bool = False
) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """Return vectors of the short texts, as questions, and of the long ones, as passages, by each encoder."""
    short = [each.encode(texts.short, role="query", progress=progress) for each in encoders]
    return short, [each.encode(texts.long, role="passage", progress=progress) for each in encoders]


def probe_vectors(encoder: Encoder) -> NDArray[np.float32]:
    """Return the vectors of a few texts, as questions and as passages, by which an encoder is known.

    An encoder that does not know one of them, such as word vectors of a language, has no probes: an array without rows.
    """
    found = fingerprint.probe_vectors(encoder, _PROBE_ROLES)
    return found if found.any(axis=1).all() else found[:0]


def end_of(encoder: Encoder) -> BridgeEnd:
    """Return an encoder as an end of a bridge, its means yet to be learned."""
    nothing = np.zeros(encoder.dimension, np.float32)
    name = lasting_name(encoder=encoder)
    return BridgeEnd(nothing, nothing, {}, encoder.identity, name, dict(encoder.prompts), probe_vectors(encoder))


def check_model(end: BridgeEnd, encoder: Encoder, which: str) -> None:
    """Refuse an encoder that is not the one of this end, whatever it is called; see `BridgeEnd.recognise`."""
    end.recognise(encoder.identity, encoder.prompts, lambda: probe_vectors(encoder), end=which)


def known_as(language: str, known: Sequence[str]) -> str:
    """Return what a list calls a language, or "" where it is not there.

    Examples
    --------
    >>> known_as("zh_CN", ["en", "zh"]), known_as("cmn", ["en", "zh"]), known_as("gsw", ["en", "zh"])
    ('zh', 'zh', '')
    """
    tag = language.replace("_", "-")
    asked = (tag, *sorted(identified_as(tag, known)), tag.split("-")[0])
    return next((found for each in asked if (found := find_language(each, known))), "")
