"""The command evaluate: how well a saved space translates the words of a test dictionary."""

from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from typing import Any

import numpy as np

from interlingua.align import LexiconReport, SharedSpace, lexicon_ranks
from interlingua.align.neighbors import Hubness, hubness
from interlingua.align.word.evaluation import gold_ranks, ranks_report

from .arguments import UsageError, named_file, require_language
from .cli_reading import add_reading_options, read_dictionary, read_ranking, read_words
from .legacy import Subcommands, add_command
from .output import Output, table

#: The rows of the vocabulary that hubness is counted over.
_HUB_QUERIES = 10_000
_CONVENTION = (
    "words without a vector, and words none of whose translations has one, are left out; every word of the target "
    "vocabulary is a candidate"
)


def add_evaluate_command(commands: "Subcommands[ArgumentParser]") -> None:
    """Add `evaluate`."""
    evaluate = add_command(commands, "evaluate", _evaluate, "score a saved space on a test dictionary")
    evaluate.add_argument("space", metavar="SPACE")
    evaluate.add_argument("--dictionary", required=True, metavar="TEST", help="source TAB target, one pair a line")
    evaluate.add_argument(
        "--vectors", nargs=2, required=True, metavar="LANGUAGE=FILE", help="of the source, then of the target language"
    )
    evaluate.add_argument("--criterion", default="csls", choices=["csls", "nn", "isf"], help="default: csls")
    evaluate.add_argument("--rerank", action="store_true", help="rank by SPACE.ranking, which align --rerank wrote")
    evaluate.add_argument("--lowercase", action="store_true", help="lower-case all words; the first of equals is kept")
    add_reading_options(evaluate)


def _evaluate(options: Namespace, output: Output) -> None:
    from interlingua.align.word.auto import covered_pairs
    from interlingua.align.word.evaluation import gold_rows

    files = [named_file(argument, named=True) for argument in options.vectors]
    if files[0][0] == files[1][0]:
        raise UsageError(f"--vectors must name two languages, but both are {files[0][0]!r}")
    if [options.dictionary, *(path for _, path in files)].count("-") > 1:
        raise UsageError("only one file can come from standard input, but - is given more than once")
    space = SharedSpace.load(options.space)
    for language, _ in files:
        require_language(space, language, options.space)
    test = read_dictionary(options.dictionary, options, output)
    source, target = (read_words(*file, options, output) for file in files)
    pairs, coverage = covered_pairs(source, target, test)
    with output.working("ranking"):
        mapped = [space.transform(each.vectors, each.space) for each in (source, target)]
        gold = gold_rows(pairs)
        rows = np.array(list(gold), np.int64)
        if options.rerank:
            ranks = gold_ranks(read_ranking(options.space).rank(space, source, target, rows, k=10).ids, gold)
        else:
            ranks = lexicon_ranks(mapped[0], mapped[1], gold, criterion=options.criterion)
        report = ranks_report(ranks, rows, len(source), n_asked=coverage.n_sources, seed=options.seed)
        hubs = hubness(mapped[0][:_HUB_QUERIES], mapped[1], criterion=options.criterion)
    result = {
        "space": options.space,
        "source": source.space,
        "target": target.space,
        "criterion": options.criterion,
        "reranked": options.rerank,
        "convention": _CONVENTION,
        **_as_dict(report),
        "hubness": asdict(hubs),
    }
    output.result(result, lambda: _shown(report, hubs, source.space, target.space, options))


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


def _shown(report: LexiconReport, hubs: Hubness, source: str, target: str, options: Namespace) -> list[object]:
    score, interval = report.score, report.interval
    rows: list[tuple[str, object]] = [
        ("from, to", f"{source}, {target}"),
        ("ranked by", "learned ranking of CSLS candidates" if options.rerank else options.criterion),
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
    return [table("", "", rows=rows), table(*columns, rows=bins), _CONVENTION]
