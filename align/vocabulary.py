"""Labels and their vectors: the one form in which every aligner takes a vocabulary.

Hand mapped vectors to other programs: files of the field's formats, and gensim.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interlingua.align.formats.detect import Format, check_labels, read_rows, write_rows
from interlingua.align.formats.rows import ReadReport

from .arrays import known_rows, refuse_masked, require
from .space import SharedSpace, SpaceError

_ROWS_PER_CHECK = 65536


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Labels (words, ids) with an (n, d) matrix of vectors, in the order of the file: mostly by frequency.

    Parameters
    ----------
    labels : sequence of str
        One for each row, all different.
    vectors : (n, d) array
        Finite numbers. Kept as C-contiguous float32; an array that is so already is not copied.
    space : str
        The name of the space: a language (``"fin"``), or an encoder.
    report : ReadReport, optional
        What was read and dropped, where the embeddings come from a file.

    Raises
    ------
    ValueError
        If the counts differ, a label occurs twice, the matrix is not two-dimensional, or a value is not finite.

    Examples
    --------
    >>> words = Embeddings(("sun", "moon"), [[1.0, 0.0], [0.0, 1.0]], space="eng")
    >>> len(words), words.dimension, words.index["moon"]
    (2, 2, 1)
    >>> words["sun"].tolist()
    [1.0, 0.0]
    >>> words.select(["moon"]).labels
    ('moon',)
    """

    labels: tuple[str, ...]
    vectors: NDArray[np.float32]
    space: str = ""
    report: ReadReport | None = None

    def __post_init__(self) -> None:
        labels = _as_labels(self.labels)
        vectors = _as_matrix(self.vectors)
        if len(labels) != len(vectors):
            raise ValueError(f"each row needs one label, got {len(labels)} labels and {len(vectors)} rows")
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "vectors", vectors)
        if len(self.index) != len(labels):
            seen: set[str] = set()
            twice = next(label for label in labels if label in seen or seen.add(label))  # type: ignore[func-returns-value]  # set.add returns None
            raise ValueError(
                f"labels must be different, got {len(labels) - len(self.index)} duplicates, {twice!r} among them; "
                "keep the first of each (reading a file does so)"
            )
        _check_finite(labels, vectors)

    @classmethod
    def read(
        cls,
        source: str | os.PathLike[str] | IO[bytes],
        *,
        format: Format | None = None,
        limit: int | None = None,
        space: str = "",
        on_malformed: Literal["raise", "skip"] = "raise",
        errors: Literal["strict", "replace"] = "strict",
    ) -> "Embeddings":
        """Read a file of embeddings; the format is told from its content.

        Parameters
        ----------
        source : path or binary stream
            Text formats and word2vec's binary format may be compressed with gzip (whatever the name) or come from a
            stream, such as standard input. With `limit`, nothing beyond the rows wanted is parsed or kept.
        format : {"word2vec", "glove", "word2vec-binary", "npz", "safetensors", "fasttext"}, optional
            ``word2vec``: text with a ``<rows> <dimension>`` line (also fastText's .vec); ``glove``: text without;
            ``fasttext``: a model (.bin), of whose words the vectors are made, subwords included; labels that are not
            UTF-8 are kept, as with ``errors="replace"``.
        limit : int, optional
            Read the first `limit` rows of the file only (vocabulary cut-off). Rows that are dropped count as read.
        space : str
            Name of the space; by default the one kept in the file, where the format has a place for it.
        on_malformed : {"raise", "skip"}
            A row with a wrong number of values, something that is no number, NaN or infinity, a label that is empty or
            not UTF-8, and a file with fewer rows than its header promises: raise, or drop, count and name in
            the report. Duplicate labels never raise: the first is kept. Zero vectors are kept. Both are counted.
        errors : {"strict", "replace"}
            With ``replace``, labels that are not UTF-8 are kept, with U+FFFD for what cannot be decoded.

        Raises
        ------
        EmbeddingFileError
            As above, with path and line; a ValueError.
        OSError
            If the file cannot be opened.
        """
        labels, vectors, stored_space, report = read_rows(
            source, format=format, limit=limit, on_malformed=on_malformed, errors=errors
        )
        return cls(labels, vectors, space or stored_space, report)

    @classmethod
    def from_mapping(cls, vectors: Mapping[str, ArrayLike], *, space: str = "") -> "Embeddings":
        """Build from a mapping of label to (d,) vector, in its order.

        Raises
        ------
        ValueError
            If the mapping is empty or the vectors differ in length.

        Examples
        --------
        >>> Embeddings.from_mapping({"sun": [1, 0], "moon": [0, 1]}).vectors.dtype
        dtype('float32')
        """
        if not vectors:
            raise ValueError("at least one vector is needed to know the dimension, got an empty mapping")
        for label, vector in vectors.items():
            refuse_masked(vector, f"the vector of {label!r}")
        rows = [np.asarray(vector) for vector in vectors.values()]
        shapes = sorted({row.shape for row in rows})
        if len(shapes) > 1 or len(shapes[0]) != 1:
            raise ValueError(f"vectors must be one-dimensional and of one length, got shapes {shapes[:5]}")
        return cls(tuple(vectors), np.stack(rows), space)

    def write(self, path: str | os.PathLike[str], *, format: Format | None = None, digits: int | None = None) -> None:
        """Write a file, whole or not at all.

        Parameters
        ----------
        path : str or path
            ``.vec``, ``.w2v``, ``.txt`` (text with a header), ``.glove`` (without), ``.bin`` (word2vec), each with
            ``.gz`` if wanted; ``.npz``, ``.safetensors``, which keep the space name too.
        format : Format, optional
            As in `read`, whatever the name.
        digits : int, optional
            Significant digits in text files. By default nine, which give every float32 back exactly.

        Raises
        ------
        ValueError
            If the name tells no format, or a label does not fit: an empty one or one with a line break in text, or one
            with an ASCII blank in word2vec formats, where other readers would split it. ``glove`` takes inner blanks.
        """
        write_rows(path, self.labels, self.vectors, space=self.space, format=format, digits=digits)

    @cached_property
    def index(self) -> Mapping[str, int]:
        """The row of each label."""
        return dict(zip(self.labels, range(len(self.labels))))

    def row(self, label: str) -> int | None:
        """Return the row of a label, or None where it is absent or its vector is all zeros, which is none.

        Examples
        --------
        >>> words = Embeddings(("sun", "gap"), [[1.0, 0.0], [0.0, 0.0]])
        >>> words.row("sun"), words.row("gap"), words.row("moon")
        (0, None, None)
        """
        row = self.index.get(label)
        return None if row is None or not self.vectors[row].any() else row

    def known(self) -> "Embeddings":
        """Return the embeddings of the labels that have a vector, without the rows of zeros."""
        rows = known_rows(self.vectors)
        return self if rows is None else self.select(rows)

    @property
    def dimension(self) -> int:
        """The number of values in a vector."""
        return int(self.vectors.shape[1])

    def __len__(self) -> int:
        return len(self.labels)

    def __iter__(self) -> Iterator[str]:
        return iter(self.labels)

    def __contains__(self, label: object) -> bool:
        return label in self.index

    def __getitem__(self, label: str) -> NDArray[np.float32]:
        """Return the (d,) vector of `label`, a view."""
        if label not in self.index:
            space = f" of {self.space}" if self.space else ""
            raise KeyError(f"{label!r} is not among the {len(self)} labels{space}")
        vector: NDArray[np.float32] = self.vectors[self.index[label]]
        return vector

    def select(self, which: Sequence[str] | Sequence[int] | NDArray[Any]) -> "Embeddings":
        """Return the embeddings of some labels or rows, in the order given.

        Parameters
        ----------
        which : sequence of str, of int, or (n,) boolean array
            Labels; or row numbers from 0; or a mask.

        Raises
        ------
        KeyError
            If a label is absent.
        IndexError
            If a row number is out of range; negative ones are.
        """
        rows = self._row_numbers(which)
        labels = tuple(self.labels[row] for row in rows.tolist())
        return Embeddings(labels, self.vectors[rows], self.space, self.report)

    def lowercased(self) -> "Embeddings":
        """Return the embeddings with lower-case labels; of labels that become equal the first, most frequent, is kept.

        The report counts those dropped among its duplicates.

        Examples
        --------
        >>> words = Embeddings(("the", "The", "Sun"), [[1.0], [2.0], [3.0]]).lowercased()
        >>> words.labels, words.vectors.ravel().tolist(), words.report.duplicates
        (('the', 'sun'), [1.0, 3.0], 1)
        """
        first: dict[str, int] = {}
        for row, label in enumerate(self.labels):
            first.setdefault(label.lower(), row)
        n = len(self)
        report = self.report or ReadReport("<memory>", "memory", n_read=n, n_kept=n, dimension=self.dimension)
        report = replace(report, n_kept=len(first), duplicates=report.duplicates + n - len(first))
        return Embeddings(tuple(first), self.vectors[list(first.values())], self.space, report)

    def _row_numbers(self, which: Sequence[str] | Sequence[int] | NDArray[Any]) -> NDArray[np.int64]:
        if isinstance(which, str):
            raise TypeError(f"a sequence of labels is needed, got the string {which!r}; write [{which!r}]")
        wanted = which.tolist() if isinstance(which, np.ndarray) and which.dtype.kind != "b" else which
        if isinstance(wanted, np.ndarray):
            if wanted.shape != (len(self),):
                raise IndexError(f"a mask needs one entry for each of the {len(self)} rows, got shape {wanted.shape}")
            return np.flatnonzero(wanted).astype(np.int64)
        if len(wanted) and isinstance(wanted[0], str):
            missing = [label for label in wanted if label not in self.index]
            if missing:
                raise KeyError(f"{len(missing)} of {len(wanted)} labels are absent, among them {missing[:5]}")
            return np.array([self.index[str(label)] for label in wanted], dtype=np.int64)
        rows = np.asarray(wanted if len(wanted) else [], dtype=object)
        if not all(isinstance(row, int | np.integer) and not isinstance(row, bool) for row in rows.tolist()):
            raise TypeError(f"labels, row numbers or a boolean array are needed, got {list(wanted[:5])!r}")
        numbers = rows.astype(np.int64)
        if numbers.size and (numbers.min() < 0 or numbers.max() >= len(self)):
            raise IndexError(f"row numbers are 0 to {len(self) - 1}, got {int(numbers.min())} to {int(numbers.max())}")
        return numbers


