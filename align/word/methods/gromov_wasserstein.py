"""Unsupervised map by matching distances: (fused) Gromov-Wasserstein."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import as_matrix, require, to_numpy, unit_rows
from interlingua.align.space import Normalization, SharedSpace, SpaceMap
from interlingua.align.word.starts import reducing_maps

from .procrustes import orthogonal_map

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


class GromovWasserstein:
    """Align two spaces without pairs: match their distances, then rotate [1]_.

    The plan of `gromov_wasserstein_plan` over the most frequent words gives each source word its barycentric target;
    orthogonal Procrustes on those extends to all words. By itself this is a rough map: self-learning from pairs drawn
    of it (`draw_pairs`) makes the good one (see `interlingua.align.word.restarts`).

    Parameters
    ----------
    normalize : str or tuple of {"unit", "centre"}
        Steps on both sides, learned on the whole vocabularies.
    vocabulary : int
        Most frequent words of each side that are matched.
    frequency_weight, regularization, max_iterations : float, float, int
        See `gromov_wasserstein_plan`.

    Attributes
    ----------
    space_ : SharedSpace
        The maps, after `fit`.
    plan_ : (v, v') array of float64
        The plan.

    Notes
    -----
    Where the dimensions differ, the larger space is first projected on as many of its leading directions as the
    smaller has: the distances become more alike.

    References
    ----------
    .. [1] Alvarez-Melis and Jaakkola (2018), "Gromov-Wasserstein alignment of word embedding spaces", EMNLP.
       doi:10.18653/v1/D18-1214
    """

    def __init__(
        self,
        *,
        normalize: str | tuple[Any, ...] = "iterative",
        vocabulary: int = 1500,
        frequency_weight: float = 0.005,
        regularization: float = 0.005,
        max_iterations: int = 40,
    ) -> None:
        self.normalize = normalize
        self.vocabulary = vocabulary
        self.frequency_weight = frequency_weight
        self.regularization = regularization
        self.max_iterations = max_iterations

    def fit(self, source: Any, target: Any, *, names: tuple[str, str] = ("source", "target")) -> "GromovWasserstein":
        """Learn the maps from (n, d_source) and (m, d_target) arrays, most frequent words first.

        Raises
        ------
        MissingExtraError
            If POT is not installed.
        ValueError
            If a parameter is out of range.
        """
        source, target = as_matrix(source, "source"), as_matrix(target, "target")
        steps = tuple(Normalization.fit(each, self.normalize) for each in (source, target))
        rows = [to_numpy(step.transform(each)) for step, each in zip(steps, (source, target), strict=True)]
        bases = reducing_maps(*rows)
        x, y = (unit_rows(each[: self.vocabulary] @ basis) for each, basis in zip(rows, bases, strict=True))
        self.plan_ = gromov_wasserstein_plan(
            x,
            y,
            frequency_weight=self.frequency_weight,
            regularization=self.regularization,
            max_iterations=self.max_iterations,
        )
        rotation = orthogonal_map(x, self.plan_ @ y * len(x))
        self.space_ = SharedSpace(
            {names[0]: SpaceMap(steps[0], bases[0] @ rotation), names[1]: SpaceMap(steps[1], bases[1])},
            method="gromov-wasserstein",
        )
        return self
