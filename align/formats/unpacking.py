"""Compressed data, unpacked while they are read, and no further than their size lets expect."""

import io
from collections.abc import Callable
from typing import IO, Any

#: Times that compressed data may expand: texts take 3 to 20, tables of few words 100.
LARGEST_EXPANSION = 200
#: Bytes that may come out whatever went in: the longest line of a text, and some more.
EXPANDS_FREELY = 5 << 22


class Unpacked(io.RawIOBase):
    """What a compressed stream holds; ended by an error where it is far more than its size lets expect.

    A megabyte of gzip can hold a gigabyte, one of bzip2 more.

    Parameters
    ----------
    file : binary file
        Compressed.
    unpack : callable
        Makes of a binary file the one that unpacks it.
    fail : callable
        Raises, given what is wrong.
    """

    def __init__(self, file: IO[bytes], unpack: Callable[[Any], Any], fail: Callable[[str], Any]) -> None:
        self._packed = _Counted(file)
        self._file = unpack(self._packed)
        self._fail = fail
        self._size = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer, and return how many bytes."""
        data = self._file.read1(len(buffer))  # what was unpacked before damage is given before the error
        buffer[: len(data)] = data
        self._size += len(data)
        if self._size > EXPANDS_FREELY and self._size > LARGEST_EXPANSION * self._packed.size:
            self._fail(
                f"the compressed file expands to more than {LARGEST_EXPANSION} times its size "
                f"({self._packed.size:,} to {self._size:,} bytes so far); is it what it should be? "
                "unpack it first to read it all the same"
            )
        return len(data)

    def close(self) -> None:
        """Close what unpacks; the compressed file is its owner's."""
        self._file.close()
        super().close()


class _Counted:
    """A binary file that counts what was read of it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.size = 0

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.size += len(data)
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
