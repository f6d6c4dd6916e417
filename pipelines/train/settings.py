"""What a training is told, what it did and what it would cost.

What a pre-training is told, what it did and what it would cost.
"""

from dataclasses import dataclass
from pathlib import Path


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


@dataclass(frozen=True)
class PretrainingSettings:
    """How to pre-train.

    Attributes
    ----------
    steps : int
        Updates of the weights.
    batch_size, accumulation : int
        Sentences (or pairs) at once, and batches an update.
    max_length : int
        Tokens of a sentence; longer ones are cut.
    mask_rate : float
        Share of the tokens that are masked.
    tlm_share : float
        Share of the batches that are pairs, where there are pairs.
    alpha : float
        Languages are drawn in proportion to n^alpha; see `sampling_shares`.
    language_embeddings : bool
        Tell the model the language of each token; see `add_language_embeddings`.
    untold : float
        Share of the examples for which it is not told, so that the model does without too.
    learning_rate : float or None
        The highest; by default 5e-4 for a new model and 5e-5 for one that goes on. It rises over the share `warmup` of
        the steps and falls to 0 linearly.
    warmup, weight_decay : float
    report_every, save_every : int or None
        Steps between reports, with the loss on what is held out, and between checkpoints, a multiple of the former. By
        default a twentieth and a fifth of the steps.
    seed : int
        Draws weights, examples, masks and dropout.
    device : str
        "auto" or a torch device.
    dtype : {"auto", "float32", "bfloat16"}
        What the layers compute in; "auto": bfloat16 where the hardware does.
    """

    steps: int = 10_000
    batch_size: int = 32
    accumulation: int = 1
    max_length: int = 128
    mask_rate: float = 0.15
    tlm_share: float = 0.5
    alpha: float = 0.3
    language_embeddings: bool = False
    untold: float = 0.5
    learning_rate: float | None = None
    warmup: float = 0.06
    weight_decay: float = 0.01
    report_every: int | None = None
    save_every: int | None = None
    seed: int = 0
    device: str = "auto"
    dtype: str = "auto"

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "accumulation"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.max_length < 4:
            raise ValueError(f"max_length must be at least 4, got {self.max_length}")
        for name in ("tlm_share", "alpha", "untold", "warmup"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)}")
        if not 0 < self.mask_rate < 1:
            raise ValueError(f"mask_rate must lie between 0 and 1, got {self.mask_rate}")
        if self.reports < 1 or self.saves < 1 or self.saves % self.reports:
            raise ValueError(f"save_every must be a multiple of report_every, got {self.saves} and {self.reports}")
        if self.dtype not in ("auto", "float32", "bfloat16"):
            raise ValueError(f"dtype must be 'auto', 'float32' or 'bfloat16', got {self.dtype!r}")

    @property
    def reports(self) -> int:
        """Steps between reports."""
        return max(self.steps // 20, 1) if self.report_every is None else self.report_every

    @property
    def saves(self) -> int:
        """Steps between checkpoints."""
        return 4 * self.reports if self.save_every is None else self.save_every


@dataclass(frozen=True)
class PretrainingResult:
    """What came out.

    Attributes
    ----------
    folder : Path
        For `load_encoder`, `SentenceTransformer` or `AutoModelForMaskedLM`; not there yet unless `finished`.
    history : tuple of dict
        For each report "iteration", "objective" (mean training loss since the last, in nats a token) and
        "held_out LANGUAGE"; iteration 0 is the start.
    n_parameters : int
    tokens : int
        Seen in training, padding not counted.
    finished : bool
        False if `max_minutes` had passed; resume then.
    """

    folder: Path
    history: tuple[dict[str, float], ...]
    n_parameters: int
    tokens: int
    finished: bool = True


@dataclass(frozen=True)
class PretrainingCost:
    """What a run will cost here, from three steps of it.

    Attributes
    ----------
    steps, n_parameters : int
    tokens_per_step, seconds_per_step : float
    tokens, seconds : float
        Of the whole run, without the measuring of held-out loss.
    disk_bytes : int
        Of the two checkpoints that are kept while it runs.
    """

    steps: int
    n_parameters: int
    tokens_per_step: float
    seconds_per_step: float
    disk_bytes: int

    @property
    def tokens(self) -> float:
        """Tokens of the whole run."""
        return self.steps * self.tokens_per_step

    @property
    def seconds(self) -> float:
        """Seconds of the whole run."""
        return self.steps * self.seconds_per_step
