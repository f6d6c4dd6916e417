"""The binary format of fastText models, as far as their word vectors need it."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .formats import EmbeddingFileError

__all__ = ["FastTextModel", "read_fasttext"]

_MAGIC = 793712314
_VERSIONS = (11, 12)
_SUPERVISED = 3
_LONGEST_WORD = 1 << 16
_BUFFER = 1 << 20
#: dim, ws, epoch, minCount, neg, wordNgrams, loss, model, bucket, minn, maxn, lrUpdateRate, t
_ARGUMENTS = "<12id"
#: size, words, labels, tokens, size of the table of kept buckets (-1: not pruned)
_DICTIONARY = "<3i2q"
_WORD, _LABEL = 0, 1


@dataclass(frozen=True)
class FastTextModel:
    """What stands before the input matrix, and where that lies.

    Attributes
    ----------
    words : mapping of bytes to int
        UTF-8 words and their rows.
    shortest, longest : int
        Lengths of the n-grams in characters; `longest` 0 if there are none.
    n_buckets : int
        Rows for hashed n-grams before pruning.
    pruned : mapping of int to int, or None
        Kept buckets and their new numbers.
    matrix_offset : int
        Byte at which the float32 values of the input matrix begin.
    shape : tuple of two int
        Of the input matrix.
    """

    words: Mapping[bytes, int]
    shortest: int
    longest: int
    n_buckets: int
    pruned: Mapping[int, int] | None
    matrix_offset: int
    shape: tuple[int, int]


def read_fasttext(path: Path) -> FastTextModel:
    """Read everything of a model but its matrices.

    The file holds, little-endian: magic number and version (int32); twelve int32 and one float64 of arguments; the
    dictionary (three int32, two int64, then for each entry the word with a closing zero byte, an int64 count and an
    int8 type; then the table of kept buckets); one byte that tells a quantised input matrix; its shape (two int64)
    and its float32 values by row; the output matrix, which word vectors do not need.

    Raises
    ------
    EmbeddingFileError
        If it is something else, quantised, of an unknown version, truncated or inconsistent.
    """
    size = path.stat().st_size
    with path.open("rb", buffering=_BUFFER) as file:
        reader = _Reader(file, path, size)
        if size < 8 or reader.take("<i")[0] != _MAGIC:
            reader.fail("this is no fastText model; read word vectors (.vec, word2vec .bin) with Embeddings.read")
        (version,) = reader.take("<i")
        if version not in _VERSIONS:
            reader.fail(
                f"fastText models of versions 11 and 12 are read, but this has version {version}; "
                "load it with its fastText and save it again"
            )
        dimension, *_, kind, n_buckets, shortest, longest, _, _ = reader.take(_ARGUMENTS)
        if version == 11 and kind == _SUPERVISED:
            longest = 0  # subtle: supervised models of that version had no subwords, whatever they say
        words, pruned = _dictionary(reader)
        if dimension < 1 or n_buckets < 0 or (longest > 0 and shortest < 1):
            reader.fail(f"dimension {dimension}, {n_buckets} buckets, n-grams from {shortest}: the file is damaged")
        if reader.take("<?")[0]:
            reader.fail(
                "this fastText model is quantised (.ftz) and its vectors are approximate codes; "
                "give the .bin model that it was made from"
            )
        rows, columns = reader.take("<2q")
        n_kept = n_buckets if pruned is None else len(pruned)
        expected = len(words) + n_kept
        # subtle: labels have no input row; without n-grams a model may have no bucket rows
        if columns != dimension or rows < (expected if longest > 0 else len(words)):
            reader.fail(
                f"the matrix must be {expected} x {dimension} ({len(words)} words, {n_kept} buckets), "
                f"but is {rows} x {columns}; the file is damaged"
            )
        offset = file.tell()
    if offset + 4 * rows * columns > size:
        reader.fail(
            f"the file ends within the matrix, {size} bytes of at least {offset + 4 * rows * columns}: truncated?"
        )
    return FastTextModel(words, shortest, longest, n_buckets, pruned, offset, (rows, columns))


class _Reader:
    """Reads fixed and zero-ended fields, and says which file is short."""

    def __init__(self, file: IO[bytes], path: Path, size: int) -> None:
        self.file, self.path, self.size = file, path, size

    def fail(self, reason: str) -> None:
        raise EmbeddingFileError(f"{self.path}: {reason}")

    def take(self, layout: str) -> tuple[int, ...]:
        data = self.file.read(struct.calcsize(layout))
        if len(data) < struct.calcsize(layout):
            self.fail("the file ends within its header: truncated?")
        return struct.unpack(layout, data)


def _dictionary(reader: _Reader) -> tuple[dict[bytes, int], dict[int, int] | None]:
    """Return the words with their rows and the table of kept buckets."""
    n_entries, n_words, n_labels, _, n_pruned = reader.take(_DICTIONARY)
    # each entry has at least ten bytes: a size that the file cannot hold is refused before anything is built
    if min(n_entries, n_words, n_labels) < 0 or n_words + n_labels != n_entries or 10 * n_entries > reader.size:
        reader.fail(f"{n_entries} entries, {n_words} words and {n_labels} labels: the file is damaged")
    words: dict[bytes, int] = {}
    for number in range(n_entries):
        word = _word(reader, number)
        _, kind = reader.take("<qb")
        if kind != (_WORD if number < n_words else _LABEL):
            reader.fail(f"entry {number} is of kind {kind}; words come before labels, so the file is damaged")
        if kind == _WORD:
            words[word] = number
    if len(words) != n_words:
        reader.fail(f"{n_words - len(words)} of {n_words} words occur twice; the file is damaged")
    if n_pruned < 0:
        return words, None
    if 8 * n_pruned > reader.size:
        reader.fail(f"a table of {n_pruned} kept buckets does not fit into the file; it is damaged")
    pruned: dict[int, int] = {}
    for _ in range(n_pruned):
        bucket, row = reader.take("<2i")
        pruned[bucket] = row
    if any(not 0 <= row < n_pruned for row in pruned.values()):
        reader.fail("the table of kept buckets points outside itself; the file is damaged")
    return words, pruned


def _word(reader: _Reader, number: int) -> bytes:
    """Return the bytes up to the next zero byte."""
    letters = bytearray()
    while (letter := reader.file.read(1)) != b"\0":
        if not letter or len(letters) >= _LONGEST_WORD:
            reader.fail(f"entry {number} has no end: truncated or damaged?")
        letters += letter
    return bytes(letters)
