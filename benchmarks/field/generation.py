"""Texts written by an encoder-decoder of transformers, which goes on learning on English pairs."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from typing import Any

from interlingua.align.optional import require
from interlingua.pipelines.training.trainer_parts import quiet_libraries
from interlingua.pipelines.transformer_encoder import resolve_device

__all__ = ["TextGenerator"]


class TextGenerator:
    """An encoder-decoder: any checkpoint that `AutoModelForSeq2SeqLM` loads.

    Parameters
    ----------
    model : str
        A name on the Hub or a folder.
    steps, batch_size, rate
        Of the training.
    longest_source, longest_target : int
        Tokens that are read and written.
    beams : int
    seed : int
    """

    def __init__(
        self,
        model: str,
        *,
        steps: int = 1000,
        batch_size: int = 16,
        rate: float = 3e-4,
        longest_source: int = 256,
        longest_target: int = 48,
        beams: int = 1,
        seed: int = 0,
    ) -> None:
        transformers = require("transformers", extra="train")
        self.steps, self.batch_size, self.rate, self.beams, self.seed = steps, batch_size, rate, beams, seed
        self.longest_source, self.longest_target = longest_source, longest_target
        self.device = resolve_device("auto")
        with quiet_libraries():
            self.tokenizer: Any = transformers.AutoTokenizer.from_pretrained(model)
            self.model: Any = transformers.AutoModelForSeq2SeqLM.from_pretrained(model).to(self.device)

    def fit(self, sources: Sequence[str], targets: Sequence[str]) -> TextGenerator:
        """Train on pairs for `steps` batches.

        Raises
        ------
        ValueError
            If they do not correspond.
        """
        if len(sources) != len(targets) or not sources:
            raise ValueError(f"each source has a target, but they are {len(sources)} and {len(targets)}")
        transformers = require("transformers", extra="train")
        examples = [
            {
                "input_ids": self.tokenizer(source, truncation=True, max_length=self.longest_source)["input_ids"],
                "labels": self.tokenizer(target, truncation=True, max_length=self.longest_target)["input_ids"],
            }
            for source, target in zip(sources, targets)
        ]
        with tempfile.TemporaryDirectory() as folder, quiet_libraries():
            settings = transformers.Seq2SeqTrainingArguments(
                output_dir=folder,
                max_steps=self.steps,
                per_device_train_batch_size=self.batch_size,
                learning_rate=self.rate,
                seed=self.seed,
                save_strategy="no",
                logging_strategy="no",
                report_to=[],
                disable_tqdm=True,
                use_cpu=self.device == "cpu",
                dataloader_pin_memory=False,
            )
            trainer = transformers.Seq2SeqTrainer(
                model=self.model,
                args=settings,
                train_dataset=examples,
                data_collator=transformers.DataCollatorForSeq2Seq(self.tokenizer, model=self.model),
            )
            trainer.train()
        return self

    def generate(self, sources: Sequence[str]) -> list[str]:
        """Return a text of one line for each source."""
        torch = require("torch", extra="train")
        self.model.eval()
        found: list[str] = []
        for start in range(0, len(sources), self.batch_size):
            given = self.tokenizer(
                list(sources[start : start + self.batch_size]),
                truncation=True,
                max_length=self.longest_source,
                padding=True,
                return_tensors="pt",
            )
            with torch.inference_mode():
                ids = self.model.generate(
                    input_ids=given["input_ids"].to(self.device),
                    attention_mask=given["attention_mask"].to(self.device),
                    max_new_tokens=self.longest_target,
                    num_beams=self.beams,
                    do_sample=False,
                )
            found += [" ".join(each.split()) for each in self.tokenizer.batch_decode(ids, skip_special_tokens=True)]
        return found
