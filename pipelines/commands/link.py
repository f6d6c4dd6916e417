"""The commands `link`, `entities ...` and `reconcile serve`: mentions in any language, and the entities they mean."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from cyclopts import Parameter

from .arguments import UsageError, check_output_file, check_output_folder
from .command import EncoderName, OutputFolder, Repeated, command, options_of
from .output import Output, table

if TYPE_CHECKING:
    from interlingua.pipelines.link.entities import Candidate

_COLUMNS = ("mention", "id", "name", "probability", "nil")
_DUMPS = (".json", ".json.gz", ".json.bz2")
_RECONCILE = "interlingua.pipelines.link.reconcile"


@command(
    linking=options_of(
        "interlingua.pipelines.link.entities:EntityIndex.link",
        only=("types", "k", "unknown"),
        commas=("types",),
    )
)
def link(
    console: Output,
    linking: dict[str, Any],
    index: str,
    mentions: list[str],
    *,
    output: Annotated[str | None, Parameter(("--output", "-o"), metavar="FILE")] = None,
    context: str | None = None,
    language: str | None = None,
    threshold: float | None = None,
    encoder: EncoderName = None,
) -> None:
    """Link mentions in any language to the entities of an index.

    Parameters
    ----------
    index : str
        A folder of `entities build`, or a table of entities.
    mentions : str
        A table with a column mention and, optional, context and language (.tsv .jsonl .parquet); or mentions.
    output : str, optional
        TSV with columns mention, id, name, probability, nil.
    context : str, optional
        Around the mentions on the command line.
    language : str, optional
        Of mentions that name none.
    threshold : float, from 0 to 1, optional
        NIL below this probability; by default the index's.
    encoder : str
        By default the bundled one, or that of the folder.

    Examples
    --------
    ::

        interlingua link INDEX MENTIONS.tsv -o LINKS.tsv
    """
    from interlingua.pipelines.link.entities import EntityIndex

    if output:
        check_output_file(output)
    asked = _asked(mentions, context, language)
    with console.working("reading the entities"):
        entities = EntityIndex.read(index, encoder)
    threshold = entities.threshold if threshold is None else threshold
    found: list[list[Candidate]] = [[] for _ in asked.texts]
    with console.working("linking"):
        for name in dict.fromkeys(asked.languages):
            rows = [row for row, each in enumerate(asked.languages) if each == name]
            answers = entities.link(
                [asked.texts[row] for row in rows],
                contexts=[asked.contexts[row] for row in rows],
                language=name or None,
                **linking,
            )
            for row, answer in zip(rows, answers, strict=True):
                found[row] = answer
    result = [row for text, best in zip(asked.texts, found, strict=True) for row in _rows_of(text, best, threshold)]
    cells = [[_cell(row[name]) for name in _COLUMNS] for row in result]
    text = "".join("\t".join(row) + "\n" for row in (_COLUMNS, *cells))
    if output:
        from interlingua.align.files import replacing

        with replacing(output, "w") as file:
            file.write(text)
        nil = sum(not best or best[0].probability < threshold for best in found)
        console.note(f"{output}: {len(found) - nil} of {len(found)} mentions linked, {nil} to nothing")
    elif asked.of_table and not console.as_json:
        sys.stdout.write(text)
        return
    console.result(result, lambda: [] if output else [table(*_COLUMNS, rows=cells)])


class _Asked(NamedTuple):
    """Mentions with their contexts and languages, "" where there is none; and whether a table holds them."""

    texts: Sequence[str]
    contexts: Sequence[str]
    languages: Sequence[str]
    of_table: bool


def _asked(mentions: Sequence[str], context: str | None, language: str | None) -> _Asked:
    from interlingua.pipelines.texts.tables import is_table, read_columns

    first = Path(mentions[0])
    if len(mentions) > 1 or not is_table(first):
        return _Asked(mentions, [context or ""] * len(mentions), [language or ""] * len(mentions), False)
    if context:
        raise UsageError("--context is for mentions on the command line; a table has a column context")
    found = read_columns(first, ["mention"], optional=["context", "language"])
    texts = found["mention"]
    languages = [each or language or "" for each in found.get("language", [""] * len(texts))]
    return _Asked(texts, found.get("context", [""] * len(texts)), languages, True)


def _rows_of(mention: str, best: Sequence[Candidate], threshold: float) -> list[dict[str, Any]]:
    """Return a row for each candidate, or one that says that there is none."""
    if not best:
        return [{"mention": mention, "id": None, "name": None, "probability": 0.0, "nil": True, "features": {}}]
    nil = best[0].probability < threshold
    return [
        {
            "mention": mention,
            "id": each.entity.id,
            "name": each.entity.name,
            "probability": each.probability,
            "nil": nil,
            "features": dict(each.features),
        }
        for each in best
    ]


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "NIL" if value else ""
    if isinstance(value, float):
        return f"{value:.4f}"
    return "" if value is None else " ".join(str(value).split())


@command(
    reading=options_of(
        "interlingua.pipelines.link.sources:read_wikidata", omit=("path",), commas=("languages", "types")
    )
)
def build(
    console: Output,
    given: frozenset[str],
    reading: dict[str, Any],
    source: str,
    *,
    output: OutputFolder,
    columns: Annotated[Repeated, Parameter("--column", metavar="NAME=MEANT")] = None,
    encoder: EncoderName = None,
) -> None:
    """Index the entities of a table or of a Wikidata dump by their names.

    Parameters
    ----------
    source : str
        A table (.csv .tsv .jsonl .parquet) with columns id, name or name:LANGUAGE, aliases, description, types; or a
        dump of Wikidata: .json .json.gz .json.bz2.
    output : str
        The folder to write.
    columns : str, optional
        A column of the table and what it is, such as QID=id; may be repeated.
    encoder : str
        A model; by default the bundled one.

    Examples
    --------
    ::

        interlingua entities build TABLE.csv --column QID=id -o INDEX
    """
    from interlingua.pipelines.encoders.load import load_encoder
    from interlingua.pipelines.link.entities import EntityIndex

    check_output_folder(output)
    dump = source.endswith(_DUMPS)
    meant = dict(_column(each) for each in columns or ())
    if not dump and not given.isdisjoint(reading):
        raise UsageError("--languages, --types and --limit are for dumps of Wikidata; cut a table before")
    if dump and meant:
        raise UsageError("--column is for tables, but SOURCE is a dump of Wikidata")
    model = load_encoder(encoder)
    with console.working("encoding names"):
        if dump:
            index = EntityIndex.from_wikidata(source, encoder=model, **reading)
        else:
            index = EntityIndex.from_table(source, encoder=model, columns=meant)
    index.save(output)
    console.note(f"{len(index)} entities with {len(index.table.names)} names in {output}")
    console.result({"folder": output, "entities": len(index), "names": len(index.table.names)}, lambda: [])


def _column(text: str) -> tuple[str, str]:
    name, equals, meant = text.rpartition("=")
    if not equals or not name or not meant:
        raise UsageError(f"--column: expected NAME=MEANT, such as QID=id, but got {text!r}")
    return name, meant


@command()
def accept(
    console: Output,
    index: str,
    mention: str,
    entity: Annotated[str, Parameter("ID")],
    *,
    encoder: EncoderName = None,
) -> None:
    """Make a mention one of the names of an entity.

    Parameters
    ----------
    index : str
        A folder of `entities build`.
    mention : str
        In any language.
    entity : str
        The id of the entity.
    encoder : str
        By default that of the folder.

    Examples
    --------
    ::

        interlingua entities accept INDEX MENTION ID
    """
    from interlingua.pipelines.link.entities import EntityIndex

    entities = EntityIndex.load(index, encoder)
    entities.accept(mention, entity)
    console.result({"mention": mention, "id": entity}, lambda: [f"{mention} is {entities.get(entity).name}"])


@command(
    reconciling=options_of(f"{_RECONCILE}.service:Reconciler", only=("threshold", "batch", "view", "identifiers")),
    serving=options_of(f"{_RECONCILE}.server:serve", only=("host", "port", "api", "url")),
)
def serve(
    console: Output,
    reconciling: dict[str, Any],
    serving: dict[str, Any],
    entities: Annotated[str, Parameter("TABLE.csv")],
    *,
    name: str | None = None,
    encoder: EncoderName = None,
) -> None:
    """Serve a table of entities by the Reconciliation API.

    Parameters
    ----------
    entities : str
        A table with a column id, or the folder of a saved index.
    name : str, optional
        Of the service; by default that of the table.
    encoder : str
        By default the bundled one, or that of the folder.

    Examples
    --------
    ::

        interlingua reconcile serve TABLE.csv --port 8000
    """
    from interlingua.pipelines.link.entities import EntityIndex
    from interlingua.pipelines.link.reconcile.server import serve as served
    from interlingua.pipelines.link.reconcile.service import Reconciler

    path = Path(entities)
    with console.working("reading the entities"):
        index = EntityIndex.read(path, encoder)
        index.link(["a first name"])  # so that the first request does not wait for the encoder
    reconciler = Reconciler(index, name=name or path.stem, **reconciling)

    def ready(url: str) -> None:
        console.note(f"{len(index)} entities at {url} (in OpenRefine: Reconcile, Add standard service); Ctrl-C ends")

    served(reconciler, ready=ready, **serving)
