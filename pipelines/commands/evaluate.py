"""The command `evaluate`: how well a saved space translates words, and what it does to each language."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from .arguments import UsageError, named_file, require_language
from .command import command, options_of
from .output import Output, table
from .words import CASE, READING, TwoFiles, read_dictionary, read_ranking, read_words, require_one_stdin

if TYPE_CHECKING:
    from interlingua.align import Embeddings, SeedDictionary, SharedSpace
    from interlingua.align.neighbors import Hubness
    from interlingua.align.word import LexiconReport

#: The rows of the vocabulary that hubness is counted over.
_HUB_QUERIES = 10_000
_CONVENTION = (
    "words without a vector, and words none of whose translations has one, are left out; every word of the target "
    "vocabulary is a candidate"
)


@command(
    evaluating=options_of("interlingua.pipelines.translate.words:translate_words", only=("criterion",)),
    case=CASE,
    reading=READING,
)
def evaluate(
    console: Output,
    seed: int,
    evaluating: dict[str, Any],
    case: dict[str, Any],
    reading: dict[str, Any],
    space: str,
    *,
    vectors: TwoFiles,
    dictionary: Annotated[str | None, Parameter(metavar="TEST")] = None,
    rerank: bool = False,
    judgements: Annotated[list[str] | None, Parameter(metavar="[LANGUAGE=]FILE...")] = None,
    analogies: Annotated[list[str] | None, Parameter(metavar="[LANGUAGE=]FILE...")] = None,
) -> None:
    """Score a saved space on a test dictionary, judgements or analogies.

    Parameters
    ----------
    space : str
        A saved space.
    vectors : (str, str)
        Of the source, then of the target language.
    dictionary : str, optional
        Source and target between tabs, one pair a line; needed unless judgements or analogies are given.
    rerank : bool
        Rank by SPACE.ranking, which align --rerank wrote.
    judgements : list of str, optional
        How alike people find words: word, word and number between tabs; of the source language, of LANGUAGE=FILE, or
        the first words of one language and the second of the other: SOURCE-TARGET=FILE.
    analogies : list of str, optional
        Four words a line, a is to b as c is to d, in sections that begin with a colon; of the source language, or of
        LANGUAGE=FILE.

    Examples
    --------
    ::

        interlingua evaluate en-fr.space --dictionary TEST.tsv --vectors en=EN.vec fr=FR.vec
    """
    from interlingua.align import SharedSpace
    from interlingua.align.neighbors import hubness
    from interlingua.pipelines.translate.words import score_translations

    files = [named_file(each, named=True) for each in vectors]
    languages = [name for name, _ in files]
    if languages[0] == languages[1]:
        raise UsageError(f"--vectors must name two languages, but both are {languages[0]!r}")
    if not (dictionary or judgements or analogies):
        raise UsageError("there is nothing to score by; give --dictionary TEST, --judgements or --analogies")
    if rerank and not dictionary:
        raise UsageError("--rerank ranks the words of a dictionary; give --dictionary TEST, or leave --rerank out")
    require_one_stdin([*([dictionary] if dictionary else []), *(path for _, path in files)])
    both = {"-".join(languages): languages}
    alone = {name: [name] for name in languages}
    judged = [_of_languages(each, "--judgements", alone | both) for each in judgements or ()]
    asked = [_of_languages(each, "--analogies", alone) for each in analogies or ()]
    loaded = SharedSpace.load(space)
    for language in languages:
        require_language(loaded, language, space)
    test = read_dictionary(dictionary, console, reading, case) if dictionary else None
    words = {name: read_words(name, path, console, reading, case) for name, path in files}
    source, target = words.values()
    ranking = read_ranking(space) if rerank else None
    result: dict[str, Any] = {"space": space, "source": source.space, "target": target.space}
    shown: list[object] = []
    with console.working("ranking"):
        if test is not None:
            _tell_if_learned(loaded, source, target, test, console)
            report = score_translations(loaded, source, target, test, ranking=ranking, seed=seed, **evaluating)
            mapped = [_mapped(loaded, each).vectors for each in (source, target)]
            hubs = hubness(mapped[0][:_HUB_QUERIES], mapped[1], **evaluating)
            result |= {"criterion": evaluating["criterion"], "reranked": rerank, "convention": _CONVENTION}
            result |= {**_as_dict(report), "hubness": asdict(hubs)}
            by = "learned ranking of CSLS candidates" if rerank else evaluating["criterion"]
            shown = _evaluated(report, hubs, languages, by)
        scores = [_similarity(loaded, [words[name] for name in names], path) for names, path in judged]
        answered = [_answered(loaded, words[names[0]], path) for names, path in asked]
    if judged:
        result["judgements"] = scores
    if asked:
        result["analogies"] = answered
    ending = [] if test is None else [_CONVENTION]
    console.result(result, lambda: [*shown, *_judged(scores), *_by_section(answered), *ending])


def _tell_if_learned(
    space: SharedSpace, source: Embeddings, target: Embeddings, test: SeedDictionary, console: Output
) -> None:
    """Say so where the space was learned from the very pairs that it is scored on."""
    from interlingua.align.word.refit import data_hash

    learned = space.provenance.get("data_sha256")
    if learned is not None and learned == data_hash(source, target, test):
        console.note(
            "warning: the space was learned from this dictionary; what it scores on it says nothing of other words. "
            "Score it on pairs that were held out"
        )


def _of_languages(argument: str, option: str, known: Mapping[str, list[str]]) -> tuple[list[str], str]:
    """Return the languages and the file of ``[LANGUAGE=]FILE``; a bare file is of the first language."""
    name, equals, path = argument.partition("=")
    if not equals or Path(argument).exists():
        return next(iter(known.values())), argument
    if name not in known:
        raise UsageError(f"{option} takes LANGUAGE=FILE, of {' or '.join(known)}, but got {argument!r}")
    return known[name], path


def _similarity(space: SharedSpace, words: Sequence[Embeddings], path: str) -> dict[str, Any]:
    """Return how well cosines of words follow judgements: of one language before and after its map, or across two."""
    from interlingua.align.word.similarity import SimilarityJudgements, monolingual_quality, word_similarity
    from interlingua.pipelines.texts.lines import input_name, open_binary

    with open_binary(path) as file:
        said = SimilarityJudgements.read(file, name=input_name(path))
    before = None
    if len(words) == 1:
        before, after = monolingual_quality(space, words[0], [said]).similarity[said.name]
    else:
        after = word_similarity(said, *(_mapped(space, each) for each in words))
    return {
        "file": path,
        "languages": [each.space for each in words],
        **{key: _number(value) for key, value in asdict(after).items()},
        "spearman_before": None if before is None else _number(before.spearman),
    }


def _answered(space: SharedSpace, words: Embeddings, path: str) -> dict[str, Any]:
    """Return how many analogies of one language are answered, before and after its map."""
    from interlingua.align.word.similarity import Analogies, analogy_accuracy
    from interlingua.pipelines.texts.lines import input_name, open_binary

    with open_binary(path) as file:
        questions = Analogies.read(file, name=input_name(path))
    before, after = (analogy_accuracy(each, questions) for each in (words, _mapped(space, words)))
    return {
        "file": path,
        "language": words.space,
        **{key: _number(value) for key, value in asdict(after).items()},
        "accuracy_before": _number(before.accuracy),
    }


def _mapped(space: SharedSpace, words: Embeddings) -> Embeddings:
    return replace(words, vectors=space.transform(words.vectors, words.space))


def _number(value: Any) -> Any:
    """Return a value as JSON can hold it: what cannot be measured is None."""
    return None if isinstance(value, float) and math.isnan(value) else value


def _judged(scores: Sequence[Mapping[str, Any]]) -> list[object]:
    rows = [
        (
            "-".join(each["languages"]),
            each["file"],
            f"{each['n_pairs']} of {each['n_asked']}",
            *("" if each[key] is None else each[key] for key in ("spearman_before", "spearman")),
        )
        for each in scores
    ]
    return [table("judgements of", "file", "pairs>", "before the map>", "Spearman>", rows=rows)] if rows else []


def _by_section(answered: Sequence[Mapping[str, Any]]) -> list[object]:
    rows = [
        (
            each["language"],
            each["file"],
            f"{each['n_scored']} of {each['n_asked']}",
            *("" if each[key] is None else each[key] for key in ("accuracy_before", "accuracy")),
        )
        for each in answered
    ]
    return [table("analogies of", "file", "questions>", "before the map>", "accuracy>", rows=rows)] if rows else []


def _as_dict(report: LexiconReport) -> dict[str, Any]:
    score = report.score
    return {
        **asdict(score),
        "coverage": score.coverage,
        "precision_at_1_missing_as_wrong": score.precision_at_1 * score.coverage,
        "interval": asdict(report.interval),
        "bins": [
            {"first": each.first, "last": each.last, **asdict(each.score), "interval": asdict(each.interval)}
            for each in report.bins
        ],
    }


def _evaluated(report: LexiconReport, hubs: Hubness, languages: Sequence[str], by: str) -> list[object]:
    score, interval = report.score, report.interval
    rows: list[tuple[str, object]] = [
        ("from, to", ", ".join(languages)),
        ("ranked by", by),
        ("words scored", f"{score.n_words} of {score.n_asked} ({100 * score.coverage:.1f} %)"),
        ("P@1", score.precision_at_1),
        (f"P@1, {100 * interval.level:.0f} % interval", f"{interval.low:.3f} to {interval.high:.3f}"),
        ("P@1, missing words as wrong", score.precision_at_1 * score.coverage),
        ("P@5", score.precision_at_5),
        ("P@10", score.precision_at_10),
        ("MRR over the best 10", score.mrr),
        ("hubs", hubs.summary()),
    ]
    bins = [
        (
            f"{each.first} to {each.last}",
            each.score.n_words,
            each.score.precision_at_1,
            f"{each.interval.low:.3f} to {each.interval.high:.3f}",
            each.score.precision_at_5,
            each.score.mrr,
        )
        for each in report.bins
    ]
    columns = ("frequency rank", "words>", "P@1>", "interval>", "P@5>", "MRR>")
    return [table("", "", rows=rows), table(*columns, rows=bins)]
