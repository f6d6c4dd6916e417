"""How uneven a neighbourhood is: hubs that are near to everything, and candidates nobody finds."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import as_matrix
from .retrieval import Criterion, retrieve

__all__ = ["Hubness", "hubness", "occurrence_hubness"]


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
