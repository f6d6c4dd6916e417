"""Lines of small texts that align reads by itself: dictionaries, judgements, analogies."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

#: A path, or a file that is open for reading bytes.
Source = str | os.PathLike[str] | BinaryIO


def source_name(source: Source, name: str | None = None) -> str:
    """Return how errors call a source: by `name` if it is given, its path, or ``<stream>``."""
    if name is not None:
        return name
    return os.fspath(source) if isinstance(source, str | os.PathLike) else "<stream>"


def raw_lines(source: Source) -> Iterator[tuple[int, bytes]]:
    r"""Yield the number, from 1, and the bytes of each line, without its end and without a byte order mark.

    Examples
    --------
    >>> import io
    >>> list(raw_lines(io.BytesIO(b"\xef\xbb\xbfone\r\ntwo")))
    [(1, b'one'), (2, b'two')]
    """
    content = Path(source).read_bytes() if isinstance(source, str | os.PathLike) else source.read()
    # subtle: str.splitlines would also cut at U+0085 and U+2028, which occur in words
    for number, raw in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        yield number, raw.removesuffix(b"\r")


def decoded(raw: bytes) -> str:
    """Return the text of a line.

    Raises
    ------
    ValueError
        If it is not UTF-8; says why, and not where.
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"the text must be UTF-8 ({error.reason}); convert it to UTF-8") from error
