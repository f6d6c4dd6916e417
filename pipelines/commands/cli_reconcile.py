"""The command `interlingua reconcile serve`."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path

from .legacy import Subcommands, add_command, count
from .output import Output

_API_VERSIONS = ("0.2", "1.0-draft")


def add_reconcile_commands(commands: Subcommands[ArgumentParser]) -> None:
    """Add `reconcile` with its verb."""
    summary = "match the cells of a table with entities, from OpenRefine and other clients"
    verbs = commands.add_parser("reconcile", help=summary, description=summary).add_subparsers(
        dest="verb", required=True, metavar="VERB"
    )
    serve = add_command(verbs, "serve", _serve, "serve a table of entities by the Reconciliation API")
    serve.add_argument("entities", metavar="TABLE.csv", help="a table with a column id, or the folder of a saved index")
    serve.add_argument("--host", default="127.0.0.1", metavar="HOST", help="default: 127.0.0.1, this machine only")
    serve.add_argument("--port", type=_port, default=8000, metavar="PORT", help="default 8000; 0: any free one")
    serve.add_argument("--api", choices=_API_VERSIONS, default="0.2", help="version of the API (default 0.2)")
    serve.add_argument(
        "--threshold",
        type=_probability,
        default=0.95,
        metavar="P",
        help="a candidate is a match from this probability on, if no other reaches it (default 0.95)",
    )
    serve.add_argument("--batch", type=count, default=100, metavar="N", help="queries a request (default 100)")
    serve.add_argument("--name", metavar="NAME", help="of the service; default: that of the table")
    serve.add_argument("--view", metavar="URL", help="page of an entity, with {{id}} in it; default: the preview")
    serve.add_argument("--identifiers", metavar="URL", help="address space of the ids")
    serve.add_argument("--url", metavar="URL", help="where clients reach the service, if behind a proxy")
    serve.add_argument("--encoder", metavar="NAME", help="default: the bundled one, or that of the folder")


def _serve(options: Namespace, output: Output) -> None:
    from interlingua.pipelines.link.entities import EntityIndex
    from interlingua.pipelines.link.reconcile.server import serve
    from interlingua.pipelines.link.reconcile.service import Reconciler

    path = Path(options.entities)
    with output.working("reading the entities"):
        index = EntityIndex.read(path, options.encoder)
        index.link(["a first name"])  # so that the first request does not wait for the encoder
    reconciler = Reconciler(
        index,
        threshold=options.threshold,
        batch=options.batch,
        name=options.name or path.stem,
        view=options.view,
        identifiers=options.identifiers,
    )

    def ready(url: str) -> None:
        output.note(f"{len(index)} entities at {url} (in OpenRefine: Reconcile, Add standard service); Ctrl-C ends")

    serve(reconciler, host=options.host, port=options.port, api=options.api, url=options.url, ready=ready)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise ArgumentTypeError(f"expected a port from 0 to 65535, but got {text!r}")
    return int(text)


def _probability(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise ArgumentTypeError(f"expected a probability above 0 and at most 1, but got {text!r}")
    return value
