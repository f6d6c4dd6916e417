"""A guess without pairs, by matching distances: (fused) Gromov-Wasserstein, what a race starts from."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import as_matrix, to_numpy, unit_rows

_INNER_ITERATIONS = 30
_RANK_OFFSET = 30  # the first ranks are ordered by chance of the corpus


def gromov_wasserstein_plan(
    source: Any,
    target: Any,
    *,
    frequency_weight: float = 0.005,
    regularization: float = 0.005,
    max_iterations: int = 40,
    tolerance: float = 1e-7,
) -> NDArray[np.float64]:
    """Return the plan T that matches the distances within one side to those within the other.

    T minimises (1 - a) sum (D_ij - D'_kl)^2 T_ik T_jl + a sum R_ik T_ik [1]_ [2]_, D and D' the cosine distances
    within source and target divided by their mean, R_ik = (log(i + 30) - log(k + 30))^2, also divided by its mean, and
    uniform masses: a word is matched to one of like frequency, a little. Without that term the many poor optima of
    the distances alone win between spaces that are not near-rotations of each other.

    Solved from T = p qᵀ by proximal steps, whose limit has no entropy: each multiplies T by exp(-gradient / e) and
    scales rows and columns to their masses again, 30 times by Sinkhorn's iteration [3]_. With U and V the unit rows,
    D T D' = c c' (1 1ᵀ - U Uᵀ) T (1 1ᵀ - V Vᵀ), so that a step takes n m d and not n m (n + m).

    Parameters
    ----------
    source, target : (n, d_source), (m, d_target) array
        Normalised rows, most frequent first; dimensions and numbers may differ. Time grows as n m d.
    frequency_weight : float
        a in [0, 1). 0 uses no frequencies: for rows in an order that means nothing.
    regularization : float
        e, of a proximal step: smaller ones go farther and may end in a poorer optimum.
    max_iterations, tolerance : int, float
        When to stop.

    Returns
    -------
    (n, m) array of float64
        T, of total mass one.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    References
    ----------
    .. [1] Alvarez-Melis and Jaakkola (2018), "Gromov-Wasserstein alignment of word embedding spaces", EMNLP.
       doi:10.18653/v1/D18-1214
    .. [2] Vayer, Chapel, Flamary, Tavenard and Courty (2019), "Optimal transport for structured data with application
       on graphs", ICML. arXiv:1805.09114
    .. [3] Peyré, Cuturi and Solomon (2016), "Gromov-Wasserstein averaging of kernel and distance matrices", ICML;
       Xu, Luo, Zha and Carin (2019), "Gromov-Wasserstein learning for graph matching and node embedding", ICML.
       arXiv:1901.06003
    """
    if not 0 <= frequency_weight < 1 or not regularization > 0 or max_iterations < 1:
        raise ValueError(
            "frequency_weight must be in [0, 1), regularization positive and max_iterations at least 1, but are "
            f"{frequency_weight}, {regularization} and {max_iterations}"
        )
    sides = tuple(_Distances.of(rows, name) for name, rows in (("source", source), ("target", target)))
    ranks = [np.log(np.arange(len(side.unit)) + _RANK_OFFSET) for side in sides]
    unlike = (ranks[0][:, None] - ranks[1]) ** 2
    unlike *= frequency_weight / max(float(unlike.mean()), np.finfo(float).tiny)
    constant = 2 * (1 - frequency_weight) * (sides[0].squares[:, None] + sides[1].squares)
    fixed = -(constant + unlike) / regularization
    step = 4 * (1 - frequency_weight) * sides[0].scale * sides[1].scale / regularization
    plan = _proximal_plan(sides, fixed.astype(np.float32), step, max_iterations, tolerance)
    if plan is None:  # a row or column has lost all its mass to rounding
        plan = _proximal_plan(sides, fixed, step, max_iterations, tolerance, last_resort=True)
    return np.asarray(plan, np.float64)


@dataclass(frozen=True)
class _Distances:
    """Cosine distances divided by their mean, D = scale (1 - U Uᵀ), and the mean of the squares in each row."""

    unit: NDArray[np.float64]
    scale: float
    squares: NDArray[np.float64]

    @classmethod
    def of(cls, rows: Any, name: str) -> "_Distances":
        unit = to_numpy(unit_rows(as_matrix(rows, name))).astype(np.float64)
        mean = unit.mean(axis=0)
        scale = 1 / max(1 - float(mean @ mean), np.finfo(float).tiny)
        gram = unit.T @ unit / len(unit)
        return cls(unit, scale, scale**2 * (1 - 2 * unit @ mean + np.einsum("nd,nd->n", unit @ gram, unit)))


def _proximal_plan(
    sides: tuple[_Distances, ...],
    fixed: NDArray[Any],
    step: float,
    max_iterations: int,
    tolerance: float,
    *,
    last_resort: bool = False,
) -> NDArray[Any] | None:
    """Return the plan, in the precision of `fixed`; None, or at last the one before, where a sum becomes zero.

    `fixed` is what the logarithm of a step holds whatever the plan, `step` the factor of D T D' there.
    """
    kind = fixed.dtype.type
    u, v = (side.unit.astype(kind) for side in sides)
    masses = [kind(1 / size) for size in fixed.shape]
    plan = np.full(fixed.shape, masses[0] * masses[1], kind)
    for iteration in range(max_iterations):
        moved = (u @ (u.T @ (plan @ v))) @ v.T
        moved -= (u @ (u.T @ plan.sum(axis=1)))[:, None]
        moved -= v @ (v.T @ plan.sum(axis=0))
        moved += plan.sum()
        moved *= kind(step)
        moved += fixed
        with np.errstate(over="ignore", under="ignore"):
            np.exp(moved, out=moved)
            moved *= plan
        scaled = _scaled(moved, masses)
        if scaled is None:
            return plan if last_resort else None
        change = np.linalg.norm(scaled - plan) if iteration % 10 == 0 else np.inf
        plan = scaled
        if change < tolerance:
            break
    return plan


def _scaled(kernel: NDArray[Any], masses: list[Any]) -> NDArray[Any] | None:
    """Return the kernel with rows and columns scaled to their masses, in place; None if one has none to scale."""
    rows = np.full(kernel.shape[0], masses[0], kernel.dtype)
    with np.errstate(all="ignore"):
        for _ in range(_INNER_ITERATIONS):
            columns = masses[1] / (rows @ kernel)
            rows = masses[0] / (kernel @ columns)
        if not (np.isfinite(rows).all() and np.isfinite(columns).all()):
            return None
        kernel *= rows[:, None]
        kernel *= columns
    return kernel if np.isfinite(kernel).all() else None


def draw_pairs(plan: Any, *, draws: int = 10, rng: np.random.Generator | int = 0) -> NDArray[np.int64]:
    """Draw pairs from a transport plan, each source word's targets in proportion to its row.

    The right targets are often among the first of a row and seldom the very first: fitted on drawn pairs, an aligner
    sees (up to chance) the whole plan, where the argmax of each row would throw most of its knowledge away.

    Parameters
    ----------
    plan : (n, m) array
        Not negative; rows without mass give no pair.
    draws : int
        Pairs for each source word.
    rng : numpy Generator or int
        What draws.

    Returns
    -------
    (p, 2) array of int64
        By source row; a pair may stand several times.

    Examples
    --------
    >>> draw_pairs(np.array([[0.0, 0.5], [0.5, 0.0]]), draws=2).tolist()
    [[0, 1], [0, 1], [1, 0], [1, 0]]
    """
    mass = np.asarray(to_numpy(plan) if hasattr(plan, "shape") else plan, np.float64)
    if mass.ndim != 2 or not np.isfinite(mass).all() or (mass < 0).any():
        raise ValueError(f"a plan must be a matrix of finite numbers, none negative; its shape is {mass.shape}")
    cumulated = np.cumsum(mass, axis=1)
    sources = np.flatnonzero(cumulated[:, -1] > 0)
    uniform = np.random.default_rng(rng).random((sources.size, draws)) * cumulated[sources, -1:]
    targets = np.stack([np.searchsorted(cumulated[i], row, side="right") for i, row in zip(sources, uniform)])
    return np.stack([np.repeat(sources, draws), np.minimum(targets, mass.shape[1] - 1).ravel()], axis=1)
