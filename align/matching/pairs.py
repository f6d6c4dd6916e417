"""Pairs from scores: mutual best, stable matching, the assignment of the largest sum, and one call for them all."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linear_sum_assignment

from .scores import Candidates, as_scores, margin_scores, reciprocal_rank_scores
from .sinkhorn import sinkhorn_scores

Pairs = NDArray[np.int64]
#: Of the best partners that both sides propose, which are taken: all, those of both, or those of one.
Retrieval = Literal["max", "intersection", "forward", "backward"]
#: How rows and columns are paired, see `match`.
Method = Literal["mutual", "csls", "ratio", "distance", "reciprocal-rank", "sinkhorn", "hungarian", "stable"]


def mutual_best(table: Candidates) -> NDArray[np.int64]:
    """Return the positions of the candidates that are the best of their row and of their column, rising.

    Of equal scores the first counts, so that no row or column is in two.
    """
    best = []
    for ends, size in zip((table.rows, table.columns), table.shape, strict=True):
        highest = np.full(size, -np.inf, table.scores.dtype)
        np.maximum.at(highest, ends, table.scores)
        at = np.flatnonzero(table.scores == highest[ends])
        best.append(at[np.unique(ends[at], return_index=True)[1]])
    return np.asarray(np.intersect1d(best[0], best[1]), np.int64)


def mutual_pairs(table: "NDArray[np.float32] | Candidates") -> Pairs:
    """Return the pairs that are the best of their row and of their column, shape (p, 2), by row."""
    if 0 in table.shape or (isinstance(table, Candidates) and not len(table)):
        return np.empty((0, 2), np.int64)
    if isinstance(table, Candidates):
        return table.pairs(mutual_best(table))
    best = table.argmax(axis=1)
    rows = np.flatnonzero(table.argmax(axis=0)[best] == np.arange(len(table)))
    return np.stack([rows, best[rows]], axis=1).astype(np.int64)


def stable_pairs(table: "NDArray[np.float32] | Candidates") -> Pairs:
    """Return the stable matching: no two that are not paired would both rather have each other; (p, 2), by row.

    Both sides order their partners by the same scores. Then the pair of the highest score is in every stable matching,
    and so is the highest of what remains: Gale and Shapley's proposals and the greedy choice end alike [1]_. Here all
    mutually best pairs are taken at once, round by round. Of equal scores the first row and column win.

    References
    ----------
    .. [1] Gale and Shapley (1962), "College admissions and the stability of marriage", The American Mathematical
       Monthly 69. doi:10.1080/00029890.1962.11989827
    """
    found: list[Pairs] = []
    if isinstance(table, Candidates):
        while len(table):
            pairs = mutual_pairs(table)
            found.append(pairs)
            left = ~np.isin(table.rows, pairs[:, 0]) & ~np.isin(table.columns, pairs[:, 1])
            table = Candidates(table.rows[left], table.columns[left], table.scores[left], table.shape)
    else:
        left_rows, left_columns = np.arange(table.shape[0]), np.arange(table.shape[1])
        matrix = table
        while 0 not in matrix.shape:
            pairs = mutual_pairs(matrix)
            found.append(np.stack([left_rows[pairs[:, 0]], left_columns[pairs[:, 1]]], axis=1))
            matrix = np.delete(np.delete(matrix, pairs[:, 0], axis=0), pairs[:, 1], axis=1)
            left_rows, left_columns = np.delete(left_rows, pairs[:, 0]), np.delete(left_columns, pairs[:, 1])
    pairs = np.concatenate(found) if found else np.empty((0, 2), np.int64)
    return np.asarray(pairs[np.argsort(pairs[:, 0], kind="stable")], np.int64)


def hungarian_pairs(table: "NDArray[np.float32] | Candidates", dustbin: float | None = None) -> Pairs:
    """Return the one-to-one pairs of the largest total score, shape (p, 2), by row.

    Parameters
    ----------
    table : (n, m) array or Candidates
    dustbin : float, optional
        What a row without a partner adds to the total; no pair of a lower score is made. By default as many pairs as
        can be are made.

    References
    ----------
    Crouse (2016), "On implementing 2D rectangular assignment algorithms", IEEE Transactions on Aerospace and
    Electronic Systems 52, doi:10.1109/TAES.2016.140952, for dense scores; Jonker and Volgenant (1987),
    doi:10.1007/BF02278710, for sparse ones.
    """
    if 0 in table.shape or (isinstance(table, Candidates) and not len(table)):
        return np.empty((0, 2), np.int64)
    if isinstance(table, Candidates):
        return _sparse_assignment(table, dustbin)
    # subtle: with the dustbin's score as a floor a poor pair is worth as much as none, and is then left out
    floored = table if dustbin is None else np.maximum(table, np.float32(dustbin))
    rows, columns = linear_sum_assignment(floored, maximize=True)
    pairs = np.stack([rows, columns], axis=1).astype(np.int64)
    return pairs if dustbin is None else pairs[table[rows, columns] > np.float32(dustbin)]


def _sparse_assignment(table: Candidates, dustbin: float | None) -> Pairs:
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    n, m = table.shape
    scores = table.scores.astype(np.float64)
    top = scores.max()
    # each row may stay alone in a column of its own; costs begin at one, since zeros are no edges
    alone = (top - scores.min() + 1) * (n + 1) if dustbin is None else max(top - dustbin, 0.0)
    edges = np.concatenate([top - scores, np.full(n, alone)]) + 1.0
    rows = np.concatenate([table.rows, np.arange(n)])
    columns = np.concatenate([table.columns, m + np.arange(n)])
    chosen_rows, chosen = min_weight_full_bipartite_matching(
        sparse.csr_array((edges, (rows, columns)), shape=(n, m + n))
    )
    pairs = np.stack([chosen_rows, chosen], axis=1).astype(np.int64)[chosen < m]
    return np.asarray(pairs[np.argsort(pairs[:, 0])], np.int64)


@dataclass(frozen=True)
class Matching:
    """One-to-one pairs, by row.

    Attributes
    ----------
    pairs : (p, 2) array of int64
        Rows of the left and the right side; each occurs once at most.
    scores : (p,) array of float32
        By the method's own score: margins, ranks or Sinkhorn's values; the given scores for the others.
    method : str
    shape : (int, int)
        Sizes of both sides.
    """

    pairs: NDArray[np.int64]
    scores: NDArray[np.float32]
    method: str
    shape: tuple[int, int]

    def __len__(self) -> int:
        return len(self.pairs)

    def above(self, threshold: float) -> "Matching":
        """Return the pairs that score at least `threshold`."""
        kept = self.scores >= threshold
        return Matching(self.pairs[kept], self.scores[kept], self.method, self.shape)


def match(
    scores: Any,
    method: Method = "csls",
    *,
    k: int = 4,
    temperature: float = 0.02,
    iterations: int = 100,
    dustbin: float | None = None,
    threshold: float | None = None,
    n_columns: int | None = None,
) -> Matching:
    """Pair rows and columns one to one.

    ===================  =============================================================================
    ``mutual``           the best of its row and of its column
    ``csls`` ``ratio``   mutually best by `margin_scores`
    ``distance``
    ``reciprocal-rank``  mutually best by `reciprocal_rank_scores`
    ``sinkhorn``         mutually best by `sinkhorn_scores`
    ``hungarian``        the largest sum of scores
    ``stable``           no two would both rather have each other
    ===================  =============================================================================

    Parameters
    ----------
    scores : (n, m) array, sparse matrix, Neighbors or Candidates
        Higher is better. Of anything sparse, only the candidates can be paired.
    method : str
        One of the table.
    k : int
        Neighbourhood of the margins.
    temperature, iterations : float, int
        Of Sinkhorn.
    dustbin : float, optional
        Score of staying alone, for Sinkhorn and Hungarian.
    threshold : float, optional
        Keep the pairs whose score by the method reaches it.
    n_columns : int, optional
        Size of the right side, where `scores` are Neighbors.

    Raises
    ------
    ValueError
        If the method is unknown, a dustbin is given to one that has none, or a score is not finite.

    Examples
    --------
    >>> match(np.array([[0.9, 0.8], [0.9, 0.1]]), "hungarian").pairs.tolist()
    [[0, 1], [1, 0]]
    """
    if method not in get_args(Method):
        raise ValueError(f"method must be one of {', '.join(get_args(Method))}, but is {method!r}")
    if dustbin is not None and method not in ("sinkhorn", "hungarian"):
        raise ValueError(f"only sinkhorn and hungarian have a dustbin, but the method is {method!r}; use threshold")
    table = as_scores(scores, n_columns)
    scored = table
    if method in ("csls", "ratio", "distance"):
        scored = margin_scores(table, method, k=k)
    elif method == "reciprocal-rank":
        scored = reciprocal_rank_scores(table)
    elif method == "sinkhorn":
        scored = sinkhorn_scores(table, temperature=temperature, iterations=iterations, dustbin=dustbin)
    if method == "hungarian":
        pairs = hungarian_pairs(scored, dustbin)
    else:
        pairs = stable_pairs(scored) if method == "stable" else mutual_pairs(scored)
    chosen = scored.scores_of(*pairs.T) if isinstance(scored, Candidates) else scored[pairs[:, 0], pairs[:, 1]]
    found = Matching(pairs, np.asarray(chosen, np.float32), method, (int(table.shape[0]), int(table.shape[1])))
    return found if threshold is None else found.above(threshold)
