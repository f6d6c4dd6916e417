"""Self-learning from few pairs, restarted until two independent runs find the same."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..shared_space import SharedSpace
from .procrustes import check_fit
from .restarts_state import RestartsState
from .runs import Run, believed_first, best_agreement, changed, nearest, run_on, space_of
from .self_learning import SelfLearning

__all__ = ["Restarts"]


class Restarts:
    """Run self-learning from the same pairs with other search vocabularies and seeds, and keep the run to believe.

    From 25 pairs self-learning mostly finds the right map, but from some sets of pairs (of function words, say, with
    several translations each) it ends in a wrong one with some seeds and in the right one with others. So it is run on
    a small vocabulary until two runs agree. Among the runs that agree at least half as well as the best agreement
    (among all, where none agree), the one with the highest mutual rate is grown to the full vocabulary.

    Where there are `few_pairs` that the learner trusts, or so many that it leaves the search out, one run will do,
    which is that of the learner itself.

    Parameters
    ----------
    learner : SelfLearning, optional
        How each run goes; copied.
    factors : sequence of float
        The learner's search vocabulary is multiplied by each in turn.
    restarts : int
        Most runs. Each has the next seed.
    enough_agreement : float
        The restarts end once two runs agree so well (`translation_agreement`); above 1 every run is made.
    vocabulary : int
        Most frequent words of each side in the runs; the learner's own in the end.
    few_pairs : int
        With so many trusted pairs there are no restarts.

    Attributes
    ----------
    space_ : SharedSpace
        The believed run's maps; its `scores` hold mutual_rate and, of several runs, agreement.
    runs_ : tuple of Run
        All runs, the believed one first.
    others_ : tuple of SharedSpace
        The space of the run that agrees best with it: for `assess_space`.
    learner_ : SelfLearning
        Fitted on the full vocabulary.
    state_ : RestartsState
        After each round, so also when a callback stopped the fit: save it, and give it to `fit` to go on.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> french = rng.normal(size=(300, 8)).astype(np.float32)
    >>> english = french @ np.linalg.qr(rng.normal(size=(8, 8)))[0].astype(np.float32)
    >>> few = np.stack([np.arange(6), np.arange(6)], axis=1)
    >>> restarts = Restarts(learner=SelfLearning(search_iterations=10)).fit(english, french, few)
    >>> len(restarts.runs_), bool(restarts.space_.scores["agreement"] > 0.9)
    (2, True)
    """

    def __init__(
        self,
        *,
        learner: SelfLearning | None = None,
        factors: Sequence[float] = (1.0, 1.4, 2.0),
        restarts: int = 8,
        enough_agreement: float = 0.4,
        vocabulary: int = 5000,
        few_pairs: int = 300,
    ) -> None:
        self.learner = learner
        self.factors = factors
        self.restarts = restarts
        self.enough_agreement = enough_agreement
        self.vocabulary = vocabulary
        self.few_pairs = few_pairs

    def fit(
        self,
        source: Any,
        target: Any,
        pairs: Any,
        *,
        names: tuple[str, str] = ("source", "target"),
        state: RestartsState | None = None,
    ) -> "Restarts":
        """Run and choose.

        Parameters
        ----------
        source, target : (n, d_source), (m, d_target) array
            The whole vocabularies, most frequent first.
        pairs : (p, 2) array of int
            Rows that translate each other, or may do (see `SelfLearning`).
        names : tuple of two str
            What the two languages are called in the shared space.
        state : RestartsState, optional
            Where an earlier fit of the same data and parameters stood; the result is the same as without the stop.

        Raises
        ------
        ValueError
            If there is no restart or no factor, a factor is not positive, or a pair points outside the vocabularies.
        """
        if self.restarts < 1 or not self.factors or min(self.factors) <= 0:
            raise ValueError(
                f"restarts must be at least 1 and factors positive, but are {self.restarts} and {tuple(self.factors)}"
            )
        source, target, seeds = check_fit(source, target, pairs, names)
        learner = self.learner or SelfLearning()
        self.state_ = RestartsState(seeds) if state is None else state
        self.state_.check(seeds)
        few = min(self.few_pairs, learner.enough_pairs) if learner.trust_pairs else learner.enough_pairs
        searching = learner.search_iterations > 0 and len(np.unique(seeds, axis=0)) < few
        while searching and not self._is_enough(self.state_.runs):
            self._run(learner, source, target)
        self.runs_ = believed_first(self.state_.runs, "mutual_rate") if self.state_.runs else ()
        current, own = self.state_.current, {}
        scores: dict[str, float] = {}
        self.others_: tuple[SharedSpace, ...] = ()
        if self.runs_:
            believed = self.runs_[0]
            limit = min(self.vocabulary, learner.vocabulary)
            own = {"seed": believed.seed, "search_vocabulary": limit}
            current = current or believed.state(seeds, grown=False)
            other = nearest(believed, self.runs_)
            if other is not None:
                scores["agreement"] = believed.agreement
                small = changed(learner, vocabulary=limit)
                self.others_ = (space_of(other, small, source, target, seeds, names),)
        self.learner_ = self._told(learner, len(self.runs_), **own)
        fitted = self.learner_.fit(source, target, seeds, names=names, state=current).space_
        scores["mutual_rate"] = self.learner_.history_[-1]["mutual_rate"]
        provenance = {**fitted.provenance, "restarts": len(self.runs_)}
        self.space_ = SharedSpace(fitted.maps, fitted.method, fitted.encoder, scores, provenance)
        return self

    def _is_enough(self, runs: Sequence[Run]) -> bool:
        return len(runs) >= self.restarts or any(best_agreement(run, runs) >= self.enough_agreement for run in runs)

    def _run(self, learner: SelfLearning, source: Any, target: Any) -> None:
        """Make the next run, from where the state stands."""
        done, state = self.state_.runs, self.state_.current
        limit = min(self.vocabulary, learner.vocabulary)
        size = max(1, round(learner.search_vocabulary * self.factors[len(done) % len(self.factors)]))
        parameters = {"seed": learner.seed + len(done), "vocabulary": limit, "search_vocabulary": min(size, limit)}
        own = self._told(learner, len(done), **parameters)
        run = run_on(own, source, target, self.state_.seeds, start="pairs", state=state)
        self.state_ = RestartsState(self.state_.seeds, (*done, run))

    def _told(self, learner: SelfLearning, run: int, **parameters: Any) -> SelfLearning:
        """Return a changed copy whose rounds move this state on; the callback is told the run too."""
        tell: Callable[[Mapping[str, float]], None] | None = learner.callback

        def keep(event: Mapping[str, float]) -> None:
            self.state_ = RestartsState(self.state_.seeds, self.state_.runs, own.state_)
            if tell is not None:
                tell({**event, "run": run})

        own = changed(learner, callback=keep, **parameters)
        return own
