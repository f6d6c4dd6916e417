"""Commands on word vectors: map and translate here, align and evaluate in their own modules."""

from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path

from interlingua.align import SharedSpace
from interlingua.pipelines.encoders.base import Encoder
from interlingua.pipelines.texts.lines import input_name, open_lines
from interlingua.pipelines.texts.vectors import check_output_name, read_vectors, write_vectors
from interlingua.pipelines.translate.words import Translator, translate_words

from .arguments import UsageError, check_output_file, named_file, require_language
from .cli_align import add_align_command
from .cli_evaluate import add_evaluate_command
from .cli_reading import add_reading_options, read_ranking, read_words
from .legacy import Subcommands, add_command, count
from .output import Output, table


def add_word_commands(commands: "Subcommands[ArgumentParser]") -> None:
    """Add `align`, `map`, `translate` and `evaluate`."""
    add_align_command(commands)
    mapping = add_command(commands, "map", _map, "map vectors of a language into a saved space")
    mapping.add_argument("space", metavar="SPACE")
    mapping.add_argument("vectors", metavar="IN", help=".vec, .npz, .npy or another format; - for standard input")
    mapping.add_argument("--language", required=True, metavar="NAME", help="which map of the space to use")
    add_reading_options(mapping)
    mapping.add_argument("-o", "--output", required=True, metavar="OUT", help="the format is told by the name")

    translate = add_command(commands, "translate", _translate, "translate words through a saved space")
    translate.add_argument("space", metavar="SPACE")
    # subtle: with nargs="*" argparse would take no word at all where options stand between SPACE and WORD
    translate.add_argument("words", nargs="+", metavar="WORD", help="or phrase; - for one a line from standard input")
    translate.add_argument("--from", dest="source", required=True, metavar="LANGUAGE")
    translate.add_argument("--to", dest="target", required=True, metavar="LANGUAGE")
    translate.add_argument("--vectors", nargs=2, required=True, metavar="LANGUAGE=FILE", help="of both languages")
    translate.add_argument("-k", type=count, default=5, help="translations a word (default 5)")
    translate.add_argument("--criterion", default="csls", choices=["csls", "nn", "isf"], help="default: csls")
    translate.add_argument("--rerank", action="store_true", help="by SPACE.ranking, which align --rerank wrote")
    translate.add_argument("--context", metavar="SENTENCE", help="that holds the words: choose what fits it")
    translate.add_argument(
        "--examples", metavar="FILE", help="with --context: sentences of the other language, one a line"
    )
    translate.add_argument("--encoder", metavar="NAME", help="of sentences, for --context; default: the bundled one")
    add_reading_options(translate)
    add_evaluate_command(commands)


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
    in_context = options.context is not None
    if (options.examples or options.encoder) and not in_context:
        raise UsageError("--examples and --encoder are for --context SENTENCE; give one")
    by_translator = in_context or any(" " in word.strip() for word in words)
    if by_translator and options.criterion != "csls":
        raise UsageError("phrases and words in a context are ranked by csls; leave --criterion out")
    space = SharedSpace.load(options.space)
    for language in (options.source, options.target):
        require_language(space, language, options.space)
    source, target = (
        read_words(language, files[language], options, output) for language in (options.source, options.target)
    )
    ranking = read_ranking(options.space) if options.rerank else None
    if by_translator:
        encoder, examples = _for_context(options, output) if in_context else (None, [])
        translator = Translator(space, source, target, encoder=encoder, examples=examples, ranking=ranking)
        answers = [translator.translate(word, context=options.context, k=options.k) for word in words]
    else:
        answers = translate_words(
            space, source, target, words, k=options.k, criterion=options.criterion, ranking=ranking
        )
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


def _for_context(options: Namespace, output: Output) -> tuple[Encoder, list[str]]:
    """Return the encoder, and the examples that are given."""
    from interlingua.pipelines.encoders.load import load_encoder

    examples: list[str] = []
    if options.examples:
        with open_lines(options.examples) as lines:
            examples = [line.strip() for line in lines if line.strip()]
    with output.working("loading the encoder"):
        return load_encoder(options.encoder), examples
