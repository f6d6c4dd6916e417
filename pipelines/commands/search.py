"""The command `search`: passages of a collection, found by questions of any language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from .arguments import UsageError, check_bounds, require_searchable, words_or_lines, written_filter
from .command import ENCODING, EncoderName, Repeated, command, options_of, parsed_by
from .output import Output, shorten, table

if TYPE_CHECKING:
    from interlingua.pipelines.search.finding import SearchHit
    from interlingua.pipelines.search.search import CrossLingualSearch

_SEARCH = "interlingua.pipelines.search.search:CrossLingualSearch"


def preference(text: str) -> float:
    """Return a preference from 0 to 1, which may be written as own, balanced or blind.

    Examples
    --------
    >>> preference("own"), preference("0.7")
    (0.0, 0.7)
    """
    from interlingua.pipelines.search.preference import as_preference

    try:
        return as_preference(text)
    except ValueError:
        raise ValueError(f"expected own, balanced, blind or a number from 0 to 1, but got {text!r}") from None


@command(
    exclusive=[("prefer", "balance"), ("rerank", "reranker")],
    loading=options_of(f"{_SEARCH}.load", only=("mapped", "text_field", "language_field")),
    searching=options_of(
        f"{_SEARCH}.search",
        only=("k", "language", "languages", "balance", "least", "hybrid"),
        commas=("languages",),
    ),
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
    bridge: Annotated[str | None, Parameter(metavar="BRIDGE|minilm")] = None,
    where: Annotated[Repeated, Parameter(metavar="FILTER")] = None,
    prefer: Annotated[float | None, parsed_by(preference), Parameter(metavar="own|balanced|blind|0..1")] = None,
    asked: Annotated[str | None, Parameter("--questions", metavar="FILE")] = None,
    rerank: bool = False,
    reranker: Annotated[str | None, Parameter(metavar="MODEL")] = None,
) -> None:
    """Search a collection with questions of any language.

    Parameters
    ----------
    collection : str
        The folder of a collection, or another program's store: a FAISS file, Chroma, LanceDB, Qdrant, sqlite-vec, ...
    questions : str
        In any language; - for one a line from standard input.
    encoder : str
        By default that of the collection; needed for vectors of another program.
    bridge : str, optional
        Ask through a bridge of `bridge fit`, in languages that the collection's encoder does not know; "minilm" comes
        along, for vectors of all-MiniLM-L6-v2.
    where : str
        Only passages with this metadata, such as 'year>=2020 and topic in (a, "b c")'; of several, all must hold.
    prefer : float, optional
        How much passages in the question's own language come first: own (0), balanced (0.5), blind (1), or between.
    asked : str, optional
        Questions like those that are asked, 30 or more, one a line: they tell where questions lie.
    rerank : bool
        Rank the best 50 anew by the vectors of their tokens; takes as long as encoding 50 passages.
    reranker : str, optional
        Rank the best 50 anew by a cross-encoder: a folder, or the name of a model; needs the extra torch.

    Examples
    --------
    ::

        interlingua search COLLECTION "QUESTION" --languages sw,zh --where 'year>=2020 and topic in (law, health)'
    """
    from interlingua.pipelines.bridge.stage import is_stage
    from interlingua.pipelines.search.equals import search_joined
    from interlingua.pipelines.search.relevance import Relevance
    from interlingua.pipelines.search.search import CrossLingualSearch

    from .bridge import search_stage

    lines = words_or_lines(questions)
    if not all(question.strip() for question in lines):
        raise UsageError("a question must say something, but one is blank; give what to search for")
    if not lines:
        raise ValueError("standard input holds no question; give one a line")
    condition = written_filter(where)
    require_searchable(collection)
    if is_stage(collection):
        told = {"where": condition, "questions": asked, "prefer": prefer, "reranker": reranker}
        _refuse_beyond_stage(collection, told, {"rerank": rerank, **loading, **searching})
        only = {key: searching[key] for key in ("k", "language", "languages")}
        mixed = search_stage(console, collection, lines, **only, encoder=encoder, bridge=bridge, loading=encoding)
        console.result(_found(lines, mixed), lambda: [_hits(*each, None) for each in zip(lines, mixed, strict=True)])
        return
    with console.working("loading"):
        model: Any = encoder
        if bridge is not None:
            from .bridge import bridged_encoder

            model = bridged_encoder(console, bridge, encoder, searching["language"], encoding)
        loaded = CrossLingualSearch.load(collection, model, **loading, **encoding)
    if bridge is not None and loaded.space is not None:
        searching["language"] = model.bridge.language  # the bridge leads there
    _check_languages(collection, loaded, searching["language"], searching["languages"], console)
    check_bounds(condition, loaded.collection)
    if asked is not None:
        learn_from(loaded, asked, searching["language"], console)
    if prefer is not None and prefer < 1 and searching["language"] is None and not loaded.knows_languages(lines):
        console.note("the language of questions is not known here, so none is preferred: name it with --language")
    least = searching.pop("least")
    judged = 0.0 if least is None and console.as_json and Relevance.is_at_hand(loaded.encoder) else least
    searching["rerank"] = reranker or rerank
    answers = search_joined(loaded, lines, where=condition, prefer=prefer, least=judged, **searching)
    if least is not None and loaded.relevance is None:
        console.note("the encoder knows too few texts to tell probabilities: nothing is refused")
    console.result(_found(lines, answers), lambda: [_hits(*each, least) for each in zip(lines, answers, strict=True)])


def _refuse_beyond_stage(collection: str, given: dict[str, Any], options: dict[str, Any]) -> None:
    """Refuse what a search of a stage does not know, instead of leaving it out."""
    flags = {name: options[name] or None for name in ("rerank", "balance", "mapped", "text_field")}
    chosen = {"hybrid": options["hybrid"] if options["hybrid"] == "on" else None, "least": options["least"]}
    unknown = [f"--{name.replace('_', '-')}" for name, value in (given | flags | chosen).items() if value is not None]
    if unknown:
        raise UsageError(
            f"{collection} is a stage of `bridge stage`, which knows no {' or '.join(unknown)}: "
            "leave it out, or stage all rows first"
        )


def _found(questions: Sequence[str], answers: Sequence[Sequence[SearchHit]]) -> list[dict[str, Any]]:
    return [
        {"question": question, "hits": [_hit(hit) for hit in hits]}
        for question, hits in zip(questions, answers, strict=True)
    ]


def learn_from(loaded: CrossLingualSearch, path: str, language: str | None, console: Output) -> None:
    """Have a search learn from a file of questions where they lie, and note where it cannot."""
    from interlingua.pipelines.texts.lines import open_lines

    with open_lines(path) as lines:
        known = [line for line in lines if line.strip()]
    if not known or not loaded.learn_questions(known, language):
        console.note(
            f"{path} tells nothing: it takes 30 questions that differ, and a collection whose languages were centred"
        )


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
        **({} if hit.window is None else {"window": list(hit.window), "window_text": hit.found_text}),
        **({} if hit.probability is None else {"probability": round(hit.probability, 4)}),
        **({} if not hit.copies else {"copies": list(hit.copies)}),
    }


def _hits(question: str, hits: Sequence[SearchHit], least: float | None) -> Any:
    if not hits and least is not None:
        return f"{question}\n  nothing relevant (--least {least:g})"
    sure = any(hit.probability is not None for hit in hits)
    rows = [
        (*([hit.probability] if sure else []), hit.score, hit.cosine, hit.language, _id(hit), shorten(_shown(hit), 90))
        for hit in hits
    ]
    return table(
        *(["probability>"] if sure else []), "score>", "cosine>", "language", "id", "text", rows=rows, title=question
    )


def _id(hit: SearchHit) -> str:
    return f"{hit.id} +{len(hit.copies)}" if hit.copies else hit.id


def _shown(hit: SearchHit) -> str:
    """Return what was found: the best window of a long text, and where; of a row without a text, its metadata."""
    if hit.window is not None:
        start, end = hit.window
        return f"[{start}-{end} of {len(hit.text)}] {'… ' if start else ''}{hit.found_text}"
    return hit.text or ", ".join(f"{name}: {value}" for name, value in hit.metadata.items())
