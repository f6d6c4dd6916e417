"""Normalisation steps whose statistics are kept, so that new vectors get the same treatment."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .arrays import as_matrix, namespace, row_blocks, to_numpy, unit_rows

__all__ = ["PRESETS", "Normalization"]

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
        if matrix.shape[0] == 0 and "centre" in steps:
            raise ValueError("a mean needs at least one vector, but none was given")
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
            In the namespace and on the device of `vectors`.
        """
        matrix = as_matrix(vectors, "vectors")
        if matrix.shape[1] != self.dimension:
            raise ValueError(
                f"this normalisation was learned in dimension {self.dimension}, "
                f"but the vectors have dimension {matrix.shape[1]}"
            )
        xp = namespace(matrix)
        learned = iter(self.means)
        for step in self.steps:
            matrix = unit_rows(matrix) if step == "unit" else matrix - xp.asarray(next(learned), device=matrix.device)
        return matrix


def _mean(matrix: Any) -> Any:
    """Return the mean row, summed in float64 in blocks: a float32 sum over millions of rows drifts."""
    xp = namespace(matrix)
    total = xp.zeros(matrix.shape[1], dtype=xp.float64, device=matrix.device)
    for _, block in row_blocks(matrix, _BLOCK):
        total = total + xp.sum(block, axis=0, dtype=xp.float64)
    return total / matrix.shape[0]
