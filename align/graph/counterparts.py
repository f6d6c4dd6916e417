"""What an entity's name should be in the other graph, learnt from pairs: spellings, transliteration, common words."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from interlingua.align.arrays import unit_rows

Matrix = NDArray[np.float32]
_ROWS_AT_ONCE = 2048
_MOST_TAUGHT = 20_000


def predict_counterparts(features: Any, wanted: Any, rows: Any, targets: Any, *, regularization: float = 1.0) -> Matrix:
    """Predict the features of each entity's counterpart by ridge regression over known pairs.

        W = argmin over W of |X W - Y|^2 + regularization |W|^2

    with the rows of X and Y the features of the pairs' entities here and there. A pair does not predict itself: where
    a wanted entity is in a pair, it is left out, which takes no second fit [1]_,

        y without i = (x_i W - h_i y_i) / (1 - h_i),    h_i = x_i (X' X + regularization I)^-1 x_i

    Parameters
    ----------
    features : (n, d) array, or tuple of such
        Of the entities of one graph; several stand side by side, and each may be sparse.
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
    Time is p d^2 + (p + w) d t, memory d^2 + w t: rows are taken 2,048 at a time.

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
    blocks = features if isinstance(features, tuple) else (features,)
    rows, wanted = np.asarray(rows, np.int64), np.asarray(wanted, np.int64)
    y = np.asarray(targets, np.float32)
    if not len(rows) or len(rows) != len(y):
        raise ValueError(f"there must be as many targets as pairs, at least one; got {len(y)} for {len(rows)} pairs")
    if not regularization > 0:
        raise ValueError(f"regularization must be above 0, but is {regularization}")
    size = sum(int(block.shape[1]) for block in blocks)
    gram, sums = np.zeros((size, size), np.float32), np.zeros((size, y.shape[1]), np.float32)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        x = _taken(blocks, rows[start : start + _ROWS_AT_ONCE])
        gram += x.T @ x
        sums += x.T @ y[start : start + _ROWS_AT_ONCE]
    gram[np.diag_indices(size)] += np.float32(regularization)
    factor = linalg.cholesky(gram, lower=True, overwrite_a=True, check_finite=False)
    solution = np.asarray(linalg.cho_solve((factor, True), sums, overwrite_b=True, check_finite=False), np.float32)
    place = np.full(int(blocks[0].shape[0]), -1)
    place[rows] = np.arange(len(rows))
    predicted = np.empty((len(wanted), y.shape[1]), np.float32)
    for start in range(0, len(wanted), _ROWS_AT_ONCE):
        x = _taken(blocks, wanted[start : start + _ROWS_AT_ONCE])
        told = x @ solution
        at = place[wanted[start : start + _ROWS_AT_ONCE]]
        known = at >= 0
        half = linalg.solve_triangular(factor, x[known].T, lower=True, check_finite=False)
        own = np.einsum("dp,dp->p", half, half)[:, None]
        told[known] = (told[known] - own * y[at[known]]) / np.maximum(1 - own, np.float32(1e-3))
        predicted[start : start + _ROWS_AT_ONCE] = unit_rows(told)
    return predicted


def _taken(blocks: tuple[Any, ...], rows: NDArray[np.int64]) -> Matrix:
    """Return some rows of matrices side by side, dense."""
    taken = [block[rows].toarray() if hasattr(block, "toarray") else np.asarray(block)[rows] for block in blocks]
    return np.ascontiguousarray(np.concatenate(taken, axis=1), np.float32)


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
    described : (n, d) array, or tuple of such
        What counterparts are told from; sparse or not.
    targets : (n, t) array of float32
        What is told of them, unit rows.
    pairs : (p, 2) array of integers
        To learn from, the surest first: 20,000 are enough.
    left, right : (a,), (b,) arrays of integers

    Returns
    -------
    (a, 2 t) and (b, 2 t) array of float32
    """
    sides, pairs = (left, right), pairs[:_MOST_TAUGHT]
    told = [predict_counterparts(described, sides[own], pairs[:, own], targets[pairs[:, 1 - own]]) for own in (0, 1)]
    half = np.float32(np.sqrt(0.5))
    true = [targets[side] for side in sides]
    return np.concatenate([told[0], true[0]], axis=1) * half, np.concatenate([true[1], told[1]], axis=1) * half
