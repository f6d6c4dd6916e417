"""Results as files, and the tables of README and docs made from them.

    python -m interlingua.benchmarks report           # write the tables anew
    python -m interlingua.benchmarks report --check   # exit 1 where a table is not what the results say

A table stands between ``<!-- table NAME -->`` and ``<!-- end -->``: the rows of ``results/NAME.json``, one line for
each task, data and method, one column for each metric. ``<!-- table NAME | TEXT -->`` keeps the rows whose data, method
or metric holds TEXT or whose task is TEXT; several texts, with further bars, must each be held.
"""

import json
import os
import platform
import re
from importlib import metadata
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "results"
_KEYS = ("task", "data", "method", "metric", "value", "n", "command", "seconds", "peak_mb", "environment")
_MARKED = re.compile(r"<!-- table (?P<name>[\w-]+)(?P<filters>(?: \| [^|\n]+?)*) -->\n.*?<!-- end -->", re.DOTALL)
_PAGES = ("README.md", "docs")


def environment() -> dict[str, str]:
    """Return what a figure depends on beside the code: machine and library versions."""
    found = {"python": platform.python_version(), "machine": platform.machine(), "cores": str(os.cpu_count())}
    for name in ("numpy", "scipy", "faiss-cpu", "torch", "transformers", "sentence-transformers"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def row(
    *,
    task: str,
    data: str,
    method: str,
    metric: str,
    value: float,
    n: int,
    command: str,
    seconds: float,
    peak_mb: float | None = None,
) -> dict[str, Any]:
    """Return one result row; `value` is kept to six digits, `n` is what it was averaged over."""
    values = (task, data, method, metric, float(f"{value:.6g}"), n, command, round(seconds, 2))
    return dict(zip(_KEYS, (*values, peak_mb and round(peak_mb), environment())))


def write_results(name: str, rows: list[dict[str, Any]], *, others_stay: bool = False) -> Path:
    """Write ``results/NAME.json`` whole or not at all, and return its path.

    With `others_stay`, rows that are there of other tasks, data, methods and metrics stay, in their places.
    """
    from interlingua.align.files import replacing

    for each in rows:
        if tuple(each) != _KEYS:
            raise ValueError(f"a result row has the keys {_KEYS}, but one has {tuple(each)}")
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    if others_stay and path.exists():
        fresh = {tuple(each.values())[:4]: each for each in rows}
        kept = [fresh.pop(tuple(each.values())[:4], each) for each in json.loads(path.read_text(encoding="utf-8"))]
        rows = [*kept, *fresh.values()]
    with replacing(path) as file:
        lines = ",\n".join(json.dumps(each, ensure_ascii=False) for each in rows)  # a line a row, for diffs
        file.write(f"[\n{lines}\n]\n".encode())
    return path


def render_table(rows: list[dict[str, Any]]) -> str:
    """Return a Markdown table: a line for each task, data and method, a column for each metric."""
    metrics = list(dict.fromkeys(each["metric"] for each in rows))
    lines: dict[tuple[str, str, str], dict[str, Any]] = {}
    for each in rows:
        line = lines.setdefault((each["task"], each["data"], each["method"]), {})
        line[each["metric"]] = each["value"]
        line["n"] = each["n"]
    head = ["task", "data", "method", *metrics, "n"]
    body = [
        [*key, *(_figure(line[metric]) if metric in line else "" for metric in metrics), str(line["n"])]
        for key, line in lines.items()
    ]
    rule = ["---"] * 3 + ["---:"] * (len(head) - 3)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, rule, *body])


def update_tables(root: Path, *, check: bool = False) -> list[Path]:
    """Write the marked tables below `root` anew and return the pages that were not up to date.

    With `check` nothing is written.
    """
    stale = []
    for page in _pages(root):
        text = page.read_text(encoding="utf-8")
        fresh = _MARKED.sub(_filled, text)
        if fresh != text:
            stale.append(page)
            if not check:
                page.write_text(fresh, encoding="utf-8")
    return stale


def report(*, check: bool = False) -> int:
    """Write the tables below the current folder anew.

    Parameters
    ----------
    check : bool
        Write nothing, and exit with 1 where a table is stale.
    """
    from rich.console import Console

    stale = update_tables(Path.cwd(), check=check)
    for page in stale:
        Console(stderr=True).print(f"{'stale' if check else 'written'}: {page}")
    return int(check and bool(stale))


def _pages(root: Path) -> list[Path]:
    return [
        page
        for entry in _PAGES
        for page in (sorted((root / entry).rglob("*.md")) if (root / entry).is_dir() else [root / entry])
        if page.is_file()
    ]


def _filled(match: re.Match[str]) -> str:
    name, filters = match["name"], match["filters"]
    wanted = [each.strip() for each in filters.split("|") if each.strip()]
    rows = [
        each
        for each in json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
        if all(
            any(text in each[key] for key in ("data", "method", "metric")) or text == each["task"] for text in wanted
        )
    ]
    if not rows:
        raise ValueError(f"the table {name!r} has no row that holds {wanted}; see {RESULTS / name}.json")
    return f"<!-- table {name}{filters} -->\n{render_table(rows)}\n<!-- end -->"


def _figure(value: float) -> str:
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.4g}"
