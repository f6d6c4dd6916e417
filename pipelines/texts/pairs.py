"""Read and write sentence pairs, streamed: TSV, Moses, TMX 1.1 to 1.4 and JSON lines, each with or without gzip."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal, cast

from interlingua.align.files import replacing

from . import moses, tmx
from .languages import NO_LANGUAGES, TAG, find_language, is_code, matches
from .lines import PathLike, json_value, numbered_lines, open_binary, plain_name

Row = tuple[str, str, str, str]  # source, target, source language, target language

_SUFFIXES = {".tsv": "tsv", ".txt": "tsv", ".tmx": "tmx", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}
# ASCII only: a narrow no-break space belongs to the text; and what no format can hold, or not all of them can
_BLANKS = re.compile("[\x00-\x20\ud800-\udfff\ufffe\uffff]+")
_GENERIC = (("source", "target"), ("anchor", "positive"), ("sentence1", "sentence2"), ("src", "tgt"))
_UNNAMED = ("source", "target")
_N_NAMED = 20
Format = Literal["tsv", "moses", "tmx", "jsonl"]


class BitextError(ValueError):
    """A file of sentence pairs is malformed or damaged."""


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
    def swapped(self) -> Pair:
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
        source: _Source,
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

        for row in _READERS[self._source.format](_Pass(self._source, report, self._on_malformed)):
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
    format: Format | None = None,
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

    Blanks, tabs, line breaks and control characters inside a text become one blank; those around it are dropped.

    Parameters
    ----------
    path : str, path, or two of them
        What to read; two are the two files of Moses. gzip is seen by its first bytes.
    format : {"tsv", "moses", "tmx", "jsonl"}, optional
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
    source = _find_source(path, format=format, languages=languages, header=header)
    return Pairs(source, keep=kept, on_malformed=on_malformed, limit=limit)


def write_pairs(
    pairs: Iterable[Pair],
    path: PathLike,
    *,
    format: str | None = None,
    measures: Mapping[str, Iterable[float]] | None = None,
) -> int:
    """Write pairs so that `read_pairs` gives them back, whole or not at all; return how many.

    Control characters, which XML cannot hold, become blanks in TMX, as they do where any format is read.

    Parameters
    ----------
    pairs : iterable of Pair
        Drawn one by one.
    path : str or path
        Compressed if it ends in .gz. For ``moses`` the prefix of two files, ``PATH.de`` and ``PATH.en``.
    format : {"tsv", "jsonl", "tmx", "moses"}, optional
        By default what the name says. TSV and JSON lines name the languages of each pair; files of TMX and Moses are
        of one language pair.
    measures : mapping of str to iterable of float, optional
        What is known of the pairs, by its name: further columns of TSV, or Moses' third file ``PATH.scores``. Other
        formats have no place for it.

    Raises
    ------
    ValueError
        If the format cannot be told; a text or language holds a tab or line break in TSV; or the pairs of
        TMX or Moses are of several language pairs, of one language, or of none.
    """
    name = Path(path).name.lower().removesuffix(".gz")
    chosen = format or next(
        (kind for kind in ("tsv", "jsonl", "tmx") if name.endswith(f".{kind}")), "tsv" if name.endswith(".txt") else ""
    )
    rows = (
        zip(*([f"{value:.4f}" for value in each] for each in measures.values())) if measures else itertools.repeat(())
    )
    if chosen == "moses":
        return _write_moses(pairs, path, rows if measures else None)
    if chosen not in _WRITERS:
        known = ", ".join((*_WRITERS, "moses"))
        raise ValueError(f"pairs are written as {known}, got {chosen or name!r}; choose with format=...")
    head, line, tail = _WRITERS[chosen]
    if chosen == "tsv" and measures:
        head = head.rstrip("\n") + "".join(f"\t{each}" for each in measures) + "\n"
    count = 0
    with replacing(path) as file:
        zipped = str(path).lower().endswith(".gz")
        # without a name and a time in it, equal pairs make equal files
        with gzip.GzipFile("", "wb", fileobj=file, mtime=0) if zipped else nullcontext(file) as out:
            out.write(head.encode())
            for pair, row in zip(_of_one_pair(pairs, "TMX") if chosen == "tmx" else pairs, rows, strict=bool(measures)):
                out.write(line(pair, row).encode())
                count += 1
            out.write(tail.encode())
    return count


def tidy_pairs(pairs: Iterable[Pair]) -> Iterator[Pair]:
    """Yield the pairs with cleaned texts, as reading gives them, so that each format can hold them."""
    for each in pairs:
        yield Pair(clean(each.source), clean(each.target), each.source_language, each.target_language)


def clean(text: str) -> str:
    """Make runs of blanks, tabs, line breaks and control characters one blank, and drop those around the text."""
    return _BLANKS.sub(" ", text).strip(" ")


@dataclass(frozen=True)
class _Source:
    """Where pairs come from: one file, or Moses' two."""

    paths: tuple[Path, ...]
    format: str
    languages: tuple[str, str] | None = None
    header: bool | None = None

    @property
    def name(self) -> str:
        """What to call it in errors."""
        return " and ".join(map(str, self.paths))


