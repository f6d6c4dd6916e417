"""The commands `interlingua link` and `interlingua entities`."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arguments import UsageError, check_output_file, check_output_folder
from .legacy import Subcommands, add_command, count
from .output import Output, table

if TYPE_CHECKING:
    from interlingua.pipelines.link.entities import Candidate

_COLUMNS = ("mention", "id", "name", "probability", "nil")


def add_link_commands(commands: Subcommands[ArgumentParser]) -> None:
    """Add `link`, and `entities` with its verbs."""
    link = add_command(commands, "link", _link, "link mentions in any language to the entities of an index")
    link.add_argument("index", metavar="INDEX", help="a folder of `entities build`, or a table of entities")
    link.add_argument("mentions", nargs="+", metavar="MENTIONS", help="a table with a column mention and, optional, "
                      "context and language (.tsv .jsonl .parquet), or mentions themselves")  # fmt: skip
    link.add_argument("--context", metavar="TEXT", help="around the mentions on the command line")
    link.add_argument("--language", metavar="LANGUAGE", help="of mentions that name none")
    link.add_argument("--types", metavar="TYPES", help="only entities of these types, such as city,river")
    link.add_argument("-k", type=count, default=1, metavar="N", help="candidates a mention (default 1)")
    link.add_argument("--threshold", type=_share, metavar="P", help="NIL below this probability (default: the index's)")
    link.add_argument("--unknown", type=_share, metavar="P", help="the share of mentions that mean none of the "
                      "entities, above 0 and below 1 (default: estimated from the mentions)")  # fmt: skip
    link.add_argument("--encoder", metavar="NAME", help="default: the bundled one, or that of the folder")
    link.add_argument("-o", "--output", metavar="FILE", help=f"TSV with columns {', '.join(_COLUMNS)}")
    verbs = commands.add_parser("entities", help="index entities", description="Index entities.").add_subparsers(
        dest="verb", required=True, metavar="VERB"
    )
    build = add_command(verbs, "build", _build, "index the entities of a table or of a Wikidata dump by their names")
    build.add_argument("source", metavar="SOURCE", help=".csv or .tsv with columns id, name or name:LANGUAGE, aliases, "
                       "description, types; or a dump of Wikidata: .json .json.gz .json.bz2")  # fmt: skip
    build.add_argument("-o", "--output", required=True, metavar="FOLDER")
    build.add_argument("--column", action="append", default=[], type=_column, metavar="NAME=MEANT",
                       help="a column of the table and what it is, such as QID=id; may be repeated")  # fmt: skip
    build.add_argument("--languages", metavar="LANGUAGES", help="of Wikidata's names, such as en,de; default: all")
    build.add_argument("--types", metavar="IDS", help="only instances of these in Wikidata, such as Q6256,Q515")
    build.add_argument("--limit", type=count, metavar="N", help="the most entities of Wikidata")
    build.add_argument("--encoder", metavar="NAME", help="default: the bundled one")
    accept = add_command(verbs, "accept", _accept, "make a mention one of the names of an entity")
    accept.add_argument("index", metavar="INDEX", help="a folder of `entities build`")
    accept.add_argument("mention", metavar="MENTION")
    accept.add_argument("id", metavar="ID", help="of the entity")
    accept.add_argument("--encoder", metavar="NAME", help="default: that of the folder")


def _link(options: Namespace, output: Output) -> None:
    from interlingua.pipelines.link.entities import EntityIndex

    if options.output:
        check_output_file(options.output)
    mentions, contexts, languages, from_file = _mentions(options)
    with output.working("reading the entities"):
        index = EntityIndex.read(options.index, options.encoder)
    threshold = index.threshold if options.threshold is None else options.threshold
    types = options.types.split(",") if options.types else None
    found: list[list[Candidate]] = [[] for _ in mentions]
    with output.working("linking"):
        for language in dict.fromkeys(languages):
            rows = [row for row, each in enumerate(languages) if each == language]
            answers = index.link(
                [mentions[row] for row in rows],
                contexts=[contexts[row] for row in rows],
                language=language or None,
                types=types,
                k=options.k,
                unknown=options.unknown,
            )
            for row, answer in zip(rows, answers, strict=True):
                found[row] = answer
    result = [row for mention, best in zip(mentions, found, strict=True) for row in _rows(mention, best, threshold)]
    lines = ["\t".join(_COLUMNS), *("\t".join(_cell(row[name]) for name in _COLUMNS) for row in result)]
    text = "".join(line + "\n" for line in lines)
    if options.output:
        from interlingua.align.files import replacing

        with replacing(options.output, "w") as file:
            file.write(text)
        nil = sum(not best or best[0].probability < threshold for best in found)
        output.note(f"{options.output}: {len(mentions) - nil} of {len(mentions)} mentions linked, {nil} to nothing")
    elif from_file and not output.as_json:
        sys.stdout.write(text)
        return
    shown = (
        [] if options.output else [table(*_COLUMNS, rows=[[_cell(row[name]) for name in _COLUMNS] for row in result])]
    )
    output.result(result, lambda: shown)


def _build(options: Namespace, output: Output) -> None:
    from interlingua.pipelines.encoders.load import load_encoder
    from interlingua.pipelines.link.entities import EntityIndex

    check_output_folder(options.output)
    encoder, named = load_encoder(options.encoder), {"encoder_name": options.encoder or "bundled"}
    dump = options.source.endswith((".json", ".json.gz", ".json.bz2"))
    if not dump and (options.languages or options.types or options.limit):
        raise UsageError("--languages, --types and --limit are for dumps of Wikidata; cut a table before")
    if dump and options.column:
        raise UsageError("--column is for tables, but SOURCE is a dump of Wikidata")
    with output.working("encoding names"):
        if dump:
            languages, types = (each.split(",") if each else None for each in (options.languages, options.types))
            chosen: dict[str, Any] = {"languages": languages, "types": types, "limit": options.limit}
            index = EntityIndex.from_wikidata(options.source, encoder=encoder, **chosen, **named)
        else:
            index = EntityIndex.from_table(options.source, encoder=encoder, columns=dict(options.column), **named)
    index.save(options.output)
    output.note(f"{len(index)} entities with {len(index.table.names)} names in {options.output}")
    output.result({"folder": options.output, "entities": len(index), "names": len(index.table.names)}, lambda: [])


def _accept(options: Namespace, output: Output) -> None:
    from interlingua.pipelines.link.entities import EntityIndex

    index = EntityIndex.load(options.index, options.encoder)
    index.accept(options.mention, options.id)
    output.result(
        {"mention": options.mention, "id": options.id}, lambda: [f"{options.mention} is {index.get(options.id).name}"]
    )


def _mentions(options: Namespace) -> tuple[list[str], list[str], list[str], bool]:
    from interlingua.pipelines.texts.tables import is_table, read_columns

    first = Path(options.mentions[0])
    if len(options.mentions) == 1 and is_table(first):
        if options.context:
            raise UsageError("--context is for mentions on the command line; a table has a column context")
        found = read_columns(first, ["mention"], optional=["context", "language"])
        texts = found["mention"]
        languages = [each or options.language or "" for each in found.get("language", [""] * len(texts))]
        return texts, found.get("context", [""] * len(texts)), languages, True
    texts = list(options.mentions)
    return texts, [options.context or ""] * len(texts), [options.language or ""] * len(texts), False


def _rows(mention: str, best: list[Candidate], threshold: float) -> list[dict[str, Any]]:
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


def _column(text: str) -> tuple[str, str]:
    name, equals, meant = text.rpartition("=")
    if not equals or not name or not meant:
        raise ArgumentTypeError(f"expected NAME=MEANT, such as QID=id, but got {text!r}")
    return name, meant


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise ArgumentTypeError(f"expected a probability from 0 to 1, but got {text!r}")
    return value
