"""The commands `interlingua train contrastive` and `interlingua train distill`."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from .arguments import UsageError
from .cli_train_options import add_pair_options, add_run_options, duration, note_pairs, open_pairs
from .legacy import Subcommands, add_command, count
from .output import Output, table


def add_contrastive_command(commands: "Subcommands[ArgumentParser]") -> None:
    """Add `train contrastive`."""
    parser = add_command(commands, "contrastive", _contrastive, "fine-tune an encoder on sentence pairs")
    _add_encoder(parser, "--encoder", "the encoder to fine-tune, by folder or name; default: the bundled one")
    add_pair_options(parser, required=True)
    loss = parser.add_argument_group("loss")
    loss.add_argument("--temperature", type=_positive, default=0.05, metavar="T", help="of the softmax (default 0.05)")
    loss.add_argument(
        "--margin", type=_share, default=0.0, metavar="M", help="additive margin; LaBSE takes 0.3 (default 0)"
    )
    loss.add_argument(
        "--same-language-negatives", action="store_true", help="for search among texts of all languages at once"
    )
    loss.add_argument("--one-language-pair-a-batch", action="store_true", help="harder negatives")
    loss.add_argument("--lora", type=count, metavar="RANK", help="train low-rank updates only, merged in the end")
    _add_training(parser)
    add_run_options(parser)


def add_distill_command(commands: "Subcommands[ArgumentParser]") -> None:
    """Add `train distill`."""
    parser = add_command(
        commands, "distill", _distill, "teach an encoder to give another one's vectors, in all languages"
    )
    parser.add_argument("--teacher", required=True, metavar="NAME", help="the encoder to learn from, by folder or name")
    _add_encoder(parser, "--student", "the encoder that learns, by folder or name; default: the bundled one")
    parser.add_argument(
        "--pivot",
        default="target",
        choices=["source", "target"],
        help="the teacher's side of the pairs (default target)",
    )
    parser.add_argument("--layers", type=count, metavar="N", help="keep the student's first N layers only")
    parser.add_argument(
        "--no-projection",
        action="store_true",
        help="no linear layer behind the student, which then has the same dimension",
    )
    add_pair_options(parser, required=True)
    _add_training(parser)
    add_run_options(parser)


def _add_encoder(parser: ArgumentParser, name: str, help: str) -> None:
    parser.add_argument(name, metavar="NAME", help=help)


def _add_training(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("training")
    group.add_argument("--epochs", type=_positive, default=1.0, metavar="N", help="passes over the pairs (default 1)")
    group.add_argument("--steps", type=count, metavar="N", help="updates, in the place of --epochs")
    group.add_argument("--batch-size", type=count, default=32, metavar="N", help="pairs in an update (default 32)")
    group.add_argument(
        "--mini-batch-size", type=count, default=16, metavar="N", help="pairs in memory at once (default 16)"
    )
    group.add_argument("--learning-rate", type=_positive, default=3e-5, metavar="R", help="default 3e-5")
    group.add_argument(
        "--max-tokens", type=count, default=128, metavar="N", help="of a text while training (default 128)"
    )
    group.add_argument("--precision", default="auto", choices=["auto", "float32", "bfloat16"])
    group.add_argument("--train-word-embeddings", action="store_true", help="they are frozen by default")
    group.add_argument(
        "--held-out", type=int, default=100, metavar="N", help="pairs a language pair to select by (default 100)"
    )
    group.add_argument("--evaluations", type=count, default=10, metavar="N", help="on held-out pairs (default 10)")
    group.add_argument(
        "--patience", type=count, default=3, metavar="N", help="stop after so many without gain (default 3)"
    )


def _contrastive(options: Namespace, output: Output) -> None:
    from interlingua.pipelines.train.contrastive import estimate_contrastive, finetune_contrastive
    from interlingua.pipelines.train.settings import ContrastiveSettings

    chosen = {
        "temperature": options.temperature,
        "margin": options.margin,
        "same_language_negatives": options.same_language_negatives,
        "one_language_pair_a_batch": options.one_language_pair_a_batch,
        "lora_rank": options.lora,
    }
    settings = ContrastiveSettings(**_trained(options), **chosen)
    _train(options, output, (options.encoder,), settings, finetune_contrastive, estimate_contrastive)


def _distill(options: Namespace, output: Output) -> None:
    from interlingua.pipelines.train.distillation import distill, estimate_distillation
    from interlingua.pipelines.train.settings import DistillationSettings

    chosen = {
        "pivot": options.pivot,
        "projection": "none" if options.no_projection else "ridge",
        "layers": options.layers,
    }
    settings = DistillationSettings(**_trained(options), **chosen)
    _train(options, output, (options.teacher, options.student), settings, distill, estimate_distillation)


def _trained(options: Namespace) -> dict[str, Any]:
    names = ("epochs", "steps", "batch_size", "mini_batch_size", "learning_rate", "max_tokens", "precision", "held_out",
             "evaluations", "patience", "seed", "device", "max_minutes", "train_word_embeddings")  # fmt: skip
    return {name: getattr(options, name) for name in names}


def _train(
    options: Namespace,
    output: Output,
    encoders: tuple[str | None, ...],
    settings: Any,
    train: Callable[..., Any],
    estimate: Callable[..., Any],
) -> None:
    if Path(options.output).exists():
        raise UsageError(f"{options.output} exists; name another folder or remove it")
    opened = open_pairs(options)
    pairs = list(chain.from_iterable(opened.values()))
    note_pairs(opened, output)
    if options.dry_run:
        with output.working("measuring a few steps"):
            cost = estimate(*encoders, pairs, settings=settings)
        output.result(vars(cost), lambda: [table("", "", rows=_cost_rows(cost))])
        return
    with output.working("training"):
        run = train(
            *encoders,
            pairs,
            output=options.output,
            settings=settings,
            resume=options.resume,
            callback=lambda line: _note(line, output),
        )
    result = {**vars(run), "folder": str(run.folder), "history": list(run.history)}
    output.result(result, lambda: _run_rows(run))


def _note(line: Mapping[str, float], output: Output) -> None:
    scores = {
        key.removeprefix("eval_"): value for key, value in line.items() if key.startswith("eval_") or key == "loss"
    }
    told = [f"{key.replace('_', ' ')} {scores[key]:.4f}" for key in scores if not key.endswith(("runtime", "second"))]
    if told:
        output.note(f"step {line['step']:.0f}: {', '.join(told)}")


def _cost_rows(cost: Any) -> list[tuple[str, str]]:
    return [
        ("pairs to learn from, held out", f"{cost.n_pairs}, {cost.n_held_out}"),
        ("parameters trained, frozen", f"{cost.n_trained:,}, {cost.n_frozen:,}"),
        ("steps", f"at most {cost.steps}, {cost.seconds_per_step:.2f} s each"),
        ("evaluations", f"{cost.evaluations}, {duration(cost.seconds_per_evaluation)} each"),
        ("in all", f"about {duration(cost.seconds)}"),
        ("a checkpoint", f"{cost.checkpoint_mb:.0f} MB, up to three at once"),
    ]


def _run_rows(run: Any) -> list[Any]:
    if not run.finished:
        return [f"stopped after {run.steps} steps; go on with --resume"]
    rows = [(key.replace("_", " "), run.start[key], run.best.get(key, float("nan"))) for key in run.start]
    end = f"written: {run.folder} ({run.steps} steps, {duration(run.seconds)})"
    notes = ["the vectors collapsed, so that the run was ended"] if run.collapsed else []
    return [*([table("held-out", "before>", "after>", rows=rows)] if rows else []), *notes, end]


def _positive(text: str) -> float:
    value = _share(text)
    if value <= 0:
        raise ArgumentTypeError(f"expected a number above 0, but got {text!r}")
    return value


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise ArgumentTypeError(f"expected a number of at least 0, but got {text!r}")
    return value
