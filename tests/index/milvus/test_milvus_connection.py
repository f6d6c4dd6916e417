"""A connection that breaks: what was asked is done, once, and the answer is that of an unbroken one."""

from itertools import count

import numpy as np
import pytest

from interlingua.index import Eq
from interlingua.index.milvus.client import MilvusConfig, MilvusError, connect
from interlingua.index.milvus.collection import MilvusCollection
from interlingua.index.milvus.engine import MilvusIndex

pymilvus = pytest.importorskip("pymilvus")
grpc = pytest.importorskip("grpc")
_NO_CALLS = ("create_schema", "prepare_index_params")
_NAMES = count()


class Closed(grpc.RpcError):
    def code(self):
        return grpc.StatusCode.UNAVAILABLE

    def details(self):
        return "GOAWAY received; Error code: 11; Debug Text: too_many_pings"


def close():
    text = "Fail connecting to server on 127.0.0.1:1, illegal connection params or server unavailable"
    raise pymilvus.exceptions.MilvusException(2, text) from Closed()


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
