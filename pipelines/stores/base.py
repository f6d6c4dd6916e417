"""What every store of another program gives, and where in it the rows are."""

import importlib
import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

import numpy as np
from numpy.typing import NDArray

from interlingua.align.files import replacing_folder
from interlingua.index import Collection

MetricName = Literal["cosine", "ip", "l2"]
#: What programs call the field that holds a row's text, likeliest first.
TEXT_FIELDS = ("text", "document", "page_content", "content", "chunk", "body", "_document", "chunk_text", "passage")
#: Of addresses of PostgreSQL.
SCHEMES = ("postgresql", "postgres")
_SECRETS = ("password", "sslpassword")


class StoreError(ValueError):
    """A store cannot be read or written; the text names it."""


@dataclass(frozen=True)
class Place:
    """Where rows are: the store, and in it a table or collection, and a column of vectors.

    Written ``STORE``, ``STORE#TABLE`` or ``STORE#TABLE.COLUMN``; only a store with several needs more than its name.
    """

    store: str
    table: str = ""

    @classmethod
    def of(cls, written: str | Path) -> "Place":
        """Return the place of what was written; a file or folder may have a # in its name."""
        text = str(written)
        store, hash_, table = text.rpartition("#")
        return cls(text) if not hash_ or Path(text).exists() else cls(store, table)

    def choose(self, tables: Sequence[str], noun: str = "collection") -> str:
        """Return the table that is meant: the one that is named, or the only one.

        Raises
        ------
        StoreError
            If there is no such table, or there are several and none is named; with their names.
        """
        if self.table in tables:
            return self.table
        named = ", ".join(map(repr, sorted(tables))) or "none"
        if self.table:
            raise StoreError(f"{self.store} has no {noun} {self.table!r}; it has: {named}")
        if len(tables) != 1:
            shown = f"{self.store}#{sorted(tables)[0]}" if tables else self.store
            way_out = f"; name one, such as {shown}" if tables else ""
            raise StoreError(f"{self.store} has {len(tables)} {noun}s with vectors: {named}{way_out}")
        return tables[0]


@dataclass(frozen=True)
class StoreRows:
    """The rows of a store.

    Attributes
    ----------
    ids : sequence of str
    vectors : (n, d) array of float32
        As the store keeps them.
    metadata : sequence of mappings
        Of each row; its text is among them.
    metric : str
        What the store compares by.
    kind : str
        Of the store, such as "chroma".
    table : str
        Its collection or table.
    text : str
        The field of the texts; empty where none is known.
    left_out : int
        Rows that have no vector.
    about : mapping
        What the store says of its model, as it says it.
    """

    ids: Sequence[str]
    vectors: NDArray[np.float32]
    metadata: Sequence[Mapping[str, Any]]
    metric: MetricName
    kind: str
    table: str = ""
    text: str = ""
    left_out: int = 0
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text_field(self) -> str:
        """The field of the texts: what the store says, or the likeliest name that a row has a text under."""
        if self.text:
            return self.text
        found = (name for name in TEXT_FIELDS if any(isinstance(row.get(name), str) for row in self.metadata[:100]))
        return next(found, "")

    def texts(self, field: str | None = None) -> list[str]:
        """Return the text of each row; "" where it has none."""
        name = self.text_field if field is None else field
        return [str(row.get(name) or "") for row in self.metadata]

    def collection(self, kind: str = "flat", *, name: str = "the store") -> Collection:
        """Return a collection of the rows, which notes where they come from.

        Raises
        ------
        StoreError
            If ids repeat, a vector is not finite, or metadata cannot be kept; the text begins with `name`.
        """
        made = Collection.create(self.vectors.shape[1], self.metric, kind)
        try:
            made.add(list(self.ids), self.vectors, list(self.metadata))
        except (ValueError, TypeError) as error:
            raise StoreError(f"{name}: {error}") from error
        noted = {"kind": self.kind, "table": self.table, "text": self.text_field, **self.about}
        made.attributes = {"store": {key: value for key, value in noted.items() if value}}
        return made


