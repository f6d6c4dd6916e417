"""What every service of ours listens with: its socket, uvicorn's settings, and clients that keep it waiting."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterable, Callable
from typing import Any

from interlingua.align.arrays import require

#: Bytes of a request's body, where nothing else is said.
MAX_BYTES = 4_000_000
#: Seconds for a client to send a request, or its body.
PATIENCE = 10.0
_BACKLOG, _LAST_ANSWERS = 1024, 5  # connections not yet taken; seconds for answers when the service ends


class BodyRefusedError(ValueError):
    """The body of a request is too long, or did not come.

    Attributes
    ----------
    status : int
        413 or 408.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


async def read_body(chunks: AsyncIterable[bytes], *, most: int = MAX_BYTES, patience: float = PATIENCE) -> bytes:
    """Return a body that comes in pieces.

    Parameters
    ----------
    chunks : asynchronous iterable of bytes
    most : int
        Bytes.
    patience : float
        Seconds until it must be there whole.

    Raises
    ------
    BodyRefusedError
        If it is longer, or later.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(patience):
            async for chunk in chunks:
                body += chunk
                if len(body) > most:
                    raise BodyRefusedError(f"a request has at most {most} bytes; send smaller batches", 413)
    except TimeoutError as error:
        raise BodyRefusedError(f"the body was not there after {patience:g} seconds", 408) from error
    return bytes(body)


def listen(
    app: Any, host: str, port: int, *, ready: Callable[[str], None] = lambda _: None, url: str | None = None
) -> None:
    """Serve an application until the process is interrupted or terminated.

    Requests that are there then have 5 seconds to be answered.

    Parameters
    ----------
    app : ASGI application
    host : str
        Where to listen.
    port : int
        0 is any free one.
    ready : callable
        Given the address as soon as it listens.
    url : str, optional
        The address to give, if behind a proxy.

    Raises
    ------
    OSError
        If the port is taken or the host is none of this machine's.
    MissingExtraError
        If uvicorn is not installed.
    """
    uvicorn = require("uvicorn", extra="serve")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # subtle: without the protocol's number asyncio leaves Nagle's algorithm on, and each answer waits 40 ms
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
        except OSError as error:
            raise OSError(f"cannot listen at {host}:{port} ({error.strerror or error}); name another port") from error
        shown = f"[{host}]" if ":" in host else host
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_keep_alive=60,
            timeout_graceful_shutdown=_LAST_ANSWERS,
        )
        config.load()
        config.http_protocol_class = impatient(config.http_protocol_class)
        listening.listen(_BACKLOG)
        ready(url or f"http://{shown}:{listening.getsockname()[1]}/")
        uvicorn.Server(config).run(sockets=[listening])


def impatient(protocol: Any, patience: float = PATIENCE) -> Any:
    """Return uvicorn's protocol, but a connection on which no whole request's head arrives in time is closed.

    uvicorn waits for ever for the first request, and for the rest of one that has begun. A connection that takes no
    answer is closed as well.

    Parameters
    ----------
    protocol : class
        One of uvicorn's protocols for HTTP.
    patience : float
        Seconds.
    """

    class Impatient(protocol):  # type: ignore[misc]
        _late: Any = None
        _stalled: Any = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def connection_lost(self, error: Exception | None) -> None:
            for timer in (self._late, self._stalled):
                if timer is not None:
                    timer.cancel()
            super().connection_lost(error)

        def pause_writing(self) -> None:
            super().pause_writing()
            self._stalled = asyncio.get_running_loop().call_later(patience, self.transport.abort)

        def resume_writing(self) -> None:
            if self._stalled is not None:
                self._stalled.cancel()
                self._stalled = None
            super().resume_writing()

        def _watch(self) -> None:
            asked = self.cycle is not None and not self.cycle.response_complete
            if asked and self._late is not None:
                self._late.cancel()
                self._late = None
            elif not asked and self._late is None:
                self._late = asyncio.get_running_loop().call_later(patience, self._end)

        def _end(self) -> None:
            self._late = None
            if self.cycle is None or self.cycle.response_complete:
                self.transport.close()

    return Impatient
