"""The command `search`: passages of a collection, found by questions of any language."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from .arguments import UsageError, check_bounds, require_collection, words_or_lines, written_filter
from .command import ENCODING, EncoderName, Repeated, command, options_of
from .output import Output, shorten, table

if TYPE_CHECKING:
    from interlingua.pipelines.search.search import CrossLingualSearch, SearchHit

_SEARCH = "interlingua.pipelines.search.search:CrossLingualSearch"


@command(
    loading=options_of(f"{_SEARCH}.load", only=("mapped", "text_field", "language_field")),
    searching=options_of(f"{_SEARCH}.search", only=("k", "language", "languages", "balance"), commas=("languages",)),
    encoding=ENCODING,
)
def search(
    console: Output,
    loading: dict[str, Any],
    searching: dict[str, Any],
    encoding: dict[str, Any],
    collection: str,
    questions: Annotated[list[str], Parameter("QUESTION")],
    *,
    encoder: EncoderName = None,
    where: Annotated[Repeated, Parameter(metavar="FILTER")] = None,
) -> None:
    """Search a collection with questions of any language.

    Parameters
    ----------
    collection : str
        The folder of a collection.
    questions : str
        In any language; - for one a line from standard input.
    encoder : str
        By default that of the collection; needed for vectors of another program.
    where : str
        Only passages with this metadata, such as 'year>=2020 and topic in (a, "b c")'; of several, all must hold.

    Examples
    --------
    ::

        interlingua search COLLECTION "QUESTION" --languages sw,zh --where 'year>=2020 and topic in (law, health)'
    """
    from interlingua.pipelines.search.search import CrossLingualSearch

    asked = words_or_lines(questions)
    if not all(question.strip() for question in asked):
        raise UsageError("a question must say something, but one is blank; give what to search for")
    if not asked:
        raise ValueError("standard input holds no question; give one a line")
    condition = written_filter(where)
    require_collection(collection)
    with console.working("loading"):
        loaded = CrossLingualSearch.load(Path(collection), encoder, **loading, **encoding)
    _check_languages(collection, loaded, searching["language"], searching["languages"], console)
    check_bounds(condition, loaded.collection)
    answers = loaded.search(asked, where=condition, **searching)
    found = [
        {"question": question, "hits": [_hit(hit) for hit in hits]}
        for question, hits in zip(asked, answers, strict=True)
    ]
    console.result(found, lambda: [_hits(*each) for each in zip(asked, answers, strict=True)])


def _check_languages(
    collection: str, loaded: CrossLingualSearch, asked_in: str | None, wanted: Sequence[str] | None, console: Output
) -> None:
    """Refuse languages that no text is in, and note where questions are mapped as of no language."""
    from interlingua.pipelines.texts.languages import find_language
    from interlingua.pipelines.texts.passages import UNDETERMINED

    if wanted is not None and not wanted:
        raise UsageError("--languages needs at least one language, such as --languages sw,zh")
    held = loaded.languages
    missing = [each for each in wanted or () if find_language(each, held) is None]
    if missing:
        raise ValueError(
            f"{collection} has no text in {', '.join(map(repr, missing))}; it has: {', '.join(sorted(held))}"
        )
    known = loaded.space.maps if loaded.space is not None else {}
    if asked_in and UNDETERMINED in known and find_language(asked_in, known) is None:
        console.note(f"the collection knows no mean of {asked_in!r}: questions are mapped as 'und'")


def _hit(hit: SearchHit) -> dict[str, Any]:
    return {
        "id": hit.id,
        "language": hit.language,
        "score": round(hit.score, 6),
        "cosine": round(hit.cosine, 6),
        "text": hit.text,
        "metadata": dict(hit.metadata),
        **({} if hit.window is None else {"window": list(hit.window)}),
    }


def _hits(question: str, hits: Sequence[SearchHit]) -> Any:
    rows = [(hit.score, hit.cosine, hit.language, hit.id, shorten(_shown(hit), 90)) for hit in hits]
    return table("score>", "cosine>", "language", "id", "text", rows=rows, title=question)


def _shown(hit: SearchHit) -> str:
    """Return what was found: the best window of a long text; of a row without a text, its metadata."""
    if hit.window is not None:
        start, end = hit.window
        return ("… " if start else "") + hit.text[start:end]
    return hit.text or ", ".join(f"{name}: {value}" for name, value in hit.metadata.items())
