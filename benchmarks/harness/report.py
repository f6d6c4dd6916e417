"""Results as files, and the tables of README and docs made from them.

    python -m interlingua.benchmarks report           # write the tables anew
    python -m interlingua.benchmarks report --check   # exit 1 where a table is not what the results say
    python -m interlingua.benchmarks report --html REPORT.html [--results FOLDER]

A table stands between ``<!-- table NAME -->`` and ``<!-- end -->``: the rows of ``results/NAME.json``, one line for
each task, data and method, one column for each metric. ``<!-- table NAME | TEXT -->`` keeps the rows whose task is TEXT
or, where there is no such task, whose data, method or metric holds TEXT; several texts, with further bars, must each be
held.
"""

import json
import os
import platform
import re
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "results"
ITEMS = "items"  #: the folder beside results that holds the scores of single items
_KEYS = ("task", "data", "method", "metric", "value", "n", "command", "seconds", "peak_mb", "environment")
_MARKED = re.compile(r"<!-- table (?P<name>[\w-]+)(?P<filters>(?: \| [^|\n]+?)*) -->\n.*?<!-- end -->", re.DOTALL)
_PAGES = ("README.md", "docs")


def environment() -> dict[str, str]:
    """Return what a figure depends on beside the code: machine and library versions."""
    found = {"python": platform.python_version(), "machine": platform.machine(), "cores": str(os.cpu_count())}
    found |= {"system": platform.system(), "processor": _processor(), "threads": os.environ.get("OMP_NUM_THREADS", "")}
    found = {name: each for name, each in found.items() if each}
    for name in ("numpy", "scipy", "faiss-cpu", "torch", "transformers", "sentence-transformers"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@cache
def _processor() -> str:
    """Return the model of the processor, where the system says it."""
    told = Path("/proc/cpuinfo")
    named = re.search(r"^model name\s*: (.+)$", told.read_text(), re.MULTILINE) if told.exists() else None
    return named[1].strip() if named else platform.processor()


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


def write_results(
    name: str, rows: list[dict[str, Any]], *, others_stay: bool = False, folder: Path | None = None
) -> Path:
    """Write ``NAME.json`` whole or not at all into `folder`, by default that of the project, and return its path.

    With `others_stay`, rows that are there of other tasks, data, methods and metrics stay, in their places.
    """
    from interlingua.align.files import replacing

    for each in rows:
        if tuple(each) != _KEYS:
            raise ValueError(f"a result row has the keys {_KEYS}, but one has {tuple(each)}")
    folder = RESULTS if folder is None else folder
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    if others_stay and path.exists():
        fresh = {tuple(each.values())[:4]: each for each in rows}
        kept = [fresh.pop(tuple(each.values())[:4], each) for each in json.loads(path.read_text(encoding="utf-8"))]
        rows = [*kept, *fresh.values()]
    with replacing(path) as file:
        file.write(_lines(rows))
    return path


def write_items(path: Path, items: list[dict[str, Any]]) -> None:
    """Write the scores of single items beside the results `path`, or take those of an earlier run away."""
    from interlingua.align.files import replacing

    beside = path.parent / ITEMS / path.name
    if items:
        beside.parent.mkdir(exist_ok=True)
        with replacing(beside) as file:
            file.write(_lines(items))
    else:
        beside.unlink(missing_ok=True)


def _lines(rows: list[dict[str, Any]]) -> bytes:
    """Return JSON, a line a row, for diffs."""
    lines = ",\n".join(json.dumps(each, ensure_ascii=False) for each in rows)
    return f"[\n{lines}\n]\n".encode()


def render_cells(rows: list[dict[str, Any]]) -> list[list[str]]:
    """Return the cells of a table: a line for each task, data and method, a column for each metric; the head first."""
    metrics = list(dict.fromkeys(each["metric"] for each in rows))
    lines: dict[tuple[str, str, str], dict[str, Any]] = {}
    for each in rows:
        line = lines.setdefault((each["task"], each["data"], each["method"]), {})
        line[each["metric"]] = each["value"]
        line["n"] = each["n"]
    body = [
        [*key, *(_figure(line[metric]) if metric in line else "" for metric in metrics), str(line["n"])]
        for key, line in lines.items()
    ]
    return [["task", "data", "method", *metrics, "n"], *body]


def render_table(rows: list[dict[str, Any]]) -> str:
    """Return a Markdown table of the cells of `render_cells`."""
    head, *body = render_cells(rows)
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


def report(*, check: bool = False, html: Path | None = None, results: Path | None = None) -> int:
    """Write the tables below the current folder anew, or one page of HTML with all results.

    Parameters
    ----------
    check : bool
        Write nothing, and exit with 1 where a table is stale.
    html : Path, optional
        Write this page instead: every table, with plots, in one file that needs no other.
    results : Path, optional
        Folder of the results for `html`, by default those of the project.
    """
    from rich.console import Console

    if html is not None:
        from .page import write_page

        write_page(html, RESULTS if results is None else results)
        Console(stderr=True).print(f"written: {html}")
        return 0
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
    rows = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    tasks = {each["task"] for each in rows}
    for text in wanted:
        keys = ("data", "method", "metric")
        rows = [
            each for each in rows if (text == each["task"] if text in tasks else any(text in each[k] for k in keys))
        ]
    if not rows:
        raise ValueError(f"the table {name!r} has no row that holds {wanted}; see {RESULTS / name}.json")
    return f"<!-- table {name}{filters} -->\n{render_table(rows)}\n<!-- end -->"


def _figure(value: float) -> str:
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.4g}"
