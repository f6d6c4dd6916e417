"""Which rows of two models are of the same texts, told by few known ones or by none: the word aligner's way.

Word translation and this are one problem: two clouds of points whose shapes are alike. A wrong map polished by
self-learning looks right by its own measure, but two that were found independently do not agree.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import unit_matrix
from interlingua.align.word.induction import translation_agreement
from interlingua.align.word.methods.self_learning import SelfLearning
from interlingua.align.word.starts import sorted_similarity_pairs

from .bridge import BridgeError

#: Two independent runs agree on so many of their pairs, or nothing is believed: right ones did on nine tenths and more,
#: from wrong anchors on a hundredth.
LEAST_AGREEMENT = 0.5
FEWEST_ANCHORS = 20
_FEWEST_ROWS, _MOST_ROWS = 200, 5000


@dataclass(frozen=True)
class Matching:
    """Rows of two models that are of the same texts.

    Attributes
    ----------
    pairs : (p, 2) array of int64
        Rows of source and target, as both runs found them.
    agreement : float
        Pairs that both runs found over pairs that either did; the anchors do not count.
    found : float
        Share of the anchors that the run which was not given them found; NaN without anchors.
    """

    pairs: NDArray[np.int64]
    agreement: float
    found: float


def match_rows(source: Any, target: Any, anchors: Any = None, *, seed: int = 0) -> Matching:
    """Return which rows of two models are of the same texts, or refuse.

    Two runs of self-learning (see `SelfLearning`) start from one half of the anchors each, or without anchors from how
    alike the sorted similarities of two rows are, by other draws. What they agree on is believed.

    Parameters
    ----------
    source, target : (n, d), (m, e) array
        Vectors of texts by the two models, in any order; most texts must be on both sides. From 200 to 5,000 rows.
    anchors : (p, 2) array of int, optional
        Rows of source and target that are known to be of the same text; 20 or more, none twice.
    seed : int
        Of all draws.

    Raises
    ------
    BridgeError
        If the runs do not agree, or too little is given.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(300, 16)) * np.linspace(2, 1, 16)
    >>> order = rng.permutation(300)
    >>> y = (x @ np.linalg.qr(rng.normal(size=(16, 16)))[0])[order]
    >>> known = np.stack([order[:24], np.arange(24)], axis=1)
    >>> found = match_rows(x, y, known)
    >>> bool((order[found.pairs[:, 1]] == found.pairs[:, 0]).all()), len(found.pairs) > 290
    (True, True)
    """
    rows = [np.asarray(unit_matrix(each, name)) for each, name in ((source, "source"), (target, "target"))]
    for each in rows:
        if not _FEWEST_ROWS <= len(each) <= _MOST_ROWS:
            raise BridgeError(
                f"rows are matched from {_FEWEST_ROWS} to {_MOST_ROWS} a side, but there are {len(rows[0])} and "
                f"{len(rows[1])}; give texts that both sides have, or texts with their vectors"
            )
    known = _checked(anchors, rows)
    if known is None:
        guess = np.asarray(sorted_similarity_pairs(*rows, vocabulary=min(map(len, rows))).pairs)
        starts = [guess[guess[:, 0] % 2 == half] for half in (0, 1)]  # nothing in common, that could agree
    else:
        order = np.random.default_rng(seed).permutation(len(known))
        starts = [known[order[::2]], known[order[1::2]]]
    runs = [
        _run(rows[0], rows[1], start, trust=known is not None, seed=seed + number)
        for number, start in enumerate(starts)
    ]
    given = set() if known is None else {tuple(each) for each in known.tolist()}
    free = [np.array([each for each in run.tolist() if tuple(each) not in given]).reshape(-1, 2) for run in runs]
    agreement = translation_agreement(free[0], free[1])
    found = np.nan if known is None else _found(runs, starts)
    if agreement < LEAST_AGREEMENT or (known is not None and found < LEAST_AGREEMENT):
        more = "give 50 texts and their rows as anchors" if known is None else "check the anchors, or give more of them"
        raise BridgeError(
            f"two independent runs agree on {agreement:.0%} of the rows that they match"
            + ("" if known is None else f", and find {found:.0%} of the anchors that they were not given")
            + f", where {LEAST_AGREEMENT:.0%} are needed: nothing tells which rows belong together; {more}, or texts "
            "with their vectors"
        )
    both = {tuple(each) for each in runs[0].tolist()} & {tuple(each) for each in runs[1].tolist()} | given
    return Matching(np.array(sorted(both), np.int64), agreement, float(found))


def _run(
    source: NDArray[Any], target: NDArray[Any], start: NDArray[np.int64], *, trust: bool, seed: int
) -> NDArray[np.int64]:
    """Return the pairs that self-learning found both ways."""
    size = max(len(source), len(target))
    learner = SelfLearning(
        vocabulary=size,
        search_vocabulary=size,
        normalize=("unit", "centre"),
        trust_pairs=trust,
        enough_pairs=size * size,
        seed=seed,
    )
    learner.fit(source.astype(np.float32), target.astype(np.float32), start)
    mapped = [learner.space_.transform(each, name) for each, name in zip((source, target), learner.space_.languages)]
    scores = np.asarray(mapped[0]) @ np.asarray(mapped[1]).T
    there, back = scores.argmax(axis=1), scores.argmax(axis=0)
    own = np.flatnonzero(back[there] == np.arange(len(there)))
    return np.stack([own, there[own]], axis=1)


def _found(runs: list[NDArray[np.int64]], starts: list[NDArray[np.int64]]) -> float:
    hits = []
    for run, other in zip(runs, reversed(starts), strict=True):
        made = {tuple(each) for each in run.tolist()}
        hits += [tuple(each) in made for each in other.tolist()]
    return float(np.mean(hits))


def _checked(anchors: Any, rows: list[NDArray[Any]]) -> NDArray[np.int64] | None:
    if anchors is None or not len(anchors):
        return None
    known = np.asarray(anchors, np.int64)
    if known.ndim != 2 or known.shape[1] != 2:
        raise BridgeError(f"anchors are pairs of rows, of shape (p, 2), but have the shape {known.shape}")
    for side in range(2):
        if known[:, side].min() < 0 or known[:, side].max() >= len(rows[side]):
            raise BridgeError(f"an anchor names row {known[:, side].max()}, but there are {len(rows[side])} rows")
        if len(np.unique(known[:, side])) < len(known):
            raise BridgeError("two anchors name the same row; give each row once")
    if len(known) < FEWEST_ANCHORS:
        raise BridgeError(
            f"there are {len(known)} anchors, and {FEWEST_ANCHORS} are needed, 50 are better; or give none"
        )
    return known
