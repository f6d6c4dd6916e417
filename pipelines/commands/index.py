"""The commands `index ...`: collections that can be searched, made, changed, planned and looked after."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from .arguments import (
    UsageError,
    check_collection_folder,
    check_output_folder,
    require_collection,
    words_or_lines,
)
from .command import ENCODING, EncoderName, OutputFolder, SpaceFile, command, options_of, parsed_by
from .index_changes import LexiconTable, lexicon_of, passages_of, windows_told
from .output import Output, table

if TYPE_CHECKING:
    from interlingua.pipelines.search.watch import RecallWatch

_CAPACITY = "interlingua.pipelines.search.capacity"
_READING = options_of("interlingua.pipelines.texts.passages:read_passage_file", only=("language",))


def memory_size(text: str) -> float:
    """Return the bytes in a size such as 4GB, 512 MB or 1.5GiB.

    Examples
    --------
    >>> memory_size("4GB"), memory_size("1.5 GiB")
    (4000000000.0, 1610612736.0)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(?:([kmgt])(i?)b?|b)?\s*", text, re.IGNORECASE)
    if not match or float(match[1]) <= 0:
        raise ValueError(f"expected a size such as 4GB or 512MB, but got {text!r}")
    power = " kmgt".index(match[2].lower()) if match[2] else 0
    return float(match[1]) * float((1024 if match[3] else 1000) ** power)


def large_number(text: str) -> int:
    """Return a whole number, which may be written as 1e9.

    Examples
    --------
    >>> large_number("1e9"), large_number("1000000")
    (1000000000, 1000000)
    """
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value <= 1e15 or value != int(value):
        raise ValueError(f"expected a whole number such as 1000000 or 1e9, but got {text!r}")
    return int(value)


@command(
    exclusive=[("saved", "space")],
    reading=_READING,
    building=options_of(
        "interlingua.pipelines.search.search:CrossLingualSearch.build",
        only=("space", "ranking", "kind", "windows", "lexical", "seed", "progress"),
        space="--method",
        lexical="--no-lexical",
    ),
    encoding=ENCODING,
)
def build(
    console: Output,
    reading: dict[str, Any],
    building: dict[str, Any],
    encoding: dict[str, Any],
    texts: str,
    *,
    output: OutputFolder,
    saved: Annotated[SpaceFile, Parameter("--space")] = None,
    encoder: EncoderName = None,
    lexicon: LexiconTable = None,
    milvus: Annotated[str | None, Parameter(metavar="ADDRESS")] = None,
    asked: Annotated[str | None, Parameter("--questions", metavar="FILE")] = None,
) -> None:
    """Encode, align and index texts.

    Parameters
    ----------
    texts : str
        One {"text": ..., "language": ..., "id": ...} a line, or a table with these columns; - for standard input.
    output : str
        The folder to write.
    saved : str, optional
        Map by a saved space.
    encoder : str
        A sentence-transformers model, a folder, or a file of word vectors; by default the bundled one.
    lexicon : str, optional
        A table of texts that say the same, such as titles, a column a language: the words of questions are translated.
    milvus : str, optional
        Keep the rows in Milvus: a file FILE.db or http://HOST:19530, in a new collection called like the folder.
    asked : str, optional
        Questions like those that will be asked, 30 or more, one a line: they tell where questions lie.

    Examples
    --------
    ::

        interlingua index build TEXTS.jsonl -o COLLECTION
    """
    from interlingua.align import SharedSpace
    from interlingua.pipelines.encoders.load import load_encoder
    from interlingua.pipelines.search.search import CrossLingualSearch

    from .search import learn_from

    check_collection_folder(output)
    passages = passages_of(texts, **reading)
    if saved:
        building["space"] = SharedSpace.load(saved)
    if lexicon is not None:
        building["lexicon"] = lexicon_of(lexicon, indexed=building["lexical"])
    with console.working("loading the encoder"):
        model = load_encoder(encoder, **encoding)
    if milvus is not None:
        local = milvus.endswith(".db") and "://" not in milvus
        uri = str(Path(milvus).absolute()) if local else milvus
        building["milvus"] = {"uri": uri, "collection": re.sub(r"\W|^(?=\d)", "_", Path(output).name, flags=re.ASCII)}
    search = CrossLingualSearch.build(passages, model, **building)
    if asked is not None:
        learn_from(search, asked, None, console)
    search.save(output)
    languages = search.languages
    result = {
        "collection": output,
        "passages": len(search),
        "languages": languages,
        "ranking": search.ranking,
        "method": "none" if search.space is None else search.space.method,
        "encoder": model.identity,
    }
    told = windows_told(search, result)
    console.result(
        result,
        lambda: [
            table("language", "passages>", rows=languages.items()),
            *told,
            f"{output}: {len(search)} passages, languages mapped by: {result['method']}",
        ],
    )


