"""The connection to Milvus: an own file, a server or a cluster, told apart by the address alone.

What is said to Milvus about rows, and what it answers.

What Milvus Lite needs and a server does not: to be told when to put fresh rows away.
"""

import logging
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

from .filters import literal
from .rows import decode_row

MOST_RESULTS = 16_384  # Milvus' own limit for k and for what one query returns
TOKEN_VARIABLE = "MILVUS_TOKEN"  # noqa: S105 - the name of the variable, not a token
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
# pymilvus sends a ping every 10 s, used or not. Milvus Lite runs on gRPC's default, takes one in 300 s while nothing is
# under way, and closes the connection at the third before its time: GOAWAY "too_many_pings".
_LOCAL_CHANNEL = {"grpc.keepalive_time_ms": 600_000, "grpc.keepalive_permit_without_calls": 0}
_BATCH_BYTES = 16 << 20  # gRPC refuses messages above 64 MB
_BATCH_ROWS = 5000


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
        A file ending in ``.db`` (Milvus Lite, inside this process), or ``http://HOST:19530`` for a server or cluster,
        ``https://`` with TLS. A token or ``user:password`` is read from the environment variable MILVUS_TOKEN and
        never saved.
    collection : str
        Its name there: letters, digits and underscores.
    index_type : {"FLAT", "HNSW", "HNSW_SQ", "IVF_FLAT", "IVF_SQ8", "AUTOINDEX", ...}
        What the server offers differs by version; FLAT is exact.
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
        if not self.collection.isidentifier() or not self.collection.isascii():
            raise ValueError(f"a collection is named by letters, digits and underscores, not {self.collection!r}")
        if self.consistency not in ("Strong", "Session", "Bounded", "Eventually"):
            raise ValueError(f"consistency must be Strong, Session, Bounded or Eventually, but is {self.consistency!r}")
        if self.timeout <= 0:
            raise ValueError(f"timeout must be a number of seconds above 0, but is {self.timeout!r}")
        if self.server_pem_path and not Path(self.server_pem_path).is_file():
            raise FileNotFoundError(f"server_pem_path names no file: {self.server_pem_path}")

    @property
    def local(self) -> bool:
        """Whether the collection is in a file of Milvus Lite."""
        return self.uri.endswith(".db")

    @property
    def own_writes(self) -> str:
        """The consistency of reads that decide about writes: at least this process' own writes are seen."""
        return "Strong" if self.consistency == "Strong" else "Session"

    def to_json(self) -> dict[str, Any]:
        """Return the settings, without any token."""
        return dict(vars(self))


def connect(config: MilvusConfig) -> Any:
    """Return a pymilvus client.

    Raises
    ------
    ImportError
        If pymilvus is missing; the text names the extra.
    MilvusError
        If nothing answers at the address.
    """
    try:
        pymilvus = import_module("pymilvus")
    except ImportError as error:
        raise ImportError('Milvus needs pymilvus: pip install "interlingua[milvus]"') from error
    # pymilvus logs a stack trace for each error that it raises, and our error has its words
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
    options: dict[str, Any] = {"token": os.environ.get(TOKEN_VARIABLE, ""), "db_name": config.database}
    if config.secure:
        options["secure"] = True
    if config.server_pem_path:
        options["server_pem_path"] = config.server_pem_path
    if config.local:
        options["grpc_options"] = _LOCAL_CHANNEL
    # subtle: pymilvus keeps one connection for an address, and does not try again itself where that has been closed
    return _until_answered(config, lambda _: pymilvus.MilvusClient(config.uri, timeout=config.timeout, **options))


