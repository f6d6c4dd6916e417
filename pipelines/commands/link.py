"""The commands `link`, `entities ...` and `reconcile serve`: mentions in any language, and the entities they mean."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from cyclopts import Parameter

from .arguments import UsageError, check_output_file, check_output_folder
from .command import EncoderName, OutputFolder, Repeated, command, options_of
from .output import Output, table

if TYPE_CHECKING:
    from interlingua.pipelines.link.entities import Candidate

_COLUMNS = ("mention", "id", "name", "probability", "nil", "row")
_ASKED = ("mention", "context", "language")
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
    columns: Annotated[Repeated, Parameter("--column", metavar="NAME[=MEANT]")] = None,
    context: str | None = None,
    language: str | None = None,
    threshold: float | None = None,
    doubtful_first: bool = False,
    encoder: EncoderName = None,
) -> None:
    """Link mentions in any language to the entities of an index.

    Parameters
    ----------
    index : str
        A folder of `entities build`, or a table of entities.
    mentions : str
        A table with a column mention and, optional, context and language (.csv .tsv .jsonl .parquet); or mentions.
    output : str, optional
        TSV with columns mention, id, name, probability, nil, row, and the other columns of the table.
    columns : str, optional
        The column of the mentions, or a column of the table and what it is, such as text=context; may be repeated.
    context : str, optional
        Around the mentions on the command line.
    language : str, optional
        Of mentions that name none.
    threshold : float, from 0 to 1, optional
        NIL below this probability; by default the index's.
    doubtful_first : bool
        Those first that are nearest to the threshold, to be looked at.
    encoder : str
        By default the bundled one, or that of the folder.

    Examples
    --------
    ::

        interlingua link INDEX MENTIONS.csv --column city --doubtful-first -o LINKS.tsv
    """
    from interlingua.pipelines.link.entities import EntityIndex

    if output:
        check_output_file(output)
    asked = _asked(mentions, context, language, columns or ())
    with console.working("reading the entities"):
        entities = EntityIndex.read(index, encoder)
    shown, linking["k"] = linking["k"], max(2, linking["k"])  # a second one tells whether the first is a namesake
    with console.working("linking"):
        found = entities.link(
            asked.texts, contexts=asked.contexts, language=[each or None for each in asked.languages], **linking
        )
    nil = [not entities.links(best, threshold) for best in found]
    order = list(range(len(found)))
    if doubtful_first:
        level = entities.threshold if threshold is None else threshold
        order.sort(key=lambda row: abs((found[row][0].probability if found[row] else 0.0) - level))
    result = [each for row in order for each in _rows_of(asked, row, found[row][:shown], nil[row])]
    cells = [
        [_cell(row[name]) for name in _COLUMNS] + [_cell(each) for each in row["columns"].values()] for row in result
    ]
    names = (*_COLUMNS, *asked.others)
    text = "".join("\t".join(row) + "\n" for row in (names, *cells))
    if output:
        from interlingua.align.files import replacing

        with replacing(output, "w") as file:
            file.write(text)
        console.note(f"{output}: {len(nil) - sum(nil)} of {len(nil)} mentions linked, {sum(nil)} to nothing")
    if any(nil):
        console.note(_HELP.format(index=index))
    if asked.others is not _NO_TABLE and not output and not console.as_json:
        sys.stdout.write(text)
        return
    console.result(result, lambda: [] if output else [table(*_COLUMNS[:-1], rows=[row[:5] for row in cells])])


class _Asked(NamedTuple):
    """Mentions with their contexts and languages, "" where there is none, and the other columns of their table."""

    texts: Sequence[str]
    contexts: Sequence[str]
    languages: Sequence[str]
    others: Mapping[str, Sequence[object]]


_NO_TABLE: Mapping[str, Sequence[object]] = {}
_HELP = (
    "What is linked to nothing may still be there: a context tells more, --unknown SHARE how many mean nothing, and "
    "after `interlingua entities accept {index} MENTION ID` a name is known"
)


def _asked(mentions: Sequence[str], context: str | None, language: str | None, columns: Sequence[str]) -> _Asked:
    from interlingua.pipelines.texts.tables import is_table, open_table

    first = Path(mentions[0])
    if len(mentions) > 1 or not (is_table(first) or first.is_file()):
        if columns:
            raise UsageError("--column is for tables; the mentions are on the command line")
        return _Asked(mentions, [context or ""] * len(mentions), [language or ""] * len(mentions), _NO_TABLE)
    if context:
        raise UsageError("--context is for mentions on the command line; a table has a column context")
    meant = dict(_column(each) if "=" in each else (each, "mention") for each in columns)
    wrong = [each for each in meant.values() if each not in _ASKED]
    if wrong or len(set(meant.values())) < len(meant):
        raise UsageError(f"--column: a column is {', '.join(_ASKED)}, each once, but got {', '.join(columns)}")
    read = open_table(first)
    absent = [name for name in meant if name not in read.columns]
    names = {meant.get(name, name if name not in meant.values() else ""): name for name in read.columns}
    if absent or "mention" not in names:
        lacking, there = (absent or ["mention"])[0], ", ".join(read.columns) or "none"
        raise ValueError(f"{read.name} has no column {lacking!r}; it has: {there}; --column NAME names the mentions")
    rows = list(read.texts(read.columns))
    if not rows:
        raise ValueError(f"{read.name} holds no rows; expected at least one")
    held = dict(zip(read.columns, map(list, zip(*rows, strict=True)), strict=True))
    texts = held[names["mention"]]
    contexts, languages = (held.get(names.get(each, ""), [""] * len(texts)) for each in _ASKED[1:])
    others = {name: values for name, values in held.items() if name != names["mention"]}
    return _Asked(texts, contexts, [each or language or "" for each in languages], others)


def _rows_of(asked: _Asked, number: int, best: Sequence[Candidate], nil: bool) -> list[dict[str, Any]]:
    """Return a row for each candidate of a mention, or one that says that there is none."""
    about = {"row": number + 1, "columns": {name: values[number] for name, values in asked.others.items()}}
    mention = asked.texts[number]
    if not best:
        none: dict[str, Any] = {"id": None, "name": None, "probability": 0.0, "nil": True, "features": {}}
        return [{"mention": mention, **none, **about}]
    return [
        {
            "mention": mention,
            "id": each.entity.id,
            "name": each.entity.name,
            "probability": each.probability,
            "nil": nil,
            "features": dict(each.features),
            **about,
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
    columns: Annotated[Repeated, Parameter("--column", metavar="NAME=MEANT")] = None,
    name: str | None = None,
    encoder: EncoderName = None,
) -> None:
    """Serve a table of entities by the Reconciliation API; it is read once, changes need a new start.

    Parameters
    ----------
    entities : str
        A table with a column id, or the folder of a saved index.
    columns : str, optional
        A column of the table and what it is, such as QID=id; may be repeated.
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
    meant = dict(_column(each) for each in columns or ())
    if meant and path.is_dir():
        raise UsageError("--column is for tables, but a folder of a saved index is served")
    with console.working("reading the entities"):
        index = EntityIndex.read(path, encoder, **({"columns": meant} if meant else {}))
        index.link(["a first name"])  # so that the first request does not wait for the encoder
    reconciler = Reconciler(index, name=name or path.stem, **reconciling)

    def ready(url: str) -> None:
        console.note(f"{len(index)} entities at {url} (in OpenRefine: Reconcile, Add standard service); Ctrl-C ends")
        console.note(f"Later changes of {path} are not seen; end and start again for them")

    served(reconciler, ready=ready, **serving)
