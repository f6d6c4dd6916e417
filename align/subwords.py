"""Vectors of words that no vocabulary holds, from the subwords of a fastText model."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .embeddings import Embeddings
from .formats import EmbeddingFileError
from .shared_space import SharedSpace
from .subwords_file import read_fasttext

__all__ = ["SubwordVectors", "ngram_hash", "subword_ngrams"]

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
