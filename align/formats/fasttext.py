"""Vectors of words that no vocabulary holds, from the subwords of a fastText model.

The binary format of fastText models, as far as their word vectors need it.
"""

import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.space import SharedSpace
from interlingua.align.vocabulary import Embeddings

from .rows import LONGEST_LABEL, EmbeddingFileError, ReadOptions, RowCollector, check_dimension

_MAGIC = 793712314
_VERSIONS = (11, 12)
_SUPERVISED = 3
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
        if longest > 0 and shortest == 0:
            shortest = 1  # subtle: fastText counts n-grams from one character; 0 is what supervised models have
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


@dataclass(frozen=True)
class _Reader:
    """Reads fixed and zero-ended fields, and says which file is short."""

    file: IO[bytes]
    path: Path
    size: int

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
        if not letter or len(letters) >= LONGEST_LABEL:
            reader.fail(f"entry {number} has no end: truncated or damaged?")
        letters += letter
    return bytes(letters)


_OFFSET, _PRIME, _MASK = 2166136261, 16777619, 0xFFFFFFFF
#: The end-of-sentence token, which fastText never cuts into n-grams.
_END = b"</s>"


def ngram_hash(ngram: str | bytes) -> int:
    """Return fastText's 32-bit hash of an n-gram.

    h <- (h xor b) * 16777619 mod 2^32 for each byte b of the UTF-8 text, from h = 2166136261: FNV-1a [1]_, except that
    fastText widens each byte as a *signed* number, so that a byte over 127 also flips the upper 24 bits of h.

    References
    ----------
    .. [1] Eastlake, Hansen, Fowler, Vo and Noll (2025), "The FNV Non-Cryptographic Hash Algorithm", RFC 9923.

    Examples
    --------
    >>> ngram_hash("<da") % 2_000_003, ngram_hash("水") % 2_000_003
    (268729, 789607)
    """
    value = _OFFSET
    for byte in ngram.encode() if isinstance(ngram, str) else ngram:
        value = _step(value, byte)
    return value


def subword_ngrams(word: str, shortest: int, longest: int) -> tuple[str, ...]:
    """Return the n-grams of ``<word>`` by which fastText represents a word, in its order.

    Characters are counted, not bytes. A single ``<`` or ``>`` is left out.

    Examples
    --------
    >>> subword_ngrams("été", 3, 4)
    ('<ét', '<été', 'été', 'été>', 'té>')
    """
    return tuple(ngram.decode() for ngram, _ in _ngrams(word.encode(), shortest, longest))


