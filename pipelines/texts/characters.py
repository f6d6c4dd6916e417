"""How texts are written: what copies have in common, and names as counts of their groups of characters."""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

_SIGN = 1 << 31


def text_key(text: str) -> str:
    """Return what two copies of a text have in common: letters, digits and symbols, whatever their case or form.

    Examples
    --------
    >>> text_key("It is 5 o'clock.") == text_key("“It is 5  O’CLOCK”"), text_key("...")
    (True, '...')
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(each for each in folded if unicodedata.category(each)[0] not in "PZC") or text


def text_numbers(*sides: Iterable[str]) -> list[NDArray[np.int64]]:
    """Return a number for each text of each side, equal where their `text_key` is.

    Examples
    --------
    >>> [each.tolist() for each in text_numbers(["Yes.", "No."], ["no", "yes", "perhaps"])]
    [[0, 1], [1, 0, 2]]
    """
    numbers: dict[bytes, int] = {}
    return [
        np.array([numbers.setdefault(_digest(text_key(text)), len(numbers)) for text in side], np.int64)
        for side in sides
    ]


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def groups(text: str, sizes: Sequence[int]) -> Iterator[str]:
    """Yield the groups of neighbouring characters, of each size; a text shorter than a size has one, itself.

    Examples
    --------
    >>> list(groups(" ab ", (2, 5)))
    [' a', 'ab', 'b ', ' ab ']
    """
    for size in sizes:
        for start in range(max(1, len(text) - size + 1)):
            yield text[start : start + size]


def hashed_groups(rows: Iterable[Iterable[str]], sizes: Sequence[int]) -> list[list[int]]:
    """Return the groups of the texts of each row as numbers of 32 bits, the same in every process."""
    return [
        [crc32(group.encode("utf-8", "surrogatepass")) for text in row for group in groups(text, sizes)] for row in rows
    ]


def count_groups(rows: Iterable[Iterable[int]], n_columns: int, *, signed: bool = False) -> sparse.csr_array:
    """Return how often each row has each group, (n, n_columns), in the column of its number modulo their count.

    With `signed`, the highest of 32 bits says whether a group counts for or against its column, so that those that
    meet in one do not add up.
    """
    numbers = [list(each) for each in rows]
    places = np.repeat(np.arange(len(numbers)), [len(each) for each in numbers])
    together = np.array([number for each in numbers for number in each], np.int64)
    ones = np.where(together & _SIGN == 0, np.float32(-1 if signed else 1), np.float32(1))
    return sparse.csr_array((ones, (places, together % n_columns)), shape=(len(numbers), n_columns))


def rarity(counts: sparse.csr_array) -> NDArray[np.float32]:
    """Return the weight of each column, log((1 + n) / (1 + rows that have it)) + 1."""
    n, m = counts.shape
    having = np.bincount(counts.indices, minlength=m)
    weights: NDArray[np.float32] = (np.log((1 + n) / (1 + having)) + 1).astype(np.float32)
    return weights


def weighted(counts: sparse.csr_array, weights: NDArray[np.float32] | None = None) -> sparse.csr_array:
    """Return the counts times the weights of their columns, rows of unit length."""
    scaled = counts.copy()
    if weights is not None:
        scaled.data *= weights[counts.indices]
    lengths = np.sqrt(np.asarray(scaled.multiply(scaled).sum(axis=1)).ravel())
    scaled.data /= np.repeat(np.maximum(lengths, 1e-12), np.diff(scaled.indptr)).astype(np.float32)
    return scaled