def _as_labels(labels: Sequence[str] | NDArray[Any]) -> tuple[str, ...]:
    if isinstance(labels, str | bytes):
        raise TypeError(f"labels must be a sequence of strings, got {labels[:40]!r}")
    result = tuple(labels.tolist()) if isinstance(labels, np.ndarray) else tuple(labels)
    if any(not issubclass(kind, str) for kind in set(map(type, result))):
        wrong = next(label for label in result if not isinstance(label, str))
        raise TypeError(f"labels must be strings, got {wrong!r} of type {type(wrong).__name__}")
    return result


def _as_matrix(vectors: ArrayLike) -> NDArray[np.float32]:
    refuse_masked(vectors, "vectors")
    array = np.asarray(vectors)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"vectors must be real numbers, got dtype {array.dtype}")
    if array.ndim != 2 or array.shape[1] < 1:
        raise ValueError(f"vectors must be a matrix of shape (n, d) with d of at least 1, got shape {array.shape}")
    with np.errstate(over="ignore"):  # too large for float32: infinite, and refused below
        return np.ascontiguousarray(array, dtype=np.float32)


def _check_finite(labels: tuple[str, ...], vectors: NDArray[np.float32]) -> None:
    for start in range(0, len(vectors), _ROWS_PER_CHECK):  # blocks: no second matrix of booleans as long as the first
        bad = np.flatnonzero(~np.isfinite(vectors[start : start + _ROWS_PER_CHECK]).all(axis=1))
        if bad.size:
            row = start + int(bad[0])
            raise ValueError(
                f"values must be finite in float32; row {row} ({labels[row]!r}) holds NaN or infinity; drop it"
            )


