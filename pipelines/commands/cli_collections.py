"""Commands on collections: index build, verify, snapshot, compact and recommend; search."""

import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Collection
from pathlib import Path

from interlingua.index.folder import refuse_foreign
from interlingua.pipelines.texts.languages import find_language
from interlingua.pipelines.texts.lines import input_name, open_lines

from .arguments import UsageError, check_output_folder, require_collection
from .cli_changes import add_change_commands
from .cli_exchange import add_exchange_commands
from .cli_scale import INDEX_KINDS, add_removal_options, add_scale_commands, removal_of
from .cli_sentences import add_encoder_options
from .legacy import Subcommands, add_command, count
from .output import Output, shorten, table


def add_collection_commands(commands: "Subcommands[ArgumentParser]") -> None:
    """Add `index build`, `verify`, `snapshot`, `compact` and `recommend`, what other files add, and `search`."""
    index = commands.add_parser("index", help="build collections that can be searched, and look after them")
    inner = index.add_subparsers(dest="index_command", required=True, metavar="COMMAND")
    build = add_command(inner, "build", _build, "encode, align and index texts")
    build.add_argument(
        "texts",
        metavar="TEXTS.jsonl",
        help='one {"text": ..., "language": ..., "id": ...} a line; - for standard input',
    )
    build.add_argument("--language", metavar="NAME", help="the language of texts that name none")
    add_removal_options(
        build,
        "how to remove language by the texts themselves; default: auto, mean-covariance for languages with as many "
        "texts as the vectors have dimensions, centring for others; lsar and leace need no language of a question",
    )
    build.add_argument("--ranking", default="csls", choices=["csls", "cosine"], help="default: csls")
    build.add_argument(
        "--kind",
        default="flat",
        choices=INDEX_KINDS,
        help="of index (default flat, exact); `interlingua index recommend` chooses one",
    )
    add_encoder_options(build)
    build.add_argument("-o", "--output", required=True, metavar="COLLECTION", help="the folder to write")

    add_change_commands(inner)
    verify = add_command(inner, "verify", _verify, "check every file of a collection, and name what is damaged")
    verify.add_argument("collection", metavar="COLLECTION")
    snapshot = add_command(inner, "snapshot", _snapshot, "copy a collection as it is now, its journal included")
    snapshot.add_argument("collection", metavar="COLLECTION")
    snapshot.add_argument("-o", "--output", required=True, metavar="FOLDER", help="a new folder")
    compact = add_command(inner, "compact", _compact, "save a collection anew: no journal, no removed vectors")
    compact.add_argument("collection", metavar="COLLECTION")
    advise = add_command(inner, "recommend", _recommend, "say which kind of index suits, why, and what memory it takes")
    advise.add_argument("n", metavar="N", type=count, help="vectors when the index is full")
    advise.add_argument("dimension", metavar="DIM", type=count, help="numbers in each")
    advise.add_argument("--memory", type=memory_size, metavar="SIZE", help="it may take, such as 4GB or 512MB")
    advise.add_argument(
        "--recall", type=float, default=0.95, metavar="R", help="share of the true neighbours, 0.5 to 1 (default 0.95)"
    )

    add_exchange_commands(inner)
    add_scale_commands(inner)

    search = add_command(commands, "search", _search, "search a collection with questions of any language")
    search.add_argument("collection", metavar="COLLECTION")
    search.add_argument("questions", nargs="+", metavar="QUESTION", help="- for one a line from standard input")
    search.add_argument("--language", metavar="NAME", help="the questions' language; default: guessed")
    search.add_argument("--languages", metavar="A,B", help="return passages of these languages only")
    search.add_argument("-k", type=count, default=10, help="hits a question (default 10)")
    search.add_argument(
        "--balance", action="store_true", help="bring the best of all languages level, where all hold the answer"
    )
    search.add_argument(
        "--mapped", action="store_true", help="leave the vectors on the disk: less memory, shared by processes"
    )
    add_encoder_options(search)


