"""The points of a search: its vectors as they are searched, and as the encoder made them, in two dimensions."""

import numpy as np
from numpy.typing import NDArray

from interlingua.align.arrays import unit_rows
from interlingua.pipelines.search.languages import unmap_by_language
from interlingua.pipelines.search.search import CrossLingualSearch
from interlingua.pipelines.texts.passages import UNDETERMINED

_LEARNED = 20_000  # points that the axes are learned from


def drawn(
    search: CrossLingualSearch, limit: int, seed: int
) -> tuple[list[str], list[str], NDArray[np.float32], NDArray[np.float32] | None]:
    """Return ids, languages and mapped vectors of up to so many rows, and their vectors as the encoder made them.

    The last is None where no space maps them, or one that cannot be undone.
    """
    collection = search.collection
    ids = list(collection.ids)
    if len(ids) > limit:
        chosen = np.random.default_rng(seed).choice(len(ids), limit, replace=False)
        ids = [ids[place] for place in np.sort(chosen)]
    languages = [str(row.get("language", UNDETERMINED)) for row in collection.get(ids)]
    vectors = search.vectors(ids)
    raw = None if search.space is None else unmap_by_language(search.space, vectors, languages)
    return ids, languages, vectors, None if raw is None else np.asarray(unit_rows(raw), np.float32)


def flat(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the coordinates (n, 2) of vectors on their two main axes, between -1 and 1.

    Examples
    --------
    >>> flat(np.array([[1, 0, 0], [-1, 0, 0], [0, 0.5, 0], [0, -0.5, 0]], np.float32)).round(3).tolist()[0]
    [1.0, 0.0]
    """
    step = max(1, len(vectors) // _LEARNED)
    learned = vectors[::step].astype(np.float64)
    mean = learned.mean(axis=0)
    centred = learned - mean
    _, axes = np.linalg.eigh(centred.T @ centred)
    main = axes[:, ::-1][:, :2]
    if main.shape[1] < 2:
        main = np.pad(main, ((0, 0), (0, 2 - main.shape[1])))
    main = main * np.where(main.sum(axis=0) < 0, -1, 1)  # an axis has no direction of its own
    points = vectors @ main.astype(np.float32) - np.asarray(mean @ main, np.float32)
    return np.asarray(points / max(float(np.abs(points).max(initial=0)), 1e-12), np.float32)
