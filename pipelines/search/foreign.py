"""Vectors that another program keeps, as a collection; those of a FAISS index with the table of what they are of."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from interlingua.index import Collection
from interlingua.pipelines.encoders.base import Encoder
from interlingua.pipelines.encoders.load import lasting_name, load_encoder
from interlingua.pipelines.stored import EncoderNote, encoder_of, holds_plain_rows, open_plain
from interlingua.pipelines.stores import Place, StoreRows, is_store, read_store, without_password
from interlingua.pipelines.stores.faiss_file import SUFFIXES
from interlingua.pipelines.texts.tables import open_table

from .rows import AnyCollection

_TABLES = (".jsonl", ".parquet", ".csv", ".tsv")


def is_foreign(place: str | Path) -> bool:
    """Tell whether rows lie there that no pipeline has written: a store of another program, or a plain collection."""
    return holds_plain_rows(place) or is_store(place)


def rows_in(place: str | Path, *, mapped: bool = False) -> tuple[EncoderNote, AnyCollection, str]:
    """Return the rows there, what is said of their encoder, which may be nothing, and the field of their texts."""
    if holds_plain_rows(place):
        note, rows = open_plain(place, mapped=mapped)
    else:
        note, rows = EncoderNote(""), collection_from_store(place)
    said = rows.attributes.get("store")
    return note, rows, str(said.get("text") or "text") if isinstance(said, dict) else "text"


def open_foreign(
    place: str | Path, encoder: Encoder | str | Path | None = None, *, mapped: bool = False, **loading: Any
) -> tuple[AnyCollection, Encoder, str, str]:
    """Return the rows there, the encoder that made them, its lasting name, and the field of their texts.

    Parameters
    ----------
    place : str or Path
    encoder : Encoder, str or Path, optional
        By default what the folder names, if it does.
    mapped : bool
        Leave the vectors of a collection on the disk.
    **loading
        As `load_encoder` takes them.

    Raises
    ------
    ValueError
        If nothing names the encoder, or it is another one than the folder says, or of another dimension.
    """
    note, rows, text = rows_in(place, mapped=mapped)
    no_search = f"{without_password(place)} holds no search; `interlingua index build` writes one"
    if encoder is None and not note.name:
        raise ValueError(
            f"{no_search}. To search its vectors as they are, name the encoder that made them: --encoder NAME (in "
            "Python encoder=): a sentence-transformers model or its folder, a file of word vectors, bundled"
        )
    if note.identity or encoder is None:
        made, name = encoder_of(place, note, encoder, **loading)
    else:
        made = load_encoder(encoder, **loading) if isinstance(encoder, str | Path) else encoder
        name = lasting_name(None, made)
    if rows.dimension != made.dimension:
        raise ValueError(
            f"{no_search}. Its vectors have dimension {rows.dimension}, but those of {made.identity!r} have "
            f"{made.dimension}; to search them as they are, name the encoder that made them"
        )
    return rows, made, name, text


def collection_from_store(
    store: str | Path, rows: str | Path | None = None, *, id: str | None = None, kind: str | None = None
) -> Collection:
    """Return a collection of the rows that another program keeps; see `interlingua.pipelines.stores.read_store`.

    Parameters
    ----------
    store : str or Path
    rows : str or Path, optional
        Of a FAISS index, a table with a row for each vector, see `collection_from_faiss`.
    id : str, optional
        Likewise the column that names them.
    kind : str, optional
        Of the index that is made, as in `create_index`; by default flat.

    Raises
    ------
    ValueError
        If it cannot be read.
    """
    if is_faiss_name(Place.of(store).store):
        return collection_from_faiss(Place.of(store).store, rows, id=id, kind=kind)
    if rows is not None or id is not None:
        raise ValueError("a table of rows, and the column that names them, are of a FAISS index; a store has its own")
    return read_store(store).collection(kind or "flat", name=without_password(store))


def collection_from_faiss(
    path: str | Path, rows: str | Path | None = None, *, id: str | None = None, kind: str | None = None
) -> Collection:
    """Return a collection of the vectors in a FAISS index file.

    The index is read by FAISS itself: open files of people whom you trust. Codes come out as they are kept.

    Parameters
    ----------
    path : str or Path
        Of ``faiss.write_index``.
    rows : str or Path, optional
        A table (JSON lines, CSV, TSV or parquet) with a row for each vector, in the order of their numbers: their
        metadata. By default the one that lies beside the index under its name, such as ``NAME.jsonl``, if there is one.
    id : str, optional
        The column of the table that names the rows; by default ``id``, where there is one, else the numbers of an
        ``IndexIDMap``, else 0, 1, ...
    kind : str, optional
        Of the index that is made, as in `create_index`; by default flat.

    Raises
    ------
    ValueError
        If FAISS cannot read the file or give its vectors back, or the table has another number of rows or no such
        column.
    FileNotFoundError
        If there is no such file.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no file {path}; mend the path")
    from interlingua.pipelines.stores import faiss_file

    found = faiss_file.read(Place(str(path)))
    beside = (Path(path).with_suffix(ending) for ending in _TABLES)
    rows = rows or next((each for each in beside if each.is_file()), None)
    if rows is not None:
        found = _with_table(found, path, rows, id)
    return found.collection(kind or "flat", name=str(path))


def _with_table(found: StoreRows, path: str | Path, rows: str | Path, id: str | None) -> StoreRows:
    table = open_table(rows)
    read: list[Mapping[str, Any]] = [row for _, row in table.rows]
    if len(read) != len(found.ids):
        raise ValueError(
            f"{path} holds {len(found.ids)} vectors, but {table.name} has {len(read)} rows; give a row for each"
        )
    column, names = id or ("id" if all("id" in row for row in read) else None), found.ids
    if column is not None:
        if missing := [number for number, row in enumerate(read, start=1) if row.get(column) is None]:
            raise ValueError(f"{table.name}, row {missing[0]}, has no {column!r}; name the right column (--id)")
        names = [str(row[column]) for row in read]
    metadata = [{name: value for name, value in row.items() if name != column and value is not None} for row in read]
    return replace(found, ids=names, metadata=metadata)


def is_faiss_name(path: str | Path) -> bool:
    """Tell whether a file is called like an index of FAISS, whether it is there or not."""
    return Path(path).suffix.lower() in SUFFIXES
