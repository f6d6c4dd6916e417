"""One call from scores to pairs, whatever the matcher."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from .assignment import hungarian_pairs, mutual_pairs, stable_pairs
from .candidates import Candidates, as_scores
from .margins import margin_scores, reciprocal_rank_scores
from .sinkhorn import sinkhorn_scores

__all__ = ["Matching", "Method", "match"]

Method = Literal["mutual", "csls", "ratio", "distance", "reciprocal-rank", "sinkhorn", "hungarian", "stable"]


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
    found = Matching(pairs, _scores_of(scored, pairs), method, (int(table.shape[0]), int(table.shape[1])))
    return found if threshold is None else found.above(threshold)


def _scores_of(table: "NDArray[np.float32] | Candidates", pairs: NDArray[np.int64]) -> NDArray[np.float32]:
    if not isinstance(table, Candidates):
        return np.asarray(table[pairs[:, 0], pairs[:, 1]], np.float32)
    width = max(table.shape[1], 1)
    at = np.searchsorted(table.rows * width + table.columns, pairs[:, 0] * width + pairs[:, 1])
    return table.scores[at]
