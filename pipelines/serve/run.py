"""Start the service."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from interlingua.align.arrays import require
from interlingua.pipelines.encoders.base import Encoder

from .gate import Keys, is_loopback
from .listening import listen

_NEEDED = {"fastapi": "serve", "uvicorn": "serve", "prometheus_client": "serve", "python_multipart": "serve"}


def serve(
    folders: Mapping[str, str | Path],
    *,
    host: str = "127.0.0.1",
    port: int = 8765,
    api_key_file: str | Path | None = None,
    mcp: bool = False,
    data: str | Path | None = None,
    encoder: Encoder | str | Path | None = None,
    origins: Sequence[str] = (),
    url: str | None = None,
    ready: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve folders until interrupted.

    Parameters
    ----------
    folders : mapping of str to str or Path
        By name, see `create_app`.
    host : str
        Where to listen; 127.0.0.1 is this machine only, and others need a key.
    port : int, from 0 to 65535
        Where to listen; 0 is any free one.
    api_key_file : str or Path, optional
        Keys, one a line; needed where others than this machine may ask.
    mcp : bool
        Serve tools for language models as well: at /mcp, and over standard input and output where a program asks there.
    data : str or Path, optional
        Where collections are made that clients upload; by default none are.
    encoder : Encoder, str or Path, optional
        What those are made with; by default the bundled one.
    origins : sequence of str
        Whose pages may ask, beside the service's own.
    url : str, optional
        Where clients reach the service, if behind a proxy.
    ready : callable
        Given the address as soon as it listens.

    Raises
    ------
    ValueError
        If others than this machine could ask without a key; or as `create_app`.
    OSError
        If the port is taken or the host is none of this machine's.
    MissingExtraError
        If FastAPI, uvicorn, prometheus-client or python-multipart is not installed, or mcp where it is asked for.
    """
    keys = read_keys(host, api_key_file)
    for module, extra in {**_NEEDED, **({"mcp": "mcp"} if mcp else {})}.items():
        require(module, extra=extra)
    from .app import create_app

    local = is_loopback(host) and not keys and url is None
    app = create_app(folders, data=data, encoder=encoder, keys=keys, origins=origins, local=local, mcp=mcp)
    if mcp:
        _answer_programs(app.catalogue)
    listen(app, host, port, ready=ready, url=url)


def read_keys(host: str, path: str | Path | None) -> Keys:
    """Return the keys of a file, or none where only this machine may ask.

    Parameters
    ----------
    host : str
        Where the service will listen.
    path : str, Path or None
        The file.

    Raises
    ------
    ValueError
        If there are none, and others may ask.
    """
    if path is not None:
        return Keys.read(path)
    if not is_loopback(host):
        raise ValueError(
            f"without a key only this machine may ask, but --host {host} lets others in; give a file of keys with "
            "--api-key-file FILE, or listen at 127.0.0.1"
        )
    return Keys(())


def _answer_programs(catalogue: Any) -> None:
    """Serve the tools over standard input and output too, where a program asks there; its end is the service's."""
    from .tools import is_asked_by_a_program, serve_tools

    def work() -> None:
        if serve_tools(catalogue):
            os.kill(os.getpid(), signal.SIGTERM)

    if is_asked_by_a_program():
        threading.Thread(target=work, name="tools", daemon=True).start()
