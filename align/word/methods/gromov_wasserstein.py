"""A guess without pairs, by matching distances: (fused) Gromov-Wasserstein, what a race starts from."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import as_matrix, require, to_numpy, unit_rows

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

    Solved by proximal steps of POT's entropic solver from T = p qᵀ, whose limit has no entropy.

    Parameters
    ----------
    source, target : (n, d_source), (m, d_target) array
        Normalised rows, most frequent first; dimensions and numbers may differ. Time grows as n m (n + m).
    frequency_weight : float
        a in [0, 1). 0 uses no frequencies: for rows in an order that means nothing.
    regularization : float
        Of a proximal step: smaller ones go farther and may end in a poorer optimum.
    max_iterations, tolerance : int, float
        When to stop.

    Returns
    -------
    (n, m) array
        T, of total mass one.

    Raises
    ------
    MissingExtraError
        If POT is not installed.
    ValueError
        If a parameter is out of range.

    References
    ----------
    .. [1] Alvarez-Melis and Jaakkola (2018), "Gromov-Wasserstein alignment of word embedding spaces", EMNLP.
       doi:10.18653/v1/D18-1214
    .. [2] Vayer, Chapel, Flamary, Tavenard and Courty (2019), "Optimal transport for structured data with application
       on graphs", ICML. arXiv:1805.09114
    """
    if not 0 <= frequency_weight < 1 or not regularization > 0 or max_iterations < 1:
        raise ValueError(
            "frequency_weight must be in [0, 1), regularization positive and max_iterations at least 1, but are "
            f"{frequency_weight}, {regularization} and {max_iterations}"
        )
    gromov = require("ot.gromov", extra="ot")
    distances, ranks = [], []
    for name, rows in (("source", source), ("target", target)):
        unit = to_numpy(unit_rows(as_matrix(rows, name))).astype(np.float64)
        distance = 1 - unit @ unit.T
        distances.append(distance / distance.mean())
        ranks.append(np.log(np.arange(len(unit)) + _RANK_OFFSET))
    unlike = (ranks[0][:, None] - ranks[1]) ** 2
    # entries that reach zero are right to stay there (log 0); inner plans need not converge, the next step goes on
    with warnings.catch_warnings(), np.errstate(divide="ignore"):
        warnings.simplefilter("ignore", UserWarning)
        plan = gromov.entropic_fused_gromov_wasserstein(
            unlike / max(float(unlike.mean()), np.finfo(float).tiny),
            *distances,
            loss_fun="square_loss",
            epsilon=regularization,
            alpha=1 - frequency_weight,
            max_iter=max_iterations,
            tol=tolerance,
            solver="PPA",
            numItermax=_INNER_ITERATIONS,
        )
    return np.asarray(plan, np.float64)


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
