"""The binary format of word2vec: a header line, then label, blank and float32 values of each row."""

from collections.abc import Sequence
from typing import IO

import numpy as np
from numpy.typing import NDArray

from .formats_report import ReadOptions, RowCollector
from .formats_text import HEADER, SupportsWrite

__all__ = ["read_word2vec_binary", "write_word2vec_binary"]

_CHUNK = 1 << 20
_LONGEST_LABEL = 1 << 16
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
    rows = RowCollector(options, dimension=d, promised=promised, unit="row")
    width = 4 * d
    per_block = max(1, _BYTES_PER_BLOCK // width)
    buffer, position, number, ended = b"", 0, 1, False
    while (wanted := rows.wanted(per_block)) and not ended:
        labels: list[bytes] = []
        values: list[bytes] = []
        while len(labels) < wanted:
            blank = buffer.find(b" ", position)
            if blank < 0 and len(buffer) - position > _LONGEST_LABEL:
                options.fail(
                    f"no label within {_LONGEST_LABEL} bytes; is this a word2vec binary file?", at=f"row {number}"
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
    for label in labels:
        if not label or " " in label or "\n" in label:
            message = (
                f"labels in word2vec binary files are not empty and hold neither blank nor line break, got {label!r}; "
                "replace blanks by '_', or use .npz or .safetensors"
            )
            raise ValueError(message)
    n, d = vectors.shape
    file.write(b"%d %d\n" % (n, d))
    little_endian = vectors.astype("<f4", copy=False)
    for label, row in zip(labels, little_endian):
        file.write(label.encode("utf-8") + b" " + row.tobytes() + b"\n")
