"""Collections as Arrow tables and Parquet files: written without loss, read from other programs as well.

A row is a text ``id``, a ``vector`` (a list of fixed length of float32) and one column for each metadata field, see
`interlingua.index.exchange`. The schema's metadata says what the rows are: ``interlingua.metric``,
``interlingua.space`` (the attribute ``space``, else ``encoder``), ``interlingua.languages`` (the values of the field
``language``), and under ``interlingua`` all that it takes to make the collection again, as JSON. Attachments are there
as base64 under ``interlingua.attachment.NAME``. Parquet pages carry checksums.

Read the rows of Arrow tables and Parquet files, ours and those of other programs, in batches.

Metadata fields as typed Arrow columns, and back without loss.

A field whose values are all text, all whole numbers, all floating-point numbers or all truth values is a column of that
type. What no Arrow type keeps apart, such as 1 beside 1.0 or lists beside texts, is a column of JSON texts. A null
stands for a row without the field, or for None where every row has the field; where both occur the column is JSON.

Walk through the rows of a collection in batches.
"""

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from interlingua.index.collection.filters import Where, matching_rows
from interlingua.index.collection.metadata import MetadataTable
from interlingua.index.engines.base import Metric, VectorIndex, check_k, shorten
from interlingua.index.engines.choose import spec_to_json

from .folder import replacing_file

if TYPE_CHECKING:
    from interlingua.index.collection.collection import Collection

ABSENT: Any = object()
"""Stands for the value of a row that has no such field."""

_TYPES: dict[type, str] = {str: "string", int: "int64", float: "double", bool: "bool"}
_WHOLE = range(-(2**63), 2**63)


@dataclass(frozen=True)
class ColumnForm:
    """How a field is kept: the Arrow type's name, or "json", and what a null stands for ("absent" or "none")."""

    type: str
    null: str = "absent"


def column_form(table: MetadataTable, field: str, rows: NDArray[np.int64]) -> ColumnForm | None:
    """Return how the field of these rows is kept; None where none of them has it."""
    codes, values = table.column(field, rows)
    used = np.unique(codes).tolist()
    absent = bool(used) and used[0] < 0
    present = [values[code] for code in used if code >= 0]
    if not present:
        return None
    has_none = any(value is None for value in present)
    kinds = {type(value) for value in present if value is not None}
    kind = kinds.pop() if len(kinds) == 1 else None
    if kind not in _TYPES or (has_none and absent):
        return ColumnForm("json")
    if kind is int and not all(value in _WHOLE for value in present if value is not None):
        return ColumnForm("json")
    return ColumnForm(_TYPES[kind], "none" if has_none else "absent")


def encode_column(pyarrow: Any, form: ColumnForm, codes: NDArray[np.int32], values: list[Any]) -> Any:
    """Return the Arrow array of a field, from the code of each row and the value of each code."""
    used, inverse = np.unique(codes, return_inverse=True)
    found: list[Any] = [None if code < 0 else values[code] for code in used.tolist()]
    if form.type == "json":
        found = [
            None if code < 0 else json.dumps(value, ensure_ascii=False, allow_nan=False)
            for code, value in zip(used.tolist(), found)
        ]
    distinct = pyarrow.array(found, type=arrow_type(pyarrow, form))
    return distinct.take(pyarrow.array(inverse.astype(np.int64)))


def decode_column(form: ColumnForm, array: Any) -> list[Any]:
    """Return the value of each row, `ABSENT` where a row has none."""
    null = None if form.null == "none" else ABSENT
    values = array.to_pylist()
    if form.type == "json":
        return [null if value is None else json.loads(value) for value in values]
    return [null if value is None else value for value in values]


def arrow_type(pyarrow: Any, form: ColumnForm) -> Any:
    """Return the Arrow type of a form."""
    return pyarrow.string() if form.type == "json" else pyarrow.type_for_alias(form.type)


