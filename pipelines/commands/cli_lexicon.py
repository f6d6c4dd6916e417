"""The command `interlingua lexicon`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Literal

from .arguments import UsageError, check_output_file, named_file
from .cli_reading import add_reading_options, read_dictionary, read_words
from .legacy import Subcommands, add_command, count
from .output import Output, table

_SHOWN = 10


def add_lexicon_command(commands: Subcommands[ArgumentParser]) -> None:
    """Add `lexicon`."""
    lexicon = add_command(commands, "lexicon", _lexicon, "count word translations in sentence pairs, for `align`")
    lexicon.add_argument("pairs", metavar="PAIRS", help="sentence pairs: TSV, TMX, JSONL, Moses; `mine` finds some")
    lexicon.add_argument("-o", "--output", required=True, metavar="DICTIONARY", help="source TAB target, best first")
    lexicon.add_argument("--dictionary", metavar="SEED", help="pairs that come first and are not contradicted")
    lexicon.add_argument(
        "--vectors",
        nargs=2,
        metavar="LANGUAGE=FILE",
        help="find only words that have vectors, source first; needed for scripts without spaces",
    )
    lexicon.add_argument("--languages", metavar="A,B", help="source and target among the languages of PAIRS")
    lexicon.add_argument(
        "--association", choices=["log-likelihood", "dice"], default="log-likelihood", help="default: log-likelihood"
    )
    lexicon.add_argument(
        "--at-least", type=count, default=2, metavar="N", help="sentence pairs that hold both words (default 2)"
    )
    lexicon.add_argument("--least", type=float, default=0.0, metavar="X", help="least association (default 0)")
    lexicon.add_argument("--lowercase", action="store_true", help="lower-case the seed and the words of the vectors")
    add_reading_options(lexicon)


def _lexicon(options: Namespace, output: Output) -> None:
    from interlingua.pipelines.texts.pairs import read_pairs
    from interlingua.pipelines.translate.lexicon import extend_dictionary, lexicon_from_bitext

    check_output_file(options.output)
    languages = tuple(options.languages.split(",")) if options.languages else None
    if languages is not None and len(languages) != 2:
        raise UsageError(f"--languages takes two names, such as en,fr, but is {options.languages!r}")
    seed = read_dictionary(options.dictionary, options, output) if options.dictionary else None
    vocabularies: list[frozenset[str] | None] = [None, None]
    if options.vectors:
        files = [named_file(each) for each in options.vectors]
        vocabularies = [frozenset(read_words(name, path, options, output).labels) for name, path in files]
    on_malformed: Literal["raise", "skip"] = "skip" if options.skip_malformed else "raise"
    pairs = read_pairs(options.pairs, languages=languages, on_malformed=on_malformed)
    with output.working("counting"):
        found = lexicon_from_bitext(
            pairs,
            source_vocabulary=vocabularies[0],
            target_vocabulary=vocabularies[1],
            association=options.association,
            at_least=options.at_least,
            least=options.least,
        )
    output.note(pairs.report.summary())
    grown = found.dictionary() if seed is None else extend_dictionary(seed, found)
    if not len(grown):
        raise ValueError(f"{options.pairs} holds no two words that stand together {options.at_least} times or more")
    grown.write(options.output)
    known = 0 if seed is None else len(seed)
    told = {"pairs": len(grown), "of the seed": known, "sentence pairs": found.n_pairs, "output": options.output}
    output.note(f"{options.output}: {len(grown)} pairs, {len(grown) - known} of them found")
    best = [
        (source, target, float(score), int(together))
        for (source, target), score, together in list(zip(found.words, found.scores, found.together))[:_SHOWN]
    ]
    output.result(told, lambda: [table("source", "target", "association>", "together>", rows=best)])
