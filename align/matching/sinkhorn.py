"""Sinkhorn's normalisation of scores, in the log domain: dense in blocks, sparse over the candidates only."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .candidates import Candidates, as_scores

__all__ = ["sinkhorn_scores"]

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

    def over_columns(self, v: NDArray[np.float64]) -> NDArray[np.float64]:
        return _segments(self._logits + v[self._table.columns], self._table.rows, self._table.shape[0])

    def over_rows(self, u: NDArray[np.float64]) -> NDArray[np.float64]:
        return _segments(self._sorted_logits + u[self._rows], self._columns, self._table.shape[1])

    def scaled(self, u: NDArray[np.float64], v: NDArray[np.float64], *, log: bool) -> Candidates:
        value = self._logits + u[self._table.rows] + v[self._table.columns]
        return self._table.with_scores(value if log else np.exp(value))


def _segments(values: NDArray[np.float64], groups: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    """Return the log of the sum of exponentials of each group; -inf for an empty one. `groups` are sorted."""
    result = np.full(size, -np.inf)
    if len(values):
        present, starts = np.unique(groups, return_index=True)
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
