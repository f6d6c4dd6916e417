"""The learned object: for every language or space one map into the common space, with its provenance.

A map normalises by steps whose statistics are kept, so that new vectors get the same treatment, and multiplies by one
matrix, perhaps with a small hidden layer beside it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .arrays import as_matrix, known_rows, namespace, row_blocks, take_known, to_numpy, unit_rows
from .files import replacing
from .tensors import TensorFormat

Step = Literal["unit", "centre"]
_BLOCK = 65536

#: Named sequences of steps. "iterative" has five rounds, as published: more change nothing.
PRESETS: dict[str, tuple[Step, ...]] = {
    "none": (),
    "unit": ("unit",),
    "centre": ("centre",),
    "unit-centre": ("unit", "centre"),
    "unit-centre-unit": ("unit", "centre", "unit"),
    "iterative": ("unit", "centre") * 5 + ("unit",),
}


@dataclass(frozen=True)
class Normalization:
    """A sequence of steps applied to each row, with the means that were learned for it.

    The steps are ``unit``, x / ||x||, and ``centre``, x - m, where m is the mean of the rows *as they were at
    that step* when `fit` saw them. Iterative normalisation [1]_ alternates the two until both properties hold
    at once: every row has length one and the mean is zero.

    Parameters
    ----------
    steps : tuple of {"unit", "centre"}
        What is done to each row, in order.
    means : (n_centre, d) array of float32
        One mean for each ``centre`` step, in order.

    Notes
    -----
    Nothing here removes directions or scales dimensions: that is the business of the linear map behind it.

    A zero row stands for what has no vector. It is part of no mean and stays zero: less the mean, all of them would
    become one and the same vector, each other's nearest neighbours across languages.

    References
    ----------
    .. [1] Zhang, Xu, Kawarabayashi, Jegelka and Boyd-Graber (2019), "Are girls neko or shojo? Cross-lingual
       alignment of non-isomorphic embeddings with iterative normalization", ACL. doi:10.18653/v1/P19-1307

    Examples
    --------
    >>> x = np.array([[2.0, 0.0], [0.0, 2.0], [1.0, 1.0]], dtype=np.float32)
    >>> normalization = Normalization.fit(x, "unit-centre")
    >>> bool(np.allclose(normalization.transform(x).mean(axis=0), 0, atol=1e-7))
    True
    >>> print(normalization.transform(np.array([[5.0, 0.0]], dtype=np.float32)).round(3))
    [[ 0.431 -0.569]]
    """

    steps: tuple[Step, ...]
    means: NDArray[np.float32]

    def __post_init__(self) -> None:
        unknown = [step for step in self.steps if step not in ("unit", "centre")]
        if unknown:
            raise ValueError(f"a normalisation step is 'unit' or 'centre', not {unknown[0]!r}")
        expected = sum(step == "centre" for step in self.steps)
        if self.means.ndim != 2 or self.means.shape[0] != expected:
            raise ValueError(
                f"the steps {self.steps} need {expected} means, one for each 'centre', "
                f"but the means have shape {self.means.shape}"
            )
        if not np.isfinite(self.means).all():
            raise ValueError("the means must be finite, but hold NaN or infinity")

    @classmethod
    def fit(cls, vectors: Any, steps: str | tuple[Step, ...] = "unit-centre-unit") -> "Normalization":
        """Learn the means of the ``centre`` steps from `vectors`.

        Parameters
        ----------
        vectors : (n, d) array
            The rows to learn from; for word vectors the whole vocabulary, not the dictionary alone.
        steps : str or tuple of {"unit", "centre"}
            A name from `PRESETS`, or the steps themselves.

        Raises
        ------
        ValueError
            If the name is unknown, or there is no row to take a mean of.
        """
        if isinstance(steps, str):
            if steps not in PRESETS:
                raise ValueError(f"unknown normalisation {steps!r}; choose one of {', '.join(PRESETS)}")
            steps = PRESETS[steps]
        matrix = as_matrix(vectors, "vectors")
        if "centre" in steps:
            matrix = take_known(matrix)
        if matrix.shape[0] == 0 and "centre" in steps:
            raise ValueError("a mean needs at least one vector that is not zero, but none was given")
        xp = namespace(matrix)
        means: list[NDArray[np.float32]] = []
        for step in steps:
            if step == "unit":
                matrix = unit_rows(matrix)
            else:
                mean = to_numpy(_mean(matrix)).astype(np.float32)
                means.append(mean)
                matrix = matrix - xp.asarray(mean, device=matrix.device)
        dimension = int(matrix.shape[1])
        return cls(tuple(steps), np.stack(means) if means else np.empty((0, dimension), np.float32))

    @classmethod
    def centring(cls, mean: NDArray[np.floating[Any]]) -> "Normalization":
        """Return unit length, less a known mean of shape (d,)."""
        return cls(("unit", "centre"), np.asarray(mean, np.float32)[None, :])

    @property
    def dimension(self) -> int:
        """Number of columns that `transform` expects."""
        return int(self.means.shape[1])

    def transform(self, vectors: Any) -> Any:
        """Apply the steps to new rows, with the means learned before.

        Parameters
        ----------
        vectors : (n, d) array
            Any rows of the same space; not modified.

        Returns
        -------
        (n, d) array of float32
            In the namespace and on the device of `vectors`; a zero row stays zero.
        """
        return self.apply(self._checked(vectors))

    def _checked(self, vectors: Any) -> Any:
        matrix = as_matrix(vectors, "vectors")
        if matrix.shape[1] != self.dimension:
            raise ValueError(
                f"this normalisation was learned in dimension {self.dimension}, "
                f"but the vectors have dimension {matrix.shape[1]}"
            )
        return matrix

    def apply(self, matrix: Any) -> Any:
        """Do what `transform` does, to a matrix of that dimension that `as_matrix` has checked."""
        xp, given = namespace(matrix), matrix
        learned = iter(self.means)
        for step in self.steps:
            matrix = unit_rows(matrix) if step == "unit" else matrix - xp.asarray(next(learned), device=matrix.device)
        return matrix if "centre" not in self.steps else _zero_where_zero(matrix, given)


def _zero_where_zero(rows: Any, given: Any) -> Any:
    """Return `rows`, but zeros where the row that was given is zero: what has no vector gets none."""
    if known_rows(given) is None:
        return rows
    xp = namespace(given)
    return xp.where(xp.any(given != 0, axis=1)[:, None], rows, xp.zeros_like(rows))


def _mean(matrix: Any) -> Any:
    """Return the mean row, summed in float64 in blocks: a float32 sum over millions of rows drifts."""
    xp = namespace(matrix)
    total = xp.zeros(matrix.shape[1], dtype=xp.float64, device=matrix.device)
    for _, block in row_blocks(matrix, _BLOCK):
        total = total + xp.sum(block, axis=0, dtype=xp.float64)
    return total / matrix.shape[0]


@dataclass(frozen=True)
class HiddenLayer:
    """What a small network adds to a linear map: x -> max(x A + a, 0) B.

    Parameters
    ----------
    inner : (d_in, h) array of float32
        A.
    bias : (h,) array of float32
        a.
    outer : (h, d_out) array of float32
        B.
    """

    inner: NDArray[np.float32]
    bias: NDArray[np.float32]
    outer: NDArray[np.float32]

    def __post_init__(self) -> None:
        shapes = (self.inner.shape, self.bias.shape, self.outer.shape)
        if [len(shape) for shape in shapes] != [2, 1, 2] or not shapes[0][1] == shapes[1][0] == shapes[2][0]:
            raise ValueError(
                f"a hidden layer of h units needs arrays of shape (d_in, h), (h,) and (h, d_out), but has {shapes}"
            )
        if not all(np.isfinite(each).all() for each in (self.inner, self.bias, self.outer)):
            raise ValueError("a hidden layer must be finite, but holds NaN or infinity")

    def __call__(self, rows: Any) -> Any:
        """Return (n, d_out) rows, in the namespace and on the device of `rows`."""
        xp = namespace(rows)
        inner, bias, outer = (xp.asarray(each, device=rows.device) for each in (self.inner, self.bias, self.outer))
        units = rows @ inner + bias
        return xp.where(units > 0, units, xp.zeros_like(units)) @ outer


@dataclass(frozen=True)
class SpaceMap:
    """Normalise, then multiply: x -> unit(z W + hidden(z)), z = normalise(x), for one language or space.

    Parameters
    ----------
    normalization : Normalization
        The steps before the matrix, with their learned means.
    matrix : (d_in, d_out) array of float32, or None
        W; None stands for the identity.
    hidden : HiddenLayer, optional
        Beside the matrix; None, as with all linear methods, adds nothing.
    """

    normalization: Normalization
    matrix: NDArray[np.float32] | None = None
    hidden: HiddenLayer | None = None

    def __post_init__(self) -> None:
        if self.matrix is not None:
            if self.matrix.ndim != 2 or self.matrix.shape[0] != self.normalization.dimension:
                raise ValueError(
                    f"the matrix must have as many rows as the normalisation has dimensions "
                    f"({self.normalization.dimension}), but its shape is {self.matrix.shape}"
                )
            if not np.isfinite(self.matrix).all():
                raise ValueError("the matrix must be finite, but holds NaN or infinity")
        if self.hidden is not None:
            ends = (self.hidden.inner.shape[0], self.hidden.outer.shape[1])
            if ends != (self.input_dimension, self.output_dimension):
                raise ValueError(
                    f"the hidden layer must lead from dimension {self.input_dimension} to {self.output_dimension}, "
                    f"as the matrix does, but leads from {ends[0]} to {ends[1]}"
                )

    @property
    def input_dimension(self) -> int:
        """Dimension of the vectors that go in."""
        return self.normalization.dimension

    @property
    def output_dimension(self) -> int:
        """Dimension of the vectors that come out."""
        return self.input_dimension if self.matrix is None else int(self.matrix.shape[1])

    def transform(self, vectors: Any) -> Any:
        """Return (n, d_out) unit rows of float32, in the namespace and on the device of `vectors`.

        A zero row stays zero. One that the steps leave empty, such as one equal to its language's mean, stays so unless
        the hidden layer fills it.
        """
        return self.apply(self.normalization._checked(vectors))

    def apply(self, matrix: Any) -> Any:
        """Do what `transform` does, to a matrix of that dimension that `as_matrix` has checked."""
        rows = self.normalization.apply(matrix)
        mapped = rows if self.matrix is None else rows @ namespace(rows).asarray(self.matrix, device=rows.device)
        if self.hidden is not None:
            mapped = _zero_where_zero(mapped + self.hidden(rows), matrix)
        return unit_rows(mapped)


#: The name of a map that takes vectors of every language that has no map of its own.
ANY_LANGUAGE = "*"
_HIDDEN = ("inner", "bias", "outer")


class SpaceError(ValueError):
    """A shared space does not fit what it is asked to do, or its file cannot be trusted."""


#: Version 2 has hidden layers, version 3 a hash of its header.
_FORMAT = TensorFormat(
    kind="shared space",
    key="space",
    name="interlingua shared space",
    versions=(1, 3),
    error=SpaceError,
    source="write one with `interlingua align` or `interlingua space fit`",
    again="fit it again",
    header_hashed_since=3,
)


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
    interlingua.align.space.SpaceError: this space has no language 'de'; it has: fr
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
        """SHA-256 of all that the space is: equal spaces, equal fingerprint, in whatever version they were saved."""
        plain = all(each.hidden is None for each in self.maps.values())
        # subtle: rankings and mapped vectors name spaces by it, so it stays that of the first files
        return hashlib.sha256(self._content(1 if plain else 2)).hexdigest()

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
        return chosen.apply(vectors)

    def save(self, path: str | Path) -> None:
        """Write one safetensors file with a JSON header; the old file stays whole until the new one is."""
        with replacing(path) as file:
            file.write(self.to_bytes())

    def to_bytes(self) -> bytes:
        """Return the file that `save` writes."""
        return self._content(_FORMAT.versions[1])

    def _content(self, version: int) -> bytes:
        tensors: dict[str, NDArray[np.float32]] = {}
        for number, each in enumerate(self.maps.values()):
            tensors[f"{number}.means"] = each.normalization.means
            if each.matrix is not None:
                tensors[f"{number}.matrix"] = each.matrix
            for part in _HIDDEN if each.hidden is not None else ():
                tensors[f"{number}.{part}"] = getattr(each.hidden, part)
        header = {
            "languages": list(self.maps),
            "steps": [list(each.normalization.steps) for each in self.maps.values()],
            "method": self.method,
            "encoder": self.encoder,
            "scores": dict(self.scores),
            "provenance": dict(self.provenance),
        }
        return _FORMAT.to_bytes(tensors, header, version=version)

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
        tensors, header = _FORMAT.from_bytes(content, name)
        with _FORMAT.building(name):
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
