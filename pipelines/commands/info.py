"""The commands `info`, what a file or folder of ours holds or which encoders there are, and `export`."""

from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .arguments import check_output_folder, require_language
from .command import EncoderName, OutputFolder, command, options_of
from .output import Output, table

_SAFETENSORS_SPACE = b'{"__metadata__":{"space":'


def describe(path: str | Path, *, skip_malformed: bool = False) -> dict[str, Any]:
    """Return what a path holds, as JSON can hold it; the first key is "kind".

    Parameters
    ----------
    path : str or Path
        "-" is standard input, for vectors only.
    skip_malformed : bool
        Drop malformed rows of vectors instead of raising.

    Raises
    ------
    FileNotFoundError
        If nothing is there.
    ValueError
        If it is damaged, or nothing that this project reads.
    """
    if str(path) != "-":
        path = Path(path)
        if path.is_dir():
            return _describe_folder(path)
        with path.open("rb") as file:
            start = file.read(64)
        if _SAFETENSORS_SPACE in start:
            return _describe_space(path)
    return _describe_vectors(str(path), skip_malformed=skip_malformed)


def describe_installation() -> dict[str, Any]:
    """Return the version and the encoders that can be named, as JSON can hold it; the first key is "kind".

    Of each encoder: what it is, and whether its library is installed or the command that installs it.
    """
    from interlingua.pipelines.encoders.cache import user_cache_folder
    from interlingua.pipelines.encoders.load import ENCODER_KINDS

    return {
        "kind": "installation",
        "version": metadata.version("interlingua"),
        "encoders": {
            kind.names[0]: {
                "is": kind.about,
                "status": "installed" if _installed(kind.module) else f'pip install "interlingua[{kind.extra}]"',
            }
            for kind in ENCODER_KINDS
        },
        "cache": str(user_cache_folder()),
    }


def _installed(module: str) -> bool:
    return not module or find_spec(module) is not None


def _describe_folder(path: Path) -> dict[str, Any]:
    from interlingua.pipelines.stored import describe

    return describe(path) or _describe_collection(path)


def _describe_collection(path: Path) -> dict[str, Any]:
    from interlingua.index import Collection

    collection = Collection.load(path)
    about = collection.info
    counts = {str(language): count for language, count in collection.counts("language")}
    if unknown := len(collection) - sum(counts.values()):
        counts["und"] = counts.get("und", 0) + unknown
    return {
        "kind": "collection",
        "path": str(path),
        "index": about.pop("kind"),
        **about,
        "languages": dict(sorted(counts.items())),
    }


def _describe_space(path: Path) -> dict[str, Any]:
    from interlingua.align import SharedSpace

    space = SharedSpace.load(path)
    return {
        "kind": "shared space",
        "path": str(path),
        "languages": {
            name: {
                "dimension": each.input_dimension,
                "steps": list(each.normalization.steps),
                "matrix": None if each.matrix is None else list(each.matrix.shape),
            }
            for name, each in space.maps.items()
        },
        "dimension": space.dimension,
        "method": space.method,
        "encoder": space.encoder,
        "scores": dict(space.scores),
        "provenance": dict(space.provenance),
        "fingerprint": space.fingerprint,
    }


def _describe_vectors(path: str, *, skip_malformed: bool) -> dict[str, Any]:
    from dataclasses import asdict, replace

    from interlingua.pipelines.texts.lines import input_name
    from interlingua.pipelines.texts.vectors import read_vectors

    read = read_vectors(path, skip_malformed=skip_malformed)
    about: dict[str, Any] = {
        "kind": "vectors",
        "path": path,
        "vectors": int(read.vectors.shape[0]),
        "dimension": int(read.vectors.shape[1]),
    }
    if read.embeddings is not None:
        about["first_labels"] = list(read.embeddings.labels[:10])
        if read.embeddings.report is not None:
            about["report"] = replace(read.embeddings.report, path=input_name(path)).summary()
    return about | {key: value for key, value in asdict(read.origin).items() if value}


@command()
def info(
    console: Output,
    path: str | None = None,
    *,
    skip_malformed: bool = False,
) -> None:
    """Say what a space, a collection or a file of vectors holds.

    Parameters
    ----------
    path : str, optional
        SPACE, COLLECTION, FILE.vec, FILE.npy, ...; - for standard input; by default the encoders of this machine.
    skip_malformed : bool
        Drop malformed lines instead of stopping.

    Examples
    --------
    ::

        interlingua info en-fr.space
    """
    about = describe_installation() if path is None else describe(path, skip_malformed=skip_malformed)
    console.result(about, lambda: [table("", "", rows=_rows(about))])


@command(
    exporting=options_of("interlingua.pipelines.export.model:to_sentence_transformers", only=("language", "license"))
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
