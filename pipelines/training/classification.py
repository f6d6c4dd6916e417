"""Fine-tune a transformer on labelled texts or words of one language, with or without adversarial invariance."""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from interlingua.align.files import replacing
from interlingua.align.optional import require
from interlingua.align.sentence.language_adversarial import AlternatingGame, Deception, language_discriminator
from interlingua.pipelines.transformer_encoder import TransformerEncoder

from .classifier import TextClassifier, transformer_layers
from .labelled import Labelled, LabelledWords
from .language_trainer import language_trainer, training_batches
from .trainer_parts import kept_random_state, latest_whole, quiet_libraries

__all__ = [
    "Adversary",
    "FineTuning",
    "FineTuningCost",
    "estimate_finetuning",
    "fine_tune",
    "keep_identity",
    "run_identity",
]

_RUN = "run.json"
Adversary = Literal["none", "reversal", "alternating"]


@dataclass(frozen=True)
class FineTuning:
    """How to fine-tune.

    Attributes
    ----------
    encoder : str, optional
        As for `load_encoder`: None is the bundled encoder.
    revision : str, optional
        Branch, tag or commit of an encoder on the Hugging Face Hub.
    layer : int, optional
        Hidden layer that the linear layer reads; those above are cut off. None is the last.
    pooling : {"mean", "cls"}
        How tokens become the text's features.
    prompt : str, optional
        Before each text; None is what the encoder wants.
    max_length : int
        Tokens read of each text.
    freeze_embeddings : bool
        Keep the word embeddings: most of a multilingual model's weights, and most words of the other languages would
        not move along.
    frozen_layers : int
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
    epochs : float
        Passes over the training texts.
    steps : int, optional
        Steps in place of epochs.
    batch_size : int
    learning_rate, head_rate : float
        Of the transformer and of the linear layer; linear warm-up and decay.
    warmup : float
        Share of the steps in which the rates rise.
    weight_decay, dropout : float
    dtype : str
        "auto": bfloat16 products where the machine computes them natively; the weights are float32.
    device : str
        "auto" or a torch device.
    seed : int
        Draws the linear layer, the order, dropout.
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
    deception: Deception = "uniform"
    discriminator_rate: float = 1e-3
    epochs: float = 3.0
    steps: int | None = None
    batch_size: int = 16
    learning_rate: float = 1e-4
    head_rate: float = 1e-3
    warmup: float = 0.1
    weight_decay: float = 0.01
    dropout: float = 0.1
    dtype: str = "auto"
    device: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.adversarial not in ("none", "reversal", "alternating"):
            raise ValueError(f"adversarial is 'none', 'reversal' or 'alternating', got {self.adversarial!r}")
        if self.adversarial != "none" and self.adversarial_weight <= 0:
            raise ValueError(
                f"adversarial_weight must be above 0, but is {self.adversarial_weight}; or adversarial='none'"
            )
        if self.batch_size < 1 or self.epochs <= 0 or (self.steps is not None and self.steps < 1):
            raise ValueError(
                f"batch_size, epochs and steps must be above 0, but are {self.batch_size}, {self.epochs}, {self.steps}"
            )
        if not 0 <= self.warmup <= 1:
            raise ValueError(f"warmup is a share of the steps, between 0 and 1, but is {self.warmup}")
        if self.revision is not None and (self.encoder is None or Path(self.encoder).is_dir()):
            raise ValueError(
                f"a revision is one of a model on the Hugging Face Hub, but the encoder is "
                f"{self.encoder or 'the bundled one'}; leave the revision out, or name such a model"
            )

    def source(self) -> str | TransformerEncoder | None:
        """Return the encoder as `TextClassifier.create` takes it: opened, where its revision is pinned."""
        if self.encoder is None or self.revision is None:
            return self.encoder
        return TransformerEncoder(self.encoder, device=self.device, dtype=self.dtype, revision=self.revision)

    def steps_for(self, n: int) -> int:
        """Return the steps on n training texts."""
        return self.steps or max(1, math.ceil(self.epochs * math.ceil(n / self.batch_size)))


@dataclass(frozen=True)
class FineTuningCost:
    """What a run would cost, from one step measured.

    Attributes
    ----------
    steps : int
    seconds : float
        CPU seconds of this process, or seconds of the GPU's wall clock.
    parameters, trained_parameters : int
    """

    steps: int
    seconds: float
    parameters: int
    trained_parameters: int


def fine_tune(
    train: Labelled | LabelledWords,
    settings: FineTuning | None = None,
    *,
    others: Mapping[str, Sequence[Any]] | None = None,
    start: TextClassifier | None = None,
    checkpoints: str | Path | None = None,
    resume: bool = False,
    progress: bool = False,
) -> TextClassifier:
    """Return a classifier trained on one language.

    Parameters
    ----------
    train : Labelled or LabelledWords
        Texts with a label each, or sentences with a label for each word.
    settings : FineTuning, optional
    others : mapping of str to sequence, optional
        Texts (or sentences as words) of other languages, without labels, for the language game; not read where
        `settings.adversarial` is "none".
    start : TextClassifier, optional
        Go on training this one, in place; its encoder, layer and prompt stand.
    checkpoints : str or Path, optional
        Folder for the state after each epoch (the last is kept).
    resume : bool
        Go on from the last state in `checkpoints`, if there is one; the same batches follow as without a break.
    progress : bool
        Show a bar.

    Raises
    ------
    MissingExtraError
        If the extra `train` is not installed.
    ValueError
        If a game is wanted and there are no other languages, or `checkpoints` are of other texts or settings.
    FileExistsError
        If there are checkpoints and `resume` is not set.
    """
    settings = settings or FineTuning()
    game_wanted = settings.adversarial != "none"
    if game_wanted and not others:
        raise ValueError(f"adversarial={settings.adversarial!r} needs texts of other languages, without labels: others")
    if resume and checkpoints is None:
        raise ValueError("resume goes on from the states in checkpoints; name that folder")
    with kept_random_state(), quiet_libraries(), ExitStack() as stack:
        classifier = _classifier(train, settings, start)
        folder = Path(checkpoints or stack.enter_context(tempfile.TemporaryDirectory()))
        state = _open_states(folder, run_identity(train, settings, others), resume=resume) if checkpoints else None
        steps = settings.steps_for(len(train))
        batches = training_batches(
            classifier.encode_inputs(train.texts, train.labels),
            [classifier.encode_inputs(texts) for texts in (others or {}).values()] if game_wanted else [],
            classifier.collate,
            batch_size=settings.batch_size,
            steps=steps,
            seed=settings.seed,
        )
        network = classifier.network
        if game_wanted:
            width = network.backbone.config.hidden_size
            player = language_discriminator(width, len(others or ()) + 1, seed=settings.seed)
            network.discriminator = player.to(classifier.device)
        every = steps if checkpoints is None else math.ceil(len(train) / settings.batch_size)
        trainer = language_trainer(
            network,
            _arguments(settings, classifier, folder, steps, every=every, keep=checkpoints is not None, show=progress),
            batches,
            _optimizer(network, settings),
            reversal_weight=settings.adversarial_weight if settings.adversarial == "reversal" else 0.0,
            game=_game(network, settings) if settings.adversarial == "alternating" else None,
        )
        trainer.train(resume_from_checkpoint=None if state is None else str(state))
    if game_wanted:
        del network.discriminator
    network.eval()
    return classifier


def estimate_finetuning(
    train: Labelled | LabelledWords,
    settings: FineTuning | None = None,
    *,
    others: Mapping[str, Sequence[Any]] | None = None,
) -> FineTuningCost:
    """Return what `fine_tune` would cost: two steps of it are run, the second is timed."""
    settings = settings or FineTuning()
    classifier = _classifier(train, settings, None)
    trial = replace(settings, steps=2)
    clock = time.process_time if classifier.device == "cpu" else time.perf_counter
    passed = []
    for steps in (1, 2):
        started = clock()
        fine_tune(train, replace(trial, steps=steps), others=others, start=classifier)
        passed.append(clock() - started)
    counts = [each.numel() for each in classifier.network.parameters()]
    trained = [each.numel() for each in classifier.network.parameters() if each.requires_grad]
    steps = settings.steps_for(len(train))
    return FineTuningCost(steps, steps * max(passed[1] - passed[0], passed[1] / 4), sum(counts), sum(trained))


def run_identity(
    train: Labelled | LabelledWords, settings: FineTuning, others: Mapping[str, Sequence[Any]] | None
) -> dict[str, Any]:
    """Return what makes a run: its settings, and a hash of its texts."""
    texts = repr((train, dict(others or {}) if settings.adversarial != "none" else {}))
    return {**asdict(settings), "texts": hashlib.sha256(texts.encode()).hexdigest()}


def keep_identity(folder: Path, run: Mapping[str, Any]) -> bool:
    """Write what makes a run into its folder; tell whether it was there already.

    Raises
    ------
    ValueError
        If the folder is of another run, naming what differs.
    """
    file = folder / _RUN
    if not file.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(file, "w") as opened:
            opened.write(json.dumps(run, indent=1))
        return False
    then = json.loads(file.read_text(encoding="utf-8"))
    differing = [key for key in run if run[key] != then.get(key)]
    if differing:
        raise ValueError(f"{folder} is of a run with another {', '.join(differing)}; use the same or remove the folder")
    return True


def _classifier(train: Labelled | LabelledWords, settings: FineTuning, start: TextClassifier | None) -> TextClassifier:
    words = isinstance(train, LabelledWords)
    if start is not None and start.shape.words != words:
        raise ValueError("start labels words and the training texts whole texts, or the other way round")
    if start is None:
        labels = [tag for tags in train.labels for tag in tags] if words else list(train.labels)
        start = TextClassifier.create(
            settings.source(),
            [str(label) for label in labels],
            words=words,
            pooling=settings.pooling,
            layer=settings.layer,
            prompt=settings.prompt,
            max_length=settings.max_length,
            dropout=settings.dropout,
            seed=settings.seed,
            device=settings.device,
            dtype=settings.dtype,
        )
    _freeze(start.network.backbone, settings)
    return start


def _freeze(backbone: Any, settings: FineTuning) -> None:
    backbone.requires_grad_(requires_grad=True)
    words = backbone.get_input_embeddings()
    words.requires_grad_(requires_grad=not settings.freeze_embeddings)
    if not settings.frozen_layers:
        return
    layers = transformer_layers(backbone)
    if settings.frozen_layers >= len(layers):
        raise ValueError(
            f"frozen_layers must be below {len(layers)}, all that there are, but is {settings.frozen_layers}"
        )
    for part in backbone.children():
        inside = list(part.modules())
        if words in inside and layers not in inside:  # subtle: else gradients would flow down to the positions
            part.requires_grad_(requires_grad=False)
    for layer in layers[: settings.frozen_layers]:
        layer.requires_grad_(requires_grad=False)


def _optimizer(network: Any, settings: FineTuning) -> Any:
    torch = require("torch", extra="torch")
    rates = {"backbone": settings.learning_rate, "head": settings.head_rate}
    if settings.adversarial == "reversal":  # in turns the discriminator has an optimiser of its own
        rates["discriminator"] = settings.discriminator_rate
    groups = []
    for name, rate in rates.items():
        learned = [each for each in getattr(network, name).parameters() if each.requires_grad]
        matrices = [each for each in learned if each.ndim > 1]
        groups.append({"params": matrices, "lr": rate, "weight_decay": settings.weight_decay})
        groups.append({"params": [each for each in learned if each.ndim < 2], "lr": rate, "weight_decay": 0.0})
    return torch.optim.AdamW([group for group in groups if group["params"]])


def _game(network: Any, settings: FineTuning) -> AlternatingGame:
    return AlternatingGame(
        network.discriminator,
        network.backbone.parameters(),
        discriminator_rate=settings.discriminator_rate,
        generator_rate=settings.adversarial_weight * settings.learning_rate,
        deception=settings.deception,
    )


def _arguments(
    settings: FineTuning, classifier: TextClassifier, folder: Path, steps: int, *, every: int, keep: bool, show: bool
) -> Any:
    require("accelerate", extra="train")
    transformers = require("transformers", extra="train")
    return transformers.TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=1,  # of the data set's items, which are batches
        lr_scheduler_type="linear",
        warmup_steps=round(settings.warmup * steps),
        bf16=classifier.dtype == "bfloat16",
        fp16=classifier.dtype == "float16",
        use_cpu=classifier.device == "cpu",
        seed=settings.seed,
        save_strategy="steps" if keep else "no",
        save_steps=every,
        save_total_limit=1,
        logging_steps=max(1, steps // 20),
        report_to="none",
        disable_tqdm=not show,
        remove_unused_columns=False,
        dataloader_pin_memory=classifier.device != "cpu",
    )


def _open_states(folder: Path, run: dict[str, Any], *, resume: bool) -> Path | None:
    """Return the last whole state of the same run, if it is resumed and there is one."""
    if (folder / _RUN).is_file() and not resume:
        raise FileExistsError(f"{folder} holds the states of another run; resume it, or remove the folder")
    return latest_whole(folder) if keep_identity(folder, run) else None
