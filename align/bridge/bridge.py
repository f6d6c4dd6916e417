"""A bridge: vectors of one model's questions as vectors of another model's space."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import unit_matrix, unit_rows
from interlingua.align.files import replacing
from interlingua.align.tensors import TensorFormat

Role = Literal["short", "long"]
#: Probe vectors of one model agree at least so well, whatever the precision; another prompt of e5 lies below.
SAME_MODEL = 0.995


class BridgeError(ValueError):
    """A bridge cannot be trusted, or is given vectors of another model than it was fitted on."""


_FORMAT = TensorFormat(
    kind="bridge",
    key="bridge",
    name="interlingua bridge",
    versions=(1, 1),
    error=BridgeError,
    source="write one with `interlingua bridge fit`",
    again="fit it again",
    header_hashed_since=1,
)


@dataclass(frozen=True)
class BridgeEnd:
    """One of the two models, and where its vectors lie.

    Attributes
    ----------
    short, long : (d,) array of float32
        Mean of the unit vectors of short texts, such as questions, and of long ones, in the language of the fit.
    offsets : mapping of str to (d,) array of float32
        What to add to the mean in another language.
    encoder : str
        Identity of the model.
    name : str
        What loads it again; empty where nothing does.
    prompts : mapping of str to str
        What it puts before texts, by role.
    probes : (p, d) array of float32
        Unit vectors of a few texts, by which the model is known under any name; may have no row.
    """

    short: NDArray[np.float32]
    long: NDArray[np.float32]
    offsets: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    encoder: str = ""
    name: str = ""
    prompts: Mapping[str, str] = field(default_factory=dict)
    probes: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))

    def __post_init__(self) -> None:
        shapes = {np.shape(each) for each in (self.short, self.long, *self.offsets.values())}
        if len(shapes) != 1 or len(next(iter(shapes))) != 1:
            raise BridgeError(f"the means of a model must be vectors of one dimension, but have the shapes {shapes}")
        object.__setattr__(self, "offsets", MappingProxyType(dict(self.offsets)))
        object.__setattr__(self, "prompts", MappingProxyType(dict(self.prompts)))

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        return len(self.short)

    def centred(self, vectors: Any, language: str | None) -> NDArray[np.float32]:
        """Return unit vectors of short texts less the mean of their language; of one unknown, of all others together.

        Raises
        ------
        BridgeError
            If they have another dimension.
        """
        return self.checked(vectors) - self.short - self._offset(language)

    def checked(self, vectors: Any) -> NDArray[np.float32]:
        """Return unit vectors, or raise BridgeError where they have another dimension than this model's."""
        rows = unit_matrix(vectors, "vectors")
        if rows.shape[1] != self.dimension:
            raise BridgeError(
                f"this end of the bridge is {self.encoder or 'a model'} of dimension {self.dimension}, but the vectors "
                f"have dimension {rows.shape[1]}; give vectors of that model"
            )
        return rows

    def _offset(self, language: str | None) -> NDArray[np.float32]:
        if language in self.offsets:
            return self.offsets[language]  # type: ignore[index]  # None is no key
        others = [each for each in self.offsets.values() if each.any()]
        return np.mean(others, axis=0) if others else np.zeros_like(self.short)

    def recognise(
        self, encoder: str, prompts: Mapping[str, str], probes: Callable[[], NDArray[np.float32]], *, end: str
    ) -> None:
        """Refuse another model than this one; identity and prompts tell it, or else its vectors of the probe texts.

        Parameters
        ----------
        encoder : str
            The identity of the model in use.
        prompts : mapping of str to str
            What it puts before texts, by role.
        probes : callable
            Returns its vectors of the same texts in the same roles; called only where the others differ.
        end : str
            What errors call this end.

        Raises
        ------
        BridgeError
            If identity and vectors are of another model, or the vectors of another prompt.
        """
        if encoder and encoder == self.encoder and dict(prompts) == dict(self.prompts):
            return
        other = unit_matrix(probes(), "probes")
        if not len(self.probes):
            raise BridgeError(
                f"the bridge's {end} is {self.encoder!r} and not {encoder!r}, and it holds no vectors to compare; "
                "give the model that it was fitted with"
            )
        if other.shape != self.probes.shape:
            raise BridgeError(
                f"the bridge's {end} is {self.encoder!r} of dimension {self.probes.shape[1]}, but {encoder!r} gives "
                f"{other.shape[1]}; give the model that it was fitted with, or fit another bridge"
            )
        cosines = np.einsum("ij,ij->i", other, self.probes)
        if cosines.min() < SAME_MODEL:
            raise BridgeError(
                f"the bridge's {end} is {self.encoder!r}, and {encoder!r} gives other vectors of the same texts "
                f"(cosine {cosines.min():.3f} at the least): another model, prompt or pooling; give the model that it "
                "was fitted with, or fit another bridge"
            )


