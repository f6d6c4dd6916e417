"""What names say: vectors of a multilingual encoder, groups of characters, and which are alike letter by letter."""

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from interlingua.align.matching import Candidates
from interlingua.align.matching.scores import best_of_groups
from interlingua.pipelines.texts.characters import count_groups, groups, hashed_groups, rarity, weighted

from .graph import KnowledgeGraph

if TYPE_CHECKING:
    from interlingua.pipelines.encoders.base import Encoder

_HASHED = 2048
_SIZES = (2, 3)
_ROWS_AT_ONCE = 500


def name_features(
    left: KnowledgeGraph,
    right: KnowledgeGraph,
    features: Sequence[str],
    encoder: "Encoder | None" = None,
    *,
    progress: bool = False,
) -> NDArray[np.float32] | None:
    """Return features of all entities, left ones first, (n + m, d), each graph centred; None where none are asked for.

    `features` may hold "names", through the encoder, and "characters", hashed groups of two and three. An entity of
    several names has their mean.
    """
    blocks = []
    if "names" in features:
        from interlingua.pipelines.encoders.load import load_encoder

        encoder = load_encoder() if encoder is None else encoder
        blocks.append([_means(graph, encoder.encode(_all_names(graph), progress=progress)) for graph in (left, right)])
    if "characters" in features:
        blocks.append([_means(graph, _hashed(_all_names(graph), (2, 3)).toarray()) for graph in (left, right)])
    if not blocks:
        return None
    both = []
    for parts in blocks:
        centred = [part - part.mean(axis=0) for part in parts]
        joined = np.concatenate(centred)
        both.append(joined / np.maximum(np.linalg.norm(joined, axis=1, keepdims=True), 1e-12))
    stacked: NDArray[np.float32] = np.concatenate(both, axis=1).astype(np.float32)
    return stacked


def _all_names(graph: KnowledgeGraph) -> list[str]:
    return [*graph.names, *(name for _, name, _ in graph.other_names)]


def _means(graph: KnowledgeGraph, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of each entity's names, of unit length."""
    if not graph.other_names:
        return vectors
    means = vectors[: len(graph)].copy()
    np.add.at(means, [row for row, *_ in graph.other_names], vectors[len(graph) :])
    return np.asarray(means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12), np.float32)


def name_spellings(left: KnowledgeGraph, right: KnowledgeGraph) -> sparse.csr_array:
    """Return how all names are written, left ones first, (n + m, 2048): hashed groups of one to three characters.

    Rarer groups weigh more: log((1 + n) / (1 + names with the group)) + 1, in each graph; rows have unit length.
    """
    sides = []
    for graph in (left, right):
        counts = _hashed(graph.names, (1, 2, 3))
        sides.append(weighted(counts, rarity(counts)))
    return sparse.csr_array(sparse.vstack(sides, format="csr"))


def _hashed(names: Sequence[str], sizes: Sequence[int]) -> sparse.csr_array:
    """Return signed counts of the names' groups of characters, by hash, rows of unit length."""
    rows = [[_padded(name)] for name in names]
    return weighted(count_groups(hashed_groups(rows, sizes), _HASHED, signed=True))


def _padded(name: str) -> str:
    return f" {unicodedata.normalize('NFKC', name).casefold()} "


def similar_names(left: Sequence[str], right: Sequence[str], *, k: int = 20, least: float = 0.2) -> Candidates:
    """Return the cosines of the names' groups of two and three characters, rare groups weighing more.

    A group weighs log((1 + names) / (1 + names with it)) + 1, over both sides.

    Parameters
    ----------
    left, right : sequence of str
    k : int
        At most so many of each name, either way.
    least : float
        Pairs below are left out.

    Returns
    -------
    Candidates

    Examples
    --------
    >>> found = similar_names(["香港 1997", "巴黎"], ["Paris", "Hong Kong 1997"])
    >>> found.rows.tolist(), found.columns.tolist()
    ([0], [1])
    """
    first, second = _weighed(left, right)
    shape = (len(left), len(right))
    rows, columns, scores = _nearest_names(first, second, k, least)
    other_columns, other_rows, other_scores = _nearest_names(second, first, k, least)
    codes = np.concatenate([rows * shape[1] + columns, other_rows * shape[1] + other_columns])
    codes, kept = np.unique(codes, return_index=True)
    found = np.minimum(np.concatenate([scores, other_scores])[kept], np.float32(1))
    rows, columns = np.divmod(codes, max(shape[1], 1))
    return Candidates(rows, columns, found, shape)


def _weighed(left: Sequence[str], right: Sequence[str]) -> tuple[sparse.csr_array, sparse.csr_array]:
    vocabulary: dict[str, int] = {}
    rows = [
        [vocabulary.setdefault(group, len(vocabulary)) for group in groups(_padded(name), _SIZES)]
        for name in (*left, *right)
    ]
    counts = count_groups(rows, max(len(vocabulary), 1))
    both = weighted(counts, rarity(counts))
    return both[: len(left)], both[len(left) :]


def _nearest_names(
    own: sparse.csr_array, other: sparse.csr_array, k: int, least: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Return the k best of each row of own other', those of `least` or more."""
    turned = sparse.csr_array(other.T)
    found = []
    for start in range(0, own.shape[0], _ROWS_AT_ONCE):
        block = sparse.coo_array(own[start : start + _ROWS_AT_ONCE] @ turned)
        high = block.data >= least
        rows, columns, scores = block.row[high], block.col[high], block.data[high]
        kept = best_of_groups(scores, rows, k, ties=columns)
        found.append((rows[kept].astype(np.int64) + start, columns[kept].astype(np.int64), scores[kept]))
    if not found:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32)
    rows, columns, scores = (np.concatenate(part) for part in zip(*found, strict=True))
    return rows.astype(np.int64), columns.astype(np.int64), scores.astype(np.float32)
