"""A collection of Milvus and what is asked of it; a folder, a server or a cluster, told apart by the address alone."""

import logging
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from interlingua.index.engines.base import Metric

from .servers import TOKEN_VARIABLE, token_for

MOST_RESULTS = 16_384  # Milvus' own limit for k and for what one query returns
_LONGEST_WAIT = 3.0  # seconds between two attempts
_LONGEST_TEXT = 500
_NOT_ALLOWED = ("UNAUTHENTICATED", "PERMISSION_DENIED")
_RATE_LIMIT = 8  # the one code that all versions agree on
_TRANSIENT_WORDS = re.compile(
    "not ready|unavailable|not healthy|unhealthy|no available|recovering|rate ?limit|quota|memory limit|time ?out|"
    "timed out|deadline|connect|node offline|not loaded|not fully loaded|initializing|abnormal|node lack|"
    "node not found|channel not|no replica|context canceled|retry run out",
    re.IGNORECASE,
)
_LOCAL_TYPES = ("FLAT", "BRUTE_FORCE", "HNSW", "HNSW_SQ", "IVF_FLAT", "IVF_SQ8", "AUTOINDEX")  # of Milvus Lite 3.2
_RELEASED = re.compile("state 'released'|not loaded", re.IGNORECASE)
# pymilvus sends a ping every 10 s, used or not. Milvus Lite runs on gRPC's default, takes one in 300 s while nothing is
# under way, and closes the connection at the third before its time: GOAWAY "too_many_pings".
_LOCAL_CHANNEL = {"grpc.keepalive_time_ms": 600_000, "grpc.keepalive_permit_without_calls": 0}
_BATCH_BYTES = 16 << 20  # gRPC refuses messages above 64 MB
_BATCH_ROWS = 5000
_MOST_FRESH = 1000


class MilvusError(RuntimeError):
    """Milvus could not be reached or refused a request; the text has its own words.

    Attributes
    ----------
    transient : bool
        Whether the same request may succeed later: the server is away, starting, or asks to go slower.
    """

    def __init__(self, text: str, *, transient: bool = False) -> None:
        super().__init__(text)
        self.transient = transient


@dataclass(frozen=True)
class MilvusConfig:
    """Where a collection lives and how Milvus indexes it.

    Attributes
    ----------
    uri : str
        A folder whose name ends in ``.db`` (Milvus Lite, inside this process and for it alone), or
        ``http://HOST:19530`` for a server or cluster, ``https://`` with TLS. A token or ``user:password`` is read from
        the environment variable MILVUS_TOKEN and never saved; in the address, which is saved and shown, it is refused.
    collection : str
        Its name there: letters, digits and underscores.
    index_type : {"FLAT", "HNSW", "HNSW_SQ", "IVF_FLAT", "IVF_SQ8", "AUTOINDEX", ...}
        What the server offers differs by version; FLAT is exact. Milvus Lite has the first five, and AUTOINDEX.
    build, search : dict
        The index type's own parameters, such as ``{"M": 32, "efConstruction": 200}`` and ``{"ef": 128}``.
    consistency : {"Session", "Strong", "Bounded", "Eventually"}
        What a read sees. Session: all that this process has written; the first read after a write waits for the
        server's next time tick (some 200 ms), the others do not. Strong: also what other processes have written, and
        every read waits. Bounded, Eventually: no wait, and writes of the last seconds may be missing.
    database : str
        Its database on the server; empty for the default one.
    secure : bool
        TLS; an ``https://`` address means it anyway.
    server_pem_path : str
        The certificate to trust, where the server's is not signed by a known authority.
    timeout : float
        Seconds for which one call goes on trying, with growing pauses, while the server is away or asks to go slower.
    """

    kind: ClassVar[str] = "milvus"
    uri: str
    collection: str
    index_type: str = "FLAT"
    build: dict[str, Any] | None = None
    search: dict[str, Any] | None = None
    consistency: str = "Session"
    database: str = ""
    secure: bool = False
    server_pem_path: str = ""
    timeout: float = 30.0

    def __post_init__(self) -> None:
        for name in ("uri", "collection", "index_type"):
            if not isinstance(value := getattr(self, name), str) or not value:
                raise ValueError(f"{name} must be a text, but is {value!r}")
        if _may_tell_secrets(self.uri):  # and is therefore not shown here either
            raise ValueError(
                "uri is saved and shown, so it must hold neither user and password nor a query; write it as "
                f"http://HOST:19530, and set the environment variable {TOKEN_VARIABLE} to the token or user:password"
            )
        if not self.collection.isidentifier() or not self.collection.isascii():
            raise ValueError(f"a collection is named by letters, digits and underscores, not {self.collection!r}")
        if self.consistency not in ("Strong", "Session", "Bounded", "Eventually"):
            raise ValueError(f"consistency must be Strong, Session, Bounded or Eventually, but is {self.consistency!r}")
        if self.timeout <= 0:
            raise ValueError(f"timeout must be a number of seconds above 0, but is {self.timeout!r}")
        if self.server_pem_path and not Path(self.server_pem_path).is_file():
            raise FileNotFoundError(f"server_pem_path names no file: {self.server_pem_path}")

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "MilvusConfig":
        """Return the settings that were saved; an earlier release also saved users and passwords, which are dropped."""
        return cls(**saved_fields(fields))

    @property
    def local(self) -> bool:
        """Whether the collection is in a folder of Milvus Lite."""
        return self.uri.endswith(".db")

    @property
    def own_writes(self) -> str:
        """The consistency of reads that decide about writes: at least this process' own writes are seen."""
        return "Strong" if self.consistency == "Strong" else "Session"

    def to_json(self) -> dict[str, Any]:
        """Return the settings, without any token."""
        return dict(vars(self))


