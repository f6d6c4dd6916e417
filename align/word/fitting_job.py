"""Fit any word aligner on two vocabularies: seeds, callbacks, checkpoints."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..embeddings import Embeddings
from ..shared_space import SharedSpace
from .fitting import Pairs
from .registry import UNSUPERVISED_METHODS, takes, word_aligner
from .restarts import Restarts
from .restarts_state import RestartsState
from .runs import Run
from .self_learning import SelfLearning

__all__ = ["Callback", "Fitted", "FittingJob"]

#: Gets {"method", "iteration", "objective", ...} after each iteration of a method that has iterations.
Callback = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class Fitted:
    """What a fit gives.

    Attributes
    ----------
    space : SharedSpace
    runs : list of dict
        What a race, or restarts, have tried: the one believed first.
    others : sequence of SharedSpace
        Spaces of independent runs.
    """

    space: SharedSpace
    runs: list[dict[str, Any]] = field(default_factory=list)
    others: Sequence[SharedSpace] = ()


@dataclass(frozen=True)
class FittingJob:
    """The two vocabularies and how to fit any method on them.

    Attributes
    ----------
    source, target : Embeddings
        Their `space` names the languages.
    seed : int
    callback : callable or None
    checkpoint : str, path or None
        For self-learning from pairs.
    given : mapping
        Parameters for the constructors.
    guess : bool
        Whether the pairs are equal strings, which may be wrong.
    """

    source: Embeddings
    target: Embeddings
    seed: int
    callback: Callback | None
    checkpoint: str | Path | None
    given: Mapping[str, Any]
    guess: bool

    @property
    def arrays(self) -> tuple[Any, Any]:
        """Source and target vectors."""
        return self.source.vectors, self.target.vectors

    @property
    def names(self) -> tuple[str, str]:
        """What the two languages are called."""
        return self.source.space, self.target.space

    def parameters_of(self, method: str, among: Sequence[str] = ()) -> dict[str, Any]:
        """Return the constructor's parameters; of several candidates each gets what it takes."""
        chosen = {key: value for key, value in self.given.items() if len(among) < 2 or takes(method, key)}
        if takes(method, "seed"):
            chosen.setdefault("seed", self.seed)
        if takes(method, "callback") and self.callback is not None:
            chosen.setdefault("callback", self._telling(method))
        if self.guess and takes(method, "trust_pairs"):
            chosen.setdefault("trust_pairs", False)
        return chosen

    def fit(self, method: str, pairs: Pairs, among: Sequence[str]) -> Fitted:
        """Fit a supervised method on all pairs; self-learning is restarted where they are few."""
        aligner = word_aligner(method, **self.parameters_of(method, among))
        if not isinstance(aligner, SelfLearning):
            return Fitted(aligner.fit(*self.arrays, pairs, names=self.names).space_)
        restarts = Restarts(learner=aligner)
        state = None
        if self.checkpoint is not None:
            path = Path(self.checkpoint)
            state = RestartsState.load(path) if path.exists() else None
            aligner.callback = _keeping(path, restarts, aligner.callback)
        restarts.fit(*self.arrays, pairs, names=self.names, state=state)
        if self.checkpoint is not None:
            path.unlink(missing_ok=True)
        return Fitted(restarts.space_, _told(method, restarts.runs_), restarts.others_)

    def fit_without_pairs(self, method: str) -> Fitted:
        """Fit an unsupervised method."""
        if method != "race":
            aligner = UNSUPERVISED_METHODS[method](**self.parameters_of(method))
            return Fitted(aligner.fit(*self.arrays, names=self.names).space_)
        own = {"seeds": (self.seed, self.seed + 1), **self.given}
        learner = copy.copy(own.pop("learner", None)) or SelfLearning()
        if "normalize" in own:
            learner.normalize = own.pop("normalize")
        if self.callback is not None:
            learner.callback = self._telling(method)
        race = UNSUPERVISED_METHODS[method](learner=learner, **own).fit(*self.arrays, names=self.names)
        return Fitted(race.space_, _told(method, race.runs_), race.others_)

    def _telling(self, method: str) -> Callback:
        def tell(event: Mapping[str, Any]) -> None:
            if self.callback is not None:
                self.callback({"method": method, **event})

        return tell


def _keeping(path: Path, fit: Restarts, told: Callback | None) -> Callback:
    """Return a callback that saves the state of a fit after each round, and tells the caller's."""

    def keep(event: Mapping[str, Any]) -> None:
        fit.state_.save(path)
        if told is not None:
            told(event)

    return keep


def _told(method: str, runs: Sequence[Run]) -> list[dict[str, Any]]:
    keys = ("start", "seed", "search_vocabulary", "criterion", "mutual_rate", "agreement")
    return [{"method": method, **{key: getattr(run, key) for key in keys}} for run in runs]
