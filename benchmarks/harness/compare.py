"""Two runs side by side, and whether their differences are more than noise.

    python -m interlingua.benchmarks compare OLD NEW               # two files, or two folders of results
    python -m interlingua.benchmarks compare OLD NEW --only en-fr --differing

Rows belong together by task, data, method and metric. Where both runs kept the scores of single items (`--items`) in
the same order, the difference gets a 95 % interval: a paired bootstrap of the items (Efron 1979). Where they did not,
that is said, and the stated noise decides (see `noise`).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from interlingua.align.word.evaluation import Interval, bootstrap_interval
from interlingua.pipelines.commands.output import table

from .noise import Kind, noise
from .report import ITEMS

Key = tuple[str, str, str, str]


@dataclass(frozen=True)
class Difference:
    """One figure in two runs.

    Attributes
    ----------
    file : str
        Name of the results without its ending.
    key : (str, str, str, str)
        Task, data, method and metric.
    old, new : float
        The figures.
    kind : str
        Of the metric; see `noise`.
    within : float
        The stated noise; of a time, a factor.
    ratios : (float, float) or None
        Of a time, to the first line of its table, in both runs; None where there is no other line.
    interval : Interval or None
        Of new - old, by a paired bootstrap, where both runs kept the scores of single items.
    """

    file: str
    key: Key
    old: float
    new: float
    kind: Kind
    within: float
    ratios: tuple[float, float] | None = None
    interval: Interval | None = None

    @property
    def beyond(self) -> bool:
        """Whether the figure moved by more than its noise."""
        if self.kind == "time":
            if self.ratios is None:
                return False
            old, new = self.ratios
            return not 1 / self.within <= new / old <= self.within
        return abs(self.new - self.old) > self.within + 1e-9 or not np.isfinite(self.new - self.old)


@dataclass(frozen=True)
class Comparison:
    """What two runs have in common, and what only one has.

    Attributes
    ----------
    differences : tuple of Difference
        Of each figure that is in both.
    only_old, only_new : tuple of str
        ``FILE: task, data, method, metric`` of the others.
    """

    differences: tuple[Difference, ...]
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]


def compare_results(old: Path, new: Path) -> Comparison:
    """Return the figures of two results files, or of the files of equal names in two folders, side by side.

    Parameters
    ----------
    old, new : Path
        As `write_results` writes them.

    Raises
    ------
    FileNotFoundError
        If one is not there, or two folders have no file in common.
    ValueError
        If a file holds no results, or one is a file and the other a folder.
    """
    pairs = dict(_paired(old, new))
    differences: list[Difference] = []
    only: tuple[list[str], list[str]] = ([], [])
    for name, (first, second) in pairs.items():
        before, after = read_rows(first), read_rows(second)
        differences += _differences(name, before, after, (_items(first), _items(second)))
        for side, these, those in ((0, before, after), (1, after, before)):
            only[side].extend(f"{name}: {', '.join(key)}" for key in these if key not in those)
    return Comparison(tuple(differences), tuple(only[0]), tuple(only[1]))


def read_rows(path: Path) -> dict[Key, dict[str, Any]]:
    """Return the rows of a results file by task, data, method and metric.

    Raises
    ------
    ValueError
        If it holds something else.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        found = {(each["task"], each["data"], each["method"], each["metric"]): each for each in rows}
        for each in rows:
            float(each["value"]), int(each["n"])
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"{path} must be a JSON list of rows with task, data, method, metric, value and n, as a benchmark writes "
            f"it, but is not ({type(error).__name__}: {error})"
        ) from error
    return found


