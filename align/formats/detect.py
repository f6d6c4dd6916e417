"""File formats of embeddings: tell them apart by content, read rows, write files whole."""

import contextlib
import gzip
import io
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any, Literal, NoReturn, get_args

import numpy as np
from numpy.typing import NDArray

from interlingua.align.files import replacing

from .arrays import read_npz, read_safetensors, write_npz, write_safetensors
from .rows import BYTE_ORDER_MARK, EmbeddingFileError, ReadOptions, ReadReport, RowCollector
from .text import (
    HEADER,
    bounded_lines,
    check_binary_labels,
    check_text_labels,
    is_data_line,
    read_text,
    read_word2vec_binary,
    write_text,
    write_word2vec_binary,
)
from .unpacking import Unpacked

Format = Literal["word2vec", "glove", "word2vec-binary", "npz", "safetensors", "fasttext"]
FORMATS: tuple[Format, ...] = get_args(Format)
"""``word2vec``: text with a header line (also fastText's .vec); ``glove``: text without; ``fasttext``: a model with
subwords (.bin), which is read only; the others as named."""
_WRITTEN = FORMATS[:-1]
_READS_A_FILE = ("npz", "safetensors", "fasttext")

_BY_SUFFIX: dict[str, Format] = {
    ".vec": "word2vec",
    ".w2v": "word2vec",
    ".txt": "word2vec",
    ".glove": "glove",
    ".bin": "word2vec-binary",
    ".npz": "npz",
    ".safetensors": "safetensors",
}
_GZIP = b"\x1f\x8b"
_FASTTEXT_MODEL = b"\xba\x16\x4f\x2f"
_HEAD = 1 << 16
_BUFFER = 1 << 18
_CONTROL = bytes(set(range(32)) - set(b"\t\n\r\v\f\x1c\x1d\x1e\x1f"))


def detect_format(head: bytes, name: str = "") -> Format:
    r"""Tell the format from the first bytes (unpacked, 64 KiB are plenty) and, failing that, from the name.

    Raises
    ------
    EmbeddingFileError
        If the content is known to be something else: an empty file, a bare ``.npy``.

    Examples
    --------
    >>> detect_format(b"2 3\nthe 0.1 0.2 0.3\n")
    'word2vec'
    >>> detect_format(b"the 0.1 0.2 0.3\n")
    'glove'
    """
    refused = ""
    if not head:
        refused = "the file is empty"
    elif head.startswith(b"\x93NUMPY"):
        refused = "a bare .npy file has no labels; save np.savez(path, words=labels, vectors=vectors)"
    elif head.startswith((b"\xff\xfe", b"\xfe\xff")):
        refused = "this is UTF-16 text; convert it to UTF-8"
    if refused:
        raise EmbeddingFileError(f"{name}: {refused}" if name else refused)
    if head.startswith(_FASTTEXT_MODEL):
        return "fasttext"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "npz"
    if head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= 100_000_000:
        return "safetensors"
    first, _, rest = head.removeprefix(BYTE_ORDER_MARK).partition(b"\n")
    by_name = _BY_SUFFIX.get(Path(name.removesuffix(".gz")).suffix.lower())
    if header := HEADER.fullmatch(first):
        return _detect_after_header(rest, int(header[2]), by_name)
    return "word2vec-binary" if by_name == "word2vec-binary" and not is_data_line(first, 1) else "glove"


def read_rows(
    source: str | os.PathLike[str] | IO[bytes],
    *,
    format: Format | None = None,
    limit: int | None = None,
    on_malformed: Literal["raise", "skip"] = "raise",
    errors: Literal["strict", "replace"] = "strict",
) -> tuple[tuple[str, ...], NDArray[np.float32], str, ReadReport]:
    """Return labels, (n, d) matrix, space name and report of a file; `Embeddings.read` says what each option does."""
    _check_choice("format", format, (None, *FORMATS))
    _check_choice("on_malformed", on_malformed, ("raise", "skip"))
    _check_choice("errors", errors, ("strict", "replace"))
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, got {limit}; leave it out to read all rows")
    path = os.fspath(source) if isinstance(source, str | os.PathLike) else "<stream>"
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(Path(path).open("rb")) if isinstance(source, str | os.PathLike) else source
        guarded = _GuardedStream(file)
        head = guarded.head(_HEAD)
        compressed = head.startswith(_GZIP)
        if compressed:
            packed = io.BufferedReader(guarded, _BUFFER)
            unpacked = Unpacked(packed, lambda file: gzip.GzipFile(fileobj=file), partial(_refuse, path))
            guarded = _GuardedStream(unpacked)
            head = guarded.head(_HEAD)
        ordinary = not compressed and path != "<stream>" and Path(path).is_file()
        chosen = format or _detect_or_fail(head, path, guarded.damage)
        options = ReadOptions(
            path=path,
            format=chosen + "+gzip" * compressed,
            limit=limit,
            on_malformed=on_malformed,
            errors=errors,
            size=Path(path).stat().st_size if ordinary else None,
        )
        space = ""
        if chosen in _READS_A_FILE:
            if not ordinary:
                options.fail(f"{chosen} is read from an ordinary file, not from a stream or gzip; unpack it to a file")
            rows, space = _read_file(path, chosen, options)
        else:
            rows = _read_stream(guarded, chosen, options)
        labels, vectors, report = rows.finish()
    return labels, vectors, space, report


