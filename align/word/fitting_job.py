"""Fit any word aligner on two vocabularies: seeds, callbacks, checkpoints."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..embeddings import Embeddings
from ..shared_space import SharedSpace
from .fitting import Pairs
from .registry import UNSUPERVISED_METHODS, takes, word_aligner
from .self_learning import SelfLearning
from .self_learning_state import SelfLearningState

__all__ = ["Callback", "FittingJob"]

#: Gets {"method", "iteration", "objective", ...} after each iteration of a method that has iterations.
Callback = Callable[[Mapping[str, Any]], None]


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

    def fit(self, method: str, pairs: Pairs, among: Sequence[str]) -> SharedSpace:
        """Fit a supervised method on all pairs."""
        aligner = word_aligner(method, **self.parameters_of(method, among))
        if self.checkpoint is None or not isinstance(aligner, SelfLearning):
            return aligner.fit(*self.arrays, pairs, names=self.names).space_
        return self._resumable(aligner, Path(self.checkpoint), pairs)

    def fit_without_pairs(self, method: str) -> tuple[SharedSpace, list[dict[str, Any]]]:
        """Fit an unsupervised method; return also what a race has tried."""
        if method != "race":
            aligner = UNSUPERVISED_METHODS[method](**self.parameters_of(method))
            return aligner.fit(*self.arrays, names=self.names).space_, [{"method": method}]
        own = {"seeds": (self.seed, self.seed + 1), **self.given}
        learner = copy.copy(own.pop("learner", None)) or SelfLearning()
        if "normalize" in own:
            learner.normalize = own.pop("normalize")
        if self.callback is not None:
            learner.callback = self._telling(method)
        race = UNSUPERVISED_METHODS[method](learner=learner, **own).fit(*self.arrays, names=self.names)
        keys = ("start", "seed", "criterion", "mutual_rate", "agreement")
        return race.space_, [{"method": method, **{key: getattr(run, key) for key in keys}} for run in race.runs_]

    def _telling(self, method: str) -> Callback:
        def tell(event: Mapping[str, Any]) -> None:
            if self.callback is not None:
                self.callback({"method": method, **event})

        return tell

    def _resumable(self, aligner: SelfLearning, path: Path, pairs: Pairs) -> SharedSpace:
        told = aligner.callback

        def keep(event: Mapping[str, Any]) -> None:
            aligner.state_.save(path)
            if told is not None:
                told(event)

        aligner.callback = keep
        state = SelfLearningState.load(path) if path.exists() else None
        space = aligner.fit(*self.arrays, pairs, names=self.names, state=state).space_
        path.unlink(missing_ok=True)
        return space
