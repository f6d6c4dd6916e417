"""Commands on sentence vectors: encode, space fit."""

from argparse import ArgumentParser, Namespace
from dataclasses import replace

from interlingua.align import REMOVAL_METHODS, SharedSpace
from interlingua.pipelines.encoders.load import encode_named
from interlingua.pipelines.texts.lines import input_name, open_lines
from interlingua.pipelines.texts.vectors import Origin, VectorFile, read_vectors, require_one_origin, write_vectors

from .arguments import UsageError, check_output_file, named_file, require_language
from .legacy import Subcommands, add_command
from .output import Output, table


def add_sentence_commands(commands: "Subcommands[ArgumentParser]") -> None:
    """Add `encode` and `space fit`."""
    encode = add_command(commands, "encode", _encode, "turn texts, one a line, into vectors")
    encode.add_argument("texts", metavar="TEXTS", help="UTF-8 text, one a line; - for standard input")
    encode.add_argument("--language", required=True, metavar="NAME", help="the language of the texts")
    encode.add_argument("--role", default="symmetric", choices=["symmetric", "query", "passage"])
    add_encoder_options(encode)
    encode.add_argument("--space", metavar="SPACE", help="map the vectors into this saved space")
    encode.add_argument("-o", "--output", required=True, metavar="OUT.npy")

    space = commands.add_parser("space", help="learn a shared space of sentence vectors")
    inner = space.add_subparsers(dest="space_command", required=True, metavar="COMMAND")
    fit = add_command(inner, "fit", _fit, "learn a shared space from the vectors of each language")
    fit.add_argument("vectors", nargs="+", metavar="LANGUAGE=FILE.npy", help="one file a language")
    fit.add_argument(
        "--method",
        default="centring",
        choices=list(REMOVAL_METHODS),
        help="default: centring; lsar and leace yield one map for all languages; `audit --compare` shows which is best",
    )
    fit.add_argument("-o", "--output", required=True, metavar="SPACE", help="where to write the space")


def add_encoder_options(parser: ArgumentParser) -> None:
    """Add the options that choose and drive an encoder."""
    group = parser.add_argument_group("encoder")
    group.add_argument(
        "--encoder",
        metavar="NAME",
        help="a sentence-transformers model, a folder, or a file of word vectors; "
        "default: the bundled multilingual-e5-small",
    )
    group.add_argument("--device", default="auto", help="auto, cpu, cuda, ... (default auto)")
    group.add_argument("--no-cache", action="store_true", help="do not keep vectors on disk")


def _encode(options: Namespace, output: Output) -> None:
    from interlingua.pipelines.encoders.load import load_encoder

    if not options.output.endswith(".npy"):
        raise UsageError(f"encode writes .npy files, but the output is {options.output}; name it OUT.npy")
    if not options.language.strip():
        raise UsageError("--language must name the language of the texts, such as --language en, but it is blank")
    check_output_file(options.output)
    with open_lines(options.texts) as lines:
        texts = list(lines)
    if not texts:
        raise ValueError(f"{input_name(options.texts)} holds no text; give one a line")
    space = SharedSpace.load(options.space) if options.space else None
    if space is not None:
        require_language(space, options.language, options.space)
    with output.working("loading the encoder"):
        encoder = load_encoder(options.encoder, device=options.device, cache=not options.no_cache)
        if space is not None:
            space.check_encoder(encoder.identity)
    names = [f"{input_name(options.texts)}, line {number}: the text" for number in range(1, len(texts) + 1)]
    vectors = encode_named(encoder, texts, names, options.role, progress=output.progress)
    blank = sum(not text.strip() for text in texts)
    if blank:
        output.note(f"{blank} of {len(texts)} lines are blank; they have vectors too, so that rows stay with lines")
    origin = Origin(encoder.identity, options.language, options.role)
    if space is not None:
        vectors = space.transform(vectors, options.language)
        origin = replace(origin, space=space.fingerprint)
    write_vectors(options.output, VectorFile(vectors, origin=origin))
    result = {
        "output": options.output,
        "texts": len(texts),
        "dimension": int(vectors.shape[1]),
        "encoder": encoder.identity,
        "language": options.language,
        "role": options.role,
        "space": options.space,
    }
    output.result(result, lambda: [f"{options.output}: {len(texts)} vectors of dimension {vectors.shape[1]}"])


def _fit(options: Namespace, output: Output) -> None:
    files = [named_file(argument, named=True) for argument in options.vectors]
    languages = [name for name, _ in files]
    if len(set(languages)) < len(languages):
        raise UsageError(f"each language needs one file, but the languages are {', '.join(languages)}")
    if [path for _, path in files].count("-") > 1:
        raise UsageError("only one file can come from standard input, but - is given more than once")
    check_output_file(options.output)
    read = {name: read_vectors(path) for name, path in files}
    for name, path in files:
        origin = read[name].origin
        if origin.space:
            raise ValueError(f"{path} was mapped into a shared space already; give the vectors that the encoder gave")
        if origin.language and origin.language != name:
            output.note(f"{path} says that its language is {origin.language!r}, not {name!r}")
    require_one_origin([each.origin for each in read.values()])
    encoder = next((each.origin.encoder for each in read.values() if each.origin.encoder), "")
    if not encoder:
        output.note("the files do not say which encoder made them: the space will not be able to check")
    method = REMOVAL_METHODS[options.method]()
    fitted = method.fit({name: each.vectors for name, each in read.items()}, encoder=encoder).space_
    role = next((each.origin.role for each in read.values() if each.origin.role), "")
    space = SharedSpace(fitted.maps, fitted.method, encoder, provenance={**fitted.provenance, "role": role})
    space.save(options.output)
    counts = {name: len(each.vectors) for name, each in read.items()}
    result = {
        "space": options.output,
        "method": space.method,
        "encoder": encoder,
        "dimension": space.dimension,
        "vectors": counts,
    }
    output.result(result, lambda: [table("language", "vectors>", rows=counts.items()), f"written: {options.output}"])
