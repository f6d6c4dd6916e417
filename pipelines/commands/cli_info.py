"""The command `info`: what a file or folder of ours holds, or which encoders there are."""

from argparse import ArgumentParser, Namespace
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .command import Output, Subcommands, add_command, input_name, table

_SAFETENSORS_SPACE = b'{"__metadata__":{"space":'


def add_info_command(commands: "Subcommands[ArgumentParser]") -> None:
    """Add `info`."""
    info = add_command(commands, "info", _info, "say what a space, a collection or a file of vectors holds")
    info.add_argument(
        "path",
        nargs="?",
        metavar="PATH",
        help="SPACE, COLLECTION, FILE.vec, FILE.npy, ...; - for standard input; default: the encoders of this machine",
    )
    info.add_argument("--skip-malformed", action="store_true", help="drop malformed lines instead of stopping")


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
            return _describe_collection(path)
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


def _describe_collection(path: Path) -> dict[str, Any]:
    from interlingua.index import Collection

    collection = Collection.load(path)
    about = collection.info
    counts: dict[str, int] = {}
    for row in collection.get(collection.ids):
        language = str(row.get("language", "und"))
        counts[language] = counts.get(language, 0) + 1
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


def _info(options: Namespace, output: Output) -> None:
    if options.path is None:
        about = describe_installation()
    else:
        about = describe(options.path, skip_malformed=options.skip_malformed)
    output.result(about, lambda: [table("", "", rows=_rows(about))])


def _rows(about: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, value in about.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            rows += _rows(value, f"{name}.")
        else:
            rows.append((name, ", ".join(map(str, value)) if isinstance(value, list) else str(value)))
    return rows
