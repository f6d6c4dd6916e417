"""The reconciliation service over HTTP."""

import asyncio
import json
import threading
from types import SimpleNamespace

import pytest

pytest.importorskip("fastapi")

from starlette.testclient import TestClient

from interlingua.pipelines.link.reconcile import server
from interlingua.pipelines.link.reconcile.server import create_app
from interlingua.pipelines.link.reconcile.service import Reconciler
from interlingua.pipelines.serve import listening

from .reconciliation_fixtures import SmallIndex, validator

QUERIES = json.dumps({"q0": {"query": "Deutschland"}, "q1": {"query": "Georgia", "limit": 1}})
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
def client():
    with TestClient(create_app(Reconciler(SmallIndex(), batch=10), max_bytes=10_000)) as client:
        yield client


@pytest.fixture
def draft():
    with TestClient(create_app(Reconciler(SmallIndex()), api="1.0-draft")) as client:
        yield client


def test_without_parameters_the_manifest_is_served(client):
    manifest = client.get("/").json()
    validator("0.2", "manifest.json")(manifest)
    assert manifest["preview"]["url"].startswith("http://testserver/preview?id=")


def test_every_address_of_the_manifest_answers(client):
    manifest = client.get("/").json()
    schemas = {"entity": "suggest-entities", "property": "suggest-properties", "type": "suggest-types"}
    for kind, one in {"entity": "DE", "property": "capital", "type": "country"}.items():
        suggest = manifest["suggest"][kind]
        answer = client.get(suggest["service_url"] + suggest["service_path"], params={"prefix": one})
        validator("0.2", f"{schemas[kind]}-response.json")(answer.json())
        flyout = client.get(suggest["flyout_service_url"] + suggest["flyout_service_path"].replace("${id}", one))
        assert flyout.json()["id"] == one
    propose = manifest["extend"]["propose_properties"]
    answer = client.get(propose["service_url"] + propose["service_path"], params={"type": "country", "limit": 3})
    validator("0.2", "data-extension-property-proposal.json")(answer.json())
    for template in (manifest["preview"]["url"], manifest["view"]["url"]):
        page = client.get(template.replace("{{id}}", "DE"), headers={"accept-language": "de-DE,de"})
        assert '<h1 dir="ltr">Deutschland</h1>' in page.text
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in page.headers["content-security-policy"]


@pytest.mark.parametrize("way", ["get", "post"])
def test_queries_and_extensions_come_by_get_and_by_post(client, way):
    def ask(**fields):
        answer = client.get("/", params=fields) if way == "get" else client.post("/", data=fields)
        assert answer.status_code == 200
        return answer.json()

    answer = ask(queries=QUERIES)
    validator("0.2", "reconciliation-result-batch.json")(answer)
    assert [each["match"] for each in answer["q0"]["result"][:2]] == [True, False]
    assert len(answer["q1"]["result"]) == 1
    answer = ask(extend=json.dumps({"ids": ["FR"], "properties": [{"id": "capital"}]}))
    validator("0.2", "data-extension-response.json")(answer)
    assert answer["rows"] == {"FR": {"capital": [{"str": "Paris"}]}}


def test_a_form_may_hold_bare_utf8(client):
    body = 'queries={"q":{"query":"ألمانيا"}}'.encode()
    assert client.post("/", content=body, headers=FORM).json()["q"]["result"][0]["id"] == "DE"


def test_every_origin_may_ask(client, draft):
    for one, path in ((client, "/"), (client, "/preview?id=DE"), (client, "/preview?id=gone"), (client, "/nowhere"),
                      (draft, "/"), (draft, "/suggest/type?prefix=")):  # fmt: skip
        answer = one.get(path, headers={"origin": "https://example.org"})
        assert answer.headers["access-control-allow-origin"] == "*"
    asked = {"origin": "https://example.org", "access-control-request-method": "POST",
             "access-control-request-headers": "content-type"}  # fmt: skip
    for one, path in ((client, "/"), (draft, "/match"), (draft, "/extend")):
        answer = one.options(path, headers=asked)
        assert answer.status_code == 200
        assert "POST" in answer.headers["access-control-allow-methods"]
        assert "content-type" in answer.headers["access-control-allow-headers"].lower()


def test_a_page_of_a_public_address_may_ask_a_service_of_the_private_network(client, draft):
    asked = {"origin": "https://example.org", "access-control-request-method": "POST",
             "access-control-request-private-network": "true"}  # fmt: skip
    for one, path in ((client, "/"), (draft, "/match")):
        answer = one.options(path, headers=asked)
        assert (answer.status_code, answer.headers["access-control-allow-private-network"]) == (200, "true")
    del asked["access-control-request-private-network"]
    assert "access-control-allow-private-network" not in client.options("/", headers=asked).headers


