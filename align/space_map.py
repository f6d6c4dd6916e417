"""The map of one language into a common space: normalise, one matrix, and perhaps a small hidden layer beside it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import namespace, unit_rows
from .normalization import Normalization

__all__ = ["HiddenLayer", "SpaceMap"]


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

        A row that the steps leave empty, such as one equal to its language's mean, stays zero unless the hidden layer
        fills it.
        """
        rows = self.normalization.transform(vectors)
        mapped = rows if self.matrix is None else rows @ namespace(rows).asarray(self.matrix, device=rows.device)
        return unit_rows(mapped if self.hidden is None else mapped + self.hidden(rows))
