"""The formats of sentence pairs: which file is which, and a reader for each."""

import gzip
import itertools
import json
import os
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from .bitext_tmx import TmxError, read_units

__all__ = ["READERS", "BitextError", "Listener", "Row", "Source", "find_source", "open_binary", "text_lines"]

Row = tuple[str, str, str, str]  # source, target, source language, target language

_SUFFIXES = {".tsv": "tsv", ".txt": "tsv", ".tmx": "tmx", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}
_BLANKS = re.compile("[ \t\r\n\f\v]+")  # ASCII only: a narrow no-break space belongs to the text
_TAG = re.compile("[a-z]{2,3}([-_][A-Za-z0-9]{2,8})*")
_GENERIC = (("source", "target"), ("anchor", "positive"), ("sentence1", "sentence2"), ("src", "tgt"))
_UNNAMED = ("source", "target")
# ISO 639-1, of which a header is recognised: three letters are too often a word, as in the pair "cat", "gat"
_ISO_639_1 = (
    "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en "
    "eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv "
    "ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne "
    "ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg sh si sk sl sm sn so sq sr ss "
    "st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu"
)
_CODES = frozenset(_ISO_639_1.split())
_SCRIPT_OR_REGION = re.compile("([-_]([A-Z][a-z]{3}|[A-Z]{2}|[0-9]{3})){0,2}")
_NO_LANGUAGES = frozenset({"doc", "id", "ids", "key", "log", "txt", "url", "xml"})  # but written like a tag


class BitextError(ValueError):
    """A file of sentence pairs is malformed or damaged."""


@dataclass(frozen=True)
class Listener:
    """Is told what a reader meets beside pairs.

    Attributes
    ----------
    malformed : callable
        Gets the line of a record that holds no pair, and what is wrong with it.
    foreign : callable
        Is called for each record of other languages than the wanted ones.
    first_line : callable
        Gets what a TSV file's first line was taken for.
    """

    malformed: Callable[[int, str], None]
    foreign: Callable[[], None]
    first_line: Callable[[str], None]


@dataclass(frozen=True)
class Source:
    """Where pairs come from: one file, or Moses' two."""

    paths: tuple[Path, ...]
    format: str
    languages: tuple[str, str] | None = None
    header: bool | None = None

    @property
    def name(self) -> str:
        """What to call it in errors."""
        return " and ".join(map(str, self.paths))


def find_source(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    format: str | None,
    languages: tuple[str, str] | None,
    header: bool | None,
) -> Source:
    """Tell what `read_pairs` is to read; its errors are documented there."""
    if format is not None and format not in READERS:
        raise ValueError(f"format must be one of {', '.join(READERS)}, got {format!r}")
    if not isinstance(path, str | os.PathLike):
        paths = tuple(Path(each) for each in path)
        if len(paths) != 2 or format not in (None, "moses"):
            raise ValueError(f"two files are read row by row (moses), got {len(paths)} file(s) and format {format!r}")
        for each in paths:
            _check_file(each)
        return Source(paths, "moses", languages or _suffix_languages(paths))
    one = Path(path)
    if format == "moses" or (format is None and not one.exists()):
        found = _moses_files(one, languages)
        return Source(found, "moses", languages or _suffix_languages(found))
    _check_file(one)
    kind = format or _SUFFIXES.get(_plain(one).suffix.lower())
    if kind is None:
        known = ", ".join(_SUFFIXES)
        raise ValueError(f"the format of {one} cannot be told by its name ({known}); choose it with format=...")
    return Source((one,), kind, languages, header)


def open_binary(path: Path) -> IO[bytes]:
    """Open a file, through gzip where it begins as gzip does."""
    file = path.open("rb")
    zipped = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    if not zipped:
        return file
    file.close()
    return cast(IO[bytes], gzip.open(path, "rb"))


def text_lines(path: Path) -> Iterator[str]:
    r"""Yield the lines of a UTF-8 file; only ``\n`` and ``\r\n`` end one.

    Raises
    ------
    BitextError
        If a line is not UTF-8 or the file is cut short or damaged, with the line.
    """
    number = 1
    with open_binary(path) as file:
        try:
            for number, raw in enumerate(file, 1):
                yield raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\n").rstrip("\r")
        except UnicodeDecodeError as error:
            raise BitextError(f"{path}, line {number}: the text must be UTF-8 ({error.reason}); convert it") from error
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise BitextError(
                f"{path}, after line {number}: the gzip file is damaged ({error}); get it anew"
            ) from error


def clean(text: str) -> str:
    """Make runs of blanks, tabs and line breaks one blank, and drop those around the text."""
    return _BLANKS.sub(" ", text).strip(" ")


