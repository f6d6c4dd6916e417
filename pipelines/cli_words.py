"""Commands on word vectors: align, map, translate."""

import sys
from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from interlingua.align import Embeddings, SeedDictionary, SharedSpace
from interlingua.align.normalization import PRESETS
from interlingua.align.word.registry import WORD_METHODS

from .cli_common import (
    Output,
    Subcommands,
    UsageError,
    add_command,
    check_output_file,
    count,
    input_name,
    named_file,
    open_lines,
    require_language,
    table,
)
from .translate import translate_words
from .vector_files import check_output_name, read_vectors, write_vectors

__all__ = ["add_word_commands"]


def add_word_commands(commands: "Subcommands[ArgumentParser]") -> None:
    """Add `align`, `map` and `translate`."""
    align = add_command(commands, "align", _align, "learn a shared space of two languages from a dictionary")
    align.add_argument("source", metavar="[NAME=]SRC", help="word vectors, most frequent first (any format)")
    align.add_argument("target", metavar="[NAME=]TGT", help="word vectors of the other language")
    align.add_argument("--dictionary", required=True, metavar="PAIRS", help="source TAB target, one pair a line")
    align.add_argument("--method", default="procrustes", choices=sorted(WORD_METHODS), help="default: procrustes")
    align.add_argument("--normalize", default="unit-centre-unit", choices=sorted(PRESETS), help="before the rotation")
    align.add_argument("--lowercase", action="store_true", help="lower-case all words; the first of equals is kept")
    _add_reading_options(align)
    align.add_argument("-o", "--output", required=True, metavar="SPACE", help="where to write the space")

    mapping = add_command(commands, "map", _map, "map vectors of a language into a saved space")
    mapping.add_argument("space", metavar="SPACE")
    mapping.add_argument("vectors", metavar="IN", help=".vec, .npz, .npy or another format; - for standard input")
    mapping.add_argument("--language", required=True, metavar="NAME", help="which map of the space to use")
    _add_reading_options(mapping)
    mapping.add_argument("-o", "--output", required=True, metavar="OUT", help="the format is told by the name")

    translate = add_command(commands, "translate", _translate, "translate words through a saved space")
    translate.add_argument("space", metavar="SPACE")
    # subtle: with nargs="*" argparse would take no word at all where options stand between SPACE and WORD
    translate.add_argument("words", nargs="+", metavar="WORD", help="- for one a line from standard input")
    translate.add_argument("--from", dest="source", required=True, metavar="LANGUAGE")
    translate.add_argument("--to", dest="target", required=True, metavar="LANGUAGE")
    translate.add_argument("--vectors", nargs=2, required=True, metavar="LANGUAGE=FILE", help="of both languages")
    translate.add_argument("-k", type=count, default=5, help="translations a word (default 5)")
    translate.add_argument("--criterion", default="csls", choices=["csls", "nn", "isf"], help="default: csls")
    _add_reading_options(translate)


def _add_reading_options(parser: ArgumentParser) -> None:
    parser.add_argument("--limit", type=count, metavar="N", help="read the first N rows of each file")
    parser.add_argument("--skip-malformed", action="store_true", help="drop malformed lines instead of stopping")


def _align(options: Namespace, output: Output) -> None:
    from interlingua.align.word import fit_dictionary

    names = [named_file(argument) for argument in (options.source, options.target)]
    if names[0][0] == names[1][0]:
        raise UsageError(
            f"the two languages need two names, but both files are called {names[0][0]!r}; "
            "name them: interlingua align en=FILE fr=FILE ..."
        )
    check_output_file(options.output)
    inputs = [options.dictionary, *(path for _, path in names)]
    if inputs.count("-") > 1:
        raise UsageError("only one file can come from standard input, but - is given more than once")
    dictionary = _read_dictionary(options)
    if dictionary.report is not None:
        output.note(dictionary.report.summary())
    source, target = (_read_words(name, path, options, output) for name, path in names)
    with output.working(f"aligning {source.space} and {target.space}"):
        space = fit_dictionary(
            source, target, dictionary, method=options.method, seed=options.seed, normalize=options.normalize
        )
    space.save(options.output)
    result = {
        "space": options.output,
        "languages": list(space.languages),
        "method": space.method,
        "dimension": space.dimension,
        "pairs": space.provenance["pairs"],
        "dictionary_pairs": space.provenance["dictionary_pairs"],
        "held_out": dict(space.scores),
    }
    output.result(result, lambda: [table("", "", rows=_summary(space, options.output))])