@dataclass(frozen=True)
class _Pass:
    """One pass over a source, and what is met beside pairs."""

    source: _Source
    report: PairReport
    on_malformed: Literal["raise", "skip"]

    def malformed(self, line: int, what: str) -> None:
        """Refuse, or count, a record that holds no pair."""
        if self.on_malformed == "raise":
            raise BitextError(f"{self.source.name}, line {line}: {what}; mend it, or read with on_malformed='skip'")
        self.report.n_read += 1
        self.report.malformed += 1
        self.report.malformed_lines = [*self.report.malformed_lines, line][:_N_NAMED]

    def foreign(self) -> None:
        """Count a record of other languages than the wanted ones."""
        self.report.n_read += 1
        self.report.foreign += 1


def _find_source(
    path: PathLike | Sequence[PathLike],
    *,
    format: str | None,
    languages: tuple[str, str] | None,
    header: bool | None,
) -> _Source:
    """Tell what `read_pairs` is to read; its errors are documented there."""
    if format is not None and format not in _READERS:
        raise ValueError(f"format must be one of {', '.join(_READERS)}, got {format!r}")
    if not isinstance(path, str | os.PathLike):
        paths = tuple(Path(each) for each in path)
        if len(paths) != 2 or format not in (None, "moses"):
            raise ValueError(f"two files are read row by row (moses), got {len(paths)} file(s) and format {format!r}")
        for each in paths:
            _check_file(each)
        return _Source(paths, "moses", languages or moses.languages_of(paths) or _UNNAMED)
    one = Path(path)
    if format == "moses" or (format is None and not one.exists()):
        found = moses.find_files(one, languages)
        return _Source(found, "moses", languages or moses.languages_of(found) or _UNNAMED)
    _check_file(one)
    kind = format or _SUFFIXES.get(plain_name(one).suffix.lower())
    if kind is None:
        known = ", ".join(_SUFFIXES)
        raise ValueError(f"the format of {one} cannot be told by its name ({known}); choose it with format=...")
    return _Source((one,), kind, languages, header)


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name a file in it")
    if not path.exists():
        raise FileNotFoundError(f"no file of sentence pairs at {path}")


def _chosen(row: Row, wanted: tuple[str, str]) -> Row | None:
    """Return a row that names its languages (or not: "") in the wanted direction; None if it is of others."""
    left, right, *own = row
    for texts, tags in (((left, right), own), ((right, left), own[::-1])):
        if all(not tag or matches(name, tag) for name, tag in zip(wanted, tags, strict=True)):
            return *texts, *wanted
    return None


