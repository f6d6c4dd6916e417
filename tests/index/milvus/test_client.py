"""The connection: errors that say what to do, TLS and tokens, and calls over a connection that breaks.

What needs a server that was started with ``--secure`` is skipped without one.
"""

import os
import subprocess
import sys
from itertools import count

import numpy as np
import pytest

from interlingua.index import Eq
from interlingua.index.engines.choose import spec_from_json
from interlingua.index.milvus.client import MilvusConfig, MilvusError, connect, speaking, without_secrets
from interlingua.index.milvus.collection import MilvusCollection
from interlingua.index.milvus.engine import MilvusIndex

pymilvus = pytest.importorskip("pymilvus")
grpc = pytest.importorskip("grpc")
_NO_CALLS = ("create_schema", "prepare_index_params")
_NAMES = count()
GOAWAY = "GOAWAY received; Error code: 11; Debug Text: too_many_pings"
TRY = """
import sys
from interlingua.index import MilvusCollection
MilvusCollection({"uri": sys.argv[1], "server_pem_path": sys.argv[2], "collection": "nothing", "timeout": 3.0})
"""


class Refused(grpc.RpcError):
    def __init__(self, code, text):
        self._code, self._text = code, text

    def code(self):
        return grpc.StatusCode[self._code]

    def details(self):
        return self._text


def close():
    text = "Fail connecting to server on 127.0.0.1:1, illegal connection params or server unavailable"
    raise pymilvus.exceptions.MilvusException(2, text) from Refused("UNAVAILABLE", GOAWAY)


class Broken:
    """A client whose connection is closed once under each kind of call, before the request is there or after."""

    def __init__(self, client, before):
        self._client, self._before, self.closed = client, before, []

    def __getattr__(self, name):
        method = getattr(self._client, name)
        if name in _NO_CALLS:
            return method

        def call(*arguments, **named):
            if name in self.closed:
                return method(*arguments, **named)
            self.closed.append(name)
            if not self._before:
                method(*arguments, **named)
            close()

        return call


@pytest.fixture(params=[True, False], ids=["request-lost", "answer-lost"])
def broken(request, monkeypatch, milvus_file):
    """The configuration of a new collection, and the clients that were made for it."""
    made, client = [], pymilvus.MilvusClient

    def open_client(*arguments, **named):
        made.append(Broken(client(*arguments, **named), request.param))
        return made[-1]

    monkeypatch.setattr(pymilvus, "MilvusClient", open_client)
    return {"uri": milvus_file, "collection": f"broken{next(_NAMES)}"}, made


@pytest.mark.slow
def test_a_collection_does_all_once_over_a_connection_that_breaks(broken):
    config, made = broken
    kept = MilvusCollection(config, 2, "ip")
    kept.add(["a", "b", "c"], [[1.0, 0.0], [0.0, 1.0], [2.0, 0.0]], [{"n": 1}, {"n": 2}, {"n": 3}])
    kept.upsert(["b"], [[3.0, 0.0]], [{"n": 4}])
    kept.remove(["c"])
    kept.flush()
    assert kept.ids == ("a", "b")
    assert kept.search([[1.0, 0.0]], 5, where=Eq("n", 4)).ids == (("b",),)
    assert kept.get(["a"]) == [{"n": 1}]
    kept.drop()
    called = {"has_collection", "create_collection", "create_index", "load_collection", "upsert", "query", "search",
              "delete", "flush", "drop_collection"}  # fmt: skip
    assert called <= set(made[0].closed)
    assert not made[0].has_collection(config["collection"])


@pytest.mark.slow
def test_an_index_does_all_once_over_a_connection_that_breaks(broken):
    index = MilvusIndex(2, "ip", MilvusConfig(**broken[0]))
    index.add([3, 5], [[1.0, 0.0], [0.0, 1.0]])
    index.remove([3])
    assert len(index) == 1
    assert index.search([[1.0, 1.0]], 2).ids.tolist() == [[5, -1]]
    np.testing.assert_array_equal(index.reconstruct([5]), [[0.0, 1.0]])


