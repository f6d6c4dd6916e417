"""What is audited: the vectors of a collection, of files of one language each, or of a table of texts."""

from collections.abc import Mapping, Sequence
from os import PathLike, fspath

import numpy as np

from interlingua.index import Collection
from interlingua.pipelines.encoders.base import Encoder
from interlingua.pipelines.encoders.load import encode_named
from interlingua.pipelines.search.ranked import own_vectors
from interlingua.pipelines.texts.lines import input_name, open_lines
from interlingua.pipelines.texts.tables import read_columns
from interlingua.pipelines.texts.vectors import VectorFile, known_origins, require_one_origin

from .measure import AuditVectors


def vectors_of_collection(folder: str | PathLike[str], *, id_field: str | None = None) -> AuditVectors:
    """Return the vectors of a collection of texts, with their languages.

    Parameters
    ----------
    folder : str or path
        Of a saved collection.
    id_field : str, optional
        The metadata that is the id: rows with one id belong together.

    Raises
    ------
    ValueError
        If a row has no language, or no such field.
    """
    collection = Collection.load(fspath(folder))
    rows = collection.get(collection.ids)
    if any("language" not in row for row in rows):
        raise ValueError(f"{folder} holds vectors without a language; give them as files, one a language")
    if id_field is not None and any(id_field not in row for row in rows):
        raise ValueError(f"{folder} has rows without the field {id_field!r}; its fields are {', '.join(rows[0])}")
    languages = tuple(str(row["language"]) for row in rows)
    ids = None if id_field is None else tuple(str(row[id_field]) for row in rows)
    return AuditVectors(own_vectors(collection), languages, ids, str(collection.attributes.get("encoder", "")))


def vectors_of_texts(path: str | PathLike[str], encoder: Encoder, *, progress: bool = False) -> AuditVectors:
    """Encode the texts of a table with columns language and text and, where there is one, id.

    Raises
    ------
    ValueError
        If a column is missing, a cell is empty, or the encoder knows nothing in a text; names the row.
    """
    found = read_columns(path, ["language", "text"], optional=["id"])
    for number, row in enumerate(zip(*found.values(), strict=True), start=1):
        if not all(row):
            raise ValueError(f"{input_name(path)}, row {number}: every column must be filled; mend the row")
    names = [f"{path}, row {number}: the text" for number in range(1, len(found["text"]) + 1)]
    texts, languages = found["text"], found["language"]
    vectors = encode_named(encoder, texts, names, "passage", languages=languages, progress=progress)
    ids = tuple(found["id"]) if "id" in found else None
    return AuditVectors(vectors, tuple(found["language"]), ids, encoder.identity, False)


def vectors_of_files(
    files: Mapping[str, VectorFile], ids: Mapping[str, str] | None = None, *, parallel: bool = False
) -> AuditVectors:
    """Return the vectors of files of one language each.

    Parameters
    ----------
    files : mapping of language to VectorFile
        Of one encoder.
    ids : mapping of language to path, optional
        An id a line, for each row; rows with one id belong together.
    parallel : bool
        Row i of all files belongs together.

    Raises
    ------
    ValueError
        If files are not of one origin or dimension, or ids are not as many as rows, or parallel files not of one size.
    """
    require_one_origin(known_origins(list(files.values())))
    if ids and set(ids) != set(files):
        raise ValueError(f"ids are needed for {', '.join(files)}, but are given for {', '.join(ids)}")
    sizes = {name: len(read.vectors) for name, read in files.items()}
    if parallel and len(set(sizes.values())) > 1:
        raise ValueError(f"parallel files have one row for each text, but their sizes are {sizes}")
    dimensions = {name: int(read.vectors.shape[1]) for name, read in files.items()}
    if len(set(dimensions.values())) > 1:
        raise ValueError(f"all files must come from one encoder and have one dimension, but have {dimensions}")
    named: list[str] = []
    for name, size in sizes.items():
        if ids:
            named += _labels(ids[name], size, "ids")
        elif parallel:
            named += map(str, range(size))
    languages = tuple(name for name, size in sizes.items() for _ in range(size))
    vectors = np.concatenate([each.vectors for each in files.values()])
    return AuditVectors(vectors, languages, tuple(named) or None, *_origin(list(files.values())))


def vectors_of_rows(read: VectorFile, languages: str, ids: str | None = None) -> AuditVectors:
    """Return the vectors of one file, with files that hold the language, and the id, of each row a line.

    Raises
    ------
    ValueError
        If there are not as many lines as rows.
    """
    n = len(read.vectors)
    known = _labels(languages, n, "languages")
    return AuditVectors(read.vectors, known, _labels(ids, n, "ids") if ids else None, *_origin([read]))


def _origin(files: Sequence[VectorFile]) -> tuple[str, bool | None]:
    """Return the encoder of files of one origin, and whether they are mapped, where every file says so."""
    encoders, mapped = {read.origin.encoder for read in files}, {bool(read.origin.space) for read in files}
    if len(encoders) > 1 or "" in encoders:
        return "", None
    return min(encoders), min(mapped) if len(mapped) == 1 else None


def _labels(path: str, n: int, what: str) -> tuple[str, ...]:
    with open_lines(path) as lines:
        labels = tuple(lines)
    if len(labels) != n or not all(labels):
        raise ValueError(f"{path} must hold one of the {what} a line, for {n} vectors, but has {len(labels)} lines")
    return labels
