"""How neighbours are ranked: nearest neighbour, CSLS, inverted softmax.

In a space of many dimensions a few candidates, the hubs, are near to everything. The corrected criteria take
from each candidate what it gives to everybody. Both corrections depend on the candidate alone, so that each
folds into one more column of the candidate's vector and any exact inner-product search can serve it.
"""

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from .arrays import as_matrix, check_same_dimension, is_numpy, namespace, row_blocks, to_numpy
from .neighbors import Neighbors, top_k

__all__ = [
    "Criterion",
    "fold_csls",
    "fold_query",
    "mean_neighbor_similarity",
    "retrieve",
    "softmax_normalizer",
]

Criterion = Literal["nn", "csls", "isf"]
_BLOCK = 2048


def retrieve(
    queries: Any,
    candidates: Any,
    k: int = 1,
    *,
    criterion: Criterion = "csls",
    background: Any | None = None,
    neighborhood: int = 10,
    inverse_temperature: float = 30.0,
) -> Neighbors:
    """Rank the candidates of each query by a criterion and return the best k.

    With s(x, y) the inner product of unit vectors, the score of query x and candidate y is

    - ``nn``: s(x, y);
    - ``csls`` [1]_: 2 s(x, y) - r_T(x) - r_S(y), where r_T(x) is the mean of s between x and its `neighborhood`
      nearest candidates and r_S(y) that between y and its nearest `background` vectors;
    - ``isf`` [2]_: b s(x, y) - log(sum over background x' of exp(b s(x', y))), b the inverse temperature.

    Parameters
    ----------
    queries : (n, d) array
        Unit rows in the common space.
    candidates : (m, d) array
        Unit rows in the common space; the whole vocabulary, not the test words alone.
    k : int
        Number of neighbours.
    criterion : {"nn", "csls", "isf"}
        How to rank.
    background : (b, d) array, optional
        The source side that hubness is measured against; the queries themselves by default. Give the whole
        source vocabulary when the queries are a few test words.
    neighborhood : int
        Neighbours in the means of CSLS.
    inverse_temperature : float
        b in the inverted softmax.

    Returns
    -------
    Neighbors
        Scores of the criterion, higher is better.

    Raises
    ------
    ValueError
        If the criterion is unknown, or as in `top_k`.

    References
    ----------
    .. [1] Conneau, Lample, Ranzato, Denoyer and Jégou (2018), "Word translation without parallel data", ICLR.
       arXiv:1710.04087
    .. [2] Smith, Turban, Hamblin and Hammerla (2017), "Offline bilingual word vectors, orthogonal
       transformations and the inverted softmax", ICLR. arXiv:1702.03859

    Examples
    --------
    The last candidate is near to everything: cosine falls for it, CSLS does not.

    >>> from interlingua.align.arrays import unit_rows
    >>> x = unit_rows(np.array([[1, 0.5, 0.5], [0.5, 1, 0.5], [0.5, 0.5, 1]], dtype=np.float32))
    >>> y = unit_rows(np.array([[1, 0, 0.2], [0.2, 1, 0], [0, 0.2, 1], [1, 1, 1]], dtype=np.float32))
    >>> retrieve(x, y, criterion="nn").ids.ravel().tolist()
    [3, 3, 3]
    >>> retrieve(x, y, criterion="csls", neighborhood=2).ids.ravel().tolist()
    [0, 1, 2]
    """
    if criterion not in get_args(Criterion):
        raise ValueError(f"criterion must be one of {', '.join(get_args(Criterion))}, but is {criterion!r}")
    queries, candidates = as_matrix(queries, "queries"), as_matrix(candidates, "candidates")
    check_same_dimension(queries, candidates, ("queries", "candidates"))
    if criterion == "nn":
        return top_k(queries, candidates, k)
    background = queries if background is None else as_matrix(background, "background")
    if criterion == "csls":
        folded = fold_csls(candidates, mean_neighbor_similarity(candidates, background, neighborhood))
        own = mean_neighbor_similarity(queries, candidates, neighborhood)
        found = top_k(fold_query(queries), folded, k)
        return Neighbors(found.ids, (found.scores - own[:, None]).astype(np.float32))
    normalizer = softmax_normalizer(candidates, background, inverse_temperature)
    folded = _append_column(inverse_temperature * candidates, -normalizer)
    return top_k(fold_query(queries), folded, k)