def test_a_closed_connection_is_opened_again(monkeypatch):
    opened = []

    def open_client(uri, **named):
        opened.append((uri, named.get("grpc_options", {})))
        if len(opened) == 1:
            close()
        return "client"

    monkeypatch.setattr(pymilvus, "MilvusClient", open_client)
    assert connect(MilvusConfig("a.db", "words")) == "client"
    assert len(opened) == 2
    # gRPC servers take a ping in 300 s where nothing is under way, and close the connection at the third before
    assert all(options["grpc.keepalive_time_ms"] >= 300_000 for _, options in opened)
    assert all(not options["grpc.keepalive_permit_without_calls"] for _, options in opened)


def test_a_connection_that_stays_closed_is_an_error(monkeypatch):
    monkeypatch.setattr(pymilvus, "MilvusClient", lambda *_, **__: close())
    with pytest.raises(MilvusError, match="too_many_pings; if it is restarting, try again") as caught:
        connect(MilvusConfig("http://127.0.0.1:9", "words", timeout=0.2))
    assert caught.value.transient


@pytest.mark.parametrize(
    ("code", "text", "token", "message", "transient"),
    [
        ("UNAUTHENTICATED", "auth check failure", "root:x", "auth check failure.*MILVUS_TOKEN holds another", False),
        ("UNAUTHENTICATED", "missing authorization", "", "missing authorization.*MILVUS_TOKEN is not set", False),
        ("PERMISSION_DENIED", "no privilege", "root:x", "no privilege.*MILVUS_TOKEN", False),
        ("UNAVAILABLE", "Tls handshake failed", "", "server_pem_path", False),
        ("UNAVAILABLE", "Socket closed", "", "write https://", True),
        ("UNAVAILABLE", "Connection refused", "", "try again when it is up", True),
    ],
)
def test_the_error_says_what_to_do(code, text, token, message, transient, monkeypatch):
    monkeypatch.setenv("MILVUS_TOKEN", token)
    with pytest.raises(MilvusError, match=message) as caught, speaking(MilvusConfig("http://127.0.0.1:9", "words")):
        raise pymilvus.exceptions.MilvusException(message="Fail connecting: server unavailable") from Refused(
            code, text
        )
    assert caught.value.transient == transient
    assert "root:x" not in str(caught.value)


@pytest.fixture
def secured():
    uri, pem = os.environ.get("INTERLINGUA_MILVUS_URI", ""), os.environ.get("INTERLINGUA_MILVUS_PEM", "")
    if not (uri and pem):
        pytest.skip("INTERLINGUA_MILVUS_PEM names no certificate of a Milvus server; see docs/milvus.md")
    return uri, pem


# pymilvus keeps one connection for each address and token, so that only another process makes another one
def error_of_another_process(uri, pem, token):
    environment = {**os.environ, "MILVUS_TOKEN": token}
    command = [sys.executable, "-c", TRY, uri, pem]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    return done.stderr.splitlines()[-1]


@pytest.mark.slow
def test_a_server_with_tls_and_tokens_serves_who_has_both(secured, fresh_milvus):
    kept = MilvusCollection(fresh_milvus("milvus-server"), 3)
    kept.add(["a", "b"], np.eye(3)[:2], [{"language": "sw"}, {"language": "zh"}])
    assert kept.search(np.eye(3)[1:2], 1, languages=["zh"]).ids == (("b",),)
    right = os.environ["MILVUS_TOKEN"]
    assert "give a dimension" in error_of_another_process(*secured, right)  # it is in, and the collection is not there


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scheme", "trusted", "token", "message"),
    [
        ("https", True, "root:wrong", "MILVUS_TOKEN holds another one"),
        ("https", True, "", "MILVUS_TOKEN is not set"),
        ("https", False, None, "server_pem_path"),
        ("http", False, None, "write https://"),
    ],
)
def test_a_server_with_tls_and_tokens_refuses_others(secured, scheme, trusted, token, message):
    uri, pem = secured
    token = os.environ["MILVUS_TOKEN"] if token is None else token
    said = error_of_another_process(uri.replace("https", scheme), pem if trusted else "", token)
    assert "MilvusError" in said
    assert message in said


