"""What a pre-training is told, what it did and what it would cost."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["PretrainingCost", "PretrainingResult", "PretrainingSettings"]


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
