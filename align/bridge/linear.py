"""Linear maps from one space into another of any dimension, of rows whose means were taken out."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from interlingua.align.linalg import svd

Kind = Literal["orthogonal", "whitened", "low-rank", "ridge"]
_TINY = 1e-9


@dataclass(frozen=True)
class LinearMap:
    """Which linear map is fitted.

    With X and Y the centred rows of both sides, n of them:

    - ``orthogonal``: min ||X W - Y||², W^T W = I or W W^T = I: W = U V^T, the singular vectors of X^T Y. Directions
      that only one of two unlike models has are mapped too.
    - ``whitened``: the orthogonal map between X A and Y B, where A = (X^T X / n)^(-s/2) and B likewise of Y: W = A Q B.
      Directions in which rows differ little count for more, on both sides; B stands in W twice over, in the fit and as
      what the rows of Y would be asked through, so that these stay as they are.
    - ``ridge``: min ||X W - Y||² / n + s c ||W||², c the mean variance of a dimension of X.
    - ``low-rank``: the ridge map in the `rank` directions of Y that it says most about (reduced-rank regression [1]_).

    Attributes
    ----------
    kind : {"orthogonal", "whitened", "low-rank", "ridge"}
        See above.
    strength : float
        s, of ridge and low-rank; at least 0. Of the whitened map above 0 and at most 1, which whitens wholly.
    rank : int
        Of low-rank.

    References
    ----------
    .. [1] Izenman (1975), "Reduced-rank regression for the multivariate linear model", Journal of Multivariate
       Analysis. doi:10.1016/0047-259X(75)90042-1
    """

    kind: Kind = "ridge"
    strength: float = 0.1
    rank: int = 0

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"kind must be one of {', '.join(get_args(Kind))}, but is {self.kind!r}")
        if not self.strength >= 0:
            raise ValueError(f"strength must be at least 0, but is {self.strength}")
        if self.kind == "whitened" and not 0 < self.strength <= 1:
            raise ValueError(f"a map is whitened with a strength above 0 and at most 1, but it is {self.strength}")
        if self.kind == "low-rank" and self.rank < 1:
            raise ValueError(f"a low-rank map needs a rank of at least 1, but has {self.rank}")

    def fit(self, x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float32]:
        """Return W of shape (d_x, d_y).

        Parameters
        ----------
        x, y : (n, d_x), (n, d_y) array
            Rows that correspond, centred.

        Raises
        ------
        ValueError
            If the rows do not correspond, or there are fewer than two.
        """
        one, other = np.asarray(x, np.float64), np.asarray(y, np.float64)
        if one.ndim != 2 or other.ndim != 2 or len(one) != len(other) or len(one) < 2:
            raise ValueError(f"a map is fitted on two rows or more of each side, but has {one.shape} and {other.shape}")
        between = one.T @ other / len(one)
        if self.kind == "orthogonal":
            left, _, right = svd(between)
            return np.asarray(left @ right, np.float32)
        within = one.T @ one / len(one)
        if self.kind == "whitened":
            before, behind = _whitening(within, self.strength), _whitening(other.T @ other / len(other), self.strength)
            left, _, right = svd(before @ between @ behind)
            return np.asarray(before @ left @ right @ behind, np.float32)
        size = np.trace(within) / len(within)
        penalty = self.strength * size * np.eye(len(within))
        penalty += _TINY * (size + _TINY) * np.eye(len(within))
        matrix = np.linalg.solve(within + penalty, between)
        if self.kind == "low-rank" and self.rank < min(matrix.shape):
            explained = matrix.T @ within @ matrix
            axes = np.linalg.eigh((explained + explained.T) / 2)[1][:, -self.rank :]
            matrix = matrix @ axes @ axes.T
        return np.asarray(matrix, np.float32)


def _whitening(covariance: NDArray[np.float64], strength: float) -> NDArray[np.float64]:
    """Return the covariance to the power of -strength / 2; directions without variance count as very little."""
    values, axes = np.linalg.eigh(covariance)
    values = np.maximum(values, _TINY * max(float(values.max()), _TINY))
    return np.asarray((axes * values ** (-strength / 2)) @ axes.T)
