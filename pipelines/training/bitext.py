"""Read and write sentence pairs, streamed: TSV, Moses, TMX and JSON lines, each with or without gzip."""

import gzip
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

from interlingua.align.files import replacing

from .bitext_formats import READERS, BitextError, Listener, Row, Source, find_source

__all__ = ["BitextError", "Pair", "PairReport", "Pairs", "read_pairs", "write_pairs"]

_N_NAMED = 20
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
PathLike = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Pair:
    """A sentence and its translation.

    Attributes
    ----------
    source, target : str
        The texts; not empty.
    source_language, target_language : str
        As the file or the caller names them; "source" and "target" where neither does.
    """

    source: str
    target: str
    source_language: str = "source"
    target_language: str = "target"

    @property
    def swapped(self) -> "Pair":
        """The same pair in the other direction."""
        return Pair(self.target, self.source, self.target_language, self.source_language)


@dataclass
class PairReport:
    """What was read, and what was left out; it grows while the pairs are drawn.

    Attributes
    ----------
    path : str
    format : str
        "tsv", "moses", "tmx" or "jsonl".
    n_read, n_kept : int
        Pairs in the file so far, and those given out.
    empty, identical, duplicates : int
        Pairs left out since a side is blank, both sides are equal, or the pair had been seen before.
    foreign : int
        Records left out since they are of other languages than the wanted ones.
    first_line : str
        What the first line of a TSV file was taken for, where it is or may be a header.
    malformed : int
        Records left out since they hold no pair (only with ``on_malformed="skip"``).
    malformed_lines : list of int
        The first 20 of them, from 1.
    """

    path: str
    format: str
    n_read: int = 0
    n_kept: int = 0
    empty: int = 0
    identical: int = 0
    duplicates: int = 0
    foreign: int = 0
    first_line: str = ""
    malformed: int = 0
    malformed_lines: list[int] = field(default_factory=list)

    def summary(self) -> str:
        """Return one line for people.

        Examples
        --------
        >>> PairReport("en-fr.tsv", "tsv", n_read=5, n_kept=3, empty=1, duplicates=1).summary()
        'en-fr.tsv: 3 of 5 pairs kept (tsv); dropped: 1 empty, 1 duplicate'
        """
        counts = {"empty": self.empty, "identical": self.identical, "duplicate": self.duplicates}
        counts["of other languages"] = self.foreign
        dropped = [f"{count} {name}" for name, count in counts.items() if count]
        if self.malformed:
            dropped.append(f"{self.malformed} malformed (at {', '.join(map(str, self.malformed_lines))})")
        text = f"{self.path}: {self.n_kept} of {self.n_read} pairs kept ({self.format})"
        text += "; dropped: " + ", ".join(dropped) if dropped else ""
        return text + (f"; first line {self.first_line}" if self.first_line else "")


class Pairs:
    """The pairs of a file, read anew each time one iterates; see `read_pairs`.

    Attributes
    ----------
    report : PairReport
        Of the latest pass, complete once that has come to its end.
    """

    def __init__(
        self,
        source: Source,
        *,
        keep: frozenset[str],
        on_malformed: Literal["raise", "skip"],
        limit: int | None,
    ) -> None:
        self._source = source
        self._keep = keep
        self._on_malformed = on_malformed
        self._limit = limit
        self.report = PairReport(source.name, source.format)

    def __iter__(self) -> Iterator[Pair]:
        report = self.report = PairReport(self._source.name, self._source.format)
        if self._limit == 0:
            return
        seen: set[bytes] = set()

        def malformed(line: int, what: str) -> None:
            if self._on_malformed == "raise":
                way_out = "mend it, or read with on_malformed='skip'"
                raise BitextError(f"{self._source.name}, line {line}: {what}; {way_out}")
            report.n_read += 1
            report.malformed += 1
            report.malformed_lines = [*report.malformed_lines, line][:_N_NAMED]

        def foreign() -> None:
            report.n_read += 1
            report.foreign += 1

        def first_line(text: str) -> None:
            report.first_line = text

        for row in READERS[self._source.format](self._source, Listener(malformed, foreign, first_line)):
            report.n_read += 1
            pair = self._kept(row, seen, report)
            if pair is None:
                continue
            report.n_kept += 1
            yield pair
            if report.n_kept == self._limit:
                return

    def _kept(self, row: Row, seen: set[bytes], report: PairReport) -> Pair | None:
        source, target, source_language, target_language = row
        if not source or not target:
            report.empty += 1
            return None
        if source == target and "identical" not in self._keep:
            report.identical += 1
            return None
        if "duplicates" not in self._keep:
            text = "\0".join((source_language, target_language, source, target))
            digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
            if digest in seen:
                report.duplicates += 1
                return None
            seen.add(digest)
        return Pair(source, target, source_language, target_language)