def mean_neighbor_similarity(vectors: Any, others: Any, neighborhood: int = 10) -> NDArray[np.float32]:
    """Return for each vector the mean similarity to its nearest `neighborhood` of `others`.

    Parameters
    ----------
    vectors : (n, d) array
        Unit rows.
    others : (m, d) array
        Unit rows; where m is below `neighborhood`, all of them count.

    Returns
    -------
    (n,) array of float32
        r in CSLS: high for hubs.
    """
    scores = top_k(vectors, others, neighborhood).scores
    return np.asarray(scores.mean(axis=1, dtype=np.float64), np.float32)


def softmax_normalizer(candidates: Any, background: Any, inverse_temperature: float) -> NDArray[np.float32]:
    """Return log(sum over background x of exp(b s(x, y))) for each candidate y, shape (m,).

    Computed in blocks with the largest exponent taken out, so that no b overflows.
    """
    if not inverse_temperature > 0:
        raise ValueError(f"inverse_temperature must be positive, but is {inverse_temperature}")
    candidates, background = as_matrix(candidates, "candidates"), as_matrix(background, "background")
    xp = namespace(candidates, background)
    parts = []
    for _, block in row_blocks(candidates, _BLOCK):
        exponents = inverse_temperature * (block @ xp.matrix_transpose(background))
        largest = xp.max(exponents, axis=1, keepdims=True)
        total = xp.sum(xp.exp(exponents - largest), axis=1)
        parts.append(to_numpy(xp.log(total) + largest[:, 0]))
    return np.concatenate(parts).astype(np.float32) if parts else np.empty(0, np.float32)


def fold_csls(candidates: Any, hubness: Any) -> Any:
    """Return [2 y, -r_S(y)], so that the inner product with [x, 1] is CSLS up to a constant of the query.

    2 x·y - r_S(y) = [x, 1] · [2 y, -r_S(y)]. An exact or graph index serves it as it is; inverted files do not,
    since the folded vectors have no common length: there fetch more by cosine and rescore.

    Parameters
    ----------
    candidates : (m, d) array
        Unit rows.
    hubness : (m,) array
        r_S(y), from `mean_neighbor_similarity(candidates, sources)`.

    Returns
    -------
    (m, d + 1) array of float32

    Examples
    --------
    >>> y = np.array([[0.6, 0.8]], dtype=np.float32)
    >>> print(fold_csls(y, np.array([0.25], dtype=np.float32)))
    [[ 1.2   1.6  -0.25]]
    """
    return _append_column(2.0 * as_matrix(candidates, "candidates"), -np.asarray(hubness, np.float32))


def fold_query(queries: Any) -> Any:
    """Return [x, 1] for each row x: the query side of `fold_csls`, shape (n, d + 1)."""
    queries = as_matrix(queries, "queries")
    return _append_column(queries, np.ones(queries.shape[0], np.float32))


def _append_column(matrix: Any, column: NDArray[np.float32]) -> Any:
    if column.shape != (matrix.shape[0],):
        raise ValueError(f"one value a row is needed: {matrix.shape[0]} rows, values of shape {column.shape}")
    xp = namespace(matrix)
    if is_numpy(matrix):
        return np.concatenate([matrix, column[:, None]], axis=1, dtype=np.float32)
    extra = xp.asarray(column[:, None], dtype=xp.float32, device=matrix.device)
    return xp.concat([matrix, extra], axis=1)
