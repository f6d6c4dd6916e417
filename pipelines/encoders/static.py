"""Encode texts as the weighted mean of static word vectors (SIF).

Cut a text into words of a given vocabulary, with spaces or without.
"""

from __future__ import annotations

import hashlib
import unicodedata
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from interlingua.align.linalg import svd
from interlingua.align.vocabulary import Embeddings

from .base import NO_PROMPTS, Role, UnknownTextError, check_role, check_texts, unit_rows
from .cache import encoding_progress

# First and last code points of the scripts that write no spaces between words.
_UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x3007),
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x3400, 0x4DBF),  # Han, as are the next
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)
_LONGEST_UNSPACED = 12  # characters; no dictionary word of these scripts that matters is longer


class WordSegmenter:
    """Finds the words of a vocabulary in texts.

    Between spaces, in this order: the piece as it stands, then without the punctuation around it, then its
    runs of letters, marks and digits; each as written, else in lower case. In scripts without spaces
    (Han, Kana, Thai, Lao, Khmer, Myanmar) an unknown run is cut by the longest match from the left.

    Examples
    --------
    >>> list(WordSegmenter({"l", "eau", "U.S."}).words("L'eau, U.S."))
    ['l', 'eau', 'U.S.']
    >>> list(WordSegmenter({"火车", "火车票", "买"}).words("我买火车票。"))
    ['买', '火车票']
    """

    def __init__(self, vocabulary: Collection[str]) -> None:
        self._vocabulary = vocabulary
        lengths = (len(word) for word in vocabulary if word and is_unspaced(word[0]))
        self._longest = min(max(lengths, default=0), _LONGEST_UNSPACED)

    def words(self, text: str) -> Iterator[str]:
        """Yield the known words of the text, in order and with repetitions."""
        for piece in unicodedata.normalize("NFC", text).split():
            whole = self._known(piece) or self._known(_strip(piece))
            if whole is not None:
                yield whole
                continue
            for run in text_runs(piece):
                word = self._known(run)
                if word is not None:
                    yield word
                elif any(is_unspaced(character) for character in run):
                    yield from self._longest_matches(run)

    def _known(self, word: str) -> str | None:
        if word in self._vocabulary:
            return word
        lower = word.lower()
        return lower if lower in self._vocabulary else None

    def _longest_matches(self, run: str) -> Iterator[str]:
        start = 0
        while start < len(run):
            for length in range(min(self._longest, len(run) - start), 0, -1):
                word = self._known(run[start : start + length])
                if word is not None:
                    yield word
                    start += length
                    break
            else:
                start += 1


def text_runs(text: str) -> list[str]:
    """Return the runs of letters, marks and digits of a text.

    Examples
    --------
    >>> text_runs("L'été, enfin: 2026!")
    ['L', 'été', 'enfin', '2026']
    """
    return "".join(character if _is_word_character(character) else " " for character in text).split()


@lru_cache(maxsize=65536)
def _is_word_character(character: str) -> bool:
    # subtle: \w of `re` leaves out the vowel signs (Mc, Mn) of Indic scripts and Thai, and would cut words there
    return unicodedata.category(character)[0] in "LMN"


@lru_cache(maxsize=65536)
def is_unspaced(character: str) -> bool:
    """Tell whether a character is of a script that writes no spaces between words; the empty string is of none."""
    return bool(character) and any(first <= ord(character) <= last for first, last in _UNSPACED)


def _strip(piece: str) -> str:
    start, end = 0, len(piece)
    while start < end and not _is_word_character(piece[start]):
        start += 1
    while end > start and not _is_word_character(piece[end - 1]):
        end -= 1
    return piece[start:end]


_CHUNK = 4096
_ALPHABET_SAMPLE = 1000
_NOTHING_LEFT = 1e-5
_SEGMENTATION = 1  # raise it whenever WordSegmenter finds other words: the identity changes with it


