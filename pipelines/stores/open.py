"""Which program keeps a store, told by what lies there; and its rows, read and written."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from interlingua.index import Collection

from .base import Place, StoreError, StoreRows, is_address, of_collection
from .columns import rows_of_arrow

StoreKind = Literal["parquet", "faiss", "langchain", "chroma", "qdrant", "lancedb", "sqlite-vec", "pgvector"]
_MODULES: dict[str, str] = {
    "faiss": "faiss_file",
    "langchain": "langchain",
    "chroma": "chroma",
    "qdrant": "qdrant",
    "lancedb": "lance",
    "sqlite-vec": "sqlite_vec",
    "pgvector": "postgres",
}
_ENDINGS: dict[str, StoreKind] = {
    ".parquet": "parquet",
    ".faiss": "faiss",
    ".index": "faiss",
    ".idx": "faiss",
    ".lance": "lancedb",
    ".db": "sqlite-vec",
    ".sqlite": "sqlite-vec",
    ".sqlite3": "sqlite-vec",
}
_TABLE = "vectors"
_LONGEST = 200  # characters of what another program says


class Door(Protocol):
    """What a module of this folder gives."""

    def read(self, place: Place) -> StoreRows:
        """Return the rows of a store, which is not changed."""

    def write(self, rows: StoreRows, place: Place) -> None:
        """Write a new store."""


def kind_of_store(store: str | Path) -> StoreKind | None:
    """Return which program keeps what lies there, or None where it is none of them.

    Parameters
    ----------
    store : str or Path
        A file, a folder or an address, perhaps with ``#TABLE`` behind it.
    """
    place = Place.of(store)
    if is_address(place.store):
        return "pgvector"
    path = Path(place.store)
    if path.is_file() and path.suffix.lower() == ".parquet":
        return "parquet"
    if not path.exists():
        return None
    for kind, module in _MODULES.items():
        door: Any = _door(module)
        if hasattr(door, "recognises") and door.recognises(path):
            return next(each for each in get_args(StoreKind) if each == kind)
    return None


def is_store(store: str | Path) -> bool:
    """Tell whether another program keeps what lies there."""
    return kind_of_store(store) is not None


def read_store(store: str | Path) -> StoreRows:
    """Return the rows that another program keeps, without changing anything there.

    Parameters
    ----------
    store : str or Path
        A file of FAISS, sqlite-vec or parquet; a folder of LangChain's FAISS, Chroma, Qdrant (local) or LanceDB; an
        address postgresql://USER@HOST/BASE of pgvector. Where it has several tables or collections, ``STORE#TABLE``.

    Raises
    ------
    StoreError
        If it cannot be read.
    ImportError
        If a program that it is read by is not installed.
    """
    place, kind = Place.of(store), kind_of_store(store)
    if kind is None:
        raise StoreError(
            f"{place.store} is no store that is known: a file of FAISS (.faiss, .index), sqlite-vec or parquet, a "
            "folder of LangChain's FAISS, Chroma, Qdrant (local) or LanceDB, or postgresql://... of pgvector"
        )
    with _named(place, kind):
        if kind == "parquet":
            return _read_parquet(place)
        door: Door = _door(_MODULES[kind])
        return door.read(place)


@contextmanager
def _named(place: Place, kind: StoreKind) -> Iterator[None]:
    """Turn what a program raises of a damaged store, whatever it is, into an error that names the store."""
    try:
        yield
    except (StoreError, ImportError, FileNotFoundError, PermissionError):
        raise
    except Exception as error:
        if is_address(place.store):  # told by the door, without a password
            raise
        said = " ".join(str(error).split())[:_LONGEST] or "without a word"
        raise StoreError(
            f"{place.store} cannot be read as a store of {kind} ({type(error).__name__}: {said}); it is damaged, or of "
            "another version"
        ) from error


def write_store(collection: Collection, store: str | Path, kind: StoreKind | None = None) -> StoreRows:
    """Write a collection in the form of another program, as a new store, and return the rows.

    Parameters
    ----------
    collection : Collection
    store : str or Path
        As for `read_store`.
    kind : str, optional
        The program; by default told by the name's ending, or the one that the collection was read from.

    Raises
    ------
    StoreError
        If no program is told, or it cannot keep such rows.
    FileExistsError
        If something is there already.
    ImportError
        If the program is not installed.
    """
    place = Place.of(store)
    said: Any = collection.attributes.get("store") or {}
    kind = kind or kind_to_write(store) or said.get("kind")
    if kind is None:
        raise StoreError(f"{place.store} tells no program; name one of {', '.join(get_args(StoreKind))}")
    rows = of_collection(
        collection, kind=kind, table=place.table or str(said.get("table") or _TABLE).rpartition(".")[2]
    )
    if not len(rows.ids):
        raise StoreError("the collection holds no row, and no store is made of it")
    if kind == "parquet":
        collection.to_parquet(place.store)
    else:
        door: Door = _door(_MODULES[kind])
        door.write(rows, place)
    return rows


def kind_to_write(store: str | Path) -> StoreKind | None:
    """Return the program that a name's ending tells."""
    name = Place.of(store).store
    if is_address(name):
        return "pgvector"
    return _ENDINGS.get(Path(name).suffix.lower())


def _read_parquet(place: Place) -> StoreRows:
    from interlingua.index.columns import load_pyarrow

    table = load_pyarrow().parquet.read_table(place.store)
    return rows_of_arrow(table, place.table, "cosine", "parquet", "", place.store)


def _door(module: str) -> Any:
    return importlib.import_module(f"{__package__}.{module}")