def _read_tsv(given: _Pass) -> Iterator[Row]:
    source = given.source
    lines = (line for _, line in numbered_lines(source.paths[0], error=BitextError))
    first = next(lines, None)
    if first is None:
        return
    head = [cell.strip() for cell in first.split("\t")]
    columns = None if source.header is False else _header(head, source)
    names = source.languages or _UNNAMED
    if columns is not None and source.languages is None:
        pair = (head[cast(int, columns[0])], head[cast(int, columns[1])])
        names = _UNNAMED if (pair[0].lower(), pair[1].lower()) in _GENERIC else pair
    given.report.first_line = _first_line(head, columns, source)
    start = 1 if columns is None else 2
    width = 2 if columns is None else len(head)
    left, right, *tags = columns or (0, 1, None, None)
    for number, line in enumerate(lines if columns else itertools.chain([first], lines), start):
        if not line.strip():
            continue
        cells = line.split("\t")
        if len(cells) != width:
            way_out = "" if columns else " (name the columns in a first line, such as en, fr, where there are more)"
            given.malformed(
                number, f"expected {width} columns between tabs, found {len(cells)}{way_out}: {line[:80]!r}"
            )
            continue
        own = [cells[column].strip() if column is not None else "" for column in tags]
        texts = clean(cells[cast(int, left)]), clean(cells[cast(int, right)])
        if source.languages is None:
            yield *texts, own[0] or names[0], own[1] or names[1]
        elif row := _chosen((*texts, own[0], own[1]), source.languages):
            yield row
        else:
            given.foreign()


def _header(names: Sequence[str], source: _Source) -> tuple[int | None, ...] | None:
    """Return the columns of source, target, source language and target language; None if this is no header."""
    lower = [name.lower() for name in names]
    if source.languages is not None:
        left, right = (find_language(one, names) for one in source.languages)
        if left is not None and right is not None:
            return names.index(left), names.index(right), None, None
    elif len(names) == 2 and names[0] != names[1] and all(is_code(name) for name in names):
        return 0, 1, None, None
    for left, right in _GENERIC:
        if left in lower and right in lower:
            tags = (lower.index(name) if name in lower else None for name in (f"{left}_language", f"{right}_language"))
            return lower.index(left), lower.index(right), *tags
    tagged = [row for row, name in enumerate(names) if TAG.fullmatch(name) and name not in NO_LANGUAGES]
    if source.header and source.languages is None and len(tagged) == 2:
        return tagged[0], tagged[1], None, None
    if source.header:
        asked = f"the languages {source.languages}" if source.languages else "two languages, or source and target"
        raise BitextError(f"{source.name}, line 1: the header must name {asked}, but is {names}")
    return None


def _first_line(names: Sequence[str], columns: tuple[int | None, ...] | None, source: _Source) -> str:
    """Return what the first line was taken for, where it is or may be a header."""
    if columns is not None:
        return f"taken as the header: {', '.join(names)}"
    doubtful = source.header is None and len(names) == 2 and all(TAG.fullmatch(name) for name in names)
    return f"taken as a pair, not as a header: {', '.join(names)}" if doubtful else ""


def _read_moses(given: _Pass) -> Iterator[Row]:
    languages = given.source.languages or _UNNAMED
    for left, right in moses.read_rows(given.source.paths, BitextError):
        yield clean(left), clean(right), *languages


def _read_tmx(given: _Pass) -> Iterator[Row]:
    source = given.source
    languages, path = source.languages, source.paths[0]
    with open_binary(path, error=BitextError) as file:
        for line, sides, problem in tmx.read_units(file, str(path), BitextError):
            if problem:
                given.malformed(line, problem)
                continue
            found = ", ".join(sides) or "none"
            if languages is None:
                if len(sides) != 2:
                    given.malformed(line, f"the unit has the languages {found}; choose two with languages=(..., ...)")
                    continue
                languages = cast("tuple[str, str]", tuple(sides))
            left, right = (find_language(name, sides) for name in languages)
            if left is not None and right is not None:
                yield clean(sides[left]), clean(sides[right]), *languages
            elif source.languages is None:
                given.malformed(line, f"the unit has {found}, not {', '.join(languages)}")
            else:
                given.foreign()  # a memory of many languages has units without one of the two


