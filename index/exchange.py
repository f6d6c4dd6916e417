"""Collections as Arrow tables and Parquet files: written without loss, read from other programs as well.

A row is a text ``id``, a ``vector`` (a list of fixed length of float32) and one column for each metadata field, see
`interlingua.index.arrow_columns`. The schema's metadata says what the rows are: ``interlingua.metric``,
``interlingua.space`` (the attribute ``space``, else ``encoder``), ``interlingua.languages`` (the values of the field
``language``), and under ``interlingua`` all that it takes to make the collection again, as JSON. Attachments are there
as base64 under ``interlingua.attachment.NAME``. Parquet pages carry checksums.
"""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .arrow_columns import ColumnForm, arrow_type, column_form, encode_column
from .factory import spec_to_json
from .filters import Where, matching_rows
from .folder import replacing_file
from .iteration import numbers_in_batches
from .metadata import MetadataTable
from .vector_index import VectorIndex

if TYPE_CHECKING:
    from .collection import Collection

__all__ = ["ATTACHMENT", "FORMAT", "HEAD", "load_pyarrow", "to_arrow", "to_parquet"]

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