class StaticEncoder:
    """Word vectors as an `Encoder`: smooth inverse frequency weighting.

    A text of known words w_1 ... w_n becomes

        v = (1/n) sum_i a / (a + p(w_i)) x_{w_i},    then  v - u u^T v  if a component u is given,

    scaled to length 1. Without counts, p is Zipf's law over the rank in the file, p(r) = 1 / (r H_N): the
    file must be in falling order of frequency, as fastText, word2vec and GloVe write it. There are no
    prompts: all roles are the same.

    Parameters
    ----------
    embeddings : Embeddings
        Words and their vectors.
    counts : mapping, optional
        Word -> how often it occurs in running text; words without one count as 1.
    a : float
        The smoothing, larger than 0; frequent words weigh less the smaller it is.
    component : (d,) array, optional
        The common direction to remove; see `with_common_component_removed`.
    unknown : {"error", "zero"}
        What becomes of a text without any known word (also of an empty one). "error" keeps the promise of
        unit vectors; "zero" gives a row of zeros, similar to nothing, and a warning.

    Raises
    ------
    ValueError
        If `a` is not positive, the component has another dimension, or `embeddings` is empty.

    References
    ----------
    Arora, Liang, Ma 2017, A Simple but Tough-to-Beat Baseline for Sentence Embeddings, ICLR.
    """

    dtype = "float32"
    loaded_as = ""  # the lasting name that `load_encoder` made it by

    def __init__(
        self,
        embeddings: Embeddings,
        *,
        counts: Mapping[str, float] | None = None,
        a: float = 1e-3,
        component: NDArray[np.floating] | None = None,
        unknown: Literal["error", "zero"] = "error",
    ) -> None:
        if not a > 0 or not np.isfinite(a):
            raise ValueError(f"the smoothing a must be positive, got {a}; 1e-3 is usual")
        if unknown not in ("error", "zero"):
            raise ValueError(f"unknown must be 'error' or 'zero', got {unknown!r}")
        if len(embeddings) == 0:
            raise ValueError("the embeddings hold no word; a text cannot be encoded with them")
        self.embeddings = embeddings
        self.unknown = unknown
        self.component: NDArray[np.float32] | None = None
        if component is not None:
            self.component = _checked_component(component, embeddings.vectors.shape[1])
        self._weights = _sif_weights(embeddings.labels, counts, a)
        self._segmenter = WordSegmenter(embeddings.index)

    @classmethod
    def read(cls, path: str | Path, *, limit: int | None = None, **options: Any) -> StaticEncoder:
        """Read the word vectors of a file, at most `limit` of them; `options` as for the class."""
        return cls(Embeddings.read(path, limit=limit), **options)

    @cached_property
    def identity(self) -> str:
        """Names words, vectors, weights and the removed component by their content."""
        digest = hashlib.sha256(f"sif-{_SEGMENTATION}\0".encode())
        digest.update("\0".join(self.embeddings.labels).encode("utf-8", "surrogatepass"))
        arrays = [self.embeddings.vectors, self._weights]
        for array in arrays if self.component is None else [*arrays, self.component]:
            digest.update(np.ascontiguousarray(array, dtype="<f4").tobytes())
        return f"static-{digest.hexdigest()[:32]}"

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        return int(self.embeddings.vectors.shape[1])

    @property
    def prompts(self) -> Mapping[str, str]:
        """None: the empty prefix for each role."""
        return NO_PROMPTS

    def with_common_component_removed(self, texts: Sequence[str]) -> StaticEncoder:
        """Return an encoder that removes the direction which these texts have most in common.

        u is the first right singular vector of the matrix of their weighted means (not centred), as in
        the paper. It is kept as `component`, to be passed to the class again later.

        Raises
        ------
        ValueError
            If no text holds a known word.
        """
        means, n_known = self._means(check_texts(texts))
        if not n_known.any():
            raise ValueError(f"none of the {len(n_known)} texts holds a known word; fit the component on other texts")
        _, _, right = svd(means[n_known > 0].astype(np.float64))
        other = StaticEncoder(self.embeddings, component=right[0], unknown=self.unknown)
        other._weights = self._weights
        return other

    def encode(self, texts: Sequence[str], *, role: Role = "symmetric", progress: bool = False) -> NDArray[np.float32]:
        """Return one unit vector for each text, in order; see `Encoder.encode`.

        Raises
        ------
        UnknownTextError
            If a text holds no known word and `unknown` is "error"; a ValueError.
        """
        check_role(role)
        checked = check_texts(texts)
        vectors = np.zeros((len(checked), self.dimension), dtype=np.float32)
        n_unknown = 0
        with encoding_progress(len(checked), show=progress) as advance:
            for start in range(0, len(checked), _CHUNK):
                some = checked[start : start + _CHUNK]
                means, n_known = self._means(some)
                rows = np.flatnonzero(n_known)
                if len(rows) < len(some):
                    n_unknown += len(some) - len(rows)
                    self._refuse_unknown(start + int(np.flatnonzero(n_known == 0)[0]), checked)
                if self.component is not None:
                    means = _without(means, self.component)
                vectors[start + rows] = unit_rows(means[rows], [some[row] for row in rows])
                advance(len(some))
        if n_unknown:
            warnings.warn(
                f"{n_unknown} of {len(checked)} texts hold no known word; their vectors are zero", stacklevel=2
            )
        return vectors

    def _means(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the weighted means (n, d) and the number of known words of each text."""
        from scipy import sparse

        index = self.embeddings.index
        found = [[index[word] for word in self._segmenter.words(text)] for text in texts]
        n_known = np.array([len(rows) for rows in found], dtype=np.int64)
        columns = np.array([row for rows in found for row in rows], dtype=np.int64)
        shares = self._weights[columns] / np.repeat(np.maximum(n_known, 1), n_known).astype(np.float32)
        starts = np.concatenate([[0], np.cumsum(n_known)])
        shape = (len(texts), len(self.embeddings))
        bags = sparse.csr_array((shares, columns, starts), shape=shape, dtype=np.float32)
        return np.asarray(bags @ self.embeddings.vectors, dtype=np.float32), n_known

    def _refuse_unknown(self, position: int, texts: Sequence[str]) -> None:
        if self.unknown == "error":
            reason = (
                f"holds no known word: {texts[position]!r:.60}; leave such texts out, "
                "use word vectors of its language, or choose unknown='zero'"
            )
            raise UnknownTextError(position, reason)


def _sif_weights(labels: Sequence[str], counts: Mapping[str, float] | None, a: float) -> NDArray[np.float32]:
    if counts is not None:
        frequencies = np.array([max(float(counts.get(label, 1.0)), 1.0) for label in labels])
    elif _alphabetical(labels):
        warnings.warn(
            "the word vectors are in alphabetical order, so that ranks say nothing of frequencies: "
            "all words weigh the same; pass counts to weigh them",
            UserWarning,
            stacklevel=3,
        )
        return np.ones(len(labels), dtype=np.float32)
    else:
        frequencies = 1.0 / np.arange(1, len(labels) + 1)
    weights: NDArray[np.float32] = (a / (a + frequencies / frequencies.sum())).astype(np.float32)
    return weights


def _alphabetical(labels: Sequence[str]) -> bool:
    sample = list(labels[:_ALPHABET_SAMPLE])
    return len(sample) >= _ALPHABET_SAMPLE // 10 and sample == sorted(sample)


def _without(means: NDArray[np.float32], component: NDArray[np.float32]) -> NDArray[np.float32]:
    # subtle: einsum sums each row alone; a matrix product may round a row by how many there are
    rest: NDArray[np.float32] = means - np.einsum("ij,j->i", means, component)[:, None] * component
    lost = np.linalg.norm(rest, axis=1) < _NOTHING_LEFT * np.linalg.norm(means, axis=1)
    rest[lost] = 0.0  # only rounding is left, which must not be scaled up to a unit vector
    return rest


def _checked_component(component: NDArray[np.floating], dimension: int) -> NDArray[np.float32]:
    direction = np.asarray(component, dtype=np.float64)
    norm = np.linalg.norm(direction)
    if direction.shape != (dimension,) or not np.isfinite(norm) or norm == 0:
        raise ValueError(
            f"the component must be a finite vector of {dimension} numbers, not all zero; "
            f"got shape {direction.shape} and length {norm:.3g}"
        )
    return (direction / norm).astype(np.float32)
