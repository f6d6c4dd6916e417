"""Draw vectors of many languages in two dimensions, before and after alignment."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import require
from interlingua.align.files import replacing_path

_PERPLEXITY, _EXAGGERATION, _EARLY, _STEPS = 30, 12, 100, 350


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
        If matplotlib is missing (extra ``plot``).
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

    Minimises KL(P || Q) by gradient descent, exactly: each of some hundred steps costs O(n^2). Neighbourhoods can be
    read from the picture, distances between clusters cannot.

    References
    ----------
    .. [1] van der Maaten and Hinton (2008), "Visualizing data using t-SNE", JMLR 9.
    """
    size = len(vectors)
    wanted = similarities(vectors, min(_PERPLEXITY, (size - 1) / 3))
    centred = vectors - vectors.mean(axis=0)
    _, values, axes = np.linalg.svd(centred, full_matrices=False)
    points = np.asarray(centred @ axes[:2].T * (1e-4 * size**0.5 / values[0]), np.float32)
    points += 1e-6 * np.random.default_rng(seed).standard_normal(points.shape, np.float32)  # equal rows part
    speed, gains = np.zeros_like(points), np.ones_like(points)
    rate = np.float32(max(size / _EXAGGERATION / 4, 50))
    for step in range(_STEPS):
        early = step < _EARLY
        slope = _slope(points, wanted * np.float32(_EXAGGERATION) if early else wanted)
        gains = np.where((slope > 0) != (speed > 0), gains + np.float32(0.2), gains * np.float32(0.8)).clip(0.01)
        speed = np.float32(0.5 if early else 0.8) * speed - rate * gains * slope
        points += speed
    return np.asarray(points - points.mean(axis=0), np.float32)


def similarities(vectors: NDArray[np.float32], perplexity: float) -> NDArray[np.float32]:
    """Return P (n, n) of unit rows: shares p(j|i) of a Gaussian around each, with that perplexity, made symmetric."""
    distances = 2 - 2 * (vectors @ vectors.T)
    np.fill_diagonal(distances, np.inf)
    distances -= distances.min(axis=1, keepdims=True)
    finite = np.where(np.isinf(distances), 0, distances)
    low, high = np.full((len(vectors), 1), 1e-3), np.full((len(vectors), 1), 1e7)
    for _ in range(40):
        middle = np.sqrt(low * high)  # of the precisions
        weights = np.exp(-middle.astype(np.float32) * distances)
        total = weights.sum(axis=1, keepdims=True)
        entropy = np.log(total) + middle * (weights * finite).sum(axis=1, keepdims=True) / total
        flat = entropy > np.log(perplexity)
        low, high = np.where(flat, middle, low), np.where(flat, high, middle)
    weights /= total
    joint = weights + weights.T
    return np.asarray(joint / joint.sum(), np.float32)


def _slope(points: NDArray[np.float32], wanted: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the gradient of KL(P || Q) for Student's kernel."""
    norms = np.einsum("ij,ij->i", points, points)
    near = points @ points.T
    near *= -2
    near += norms[:, None] + np.float32(1)
    near += norms
    np.reciprocal(near, out=near)
    np.fill_diagonal(near, 0)
    pull = wanted - near / near.sum()
    pull *= near
    return np.asarray(4 * (pull.sum(axis=1, keepdims=True) * points - pull @ points), np.float32)


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
