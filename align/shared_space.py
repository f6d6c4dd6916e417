"""The learned object: for every language or space one map into the common space, with its provenance."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import as_matrix
from .files import replacing
from .normalization import Normalization
from .space_map import HiddenLayer, SpaceMap

__all__ = ["ANY_LANGUAGE", "FORMAT_VERSION", "SharedSpace", "SpaceError", "SpaceMap"]

#: The newest that is read. Spaces without a hidden layer are written as version 1, which every release reads.
FORMAT_VERSION = 2
#: The name of a map that takes vectors of every language that has no map of its own.
ANY_LANGUAGE = "*"
_MAGIC = "interlingua shared space"
_HIDDEN = ("inner", "bias", "outer")


class SpaceError(ValueError):
    """A shared space does not fit what it is asked to do, or its file cannot be trusted."""


@dataclass(frozen=True)
class SharedSpace:
    """One common space for several languages or models.

    Every method of this project, supervised or not, for two languages or many, words or sentences, yields one.

    Parameters
    ----------
    maps : mapping of str to SpaceMap
        One map for each language or space; all end in the same dimension. The map named ``"*"``, if there is one,
        serves every language without a map of its own.
    method : str
        The method that learned it.
    encoder : str
        Identity of the encoder whose vectors the maps take; empty for word vectors.
    scores : mapping of str to float
        What was measured on pairs held out from the fit.
    provenance : mapping
        Anything else JSON can hold: number of pairs, coverage, hash of the data.

    Notes
    -----
    A space knows arrays and no encoder. What joins the two is in the room above: a model that sentence-transformers
    loads is written by ``interlingua.pipelines.to_sentence_transformers(space, path, encoder)``.

    Examples
    --------
    >>> x = np.array([[1.0, 0.2], [0.2, 1.0]], dtype=np.float32)
    >>> space = SharedSpace({"fr": SpaceMap(Normalization.fit(x, "unit"))}, method="identity")
    >>> print(space.transform(x[:1], "fr").round(3))
    [[0.981 0.196]]
    >>> space.transform(x, "de")
    Traceback (most recent call last):
    ...
    interlingua.align.shared_space.SpaceError: this space has no language 'de'; it has: fr
    """

    maps: Mapping[str, SpaceMap]
    method: str
    encoder: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.maps:
            raise SpaceError("a shared space needs at least one map, but none was given")
        dimensions = {name: each.output_dimension for name, each in self.maps.items()}
        if len(set(dimensions.values())) > 1:
            raise SpaceError(f"all maps must end in one dimension, but they end in {dimensions}")
        for attribute in ("maps", "scores", "provenance"):
            frozen = MappingProxyType(dict(getattr(self, attribute)))
            object.__setattr__(self, attribute, frozen)

    @property
    def languages(self) -> tuple[str, ...]:
        """The names of the maps: languages or spaces, and ``"*"`` where one map serves all others."""
        return tuple(self.maps)

    @property
    def dimension(self) -> int:
        """Dimension of the common space."""
        return next(iter(self.maps.values())).output_dimension

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the file that `save` writes: equal spaces, equal fingerprint."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def check_encoder(self, encoder: str) -> None:
        """Raise SpaceError if the maps were learned on vectors of another encoder.

        Vectors of two encoders may agree in dimension and have nothing else in common; mixing them gives no
        error, just bad results. Where either identity is unknown (empty), nothing can be checked.
        """
        if self.encoder and encoder and self.encoder != encoder:
            raise SpaceError(
                f"this space was learned on vectors of {self.encoder!r}, but is given vectors of {encoder!r}; "
                "use the same encoder, or fit a new space on its vectors"
            )

    def covers(self, language: str) -> bool:
        """Tell whether the space can map a language: by its own map, or by the one for all, ``"*"``."""
        return language in self.maps or ANY_LANGUAGE in self.maps

    def map_of(self, language: str) -> SpaceMap:
        """Return the map of a language, or else the one for all, ``"*"``; SpaceError where there is neither."""
        chosen = self.maps.get(language, self.maps.get(ANY_LANGUAGE))
        if chosen is None:
            raise SpaceError(f"this space has no language {language!r}; it has: {', '.join(self.maps)}")
        return chosen

    def transform(self, vectors: Any, language: str) -> Any:
        """Map vectors of a language into the common space.

        Parameters
        ----------
        vectors : (n, d_in) array
            Vectors of that language, seen in the fit or not.
        language : str
            One of `languages`; any, where the space has a map named ``"*"``.

        Returns
        -------
        (n, d) array of float32
            Unit rows, in the namespace and on the device of `vectors`; a row that the map leaves empty, such as one
            equal to its language's mean, is zero.

        Raises
        ------
        SpaceError
            If the language is unknown or the dimension is wrong.
        """
        chosen = self.map_of(language)
        vectors = as_matrix(vectors, "vectors")
        if vectors.shape[1] != chosen.input_dimension:
            raise SpaceError(
                f"the map of {language!r} takes vectors of dimension {chosen.input_dimension}, but these have "
                f"{vectors.shape[1]}; give vectors of the encoder or file that the space was learned on"
            )
        return chosen.transform(vectors)

    def save(self, path: str | Path) -> None:
        """Write one safetensors file with a JSON header; the old file stays whole until the new one is."""
        path = Path(path)
        with replacing(path) as file:
            file.write(self.to_bytes())

    def to_bytes(self) -> bytes:
        """Return the file that `save` writes."""
        from safetensors.numpy import save

        tensors: dict[str, NDArray[np.float32]] = {}
        for number, each in enumerate(self.maps.values()):
            tensors[f"{number}.means"] = np.ascontiguousarray(each.normalization.means)
            if each.matrix is not None:
                tensors[f"{number}.matrix"] = np.ascontiguousarray(each.matrix)
            for part in _HIDDEN if each.hidden is not None else ():
                tensors[f"{number}.{part}"] = np.ascontiguousarray(getattr(each.hidden, part))
        header = {
            "format": _MAGIC,
            "tensors_sha256": _tensors_hash(tensors),
            "format_version": 1 if all(each.hidden is None for each in self.maps.values()) else 2,
            "languages": list(self.maps),
            "steps": [list(each.normalization.steps) for each in self.maps.values()],
            "method": self.method,
            "encoder": self.encoder,
            "scores": dict(self.scores),
            "provenance": dict(self.provenance),
        }
        # subtle: one metadata key, for safetensors does not keep the order of several, and equal spaces must give
        # equal bytes
        return save(tensors, {"space": json.dumps(header, ensure_ascii=False)})

    @classmethod
    def load(cls, path: str | Path, *, encoder: str | None = None) -> "SharedSpace":
        """Read what `save` wrote.

        Parameters
        ----------
        path : str or Path
            The file.
        encoder : str, optional
            The identity of the encoder in use; another one than the space was learned on is refused.

        Raises
        ------
        SpaceError
            If it is no shared space, of another format version, damaged, or of another encoder.
        OSError
            If it cannot be read.
        """
        path = Path(path)
        space = cls.from_bytes(path.read_bytes(), name=str(path))
        if encoder is not None:
            space.check_encoder(encoder)
        return space

    @classmethod
    def from_bytes(cls, content: bytes, *, name: str = "these bytes") -> "SharedSpace":
        """Read the content of a file that `save` wrote; `name` is what errors call it."""
        header, tensors = _parse(content, name)
        version = header.get("format_version")
        if version not in range(1, FORMAT_VERSION + 1):
            raise SpaceError(
                f"{name} has format version {version!r}, but this release reads up to version {FORMAT_VERSION}; "
                "use the release that wrote it, or fit the space again"
            )
        if header.get("tensors_sha256") != _tensors_hash(tensors):
            raise SpaceError(
                f"{name} is damaged: its numbers are not those that were saved; restore it from a copy or fit it again"
            )
        try:
            maps = {
                language: SpaceMap(
                    Normalization(tuple(steps), tensors[f"{number}.means"]),
                    tensors.get(f"{number}.matrix"),
                    HiddenLayer(*(tensors[f"{number}.{part}"] for part in _HIDDEN))
                    if f"{number}.inner" in tensors
                    else None,
                )
                for number, (language, steps) in enumerate(zip(header["languages"], header["steps"], strict=True))
            }
            return cls(maps, header["method"], header["encoder"], header["scores"], header["provenance"])
        except (KeyError, TypeError, ValueError) as error:
            raise SpaceError(f"{name} is damaged: {error}; restore it from a copy or fit it again") from error


def _parse(content: bytes, name: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Split a safetensors file into its JSON header and its arrays, or say why it is refused."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        size = int.from_bytes(content[:8], "little")
        metadata = json.loads(content[8 : 8 + size]).get("__metadata__", {})
        header = json.loads(metadata.get("space", "{}"))
        if header.get("format") != _MAGIC:
            raise SpaceError(
                f"{name} is a safetensors file but no shared space; write one with `interlingua align` "
                "or `interlingua space fit`"
            )
        tensors = load(content)
    except (SafetensorError, ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        if isinstance(error, SpaceError):
            raise
        raise SpaceError(f"{name} is no shared space or is damaged; restore it from a copy or fit it again") from error
    return header, tensors


def _tensors_hash(tensors: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for key in sorted(tensors):
        digest.update(f"{key}\0{tensors[key].shape}\0{tensors[key].dtype}\0".encode())
        digest.update(np.ascontiguousarray(tensors[key]).data)
    return digest.hexdigest()