def _asgi(app, messages, received):
    """Ask an application as a server does; after the messages the client sends no more."""
    asyncio.run(_asked(app, messages, received))


async def _asked(app, messages, received):
    scope = {"type": "http", "http_version": "1.1", "method": "POST", "path": "/", "raw_path": b"/", "scheme": "http",
             "query_string": b"", "headers": [(b"content-type", FORM["content-type"].encode())],
             "server": ("testserver", 80), "client": ("testclient", 1), "root_path": ""}  # fmt: skip
    waiting = iter(messages)

    async def receive():
        message = next(waiting, None)
        if message is None:
            await asyncio.Event().wait()  # a client that sends no more
        return message

    async def send(message):
        received.append(message)

    await app(scope, receive, send)


def test_a_client_that_goes_away_leaves_no_trace_in_the_log(caplog):
    part = {"type": "http.request", "body": b"queries=", "more_body": True}
    _asgi(create_app(Reconciler(SmallIndex())), [part, {"type": "http.disconnect"}], received := [])
    assert caplog.text == ""
    assert received[0]["status"] == 400


def test_a_request_that_the_end_of_the_service_cuts_off_is_told_and_is_no_failure(caplog):
    app, received = create_app(Reconciler(SmallIndex())), []
    part = {"type": "http.request", "body": b"queries=", "more_body": True}

    async def ended():
        waits = asyncio.Event()

        def messages():
            yield part
            waits.set()

        task = asyncio.ensure_future(_asked(app, messages(), received))
        await waits.wait()
        task.cancel()
        await task

    asyncio.run(ended())
    assert (received[0]["status"], caplog.text) == (503, "")
    assert b"the service ends" in received[1]["body"]


def test_a_body_that_does_not_come_is_waited_for_no_longer_than_patience():
    part = {"type": "http.request", "body": b"queries=", "more_body": True}
    _asgi(create_app(Reconciler(SmallIndex()), patience=0.01), [part], received := [])
    assert received[0]["status"] == 408
    assert b"was not there after 0.01 seconds" in received[1]["body"]


class _Clock:
    """What `asyncio` calls later, called when the test says so."""

    def __init__(self):
        self.calls = []

    def call_later(self, seconds, call):
        self.calls.append(self)
        self.seconds, self.call, self.cancelled = seconds, call, False
        return self

    def cancel(self):
        self.cancelled = True


class _Protocol:
    """uvicorn's protocol as far as it is looked at: a request is under way from its head to its answer."""

    cycle = None

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        if data.endswith(b"\r\n\r\n"):
            self.cycle = SimpleNamespace(response_complete=False)

    def connection_lost(self, error):
        pass


def test_connections_without_a_whole_request_are_closed_and_others_are_not(monkeypatch):
    clock, closed = _Clock(), []
    monkeypatch.setattr(server.asyncio, "get_running_loop", lambda: clock)
    transport = SimpleNamespace(close=lambda: closed.append(True))
    idle, busy = (listening.impatient(_Protocol, 7.0)() for _ in range(2))
    idle.connection_made(transport)
    idle.data_received(b"GET / HT")  # half a head gives no further time
    assert (clock.seconds, len(clock.calls)) == (7.0, 1)
    clock.call()
    assert closed == [True]
    busy.connection_made(transport)
    busy.data_received(b"GET / HTTP/1.1\r\n\r\n")
    assert clock.cancelled
    busy.cycle.response_complete = True
    busy.data_received(b"GET / HT")  # the next request of the connection, by half
    clock.call()
    assert closed == [True, True]


def test_jsonp_wraps_the_answer_of_a_get_only(client, draft):
    answer = client.get("/", params={"queries": QUERIES, "callback": "a.b$1"})
    assert answer.headers["content-type"].startswith("application/javascript")
    assert answer.text.startswith("/**/a.b$1(")
    assert json.loads(answer.text[len("/**/a.b$1(") : -2])["q0"]["result"][0]["id"] == "DE"
    for wrong in ("alert(1)//", "a b", "", "1a", "a" * 500, "ä"):
        assert client.get("/", params={"callback": wrong}).status_code == 400
    assert client.post("/?callback=a", data={"queries": QUERIES}).json()["q0"]
    assert draft.get("/?callback=a").json()["versions"] == ["1.0-draft"]


