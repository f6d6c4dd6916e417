"""Collections as Arrow tables and Parquet files: written without loss, read from other programs as well.

A row is a text ``id``, a ``vector`` (a list of fixed length of float32) and one column for each metadata field. The
schema's metadata says what the rows are: ``interlingua.metric``, ``interlingua.space`` (the attribute ``space``, else
``encoder``), ``interlingua.languages`` (the values of the field ``language``), and under ``interlingua`` all that it
takes to make the collection again, as JSON. Attachments are there as base64 under ``interlingua.attachment.NAME``.
Parquet pages carry checksums.

A field whose values are all text, all whole numbers, all floating-point numbers or all truth values is a column of that
type. What no Arrow type keeps apart, such as 1 beside 1.0 or lists beside texts, is a column of JSON texts. A null
stands for a row without the field, or for None where every row has the field; where both occur the column is JSON.
Columns of other programs are read as `interlingua.index.columns` says.
"""

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from interlingua.index.collection.filters import Where, matching_batches, matching_rows
from interlingua.index.collection.metadata import MetadataTable
from interlingua.index.engines.base import Batch, Metric
from interlingua.index.engines.choose import spec_to_json
from interlingua.index.engines.faiss import FaissIndex
from interlingua.index.engines.training import sample_size

from .columns import ABSENT, ColumnForm, load_pyarrow, plain_texts, vectors_of
from .files import replacing_file

if TYPE_CHECKING:
    from interlingua.index.collection.collection import Collection

HEAD, ATTACHMENT, FORMAT = b"interlingua", b"interlingua.attachment.", 1
_LARGEST_ATTACHMENT = 64 << 20  # what base64 makes of it stays below the 100 MB that Parquet readers allow
_LARGEST_TEXT = 2**31 - 1  # of a Parquet file's own metadata
_ROWS_AT_ONCE = 4096


