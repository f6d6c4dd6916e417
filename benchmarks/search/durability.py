"""What a collection on disk withstands: killed writers, damaged files, readers beside a writer.

    python -m interlingua.benchmarks.search.durability  # 50 kills, 500 damaged files, 8 readers for 5 minutes
    python -m interlingua.benchmarks.search.durability --only killed  # one part; other rows stay

1. Writers are killed (SIGKILL) inside add, upsert, remove, compact and save; what is on the disk is compared with what
   they had acknowledged (`kill_writers`). A kill ends a process, not the machine: power cuts are not measured.
2. Files of saved collections of every kind of index are damaged and loaded in processes of their own (`damage_files`).
3. One writer and eight readers, each a process of one thread, work on one folder (`read_and_write`).

Exit status 1 if a row is lost, doubled or torn, damage is not refused by name, or a reader sees an error or a wrong
result.
"""

import argparse
import json
import os
import sys
from collections import Counter
from typing import Any

from interlingua.benchmarks.harness.measure import peak_mb, run_benchmark, watch
from interlingua.benchmarks.harness.report import RESULTS, row

from .concurrent_readers import read_and_write
from .damaged_files import KINDS, OUTCOMES, damage_files
from .killed_writers import CALLS, HUB_KINDS, kill_writers
from .killed_writers import KINDS as KILLED_KINDS

_COMMAND = "python -m interlingua.benchmarks.search.durability"
_TASKS = {"killed": "killed writers", "damaged": "damaged files", "readers": "reading while writing"}
_KILLS = ("inside the call", "acknowledged calls", "rows lost or outdated", "rows doubled", "torn calls",
          "verify problems", "not there", "there")  # fmt: skip
_READERS = ("changes", "saves", "problems after", "states", "searches", "errors", "wrong results")
_MUST_BE_ZERO = {"rows lost or outdated", "rows doubled", "torn calls", "verify problems", "refused without name",
                 "loaded unnoticed", "process crashed", "problems after", "errors", "wrong results"}  # fmt: skip

Row = dict[str, Any]


def measure_killed(n_kills: int = 50) -> list[Row]:
    """Return the rows of the first part."""
    rows = []
    for kinds, what in ((KILLED_KINDS, "5 kinds of index"), (HUB_KINDS, "3 kinds of hub-corrected index")):
        with watch() as passed:
            killed = kill_writers(n_kills, kinds=kinds)
        data = f"{what}, calls of 100 x 128"
        for call in CALLS:
            rows += _rows(_TASKS["killed"], data, f"SIGKILL in {call}", killed[call], _KILLS, passed.seconds)
    return rows


def measure_damaged(n_damaged: int = 500) -> list[Row]:
    """Return the rows of the second part."""
    rows = []
    for place, kind in enumerate(KINDS):
        share = n_damaged // len(KINDS) + (place < n_damaged % len(KINDS))
        with watch() as passed:
            outcomes = damage_files(kind, share)
        data = f"{kind}, with journal"
        rows += _rows(_TASKS["damaged"], data, "load", outcomes, OUTCOMES, passed.seconds, n=share)
    return rows


def measure_readers(n_readers: int = 8, seconds: float = 300.0) -> list[Row]:
    """Return the rows of the third part."""
    with watch() as passed:
        parties = read_and_write(seconds, n_readers)
    rows = []
    for party, counts in parties.items():
        data = f"1 writer, {n_readers} readers, {seconds:.0f} s, faiss-flat"
        names = tuple(name for name in _READERS if name in counts)
        n = 1 if party == "writer" else n_readers // 2
        rows += _rows(_TASKS["readers"], data, party, counts, names, passed.seconds, n=n)
    return rows


def is_good(each: Row) -> bool:
    """Return whether a row says that nothing went wrong."""
    return each["metric"] not in _MUST_BE_ZERO or each["value"] == 0


def main(arguments: list[str] | None = None) -> int:
    """Measure, write `results/durability.json`, and return 1 if anything went wrong."""
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that are started
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--only", choices=list(_TASKS))
    options, rest = parser.parse_known_args(arguments)
    parts = {"killed": measure_killed, "damaged": measure_damaged, "readers": measure_readers}
    bad: list[Row] = []

    def measured() -> list[Row]:
        path = RESULTS / "durability.json"
        before: list[Row] = json.loads(path.read_text(encoding="utf-8")) if options.only else []
        rows = []
        for part, measure in parts.items():
            if options.only in (None, part):
                rows += measure()
            else:
                rows += [each for each in before if each["task"] == _TASKS[part]]
        bad.extend(each for each in rows if not is_good(each))
        return rows

    return run_benchmark("durability", measured, rest) or int(bool(bad))


def _rows(
    task: str, data: str, method: str, counts: Counter[str], names: tuple[str, ...], seconds: float, n: int = 0
) -> list[Row]:
    common: dict[str, Any] = {"task": task, "data": data, "method": method, "n": n or counts["kills"]}
    common |= {"command": _COMMAND, "seconds": seconds, "peak_mb": peak_mb()}
    return [row(**common, metric=name, value=counts[name]) for name in names]


if __name__ == "__main__":
    sys.exit(main())
