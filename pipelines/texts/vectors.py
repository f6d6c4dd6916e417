"""Vectors on disk that know where they come from.

A ``.npy`` file holds numbers alone. Beside ``OUT.npy``, ``OUT.npy.json`` says which encoder made them, of which
language and in which role, and the hash of the file it speaks of, so that a stale note is never believed.
"""

import hashlib
import io
import json
import math
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align import Embeddings
from interlingua.align.files import replacing
from interlingua.align.formats.arrays import UNREADABLE
from interlingua.align.formats.detect import check_labels
from interlingua.pipelines.encoders.fingerprint import PROBES_KEY, Fingerprint, alike

_NPY = b"\x93NUMPY"
_SUFFIXES = (".vec", ".w2v", ".txt", ".glove", ".bin", ".npz", ".safetensors", ".npy")


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
    probes : Fingerprint, optional
        What the encoder of the origin is known by under any name.
    """

    vectors: NDArray[np.float32]
    embeddings: Embeddings | None = None
    origin: Origin = Origin()
    probes: Fingerprint | None = None


def read_vectors(
    path: str | os.PathLike[str], *, limit: int | None = None, space: str = "", skip_malformed: bool = False
) -> VectorFile:
    """Read ``.npy`` with its note, or any format of `Embeddings`; told by content.

    Parameters
    ----------
    path : str or path
        "-" is standard input; ``.npy`` and text can come from there.
    limit : int, optional
        Rows to read.
    space : str
        What to call the space of labelled vectors.
    skip_malformed : bool
        Drop malformed rows of labelled vectors instead of raising, see `Embeddings.read`.

    Raises
    ------
    ValueError
        If the file is no matrix of finite numbers.
    OSError
        If it cannot be read.

    Warns
    -----
    UserWarning
        If the note of a ``.npy`` file speaks of another file: it was damaged or replaced since, and nobody knows of
        which encoder it is.
    """
    source: Path | io.BufferedReader | io.BytesIO
    if os.fspath(path) == "-":
        name, source = "standard input", _as_buffered(sys.stdin.buffer)
        is_npy = source.peek(len(_NPY)).startswith(_NPY)
    else:
        source = Path(path)
        name = str(source)
        with source.open("rb") as file:
            is_npy = file.read(len(_NPY)) == _NPY or source.suffix == ".npy"
    if not is_npy:
        embeddings = Embeddings.read(
            source, limit=limit, space=space, on_malformed="skip" if skip_malformed else "raise"
        )
        return VectorFile(embeddings.vectors, embeddings)
    if isinstance(source, Path):
        with source.open("rb") as file:
            origin, probes = _read_note(source)
            return VectorFile(_read_npy(file, name, limit), origin=origin, probes=probes)
    return VectorFile(_read_npy(io.BytesIO(source.read()), name, limit))


def require_one_origin(origins: Sequence[Origin]) -> None:
    """Refuse vectors that cannot be compared: of several encoders, or encoded in several roles.

    Raises
    ------
    ValueError
        If two of them name different encoders or roles; what is unknown is believed.

    Examples
    --------
    >>> require_one_origin([Origin("e5", "fi", "passage"), Origin("e5", "en", "passage"), Origin()])
    >>> require_one_origin([Origin("e5", "fi", "passage"), Origin("e5", "en", "query")])
    Traceback (most recent call last):
        ...
    ValueError: the vectors must come from one role, but come from passage, query; encode them alike
    """
    for key in ("encoder", "role"):
        found = {getattr(each, key) for each in origins} - {""}
        if len(found) > 1:
            raise ValueError(
                f"the vectors must come from one {key}, but come from {', '.join(sorted(found))}; encode them alike"
            )


def known_origins(files: Sequence[VectorFile]) -> list[Origin]:
    """Return where files come from; encoders that are the first one under another name have its name."""
    first = next((each for each in files if each.origin.encoder), VectorFile(np.empty((0, 1), np.float32)))
    return [
        replace(each.origin, encoder=first.origin.encoder) if alike(first.probes, each.probes) else each.origin
        for each in files
    ]


def check_output_name(path: str | os.PathLike[str]) -> None:
    """Refuse a name that tells no format, before the work that leads up to a file of that name.

    Raises
    ------
    ValueError
        If it ends in no suffix that `write_vectors` knows.
    """
    plain = os.fspath(path).lower().removesuffix(".gz")
    if Path(plain).suffix not in _SUFFIXES:
        raise ValueError(f"the name {os.fspath(path)!r} tells no format; end it in one of {', '.join(_SUFFIXES)}")


def check_output_labels(path: str | os.PathLike[str], file: VectorFile) -> None:
    """Refuse labels that the format of an output cannot hold, before the work that leads up to it; ValueError."""
    if file.embeddings is not None and Path(path).suffix != ".npy":
        check_labels(path, file.embeddings.labels)


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
        if file.probes is not None:
            note[PROBES_KEY] = file.probes.to_json()
        note["note_sha256"] = _note_hash(note)
        with replacing(_note(path), "w") as target:
            target.write(json.dumps(note, ensure_ascii=False, indent=1) + "\n")
    elif file.embeddings is None:
        raise ValueError(f"vectors without labels can be written as .npy only, not as {path.name}; name it OUT.npy")
    else:
        replace(file.embeddings, vectors=file.vectors).write(path)


def _read_npy(file: IO[bytes], name: str, limit: int | None) -> NDArray[np.float32]:
    try:
        _check_npy_size(file)
        array = np.lib.format.read_array(file, allow_pickle=False)
    except UNREADABLE as error:
        raise ValueError(f"{name} is no whole .npy file of numbers ({error}); make it again") from error
    if array.ndim != 2 or array.shape[1] < 1 or array.dtype.kind not in "fiu":
        raise ValueError(
            f"{name} must hold one vector a row, of shape (n, d), but holds {array.dtype} of shape {array.shape}"
        )
    with np.errstate(over="ignore"):  # too large for float32: infinite, and refused below
        vectors = np.ascontiguousarray(array[:limit], np.float32)
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if bad.size:
        raise ValueError(f"{name} must hold finite numbers, but row {bad[0]} holds NaN or infinity; make it again")
    return vectors


def _check_npy_size(file: IO[bytes]) -> None:
    """Compare what a header promises with what follows it, before memory is asked for; stay where the file begins."""
    old = np.lib.format.read_magic(file) == (1, 0)
    shape, _, dtype = (np.lib.format.read_array_header_1_0 if old else np.lib.format.read_array_header_2_0)(file)
    promised, start = math.prod(shape) * dtype.itemsize, file.tell()
    held = file.seek(0, os.SEEK_END) - start
    if promised > held:
        raise ValueError(f"its header promises {promised} bytes of numbers and {held} follow")
    file.seek(0)


def _as_buffered(stream: IO[bytes]) -> io.BufferedReader:
    return stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(io.BytesIO(stream.read()))


def _read_note(path: Path) -> tuple[Origin, Fingerprint | None]:
    try:
        note: Any = json.loads(_note(path).read_text(encoding="utf-8"))
        own = note.pop("note_sha256", None)  # earlier releases wrote none
        if own is not None and own != _note_hash(note):
            raise ValueError("it is not what was written")
        if note["sha256"] == _sha256(path):
            origin = Origin(*(str(note[key]) for key in ("encoder", "language", "role", "space")))
            return origin, Fingerprint.from_json(note.get(PROBES_KEY))
        problem = f"speaks of another file: {path.name} was damaged or replaced since"
    except FileNotFoundError:
        return Origin(), None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        problem = "is damaged"
    warnings.warn(
        f"{_note(path)} {problem}; of which encoder and language the vectors are is unknown", UserWarning, stacklevel=3
    )
    return Origin(), None


def _note(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _note_hash(note: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(note, ensure_ascii=False, sort_keys=True).encode("utf-8", "replace")).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
