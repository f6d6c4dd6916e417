"""What every embedding reader shares: the error, the report, and the growing table of rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

import numpy as np
from numpy.typing import NDArray

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
#: Values in a row, and bytes in a label: far more than any file of embeddings has. What claims more is damaged or
#: hostile, and is refused before memory is asked for.
LARGEST_DIMENSION = 1 << 20
LONGEST_LABEL = 1 << 16
_N_NAMED = 20
_FIRST_ROWS = 4096
_FIRST_BYTES = 1 << 26


class EmbeddingFileError(ValueError):
    """A file of embeddings is malformed, truncated or of an unknown format."""


@dataclass(frozen=True)
class ReadReport:
    """What was read from a file of embeddings, and what was not kept.

    Attributes
    ----------
    path : str
        The file, or ``<stream>``.
    format : str
        One of `interlingua.align.formats.detect.FORMATS`, with ``+gzip`` where the file was compressed.
    n_read : int
        Rows examined, malformed ones included.
    n_kept : int
        Rows kept: ``n_read - malformed - non_finite - duplicates``.
    dimension : int
        Values in a row.
    promised : int or None
        The number of rows that the header states; None where the format has no header.
    duplicates : int
        Rows dropped since their label had been seen before; the first one is kept.
    zero_vectors : int
        Rows kept whose values are all zero.
    non_finite : int
        Rows dropped since a value is NaN or infinite in float32.
    malformed : int
        Rows dropped since they could not be read.
    non_finite_lines, malformed_lines : tuple of int
        The first 20 of them: line numbers from 1 (text), or row numbers from 1 (binary formats).
    damage : str
        Why the file ended early; empty if it did not.
    """

    path: str
    format: str
    n_read: int
    n_kept: int
    dimension: int
    promised: int | None = None
    duplicates: int = 0
    zero_vectors: int = 0
    non_finite: int = 0
    malformed: int = 0
    non_finite_lines: tuple[int, ...] = ()
    malformed_lines: tuple[int, ...] = ()
    damage: str = ""

    def summary(self) -> str:
        """Return one line for people.

        Examples
        --------
        >>> ReadReport("en.vec", "word2vec", 5, 3, 300, duplicates=1, malformed=1, malformed_lines=(4,)).summary()
        'en.vec: 3 of 5 vectors of dimension 300 kept (word2vec); dropped: 1 duplicate, 1 malformed (at 4)'
        """
        text = f"{self.path}: {self.n_kept} of {self.n_read} vectors of dimension {self.dimension} kept ({self.format})"
        dropped = [
            _counted(self.duplicates, "duplicate"),
            _counted(self.malformed, "malformed", plural="malformed", at=self.malformed_lines),
            _counted(self.non_finite, "non-finite", plural="non-finite", at=self.non_finite_lines),
        ]
        if any(dropped):
            text += "; dropped: " + ", ".join(filter(None, dropped))
        if self.zero_vectors:
            text += f"; kept {_counted(self.zero_vectors, 'zero vector')}"
        if self.damage:
            text += f"; {self.damage}"
        elif self.promised is not None and self.n_read > self.promised:
            text += f"; the header promises only {self.promised}"
        return text


@dataclass(frozen=True)
class ReadOptions:
    """How to read: shared by all formats; see `interlingua.align.vocabulary.Embeddings.read`."""

    path: str
    format: str
    limit: int | None = None
    on_malformed: Literal["raise", "skip"] = "raise"
    errors: Literal["strict", "replace"] = "strict"
    size: int | None = None  # bytes in the file where known; bounds what is reserved on the word of a header

    def fail(self, what: str, *, at: str = "") -> NoReturn:
        """Raise an `EmbeddingFileError` that names the file."""
        raise EmbeddingFileError(f"{self.path}{', ' + at if at else ''}: {what}")


def check_dimension(dimension: int, options: ReadOptions) -> None:
    """Refuse a header that promises rows longer than any."""
    if dimension > LARGEST_DIMENSION:
        options.fail(
            f"the header promises {dimension} values a row, more than the {LARGEST_DIMENSION} that are read; "
            "is this a file of embeddings?"
        )


class RowCollector:
    """Labels and rows that grow in blocks; drops, counts and names what cannot be kept.

    Parameters
    ----------
    options : ReadOptions
        What to do with malformed rows, and how many rows to read.
    dimension : int
        Values in a row.
    promised : int, optional
        Rows that the header states.
    unit : {"line", "row"}
        What the numbers given to `add` and `malformed` count.
    """

    def __init__(
        self,
        options: ReadOptions,
        *,
        dimension: int,
        promised: int | None = None,
        unit: Literal["line", "row"] = "line",
    ) -> None:
        self.options = options
        self.dimension = dimension
        self.n_read = 0
        self._promised = promised
        self._unit = unit
        self._index: dict[str, int] = {}
        # nothing is reserved on the word of a header alone: the first row comes first
        self._matrix: NDArray[np.float32] = np.empty((0, dimension), dtype=np.float32)
        self._duplicates = 0
        self._zero_vectors = 0
        self._non_finite: list[int] = []
        self._malformed: list[int] = []
        self._damage = ""

    def wanted(self, most: int) -> int:
        """Return how many rows to read next: `most`, or fewer when the limit is near."""
        limit = self.options.limit
        return most if limit is None else min(most, limit - self.n_read)

    def malformed(self, number: int, what: str) -> None:
        """Note the row at `number` as malformed, or raise."""
        if self.options.on_malformed == "raise":
            way_out = "mend it, or read with on_malformed='skip' to drop such rows and have them listed"
            self.options.fail(f"{what}; {way_out}", at=f"{self._unit} {number}")
        self.n_read += 1
        self._malformed.append(number)

    def add_encoded(self, labels: Sequence[bytes], values: NDArray[Any], numbers: Sequence[int]) -> None:
        """Take rows whose labels are UTF-8: `values` is (len(labels), dimension)."""
        try:
            decoded = b"\n".join(labels).decode("utf-8").split("\n") if labels else []
        except UnicodeDecodeError:
            decoded = []
        if len(decoded) == len(labels):
            self.add(decoded, values, numbers)
            return
        good: list[int] = []
        decoded = []
        for row, label in enumerate(labels):
            try:
                decoded.append(label.decode("utf-8", self.options.errors))
                good.append(row)
            except UnicodeDecodeError:
                way_out = "errors='replace' keeps it with replacement characters"
                self.malformed(numbers[row], f"the label {label[:40]!r} is not UTF-8 ({way_out})")
        self.add(decoded, values[good], [numbers[row] for row in good])

    def add(self, labels: Sequence[str], values: NDArray[Any], numbers: Sequence[int]) -> None:
        """Take rows: `values` is (len(labels), dimension), `numbers` says where each stands in the file."""
        with np.errstate(over="ignore"):  # too large for float32: becomes infinite, and is named below
            block = values.astype(np.float32, copy=False)
        finite: Any = np.isfinite(block).all(axis=1).tolist()
        kept: list[int] = []
        index = self._index
        for row, label in enumerate(labels):
            if not label:
                self.malformed(numbers[row], "the label is empty")
            elif not finite[row]:
                self._add_non_finite(label, numbers[row])
            elif label in index:
                self._duplicates += 1
                self.n_read += 1
            else:
                index[label] = len(index)
                kept.append(row)
                self.n_read += 1
        if len(kept) < len(labels):
            block = block[kept]
        self._zero_vectors += int((~block.any(axis=1)).sum())
        start = len(index) - len(kept)
        if len(index) > len(self._matrix):
            # subtle: no view of the matrix is ever handed out before `finish`, so refcheck may be off, and the block
            # is grown where it lies (realloc): the peak stays near what is kept instead of twice that.
            n = max(len(index), len(self._matrix) * 5 // 4 if len(self._matrix) else self._reserve())
            self._matrix.resize((n, self.dimension), refcheck=False)
        self._matrix[start : len(index)] = block

    def ended_early(self, what: str) -> None:
        """Note that the file is damaged or shorter than promised, or raise."""
        if self.options.on_malformed == "raise":
            way_out = "fetch the file again, or read with on_malformed='skip' to keep what is there"
            self.options.fail(f"{what}; {way_out}")
        self._damage = what

    def check_promise(self) -> None:
        """Compare the rows read with the header's promise, once the file has ended."""
        if self._promised is not None and self.n_read < self._promised and self.wanted(1):
            self.ended_early(f"the header promises {self._promised} rows and the file holds {self.n_read}: truncated?")

    def finish(self) -> tuple[tuple[str, ...], NDArray[np.float32], ReadReport]:
        """Return the labels, the (n, dimension) matrix and the report."""
        labels = tuple(self._index)
        if not labels:
            self.options.fail(f"no vector could be kept ({self.n_read} rows read); is the file empty or cut short?")
        self._matrix.resize((len(labels), self.dimension), refcheck=False)
        report = ReadReport(
            path=self.options.path,
            format=self.options.format,
            n_read=self.n_read,
            n_kept=len(labels),
            dimension=self.dimension,
            promised=self._promised,
            duplicates=self._duplicates,
            zero_vectors=self._zero_vectors,
            non_finite=len(self._non_finite),
            malformed=len(self._malformed),
            non_finite_lines=tuple(self._non_finite[:_N_NAMED]),
            malformed_lines=tuple(self._malformed[:_N_NAMED]),
            damage=self._damage,
        )
        return labels, self._matrix, report

    def _add_non_finite(self, label: str, number: int) -> None:
        if self.options.on_malformed == "raise":
            way_out = "mend it, or read with on_malformed='skip' to drop such rows and have them listed"
            what = f"the vector of {label[:40]!r} holds NaN, or a value too large for float32"
            self.options.fail(f"{what}; {way_out}", at=f"{self._unit} {number}")
        self.n_read += 1
        self._non_finite.append(number)

    def _reserve(self) -> int:
        """Return the rows to reserve: the promise, where the size of the file makes it credible."""
        rows = min(_FIRST_ROWS, _FIRST_BYTES // (4 * self.dimension))
        if self._promised is not None and self.options.size is not None:
            rows = min(self._promised, self.options.size // (2 * self.dimension + 2) + 1)
        if self.options.limit is not None:
            rows = min(rows, self.options.limit)
        return max(rows, 1)


def _counted(count: int, word: str, *, plural: str = "", at: tuple[int, ...] = ()) -> str:
    if not count:
        return ""
    text = f"{count} {word if count == 1 else plural or word + 's'}"
    if at:
        text += f" (at {', '.join(map(str, at[:5]))}{', ...' if count > 5 else ''})"
    return text
