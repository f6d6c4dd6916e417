"""Learn to rank lists of candidates: a softmax over each list, trained by its convex likelihood."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["fit_listwise", "listwise_loss"]

_MOST_ITERATIONS = 300

Numbers = NDArray[np.float64]


def listwise_loss(
    weights: Numbers, features: Any, right: NDArray[np.bool_], penalties: Numbers
) -> tuple[float, Numbers]:
    """Return the penalised negative log-likelihood of the right candidates, and its gradient.

    With w·f(i, j) the score of candidate j in list i, p(j | i) its softmax over the list, and R(i) the right ones,

        L(w) = -sum_i log sum_{j in R(i)} p(j | i) + 1/2 sum_c l_c w_c^2.

    It is ListNet's likelihood of the first place [1]_, where one of several right answers is as good as another.

    Parameters
    ----------
    weights : (c,) array
        w.
    features : (n * k, c) sparse matrix or array
        f(i, j) in row i k + j.
    right : (n, k) array of bool
        At least one in each list.
    penalties : (c,) array
        l.

    References
    ----------
    .. [1] Cao, Qin, Liu, Tsai and Li (2007), "Learning to rank: from pairwise approach to listwise approach", ICML.
       doi:10.1145/1273496.1273513
    """
    scores = (features @ weights).reshape(right.shape)
    mass = np.exp(scores - scores.max(axis=1, keepdims=True))
    total, of_right = mass.sum(axis=1, keepdims=True), np.where(right, mass, 0.0)
    # subtle: a list whose right candidates have no mass left would give log(0)
    right_total = np.maximum(of_right.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    loss = float(np.log(total / right_total).sum() + 0.5 * (penalties * weights**2).sum())
    return loss, features.T @ (mass / total - of_right / right_total).ravel() + penalties * weights


def fit_listwise(features: Any, right: NDArray[np.bool_], penalties: Numbers) -> Numbers:
    """Return the weights of the smallest `listwise_loss`, found by L-BFGS from zero.

    Lists without a right candidate say nothing and are left out.

    Raises
    ------
    ValueError
        If no list has a right candidate.
    """
    from scipy.optimize import minimize

    told = right.any(axis=1)
    if not told.any():
        raise ValueError("no list of candidates holds a right one: there is nothing to learn a ranking from")
    kept = features[np.repeat(told, right.shape[1])]
    found = minimize(
        listwise_loss,
        np.zeros(kept.shape[1]),
        args=(kept, right[told], penalties),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": _MOST_ITERATIONS},
    )
    return np.asarray(found.x, np.float64)
