"""What names say: vectors of a multilingual encoder, groups of characters, and spellings."""

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .graph import KnowledgeGraph

if TYPE_CHECKING:
    from ..encoder import Encoder

__all__ = ["name_features", "name_spellings"]

_HASHED = 2048


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
        from ..encoder_loading import load_encoder

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
    return [*graph.names, *(name for _, name in graph.other_names)]


def _means(graph: KnowledgeGraph, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of each entity's names, of unit length."""
    if not graph.other_names:
        return vectors
    means = vectors[: len(graph)].copy()
    np.add.at(means, [row for row, _ in graph.other_names], vectors[len(graph) :])
    return np.asarray(means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12), np.float32)


def name_spellings(left: KnowledgeGraph, right: KnowledgeGraph) -> sparse.csr_array:
    """Return how all names are written, left ones first, (n + m, 2048): hashed groups of one to three characters.

    Rarer groups weigh more: log((1 + n) / (1 + names with the group)) + 1, in each graph; rows have unit length.
    """
    sides = []
    for graph in (left, right):
        counts = _hashed(graph.names, (1, 2, 3))
        names_with = np.bincount(counts.indices, minlength=_HASHED)
        counts.data *= (np.log((1 + len(graph.names)) / (1 + names_with)) + 1)[counts.indices].astype(np.float32)
        lengths = np.sqrt(np.asarray(counts.multiply(counts).sum(axis=1)).ravel())
        counts.data /= np.repeat(np.maximum(lengths, 1e-12), np.diff(counts.indptr)).astype(np.float32)
        sides.append(counts)
    return sparse.csr_array(sparse.vstack(sides, format="csr"))


def _hashed(names: Sequence[str], sizes: Sequence[int]) -> sparse.csr_array:
    """Return signed counts of the names' groups of characters, by hash, rows of unit length."""
    rows, columns, signs = [], [], []
    for row, name in enumerate(names):
        text = f" {unicodedata.normalize('NFKC', name).casefold()} "
        for size in sizes:
            for start in range(len(text) - size + 1):
                code = crc32(text[start : start + size].encode("utf-8", "surrogatepass"))
                rows.append(row)
                columns.append(code % _HASHED)
                signs.append(1.0 if code & 0x80000000 else -1.0)
    counts = sparse.csr_array((np.array(signs, np.float32), (rows, columns)), shape=(len(names), _HASHED))
    lengths = np.sqrt(np.asarray(counts.multiply(counts).sum(axis=1)).ravel())
    counts.data /= np.repeat(np.maximum(lengths, 1e-12), np.diff(counts.indptr)).astype(np.float32)
    return counts
