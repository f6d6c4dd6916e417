"""Vectors on disk that know where they come from.

A ``.npy`` file holds numbers alone. Beside ``OUT.npy``, ``OUT.npy.json`` says which encoder made them, of which language
and in which role, and the hash of the file it speaks of, so that a stale note is never believed.
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align import Embeddings
from interlingua.align.files import replacing

__all__ = ["Origin", "VectorFile", "read_vectors", "write_vectors"]


@dataclass(frozen=True)
class Origin:
    """Where vectors come from; every field may be unknown (empty).

    Attributes
    ----------
    encoder : str
        Identity of the encoder.
    language : str
        What language the texts are in.
    role : str
        "symmetric", "query" or "passage".
    space : str
        Hash of the shared space that the vectors were mapped into.
    """

    encoder: str = ""
    language: str = ""
    role: str = ""
    space: str = ""


@dataclass(frozen=True)
class VectorFile:
    """Vectors with their labels, if the format has any, and their origin.

    Attributes
    ----------
    vectors : (n, d) array of float32
    embeddings : Embeddings or None
        The same vectors with labels; None for ``.npy``.
    origin : Origin
    """

    vectors: NDArray[np.float32]
    embeddings: Embeddings | None = None
    origin: Origin = Origin()


def read_vectors(path: str | os.PathLike[str], *, limit: int | None = None) -> VectorFile:
    """Read ``.npy`` with its note, or any format of `Embeddings`.

    Raises
    ------
    ValueError
        If the file is no matrix of finite numbers.
    OSError
        If it cannot be read.
    """
    path = Path(path)
    if path.suffix != ".npy":
        embeddings = Embeddings.read(path, limit=limit)
        return VectorFile(embeddings.vectors, embeddings)
    with path.open("rb") as file:
        try:
            array = np.load(file, allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise ValueError(f"{path} is no whole .npy file of numbers ({error}); make it again") from error
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise ValueError(
            f"{path} must hold one vector a row, of shape (n, d), but holds {array.dtype} of shape {array.shape}"
        )
    vectors = np.ascontiguousarray(array[:limit], np.float32)
    if not np.isfinite(vectors).all():
        raise ValueError(f"{path} must hold finite numbers, but holds NaN or infinity; make it again")
    return VectorFile(vectors, origin=_read_note(path))


def write_vectors(path: str | os.PathLike[str], file: VectorFile) -> None:
    """Write ``.npy`` with its note, or labelled vectors in the format of the name; whole or not at all.

    Raises
    ------
    ValueError
        If the format needs labels and there are none.
    """
    path = Path(path)
    if path.suffix == ".npy":
        with replacing(path) as target:
            np.save(target, file.vectors)
        note = asdict(file.origin) | {"sha256": _sha256(path), "shape": list(file.vectors.shape)}
        with replacing(_note(path), "w") as target:
            target.write(json.dumps(note, ensure_ascii=False, indent=1) + "\n")
    elif file.embeddings is None:
        raise ValueError(f"vectors without labels can be written as .npy only, not as {path.name}; name it OUT.npy")
    else:
        replace(file.embeddings, vectors=file.vectors).write(path)


def _read_note(path: Path) -> Origin:
    try:
        note: Any = json.loads(_note(path).read_text(encoding="utf-8"))
        if note["sha256"] == _sha256(path):
            return Origin(*(str(note[key]) for key in ("encoder", "language", "role", "space")))
    except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
        pass  # no note, or one about another file: then the origin is unknown
    return Origin()


def _note(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
