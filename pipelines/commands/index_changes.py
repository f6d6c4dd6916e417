"""The commands that change a collection of texts: texts added, words indexed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from .arguments import UsageError, require_collection
from .command import ENCODING, EncoderName, command, options_of
from .output import Output, table

if TYPE_CHECKING:
    from interlingua.pipelines.search.lexical.lexicon import WordLexicon
    from interlingua.pipelines.search.search import CrossLingualSearch
    from interlingua.pipelines.texts.passages import Passage

_READING = options_of("interlingua.pipelines.texts.passages:read_passage_file", only=("language",))
LexiconTable = Annotated[str | None, Parameter(metavar="TABLE")]


@command(reading=_READING, encoding=ENCODING)
def add(
    console: Output,
    reading: dict[str, Any],
    encoding: dict[str, Any],
    collection: str,
    texts: str,
    *,
    encoder: EncoderName = None,
) -> None:
    """Encode more texts into a collection; those with known ids are replaced.

    What was added is on the disk when it returns, and costs what it is, not what the collection is.

    Parameters
    ----------
    collection : str
        The folder of a collection.
    texts : str
        As for `index build`, each with an id; - for standard input.
    encoder : str
        By default that of the collection.

    Examples
    --------
    ::

        interlingua index add COLLECTION MORE.jsonl
    """
    require_collection(collection)
    passages = passages_of(texts, **reading, with_ids=True)
    with _changed(console, collection, encoder, encoding) as search:
        before = len(search)
        search.upsert(passages, progress=console.progress)
    added, languages = len(search) - before, search.languages
    counts = {"added": added, "replaced": len(passages) - added, "passages": len(search)}
    result = {"collection": collection, **counts, "languages": languages}
    told = windows_told(search, result)
    console.result(
        result,
        lambda: [
            table("language", "passages>", rows=languages.items()),
            *told,
            f"{collection}: {added} added, {counts['replaced']} replaced; {len(search)} passages",
        ],
    )


def windows_told(search: CrossLingualSearch, result: dict[str, Any]) -> list[str]:
    """Return the line that says which passages are searched by windows, and put it into the result; [] without any."""
    from interlingua.pipelines.search.windows import long_texts

    if not search.windows:
        return []
    split = long_texts(search.collection)
    result["windows"] = {"passages": split.languages, "rows": split.windows}
    if not split.windows:
        return ["no passage is longer than the encoder reads"]
    spoken = ", ".join(f"{name}: {count}" for name, count in split.languages.items())
    longer = sum(split.languages.values())
    those = ("passage", "is", "it has") if longer == 1 else ("passages", "are", "they have")
    return [
        f"{longer} {those[0]} ({spoken}) {those[1]} longer than the encoder reads: {those[2]} {split.windows} windows"
    ]


@contextmanager
def _changed(
    console: Output, collection: str, encoder: str | None, encoding: dict[str, Any]
) -> Iterator[CrossLingualSearch]:
    """Yield a search whose changes are on the disk at the end: in its journal, or saved whole where it has none."""
    from interlingua.pipelines.search.live import SearchStore
    from interlingua.pipelines.search.search import CrossLingualSearch
    from interlingua.pipelines.stored import changing, holds_plain_rows, is_with_milvus

    with changing(collection):
        if is_with_milvus(collection) or holds_plain_rows(collection):
            with console.working("loading"):
                search = CrossLingualSearch.load(collection, encoder, **encoding)
            yield search
            search.save(collection)
            return
        with console.working("loading"):
            store = SearchStore(collection, encoder, **encoding)
        with store:
            yield store.search


def passages_of(texts: str, **reading: Any) -> list[Passage]:
    """Return the passages of a file or of standard input; ValueError where there is none."""
    from interlingua.pipelines.texts.lines import input_name
    from interlingua.pipelines.texts.passages import read_passage_file

    passages = read_passage_file(texts, **reading)
    if not passages:
        raise ValueError(f"{input_name(texts)} holds no text; give one JSON object, or one row, a line")
    return passages


def lexicon_of(table: str, *, indexed: bool = True) -> WordLexicon:
    """Return the lexicon that a table of texts that say the same teaches."""
    from interlingua.pipelines.search.lexical.lexicon import WordLexicon
    from interlingua.pipelines.texts.parallel import read_parallel_texts

    if not indexed:
        raise UsageError("--lexicon translates words, and with --no-lexical none are indexed; leave one of them out")
    return WordLexicon.learned(read_parallel_texts(table))


@command(encoding=ENCODING)
def words(
    console: Output,
    encoding: dict[str, Any],
    collection: str,
    *,
    lexicon: LexiconTable = None,
    drop: Annotated[bool, Parameter(negative=())] = False,
    encoder: EncoderName = None,
) -> None:
    """Index the words of a collection's texts, so that names and terms are found as they stand in a question.

    `index build` does so by itself. Words that are indexed already are indexed anew.

    Parameters
    ----------
    collection : str
        The folder of a collection.
    lexicon : str, optional
        A table of texts that say the same, such as titles, a column a language: the words of questions are translated.
    drop : bool
        Take the words out of the collection instead.
    encoder : str
        By default that of the collection.

    Examples
    --------
    ::

        interlingua index words COLLECTION
    """
    from interlingua.pipelines.search.lexical.index import LexicalIndex
    from interlingua.pipelines.search.search import CrossLingualSearch
    from interlingua.pipelines.stored import changing, is_with_milvus

    require_collection(collection)
    if drop and lexicon is not None:
        raise UsageError("--drop takes the words out, and --lexicon translates them; leave one of them out")
    if is_with_milvus(collection):
        raise ValueError(f"the rows of {collection} are in Milvus, and words are not indexed there; build it without")
    learned = None if lexicon is None else lexicon_of(lexicon)
    with changing(collection):
        with console.working("loading"):
            search = CrossLingualSearch.load(collection, encoder, **encoding)
        kept = search.words.lexicon if search.words is not None and learned is None else learned
        search.words = None if drop else LexicalIndex(kept)
        search.save(collection)
    result = {"collection": collection, "passages": len(search), "words": not drop}
    said = "no words indexed" if drop else "words indexed"
    if learned is not None:
        result["translated"] = len(learned)
        said += f", {len(learned)} of them translated"
    console.result(result, lambda: [f"{collection}: {len(search)} passages, {said}"])