def foreign_form(pyarrow: Any, name: str, kind: Any) -> ColumnForm:
    """Return how to read a column that another program wrote.

    Raises
    ------
    TypeError
        If metadata cannot keep such values.
    """
    if not _is_json(pyarrow.types, kind):
        raise TypeError(
            f"the column {name} is of type {kind}, which metadata cannot keep; cast it to text or numbers, or leave "
            "it out with `columns`"
        )
    return ColumnForm(str(kind))


def plain_texts(pyarrow: Any, array: Any, name: str) -> list[str]:
    """Return a column of texts or whole numbers as texts.

    Raises
    ------
    TypeError
        If it holds something else.
    ValueError
        If one is missing.
    """
    types, kind = pyarrow.types, array.type
    if types.is_dictionary(kind):
        kind, array = kind.value_type, array.cast(kind.value_type)
    if not (_is_text(types, kind) or types.is_integer(kind)):
        raise TypeError(f"the column {name!r} must hold texts or whole numbers, but is of type {kind}")
    if array.null_count:
        missing = np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False)).tolist()
        raise ValueError(f"the column {name!r} is empty in {len(missing)} rows ({shorten(missing)}); fill or drop them")
    return [str(value) for value in array.to_pylist()]


def _is_text(types: Any, kind: Any) -> bool:
    return bool(types.is_string(kind) or types.is_large_string(kind) or str(kind) == "string_view")


def _is_json(types: Any, kind: Any) -> bool:
    if types.is_dictionary(kind):
        return _is_json(types, kind.value_type)
    if types.is_struct(kind):
        return all(_is_json(types, kind.field(place).type) for place in range(kind.num_fields))
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _is_json(types, kind.value_type)
    plain = (types.is_integer, types.is_floating, types.is_boolean, types.is_null)
    return _is_text(types, kind) or any(each(kind) for each in plain)


@dataclass(frozen=True, eq=False)
class Batch:
    """Some rows of a collection, in order; what `Collection.add` and `upsert` take.

    Attributes
    ----------
    ids : tuple of n str
    vectors : (n, d) float32 array
        As they are kept: of unit length for `cosine`.
    metadata : list of n dict
        Copies.
    """

    ids: tuple[str, ...]
    vectors: NDArray[np.float32]
    metadata: list[dict[str, Any]]

    def __len__(self) -> int:
        return len(self.ids)


def iterate(index: VectorIndex, table: MetadataTable, size: int, where: Where | None) -> Iterator[Batch]:
    """Yield the rows that pass `where`, `size` at a time; see `Collection.batches`."""
    for numbers in numbers_in_batches(table, size, where):
        rows = table.rows_of(numbers)
        ids = tuple(table.ids[row] for row in rows.tolist())
        yield Batch(ids, index.reconstruct(numbers), table.metadata(rows))


def numbers_in_batches(table: MetadataTable, size: int, where: Where | None) -> Iterator[NDArray[np.int64]]:
    """Yield the numbers of the rows that pass `where`, ascending, `size` at a time.

    Raises
    ------
    RuntimeError
        If rows were added or removed meanwhile.
    """
    size = check_k(size, name="size")
    allowed = matching_rows(table, where)
    numbers = table.numbers_where(np.ones(len(table), dtype=bool)) if allowed is None else allowed
    state = table.state
    for start in range(0, len(numbers), size):
        if table.state != state:
            raise RuntimeError("the collection changed while it was walked through; note the changes, make them after")
        yield numbers[start : start + size]


HEAD, ATTACHMENT, FORMAT = b"interlingua", b"interlingua.attachment.", 1
_LARGEST_ATTACHMENT = 64 << 20  # what base64 makes of it stays below the 100 MB that Parquet readers allow
_ROWS_AT_ONCE = 4096


