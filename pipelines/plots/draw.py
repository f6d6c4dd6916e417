"""Draw points and tables of shares, and write them as PNG, SVG or a page of HTML."""

import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import require
from interlingua.align.files import replacing_path

ENDINGS = (".png", ".svg", ".html")
_LABELLED = 16  # names of a side up to which cells say their share
_CELL, _MARGIN, _TITLES = 0.5, 2.0, 0.7  # inches
_DPI = 130
_MANY = 2000  # points, which are drawn smaller


def draw_points(panels: Mapping[str, NDArray[np.float32]], labels: Sequence[str], path: str | Path) -> Path:
    """Write panels of points beside each other, one colour a label.

    Parameters
    ----------
    panels : mapping of str to (n, 2) array
        By what is said above each.
    labels : sequence of n str
        Of the points, in all panels.
    path : str or Path
        The ending tells the format: .png, .svg or .html.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    ValueError
        For another ending.
    MissingExtraError
        If matplotlib is missing (extra ``plot``).
    """
    pyplot = _pyplot(path)
    names = list(dict.fromkeys(labels))
    of = np.array([names.index(each) for each in labels])
    colours = pyplot.get_cmap("tab20" if len(names) <= 20 else "nipy_spectral")
    figure, axes = pyplot.subplots(1, len(panels), figsize=(6 * len(panels), 6.4), layout="constrained", squeeze=False)
    for axis, (title, points) in zip(axes[0], panels.items(), strict=True):
        for number, name in enumerate(names):
            shade = colours(number % 20 if len(names) <= 20 else number / len(names))
            axis.scatter(
                *points[of == number].T,
                s=6 if len(of) > _MANY else 16,
                linewidths=0,
                color=shade,
                label=name,
                alpha=0.8,
            )
        axis.set_title(title)
        axis.set_xticks([])
        axis.set_yticks([])
        axis.set_aspect("equal", "datalim")
    handles, told = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, told, loc="outside lower center", ncols=min(12, len(names)), fontsize=8, markerscale=2)
    return _written(pyplot, figure, Path(path), "Points of a space")


def draw_shares(
    panels: Mapping[str, NDArray[np.float64]],
    rows: Sequence[str],
    columns: Sequence[str],
    path: str | Path,
    *,
    sides: tuple[str, str],
) -> Path:
    """Write tables of shares beside each other as heat maps.

    Parameters
    ----------
    panels : mapping of str to (r, c) array
        Shares from 0 to 1 by what is said above each; NaN is left blank.
    rows, columns : sequence of str
    path : str or Path
        As in `draw_points`.
    sides : (str, str)
        What the columns and the rows are.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    ValueError, MissingExtraError
        As `draw_points`.
    """
    pyplot = _pyplot(path)
    wide, high = (max(3.4, _CELL * len(each) + _MARGIN) for each in (columns, rows))
    figure, axes = pyplot.subplots(
        1, len(panels), figsize=(wide * len(panels), high + _TITLES), layout="constrained", squeeze=False
    )
    for axis, (title, shares) in zip(axes[0], panels.items(), strict=True):
        axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axis.set_xticks(range(len(columns)), columns, rotation=90 if len(columns) > 6 else 0)
        axis.set_yticks(range(len(rows)), rows)
        axis.set_xlabel(sides[0])
        axis.set_ylabel(sides[1])
        axis.set_title(title, fontsize=10)
        if max(len(rows), len(columns)) > _LABELLED:
            continue
        for (row, column), share in np.ndenumerate(shares):
            if np.isfinite(share):
                shade = "white" if share > 0.6 else "black"
                axis.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=8, color=shade)
    return _written(pyplot, figure, Path(path), "Shares in percent")


def check_ending(path: str | Path) -> str:
    """Return the ending of a picture's name, or raise ValueError with those that there are."""
    ending = Path(path).suffix.lower()
    if ending not in ENDINGS:
        raise ValueError(f"a picture is called {', '.join('*' + each for each in ENDINGS)}, but got {path}")
    return ending


def _pyplot(path: str | Path) -> Any:
    check_ending(path)
    require("matplotlib", extra="plot").use("Agg")
    return require("matplotlib.pyplot", extra="plot")


def _written(pyplot: Any, figure: Any, path: Path, title: str) -> Path:
    ending = check_ending(path)
    if ending == ".png":
        with replacing_path(path) as temporary:
            figure.savefig(temporary, format="png", dpi=_DPI)
    else:
        with pyplot.rc_context({"svg.hashsalt": "interlingua", "svg.fonttype": "none"}):
            drawn = io.StringIO()
            figure.savefig(drawn, format="svg", metadata={"Date": None})
        text = drawn.getvalue()
        if ending == ".html":
            inside = text[text.index("<svg") :]
            head = '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            head += f"<title>{html.escape(title)}</title></head>"
            text = f"{head}\n<body>\n{inside}\n</body></html>\n"
        with replacing_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    pyplot.close(figure)
    return path
