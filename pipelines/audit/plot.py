"""Draw an audit: who finds whom, and by how much a language outscores the others."""

from pathlib import Path
from typing import Any

import numpy as np

from interlingua.align.arrays import require
from interlingua.align.files import replacing_path
from interlingua.align.language import LanguageBias

from .measure import Audit

_CELL, _MARGIN = 0.52, 1.6
_LABELLED = 14


def draw_audit(audit: Audit, path: Path) -> Path:
    """Write a PNG: a heat map of answers' languages for each query language, and the score offsets.

    Where methods were compared, they all stand beside the raw vectors, the recommended one first.

    Parameters
    ----------
    audit : Audit
    path : Path
        Where to write.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    MissingExtraError
        If matplotlib is missing (extra ``plot``).
    """
    require("matplotlib", extra="plot").use("Agg")
    pyplot = require("matplotlib.pyplot", extra="plot")
    shown = {"raw": audit.raw}
    if audit.methods:
        shown[audit.recommended] = audit.methods[audit.recommended]
        shown |= audit.methods
    side = max(3.2, _CELL * len(audit.raw.languages) + _MARGIN)
    figure, axes = pyplot.subplots(
        1, len(shown) + 1, figsize=(side * (len(shown) + 1) + 0.8, side + 0.6), layout="constrained"
    )
    picture: Any = None
    for axis, (name, each) in zip(axes, shown.items()):
        picture = _heat_map(axis, name, each)
    bar = figure.colorbar(picture, ax=list(axes[: len(shown)]), shrink=0.8)
    bar.ax.set_title("share\nof hits", fontsize=8)  # beside the bar it would read as a label of the next panel
    _offsets(axes[-1], shown)
    with replacing_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=130)
    pyplot.close(figure)
    return path


_COLOURS = ("#08519c", "#fdae6b", "#74c476", "#9e9ac8", "#fb6a4a", "#969696", "#dd1c77")


def _heat_map(axis: Any, name: str, each: LanguageBias) -> Any:
    languages = each.languages
    picture = axis.imshow(each.shares, cmap="Blues", vmin=0, vmax=1)
    axis.set_xticks(range(len(languages)), languages, rotation=90 if len(languages) > _LABELLED else 0)
    axis.set_yticks(range(len(languages)), languages)
    axis.set_xlabel("language of the hits")
    axis.set_ylabel("language of the question")
    axis.set_title(
        f"{name}: {100 * each.same_language_share:.0f} % own language\nin the first {each.k}, "
        f"fair {100 * each.fair_share:.0f} %",
        fontsize=10,
    )
    if len(languages) <= _LABELLED:
        for (row, column), share in np.ndenumerate(each.shares):
            if np.isfinite(share):
                colour = "white" if share > 0.6 else "black"
                axis.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=8, color=colour)
    return picture


def _offsets(axis: Any, shown: dict[str, LanguageBias]) -> None:
    languages = next(iter(shown.values())).languages
    height = 0.8 / len(shown)
    for number, (name, each) in enumerate(shown.items()):
        places = np.arange(len(languages)) + (number - (len(shown) - 1) / 2) * height
        axis.barh(places, np.nan_to_num(each.score_offsets), height, label=name, color=_COLOURS[number % len(_COLOURS)])
    axis.set_yticks(range(len(languages)), languages)
    axis.invert_yaxis()
    axis.axvline(0, color="black", linewidth=0.8)
    axis.set_xlabel("cosine")
    axis.set_title("by how much the nearest texts in the\nquestion's language outscore the others", fontsize=10)
    if len(shown) > 1:
        axis.legend(loc="best", fontsize=8)
