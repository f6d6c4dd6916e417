"""The commands `info`, what a file or folder of ours holds or which encoders there are, and `export`."""

from pathlib import Path
from typing import Any

from .arguments import check_output_folder, require_language
from .command import EncoderName, OutputFolder, command, options_of
from .output import Output, table


@command()
def info(
    console: Output,
    path: str | None = None,
    *,
    skip_malformed: bool = False,
) -> None:
    """Say what a space, a saved folder or a file of vectors holds.

    Parameters
    ----------
    path : str, optional
        SPACE, COLLECTION, MEMORY, CLASSIFIER, FILE.vec, FILE.npy, ...; - for standard input; by default the encoders of
        this machine.
    skip_malformed : bool
        Drop malformed lines instead of stopping.

    Examples
    --------
    ::

        interlingua info en-fr.space
    """
    from interlingua.pipelines.description import describe, describe_installation

    about = describe_installation() if path is None else describe(path, skip_malformed=skip_malformed)
    console.result(about, lambda: [table("", "", rows=_rows(about))])


@command(
    exporting=options_of(
        "interlingua.pipelines.export.model:to_sentence_transformers", only=("language", "default", "license")
    )
)
def export(
    console: Output,
    exporting: dict[str, Any],
    space: str,
    *,
    output: OutputFolder,
    encoder: EncoderName = None,
) -> None:
    """Write encoder and space as one sentence-transformers model of built-in modules.

    Parameters
    ----------
    space : str
        A saved space.
    output : str
        A new or empty folder.
    encoder : str
        A sentence-transformers model; by default the bundled multilingual-e5-small.

    Examples
    --------
    ::

        interlingua export SPACE --encoder NAME -o MODEL
    """
    from interlingua.align import SharedSpace
    from interlingua.pipelines.export.model import to_sentence_transformers

    check_output_folder(output)
    loaded = SharedSpace.load(space)
    language = exporting["language"]
    if language is not None:
        require_language(loaded, language, space)
    with console.working("writing the model"):
        folder = to_sentence_transformers(loaded, output, encoder, **exporting)
    languages = list(loaded.languages) if language is None else [language]
    size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    result = {"output": str(folder), "languages": languages, "dimension": loaded.dimension, "bytes": size}
    task = f', task="{languages[0]}"' if len(languages) > 1 else ""
    call = f'SentenceTransformer("{folder}").encode(texts{task})'
    console.result(result, lambda: [f"{folder}: {size / 1e6:.0f} MB, {', '.join(languages)}", f"use: {call}"])


def _rows(about: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, value in about.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            rows += _rows(value, f"{name}.")
        else:
            rows.append((name, ", ".join(map(str, value)) if isinstance(value, list) else str(value)))
    return rows
