"""Give all languages one mean and one covariance: the whole first and second moments, by the least movement."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .language_removal import Shrinkage, check_shrinkage
from .language_vectors import language_matrices, provenance_of, unit_languages
from .normalization import Normalization
from .shared_space import SharedSpace, SpaceMap

__all__ = ["MeanCovariance", "monge_map", "symmetric_power"]

_FLOOR = 1e-6


class MeanCovariance:
    """Map each language by the optimal transport to the common Gaussian: x -> unit((unit(x) - m_l) A_l).

    A_l = S_l^-1/2 (S_l^1/2 C S_l^1/2)^1/2 S_l^-1/2 takes the covariance S_l of a language to the mean covariance C of
    all languages. Of all maps that do so, it moves the vectors least in mean squared length [1]_. Where `Centring`
    makes means equal, this makes every linear correlation within a language equal, and it needs no pair either; the
    idea is that of correlation alignment [2]_.

    It asks for many vectors: a covariance has d (d + 1) / 2 numbers. With as many vectors as dimensions or fewer, most
    of what tells two covariances apart is chance. And it asks for vectors like those that are mapped: fitted on other
    texts, it does no more than `Centring` or a little.

    Parameters
    ----------
    minimum : int
        Fewest vectors of a language.
    shrinkage : float or "auto"
        From 0 to 1: how far S_l is drawn to C. "auto" by the formula of Ledoit and Wolf [3]_ with C for a target: the
        least error of the covariance, which for retrieval was more caution than needed.

    Attributes
    ----------
    space_ : SharedSpace
        One map a language, after `fit`.
    shrinkage_ : dict of str to float
        The shrinkage of each language.

    References
    ----------
    .. [1] Flamary, Lounici and Ferrari (2019), "Concentration bounds for linear Monge mapping estimation and optimal
       transport domain adaptation". arXiv:1905.10155
    .. [2] Sun, Feng and Saenko (2016), "Return of frustratingly easy domain adaptation", AAAI.
       doi:10.1609/aaai.v30i1.10306
    .. [3] Ledoit and Wolf (2004), "A well-conditioned estimator for large-dimensional covariance matrices", Journal of
       Multivariate Analysis. doi:10.1016/S0047-259X(03)00096-4

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.normal(size=(500, 4)), rng.normal(size=(500, 4)) * [2, 1, 1, 1] + 1
    >>> space = MeanCovariance().fit({"fin": a, "eng": b}).space_
    >>> space.maps["fin"].matrix.shape
    (4, 4)
    """

    def __init__(self, *, minimum: int = 10, shrinkage: Shrinkage = 0.3) -> None:
        self.minimum = minimum
        self.shrinkage = shrinkage

    def fit(self, vectors: Mapping[str, Any], *, encoder: str = "") -> "MeanCovariance":
        """Learn mean and covariance of each language; parameters as in `Centring.fit`.

        Raises
        ------
        ValueError
            If there is no language, a language has too few vectors, the dimensions differ, or `shrinkage` is none.
        """
        check_shrinkage(self.shrinkage)
        matrices = language_matrices(vectors, minimum=max(2, self.minimum))
        means, centred = {}, {}
        for name, rows in unit_languages(matrices).items():
            means[name] = rows.mean(axis=0)
            centred[name] = rows - means[name]
        covariances = {name: rows.T @ rows / len(rows) for name, rows in centred.items()}
        common = np.mean(list(covariances.values()), axis=0)
        common[np.diag_indices_from(common)] += _FLOOR * np.trace(common) / len(common) + _FLOOR**2
        self.shrinkage_ = {
            name: _share_of_target(rows, covariances[name], common)
            if self.shrinkage == "auto"
            else float(self.shrinkage)
            for name, rows in centred.items()
        }
        maps = {}
        for name, own in covariances.items():
            shrunk = (1 - self.shrinkage_[name]) * own + self.shrinkage_[name] * common
            mean = means[name].astype(np.float32)[None, :]
            maps[name] = SpaceMap(Normalization(("unit", "centre"), mean), monge_map(shrunk, common).astype(np.float32))
        self.space_ = SharedSpace(
            maps,
            method="mean-covariance",
            encoder=encoder,
            provenance=provenance_of(matrices, shrinkage=self.shrinkage_),
        )
        return self


def monge_map(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the symmetric A with A S A = T that moves a Gaussian of covariance S to one of covariance T.

    A = S^-1/2 (S^1/2 T S^1/2)^1/2 S^-1/2, the only positive semi-definite solution.

    Parameters
    ----------
    source, target : (d, d) array
        Covariances; directions in which the source has (almost) no variance are given no more than rounding allows.

    Examples
    --------
    >>> print(monge_map(np.diag([1.0, 4.0]), np.diag([9.0, 4.0])))
    [[3. 0.]
     [0. 1.]]
    """
    root, inverse = symmetric_power(source, 0.5), symmetric_power(source, -0.5)
    return np.asarray(inverse @ symmetric_power(root @ target @ root, 0.5) @ inverse)


def symmetric_power(matrix: NDArray[np.float64], power: float) -> NDArray[np.float64]:
    """Return the power of a positive semi-definite matrix; eigenvalues that are zero but for rounding stay zero."""
    values, axes = np.linalg.eigh((matrix + matrix.T) / 2)
    kept = values > values[-1] * len(values) * np.finfo(values.dtype).eps
    powers = np.where(kept, np.where(kept, values, 1.0) ** power, 0.0)
    return np.asarray((axes * powers) @ axes.T)


def _share_of_target(
    centred: NDArray[np.float64], covariance: NDArray[np.float64], target: NDArray[np.float64]
) -> float:
    """Return the share of the target that keeps the expected squared error of the covariance least."""
    n = len(centred)
    error = (((centred**2).sum(axis=1) ** 2).sum() / n - (covariance**2).sum()) / n
    distance = ((covariance - target) ** 2).sum()
    return float(np.clip(error / distance, 0, 1)) if distance > 0 else 1.0
