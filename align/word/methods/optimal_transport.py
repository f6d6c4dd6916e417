"""Unsupervised map by optimal transport: Wasserstein-Procrustes."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import as_matrix, to_numpy, unit_rows
from interlingua.align.linalg import svd
from interlingua.align.space import SharedSpace, SpaceMap
from interlingua.align.word.starts import reducing_maps

from . import Callback, WordMethod
from .procrustes import check_vocabularies, normalized, orthogonal_map


def convex_initialization(
    source: Any, target: Any, *, iterations: int = 100, regularization: float = 0.05
) -> NDArray[np.float64]:
    """Return the doubly stochastic P that minimises ||P K_X - K_Y P||^2, by Frank-Wolfe [1]_.

    K_X and K_Y are the Gram matrices of the rows with square-rooted singular values, scaled to equal norm. Each step
    goes 2 / (t + 2) of the way to the entropic plan of the gradient P K_X^2 + K_Y^2 P - 2 K_Y P K_X. The Gram
    matrices have rank d and are never formed: a step costs n^2 d.

    Parameters
    ----------
    source, target : (n, d_source), (n, d_target) array
        As many normalised rows of each side, the most frequent words.
    iterations : int
        Steps.
    regularization : float
        Of the entropic plan, as a share of the gradient's largest absolute value.

    Returns
    -------
    (n, n) array
        P: row i says which source words are target word i; rows and columns sum to one.

    Notes
    -----
    Where the mean of both sides' rows is exactly zero, the gradient vanishes at the uniform plan it starts from, and
    what follows is rounding: give the most frequent words of a vocabulary that was centred as a whole.

    References
    ----------
    .. [1] Grave, Joulin and Berthet (2019), "Unsupervised alignment of embeddings with Wasserstein Procrustes",
       AISTATS. arXiv:1805.11222
    """
    from interlingua.align.matching.sinkhorn import sinkhorn_plan  # brings scipy.sparse, 20 MB that few runs need

    x, y = (_square_rooted(to_numpy(as_matrix(each, "rows"))) for each in (source, target))
    if len(x) != len(y):
        raise ValueError(f"both sides need as many rows, but have {len(x)} and {len(y)}; cut the longer one")
    n = len(x)
    gram_x, gram_y = x.T @ x, y.T @ y
    scale = np.linalg.norm(gram_x) / np.linalg.norm(gram_y)  # = ||K_X|| / ||K_Y||, without forming them
    y, gram_y = y * np.sqrt(scale), gram_y * scale
    ones = np.ones(n)
    plan = np.full((n, n), 1.0 / n)
    for step in range(1, iterations + 1):
        right, left = plan @ x, y.T @ plan
        gradient = (right @ gram_x) @ x.T + y @ (gram_y @ left) - 2 * (y @ (left @ x)) @ x.T
        epsilon = regularization * max(float(np.abs(gradient).max()), np.finfo(float).tiny)
        corner = sinkhorn_plan(
            gradient, regularization=epsilon, row_mass=ones, column_mass=ones, tolerance=1e-3, max_iterations=200
        )
        plan += 2 / (2 + step) * (corner - plan)
    return plan


@dataclass(kw_only=True, eq=False)
class WassersteinProcrustes(WordMethod):
    """Align two spaces without pairs: a rotation and a transport plan in turns, on random batches [1]_.

    Minimises, over rotations R and one-to-one matchings P of a batch, the mean of -(x_i R)·y_j P_ij: each iteration
    takes the entropic plan of a batch, goes a step up its gradient and projects R on the rotations. It starts from
    `convex_initialization` on the most frequent words. Where dimensions differ, the larger space is first projected
    on as many of its leading directions as the smaller has, for the plan needs comparable lengths.

    Parameters
    ----------
    normalize : str or tuple of {"unit", "centre"}
        Steps on both sides, learned on the whole vocabularies.
    initial_vocabulary, initial_iterations : int
        Of the convex initialisation.
    vocabulary : int
        Most frequent words of each side that batches are drawn from.
    epochs, iterations, batch_size : int
        Of the first epoch; each following one has a quarter of the iterations and batches twice as large.
    learning_rate, regularization : float
        Of the step and of the plan.
    seed : int
        Draws the batches.
    callback : callable, optional
        Gets {"iteration", "objective"} after each epoch; the objective is the mean similarity under the plan.

    Attributes
    ----------
    space_ : SharedSpace
        The maps, after `fit`.
    history_ : tuple of dict
        What the callback got.

    References
    ----------
    .. [1] Grave, Joulin and Berthet (2019), "Unsupervised alignment of embeddings with Wasserstein Procrustes",
       AISTATS. arXiv:1805.11222
    """

    name: ClassVar[str] = "wasserstein-procrustes"
    needs_pairs: ClassVar[bool] = False

    normalize: str | tuple[Any, ...] = "unit-centre-unit"
    initial_vocabulary: int = 1500
    initial_iterations: int = 100
    vocabulary: int = 20_000
    epochs: int = 3
    iterations: int = 1000
    batch_size: int = 500
    learning_rate: float = 500.0
    regularization: float = 0.05
    seed: int = 0
    callback: Callback | None = None

    def fit(
        self, source: Any, target: Any, *, names: tuple[str, str] = ("source", "target")
    ) -> "WassersteinProcrustes":
        """Learn the maps from (n, d_source) and (m, d_target) arrays, most frequent words first."""
        source, target = check_vocabularies(source, target, names)
        steps, rows = normalized(to_numpy(source), to_numpy(target), self.normalize)
        bases = reducing_maps(*rows)
        x, y = (unit_rows(each @ basis) for each, basis in zip(rows, bases, strict=True))
        first = min(self.initial_vocabulary, len(x), len(y))
        plan = convex_initialization(x[:first], y[:first], iterations=self.initial_iterations)
        self.initial_rotation_ = rotation = orthogonal_map(plan @ x[:first], y[:first])
        rotation = self._descend(x[: self.vocabulary], y[: self.vocabulary], rotation)
        self.space_ = SharedSpace(
            {names[0]: SpaceMap(steps[0], bases[0] @ rotation), names[1]: SpaceMap(steps[1], bases[1])},
            method="wasserstein-procrustes",
        )
        return self

    def _descend(self, x: NDArray[np.float32], y: NDArray[np.float32], rotation: Any) -> Any:
        from interlingua.align.matching.sinkhorn import sinkhorn_plan

        rng = np.random.default_rng(self.seed)
        history: list[dict[str, float]] = []
        for epoch in range(self.epochs):
            size = min(self.batch_size * 2**epoch, len(x), len(y))
            objectives = []
            for _ in range(max(1, self.iterations // 4**epoch)):
                batch_x = x[rng.choice(len(x), size, replace=False)]
                batch_y = y[rng.choice(len(y), size, replace=False)]
                similarity = (batch_x @ rotation) @ batch_y.T
                plan = sinkhorn_plan(
                    -similarity, regularization=self.regularization, tolerance=1e-2, max_iterations=100
                ).astype(np.float32)
                objectives.append(float((plan * similarity).sum()))
                # with masses 1/b the plan is already the mean over the batch; one step for b rows of mass one is lr/b
                gradient = batch_x.T @ (plan @ batch_y)
                rotation = orthogonal_map(
                    np.eye(len(rotation), dtype=np.float32), rotation + self.learning_rate * gradient
                )
            event = {"iteration": float(epoch), "objective": float(np.mean(objectives))}
            history.append(event)
            if self.callback is not None:
                self.callback(event)
        self.history_ = tuple(history)
        return rotation


def _square_rooted(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return U S^(1/2) Vᵀ of the rows: their Gram matrix with square-rooted eigenvalues."""
    u, s, vt = svd(rows.astype(np.float64))
    return np.asarray((u * np.sqrt(s)) @ vt)
