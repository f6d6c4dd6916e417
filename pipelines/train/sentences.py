"""Train a sentence encoder with sentence-transformers' trainer: held-out selection, checkpoints, resume.

Open an encoder to be trained: frozen word embeddings, low-rank adapters, and the folder it ends in.
"""

import json
import math
import shutil
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import require
from interlingua.pipelines.encoders.base import Encoder
from interlingua.pipelines.encoders.transformer import TransformerEncoder

from .classifier import find_transformer
from .settings import CostEstimate, TrainingRun, TrainingSettings
from .trainer import (
    ANYTIME,
    make_watch,
    merge_log,
    open_checkpoints,
    own_randomness,
    quiet_libraries,
    run_trainer,
    small_checkpoints,
    training_arguments,
    write_run,
)

#: A spread below this share of the reference's is a collapse.
COLLAPSED = 0.1
_MEASURED_STEPS = 3
Callback = Callable[[Mapping[str, float]], None]


@dataclass(frozen=True)
class OpenEncoder:
    """Where an encoder comes from, and how its texts are prompted.

    Attributes
    ----------
    name : str
        Folder, or name on the Hub.
    identity : str
    prompts : mapping
        Role to prefix.
    device, precision : str
        Where and in which numbers its matrix products are computed; by default those that are fast there.
    revision : str, optional
        Branch, tag or commit on the Hub.
    """

    name: str
    identity: str
    prompts: Mapping[str, str]
    device: str
    precision: str
    revision: str | None = None

    @classmethod
    def of(
        cls, encoder: str | Path | Encoder | None, *, device: str = "auto", precision: str = "auto"
    ) -> "OpenEncoder":
        """Open an encoder by name, or one that is loaded already; None is the bundled one.

        Raises
        ------
        ValueError
            If it is no transformer.
        """
        found = find_transformer(encoder)
        name = str(found.folder or found.name)
        place = TransformerEncoder(name, device=device, revision=found.revision)
        chosen = place.dtype if precision == "auto" else precision
        return cls(name, found.identity, dict(found.prompts), place.device, chosen, found.revision)

    def fresh(self) -> Any:
        """Return the `SentenceTransformer` in float32, newly loaded; its configuration states its prompts."""
        model = TransformerEncoder(self.name, device=self.device, dtype="float32", revision=self.revision).model
        if any(self.prompts.values()):
            model.prompts = {**model.prompts, **self.prompts, "document": self.prompts["passage"]}
        return model

    def encode(self, model: Any, texts: list[str], *, prompt: str) -> NDArray[np.float32]:
        """Return a model's vectors of the texts, computed in the numbers that it is trained in; equal texts once."""
        torch = require("torch", extra="torch")
        rows = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        with torch.autocast(self.device.split(":")[0], dtype=torch.bfloat16, enabled=self.precision == "bfloat16"):
            vectors = model.encode(list(rows), prompt=prompt or None, show_progress_bar=False, convert_to_tensor=True)
        return np.asarray(vectors.float().cpu().numpy(), np.float32)[[rows[text] for text in texts]]


def freeze_word_embeddings(model: Any) -> None:
    """Leave the word embeddings as they are: most of a multilingual model, and rare words are hardly ever updated."""
    model.transformers_model.get_input_embeddings().requires_grad_(False)


