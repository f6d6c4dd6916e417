"""The command `serve`: what was saved, over HTTP and as a page."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from .arguments import UsageError, check_output_folder
from .command import EncoderName, Repeated, command, options_of
from .output import Output

_SERVE = "interlingua.pipelines.serve.run:serve"


@command(serving=options_of(_SERVE, only=("host", "port", "api_key_file", "mcp", "url")))
def serve(
    console: Output,
    serving: dict[str, Any],
    *collections: Annotated[str, Parameter("COLLECTION")],
    data: Annotated[str | None, Parameter(metavar="FOLDER")] = None,
    allow_origin: Annotated[Repeated, Parameter(metavar="ORIGIN")] = None,
    encoder: EncoderName = None,
) -> None:
    """Serve saved folders over HTTP, with a page for people.

    Parameters
    ----------
    collections : str
        Folders of searches, memories, answers, classifiers and entities; NAME=FOLDER gives another name.
    data : str, optional
        Where uploaded collections are kept; by default in the user's folder of data.
    allow_origin : str, optional
        Whose pages may ask, such as https://example.org; may be repeated.
    encoder : str
        Of uploaded collections; by default the bundled one.

    Examples
    --------
    ::

        interlingua serve COLLECTION MEMORY ENTITIES --port 8765
    """
    from platformdirs import user_data_path

    from interlingua.pipelines.serve.run import read_keys
    from interlingua.pipelines.serve.run import serve as served

    read_keys(serving["host"], serving["api_key_file"])  # before anything is read
    folders = _named(collections)
    place = user_data_path("interlingua") / "collections" if data is None else Path(data)
    check_output_folder(str(place))
    if not console.quiet:
        _log()

    names = ", ".join(folders) or "Nothing yet"

    def ready(url: str) -> None:
        console.note(f"{names} at {url} (what is uploaded is kept in {place}; Ctrl-C ends)")

    console.note("Reading what is served, and the encoder")
    served(folders, data=place, origins=allow_origin or (), encoder=encoder, ready=ready, **serving)


def _named(collections: Sequence[str]) -> dict[str, Path]:
    """Return the folders of the command line by their names."""
    from interlingua.pipelines.stored import kind_of

    folders: dict[str, Path] = {}
    for each in collections:
        name, equals, folder = each.partition("=")
        if not equals or "/" in name or Path(each).exists():
            name, folder = Path(each).resolve().name, each
        path = Path(folder)
        if not path.is_dir():
            raise FileNotFoundError(f"{folder} is no folder; `interlingua index build` makes one that can be served")
        if name in folders:
            raise UsageError(f"two folders are called {name}; give one of them another name: NAME={folder}")
        if not name or not name.isascii() or not all(sign.isalnum() or sign in "._-" for sign in name):
            raise UsageError(f"{each}: a name is of letters, digits, - and _; give the folder one: NAME={folder}")
        kind_of(path)
        folders[name] = path
    return folders


def _log() -> None:
    """Write what the service notes to standard error, one JSON object a line."""
    logger = logging.getLogger("interlingua.serve")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
