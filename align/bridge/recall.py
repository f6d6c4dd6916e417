"""What a search finds with bridged questions, beside a search that re-embedded its texts.

Recall of answers that are known, or of what the re-embedded search finds where none is; their ratio, with an interval
that says how much of it is chance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import t as student

from interlingua.align.arrays import unit_matrix

_BLOCK = 512


@dataclass(frozen=True)
class Retention:
    """What is kept of a yardstick's recall, and how sure that is.

    Attributes
    ----------
    value : float
        Mean of what was found / mean of what the yardstick found.
    low, high : float
        Ends of its interval.
    recall, yardstick : float
        The two means.
    n : int
        Questions.
    """

    value: float
    low: float
    high: float
    recall: float
    yardstick: float
    n: int


def answer_ranks(questions: Any, texts: Any, answers: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many texts lie nearer to each question than its answer does, by cosine.

    Parameters
    ----------
    questions : (n, d) array
    texts : (m, d) array
    answers : sequence of n int
        Row of the text that answers each question.

    Returns
    -------
    (n,) int array
        0 for the best. A text that lies as near as the answer is no nearer.

    Examples
    --------
    >>> texts = np.eye(3, dtype=np.float32)
    >>> answer_ranks([[3.0, 2.0, 1.0], [0.0, 0.0, 1.0]], texts, [1, 2]).tolist()
    [1, 0]
    """
    rows, columns = unit_matrix(questions, "questions"), unit_matrix(texts, "texts")
    wanted = np.asarray(answers, np.int64)
    if wanted.shape != (len(rows),) or (len(wanted) and not 0 <= wanted.min() <= wanted.max() < len(columns)):
        raise ValueError(
            f"each of the {len(rows)} questions needs the row of its answer among the {len(columns)} texts, "
            f"but {len(wanted)} rows were given"
        )
    ranks = np.empty(len(rows), np.int64)
    for start in range(0, len(rows), _BLOCK):
        part = slice(start, start + _BLOCK)
        scores = rows[part] @ columns.T
        own = scores[np.arange(len(scores)), wanted[part]]
        ranks[part] = (scores > own[:, None]).sum(axis=1)
    return ranks


def nearest_rows(questions: Any, texts: Any, k: int) -> NDArray[np.int64]:
    """Return the rows of the k texts nearest to each question by cosine, best first; of equal ones the earlier."""
    rows, columns = unit_matrix(questions, "questions"), unit_matrix(texts, "texts")
    if not 1 <= k <= len(columns):
        raise ValueError(f"k must lie between 1 and the {len(columns)} texts, but is {k}")
    found = np.empty((len(rows), k), np.int64)
    for start in range(0, len(rows), _BLOCK):
        part = slice(start, start + _BLOCK)
        found[part] = np.argsort(-(rows[part] @ columns.T), axis=1, kind="stable")[:, :k]
    return found


def shared_share(found: NDArray[np.int64], expected: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return for each question the share of its expected rows that were found.

    Examples
    --------
    >>> shared_share(np.array([[0, 1], [2, 3]]), np.array([[1, 0], [3, 4]])).tolist()
    [1.0, 0.5]
    """
    return np.array([len(np.intersect1d(one, other)) / len(other) for one, other in zip(found, expected, strict=True)])


def retention(
    found: Any,
    yardstick: Any,
    *,
    groups: Sequence[Any] | NDArray[Any] | None = None,
    level: float = 0.95,
    samples: int = 2000,
    seed: int = 0,
) -> Retention:
    """Return how much of a yardstick's recall is kept, with a bootstrap interval.

    The interval is the expanded percentile interval [1]_ of the ratio sum(found) / sum(yardstick), drawn over groups,
    since questions about the same text share its luck. Where all draws agree, as when nothing was missed, it is as wide
    as the rule of three says, 3 / groups.

    Parameters
    ----------
    found, yardstick : (n,) array
        What each question found of what it should: 0, 1, or a share; with the bridge, and with the yardstick.
    groups : sequence of n, optional
        Questions of one group are drawn together, such as those about one text; by default each is its own.
    level : float, above 0 and below 1
        How often the interval shall hold the truth.
    samples : int
        Draws.
    seed : int
        Of the draws.

    Raises
    ------
    ValueError
        If there is no question, or the yardstick finds nothing.

    References
    ----------
    .. [1] Hesterberg (2015), "What teachers should know about the bootstrap", The American Statistician.
       doi:10.1080/00031305.2015.1089789

    Examples
    --------
    >>> kept = retention([1, 0, 1, 1] * 25, [1, 1, 1, 1] * 25)
    >>> kept.value, kept.low < 0.75 < kept.high
    (0.75, True)
    """
    ours, theirs = np.asarray(found, np.float64), np.asarray(yardstick, np.float64)
    if ours.ndim != 1 or ours.shape != theirs.shape or not len(ours):
        raise ValueError(f"both sides need one number a question, but have the shapes {ours.shape} and {theirs.shape}")
    if theirs.sum() <= 0:
        raise ValueError(f"the yardstick answers none of the {len(ours)} questions; there is nothing to keep")
    names = np.arange(len(ours)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    sums = np.stack([np.bincount(names, each) for each in (ours, theirs)])
    n_groups = sums.shape[1]
    value = float(sums[0].sum() / sums[1].sum())
    draws = np.random.default_rng(seed).multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=samples)
    above, below = (draws @ each for each in sums)
    ratios = above[below > 0] / below[below > 0]
    if n_groups > 1:
        spread = float(student.ppf((1 - level) / 2, n_groups - 1)) * np.sqrt(n_groups / (n_groups - 1))
        low, high = np.quantile(ratios, [ndtr(spread), 1 - ndtr(spread)])
    else:
        low, high = 0.0, np.inf
    if high == low:
        low, high = value - min(value, 3 / n_groups), value + 3 / n_groups
    return Retention(value, float(low), float(high), float(ours.mean()), float(theirs.mean()), len(ours))
