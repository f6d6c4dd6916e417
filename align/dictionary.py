"""Seed dictionaries: pairs of labels that are translations of each other."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .files import replacing
from .lines import Source, decoded, raw_lines, source_name
from .vocabulary import Embeddings

_N_EXAMPLES = 10
_N_NAMED = 20
_BLANKS = re.compile("[ \t]+")  # ASCII only: NBSP and U+3000 belong to a label
_NUMERAL = re.compile("[0-9]+")


class DictionaryError(ValueError):
    """A file of translation pairs is malformed."""


@dataclass(frozen=True)
class DictionaryReport:
    """What was read from a file of pairs.

    Attributes
    ----------
    path : str
    n_read : int
        Lines that are not blank.
    n_kept : int
        Different pairs.
    duplicates : int
        Pairs dropped since they had been seen before.
    malformed : int
        Lines dropped since they hold no pair (only with ``on_malformed="skip"``).
    malformed_lines : tuple of int
        The first 20 of them, from 1.
    """

    path: str
    n_read: int
    n_kept: int
    duplicates: int = 0
    malformed: int = 0
    malformed_lines: tuple[int, ...] = ()

    def summary(self) -> str:
        """Return one line for people.

        Examples
        --------
        >>> DictionaryReport("en-fr.tsv", n_read=5, n_kept=4, duplicates=1).summary()
        'en-fr.tsv: 4 of 5 pairs kept; dropped: 1 duplicate(s)'
        """
        text = f"{self.path}: {self.n_kept} of {self.n_read} pairs kept"
        dropped = [f"{self.duplicates} duplicate(s)"] if self.duplicates else []
        if self.malformed:
            dropped.append(f"{self.malformed} malformed (at {', '.join(map(str, self.malformed_lines))})")
        return text + ("; dropped: " + ", ".join(dropped) if dropped else "")


@dataclass(frozen=True)
class Coverage:
    """How much of a dictionary two vocabularies hold. Scores without it cannot be compared.

    Attributes
    ----------
    n_pairs, n_covered : int
        Pairs, and pairs whose both labels are present.
    n_sources, n_sources_covered : int
        Different source labels, and those with at least one covered pair.
    n_missing_source, n_missing_target : int
        Pairs whose source (target) label is absent; a pair may count in both.
    missing : tuple of (str, str)
        The first ten pairs that are not covered.
    """

    n_pairs: int
    n_covered: int
    n_sources: int
    n_sources_covered: int
    n_missing_source: int = 0
    n_missing_target: int = 0
    missing: tuple[tuple[str, str], ...] = ()

    def summary(self) -> str:
        """Return one line for people.

        Examples
        --------
        >>> Coverage(4, 3, 2, 2).summary()
        '3 of 4 pairs covered, 2 of 2 source words'
        """
        text = f"{self.n_covered} of {self.n_pairs} pairs covered, "
        return text + f"{self.n_sources_covered} of {self.n_sources} source words"


@dataclass(frozen=True)
class SeedDictionary:
    """Pairs (source label, target label), each once, in the order of the file.

    Parameters
    ----------
    pairs : sequence of (str, str)
        Neither label empty. A repeated pair is kept once, so that it has no double weight in a fit.
    report : DictionaryReport, optional
        What was read and dropped, where the pairs come from a file.

    Examples
    --------
    >>> pairs = SeedDictionary((("sun", "soleil"), ("moon", "lune"), ("sun", "soleil")))
    >>> len(pairs), dict(pairs.by_source)
    (2, {'sun': ('soleil',), 'moon': ('lune',)})
    """

    pairs: tuple[tuple[str, str], ...]
    report: DictionaryReport | None = None

    def __post_init__(self) -> None:
        kept: dict[tuple[str, str], None] = {}
        for pair in self.pairs:
            if isinstance(pair, str) or len(pair) != 2 or not all(isinstance(label, str) and label for label in pair):
                raise ValueError(f"each pair is two strings that are not empty, got {pair!r}")
            kept[pair[0], pair[1]] = None
        object.__setattr__(self, "pairs", tuple(kept))

    @classmethod
    def read(
        cls,
        path: Source,
        *,
        lowercase: bool = False,
        on_malformed: Literal["raise", "skip"] = "raise",
        name: str | None = None,
    ) -> "SeedDictionary":
        """Read a UTF-8 text file with one pair a line.

        With a tab in the line the two labels stand on its sides and may hold blanks; without one the line is two words
        with blanks between (MUSE). Blank lines are passed over; there are no comments: ``#`` is a word.

        Parameters
        ----------
        path : str, path or binary file
        lowercase : bool
            Lower-case all words; pairs that become equal are kept once.
        on_malformed : {"raise", "skip"}
            A line that holds no pair: raise, or drop, count and name it in the report.
        name : str, optional
            What errors and the report call it; by default its path, or ``<stream>``.

        Raises
        ------
        DictionaryError
            If a line is malformed, with its number, or no pair is left; a ValueError.
        OSError
            If the file cannot be opened.
        """
        if on_malformed not in ("raise", "skip"):
            raise ValueError(f"on_malformed must be 'raise' or 'skip', got {on_malformed!r}")
        called = source_name(path, name)
        pairs: list[tuple[str, str]] = []
        malformed: list[int] = []
        for number, raw in raw_lines(path):
            if not raw.strip(b" \t"):
                continue
            pair = _parse(raw)
            if not isinstance(pair, str):
                pairs.append((pair[0].lower(), pair[1].lower()) if lowercase else pair)
                continue
            if on_malformed == "raise":
                raise DictionaryError(f"{called}, line {number}: {pair}; mend it, or read with on_malformed='skip'")
            malformed.append(number)
        if not pairs:
            raise DictionaryError(
                f"{called}: no pair found ({len(malformed)} malformed lines); one pair a line: source, tab, target"
            )
        dictionary = cls(tuple(pairs))
        report = DictionaryReport(
            path=called,
            n_read=len(pairs) + len(malformed),
            n_kept=len(dictionary),
            duplicates=len(pairs) - len(dictionary),
            malformed=len(malformed),
            malformed_lines=tuple(malformed[:_N_NAMED]),
        )
        return replace(dictionary, report=report)

    @classmethod
    def identical(cls, source: Embeddings, target: Embeddings) -> "SeedDictionary":
        """Return the pairs (w, w) of all labels in both vocabularies, in the order of the source. May be empty."""
        return cls(tuple((label, label) for label in source.labels if label in target.index))

    @classmethod
    def numerals(cls, source: Embeddings, target: Embeddings) -> "SeedDictionary":
        """Return the pairs (w, w) of all labels of ASCII digits, ``^[0-9]+$``, in both vocabularies. May be empty."""
        return cls(tuple(pair for pair in cls.identical(source, target).pairs if _NUMERAL.fullmatch(pair[0])))

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write a tab-separated UTF-8 file, whole or not at all.

        Raises
        ------
        ValueError
            If a label holds a tab or line break, or begins or ends with a blank, which reading would not give back.
        """
        for label in (label for pair in self.pairs for label in pair):
            if any(mark in label for mark in "\t\n\r") or label.strip(" ") != label:
                raise ValueError(
                    f"labels hold no tab or line break and neither begin nor end with a blank, got {label!r}"
                )
        with replacing(path, "w") as file:
            file.writelines(f"{source}\t{target}\n" for source, target in self.pairs)

    @cached_property
    def by_source(self) -> Mapping[str, tuple[str, ...]]:
        """The targets of each source label: any of them is a right answer in an evaluation."""
        return _grouped(self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def index_pairs(self, source: Embeddings, target: Embeddings) -> tuple[NDArray[np.int64], Coverage]:
        """Return the rows of the covered pairs, and the coverage; a vector of zeros covers nothing.

        Parameters
        ----------
        source, target : Embeddings
            The two vocabularies. Labels are compared exactly: lower-case the dictionary or the vocabularies before.

        Returns
        -------
        pairs : (p, 2) int64 array
            Row in `source`, row in `target`, in the order of the dictionary; (0, 2) if nothing is covered.
        coverage : Coverage
        """
        rows: list[tuple[int, int]] = []
        covered: set[str] = set()
        missing: list[tuple[str, str]] = []
        n_missing_source = n_missing_target = 0
        known = [(each.vectors != 0).any(axis=1).tolist() for each in (source, target)]
        for pair in self.pairs:
            left, right = source.index.get(pair[0]), target.index.get(pair[1])
            left = left if left is not None and known[0][left] else None
            right = right if right is not None and known[1][right] else None
            n_missing_source += left is None
            n_missing_target += right is None
            if left is None or right is None:
                if len(missing) < _N_EXAMPLES:
                    missing.append(pair)
                continue
            rows.append((left, right))
            covered.add(pair[0])
        coverage = Coverage(
            n_pairs=len(self),
            n_covered=len(rows),
            n_sources=len(self.by_source),
            n_sources_covered=len(covered),
            n_missing_source=n_missing_source,
            n_missing_target=n_missing_target,
            missing=tuple(missing),
        )
        return np.array(rows, dtype=np.int64).reshape(-1, 2), coverage

    def inverted(self) -> "SeedDictionary":
        """Return the dictionary of the other direction."""
        return SeedDictionary(tuple((target, source) for source, target in self.pairs))

    def split(self, fraction: float, seed: int) -> tuple["SeedDictionary", "SeedDictionary"]:
        """Split by source label, so that no source label is on both sides.

        Parameters
        ----------
        fraction : float
            The share of the source labels, 0 to 1 exclusive, that goes to the first part; at least one goes to each.
        seed : int
            Chooses them. Both parts keep the order of the pairs.

        Returns
        -------
        first, second : SeedDictionary

        Raises
        ------
        ValueError
            If `fraction` is not between 0 and 1, or there are fewer than two source labels.
        """
        sources = list(self.by_source)
        if not 0 < fraction < 1:
            raise ValueError(f"fraction must be between 0 and 1, got {fraction}")
        if len(sources) < 2:
            raise ValueError(f"a split needs at least two different source labels, got {len(sources)}; add pairs")
        n_first = min(max(round(fraction * len(sources)), 1), len(sources) - 1)
        order = np.random.default_rng(seed).permutation(len(sources))
        chosen = {sources[position] for position in order[:n_first].tolist()}
        first = tuple(pair for pair in self.pairs if pair[0] in chosen)
        second = tuple(pair for pair in self.pairs if pair[0] not in chosen)
        return SeedDictionary(first), SeedDictionary(second)


def _parse(raw: bytes) -> tuple[str, str] | str:
    """Return the pair of one line, or what is wrong with it."""
    try:
        line = decoded(raw)
    except ValueError:
        return f"the line is not UTF-8: {raw[:40]!r}"
    fields: Sequence[str] = line.split("\t") if "\t" in line else _BLANKS.split(line.strip(" "))
    stripped = [field.strip(" ") for field in fields]
    if len(stripped) != 2 or not all(stripped):
        rule = "expected source and target with a tab between, or two words with a blank between"
        return f"{rule}, found {len(stripped)} fields: {line[:80]!r}"
    return stripped[0], stripped[1]


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    groups: dict[str, list[str]] = {}
    for source, target in pairs:
        groups.setdefault(source, []).append(target)
    return {source: tuple(targets) for source, targets in groups.items()}
