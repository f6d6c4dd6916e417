"""Which server gets the token of the environment: one that the program names, and none that only a folder does.

A saved folder says at which address its rows are, and whoever made the folder chose it. Where MILVUS_TOKEN is set, such
an address is asked only if the program has named it itself in a `MilvusConfig`, or the environment variable MILVUS_URI
is it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

TOKEN_VARIABLE = "MILVUS_TOKEN"  # noqa: S105 - the name of the variable, not a token
SERVER_VARIABLE = "MILVUS_URI"
_FOLDER: ContextVar[str] = ContextVar("the folder that names the server", default="")
_NAMED: set[str] = set()  # addresses that the program has named


@contextmanager
def named_by(folder: object) -> Iterator[None]:
    """Take what is connected to inside the block for an address that a folder has chosen."""
    token = _FOLDER.set(str(folder))
    try:
        yield
    finally:
        _FOLDER.reset(token)


def token_for(uri: str, *, local: bool) -> str:
    """Return the token of the environment for an address; empty where there is none, and for local files.

    Raises
    ------
    PermissionError
        If only a folder names the address.
    """
    token = os.environ.get(TOKEN_VARIABLE, "")
    folder = _FOLDER.get()
    if not folder:
        _NAMED.add(_plain(uri))
    if not token or local:
        return ""
    if folder and _plain(uri) not in {*_NAMED, _plain(os.environ.get(SERVER_VARIABLE, ""))}:
        raise PermissionError(
            f"{folder} says that its rows are at {uri}, and the token in {TOKEN_VARIABLE} may be for another server; "
            f"set {SERVER_VARIABLE}={uri} if it is for this one, or leave {TOKEN_VARIABLE} unset"
        )
    return token


def _plain(uri: str) -> str:
    return uri.rstrip("/").lower()
