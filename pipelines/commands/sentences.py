"""The commands on sentence vectors: `encode` and `space fit`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from .arguments import UsageError, check_output_file, named_file, require_language
from .command import ENCODING, EncoderName, SpaceFile, command, options_of
from .declared import names_in
from .output import Output, table

if TYPE_CHECKING:
    Method = str
else:
    Method = Literal[names_in("interlingua.align.language")]


@command(
    encoding=options_of("interlingua.pipelines.encoders.base:Encoder.encode", only=("role", "progress")),
    loading=ENCODING,
)
def encode(
    console: Output,
    encoding: dict[str, Any],
    loading: dict[str, Any],
    texts: str,
    *,
    language: Annotated[str, Parameter(metavar="NAME")],
    output: Annotated[str, Parameter(("--output", "-o"), metavar="OUT.npy")],
    encoder: EncoderName = None,
    space: SpaceFile = None,
) -> None:
    """Turn texts, one a line, into vectors.

    Parameters
    ----------
    texts : str
        UTF-8 text, one a line; - for standard input.
    language : str
        The language of the texts.
    output : str
        The vectors, a row a line.
    encoder : str
        A sentence-transformers model, a folder, or a file of word vectors; by default the bundled
        multilingual-e5-small.
    space : str, optional
        Map the vectors into this saved space.

    Examples
    --------
    ::

        interlingua encode TEXTS.txt --language de -o DE.npy
    """
    from interlingua.align import SharedSpace
    from interlingua.pipelines.encoders.fingerprint import check_space, fingerprint
    from interlingua.pipelines.encoders.load import encode_named, load_encoder
    from interlingua.pipelines.texts.lines import input_name, open_lines
    from interlingua.pipelines.texts.vectors import Origin, VectorFile, write_vectors

    if not output.endswith(".npy"):
        raise UsageError(f"encode writes .npy files, but the output is {output}; name it OUT.npy")
    if not language.strip():
        raise UsageError("--language must name the language of the texts, such as --language en, but it is blank")
    check_output_file(output)
    with open_lines(texts) as opened:
        lines = list(opened)
    if not lines:
        raise ValueError(f"{input_name(texts)} holds no text; give one a line")
    loaded = SharedSpace.load(space) if space else None
    if loaded is not None:
        require_language(loaded, language, str(space))
    with console.working("loading the encoder"):
        model = load_encoder(encoder, **loading)
        if loaded is not None:
            check_space(loaded, model, what=str(space))
    names = [f"{input_name(texts)}, line {number}: the text" for number in range(1, len(lines) + 1)]
    vectors = encode_named(model, lines, names, languages=language, **encoding)
    blank = sum(not line.strip() for line in lines)
    if blank:
        console.note(f"{blank} of {len(lines)} lines are blank; they have vectors too, so that rows stay with lines")
    origin = Origin(model.identity, language, encoding["role"])
    if loaded is not None:
        vectors = loaded.transform(vectors, language)
        origin = replace(origin, space=loaded.fingerprint)
    write_vectors(output, VectorFile(vectors, origin=origin, probes=fingerprint(model)))
    result = {
        "output": output,
        "texts": len(lines),
        "dimension": int(vectors.shape[1]),
        "encoder": model.identity,
        "language": language,
        "role": encoding["role"],
        "space": space,
    }
    console.result(result, lambda: [f"{output}: {len(lines)} vectors of dimension {vectors.shape[1]}"])


@command()
def fit(
    console: Output,
    *vectors: Annotated[str, Parameter("LANGUAGE=FILE.npy")],
    output: Annotated[str, Parameter(("--output", "-o"), metavar="SPACE")],
    method: Method = "centring",
) -> None:
    """Learn a shared space from the vectors of each language.

    Parameters
    ----------
    vectors : str
        One file a language.
    output : str
        Where to write the space.
    method : str
        lsar and leace yield one map for all languages; `audit --compare` shows which method is best.

    Examples
    --------
    ::

        interlingua space fit de=DE.npy en=EN.npy -o SPACE
    """
    from interlingua.align import SharedSpace
    from interlingua.align.language import REMOVAL_METHODS
    from interlingua.pipelines.encoders.fingerprint import with_fingerprint
    from interlingua.pipelines.texts.vectors import known_origins, read_vectors, require_one_origin

    files = [named_file(each, named=True) for each in vectors]
    languages = [name for name, _ in files]
    if not files or len(set(languages)) < len(languages):
        raise UsageError(f"each language needs one file, but the languages are {', '.join(languages) or 'none'}")
    if [path for _, path in files].count("-") > 1:
        raise UsageError("only one file can come from standard input, but - is given more than once")
    check_output_file(output)
    read = {name: read_vectors(path) for name, path in files}
    for name, path in files:
        origin = read[name].origin
        if origin.space:
            raise ValueError(f"{path} was mapped into a shared space already; give the vectors that the encoder gave")
        if origin.language and origin.language != name:
            console.note(f"{path} says that its language is {origin.language!r}, not {name!r}")
    require_one_origin(known_origins(list(read.values())))
    named = ((each.origin.encoder, each.probes) for each in read.values() if each.origin.encoder)
    encoder, probes = next(named, ("", None))
    if not encoder:
        console.note("the files do not say which encoder made them: the space will not be able to check")
    fitted = REMOVAL_METHODS[method]().fit({name: each.vectors for name, each in read.items()}, encoder=encoder).space_
    role = next((each.origin.role for each in read.values() if each.origin.role), "")
    space = SharedSpace(fitted.maps, fitted.method, encoder, provenance={**fitted.provenance, "role": role})
    space = with_fingerprint(space, probes)
    space.save(output)
    counts = {name: len(each.vectors) for name, each in read.items()}
    result = {
        "space": output,
        "method": space.method,
        "encoder": encoder,
        "dimension": space.dimension,
        "vectors": counts,
    }
    console.result(result, lambda: [table("language", "vectors>", rows=counts.items()), f"written: {output}"])
