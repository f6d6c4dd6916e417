"""Text embeddings: word2vec and fastText (with a header line), GloVe (without).

The binary format of word2vec: a header line, then label, blank and float32 values of each row.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .numbers import NUMBER, format_rows, parse_rows
from .rows import BYTE_ORDER_MARK, LONGEST_LABEL, ReadOptions, RowCollector, check_dimension

#: Bytes in a line of text: the most values that a row may have, and the longest label.
LONGEST_LINE = 1 << 25

HEADER = re.compile(rb"[ \t]*([0-9]{1,18})[ \t]+([0-9]{1,18})[ \t\r]*\n?")

#: buckets, shortest and longest n-gram, dimension, hashes, seed, begin and end of word
_FLORET = re.compile(rb"(?:[0-9]{1,12} ){6}\S{1,64} \S{1,64}[ \t\r]*\n?")
_FIELD = re.compile(rb"[^ \t]+")  # ASCII blanks only: NBSP and U+3000 occur inside real labels, and as labels
_N_SAMPLE = 64
_VALUES_PER_BLOCK = 60_000  # a processor has so many near


class SupportsWrite(Protocol):
    """What takes bytes: a file, or gzip around one."""

    def write(self, data: bytes, /) -> Any:
        """Take `data`."""


def bounded_lines(stream: IO[bytes], options: ReadOptions) -> Iterator[bytes]:
    """Yield the lines of a stream, none longer than a row can be: a small compressed file may hold an endless one."""
    number = 0
    while line := stream.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            options.fail(
                f"a row is a line of at most {LONGEST_LINE} bytes, but this one is longer; is this a text file of "
                "embeddings?",
                at=f"line {number}",
            )
        yield line


def read_text(lines: Iterable[bytes], options: ReadOptions, *, header: bool) -> RowCollector:
    r"""Read rows of text up to the limit, and no further.

    The values are the last d fields of a line, split on ASCII blanks from the right; what stands before them is the
    label, which may hold blanks (as in GloVe 840B). A line whose label would end in numbers only (``cat 1 | 0.5 0.2``)
    is taken for a line with too many values.

    Parameters
    ----------
    lines : iterable of bytes
        Ends of lines are ``\n`` or ``\r\n``; lines that are blank altogether are passed over.
    options : ReadOptions
    header : bool
        Whether the first line is ``<rows> <dimension>``. Without it, d is the commonest count of numbers at the end of
        the first 64 lines.

    Returns
    -------
    RowCollector
        Not finished: the caller knows whether the stream was damaged.
    """
    source = iter(lines)
    sample = _taken(source, _N_SAMPLE if options.limit is None else min(_N_SAMPLE, options.limit))
    if sample and sample[0].startswith(BYTE_ORDER_MARK) and sample[0][3:4] not in b" \t":
        sample[0] = sample[0][3:]
    promised = None
    if header:
        found = HEADER.fullmatch(sample[0]) if sample else None
        if found is None:
            shown = sample[0][:40] if sample else b""
            way_out = "read files without this line with format='glove'"
            options.fail(
                f"a word2vec text file begins with '<rows> <dimension>', found {shown!r}; {way_out}", at="line 1"
            )
        promised, dimension = int(found[1]), int(found[2])
        del sample[0]
        _check_promised_dimension(dimension, sample, options)
    else:
        if sample and _FLORET.fullmatch(sample[0]):
            options.fail(
                "this is a table of floret, rows of hashed n-grams that belong to no word; "
                "write the vectors of your words with it (floret print-word-vectors) and give that file",
                at="line 1",
            )
        dimension = _infer_dimension(sample)
    if dimension < 1:
        options.fail("no row of numbers found at the beginning; is this a text file of embeddings?")
    rows = RowCollector(options, dimension=dimension, promised=promised)
    _read_rows(chain(sample, source), rows, first=2 if header else 1)
    return rows


def write_text(
    file: SupportsWrite, labels: Sequence[str], vectors: NDArray[np.float32], *, header: bool, digits: int | None = None
) -> None:
    """Write one row a line; nine significant digits, which give every float32 back exactly, or `digits`."""
    n, d = vectors.shape
    check_text_labels(labels, blanks_allowed=not header)
    if header:
        file.write(b"%d %d\n" % (n, d))
    step = max(1, _VALUES_PER_BLOCK // d)
    for start in range(0, n, step):
        text = format_rows(vectors[start : start + step], 9 if digits is None else digits)
        named = zip(labels[start : start + step], text)
        file.write(b"".join([b"%b %b\n" % (label.encode(), values) for label, values in named]))


def is_data_line(line: bytes, dimension: int) -> bool:
    """Tell whether `line` holds a label and `dimension` numbers."""
    return _n_numbers_at_end(line) >= dimension


def _check_promised_dimension(dimension: int, sample: Sequence[bytes], options: ReadOptions) -> None:
    """Compare the header with the first rows, before anything is built on its word."""
    check_dimension(dimension, options)
    counts = [len(_FIELD.findall(line)) - 1 for line in sample if line.strip()]
    if counts and max(counts) < dimension and len(set(counts)) == 1:
        options.fail(
            f"the header promises {dimension} values a row, but the first row holds {counts[0]}; "
            "mend line 1, or fetch the file again",
            at="line 2",
        )


def _read_rows(lines: Iterator[bytes], rows: RowCollector, first: int) -> None:
    number = first
    block = max(1, min(4096, _VALUES_PER_BLOCK // rows.dimension))
    while wanted := rows.wanted(block):
        taken = _taken(lines, wanted)
        if not taken:
            return
        _add_lines(rows, taken, number)
        number += len(taken)


def _taken(lines: Iterator[bytes], wanted: int) -> list[bytes]:
    """Return the next lines, fewer where they are so long that they would fill the memory."""
    taken: list[bytes] = []
    size = 0
    for line in islice(lines, wanted):
        taken.append(line)
        size += len(line)
        if size > LONGEST_LINE:
            break
    return taken


def _add_lines(rows: RowCollector, lines: list[bytes], first: int) -> None:
    d = rows.dimension
    parts = [line.rstrip(b" \t\r\n").partition(b" ") for line in lines]
    plain = parse_rows([text for _, _, text in parts], d)
    if plain is not None and all(label and b"\t" not in label for label, _, _ in parts):
        rows.add_encoded([label for label, _, _ in parts], plain, range(first, first + len(lines)))
    else:
        _add_odd_lines(rows, lines, first)


def _add_odd_lines(rows: RowCollector, lines: list[bytes], first: int) -> None:
    """Add lines among which something is unusual: labels with blanks, tabs, or a line that is malformed."""
    d = rows.dimension
    labels: list[bytes] = []
    texts: list[bytes] = []
    numbers: list[int] = []
    for number, line in enumerate(lines, first):
        stripped = line.rstrip(b" \t\r\n")
        if not stripped:
            continue
        flat = stripped.replace(b"\t", b" ") if b"\t" in stripped else stripped
        label, _, text = flat.partition(b" ")
        if text.count(b" ") != d - 1 or not text or not label:
            split = _split_from_right(stripped, d)
            if isinstance(split, str):
                rows.malformed(number, split)
                continue
            label, text = split
        labels.append(label)
        texts.append(text)
        numbers.append(number)
    values = parse_rows(texts, d)
    if values is None:  # something in this block is no number: find out where
        good, parsed = [], []
        for position, text in enumerate(texts):
            row = _parse_row(text, d)
            if isinstance(row, str):
                rows.malformed(numbers[position], row)
            else:
                good.append(position)
                parsed.append(row)
        labels = [labels[position] for position in good]
        numbers = [numbers[position] for position in good]
        values = np.array(parsed, dtype=np.float64).reshape(-1, d)
    rows.add_encoded(labels, values, numbers)


def _split_from_right(line: bytes, d: int) -> tuple[bytes, bytes] | str:
    """Return label and values of a line whose label holds blanks, or what is wrong with it."""
    spans = [match.span() for match in _FIELD.finditer(line)]
    if len(spans) < d or (len(spans) == d and line[:1] not in b" \t"):
        return f"expected a label and {d} values, found {len(spans) - 1} values"
    if len(spans) == d:
        return "the label is empty"
    extra = [line[start:end] for start, end in spans[1:-d]]
    if extra and all(NUMBER.fullmatch(field) for field in extra):
        return f"expected a label and {d} values, found {len(spans) - 1} values"
    return line[spans[0][0] : spans[-d - 1][1]], line[spans[-d][0] :]


def _parse_row(text: bytes, d: int) -> list[float] | str:
    """Return the values of one row, or what is wrong with it."""
    fields = _FIELD.findall(text)
    values: list[float] = []
    for position, field in enumerate(fields, 1):
        try:
            if not NUMBER.fullmatch(field):
                raise ValueError
            values.append(float(field))
        except ValueError:
            return f"value {position} of {d} is no number: {field[:40]!r}"
    return values if len(values) == d else f"expected a label and {d} values, found {len(values)} values"


def _infer_dimension(sample: Sequence[bytes]) -> int:
    """Return the commonest number of numbers at the end of a line."""
    counts = Counter(filter(None, map(_n_numbers_at_end, sample)))
    return counts.most_common(1)[0][0] if counts else 0


def _n_numbers_at_end(line: bytes) -> int:
    fields = _FIELD.findall(line.rstrip(b" \t\r\n"))
    count = 0
    for field in reversed(fields[1:]):
        if not NUMBER.fullmatch(field):
            break
        count += 1
    return count


def check_text_labels(labels: Iterable[str], *, blanks_allowed: bool) -> None:
    """Raise ValueError if a label would be read as something else."""
    for label in labels:
        _check_label(label, blanks_allowed=blanks_allowed)


def _check_label(label: str, *, blanks_allowed: bool) -> None:
    if not label or "\n" in label or "\r" in label:
        raise ValueError(
            f"labels in text files are not empty and hold no line break, got {label!r}; use .npz or .safetensors"
        )
    if " " not in label and "\t" not in label:
        return
    if not blanks_allowed:
        raise ValueError(
            f"labels in word2vec files hold no blank, which other readers would split, got {label!r}; "
            "replace blanks by '_', or write format='glove', .npz or .safetensors"
        )
    encoded = label.encode()
    extra = _FIELD.findall(encoded)[1:]
    if encoded.strip(b" \t") != encoded or (extra and all(NUMBER.fullmatch(field) for field in extra)):
        raise ValueError(
            f"labels in text files neither begin or end with a blank nor end in separate numbers, which would be read "
            f"as values, got {label!r}; use .npz or .safetensors"
        )


_CHUNK = 1 << 20
_BYTES_PER_BLOCK = 1 << 20


def read_word2vec_binary(stream: IO[bytes], options: ReadOptions) -> RowCollector:
    r"""Read rows up to the limit; a newline after each vector (the C tool) or none (GoogleNews).

    Rows are numbered from 1 in messages and in the report. The collector returned is not finished: the caller knows
    whether the stream was damaged.
    """
    first = stream.readline(64)
    header = HEADER.fullmatch(first)
    if header is None or int(header[2]) < 1:
        options.fail(f"a word2vec binary file begins with '<rows> <dimension>', found {first[:40]!r}")
    promised, d = int(header[1]), int(header[2])
    check_dimension(d, options)
    if options.size is not None and promised and options.size < len(first) + 4 * d:
        options.fail(
            f"the header promises rows of {d} values, {4 * d} bytes each, but the file has {options.size} bytes; "
            "is this a word2vec binary file?"
        )
    rows = RowCollector(options, dimension=d, promised=promised, unit="row")
    width = 4 * d
    per_block = max(1, _BYTES_PER_BLOCK // width)
    buffer, position, number, ended = b"", 0, 1, False
    while (wanted := rows.wanted(per_block)) and not ended:
        labels: list[bytes] = []
        values: list[bytes] = []
        while len(labels) < wanted:
            blank = buffer.find(b" ", position)
            if blank < 0 and len(buffer) - position > LONGEST_LABEL:
                options.fail(
                    f"no label within {LONGEST_LABEL} bytes; is this a word2vec binary file?", at=f"row {number}"
                )
            end = blank + 1 + width
            if blank >= 0 and end <= len(buffer):
                labels.append(buffer[position:blank].lstrip(b"\n"))
                values.append(buffer[blank + 1 : end])
                position = end
                continue
            more = stream.read(max(_CHUNK, width))
            buffer, position = buffer[position:] + more, 0
            if not more:
                ended = True
                break
        matrix = np.frombuffer(b"".join(values), dtype="<f4").reshape(-1, d)
        rows.add_encoded(labels, matrix, range(number, number + len(labels)))
        number += len(labels)
    if ended and buffer[position:].strip(b"\n"):
        rows.ended_early(f"the file ends within row {number} of the {promised} that the header promises: truncated?")
    return rows


def write_word2vec_binary(file: SupportsWrite, labels: Sequence[str], vectors: NDArray[np.float32]) -> None:
    """Write the header and one row a label, each followed by a newline as the C tool does."""
    check_binary_labels(labels)
    n, d = vectors.shape
    file.write(b"%d %d\n" % (n, d))
    little_endian = vectors.astype("<f4", copy=False)
    for label, row in zip(labels, little_endian):
        file.write(label.encode("utf-8") + b" " + row.tobytes() + b"\n")


def check_binary_labels(labels: Iterable[str]) -> None:
    """Raise ValueError if a label would be read as something else."""
    for label in labels:
        if not label or " " in label or "\n" in label:
            raise ValueError(
                f"labels in word2vec binary files are not empty and hold neither blank nor line break, got {label!r}; "
                "replace blanks by '_', or use .npz or .safetensors"
            )
