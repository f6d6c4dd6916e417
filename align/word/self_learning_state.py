"""Where self-learning stands: what has to be kept to go on after an interruption."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files import replacing
from .induction import InducedDictionary

__all__ = ["SelfLearningState", "load_state", "save_state"]

_FORMAT_VERSION = 1
_KIND = "self_learning"


@dataclass(frozen=True)
class SelfLearningState:
    """One point between two rounds of `SelfLearning`.

    Attributes
    ----------
    seeds : (s, 2) array of int64
        The pairs it started from.
    pairs : (p, 2) array of int64
        The present pairs.
    scores : (p,) array of float32
        Their scores; empty before the first induction.
    stage : int
        0 for the search, 1 for the growth.
    round : int
        Rounds done in this stage.
    seed : int
        Of the stochastic induction; each round draws from its own stream, so that no generator has to be kept.
    history : tuple of dict
        One entry for each round done.
    """

    seeds: NDArray[np.int64]
    pairs: NDArray[np.int64]
    scores: NDArray[np.float32]
    stage: int
    round: int
    seed: int
    history: tuple[Mapping[str, float], ...] = ()

    @classmethod
    def start(cls, seeds: NDArray[np.int64], *, stage: int, seed: int) -> "SelfLearningState":
        """Return the state before the first round."""
        return cls(seeds, seeds, np.empty(0, np.float32), stage, 0, seed)

    def generator(self) -> np.random.Generator:
        """Return the generator of the coming round."""
        return np.random.default_rng([self.seed, self.stage, self.round])

    def next_round(self, found: InducedDictionary, history: tuple[Mapping[str, float], ...]) -> "SelfLearningState":
        """Return the state after a round that found these pairs."""
        return replace(self, pairs=found.pairs, scores=found.scores, round=self.round + 1, history=history)

    def next_stage(self) -> "SelfLearningState":
        """Return the state at the beginning of the growth, with the pairs of the search."""
        return replace(self, stage=1, round=0)

    def changed(self, pairs: NDArray[np.int64]) -> float:
        """Return the share of `pairs` that the present pairs do not hold."""
        if len(pairs) == 0 or len(self.scores) == 0:
            return 1.0
        return float(1 - np.isin(_keys(pairs), _keys(self.pairs)).mean())

    def check(self, seeds: NDArray[np.int64]) -> None:
        """Raise ValueError unless the state belongs to a fit that started from these seeds."""
        if not np.array_equal(self.seeds, seeds):
            raise ValueError(
                f"this state belongs to a fit from {len(self.seeds)} other pairs than the {len(seeds)} given now; "
                "resume with the pairs of that fit, or start anew without a state"
            )

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return the arrays of the state; `header` has the rest."""
        return {"seeds": self.seeds, "pairs": self.pairs, "scores": self.scores}

    def header(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        history = [dict(event) for event in self.history]
        return {"stage": self.stage, "round": self.round, "seed": self.seed, "history": history}

    @classmethod
    def of_parts(cls, tensors: Mapping[str, NDArray[Any]], header: Mapping[str, Any]) -> "SelfLearningState":
        """Put a state together again."""
        seeds, pairs, scores = (tensors[name] for name in ("seeds", "pairs", "scores"))
        return cls(seeds, pairs, scores, header["stage"], header["round"], header["seed"], tuple(header["history"]))

    def save(self, path: str | Path) -> None:
        """Write one safetensors file; an old one stays whole until the new one is."""
        save_state(path, _KIND, self.tensors(), self.header())

    @classmethod
    def load(cls, path: str | Path) -> "SelfLearningState":
        """Read what `save` wrote; errors as of `load_state`."""
        return cls.of_parts(*load_state(path, _KIND))


def save_state(path: str | Path, kind: str, tensors: Mapping[str, NDArray[Any]], header: Mapping[str, Any]) -> None:
    """Write a state of a fit as one safetensors file; an old one stays whole until the new one is."""
    from safetensors.numpy import save

    text = json.dumps({"format_version": _FORMAT_VERSION, **header})
    content = save({name: np.ascontiguousarray(each) for name, each in tensors.items()}, {kind: text})
    with replacing(Path(path)) as file:
        file.write(content)


def load_state(path: str | Path, kind: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read tensors and header of a state of that kind.

    Raises
    ------
    ValueError
        If it is no such file, or of another version.
    OSError
        If it cannot be read.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    content = Path(path).read_bytes()
    try:
        size = int.from_bytes(content[:8], "little")
        header: dict[str, Any] = json.loads(json.loads(content[8 : 8 + size])["__metadata__"][kind])
        tensors = load(content)
        version = header["format_version"]
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no state of {kind.replace('_', '-')} or is damaged; start the fit anew") from error
    if version != _FORMAT_VERSION:
        raise ValueError(
            f"{path} has format version {version!r}, but this release reads version {_FORMAT_VERSION}; "
            "start the fit anew"
        )
    return tensors, header


def _keys(pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """One number for each pair."""
    return (pairs[:, 0] << 32) | pairs[:, 1]