def read_pairs(
    path: PathLike | Sequence[PathLike],
    *,
    format: str | None = None,
    languages: tuple[str, str] | None = None,
    header: bool | None = None,
    keep: Iterable[str] = (),
    on_malformed: Literal["raise", "skip"] = "raise",
    limit: int | None = None,
) -> Pairs:
    r"""Return the sentence pairs of a file, which is read while one iterates, and anew for each iteration.

    =========  ==========================================================================================
    ``tsv``    Two columns and no header, or a header that names the languages, or ``source``, ``target``
               and, where there are, ``source_language``, ``target_language``; other columns are ignored
    ``moses``  Two files, row by row: ``corpus.en`` and ``corpus.fr``, given as both or as ``corpus``
    ``tmx``    Translation memories; mark-up inside a segment is dropped; entities are refused
    ``jsonl``  An object a line: ``{"en": ..., "fr": ...}``, ``{"source": ..., "target": ...}`` or
               ``{"translation": {"en": ..., "fr": ...}}``
    =========  ==========================================================================================

    Blanks, tabs and line breaks inside a text become one blank; those around it are dropped.

    Parameters
    ----------
    path : str, path, or two of them
        What to read; two are the two files of Moses. gzip is seen by its first bytes.
    format : str, optional
        By default what the name says: .tsv .txt, .tmx, .jsonl .ndjson .json, any of them with .gz; where no file has
        that name, the prefix of Moses' files.
    languages : (str, str), optional
        The source's and the target's names. Where the file names languages they choose the pairs and their direction:
        ``en`` also finds ``en-GB``; pairs of other languages are left out and counted. By default what the file says,
        in its order.
    header : bool, optional
        Whether a TSV file begins with a header. By default it is recognised by ``source`` and ``target``, by
        `languages`, or by two codes of ISO 639-1, such as ``en`` and ``pt-BR``; the report tells. Codes of three
        letters need ``header=True`` or `languages`: they could be words.
    keep : iterable of {"identical", "duplicates"}
        What not to leave out: pairs of equal texts, and pairs seen before (about 100 bytes a pair are held to know).
    on_malformed : {"raise", "skip"}
        A record that holds no pair: raise, or drop, count and name it in the report.
    limit : int, optional
        Stop after so many pairs.

    Returns
    -------
    Pairs
        An iterable of `Pair` with a `report`.

    Raises
    ------
    BitextError
        While reading: the file is malformed, damaged or no UTF-8, with its line; a ValueError.
    FileNotFoundError
        If there is no such file.
    ValueError
        If the format cannot be told or an argument is none.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "corpus.tsv"
    ...     _ = path.write_text("en\tfr\nthe sun\tle soleil\nOK\tOK\n", encoding="utf-8")
    ...     pairs = read_pairs(path)
    ...     list(pairs), pairs.report.identical
    ([Pair(source='the sun', target='le soleil', source_language='en', target_language='fr')], 1)
    """
    if on_malformed not in ("raise", "skip"):
        raise ValueError(f"on_malformed must be 'raise' or 'skip', got {on_malformed!r}")
    kept = frozenset(keep)
    if not kept <= {"identical", "duplicates"}:
        raise ValueError(f"keep takes 'identical' and 'duplicates', got {sorted(kept)}")
    if limit is not None and limit < 0:
        raise ValueError(f"limit must not be negative, got {limit}")
    if languages is not None and (len(languages) != 2 or languages[0] == languages[1]):
        raise ValueError(f"languages are two different names, got {languages!r}")
    source = find_source(path, format=format, languages=languages, header=header)
    return Pairs(source, keep=kept, on_malformed=on_malformed, limit=limit)