def saved_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a saved configuration, or of a note, whose address has no secrets."""
    uri = fields.get("uri")
    return {**fields, "uri": without_secrets(uri)} if isinstance(uri, str) else dict(fields)


def without_secrets(uri: str) -> str:
    """Return an address without user, password and query, as far as it is one; the name of a file stays as it is.

    Examples
    --------
    >>> without_secrets("http://user:secret@host:19530/db?token=secret"), without_secrets("a@b?/c.db")
    ('http://host:19530/db', 'a@b?/c.db')
    """
    if not _may_tell_secrets(uri):
        return uri
    scheme, mark, rest = uri.rpartition("://")
    authority, path = re.fullmatch("([^/?#]*)([^?#]*).*", rest, re.DOTALL).groups()  # type: ignore[union-attr] # of any
    return f"{scheme}{mark}{authority.rpartition('@')[2]}{path}"


def _may_tell_secrets(uri: str) -> bool:
    is_file = uri.endswith(".db") and "://" not in uri
    return not is_file and any(each in uri for each in "@?#")


def connect(config: MilvusConfig) -> Any:
    """Return a pymilvus client.

    Raises
    ------
    ImportError
        If pymilvus is missing; the text names the extra.
    PermissionError
        If only a folder names the address, and there is a token that may be for another one; see `servers`.
    MilvusError
        If nothing answers at the address.
    """
    try:
        pymilvus = import_module("pymilvus")
    except ImportError as error:
        raise ImportError('Milvus needs pymilvus: pip install "interlingua[milvus]"') from error
    # pymilvus logs a stack trace for each error that it raises, and our error has its words
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
    options: dict[str, Any] = {"token": token_for(config.uri, local=config.local), "db_name": config.database}
    if config.secure:
        options["secure"] = True
    if config.server_pem_path:
        options["server_pem_path"] = config.server_pem_path
    if config.local:
        options["grpc_options"] = _LOCAL_CHANNEL
    # subtle: pymilvus keeps one connection for an address, and does not try again itself where that has been closed
    attempt = lambda _: pymilvus.MilvusClient(config.uri, timeout=config.timeout, **options)  # noqa: E731
    if not config.local:
        return until_answered(config, attempt)
    with _LocalReason.heard() as reason:
        try:
            return until_answered(config, attempt)
        except MilvusError as error:
            raise MilvusError(f"{error}{reason.hint(Path(config.uri))}", transient=error.transient) from error


class _LocalReason(logging.Handler):
    """Hears why Milvus Lite did not start, which it logs with a stack trace, and pymilvus does not say."""

    def __init__(self) -> None:
        super().__init__()
        self.error: BaseException | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the error of a record."""
        self.error = record.exc_info[1] if record.exc_info else self.error

    @classmethod
    @contextmanager
    def heard(cls) -> Iterator["_LocalReason"]:
        """Listen, in place of standard error."""
        log, handler = logging.getLogger("milvus_lite.server_manager"), cls()
        passed_on, log.propagate = log.propagate, False
        log.addHandler(handler)
        try:
            yield handler
        finally:
            log.removeHandler(handler)
            log.propagate = passed_on

    def hint(self, path: Path) -> str:
        """Return the reason, and what to do."""
        if self.error is None:
            return ""
        if type(self.error).__name__ == "DataDirLockedError":
            return "; another process has it open, and Milvus Lite serves one at a time: end that one, or use a server"
        if path.is_file():
            return (
                "; it is a file, as Milvus Lite wrote it before version 3, and later ones keep a folder: read it with "
                'the older one (pip install "milvus-lite<3"), or choose another name'
            )
        return f": {self.error}"


