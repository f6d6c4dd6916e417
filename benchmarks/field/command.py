"""The command `interlingua bench`, which the entry point group `interlingua.commands` adds to the others."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from interlingua.pipelines.commands.command import Output, Subcommands, UsageError, add_command, count, table

if TYPE_CHECKING:
    from .evaluation import Evaluation

BENCHMARKS = ("xtreme", "xglue", "tatoeba", "xquad-r", "sib200")


def add_bench_command(commands: Subcommands[ArgumentParser]) -> None:
    """Add `bench`."""
    bench = add_command(
        commands, "bench", _bench, "measure an encoder on XTREME, XGLUE, Tatoeba, XQuAD-R or SIB-200, beside floors"
    )
    bench.add_argument("benchmark", choices=BENCHMARKS)
    bench.add_argument("--data", required=True, metavar="DIR", help="the data in the official layout")
    bench.add_argument("--encoder", metavar="NAME", help="default: the bundled one")
    bench.add_argument("--space", metavar="SPACE", help="map sentence vectors into this shared space")
    bench.add_argument("--languages", metavar="LANGUAGES", help="only these, such as de,fr")
    field = bench.add_argument_group("XTREME and XGLUE")
    field.add_argument("--tasks", metavar="TASKS", help="only these, such as xnli,tatoeba; default: all")
    field.add_argument("--labels", metavar="DIR", help="gold labels; by default none for XTREME, the data for XGLUE")
    field.add_argument(
        "--model", metavar="NAME", help="of transformers: a reader for QA, an encoder-decoder for QG, NTG"
    )
    field.add_argument(
        "--fine-tune", action="store_true",
        help="let the encoder itself learn on English: classification, pairs, WPR and tags (else it stays frozen)",
    )  # fmt: skip
    field.add_argument(
        "--steps", type=count, default=1000, metavar="N", help="that QG, NTG and --fine-tune train (default 1000)"
    )
    field.add_argument("--score-only", action="store_true", help="score the predictions that are there")
    field.add_argument("-o", "--output", default="predictions", metavar="DIR", help="default: predictions")


def _bench(options: Namespace, output: Output) -> None:
    languages = options.languages.split(",") if options.languages else None
    if options.benchmark not in ("xtreme", "xglue"):
        _folder(options, output, languages or [])
        return
    from .runner import FINE_TUNED, MODULES, predict

    module = MODULES[options.benchmark]
    labels = options.labels or (options.data if options.benchmark == "xglue" else None)
    if options.score_only and labels is None:
        raise UsageError("scoring needs gold labels, but none were given; add --labels DIR")
    tasks = options.tasks.split(",") if options.tasks else list(module.TASKS)
    if unknown := [each for each in tasks if each not in module.TASKS]:
        raise UsageError(f"{unknown[0]!r} is no task of {options.benchmark}; its tasks are {', '.join(module.TASKS)}")
    if not options.tasks:
        tasks = _possible(tasks, module, options.model, languages, output)
    if options.fine_tune and options.space:
        raise UsageError("--space maps frozen vectors, and --fine-tune moves them; leave one of the two out")
    if not options.score_only:
        from interlingua.pipelines.train import FineTuning

        encoder, space = _loaded(options)
        for name in tasks:
            with output.working(name):
                files = predict(
                    options.benchmark, name, options.data, options.output, encoder, languages,
                    space=space, model=options.model, steps=options.steps,
                    tuning=FineTuning(steps=options.steps) if options.fine_tune else None,
                )  # fmt: skip
            frozen = (
                ", by the frozen encoder" if options.fine_tune and module.TASKS[name].kind not in FINE_TUNED else ""
            )
            output.note(f"{name}: {len(files)} files of predictions in {options.output}{frozen}")
    if labels is None:
        output.result({"output": options.output, "tasks": tasks}, lambda: [])
        return
    found = module.evaluate(options.output, labels, tasks, languages)
    value = {"scores": found.scores, "floors": found.floors, "tasks": found.tasks, "averages": found.averages}
    output.result(value, lambda: _shown(found))


def _possible(
    tasks: list[str], module: Any, model: str | None, languages: Sequence[str] | None, output: Output
) -> list[str]:
    """Return the tasks that have one of the languages and need no model that is not named."""
    kept = []
    for name in tasks:
        task = module.TASKS[name]
        if languages and not set(languages) & set(task.languages):
            continue
        if task.kind == "generation" and model is None:
            output.note(f"{name} is left out: it needs an encoder-decoder (--model NAME)")
        else:
            kept.append(name)
    return kept


def _folder(options: Namespace, output: Output, languages: Sequence[str]) -> None:
    from .folders import run_folder

    encoder, space = _loaded(options)
    with output.working(options.benchmark):
        rows = run_folder(options.benchmark, options.data, encoder, space, languages)
    metrics = list(rows[0].scores)
    output.result(
        [vars(each) for each in rows],
        lambda: [
            table(
                "language",
                "method",
                *(f"{each}>" for each in metrics),
                rows=((each.language, each.method, *(each.scores[name] for name in metrics)) for each in rows),
            )
        ],
    )


def _loaded(options: Namespace) -> tuple[Any, Any]:
    from interlingua.align import SharedSpace
    from interlingua.pipelines import load_encoder

    encoder = load_encoder(options.encoder)
    return encoder, SharedSpace.load(options.space, encoder=encoder.identity) if options.space else None


def _shown(found: Evaluation) -> list[Any]:
    rows = [
        (
            name,
            language,
            *(", ".join(f"{key} {value:.4f}" for key, value in each.items()) for each in (scores, floors)),
        )
        for name, languages in found.scores.items()
        for language, scores in languages.items()
        for floors in [found.floors[name][language]]
    ]
    shown: list[Any] = [table("task", "language", "scores", "floors", rows=rows)]
    means = [*found.tasks.items(), *((f"group {name}", value) for name, value in found.averages.items())]
    return [*shown, table("mean", "score>", rows=means)] if means else shown
