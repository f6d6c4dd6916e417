"""Where restarted self-learning stands: the runs done and the state of the present one."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .runs import Run
from .self_learning_state import SelfLearningState, load_state, save_state

__all__ = ["RestartsState"]

_KIND = "restarts"


@dataclass(frozen=True)
class RestartsState:
    """One point between two rounds of `Restarts`.

    Attributes
    ----------
    seeds : (s, 2) array of int64
        The pairs that every run starts from.
    runs : tuple of Run
        The runs done.
    current : SelfLearningState or None
        Of the run that is under way, or of the growth after the last one; None before its first round.
    """

    seeds: NDArray[np.int64]
    runs: tuple[Run, ...] = ()
    current: SelfLearningState | None = None

    def check(self, seeds: NDArray[np.int64]) -> None:
        """Raise ValueError unless the state belongs to a fit that started from these seeds."""
        SelfLearningState.start(self.seeds, stage=0, seed=0).check(seeds)

    def save(self, path: str | Path) -> None:
        """Write one safetensors file; an old one stays whole until the new one is."""
        tensors = {"seeds": self.seeds, **{f"run {i}": run.pairs for i, run in enumerate(self.runs)}}
        runs = [{key: value for key, value in vars(run).items() if key != "pairs"} for run in self.runs]
        current = None
        if self.current is not None:
            tensors |= {f"current {name}": each for name, each in self.current.tensors().items()}
            current = self.current.header()
        save_state(path, _KIND, tensors, {"runs": runs, "current": current})

    @classmethod
    def load(cls, path: str | Path) -> "RestartsState":
        """Read what `save` wrote; errors as of `load_state`."""
        tensors, header = load_state(path, _KIND)
        runs = tuple(Run(**each, pairs=tensors[f"run {i}"]) for i, each in enumerate(header["runs"]))
        current = None
        if header["current"] is not None:
            parts = {name.removeprefix("current "): each for name, each in tensors.items()}
            parts["seeds"] = tensors["current seeds"]
            current = SelfLearningState.of_parts(parts, header["current"])
        return cls(tensors["seeds"], runs, current)
