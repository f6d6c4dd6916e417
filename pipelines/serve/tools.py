"""What is served as tools of the Model Context Protocol, for language models: search, answer and link."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from importlib import metadata
from typing import Annotated, Any

import anyio.to_thread
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import Field, ValidationError

from .catalogue import Catalogue
from .forms import AnswerForm, LinkForm, SearchForm
from .gate import Limits
from .problems import Refused, said_by, said_of_fields, status_of
from .questions import Questions

Languages = Annotated[list[str] | None, Field(description="Only in these, such as ['en', 'zh'].")]
Named = Annotated[str | None, Field(description="Which one, where several are served.")]
_SAID = "Search texts of many languages with questions of any language, answer from them, and link names to entities."


def make_tools(catalogue: Catalogue) -> Any:
    """Return the server of tools for what is served.

    Parameters
    ----------
    catalogue : Catalogue
    """
    questions = Questions(catalogue, Limits())
    server = MCPServer("interlingua", version=metadata.version("interlingua"), instructions=_SAID, log_level="WARNING")

    async def search(
        query: Annotated[str, Field(description="In any language.")],
        k: Annotated[int, Field(ge=1, le=100)] = 10,
        collection: Named = None,
        languages: Languages = None,
        where: Annotated[str | None, Field(description="A filter such as: year >= 2020 and topic in (law)")] = None,
    ) -> dict[str, Any]:
        """Find the passages that answer a query, in whatever language they are."""
        told = {"query": query, "k": k, "collection": collection, "languages": languages, "where": where}
        return await _asked(catalogue, lambda: questions.search(SearchForm.model_validate(told)))

    async def answer(
        question: Annotated[str, Field(description="In any language.")],
        answers: Named = None,
        languages: Languages = None,
        least: Annotated[float | None, Field(ge=0, le=1, description="No answer below this probability.")] = None,
    ) -> dict[str, Any]:
        """Answer a question with a sentence of the passages, or with none where they do not hold the answer."""
        told = {"question": question, "answers": answers, "languages": languages, "least": least}
        return await _asked(catalogue, lambda: questions.answer(AnswerForm.model_validate(told)))

    async def link(
        mentions: Annotated[list[str], Field(min_length=1, max_length=1024, description="Names in any language.")],
        entities: Named = None,
        language: Annotated[str | None, Field(description="Of the names.")] = None,
        k: Annotated[int, Field(ge=1, le=20)] = 1,
    ) -> dict[str, Any]:
        """Tell which entities names mean; nil where a name means none."""
        told = {"mentions": mentions, "entities": entities, "language": language, "k": k}
        return await _asked(catalogue, lambda: questions.link(LinkForm.model_validate(told)))

    for tool in (search, answer, link):
        server.add_tool(tool)
    return server


def mount_tools(app: Any, catalogue: Catalogue) -> Callable[[], Any]:
    """Serve the tools at /mcp of an application, and return what must run as long as that does.

    Parameters
    ----------
    app : FastAPI
    catalogue : Catalogue
    """
    server = make_tools(catalogue)
    # the gate has looked at the host and the origin
    settings = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    mounted = server.streamable_http_app(
        streamable_http_path="/mcp", json_response=True, stateless_http=True, transport_security=settings
    )
    app.router.routes.extend(mounted.routes)

    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        async with server.session_manager.run():
            yield

    return running


def is_asked_by_a_program() -> bool:
    """Tell whether standard input is a pipe or a socket, as of a program that has started this one to talk to it."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError, AttributeError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def serve_tools(catalogue: Catalogue) -> bool:
    """Serve the tools over standard input and output until the former ends; return whether anything was asked.

    Parameters
    ----------
    catalogue : Catalogue
    """
    server = make_tools(catalogue)
    asked = False

    async def noted(context: Any, call_next: Any) -> Any:
        nonlocal asked
        asked = True
        return await call_next(context)

    server.middleware.append(noted)
    anyio.run(server.run_stdio_async)
    return asked


async def _asked(catalogue: Catalogue, ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return an answer; what is wrong with the question is said to the model, which may ask otherwise."""
    names = {str(each.folder): each.name for each in catalogue.searches()}
    try:
        return await anyio.to_thread.run_sync(partial(ask))
    except ValidationError as error:
        raise ToolError(said_of_fields(error.errors())) from error
    except (Refused, ValueError, LookupError) as error:
        if status_of(error) >= 500:
            raise
        raise ToolError(said_by(error, names)) from error