def load_pyarrow() -> Any:
    """Return pyarrow.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError('this needs pyarrow: pip install "interlingua[parquet]"') from error
    return pyarrow


def to_arrow(
    collection: "Collection", index: VectorIndex, table: MetadataTable, *, where: Where | None, id: str, vector: str
) -> Any:
    """Return a pyarrow table of the rows; see `Collection.to_arrow`."""
    pyarrow = load_pyarrow()
    forms = _forms(table, where, id, vector)
    schema = _schema(pyarrow, collection, table, forms, id, vector)
    schema = schema.with_metadata({**schema.metadata, **_attachments(collection)})
    batches = _record_batches(pyarrow, index, table, forms, schema, where, _ROWS_AT_ONCE)
    return pyarrow.Table.from_batches(batches, schema=schema)


def to_parquet(
    collection: "Collection",
    index: VectorIndex,
    table: MetadataTable,
    path: Path,
    *,
    where: Where | None,
    id: str,
    vector: str,
    batch_size: int,
) -> int:
    """Write the rows, `batch_size` a row group, and return their number; see `Collection.to_parquet`."""
    pyarrow = load_pyarrow()
    forms, written = _forms(table, where, id, vector), 0
    schema = _schema(pyarrow, collection, table, forms, id, vector)
    attachments = _attachments(collection)
    options = {"use_dictionary": list(forms), "write_page_checksum": True}
    with replacing_file(path) as draft, pyarrow.parquet.ParquetWriter(draft, schema, **options) as writer:
        for batch in _record_batches(pyarrow, index, table, forms, schema, where, batch_size):
            writer.write_batch(batch)
            written += batch.num_rows
        if attachments:  # subtle: what is in the schema is written twice
            writer.add_key_value_metadata(attachments)
    return written


def _forms(table: MetadataTable, where: Where | None, id: str, vector: str) -> dict[str, ColumnForm]:
    if id == vector:
        raise ValueError(f"ids and vectors need two columns, but both are called {id!r}")
    if taken := [name for name in (id, vector) if name in table.fields]:
        raise ValueError(
            f"the rows have a metadata field {taken[0]!r}, which is the name of the column of ids or vectors; choose "
            "other names for these with `id` and `vector`"
        )
    allowed = matching_rows(table, where)
    rows = np.arange(len(table)) if allowed is None else table.rows_of(allowed)
    found = {field: column_form(table, field, rows) for field in table.fields}
    return {field: form for field, form in found.items() if form is not None}


def _schema(
    pyarrow: Any, collection: "Collection", table: MetadataTable, forms: dict[str, ColumnForm], id: str, vector: str
) -> Any:
    attributes = collection.info["attributes"]
    space = attributes.get("space", attributes.get("encoder", ""))
    codes, values = table.column("language", np.arange(len(table))) if "language" in forms else (np.empty(0, int), [])
    spoken = [values[code] for code in np.unique(codes).tolist() if code >= 0]
    head = {
        "format": FORMAT,
        **spec_to_json(collection.index.spec),
        "id": id,
        "vector": vector,
        "columns": {name: {"type": form.type, "null": form.null} for name, form in forms.items()},
        "attributes": attributes,
    }
    fields = [
        pyarrow.field(id, pyarrow.string(), nullable=False),
        pyarrow.field(vector, pyarrow.list_(pyarrow.float32(), collection.dimension), nullable=False),
        *(pyarrow.field(name, arrow_type(pyarrow, form)) for name, form in forms.items()),
    ]
    return pyarrow.schema(
        fields,
        metadata={
            HEAD: _json(head),
            b"interlingua.metric": str(collection.metric).encode(),
            b"interlingua.space": (space if isinstance(space, str) else _json(space).decode()).encode(),
            b"interlingua.languages": _json(sorted(each for each in spoken if isinstance(each, str))),
        },
    )


def _record_batches(
    pyarrow: Any,
    index: VectorIndex,
    table: MetadataTable,
    forms: dict[str, ColumnForm],
    schema: Any,
    where: Where | None,
    size: int,
) -> Iterator[Any]:
    for numbers in numbers_in_batches(table, size, where):
        rows = table.rows_of(numbers)
        vectors = pyarrow.array(index.reconstruct(numbers).ravel())
        columns = [
            pyarrow.array([table.ids[row] for row in rows.tolist()], type=pyarrow.string()),
            pyarrow.FixedSizeListArray.from_arrays(vectors, index.dimension),
            *(encode_column(pyarrow, form, *table.column(field, rows)) for field, form in forms.items()),
        ]
        yield pyarrow.record_batch(columns, schema=schema)


def _attachments(collection: "Collection") -> dict[bytes, bytes]:
    for name, content in collection.attachments.items():
        if len(content) > _LARGEST_ATTACHMENT:
            raise ValueError(
                f"the attachment {name!r} has {len(content)} bytes, and a Parquet file takes {_LARGEST_ATTACHMENT}; "
                "keep a snapshot instead, or take the attachment off before"
            )
    return {
        ATTACHMENT + name.encode(): base64.b64encode(bytes(content)) for name, content in collection.attachments.items()
    }


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


_LARGEST_TEXT = 2**31 - 1  # of a Parquet file's own metadata


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
    """

    name: str
    batches: Iterator[Batch]
    dimension: int | None
    head: dict[str, Any] = field(default_factory=dict)
    attachments: dict[str, bytes] = field(default_factory=dict)


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
        plan = _plan(pyarrow, schema, {**(schema.metadata or {}), **(file.metadata.metadata or {})}, str(path))
        chosen = plan.choose(id, vector, columns)

        def read() -> Iterator[Any]:
            count = 0
            try:
                for group in range(file.num_row_groups):  # subtle: read together, all groups would be held
                    for part in file.iter_batches(batch_size=batch_size, columns=chosen, row_groups=[group]):
                        count += part.num_rows
                        yield part
            except (pyarrow.ArrowException, OSError) as error:
                raise ValueError(f"{path} is damaged: {error}; export it again, or take another copy") from error
            if count != file.metadata.num_rows:
                raise ValueError(
                    f"{path} is damaged: it holds {count} rows and promises {file.metadata.num_rows}; export it again"
                )

        yield plan.rows(read())


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
        source = pyarrow.RecordBatchReader.from_stream(source)
    plan = _plan(pyarrow, source.schema, source.schema.metadata or {}, "the table")
    chosen = plan.choose(id, vector, columns)
    parts = source.to_batches() if isinstance(source, pyarrow.Table) else source
    return plan.rows(
        part.select(chosen).slice(start, batch_size)
        for part in parts
        for start in range(0, max(part.num_rows, 1), batch_size)
    )


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
        try:
            made.add(batch.ids, batch.vectors, batch.metadata)
        except (ValueError, TypeError) as error:
            raise _in_rows(error, rows.name, start, len(batch)) from error
        start += len(batch)
    if made is None:
        raise ValueError(f"{rows.name} has no row, and so no dimension; give a file with rows")
    made.attributes, made.attachments = dict(rows.head.get("attributes", {})), dict(rows.attachments)
    return made


