"""Texts of several languages, streamed, and drawn so that the small languages are not drowned."""

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from .lines import numbered_lines
from .pairs import BitextError, clean

T = TypeVar("T")
PathLike = str | os.PathLike[str]

_BLOCK = 16384  # items shuffled at once: what is held in memory for each source
_DRAWS = 4096  # sources drawn at once


def sampling_shares(counts: Mapping[str, int], alpha: float = 0.3) -> dict[str, float]:
    """Return how often to draw from each language: p_l = n_l^alpha / sum_k n_k^alpha.

    Parameters
    ----------
    counts : mapping of str to int
        n, the sentences of each language.
    alpha : float
        1 draws as the texts are, 0 each language equally often.

    Raises
    ------
    ValueError
        If `alpha` lies outside [0, 1], there is no language, or one has no sentence.

    References
    ----------
    Conneau et al. (2020), "Unsupervised cross-lingual representation learning at scale", ACL.
    doi:10.18653/v1/2020.acl-main.747

    Examples
    --------
    >>> sampling_shares({"en": 1600, "sw": 100}, alpha=0.5)
    {'en': 0.8, 'sw': 0.2}
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must lie in [0, 1], got {alpha}")
    if not counts or min(counts.values()) < 1:
        raise ValueError(f"each language needs at least one sentence, got {dict(counts)}")
    weights = np.array(list(counts.values()), np.float64) ** alpha
    return dict(zip(counts, (weights / weights.sum()).tolist(), strict=True))


@dataclass(frozen=True)
class Corpus(Generic[T]):
    """Sources of sentences or of sentence pairs, each read as a stream, as often as needed.

    Attributes
    ----------
    sources : mapping of str to iterable
        By language, or by the name of a file of pairs; each can be iterated anew.
    counts : mapping of str to int
        Items of each source.
    fingerprint : str
        Of all items: equal corpora, equal fingerprints.
    """

    sources: Mapping[str, Iterable[T]]
    counts: Mapping[str, int]
    fingerprint: str = field(default="", repr=False)

    def __len__(self) -> int:
        return sum(self.counts.values())

    def draw(self, *, alpha: float = 0.3, seed: int = 0, start: int = 0) -> Iterator[tuple[str, T]]:
        """Yield endless (source, item), the sources drawn with `sampling_shares`.

        Each source is gone through in its order, 16,384 items at a time shuffled, then anew: shuffle a long file
        that is sorted. A draw depends on the seed and its number only.

        Parameters
        ----------
        alpha : float
            See `sampling_shares`.
        seed : int
            Chooses the sources and the order of the items.
        start : int
            Begin with this draw, as if those before it had been made; files are read up to there, not more.

        Raises
        ------
        ValueError
            If a source gives more or fewer items than it was counted to have.
        """
        if start < 0:
            raise ValueError(f"start must not be negative, got {start}")
        names = list(self.sources)
        shares = np.array(list(sampling_shares({name: self.counts[name] for name in names}, alpha).values()))
        block, offset = divmod(start, _DRAWS)
        done = np.zeros(len(names), np.int64)
        for number in range(block):
            done += np.bincount(_draws(seed, number, shares), minlength=len(names))
        done += np.bincount(_draws(seed, block, shares)[:offset], minlength=len(names))
        streams = [
            _endless(self.sources[name], name, self.counts[name], (seed, 1 + row), int(done[row]))
            for row, name in enumerate(names)
        ]
        while True:
            for row in _draws(seed, block, shares)[offset:]:
                yield names[row], next(streams[row])
            block, offset = block + 1, 0


def as_corpus(sources: Mapping[str, Iterable[T]]) -> Corpus[T]:
    """Count what is there already, such as lists of sentences or `Pairs`, in one pass over each.

    Raises
    ------
    ValueError
        If there is no source, or one is empty.

    Examples
    --------
    >>> corpus = as_corpus({"en": ["sun", "sea", "star"], "sw": ["jua"]})
    >>> [language for language, _ in itertools.islice(corpus.draw(seed=1), 6)]
    ['en', 'sw', 'en', 'sw', 'en', 'en']
    """
    counts: dict[str, int] = {}
    digest = blake2b(digest_size=16)
    for name, items in sources.items():
        digest.update(f"{name}\0".encode())
        counts[name] = 0
        for item in items:
            counts[name] += 1
            digest.update(f"{item}\n".encode())
    sampling_shares(counts)
    return Corpus(sources, counts, digest.hexdigest())


def read_corpus(
    files: Mapping[str, PathLike | Sequence[PathLike]], *, held_out: int = 0
) -> tuple[Corpus[str], dict[str, tuple[str, ...]]]:
    """Open the texts of several languages, one sentence a line, and count them in one pass.

    Parameters
    ----------
    files : mapping of str to path or paths
        UTF-8 text by language, with or without gzip. Blank lines are passed over; runs of blanks become one.
    held_out : int
        Sentences a language, evenly spread over its files, that are not in the corpus but in the second result; at
        most a tenth of a language. An equal sentence elsewhere in the files stays in the corpus.

    Returns
    -------
    corpus : Corpus
    held_out : dict of str to tuple of str

    Raises
    ------
    BitextError
        If a line is not UTF-8 or a file is damaged; a ValueError.
    ValueError
        If a language has no sentence.
    """
    if held_out < 0:
        raise ValueError(f"held_out must not be negative, got {held_out}")
    paths = {
        language: tuple(Path(each) for each in ([given] if isinstance(given, str | os.PathLike) else given))
        for language, given in files.items()
    }
    for language, some in paths.items():
        for path in some:
            if not path.is_file():
                raise FileNotFoundError(f"no text of the language {language!r} at {path}")
    kept: dict[str, Iterable[str]] = {}
    held: dict[str, tuple[str, ...]] = {}
    for language, some in paths.items():
        whole = _Lines(some)
        count = sum(1 for _ in whole) if held_out else 0
        few = min(held_out, count // 10)
        # the middle of each of `few` equal stretches
        rows = frozenset(int((number + 0.5) * count / few) for number in range(few))
        kept[language] = _Lines(some, without=rows)
        held[language] = tuple(text for row, text in enumerate(whole) if row in rows) if rows else ()
    return as_corpus(kept), held


@dataclass(frozen=True)
class _Lines:
    """The sentences of some files, read anew for each pass, but for some rows."""

    paths: tuple[Path, ...]
    without: frozenset[int] = frozenset()

    def __iter__(self) -> Iterator[str]:
        lines = (clean(line) for path in self.paths for _, line in numbered_lines(path, error=BitextError))
        return (text for row, text in enumerate(text for text in lines if text) if row not in self.without)


def _draws(seed: int, block: int, shares: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.random.default_rng((seed, 0, block)).choice(len(shares), size=_DRAWS, p=shares)


def _endless(items: Iterable[T], name: str, count: int, seed: tuple[int, int], start: int) -> Iterator[T]:
    """Yield items without end, from draw `start`; each pass has its own order."""
    turn, rest = divmod(start, count)
    while True:
        block, offset = divmod(rest, _BLOCK)
        stream = iter(items)
        read = sum(1 for _ in itertools.islice(stream, block * _BLOCK))
        while chunk := list(itertools.islice(stream, _BLOCK)):
            read += len(chunk)
            if read > count:
                break
            order = np.random.default_rng((*seed, turn, block)).permutation(len(chunk))
            yield from (chunk[row] for row in order[offset:])
            block, offset = block + 1, 0
        if read != count:
            raise ValueError(f"the source {name!r} was counted to have {count} items, but now gives another number")
        turn, rest = turn + 1, 0
