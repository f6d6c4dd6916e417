"""Commands that bring collections in and out: index export, import and restore."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from .arguments import UsageError, check_output_file, check_output_folder, require_collection
from .legacy import Subcommands, add_command
from .output import Output


def add_exchange_commands(index: "Subcommands[ArgumentParser]") -> None:
    """Add `index export`, `index import` and `index restore`."""
    export = add_command(index, "export", _export, "write a collection into a Parquet file, for other programs as well")
    export.add_argument("collection", metavar="COLLECTION")
    export.add_argument("file", metavar="OUT.parquet")
    export.add_argument(
        "--where", action="append", default=[], metavar="FIELD=VALUE", help="only rows with this value; may be repeated"
    )
    _add_columns(export, "call the column of %s so")

    bring = add_command(index, "import", _import, "make a collection of a Parquet file: id, vector, other columns")
    bring.add_argument("file", metavar="FILE.parquet")
    _add_columns(bring, "the column of %s")
    bring.add_argument("--columns", metavar="A,B", help="keep these columns as metadata; default: all the others")
    bring.add_argument("--metric", choices=["cosine", "ip", "l2"], help="default: what the file notes, else cosine")
    bring.add_argument("--kind", metavar="KIND", help="of the index; default: what the file notes, else flat (exact)")
    bring.add_argument("-o", "--output", required=True, metavar="COLLECTION", help="the folder to write")

    restore = add_command(index, "restore", _restore, "write what a snapshot holds to a new place, once it is verified")
    restore.add_argument("snapshot", metavar="SNAPSHOT")
    restore.add_argument("-o", "--output", required=True, metavar="COLLECTION", help="a new folder")


def _add_columns(parser: ArgumentParser, text: str) -> None:
    parser.add_argument("--id", metavar="COLUMN", help=f"{text % 'ids'} (default: id)")
    parser.add_argument("--vector", metavar="COLUMN", help=f"{text % 'vectors'} (default: vector)")


def _export(options: Namespace, output: Output) -> None:
    from interlingua.index import Collection

    require_collection(options.collection)
    check_output_file(options.file)
    collection = Collection.load(options.collection)
    where: dict[str, Any] = {}
    for each in options.where:
        field, equals, value = each.partition("=")
        if not equals or not field:
            raise UsageError(f"--where takes FIELD=VALUE, such as --where language=sw, but got {each!r}")
        where.setdefault(field, []).extend(_readings(value))
    rows = collection.to_parquet(options.file, where=where, id=options.id or "id", vector=options.vector or "vector")
    result = {"file": options.file, "rows": rows, "dimension": collection.dimension, "metric": str(collection.metric)}
    output.result(result, lambda: [f"{options.file}: {rows} rows"])


def _import(options: Namespace, output: Output) -> None:
    from interlingua.index import Collection
    from interlingua.index.folder import refuse_foreign

    refuse_foreign(Path(options.output))
    check_output_folder(options.output)
    columns = None if options.columns is None else [each.strip() for each in options.columns.split(",") if each.strip()]
    with output.working("reading"):
        collection = Collection.from_parquet(
            options.file,
            id=options.id,
            vector=options.vector,
            columns=columns,
            metric=options.metric,
            kind=options.kind,
        )
        collection.save(options.output)
    facts = collection.info
    result = {"collection": options.output, **{key: facts[key] for key in ("count", "dimension", "metric", "kind")}}
    result["fields"] = facts["fields"]
    output.result(result, lambda: [f"{options.output}: {len(collection)} rows, fields: {', '.join(facts['fields'])}"])


def _restore(options: Namespace, output: Output) -> None:
    from interlingua.index import Collection, restore

    require_collection(options.snapshot)
    restore(options.snapshot, options.output)
    rows = len(Collection.load(options.output))
    output.result({"collection": options.output, "rows": rows}, lambda: [f"{options.output}: {rows} rows"])


def _readings(text: str) -> list[Any]:
    """Return what a value on the command line may mean: the text, and a number or truth value that is written so."""
    readings: list[Any] = [text]
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        if abs(number) < float("inf"):
            readings.append(number)
    words: dict[str, Any] = {"true": True, "false": False, "null": None}
    return [*readings, words[text]] if text in words else readings