def of_collection(collection: Collection, *, kind: str, table: str) -> StoreRows:
    """Return the rows of a collection, to be written into a store."""
    said = collection.attributes.get("store")
    about = dict(said) if isinstance(said, dict) else {}
    ids = list(collection.ids)
    metric: Any = str(collection.metric)
    text = str(about.get("text", ""))
    rows = StoreRows(ids, collection.vectors(ids), collection.get(ids), metric, kind, table, text)
    return rows if rows.text else StoreRows(ids, rows.vectors, rows.metadata, metric, kind, table, rows.text_field)


def stacked(vectors: Sequence[Any], name: str) -> NDArray[np.float32]:
    """Return vectors as the rows of an array.

    Raises
    ------
    StoreError
        If there is none, or they differ in dimension.
    """
    lengths = {len(each) for each in vectors}
    if len(lengths) != 1 or lengths == {0}:
        raise StoreError(
            f"{name} has vectors of the dimensions {sorted(lengths)}; all must have one" if lengths
            else f"{name} holds no vector"
        )  # fmt: skip
    return np.stack([np.asarray(each, np.float32) for each in vectors])


def is_address(store: str) -> bool:
    """Tell whether a store is named by an address of PostgreSQL."""
    return store.startswith(tuple(f"{each}://" for each in SCHEMES))


def without_password(store: str | Path) -> str:
    """Return what a store is called by, to be shown: an address without the passwords in it.

    Examples
    --------
    >>> without_password("postgresql://me:secret@host/base?password=secret&sslmode=require#notes")
    'postgresql://me@host/base?sslmode=require#notes'
    >>> without_password("a@b?password=c.db")
    'a@b?password=c.db'
    """
    if not is_address(str(store)):
        return str(store)
    parts = urlsplit(str(store))
    who, at, host = parts.netloc.rpartition("@")
    kept = [(key, value) for key, value in parse_qsl(parts.query, keep_blank_values=True) if key not in _SECRETS]
    query = f"?{urlencode(kept, safe='/')}" if kept else ""
    table = f"#{parts.fragment}" if parts.fragment else ""
    return f"{parts.scheme}://{who.partition(':')[0]}{at}{host}{parts.path}{query}{table}"


@contextmanager
def reading_sqlite(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection that changes nothing, not even what SQLite keeps beside the file.

    Writes that are in a log beside the file (``-wal``, ``-journal``) count: file and logs are copied then, since to
    read them is to write.

    Raises
    ------
    StoreError
        If it is no SQLite file.
    """
    logs = [each for end in ("-wal", "-journal") if (each := path.with_name(path.name + end)).is_file()]
    with tempfile.TemporaryDirectory() as folder:
        place, mode = path, "immutable=1"
        if any(each.stat().st_size for each in logs):
            place, mode = Path(folder) / path.name, "mode=rw"
            for each in (path, *logs):
                shutil.copyfile(each, Path(folder) / each.name)
        with closing(sqlite3.connect(f"{place.absolute().as_uri()}?{mode}", uri=True)) as connection:
            try:
                connection.execute("select name from sqlite_master limit 1").fetchone()
            except sqlite3.DatabaseError as error:
                raise StoreError(f"{path} is no SQLite file ({error})") from error
            yield connection


def scalar(value: Any) -> Any:
    """Return a text, number or truth value as it is, and anything else as JSON."""
    return value if isinstance(value, str | int | float) else json.dumps(value, ensure_ascii=False)


@contextmanager
def new_folder(path: str | Path, what: str) -> Iterator[Path]:
    """Yield an empty folder that takes the place `path` at the end, whole or not at all.

    Raises
    ------
    FileExistsError
        If something is there already.
    """
    target = Path(path)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FileExistsError(f"{target} is there already; name a new folder for {what}")
    with replacing_folder(target, marker="", kind=what) as folder:
        yield folder


def program(module: str, package: str) -> Any:
    """Return a module of the program that keeps a store.

    Raises
    ------
    ImportError
        If it is not installed; with what to install.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not (module == error.name or module.startswith(f"{error.name}.")):
            raise  # it is there, and one of its own imports is not
        raise ImportError(f"this store needs the program that keeps it: pip install {package}") from error