def ask(config: MilvusConfig, call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Return what `call` of a pymilvus client returns; try again, ever slower, while the server is away.

    Only for calls that may be made twice, as an answer may be lost after the work is done: reads, deletes, upserts by
    id, flushing, dropping.

    Raises
    ------
    MilvusError
        If the request is refused, or `config.timeout` seconds are over.
    """
    return _until_answered(config, lambda left: call(*arguments, timeout=left, **named))


def _until_answered(config: MilvusConfig, attempt: Callable[[float], Any]) -> Any:
    """Return what `attempt` returns, which is given the seconds that are left."""
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


def settle_deletes(config: MilvusConfig, client: Any) -> None:
    """Wait until the deletes of this process are seen by its reads.

    Older servers (2.3.5) answer a delete with the timestamp 0, and pymilvus then forgets what a Session read has to
    see. One Strong read brings the node that answers up to now.
    """
    if config.consistency == "Session" and not config.local:
        ask(
            config,
            client.query,
            config.collection,
            filter="",
            output_fields=["count(*)"],
            consistency_level="Strong",
        )


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
        raise _told(config, error, reason) from error


def _told(config: MilvusConfig, error: Any, reason: Any) -> MilvusError:
    parts = [str(getattr(error, "message", "") or error)] if error is not reason else []
    if reason is not None:
        parts.append(str(reason.details() if hasattr(reason, "details") else reason))
    said = " ".join(": ".join(parts).split())
    said = said if len(said) <= _LONGEST_TEXT else f"{said[:200]} ... {said[200 - _LONGEST_TEXT :]}"
    transient, hint = False, ""
    if reason is not None and hasattr(reason, "code") and reason.code().name in _NOT_ALLOWED:
        held = "holds another one" if os.environ.get(TOKEN_VARIABLE) else "is not set"
        hint = f"; Milvus asks for a token that may do this, and the environment variable {TOKEN_VARIABLE} {held}"
    elif "handshake failed" in said.lower():
        hint = "; give the server's certificate as server_pem_path, and https:// only to a server that speaks TLS"
    elif _TRANSIENT_WORDS.search(said) or getattr(error, "code", None) == _RATE_LIMIT:
        transient, hint = True, "; if it is restarting, try again when it is up"
        if "Socket closed" in said and not config.uri.startswith("https"):
            hint += "; if it speaks TLS, write https://"
    return MilvusError(
        f"Milvus at {config.uri} did not do what was asked of {config.collection!r}: {said}{hint}", transient=transient
    )


def search_parameters(config: MilvusConfig, k: int) -> dict[str, Any]:
    """Return the search parameters of `config`, with an ``ef`` that k results allow."""
    parameters = dict(config.search or {})
    if "ef" in parameters:
        parameters["ef"] = max(parameters["ef"], k)
    return {"params": parameters}


def message_slices(count: int, row_bytes: int) -> Iterator[slice]:
    """Yield slices that cover `count` rows, each small enough for one message."""
    size = max(1, min(_BATCH_ROWS, _BATCH_BYTES // max(row_bytes, 1)))
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def metadata_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata of a row that Milvus has answered."""
    return decode_row(row["fields"], row["rest"])


def among(ids: Sequence[str]) -> str:
    """Return the condition that a row has one of these ids."""
    return f"id in [{', '.join(map(literal, ids))}]"


def id_bytes(ids: Sequence[str]) -> int:
    """Return the bytes that one of these ids takes at most."""
    return 16 + 4 * max(map(len, ids), default=0)


def json_bytes(messages: list[dict[str, Any]]) -> int:
    """Return the length of the longest JSON, about."""
    return max((len(repr(each["fields"])) + len(repr(each["rest"])) for each in messages), default=0)


_MOST_FRESH = 1000


class FreshRows:
    """Counts the rows that Milvus Lite has only in its log, and has them put away before they slow a search down.

    Milvus Lite 3.2 turns each such row into Python numbers in every search: 36 microseconds for 384 dimensions, 0.7 s
    for 20 000 rows. Put away ("flushed"), they are a segment with an index of its own, and cost 0.4 microseconds. It
    does so itself at 128 MB only.

    Parameters
    ----------
    config : MilvusConfig
    client : pymilvus.MilvusClient
    found : bool
        Whether the collection was there before, with a log of unknown length.
    """

    def __init__(self, config: MilvusConfig, client: Any, *, found: bool) -> None:
        self._config, self._client = config, client
        self._rows = _MOST_FRESH + 1 if found else 0

    def add(self, rows: int) -> None:
        """Count rows that were written."""
        self._rows += rows

    def put_away(self) -> None:
        """Flush if there are many; call it before a search."""
        if self._config.local and self._rows > _MOST_FRESH:
            ask(self._config, self._client.flush, self._config.collection)
            self._rows = 0