def memory_size(text: str) -> float:
    """Return the bytes in a size such as 4GB, 512 MB or 1.5GiB.

    Examples
    --------
    >>> memory_size("4GB"), memory_size("1.5 GiB")
    (4000000000.0, 1610612736.0)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(?:([kmgt])(i?)b?|b)?\s*", text, re.IGNORECASE)
    if not match or float(match[1]) <= 0:
        raise ArgumentTypeError(f"expected a size such as 4GB or 512MB, but got {text!r}")
    power = " kmgt".index(match[2].lower()) if match[2] else 0
    return float(match[1]) * float((1024 if match[3] else 1000) ** power)


def _recommend(options: Namespace, output: Output) -> None:
    from dataclasses import asdict

    from interlingua.index import recommend

    found = recommend(options.n, options.dimension, memory_bytes=options.memory, recall=options.recall)
    result = {
        "kind": found.kind,
        "reason": found.reason,
        "memory_bytes": found.memory_bytes,
        "config": asdict(found.config),
    }
    settings = ", ".join(f"{name}={value}" for name, value in found.config.to_json().items())
    rows = [
        ("kind", found.kind),
        ("reason", found.reason),
        ("memory", f"{found.memory_bytes / 1e6:,.0f} MB"),
        ("settings", settings or "none to choose"),
    ]
    output.result(result, lambda: [table("", "", rows=rows)])


def _build(options: Namespace, output: Output) -> None:
    from interlingua.pipelines.encoders.load import load_encoder
    from interlingua.pipelines.search.search import CrossLingualSearch
    from interlingua.pipelines.texts.passages import read_passage_file

    refuse_foreign(Path(options.output))
    check_output_folder(options.output)
    passages = read_passage_file(options.texts, language=options.language)
    if not passages:
        raise ValueError(f"{input_name(options.texts)} holds no text; give one JSON object, or one row, a line")
    space = removal_of(options)
    with output.working("loading the encoder"):
        encoder = load_encoder(options.encoder, device=options.device, cache=not options.no_cache)
    search = CrossLingualSearch.build(
        passages,
        encoder,
        encoder_name=options.encoder or "bundled",
        space=space,
        ranking=options.ranking,
        kind=options.kind,
        seed=options.seed,
        progress=output.progress,
    )
    search.save(options.output)
    languages = search.languages
    result = {
        "collection": options.output,
        "passages": len(search),
        "languages": languages,
        "ranking": search.ranking,
        "method": "none" if search.space is None else search.space.method,
        "encoder": encoder.identity,
    }
    output.result(
        result,
        lambda: [
            table("language", "passages>", rows=languages.items()),
            f"{options.output}: {len(search)} passages, languages mapped by: {result['method']}",
        ],
    )


def _search(options: Namespace, output: Output) -> None:
    from interlingua.pipelines.search.search import CrossLingualSearch
    from interlingua.pipelines.texts.passages import UNDETERMINED

    questions = [question for question in options.questions if question != "-"]
    if "-" in options.questions:
        with open_lines("-") as lines:
            questions += [line for line in lines if line.strip()]
    if not all(question.strip() for question in questions):
        raise UsageError("a question must say something, but one is blank; give what to search for")
    if not questions:
        raise ValueError("standard input holds no question; give one a line")
    require_collection(options.collection)
    with output.working("loading"):
        search = CrossLingualSearch.load(
            Path(options.collection),
            options.encoder,
            device=options.device,
            cache=not options.no_cache,
            mapped=options.mapped,
        )
    languages = _parse_languages(options, search.languages)
    known = search.space.maps if search.space is not None else {}
    if options.language and UNDETERMINED in known and find_language(options.language, known) is None:
        output.note(f"the collection knows no mean of {options.language!r}: questions are mapped as 'und'")
    answers = search.search(
        questions, options.k, language=options.language, languages=languages, balance=options.balance
    )
    result = [
        {
            "question": question,
            "hits": [
                {
                    "id": hit.id,
                    "language": hit.language,
                    "score": round(hit.score, 6),
                    "cosine": round(hit.cosine, 6),
                    "text": hit.text,
                    "metadata": dict(hit.metadata),
                }
                for hit in hits
            ],
        }
        for question, hits in zip(questions, answers, strict=True)
    ]
    output.result(
        result,
        lambda: [
            table(
                "score>",
                "cosine>",
                "language",
                "id",
                "text",
                rows=((hit.score, hit.cosine, hit.language, hit.id, shorten(hit.text, 90)) for hit in hits),
                title=question,
            )
            for question, hits in zip(questions, answers, strict=True)
        ],
    )


def _verify(options: Namespace, output: Output) -> None:
    from dataclasses import asdict

    from interlingua.index import CorruptCollectionError, verify

    require_collection(options.collection)
    found = verify(options.collection)
    if found.problems:
        raise CorruptCollectionError(f"{len(found.problems)} problems: " + "; ".join(found.problems))
    result = {**asdict(found), "path": options.collection}
    text = (
        f"{options.collection} is sound: {found.rows} rows, {found.files} files, {found.changes} changes in the journal"
    )
    output.result(result, lambda: [text])


def _snapshot(options: Namespace, output: Output) -> None:
    from interlingua.index import Collection

    if Path(options.output).exists():
        raise FileExistsError(f"{options.output} is there already; choose a new folder for the snapshot")
    require_collection(options.collection)
    collection = Collection.load(options.collection)
    collection.save(options.output)
    result = {"snapshot": options.output, "rows": len(collection)}
    output.result(result, lambda: [f"{options.output}: {len(collection)} rows"])


def _compact(options: Namespace, output: Output) -> None:
    from interlingua.index import CollectionStore

    require_collection(options.collection)
    with CollectionStore(options.collection) as store:
        store.compact()
        rows = len(store)
    result = {"collection": options.collection, "rows": rows}
    output.result(result, lambda: [f"{options.collection}: {rows} rows, saved anew"])


def _parse_languages(options: Namespace, known: Collection[str]) -> list[str] | None:
    if options.languages is None:
        return None
    wanted = [each.strip() for each in options.languages.split(",") if each.strip()]
    if not wanted:
        raise UsageError("--languages needs at least one language, such as --languages sw,zh")
    missing = [each for each in wanted if find_language(each, known) is None]
    if missing:
        raise ValueError(
            f"{options.collection} has no text in {', '.join(map(repr, missing))}; it has: {', '.join(sorted(known))}"
        )
    return wanted
