"""The nodes of a graph: equal vectors share one.

A node is linked to its nearest neighbours. Those of a vector that is there a thousand times would be its equals, and no
link would lead on to others. So a graph holds each vector once, and beside it stands which positions have it.

Vectors are equal if they are so as they are kept: two that give the same bytes are. They are found by a hash of each
node, 8 bytes, which is measured when vectors are first added and not saved.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .scan import load_faiss
from .training import flat_rows, lookup_storage

_BLOCK = 4096  # vectors that are hashed or compared at a time
_HASHES = 1 << 20  # that are looked at at a time
_ROOM = 8  # places in a table of what is looked for, for each
_LEAST_ROOM = 1024
_FEW = 8  # hashes that are looked for one by one
_MIX = np.uint64(0x9E3779B97F4A7C15)  # odd, and its bits are as good as random


class Nodes:
    """Which node holds the vector of each position.

    While nothing repeats, position and node are the same number, and only hashes are kept.

    Parameters
    ----------
    of : (n,) array of int64, optional
        The node of each position; None where they are the same.

    Examples
    --------
    >>> nodes = Nodes(np.array([0, 1, 0]))
    >>> nodes.at(np.array([2, 1])).tolist()
    [0, 1]
    >>> found, scores = np.array([[1, 0]]), np.array([[0.5, 0.25]], dtype=np.float32)
    >>> [each.tolist() for each in nodes.rows(found, scores, 4)]
    [[[1, 0, 2, -1]], [[0.5, 0.25, 0.25, -inf]]]
    """

    def __init__(self, of: NDArray[np.int64] | None = None) -> None:
        self._of = of
        self._hashes: NDArray[np.uint64] | None = None  # of each node; None where they are to be measured
        self._groups: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None  # positions by node; where each begins

    @property
    def of(self) -> NDArray[np.int64] | None:
        """The node of each position; None where they are the same."""
        return self._of

    def at(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the node of each position."""
        return positions if self._of is None else self._of[positions]

    def put(self, index: Any, vectors: NDArray[np.float32]) -> None:
        """Put vectors (n, d), as long as the graph wants them, at the next positions; each new one makes a node."""
        start, kept = int(index.ntotal), _coded(index, vectors)
        if self._hashes is None:
            self._hashes = _hashes(_kept(index))
        hashes = _hashes(kept)
        nodes = _first_of(self._hashes, hashes)
        there = np.flatnonzero(nodes >= 0)
        if len(there):
            nodes[there[~_equal(_kept(index), nodes[there], kept, there)]] = -1
        first = _first_equal(kept, hashes)
        fresh = (nodes < 0) & (first == np.arange(len(first)))
        nodes = np.where(nodes < 0, (start - 1 + np.cumsum(fresh))[first], nodes)
        if fresh.all():
            index.add(vectors)
        elif fresh.any():
            index.add(vectors[fresh])
        self._hashes = np.concatenate([self._hashes, hashes[fresh]])
        if self._of is not None or not fresh.all():
            self._of = np.concatenate([np.arange(start) if self._of is None else self._of, nodes])
            self._groups = None

    def forget_codes(self) -> None:
        """Note that what the graph keeps of its vectors has changed."""
        self._hashes = None

    def repeat(self, index: Any) -> bool:
        """Return whether two nodes hold equal vectors, as in graphs that were saved when each position had a node."""
        if self._hashes is None:
            self._hashes = _hashes(_kept(index))
        return len(np.unique(self._hashes)) < len(self._hashes)

    def held(self, rows: NDArray[np.bool_], n_nodes: int) -> NDArray[np.bool_]:
        """Return which nodes hold a vector of the positions where `rows` is true."""
        if self._of is None:
            return rows
        mask = np.zeros(n_nodes, dtype=bool)
        mask[self._of[rows]] = True
        return mask

    def rows(
        self,
        found: NDArray[np.int64],
        scores: NDArray[np.float32],
        k: int,
        allowed: NDArray[np.bool_] | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the k best positions of found nodes (n, m), -1 for none, those of one node in their order.

        Parameters
        ----------
        found : (n, m) array
        scores : (n, m) array
        k : int
        allowed : (p,) array of bool, optional
            Which of all positions may be returned.

        Returns
        -------
        (n, k) array of int64, (n, k) array of float32
            Positions, -1 where there is none, and the scores of their nodes.
        """
        if self._of is None:
            return found, scores
        nodes, which = np.unique(found, return_inverse=True)
        positions, counts = self._positions(self._of, nodes, k, allowed)
        which = which.reshape(found.shape)
        here = counts[which]
        before = np.cumsum(here, axis=1) - here
        taken = np.minimum(here, (k - before).clip(min=0))
        each = taken.ravel()
        within = _steps(each)
        row = np.repeat(np.arange(len(found)), taken.sum(axis=1))
        column = within + np.repeat(before.ravel(), each)
        best = np.full((len(found), k), -1, dtype=np.int64)
        values = np.full((len(found), k), -np.inf, dtype=np.float32)
        best[row, column] = positions[within + np.repeat((np.cumsum(counts) - counts)[which].ravel(), each)]
        values[row, column] = np.repeat(scores.ravel(), each)
        return best, values

    def distinct(self, positions: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the nodes of positions, each once and in the order of its first one, and which of them each has."""
        if self._of is None:
            return positions, np.arange(len(positions))
        nodes, first, which = np.unique(self._of[positions], return_index=True, return_inverse=True)
        order = np.argsort(first)
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        return nodes[order], rank[which]

    def taken(self, positions: NDArray[np.int64]) -> "Nodes":
        """Return what holds of these positions, in their order, when all others are gone; it may not be all nodes."""
        of = self.at(positions)
        left = Nodes(None if np.array_equal(of, np.arange(len(of))) else of)
        left._hashes = self._hashes
        return left

    def ids_by_node(self, ids: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """Return the id of each node, -1 where it has none, from those of positions; None where one has several."""
        if self._of is None:
            return ids
        living = np.flatnonzero(ids >= 0)
        counts = np.bincount(self._of)
        if len(living) and np.bincount(self._of[living]).max() > 1:
            return None
        own = np.full(len(counts), -1, dtype=np.int64)
        own[self._of[living]] = ids[living]
        return own

    def _positions(
        self, of: NDArray[np.int64], nodes: NDArray[np.int64], k: int, allowed: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the positions of distinct nodes (n,), one after the other, and how many each has: none, of -1.

        Those that are not allowed are left out; where all are, those after the first k.
        """
        groups = self._groups
        if groups is None:
            groups = self._groups = np.argsort(of, kind="stable"), np.concatenate([[0], np.cumsum(np.bincount(of))])
        positions, starts = groups
        counts = np.where(nodes < 0, 0, starts[nodes + 1] - starts[nodes])
        if allowed is None:
            counts = np.minimum(counts, k)
        found = positions[_steps(counts) + np.repeat(starts[nodes], counts)]
        if allowed is None:
            return found, counts
        left = allowed[found]
        return found[left], np.bincount(np.repeat(np.arange(len(nodes)), counts)[left], minlength=len(nodes))


def _steps(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return 0, 1, ... as far as each count says, one after the other."""
    return np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)


def read_nodes(path: Path, index: Any, n_positions: int) -> Nodes:
    """Return the nodes in a file, of a graph that was read.

    Raises
    ------
    ValueError
        If it does not name a node of the graph for each position, and each node.
    """
    of = np.load(path, allow_pickle=False)
    n_nodes = int(index.ntotal)
    whole = of.dtype == np.int64 and of.shape == (n_positions,) and hasattr(index, "hnsw")
    if not whole or (n_positions and of.min() < 0) or not np.array_equal(np.unique(of), np.arange(n_nodes)):
        raise ValueError(f"{path.name} does not name each of the {n_nodes} nodes for {n_positions} positions")
    return Nodes(of)


def _kept(index: Any) -> NDArray[Any]:
    """Return what a graph keeps of its vectors (n, c), where it lies: numbers, or bytes."""
    faiss, storage = load_faiss(), lookup_storage(index)
    whole = isinstance(storage, faiss.IndexFlat)
    if not storage.ntotal:
        return np.empty((0, storage.d), np.float32) if whole else np.empty((0, storage.code_size), np.uint8)
    if whole:
        return flat_rows(storage)
    codes: NDArray[np.uint8] = faiss.rev_swig_ptr(storage.codes.data(), storage.ntotal * storage.code_size)
    return codes.reshape(-1, storage.code_size)


def _coded(index: Any, vectors: NDArray[np.float32]) -> NDArray[Any]:
    """Return what a graph would keep of vectors."""
    storage = lookup_storage(index)
    if isinstance(storage, load_faiss().IndexFlat):
        return vectors
    codes: NDArray[np.uint8] = storage.sa_encode(vectors)
    return codes


@cache
def _weights(width: int) -> NDArray[np.uint64]:
    return np.random.default_rng(0).integers(1 << 63, size=width, dtype=np.uint64) * np.uint64(2) + np.uint64(1)


def _hashes(kept: NDArray[Any]) -> NDArray[np.uint64]:
    """Return a hash of each row (n,), the same for equal ones."""
    hashes = np.empty(len(kept), dtype=np.uint64)
    missing = -kept.shape[1] * kept.itemsize % 8 // kept.itemsize
    for start in range(0, len(kept), _BLOCK):
        block = kept[start : start + _BLOCK] + kept.dtype.type(0)  # subtle: -0 becomes 0, which it equals
        if missing:
            block = np.pad(block, ((0, 0), (0, missing)))
        words = block.view(np.uint64)
        hashes[start : start + _BLOCK] = np.einsum("ij,j->i", words, _weights(words.shape[1]))
    hashes ^= hashes >> np.uint64(32)  # the low bits of a sum of products are those of the numbers, which may be zeros
    hashes *= _MIX
    hashes ^= hashes >> np.uint64(32)
    return hashes


def _first_of(held: NDArray[np.uint64], wanted: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the first place of each wanted number (n,) among those held, -1 where it is not."""
    if len(wanted) <= _FEW:
        near = np.concatenate([np.flatnonzero(held == each) for each in wanted])
    else:
        near = _near(held, wanted)
    if not len(near):
        return np.full(len(wanted), -1, dtype=np.int64)
    near = near[np.argsort(held[near], kind="stable")]
    found = near[np.searchsorted(held[near], wanted).clip(max=len(near) - 1)]
    return np.where(held[found] == wanted, found, -1)


def _near(held: NDArray[np.uint64], wanted: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return ascending places of held numbers, of all that are wanted and of some whose last bits are those of one."""
    last = np.uint64((1 << max(_LEAST_ROOM, _ROOM * len(wanted)).bit_length()) - 1)
    rough = np.zeros(int(last) + 1, dtype=bool)
    rough[(wanted & last).astype(np.int64)] = True
    blocks = range(0, len(held), _HASHES)
    places = [
        start + np.flatnonzero(rough[(held[start : start + _HASHES] & last).astype(np.int64)]) for start in blocks
    ]
    return np.concatenate([np.empty(0, dtype=np.int64), *places])


def _first_equal(kept: NDArray[Any], hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the place of the first row that equals each row (n,): its own where there is none before."""
    if len(hashes) == 1:
        return np.zeros(1, dtype=np.int64)
    _, first, which = np.unique(hashes, return_index=True, return_inverse=True)
    places = np.arange(len(hashes))
    found = first[which].astype(np.int64)
    others = np.flatnonzero(found != places)
    unlike = others[~_equal(kept, found[others], kept, others)]
    found[unlike] = unlike
    return found


def _equal(
    left: NDArray[Any], left_rows: NDArray[np.int64], right: NDArray[Any], right_rows: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return whether each of some rows equals the other one of its pair, (n,)."""
    same = np.empty(len(left_rows), dtype=bool)
    for start in range(0, len(same), _BLOCK):
        part = slice(start, start + _BLOCK)
        same[part] = (left[left_rows[part]] == right[right_rows[part]]).all(axis=1)
    return same
