"""TLS and tokens: by the errors that gRPC raises, and on a server that was started with ``--secure``."""

import os
import subprocess
import sys

import numpy as np
import pytest

from interlingua.index.milvus.client import MilvusConfig, MilvusError, speaking

pytest.importorskip("pymilvus")
TRY = """
import sys
from interlingua.index import MilvusCollection
MilvusCollection({"uri": sys.argv[1], "server_pem_path": sys.argv[2], "collection": "nothing", "timeout": 3.0})
"""


class Refused(pytest.importorskip("grpc").RpcError):
    def __init__(self, code, text):
        self._code, self._text = code, text

    def code(self):
        import grpc

        return grpc.StatusCode[self._code]

    def details(self):
        return self._text


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
    exceptions = pytest.importorskip("pymilvus.exceptions")
    with pytest.raises(MilvusError, match=message) as caught, speaking(MilvusConfig("http://127.0.0.1:9", "words")):
        raise exceptions.MilvusException(message="Fail connecting: server unavailable") from Refused(code, text)
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
    from interlingua.index import MilvusCollection

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
