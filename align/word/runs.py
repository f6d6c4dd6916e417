"""Independent runs of self-learning: how well they agree, and which of them to believe."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..shared_space import SharedSpace
from .self_learning import SelfLearning
from .self_learning_state import SelfLearningState
from .unsupervised_criterion import mean_csls_cosine, translation_agreement

__all__ = ["Run", "believed_first", "best_agreement", "changed", "nearest", "run_on", "space_of"]

#: Wrong runs from other starts agree on a thirtieth of their pairs at most, from the same pairs on a sixth; right ones
#: on more than a third.
_CHANCE = 0.25


@dataclass(frozen=True)
class Run:
    """Where self-learning went from one start, on the most frequent words.

    Attributes
    ----------
    start : str
        Its name.
    seed : int
        Of the stochastic induction.
    search_vocabulary : int
        Words of each side in the search.
    criterion : float
        `mean_csls_cosine` of the map.
    mutual_rate : float
        Share of words in pairs found both ways.
    agreement : float
        The best `translation_agreement` with another run; 0 where there is none.
    pairs : (p, 2) array of int64
        What it learned beside the pairs it was given.
    """

    start: str
    seed: int
    search_vocabulary: int
    criterion: float
    mutual_rate: float
    agreement: float
    pairs: NDArray[np.int64]

    def state(self, seeds: NDArray[np.int64], *, grown: bool) -> SelfLearningState:
        """Return the state of self-learning with the run's pairs: before the growth, or with nothing left to do."""
        unknown = np.zeros(len(self.pairs), np.float32)
        return SelfLearningState(seeds, self.pairs, unknown, 1, np.iinfo(np.int32).max if grown else 0, self.seed)


def run_on(
    learner: SelfLearning,
    source: Any,
    target: Any,
    pairs: NDArray[np.int64],
    *,
    start: str,
    state: SelfLearningState | None = None,
) -> Run:
    """Fit a learner, whose `vocabulary` is small, and keep what tells it from others."""
    learner.fit(source, target, pairs, state=state)
    mapped = (
        learner.space_.transform(each[: min(learner.vocabulary, int(each.shape[0])), :], language)
        for each, language in zip((source, target), learner.space_.languages, strict=True)
    )
    last = learner.history_[-1]["mutual_rate"]
    induced = learner.state_.pairs
    return Run(start, learner.seed, learner.search_vocabulary, mean_csls_cosine(*mapped), last, 0.0, induced)


def best_agreement(run: Run, runs: Sequence[Run]) -> float:
    """Return the best agreement of a run with another one of `runs`; 0 where there is none.

    Examples
    --------
    >>> one, same, other = (Run("", 0, 9, 0.0, 0.0, 0.0, np.array([[0, i], [1, 2]])) for i in (0, 0, 1))
    >>> best_agreement(one, [one, other]), best_agreement(one, [one, other, same])
    (0.3333333333333333, 1.0)
    """
    other = nearest(run, runs)
    return 0.0 if other is None else translation_agreement(run.pairs, other.pairs)


def nearest(run: Run, runs: Sequence[Run]) -> Run | None:
    """Return the other run that agrees best with this one."""
    others = [other for other in runs if other is not run]
    return max(others, key=lambda other: translation_agreement(run.pairs, other.pairs), default=None)


def believed_first(runs: Sequence[Run], by: Literal["criterion", "mutual_rate"]) -> tuple[Run, ...]:
    """Fill in the agreements and sort: first the runs that agree with another half as well as the best agreement.

    Within these, and where none agree better than by chance, the higher criterion or mutual rate goes first. Agreement
    decides first because wrong maps reach nearly the criterion of right ones, but not each other.
    """
    runs = [replace(run, agreement=best_agreement(run, runs)) for run in runs]
    best = max(run.agreement for run in runs)
    floor = best / 2 if best >= _CHANCE else 0.0
    return tuple(sorted(runs, key=lambda run: (run.agreement >= floor, getattr(run, by)), reverse=True))


def space_of(
    run: Run, learner: SelfLearning, source: Any, target: Any, seeds: NDArray[np.int64], names: tuple[str, str]
) -> SharedSpace:
    """Return the space that a run's pairs give."""
    own = changed(learner, seed=run.seed, callback=None)
    return own.fit(source, target, seeds, names=names, state=run.state(seeds, grown=True)).space_


def changed(learner: SelfLearning, **parameters: Any) -> SelfLearning:
    """Return a copy of a learner with other parameters."""
    own = copy.copy(learner)
    for name, value in parameters.items():
        setattr(own, name, value)
    return own
