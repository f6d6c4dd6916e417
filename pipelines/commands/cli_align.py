"""The command align: word vectors of two languages, or of many around a pivot, into one shared space."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any

from interlingua.align import AlignmentFailedError, Embeddings, SeedDictionary, SharedSpace
from interlingua.align.space import PRESETS
from interlingua.align.word.methods import UNSUPERVISED_METHODS, WORD_METHODS
from interlingua.align.word.reranking.ranking import CandidateRanking
from interlingua.pipelines.translate.words import RANKING_SUFFIX

from .arguments import UsageError, check_output_file, named_file
from .cli_reading import add_reading_options, read_dictionary, read_words
from .legacy import Subcommands, add_command
from .output import Output, table

_HELD_OUT = ("precision_at_1", "precision_at_5", "mrr", "held_out_words")


def add_align_command(commands: "Subcommands[ArgumentParser]") -> None:
    """Add `align`."""
    align = add_command(commands, "align", _align, "learn a shared space of two or more languages")
    align.add_argument(
        "vectors", nargs="+", metavar="[NAME=]FILE", help="word vectors, most frequent first (any format): SRC and TGT"
    )
    given = align.add_mutually_exclusive_group(required=True)
    given.add_argument(
        "--dictionary",
        nargs="+",
        metavar="PAIRS",
        help="source TAB target, one pair a line; with --pivot one PIVOT-LANGUAGE=PAIRS for each other language",
    )
    given.add_argument("--seeds", choices=["identical", "numerals"], help="start from equal strings, or numerals")
    given.add_argument("--unsupervised", action="store_true", help="without any pair")
    align.add_argument("--pivot", metavar="NAME", help="align all other languages with this one")
    align.add_argument(
        "--method",
        default="auto",
        choices=["auto", *WORD_METHODS, *UNSUPERVISED_METHODS],
        help="default: auto, the best on held-out pairs, or what fits what is given",
    )
    align.add_argument("--normalize", choices=sorted(PRESETS), help="before the map; default: the method's own")
    align.add_argument(
        "--on-failure",
        default="raise",
        choices=["raise", "warn"],
        help="stop with an error, or write the space all the same, where it shows no sign of being right",
    )
    align.add_argument(
        "--resume", metavar="FILE", help="keep the state of self-learning and its restarts there, and go on from it"
    )
    align.add_argument(
        "--rerank",
        action="store_true",
        help="learn to rank the candidates of translate too, from the dictionary; written beside the space",
    )
    align.add_argument("--lowercase", action="store_true", help="lower-case all words; the first of equals is kept")
    add_reading_options(align)
    align.add_argument("-o", "--output", required=True, metavar="SPACE", help="where to write the space")


def _align(options: Namespace, output: Output) -> None:
    files = [named_file(argument) for argument in options.vectors]
    dictionaries = _dictionary_files(options, [name for name, _ in files])
    check_output_file(options.output)
    if [*dictionaries.values(), *(path for _, path in files)].count("-") > 1:
        raise UsageError("only one file can come from standard input, but - is given more than once")
    pairs = {name: read_dictionary(path, options, output) for name, path in dictionaries.items()}
    vocabularies = [read_words(name, path, options, output) for name, path in files]
    try:
        with output.working(f"aligning {', '.join(each.space for each in vocabularies)}"):
            space = _fit(options, output, vocabularies, pairs)
    except AlignmentFailedError as error:
        raise ValueError(str(error).replace("on_failure='warn'", "--on-failure warn")) from error
    ranking = None
    if options.rerank:
        with output.working("learning to rank candidates"):
            ranking = _learn_ranking(space, vocabularies, pairs[vocabularies[1].space], options.seed)
    space.save(options.output)
    if ranking is not None:
        ranking.save(options.output + RANKING_SUFFIX)
    provenance = space.provenance
    result = {
        "space": options.output,
        "languages": list(space.languages),
        "method": space.method,
        "dimension": space.dimension,
        "pairs": provenance.get("pairs"),
        "dictionary_pairs": provenance.get("dictionary_pairs"),
        "held_out": {key: value for key, value in space.scores.items() if key.split()[-1] in _HELD_OUT},
        "confidence": {key: value for key, value in space.scores.items() if key.split()[-1] == "confidence"},
        "candidates": provenance.get("candidates"),
        "chosen": provenance.get("chosen"),
    }
    if ranking is not None:
        result["ranking"] = {"file": options.output + RANKING_SUFFIX, **ranking.scores}
    output.result(result, lambda: _shown(space, options.output, ranking))


def _dictionary_files(options: Namespace, names: list[str]) -> dict[str, str]:
    """Check how files, names and dictionaries fit together; return each dictionary's file by its language."""
    if options.rerank and not options.dictionary:
        raise UsageError("--rerank learns from a dictionary; give --dictionary PAIRS, or leave --rerank out")
    if options.rerank and options.pivot is not None:
        raise UsageError("--rerank learns from the dictionary of two languages; it takes no --pivot")
    if options.pivot is None:
        if len(names) != 2:
            raise UsageError(
                f"two files of vectors are aligned, but {len(names)} are given; for more languages say --pivot NAME"
            )
        if names[0] == names[1]:
            raise UsageError(
                f"the two languages need two names, but both files are called {names[0]!r}; "
                "name them: interlingua align en=FILE fr=FILE ..."
            )
        if options.dictionary and len(options.dictionary) > 1:
            raise UsageError(f"two languages take one dictionary, but {len(options.dictionary)} are given")
        return {names[1]: options.dictionary[0]} if options.dictionary else {}
    if len(set(names)) < len(names) or options.pivot not in names:
        raise UsageError(f"each language needs one file, the pivot {options.pivot!r} too; they are {', '.join(names)}")
    if not options.dictionary or options.resume:
        raise UsageError("--pivot needs a --dictionary for each other language, and takes no --resume")
    found: dict[str, str] = {}
    for argument in options.dictionary:
        key, _, path = argument.partition("=")
        other = next((name for name in names if key == f"{options.pivot}-{name}"), None)
        if other is None or not path or other in found:
            raise UsageError(
                f"with --pivot {options.pivot} a dictionary is named {options.pivot}-LANGUAGE=FILE, once for each "
                f"other language of {', '.join(names)}, but one is {argument!r}"
            )
        found[other] = path
    missing = [name for name in names if name != options.pivot and name not in found]
    if missing:
        raise UsageError(f"no dictionary with {options.pivot!r} is given for: {', '.join(missing)}")
    return found


