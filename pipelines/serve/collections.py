"""The routes of collections: made of files, changed, told about, deleted; and of the work that this takes."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from interlingua.pipelines.stored import Kind
from interlingua.pipelines.texts.passages import Passage, check_passages

from .catalogue import Catalogue, ServedSearch
from .compatible import public_name
from .forms import Accepted, Changed, CollectionAbout, CollectionList, IdsForm, JobAbout, Name, PassagesForm
from .gate import Limits
from .jobs import ENDED, Job, Jobs
from .problems import Refused
from .uploads import Upload, adding, building, format_of

_COLUMNS = ("text", "language", "id")
_SETTINGS = {"windows": False}
_LOOK, _HEARTBEAT = 0.1, 15.0  # seconds between looks at a job, and between signs that one still looks
_LONGEST = 256
_FILE = {"schema": {"type": "string", "format": "binary"}}
_UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The file as it is, or a form with a field `file` and the parameters as further fields.",
        "content": {
            "application/octet-stream": _FILE,
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}, "name": {"type": "string"}},
                }
            },
        },
    }
}
_SAID = Query(max_length=_LONGEST)
Said = Annotated[str | None, _SAID]


class Collections:
    """One method for each route.

    Parameters
    ----------
    catalogue : Catalogue
    jobs : Jobs
    limits : Limits
    """

    def __init__(self, catalogue: Catalogue, jobs: Jobs, limits: Limits) -> None:
        self._catalogue, self._jobs, self._limits = catalogue, jobs, limits

    def router(self, responses: dict[int | str, dict[str, Any]]) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/v1", responses=responses, tags=["collections"])
        add = router.add_api_route
        add("/collections", self.listed, methods=["GET"], response_model=CollectionList)
        made: dict[str, Any] = {"response_model": Accepted, "status_code": 202, "openapi_extra": _UPLOAD}
        add("/collections", self.create, methods=["POST"], **made)
        add("/collections/{name}", self.about, methods=["GET"], response_model=CollectionAbout)
        add("/collections/{name}", self.delete, methods=["DELETE"], status_code=204, response_class=Response)
        add("/collections/{name}/upload", self.upload, methods=["POST"], **made)
        add("/collections/{name}/passages", self.upsert, methods=["POST"], response_model=Changed)
        add("/collections/{name}/remove", self.remove, methods=["POST"], response_model=Changed)
        add("/jobs", self.jobs, methods=["GET"], response_model=list[JobAbout])
        add("/jobs/{id}", self.job, methods=["GET"], response_model=JobAbout)
        add("/jobs/{id}", self.cancel, methods=["DELETE"], response_model=JobAbout)
        events: dict[int | str, dict[str, Any]] = {
            200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}
        }
        add("/jobs/{id}/events", self.events, methods=["GET"], response_class=StreamingResponse, responses=events)
        return router

    def listed(self) -> dict[str, Any]:
        """Name the collections, and what else is served."""
        kinds: tuple[Kind, ...] = ("memory", "answers", "classifier", "entities")
        return {
            "collections": [_about(each) for each in self._catalogue.searches()],
            "served": {kind: self._catalogue.names(kind) for kind in kinds},
            "uploads": self._catalogue.data is not None,
        }

    async def create(
        self,
        request: Request,
        name: Annotated[str | None, Query(max_length=64)] = None,
        filename: Said = None,
        format: Said = None,
        language: Said = None,
        text_column: Said = None,
        language_column: Said = None,
        id_column: Said = None,
        windows: bool = False,
    ) -> dict[str, Any]:
        """Make a collection of a file: CSV, TSV, JSON lines, TMX or plain text.

        A table has a column `text` and, where there are, `language` and `id`; other names are said by the parameters.
        The work is long: its state comes from the address that is answered.
        """
        fields = {"name": name, "filename": filename, "format": format, "language": language}
        fields |= {"text_column": text_column, "language_column": language_column, "id_column": id_column}
        if name:
            self._catalogue.new_folder(name)
        upload, said = await self._incoming(request, fields)
        wanted = said.get("name") or _as_name(upload.name)
        try:
            self._catalogue.new_folder(wanted)
            job = building(self._catalogue, wanted, upload, self._limits, {**_SETTINGS, "windows": windows})
            return _accepted(self._jobs.add(job))
        except Refused:
            upload.path.unlink(missing_ok=True)
            raise

    async def upload(
        self,
        request: Request,
        name: Name,
        filename: Said = None,
        format: Said = None,
        language: Said = None,
        text_column: Said = None,
        language_column: Said = None,
        id_column: Said = None,
    ) -> dict[str, Any]:
        """Add a file's passages to a collection, each with an id; those with known ids are replaced."""
        served = self._writable(name)
        fields = {"filename": filename, "format": format, "language": language}
        fields |= {"text_column": text_column, "language_column": language_column, "id_column": id_column}
        upload, _ = await self._incoming(request, fields)
        try:
            return _accepted(self._jobs.add(adding(served, upload, self._limits)))
        except Refused:
            upload.path.unlink(missing_ok=True)
            raise

    def about(self, name: Name) -> dict[str, Any]:
        """Say what a collection is."""
        return _about(self._catalogue.search(name))

    def delete(self, name: Name) -> Response:
        """Delete a collection that was made here."""
        self._catalogue.delete(name)
        return Response(status_code=204)

    def upsert(self, name: Name, form: PassagesForm) -> dict[str, Any]:
        """Add passages, in place of those with the same ids; they are on the disk when this is answered."""
        served = self._writable(name)
        passages = [Passage(each.id, each.text, each.language, each.metadata) for each in form.passages]
        try:
            check_passages(passages)
        except TypeError as error:  # of metadata that JSON brings, but cannot hold
            raise Refused(422, str(error)) from error
        served.upsert(passages)
        return {"collection": name, "changed": len(form.passages), "passages": len(served.search())}

    def remove(self, name: Name, form: IdsForm) -> dict[str, Any]:
        """Remove passages by id, all or none; they are gone from the disk when this is answered."""
        served = self._writable(name)
        wanted = list(dict.fromkeys(form.ids))
        served.remove(wanted)
        return {"collection": name, "changed": len(wanted), "passages": len(served.search())}

    def jobs(self) -> list[dict[str, Any]]:
        """Say how far all work is."""
        return [each.as_json() for each in self._jobs.all()]

    def job(self, id: str) -> dict[str, Any]:
        """Say how far a piece of work is."""
        return self._jobs.get(id).as_json()

    def cancel(self, id: str) -> dict[str, Any]:
        """End a piece of work; a collection that is not whole is not made."""
        job = self._jobs.get(id)
        job.cancel()
        return job.as_json()

    async def events(self, id: str) -> StreamingResponse:
        """Send the state of a piece of work whenever it changes, until it has ended."""
        headers = {"cache-control": "no-store"}
        return StreamingResponse(_states(self._jobs.get(id)), media_type="text/event-stream", headers=headers)

    def _writable(self, name: str) -> ServedSearch:
        served = self._catalogue.search(name)
        if not served.writable:
            raise Refused(409, f"{name} holds vectors of another program, which are only read; make a new one")
        return served

    async def _incoming(self, request: Request, fields: dict[str, str | None]) -> tuple[Upload, dict[str, str]]:
        """Keep the file of a request, and return it with what is said of it."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        said = {name: value for name, value in fields.items() if value}
        if kind == "multipart/form-data":
            async with request.form(max_files=1, max_fields=16) as form:
                file = form.get("file")
                if file is None or isinstance(file, str):
                    raise Refused(422, "file: the form needs a field of this name that holds the file")
                own = {name: value for name, value in form.items() if isinstance(value, str) and value}
                said = {**{name: value[:_LONGEST] for name, value in own.items() if name in fields}, **said}
                said.setdefault("filename", file.filename or "")
                path, chunks = self._path(said), _pieces(file)
                await _keep(path, chunks)
        else:
            path = self._path(said)
            await _keep(path, request.stream())
        return _upload(path, said), said

    def _path(self, said: dict[str, str]) -> Path:
        format = format_of(said.get("filename", ""), said.get("format"))
        return self._catalogue.incoming().with_suffix(f".{format}")


async def _keep(path: Path, chunks: AsyncIterator[bytes]) -> None:
    try:
        async with await anyio.open_file(path, "wb") as file:
            async for chunk in chunks:
                await file.write(chunk)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


async def _pieces(file: Any) -> AsyncIterator[bytes]:
    while piece := await file.read(1 << 20):
        yield piece


def _upload(path: Path, said: dict[str, str]) -> Upload:
    named = {each: said[f"{each}_column"] for each in _COLUMNS if said.get(f"{each}_column")}
    shown = re.split(r"[/\\]", said.get("filename", ""))[-1] or "the file"
    columns = {column: each for each, column in named.items()}
    return Upload(path, shown, format_of(path.name), said.get("language"), columns)


def _as_name(filename: str) -> str:
    """Return the name of a collection that is made of a file.

    Examples
    --------
    >>> _as_name("My News (2026).csv"), _as_name("新闻.tsv")
    ('my-news-2026', 'collection')
    """
    stem = filename.rpartition(".")[0] or filename
    return re.sub(r"[^a-z0-9_]+", "-", stem.lower()).strip("-_")[:64] or "collection"


def _about(served: ServedSearch) -> dict[str, Any]:
    search = served.search()
    return {
        "name": served.name,
        "passages": len(search),
        "languages": search.languages,
        "ranking": search.ranking,
        "encoder": public_name(served.encoder),
        "writable": served.writable,
        "deletable": served.own,
    }


def _accepted(job: Job) -> dict[str, Any]:
    return {"job": job.as_json(), "events": f"/v1/jobs/{job.id}/events"}


async def _states(job: Job) -> AsyncIterator[str]:
    seen, said = -1, time.monotonic()
    while True:
        version, ended = job.version, job.state in ENDED
        if version != seen:
            seen, said = version, time.monotonic()
            yield f"id: {version}\nevent: {job.state}\ndata: {json.dumps(job.as_json())}\n\n"
        if ended:
            return
        if time.monotonic() - said > _HEARTBEAT:
            said = time.monotonic()
            yield ": still here\n\n"
        await asyncio.sleep(_LOOK)
