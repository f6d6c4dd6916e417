"""Run benchmarks by their names.

    python -m interlingua.benchmarks                      # what there is
    python -m interlingua.benchmarks udhr bli             # print their rows, and write results/NAME.json
    python -m interlingua.benchmarks bli --only "en-fr, 1k" --dry-run
    python -m interlingua.benchmarks all                  # every one; one that fails does not stop the others
    python -m interlingua.benchmarks report --check       # tools: the tables of the docs, a Milvus server, ...

A benchmark's options are the parameters of its function; `--encoder NAME` measures another encoder, and its results are
named after it. With `--only TEXT` the other rows of the results stay as they are.
"""

import sys

from .harness.measure import NotDoneError, call, result_rows

if __name__ == "__main__" and sys.argv[1:2] == ["--call"]:  # a process of `measured_apart` needs nothing of the below
    call(*sys.argv[2:])
    sys.exit()

import importlib
import inspect
import re
import shlex
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cyclopts
from rich.console import Console

from interlingua.pipelines.commands.output import table

from .harness.report import write_results

_ROOMS = ("words", "sentences", "search", "graphs", "linking", "reliability", "training", "harness")
_SEVERAL = re.compile(r"^BENCHMARKS = \{(.*?)\}", re.MULTILINE | re.DOTALL)
_TOOLS = {
    "report": "harness.report:report",
    "gpu": "gpu.command:gpu",
    "ann_plot": "search.ann:ann_plot",
    "dial_plot": "search.dial:dial_plot",
    "milvus_server": "search.milvus_server:milvus_server",
    "udhr_extract": "sentences.udhr:udhr_extract",
}


def benchmarks() -> dict[str, str]:
    """Return ``module:function`` of each benchmark by its name.

    A module with a function `run` is one benchmark, named like it; one with several names them in `BENCHMARKS`.
    """
    found = {}
    for room in _ROOMS:
        for path in sorted((Path(__file__).parent / room).glob("*.py")):
            text = path.read_text(encoding="utf-8")
            several = _SEVERAL.search(text)
            functions = {path.stem: "run"} if "\ndef run(" in text else {}
            for name, function in re.findall(r'"(\w+)": (\w+)', several[1]) if several else functions.items():
                found[name] = f"interlingua.benchmarks.{room}.{path.stem}:{function}"
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is named; exit code 1 if one fails or misses a goal, 3 if a time limit ended a run that can go on."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    found = benchmarks()
    if given and given[0] in _TOOLS:
        return _run_tool(given[0], given[1:])
    names = []
    while given and given[0] in (*found, "all"):
        names += list(found) if given[0] == "all" else [given[0]]
        del given[0]
    if not names or (given and not given[0].startswith("-")):
        for word in given[:1]:
            Console(stderr=True).print(f"there is no benchmark {word!r}")
        tools = {name: f"interlingua.benchmarks.{where}" for name, where in _TOOLS.items()}
        Console().print(table("benchmark", "is", rows=found.items()), table("tool", "is", rows=tools.items()))
        return 2 if given else 0
    return _run(names[0], found[names[0]], given) if len(names) == 1 else _run_several(names, found, given)


def _run_several(names: Sequence[str], found: dict[str, str], options: list[str]) -> int:
    """Run one after the other, and say at the end which of them failed, and why."""
    codes, failed = [0], []
    for name in names:
        try:
            codes.append(_run(name, found[name], options))
        except Exception as error:  # whatever it is: the others shall run
            failed.append((name, f"{type(error).__name__}: {error}"))
    if failed:
        Console(stderr=True).print(table("failed", "why", rows=failed))
    return max(*codes, int(bool(failed)))


def _run_tool(name: str, options: list[str]) -> int:
    module, _, function = _TOOLS[name].partition(":")
    app = cyclopts.App(name=f"python -m interlingua.benchmarks {name}")
    app.default(getattr(importlib.import_module(f"interlingua.benchmarks.{module}"), function))
    return int(app(options, result_action="return_value") or 0)


def _run(name: str, where: str, options: list[str]) -> int:
    module, _, function = where.partition(":")
    loaded = importlib.import_module(module)
    app = cyclopts.App(name=f"python -m interlingua.benchmarks {name}", help=(loaded.__doc__ or "").partition("\n")[0])
    app.default(_command(name, getattr(loaded, function), getattr(loaded, "missed", None), options))
    return int(app(options, result_action="return_value") or 0)


def _command(
    name: str, run: Callable[..., Any], missed: Callable[[list[dict[str, Any]]], list[str]] | None, given: list[str]
) -> Callable[..., int]:
    """Return a function with the simple parameters of a benchmark that runs it and writes its results."""
    signature = inspect.signature(run, eval_str=True)

    def command(*, dry_run: bool = False, encoder: str = "", **options: Any) -> int:
        """Print the rows and write the results, unless `dry_run`."""
        if encoder:
            from interlingua.pipelines import load_encoder

            options["encoder"] = load_encoder(encoder)
        line = shlex.join(["python", "-m", "interlingua.benchmarks", name, *given])
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", category=FutureWarning)  # scikit-learn's, about defaults to come
                rows = result_rows(run(**options), line)
        except NotDoneError as error:
            Console(stderr=True).print(f"not done yet, call it again to go on: {error}")
            return 3
        show(rows)
        if not dry_run and not options.get("space"):  # a space of the user's own is no result of the benchmark
            path = write_results(f"{name}-{encoder}" if encoder else name, rows, others_stay=bool(options.get("only")))
            Console().print(f"written: {path.name}")
        told = missed(rows) if missed else []
        for each in told:
            Console(stderr=True).print(f"goal missed: {each}")
        return int(bool(told))

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