def until_answered(config: MilvusConfig, attempt: Callable[[float], Any]) -> Any:
    """Return what `attempt` returns, given the seconds that are left; try again, ever slower, while the server is away.

    Only for what may be done twice, as an answer may be lost after the work is done: reads, deletes, upserts by id,
    flushing, dropping.

    Raises
    ------
    MilvusError
        If the request is refused, or `config.timeout` seconds are over.
    """
    end, pause = time.monotonic() + config.timeout, 0.05
    while True:
        left = max(end - time.monotonic(), 0.5)
        try:
            with speaking(config):
                return attempt(left)
        except MilvusError as error:
            if not error.transient or time.monotonic() + pause > end:
                raise
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_WAIT)


@contextmanager
def speaking(config: MilvusConfig) -> Iterator[None]:
    """Turn pymilvus' errors into a `MilvusError` that names address and collection."""
    exceptions = import_module("pymilvus.exceptions")
    grpc = import_module("grpc")
    try:
        yield
    except (exceptions.MilvusException, grpc.RpcError) as error:
        # subtle: pymilvus says "server unavailable" whatever the reason; gRPC's own error is its cause
        reason = next((each for each in (error, error.__cause__) if isinstance(each, grpc.RpcError)), None)
        raise _error_of(config, error, reason) from error


def _error_of(config: MilvusConfig, error: Any, reason: Any) -> MilvusError:
    parts = [str(getattr(error, "message", "") or error)] if error is not reason else []
    if reason is not None:
        parts.append(str(reason.details() if hasattr(reason, "details") else reason))
    text = " ".join(": ".join(parts).split())
    text = text if len(text) <= _LONGEST_TEXT else f"{text[:200]} ... {text[200 - _LONGEST_TEXT :]}"
    transient, hint = False, ""
    if reason is not None and hasattr(reason, "code") and reason.code().name in _NOT_ALLOWED:
        held = "holds another one" if os.environ.get(TOKEN_VARIABLE) else "is not set"
        hint = f"; Milvus asks for a token that may do this, and the environment variable {TOKEN_VARIABLE} {held}"
    elif "handshake failed" in text.lower():
        hint = "; give the server's certificate as server_pem_path, and https:// only to a server that speaks TLS"
    elif _TRANSIENT_WORDS.search(text) or getattr(error, "code", None) == _RATE_LIMIT:
        transient, hint = True, "; if it is restarting, try again when it is up"
        if "Socket closed" in text and not config.uri.startswith("https"):
            hint += "; if it speaks TLS, write https://"
    return MilvusError(
        f"Milvus at {config.uri} did not do what was asked of {config.collection!r}: {text}{hint}", transient=transient
    )


