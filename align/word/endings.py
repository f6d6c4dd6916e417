"""Pairs of word endings: how inflections answer each other, and which forms a dictionary lists."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["EndingPairs", "endings"]

_LONGEST = 3

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class EndingPairs:
    """Pairs of a source ending and a target ending, each a yes-or-no feature of a pair of words.

    An ending is the last one, two or three characters; the source ending may be empty too, so that a target ending is
    known by itself.

    Parameters
    ----------
    pairs : tuple of (str, str)
        Different from each other.

    Examples
    --------
    >>> known = EndingPairs.learn(["cats", "dogs", "cat"], ["chats", "chiens", "chat"], least=2)
    >>> known.pairs
    (('', 's'), ('s', 's'))
    >>> known.matrix(["suns"], ["soleil", "soleils"], np.array([[0, 1]])).toarray().tolist()
    [[0.0, 0.0], [1.0, 1.0]]
    """

    pairs: tuple[tuple[str, str], ...]

    @classmethod
    def learn(cls, source: Sequence[str], target: Sequence[str], *, least: int = 2) -> "EndingPairs":
        """Return the pairs of endings that `least` of the word pairs share, in order of the alphabet."""
        counts = Counter(
            (first, second)
            for word, other in zip(source, target, strict=True)
            for first in ("", *endings(word))
            for second in endings(other)
        )
        return cls(tuple(sorted(pair for pair, count in counts.items() if count >= least)))

    def matrix(self, source: Sequence[str], target: Sequence[str], ids: Ids) -> Any:
        """Return which pairs of endings each source word has with each of its candidates.

        Parameters
        ----------
        source : sequence of n str
        target : sequence of m str
            The words that `ids` numbers.
        ids : (n, k) array of int
            The candidates of each source word.

        Returns
        -------
        (n * k, len(pairs)) sparse array of float64
        """
        from scipy.sparse import csr_array

        first = {ending: number for number, ending in enumerate(sorted({pair[0] for pair in self.pairs}))}
        second = {ending: number for number, ending in enumerate(sorted({pair[1] for pair in self.pairs}))}
        keys = np.array([first[pair[0]] * len(second) + second[pair[1]] for pair in self.pairs], np.int64)
        words, at = np.unique(ids, return_inverse=True)
        of_target = _numbers([endings(target[word]) for word in words.tolist()], second)[at.reshape(ids.shape)]
        of_source = _numbers([["", *endings(word)] for word in source], first)
        asked = of_source[:, None, :, None] * len(second) + of_target[:, :, None, :]
        there = (of_source >= 0)[:, None, :, None] & (of_target >= 0)[:, :, None, :]
        order = np.argsort(keys)
        place = np.searchsorted(keys[order], asked)
        found = there & (place < keys.size)
        found[found] = keys[order[place[found]]] == asked[found]
        rows = np.broadcast_to(np.arange(ids.size).reshape(*ids.shape, 1, 1), found.shape)[found]
        return csr_array((np.ones(rows.size), (rows, order[place[found]])), shape=(ids.size, len(self.pairs)))


def endings(word: str) -> list[str]:
    """Return the last one, two and three characters of a word, with ``^`` before a shorter one.

    Examples
    --------
    >>> endings("cats"), endings("a")
    (['s', 'ts', 'ats'], ['a', '^a'])
    """
    marked = f"^{word}"
    return [marked[-size:] for size in range(1, min(_LONGEST, len(marked)) + 1)]


def _numbers(lists: Sequence[Sequence[str]], number: dict[str, int]) -> Ids:
    """Return the numbers of some endings, one row a list; -1 where there is none."""
    result = np.full((len(lists), _LONGEST + 1), -1, np.int64)
    for row, some in enumerate(lists):
        result[row, : len(some)] = [number.get(ending, -1) for ending in some]
    return result