def write_pairs(pairs: Iterable[Pair], path: PathLike, *, format: str | None = None) -> int:
    """Write pairs so that `read_pairs` gives them back, whole or not at all; return how many.

    Parameters
    ----------
    pairs : iterable of Pair
        Drawn one by one.
    path : str or path
        Compressed if it ends in .gz.
    format : {"tsv", "jsonl", "tmx"}, optional
        By default what the name says. TSV and JSON lines name the languages of each pair; a TMX file is of one language
        pair.

    Raises
    ------
    ValueError
        If the format cannot be told; a text or language holds a tab or line break in TSV, or a character in TMX that
        XML cannot hold; or the pairs of TMX are of several language pairs, of one language, or of none.
    """
    name = Path(path).name.lower().removesuffix(".gz")
    chosen = format or next(
        (kind for kind in ("tsv", "jsonl", "tmx") if name.endswith(f".{kind}")), "tsv" if name.endswith(".txt") else ""
    )
    if chosen not in _WRITERS:
        raise ValueError(f"pairs are written as {', '.join(_WRITERS)}, got {chosen or name!r}; choose with format=...")
    head, line, tail = _WRITERS[chosen]
    count = 0
    languages: tuple[str, str] | None = None
    with replacing(path) as file:
        zipped = str(path).lower().endswith(".gz")
        # without a name and a time in it, equal pairs make equal files
        with gzip.GzipFile("", "wb", fileobj=file, mtime=0) if zipped else nullcontext(file) as out:
            out.write(head.encode())
            for pair in pairs:
                own = (pair.source_language, pair.target_language)
                languages = languages or own
                if chosen == "tmx" and own != languages:
                    raise ValueError(
                        f"a TMX file is of one language pair, in one direction; got {'-'.join(languages)} and "
                        f"{'-'.join(own)}; write a file for each, or .jsonl"
                    )
                out.write(line(pair).encode())
                count += 1
            out.write(tail.encode())
    return count


def _tsv_line(pair: Pair) -> str:
    cells = (pair.source, pair.target, pair.source_language, pair.target_language)
    if any(mark in cell for cell in cells for mark in "\t\n\r"):
        raise ValueError(f"a TSV cell holds no tab and no line break, got {pair!r}; write .jsonl instead")
    return "\t".join(cells) + "\n"


def _json_line(pair: Pair) -> str:
    return json.dumps(asdict(pair), ensure_ascii=False) + "\n"


def _tmx_unit(pair: Pair) -> str:
    if not pair.source_language or not pair.target_language or pair.source_language == pair.target_language:
        raise ValueError(f"the sides of a TMX unit need two different language names, got {pair!r}")
    if any(_NOT_XML.search(str(text)) for text in asdict(pair).values()):
        raise ValueError(f"XML 1.0 holds no control characters, got {pair!r}; remove them, or write .jsonl")
    sides = ((pair.source_language, pair.source), (pair.target_language, pair.target))
    units = (f"<tuv xml:lang={quoteattr(language)}><seg>{escape(text)}</seg></tuv>" for language, text in sides)
    return f"<tu>{''.join(units)}</tu>\n"


_TMX_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<tmx version="1.4"><header creationtool="interlingua" creationtoolversion="1" datatype="plaintext" segtype="sentence"
 adminlang="en" srclang="*all*" o-tmf="none"/><body>
"""
_WRITERS = {
    "tsv": ("source\ttarget\tsource_language\ttarget_language\n", _tsv_line, ""),
    "jsonl": ("", _json_line, ""),
    "tmx": (_TMX_HEAD, _tmx_unit, "</body></tmx>\n"),
}
