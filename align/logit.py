"""The conditional logit: which candidate of a list is chosen, or none; logistic regression is the list of one."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

_MOST_ITERATIONS = 300


def logit_loss(
    weights: Numbers,
    features: Any,
    starts: NDArray[np.int64],
    right: NDArray[np.bool_],
    *,
    penalties: Any = 0.0,
    prior: Any = 0.0,
    outside: bool = False,
    shares: Any = None,
) -> tuple[float, Numbers]:
    """Return the penalised negative log-likelihood of the right candidates, and its gradient.

    With w·f(j) the score of candidate j, p(j | i) its softmax over list i, and R(i) the right ones of the list,

        L(w) = -sum_i s_i log sum_{j in R(i)} p(j | i) + 1/2 sum_c l_c (w_c - m_c)^2.

    It is McFadden's conditional logit [1]_, and ListNet's likelihood of the first place [2]_, where one of several
    right answers is as good as another.

    Parameters
    ----------
    weights : (c,) array
        w.
    features : (r, c) sparse matrix or array
        f(j), the candidates of one list after those of another.
    starts : (n,) array of int
        The row of each list's first candidate, rising; no list is empty.
    right : (r,) array of bool
        Which candidates are right.
    penalties, prior : (c,) array or float
        l and m.
    outside : bool
        Whether each list has one more candidate, "none of them", with a score of 0; it is right where no other is.
        With one candidate a list this is logistic regression. Without it, each list needs a right candidate.
    shares : (n,) array, optional
        s, how much each list counts; 1 by default.

    References
    ----------
    .. [1] McFadden (1974), "Conditional logit analysis of qualitative choice behavior", in Frontiers in Econometrics.
    .. [2] Cao, Qin, Liu, Tsai and Li (2007), "Learning to rank: from pairwise approach to listwise approach", ICML.
       doi:10.1145/1273496.1273513

    Examples
    --------
    >>> features = np.array([[0.0], [np.log(3)]])
    >>> loss, gradient = logit_loss(np.ones(1), features, np.array([0]), np.array([False, True]))
    >>> round(float(np.exp(-loss)), 12)
    0.75
    """
    sizes = np.diff(np.append(starts, right.size))
    scores = features @ weights
    top = np.maximum.reduceat(scores, starts)
    if outside:
        top = np.maximum(top, 0.0)
    mass = np.exp(scores - np.repeat(top, sizes))
    total, of_right = np.add.reduceat(mass, starts), np.where(right, mass, 0.0)
    right_total = np.add.reduceat(of_right, starts)
    if outside:
        none = np.exp(-top)
        total = total + none
        right_total = np.where(np.logical_or.reduceat(right, starts), right_total, none)
    # subtle: a list whose right candidates have no mass left would give log(0)
    right_total = np.maximum(right_total, np.finfo(np.float64).tiny)
    counted = np.ones(starts.size) if shares is None else np.asarray(shares, np.float64)
    away = weights - prior
    loss = float((counted * np.log(total / right_total)).sum() + 0.5 * (penalties * away**2).sum())
    surplus = mass * np.repeat(counted / total, sizes) - of_right * np.repeat(counted / right_total, sizes)
    return loss, features.T @ surplus + penalties * away


def fit_logit(
    features: Any,
    starts: NDArray[np.int64],
    right: NDArray[np.bool_],
    *,
    penalties: Any = 0.0,
    prior: Any = 0.0,
    outside: bool = False,
    shares: Any = None,
    bounds: Any = None,
    tolerance: float | None = None,
) -> Numbers:
    """Return the weights of the smallest `logit_loss`, found by L-BFGS from the prior.

    Parameters
    ----------
    features, starts, right, penalties, prior, outside, shares
        As in `logit_loss`.
    bounds : sequence of (low, high), optional
        Of each weight; None for no bound.
    tolerance : float, optional
        Of `scipy.optimize.minimize`, where its own is too coarse.

    Returns
    -------
    (c,) array of float64
    """
    from scipy.optimize import minimize

    def loss(weights: Numbers) -> tuple[float, Numbers]:
        return logit_loss(
            weights, features, starts, right, penalties=penalties, prior=prior, outside=outside, shares=shares
        )

    begin: Numbers = np.zeros(features.shape[1]) + prior
    options: Any = {"maxiter": _MOST_ITERATIONS}
    found = minimize(loss, begin, jac=True, method="L-BFGS-B", bounds=bounds, tol=tolerance, options=options)
    return np.asarray(found.x, np.float64)