@dataclass(frozen=True)
class Bridge:
    """Question vectors of a multilingual model as question vectors for an index of another.

    With x the unit vector of a question in language l, m_l the mean of short texts there and W the matrix::

        p = unit((unit(x) - m_l) W)
        bridged = unit(s_l p + (1 - s_l) unit(y))

    where y is the other model's own vector of the question, if it is at hand: it carries names and numbers in any
    language, and p the meaning. The mean of the index's texts is not added to p: it would bring every question near
    the same texts. A question in the language of the fit has y itself.

    Attributes
    ----------
    matrix : (d_source, d_target) array of float32
        W.
    source, target : BridgeEnd
        The model of the questions, and that of the index.
    language : str
        What it was fitted on; empty where unknown.
    share : float
        s, weight of the map beside the index's own model, in (0, 1], in languages without one of their own.
    shares : mapping of str to float
        s by language.
    method : str
        How W was fitted.
    scores : mapping of str to float
        What was measured on texts held out.
    provenance : mapping
        Anything else JSON can hold.
    """

    matrix: NDArray[np.float32]
    source: BridgeEnd
    target: BridgeEnd
    language: str = ""
    share: float = 0.65
    shares: Mapping[str, float] = field(default_factory=dict)
    method: str = ""
    scores: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ends = (self.source.dimension, self.target.dimension)
        if self.matrix.shape != ends:
            raise BridgeError(f"a bridge between dimensions {ends} needs such a matrix, but has {self.matrix.shape}")
        if not all(np.isfinite(each).all() for each in self._tensors().values()):
            raise BridgeError("a bridge must be finite, but holds NaN or infinity")
        for share in (self.share, *self.shares.values()):
            if not 0 < share <= 1:
                raise BridgeError(f"the share of the map must be above 0 and at most 1, but is {share}")
        object.__setattr__(self, "shares", MappingProxyType(dict(self.shares)))
        object.__setattr__(self, "scores", MappingProxyType(dict(self.scores)))
        object.__setattr__(self, "provenance", MappingProxyType(dict(self.provenance)))

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages whose means are known."""
        return tuple(self.source.offsets)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that the bridge is."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def transform(self, vectors: Any, language: str | None = None, own: Any = None) -> NDArray[np.float32]:
        """Return unit vectors for questions to the index.

        Parameters
        ----------
        vectors : (n, d_source) array
            The questions' vectors, of the source model.
        language : str, optional
            Their language, one of `languages`; any other, or None, has the mean of all of them.
        own : (n, d_target) array, optional
            The target model's own vectors of the questions.

        Raises
        ------
        BridgeError
            If a dimension is wrong.
        ValueError
            If `own` has another number of rows.
        """
        rows = self.source.centred(vectors, language)
        mapped = unit_rows(rows @ self.matrix)
        if own is None:
            return np.asarray(mapped, np.float32)
        theirs = self.target.checked(own)
        if len(theirs) != len(mapped):
            raise ValueError(f"there are {len(mapped)} questions, but {len(theirs)} vectors of the index's own model")
        if language and language == self.language:
            return theirs
        share = self.shares.get(language or "", self.share)
        return np.asarray(unit_rows(share * mapped + (1 - share) * theirs), np.float32)

    def save(self, path: str | Path) -> None:
        """Write one safetensors file with a JSON header; the old file stays whole until the new one is."""
        with replacing(path) as file:
            file.write(self.to_bytes())

    def to_bytes(self) -> bytes:
        """Return the file that `save` writes."""
        ends = {
            name: {
                "encoder": each.encoder,
                "name": each.name,
                "prompts": dict(each.prompts),
                "offsets": list(each.offsets),
            }
            for name, each in (("source", self.source), ("target", self.target))
        }
        header = {
            **ends,
            "language": self.language,
            "share": self.share,
            "shares": dict(self.shares),
            "method": self.method,
            "scores": dict(self.scores),
            "provenance": dict(self.provenance),
        }
        return _FORMAT.to_bytes(self._tensors(), header)

    def _tensors(self) -> dict[str, NDArray[np.float32]]:
        tensors = {"matrix": self.matrix}
        for name, each in (("source", self.source), ("target", self.target)):
            rows = [each.short, each.long, *each.offsets.values()]
            tensors[f"{name}.means"] = np.stack(rows).astype(np.float32)
            tensors[f"{name}.probes"] = np.asarray(each.probes, np.float32)
        return tensors

    @classmethod
    def load(cls, path: str | Path) -> "Bridge":
        """Read what `save` wrote.

        Raises
        ------
        BridgeError
            If it is no bridge, of another format version, or damaged.
        OSError
            If it cannot be read.
        """
        return cls.from_bytes(Path(path).read_bytes(), name=str(path))

    @classmethod
    def from_bytes(cls, content: bytes, *, name: str = "these bytes") -> "Bridge":
        """Read the content of a file that `save` wrote; `name` is what errors call it."""
        tensors, header = _FORMAT.from_bytes(content, name)
        with _FORMAT.building(name):
            ends = []
            for end in ("source", "target"):
                about, (short, long, *offsets) = header[end], tensors[f"{end}.means"]
                named = dict(zip(about["offsets"], offsets, strict=True))
                ends.append(
                    BridgeEnd(
                        short, long, named, about["encoder"], about["name"], about["prompts"], tensors[f"{end}.probes"]
                    )
                )
            return cls(
                tensors["matrix"], ends[0], ends[1], header["language"], header["share"], header["shares"],
                header["method"], header["scores"], header["provenance"],
            )  # fmt: skip
