"""What every method that removes language does: check the vectors of each language, learn, and note what they were."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import as_matrix, take_known, to_numpy, unit_rows
from interlingua.align.space import SharedSpace, SpaceMap

Shrinkage = float | Literal["auto"]
Rows = dict[str, NDArray[np.float64]]


@dataclass(kw_only=True, eq=False)
class LanguageRemoval(ABC):
    """A method that takes from vectors what tells their language, learned without any pair.

    Parameters
    ----------
    minimum : int
        Fewest vectors of a language.

    Attributes
    ----------
    space_ : SharedSpace
        One map a language, or the one map ``"*"`` for all, after `fit`.
    """

    #: Its name in commands and files.
    name: ClassVar[str]
    fewest_languages: ClassVar[int] = 1

    minimum: int = 2

    @classmethod
    def usual(cls) -> Self:
        """Return the method with its usual parameters."""
        return cls()

    def fit(self, vectors: Mapping[str, Any], *, encoder: str = "") -> Self:
        """Learn from the vectors of each language.

        Parameters
        ----------
        vectors : mapping of str to (n, d) array
            The vectors of each language; they need not correspond.
        encoder : str
            Identity of the encoder that made them, kept in the space.

        Raises
        ------
        ValueError
            If there are too few languages, a language has too few vectors, the dimensions differ, or a parameter is out
            of range.
        """
        self._check_parameters()
        matrices = language_matrices(vectors, minimum=self._fewest_vectors(), fewest_languages=self.fewest_languages)
        maps, noted = self._learn(matrices)
        self.space_ = SharedSpace(
            maps, method=self.name, encoder=encoder, provenance={**provenance_of(matrices), **noted}
        )
        return self

    def _fewest_vectors(self) -> int:
        return self.minimum

    def _check_parameters(self) -> None:
        shrinkage = getattr(self, "shrinkage", "auto")
        if shrinkage != "auto" and not (isinstance(shrinkage, float | int) and 0 <= shrinkage <= 1):
            raise ValueError(f"shrinkage must be 'auto' or lie in [0, 1], but is {shrinkage!r}")

    @abstractmethod
    def _learn(self, matrices: Mapping[str, Any]) -> tuple[dict[str, SpaceMap], dict[str, Any]]:
        """Return the maps, from checked matrices, and what the provenance notes beside these."""


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
    matrices = {name: take_known(each) for name, each in matrices.items()}
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


def unit_languages(matrices: Mapping[str, Any]) -> Rows:
    """Return the rows of each language in unit length, in float64, as NumPy arrays."""
    return {name: to_numpy(unit_rows(each)).astype(np.float64) for name, each in matrices.items()}


def provenance_of(matrices: Mapping[str, Any]) -> dict[str, Any]:
    """Return the number of vectors a language and the SHA-256 of names and vectors, for a space's provenance."""
    digest = hashlib.sha256()
    for name, matrix in matrices.items():
        digest.update(f"{name}\0{tuple(matrix.shape)}\0".encode())
        digest.update(np.ascontiguousarray(to_numpy(matrix)).data)
    counts = {name: int(each.shape[0]) for name, each in matrices.items()}
    return {"vectors": counts, "data_sha256": digest.hexdigest()}


def ledoit_wolf(centred: NDArray[np.float64], target: NDArray[np.float64] | None = None) -> float:
    """Return the share in [0, 1] of the target in a covariance that keeps its expected squared error least [1]_.

    Parameters
    ----------
    centred : (n, d) array
        Rows whose mean is zero.
    target : (d, d) array, optional
        By default the multiple of the identity that has the covariance's trace.

    References
    ----------
    .. [1] Ledoit and Wolf (2004), "A well-conditioned estimator for large-dimensional covariance matrices", Journal of
       Multivariate Analysis. doi:10.1016/S0047-259X(03)00096-4
    """
    n, d = centred.shape
    covariance = centred.T @ centred / n
    if target is None:
        target = np.eye(d) * (np.trace(covariance) / d)
    # the mean over rows of ||x x' - C||², divided by n
    error = (((centred**2).sum(axis=1) ** 2).sum() / n - (covariance**2).sum()) / n
    distance = ((covariance - target) ** 2).sum()
    return float(np.clip(error / distance, 0, 1)) if distance > 0 else 1.0
