"""Fine-tune a transformer on labelled texts or words of one language, with or without adversarial invariance.

Hugging Face's Trainer with a task loss and, beside it, a game against a language discriminator.
"""

from __future__ import annotations

import hashlib
import math
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from interlingua.align.arrays import require
from interlingua.align.sentence.adversary import (
    AlternatingGame,
    language_discriminator,
    language_loss,
    reversal_strength,
    reverse_gradient,
)
from interlingua.pipelines.texts.labelled import Labelled, LabelledWords

from .classifier import IGNORED, TextClassifier, transformer_layers
from .settings import FineTuning, FineTuningCost
from .trainer import (
    open_checkpoints,
    own_randomness,
    quiet_libraries,
    run_trainer,
    small_checkpoints,
    training_arguments,
)

Example = dict[str, Any]
_SORTED_AT_ONCE = 16  # batches whose examples are sorted by length, so that they pad little and still mix
_GAME = "language_game.pt"  # beside the checkpoint's other states


def batch_rows(lengths: Sequence[int], batch_size: int, steps: int, *, seed: int) -> Iterator[list[int]]:
    """Yield the rows of each step's batch: every row once an epoch, batches of like length, in random order."""
    rng = np.random.default_rng(seed)
    done = 0
    while done < steps:
        order = rng.permutation(len(lengths))
        size = batch_size * _SORTED_AT_ONCE
        pieces = [order[start : start + size] for start in range(0, len(order), size)]
        ordered = [row for piece in pieces for row in sorted(piece.tolist(), key=lambda row: -lengths[row])]
        batches = [ordered[start : start + batch_size] for start in range(0, len(ordered), batch_size)]
        for place in rng.permutation(len(batches))[: steps - done]:
            yield batches[place]
            done += 1


def training_batches(
    examples: Sequence[Example],
    others: Sequence[Sequence[Example]],
    collate: Callable[[Sequence[Example]], Mapping[str, Any]],
    *,
    batch_size: int,
    steps: int,
    seed: int,
) -> Any:
    """Return an iterable torch data set of ready batches, the same at every pass: a resumed run skips what it has seen.

    Parameters
    ----------
    examples : sequence of dict
        Labelled examples of the training language.
    others : sequence of sequences of dict
        Examples without labels, by language. Each batch gets as many as it has labelled ones: languages drawn evenly,
        then texts; under "others", with their "languages" from 1. No others, none.
    collate : callable
        See `TextClassifier.collate`.
    """
    torch = require("torch", extra="torch")
    lengths = [len(each["input_ids"]) for each in examples]

    class Batches(torch.utils.data.IterableDataset):  # type: ignore[misc,name-defined]  # torch is loaded late
        def __iter__(self) -> Iterator[dict[str, Any]]:
            rng = np.random.default_rng([seed, 1])
            for rows in batch_rows(lengths, batch_size, steps, seed=seed):
                batch = dict(collate([examples[row] for row in rows]))
                if others:
                    languages = rng.integers(len(others), size=len(rows))
                    drawn = [others[each][int(rng.integers(len(others[each])))] for each in languages.tolist()]
                    batch["others"] = dict(collate(drawn))
                    batch["languages"] = torch.as_tensor(languages + 1)
                yield batch

    return Batches()


