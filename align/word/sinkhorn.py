"""Entropic optimal transport that neither underflows nor takes a logarithm an entry and iteration."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import to_numpy

__all__ = ["sinkhorn_plan"]

_LARGEST = 1e50


def sinkhorn_plan(
    cost: Any,
    *,
    regularization: float,
    row_mass: Any = None,
    column_mass: Any = None,
    tolerance: float = 1e-6,
    max_iterations: int = 1000,
) -> NDArray[np.float64]:
    """Return the transport plan P that minimises <P, C> - e H(P) with the given row and column sums.

    P = diag(u) K diag(v), K = exp((f + g - C) / e): the scalings u and v are iterated [1]_, and taken up into the
    potentials f and g before they leave the range of floats. The potentials begin at the minima of rows and columns,
    so that no row or column of K is zero, however small e is [2]_.

    Parameters
    ----------
    cost : (n, m) array
        C; need not be positive.
    regularization : float
        e, in the unit of the cost.
    row_mass, column_mass : (n,), (m,) array, optional
        Positive, of equal totals; uniform with total one by default.
    tolerance : float
        Stop when the row sums are off by less, in sum, relative to the total (column sums are exact).
    max_iterations : int
        Stop anyway. A plan stopped there still has the right column sums.

    Raises
    ------
    ValueError
        If the cost is not finite, or masses are not positive or of unlike totals.

    References
    ----------
    .. [1] Cuturi (2013), "Sinkhorn distances: lightspeed computation of optimal transport", NeurIPS. arXiv:1306.0895
    .. [2] Schmitzer (2019), "Stabilized sparse scaling algorithms for entropy regularized transport problems", SIAM
       Journal on Scientific Computing 41. doi:10.1137/16M1106018

    Examples
    --------
    >>> plan = sinkhorn_plan(np.array([[0.0, 1.0], [1.0, 0.0]]), regularization=0.001)
    >>> print(plan.round(3))
    [[0.5 0. ]
     [0.  0.5]]
    """
    costs = np.asarray(to_numpy(cost) if hasattr(cost, "shape") else cost, np.float64)
    if costs.ndim != 2 or costs.size == 0 or not np.isfinite(costs).all():
        raise ValueError(f"the cost must be a finite matrix with entries, but its shape is {costs.shape}")
    if not regularization > 0:
        raise ValueError(f"regularization must be positive, but is {regularization}")
    rows, columns = (_mass(mass, size) for mass, size in zip((row_mass, column_mass), costs.shape, strict=True))
    total = float(rows.sum())
    if abs(total - columns.sum()) > 1e-6 * total:
        raise ValueError(f"both sides must have the same total mass, but have {total} and {columns.sum()}")
    f = costs.min(axis=1)
    g = (costs - f[:, None]).min(axis=0)
    kernel = np.exp((f[:, None] + g - costs) / regularization)
    u, v = np.ones_like(rows), np.ones_like(columns)
    for _ in range(max_iterations):
        through = kernel @ v
        if np.abs(u * through - rows).sum() < tolerance * total:
            break
        u = rows / through
        v = columns / (kernel.T @ u)
        if max(u.max(), v.max(), 1 / u.min(), 1 / v.min()) > _LARGEST:
            f, g = f + regularization * np.log(u), g + regularization * np.log(v)
            # subtle: entries below the range of floats are zero in the plan as well, but a whole row must not be
            kernel = np.maximum(np.exp((f[:, None] + g - costs) / regularization), np.finfo(float).tiny)
            u, v = np.ones_like(rows), np.ones_like(columns)
    return np.asarray(u[:, None] * kernel * v)


def _mass(mass: Any, size: int) -> NDArray[np.float64]:
    if mass is None:
        return np.full(size, 1.0 / size)
    values = np.asarray(to_numpy(mass) if hasattr(mass, "shape") else mass, np.float64)
    if values.shape != (size,) or not (values > 0).all() or not np.isfinite(values).all():
        raise ValueError(f"masses must be {size} positive numbers, but have shape {values.shape} or hold others")
    return values
