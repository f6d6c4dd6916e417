"""The command `interlingua train finetune`."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arguments import UsageError
from .cli_labelled import add_labelled_options, add_tuned_options, fine_tuning, read_labelled_file, read_others
from .cli_train_options import duration
from .legacy import Subcommands, add_command, count
from .output import Output, table

if TYPE_CHECKING:
    from interlingua.pipelines.train.transfer import TransferTable


def add_finetune_command(subcommands: "Subcommands[ArgumentParser]") -> None:
    """Add `train finetune`."""
    parser = add_command(subcommands, "finetune", _finetune, "train a classifier in one language and test it in others")
    add_labelled_options(parser)
    add_tuned_options(parser)
    tests = parser.add_argument_group("tests")
    tests.add_argument("--test", nargs="+", default=[], metavar="LANGUAGE=FILE", help="labelled texts to test on")
    tests.add_argument(
        "--few-shot",
        nargs="+",
        default=[],
        metavar="LANGUAGE=FILE",
        help="labelled texts of other languages: go on training with 8, 32, 128 and 512 of them, and test",
    )
    tests.add_argument("--seeds", type=count, default=3, metavar="N", help="train N times (default 3)")
    run = parser.add_argument_group("run")
    run.add_argument("--resume", action="store_true", help="go on with a run that was interrupted")
    run.add_argument("--dry-run", action="store_true", help="measure two steps, say what the run costs, and stop")
    run.add_argument("-o", "--output", required=True, metavar="FOLDER", help="for classifiers and scores")


def _finetune(options: Namespace, output: Output) -> None:
    from interlingua.pipelines.train.classifier import TextClassifier
    from interlingua.pipelines.train.finetune import estimate_finetuning
    from interlingua.pipelines.train.transfer import TransferTable, few_shot, zero_shot

    settings = fine_tuning(options)
    train = read_labelled_file(options.train, options)
    tests = _by_language(options.test, options)
    pools = _by_language(options.few_shot, options)
    untested = [language for language in pools if language not in tests]
    if untested:
        raise UsageError(f"--few-shot {untested[0]} needs labelled texts to test on: --test {untested[0]}=FILE")
    others = read_others(options)
    if options.dry_run:
        variants = [settings] if settings.adversarial == "none" else [replace(settings, adversarial="none"), settings]
        costs = [asdict(estimate_finetuning(train, each, others=others)) for each in variants]
        whole = options.seeds * sum(each["seconds"] for each in costs)
        result = {"runs": options.seeds * len(variants), "seconds": whole, "variants": costs}
        text = f"{result['runs']} runs of {costs[0]['steps']} steps: about {duration(whole)}, tests and few-shot not"
        output.result(result, lambda: [f"{text} included; {costs[0]['trained_parameters']:,} parameters are trained"])
        return
    folder = Path(options.output)
    run = folder / f"none-seed{options.seed}"
    if pools and run.with_name(f"{run.name}.json").is_file() and not run.with_name(f"{run.name}.model").is_dir():
        raise UsageError(
            f"--few-shot goes on from the classifier of the first seed, {options.seed}, but {folder} keeps the scores "
            f"of that seed only; give the --seed that the folder began with, or another folder"
        )
    scores = zero_shot(
        train,
        tests,
        settings,
        seeds=range(options.seed, options.seed + options.seeds),
        others=others,
        output=folder,
        resume=options.resume,
        callback=output.note if tests else None,
    )
    curves = TransferTable((), train.language)
    if pools:
        start = TextClassifier.load(run.with_name(f"{run.name}.model"), device=options.device, dtype=options.dtype)
        curves = few_shot(start, pools, tests, settings, replay=train, source=train.language)
    result = {
        "output": options.output,
        "source": train.language,
        "summary": scores.summary(),
        "scores": [asdict(each) for each in scores.rows],
        "few_shot": [asdict(each) for each in curves.rows],
    }
    output.result(result, lambda: _shown(scores, curves, options.output))


def _by_language(arguments: list[str], options: Namespace) -> dict[str, Any]:
    read = [read_labelled_file(argument, options) for argument in arguments]
    names = [each.language for each in read]
    if len(set(names)) < len(names):
        raise UsageError(f"each language is given once, but they are {', '.join(names)}")
    return dict(zip(names, read, strict=True))


def _shown(scores: "TransferTable", curves: "TransferTable", output: str) -> Iterator[Any]:
    if scores.rows:
        variants = list(dict.fromkeys(each.adversarial for each in scores.rows))
        names = ["plain" if each == "none" else each for each in variants]
        rows = []
        for language in dict.fromkeys(each.language for each in scores.rows):
            cells = [
                [r.accuracy for r in scores.rows if (r.language, r.adversarial) == (language, v)] for v in variants
            ]
            rows.append((language, *(sum(each) / len(each) for each in cells)))
        yield table("accuracy", *(f"{name}>" for name in names), rows=rows)
    summary = scores.summary()
    if summary:
        columns = ("adversarial", "seeds", "source", "mean", "deviation", "worst", "worst_language")
        lines = [["-" if each[name] is None else each[name] for name in columns] for each in summary]
        yield table("training", "seeds>", "source>", "mean>", "deviation>", "worst>", "language", rows=lines)
    shots = curves.curves()
    if shots:
        sizes = sorted({size for curve in shots.values() for size in curve})
        rows = [(language, *(curve.get(size, "") for size in sizes)) for language, curve in shots.items()]
        yield table("few-shot", *(f"{size}>" for size in sizes), rows=rows)
    yield f"written: {output}"
