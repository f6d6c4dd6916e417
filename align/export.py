"""Hand mapped vectors to other programs: files of the field's formats, and gensim."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .embeddings import Embeddings
from .formats import Format
from .optional import require
from .shared_space import SharedSpace, SpaceError

__all__ = ["export_embeddings", "export_languages", "map_embeddings", "to_gensim"]


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
