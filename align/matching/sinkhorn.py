"""Sinkhorn's normalisation of scores, in the log domain: dense in blocks, sparse over the candidates only.

Entropic optimal transport that neither underflows nor takes a logarithm an entry and iteration.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import to_numpy

from .scores import Candidates, as_scores

_BLOCK = 1024


def sinkhorn_scores(
    scores: Any,
    *,
    temperature: float = 0.02,
    iterations: int = 10,
    dustbin: float | None = None,
    n_columns: int | None = None,
    log: bool = False,
) -> "NDArray[np.float32] | Candidates":
    """Return scores in which each candidate competes with all others of its row and its column.

    K = exp(S / temperature) is scaled to diag(u) K diag(v), in turn to row sums of 1 and column sums of n / m [1]_.
    With a dustbin [2]_, a row and a column of constant score are added, of the masses m and n, and all other sums are
    1: what has no partner goes there.

    Parameters
    ----------
    scores : (n, m) array, sparse matrix, Neighbors or Candidates
    temperature : float
        In the unit of the scores; smaller is nearer to the best assignment.
    iterations : int
        Rounds of rows, then columns.
    dustbin : float, optional
        The score of having no partner.
    n_columns : int, optional
        m, where `scores` are Neighbors.
    log : bool
        Return the logarithms, which keep the order where the values underflow.

    Returns
    -------
    (n, m) array of float32, or Candidates for anything sparse
        The scaled values without the dustbin.

    Raises
    ------
    ValueError
        If the temperature is not positive, iterations < 1 or a score is not finite.

    References
    ----------
    .. [1] Cuturi (2013), "Sinkhorn distances: lightspeed computation of optimal transport", NeurIPS. arXiv:1306.0895
    .. [2] Sarlin, DeTone, Malisiewicz and Rabinovich (2020), "SuperGlue: learning feature matching with graph neural
       networks", CVPR. arXiv:1911.11763

    Examples
    --------
    >>> print(sinkhorn_scores(np.array([[0.9, 0.5], [0.8, 0.7]])).round(2))
    [[0.95 0.  ]
     [0.05 1.  ]]
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, but is {temperature}")
    if iterations < 1:
        raise ValueError(f"iterations must be at least 1, but is {iterations}")
    table = as_scores(scores, n_columns)
    if 0 in table.shape:
        return table
    n, m = table.shape
    bin_score = None if dustbin is None else float(dustbin) / temperature
    row_mass, column_mass = (0.0, np.log(n / m)) if bin_score is None else (0.0, 0.0)
    form = _Sparse(table, temperature) if isinstance(table, Candidates) else _Dense(table, temperature)
    u, v = np.zeros(n), np.zeros(m)
    u_bin = v_bin = 0.0
    for _ in range(iterations):
        u = _minus(row_mass, _with(form.over_columns(v), bin_score, v_bin))
        if bin_score is not None:
            u_bin = np.log(m) - (bin_score + np.logaddexp(_logsumexp(v), v_bin))
        v = _minus(column_mass, _with(form.over_rows(u), bin_score, u_bin))
        if bin_score is not None:
            v_bin = np.log(n) - (bin_score + np.logaddexp(_logsumexp(u), u_bin))
    return form.scaled(u, v, log=log)


class _Dense:
    """Sums over a dense matrix, a block of rows at a time, so that no copy of it is held."""

    def __init__(self, scores: NDArray[np.float32], temperature: float) -> None:
        self._scores = scores
        self._inverse = np.float32(1.0 / temperature)

    def over_columns(self, v: NDArray[np.float64]) -> NDArray[np.float64]:
        parts = [_logsumexp(block + v.astype(np.float32), axis=1) for _, block in self._blocks()]
        return np.concatenate(parts)

    def over_rows(self, u: NDArray[np.float64]) -> NDArray[np.float64]:
        total = np.full(self._scores.shape[1], -np.inf)
        for first, block in self._blocks():
            shifted = block + u[first : first + len(block), None].astype(np.float32)
            total = np.logaddexp(total, _logsumexp(shifted, axis=0))
        return total

    def scaled(self, u: NDArray[np.float64], v: NDArray[np.float64], *, log: bool) -> NDArray[np.float32]:
        result = np.empty_like(self._scores)
        for first, block in self._blocks():
            value = block + u[first : first + len(block), None].astype(np.float32) + v.astype(np.float32)
            result[first : first + len(block)] = value if log else np.exp(value)
        return result

    def _blocks(self) -> Any:
        for first in range(0, len(self._scores), _BLOCK):
            yield first, self._scores[first : first + _BLOCK] * self._inverse


class _Sparse:
    """Sums over candidates, by segments of equal rows or columns; float64, of the candidates' size."""

    def __init__(self, table: Candidates, temperature: float) -> None:
        self._table = table
        self._logits = table.scores.astype(np.float64) / temperature
        self._order = table.by_column
        self._rows = table.rows[self._order]
        self._columns = table.columns[self._order]
        self._sorted_logits = self._logits[self._order]
        self._row_starts, self._column_starts = _starts(table.rows), _starts(self._columns)

    def over_columns(self, v: NDArray[np.float64]) -> NDArray[np.float64]:
        return _segments(
            self._logits + v[self._table.columns], self._table.rows, self._row_starts, self._table.shape[0]
        )

    def over_rows(self, u: NDArray[np.float64]) -> NDArray[np.float64]:
        return _segments(self._sorted_logits + u[self._rows], self._columns, self._column_starts, self._table.shape[1])

    def scaled(self, u: NDArray[np.float64], v: NDArray[np.float64], *, log: bool) -> Candidates:
        value = self._logits + u[self._table.rows] + v[self._table.columns]
        return self._table.with_scores(value if log else np.exp(value))


def _starts(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where each group of sorted ones begins."""
    return np.flatnonzero(np.diff(groups, prepend=groups[:1] - 1)).astype(np.int64)


def _segments(
    values: NDArray[np.float64], groups: NDArray[np.int64], starts: NDArray[np.int64], size: int
) -> NDArray[np.float64]:
    """Return the log of the sum of exponentials of each group; -inf for an empty one. `groups` are sorted."""
    result = np.full(size, -np.inf)
    if len(values):
        present = groups[starts]
        largest = np.full(size, 0.0)
        largest[present] = np.maximum.reduceat(values, starts)
        sums = np.add.reduceat(np.exp(values - largest[groups]), starts)
        result[present] = np.log(sums) + largest[present]
    return result


def _with(sums: NDArray[np.float64], bin_score: float | None, potential: float) -> NDArray[np.float64]:
    return sums if bin_score is None else np.logaddexp(sums, bin_score + potential)


def _minus(mass: float, sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return mass - sums; a row without any candidate keeps the potential zero."""
    return np.where(np.isfinite(sums), mass - np.where(np.isfinite(sums), sums, 0.0), 0.0)


def _logsumexp(values: NDArray[Any], axis: int = 0) -> NDArray[np.float64]:
    largest = values.max(axis=axis, keepdims=True)
    sums = np.exp(values - largest).sum(axis=axis, dtype=np.float64)
    return np.asarray(np.log(sums) + largest.squeeze(axis), np.float64)


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
    costs = np.asarray(to_numpy(cost), np.float64)
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
    values = np.asarray(to_numpy(mass), np.float64)
    if values.shape != (size,) or not (values > 0).all() or not np.isfinite(values).all():
        raise ValueError(f"masses must be {size} positive numbers, but have shape {values.shape} or hold others")
    return values
