"""Hugging Face's Trainer with a task loss and, beside it, a game against a language discriminator."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from interlingua.align.optional import require
from interlingua.align.sentence.language_adversarial import (
    AlternatingGame,
    language_loss,
    reversal_strength,
    reverse_gradient,
)

from .classifier import IGNORED

__all__ = ["batch_rows", "language_trainer", "training_batches"]

Example = dict[str, Any]
_SORTED_AT_ONCE = 16  # batches whose examples are sorted by length, so that they pad little and still mix
_WEIGHTS, _GAME = "trained.safetensors", "language_game.pt"


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
    tensors = require("safetensors.torch", extra="torch")

    class LanguageTrainer(transformers.Trainer):  # type: ignore[misc,name-defined]  # transformers is loaded late
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
            # what is frozen, most of it word embeddings, is in the encoder that the run starts from
            trained = {name: each for name, each in network.named_parameters() if each.requires_grad}
            folder = Path(output_dir or self.args.output_dir)
            folder.mkdir(parents=True, exist_ok=True)
            tensors.save_file({name: each.detach().contiguous() for name, each in trained.items()}, folder / _WEIGHTS)

        def _load_from_checkpoint(self, checkpoint: str, model: Any = None) -> None:
            network.load_state_dict(tensors.load_file(Path(checkpoint) / _WEIGHTS), strict=False)

    class KeepGame(transformers.TrainerCallback):  # type: ignore[misc,name-defined]  # transformers is loaded late
        """The Trainer keeps the network, the discriminator in it, and its own optimiser; not the game's two."""

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            if game is not None and folder.is_dir():
                torch.save(game.state_dict(), folder / _GAME)

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            file = Path(args.output_dir) / f"checkpoint-{state.global_step}" / _GAME
            if game is not None and state.global_step and file.is_file():
                game.load_state_dict(torch.load(file, weights_only=True))

    trainer = LanguageTrainer(
        model=network,
        args=arguments,
        train_dataset=batches,
        data_collator=lambda items: items[0],  # the data set's items are batches already
        optimizers=(optimizer, None),
        callbacks=[KeepGame()],
    )
    trainer.remove_callback(transformers.PrinterCallback)  # it prints to standard output, where results go
    return trainer


def _parts(inputs: Mapping[str, Any]) -> tuple[dict[str, Any], Any, Any, Any]:
    """Return the task's tokens, its labels, the other languages' tokens, and their languages."""
    named = ("labels", "others", "languages")
    task = {name: each for name, each in inputs.items() if name not in named}
    return task, inputs.get("labels"), inputs.get("others"), inputs.get("languages")


def _with_source(languages: Any, n_source: int) -> Any:
    """Return 0, the training language, `n_source` times, then the other languages."""
    torch = require("torch", extra="torch")
    return torch.cat([languages.new_zeros(n_source), languages])
