"""What a training is told, what it would cost and what it did: one base of each, and the fields of each way to train.

No library is loaded here, so that the command line reads options, defaults and help from the fields.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from interlingua.pipelines.encoders.transformer import TransformerEncoder

Adversary = Literal["none", "reversal", "alternating"]
Projection = Literal["ridge", "none"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What every training is told.

    Attributes
    ----------
    steps : int, optional
        Updates of the weights.
    batch_size : int
        Examples in a batch.
    learning_rate : float, at least 0, optional
        Of AdamW, at its highest: it rises over the share `warmup` of the steps, then falls linearly to 0.
    warmup : float, from 0 to 1
        Share of the steps in which the learning rate rises.
    weight_decay : float
        Of AdamW.
    device : str
        "auto" or a torch device, such as "cpu" or "cuda".
    seed : int
        Draws whatever is random: new weights, the order, masks, dropout.
    """

    steps: int | None = None
    batch_size: int = 32
    learning_rate: float | None = None
    warmup: float = 0.1
    weight_decay: float = 0.01
    device: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(type(self)).items():
            choices = get_args(kind) if get_origin(kind) is Literal else ()
            value = getattr(self, name)
            if choices and value not in choices:
                *first, last = map(repr, choices)
                raise ValueError(f"{name} must be {', '.join(first)} or {last}, got {value!r}")
        check_counts(self, "steps", "batch_size")
        check_shares(self, "warmup")
        if self.learning_rate is not None and not self.learning_rate >= 0:
            raise ValueError(f"learning_rate must not be negative, got {self.learning_rate}")


@dataclass(frozen=True, kw_only=True)
class EpochSettings(Settings):
    """What a training is told that passes over its examples.

    Attributes
    ----------
    epochs : float, above 0
        Passes over the examples; not used where `steps` is given.
    """

    epochs: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "epochs")

    def steps_for(self, *sizes: int) -> int:
        """Return the steps on parts of so many examples; no batch mixes parts."""
        return self.steps or max(1, math.ceil(self.epochs * sum(math.ceil(n / self.batch_size) for n in sizes)))


@dataclass(frozen=True, kw_only=True)
class TrainingSettings(EpochSettings):
    """How an encoder is trained on pairs of sentences.

    Attributes
    ----------
    learning_rate : float, above 0
        Of AdamW, at its highest.
    mini_batch_size : int
        Pairs in memory at once; a larger batch is worked through in parts.
    max_tokens : int
        Texts are cut there while training; the trained encoder keeps its own limit.
    precision : {"auto", "float32", "bfloat16"}
        What matrix products are computed in; weights and their updates are float32. "auto" takes bfloat16 where the
        hardware computes in it.
    train_word_embeddings : bool
        They are frozen by default.
    held_out : int, at least 0
        Pairs of each language pair to select by; see `hold_out`. With 0 all steps are done and the last weights kept.
    evaluations : int
        How often they are scored and a checkpoint is written, at even distances.
    patience : int
        Stop after so many evaluations without a better one.
    max_minutes : float, optional
        Write a checkpoint and stop after so long, to be resumed.
    """

    learning_rate: float = 3e-5
    mini_batch_size: int = 16
    max_tokens: int = 128
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    train_word_embeddings: bool = False
    held_out: int = 100
    evaluations: int = 10
    patience: int = 3
    max_minutes: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_counts(self, "mini_batch_size", "max_tokens", "evaluations", "patience")
        check_positive(self, "learning_rate")
        if self.batch_size < 2:
            raise ValueError(f"batch_size must be at least 2, got {self.batch_size}: pairs are told from each other")


@dataclass(frozen=True, kw_only=True)
class ContrastiveSettings(TrainingSettings):
    """How an encoder is fine-tuned on translations.

    Attributes
    ----------
    temperature : float, above 0
        What cosines are divided by in the softmax.
    margin : float, at least 0
        Additive margin of the right answers; 0 is InfoNCE, LaBSE takes 0.3.
    same_language_negatives : bool
        The other texts of a text's own language are negatives too: for search among texts of all languages at once.
    one_language_pair_a_batch : bool
        Every batch is of one language pair, so that negatives are of the answer's language (and, with
        `same_language_negatives`, of the query's): harder ones.
    lora_rank : int, optional
        Train low-rank updates of the linear layers only; they are merged in the end.
    roles : tuple of str
        Which of the encoder's prompts the sources and the targets get: "symmetric", "query" or "passage" each.
    """

    temperature: float = 0.05
    margin: float = 0.0
    same_language_negatives: bool = False
    one_language_pair_a_batch: bool = False
    lora_rank: int | None = None
    roles: tuple[str, str] = ("symmetric", "symmetric")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "temperature")
        if self.margin < 0:
            raise ValueError(f"margin must not be negative, got {self.margin}")
        if self.lora_rank is not None and self.lora_rank < 1:
            raise ValueError(f"lora_rank, the rank of the adapters, must be at least 1, got {self.lora_rank}")