def _read_jsonl(given: _Pass) -> Iterator[Row]:
    source = given.source
    for number, line in numbered_lines(source.paths[0], blank="skip", error=BitextError):
        try:
            record = json_value(line)
        except ValueError as error:
            given.malformed(number, str(error))
            continue
        if isinstance(record, dict) and isinstance(record.get("translation"), dict):
            record = record["translation"]
        row = _record(record, source.languages) if isinstance(record, dict) else None
        if row is None:
            wanted = source.languages or "two languages, or source and target,"
            given.malformed(number, f"the object must hold {wanted} with texts: {line[:80]!r}")
            continue
        if source.languages is not None:
            row = _chosen(row, source.languages)
        if row is None:
            given.foreign()
        else:
            yield row


def _record(record: Mapping[str, Any], languages: tuple[str, str] | None) -> Row | None:
    """Return the texts and the languages of an object, "" where `languages` are wanted and it names none."""
    if languages is not None:
        keys = [find_language(name, tuple(record)) for name in languages]
        if None not in keys:
            return _texts(record, cast("list[str]", keys), languages)
    for pair in _GENERIC:
        if all(key in record for key in pair):
            own = (record.get(f"{key}_language") for key in pair)
            names = [tag.strip() if isinstance(tag, str) else "" for tag in own]
            default = _UNNAMED if languages is None else ("", "")
            return _texts(record, pair, (names[0] or default[0], names[1] or default[1]))
    if languages is not None:
        return None
    tags = [key for key, value in record.items() if isinstance(value, str) and key not in NO_LANGUAGES]
    return _texts(record, tags, (tags[0], tags[1])) if len(tags) == 2 else None


def _texts(record: Mapping[str, Any], keys: Sequence[str], languages: tuple[str, str]) -> Row | None:
    texts = [record[key] for key in keys]
    try:
        for text in texts:
            text.encode()  # JSON can escape half a surrogate pair, which is no text
    except (AttributeError, UnicodeEncodeError):
        return None
    return clean(texts[0]), clean(texts[1]), *languages


_READERS: dict[str, Callable[[_Pass], Iterator[Row]]] = {
    "tsv": _read_tsv,
    "moses": _read_moses,
    "tmx": _read_tmx,
    "jsonl": _read_jsonl,
}


def _write_moses(pairs: Iterable[Pair], path: PathLike, measures: Iterable[tuple[str, ...]] | None) -> int:
    given = iter(_of_one_pair(pairs, "Moses'"))
    first = next(given, None)
    if first is None:
        raise ValueError("there is no pair to write, so Moses' files would have no names; write .tsv")
    texts = ((pair.source, pair.target) for pair in itertools.chain([first], given))
    return moses.write_rows(path, (first.source_language, first.target_language), texts, measures)


def _of_one_pair(pairs: Iterable[Pair], kind: str) -> Iterator[Pair]:
    """Yield the pairs as long as they are of one language pair, in one direction."""
    languages: tuple[str, str] | None = None
    for pair in pairs:
        own = (pair.source_language, pair.target_language)
        languages = languages or own
        if own != languages:
            raise ValueError(
                f"{kind} files are of one language pair, in one direction; got {'-'.join(languages)} and "
                f"{'-'.join(own)}; write a file for each, or .jsonl"
            )
        yield pair


def _tsv_line(pair: Pair, measures: Sequence[str]) -> str:
    cells = (pair.source, pair.target, pair.source_language, pair.target_language, *measures)
    if any(mark in cell for cell in cells for mark in "\t\n\r"):
        raise ValueError(f"a TSV cell holds no tab and no line break, got {pair!r}; write .jsonl instead")
    return "\t".join(cells) + "\n"


def _json_line(pair: Pair, _: Sequence[str]) -> str:
    return json.dumps(asdict(pair), ensure_ascii=False) + "\n"


def _tmx_unit(pair: Pair, _: Sequence[str]) -> str:
    return tmx.unit_of((pair.source_language, pair.source), (pair.target_language, pair.target))


_WRITERS = {
    "tsv": ("source\ttarget\tsource_language\ttarget_language\n", _tsv_line, ""),
    "jsonl": ("", _json_line, ""),
    "tmx": (tmx.HEAD, _tmx_unit, tmx.TAIL),
}
