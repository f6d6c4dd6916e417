r"""The lines of texts, from files or standard input: the one place where pipelines decode text.

UTF-8, with or without a byte order mark, with or without gzip or bzip2, which are told by their first bytes and not
by the name. Only ``\n`` and ``\r\n`` end a line: ``str.splitlines`` would also cut at U+2028, which occurs in texts.
Errors say where: ``FILE, line N: ...``.
"""

import bz2
import gzip
import io
import json
import mmap
import os
import re
import sys
import tempfile
import unicodedata
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any, Literal, NoReturn, overload

from interlingua.align.formats.unpacking import Unpacked

PathLike = str | os.PathLike[str]

#: The most bytes of a line, so that a small compressed file cannot fill the memory with one.
MOST_BYTES = 1 << 24

_DAMAGE = (EOFError, OSError, zlib.error)  # what reading compressed data raises where they are cut or damaged
_BYTES_OF_HEAD = 10
_BUFFER = 1 << 16
_SEEN = re.compile(rb"[!-~]")


def input_name(path: PathLike) -> str:
    """Return what to call an input in notes and errors; ``-`` is standard input."""
    return "standard input" if os.fspath(path) == "-" else os.fspath(path)


def plain_name(path: PathLike) -> Path:
    """Return a path without the ending of its compression.

    Examples
    --------
    >>> plain_name("texts/en.tsv.gz").name, plain_name("en.tsv").name
    ('en.tsv', 'en.tsv')
    """
    path = Path(path)
    return path.with_suffix("") if path.suffix.lower() in (".gz", ".bz2") else path


@contextmanager
def open_binary(path: PathLike, *, error: type[ValueError] = ValueError) -> Iterator["io.BufferedReader[Any]"]:
    """Open a file, or standard input as ``-``; compressed data are unpacked while they are read.

    Parameters
    ----------
    path : str or path
    error : type of ValueError
        What to raise.

    Raises
    ------
    ValueError
        Of the type `error`, if compressed data are damaged, cut short, or expand to far more than their size.
    OSError
        If it cannot be opened or read.
    """
    with nullcontext(sys.stdin.buffer) if os.fspath(path) == "-" else Path(path).open("rb") as file:
        stream = _buffered(file)
        unpack = _unpacker(stream.peek(_BYTES_OF_HEAD)[:_BYTES_OF_HEAD])
        if unpack is None:
            yield stream
            return
        try:
            with io.BufferedReader(
                Unpacked(stream, unpack, partial(_refuse, input_name(path), error)), _BUFFER
            ) as file:
                yield file
        except _DAMAGE as cause:
            _refuse_damage(cause, input_name(path), error)


@contextmanager
def open_lines(path: PathLike, *, error: type[ValueError] = ValueError) -> Iterator[Iterator[str]]:
    """Yield the lines of a text without their ends; see `numbered_lines` for parameters and errors."""
    with open_binary(path, error=error) as file:
        yield (line for _, line in _decoded(file, input_name(path), error))


def numbered_lines(
    path: PathLike, *, blank: Literal["keep", "skip"] = "keep", error: type[ValueError] = ValueError
) -> Iterator[tuple[int, str]]:
    """Yield the number, from 1, and the text of each line, without its end.

    Parameters
    ----------
    path : str or path
        ``-`` is standard input.
    blank : {"keep", "skip"}
        Whether lines that hold nothing but white space are left out; the others keep their numbers.
    error : type of ValueError
        What to raise.

    Raises
    ------
    ValueError
        Of the type `error`, naming the line: it is not UTF-8 or longer than 16 MiB, or the compressed data are damaged.
    OSError
        If the file cannot be opened or read.
    """
    with open_binary(path, error=error) as file:
        for number, line in _decoded(file, input_name(path), error):
            if blank == "keep" or line.strip():
                yield number, line