def map_embeddings(space: SharedSpace, embeddings: Embeddings, *, language: str = "") -> Embeddings:
    """Map all vectors of a vocabulary into the common space.

    Parameters
    ----------
    space : SharedSpace
    embeddings : Embeddings
        Vectors as they were in the fit, not yet mapped; not modified. The vocabulary may be a larger or another one.
    language : str, optional
        Whose map to use; ``embeddings.space`` by default.

    Returns
    -------
    Embeddings
        The same labels, unit rows, named by the language.

    Raises
    ------
    SpaceError
        If no language is given, or the space lacks it or takes another dimension.
    """
    language = language or embeddings.space
    if not language:
        raise SpaceError(f"the embeddings name no language; name one with language=: {', '.join(space.languages)}")
    return Embeddings(embeddings.labels, space.transform(embeddings.vectors, language), language, embeddings.report)


def export_embeddings(
    space: SharedSpace,
    embeddings: Embeddings,
    path: str | os.PathLike[str],
    *,
    language: str = "",
    format: Format | None = None,
    digits: int | None = None,
    limit: int | None = None,
) -> Embeddings:
    """Write the mapped vectors of a language to one file, whole or not at all, and return them.

    Both sides of every space are mapped: the vectors of the target language too, so that the files of all languages
    of a space fit together.

    Parameters
    ----------
    space, embeddings, language
        As in `map_embeddings`.
    path : str or path
        ``.vec``, ``.txt``, ``.glove``, ``.bin`` (word2vec, for gensim's ``load_word2vec_format(binary=True)``), each
        with ``.gz`` if wanted; ``.npz``; ``.safetensors``.
    format, digits
        As in `Embeddings.write`.
    limit : int, optional
        Write the first, most frequent, labels only.

    Raises
    ------
    SpaceError
        As in `map_embeddings`.
    ValueError
        If the name tells no format, a label does not fit into it, or `limit` is below 1. Word2vec formats take no
        label with a blank.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, but is {limit}; leave it out to write all rows")
    chosen = embeddings if limit is None or limit >= len(embeddings) else embeddings.select(range(limit))
    check_labels(path, chosen.labels, format=format)
    mapped = map_embeddings(space, chosen, language=language)
    mapped.write(path, format=format, digits=digits)
    return mapped


def export_languages(
    space: SharedSpace,
    vocabularies: Mapping[str, Embeddings],
    folder: str | os.PathLike[str],
    *,
    suffix: str = ".vec",
    digits: int | None = None,
    limit: int | None = None,
) -> dict[str, Path]:
    """Write one file a language, ``<folder>/<language><suffix>``, and return the paths.

    Parameters
    ----------
    space : SharedSpace
    vocabularies : mapping of str to Embeddings
        The vectors of each language to export, by its name in the space.
    folder : str or path
        Made if absent.
    suffix : str
        Tells the format, as in `export_embeddings`.
    digits, limit
        As in `export_embeddings`.

    Raises
    ------
    SpaceError, ValueError
        As in `export_embeddings`, before anything is written where the space lacks a language; or if a name
        cannot be a file name.
    """
    for language in vocabularies:
        if not space.covers(language):
            raise SpaceError(f"this space has no language {language!r}; it has: {', '.join(space.languages)}")
        if language in ("", ".", "..") or any(mark in language for mark in "/\\\0"):
            raise ValueError(f"the language {language!r} cannot name a file; use export_embeddings with a path")
    paths = {language: Path(folder) / f"{language}{suffix}" for language in vocabularies}
    for language, path in paths.items():
        check_labels(path, vocabularies[language].labels)
    Path(folder).mkdir(parents=True, exist_ok=True)
    for language, path in paths.items():
        export_embeddings(space, vocabularies[language], path, language=language, digits=digits, limit=limit)
    return paths


def to_gensim(embeddings: Embeddings) -> Any:
    """Return the embeddings as gensim's ``KeyedVectors``, in the same order.

    Without gensim here, write a ``.bin`` file and read it there with
    ``KeyedVectors.load_word2vec_format(path, binary=True)``.

    Parameters
    ----------
    embeddings : Embeddings
        For instance from `map_embeddings`. Labels with blanks are fine here.

    Raises
    ------
    MissingExtraError
        If gensim is not installed.
    """
    models = require("gensim.models", extra="gensim")
    vectors = models.KeyedVectors(vector_size=embeddings.dimension)
    vectors.add_vectors(list(embeddings.labels), embeddings.vectors)
    return vectors
