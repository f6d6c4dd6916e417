"""How near passages are to everything in their language: what CSLS takes from their score."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from interlingua.align import top_k

__all__ = ["measure_hubness", "rows_by_language", "sample_languages", "typical_hubness"]

_SAMPLE = 2048
_SAME = 1 - 1e-5


def sample_languages(
    vectors: NDArray[np.float32], languages: Sequence[str], *, neighborhood: int, seed: int
) -> dict[str, NDArray[np.float32]]:
    """Return for each language with more than `neighborhood` vectors at most 2,048 of them.

    With fewer, what is measured says more about the few than about hubs: of three texts, an exact match may come last.
    """
    rng = np.random.default_rng(seed)
    return {
        language: vectors[np.sort(rng.permutation(rows)[:_SAMPLE])]
        for language, rows in rows_by_language(languages).items()
        if len(rows) > neighborhood
    }


def measure_hubness(
    vectors: NDArray[np.float32],
    languages: Sequence[str],
    background: Mapping[str, NDArray[np.float32]],
    neighborhood: int,
) -> NDArray[np.float32]:
    """Return the mean cosine of each row and the nearest background rows of its language, itself left out.

    Parameters
    ----------
    vectors : (n, d) array
        Unit rows.
    languages : sequence of n str
        Their languages.
    background : mapping of str to (b, d) array
        From `sample_languages`.
    neighborhood : int
        Neighbours in the mean; where there are fewer, all.

    Returns
    -------
    (n,) array of float32
        NaN for rows of a language without a background.
    """
    hubness = np.full(len(vectors), np.nan, np.float32)
    for language, rows in rows_by_language(languages).items():
        if language not in background:
            continue
        found = top_k(vectors[rows], background[language], neighborhood + 1).scores
        # subtle: a row that is in the background finds itself first
        itself = found[:, 0] > _SAME
        hubness[rows] = np.where(itself, found[:, 1:].mean(axis=1), found[:, :neighborhood].mean(axis=1))
    return hubness


def typical_hubness(background: Mapping[str, NDArray[np.float32]], neighborhood: int) -> float:
    """Return the mean hubness of the background itself: what neither raises nor lowers a passage."""
    measured = [
        measure_hubness(rows, [name] * len(rows), background, neighborhood) for name, rows in background.items()
    ]
    return float(np.concatenate(measured).mean()) if measured else 0.0


def rows_by_language(languages: Sequence[str]) -> dict[str, list[int]]:
    """Return the rows of each language, in the order of first appearance."""
    groups: dict[str, list[int]] = {}
    for row, language in enumerate(languages):
        groups.setdefault(language, []).append(row)
    return groups
