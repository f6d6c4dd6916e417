"""One safetensors file with a checked JSON header: how learned objects lie on disk."""

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .files import replacing

Tensors = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class TensorFormat:
    """A kind of file: named arrays, and beside them anything that JSON can hold.

    The header is one JSON text under one key of the file's metadata: safetensors does not keep the order of several,
    and equal objects must give equal bytes. It holds the format's name, its version, a hash of the arrays and one of
    itself, all checked when the file is read.

    Parameters
    ----------
    kind : str
        What errors call such a file.
    key : str
        The metadata key.
    name : str
        What the header says under ``format``.
    versions : tuple of int
        The oldest and the newest version that are read.
    error : type of ValueError
        What is raised.
    source : str
        Where such a file comes from: the way out when another one is given.
    again : str
        How it is made anew, as in "or ...".
    header_hashed_since : int
        The first version whose header is part of what is hashed.
    unsigned : bool
        Whether files of an earlier release carry neither name nor hash and are read all the same.
    """

    kind: str
    key: str
    name: str
    versions: tuple[int, int]
    error: type[ValueError]
    source: str
    again: str
    header_hashed_since: int
    unsigned: bool = False

    def to_bytes(self, tensors: Tensors, header: Mapping[str, Any], *, version: int | None = None) -> bytes:
        """Return the file of these arrays and this header, of the newest version or a lower one.

        What is found in the file's header is what was written there, or the file is refused: language, encoder and
        method decide what the numbers are used for.
        """
        from safetensors.numpy import save

        arrays = {name: np.ascontiguousarray(each) for name, each in tensors.items()}
        signed = {
            "format": self.name,
            "tensors_sha256": tensors_hash(arrays),
            "format_version": self.versions[1] if version is None else version,
            **header,
        }
        if signed["format_version"] >= self.header_hashed_since:
            signed["header_sha256"] = _header_hash(signed)
        return save(arrays, {self.key: json.dumps(signed, ensure_ascii=False)})

    def write(self, path: str | Path, tensors: Tensors, header: Mapping[str, Any]) -> None:
        """Write the file, whole or not at all: an old one stays until the new one is complete."""
        content = self.to_bytes(tensors, header)
        with replacing(path) as file:
            file.write(content)

    def read(self, path: str | Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return arrays and header of what `write` wrote; errors as of `from_bytes`, or OSError."""
        return self.from_bytes(Path(path).read_bytes(), str(path))

    def from_bytes(self, content: bytes, name: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return arrays and header of the content of a file that errors call `name`.

        Raises
        ------
        ValueError
            The format's own error: it is no such file, of another version, or damaged.
        """
        tensors, header = self._parsed(content, name)
        oldest, newest = self.versions
        version = header.get("format_version")
        if version not in range(oldest, newest + 1):
            readable = f"version {newest}" if oldest == newest else f"up to version {newest}"
            raise self.error(
                f"{name} has format version {version!r}, but this release reads {readable}; "
                f"use the release that wrote it, or {self.again}"
            )
        with self.building(name):
            unsigned = self.unsigned and "tensors_sha256" not in header
            if not unsigned and header.get("tensors_sha256") != tensors_hash(tensors):
                raise ValueError("its numbers are not those that were saved")
            # subtle: a version that was altered to an old one still leaves the hash, which covers the version too
            hashed = "header_sha256" in header or header["format_version"] >= self.header_hashed_since
            if hashed and header.pop("header_sha256", None) != _header_hash(header):
                raise ValueError("its header is not the one that was saved")
        return tensors, header

    @contextlib.contextmanager
    def building(self, name: str) -> Iterator[None]:
        """Say that the file is damaged where what it holds does not make an object."""
        try:
            yield
        except (KeyError, TypeError, ValueError) as error:
            raise self.error(f"{name} is damaged: {error}; restore it from a copy or {self.again}") from error

    def _parsed(self, content: bytes, name: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            size = int.from_bytes(content[:8], "little")
            metadata = json.loads(content[8 : 8 + size]).get("__metadata__", {})
            header: dict[str, Any] = json.loads(metadata.get(self.key, "{}"))
            known = header.get("format", self.name if self.unsigned and header else None) == self.name
            tensors = load(content)
        except (SafetensorError, ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
            raise self.error(
                f"{name} is no {self.kind} or is damaged; restore it from a copy or {self.again}"
            ) from error
        if not known:
            raise self.error(f"{name} is a safetensors file but no {self.kind}; {self.source}")
        return tensors, header


def _header_hash(header: Mapping[str, Any]) -> str:
    """Return the SHA-256 of all that a header says, in its order."""
    return hashlib.sha256(json.dumps(header, ensure_ascii=False).encode()).hexdigest()


def tensors_hash(tensors: Tensors) -> str:
    """Return the SHA-256 of names, shapes, types and values, whatever the order."""
    digest = hashlib.sha256()
    for key in sorted(tensors):
        digest.update(f"{key}\0{tensors[key].shape}\0{tensors[key].dtype}\0".encode())
        digest.update(np.ascontiguousarray(tensors[key]).data)
    return digest.hexdigest()
