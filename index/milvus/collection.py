"""A collection that is kept by Milvus: string ids, metadata and vectors, in a folder, on a server or on a cluster."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interlingua.index.collection.filters import Where, as_filter, merge_languages
from interlingua.index.collection.metadata import MetadataTable, check_json
from interlingua.index.collection.parts import attachment_files, read_attachments
from interlingua.index.engines.base import (
    Batch,
    CollectionResult,
    Described,
    Metric,
    check_dimension,
    check_k,
    check_rows,
    check_vectors,
    is_nothing,
    shorten,
)
from interlingua.index.files import replacing_file
from interlingua.index.folder import MANIFEST_NAME, naming, read_folder, write_folder

from .client import (
    MOST_RESULTS,
    MilvusConfig,
    MilvusError,
    RemoteCollection,
    message_slices,
    saved_fields,
    vector_field,
)
from .filters import EVERY_ROW, NO_ROW, among, compile_filter, equal_names, field_names, lists_in
from .rows import create_rows, decode_row, encode_name, encode_row, metadata_of, partition_code, read_schema
from .servers import named_by

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 30.0  # seconds
_READ_ROWS, _READ_BYTES = 4096, 16 << 20
_LONGEST_ID = 65_535  # bytes
# of each collection of Milvus Lite: whether a field holds a list in some row
_LISTS: dict[tuple[str, str, str], dict[str, bool]] = {}


@dataclass(frozen=True)
class Loaded:
    """What `MilvusCollection.load_batches` has done.

    Attributes
    ----------
    rows, batches : int
        Acknowledged by Milvus in this run.
    skipped : int
        Batches that an earlier run had acknowledged.
    retries : int
        Attempts that Milvus refused or did not answer, and that were made again.
    """

    rows: int
    batches: int
    skipped: int
    retries: int


class MilvusCollection(Described):
    """A `Collection` whose rows are with Milvus: the same calls, the same filters, the same scores.

    Milvus keeps the rows durable and, on a cluster, spread; here is no copy of them. What differs from `Collection`:

    - A call of more than some thousand rows is several messages. If one of them fails, the rows of those before it
      stay; the error says how many, and `upsert` of all rows again completes the work, as no row is ever doubled.
    - Several processes may write. Each sees its own writes at once, those of others after a moment; see
      `MilvusConfig`.
    - k is at most 16384, integers in metadata at most 2^53, and `attributes` and `attachments` are kept by `save`.

    Parameters
    ----------
    config : MilvusConfig or mapping of its fields
        ``{"uri": "words.db", "collection": "words"}`` is a local folder, of Milvus Lite.
    dimension : int, optional
        Length d of each vector. Not needed where the collection is there already.
    metric : Metric or str, optional
        By default ``cosine``, or that of the collection that is there.
    partition : str or None, optional
        The metadata column by whose values Milvus divides the rows, so that a search in one of them reads no others;
        by default ``language``, or what the collection has that is there.

    Attributes
    ----------
    attributes, attachments : dict
        As those of `Collection`.

    Raises
    ------
    ValueError
        If the collection is there with another dimension, metric or partition, or is not there and `dimension` is not
        given.
    MilvusError
        If Milvus cannot be reached or refuses.
    """

    def __init__(
        self,
        config: MilvusConfig | Mapping[str, Any],
        dimension: int | None = None,
        metric: Metric | str | None = None,
        *,
        partition: str | None = "language",
    ) -> None:
        self.config = config if isinstance(config, MilvusConfig) else MilvusConfig(**config)

        def create(remote: RemoteCollection) -> None:
            if dimension is None:
                raise ValueError(f"there is no {remote}; give a dimension")
            wanted = Metric.parse(Metric.COSINE if metric is None else metric)
            create_rows(remote, check_dimension(dimension), wanted, partition)

        self._remote = RemoteCollection(self.config, create)
        schema = read_schema(self._remote)
        super().__init__(schema.dimension, schema.metric)
        self._partition, self._vector = schema.partition, vector_field(schema.metric)
        if dimension not in (None, self._dimension) or (metric is not None and Metric.parse(metric) != self._metric):
            raise ValueError(
                f"{self._remote} has dimension {self._dimension} and metric {str(self._metric)!r}, not {dimension} and "
                f"{metric and str(metric)!r}; choose another name"
            )
        self._known: set[str] = set()
        place = (str(Path(self.config.uri).resolve()), self.config.database, self.config.collection)
        self._lists: dict[str, bool] = _LISTS.setdefault(place, {}) if self.config.local else {}
        self._last = 0
        self.attributes: dict[str, Any] = {}
        self.attachments: dict[str, bytes] = {}

    @property
    def partition(self) -> str | None:
        """The metadata column by whose values Milvus divides the rows."""
        return self._partition

    @property
    def ids(self) -> tuple[str, ...]:
        """All ids, in the order of adding (an upserted row counts as added last); O(n) messages' worth of them."""
        return tuple(self)

    @property
    def info(self) -> dict[str, Any]:
        """What the collection is: kind, dimension, metric, config, count, attributes, attachments."""
        return {
            "kind": "milvus",
            "dimension": self._dimension,
            "metric": str(self._metric),
            "config": self.config.to_json(),
            "partition": self._partition,
            "count": len(self),
            "attributes": check_json(self.attributes, "attributes"),
            "attachments": {name: len(content) for name, content in self.attachments.items()},
        }

    def __len__(self) -> int:
        return self._remote.count()

    def __contains__(self, id: object) -> bool:
        return isinstance(id, str) and bool(self._held([id]))

    def __iter__(self) -> Iterator[str]:
        return (row["id"] for rows in self._pages(_READ_ROWS, [], "") for row in rows)

    def check(
        self, ids: Sequence[str], metadata: Sequence[Mapping[str, Any]] | None = None, *, replace: bool = False
    ) -> tuple[list[str], list[dict[str, Any]]]:
        """Return ids and metadata as `add` (or, with `replace`, `upsert`) would take them, or raise what it would."""
        listed = ids if isinstance(ids, str) else list(ids)
        rows = MetadataTable().check(listed, metadata)
        names = [str(id) for id in listed]
        if long := [id for id in names if len(id.encode()) > _LONGEST_ID]:
            raise ValueError(f"an id is at most {_LONGEST_ID} bytes long with Milvus, not {len(long[0].encode())}")
        for id, row in zip(names, rows):
            encode_row(id, row)
            if self._partition is not None:
                partition_code(row, self._partition)
        if not replace and (held := self._held(names)):
            there = [id for id in names if id in held]
            raise ValueError(f"ids are in the collection already: {shorten(there)}; use upsert to replace them")
        return names, rows

    def add(self, ids: Sequence[str], vectors: ArrayLike, metadata: Sequence[Mapping[str, Any]] | None = None) -> None:
        """Add rows of new ids, as `Collection.add`; costs a query more than `upsert`."""
        self._put(ids, vectors, metadata, replace=False)

    def upsert(
        self, ids: Sequence[str], vectors: ArrayLike, metadata: Sequence[Mapping[str, Any]] | None = None
    ) -> None:
        """Add rows, each in place of the row of the same id if there is one; metadata is replaced, not merged."""
        self._put(ids, vectors, metadata, replace=True)

    def remove(self, ids: Sequence[str]) -> None:
        """Remove rows by id; `KeyError` if one is not in the collection, and then nothing is removed."""
        wanted = list(dict.fromkeys([ids] if isinstance(ids, str) else ids))
        self._refuse_missing(wanted, self._held(wanted))
        for part in message_slices(len(wanted), _id_bytes(wanted)):
            self._remote.ask(self._remote.client.delete, filter=among(wanted[part]))
        self._remote.settle_deletes()

    def get(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """Return each row's metadata; `KeyError` if an id is not in the collection."""
        return [metadata_of(row) for row in self._rows(ids, ["fields", "rest"], 2000)]

    def vectors(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """Return the stored vectors (n, d), of unit length for `cosine`; `KeyError` if an id is unknown."""
        found = [row[self._vector] for row in self._rows(ids, [self._vector], 8 * self._dimension)]
        return np.array(found, dtype=np.float32).reshape(len(found), self._dimension)

    def search(
        self,
        queries: ArrayLike,
        k: int = 10,
        *,
        where: Where | None = None,
        languages: Iterable[str] | None = None,
    ) -> CollectionResult:
        """Return the k best rows for each query (n, d); arguments and errors are those of `Collection.search`."""
        checked = check_vectors(queries, self._dimension, self._metric, name="queries")
        width = check_k(k)
        expression = self._expression(merge_languages(where, languages))
        if width > MOST_RESULTS:
            width = min(width, max(len(self), 1))
            if width > MOST_RESULTS:
                raise ValueError(f"k must be at most {MOST_RESULTS} with Milvus, but is {k}")
        ids: list[tuple[str, ...]] = []
        metadata: list[tuple[dict[str, Any], ...]] = []
        scores = np.full((len(checked), width), -np.inf, dtype=np.float32)
        found = self._remote.search(
            checked, width, self._metric, condition=expression, fields=("id", "fields", "rest"), hit_bytes=512
        )
        for row, (hits, values) in enumerate(found):
            entities = [hit["entity"] for hit in hits]
            scores[row, : len(hits)] = np.clip(values, -1, 1) if self._metric is Metric.COSINE else values
            ids.append(tuple(entity["id"] for entity in entities))
            metadata.append(tuple(map(metadata_of, entities)))
        return CollectionResult(tuple(ids), scores, tuple(metadata), self._metric)

    def count(self, where: Where | None = None) -> int:
        """Return how many rows pass a filter."""
        return self._remote.count(self._expression(where))

    def batches(self, size: int = 1024, *, where: Where | None = None) -> Iterator[Batch]:
        """Yield ids, vectors and metadata of the rows that pass `where`, at most `size` at a time, in order of adding.

        A row that is upserted meanwhile may come twice, and none is left out.
        """
        size = min(check_k(size), max(1, _READ_BYTES // (8 * self._dimension + 2000)))
        for rows in self._pages(size, ["fields", "rest", self._vector], self._expression(where)):
            vectors = np.array([row[self._vector] for row in rows], dtype=np.float32)
            yield Batch(tuple(row["id"] for row in rows), vectors, [metadata_of(row) for row in rows])

    def load_batches(
        self,
        batches: Iterable[Batch],
        *,
        resume: str | Path | None = None,
        patience: float = 600.0,
        progress: Callable[[int], None] | None = None,
    ) -> Loaded:
        """Upsert batch after batch, at the speed that Milvus allows, and from where an earlier run was stopped.

        The next batch is read when Milvus has acknowledged the one before, so that no more than one is in memory and a
        slow server slows the reading down. Where Milvus is away or asks to go slower, the batch is sent again after a
        pause that doubles from 0.1 s to 30 s. Rows are upserted by id: a batch that is sent twice is there once.

        Parameters
        ----------
        batches : iterable of Batch
            The same ones in the same order in every run that resumes another.
        resume : str or Path, optional
            A file that notes how many batches were acknowledged. If it is there, as many are passed over.
        patience : float
            Seconds for which one batch is tried.
        progress : callable, optional
            Called with the rows acknowledged so far.

        Raises
        ------
        MilvusError
            If Milvus refuses a batch, or `patience` is over; what was acknowledged stays, and is noted in `resume`.
        ValueError
            If `resume` notes the progress of another collection, or is no such file.
        """
        note = None if resume is None else Path(resume)
        target = {"uri": self.config.uri, "collection": self.config.collection}
        done = _batches_noted(note, target)
        rows = sent = retries = 0
        for number, batch in enumerate(batches):
            if number < done:
                continue
            retries += self._send(batch, patience)
            rows, sent = rows + len(batch), sent + 1
            if note is not None:
                with replacing_file(note) as file:
                    file.write_text(json.dumps({**target, "batches": number + 1}) + "\n", encoding="utf-8")
            if progress is not None:
                progress(rows)
        return Loaded(rows, sent, done, retries)

    def flush(self, *, wait: float = 600.0) -> None:
        """Have Milvus close what is being filled and index it; return when that is done or `wait` seconds are over."""
        self._remote.ask(self._remote.client.flush)
        end = time.monotonic() + wait
        while not self.config.local and time.monotonic() < end:
            state = self._remote.ask(self._remote.client.describe_index, index_name=self._vector)
            if not state.get("pending_index_rows") and state.get("state", "Finished") == "Finished":
                return
            time.sleep(0.2)

    def drop(self) -> None:
        """Delete the collection and all of its rows from Milvus."""
        self._remote.ask(self._remote.client.drop_collection)

    def save(self, path: str | Path) -> None:
        """Write where the rows are, and attributes and attachments, into the folder `path`; the rows stay there."""
        contents = {
            "type": "milvus-collection",
            "config": self.config.to_json(),
            "attributes": check_json(self.attributes, "attributes"),
        }
        files: dict[str, Any] = {"milvus.json": (json.dumps(self.config.to_json(), indent=1) + "\n").encode()}
        write_folder(Path(path), contents=contents, files={**files, **attachment_files(self.attachments)})

    @classmethod
    def load(cls, path: str | Path) -> "MilvusCollection":
        """Return the collection that `save` wrote about, after verifying every checksum."""

        def parse(contents: dict[str, Any], files: dict[str, Path]) -> MilvusCollection:
            with naming(Path(path) / MANIFEST_NAME):
                if contents["type"] != "milvus-collection":
                    raise ValueError(f"it describes a {contents['type']!r}, which is not kept by Milvus")
                config = MilvusConfig.from_json(contents["config"])
                attributes = check_json(contents["attributes"], "attributes")
            with named_by(path):
                loaded = cls(config)
            loaded.attributes, loaded.attachments = attributes, read_attachments(files)
            return loaded

        return read_folder(Path(path), parse)

    def _put(
        self, ids: Sequence[str], vectors: ArrayLike, metadata: Sequence[Mapping[str, Any]] | None, *, replace: bool
    ) -> None:
        names, rows = self.check(ids, metadata, replace=replace)
        if is_nothing(names, vectors):
            return
        checked = check_rows(names, vectors, self._dimension, self._metric)
        self._last = max(time.time_ns(), self._last + 1)
        messages = [self._message(id, row, vector) for id, row, vector in zip(names, rows, checked)]
        for part in message_slices(len(names), 8 * self._dimension + _id_bytes(names) + _json_bytes(messages)):
            try:
                self._remote.upsert(messages[part])
            except MilvusError as error:
                raise MilvusError(
                    f"{error} ({part.start} of {len(names)} rows are in; upsert all of them again to complete it)",
                    transient=error.transient,
                ) from error

    def _message(self, id: str, row: Mapping[str, Any], vector: NDArray[np.float32]) -> dict[str, Any]:
        fields, rest = encode_row(id, row)
        self._lists.update((name, True) for name, value in row.items() if isinstance(value, list))
        self._last += 1
        message = {"id": id, "added": self._last, "fields": fields, "rest": rest, self._vector: vector}
        if self._partition is not None:
            message[f"key_{self._partition}"] = partition_code(row, self._partition)
        return message

    def _send(self, batch: Batch, patience: float) -> int:
        """Upsert one batch and return how many attempts failed before."""
        end, pause, failed = time.monotonic() + patience, _FIRST_PAUSE, 0
        while True:
            try:
                self.upsert(batch.ids, batch.vectors, batch.metadata)
            except MilvusError as error:
                if not error.transient or time.monotonic() + pause > end:
                    raise
            else:
                return failed
            time.sleep(pause)
            pause, failed = min(2 * pause, _LONGEST_PAUSE), failed + 1

    def _expression(self, where: Where | None) -> str:
        """Return a filter as Milvus' expression, empty for none, after a look whether its fields are there."""
        condition = as_filter(where)
        if condition is None:
            return ""
        for name in sorted(field_names(condition) - self._known):
            path = f'exists fields["{encode_name(name)}"]'
            if self._remote.query(path, ["id"], limit=1):
                self._known.add(name)
            elif some := self._remote.query(EVERY_ROW, ["fields"], limit=100):
                seen = sorted(
                    {name for row in some for name in decode_row(row["fields"], dict.fromkeys(row["fields"]))}
                )
                known = ", ".join(map(repr, seen)) or "none"
                raise ValueError(f"no row has the field {name!r}; the fields are {known}")
            else:
                return NO_ROW
        return compile_filter(condition, self._partition, self._with_lists(equal_names(condition)))

    def _with_lists(self, names: set[str]) -> set[str]:
        """Return those of the fields that hold a list in some row."""
        for name in names:
            # a folder of Milvus Lite is written by this process alone, which notes what it writes
            if not self._lists.get(name) and not (self.config.local and name in self._lists):
                self._lists[name] = bool(self._remote.query(lists_in(name, self._partition), ["id"], limit=1))
        return {name for name in names if self._lists[name]}

    def _rows(self, ids: Sequence[str], fields: list[str], row_bytes: int) -> Iterator[Mapping[str, Any]]:
        wanted = [ids] if isinstance(ids, str) else list(ids)
        found: dict[str, Mapping[str, Any]] = {}
        for part in message_slices(len(wanted), row_bytes + _id_bytes(wanted)):
            found |= {row["id"]: row for row in self._remote.query(among(wanted[part]), ["id", *fields])}
        self._refuse_missing(wanted, set(found))
        return (found[id] for id in wanted)

    def _held(self, ids: list[str]) -> set[str]:
        found: set[str] = set()
        for part in message_slices(len(ids), _id_bytes(ids)):
            found |= {row["id"] for row in self._remote.query(among(ids[part]), ["id"])}
        return found

    @staticmethod
    def _refuse_missing(wanted: list[str], held: set[str]) -> None:
        if missing := [id for id in wanted if id not in held]:
            raise KeyError(f"ids are not in the collection: {shorten(missing)}")

    def _pages(self, size: int, fields: list[str], expression: str) -> Iterator[list[Mapping[str, Any]]]:
        """Yield rows in the order of adding, by halving the time of adding until few rows are left in it."""
        open_spans = [(0, 2**62)]
        while open_spans:
            start, stop = open_spans.pop()
            within = f"added >= {start} and added < {stop}" + (expression and f" and ({expression})")
            count = self._remote.count(within)
            if count > size and stop - start > 1:
                middle = (start + stop) // 2
                open_spans += [(middle, stop), (start, middle)]
            elif count:
                yield sorted(self._remote.query(within, ["id", "added", *fields]), key=lambda row: int(row["added"]))


def _batches_noted(note: Path | None, target: dict[str, Any]) -> int:
    if note is None or not note.exists():
        return 0
    try:
        noted = saved_fields(json.loads(note.read_text(encoding="utf-8")))
        done = noted.pop("batches")
    except (ValueError, KeyError, AttributeError, TypeError):
        raise ValueError(f"{note} does not note the progress of a load; choose another file") from None
    if noted != target:
        raise ValueError(f"{note} notes the progress of {noted}, not of {target}; choose another file or remove it")
    return int(done)


def _id_bytes(ids: Sequence[str]) -> int:
    """Return the bytes that one of these ids takes at most."""
    return 16 + 4 * max(map(len, ids), default=0)


def _json_bytes(messages: list[dict[str, Any]]) -> int:
    """Return the length of the longest JSON, about."""
    return max((len(repr(each["fields"])) + len(repr(each["rest"])) for each in messages), default=0)