@dataclass(frozen=True, eq=False, kw_only=True)
class Outgoing:
    """Rows of a collection that are to be written.

    Parameters
    ----------
    collection : Collection
    table : MetadataTable
        Its rows.
    where : mapping or filter, optional
        Which of them.
    id, vector : str
        Names of their columns.
    """

    collection: "Collection"
    table: MetadataTable
    where: Where | None
    id: str
    vector: str

    def to_arrow(self) -> Any:
        """Return a pyarrow table of the rows; see `Collection.to_arrow`."""
        schema, forms = self._schema()
        schema = schema.with_metadata({**schema.metadata, **self._attachments()})
        return load_pyarrow().Table.from_batches(self._batches(schema, forms, _ROWS_AT_ONCE), schema=schema)

    def to_parquet(self, path: Path, batch_size: int) -> int:
        """Write the rows, `batch_size` a row group, and return their number; see `Collection.to_parquet`."""
        writer_of = load_pyarrow().parquet.ParquetWriter
        schema, forms = self._schema()
        attachments, written = self._attachments(), 0
        options = {"use_dictionary": list(forms), "write_page_checksum": True}
        with replacing_file(path) as draft, writer_of(draft, schema, **options) as writer:
            for batch in self._batches(schema, forms, batch_size):
                writer.write_batch(batch)
                written += batch.num_rows
            if attachments:  # subtle: what is in the schema is written twice
                writer.add_key_value_metadata(attachments)
        return written

    def _schema(self) -> tuple[Any, dict[str, ColumnForm]]:
        pyarrow, collection, forms = load_pyarrow(), self.collection, self._forms()
        attributes = collection.info["attributes"]
        space = attributes.get("space", attributes.get("encoder", ""))
        head = {
            "format": FORMAT,
            **spec_to_json(collection.index.spec),
            "id": self.id,
            "vector": self.vector,
            "columns": {name: {"type": form.type, "null": form.null} for name, form in forms.items()},
            "attributes": attributes,
        }
        fields = [
            pyarrow.field(self.id, pyarrow.string(), nullable=False),
            pyarrow.field(self.vector, pyarrow.list_(pyarrow.float32(), collection.dimension), nullable=False),
            *(pyarrow.field(name, form.arrow) for name, form in forms.items()),
        ]
        noted = {
            HEAD: _json(head),
            b"interlingua.metric": str(collection.metric).encode(),
            b"interlingua.space": (space if isinstance(space, str) else _json(space).decode()).encode(),
            b"interlingua.languages": _json(self._languages() if "language" in forms else []),
        }
        return pyarrow.schema(fields, metadata=noted), forms

    def _forms(self) -> dict[str, ColumnForm]:
        if self.id == self.vector:
            raise ValueError(f"ids and vectors need two columns, but both are called {self.id!r}")
        if taken := [name for name in (self.id, self.vector) if name in self.table.fields]:
            raise ValueError(
                f"the rows have a metadata field {taken[0]!r}, which is the name of the column of ids or vectors; "
                "choose other names for these with `id` and `vector`"
            )
        allowed = matching_rows(self.table, self.where)
        rows = np.arange(len(self.table)) if allowed is None else self.table.rows_of(allowed)
        found = {field: ColumnForm.of(self.table, field, rows) for field in self.table.fields}
        return {field: form for field, form in found.items() if form is not None}

    def _languages(self) -> list[str]:
        codes, values = self.table.column("language", np.arange(len(self.table)))
        spoken = [values[code] for code in np.unique(codes).tolist() if code >= 0]
        return sorted(each for each in spoken if isinstance(each, str))

    def _batches(self, schema: Any, forms: Mapping[str, ColumnForm], size: int) -> Iterator[Any]:
        pyarrow, index, table = load_pyarrow(), self.collection.index, self.table
        for numbers in matching_batches(table, size, self.where):
            rows = table.rows_of(numbers)
            vectors = pyarrow.array(index.reconstruct(numbers).ravel())
            columns = [
                pyarrow.array([table.ids[row] for row in rows.tolist()], type=pyarrow.string()),
                pyarrow.FixedSizeListArray.from_arrays(vectors, index.dimension),
                *(form.encode(*table.column(field, rows)) for field, form in forms.items()),
            ]
            yield pyarrow.record_batch(columns, schema=schema)

    def _attachments(self) -> dict[bytes, bytes]:
        attachments = self.collection.attachments
        for name, content in attachments.items():
            if len(content) > _LARGEST_ATTACHMENT:
                raise ValueError(
                    f"the attachment {name!r} has {len(content)} bytes, and a Parquet file takes "
                    f"{_LARGEST_ATTACHMENT}; keep a snapshot instead, or take the attachment off before"
                )
        return {ATTACHMENT + name.encode(): base64.b64encode(bytes(content)) for name, content in attachments.items()}


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows to be read once, and what the source says of them.

    Attributes
    ----------
    name : str
        What to call the source in errors.
    batches : iterator of Batch
    dimension : int or None
        None where only the first row tells.
    head : dict
        What our own writer noted: kind, metric, config, attributes; empty for other programs' files.
    attachments : dict of bytes
    total : int
        Number of rows; 0 where only the end tells.
    vectors_at : callable, optional
        Ascending row numbers -> their vectors (m, d); None where rows can be read but once.
    """

    name: str
    batches: Iterator[Batch]
    dimension: int | None
    head: dict[str, Any] = field(default_factory=dict)
    attachments: dict[str, bytes] = field(default_factory=dict)
    total: int = 0
    vectors_at: Callable[[NDArray[np.int64]], NDArray[np.float32]] | None = None

    def teach(self, index: Any) -> None:
        """Have an empty index learn from a sample of all rows, where it learns at all and rows can be read twice.

        Else the index learns from those that come first.
        """
        if self.vectors_at is None or not isinstance(index, FaissIndex):
            return
        if size := sample_size(index.config, self.total):
            chosen = np.unique(np.linspace(0, self.total - 1, size).astype(np.int64))
            try:
                index.learn(self.vectors_at(chosen))
            except (ValueError, TypeError):  # which the row itself, when it comes, says better
                return


def parquet_batches(
    path: str | Path,
    *,
    id: str | None = None,
    vector: str | None = None,
    columns: Sequence[str] | None = None,
    batch_size: int = 4096,
) -> Iterator[Batch]:
    """Yield the rows of a Parquet file in batches, to add them to a collection of one's own.

    Parameters and errors are those of `Collection.from_parquet`; memory is that of the file's largest row group.
    """
    with open_parquet(Path(path), id=id, vector=vector, columns=columns, batch_size=batch_size) as rows:
        yield from rows.batches


@contextmanager
def open_parquet(
    path: Path, *, id: str | None, vector: str | None, columns: Sequence[str] | None, batch_size: int
) -> Iterator[Rows]:
    """Open a Parquet file for `Collection.from_parquet`."""
    pyarrow = load_pyarrow()
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}; mend the path")
    try:
        file = pyarrow.parquet.ParquetFile(
            path,
            pre_buffer=False,
            page_checksum_verification=True,
            thrift_string_size_limit=_LARGEST_TEXT,
        )
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{path} is not readable as Parquet: {error}; export it again") from error
    with file:
        schema = file.schema_arrow
        noted = {**(schema.metadata or {}), **(file.metadata.metadata or {})}
        incoming = Incoming.choose(schema, noted, str(path), id, vector, columns)

        def read() -> Iterator[Any]:
            count = 0
            try:
                for group in range(file.num_row_groups):  # subtle: read together, all groups would be held
                    for part in file.iter_batches(batch_size=batch_size, columns=incoming.names, row_groups=[group]):
                        count += part.num_rows
                        yield part
            except (pyarrow.ArrowException, OSError) as error:
                raise ValueError(f"{path} is damaged: {error}; export it again, or take another copy") from error
            if count != file.metadata.num_rows:
                raise ValueError(
                    f"{path} is damaged: it holds {count} rows and promises {file.metadata.num_rows}; export it again"
                )

        def vectors_at(wanted: NDArray[np.int64]) -> NDArray[np.float32]:
            start, found = 0, []
            for group in range(file.num_row_groups):
                for part in file.iter_batches(batch_size=batch_size, columns=[incoming.vector], row_groups=[group]):
                    own = wanted[(wanted >= start) & (wanted < start + part.num_rows)] - start
                    start += part.num_rows
                    if len(own):
                        found.append(vectors_of(part.column(0).take(pyarrow.array(own)), incoming.vector))
            return np.concatenate(found)

        yield replace(incoming.rows(read()), total=file.metadata.num_rows, vectors_at=vectors_at)


def open_arrow(
    source: Any, *, id: str | None, vector: str | None, columns: Sequence[str] | None, batch_size: int
) -> Rows:
    """Return the rows of a pyarrow table, record batch or reader, or of what gives an Arrow stream."""
    pyarrow = load_pyarrow()
    if isinstance(source, pyarrow.RecordBatch):
        source = pyarrow.Table.from_batches([source])
    elif not isinstance(source, pyarrow.Table | pyarrow.RecordBatchReader):
        if not hasattr(source, "__arrow_c_stream__"):
            raise TypeError(f"rows must come as an Arrow table or stream, not as {type(source).__name__}")
        try:
            source = pyarrow.RecordBatchReader.from_stream(source)
        except pyarrow.ArrowInvalid as error:
            raise TypeError(
                f"the table has a column of a type that Arrow does not know ({error}); cast it to text or numbers, or "
                "leave it out of the table"
            ) from error
    incoming = Incoming.choose(source.schema, source.schema.metadata or {}, "the table", id, vector, columns)
    whole = isinstance(source, pyarrow.Table)
    rows = incoming.rows(
        part.select(incoming.names).slice(start, batch_size)
        for part in (source.to_batches() if whole else source)
        for start in range(0, max(part.num_rows, 1), batch_size)
    )

    def vectors_at(wanted: NDArray[np.int64]) -> NDArray[np.float32]:
        taken = source.select([incoming.vector]).take(pyarrow.array(wanted))
        return vectors_of(taken.column(0).combine_chunks(), incoming.vector)

    return replace(rows, total=source.num_rows, vectors_at=vectors_at) if whole else rows


def gather(
    rows: Rows,
    create: "Callable[..., Collection]",
    *,
    metric: Metric | str | None,
    kind: str | None,
    config: Any,
) -> "Collection":
    """Return a collection of the rows; what is not given is as the source notes it, else ``flat`` and ``cosine``."""
    noted = rows.head.get("kind", "flat")
    noted = "flat" if noted == "milvus" else noted  # where its rows are already
    settings = config if config is not None or kind not in (None, noted) else rows.head.get("config") or None
    chosen = {"metric": metric or rows.head.get("metric", "cosine"), "kind": kind or noted, "config": settings}
    made = None if rows.dimension is None else create(rows.dimension, **chosen)
    start = 0
    for batch in rows.batches:
        made = create(batch.vectors.shape[1], **chosen) if made is None else made
        if start == 0:
            rows.teach(made.index)
        try:
            made.add(batch.ids, batch.vectors, batch.metadata)
        except (ValueError, TypeError) as error:
            raise _in_rows(error, rows.name, start, len(batch)) from error
        start += len(batch)
    if made is None:
        raise ValueError(f"{rows.name} has no row, and so no dimension; give a file with rows")
    made.attributes, made.attachments = dict(rows.head.get("attributes", {})), dict(rows.attachments)
    return made


@dataclass(frozen=True, eq=False, kw_only=True)
class Incoming:
    """Which columns of a source are what.

    Attributes
    ----------
    name : str
        What to call the source in errors.
    id, vector : str
        Their columns.
    forms : dict of ColumnForm
        The columns that become metadata.
    dimension : int or None
    head, attachments : dict
        As in `Rows`.
    """

    name: str
    id: str
    vector: str
    forms: dict[str, ColumnForm]
    dimension: int | None
    head: dict[str, Any]
    attachments: dict[str, bytes]

    @classmethod
    def choose(
        cls,
        schema: Any,
        noted: Mapping[bytes, bytes],
        name: str,
        id: str | None,
        vector: str | None,
        columns: Sequence[str] | None,
    ) -> "Incoming":
        """Settle the columns of a source: those named, else those that our writer noted, else ``id`` and ``vector``.

        Raises
        ------
        ValueError
            If a column is missing or there twice, or what our writer noted is not understood.
        TypeError
            If a column is of a type that metadata cannot keep.
        """
        head = _read_head(noted, name)
        id, vector = id or head.get("id", "id"), vector or head.get("vector", "vector")
        there, unnamed = list(schema.names), _unnamed_index(noted)
        rest = [each for each in there if each not in (id, vector, *unnamed)]
        wanted = rest if columns is None else list(columns)
        for column, argument in ((id, "id"), (vector, "vector"), *((each, "columns") for each in wanted)):
            if there.count(column) != 1:
                seen = "no column" if column not in there else f"{there.count(column)} columns"
                raise ValueError(
                    f"{name} has {seen} {column!r}; it has {', '.join(map(repr, there)) or 'none'}: name the right "
                    f"one with `{argument}`"
                )
        own = head.get("columns", {})
        forms = {
            column: ColumnForm(**own[column])
            if column in own
            else ColumnForm.foreign(f"{column!r} of {name}", schema.field(column).type)
            for column in wanted
        }
        kind = schema.field(vector).type
        dimension = (kind.list_size or None) if load_pyarrow().types.is_fixed_size_list(kind) else None
        attachments = {
            key.removeprefix(ATTACHMENT).decode(): base64.b64decode(value)
            for key, value in noted.items()
            if key.startswith(ATTACHMENT)
        }
        return cls(
            name=name, id=id, vector=vector, forms=forms, dimension=dimension, head=head, attachments=attachments
        )

    @property
    def names(self) -> list[str]:
        """All columns that are read."""
        return [self.id, self.vector, *self.forms]

    def rows(self, parts: Iterable[Any]) -> Rows:
        """Return the rows of record batches of the columns `names`."""
        return Rows(self.name, self._batches(parts), self.dimension, self.head, self.attachments)

    def _batches(self, parts: Iterable[Any]) -> Iterator[Batch]:
        start = 0
        for part in parts:
            if part.num_rows == 0:
                continue
            try:
                yield self._batch(part)
            except (ValueError, TypeError) as error:
                raise _in_rows(error, self.name, start, part.num_rows) from error
            start += part.num_rows

    def _batch(self, part: Any) -> Batch:
        ids = plain_texts(part.column(self.id), self.id)
        metadata: list[dict[str, Any]] = [{} for _ in ids]
        for name, form in self.forms.items():
            for row, value in zip(metadata, form.decode(part.column(name))):
                if value is not ABSENT:
                    row[name] = value
        return Batch(tuple(ids), vectors_of(part.column(self.vector), self.vector), metadata)


def _in_rows(error: Exception, name: str, start: int, count: int) -> Exception:
    kind = TypeError if isinstance(error, TypeError) else ValueError
    return kind(f"{name}, rows {start} to {start + count - 1}: {error}")


def _read_head(noted: Mapping[bytes, bytes], name: str) -> dict[str, Any]:
    """Return what our own writer noted; nothing for other programs' files."""
    if HEAD not in noted:
        return {}
    try:
        head: dict[str, Any] = json.loads(noted[HEAD])
        found = head["format"]
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{name} has a head that is not understood: {error}; export it again") from error
    if found != FORMAT:
        raise ValueError(f"{name} is of format {found!r}, and this version of interlingua reads {FORMAT} only")
    return head


def _unnamed_index(noted: Mapping[bytes, bytes]) -> list[str]:
    """Return the columns in which pandas keeps an index without a name: numbers of rows, and no metadata."""
    try:
        columns = json.loads(noted.get(b"pandas", b"{}")).get("index_columns", [])
    except (ValueError, AttributeError):  # another program's own note
        return []
    return [each for each in columns if isinstance(each, str) and each.startswith("__index_level_")]
