"""What every method that removes language does first: check the vectors of each language, and note what they were."""

import hashlib
from collections.abc import Mapping
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from .arrays import as_matrix, to_numpy, unit_rows
from .shared_space import SharedSpace

__all__ = ["LanguageRemoval", "language_matrices", "provenance_of", "unit_languages"]


class LanguageRemoval(Protocol):
    """A method that takes from vectors what tells their language, learned without any pair."""

    space_: SharedSpace

    def fit(self, vectors: Mapping[str, Any], *, encoder: str = "") -> Self:
        """Learn from the vectors of each language; they need not correspond."""
        ...


def language_matrices(vectors: Mapping[str, Any], *, minimum: int, fewest_languages: int = 1) -> dict[str, Any]:
    """Return the vectors of each language as finite float32 matrices of one dimension.

    Parameters
    ----------
    vectors : mapping of str to (n, d) array
        The vectors of each language.
    minimum : int
        Fewest vectors a language.
    fewest_languages : int
        Fewest languages.

    Raises
    ------
    ValueError
        If there are too few languages, one has too few vectors, or the dimensions differ.
    """
    if len(vectors) < fewest_languages:
        raise ValueError(
            f"this needs the vectors of at least {'one language' if fewest_languages == 1 else 'two languages'}, "
            f"but {', '.join(map(repr, vectors)) or 'none'} was given"
        )
    matrices = {name: as_matrix(each, f"the vectors of {name!r}") for name, each in vectors.items()}
    dimensions = {name: int(each.shape[1]) for name, each in matrices.items()}
    if len(set(dimensions.values())) > 1:
        raise ValueError(f"all languages must come from one encoder and have one dimension, but have {dimensions}")
    for name, each in matrices.items():
        if each.shape[0] < minimum:
            raise ValueError(
                f"the mean of {name!r} needs at least {minimum} vectors, but there are {each.shape[0]}; "
                "give more texts of this language, or leave it out"
            )
    return matrices


def unit_languages(matrices: Mapping[str, Any]) -> dict[str, NDArray[np.float64]]:
    """Return the rows of each language in unit length, in float64, as NumPy arrays."""
    return {name: to_numpy(unit_rows(each)).astype(np.float64) for name, each in matrices.items()}


def provenance_of(matrices: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Return the number of vectors a language and the SHA-256 of names and vectors, for a space's provenance."""
    digest = hashlib.sha256()
    for name, matrix in matrices.items():
        digest.update(f"{name}\0{tuple(matrix.shape)}\0".encode())
        digest.update(np.ascontiguousarray(to_numpy(matrix)).data)
    counts = {name: int(each.shape[0]) for name, each in matrices.items()}
    return {"vectors": counts, "data_sha256": digest.hexdigest(), **more}