@dataclass(frozen=True, eq=False)
class SubwordVectors:
    """A fastText model: the vectors of its words and of the hashed n-grams that make up any other word.

    The vector of a word is the mean of the input rows of its n-grams and, where the model knows the word, of its own
    row [1]_. What is left, a word without any n-gram, has the zero vector, as in fastText.

    Parameters
    ----------
    rows : (n_words + n_buckets, d) array of float32
        The input matrix: one row for each word, then one for each bucket. May be memory-mapped.
    vocabulary : mapping of bytes to int
        The UTF-8 words and their rows, most frequent first.
    shortest, longest : int
        Lengths of the n-grams in characters; `longest` 0 for a model without subwords.
    n_buckets : int
        Hash values are taken modulo this number.
    pruned : mapping of int to int, optional
        The buckets that a pruned model kept, and their new numbers; others are left out.
    space : str
        Name of the language.

    References
    ----------
    .. [1] Bojanowski, Grave, Joulin and Mikolov (2017), "Enriching word vectors with subword information", TACL 5.
       doi:10.1162/tacl_a_00051

    Examples
    --------
    >>> rows = np.arange(8, dtype=np.float32).reshape(4, 2)  # one word, three buckets
    >>> model = SubwordVectors(rows, {b"ab": 0}, shortest=3, longest=3, n_buckets=3)
    >>> "ab" in model, "abc" in model
    (True, False)
    >>> model.ngram_rows("ab")
    (1, 3)
    >>> print(model.vector("ab").round(2))
    [2.67 3.67]
    """

    rows: NDArray[np.float32]
    vocabulary: Mapping[bytes, int]
    shortest: int = 3
    longest: int = 6
    n_buckets: int = 2_000_000
    pruned: Mapping[int, int] | None = field(default=None, repr=False)
    space: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "vocabulary", MappingProxyType(dict(self.vocabulary)))
        kept = self.n_buckets if self.pruned is None else len(self.pruned)
        if self.rows.ndim != 2 or (self.longest > 0 and len(self.rows) < len(self.vocabulary) + kept):
            raise ValueError(
                f"rows must hold one vector for each of {len(self.vocabulary)} words and {kept} buckets, "
                f"but have shape {self.rows.shape}"
            )

    @classmethod
    def read(cls, path: str | os.PathLike[str], *, space: str = "", mmap: bool = True) -> "SubwordVectors":
        """Read a ``.bin`` model that fastText wrote (skipgram, cbow or supervised; not quantised).

        Parameters
        ----------
        path : str or path
        space : str
            Name of the language.
        mmap : bool
            Leave the matrix in the file and read the rows that are asked for. The file must then stay as it is while
            the model is in use: replace it by renaming, never write into it. False reads all of it into memory.

        Raises
        ------
        EmbeddingFileError
            If it is no fastText model, quantised (``.ftz``), of an unknown version, or truncated; a ValueError.
        OSError
            If it cannot be read.
        """
        path = Path(path)
        model = read_fasttext(path)
        if mmap:
            mapped = np.memmap(path, dtype="<f4", mode="r", offset=model.matrix_offset, shape=model.shape)
            rows: NDArray[np.float32] = mapped
        else:
            with path.open("rb") as file:
                file.seek(model.matrix_offset)
                rows = np.fromfile(file, dtype="<f4", count=model.shape[0] * model.shape[1]).reshape(model.shape)
            if not np.isfinite(rows).all():
                raise EmbeddingFileError(f"{path}: the vectors hold NaN or infinity; the file is damaged")
        return cls(rows, model.words, model.shortest, model.longest, model.n_buckets, model.pruned, space)

    @property
    def dimension(self) -> int:
        """Number of values in a vector."""
        return int(self.rows.shape[1])

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The words of the vocabulary, most frequent first; bytes that are not UTF-8 appear as U+FFFD."""
        return tuple(word.decode("utf-8", "replace") for word in self.vocabulary)

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and word.encode() in self.vocabulary

    def __len__(self) -> int:
        return len(self.vocabulary)

    def ngram_rows(self, word: str) -> tuple[int, ...]:
        """Return the rows of the n-grams of a word, after pruning; a row twice counts twice."""
        return self._ngram_rows(word.encode())

    def vector(self, word: str) -> NDArray[np.float32]:
        """Return the (d,) vector of any word, as fastText's ``get_word_vector`` does; compare casing to the corpus."""
        return self._vector(word.encode())

    def vectors(self, words: Sequence[str]) -> NDArray[np.float32]:
        """Return the (n, d) vectors of words, known or not."""
        _check_sequence(words)
        return np.stack([self.vector(word) for word in words]) if words else np.empty((0, self.dimension), np.float32)

    def phrase(self, text: str) -> NDArray[np.float32]:
        """Return the (d,) mean of the unit vectors of the words between blanks; zero if there is none.

        Words without a vector are left out. This is the sentence vector of fastText's unsupervised models.
        """
        found = [vector / length for vector in map(self.vector, text.split()) if (length := np.linalg.norm(vector)) > 0]
        return np.mean(found, axis=0, dtype=np.float32) if found else np.zeros(self.dimension, np.float32)

    def phrases(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the (n, d) vectors of `phrase` for each text; of a single word, its unit vector."""
        _check_sequence(texts)
        return np.stack([self.phrase(text) for text in texts]) if texts else np.empty((0, self.dimension), np.float32)

    def extended(self, embeddings: Embeddings, words: Sequence[str]) -> Embeddings:
        """Return embeddings with the vectors of some more words, last, where they lack one and subwords give one.

        A word whose lower-case form has a vector is not taken: that is what it is looked up as.
        """
        lacking = [
            each for each in dict.fromkeys(words) if embeddings.row(each) is None is embeddings.row(each.lower())
        ]
        vectors = self.vectors([each for each in lacking if each not in embeddings])
        added = [
            (word, vector)
            for word, vector in zip([each for each in lacking if each not in embeddings], vectors, strict=True)
            if vector.any()
        ]
        if not added:
            return embeddings
        labels = (*embeddings.labels, *(word for word, _ in added))
        rows = np.concatenate([embeddings.vectors, np.stack([vector for _, vector in added])])
        return Embeddings(labels, rows, embeddings.space, embeddings.report)

    def embeddings(self, limit: int | None = None) -> Embeddings:
        """Return the vectors of the `limit` most frequent words, subwords included: what fastText writes as ``.vec``.

        Of labels that are equal after decoding the first is kept.
        """
        if limit is not None and limit < 1:
            raise ValueError(f"limit must be at least 1, but is {limit}; leave it out for all words")
        chosen: dict[str, bytes] = {}
        for word, label in zip(list(self.vocabulary)[:limit], self.words, strict=False):
            chosen.setdefault(label, word)
        return Embeddings(tuple(chosen), np.stack([self._vector(word) for word in chosen.values()]), self.space)

    def map(self, texts: Sequence[str], space: SharedSpace, *, language: str = "") -> Embeddings:
        """Map words or phrases, known or not, through a saved space.

        Parameters
        ----------
        texts : sequence of str
            All different. Several words in one text are a phrase.
        space : SharedSpace
            Learned on vectors of this model.
        language : str, optional
            Whose map to use; the name of this model by default.

        Returns
        -------
        Embeddings
            Unit rows in the common space.

        Raises
        ------
        SpaceError
            If the space lacks the language or takes another dimension.
        ValueError
            If a text has no vector at all: it is shorter than any n-gram, or empty.
        """
        language = language or self.space
        raw = np.stack([self.phrase(text) if len(text.split()) > 1 else self.vector(text.strip()) for text in texts])
        # subtle: the empty word has a vector too, of the n-gram "<>", but means nothing
        empty = [text for text, row in zip(texts, raw, strict=True) if not row.any() or not text.strip()]
        if empty:
            raise ValueError(
                f"{len(empty)} of {len(texts)} texts have no vector in this model, {empty[0]!r} among them: "
                f"no word is known and none has an n-gram of at least {self.shortest} characters; leave them out"
            )
        return Embeddings(tuple(texts), space.transform(raw, language), language)

    def _vector(self, word: bytes) -> NDArray[np.float32]:
        known = self.vocabulary.get(word)
        rows = [*([] if known is None else [known]), *(() if word == _END else self._ngram_rows(word))]
        if not rows:
            return np.zeros(self.dimension, np.float32)
        return np.asarray(self.rows[rows].mean(axis=0, dtype=np.float64), np.float32)

    def _ngram_rows(self, word: bytes) -> tuple[int, ...]:
        if self.longest < 1 or self.n_buckets < 1:
            return ()
        n_words = len(self.vocabulary)
        buckets = (value % self.n_buckets for _, value in _ngrams(word, self.shortest, self.longest))
        if self.pruned is None:
            return tuple(n_words + bucket for bucket in buckets)
        return tuple(n_words + self.pruned[bucket] for bucket in buckets if bucket in self.pruned)


_ROWS_PER_BLOCK = 4096


def read_fasttext_rows(path: str, options: ReadOptions) -> RowCollector:
    """Read the vectors of the words of a model up to the limit, subwords included, as fastText writes them to ``.vec``.

    Words whose bytes are not UTF-8, which such models have where texts were cut, are kept with U+FFFD in their place.
    """
    model = SubwordVectors.read(path)
    check_dimension(model.dimension, options)
    rows = RowCollector(options, dimension=model.dimension, promised=len(model), unit="row")
    words = iter(model.vocabulary)
    number = 1
    while taken := list(islice(words, rows.wanted(_ROWS_PER_BLOCK))):
        labels = [word.decode("utf-8", "replace") for word in taken]
        rows.add(labels, np.stack([model._vector(word) for word in taken]), range(number, number + len(taken)))
        number += len(taken)
    return rows


def _step(value: int, byte: int) -> int:
    # subtle: sign extension of a byte over 127 sets the upper 24 bits
    return ((value ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * _PRIME) & _MASK


def _ngrams(word: bytes, shortest: int, longest: int) -> Iterator[tuple[bytes, int]]:
    """Yield each n-gram of ``<word>`` with its hash; characters begin at bytes that are no UTF-8 continuation."""
    marked = b"<" + word + b">"
    starts = [place for place, byte in enumerate(marked) if byte & 0xC0 != 0x80]
    ends = [*starts[1:], len(marked)]
    for first, start in enumerate(starts):
        value = _OFFSET
        for length, (begin, end) in enumerate(
            zip(starts[first : first + longest], ends[first : first + longest], strict=True), 1
        ):
            for byte in marked[begin:end]:
                value = _step(value, byte)
            if length >= shortest and not (length == 1 and (start == 0 or end == len(marked))):
                yield marked[start:end], value


def _check_sequence(texts: Any) -> None:
    if isinstance(texts, str | bytes):
        raise TypeError(f"a sequence of texts is needed, but this is one: {texts[:40]!r}; write [{texts[:40]!r}]")
