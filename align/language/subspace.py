"""Take out of sentence vectors the directions that tell the language.

`LIR` removes directions of each language and needs to know it; `LSAR` and `LEACE` learn one map for all languages,
those never seen included: their spaces have the one map ``"*"`` and need no label at query time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from interlingua.align.linalg import svd
from interlingua.align.space import ANY_LANGUAGE, Normalization, SpaceMap

from .removal import LanguageRemoval, Shrinkage, ledoit_wolf, unit_languages

_RANK_TOLERANCE = 1e-10


@dataclass(kw_only=True, eq=False)
class LIR(LanguageRemoval):
    """Remove from each language its strongest directions: x -> unit(x - U_l U_l' x) with U_l of rank r.

    The columns of U_l are the first r right singular vectors of the *uncentred* (n, d) matrix of the language's unit
    vectors: the first is nearly its mean direction [1]_.

    Parameters
    ----------
    rank : int
        r, the directions to remove from each language; 1 or 2 are usual.
    minimum : int
        Fewest vectors of a language; at least r.

    Attributes
    ----------
    space_ : SharedSpace
        One map a language, after `fit`.

    References
    ----------
    .. [1] Yang, Yang, Cer and Darve (2021), "A simple and effective method to eliminate the self language bias in
       multilingual representations", EMNLP. doi:10.18653/v1/2021.emnlp-main.470

    Examples
    --------
    >>> x = np.array([[3.0, 1.0], [3.0, -1.0]])
    >>> print(LIR().fit({"fin": x}).space_.transform(x, "fin").round(3))
    [[ 0.  1.]
     [ 0. -1.]]
    """

    name: ClassVar[str] = "lir"

    rank: int = 1

    def _fewest_vectors(self) -> int:
        return max(self.minimum, self.rank)

    def _learn(self, matrices: Mapping[str, Any]) -> tuple[dict[str, SpaceMap], dict[str, Any]]:
        _check_rank(self.rank, _dimension(matrices) - 1, "below the dimension")
        maps = {}
        for name, rows in unit_languages(matrices).items():
            # the right singular vectors, from the d x d Gram matrix: n may be large
            strongest = np.linalg.eigh(rows.T @ rows)[1][:, -self.rank :]
            maps[name] = _without(strongest)
        return maps, {"rank": self.rank}


@dataclass(kw_only=True, eq=False)
class LSAR(LanguageRemoval):
    """Remove the subspace in which the languages' means differ: x -> unit(x - M M' x), one map for all languages.

    The (d, L) matrix of the means of L languages is split into a mean that all share and what is left,
    M̂ ≈ μ 1' + M Γ' with orthonormal M of rank r and μ orthogonal to M [1]_ [2]_; see `language_subspace`. With
    r = L - 1 the means coincide afterwards; with less, languages that are close to each other stay a little apart.

    Parameters
    ----------
    rank : int, optional
        r, at most L - 1, which is the default.
    centre : bool
        Subtract what the means have in common too, so that cosines are not dominated by it.
    minimum : int
        Fewest vectors of a language.

    Attributes
    ----------
    space_ : SharedSpace
        The one map ``"*"``, after `fit`.
    subspace_ : (d, r) array of float64
        M.

    References
    ----------
    .. [1] Xie, Zhao, Yu and Li (2022), "Discovering low-rank subspaces for language-agnostic multilingual
       representations", EMNLP. doi:10.18653/v1/2022.emnlp-main.379
    .. [2] Piratla, Netrapalli and Sarawagi (2020), "Efficient domain generalization via common-specific low-rank
       decomposition", ICML. arXiv:2003.12815

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> meaning = rng.normal(size=(40, 8))
    >>> space = LSAR().fit({"fin": meaning + 3 * np.eye(8)[0], "eng": meaning}).space_
    >>> space.languages, space.transform(meaning, "swh").shape  # a language never seen
    (('*',), (40, 8))
    """

    name: ClassVar[str] = "lsar"
    fewest_languages: ClassVar[int] = 2

    rank: int | None = None
    centre: bool = False

    @classmethod
    def usual(cls) -> Self:
        """Return the method that takes what the means have in common too, so that cosines are not dominated by it."""
        return cls(centre=True)

    def _learn(self, matrices: Mapping[str, Any]) -> tuple[dict[str, SpaceMap], dict[str, Any]]:
        largest = min(len(matrices), _dimension(matrices)) - 1
        rank = largest if self.rank is None else self.rank
        _check_rank(rank, largest, "below the number of languages and dimensions")
        means = np.stack([rows.mean(axis=0) for rows in unit_languages(matrices).values()], axis=1)
        shared, self.subspace_ = language_subspace(means, rank)
        maps = {ANY_LANGUAGE: _without(self.subspace_, shared if self.centre else None)}
        return maps, {"rank": rank, "centre": self.centre}


@dataclass(kw_only=True, eq=False)
class LEACE(LanguageRemoval):
    """Erase the language by the smallest change after which no linear classifier can tell it, one map for all.

    x -> unit((x - m) - C^1/2 P C^-1/2 (x - m)), with m and C mean and covariance of the unit vectors of all languages
    together and P the orthogonal projection on the columns of C^-1/2 S, S the covariance of vectors and one-hot
    languages [1]_: afterwards the means of all languages are equal, and of all maps that do it, this one changes the
    vectors least in squared length.

    Published LEACE adds m back. It is left out here: it is the same for all vectors, tells nothing, and would only
    press all cosines together.

    Parameters
    ----------
    shrinkage : float or "auto"
        From 0 to 1: how far C is drawn to a multiple of the identity; "auto" by the formula of Ledoit and Wolf [2]_.
        The means come out equal at any shrinkage; with 1 the map is an orthogonal projection.
    minimum : int
        Fewest vectors of a language.

    Attributes
    ----------
    space_ : SharedSpace
        The one map ``"*"``, after `fit`.
    shrinkage_ : float
        What was used.

    References
    ----------
    .. [1] Belrose et al. (2023), "LEACE: Perfect linear concept erasure in closed form", NeurIPS. arXiv:2306.03819
    .. [2] Ledoit and Wolf (2004), "A well-conditioned estimator for large-dimensional covariance matrices", Journal of
       Multivariate Analysis. doi:10.1016/S0047-259X(03)00096-4

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.normal(size=(60, 8)), rng.normal(size=(60, 8)) + 2 * np.eye(8)[0]
    >>> LEACE().fit({"fin": a, "eng": b}).space_.languages
    ('*',)
    """

    name: ClassVar[str] = "leace"
    fewest_languages: ClassVar[int] = 2

    shrinkage: Shrinkage = "auto"

    def _learn(self, matrices: Mapping[str, Any]) -> tuple[dict[str, SpaceMap], dict[str, Any]]:
        rows = unit_languages(matrices)
        pooled = np.concatenate(list(rows.values()))
        mean = pooled.mean(axis=0)
        pooled -= mean
        covariance = pooled.T @ pooled / len(pooled)
        self.shrinkage_ = ledoit_wolf(pooled) if self.shrinkage == "auto" else float(self.shrinkage)
        dimension = len(mean)
        covariance *= 1 - self.shrinkage_
        covariance[np.diag_indices(dimension)] += self.shrinkage_ * (pooled**2).sum() / len(pooled) / dimension
        values, axes = np.linalg.eigh(covariance)
        kept = values > _RANK_TOLERANCE * values[-1]
        root = np.sqrt(np.where(kept, values, 0))
        whiten, colour = (axes * np.where(kept, 1 / np.where(kept, root, 1), 0)) @ axes.T, (axes * root) @ axes.T
        # the columns of S span what the centred means span, whatever the languages' shares are
        offsets = np.stack([each.mean(axis=0) - mean for each in rows.values()], axis=1)
        left, strengths, _ = svd(whiten @ offsets)
        basis = left[:, strengths > _RANK_TOLERANCE * max(strengths[0], _RANK_TOLERANCE)]
        eraser = np.eye(dimension) - colour @ basis @ basis.T @ whiten
        maps = {ANY_LANGUAGE: SpaceMap(Normalization.centring(mean), eraser.T.astype(np.float32))}
        return maps, {"shrinkage": self.shrinkage_, "rank": int(basis.shape[1])}


def language_subspace(means: NDArray[np.float64], rank: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Split language means into what they share and an orthonormal basis of what they do not.

    Minimises ||M - μ 1' - B Γ'||² over μ, B and Γ, subject to B'B = I and B'μ = 0, in closed form: the truncated SVD of
    the centred means gives the best approximation M' of rank r around their mean; μ = v / ||v||² with M'' v = 1 is its
    one point that is orthogonal to all differences; B are the left singular vectors of M' - μ 1'.

    Parameters
    ----------
    means : (d, L) array
        One column a language.
    rank : int
        r, from 1 to min(d, L) - 1.

    Returns
    -------
    (d,) array
        μ.
    (d, r) array
        B.

    Examples
    --------
    >>> shared, basis = language_subspace(np.array([[1.0, 1.0], [0.5, -0.5], [0.0, 0.0]]), 1)
    >>> print(abs(shared).round(6), abs(basis[:, 0]).round(6))
    [1. 0. 0.] [0. 1. 0.]
    """
    middle = means.mean(axis=1, keepdims=True)
    left, strengths, right = svd(means - middle)
    approximation = middle + (left[:, :rank] * strengths[:rank]) @ right[:rank]
    normal = np.linalg.lstsq(approximation.T, np.ones(means.shape[1]), rcond=_RANK_TOLERANCE)[0]
    shared = normal / (normal @ normal)
    basis = svd(approximation - shared[:, None])[0][:, :rank]
    return shared, basis


def _without(basis: NDArray[np.float64], centre: NDArray[np.float64] | None = None) -> SpaceMap:
    """Return x -> unit(x) (I - B B'), from which the centre is taken first if there is one."""
    dimension = len(basis)
    matrix = (np.eye(dimension) - basis @ basis.T).astype(np.float32)
    steps = (
        Normalization.centring(centre)
        if centre is not None
        else Normalization(("unit",), np.empty((0, dimension), np.float32))
    )
    return SpaceMap(steps, matrix)


def _dimension(matrices: Mapping[str, Any]) -> int:
    return int(next(iter(matrices.values())).shape[1])


def _check_rank(rank: int, largest: int, rule: str) -> None:
    if not 1 <= rank <= largest:
        raise ValueError(f"the rank must be at least 1 and {rule} (at most {largest}), but is {rank}")
