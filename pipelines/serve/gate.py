"""What every request passes: its id, its host, its key, its size, its time; counted, and noted without its texts."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
import logging
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

from .listening import MAX_BYTES, PATIENCE, BodyRefusedError, read_body
from .metrics import Metrics
from .problems import problem

#: Answered without a key: the page, which asks for one, and whether the service is up.
OPEN = re.compile(r"/|/page/[\w.-]+|/healthz|/readyz")
_LONGEST_KEY = 512
_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)
_SAFE = ("GET", "HEAD", "OPTIONS")
_OWN_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
logger = logging.getLogger("interlingua.serve")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much a client may ask for.

    Attributes
    ----------
    requests : int
        That are answered at the same time; more get status 503.
    body : int
        Bytes of a request that is no upload.
    upload : int
        Bytes of a file.
    passages : int
        Of a file.
    texts : int
        Of a request.
    characters : int
        Of a text.
    hits : int
        Of a question.
    patience : float
        Seconds for a body; of an upload, without a byte.
    jobs : int
        Uploads that wait.
    """

    requests: int = 256
    body: int = MAX_BYTES
    upload: int = 256_000_000
    passages: int = 1_000_000
    texts: int = 1024
    characters: int = 32_768
    hits: int = 100
    patience: float = PATIENCE
    jobs: int = 16