def add_lora(model: Any, rank: int, *, seed: int = 0) -> None:
    """Freeze the transformer and put a trained low-rank update beside each of its linear layers.

    A layer computes W x + 2 B A x with A of `rank` rows, B of zeros at first.

    References
    ----------
    Hu et al. 2022, LoRA: low-rank adaptation of large language models, arXiv:2106.09685.
    """
    peft = require("peft", extra="train")
    torch = require("torch", extra="torch")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model.add_adapter(peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear"))


def merge_lora(model: Any) -> Any:
    """Add the low-rank updates to the weights and drop the adapters: a plain model again, with the same vectors."""
    layers = require("peft.tuners.tuners_utils", extra="train")
    transformer = model.transformers_model
    for name, layer in list(transformer.named_modules()):
        if isinstance(layer, layers.BaseTunerLayer):
            layer.merge()
            parent, _, child = name.rpartition(".")
            setattr(transformer.get_submodule(parent), child, layer.get_base_layer())
    transformer._hf_peft_config_loaded = False
    if hasattr(transformer, "peft_config"):
        del transformer.peft_config
    return model


def save_encoder(model: Any, output: Path, *, card: str) -> None:
    """Write the folder beside and rename it, so that `output` is whole or not there."""
    building = output.with_name(f".{output.name}-{uuid.uuid4().hex}")
    try:
        model.save_pretrained(str(building), create_model_card=False)
        (building / "README.md").write_text(card, encoding="utf-8")
        building.rename(output)
    finally:
        shutil.rmtree(building, ignore_errors=True)


@dataclass
class SentenceTraining:
    """A model, its texts and its loss, ready to be trained once; `finetune_contrastive` and `distill` make them.

    Attributes
    ----------
    encoder : OpenEncoder
        What is trained.
    model : SentenceTransformer
        Of that encoder, with what it learns set to be trained.
    dataset : datasets.Dataset or DatasetDict
        Columns "source", "target" and, for distillation, "label".
    loss : torch module
    settings : TrainingSettings
    score : callable, optional
        Model to held-out scores with "mrr" and "spread"; None if nothing is held out.
    prompts : dict of str to str
        Column to prefix.
    identity : dict
        What a resumed run must agree with, beside the settings.
    finish : callable
        The trained model to the one that is saved.
    at_start : callable
        The model to save where training gained nothing.
    reference_spread : float, optional
        That of vectors as they should be; by default the start's.
    n_held_out : int
    accumulate : bool
        Whether the loss of a batch is the mean over its parts, so that gradients of parts are added up.
    method : str
        For the encoder's card.
    """

    encoder: OpenEncoder
    model: Any
    dataset: Any
    loss: Any
    settings: TrainingSettings
    score: Callable[[Any], dict[str, float]] | None
    prompts: dict[str, str]
    identity: dict[str, Any]
    finish: Callable[[Any], Any]
    at_start: Callable[[], Any]
    reference_spread: float | None = None
    n_held_out: int = 0
    accumulate: bool = False
    method: str = ""

    def run(self, output: str | Path, *, resume: bool = False, callback: Callback | None = None) -> TrainingRun:
        """Train, and write the best encoder to the folder `output`.

        Checkpoints lie in ``output.checkpoints`` until it is written. With `resume` the latest whole one is gone on
        from, with the same result as without a break; where there is none training begins.

        Raises
        ------
        FileExistsError
            If `output` exists, or checkpoints do and `resume` is not set.
        ValueError
            If the checkpoints are of other data or settings.
        """
        began = time.perf_counter()
        output = _free(output)
        checkpoints = output.with_name(output.name + ".checkpoints")
        latest, notes = open_checkpoints(checkpoints, self._described(), resume=resume)
        start = notes.get("start", {})
        limit = self._cut_texts()
        if not start and self.score is not None:
            start = self.score(self.model)
            write_run(checkpoints, self._described(), start=start)
            if callback is not None:
                callback({"step": 0.0, **{f"eval_{key}": value for key, value in start.items()}})
        judge = _Judge(
            self.settings.patience,
            start.get("spread") if self.reference_spread is None else self.reference_spread,
            start.get("mrr"),
        )
        watch = make_watch(max_minutes=self.settings.max_minutes, report=_reporting(callback), judge=judge)
        with own_randomness(self.settings.seed), quiet_libraries():
            trainer = self._trainer(checkpoints, watch)
            run_trainer(trainer, latest)
        history = merge_log(
            trainer.state.log_history, step="step", names={"loss": "loss", "learning_rate": "learning_rate"}
        )
        best = max((each for each in history if "mrr" in each), key=lambda each: each["mrr"], default={})
        n_trained, n_all = _count(self.model)
        run = TrainingRun(
            folder=output,
            history=history,
            finished=not watch.out_of_time,
            improved=not start or best.get("mrr", -math.inf) > start["mrr"],
            start=start,
            best={key: best[key] for key in start if key in best},
            collapsed=judge.collapsed,
            steps=int(trainer.state.global_step),
            seconds=time.perf_counter() - began,
            n_trained=n_trained,
            n_frozen=n_all - n_trained,
        )
        if run.finished:
            self.model.max_seq_length = limit
            self._write(run)
            shutil.rmtree(checkpoints, ignore_errors=True)
        return run

    def write_start(self, output: Path) -> None:
        """Write the encoder as it is before training."""
        with quiet_libraries():
            save_encoder(self.finish(self.model), _free(output), card=self._card(output.name))

    def estimate(self) -> CostEstimate:
        """Take three steps and one evaluation, write nothing, and say what all of them would cost.

        The model is changed by the steps: use the training for nothing else.
        """
        n_trained, n_all = _count(self.model)
        self._cut_texts()
        evaluation = time.perf_counter()
        if self.score is not None:
            self.score(self.model)
        evaluation = time.perf_counter() - evaluation
        few = replace(self, settings=replace(self.settings, steps=min(self.steps, _MEASURED_STEPS + 1)))
        with own_randomness(self.settings.seed), quiet_libraries(), TemporaryDirectory() as unused:
            watch = make_watch()
            run_trainer(few._trainer(Path(unused), watch, save=False))
        # the first step warms up
        gaps = [later - earlier for earlier, later in pairwise(watch.step_ends)] or [math.nan]
        each = sum(gaps) / len(gaps)
        evaluations = 0 if self.score is None else math.ceil(self.steps / self._interval()) + 1
        return CostEstimate(
            steps=self.steps,
            seconds=self.steps * each + evaluations * evaluation,
            evaluations=evaluations,
            seconds_per_step=each,
            seconds_per_evaluation=evaluation,
            n_pairs=sum(map(len, _parts(self.dataset))),
            n_held_out=self.n_held_out,
            n_trained=n_trained,
            n_frozen=n_all - n_trained,
            checkpoint_mb=n_trained * 3 * 4 / 1e6,  # the weights and AdamW's two moments
        )

    @property
    def steps(self) -> int:
        """Updates of the weights, unless it stops sooner."""
        return self.settings.steps_for(*map(len, _parts(self.dataset)))

    def _cut_texts(self) -> int | None:
        """Let the model read `max_tokens` tokens of a text at most; return the limit that it had."""
        limit = self.model.max_seq_length
        self.model.max_seq_length = min(limit or self.settings.max_tokens, self.settings.max_tokens)
        return None if limit is None else int(limit)

    def _interval(self) -> int:
        return max(1, math.ceil(self.steps / self.settings.evaluations))

    def _trainer(self, folder: Path, watch: Any, *, save: bool = True) -> Any:
        require("datasets", extra="train")
        library = require("sentence_transformers", extra="train")
        settings, score = self.settings, self.score if save else None
        parts = -(-settings.batch_size // settings.mini_batch_size) if self.accumulate else 1
        chosen = {"load_best_model_at_end": True, "metric_for_best_model": "eval_mrr", "greater_is_better": True}
        arguments = training_arguments(
            library.SentenceTransformerTrainingArguments,
            folder,
            settings,
            steps=self.steps,
            device=self.encoder.device,
            save_every=self._interval() if save else None,
            report_every=self._interval() if save else None,
            warmup_steps=math.ceil(settings.warmup * self.steps),
            per_device_train_batch_size=settings.batch_size // parts,
            gradient_accumulation_steps=parts,
            max_grad_norm=1.0,  # what keeps distillation from collapsing; see `scaled_distillation_loss`
            bf16=self.encoder.precision == "bfloat16",
            prompts=self.prompts,
            batch_sampler=by_length_sampler,
            eval_strategy="no" if score is None else "steps",
            eval_steps=self._interval(),
            **({} if score is None else chosen),
        )

        class Trainer(small_checkpoints(library.SentenceTransformerTrainer)):  # type: ignore[misc]  # it is untyped
            def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
                pass  # the card is written with the finished encoder; theirs would look at every text

        return Trainer(
            model=self.model,
            args=arguments,
            train_dataset=self.dataset,
            loss=self.loss,
            evaluator=None if score is None else evaluator(score),
            callbacks=[watch],
        )

    def _described(self) -> dict[str, Any]:
        return {**asdict(self.settings), **self.identity, "encoder": self.encoder.identity}

    def _write(self, run: TrainingRun) -> None:
        """Write what was trained, or the start where nothing was gained."""
        model = self.finish(self.model) if run.improved else self.at_start()
        with quiet_libraries():
            save_encoder(model, run.folder, card=self._card(run.folder.name, run.start, run.best, run.steps))
        if not run.improved:
            warnings.warn(
                f"training gained nothing on the held-out pairs (mrr {run.start['mrr']:.4f} before, "
                f"{run.best.get('mrr', math.nan):.4f} at best): {run.folder} holds the encoder of the start",
                stacklevel=4,
            )

    def _card(self, name: str, start: Mapping[str, float] = {}, best: Mapping[str, float] = {}, steps: int = 0) -> str:
        scores = [f"| {key} | {start[key]:.4f} | {best.get(key, math.nan):.4f} |" for key in start]
        facts = [f"- {key}: {value}" for key, value in self._described().items() if key not in ANYTIME]
        lines = [
            "---",
            "library_name: sentence-transformers",
            "pipeline_tag: sentence-similarity",
            "tags:\n- sentence-transformers\n- sentence-similarity\n- interlingua",
            "---",
            f"# {name}",
            f"{self.method} Load it with `SentenceTransformer({name!r})`; texts need its prompts: "
            f"{json.dumps(dict(self.encoder.prompts), ensure_ascii=False)}.",
            *(["## Held-out pairs", "| | before | after |\n|---|---:|---:|\n" + "\n".join(scores)] if scores else []),
            "## Training",
            "\n".join([*facts, f"- steps done: {steps}", f"- parameters trained: {_count(self.model)[0]}"]),
        ]
        return "\n\n".join(lines) + "\n"


@dataclass
class _Judge:
    """Ends a run whose vectors fall together, or whose last `patience` evaluations brought no better "mrr"."""

    patience: int
    reference_spread: float | None
    best_before: float | None
    collapsed: bool = False

    def __call__(self, log: list[dict[str, Any]]) -> bool:
        seen = [line for line in log if "eval_mrr" in line]
        scores = [line["eval_mrr"] for line in seen]
        if self.reference_spread is not None and seen[-1]["eval_spread"] < COLLAPSED * self.reference_spread:
            self.collapsed = True
        earlier = scores[: -self.patience] + ([] if self.best_before is None else [self.best_before])
        tired = len(scores) >= self.patience and bool(earlier) and max(scores[-self.patience :]) <= max(earlier)
        return self.collapsed or tired


def _reporting(callback: Callback | None) -> Callable[[Any, Mapping[str, Any]], None]:
    def report(state: Any, line: Mapping[str, Any]) -> None:
        if callback is not None:
            numbers = {key: float(value) for key, value in line.items() if isinstance(value, (int, float))}
            callback({**numbers, "step": float(state.global_step)})

    return report


def by_length_sampler(dataset: Any, **options: Any) -> Any:
    """Return a sampler of batches without equal texts, each sorted by length.

    Equal texts would be negatives of each other. The parts that a large batch is encoded in are of like length so.
    """
    library: Any = require("sentence_transformers.base.sampler", extra="train")
    lengths = [len(source) + len(target) for source, target in zip(dataset["source"], dataset["target"])]

    class ByLength(library.NoDuplicatesBatchSampler):  # type: ignore[misc]  # the library is untyped
        def __iter__(self) -> Iterator[list[int]]:
            for batch in super().__iter__():
                yield sorted(batch, key=lambda row: lengths[row])

    return ByLength(dataset.select_columns(["source", "target"]), **options)


def evaluator(score: Callable[[Any], dict[str, float]]) -> Any:
    """Return an evaluator of the library that gives the scores of `score(model)`."""
    library: Any = require("sentence_transformers.base.evaluation", extra="train")

    class Scores(library.BaseEvaluator):  # type: ignore[misc]  # the library is untyped
        def __call__(self, model: Any, output_path: Any = None, epoch: float = -1, steps: int = -1) -> dict[str, float]:
            return score(model)

    return Scores()


def _free(output: str | Path) -> Path:
    if Path(output).exists():
        raise FileExistsError(f"{output} exists; name another folder or remove it")
    return Path(output)


def _parts(dataset: Any) -> list[Any]:
    return list(dataset.values()) if isinstance(dataset, dict) else [dataset]


def _count(model: Any) -> tuple[int, int]:
    """Return how many parameters are trained, and how many there are."""
    sizes = [(each.numel(), each.requires_grad) for each in model.parameters()]
    return sum(size for size, trained in sizes if trained), sum(size for size, _ in sizes)
