"""Run benchmarks by their names.

    python -m interlingua.benchmarks                      # what there is
    python -m interlingua.benchmarks udhr bli             # print their rows, and write results/NAME.json
    python -m interlingua.benchmarks bli --only "en-fr, 1k" --dry-run
    python -m interlingua.benchmarks all --data DIR       # every one; one that fails does not stop the others
    python -m interlingua.benchmarks all --results NEW    # into another folder; called again, it goes on
    python -m interlingua.benchmarks compare OLD NEW      # two runs side by side
    python -m interlingua.benchmarks check                # whether the quick ones give the committed figures
    python -m interlingua.benchmarks report --check       # tools: the tables of the docs, a page with plots, ...

A benchmark's options are the parameters of its function, and `--data` (folder of the data sets), `--results` (where to
write), `--items` (keep scores of single items, for `compare`), `--resume` (not what is done already, of the same
source, options, libraries and data) and `--dry-run`. `--encoder NAME` measures another encoder, and its results are
named after it. With `--only TEXT` the other rows of the results stay as they are. `all` runs each in a process of its
own and resumes; `all --again` repeats everything.
"""

import sys

from .harness.measure import NotDoneError, call, rows_and_items, run_apart, watch

if __name__ == "__main__" and sys.argv[1:2] == ["--call"]:  # a process of `measured_apart` needs nothing of the below
    call(*sys.argv[2:])
    sys.exit()

import importlib
import inspect
import json
import os
import re
import shlex
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cyclopts
from rich.console import Console

from interlingua.pipelines.commands.output import table

from .harness import report, runs
from .harness.report import write_items, write_results

_ROOMS = ("words", "sentences", "search", "graphs", "linking", "reliability", "training", "harness")
_SHOWN = 12  # rows that an error names
_SEVERAL = re.compile(r"^BENCHMARKS = \{(.*?)\}", re.MULTILINE | re.DOTALL)
_TOOLS = {
    "check": "harness.check:check",
    "compare": "harness.compare:compare",
    "report": "harness.report:report",
    "gpu": "gpu.command:gpu",
    "ann_plot": "search.ann:ann_plot",
    "dial_plot": "search.dial:dial_plot",
    "milvus_server": "search.milvus_server:milvus_server",
    "udhr_extract": "sentences.udhr:udhr_extract",
    "bridge_packed": "sentences.packed_bridge:bridge_packed",
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
    every, names = "all" in given[:1], []
    while given and given[0] in (*found, "all"):
        names += list(found) if given[0] == "all" else [given[0]]
        del given[0]
    if not names or (given and not given[0].startswith("-")):
        for word in given[:1]:
            Console(stderr=True).print(f"there is no benchmark {word!r}")
        tools = {name: f"interlingua.benchmarks.{where}" for name, where in _TOOLS.items()}
        Console().print(table("benchmark", "is", rows=found.items()), table("tool", "is", rows=tools.items()))
        return 2 if given else 0
    if len(names) == 1 and not every:
        return _run(names[0], found[names[0]], given)
    again = not every or "--again" in given
    return _run_several(names, [each for each in given if each != "--again"] + ["--resume"] * (not again))


def _run_several(names: Sequence[str], options: list[str]) -> int:
    """Run one after the other, each in a process of its own, and say at the end which of them failed, and why."""
    codes, failed = [0], []
    for name in names:
        Console(stderr=True).print(f"== {name}")
        code, last = run_apart(name, options)
        if code not in (0, 3):
            failed.append((name, last or f"exit code {code}"))
        codes.append(code if code in (0, 3) else 1)
    if failed:
        Console(stderr=True).print(table("failed", "why", rows=failed))
    return max(codes)


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
    line = shlex.join(["python", "-m", "interlingua.benchmarks", name, *given])

    def command(
        *,
        dry_run: bool = False,
        resume: bool = False,
        items: bool = False,
        data: Path | None = None,
        results: Path | None = None,
        encoder: str = "",
        **options: Any,
    ) -> int:
        """Print the rows and write the results, unless `dry_run`."""
        if data is not None:
            os.environ["INTERLINGUA_DATA"] = str(data.resolve())
        path = (report.RESULTS if results is None else results) / f"{f'{name}-{encoder}' if encoder else name}.json"
        state = runs.state(name, {**options, "encoder": encoder})
        if resume and (done := runs.finished(path, state)):
            Console().print(f"{name} is done, in {done.seconds:.0f} s, and would be made of the same: {path}")
            return done.code
        if encoder:
            from interlingua.pipelines import load_encoder

            options["encoder"] = load_encoder(encoder)
        try:
            with warnings.catch_warnings(), watch() as passed:
                warnings.simplefilter("ignore", category=FutureWarning)  # scikit-learn's, about defaults to come
                rows, scores = rows_and_items(run(**options), line)
        except NotDoneError as error:
            Console(stderr=True).print(f"not done yet, call it again to go on: {error}")
            return 3
        if options.get("only") and not rows:
            Console(stderr=True).print(_nothing_of(name, options["only"], path))
            return 2
        show(rows)
        told = missed(rows) if missed else []
        code = _tell_missed(told)
        if not dry_run and not options.get("space"):  # a space of the user's own is no result of the benchmark
            write_results(path.stem, rows, others_stay=bool(options.get("only")), folder=path.parent)
            write_items(path, scores if items else [])
            if not options.get("only"):
                runs.note_finished(path, state, passed.seconds, code)
            Console().print(f"written: {path.name}")
        return code

    simple = {
        key: each.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for key, each in signature.parameters.items()
        if key != "encoder" and not callable(each.default) and _is_simple(each.annotation)
    }
    own = {
        key: each
        for key, each in inspect.signature(command).parameters.items()
        if key not in simple and (key != "encoder" or key in signature.parameters) and key != "options"
    }
    command.__signature__ = inspect.Signature([*own.values(), *simple.values()])  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in [*own.values(), *simple.values()]}
    return command


def _nothing_of(name: str, only: str, path: Path) -> str:
    """Say that no row of a benchmark holds a text, and which rows its results have."""
    had = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    rows = list(dict.fromkeys(f"{each['data']}, {each['method']}" for each in had))
    there = f"; there are: {'; '.join(rows[:_SHOWN])}{'; ...' if len(rows) > _SHOWN else ''}" if rows else ""
    return f"no row of {name} holds {only!r}, so nothing was measured and nothing written{there}"


def _tell_missed(goals: Sequence[str]) -> int:
    """Say which goals were missed, and return the exit code."""
    for each in goals:
        Console(stderr=True).print(f"goal missed: {each}")
    return int(bool(goals))


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