def _fit(
    options: Namespace, output: Output, vocabularies: list[Embeddings], pairs: Mapping[str, SeedDictionary]
) -> SharedSpace:
    from interlingua.align.word import align, align_many

    settings: dict[str, Any] = {"method": options.method, "seed": options.seed, "on_failure": options.on_failure}
    if options.normalize:
        settings["normalize"] = options.normalize
    if options.pivot is not None:
        return align_many(vocabularies, pairs, pivot=options.pivot, **settings)

    def tell(event: Mapping[str, Any]) -> None:
        objective = event.get("objective", event.get("loss"))
        if objective is not None:
            output.note(f"{event['method']}: iteration {event.get('iteration', '')}: objective {objective:.4f}")

    source, target = vocabularies
    return align(
        source,
        target,
        pairs.get(target.space),
        seeds=options.seeds,
        callback=tell if output.progress else None,
        checkpoint=options.resume,
        **settings,
    )


def _learn_ranking(
    space: SharedSpace, vocabularies: list[Embeddings], dictionary: SeedDictionary, seed: int
) -> CandidateRanking:
    from interlingua.align.word.auto import covered_pairs
    from interlingua.align.word.reranking.ranking import Reranker

    source, target = vocabularies
    pairs, _ = covered_pairs(source, target, dictionary)
    return Reranker(seed=seed).fit(space, source, target, pairs).ranking_


def _shown(space: SharedSpace, path: str, ranking: CandidateRanking | None) -> list[object]:
    provenance, scores = space.provenance, space.scores
    rows: list[tuple[str, object]] = [
        ("space", path),
        ("languages", ", ".join(space.languages)),
        ("method", space.method),
        ("dimension", space.dimension),
    ]
    dictionary_pairs = provenance.get("dictionary_pairs")
    if isinstance(dictionary_pairs, Mapping):
        found = provenance["pairs"]
        rows += [(f"{name}: pairs with vectors", f"{found[name]} of {n}") for name, n in dictionary_pairs.items()]
    elif dictionary_pairs is not None:
        rows.append(("pairs with vectors", f"{provenance['pairs']} of {dictionary_pairs}"))
    for key, value in scores.items():
        prefix, _, kind = key.rpartition(" ")
        start = f"{prefix}: " if prefix else ""
        if kind == "precision_at_1":
            words = int(scores[f"{prefix} held_out_words".strip()])
            rows.append((f"{start}held-out P@1 (CSLS, {words} words)", float(value)))
        elif kind == "confidence":
            rows.append((f"{start}confidence, without any pair", float(value)))
    if not any(key.split()[-1] in ("precision_at_1", "confidence") for key in scores):
        rows.append(("held-out P@1", "not measured: too few pairs"))
    if ranking is not None:
        words = int(ranking.scores["held_out_words"])
        rows.append((f"ranking: held-out P@1 ({words} words)", ranking.scores["precision_at_1"]))
        rows.append(("the same words by CSLS", ranking.scores["csls_precision_at_1"]))
    shown: list[object] = [table("", "", rows=rows)]
    candidates = provenance.get("candidates", [])
    if len(candidates) > 1:
        columns = [key for key in candidates[0] if key != "held_out_words"]
        shown.append(table(*columns, rows=[[each[key] for key in columns] for each in candidates]))
        shown.append(f"chosen: {provenance['chosen']['method']}, {provenance['chosen']['because']}")
    return shown
