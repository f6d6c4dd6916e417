"""Exact nearest neighbours by inner product, in blocks, so that memory stays bounded.

How neighbours are ranked: nearest neighbour, CSLS, inverted softmax.

In a space of many dimensions a few candidates, the hubs, are near to everything. The corrected criteria take
from each candidate what it gives to everybody. Both corrections depend on the candidate alone, so that each
folds into one more column of the candidate's vector and any exact inner-product search can serve it.

How uneven a neighbourhood is: hubs that are near to everything, and candidates nobody finds.
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import array_api_compat
import numpy as np
from numpy.typing import NDArray

from .arrays import (
    as_matrix,
    check_same_dimension,
    is_numpy,
    known_rows,
    namespace,
    row_blocks,
    take_known,
    take_rows,
    to_numpy,
)

_QUERY_BLOCK = 1024
_CANDIDATE_BLOCK = 16384
_PRODUCTS = 1_000_000  # held at a time
_PRODUCT_FROM = 4  # queries, from where a product of matrices is quicker than row by row
_SMALLEST = float(np.finfo(np.float32).tiny)
_FAISS_PRODUCT_FROM = 128_000  # numbers in the queries, from where FAISS 1.15 multiplies matrices itself


@dataclass(frozen=True)
class Neighbors:
    """The best candidates of each query, best first.

    Attributes
    ----------
    ids : (n, k) array of int64
        Row numbers of the candidates.
    scores : (n, k) array of float32
        Higher is better.
    """

    ids: NDArray[np.int64]
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        return int(self.ids.shape[0])


def top_k(queries: Any, candidates: Any, k: int) -> Neighbors:
    """Find for each query the k candidates with the largest inner product, exactly.

    Parameters
    ----------
    queries : (n, d) array
        For cosine similarity give unit rows.
    candidates : (m, d) array
        Same namespace and device as `queries`. Zero rows stand for what has no vector and are never found.
    k : int
        At least one; where it exceeds m, less the zero rows, so many neighbours are returned.

    Returns
    -------
    Neighbors
        NumPy arrays of shape (n, min(k, m)), sorted by falling score; among the returned ones, equal scores
        are sorted by row number.

    Raises
    ------
    ValueError
        If k < 1, no candidate has a vector, the dimensions differ or a value is not finite.

    Notes
    -----
    Time grows as n m d. Memory is the input, the result and one block of scores (1024 x 16384 float32, 64 MB),
    whatever n and m are. NumPy arrays are searched by FAISS's exact kernel, arrays on other devices by blocked
    products in their own namespace.

    Examples
    --------
    >>> x = np.eye(3, dtype=np.float32)
    >>> top_k(x[:1], x + 0.5, k=2).ids.tolist()
    [[0, 1]]
    """
    queries, candidates = as_matrix(queries, "queries"), as_matrix(candidates, "candidates")
    check_same_dimension(queries, candidates, ("queries", "candidates"))
    return nearest_vectors(queries, candidates, k)


def nearest_vectors(queries: Any, candidates: Any, k: int) -> Neighbors:
    """Search as `top_k` does, in matrices that `as_matrix` has checked and that have one dimension."""
    known = known_rows(candidates)
    if known is None:
        return nearest(queries, candidates, k)
    if known.size == 0 < candidates.shape[0]:
        raise ValueError("there must be at least one candidate to search, but all of them are zero")
    found = nearest(queries, take_rows(candidates, known), k)
    return Neighbors(known[found.ids], found.scores)


def nearest(queries: Any, candidates: Any, k: int) -> Neighbors:
    """Search as `nearest_vectors` does.

    Zero rows are candidates here like any other: of features, unlike vectors, all may be zero.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, but is {k}")
    if candidates.shape[0] == 0:
        raise ValueError("there must be at least one candidate to search, but there is none")
    k = min(k, int(candidates.shape[0]))
    if queries.shape[0] == 0:
        return Neighbors(np.empty((0, k), np.int64), np.empty((0, k), np.float32))
    if isinstance(queries, np.ndarray):
        if len(queries) >= _PRODUCT_FROM and queries.size < _FAISS_PRODUCT_FROM:
            size = max(_PRODUCT_FROM, _PRODUCTS // min(_CANDIDATE_BLOCK, int(candidates.shape[0])))
            found = [_product_top_k(block, candidates, k) for _, block in row_blocks(queries, size)]
            scores, ids = (np.concatenate(each) for each in zip(*found, strict=True))
        else:
            import faiss

            scores, ids = faiss.knn(queries, candidates, k, metric=faiss.METRIC_INNER_PRODUCT)
    else:
        scores, ids = _blocked_top_k(queries, candidates, k)
    _check_range(scores, queries, candidates)
    order = np.lexsort((ids, -scores), axis=1)
    return Neighbors(
        np.take_along_axis(ids, order, axis=1).astype(np.int64, copy=False),
        np.take_along_axis(scores, order, axis=1).astype(np.float32, copy=False),
    )


def _check_range(scores: NDArray[np.float32], queries: Any, candidates: Any) -> None:
    """Raise ValueError if inner products left the range of float32, so that their order says nothing."""
    largest = np.abs(scores).max()  # NaN, if one is
    if np.isfinite(largest) and largest >= _SMALLEST:
        return
    longest = [float(namespace(each).max(namespace(each).abs(each))) for each in (queries, candidates)]
    if np.isfinite(largest) and not 0 < longest[0] * longest[1] < _SMALLEST:
        return  # a zero vector, or one that is at a right angle to all
    raise ValueError(
        "the inner products of queries and candidates must fit float32, but their largest numbers are "
        f"{longest[0]:.3g} and {longest[1]:.3g}; scale both, such as to unit length"
    )


def _product_top_k(
    queries: NDArray[np.float32], candidates: NDArray[np.float32], k: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Keep of each block of candidates those that beat the k best before; in any order."""
    n = len(queries)
    scores, ids = np.full((n, k), -np.inf, np.float32), np.zeros((n, k), np.int64)
    for first, block in row_blocks(candidates, _CANDIDATE_BLOCK):
        with np.errstate(over="ignore", invalid="ignore"):  # refused by `_check_range`
            products = queries @ block.T
        if first == 0 and len(block) > k:
            ids = np.argpartition(products, len(block) - k, axis=1)[:, len(block) - k :]
            scores = np.take_along_axis(products, ids, axis=1)
            continue
        rows, columns = np.nonzero(products > scores.min(axis=1)[:, None])
        values = products[rows, columns]
        order = np.lexsort((-values, rows))
        rows, columns, values = rows[order], columns[order], values[order]
        place = np.arange(len(rows)) - np.searchsorted(rows, rows)
        rows, columns, values, place = (each[place < k] for each in (rows, columns, values, place))
        better, there = np.full((n, k), -np.inf, np.float32), np.zeros((n, k), np.int64)
        better[rows, place], there[rows, place] = values, columns + first
        scores, ids = np.concatenate([scores, better], axis=1), np.concatenate([ids, there], axis=1)
        best = np.argpartition(scores, k, axis=1)[:, k:]
        scores, ids = np.take_along_axis(scores, best, axis=1), np.take_along_axis(ids, best, axis=1)
    return scores, ids


def _blocked_top_k(queries: Any, candidates: Any, k: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Keep the k best of each block of candidates and merge, on the arrays' own device."""
    xp = namespace(queries, candidates)
    n = int(queries.shape[0])
    all_scores, all_ids = np.empty((n, k), np.float32), np.empty((n, k), np.int64)
    for start, block in row_blocks(queries, _QUERY_BLOCK):
        kept_scores, kept_ids = [], []
        for first, part in row_blocks(candidates, _CANDIDATE_BLOCK):
            scores, ids = _largest(xp, block @ xp.matrix_transpose(part), min(k, int(part.shape[0])))
            kept_scores.append(scores)
            kept_ids.append(ids + first)
        scores, positions = _largest(xp, xp.concat(kept_scores, axis=1), k)
        ids = xp.take_along_axis(xp.concat(kept_ids, axis=1), positions, axis=1)
        all_scores[start : start + block.shape[0]] = to_numpy(scores)
        all_ids[start : start + block.shape[0]] = to_numpy(ids)
    return all_scores, all_ids


def _largest(xp: Any, scores: Any, k: int) -> tuple[Any, Any]:
    """Return the k largest of each row and their columns, best first."""
    if array_api_compat.is_torch_namespace(xp):
        values, columns = scores.topk(k, dim=1)
        return values, columns
    # the standard has no partial sort, and NumPy no descending one
    order = np.argsort(-scores, axis=1, stable=True) if xp is np else xp.argsort(scores, axis=1, descending=True)
    columns = order[:, :k]
    return xp.take_along_axis(scores, columns, axis=1), columns


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
        Unit rows in the common space; the whole vocabulary, not the test words alone. Zero rows, here and in the
        background, stand for what has no vector: they are never found and part of no mean.
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
        return nearest_vectors(queries, candidates, k)
    if background is not None:
        background = as_matrix(background, "background")
        check_same_dimension(candidates, background, ("candidates", "background"))
    background = queries if background is None else background
    if (known := known_rows(candidates)) is not None:
        if known.size == 0 < candidates.shape[0]:
            raise ValueError("there must be at least one candidate to search, but all of them are zero")
        found = retrieve(
            queries,
            take_rows(candidates, known),
            k,
            criterion=criterion,
            background=background,
            neighborhood=neighborhood,
            inverse_temperature=inverse_temperature,
        )
        return Neighbors(known[found.ids], found.scores)
    asked = _append_column(queries, np.ones(queries.shape[0], np.float32))
    if criterion == "csls":
        folded = _append_column(2.0 * candidates, -_mean_similarity(candidates, background, neighborhood))
        found = nearest(asked, folded, k)
        own = _mean_of_nearest(nearest(queries, candidates, neighborhood))
        return Neighbors(found.ids, (found.scores - own[:, None]).astype(np.float32))
    normalizer = softmax_normalizer(candidates, background, inverse_temperature)
    return nearest(asked, _append_column(inverse_temperature * candidates, -normalizer), k)


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
    vectors, others = as_matrix(vectors, "vectors"), as_matrix(others, "others")
    check_same_dimension(vectors, others, ("vectors", "others"))
    return _mean_similarity(vectors, others, neighborhood)


def _mean_similarity(vectors: Any, others: Any, neighborhood: int) -> NDArray[np.float32]:
    return _mean_of_nearest(nearest_vectors(vectors, others, neighborhood))


def _mean_of_nearest(found: Neighbors) -> NDArray[np.float32]:
    return np.asarray(found.scores.mean(axis=1, dtype=np.float64), np.float32)


def softmax_normalizer(candidates: Any, background: Any, inverse_temperature: float) -> NDArray[np.float32]:
    """Return log(sum over background x of exp(b s(x, y))) for each candidate y, shape (m,).

    Computed in blocks with the largest exponent taken out, so that no b overflows.
    """
    if not inverse_temperature > 0:
        raise ValueError(f"inverse_temperature must be positive, but is {inverse_temperature}")
    candidates, background = as_matrix(candidates, "candidates"), as_matrix(background, "background")
    background = take_known(background)
    xp = namespace(candidates, background)
    parts = []
    for _, block in row_blocks(candidates, _BLOCK):
        with np.errstate(over="ignore", invalid="ignore"):  # refused by `_check_range`
            products = block @ xp.matrix_transpose(background)
        _check_range(to_numpy(xp.max(xp.abs(products), axis=1)), background, block)
        exponents = inverse_temperature * products
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


@dataclass(frozen=True)
class Hubness:
    """The distribution of N_k, how many queries have a candidate among their k nearest.

    Attributes
    ----------
    k : int
        Neighbours a query.
    skewness : float
        E[(N_k - mean)³] / sd³ over the candidates [1]_: 0 for a symmetric distribution, large with hubs; 0 where
        all N_k are equal.
    robin_hood : float
        sum |N_k - mean| / (2 sum N_k) [2]_: the share of places in neighbourhoods that would have to move to make
        all candidates equal, in [0, 1).
    anti_hub_share : float
        Share of the candidates that no query finds, in [0, 1).
    largest : int
        N_k of the greatest hub.
    n_queries, n_candidates : int
        What was counted over.

    References
    ----------
    .. [1] Radovanović, Nanopoulos and Ivanović (2010), "Hubs in space: popular nearest neighbors in high-dimensional
       data", JMLR 11. https://jmlr.org/papers/v11/radovanovic10a.html
    .. [2] Feldbauer, Leodolter, Plant and Flexer (2018), "Fast approximate hubness reduction for large
       high-dimensional data", ICBK. doi:10.1109/ICBK.2018.00055
    """

    k: int
    skewness: float
    robin_hood: float
    anti_hub_share: float
    largest: int
    n_queries: int
    n_candidates: int

    def summary(self) -> str:
        """Return one line for people.

        Examples
        --------
        >>> occurrence_hubness(np.array([[0], [0], [1]]), 3).summary()
        'N_1 skewness 0.00, Robin Hood 0.33, 33.3 % never found, greatest hub 2 of 3 queries'
        """
        return (
            f"N_{self.k} skewness {self.skewness:.2f}, Robin Hood {self.robin_hood:.2f}, "
            f"{100 * self.anti_hub_share:.1f} % never found, "
            f"greatest hub {self.largest} of {self.n_queries} queries"
        )


def hubness(
    queries: Any, candidates: Any, *, k: int = 10, criterion: Criterion = "nn", neighborhood: int = 10
) -> Hubness:
    """Measure how unevenly the candidates are found by the queries.

    Parameters
    ----------
    queries : (n, d) array
        Unit rows in the common space.
    candidates : (m, d) array
        Unit rows in the common space. Within one language the nearest neighbour of a row is the row itself, so give
        two different sets.
    k : int
        Neighbours a query; at most all candidates.
    criterion, neighborhood
        As in `retrieve`: compare "nn" with "csls" to see what the correction does.

    Raises
    ------
    ValueError
        If there is no query, or as in `retrieve`.

    Examples
    --------
    >>> x = np.eye(4, dtype=np.float32)
    >>> hubness(x, x, k=1).robin_hood
    0.0
    """
    queries, candidates = as_matrix(queries, "queries"), as_matrix(candidates, "candidates")
    queries, candidates = take_known(queries), take_known(candidates)
    found = retrieve(queries, candidates, k, criterion=criterion, neighborhood=neighborhood)
    return occurrence_hubness(found.ids, int(candidates.shape[0]))


def occurrence_hubness(ids: NDArray[np.int64], n_candidates: int) -> Hubness:
    """Measure hubness from neighbours already found.

    Parameters
    ----------
    ids : (n, k) array of int
        Candidates of each query, as in `Neighbors.ids`.
    n_candidates : int
        Size of the whole candidate set, those never found included.

    Raises
    ------
    ValueError
        If there is no neighbour, or an id is outside the candidates.
    """
    ids = np.asarray(ids)
    if ids.ndim != 2 or ids.size == 0:
        raise ValueError(f"ids must have shape (n, k) with at least one neighbour, but have shape {ids.shape}")
    if ids.min() < 0 or ids.max() >= n_candidates:
        raise ValueError(f"ids must lie in 0 to {n_candidates - 1}, but hold {ids.min()} to {ids.max()}")
    counts = np.bincount(ids.ravel(), minlength=n_candidates).astype(np.float64)
    deviation = counts - counts.mean()
    variance = float((deviation**2).mean())
    return Hubness(
        k=int(ids.shape[1]),
        skewness=float((deviation**3).mean() / variance**1.5) if variance > 0 else 0.0,
        robin_hood=float(np.abs(deviation).sum() / (2 * counts.sum())),
        anti_hub_share=float((counts == 0).mean()),
        largest=int(counts.max()),
        n_queries=int(ids.shape[0]),
        n_candidates=n_candidates,
    )