def _read_dictionary(options: Namespace) -> SeedDictionary:
    on_malformed: Literal["raise", "skip"] = "skip" if options.skip_malformed else "raise"
    if options.dictionary != "-":
        return SeedDictionary.read(options.dictionary, lowercase=options.lowercase, on_malformed=on_malformed)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "standard-input"  # what errors call it
        path.write_bytes(sys.stdin.buffer.read())
        return SeedDictionary.read(path, lowercase=options.lowercase, on_malformed=on_malformed)


def _read_words(language: str, path: str, options: Namespace, output: Output) -> Embeddings:
    """Read labelled vectors and say what was read."""
    with output.working(f"reading {input_name(path)}"):
        read = read_vectors(path, limit=options.limit, skip_malformed=options.skip_malformed).embeddings
    if read is None:
        raise ValueError(f"{input_name(path)} holds vectors without words; give a file of word vectors, such as .vec")
    if getattr(options, "lowercase", False):
        read = read.lowercased()
    if read.report is not None:
        output.note(replace(read.report, path=input_name(path)).summary())
    return replace(read, space=language)


def _summary(space: SharedSpace, path: str) -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = [
        ("space", path),
        ("languages", ", ".join(space.languages)),
        ("method", space.method),
        ("dimension", space.dimension),
        ("pairs with vectors", f"{space.provenance['pairs']} of {space.provenance['dictionary_pairs']}"),
    ]
    if not space.scores:
        return [*rows, ("held-out P@1", "not measured: too few pairs")]
    words = int(space.scores["held_out_words"])
    return [*rows, (f"held-out P@1 (CSLS, {words} words)", float(space.scores["precision_at_1"]))]


def _map(options: Namespace, output: Output) -> None:
    try:
        check_output_name(options.output)
    except ValueError as error:
        raise UsageError(str(error)) from error
    check_output_file(options.output)
    space = SharedSpace.load(options.space)
    require_language(space, options.language, options.space)
    with output.working(f"reading {input_name(options.vectors)}"):
        given = read_vectors(options.vectors, limit=options.limit, skip_malformed=options.skip_malformed)
    origin = given.origin
    space.check_encoder(origin.encoder)
    if origin.space:
        raise ValueError(
            f"{options.vectors} was mapped into a shared space already; map the vectors that the encoder gave"
        )
    if origin.language and origin.language != options.language:
        output.note(f"{options.vectors} says that its language is {origin.language!r}, not {options.language!r}")
    mapped = space.transform(given.vectors, options.language)
    origin = replace(origin, language=options.language, space=space.fingerprint)
    if given.embeddings is not None and Path(options.output).suffix == ".npy":
        output.note(f"{options.output} keeps the vectors without their labels, as .npy has no place for them")
    write_vectors(options.output, replace(given, vectors=mapped, origin=origin))
    result = {"output": options.output, "vectors": len(mapped), "dimension": space.dimension}
    output.result(result, lambda: [f"{options.output}: {len(mapped)} vectors of dimension {space.dimension}"])


def _translate(options: Namespace, output: Output) -> None:
    files = dict(named_file(argument, named=True) for argument in options.vectors)
    for language in (options.source, options.target):
        if language not in files:
            raise UsageError(f"--vectors must name {language!r}, but names {', '.join(files)}")
    words = [word for word in options.words if word != "-"]
    if "-" in options.words:
        with open_lines("-") as lines:
            words += [line.strip() for line in lines if line.strip()]
    space = SharedSpace.load(options.space)
    for language in (options.source, options.target):
        require_language(space, language, options.space)
    source, target = (
        _read_words(language, files[language], options, output) for language in (options.source, options.target)
    )
    answers = translate_words(space, source, target, words, k=options.k, criterion=options.criterion)
    unknown = [answer.word for answer in answers if answer.found_as is None]
    if unknown:
        output.note(f"no vector in {files[options.source]} for: {', '.join(unknown)}")
    result = [
        {
            "word": answer.word,
            "found_as": answer.found_as,
            "translations": [{"word": word, "score": round(score, 6)} for word, score in answer.translations],
        }
        for answer in answers
    ]
    rows: list[tuple[object, ...]] = []
    for answer in answers:
        if answer.found_as is None:
            rows.append((answer.word, "", "(unknown word)", ""))
        rows += [(answer.word, rank, word, score) for rank, (word, score) in enumerate(answer.translations, start=1)]
    output.result(result, lambda: [table(options.source, "rank>", options.target, "score>", rows=rows)])