def message_slices(count: int, row_bytes: int) -> Iterator[slice]:
    """Yield slices that cover `count` rows, each small enough for one message."""
    size = max(1, min(_BATCH_ROWS, _BATCH_BYTES // max(row_bytes, 1)))
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def vector_field(metric: Metric) -> str:
    """Return the name of the field that holds vectors; the metric is in it, as Milvus Lite keeps no description."""
    return f"vector_{metric}"


class RemoteCollection:
    """A collection at Milvus, made where it is not there; what is asked of it is asked until it is answered.

    Parameters
    ----------
    config : MilvusConfig
    create : callable
        Called with this where the collection is not there; it calls `make`.

    Attributes
    ----------
    config : MilvusConfig
    client : pymilvus.MilvusClient
    fields : dict
        Each field's name with its parameters, such as ``dim``.
    """

    def __init__(self, config: MilvusConfig, create: Callable[["RemoteCollection"], None]) -> None:
        self.config = config
        self.client = connect(config)
        found = self.ask(self.client.has_collection)
        if not found:
            create(self)
        described = self.ask(self.client.describe_collection)
        self.fields: dict[str, Any] = {field["name"]: field.get("params") or {} for field in described["fields"]}
        if found:
            self._make_ready()
        self._fresh = 0 if not found else _MOST_FRESH + 1  # rows that Milvus Lite has in its log only, or may have

    def __str__(self) -> str:
        return f"{self.config.collection!r} at {self.config.uri}"

    def ask(self, call: Callable[..., Any], **named: Any) -> Any:
        """Return what `call` of the client says of the collection; see `until_answered`."""
        name, exceptions = self.config.collection, import_module("pymilvus.exceptions")

        def attempt(left: float) -> Any:
            try:
                return call(collection_name=name, timeout=left, **named)
            except exceptions.MilvusException as error:
                if not _RELEASED.search(str(error)):
                    raise
            self.client.load_collection(collection_name=name, timeout=left)  # another client has released it
            return call(collection_name=name, timeout=left, **named)

        return until_answered(self.config, attempt)

    def make(self, schema: Any, metric: Metric) -> None:
        """Make the collection, empty, its vectors indexed as the configuration says, and ready to be searched.

        Raises
        ------
        ValueError
            If Milvus Lite has no such index: it would search without one, and say so on standard error only.
        """
        kind = self.config.index_type
        if self.config.local and kind not in _LOCAL_TYPES:
            raise ValueError(f"Milvus Lite has no index_type {kind!r}; choose one of {', '.join(_LOCAL_TYPES)}")

        def create(**named: Any) -> None:
            # subtle: Milvus Lite refuses to make anew what an attempt has made whose answer was lost
            if not self.client.has_collection(**named):
                self.client.create_collection(schema=schema, consistency_level="Strong", **named)
            self._index(metric, **named)

        self.ask(create)

    def _make_ready(self) -> None:
        """Have what is there loaded, which Milvus Lite opens released, and finish what was cut off when it was made."""
        metrics = [metric for metric in Metric if vector_field(metric) in self.fields]
        if len(metrics) == 1:  # else it is none of ours
            self.ask(partial(self._index, metrics[0]))

    def _index(self, metric: Metric, **named: Any) -> None:
        if not self.client.list_indexes(**named):
            build: dict[str, Any] = dict(self.config.build or {})
            index = self.client.prepare_index_params()
            index.add_index(
                vector_field(metric),
                index_name=vector_field(metric),
                index_type=self.config.index_type,
                metric_type="L2" if metric is Metric.L2 else "IP",
                # subtle: pymilvus sends what is in params one by one; Lite reads them under "params" only
                params={"params": build} if self.config.local else build,
            )
            # there is no row to be indexed yet, and pymilvus would sleep for half a second before it asks
            self.client.create_index(index_params=index, sync=False, **named)
        self.client.load_collection(**named)

    def query(self, condition: str, fields: list[str], **named: Any) -> Any:
        """Return these fields of the rows that meet a condition, as this process has left them."""
        level = self.config.own_writes
        return self.ask(self.client.query, filter=condition, output_fields=fields, consistency_level=level, **named)

    def count(self, condition: str = "") -> int:
        """Return how many rows meet a condition."""
        return int(self.query(condition, ["count(*)"])[0]["count(*)"])

    def upsert(self, rows: list[dict[str, Any]]) -> None:
        """Put in rows, as many as one message takes."""
        self.ask(self.client.upsert, data=rows)
        self._fresh += len(rows)

    def settle_deletes(self) -> None:
        """Wait until the deletes of this process are seen by its reads.

        Older servers (2.3.5) answer a delete with the timestamp 0, and pymilvus then forgets what a Session read has to
        see. One Strong read brings the node that answers up to now.
        """
        if self.config.consistency == "Session" and not self.config.local:
            self.ask(self.client.query, filter="", output_fields=["count(*)"], consistency_level="Strong")

    def search(
        self,
        queries: NDArray[np.float32],
        k: int,
        metric: Metric,
        *,
        condition: str = "",
        fields: Sequence[str] = (),
        hit_bytes: int = 0,
    ) -> Iterator[tuple[list[Any], NDArray[np.float32]]]:
        """Yield the hits of each query (n, d), at most k among the rows that meet a condition, and their scores."""
        self._put_away()
        parameters = dict(self.config.search or {})
        if "ef" in parameters:
            parameters["ef"] = max(parameters["ef"], k)  # what k results allow
        sign = -1 if metric is Metric.L2 else 1
        for part in message_slices(len(queries), max(4 * queries.shape[1], hit_bytes * k)):
            for hits in self.ask(
                self.client.search,
                data=list(queries[part]),
                limit=k,
                output_fields=list(fields),
                filter=condition,
                search_params={"params": parameters},
                consistency_level=self.config.consistency,
            ):
                yield list(hits), sign * np.array([hit["distance"] for hit in hits], dtype=np.float32)

    def _put_away(self) -> None:
        """Have Milvus Lite put away the rows that it has only in its log, before they slow a search down.

        Milvus Lite 3.2 turns each such row into Python numbers in every search: 36 microseconds for 384 dimensions,
        0.7 s for 20 000 rows. Put away ("flushed"), they are a segment with an index of its own, and cost 0.4
        microseconds. It does so itself at 128 MB only.
        """
        if self.config.local and self._fresh > _MOST_FRESH:
            self.ask(self.client.flush)
            self._fresh = 0