@command()
def remove(console: Output, collection: str, ids: Annotated[list[str], Parameter("ID")]) -> None:
    """Take rows out of a collection; on the disk when it returns.

    Parameters
    ----------
    collection : str
        The folder of a collection.
    ids : str
        Of the rows; - for one a line from standard input.

    Examples
    --------
    ::

        interlingua index remove COLLECTION ID ID
    """
    require_collection(collection)
    gone = words_or_lines(ids)
    if not gone:
        raise ValueError("standard input holds no id; give one a line")
    if len(set(gone)) < len(gone):
        raise UsageError("an id is named twice; name each once")
    gone, left = _removed(collection, gone)
    result = {"collection": collection, "removed": len(gone), "rows": left}
    console.result(result, lambda: [f"{collection}: {len(gone)} removed; {left} rows"])


def _removed(collection: str, ids: list[str]) -> tuple[list[str], int]:
    """Take rows out, with the further windows of a passage, and return the ids that were asked for and what is left."""
    from interlingua.index import CollectionStore
    from interlingua.pipelines.search.windows import further_windows
    from interlingua.pipelines.stored import is_with_milvus, open_collection

    if is_with_milvus(collection):
        kept = open_collection(collection)
        kept.remove([*ids, *further_windows(kept, ids)])
        return ids, len(kept)
    with CollectionStore(collection) as store:
        store.remove([*ids, *further_windows(store.collection, ids)])
        return ids, len(store)


@command(
    exclusive=[("saved", "space")],
    building=options_of(
        "interlingua.pipelines.search.shards:build_index",
        only=("space", "language", "ranking", "kind", "shards", "resume", "device", "cache", "seed"),
        space="--method",
        cache="--no-cache",
    ),
    running=options_of("interlingua.pipelines.search.runners:RayRunner", only=("cpus",)),
)
def build_shards(
    console: Output,
    building: dict[str, Any],
    running: dict[str, Any],
    inputs: Annotated[list[str], Parameter("FILE")],
    *,
    output: OutputFolder,
    saved: Annotated[SpaceFile, Parameter("--space")] = None,
    ray: Annotated[list[str] | None, Parameter(consume_multiple=(0, 1), metavar="ADDRESS")] = None,
    encoder: EncoderName = None,
) -> None:
    """Encode, align and index many files, shard by shard; on Ray with --ray.

    Parameters
    ----------
    inputs : str
        Texts (.jsonl, .tsv, .txt, .parquet) or vectors (.npy).
    output : str
        The folder to write.
    saved : str, optional
        Map by a saved space.
    ray : str, optional
        Run on Ray, on this machine or at an address; by default without it.
    encoder : str
        A sentence-transformers model, a folder, or a file of word vectors; by default the bundled one.

    Examples
    --------
    ::

        interlingua index build-shards A.jsonl B.jsonl -o COLLECTION
    """
    from interlingua.align import SharedSpace
    from interlingua.pipelines.search.runners import LocalRunner, RayRunner
    from interlingua.pipelines.search.shards import build_index

    check_output_folder(output)
    if saved:
        building["space"] = SharedSpace.load(saved)
    report = build_index(
        inputs,
        output,
        encoder_name=encoder,
        runner=LocalRunner() if ray is None else RayRunner(*ray, **running),
        callback=lambda stage, done, total: console.note(f"{stage}: {done} of {total} shards"),
        **building,
    )
    result = {"collection": output, **asdict(report)}
    text = f"{output}: {report.records} records from {report.shards} shards"
    if building["resume"]:
        text += f"; this run encoded {report.encoded} and filled {report.filled} of them"
    console.result(result, lambda: [text])


@command(
    planning=options_of(f"{_CAPACITY}:capacity_plan", only=("dimension",), dimension="--dim"),
    assuming=options_of(f"{_CAPACITY}:Assumptions", only=("cores",)),
)
def plan(
    console: Output,
    planning: dict[str, Any],
    assuming: dict[str, Any],
    n: Annotated[list[int], Parameter("N"), parsed_by(large_number, several=True)],
) -> None:
    """Say what so many vectors need: memory, disk, hours, and which engine.

    Parameters
    ----------
    n : int
        Vectors, such as 1e9.

    Examples
    --------
    ::

        interlingua index plan 1e6 1e9 --dim 384
    """
    from interlingua.pipelines.search.capacity import Assumptions, capacity_plan

    plans = [capacity_plan(each, assumptions=Assumptions(**assuming), **planning) for each in n]
    columns = ("vectors>", "engine", "kind", "memory GB>", "disk GB>", "encode h>", "build h>", "ms a query>")
    rows = [
        (f"{each.n:,}", each.engine, each.kind, each.memory_gb, each.disk_gb, each.encode_hours, each.build_hours,
         each.query_ms)
        for each in plans
    ]  # fmt: skip
    console.result([asdict(each) for each in plans], lambda: [table(*columns, rows=rows)])