def line_blocks(
    path: PathLike, size: int, *, blank: Literal["keep", "skip"] = "keep", error: type[ValueError] = ValueError
) -> Iterator[list[tuple[int, str]]]:
    """Yield `numbered_lines` by `size` of them, or fewer long ones, for what is faster with many at once."""
    block: list[tuple[int, str]] = []
    held = 0
    for line in numbered_lines(path, blank=blank, error=error):
        block.append(line)
        held += len(line[1])
        if len(block) == size or held > MOST_BYTES:
            yield block
            block, held = [], 0
    if block:
        yield block


def read_lines(
    path: PathLike, *, blank: Literal["keep", "skip"] = "keep", error: type[ValueError] = ValueError
) -> list[tuple[int, str]]:
    """Return `numbered_lines` at once, for what is held in memory anyway."""
    return list(numbered_lines(path, blank=blank, error=error))


def lines_of(data: bytes, name: str) -> Iterator[tuple[int, str]]:
    """Yield the number, from 1, and the text of each line of a file that is in memory, called `name` in errors."""
    return _decoded(io.BufferedReader(io.BytesIO(data)), name, ValueError)


def decode_line(raw: bytes, number: int, name: str, *, error: type[ValueError] = ValueError) -> str:
    """Return a line of a file as text, without its end and, in line 1, without a byte order mark.

    Raises
    ------
    ValueError
        Of the type `error`, if it is not UTF-8, naming the file and the line.
    """
    try:
        return raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\n").rstrip("\r")
    except UnicodeDecodeError as cause:
        raise error(f"{name}, line {number}: the text must be UTF-8 ({cause.reason}); convert it to UTF-8") from cause


def json_value(line: str) -> Any:
    """Return what a line of JSON lines holds, which should be an object.

    Raises
    ------
    ValueError
        If it is no JSON; the caller says where.
    """
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = "one array in the file is not read" if line.lstrip().startswith("[") else error
        raise ValueError(f"each line must be a JSON object ({reason}): {line[:80]!r}") from error


def json_lines(lines: Iterable[tuple[int, str]], name: str) -> Iterator[tuple[int, Any]]:
    """Yield the number and the JSON value of each line that is not blank.

    Raises
    ------
    ValueError
        If a line holds no JSON, naming it.
    """
    for number, line in lines:
        if line.strip():
            try:
                value = json_value(line)
            except ValueError as error:
                raise ValueError(f"{name}, line {number}: {error}") from error
            yield number, value


def says_something(text: str) -> bool:
    r"""Tell whether a text has a character that can be seen: no blank, no control or format character.

    Examples
    --------
    >>> says_something("a"), says_something(" \u200b\x02\ufeff"), says_something("\u3000")
    (True, False, False)
    """
    return any(unicodedata.category(each)[0] not in "ZC" or unicodedata.category(each) == "Co" for each in text)


