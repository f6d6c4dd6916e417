"""What an entity is, told by its neighbours: features that spread over relations, without training.

Graphs are triples, integer rows (head, relation, tail), of one or two graphs under one numbering.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from interlingua.align.arrays import unit_rows

Triples = NDArray[np.int64]


def as_triples(triples: Any, n_entities: int, n_relations: int) -> Triples:
    """Return distinct triples as int64, sorted by head, relation and tail.

    Parameters
    ----------
    triples : (m, 3) array of integers
        Head, relation, tail.
    n_entities, n_relations : int
        Heads and tails are below the first, relations below the second.

    Raises
    ------
    ValueError
        If the shape is another, the numbers are no integers, or one is out of range.

    Examples
    --------
    >>> as_triples([[1, 0, 0], [0, 0, 1], [1, 0, 0]], n_entities=2, n_relations=1).tolist()
    [[0, 0, 1], [1, 0, 0]]
    """
    rows = np.asarray(triples)
    if rows.size == 0:
        return np.empty((0, 3), np.int64)
    if rows.ndim != 2 or rows.shape[1] != 3 or rows.dtype.kind not in "iu":
        raise ValueError(f"triples must be integers of shape (m, 3), but are {rows.dtype} of shape {rows.shape}")
    rows = rows.astype(np.int64, copy=False)
    for column, size, what in ((0, n_entities, "heads"), (1, n_relations, "relations"), (2, n_entities, "tails")):
        low, high = int(rows[:, column].min()), int(rows[:, column].max())
        if low < 0 or high >= size:
            raise ValueError(f"{what} must lie in 0 .. {size - 1}, but reach from {low} to {high}")
    return _distinct(rows, n_entities, n_relations)


def with_inverses(triples: Triples, n_relations: int) -> Triples:
    """Return the triples and their inverses (t, r + n_relations, h), distinct, shape (2 m, 3)."""
    inverse = np.stack([triples[:, 2], triples[:, 1] + n_relations, triples[:, 0]], axis=1)
    n = int(max(triples[:, 0].max(initial=-1), triples[:, 2].max(initial=-1))) + 1
    return _distinct(np.concatenate([triples, inverse]), n, 2 * n_relations)


def _distinct(rows: Triples, n: int, n_relations: int) -> Triples:
    """Return the distinct rows, sorted: as one number each where that fits, which is many times quicker."""
    if n * n * n_relations >= 2**62:
        return np.unique(rows, axis=0)
    codes = np.unique((rows[:, 0] * n_relations + rows[:, 1]) * n + rows[:, 2])
    rest, tail = np.divmod(codes, max(n, 1))
    return np.stack([*np.divmod(rest, max(n_relations, 1)), tail], axis=1)


def relation_weights(triples: Triples, n_relations: int) -> NDArray[np.float32]:
    """Return log(|T| / count(r)) of each relation, (n_relations,): rare relations tell more; 0 where r is unused.

    Examples
    --------
    >>> print(relation_weights(np.array([[0, 0, 1], [1, 0, 2], [2, 0, 3], [0, 1, 3]]), 3).round(2))
    [0.29 1.39 0.  ]
    """
    counts = np.bincount(triples[:, 1], minlength=n_relations)
    weights = np.zeros(n_relations)
    used = counts > 0
    weights[used] = np.log(len(triples) / counts[used])
    return weights.astype(np.float32)


def weighted_adjacency(triples: Any, n_entities: int, n_relations: int) -> sparse.csr_array:
    """Return the adjacency of SEU, in which a rare relation weighs more than a frequent one.

    With T the distinct triples and their inverses, and count(r) the triples of relation r in T,

        A[h, t] = sum over (h, r, t) in T of log(|T| / count(r)),    A[h, h] = log(|T| / n)

    Parameters
    ----------
    triples : (m, 3) array of integers
        Head, relation, tail; entities of both graphs under one numbering.
    n_entities, n_relations : int
        n and the number of relations, inverses not counted.

    Returns
    -------
    (n, n) sparse array of float32
        Symmetric pattern, rows not normalised.

    Raises
    ------
    ValueError
        As in `as_triples`.

    References
    ----------
    .. [1] Mao, Wang, Wu and Lan (2021), "From alignment to assignment: frustratingly simple unsupervised entity
       alignment", EMNLP. doi:10.18653/v1/2021.emnlp-main.226

    Examples
    --------
    >>> print(weighted_adjacency([[0, 0, 1], [1, 1, 2]], 3, 2).toarray().round(2))
    [[0.29 1.39 0.  ]
     [1.39 0.29 1.39]
     [0.   1.39 0.29]]
    """
    edges = with_inverses(as_triples(triples, n_entities, n_relations), n_relations)
    weights = relation_weights(edges, 2 * n_relations)[edges[:, 1]]
    own = np.log(max(len(edges), 1) / n_entities) if n_entities else 0.0
    loops = np.arange(n_entities)
    values = np.concatenate([weights, np.full(n_entities, max(own, 0.0), np.float32)])
    places = np.concatenate([edges[:, 0], loops]), np.concatenate([edges[:, 2], loops])
    made: sparse.csr_array = sparse.coo_array((values, places), shape=(n_entities, n_entities)).tocsr()
    return made


Matrix = NDArray[np.float32]


def propagate_features(adjacency: sparse.csr_array, features: Any, *, depth: int = 2) -> list[Matrix]:
    """Spread features over the graph and return what each hop gives, beginning with the features themselves.

        H[0] = unit(X),    H[l + 1] = unit(A H[l])

    The mean over l of H[l] of a left entity times H[l] of a right one is the similarity of SEU [1]_; rows of the hops
    side by side, divided by sqrt(depth + 1), have it as their inner product.

    Parameters
    ----------
    adjacency : (n, n) sparse array
        From `weighted_adjacency`.
    features : (n, d) array
        Row i belongs to entity i; a row of zeros says nothing and is filled by its neighbours.
    depth : int
        Number of hops, 0 or more.

    Returns
    -------
    list of (n, d) array of float32
        `depth` + 1 matrices with unit rows (zero rows stay zero).

    Raises
    ------
    ValueError
        If the shapes do not fit or the depth is negative.

    References
    ----------
    .. [1] Mao, Wang, Wu and Lan (2021), "From alignment to assignment: frustratingly simple unsupervised entity
       alignment", EMNLP. doi:10.18653/v1/2021.emnlp-main.226

    Examples
    --------
    >>> from interlingua.align.graph.propagation import weighted_adjacency
    >>> hops = propagate_features(weighted_adjacency([[0, 0, 1]], 2, 1), np.eye(2), depth=1)
    >>> print(hops[1].round(2))
    [[0. 1.]
     [1. 0.]]
    """
    start = np.asarray(features, np.float32)
    if start.ndim != 2 or start.shape[0] != adjacency.shape[0]:
        raise ValueError(f"features must have {adjacency.shape[0]} rows, one an entity, but have shape {start.shape}")
    if depth < 0:
        raise ValueError(f"depth must be 0 or more, but is {depth}")
    hops = [_unit(start)]
    for _ in range(depth):
        hops.append(_unit(adjacency @ hops[-1]))
    return hops


def _unit(matrix: Any) -> Matrix:
    return np.asarray(unit_rows(np.asarray(matrix, np.float32)), np.float32)
