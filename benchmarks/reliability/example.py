"""What an example of a file or folder is, and what examples are made of."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ENGLISH = ("sun", "moon", "star", "cat", "dog", "house", "water", "fire", "tree", "bread", "milk", "stone")
FRENCH = ("soleil", "lune", "étoile", "chat", "chien", "maison", "eau", "feu", "arbre", "pain", "lait", "pierre")
ROWS, WIDTH = 120, 8


@dataclass(frozen=True)
class Example:
    """One kind of file or folder.

    Attributes
    ----------
    make : callable
        Writes it, whole, into an empty folder, and returns its path there.
    read : callable
        Returns what is read of that path, all of it.
    own : bool
        Whether the format is ours, and whatever was altered must be refused.
    earlier : callable, optional
        Of a journal that was cut, what may be read as well: the states before its end.
    """

    make: Callable[[Path], Path]
    read: Callable[[Path], Any]
    own: bool = True
    earlier: Callable[[Path], list[Any]] | None = None


def sample_rows(seed: int = 0) -> Any:
    """Return random vectors."""
    return np.random.default_rng(seed).normal(size=(ROWS, WIDTH)).astype(np.float32)


def text_example(name: str, content: str, read: Callable[[Path], Any]) -> Example:
    """Return the example of a file of text, in a format that is not ours."""

    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content.encode())
        return folder / name

    return Example(make, read, own=False)
