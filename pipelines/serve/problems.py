"""Errors as RFC 9457 wants them: application/problem+json, each with the way out.

References
----------
.. [1] Nottingham, Wilde and Dalal (2023), "Problem Details for HTTP APIs", RFC 9457.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from interlingua.align.arrays import MissingExtraError
from interlingua.index import UnsupportedOperation
from interlingua.index.folder import CorruptCollectionError, LockedError

from .joined import ClosedError
from .listening import BodyRefusedError

MEDIA_TYPE = "application/problem+json"
_LONGEST = 600  # characters of what is said
_NO_PLACES = ("body", "query", "path", "str")
_TIMES = {429: "1", 503: "2"}  # seconds after which to ask again

#: What a problem is, as OpenAPI says it.
SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "What went wrong, and the way out (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "The rule, what was seen, and the way out."},
        "message": {"type": "string", "description": "The same, where some clients look for it."},
        "request_id": {"type": "string", "description": "As in the header x-request-id and in the log."},
    },
    "example": {
        "type": "about:blank",
        "title": "Unprocessable Content",
        "status": 422,
        "detail": "k: Input should be less than or equal to 100",
        "request_id": "6f1c0f0a9b7d4f5e",
    },
}


class Refused(Exception):
    """What a request is answered with instead of a result.

    Attributes
    ----------
    status : int
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


def problem(status: int, detail: str, request_id: str = "") -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers of an answer."""
    fields: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": (told := " ".join(detail.split())[:_LONGEST]),
        "message": told,  # where OpenAI's and Cohere's clients look
    }
    if request_id:
        fields["request_id"] = request_id
    headers = {"content-type": MEDIA_TYPE, "cache-control": "no-store"}
    if status in _TIMES:
        headers["retry-after"] = _TIMES[status]
    if status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    return json.dumps(fields).encode(), headers


def status_of(error: Exception) -> int:
    """Return the status that an error of the library is answered with."""
    if isinstance(error, Refused | BodyRefusedError):
        return error.status
    kinds: Sequence[tuple[type[Exception] | tuple[type[Exception], ...], int]] = (
        (LockedError, 409),
        (ClosedError, 503),
        (CorruptCollectionError, 500),
        (MissingExtraError, 501),
        (UnsupportedOperation, 409),
        (FileNotFoundError, 404),
        (KeyError, 404),
        ((ValueError, TypeError), 422),
    )
    return next((status for kind, status in kinds if isinstance(error, kind)), 500)


def said_by(error: Exception, names: Mapping[str, str] | None = None) -> str:
    """Return what an error says, with the paths of this machine as the client calls them.

    Parameters
    ----------
    error : Exception
    names : mapping of str to str, optional
        What stands for each path.
    """
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    for path, name in (names or {}).items():
        text = text.replace(path, name)
    return text or type(error).__name__


def said_of_fields(errors: Sequence[Mapping[str, Any]]) -> str:
    """Return what pydantic says of the fields of a request, without what was in them."""
    told = []
    for each in errors[:5]:
        parts = [str(part) for part in each["loc"]]  # between which pydantic names kinds of a union
        place = ".".join(part for part in parts if (part.isidentifier() or part.isdigit()) and part not in _NO_PLACES)
        message = str(each["msg"]).removeprefix("Value error, ")
        told.append(f"{place}: {message}" if place else message)
    return "; ".join(dict.fromkeys(told)) + "; /openapi.json has the form of each request"