def write_rows(
    path: str | os.PathLike[str],
    labels: Sequence[str],
    vectors: NDArray[np.float32],
    *,
    space: str = "",
    format: Format | None = None,
    digits: int | None = None,
) -> None:
    """Write a file whole or not at all; `Embeddings.write` says what each option does."""
    name = os.fspath(path)
    chosen, compressed = _written_format(name, format)
    if digits is not None and (chosen not in ("word2vec", "glove") or not 1 <= digits <= 17):
        raise ValueError(f"digits must be 1 to 17 and is for text formats, got digits={digits} and format {chosen!r}")
    if chosen in ("npz", "safetensors"):
        if compressed:
            raise ValueError(f"{chosen} files are not compressed with gzip, got {name!r}; leave out '.gz'")
        (write_npz if chosen == "npz" else write_safetensors)(name, labels, vectors, space)
        return
    with replacing(path) as plain, _compressed_writer(plain, compressed) as file:
        if chosen == "word2vec-binary":
            write_word2vec_binary(file, labels, vectors)
        else:
            write_text(file, labels, vectors, header=chosen == "word2vec", digits=digits)


def check_labels(path: str | os.PathLike[str], labels: Sequence[str], *, format: Format | None = None) -> None:
    """Raise ValueError if a file of that name or format cannot hold these labels, before what is to be written is made.

    Examples
    --------
    >>> check_labels("words.vec", ["New York"])
    Traceback (most recent call last):
        ...
    ValueError: labels in word2vec files hold no blank, which other readers would split, got 'New York'; replace \
blanks by '_', or write format='glove', .npz or .safetensors
    """
    chosen, _ = _written_format(os.fspath(path), format)
    if chosen == "word2vec-binary":
        check_binary_labels(labels)
    elif chosen in ("word2vec", "glove"):
        check_text_labels(labels, blanks_allowed=chosen == "glove")
    elif "" in labels:
        raise ValueError(f"labels are not empty, got '' at row {list(labels).index('')}; name or drop it")


def _written_format(name: str, format: Format | None) -> tuple[Format, bool]:
    """Return the format that a name tells, unless one is given, and whether the file is compressed."""
    _check_choice("format", format, (None, *_WRITTEN))
    compressed = name.lower().endswith(".gz")
    chosen = format or _BY_SUFFIX.get(Path(name[:-3] if compressed else name).suffix.lower())
    if chosen is None:
        raise ValueError(
            f"the name {name!r} tells no format; end it in one of {', '.join(_BY_SUFFIX)}, or give format="
        )
    return chosen, compressed


def _read_file(path: str, chosen: Format, options: ReadOptions) -> tuple[RowCollector, str]:
    if chosen == "fasttext":
        from .fasttext import read_fasttext_rows  # which knows Embeddings, and these know this module

        return read_fasttext_rows(path, options), ""
    return read_npz(path, options) if chosen == "npz" else read_safetensors(path, options)


def _read_stream(guarded: "_GuardedStream", chosen: Format, options: ReadOptions) -> RowCollector:
    stream = io.BufferedReader(guarded, _BUFFER)
    try:
        if chosen == "word2vec-binary":
            rows = read_word2vec_binary(stream, options)
        else:
            rows = read_text(bounded_lines(stream, options), options, header=chosen == "word2vec")
    except EmbeddingFileError as error:
        if not guarded.damage:
            raise
        raise EmbeddingFileError(f"{error} (the compressed file is damaged: {guarded.damage})") from error
    if not guarded.damage:
        rows.check_promise()
    elif rows.wanted(1):  # the damage lies before the limit
        rows.ended_early(f"the compressed file is damaged after {rows.n_read} rows: {guarded.damage}")
    return rows


class _GuardedStream(io.RawIOBase):
    """A stream that gives its first bytes twice, and that ends, with a note, where a compressed one is damaged."""

    def __init__(self, file: IO[bytes] | io.RawIOBase) -> None:
        self.damage = ""
        self._read: Callable[[int], bytes] = getattr(file, "read1", file.read)
        self._pending = b""

    def head(self, size: int) -> bytes:
        """Return up to `size` first bytes, which will be read again."""
        parts = []
        while size > 0 and (part := self._next(size)):
            parts.append(part)
            size -= len(part)
        self._pending = b"".join(parts)
        return self._pending

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._pending:
            data, self._pending = self._pending[: len(buffer)], self._pending[len(buffer) :]
        else:
            data = self._next(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _next(self, size: int) -> bytes:
        if self.damage:
            return b""
        try:
            return self._read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            self.damage = str(error)
            return b""


def _refuse(name: str, what: str) -> NoReturn:
    raise EmbeddingFileError(f"{name}: {what}")


def _detect_or_fail(head: bytes, name: str, damage: str) -> Format:
    if not head and damage:
        raise EmbeddingFileError(
            f"{name}: the compressed file is damaged from the beginning ({damage}); fetch it again"
        )
    return detect_format(head, name)


def _detect_after_header(rest: bytes, dimension: int, by_name: Format | None) -> Format:
    lines = [line for line in rest.split(b"\n")[:20] if line.strip()]
    if any(is_data_line(line, dimension) for line in lines):
        return "word2vec"
    if lines and dimension != 1 and all(len(line.split()) == 2 and is_data_line(line, 1) for line in lines):
        return "glove"  # "5 3" was the first row of a one-dimensional file, not a header
    if len(rest.translate(None, _CONTROL)) < len(rest) or by_name == "word2vec-binary":
        return "word2vec-binary"
    return "word2vec"


@contextlib.contextmanager
def _compressed_writer(file: IO[bytes], compressed: bool) -> Iterator[IO[bytes] | gzip.GzipFile]:
    """Wrap `file` in gzip, without a name or a time, so that equal content gives equal files."""
    if not compressed:
        yield file
        return
    with gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=6, mtime=0) as packed:
        yield packed


def _check_choice(name: str, value: object, choices: Sequence[object]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(repr(choice) for choice in choices)}, got {value!r}")