class Keys:
    """The keys that open the service; compared in constant time.

    Parameters
    ----------
    keys : sequence of str
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._digests = [sha256(key.encode()).digest() for key in keys]

    @classmethod
    def read(cls, path: str | Path) -> Keys:
        """Read a file of keys, one a line; empty lines are passed over.

        Raises
        ------
        ValueError
            If it holds none, or a line is none; without what it holds.
        """
        from interlingua.pipelines.texts.lines import numbered_lines

        keys = []
        for number, line in numbered_lines(path, blank="skip"):
            key = line.strip()
            if len(key) > _LONGEST_KEY or not key.isascii() or not key.isprintable() or " " in key:
                raise ValueError(f"{path}, line {number}: a key is up to {_LONGEST_KEY} letters, digits and signs")
            keys.append(key)
        if not keys:
            raise ValueError(f"{path} holds no key; write one a line, such as what `openssl rand -hex 32` says")
        return cls(keys)

    def __bool__(self) -> bool:
        return bool(self._digests)

    def opens(self, key: str) -> bool:
        """Tell whether a key is among them, in a time that says nothing of which."""
        given = sha256(key.encode()).digest()
        right = False
        for digest in self._digests:
            right |= hmac.compare_digest(given, digest)
        return right


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine only.

    Examples
    --------
    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, True, False)
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Gate:
    """The outermost layer of the service.

    Parameters
    ----------
    app : ASGI application
    limits : Limits
    keys : Keys
    metrics : Metrics
    origins : sequence of str
        Whose pages may ask, beside the service's own.
    local : bool
        Whether only this machine's names of itself are taken for the host: a page of elsewhere may have its own name
        lead here.
    """

    def __init__(
        self,
        app: Any,
        *,
        limits: Limits,
        keys: Keys,
        metrics: Metrics,
        origins: Sequence[str] = (),
        local: bool = False,
    ) -> None:
        self._app, self._limits, self._keys, self._metrics = app, limits, keys, metrics
        self._origins, self._local = tuple(origins), local
        self._now = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Let a request pass, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = _Request(scope, receive, send)
        begun = time.perf_counter()
        self._now += 1
        self._metrics.now(self._now)
        try:
            refused = self._refusal(request)
            if refused is not None:
                await request.refuse(*refused)
            else:
                await self._passed(request)
        except BodyRefusedError as error:
            await request.refuse(error.status, str(error))
        except asyncio.CancelledError:  # subtle: uvicorn does so when it ends, and would log it as a failure
            await request.refuse(503, "the service ends; ask again later")
        finally:
            self._now -= 1
            self._metrics.now(self._now)
            self._note(request, time.perf_counter() - begun)

    def _refusal(self, request: _Request) -> tuple[int, str] | None:
        if self._now > self._limits.requests and not OPEN.fullmatch(request.path):
            return 503, f"{self._limits.requests} requests are being answered already; ask again later"
        host = request.header(b"host")
        if self._local and not is_loopback(_name(host)):
            return 421, "the service answers as 127.0.0.1 or localhost only; start it with --host and a key for others"
        origin = request.header(b"origin")
        if origin and request.method not in _SAFE and not self._may_ask(origin, host):
            return 403, "pages of another origin may not ask; start the service with --allow-origin for that one"
        if OPEN.fullmatch(request.path) or not self._keys or request.method == "OPTIONS":
            return None
        if not self._keys.opens(_key(request)):
            return 401, "a key is needed: send the header `Authorization: Bearer KEY`"
        return None

    def _may_ask(self, origin: str, host: str) -> bool:
        return "*" in self._origins or origin in self._origins or origin.partition("://")[2] == host

    async def _passed(self, request: _Request) -> None:
        upload = request.is_upload
        most = self._limits.upload if upload else self._limits.body
        said = request.header(b"content-length")
        if said.isdigit() and int(said) > most:
            raise BodyRefusedError(f"this request has at most {most} bytes, but announces {said}; send less", 413)
        if upload:
            request.bounded(most, self._limits.patience)
        else:
            await request.read(most, self._limits.patience)
        await self._app(request.scope, request.receive, request.send)

    def _note(self, request: _Request, seconds: float) -> None:
        route = getattr(request.scope.get("route"), "path", "") or ("/" if request.path == "/" else "other")
        self._metrics.answered(request.method, route, request.status, seconds)
        about = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "request": request.id,
            "method": request.method,
            "route": route,
            "status": request.status,
            "ms": round(1000 * seconds, 1),
            "bytes_in": request.bytes_in,
            "bytes_out": request.bytes_out,
        }
        logger.info("%s", json.dumps(about))


class _Request:
    """A request on its way: what was sent, and what is answered."""

    def __init__(self, scope: Any, receive: Any, send: Any) -> None:
        self.method, self.path = scope["method"], scope["path"]
        self._headers = {name.lower(): value for name, value in scope["headers"]}
        said = self.header(b"x-request-id")
        self.id = said if _ID.fullmatch(said) else uuid4().hex[:16]
        self.scope = {**scope, "state": {**scope.get("state", {}), "request_id": self.id}}
        self._receive, self._send = receive, send
        self.receive = receive
        self.status = self.bytes_in = self.bytes_out = 0
        self.is_upload = self.method in ("POST", "PUT") and bool(
            re.fullmatch(r"/v1/collections(/[^/]+/upload)?/?", self.path)
        )

    def header(self, name: bytes) -> str:
        """Return a header, or ""."""
        return str(self._headers.get(name, b""), "latin-1")

    async def read(self, most: int, patience: float) -> None:
        """Read the body, before anything is done for it."""

        async def chunks() -> Any:
            while True:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    raise BodyRefusedError("the client went away", 400)  # which nobody reads
                yield message.get("body", b"")
                if not message.get("more_body"):
                    return

        body = await read_body(chunks(), most=most, patience=patience)
        self.bytes_in = len(body)
        waiting = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Any:
            return waiting.pop() if waiting else await self._receive()

        self.receive = receive

    def bounded(self, most: int, patience: float) -> None:
        """Count the body as it is read, and wait for each piece so many seconds."""

        async def receive() -> Any:
            try:
                async with asyncio.timeout(patience):
                    message = await self._receive()
            except TimeoutError as error:
                raise BodyRefusedError(f"no byte came for {patience:g} seconds", 408) from error
            self.bytes_in += len(message.get("body", b""))
            if self.bytes_in > most:
                raise BodyRefusedError(f"an upload has at most {most} bytes; send smaller files", 413)
            return message

        self.receive = receive

    async def send(self, message: Any) -> None:
        """Send a part of the answer, its head with what every answer says."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = (*_OWN_HEADERS, (b"x-request-id", self.id.encode()))
            said = {name.lower() for name, _ in message.get("headers", ())}
            headers = [*message.get("headers", ()), *(each for each in own if each[0] not in said)]
            message = {**message, "headers": headers}
        else:
            self.bytes_out += len(message.get("body", b""))
        await self._send(message)

    async def refuse(self, status: int, detail: str) -> None:
        """Answer with a problem, unless an answer has begun."""
        if self.status:
            return
        body, headers = problem(status, detail, self.id)
        named = [(name.encode(), value.encode()) for name, value in headers.items()]
        # subtle: what was not read would be taken for the next request
        named += [(b"content-length", str(len(body)).encode()), (b"connection", b"close")]
        await self.send({"type": "http.response.start", "status": status, "headers": named})
        await self.send({"type": "http.response.body", "body": body})


def _name(host: str) -> str:
    """Return the name in a Host header."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and ":" in host else host


def _key(request: _Request) -> str:
    scheme, _, key = request.header(b"authorization").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else request.header(b"x-api-key")
