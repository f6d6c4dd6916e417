"""All results as one page of HTML with plots, in one file: no script, no font, no picture from elsewhere."""

import html
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from .report import render_cells

_COLOURS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#8c564b",
    "#7f7f7f",
    "#9467bd",
    "#bcbd22",
)
_ROW, _LABEL, _WIDE, _RIGHT = 18, 360, 860, 60  # pixels
_MOST_ROWS, _CHARACTERS = 60, 58
_STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1b; --soft: #666; --line: #ddd; --paper: #fff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e8; --soft: #aaa; --line: #444; --paper: #161616; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
       margin: 0 auto; max-width: 60rem; padding: 1rem; }
h1, h2, h3 { line-height: 1.2; } h2 { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: 1rem; }
nav { columns: 12rem; } code { overflow-wrap: anywhere; } .soft { color: var(--soft); font-size: .9rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .85rem; }
td, th { padding: .15rem .5rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
td.figure, th.figure { text-align: right; font-variant-numeric: tabular-nums; }
figure { margin: 1rem 0; overflow-x: auto; } svg { max-width: 100%; min-width: 36rem; height: auto; }
svg text { font: 12px system-ui, sans-serif; fill: var(--ink); }
svg .soft { fill: var(--soft); } svg line { stroke: var(--line); } summary { cursor: pointer; margin: .5rem 0; }
.key { display: inline-block; width: .7em; height: .7em; border-radius: 50%; margin: 0 .3em 0 1em; }
"""


def write_page(path: Path, results: Path) -> None:
    """Write the results of a folder as one page.

    Parameters
    ----------
    path : Path
        The page; written whole or not at all.
    results : Path
        Folder of results files.

    Raises
    ------
    FileNotFoundError
        If the folder holds no results.
    """
    from interlingua.align.files import replacing

    files = sorted(results.glob("*.json"))
    if not files:
        raise FileNotFoundError(f"there are no results, NAME.json, in {results}")
    rows = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}
    with replacing(path) as file:
        file.write("".join(_page({name: each for name, each in rows.items() if each})).encode())


def _page(results: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    head = '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Figures of interlingua</title>\n'
    yield head + '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield f"<style>{_STYLE}</style></head>\n<body>\n<h1>Figures of interlingua</h1>\n"
    told = f"{sum(map(len, results.values()))} figures of {len(results)} benchmarks"
    yield f"<p>{told}. Each section says the command that gives its figures.</p>\n"
    yield "<nav>" + "<br>\n".join(f'<a href="#{_text(name)}">{_text(name)}</a>' for name in results) + "</nav>\n"
    for name, rows in results.items():
        yield from _section(name, rows)
    yield "</body></html>\n"


def _section(name: str, rows: list[dict[str, Any]]) -> Iterator[str]:
    yield f'<section>\n<h2 id="{_text(name)}">{_text(name)}</h2>\n'
    commands = list(dict.fromkeys(each["command"] for each in rows))
    more = f" and {len(commands) - 1} more" if len(commands) > 1 else ""
    yield f"<p><code>{_text(commands[0])}</code>{more}</p>\n"
    environments = Counter(", ".join(f"{key} {value}" for key, value in each["environment"].items()) for each in rows)
    for told, number in environments.most_common(2):
        yield f'<p class="soft">{_text(told)}{"" if len(environments) == 1 else f" ({number} figures)"}</p>\n'
    for task in dict.fromkeys(each["task"] for each in rows):
        mine = [each for each in rows if each["task"] == task]
        yield f"<h3>{_text(task)}</h3>\n"
        for metric in dict.fromkeys(each["metric"] for each in mine):
            yield from _plot(metric, [each for each in mine if each["metric"] == metric])
        yield f"<details><summary>Table: {_text(task)}</summary>\n{_table(mine)}</details>\n"
    yield "</section>\n"


def _table(rows: list[dict[str, Any]]) -> str:
    head, *body = render_cells(rows)

    def line(cells: Sequence[str], tag: str) -> str:
        kinds = ["" if place < 3 else ' class="figure"' for place in range(len(cells))]
        return "".join(f"<{tag}{kind}>{_text(cell)}</{tag}>" for cell, kind in zip(cells, kinds, strict=True))

    lines = [f"<tr>{line(head, 'th')}</tr>", *(f"<tr>{line(cells, 'td')}</tr>" for cells in body)]
    return '<div class="wide"><table>\n' + "\n".join(lines) + "\n</table></div>\n"


def _plot(metric: str, rows: list[dict[str, Any]]) -> Iterator[str]:
    """Yield a line of dots for each datum, a colour a method; where methods are many, a line for each figure."""
    methods = list(dict.fromkeys(each["method"] for each in rows))
    if len(rows) < 2:
        return
    coloured = 2 <= len(methods) <= len(_COLOURS) and len(rows) > len(methods)
    lines: dict[str, list[tuple[str, float, str]]] = {}
    for each in rows:
        label = each["data"] if coloured else ", ".join(dict.fromkeys((each["data"], each["method"])))
        colour = _COLOURS[methods.index(each["method"])] if coloured else _COLOURS[0]
        lines.setdefault(label, []).append((each["method"], float(each["value"]), colour))
    shown = dict(list(lines.items())[:_MOST_ROWS])
    yield f"<figure>\n<figcaption><strong>{_text(metric)}</strong>"
    if coloured:
        keys = zip(methods, _COLOURS, strict=False)
        yield "".join(f'<span class="key" style="background:{colour}"></span>{_text(name)}' for name, colour in keys)
    yield f"</figcaption>\n{_drawn(metric, shown)}"
    if len(shown) < len(lines):
        yield f'<p class="soft">The first {len(shown)} of {len(lines)} lines; the table has all.</p>\n'
    yield "</figure>\n"


def _drawn(metric: str, lines: dict[str, list[tuple[str, float, str]]]) -> str:
    values = [value for dots in lines.values() for _, value, _ in dots]
    low, high = min(0.0, *values), max(values) if max(values) > 0 else 1.0
    scale = (_WIDE - _LABEL - _RIGHT) / ((high - low) or 1.0)
    tall = _ROW * (len(lines) + 1)
    parts = [f'<svg viewBox="0 0 {_WIDE} {tall}" width="{_WIDE}" role="img" aria-label="{_text(metric)}">']
    for place, (label, dots) in enumerate(lines.items()):
        y = _ROW * place + _ROW / 2
        parts.append(f'<line x1="{_LABEL}" x2="{_WIDE - _RIGHT}" y1="{y}" y2="{y}"/>')
        short = label if len(label) <= _CHARACTERS else label[: _CHARACTERS - 1] + "…"
        parts.append(
            f'<text x="{_LABEL - 8}" y="{y + 4}" text-anchor="end">{_text(short)}<title>{_text(label)}</title></text>'
        )
        for method, value, colour in dots:
            told = f"<title>{_text(f'{label}, {method}: {value:.5g}')}</title>"
            x = _LABEL + scale * (value - low)
            parts.append(f'<circle cx="{x:.1f}" cy="{y}" r="4.5" fill="{colour}" fill-opacity=".85">{told}</circle>')
        if len(dots) == 1:
            x = _LABEL + scale * (dots[0][1] - low)
            parts.append(f'<text class="soft" x="{x + 8:.1f}" y="{y + 4}">{dots[0][1]:.4g}</text>')
    ends: Iterable[tuple[float, float]] = ((_LABEL, low), (_WIDE - _RIGHT, high))
    parts += [f'<text class="soft" x="{x}" y="{tall - 4}" text-anchor="middle">{value:.4g}</text>' for x, value in ends]
    return "\n".join([*parts, "</svg>\n"])


def _text(text: str) -> str:
    return html.escape(text)
