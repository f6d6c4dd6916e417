"""Which documents of two collections translate each other, and how sure the beads of an alignment are."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..arrays import as_matrix, check_same_dimension, to_numpy, unit_rows
from ..matching import Matching, match
from ..neighbors import top_k
from .mining import decoy_confidence, mine_pairs

__all__ = ["bead_confidences", "pair_documents"]

_SHIFTS = 4
_LEAST = 1e-6


def pair_documents(
    source: Any, target: Any, source_of: Any, target_of: Any, *, k: int = 4, least: float = 0.2
) -> Matching:
    """Pair documents one to one by the sentences that they share; leave alone what has no partner.

    With v the number of mutually best sentence pairs (`mine_pairs`) between documents of n and m sentences, their score
    is 2 v / (n + m): 1 where every sentence has its translation there. The pairs have the largest sum of scores.

    Parameters
    ----------
    source, target : (n, d), (m, d) arrays
        Sentences of all documents, language bias removed.
    source_of, target_of : (n,), (m,) arrays of int
        The document of each sentence, from 0.
    k : int
        Neighbours of the margin.
    least : float
        Least score of a pair.

    Returns
    -------
    Matching
        Pairs of documents and their scores.

    Raises
    ------
    ValueError
        If `least` is not above 0 and at most 1, or sentences and their documents do not correspond.

    Examples
    --------
    >>> x = np.eye(9)
    >>> pair_documents(x[:6], x[[3, 4, 5, 7, 0, 1]], [0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 1, 1]).pairs.tolist()
    [[0, 1], [1, 0]]
    """
    if not 0 < least <= 1:
        raise ValueError(f"least must be above 0 and at most 1, but is {least}")
    left, right = np.asarray(source_of, np.int64), np.asarray(target_of, np.int64)
    for of, rows, name in ((left, source, "source"), (right, target, "target")):
        if of.shape != (len(rows),) or (len(of) and of.min() < 0):
            raise ValueError(f"{name}_of names the document, from 0, of each of {len(rows)} rows; got shape {of.shape}")
    found = mine_pairs(source, target, k=k).for_best_f1().rows
    n, m = np.bincount(left), np.bincount(right)
    ones = np.ones(len(found), np.float32)
    shared = sparse.coo_array((ones, (left[found[:, 0]], right[found[:, 1]])), shape=(len(n), len(m))).tocsr()
    votes = shared.tocoo()
    scores = 2 * votes.data / (n[votes.row] + m[votes.col])
    kept = scores >= least
    table = sparse.csr_array((scores[kept], (votes.row[kept], votes.col[kept])), shape=votes.shape)
    return match(table, "hungarian", threshold=least)


def bead_confidences(
    source: Any, target: Any, *, k: int = 4, background: tuple[Any, Any] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return for each bead its ratio margin and the estimated probability that its sides translate each other.

    The decoys are the same sides paired with those of the next four beads, which are about the same thing; their number
    is brought to twice that of the beads below the decoys' median. Beads that hold a sentence too many or too few pass
    for right ones.

    Parameters
    ----------
    source, target : (p, d) arrays
        The sides of the beads, in the order of the text.
    k : int
        Neighbours of the margin.
    background : pair of (n, d), (m, d) arrays, optional
        Further sentences of either language, such as those in no bead.

    Returns
    -------
    margins, confidences : (p,) arrays of float32
        Confidences of p beads are at most 1 - 1 / (p + 1): few beads can show little.
    """
    x, y = (
        np.asarray(unit_rows(to_numpy(as_matrix(each, name))), np.float32)
        for each, name in ((source, "source"), (target, "target"))
    )
    check_same_dimension(x, y, ("source", "target"))
    if x.shape != y.shape:
        raise ValueError(f"the sides of beads correspond, but there are {len(x)} and {len(y)}")
    if not len(x):
        return np.zeros(0, np.float32), np.zeros(0, np.float32)
    pools = [x, y]
    if background is not None:
        pools = [np.concatenate([own, to_numpy(as_matrix(more, "background"))]) for own, more in zip(pools, background)]
    own = top_k(x, pools[1], min(k, len(pools[1]))).scores.mean(axis=1, dtype=np.float64)
    others = top_k(y, pools[0], min(k, len(pools[0]))).scores.mean(axis=1, dtype=np.float64)

    def margins(shift: int) -> NDArray[np.float32]:
        cosines = np.einsum("ij,ij->i", x, np.roll(y, -shift, axis=0), dtype=np.float64)
        base = (own + np.roll(others, -shift)) / 2
        return np.where(base > _LEAST, cosines / np.maximum(base, _LEAST), 0.0).astype(np.float32)

    scores = margins(0)
    decoys = np.concatenate(
        [np.zeros(0, np.float32)] + [margins(each) for each in range(1, min(_SHIFTS, len(x) - 1) + 1)]
    )
    if not len(decoys):
        return scores, decoy_confidence(scores, decoys)
    below = float((scores <= np.median(decoys)).sum())
    return scores, decoy_confidence(scores, decoys, ratio=2 * below / len(decoys))
