"""The distinct lines of a text file, which is mapped and not read into memory."""

import mmap
import os
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray


class UniqueLines(Sequence[str]):
    """The distinct lines of a UTF-8 file, blank ones left out, in the order of their first occurrence.

    About 40 bytes a line are held, whatever the lines are.

    Parameters
    ----------
    path : str or path

    Attributes
    ----------
    path : Path
    numbers : (n,) array of int64
        Line of each text in the file, from 1.
    n_lines : int
        Lines of the file.

    Raises
    ------
    ValueError
        If the file has no text, or, on reading a line, it is not UTF-8.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        starts, lengths, numbers = [], [], []
        seen: set[bytes] = set()
        position = number = 0
        with self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                text = line.strip(b" \t\r\n\xef\xbb\xbf") if number == 1 else line.strip(b" \t\r\n")
                digest = blake2b(text, digest_size=8).digest()
                if text and digest not in seen:
                    seen.add(digest)
                    starts.append(position + line.index(text))
                    lengths.append(len(text))
                    numbers.append(number)
                position += len(line)
        if not starts:
            raise ValueError(f"{self.path} holds no text; expected one sentence a line")
        self._starts, self._lengths, self.numbers = (np.array(each, np.int64) for each in (starts, lengths, numbers))
        self.n_lines = number
        with self.path.open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

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
        start = int(self._starts[row])
        try:
            return self._bytes[start : start + int(self._lengths[row])].decode("utf-8")
        except UnicodeDecodeError as error:
            line = self.numbers[row]
            raise ValueError(
                f"{self.path}, line {line}: the text must be UTF-8 ({error.reason}); convert it"
            ) from error

    def __iter__(self) -> Iterator[str]:
        return (self[row] for row in range(len(self)))


def unique_texts(texts: Sequence[str]) -> tuple[list[str], NDArray[np.int64]]:
    """Return the distinct texts, stripped, blank ones left out, and the number of each, from 1.

    Examples
    --------
    >>> texts, numbers = unique_texts(["a ", "", "b", "a"])
    >>> texts, numbers.tolist()
    (['a', 'b'], [1, 3])
    """
    first: dict[str, int] = {}
    for number, text in enumerate(texts, 1):
        if text.strip():
            first.setdefault(text.strip(), number)
    return list(first), np.array(list(first.values()), np.int64)