class UniqueLines(Sequence[str]):
    """The distinct lines of a UTF-8 file in the order of their first occurrence, but those that show nothing.

    A file is mapped and not read into memory; what is compressed or no file is unpacked into a temporary one. About 40
    bytes a line are held, whatever the lines are.

    Parameters
    ----------
    path : str or path
        ``-`` is standard input.

    Attributes
    ----------
    name : str
        What it is called in errors.
    numbers : array of int
        Line of each text in the file, from 1.
    n_lines : int
        Lines of the file.

    Raises
    ------
    ValueError
        If the file has no text, or, on reading a line, it is not UTF-8.
    """

    def __init__(self, path: PathLike) -> None:
        self.name = input_name(path)
        self._starts, self._lengths, self.numbers = array("q"), array("q"), array("q")
        seen: set[bytes] = set()
        position = number = 0
        with open_binary(path) as file, tempfile.TemporaryFile() as copy:
            mapped = isinstance(file.raw, io.FileIO) and self.name == os.fspath(path) and Path(path).is_file()
            for number, line in enumerate(_raw_lines(file, self.name, ValueError), 1):
                if not mapped:
                    copy.write(line)
                text = line.strip(b" \t\r\n\xef\xbb\xbf") if number == 1 else line.strip(b" \t\r\n")
                digest = blake2b(text, digest_size=8).digest()
                # most lines have a character of ASCII and need not be decoded for this
                if digest not in seen and (_SEEN.search(text) or says_something(text.decode(errors="replace"))):
                    seen.add(digest)
                    self._starts.append(position + line.index(text))
                    self._lengths.append(len(text))
                    self.numbers.append(number)
                position += len(line)
            if not seen:
                raise ValueError(f"{self.name} holds no text; expected one sentence a line")
            self.n_lines = number
            copy.flush()
            self._bytes = mmap.mmap((file if mapped else copy).fileno(), 0, access=mmap.ACCESS_READ)

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, row: int) -> str: ...

    @overload
    def __getitem__(self, row: slice) -> list[str]: ...

    def __getitem__(self, row: int | slice) -> str | list[str]:
        if isinstance(row, slice):
            return [self[each] for each in range(*row.indices(len(self)))]
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of {len(self)} lines")
        start = self._starts[row]
        return decode_line(self._bytes[start : start + self._lengths[row]], self.numbers[row], self.name)

    def __iter__(self) -> Iterator[str]:
        return (self[row] for row in range(len(self)))


def unique_texts(texts: Sequence[str]) -> tuple[list[str], list[int]]:
    """Return the distinct texts, stripped, those that show nothing left out, and the number of each, from 1.

    Examples
    --------
    >>> unique_texts(["a ", "", "b", "a"])
    (['a', 'b'], [1, 3])
    """
    first: dict[str, int] = {}
    for number, text in enumerate(texts, 1):
        if says_something(text):
            first.setdefault(text.strip(), number)
    return list(first), list(first.values())


def take(texts: Sequence[str], rows: Iterable[int]) -> list[str]:
    """Return the texts at some rows."""
    return [texts[row] for row in rows]


def _buffered(file: IO[bytes]) -> "io.BufferedReader[Any]":
    return file if isinstance(file, io.BufferedReader) else io.BufferedReader(io.BytesIO(file.read()))


def _unpacker(head: bytes) -> Any:
    if head.startswith(b"\x1f\x8b"):
        return lambda file: gzip.GzipFile(fileobj=file, mode="rb")
    # subtle: a text may begin with BZh, but hardly with the six bytes that begin a block, or end a file without one
    return bz2.BZ2File if head.startswith(b"BZh") and head[4:] in (b"1AY&SY", b"\x17rE8P\x90") else None


def _refuse(name: str, error: type[ValueError], what: str) -> NoReturn:
    raise error(f"{name}: {what}")


def _refuse_damage(cause: Exception, where: str, error: type[ValueError]) -> NoReturn:
    if isinstance(cause, OSError) and (cause.errno is not None or type(cause) not in (OSError, gzip.BadGzipFile)):
        raise cause  # the disk, not what is on it
    raise error(f"{where}: the compressed file is damaged ({cause}); get it anew") from cause


def _raw_lines(file: "io.BufferedReader[Any]", name: str, error: type[ValueError]) -> Iterator[bytes]:
    number = 0
    try:
        for number, raw in enumerate(iter(partial(file.readline, MOST_BYTES + 1), b""), 1):
            if len(raw) > MOST_BYTES:
                raise error(f"{name}, line {number}: a line may have at most {MOST_BYTES:,} bytes; is the file a text?")
            yield raw
    except _DAMAGE as cause:
        _refuse_damage(cause, f"{name}, after line {number}", error)


def _decoded(file: "io.BufferedReader[Any]", name: str, error: type[ValueError]) -> Iterator[tuple[int, str]]:
    for number, raw in enumerate(_raw_lines(file, name, error), 1):
        yield number, decode_line(raw, number, name, error=error)
