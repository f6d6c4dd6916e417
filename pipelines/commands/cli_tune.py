"""The command `interlingua tune`."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from dataclasses import asdict, replace

from .arguments import UsageError, check_output_file
from .cli_labelled import add_labelled_options, command_line, fine_tuning, read_labelled_file, read_others
from .legacy import Subcommands, add_command, count
from .output import Output, table

_WEIGHTS = (0.01, 1.0)


def add_tune_commands(commands: "Subcommands[ArgumentParser]") -> None:
    """Add `tune`."""
    parser = add_command(commands, "tune", _tune, "search settings of `train finetune` with a small study")
    add_labelled_options(parser)
    study = parser.add_argument_group("study")
    study.add_argument("--dev", required=True, metavar="LANGUAGE=FILE", help="labelled texts that trials are judged by")
    study.add_argument("--trials", type=count, default=10, metavar="N", help="in all (default 10)")
    study.add_argument("--search-batch-size", type=count, nargs="+", default=[8, 16, 32], metavar="N")
    study.add_argument("--search-learning-rate", type=_rate, nargs=2, default=[2e-5, 3e-4], metavar="X")
    study.add_argument("--search-warmup", type=float, nargs=2, default=[0.0, 0.3], metavar="P")
    study.add_argument("--search-layer", type=count, nargs="+", metavar="N", help="default: the last layer only")
    study.add_argument(
        "--search-adversarial-weight", type=_rate, nargs=2, metavar="X", help="with --adversarial (default 0.01 1.0)"
    )
    study.add_argument("-o", "--output", metavar="STUDY.db", help="keep the study in this SQLite file")
    study.add_argument("--resume", action="store_true", help="go on with the study in that file")


def _tune(options: Namespace, output: Output) -> None:
    from interlingua.pipelines.train.settings import SearchSpace
    from interlingua.pipelines.train.study import PROXY_WARNING, Trial, tune

    if options.output is not None:
        check_output_file(options.output)
    _check_ranges(options)
    settings = fine_tuning(options)
    train, development = (read_labelled_file(each, options) for each in (options.train, options.dev))
    if train.language != development.language:
        raise UsageError(
            f"trials are judged in the language of the training, but --train is {train.language} and --dev is "
            f"{development.language}; call both alike where that is meant"
        )
    if options.resume and options.output is None:
        raise UsageError("--resume goes on with the study in a file; name it with -o")
    space = SearchSpace(
        batch_size=tuple(options.search_batch_size),
        learning_rate=tuple(options.search_learning_rate),
        warmup=tuple(options.search_warmup),
        layer=tuple(options.search_layer) if options.search_layer else None,
        adversarial_weight=tuple(options.search_adversarial_weight or _WEIGHTS),
    )

    def say(trial: Trial) -> None:
        output.note(f"trial {trial.number + 1} of {options.trials}: {trial.accuracy:.3f} ({trial.seconds:.0f} s)")

    found = tune(
        train,
        development,
        replace(settings, seed=options.seed),
        space=space,
        trials=options.trials,
        others=read_others(options),
        storage=options.output,
        resume=options.resume,
        seed=options.seed,
        callback=say,
    )
    best = found.best_trial
    command = command_line(options, best.parameters)
    output.note(f"warning: {PROXY_WARNING}")
    result = {
        "trials": [asdict(each) for each in found.trials],
        "best": asdict(best),
        "standard_error": found.standard_error,
        "command": command,
        "warning": PROXY_WARNING,
    }
    names = list(best.parameters)
    rows = [
        (each.number, *(f"{each.parameters[name]:.3g}" for name in names), each.accuracy, f"{each.seconds:.0f}")
        for each in sorted(found.trials, key=lambda each: -each.accuracy)
    ]
    output.result(
        result,
        lambda: [
            table("trial>", *(f"{name}>" for name in names), "accuracy>", "seconds>", rows=rows),
            f"standard error of the best: {found.standard_error:.3f}",
            command,
        ],
    )


def _check_ranges(options: Namespace) -> None:
    """Refuse ranges that do not ascend, naming the option, and one of a game that is not played."""
    if options.search_adversarial_weight is not None and options.adversarial == "none":
        raise UsageError("--search-adversarial-weight searches the weight of a game; choose one with --adversarial")
    for name in ("learning_rate", "warmup", "adversarial_weight"):
        low, high = getattr(options, f"search_{name}") or _WEIGHTS
        option = f"--search-{name.replace('_', '-')}"
        if not low <= high:
            raise UsageError(
                f"{option} takes the lowest and the highest value, in that order, but got {low:g} {high:g}"
            )
        if name == "warmup" and not 0 <= low <= high <= 1:
            raise UsageError(f"{option} takes shares of the steps, from 0 to 1, but got {low:g} {high:g}")


def _rate(text: str) -> float:
    """Return a number above 0, which its logarithm needs."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ArgumentTypeError(f"expected a number above 0, but got {text!r}")
    return value