class _Plan:
    """Which columns are what."""

    def __init__(
        self, pyarrow: Any, schema: Any, head: dict[str, Any], attachments: dict[str, bytes], name: str
    ) -> None:
        self._pyarrow, self._schema, self._head, self._attachments, self._name = (
            pyarrow,
            schema,
            head,
            attachments,
            name,
        )
        self._id = self._vector = ""
        self._forms: dict[str, ColumnForm] = {}

    def choose(self, id: str | None, vector: str | None, columns: Sequence[str] | None) -> list[str]:
        """Settle the columns, and return their names."""
        self._id, self._vector = id or self._head.get("id", "id"), vector or self._head.get("vector", "vector")
        there = list(self._schema.names)
        rest = [name for name in there if name not in (self._id, self._vector)]
        wanted = rest if columns is None else list(columns)
        for name, argument in ((self._id, "id"), (self._vector, "vector"), *((each, "columns") for each in wanted)):
            if there.count(name) != 1:
                seen = "no column" if name not in there else f"{there.count(name)} columns"
                raise ValueError(
                    f"{self._name} has {seen} {name!r}; it has {', '.join(map(repr, there)) or 'none'}: name the right "
                    f"one with `{argument}`"
                )
        noted = self._head.get("columns", {})
        self._forms = {
            name: ColumnForm(**noted[name])
            if name in noted
            else foreign_form(self._pyarrow, f"{name!r} of {self._name}", self._schema.field(name).type)
            for name in wanted
        }
        return [self._id, self._vector, *wanted]

    def rows(self, parts: Iterable[Any]) -> Rows:
        """Return the rows of record batches of the chosen columns."""
        kind = self._schema.field(self._vector).type
        dimension = kind.list_size if self._pyarrow.types.is_fixed_size_list(kind) else None
        return Rows(self._name, self._batches(parts), dimension, self._head, self._attachments)

    def _batches(self, parts: Iterable[Any]) -> Iterator[Batch]:
        start = 0
        for part in parts:
            if part.num_rows == 0:
                continue
            try:
                yield self._batch(part)
            except (ValueError, TypeError) as error:
                raise _in_rows(error, self._name, start, part.num_rows) from error
            start += part.num_rows

    def _batch(self, part: Any) -> Batch:
        ids = plain_texts(self._pyarrow, part.column(self._id), self._id)
        metadata: list[dict[str, Any]] = [{} for _ in ids]
        for name, form in self._forms.items():
            array = part.column(name)
            if self._pyarrow.types.is_floating(array.type):
                array = array.cast(self._pyarrow.float64())
            for row, value in zip(metadata, decode_column(form, array)):
                if value is not ABSENT:
                    row[name] = value
        return Batch(tuple(ids), _vectors(self._pyarrow, part.column(self._vector), self._vector), metadata)


