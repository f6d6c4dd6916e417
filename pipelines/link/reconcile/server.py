"""The Reconciliation API over HTTP."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, get_args
from urllib.parse import parse_qs

from interlingua.align.arrays import require
from interlingua.pipelines.serve.listening import MAX_BYTES, PATIENCE, BodyRefusedError, listen, read_body

from .preview import accepted_languages
from .queries import ReconciliationError, parse_json, whole_number
from .service import ApiVersion, Reconciler

_WAITING = 256  # batches that wait for the linking thread
_CALLBACK = re.compile(r"[A-Za-z_$][\w$]{0,99}(\.[A-Za-z_$][\w$]{0,99}){0,5}", re.ASCII)
_FORM = "application/x-www-form-urlencoded"
_PAGE_HEADERS = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}
_logger = logging.getLogger(__name__)

Handler = Callable[[Any], Awaitable[Any]]


def create_app(
    reconciler: Reconciler,
    *,
    api: ApiVersion = "0.2",
    url: str | None = None,
    max_bytes: int = MAX_BYTES,
    patience: float = PATIENCE,
    origins: Sequence[str] = ("*",),
) -> Any:
    """Return a FastAPI application that serves one version of the API.

    Parameters
    ----------
    reconciler : Reconciler
        Gives the answers; one thread links, so no index need be safe for several.
    api : {"0.2", "1.0-draft"}
        The version.
    url : str, optional
        Where clients reach the service, if behind a proxy; default: the address of each request.
    max_bytes : int
        A request with a longer body is refused with status 413.
    patience : float
        Seconds after which a body that is not there whole is refused with status 408.
    origins : sequence of str
        Whose pages may ask; by default all, as clients in browsers want it.

    Returns
    -------
    FastAPI
        With ``state.close``, for who mounts it in another application.

    Raises
    ------
    ValueError
        For another version.
    MissingExtraError
        If FastAPI is not installed.
    """
    if api not in get_args(ApiVersion):
        raise ValueError(f"the versions of the API are {', '.join(get_args(ApiVersion))}, but {api!r} was asked for")
    fastapi = require("fastapi", extra="serve")
    cors = require("fastapi.middleware.cors", extra="serve")
    service = _Service(reconciler, api, url, max_bytes, patience)

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        yield
        service.close()

    app = fastapi.FastAPI(title=reconciler.name, docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    draft = api == "1.0-draft"
    routes: list[tuple[str, str, Handler]] = [
        ("/", "GET", service.manifest if draft else service.endpoint),
        *([("/match", "POST", service.match), ("/extend", "POST", service.extend)] if draft else []),
        *([] if draft else [("/", "POST", service.endpoint), ("/flyout/{kind}", "GET", service.flyout)]),
        ("/extend/propose" if draft else "/properties", "GET", service.properties),
        ("/suggest/{kind}", "GET", service.suggest),
        ("/preview", "GET", service.preview),
    ]
    for path, method, handler in routes:
        app.add_route(path, service.guarded(handler), methods=[method])
    app.add_exception_handler(404, service.nothing_there)
    app.add_exception_handler(405, service.nothing_there)
    app.state.close = service.close
    if origins:
        allowed = {"allow_origins": list(origins), "allow_methods": ["GET", "POST"], "allow_headers": ["*"]}
        app.add_middleware(cors.CORSMiddleware, **allowed)
        app.add_middleware(_PrivateNetwork)
    return app


class _PrivateNetwork:
    """Lets pages of public addresses ask a service of the local network, as browsers want it said.

    References
    ----------
    Web Incubator Community Group, "Private Network Access": Access-Control-Request-Private-Network.
    """

    _ASKED, _ALLOWED = b"access-control-request-private-network", (b"access-control-allow-private-network", b"true")

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = list(scope.get("headers", ()))
        kept = [each for each in headers if each[0].lower() != self._ASKED]
        if len(kept) == len(headers):
            await self._app(scope, receive, send)
            return

        async def answer(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), self._ALLOWED]}
            await send(message)

        # subtle: Starlette refuses a preflight that asks for what it was not made to allow, which older ones cannot be
        await self._app({**scope, "headers": kept}, receive, answer)


def serve(
    reconciler: Reconciler,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    api: ApiVersion = "0.2",
    url: str | None = None,
    ready: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve until interrupted.

    Parameters
    ----------
    reconciler : Reconciler
        As of `create_app`.
    host : str
        Where to listen; 127.0.0.1 is this machine only.
    port : int, from 0 to 65535
        Where to listen; 0 is any free one.
    api : {"0.2", "1.0-draft"}
        Version of the API.
    url : str, optional
        Where clients reach the service, if behind a proxy.
    ready : callable
        Given the address as soon as it listens.

    Raises
    ------
    OSError
        If the port is taken or the host is none of this machine's.
    MissingExtraError
        If FastAPI or uvicorn is not installed.
    """
    listen(create_app(reconciler, api=api, url=url), host, port, ready=ready, url=url)


