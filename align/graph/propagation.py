"""What an entity is, told by its neighbours: features and labels that spread over relations, without training.

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
    return np.unique(rows, axis=0)


def with_inverses(triples: Triples, n_relations: int) -> Triples:
    """Return the triples and their inverses (t, r + n_relations, h), distinct, shape (2 m, 3)."""
    inverse = np.stack([triples[:, 2], triples[:, 1] + n_relations, triples[:, 0]], axis=1)
    return np.unique(np.concatenate([triples, inverse]), axis=0)


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
_DIMENSIONS_AT_ONCE = 32
_ROWS_AT_ONCE = 2048


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


def spread_labels(
    edges: Triples, labels: Matrix, n_relations: int, *, depth: int = 2
) -> tuple[list[Matrix], list[Matrix]]:
    """Spread the labels of some entities over entities and relations, as LightEA does.

    All steps at once for entities E and relations R, unit rows after every step:

        R[l + 1] = unit(RE E[l]),    E[l + 1] = unit(EE E[l] + ER R[l])

    RE[r, h] = 1 where r leaves h, ER[t, r] = 1 where r enters t, EE counts the edges between two entities and holds
    the degree on the diagonal; E[0] = labels, R[0] = 0.

    Parameters
    ----------
    edges : (m, 3) array of int64
        Distinct triples that hold their inverses, see `with_inverses`; entities of both graphs under one numbering.
    labels : (n, d) array
        One random unit vector for both entities of a seed pair, zero for all others [1]_; or unit feature vectors.
    n_relations : int
        Inverses counted.
    depth : int
        Number of steps.

    Returns
    -------
    entities : list of (n, d) array of float32
        `depth` + 1 matrices.
    relations : list of (n_relations, d) array of float32

    References
    ----------
    .. [1] Mao, Wang, Wu and Lan (2022), "LightEA: a scalable, robust, and interpretable entity alignment framework via
       three-view label propagation", EMNLP. doi:10.18653/v1/2022.emnlp-main.52
    """
    n = len(labels)
    views = _three_views(edges, n, n_relations)
    steps = [np.concatenate([labels, np.zeros((n_relations, labels.shape[1]), np.float32)])]
    for _ in range(depth):
        steps.append(_unit(views @ steps[-1]))
    return [each[:n] for each in steps], [each[n:] for each in steps]


def describe_edges(
    edges: Triples,
    entities: Matrix,
    relations: Matrix,
    wanted: NDArray[np.int64],
    *,
    relation_dimension: int = 512,
    width: int = 16,
    seed: int = 0,
) -> Matrix:
    """Describe each entity by which neighbours it has through which relations, in one vector.

    The sum over the edges (h, r, t) of an entity h of the tensor product of r's and t's vectors, randomly projected
    (the third view of LightEA [1]_): with Q a random map of the relations' vectors to `relation_dimension`
    dimensions and P_d, one for each of these, a random map of the entities' vectors to `width`,

        F_d[h] = sum over (h, r, t) of (Q R)[r, d] P_d E[t],    F = unit([F_1, F_2, ...])

    Parameters
    ----------
    edges : (m, 3) array of int64
        Head, relation, tail; with the inverses.
    entities, relations : (n, d), (r, e) arrays
        Such as the concatenated steps of `spread_labels`.
    wanted : (k,) array of integers
        The entities to describe.
    relation_dimension, width : int
        The result has `relation_dimension` * `width` columns.
    seed : int
        Of the random maps; two graphs must be projected by the same ones.

    Returns
    -------
    (k, relation_dimension * width) array of float32
        Unit rows.

    Notes
    -----
    Memory is the result and, beside it, n * 32 * `width` numbers.

    References
    ----------
    .. [1] Mao, Wang, Wu and Lan (2022), "LightEA: a scalable, robust, and interpretable entity alignment framework via
       three-view label propagation", EMNLP. doi:10.18653/v1/2022.emnlp-main.52
    """
    n = entities.shape[0]
    place = np.full(n, -1)
    place[wanted] = np.arange(wanted.size)
    edges = edges[place[edges[:, 0]] >= 0]
    order = np.argsort(place[edges[:, 0]], kind="stable")
    edges = edges[order]
    starts = np.searchsorted(place[edges[:, 0]], np.arange(wanted.size + 1))
    rng = np.random.default_rng(seed)
    turned = relations @ _random_map(rng, relations.shape[1], relation_dimension)
    weights = np.ascontiguousarray(_unit(turned)[edges[:, 1]].T)  # (relation_dimension, edges)
    found = np.empty((wanted.size, relation_dimension * width), np.float32)
    # subtle: the sparse matrix is made once and its values exchanged, the pattern is the same for all dimensions
    matrix = sparse.csr_array((weights[0].copy(), edges[:, 2], starts), shape=(wanted.size, n)) if len(edges) else None
    for first in range(0, relation_dimension, _DIMENSIONS_AT_ONCE):
        last = min(first + _DIMENSIONS_AT_ONCE, relation_dimension)
        projected = entities @ _random_map(rng, entities.shape[1], (last - first) * width)
        for d in range(first, last):
            block = slice(d * width, (d + 1) * width)
            if matrix is None:
                found[:, block] = 0
                continue
            matrix.data[:] = weights[d]
            found[:, block] = matrix @ np.ascontiguousarray(projected[:, (d - first) * width : (d - first + 1) * width])
    for start in range(0, len(found), _ROWS_AT_ONCE):
        found[start : start + _ROWS_AT_ONCE] = _unit(found[start : start + _ROWS_AT_ONCE])
    return found


def _three_views(edges: Triples, n: int, n_relations: int) -> sparse.csr_array:
    """Return [[EE, ER], [RE, 0]], (n + n_relations, n + n_relations)."""
    head, relation, tail = edges.T
    ones = np.ones(head.size, np.float32)
    degree = np.bincount(head, minlength=n).astype(np.float32)
    own = np.arange(n)
    between = sparse.csr_array(
        (np.concatenate([ones, degree]), (np.concatenate([head, own]), np.concatenate([tail, own]))), shape=(n, n)
    )
    leaving = sparse.csr_array((ones, (relation, head)), shape=(n_relations, n))
    entering = sparse.csr_array((ones, (tail, relation)), shape=(n, n_relations))
    for view in (leaving, entering):
        view.sum_duplicates()
        view.data[:] = 1.0  # which relations, not how often
    views: sparse.csr_array = sparse.block_array([[between, entering], [leaving, None]], format="csr")
    return views


def _random_map(rng: np.random.Generator, d_in: int, d_out: int) -> Matrix:
    drawn = rng.standard_normal((d_in, d_out), dtype=np.float32)
    return np.asarray(drawn / np.sqrt(d_out), np.float32)


def _unit(matrix: Any) -> Matrix:
    return np.asarray(unit_rows(np.asarray(matrix, np.float32)), np.float32)
