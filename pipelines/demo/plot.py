"""Draw vectors of many languages in two dimensions, before and after alignment."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import require
from interlingua.align.files import replacing_path


def draw_spaces(
    before: Mapping[str, NDArray[np.float32]],
    after: Mapping[str, NDArray[np.float32]],
    path: Path,
    *,
    seed: int = 0,
) -> Path:
    """Write a PNG of four panels: before and after alignment, coloured by language and by article.

    Parameters
    ----------
    before, after : mapping of str to (n, d) array
        The vectors of each language; row i is the same article in all.
    path : Path
        Where to write.
    seed : int
        For the projection.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    MissingExtraError
        If matplotlib or scikit-learn is missing (extra ``plot``).
    """
    require("matplotlib", extra="plot").use("Agg")
    pyplot = require("matplotlib.pyplot", extra="plot")
    languages = list(before)
    articles = len(next(iter(before.values())))
    by_language = np.repeat(np.arange(len(languages)), articles)
    by_article = np.tile(np.arange(articles), len(languages))
    figure, axes = pyplot.subplots(2, 2, figsize=(13, 12), layout="constrained")
    for row, (name, vectors) in enumerate((("before alignment", before), ("after centring each language", after))):
        points = flatten(np.concatenate(list(vectors.values())), seed=seed)
        _panel(axes[row, 0], points, by_language, f"{name}: one colour a language")
        _panel(axes[row, 1], points, by_article, f"{name}: one colour an article")
        for number in range(articles):
            _label(axes[row, 1], points[by_article == number], str(number + 1))
        if row == 0:  # afterwards languages have no place of their own
            for number, language in enumerate(languages):
                _label(axes[row, 0], points[by_language == number], language)
    title = f"Universal Declaration of Human Rights, {articles} articles in {len(languages)} languages"
    figure.suptitle(f"{title} (t-SNE of the vectors)")
    with replacing_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
    pyplot.close(figure)
    return path


def flatten(vectors: NDArray[np.float32], *, seed: int = 0) -> NDArray[np.float32]:
    """Return t-SNE coordinates (n, 2) of unit rows, started from their principal components.

    Neighbourhoods can be read from the picture, distances between clusters cannot.

    References
    ----------
    .. [1] van der Maaten and Hinton (2008), "Visualizing data using t-SNE", JMLR 9.
    """
    manifold = require("sklearn.manifold", extra="plot")
    perplexity = min(30, (len(vectors) - 1) / 3)
    method: Any = manifold.TSNE(metric="cosine", init="pca", perplexity=perplexity, random_state=seed)
    return np.asarray(method.fit_transform(vectors), np.float32)


def _panel(axis: Any, points: NDArray[np.float32], colours: NDArray[np.int64], title: str) -> None:
    axis.scatter(points[:, 0], points[:, 1], c=colours, cmap="nipy_spectral", s=9, linewidths=0)
    axis.set_title(title)
    axis.set_xticks([])
    axis.set_yticks([])


def _label(axis: Any, points: NDArray[np.float32], text: str) -> None:
    """Write the label at the point that is nearest to the group's median, so that it stands on the group."""
    median = np.median(points, axis=0)
    x, y = points[np.argmin(((points - median) ** 2).sum(axis=1))]
    box = {"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.8}
    axis.text(x, y, text, fontsize=8, ha="center", va="center", bbox=box)