def language_trainer(
    network: Any,
    arguments: Any,
    batches: Any,
    optimizer: Any,
    *,
    reversal_weight: float = 0.0,
    game: AlternatingGame | None = None,
) -> Any:
    """Return a `transformers.Trainer` whose loss is the task's and the language game's.

    Parameters
    ----------
    network : torch module
        See `build_network`; with a `discriminator` of languages where there is a game.
    arguments : transformers.TrainingArguments
    batches : iterable data set
        See `training_batches`.
    optimizer : torch optimizer
    reversal_weight : float
        Ceiling of the reversed gradient's strength; 0 for none.
    game : AlternatingGame, optional
        Played before each step of the task, on half of the batch's texts and half of the others.
    """
    torch = require("torch", extra="torch")
    transformers = require("transformers", extra="train")

    class LanguageTrainer(small_checkpoints(transformers.Trainer)):  # type: ignore[misc]  # transformers is loaded late
        def compute_loss(
            self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            task, labels, others, languages = _parts(inputs)
            scores, features = model(**task)
            loss = torch.nn.functional.cross_entropy(
                scores.float().flatten(0, -2), labels.flatten(), ignore_index=IGNORED
            )
            if reversal_weight:
                strength = reversal_strength(
                    min(1.0, self.state.global_step / self.state.max_steps), ceiling=reversal_weight
                )
                both = torch.cat([features, model(**others)[1]]).float()
                guesses = network.discriminator(reverse_gradient(both, strength))
                loss = loss + language_loss(guesses, _with_source(languages, len(features)))
            return (loss, scores) if return_outputs else loss

        def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Any:
            if game is not None:
                model.train()
                task, _, others, languages = _parts(self._prepare_inputs(inputs))
                half = (len(languages) + 1) // 2
                features = [model(**{name: each[:half] for name, each in part.items()})[1] for part in (task, others)]
                game.step(torch.cat(features), _with_source(languages[:half], half))
            return super().training_step(model, inputs, num_items_in_batch)

        def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
            super()._save(output_dir, state_dict)
            if game is not None:  # the discriminator lies in the network; the game's two optimisers are not known here
                torch.save(game.state_dict(), Path(output_dir or self.args.output_dir) / _GAME)

        def _load_from_checkpoint(self, checkpoint_path: str, model: Any = None) -> None:
            super()._load_from_checkpoint(checkpoint_path, model)
            if game is not None:
                game.load_state_dict(torch.load(Path(checkpoint_path) / _GAME, weights_only=True))

    return LanguageTrainer(
        model=network,
        args=arguments,
        train_dataset=batches,
        data_collator=lambda items: items[0],  # the data set's items are batches already
        optimizers=(optimizer, None),
    )


def _parts(inputs: Mapping[str, Any]) -> tuple[dict[str, Any], Any, Any, Any]:
    """Return the task's tokens, its labels, the other languages' tokens, and their languages."""
    named = ("labels", "others", "languages")
    task = {name: each for name, each in inputs.items() if name not in named}
    return task, inputs.get("labels"), inputs.get("others"), inputs.get("languages")


def _with_source(languages: Any, n_source: int) -> Any:
    """Return 0, the training language, `n_source` times, then the other languages."""
    torch = require("torch", extra="torch")
    return torch.cat([languages.new_zeros(n_source), languages])


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
        Folder for the state after each epoch (the last two are kept).
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
    with own_randomness(settings.seed), quiet_libraries(), ExitStack() as stack:
        classifier = _classifier(train, settings, start)
        folder = Path(checkpoints or stack.enter_context(tempfile.TemporaryDirectory()))
        run = run_identity(train, settings, others)
        state = open_checkpoints(folder, run, resume=resume)[0] if checkpoints else None
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
        trainer = language_trainer(
            network,
            training_arguments(
                require("transformers", extra="train").TrainingArguments,
                folder,
                settings,
                steps=steps,
                device=classifier.device,
                save_every=None if checkpoints is None else math.ceil(len(train) / settings.batch_size),
                report_every=max(1, steps // 20),
                per_device_train_batch_size=1,  # of the data set's items, which are batches
                bf16=classifier.dtype == "bfloat16",
                fp16=classifier.dtype == "float16",
                disable_tqdm=not progress,
                remove_unused_columns=False,
            ),
            batches,
            _optimizer(network, settings),
            reversal_weight=settings.adversarial_weight if settings.adversarial == "reversal" else 0.0,
            game=_game(network, settings) if settings.adversarial == "alternating" else None,
        )
        run_trainer(trainer, state)
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
    return FineTuningCost(
        steps=steps,
        seconds=steps * max(passed[1] - passed[0], passed[1] / 4),
        parameters=sum(counts),
        trained_parameters=sum(trained),
    )


def run_identity(
    train: Labelled | LabelledWords, settings: FineTuning, others: Mapping[str, Sequence[Any]] | None
) -> dict[str, Any]:
    """Return what makes a run: its settings, and a hash of its texts."""
    texts = repr((train, dict(others or {}) if settings.adversarial != "none" else {}))
    return {**asdict(settings), "texts": hashlib.sha256(texts.encode()).hexdigest()}


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