@pytest.mark.parametrize(
    ("form", "status", "said"),
    [
        ({"queries": "{"}, 400, "must be JSON"),
        ({"queries": "[" * 3000}, 400, "nested too deeply"),
        ({"queries": "[]"}, 400, "must be an object"),
        ({"queries": '{"q": {"query": []}}'}, 400, "'query' of query 'q' must be a text"),
        ({"queries": json.dumps({str(n): {"query": "a"} for n in range(11)})}, 413, "at most 10 queries"),
        ({"queries": "x" * 10_001}, 413, "at most 10000 bytes"),
        ({"extend": '{"ids": ["DE"]}'}, 400, "'properties'"),
        ({"extend": '{"ids": ["DE"], "properties": [{"id": "no such"}]}'}, 400, "there are: capital"),
        ({"other": "1"}, 400, "'queries' or 'extend'"),
    ],
)
def test_a_wrong_form_is_refused_in_clear_words(client, form, status, said):
    answer = client.post("/", data=form, headers={"origin": "https://example.org"})
    assert answer.status_code == status
    assert answer.json()["status"] == "error"
    assert said in answer.json()["message"]
    assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/preview", 400), ("GET", "/preview?id=gone", 404), ("GET", "/flyout/entity", 400),
        ("GET", "/flyout/planet?id=DE", 404), ("GET", "/suggest/entity", 400), ("GET", "/suggest/planet?prefix=a", 404),
        ("GET", "/suggest/entity?prefix=a&cursor=-1", 400), ("GET", "/suggest/entity?prefix=a&limit=x", 400),
        ("GET", "/properties?limit=0", 400), ("GET", "/nowhere", 404), ("POST", "/match", 404), ("PUT", "/", 405),
        ("GET", "/?queries=%FF%FE", 400), ("POST", "/preview?id=DE", 405),
    ],
)  # fmt: skip
def test_a_wrong_address_is_refused_in_json(client, method, path, status):
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.json()["message"]


def test_only_forms_are_taken(client):
    assert client.post("/", json={"queries": {}}).status_code == 415
    assert client.post("/", files={"queries": b"{}"}).status_code == 415
    assert client.post("/", content=b"queries=%FF%FE", headers=FORM).status_code == 400
    assert client.post("/", content=b"\xff\xfe", headers=FORM).status_code == 400
    assert client.post("/", content=b"&".join(b"a=1" for _ in range(500)), headers=FORM).status_code == 400


def test_the_draft_is_served_at_its_own_addresses(draft):
    validator("1.0-draft", "manifest.json")(draft.get("/").json())
    answer = draft.post(
        "/match", json={"queries": [{"conditions": [{"matchType": "name", "propertyValue": "France"}]}]}
    )
    validator("1.0-draft", "reconciliation-result-batch.json")(answer.json())
    assert answer.json()["results"][0]["candidates"][0]["id"] == "FR"
    answer = draft.post("/extend", json={"ids": ["FR"], "properties": [{"id": "capital"}]})
    validator("1.0-draft", "data-extension-response.json")(answer.json())
    validator("1.0-draft", "data-extension-property-proposal.json")(draft.get("/extend/propose?type=state").json())
    assert draft.get("/suggest/entity", params={"prefix": "geo", "limit": 1, "offset": 1}).json()["result"]
    assert draft.post("/match", content=b"\xff").status_code == 400
    assert draft.post("/match", content=b"{").json()["status"] == "error"
    assert draft.post("/").status_code == 405
    assert draft.get("/properties").status_code == 404


def test_a_failure_inside_is_answered_and_does_not_end_the_service(caplog):
    class Broken(SmallIndex):
        def link(self, *_, **__):
            raise RuntimeError("inside")

    with TestClient(create_app(Reconciler(Broken()))) as client:
        answer = client.post("/", data={"queries": QUERIES})
        assert answer.status_code == 500
        assert "inside" not in answer.text
        assert client.get("/").status_code == 200
    assert "a request failed" in caplog.text


def test_links_of_many_clients_run_one_at_a_time():
    class Guarded(SmallIndex):
        running, most = 0, 0

        def link(self, *arguments, **named):
            self.running += 1
            self.most = max(self.most, self.running)
            try:
                return super().link(*arguments, **named)
            finally:
                self.running -= 1

    index = Guarded()
    with TestClient(create_app(Reconciler(index))) as client:
        answers = []

        def ask():
            answers.append(client.post("/", data={"queries": QUERIES}).status_code)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    assert answers == [200] * 8
    assert index.most == 1


def test_behind_a_proxy_the_manifest_names_its_address():
    with TestClient(create_app(Reconciler(SmallIndex()), url="https://example.org/rec")) as client:
        assert client.get("/").json()["suggest"]["entity"]["service_url"] == "https://example.org/rec"
    with pytest.raises(ValueError, match="versions"):
        create_app(Reconciler(SmallIndex()), api="3")
