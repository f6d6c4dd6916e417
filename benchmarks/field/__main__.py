"""Run or score a task: ``python -m interlingua.benchmarks.field xtreme tatoeba --data DIR``."""

import argparse
import sys

from rich.console import Console
from rich.table import Table

from interlingua.pipelines import load_encoder

from . import xglue, xtreme
from .runner import predict


def main(arguments: list[str] | None = None) -> int:
    """Write predictions of frozen vectors, and print their scores beside floors where there are labels."""
    parser = argparse.ArgumentParser(prog="python -m interlingua.benchmarks.field", description=main.__doc__)
    parser.add_argument("benchmark", choices=("xtreme", "xglue"))
    parser.add_argument("task", help=f"XTREME: {', '.join(xtreme.TASKS)}; XGLUE: {', '.join(xglue.TASKS)}")
    parser.add_argument("--data", required=True, metavar="DIR", help="the data in the official layout")
    parser.add_argument("--labels", metavar="DIR", help="gold labels; XGLUE's lie in the data")
    parser.add_argument("--encoder", metavar="NAME", help="as in `interlingua encode`; the bundled one by default")
    parser.add_argument("-o", "--output", default="predictions", metavar="DIR", help="folder of the predictions")
    parser.add_argument("--languages", nargs="+", metavar="L", help="only these languages")
    parser.add_argument("--score-only", action="store_true", help="score the predictions that are there")
    given = parser.parse_args(arguments)
    try:
        return _run(given)
    except (OSError, ValueError) as error:
        Console(stderr=True, soft_wrap=True).print(f"error: {error}", markup=False, highlight=False)
        return 1


def _run(given: argparse.Namespace) -> int:
    console = Console(soft_wrap=True)
    labels = given.labels or (given.data if given.benchmark == "xglue" else None)
    if given.score_only and labels is None:
        raise ValueError("scoring needs gold labels, but none were given; add --labels DIR")
    if not given.score_only:
        encoder = load_encoder(given.encoder)
        files = predict(given.benchmark, given.task, given.data, given.output, encoder, given.languages)
        console.print(f"{len(files)} files of predictions (frozen) are in {given.output}", highlight=False)
    if labels is None:
        return 0
    module = xtreme if given.benchmark == "xtreme" else xglue
    found = module.evaluate(given.output, labels, [given.task], given.languages)
    table = Table("language", "scores", "floors")
    for language, scores in found.scores[given.task].items():
        floors = found.floors[given.task][language]
        table.add_row(
            language, *(", ".join(f"{key} {value:.4f}" for key, value in row.items()) for row in (scores, floors))
        )
    console.print(table)
    if given.task in found.tasks:
        console.print(f"{given.task}: {found.tasks[given.task]:.4f}", highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
