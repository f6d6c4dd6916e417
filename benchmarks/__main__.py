"""Run benchmarks by their names.

    python -m interlingua.benchmarks                      # what there is
    python -m interlingua.benchmarks udhr bli             # print their rows, and write results/NAME.json
    python -m interlingua.benchmarks bli --only "en-fr, 1k" --dry-run

A benchmark's options are the parameters of its `run`; `--encoder NAME` measures another encoder, and its results are
named after it.
"""

import importlib
import inspect
import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cyclopts
from rich.console import Console

from interlingua.pipelines.commands.output import table

from .harness.measure import NotDoneError, call, result_rows
from .harness.report import write_results

_ROOMS = ("words", "sentences", "search", "graphs", "linking", "training", "harness")


def benchmarks() -> dict[str, str]:
    """Return the module of each benchmark by its name: every module with a function `run`."""
    here = Path(__file__).parent
    return {
        path.stem: f"interlingua.benchmarks.{room}.{path.stem}"
        for room in _ROOMS
        for path in sorted((here / room).glob("*.py"))
        if "\ndef run(" in path.read_text(encoding="utf-8")
    }


def main(arguments: list[str] | None = None) -> int:
    """Run what is named; exit code 1 if a goal is missed, 3 if a time limit ended a run that can go on."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["--call"]:
        sys.stdout.write(json.dumps(call(given[1], json.loads(given[2]))))
        return 0
    found = benchmarks()
    names = []
    while given and given[0] in found:
        names.append(given.pop(0))
    if not names or (given and not given[0].startswith("-")):
        for word in given[:1]:
            Console(stderr=True).print(f"there is no benchmark {word!r}")
        Console().print(table("benchmark", "module", rows=found.items()))
        return 2 if given else 0
    return max(_run(name, found[name], given) for name in names)


def _run(name: str, module: str, options: list[str]) -> int:
    loaded = importlib.import_module(module)
    app = cyclopts.App(name=f"python -m interlingua.benchmarks {name}", help=(loaded.__doc__ or "").partition("\n")[0])
    app.default(_command(name, loaded, options))
    result = app(options, result_action="return_value")
    return int(result or 0)


def _command(name: str, module: Any, given: list[str]) -> Callable[..., int]:
    """Return a function with the simple parameters of a benchmark's `run` that runs it and writes its results."""
    signature = inspect.signature(module.run, eval_str=True)

    def command(*, dry_run: bool = False, encoder: str = "", **options: Any) -> int:
        """Print the rows and write the results, unless `dry_run`."""
        if encoder:
            from interlingua.pipelines import load_encoder

            options["encoder"] = load_encoder(encoder)
        line = " ".join(["python -m interlingua.benchmarks", name, *(each for each in given if each != "--dry-run")])
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", category=FutureWarning)  # scikit-learn's, about defaults to come
                rows = result_rows(module.run(**options), line)
        except NotDoneError as error:
            Console(stderr=True).print(f"not done yet, call it again to go on: {error}")
            return 3
        show(rows)
        if not dry_run:
            Console().print(f"written: {write_results(f'{name}-{encoder}' if encoder else name, rows).name}")
        missed = module.missed(rows) if hasattr(module, "missed") else []
        for each in missed:
            Console(stderr=True).print(f"goal missed: {each}")
        return int(bool(missed))

    simple = {
        key: each.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for key, each in signature.parameters.items()
        if key != "encoder" and not callable(each.default) and _is_simple(each.annotation)
    }
    own = inspect.signature(command).parameters
    shared = [own["dry_run"], *([own["encoder"]] if "encoder" in signature.parameters else [])]
    command.__signature__ = inspect.Signature([*shared, *simple.values()])  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in [*shared, *simple.values()]}
    return command


def _is_simple(annotation: Any) -> bool:
    kinds = set(getattr(annotation, "__args__", (annotation,))) - {type(None)}
    return kinds <= {str, int, float, bool, Path}


def show(rows: list[dict[str, Any]]) -> None:
    """Print result rows as a table."""
    shown = (
        (each["task"], each["data"], each["method"], each["metric"], f"{each['value']:.4g}", each["n"]) for each in rows
    )
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table("task", "data", "method", "metric", "value>", "n>", rows=shown))


if __name__ == "__main__":
    sys.exit(main())