@command(advising=options_of("interlingua.index.engines.choose:recommend", only=("recall",)))
def recommend(
    console: Output,
    advising: dict[str, Any],
    n: int,
    dimension: Annotated[int, Parameter("DIM")],
    *,
    memory: Annotated[float | None, parsed_by(memory_size), Parameter(metavar="SIZE")] = None,
) -> None:
    """Say which kind of index suits, why, and what memory it takes.

    Parameters
    ----------
    n : int
        Vectors when the index is full.
    dimension : int
        Numbers in each.
    memory : float, optional
        It may take, such as 4GB or 512MB.

    Examples
    --------
    ::

        interlingua index recommend 1000000 384 --memory 4GB
    """
    from interlingua.index import recommend as recommended

    found = recommended(n, dimension, memory_bytes=memory, **advising)
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
    console.result(result, lambda: [table("", "", rows=rows)])


@command(watching=options_of("interlingua.pipelines.search.watch:watch_recall", only=("k", "sample", "least", "seed")))
def verify(
    console: Output,
    watching: dict[str, Any],
    collection: str,
    *,
    recall: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Check every file of a collection, and name what is damaged.

    With --recall, also how many of its nearest rows a graph or lists find, beside exact search; an error if that is
    less than --least.

    Parameters
    ----------
    collection : str
        The folder of a collection.
    recall : bool
        Ask a sample of the rows for their nearest, by the index and by exact search.

    Examples
    --------
    ::

        interlingua index verify COLLECTION --recall --least 0.95
    """
    from interlingua.index import CorruptCollectionError
    from interlingua.index import verify as verified

    require_collection(collection)
    least = watching["least"]
    if least is not None and not recall:
        raise UsageError("--least is of the recall that --recall measures; give both")
    found = verified(collection)
    if found.problems:
        raise CorruptCollectionError(f"{len(found.problems)} problems: " + "; ".join(found.problems))
    text = f"{collection} is sound: {found.rows} rows, {found.files} files, {found.changes} changes in the journal"
    result, lines = {**asdict(found), "path": collection}, [text]
    if recall:
        from interlingua.pipelines.search.watch import watch_recall

        with console.working("searching"):
            watched = watch_recall(collection, **watching)
        if least is not None and watched.recall < least:
            raise ValueError("; ".join(_recall_told(watched, least)))
        result["recall"] = asdict(watched)
        lines += _recall_told(watched, least)
    console.result(result, lambda: lines)


def _recall_told(watched: RecallWatch, least: float | None) -> list[str]:
    """Return the recall that was measured, and what to do where it is less than wanted."""
    if watched.exact:
        return [f"recall: {watched.kind} compares every row and misses none"]
    said = f"recall: {watched.kind} finds {watched.recall:.3f} ({watched.low:.3f} to {watched.high:.3f}) of the "
    said += f"{watched.k} nearest, asked by {watched.asked} of {watched.rows} rows"
    if watched.parameter:
        said += f", at {watched.parameter} {watched.effort}"
    wanted = least or 0.95
    if watched.recall >= wanted:
        return [said]
    if not watched.parameter:
        return [said, f"less than {wanted:g}: raise its ef or nprobe in Milvus, or take another index type"]
    reached = next((each for each in watched.tried if each[1] >= wanted), None)
    if reached is None:
        tried = "".join(f" {value} finds {share:.3f};" for value, share in watched.tried)
        return [
            said,
            f"less than {wanted:g}, and effort does not mend it:{tried} build it anew, as flat or a larger graph",
        ]
    value, share = reached
    return [said, f"less than {wanted:g}: {watched.parameter} {value} finds {share:.3f}; set it as docs/index.md says"]


@command()
def snapshot(console: Output, collection: str, *, output: OutputFolder) -> None:
    """Copy a collection as it is now, its journal included.

    Parameters
    ----------
    collection : str
        The folder of a collection.
    output : str
        A new folder.

    Examples
    --------
    ::

        interlingua index snapshot COLLECTION -o COPY
    """
    from interlingua.index import Collection

    if Path(output).exists():
        raise FileExistsError(f"{output} is there already; choose a new folder for the snapshot")
    require_collection(collection)
    loaded = Collection.load(collection)
    loaded.save(output)
    console.result({"snapshot": output, "rows": len(loaded)}, lambda: [f"{output}: {len(loaded)} rows"])


@command()
def restore(console: Output, snapshot: str, *, output: OutputFolder) -> None:
    """Write what a snapshot holds to a new place, once it is verified.

    Parameters
    ----------
    snapshot : str
        A folder of `index snapshot`.
    output : str
        A new folder.

    Examples
    --------
    ::

        interlingua index restore COPY -o COLLECTION
    """
    from interlingua.index import Collection
    from interlingua.index import restore as restored

    require_collection(snapshot)
    restored(snapshot, output)
    rows = len(Collection.load(output))
    console.result({"collection": output, "rows": rows}, lambda: [f"{output}: {rows} rows"])


@command()
def compact(console: Output, collection: str) -> None:
    """Save a collection anew: no journal, no removed vectors.

    Parameters
    ----------
    collection : str
        The folder of a collection.

    Examples
    --------
    ::

        interlingua index compact COLLECTION
    """
    from interlingua.index import CollectionStore

    require_collection(collection)
    with CollectionStore(collection) as store:
        store.compact()
        rows = len(store)
    console.result({"collection": collection, "rows": rows}, lambda: [f"{collection}: {rows} rows, saved anew"])
