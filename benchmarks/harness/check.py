"""Whether this code, on this machine, still gives the committed figures.

    python -m interlingua.benchmarks check                  # runs the quick benchmarks, some minutes
    python -m interlingua.benchmarks check NEW_RESULTS      # compares a folder that `all --results` wrote

Scores, counts and sizes are compared as they are, times as ratios within a table, each within its stated noise.
"""

import tempfile
from pathlib import Path

from rich.console import Console

from interlingua.pipelines.commands.output import table

from .compare import compare_results, differences_table
from .measure import run_apart
from .report import RESULTS

#: Benchmarks that take at most about a minute each, their texts encoded before.
QUICK = ("udhr", "multilingual", "ranking", "blse", "xcopa")


def check(results: Path | None = None, *, names: str = "", data: Path | None = None) -> int:
    """Compare figures with the committed ones; exit code 1 where one moved by more than its noise.

    Parameters
    ----------
    results : Path, optional
        Folder of new results; by default the quick benchmarks are run.
    names : str
        Benchmarks to run instead of the quick ones, separated by commas.
    data : Path, optional
        Folder of the data sets.
    """
    console = Console(width=None if Console().is_terminal else 200)
    if results is not None:
        return _judge(results, console)
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        for name in [each.strip() for each in names.split(",") if each.strip()] or QUICK:
            given = ["--results", folder, *(["--data", str(data)] if data else [])]
            code, last = run_apart(name, given)
            if code:
                failed.append((name, last or f"exit code {code}"))
        if failed:
            Console(stderr=True).print(table("failed", "why", rows=failed))
        found = _judge(Path(folder), console) if any(Path(folder).glob("*.json")) else 1
    return max(found, int(bool(failed)))


def _judge(results: Path, console: Console) -> int:
    found = compare_results(RESULTS, results)
    beyond = [each for each in found.differences if each.beyond]
    mine = {each.file for each in found.differences}
    gone = [each for each in found.only_old if each.partition(":")[0] in mine]
    if beyond:
        console.print(differences_table(beyond))
    for each in gone:
        console.print(f"not measured any more: {each}")
    alone = sum(each.kind == "time" and each.ratios is None for each in found.differences)
    told = f"{len(found.differences)} figures of {len(mine)} benchmarks compared, {alone} times alone left out"
    console.print(f"{told}: {len(beyond)} beyond their noise, {len(gone)} missing")
    return int(bool(beyond or gone))