@pytest.mark.parametrize(
    "uri",
    [
        "http://root:SECRET@host:19530",
        "https://SECRET@host",
        "HTTP://root:SECRET%40@host:19530/db",
        "http://root:SEC/RET?@host:19530",
        "root:SECRET@host:19530",
        "http://root:SECRET@host/words.db",
        "https://host:19530?token=SECRET",
        "https://host:19530/db?password=SECRET&x=1",
        "https://host/#SECRET",
    ],
)
def test_an_address_holds_no_secrets_and_the_refusal_tells_none(uri):
    with pytest.raises(ValueError, match="environment variable MILVUS_TOKEN") as caught:
        MilvusConfig(uri, "words")
    assert "SEC" not in str(caught.value)


@pytest.mark.parametrize("uri", ["words.db", "me@home/#1?/words.db", "http://host:19530", "https://host/database"])
def test_other_addresses_are_taken_as_they_are(uri):
    assert MilvusConfig(uri, "words").uri == uri
    assert without_secrets(uri) == uri


@pytest.mark.parametrize(
    ("saved", "uri"),
    [
        ("http://root:SECRET@host:19530/db", "http://host:19530/db"),
        ("https://a:SECRET@b@host", "https://host"),
        ("https://host:1?token=SECRET@x", "https://host:1"),
        ("http://root:SECRET@host/words.db", "http://host/words.db"),
    ],
)
def test_what_an_earlier_release_saved_is_read_without_its_secrets(saved, uri, tmp_path):
    fields = {"uri": saved, "collection": "words"}
    config = MilvusConfig.from_json(fields)
    assert config.uri == uri
    assert "SECRET" not in f"{config!r} {config.to_json()}"
    spec, _ = spec_from_json({"kind": "milvus", "dimension": 2, "metric": "ip", "config": fields, "count": 0})
    assert spec.config["uri"] == uri


OPEN = """
import sys
from interlingua.index import MilvusCollection
for uri in sys.argv[1:]:
    try:
        MilvusCollection({"uri": uri, "collection": "words", "timeout": 3.0}, 2)
    except Exception as error:
        print(type(error).__name__, error)
"""


@pytest.mark.slow
def test_why_milvus_lite_does_not_open_is_said_in_one_line(tmp_path, another_process):
    pytest.importorskip("milvus_lite")
    held = tmp_path / "held.db"
    MilvusCollection({"uri": str(held), "collection": "words"}, 2)
    (tmp_path / "old.db").write_bytes(b"SQLite format 3" + bytes(100))
    said = another_process(OPEN, held, tmp_path / "old.db", tmp_path / "no" / "words.db")
    held_by_us, before_version_3, nowhere = said.splitlines()
    assert "another process has it open" in held_by_us
    assert "as Milvus Lite wrote it before version 3" in before_version_3
    assert "no not exists" in nowhere


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["HSNW", "hnsw", "DISKANN", "IVF_PQ", "SCANN"])
def test_an_index_that_milvus_lite_does_not_have_is_refused_and_nothing_is_made(milvus_file, kind):
    config = {"uri": milvus_file, "collection": f"none{next(_NAMES)}"}
    for make in (MilvusCollection, lambda each, d: MilvusIndex(d, "ip", MilvusConfig(**each))):
        with pytest.raises(ValueError, match=f"Milvus Lite has no index_type '{kind}'; choose one of FLAT, .*HNSW_SQ"):
            make({**config, "index_type": kind}, 2)
    with pytest.raises(ValueError, match="give a dimension"):
        MilvusCollection(config)
