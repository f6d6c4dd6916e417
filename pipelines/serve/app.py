"""The service as one application: its routes, its errors, its page."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import anyio.to_thread
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse
from starlette.exceptions import HTTPException

from interlingua.align.arrays import MissingExtraError
from interlingua.index import CorruptCollectionError, LockedError, UnsupportedOperation
from interlingua.pipelines.encoders.base import Encoder

from .asking import known_relevance
from .catalogue import Catalogue, Encoders
from .collections import Collections
from .compatible import Compatible
from .gate import Gate, Keys, Limits, logger
from .jobs import Jobs
from .joined import ClosedError
from .listening import BodyRefusedError
from .metrics import Metrics
from .pictures import Pictures
from .problems import MEDIA_TYPE, SCHEMA, Refused, problem, said_by, said_of_fields, status_of
from .questions import Questions

PAGE = Path(__file__).parent / "page"
_THREADS = 64  # requests that compute at the same time
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_EXPECTED = (
    Refused,
    ValueError,
    LookupError,
    LockedError,
    ClosedError,
    MissingExtraError,
    UnsupportedOperation,
    BodyRefusedError,
)


def create_app(
    folders: Mapping[str, str | Path],
    *,
    data: str | Path | None = None,
    encoder: Encoder | str | Path | None = None,
    limits: Limits | None = None,
    keys: Keys | None = None,
    origins: Sequence[str] = (),
    local: bool = False,
    mcp: bool = False,
) -> Any:
    """Return the ASGI application that serves some folders.

    Parameters
    ----------
    folders : mapping of str to str or Path
        By name: searches, memories, answers, classifiers, indexes of entities.
    data : str or Path, optional
        Where collections are made that clients upload; by default none are.
    encoder : Encoder, str or Path, optional
        What new collections are made with; by default the bundled one.
    limits : Limits, optional
    keys : Keys, optional
        Without any, everybody may ask.
    origins : sequence of str
        Whose pages may ask, beside the service's own.
    local : bool
        Answer only as this machine's names of itself.
    mcp : bool
        Serve the tools of `interlingua.pipelines.serve.tools` at /mcp as well.

    Raises
    ------
    ValueError, FileNotFoundError
        If a folder holds nothing that can be served, or is damaged.
    """
    metrics, bounds = Metrics(), limits or Limits()
    encoders = Encoders(encoder, metrics)
    named = {name: Path(folder) for name, folder in folders.items()}
    catalogue = Catalogue(named, None if data is None else Path(data), encoders)
    jobs = Jobs(bounds.jobs)
    service = _Service(catalogue, jobs, metrics)
    lifespans: list[Callable[[], Any]] = []
    app = FastAPI(
        title="interlingua",
        version=metadata.version("interlingua"),
        description="One space for many languages: search, link, classify, answer and translate.",
        docs_url=None,
        redoc_url=None,
        lifespan=lambda _: service.running(lifespans),
    )
    routers = (Questions(catalogue, bounds), Collections(catalogue, jobs, bounds), Pictures(catalogue))
    for each in (*routers, Compatible(catalogue)):
        app.include_router(each.router(_responses()))
    _add_own(app, service)
    _add_reconciliation(app, catalogue, service, origins)
    if mcp:
        from .tools import mount_tools

        lifespans.append(mount_tools(app, catalogue))
    _add_errors(app, service)
    app.openapi = _with_problems(app.openapi)  # type: ignore[method-assign]
    gated: Any = app
    if origins:
        from fastapi.middleware.cors import CORSMiddleware

        gated = CORSMiddleware(app, allow_origins=list(origins), allow_methods=["*"], allow_headers=["*"])
    gate = Gate(gated, limits=bounds, keys=keys or Keys(()), metrics=metrics, origins=origins, local=local)
    return _Outer(gate, app, catalogue)


class _Outer:
    """The gate, and for who looks inside the application and what it serves."""

    def __init__(self, gate: Gate, app: FastAPI, catalogue: Catalogue) -> None:
        self._gate, self.app, self.catalogue = gate, app, catalogue

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._gate(scope, receive, send)


class _Service:
    """What is there beside the pipelines: the page, whether all is well, and the end."""

    def __init__(self, catalogue: Catalogue, jobs: Jobs, metrics: Metrics) -> None:
        self.catalogue, self._jobs, self._metrics = catalogue, jobs, metrics
        self.closing: list[Callable[[], None]] = []
        self._up = False

    @asynccontextmanager
    async def running(self, lifespans: Sequence[Callable[[], Any]]) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
        async with AsyncExitStack() as stack:
            for each in lifespans:
                await stack.enter_async_context(each())
            threading.Thread(target=self._warm, name="warming", daemon=True).start()
            yield
            self._up = False
            await anyio.to_thread.run_sync(self._close)

    def _warm(self) -> None:
        """Load what the first request would wait for."""
        try:
            for each in self.catalogue.encoders.all() or [self.catalogue.encoders.default]:
                each.encode(["a first text"], role="query")
                known_relevance(each)
        except (MissingExtraError, ValueError, OSError, ClosedError) as error:  # said again to who asks
            logger.warning("the encoder is not ready: %s", type(error).__name__)
        self._up = True

    def _close(self) -> None:
        """Finish writes that are under way, and begin nothing more."""
        self._jobs.close()
        self.catalogue.close()
        for each in self.closing:
            each()
        self.catalogue.encoders.close()

    def page(self) -> Response:
        return _file(PAGE / "index.html")

    def part(self, name: str) -> Response:
        path = PAGE / name
        if path.parent != PAGE or path.suffix not in _KINDS or not path.is_file():
            raise Refused(404, "the page has no such part")
        return _file(path)

    def health(self) -> dict[str, str]:
        return {"status": "up"}

    def ready(self) -> dict[str, str]:
        if not self._up:
            raise Refused(503, "the service begins or ends; ask again later")
        return {"status": "ready"}

    def metrics(self) -> Response:
        self._metrics.rows({each.name: len(each.search()) for each in self.catalogue.searches()})
        return Response(self._metrics.text(), media_type=self._metrics.media_type)

    async def refused(self, request: Request, error: Exception) -> Response:
        status = status_of(error)
        names = {str(each.folder): each.name for each in self.catalogue.searches()}
        if status == 500 and not isinstance(error, Refused):
            return await self.failed(request, error)
        return _problem(request, status, said_by(error, names))

    async def failed(self, request: Request, error: Exception) -> Response:
        logger.error("a request failed: %s", request.state.request_id, exc_info=error)
        return _problem(request, 500, "the service failed; its log says where, by the id of the request")


def _add_own(app: FastAPI, service: _Service) -> None:
    add = app.add_api_route
    add("/", service.page, methods=["GET"], include_in_schema=False)
    add("/page/{name}", service.part, methods=["GET"], include_in_schema=False)
    add("/healthz", service.health, methods=["GET"], tags=["service"], summary="Whether the process answers")
    unready: dict[int | str, dict[str, Any]] = {503: _refusal("The service begins or ends.")}
    add(
        "/readyz",
        service.ready,
        methods=["GET"],
        tags=["service"],
        summary="Whether it can be asked",
        responses=unready,
    )
    text: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}
    add("/metrics", service.metrics, methods=["GET"], tags=["service"], response_class=Response, responses=text)


def _add_reconciliation(app: FastAPI, catalogue: Catalogue, service: _Service, origins: Sequence[str]) -> None:
    """Mount the Reconciliation API of each index of entities at /reconcile/NAME/."""
    from interlingua.pipelines.link.reconcile import server
    from interlingua.pipelines.link.reconcile.service import Reconciler

    for name in catalogue.names("entities"):
        reconciler = Reconciler(catalogue.named("entities", name), name=name)
        mounted = server.create_app(reconciler, origins=origins)
        service.closing.append(mounted.state.close)
        app.mount(f"/reconcile/{name}", mounted)


def _add_errors(app: FastAPI, service: _Service) -> None:
    async def unread(request: Request, error: Any) -> Response:
        broken = next((each for each in error.errors() if each["type"] == "json_invalid"), None)
        if broken is not None:
            return _problem(request, 400, f"the body is no JSON: {broken['ctx']['error']}")
        return _problem(request, 422, said_of_fields(error.errors()))

    async def other(request: Request, error: Any) -> Response:
        told = {404: "nothing is at this address", 405: f"this address takes no {request.method}"}
        detail = f"{told.get(error.status_code, error.detail)}; /openapi.json has what there is"
        answer = _problem(request, error.status_code, detail)
        answer.headers.update(error.headers or {})
        return answer

    app.add_exception_handler(RequestValidationError, unread)
    app.add_exception_handler(404, other)
    app.add_exception_handler(405, other)
    app.add_exception_handler(HTTPException, other)
    for kind in _EXPECTED:
        app.add_exception_handler(kind, service.refused)
    app.add_exception_handler(CorruptCollectionError, service.failed)
    app.add_exception_handler(OSError, service.failed)
    app.add_exception_handler(RuntimeError, service.failed)
    app.add_exception_handler(TypeError, service.failed)


def _problem(request: Request, status: int, detail: str) -> Response:
    body, headers = problem(status, detail, getattr(request.state, "request_id", ""))
    return Response(body, status_code=status, headers=headers)


def _file(path: Path) -> FileResponse:
    headers = {"content-security-policy": _POLICY, "cache-control": "no-cache"}
    return FileResponse(path, media_type=_KINDS[path.suffix], headers=headers)


def _refusal(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def _responses() -> dict[int | str, dict[str, Any]]:
    """Return what every route may answer beside its result."""
    told = {
        400: "The body cannot be read.",
        401: "The key is missing or wrong.",
        403: "This may not be done.",
        404: "It is not there.",
        405: "The address takes no such method.",
        408: "The body did not come in time.",
        409: "It is in the way of something.",
        413: "It is too much.",
        415: "It is of a kind that is not read.",
        421: "The service does not answer by that name.",
        422: "A field is not as it must be.",
        429: "Too much is waiting.",
        500: "The service failed.",
        501: "A library is not installed.",
        503: "The service is busy, or ends.",
    }
    return {status: _refusal(text) for status, text in told.items()}


def _with_problems(openapi: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """Return what makes the document, with the form of problems and the key."""

    def made() -> dict[str, Any]:
        document = openapi()
        parts = document.setdefault("components", {})
        parts.setdefault("schemas", {})["Problem"] = SCHEMA
        parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"key": []}, {}]
        return document

    return made
