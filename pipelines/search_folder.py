"""The folder of a saved search: its collection, and beside it what maps texts into it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interlingua.align import SharedSpace
from interlingua.index import Collection, array_to_bytes, bytes_to_array

__all__ = ["SearchParts", "read_search", "write_search"]

_SPACE, _QUESTION_SPACE = "passages.space", "questions.space"


@dataclass(frozen=True)
class SearchParts:
    """What a search has beside its collection and its encoder; see `CrossLingualSearch`."""

    space: SharedSpace | None
    question_space: SharedSpace | None
    background: Mapping[str, NDArray[np.float32]]
    neighborhood: int
    encoder_name: str
    means: Mapping[str, bytes] = field(default_factory=dict)
    """`CorrectedRows.attachments`."""


def write_search(collection: Collection, parts: SearchParts, encoder: str, folder: str | Path) -> None:
    """Write a search, whole or not at all; `encoder` is the identity of the encoder that made the vectors."""
    collection.attributes = {
        "pipeline": "search",
        "encoder": encoder,
        "encoder_name": parts.encoder_name,
        "neighborhood": parts.neighborhood,
        "background": list(parts.background),
    }
    collection.attachments = {
        f"background-{number}.npy": array_to_bytes(each) for number, each in enumerate(parts.background.values())
    }
    collection.attachments |= parts.means
    for name, space in ((_SPACE, parts.space), (_QUESTION_SPACE, parts.question_space)):
        if space is not None:
            collection.attachments[name] = space.to_bytes()
    collection.save(folder)


def read_search(folder: str | Path, *, mapped: bool = False) -> tuple[Collection, SearchParts, str]:
    """Return what `write_search` wrote, and the identity of the encoder.

    Raises
    ------
    ValueError
        If the folder is no saved search, or is damaged.
    FileNotFoundError
        If it is not there.
    """
    collection = Collection.load(folder, mapped=mapped)
    about, attachments = collection.attributes, collection.attachments
    if about.get("pipeline") != "search":
        raise ValueError(f"{folder} is a collection, but not one that `interlingua index build` wrote")
    space, question_space = (
        SharedSpace.from_bytes(attachments[name], name=f"{name} in {folder}") if name in attachments else None
        for name in (_SPACE, _QUESTION_SPACE)
    )
    background = {
        language: np.asarray(bytes_to_array(attachments[f"background-{number}.npy"]), np.float32)
        for number, language in enumerate(about["background"])
    }
    parts = SearchParts(space, question_space, background, about["neighborhood"], about["encoder_name"])
    return collection, parts, about["encoder"]
