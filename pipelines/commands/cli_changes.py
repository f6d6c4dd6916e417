"""Commands that change a collection of texts: index add, index remove."""

from argparse import ArgumentParser, Namespace

from interlingua.pipelines.texts.lines import input_name, open_lines

from .arguments import UsageError, require_collection
from .cli_sentences import add_encoder_options
from .legacy import Subcommands, add_command
from .output import Output, table


def add_change_commands(index: "Subcommands[ArgumentParser]") -> None:
    """Add `index add` and `index remove`."""
    add = add_command(index, "add", _add, "encode more texts into a collection; those with known ids are replaced")
    add.add_argument("collection", metavar="COLLECTION")
    add.add_argument("texts", metavar="TEXTS.jsonl", help="as for `index build`, each with an id; - for standard input")
    add.add_argument("--language", metavar="NAME", help="the language of texts that name none")
    add_encoder_options(add)

    remove = add_command(index, "remove", _remove, "take rows out of a collection; on the disk when it returns")
    remove.add_argument("collection", metavar="COLLECTION")
    remove.add_argument("ids", nargs="+", metavar="ID", help="- for one a line from standard input")


def _add(options: Namespace, output: Output) -> None:
    from interlingua.pipelines.search.search import CrossLingualSearch
    from interlingua.pipelines.stored import changing
    from interlingua.pipelines.texts.passages import read_passage_file

    require_collection(options.collection)
    passages = read_passage_file(options.texts, language=options.language, with_ids=True)
    if not passages:
        raise ValueError(f"{input_name(options.texts)} holds no text; give one JSON object, or one row, a line")
    with changing(options.collection):
        with output.working("loading"):
            search = CrossLingualSearch.load(
                options.collection, options.encoder, device=options.device, cache=not options.no_cache
            )
        before = len(search)
        search.upsert(passages, progress=output.progress)
        search.save(options.collection)
    added, languages = len(search) - before, search.languages
    counts = {"added": added, "replaced": len(passages) - added, "passages": len(search)}
    output.result(
        {"collection": options.collection, **counts, "languages": languages},
        lambda: [
            table("language", "passages>", rows=languages.items()),
            f"{options.collection}: {added} added, {counts['replaced']} replaced; {len(search)} passages",
        ],
    )


def _remove(options: Namespace, output: Output) -> None:
    from interlingua.index import CollectionStore

    require_collection(options.collection)
    ids = [id for id in options.ids if id != "-"]
    if "-" in options.ids:
        with open_lines("-") as lines:
            ids += [line for line in lines if line.strip()]
    if not ids:
        raise ValueError("standard input holds no id; give one a line")
    if len(set(ids)) < len(ids):
        raise UsageError("an id is named twice; name each once")
    with CollectionStore(options.collection) as store:
        store.remove(ids)
        left = len(store)
    result = {"collection": options.collection, "removed": len(ids), "rows": left}
    output.result(result, lambda: [f"{options.collection}: {len(ids)} removed; {left} rows"])
