"""The connection to Milvus: an own file, a server or a cluster, told apart by the address alone."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

__all__ = ["MilvusConfig", "MilvusError", "batches", "connect", "speaking"]

TOKEN_VARIABLE = "MILVUS_TOKEN"  # noqa: S105 - the name of the variable, not a token
_BATCH_BYTES = 16 << 20  # gRPC refuses messages above 64 MB
_BATCH_ROWS = 5000


class MilvusError(RuntimeError):
    """Milvus could not be reached or refused a request; the text has its own words."""


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
    consistency : {"Strong", "Session", "Bounded", "Eventually"}
        What a read sees: with Strong all that was written before, for some 300 ms a call on a server; with Bounded
        what is a few seconds old, in milliseconds.
    """

    kind: ClassVar[str] = "milvus"
    uri: str
    collection: str
    index_type: str = "FLAT"
    build: dict[str, Any] | None = None
    search: dict[str, Any] | None = None
    consistency: str = "Strong"

    def __post_init__(self) -> None:
        for name in ("uri", "collection", "index_type"):
            if not isinstance(value := getattr(self, name), str) or not value:
                raise ValueError(f"{name} must be a text, but is {value!r}")
        if not self.collection.isidentifier() or not self.collection.isascii():
            raise ValueError(f"a collection is named by letters, digits and underscores, not {self.collection!r}")
        if self.consistency not in ("Strong", "Session", "Bounded", "Eventually"):
            raise ValueError(f"consistency must be Strong, Session, Bounded or Eventually, but is {self.consistency!r}")

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
    with speaking(config):
        return pymilvus.MilvusClient(config.uri, token=os.environ.get(TOKEN_VARIABLE, ""))


@contextmanager
def speaking(config: MilvusConfig) -> Iterator[None]:
    """Turn pymilvus' errors into a `MilvusError` that names address and collection."""
    exceptions = import_module("pymilvus.exceptions")
    grpc = import_module("grpc")
    try:
        yield
    except (exceptions.MilvusException, grpc.RpcError) as error:
        said = " ".join(str(getattr(error, "message", "") or error).split())
        raise MilvusError(
            f"Milvus at {config.uri} did not do what was asked of {config.collection!r}: {said}; if it is restarting, "
            "try again when it is up"
        ) from error


def batches(count: int, row_bytes: int) -> Iterator[slice]:
    """Yield slices that cover `count` rows, each small enough for one message."""
    size = max(1, min(_BATCH_ROWS, _BATCH_BYTES // max(row_bytes, 1)))
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