@dataclass(frozen=True, kw_only=True)
class DistillationSettings(TrainingSettings):
    """How a student learns a teacher's vectors.

    Attributes
    ----------
    pivot : {"target", "source"}
        The side of the pairs in the teacher's language.
    projection : {"ridge", "none"}
        "ridge" puts a linear layer behind the student, fitted in closed form to 1,000 pairs before training and trained
        further; student and teacher may then differ in dimension. With "none" the student's own vectors are pulled to
        the teacher's.
    layers : int, optional
        Keep so many of the student's layers, the first.
    """

    pivot: Literal["target", "source"] = "target"
    projection: Projection = "ridge"
    layers: int | None = None


@dataclass(frozen=True, kw_only=True)
class PretrainingSettings(Settings):
    """How to pre-train.

    Attributes
    ----------
    accumulation : int
        Batches in an update; a batch is of so many sentences, or half as many pairs.
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
    learning_rate : float, at least 0, optional
        The highest; by default 5e-4 for a new model and 5e-5 for one that goes on.
    report_every : int, optional
        Steps between reports, with the loss on what is held out; by default a twentieth of the steps.
    save_every : int, optional
        Steps between checkpoints, a multiple of `report_every`; by default four reports.
    dtype : {"auto", "float32", "bfloat16"}
        What the layers compute in; "auto": bfloat16 where the hardware does.
    """

    steps: int = 10_000
    accumulation: int = 1
    max_length: int = 128
    mask_rate: float = 0.15
    tlm_share: float = 0.5
    alpha: float = 0.3
    language_embeddings: bool = False
    untold: float = 0.5
    warmup: float = 0.06
    report_every: int | None = None
    save_every: int | None = None
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_counts(self, "accumulation", "report_every", "save_every")
        check_shares(self, "tlm_share", "alpha", "untold")
        if self.max_length < 4:
            raise ValueError(f"max_length must be at least 4, got {self.max_length}")
        if not 0 < self.mask_rate < 1:
            raise ValueError(f"mask_rate must lie between 0 and 1, got {self.mask_rate}")
        if self.saves % self.reports:
            raise ValueError(f"save_every must be a multiple of report_every, got {self.saves} and {self.reports}")

    @property
    def reports(self) -> int:
        """Steps between reports."""
        return max(self.steps // 20, 1) if self.report_every is None else self.report_every

    @property
    def saves(self) -> int:
        """Steps between checkpoints."""
        return 4 * self.reports if self.save_every is None else self.save_every


@dataclass(frozen=True)
class NewModel:
    """The sizes of a BERT that begins from random weights, with a tokenizer of its own.

    Attributes
    ----------
    layers : int
        Transformer layers.
    width : int
        Of the layers; the feed-forward part is four times as wide.
    heads : int
        Attention heads, which divide the width.
    vocabulary_size : int
        Pieces of the tokenizer, which is trained on the corpus.
    dropout : float
        Share of the values that training leaves out at random.
    """

    layers: int = 4
    width: int = 256
    heads: int = 4
    vocabulary_size: int = 16000
    dropout: float = 0.1

    def __post_init__(self) -> None:
        check_counts(self, "layers", "width", "heads", "vocabulary_size")
        if self.width % self.heads:
            raise ValueError(f"heads ({self.heads}) must divide the width ({self.width}); change one of them")


@dataclass(frozen=True, kw_only=True)
class FineTuning(EpochSettings):
    """How to fine-tune on labelled texts or words.

    Attributes
    ----------
    encoder : str, optional
        A transformer, by folder or name; by default the bundled one.
    revision : str, optional
        Branch, tag or commit of an encoder on the Hugging Face Hub.
    layer : int, optional
        Hidden layer that the linear layer reads, by default the last; those above are cut off.
    pooling : {"mean", "cls"}
        How tokens become the text's features.
    prompt : str, optional
        Before each text; by default what the encoder wants.
    max_length : int
        Tokens read of each text.
    freeze_embeddings : bool
        Keep the word embeddings: most of a multilingual model's weights, and most words of the other languages would
        not move along.
    frozen_layers : int, at least 0
        Keep all embeddings and that many of the lowest layers.
    adversarial : {"none", "reversal", "alternating"}
        Against a discriminator of languages: by the reversed gradient (Ganin et al. 2016) or in turns (Keung et al.
        2019).
    adversarial_weight : float
        Ceiling of the reversed gradient's strength; in turns, the encoder's rate in the game as a share of
        `learning_rate`.
    deception : {"uniform", "flipped"}
        What the encoder strives for in turns; see `AlternatingGame`.
    discriminator_rate : float
        Learning rate of the discriminator.
    learning_rate : float, at least 0
        Of the transformer, at its highest; linear warm-up and decay.
    head_rate : float
        Of the linear layer, likewise.
    dropout : float
        Of the features, in training.
    dtype : {"auto", "float32", "bfloat16", "float16"}
        What products are computed in; "auto": bfloat16 where the machine computes it natively. The weights are float32.
    """

    encoder: str | None = None
    revision: str | None = None
    layer: int | None = None
    pooling: Literal["mean", "cls"] = "mean"
    prompt: str | None = None
    max_length: int = 128
    freeze_embeddings: bool = True
    frozen_layers: int = 0
    adversarial: Adversary = "none"
    adversarial_weight: float = 0.1
    deception: Literal["uniform", "flipped"] = "uniform"
    discriminator_rate: float = 1e-3
    epochs: float = 3.0
    batch_size: int = 16
    learning_rate: float = 1e-4
    head_rate: float = 1e-3
    dropout: float = 0.1
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_counts(self, "max_length")
        if self.adversarial != "none" and not self.adversarial_weight > 0:
            raise ValueError(
                f"adversarial_weight must be above 0, got {self.adversarial_weight}; or take adversarial='none'"
            )
        if self.revision is not None and (self.encoder is None or Path(self.encoder).is_dir()):
            raise ValueError(
                f"a revision is one of a model on the Hugging Face Hub, but the encoder is "
                f"{self.encoder or 'the bundled one'}; leave the revision out, or name such a model"
            )

    def source(self) -> "str | TransformerEncoder | None":
        """Return the encoder as `TextClassifier.create` takes it: opened, where its revision is pinned."""
        from interlingua.pipelines.encoders.transformer import TransformerEncoder

        if self.encoder is None or self.revision is None:
            return self.encoder
        return TransformerEncoder(self.encoder, device=self.device, dtype=self.dtype, revision=self.revision)


@dataclass(frozen=True)
class SearchSpace:
    """Which settings of `FineTuning` a study searches; None leaves a setting as it is.

    Attributes
    ----------
    batch_size : tuple of int, optional
        Choices.
    learning_rate : (float, float), above 0, optional
        Lowest and highest, searched by their logarithms.
    warmup : (float, float), optional
        Lowest and highest.
    layer : tuple of int, optional
        Choices.
    adversarial_weight : (float, float), above 0, optional
        Lowest and highest, searched by their logarithms, where a game is played.
    """

    batch_size: tuple[int, ...] | None = (8, 16, 32)
    learning_rate: tuple[float, float] | None = (2e-5, 3e-4)
    warmup: tuple[float, float] | None = (0.0, 0.3)
    layer: tuple[int, ...] | None = None
    adversarial_weight: tuple[float, float] | None = (0.01, 1.0)

    def __post_init__(self) -> None:
        for name in ("batch_size", "layer"):
            choices = getattr(self, name)
            if choices is not None and (not choices or min(choices) < 1):
                raise ValueError(f"{name} takes choices of at least 1, got {choices}")
        for name in ("learning_rate", "warmup", "adversarial_weight"):
            values = getattr(self, name)
            if values is not None and (len(values) != 2 or not values[0] <= values[1]):
                raise ValueError(
                    f"{name} takes the lowest and the highest value, in that order, but got {_joined(values)}"
                )
            if values is not None and name != "warmup" and not 0 < values[0] <= values[1] < math.inf:
                raise ValueError(f"{name} must be above 0, since its logarithm is searched, got {values}")
        if self.warmup is not None and not 0 <= self.warmup[0] <= self.warmup[1] <= 1:
            raise ValueError(f"warmup takes shares of the steps, from 0 to 1, but got {_joined(self.warmup)}")


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a training would cost, from a few of its own steps.

    Attributes
    ----------
    steps : int
        At most.
    seconds : float
        Of the whole run on this machine, as busy as it is.
    """

    steps: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class CostEstimate(Cost):
    """What a training on pairs would cost: `seconds` are of the wall clock, and patience may end it sooner.

    Attributes
    ----------
    evaluations : int
        At most.
    seconds_per_step : float
        Mean of three steps.
    seconds_per_evaluation : float
        Of one.
    n_pairs : int
        To learn from.
    n_held_out : int
        To select by.
    n_trained : int
        Parameters that are trained.
    n_frozen : int
        Parameters that stay.
    checkpoint_mb : float
        Of one checkpoint; up to three lie on the disk at once.
    """

    evaluations: int
    seconds_per_step: float
    seconds_per_evaluation: float
    n_pairs: int
    n_held_out: int
    n_trained: int
    n_frozen: int
    checkpoint_mb: float


@dataclass(frozen=True, kw_only=True)
class PretrainingCost(Cost):
    """What a pre-training would cost, without the measuring of held-out loss.

    Attributes
    ----------
    n_parameters : int
        All are trained.
    tokens_per_step : float
        Mean over the first batches.
    seconds_per_step : float
        For so many tokens, from three steps.
    disk_bytes : int
        Of the two checkpoints that are kept while it runs.
    """

    n_parameters: int
    tokens_per_step: float
    seconds_per_step: float
    disk_bytes: int

    @property
    def tokens(self) -> float:
        """Tokens of the whole run."""
        return self.steps * self.tokens_per_step


@dataclass(frozen=True, kw_only=True)
class FineTuningCost(Cost):
    """What a fine-tuning would cost: `seconds` are of this process' CPU, or of the wall clock on a GPU.

    Attributes
    ----------
    parameters : int
        All.
    trained_parameters : int
        Those that are trained.
    """

    parameters: int
    trained_parameters: int


@dataclass(frozen=True)
class Result:
    """What a training did.

    Attributes
    ----------
    folder : Path
        The trained encoder, for `load_encoder` and `SentenceTransformer`; not there yet unless `finished`.
    history : tuple of dict
        One entry a report.
    finished : bool
        False if `max_minutes` had passed; resume then.
    """

    folder: Path
    history: tuple[dict[str, float], ...]
    finished: bool = field(default=True, kw_only=True)


@dataclass(frozen=True)
class TrainingRun(Result):
    """What a training on pairs did; its history has "step", "loss" and the scores at each evaluation.

    Attributes
    ----------
    improved : bool
        Whether held-out pairs were found better than at the start. If not, the encoder in `folder` is the start.
    start : dict of str to float
        Held-out scores before: "accuracy", "mrr", "spread"; empty if nothing was held out.
    best : dict of str to float
        Those of the best evaluation.
    collapsed : bool
        Whether it was stopped since all vectors fell together.
    steps : int
        Steps done.
    seconds : float
        Of this call.
    n_trained : int
        Parameters that were trained.
    n_frozen : int
        Parameters that stayed.
    """

    improved: bool
    start: dict[str, float]
    best: dict[str, float]
    collapsed: bool
    steps: int
    seconds: float
    n_trained: int
    n_frozen: int


@dataclass(frozen=True)
class PretrainingResult(Result):
    """What a pre-training did; `AutoModelForMaskedLM` loads its folder too.

    The history has "iteration", "objective" (mean training loss since the last report, in nats a token) and
    "held_out LANGUAGE"; iteration 0 is the start.

    Attributes
    ----------
    n_parameters : int
        Of the model.
    tokens : int
        Seen in training, padding not counted.
    """

    n_parameters: int
    tokens: int


def _joined(values: Iterable[float]) -> str:
    return " ".join(f"{value:g}" for value in values)


def check_counts(settings: object, *names: str) -> None:
    """Raise ValueError where a count is given that is below 1."""
    for name in names:
        value = getattr(settings, name)
        if value is not None and not value >= 1:
            raise ValueError(f"{name} must be at least 1, got {value}")


def check_positive(settings: object, *names: str) -> None:
    """Raise ValueError where a number is not above 0."""
    for name in names:
        if not getattr(settings, name) > 0:
            raise ValueError(f"{name} must be above 0, got {getattr(settings, name)}")


def check_shares(settings: object, *names: str) -> None:
    """Raise ValueError where a share is not in [0, 1]."""
    for name in names:
        if not 0 <= getattr(settings, name) <= 1:
            raise ValueError(f"{name} is a share and must lie in [0, 1], got {getattr(settings, name)}")
