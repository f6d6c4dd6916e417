"""What an entity's name should be in the other graph, learnt from pairs: spellings, transliteration, common words."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from interlingua.align.arrays import unit_rows

Matrix = NDArray[np.float32]


def predict_counterparts(features: Any, wanted: Any, rows: Any, targets: Any, *, regularization: float = 1.0) -> Matrix:
    """Predict the features of each entity's counterpart by ridge regression over known pairs.

        W = argmin over W of |X W - Y|^2 + regularization |W|^2

    with the rows of X and Y the features of the pairs' entities here and there. A pair does not predict itself: where
    a wanted entity is in a pair, it is left out, which takes no second fit [1]_,

        y without i = (x_i W - h_i y_i) / (1 - h_i),    h_i = x_i (X' X + regularization I)^-1 x_i

    Parameters
    ----------
    features : (n, d) array
        Of the entities of one graph.
    wanted : (w,) array of integers
        The entities to predict for.
    rows : (p,) array of integers
        The pairs' entities, distinct.
    targets : (p, t) array
        Features of their counterparts.
    regularization : float
        Above zero.

    Returns
    -------
    (w, t) array of float32
        Unit rows.

    Raises
    ------
    ValueError
        If the number of pairs is zero or differs from the number of targets, or `regularization` is not positive.

    Notes
    -----
    Time is p d^2 + (p + w) d t, memory d^2 + p d.

    References
    ----------
    .. [1] Allen (1974), "The relationship between variable selection and data augmentation and a method for
       prediction", Technometrics 16. doi:10.1080/00401706.1974.10489157

    Examples
    --------
    >>> x = np.array([[1.0, 0.0], [0.0, 1.0], [0.9, 0.1]])
    >>> print(predict_counterparts(x, [2], [0, 1], [[0.0, 1.0], [1.0, 0.0]]).round(2))
    [[0.11 0.99]]
    """
    everything, rows, wanted = np.asarray(features, np.float32), np.asarray(rows, np.int64), np.asarray(wanted)
    x, y = everything[rows], np.asarray(targets, np.float32)
    if not len(rows) or len(x) != len(y):
        raise ValueError(f"there must be as many targets as pairs, at least one; got {len(y)} for {len(x)} pairs")
    if not regularization > 0:
        raise ValueError(f"regularization must be above 0, but is {regularization}")
    gram = x.T @ x
    gram[np.diag_indices(len(gram))] += np.float32(regularization)
    factor = linalg.cholesky(gram, lower=True, overwrite_a=True, check_finite=False)
    solution = linalg.cho_solve((factor, True), x.T @ y, check_finite=False)
    half = linalg.solve_triangular(factor, x.T, lower=True, check_finite=False)
    leverage = np.einsum("dp,dp->p", half, half)
    place = np.full(len(everything), -1)
    place[rows] = np.arange(len(rows))
    predicted = np.asarray(everything[wanted] @ solution, np.float32)
    known = place[wanted] >= 0
    at = place[wanted[known]]
    own = leverage[at, None]
    predicted[known] = (predicted[known] - own * y[at]) / np.maximum(1 - own, np.float32(1e-3))
    return np.asarray(unit_rows(predicted), np.float32)


def compress_spellings(spellings: Any, dimension: int) -> Matrix:
    """Return the centred unit rows of latent semantic analysis: the spellings' first singular directions.

    Parameters
    ----------
    spellings : (n, f) array, sparse or not
    dimension : int
        At least one; no more than f are given.

    Returns
    -------
    (n, min(dimension, f)) array of float32
    """
    matrix = sparse.csr_array(spellings, dtype=np.float32)
    size = int(matrix.shape[1])
    gram = np.asarray((matrix.T @ matrix).toarray(), np.float64)
    _, directions = linalg.eigh(gram, subset_by_index=(max(0, size - dimension), size - 1), check_finite=False)
    found = np.asarray(matrix @ directions.astype(np.float32), np.float32)
    return np.asarray(unit_rows(found - found.mean(axis=0)), np.float32)


def mutual_predictions(
    described: Any, targets: Matrix, pairs: NDArray[np.int64], left: NDArray[np.int64], right: NDArray[np.int64]
) -> tuple[Matrix, Matrix]:
    """Return vectors of left and right entities whose inner product is the mean cosine of told and true, both ways.

    Parameters
    ----------
    described : (n, d) array
        What counterparts are told from.
    targets : (n, t) array of float32
        What is told of them, unit rows.
    pairs : (p, 2) array of integers
        To learn from.
    left, right : (a,), (b,) arrays of integers

    Returns
    -------
    (a, 2 t) and (b, 2 t) array of float32
    """
    sides = (left, right)
    told = [predict_counterparts(described, sides[own], pairs[:, own], targets[pairs[:, 1 - own]]) for own in (0, 1)]
    half = np.float32(np.sqrt(0.5))
    true = [targets[side] for side in sides]
    return np.concatenate([told[0], true[0]], axis=1) * half, np.concatenate([true[1], told[1]], axis=1) * half
