"""What an entity is, told by its neighbours: features and labels that spread over relations, without training."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..arrays import row_blocks, unit_rows
from .triples import as_triples, with_inverses

__all__ = ["propagate_features", "propagate_labels", "relational_features"]

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
    >>> from interlingua.align.graph import weighted_adjacency
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


def propagate_labels(
    triples: Any, labels: Any, n_relations: int, *, depth: int = 2
) -> tuple[list[Matrix], list[Matrix]]:
    """Spread the labels of some entities over entities and relations, as LightEA does.

    All steps at once for entities E and relations R (each relation also inverted), unit rows after every step:

        R[l + 1] = unit(RE E[l]),    E[l + 1] = unit(EE E[l] + ER R[l])

    RE[r, h] = 1 where r leaves h, ER[t, r] = 1 where r enters t, EE counts the edges between two entities and holds
    the degree on the diagonal; E[0] = labels, R[0] = 0.

    Parameters
    ----------
    triples : (m, 3) array of integers
        Head, relation, tail; entities of both graphs under one numbering.
    labels : (n, d) array
        One random unit vector for both entities of a seed pair, zero for all others [1]_; or feature vectors.
    n_relations : int
        Inverses not counted.
    depth : int
        Number of steps.

    Returns
    -------
    entities : list of (n, d) array of float32
        `depth` + 1 matrices.
    relations : list of (2 n_relations, d) array of float32
        Row r + n_relations is the inverse of r.

    Raises
    ------
    ValueError
        As in `as_triples`, or if the depth is negative.

    References
    ----------
    .. [1] Mao, Wang, Wu and Lan (2022), "LightEA: a scalable, robust, and interpretable entity alignment framework via
       three-view label propagation", EMNLP. doi:10.18653/v1/2022.emnlp-main.52
    """
    start = np.asarray(labels, np.float32)
    if start.ndim != 2:
        raise ValueError(f"labels must be a matrix, one row an entity, but have shape {start.shape}")
    if depth < 0:
        raise ValueError(f"depth must be 0 or more, but is {depth}")
    n = start.shape[0]
    edges = with_inverses(as_triples(triples, n, n_relations), n_relations)
    head, relation, tail = edges.T
    between, leaving, entering = _three_views(head, relation, tail, n, 2 * n_relations)
    entities, relations = [_unit(start)], [np.zeros((2 * n_relations, start.shape[1]), np.float32)]
    for _ in range(depth):
        following = _unit(between @ entities[-1] + entering @ relations[-1])
        relations.append(_unit(leaving @ entities[-1]))
        entities.append(following)
    return entities, relations


def relational_features(
    triples: Any,
    entities: Any,
    relations: Any,
    n_relations: int,
    *,
    rows: Any | None = None,
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
    triples : (m, 3) array of integers
        Head, relation, tail.
    entities : (n, d) array
        Such as the concatenated steps of `propagate_labels`.
    relations : (2 n_relations, e) array
        Such as its concatenated relations.
    n_relations : int
        Inverses not counted.
    rows : (k,) array of integers, optional
        The entities to describe; all by default.
    relation_dimension, width : int
        The result has `relation_dimension` * `width` columns.
    seed : int
        Of the random maps; two graphs must be projected by the same ones.

    Returns
    -------
    (k, relation_dimension * width) array of float32
        Unit rows.

    Raises
    ------
    ValueError
        As in `as_triples`.

    Notes
    -----
    Memory is the result and, beside it, n * 32 * `width` numbers.

    References
    ----------
    .. [1] Mao, Wang, Wu and Lan (2022), "LightEA: a scalable, robust, and interpretable entity alignment framework via
       three-view label propagation", EMNLP. doi:10.18653/v1/2022.emnlp-main.52
    """
    entities, relations = np.asarray(entities, np.float32), np.asarray(relations, np.float32)
    n = entities.shape[0]
    edges = with_inverses(as_triples(triples, n, n_relations), n_relations)
    wanted = np.arange(n) if rows is None else np.asarray(rows, np.int64)
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
    for start, rows_at_once in row_blocks(found, _ROWS_AT_ONCE):
        found[start : start + len(rows_at_once)] = _unit(rows_at_once)
    return found


def _three_views(
    head: NDArray[np.int64], relation: NDArray[np.int64], tail: NDArray[np.int64], n: int, n_relations: int
) -> tuple[sparse.csr_array, sparse.csr_array, sparse.csr_array]:
    """Return EE, RE and ER."""
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
    return between, leaving, entering


def _random_map(rng: np.random.Generator, d_in: int, d_out: int) -> Matrix:
    drawn = rng.standard_normal((d_in, d_out), dtype=np.float32)
    return np.asarray(drawn / np.sqrt(d_out), np.float32)


def _unit(matrix: Any) -> Matrix:
    return np.asarray(unit_rows(np.asarray(matrix, np.float32)), np.float32)
