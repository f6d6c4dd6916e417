"""What a training is told, what it did and what it would cost."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["CostEstimate", "TrainingRun", "TrainingSettings"]


@dataclass(frozen=True)
class TrainingSettings:
    """How an encoder is trained.

    Attributes
    ----------
    epochs : float
        Passes over the pairs; not used where `steps` is given.
    steps : int, optional
        Updates of the weights.
    batch_size : int
        Pairs in an update.
    mini_batch_size : int
        Pairs in memory at once; a larger batch is worked through in parts.
    learning_rate : float
        Of AdamW, at its highest: it rises over the share `warmup` of the steps, then falls linearly to 0.
    warmup, weight_decay : float
    max_tokens : int
        Texts are cut there while training; the trained encoder keeps its own limit.
    precision : {"auto", "float32", "bfloat16"}
        What matrix products are computed in; weights and their updates are float32. "auto" takes bfloat16 where the
        hardware computes in it.
    held_out : int
        Pairs of each language pair to select by; see `hold_out`. With 0 all steps are done and the last weights kept.
    evaluations : int
        How often they are scored and a checkpoint is written, at even distances.
    patience : int
        Stop after so many evaluations without a better one.
    seed : int
    device : str
        "auto", "cpu", "cuda", ...
    max_minutes : float, optional
        Write a checkpoint and stop after so long, to be resumed.
    """

    epochs: float = 1.0
    steps: int | None = None
    batch_size: int = 32
    mini_batch_size: int = 16
    learning_rate: float = 3e-5
    warmup: float = 0.1
    weight_decay: float = 0.01
    max_tokens: int = 128
    precision: str = "auto"
    held_out: int = 100
    evaluations: int = 10
    patience: int = 3
    seed: int = 0
    device: str = "auto"
    max_minutes: float | None = None

    def __post_init__(self) -> None:
        if self.precision not in ("auto", "float32", "bfloat16"):
            raise ValueError(f"precision must be 'auto', 'float32' or 'bfloat16', got {self.precision!r}")
        for name in ("epochs", "batch_size", "mini_batch_size", "max_tokens", "evaluations", "patience"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if self.batch_size < 2 or (self.steps is not None and self.steps < 1) or not self.learning_rate > 0:
            raise ValueError(
                f"expected batch_size >= 2, steps >= 1 and learning_rate > 0, got {self.batch_size}, {self.steps} and "
                f"{self.learning_rate}"
            )


@dataclass(frozen=True)
class TrainingRun:
    """What a training did.

    Attributes
    ----------
    folder : Path
        The trained encoder: `SentenceTransformer(folder)` and `load_encoder(folder)` load it. Not there yet unless
        `finished`.
    finished : bool
        False if `max_minutes` had passed; resume then.
    improved : bool
        Whether held-out pairs were found better than at the start. If not, the encoder in `folder` is the start.
    start, best : dict of str to float
        Held-out scores: "accuracy", "mrr", "spread"; empty if nothing was held out.
    history : tuple of dict
        "step", "loss" and the scores at each evaluation.
    collapsed : bool
        Whether it was stopped since all vectors fell together.
    steps : int
        Steps done.
    seconds : float
        Of this call.
    n_trained, n_frozen : int
        Parameters.
    """

    folder: Path
    finished: bool
    improved: bool
    start: dict[str, float]
    best: dict[str, float]
    history: tuple[dict[str, float], ...]
    collapsed: bool
    steps: int
    seconds: float
    n_trained: int
    n_frozen: int


@dataclass(frozen=True)
class CostEstimate:
    """What a training would cost, from three of its own steps and one evaluation.

    Attributes
    ----------
    steps, evaluations : int
        At most: patience may end it sooner.
    seconds_per_step, seconds_per_evaluation, seconds : float
        Wall clock, on this machine as busy as it is; `seconds` is the whole.
    n_pairs, n_held_out : int
    n_trained, n_frozen : int
        Parameters.
    checkpoint_mb : float
        Of one checkpoint; up to three lie on the disk at once.
    """

    steps: int
    evaluations: int
    seconds_per_step: float
    seconds_per_evaluation: float
    seconds: float
    n_pairs: int
    n_held_out: int
    n_trained: int
    n_frozen: int
    checkpoint_mb: float
