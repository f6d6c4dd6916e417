"""The command `export`: a space with its encoder as a model that loads without this project."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from interlingua.align import SharedSpace

from .command import Output, Subcommands, add_command, check_output_folder, require_language


def add_export_command(commands: "Subcommands[ArgumentParser]") -> None:
    """Add `export`."""
    export = add_command(
        commands, "export", _export, "write encoder and space as one sentence-transformers model of built-in modules"
    )
    export.add_argument("space", metavar="SPACE")
    export.add_argument(
        "--encoder", metavar="NAME", help="a sentence-transformers model; default: the bundled multilingual-e5-small"
    )
    export.add_argument("--language", metavar="NAME", help="this language only; default: all, chosen by task=NAME")
    export.add_argument("--license", metavar="NAME", help="for the model card; default: what the encoder's own states")
    export.add_argument("-o", "--output", required=True, metavar="FOLDER", help="a new or empty folder")


def _export(options: Namespace, output: Output) -> None:
    from interlingua.pipelines.export.model import to_sentence_transformers

    check_output_folder(options.output)
    space = SharedSpace.load(options.space)
    if options.language is not None:
        require_language(space, options.language, options.space)
    with output.working("writing the model"):
        folder = to_sentence_transformers(
            space, options.output, options.encoder, language=options.language, license=options.license
        )
    languages = list(space.languages) if options.language is None else [options.language]
    size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    result = {"output": str(folder), "languages": languages, "dimension": space.dimension, "bytes": size}
    task = f', task="{languages[0]}"' if len(languages) > 1 else ""
    call = f'SentenceTransformer("{folder}").encode(texts{task})'
    output.result(result, lambda: [f"{folder}: {size / 1e6:.0f} MB, {', '.join(languages)}", f"use: {call}"])
