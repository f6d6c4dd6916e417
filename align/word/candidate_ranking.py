"""The learned ranking of candidate translations: applied, saved, loaded."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..embeddings import Embeddings
from ..files import replacing
from ..neighbors import Neighbors
from ..shared_space import SharedSpace, SpaceError
from .candidates import (
    SPELLING_FEATURES,
    VECTOR_FEATURES,
    MappedVocabularies,
    spelling_features,
    vector_features,
)
from .endings import EndingPairs
from .spelling import SpellingModel

__all__ = ["CandidateRanking", "WordForms", "dense_features"]

FORMAT_VERSION = 1
_MAGIC = "interlingua candidate ranking"

Ids = NDArray[np.int64]
Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class WordForms:
    """What was learned of how words are written.

    Attributes
    ----------
    spelling : SpellingModel
    endings : EndingPairs
    """

    spelling: SpellingModel
    endings: EndingPairs


@dataclass(frozen=True, eq=False)
class CandidateRanking:
    """Ranks the candidates that a shared space finds, by more than their similarity. `Reranker` learns one.

    Parameters
    ----------
    languages : tuple of two str
        Source and target.
    space_fingerprint : str
        Of the shared space whose candidates it ranks.
    n_candidates : int
        How many a word, by CSLS.
    dictionary : tuple of (str, str)
        Known translations.
    forms : WordForms or None
        None for a ranking by vectors and frequencies alone.
    weights : (c,) array of float64
        Of the features: `VECTOR_FEATURES`, with `forms` `SPELLING_FEATURES` and the pairs of endings.
    centre, scale : (c_dense,) array of float64
        Of the features but the endings.
    scores : mapping of str to float
        On held-out words of the dictionary: ``precision_at_1`` and the like of the ranking, ``csls_precision_at_1`` and
        the like of the candidates as they came.
    """

    languages: tuple[str, str]
    space_fingerprint: str
    n_candidates: int
    dictionary: tuple[tuple[str, str], ...]
    forms: WordForms | None
    weights: Numbers
    centre: Numbers
    scale: Numbers
    scores: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "scores", MappingProxyType(dict(self.scores)))
        dense = len(VECTOR_FEATURES) + (len(SPELLING_FEATURES) if self.forms else 0)
        expected = dense + (len(self.forms.endings.pairs) if self.forms else 0)
        if self.weights.shape != (expected,) or self.centre.shape != (dense,) or self.scale.shape != (dense,):
            raise ValueError(
                f"{expected} weights and {dense} centres and scales are needed, but there are "
                f"{self.weights.size}, {self.centre.size} and {self.scale.size}"
            )

    def rank(
        self, space: SharedSpace, source: Embeddings, target: Embeddings, rows: Sequence[int] | Ids, k: int = 5
    ) -> Neighbors:
        """Return the best k translations of source words.

        Parameters
        ----------
        space : SharedSpace
            The one that the ranking was learned for.
        source, target : Embeddings
            The whole vocabularies, most frequent first; their `space` names the language.
        rows : (n,) sequence of int
            Rows of the source words.
        k : int
            Where it exceeds `n_candidates`, as many candidates are ranked.

        Returns
        -------
        Neighbors
            Scores are log-probabilities that the candidate is the translation, if one of the candidates is.

        Raises
        ------
        SpaceError
            If the space or the languages are not those of the ranking.
        ValueError
            If k < 1.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, but is {k}")
        if space.fingerprint != self.space_fingerprint:
            raise SpaceError("the ranking was learned for another shared space; learn one for this space")
        if (source.space, target.space) != self.languages:
            raise SpaceError(
                f"the ranking was learned from {self.languages[0]!r} to {self.languages[1]!r}, "
                f"but is asked from {source.space!r} to {target.space!r}"
            )
        rows = np.asarray(rows, np.int64)
        if not rows.size:
            return Neighbors(np.empty((0, k), np.int64), np.empty((0, k), np.float32))
        mapped = MappedVocabularies.of(space, source, target)
        own = MappedVocabularies.apart(source, target)
        known = [(source.index[s], target.index[t]) for s, t in self.dictionary if s in source and t in target]
        found = mapped.candidates(rows, max(k, self.n_candidates))
        dense = dense_features(
            mapped, own, source, target, rows, found, np.array(known, np.int64).reshape(-1, 2), self.forms
        )
        scores = ((dense - self.centre) / self.scale) @ self.weights[: self.centre.size]
        if self.forms:
            words = [source.labels[row] for row in rows.tolist()]
            present = self.forms.endings.matrix(words, target.labels, found.ids)
            scores += (present @ self.weights[self.centre.size :]).reshape(scores.shape)
        scores -= np.logaddexp.reduce(scores, axis=1, keepdims=True)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return Neighbors(
            np.take_along_axis(found.ids, order, axis=1),
            np.take_along_axis(scores, order, axis=1).astype(np.float32),
        )

    def save(self, path: str | Path) -> None:
        """Write one safetensors file with a JSON header, whole or not at all."""
        from safetensors.numpy import save

        tensors: dict[str, NDArray[Any]] = {
            "weights": self.weights,
            "centre": self.centre,
            "scale": self.scale,
        }
        header: dict[str, Any] = {
            "format": _MAGIC,
            "format_version": FORMAT_VERSION,
            "languages": self.languages,
            "space": self.space_fingerprint,
            "n_candidates": self.n_candidates,
            "features": [*VECTOR_FEATURES, *(SPELLING_FEATURES if self.forms else ())],
            "dictionary": self.dictionary,
            "scores": dict(self.scores),
        }
        if self.forms:
            spelling = self.forms.spelling
            header["endings"] = self.forms.endings.pairs
            header["spelling"] = {
                "source_characters": spelling.source_characters,
                "target_characters": spelling.target_characters,
                "ends": spelling.ends,
                "related": spelling.related,
            }
            for name in ("edits", "source_frequencies", "target_frequencies"):
                tensors[f"spelling.{name}"] = getattr(spelling, name)
        tensors = {name: np.ascontiguousarray(each) for name, each in tensors.items()}
        header["tensors_sha256"] = _tensors_hash(tensors)
        with replacing(path) as file:
            file.write(save(tensors, {"ranking": json.dumps(header, ensure_ascii=False)}))

    @classmethod
    def load(cls, path: str | Path) -> "CandidateRanking":
        """Read what `save` wrote.

        Raises
        ------
        SpaceError
            If it is no ranking, of another format version, or damaged.
        OSError
            If it cannot be read.
        """
        header, tensors = _parse(Path(path).read_bytes(), str(path))
        if header.get("format_version") != FORMAT_VERSION:
            raise SpaceError(
                f"{path} has format version {header.get('format_version')!r}, but this release reads version "
                f"{FORMAT_VERSION}; use the release that wrote it, or learn the ranking again"
            )
        try:
            if header["tensors_sha256"] != _tensors_hash(tensors):
                raise ValueError("its numbers are not those that were saved")
            forms = None
            if "spelling" in header:
                numbers = {
                    name: tensors[f"spelling.{name}"] for name in ("edits", "source_frequencies", "target_frequencies")
                }
                fields = header["spelling"] | numbers | {"ends": tuple(header["spelling"]["ends"])}
                forms = WordForms(SpellingModel(**fields), EndingPairs(tuple(map(tuple, header["endings"]))))
            return cls(
                tuple(header["languages"]),
                header["space"],
                header["n_candidates"],
                tuple(map(tuple, header["dictionary"])),
                forms,
                tensors["weights"],
                tensors["centre"],
                tensors["scale"],
                header["scores"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise SpaceError(f"{path} is damaged: {error}; restore it from a copy or learn it again") from error


def dense_features(
    mapped: MappedVocabularies,
    own: MappedVocabularies,
    source: Embeddings,
    target: Embeddings,
    rows: Ids,
    found: Neighbors,
    dictionary: Ids,
    forms: WordForms | None,
) -> Numbers:
    """Return all features but the endings, (n, k, c); see `vector_features` and `spelling_features`."""
    columns = [vector_features(mapped, own, rows, found.ids, dictionary)]
    if forms:
        words = [source.labels[row] for row in rows.tolist()]
        columns.append(spelling_features(forms.spelling, words, target.labels, found.ids, found.scores))
    return np.concatenate(columns, axis=2).astype(np.float64)


def _parse(content: bytes, name: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Split a safetensors file into its JSON header and its arrays, or say why it is refused."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        size = int.from_bytes(content[:8], "little")
        header = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["ranking"])
        if header["format"] != _MAGIC:
            raise ValueError("another format")
        return header, load(content)
    except (SafetensorError, ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise SpaceError(f"{name} is no candidate ranking or is damaged; learn one with `align --rerank`") from error


def _tensors_hash(tensors: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for key in sorted(tensors):
        digest.update(f"{key}\0{tensors[key].shape}\0{tensors[key].dtype}\0".encode())
        digest.update(np.ascontiguousarray(tensors[key]).data)
    return digest.hexdigest()