def _in_rows(error: Exception, name: str, start: int, count: int) -> Exception:
    kind = TypeError if isinstance(error, TypeError) else ValueError
    return kind(f"{name}, rows {start} to {start + count - 1}: {error}")


def _plan(pyarrow: Any, schema: Any, noted: Mapping[bytes, bytes], name: str) -> _Plan:
    head: dict[str, Any] = {}
    if HEAD in noted:
        try:
            head = json.loads(noted[HEAD])
            found = head["format"]
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{name} has a head that is not understood: {error}; export it again") from error
        if found != FORMAT:
            raise ValueError(f"{name} is of format {found!r}, and this version of interlingua reads {FORMAT} only")
    attachments = {
        key.removeprefix(ATTACHMENT).decode(): base64.b64decode(value)
        for key, value in noted.items()
        if key.startswith(ATTACHMENT)
    }
    return _Plan(pyarrow, schema, head, attachments, name)


def _vectors(pyarrow: Any, array: Any, name: str) -> NDArray[np.float32]:
    types, kind = pyarrow.types, array.type
    if not (types.is_fixed_size_list(kind) or types.is_list(kind) or types.is_large_list(kind)) or not (
        types.is_floating(kind.value_type) or types.is_integer(kind.value_type)
    ):
        raise TypeError(f"the column {name!r} must hold lists of numbers, but is of type {kind}")
    if array.null_count:
        missing = int(np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False))[0])
        raise ValueError(f"row {missing} has no {name!r} ({array.null_count} such rows); drop such rows first")
    if types.is_fixed_size_list(kind):
        dimension = kind.list_size
    else:
        lengths = np.diff(array.offsets.to_numpy())
        dimension = int(lengths[0])
        if odd := np.flatnonzero(lengths != dimension).tolist():
            raise ValueError(
                f"the vectors in {name!r} differ in length: row 0 has {dimension} numbers, row {odd[0]} has "
                f"{int(lengths[odd[0]])}; all must come from one encoder"
            )
    flat = array.flatten().to_numpy(zero_copy_only=False)
    with np.errstate(over="ignore"):  # what is beyond float32 becomes inf, which a collection refuses
        single: NDArray[np.float32] = flat.astype(np.float32, copy=False)
    return single.reshape(len(array), dimension)