def matches(wanted: str, tag: str) -> bool:
    """Tell whether a language tag is the wanted language or a variant of it.

    Examples
    --------
    >>> matches("en", "EN_gb"), matches("en-GB", "en"), matches("e", "en")
    (True, False, False)
    """
    wanted, tag = wanted.lower().replace("_", "-"), tag.lower().replace("_", "-")
    return tag == wanted or tag.startswith(wanted + "-")


def _find_tag(wanted: str, tags: Sequence[str]) -> str | None:
    """Return the tag of a language: itself if it is there, else the first variant of it."""
    return wanted if wanted in tags else next((tag for tag in tags if matches(wanted, tag)), None)


def _chosen(row: Row, wanted: tuple[str, str]) -> Row | None:
    """Return a row that names its languages (or not: "") in the wanted direction; None if it is of others."""
    left, right, *own = row
    for texts, tags in (((left, right), own), ((right, left), own[::-1])):
        if all(not tag or matches(name, tag) for name, tag in zip(wanted, tags, strict=True)):
            return *texts, *wanted
    return None


def _read_tsv(source: Source, listener: Listener) -> Iterator[Row]:
    lines = text_lines(source.paths[0])
    first = next(lines, None)
    if first is None:
        return
    columns: tuple[int | None, ...] | None = None
    if source.header is not False:
        columns = _header(first.split("\t"), source)
    names = source.languages or _UNNAMED
    if columns is not None and source.languages is None:
        cells = [cell.strip() for cell in first.split("\t")]
        pair = (cells[cast(int, columns[0])], cells[cast(int, columns[1])])
        names = _UNNAMED if (pair[0].lower(), pair[1].lower()) in _GENERIC else pair
    _say_first_line(first, columns, source, listener)
    start = 1 if columns is None else 2
    width = 2 if columns is None else len(first.split("\t"))
    left, right, *tags = columns or (0, 1, None, None)
    for number, line in enumerate(lines if columns else itertools.chain([first], lines), start):
        if not line.strip():
            continue
        cells = line.split("\t")
        if len(cells) != width:
            way_out = "" if columns else " (name the columns in a first line, such as en, fr, where there are more)"
            listener.malformed(
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
            listener.foreign()


def _header(cells: Sequence[str], source: Source) -> tuple[int | None, ...] | None:
    """Return the columns of source, target, source language and target language; None if this is no header."""
    names = [cell.strip() for cell in cells]
    lower = [name.lower() for name in names]
    wanted: list[tuple[str, str]] = list(_GENERIC)
    if source.languages is not None:
        left, right = (_find_tag(one, names) for one in source.languages)
        if left is not None and right is not None:
            return names.index(left), names.index(right), None, None
    elif len(names) == 2 and names[0] != names[1] and all(_is_code(name) for name in names):
        return 0, 1, None, None
    for left, right in wanted:
        if left in lower and right in lower:
            tags = (lower.index(name) if name in lower else None for name in (f"{left}_language", f"{right}_language"))
            return lower.index(left), lower.index(right), *tags
    tagged = [row for row, name in enumerate(names) if _TAG.fullmatch(name) and name not in _NO_LANGUAGES]
    if source.header and source.languages is None and len(tagged) == 2:
        return tagged[0], tagged[1], None, None
    if source.header:
        asked = f"the languages {source.languages}" if source.languages else "two languages, or source and target"
        raise BitextError(f"{source.name}, line 1: the header must name {asked}, but is {names}")
    return None


def _is_code(name: str) -> bool:
    return name[:2] in _CODES and _SCRIPT_OR_REGION.fullmatch(name[2:]) is not None


def _say_first_line(first: str, columns: tuple[int | None, ...] | None, source: Source, listener: Listener) -> None:
    names = [cell.strip() for cell in first.split("\t")]
    if columns is not None:
        listener.first_line(f"taken as the header: {', '.join(names)}")
    elif source.header is None and len(names) == 2 and all(_TAG.fullmatch(name) for name in names):
        listener.first_line(f"taken as a pair, not as a header: {', '.join(names)}")


def _read_moses(source: Source, listener: Listener) -> Iterator[Row]:
    del listener  # any line is a text
    languages = source.languages or _UNNAMED
    sides = (text_lines(path) for path in source.paths)
    for number, (left, right) in enumerate(itertools.zip_longest(*sides), 1):
        if left is None or right is None:
            short, long = source.paths if left is None else source.paths[::-1]
            raise BitextError(
                f"{short} ends after line {number - 1}, but {long} goes on: rows must correspond; get both files anew"
            )
        yield clean(left), clean(right), *languages


def _read_tmx(source: Source, listener: Listener) -> Iterator[Row]:
    languages = source.languages
    path = source.paths[0]
    try:
        with open_binary(path) as file:
            for line, sides in read_units(file):
                if languages is None:
                    if len(sides) != 2:
                        found = ", ".join(sides) or "none"
                        listener.malformed(
                            line, f"the unit has the languages {found}; choose two with languages=(..., ...)"
                        )
                        continue
                    languages = cast("tuple[str, str]", tuple(sides))
                chosen = [_find_tag(name, tuple(sides)) for name in languages]
                if None in chosen:
                    # a memory of many languages has units without one of the two
                    if source.languages is None:
                        found = ", ".join(sides) or "no language"
                        listener.malformed(line, f"the unit has {found}, not {', '.join(languages)}")
                    else:
                        listener.foreign()
                    continue
                texts = (clean(sides[cast(str, tag)]) for tag in chosen)
                yield *cast("tuple[str, str]", tuple(texts)), *languages
    except TmxError as error:
        raise BitextError(f"{path}, {error}") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BitextError(f"{path}: the gzip file is damaged ({error}); get it anew") from error


def _read_jsonl(source: Source, listener: Listener) -> Iterator[Row]:
    for number, line in enumerate(text_lines(source.paths[0]), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            array = "one array in the file is not read" if line.lstrip().startswith("[") else error
            listener.malformed(number, f"each line must be a JSON object ({array}): {line[:80]!r}")
            continue
        if isinstance(record, dict) and isinstance(record.get("translation"), dict):
            record = record["translation"]
        row = _record(record, source.languages) if isinstance(record, dict) else None
        if row is None:
            wanted = source.languages or "two languages, or source and target,"
            listener.malformed(number, f"the object must hold {wanted} with texts: {line[:80]!r}")
            continue
        if source.languages is not None:
            row = _chosen(row, source.languages)
        if row is None:
            listener.foreign()
        else:
            yield row


def _record(record: Mapping[str, Any], languages: tuple[str, str] | None) -> Row | None:
    """Return the texts and the languages of an object, "" where `languages` are wanted and it names none."""
    if languages is not None:
        keys = [_find_tag(name, tuple(record)) for name in languages]
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
    tags = [key for key, value in record.items() if isinstance(value, str) and key not in _NO_LANGUAGES]
    return _texts(record, tags, (tags[0], tags[1])) if len(tags) == 2 else None


def _texts(record: Mapping[str, Any], keys: Sequence[str], languages: tuple[str, str]) -> Row | None:
    texts = [record[key] for key in keys]
    try:
        for text in texts:
            text.encode()  # JSON can escape half a surrogate pair, which is no text
    except (AttributeError, UnicodeEncodeError):
        return None
    return clean(texts[0]), clean(texts[1]), *languages


READERS: dict[str, Callable[[Source, Listener], Iterator[Row]]] = {
    "tsv": _read_tsv,
    "moses": _read_moses,
    "tmx": _read_tmx,
    "jsonl": _read_jsonl,
}


def _plain(path: Path) -> Path:
    return path.with_suffix("") if path.suffix.lower() == ".gz" else path


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name a file in it")
    if not path.exists():
        raise FileNotFoundError(f"no file of sentence pairs at {path}")


def _moses_files(prefix: Path, languages: tuple[str, str] | None) -> tuple[Path, ...]:
    """Return the two files ``PREFIX.LANGUAGE``, each maybe with .gz."""
    if languages is not None:
        tried = [[Path(f"{prefix}.{name}{gz}") for gz in ("", ".gz")] for name in languages]
        found = [next((path for path in both if path.exists()), both[0]) for both in tried]
        for path in found:
            if not path.exists():
                raise FileNotFoundError(f"no file of sentence pairs at {prefix}, nor Moses' file {path}")
        return tuple(found)
    siblings = sorted(prefix.parent.glob(f"{prefix.name}.*")) if prefix.parent.is_dir() else []
    suffixes = {path: _plain(path).name.removeprefix(f"{prefix.name}.") for path in siblings if path.is_file()}
    named = [path for path, tag in suffixes.items() if _TAG.fullmatch(tag) and tag not in _NO_LANGUAGES]
    if len(named) != 2:
        held = ", ".join(path.name for path in named) or "none"
        raise FileNotFoundError(
            f"no file of sentence pairs at {prefix}, nor two of Moses' files {prefix}.LANGUAGE (found: {held}); "
            "name both files, or the languages"
        )
    # subtle: OPUS names its files corpus.en-fr.en and corpus.en-fr.fr: that pair says which is the source
    first = prefix.suffix.removeprefix(".").partition("-")[0]
    return tuple(sorted(named, key=lambda path: _plain(path).suffix != f".{first}"))


def _suffix_languages(paths: Sequence[Path]) -> tuple[str, str]:
    left, right = (_plain(path).suffix.removeprefix(".") for path in paths)
    return (left, right) if left != right and _TAG.fullmatch(left) and _TAG.fullmatch(right) else _UNNAMED
