"""Time and memory of what is measured, and the frame that every benchmark's command shares."""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from interlingua.pipelines.commands.output import table

from .report import write_results


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


def run_benchmark(name: str, measure: Callable[[], list[dict[str, Any]]], arguments: list[str] | None = None) -> int:
    """Run one benchmark as a command: print its rows, and write ``results/NAME.json`` unless ``--dry-run``."""
    parser = argparse.ArgumentParser(prog=f"interlingua.benchmarks.{name}")
    parser.add_argument("--dry-run", action="store_true", help="print the rows, write nothing")
    options = parser.parse_args(arguments)
    rows = measure()
    shown = (
        (each["task"], each["data"], each["method"], each["metric"], f"{each['value']:.4g}", each["n"]) for each in rows
    )
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table("task", "data", "method", "metric", "value>", "n>", rows=shown))
    if not options.dry_run:
        console.print(f"written: {write_results(name, rows)}")
    return 0


def run_pieces(
    name: str,
    run: Callable[[str], list[dict[str, Any]]],
    pieces: Sequence[str],
    arguments: list[str] | None = None,
) -> int:
    """Run the command of a benchmark whose pieces are measured each in a process of its own.

    ``--only TEXT`` measures the pieces whose name holds it; with ``--keep FOLDER`` each is kept there, and one that is
    there already is not measured again.
    """
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--only", default="")
    parser.add_argument("--piece", default="")
    parser.add_argument("--keep", default="")
    options, others = parser.parse_known_args(arguments)
    if options.piece:
        print(json.dumps(run(options.piece)))  # noqa: T201 # what the parent process reads
        return 0

    def measure() -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for piece in pieces:
            if options.only not in piece:
                continue
            kept = Path(options.keep) / f"{name} {piece}.json" if options.keep else None
            if kept is not None and kept.exists():
                found = kept.read_text(encoding="utf-8")
            else:
                command = [sys.executable, "-m", f"interlingua.benchmarks.{name}", "--piece", piece]
                found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
                if kept is not None:
                    kept.write_text(found, encoding="utf-8")
            rows += json.loads(found)
        return rows

    return run_benchmark(name, measure, others)
