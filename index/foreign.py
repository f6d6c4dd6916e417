"""Read the rows of Arrow tables and Parquet files, ours and those of other programs, in batches."""

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .arrow_columns import ABSENT, ColumnForm, decode_column, foreign_form, plain_texts
from .exchange import ATTACHMENT, FORMAT, HEAD, load_pyarrow
from .iteration import Batch
from .metric import Metric

if TYPE_CHECKING:
    from .collection import Collection

__all__ = ["Rows", "gather", "open_arrow", "open_parquet", "parquet_batches"]

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