def compare(old: Path, new: Path, *, only: str = "", differing: bool = False) -> int:
    """Print two runs side by side.

    Parameters
    ----------
    old, new : Path
        Two results files, or two folders of them.
    only : str
        Rows whose file, task, data, method or metric holds this.
    differing : bool
        Only figures that moved by more than their noise.
    """
    found = compare_results(old, new)
    chosen = [each for each in found.differences if any(only in text for text in (each.file, *each.key))]
    shown = [each for each in chosen if each.beyond or not differing]
    console = Console(width=None if Console().is_terminal else 200)
    console.print(differences_table(shown))
    without = sum(each.interval is None and each.kind == "score" for each in chosen)
    console.print(f"{len(chosen)} figures in both, {sum(each.beyond for each in chosen)} moved by more than the noise")
    if without:
        console.print(f"{without} scores have no interval: run both sides with --items, where the benchmark keeps them")
    for side, names in (("the first", found.only_old), ("the second", found.only_new)):
        named = [each for each in names if only in each]
        if named:
            console.print(f"only in {side}: {len(named)}, such as {named[0]}")
    return 0


def differences_table(rows: list[Difference]) -> Any:
    """Return a table of figures side by side, to be printed."""
    return table(
        "results", "task", "data", "method", "metric", "first>", "second>", "difference>", "95 % interval", "noise",
        "beyond it",
        rows=(
            (each.file, *each.key, f"{each.old:.5g}", f"{each.new:.5g}", f"{each.new - each.old:+.3g}",
             f"{each.interval.low:+.3g} to {each.interval.high:+.3g}" if each.interval else "no scores of items",
             _noise_text(each), "yes" if each.beyond else "")
            for each in rows
        ),
    )  # fmt: skip


def _noise_text(each: Difference) -> str:
    if each.kind != "time":
        return f"{each.within:.3g}"
    if each.ratios is None:
        return "alone, not compared"
    return f"ratio {each.ratios[0]:.3g}, {each.ratios[1]:.3g}; factor {each.within:g}"


def _paired(old: Path, new: Path) -> Iterator[tuple[str, tuple[Path, Path]]]:
    for each in (old, new):
        if not each.exists():
            raise FileNotFoundError(f"there are no results at {each}")
    if old.is_dir() != new.is_dir():
        raise ValueError(f"two files or two folders can be compared, but {old} and {new} are one of each")
    if not old.is_dir():
        yield new.stem, (old, new)
        return
    names = sorted({each.name for each in old.glob("*.json")} & {each.name for each in new.glob("*.json")})
    if not names:
        raise FileNotFoundError(f"the folders {old} and {new} have no results of the same name")
    yield from ((name.removesuffix(".json"), (old / name, new / name)) for name in names)


def _items(path: Path) -> dict[Key, list[float]]:
    beside = path.parent / ITEMS / path.name
    if not beside.exists():
        return {}
    rows = json.loads(beside.read_text(encoding="utf-8"))
    return {(each["task"], each["data"], each["method"], each["metric"]): each["scores"] for each in rows}


def _differences(
    name: str,
    before: dict[Key, dict[str, Any]],
    after: dict[Key, dict[str, Any]],
    items: tuple[dict[Key, list[float]], dict[Key, list[float]]],
) -> Iterator[Difference]:
    """Yield a difference for each figure in both; a time has its ratio to the first time of its task, data, metric."""
    first: dict[tuple[str, str, str], Key] = {}
    for key, row in before.items():
        if key not in after:
            continue
        old, new = float(row["value"]), float(after[key]["value"])
        stated = noise(key[3], old, int(row["n"]))
        ratios = None
        if stated.kind == "time":
            base = first.setdefault((key[0], key[1], key[3]), key)
            under = float(before[base]["value"]), float(after[base]["value"])
            if base != key and min(*under, old, new) > 0:
                ratios = old / under[0], new / under[1]
        interval = _interval(items[0].get(key, []), items[1].get(key, []))
        yield Difference(name, key, old, new, stated.kind, stated.within, ratios, interval)


def _interval(old: list[float], new: list[float]) -> Interval | None:
    if not old or len(old) != len(new):
        return None
    return bootstrap_interval(np.asarray(new) - np.asarray(old))
