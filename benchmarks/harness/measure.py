"""What a benchmark yields, and what the harness fills in: command, seconds, peak memory, environment.

A benchmark is a module of `benchmarks` with a function `run` (several are named in `BENCHMARKS`); `python -m
interlingua.benchmarks NAME` calls it with the options that its signature has, prints the rows, and writes
``results/NAME.json``. `run` yields a `Case` for each thing measured. Where it takes long, `kept` measures a part in a
process of its own and keeps what it gave, so that a run that was stopped goes on where it was.
"""

import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .processes import run_measured
from .report import row


@dataclass(frozen=True, kw_only=True)
class Case:
    """One thing measured.

    Attributes
    ----------
    task, data, method : str
        What was measured, on what, how; together they are a line of a table.
    figures : mapping of str to float
        Value of each metric; the name says the unit.
    n : int
        What the values were averaged over.
    seconds : float, optional
        How long it took; by default, the time since the case before.
    peak_mb : float, optional
        Largest memory in MB; by default, that of this process.
    items : mapping of str to sequence of float, optional
        Of a metric that is a mean, what it is the mean of, always in the same order: what `compare` resamples.
    """

    task: str
    data: str
    method: str
    figures: Mapping[str, float]
    n: int
    seconds: float | None = None
    peak_mb: float | None = None
    items: Mapping[str, Sequence[float]] | None = None


class NotDoneError(Exception):
    """Raised by a benchmark that was stopped by its time limit: called again, it goes on."""


class Watch:
    """Seconds since it was made; `seconds` stops it at the end of a `watch` block."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._stopped: float | None = None

    @property
    def seconds(self) -> float:
        """Wall-clock seconds so far, or of the block."""
        return (self._stopped or time.perf_counter()) - self._start

    def stop(self) -> None:
        """Keep the time that has passed."""
        self._stopped = time.perf_counter()


@contextmanager
def watch() -> Iterator[Watch]:
    """Yield a watch that stops at the end of the block."""
    running = Watch()
    try:
        yield running
    finally:
        running.stop()


def peak_mb() -> float:
    """Return the largest memory that this process has held, in MB (10^6 bytes)."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6


def result_rows(cases: Iterable[Case], command: str) -> list[dict[str, Any]]:
    """Run a benchmark to its end and return its result rows, one a metric."""
    return rows_and_items(cases, command)[0]


def rows_and_items(cases: Iterable[Case], command: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Run a benchmark to its end and return its result rows, and of some of them the scores of single items."""
    rows: list[dict[str, Any]] = []
    items: list[dict[str, Any]] = []
    begun = time.perf_counter()
    for case in cases:
        seconds = time.perf_counter() - begun if case.seconds is None else case.seconds
        peak = peak_mb() if case.peak_mb is None else case.peak_mb
        rows += [
            row(task=case.task, data=case.data, method=case.method, metric=metric, value=value, n=case.n,
                command=command, seconds=seconds, peak_mb=peak)
            for metric, value in case.figures.items()
        ]  # fmt: skip
        items += [
            {"task": case.task, "data": case.data, "method": case.method, "metric": metric,
             "scores": [float(f"{each:.6g}") for each in scores]}
            for metric, scores in (case.items or {}).items()
        ]  # fmt: skip
        begun = time.perf_counter()
    return rows, items


def run_apart(name: str, options: Sequence[str], environment: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run a benchmark as a user does, in a process of its own; return its exit code and the last line of its errors.

    So peaks of memory are its own, and one that crashes takes no other with it. What it says goes on to standard output
    and standard error.
    """
    command = [sys.executable, "-m", "interlingua.benchmarks", name, *options]
    last = ""
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, env={**os.environ, **(environment or {})}, encoding="utf-8", errors="replace"
    ) as process:
        for line in process.stderr or ():
            sys.stderr.write(line)
            last = line.strip() or last
    return process.returncode, last


def measured_apart(function: str, *arguments: Any, threads: int | None = None) -> Any:
    """Call ``module:function`` in a process of its own and return what it returns, by way of JSON.

    A dict gets what the process used besides: ``process`` with `cpu`, `seconds` and `peak_mb`.

    Raises
    ------
    RuntimeError
        If the process fails; its standard error has said why.
    """
    environment = None if threads is None else {"OMP_NUM_THREADS": str(threads)}
    used = run_measured(calling(function, *arguments), environment=environment)
    if used.code:
        raise RuntimeError(f"{function}{tuple(arguments)} ended with {used.code}; call it by itself to see why")
    found = json.loads(used.output)
    if isinstance(found, dict):
        found["process"] = {"cpu": used.cpu, "seconds": used.seconds, "peak_mb": used.peak_mb}
    return found


def calling(function: str, *arguments: Any) -> list[str]:
    """Return the command of a process that calls ``module:function``, to be killed or to talk while it runs."""
    return [sys.executable, "-m", "interlingua.benchmarks", "--call", function, json.dumps(arguments)]


def call(function: str, arguments: str) -> None:
    """Call ``module:function`` with arguments in JSON, and write what it returns, as the process of `calling` does."""
    module, _, name = function.partition(":")
    found = getattr(importlib.import_module(module), name)(*json.loads(arguments))
    if found is not None:
        sys.stdout.write(json.dumps(found))


def kept(path: Path, function: str, *arguments: Any, again: bool = False, threads: int | None = None) -> Any:
    """Return what `measured_apart` gave, from the file `path` where it is there already."""
    if again or not path.exists():
        from interlingua.align.files import replacing

        found = measured_apart(function, *arguments, threads=threads)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(json.dumps(found).encode())
    return json.loads(path.read_text(encoding="utf-8"))


def in_pieces(function: str, name: str, keep: Path | None = None, *arguments: Any) -> Iterator[Case]:
    """Yield the cases of a piece, which ``module:function`` gives as JSON, from a process of its own.

    With the folder `keep`, they are kept there, and a piece that is there already is not measured again.
    """
    if keep is None:
        yield from cases_from_json(measured_apart(function, name, *arguments))
    else:
        module = function.partition(":")[0].rpartition(".")[2]
        yield from cases_from_json(kept(keep / f"{module} {name}.json", function, name, *arguments))


def cases_to_json(cases: Iterable[Case]) -> list[dict[str, Any]]:
    """Return cases as JSON, each with its own seconds and the peak of this process; see `cases_from_json`."""
    found: list[dict[str, Any]] = []
    begun = time.perf_counter()
    for case in cases:
        seconds = time.perf_counter() - begun if case.seconds is None else case.seconds
        whole = replace(case, seconds=seconds, peak_mb=peak_mb() if case.peak_mb is None else case.peak_mb)
        items = case.items and {metric: list(map(float, scores)) for metric, scores in case.items.items()}
        found.append({**vars(whole), "figures": dict(case.figures), "items": items})
        begun = time.perf_counter()
    return found


def cases_from_json(found: Iterable[Mapping[str, Any]]) -> Iterator[Case]:
    """Yield the cases that `cases_to_json` wrote."""
    for each in found:
        yield Case(**each)
