"""The parts of a search, and the folder that holds them: its collection, and beside it what maps texts into it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align import SharedSpace
from interlingua.index import Collection
from interlingua.index.collection.parts import array_to_bytes, bytes_to_array
from interlingua.pipelines.stored import (
    EncoderNote,
    Kind,
    Stored,
    check_kind,
    load_collection,
    save_collection,
    stored_with,
)

from .lexical.index import LexicalIndex
from .rows import AnyCollection
from .windows import said_in

_SPACE, _QUESTION_SPACE = "passages.space", "questions.space"
Background = Mapping[str, NDArray[np.float32]]  # by language, what hubness is measured against


@dataclass(frozen=True)
class SearchParts:
    """What a search has beside its encoder; see `CrossLingualSearch`."""

    collection: AnyCollection
    space: SharedSpace | None
    question_space: SharedSpace | None
    background: Background
    neighborhood: int
    means: Mapping[str, bytes] = field(default_factory=dict)
    """`CorrectedRows.attachments`."""
    windows: bool = False
    words: LexicalIndex | None = None


def write_search(
    folder: str | Path,
    parts: SearchParts,
    encoder: EncoderNote,
    kind: Kind = "search",
    *,
    about: Mapping[str, Any] | None = None,
    files: Mapping[str, bytes] | None = None,
) -> None:
    """Write a search, or what is built on one, whole or not at all.

    Parameters
    ----------
    folder : str or Path
    parts : SearchParts
    encoder : EncoderNote
        Of the encoder that made the vectors.
    kind : str
        Which pipeline writes it.
    about, files : mapping, optional
        What that pipeline adds.
    """
    save_collection(
        folder,
        kind,
        parts.collection,
        encoder,
        about={
            "neighborhood": parts.neighborhood,
            "background": list(parts.background),
            **({"windows": True} if parts.windows else {}),
            **(about or {}),
        },
        files={
            **learned_files(parts.space, parts.question_space, parts.background),
            **parts.means,
            **_words_of(parts),
            **(files or {}),
        },
    )


def _words_of(parts: SearchParts) -> dict[str, bytes]:
    if parts.words is None or not isinstance(parts.collection, Collection):
        return {}
    return parts.words.attachments(parts.collection, said_in)


def read_search(folder: str | Path, kind: Kind = "search", *, mapped: bool = False) -> tuple[SearchParts, Stored]:
    """Return what `write_search` wrote, and all that lies beside the collection.

    Raises
    ------
    ValueError
        If the folder is of another kind, or is damaged.
    FileNotFoundError
        If it is not there.
    """
    collection, held = load_collection(folder, kind, mapped=mapped)
    return _parts(collection, held, folder), held


def parts_of(collection: AnyCollection, folder: str | Path) -> tuple[SearchParts, Stored]:
    """Return what `read_search` does, of a collection that has been opened in the folder.

    Raises
    ------
    ValueError
        If no search was saved there.
    """
    check_kind(folder, "search")
    held = stored_with(collection)
    return _parts(collection, held, folder), held


def _parts(collection: AnyCollection, held: Stored, folder: str | Path) -> SearchParts:
    learned = learned_from(held.files, held.about["background"], folder)
    windows = bool(held.about.get("windows"))
    words = LexicalIndex.restored(held.files, folder)
    return SearchParts(collection, *learned, held.about["neighborhood"], windows=windows, words=words)


def learned_files(
    space: SharedSpace | None, question_space: SharedSpace | None, background: Background
) -> dict[str, bytes]:
    """Return what was learned from passages as files."""
    spaces = {_SPACE: space, _QUESTION_SPACE: question_space}
    samples = {f"background-{number}.npy": array_to_bytes(each) for number, each in enumerate(background.values())}
    return samples | {name: each.to_bytes() for name, each in spaces.items() if each is not None}


def learned_from(
    files: Mapping[str, bytes], languages: Sequence[str], folder: str | Path
) -> tuple[SharedSpace | None, SharedSpace | None, dict[str, NDArray[np.float32]]]:
    """Return the spaces and the background of `learned_files`; `languages` are those of the background."""
    space, question_space = (
        SharedSpace.from_bytes(files[name], name=f"{name} in {folder}") if name in files else None
        for name in (_SPACE, _QUESTION_SPACE)
    )
    samples = (bytes_to_array(files[f"background-{number}.npy"]) for number in range(len(languages)))
    return space, question_space, {name: np.asarray(each, np.float32) for name, each in zip(languages, samples)}