class _Service:
    """One method for each route: a request in, a response out."""

    def __init__(self, reconciler: Reconciler, api: str, url: str | None, max_bytes: int, patience: float) -> None:
        responses = require("fastapi.responses", extra="serve")
        self._response = responses.Response
        self._reconciler = reconciler
        self._api = api
        self._url = url
        self._max_bytes = max_bytes
        self._patience = patience
        self._gone = require("starlette.requests", extra="serve").ClientDisconnect
        self._waiting = 0
        self._linking = ThreadPoolExecutor(1, thread_name_prefix="linking")

    def close(self) -> None:
        self._linking.shutdown(wait=False, cancel_futures=True)

    def guarded(self, handler: Handler) -> Handler:
        """Return a handler that answers errors in JSON, with the status that they name."""

        async def answer(request: Any) -> Any:
            try:
                return await handler(request)
            except (ReconciliationError, BodyRefusedError) as error:
                return self._error(str(error), error.status)
            except self._gone:
                return self._error("the client went away", 400)  # which nobody reads
            except asyncio.CancelledError:  # subtle: uvicorn does so when it ends, and would log it as a failure
                return self._error("the service ends; ask again later", 503)
            except Exception:
                _logger.exception("a request failed: %s %s", request.method, request.url.path)
                return self._error("the service failed; its log says where", 500)

        return answer

    async def nothing_there(self, request: Any, error: Any) -> Any:
        return self._error(f"{request.method} {request.url.path}: {error.detail}"[:200], error.status_code)

    async def manifest(self, request: Any) -> Any:
        return self._json(request, self._reconciler.manifest(self._url or str(request.base_url), self._api))

    async def endpoint(self, request: Any) -> Any:
        """Answer at the address of the service in version 0.2: the manifest, queries, or a data extension."""
        sent = await self._form(request) if request.method == "POST" else request.query_params
        if "queries" in sent:
            batch = parse_json(sent["queries"], "'queries'")
            return self._json(request, await self._link(self._reconciler.reconcile, batch, _languages(request)))
        if "extend" in sent:
            query = parse_json(sent["extend"], "'extend'")
            return self._json(request, self._reconciler.extend(query, self._api, _languages(request)))
        if request.method == "POST":
            raise ReconciliationError("a POST needs a form field 'queries' or 'extend'")
        return await self.manifest(request)

    async def match(self, request: Any) -> Any:
        batch = parse_json(await self._body(request), "the body")
        return self._json(request, await self._link(self._reconciler.match, batch, _languages(request)))

    async def extend(self, request: Any) -> Any:
        query = parse_json(await self._body(request), "the body")
        return self._json(request, self._reconciler.extend(query, self._api, _languages(request)))

    async def properties(self, request: Any) -> Any:
        sent = request.query_params
        limit = whole_number(sent["limit"], "'limit'", least=1) if sent.get("limit") else None
        return self._json(request, self._reconciler.propose_properties(sent.get("type"), limit))

    async def suggest(self, request: Any) -> Any:
        sent = request.query_params
        if "prefix" not in sent:
            raise ReconciliationError("a suggestion needs the parameter 'prefix'")
        limit = whole_number(sent["limit"], "'limit'", least=1) if sent.get("limit") else None
        offset = whole_number(sent.get("offset") or sent.get("cursor") or 0, "the number to skip")
        found = self._reconciler.suggest(
            request.path_params["kind"],
            sent["prefix"][:1000],
            limit=limit,
            offset=offset,
            languages=_languages(request),
        )
        return self._json(request, found)

    async def flyout(self, request: Any) -> Any:
        kind, one = request.path_params["kind"], _asked_id(request)
        return self._json(request, self._reconciler.flyout(kind, one, _languages(request)))

    async def preview(self, request: Any) -> Any:
        page = self._reconciler.preview(_asked_id(request), _languages(request))
        return self._response(page, media_type="text/html", headers=_PAGE_HEADERS)

    async def _link(self, answer: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
        if self._waiting >= _WAITING:
            raise ReconciliationError(f"{self._waiting} batches are waiting already; ask again later", 503)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._linking, answer, *arguments)
        finally:
            self._waiting -= 1

    async def _form(self, request: Any) -> dict[str, str]:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != _FORM:
            raise ReconciliationError(
                f"a POST to this address must be {_FORM}, but is {kind or 'of no type'}"[:200], 415
            )
        body = await self._body(request)
        try:
            fields = parse_qs(body.decode("utf-8"), errors="strict", max_num_fields=100)
        except ValueError as error:  # UnicodeDecodeError is one
            raise ReconciliationError(f"the form cannot be read: {error}"[:200]) from error
        return {name: values[-1] for name, values in fields.items()}

    async def _body(self, request: Any) -> bytes:
        return await read_body(request.stream(), most=self._max_bytes, patience=self._patience)

    def _json(self, request: Any, value: Any) -> Any:
        text = json.dumps(value)  # ASCII only: safe in JSONP too
        callback = request.query_params.get("callback") if self._api == "0.2" and request.method == "GET" else None
        if callback is None:
            return self._response(text, media_type="application/json")
        if not _CALLBACK.fullmatch(callback):
            raise ReconciliationError("'callback' must be the name of a function in JavaScript")
        headers = {"x-content-type-options": "nosniff"}
        return self._response(f"/**/{callback}({text});", media_type="application/javascript", headers=headers)

    def _error(self, message: str, status: int) -> Any:
        text = json.dumps({"status": "error", "message": message})
        return self._response(text, status_code=status, media_type="application/json")


def _asked_id(request: Any) -> str:
    if not request.query_params.get("id"):
        raise ReconciliationError("this needs the parameter 'id'")
    return str(request.query_params["id"])


def _languages(request: Any) -> list[str]:
    return accepted_languages(request.headers.get("accept-language", ""))
