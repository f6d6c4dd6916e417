"""What a file or folder of ours holds, and what this installation can do."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from interlingua.align import SharedSpace
from interlingua.align.bridge import Bridge
from interlingua.index.folder import MANIFEST_NAME, read_manifest
from interlingua.pipelines.bridge import about_bridge
from interlingua.pipelines.encoders.cache import user_cache_folder
from interlingua.pipelines.encoders.fingerprint import PROBES_KEY
from interlingua.pipelines.encoders.load import ENCODER_KINDS
from interlingua.pipelines.encoders.pieces import PieceEncoder, is_piece_table, piece_table_note
from interlingua.pipelines.search.rows import value_counts
from interlingua.pipelines.stored import OLDER_MARKERS, is_older, kind_of, load_files, noun_of, open_collection
from interlingua.pipelines.texts.lines import input_name
from interlingua.pipelines.texts.vectors import read_vectors

_SAFETENSORS_SPACE = b'{"__metadata__":{"space":'
_SAFETENSORS_BRIDGE = b'{"__metadata__":{"bridge":'


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
        if _SAFETENSORS_BRIDGE in start:
            return {"kind": "bridge", "path": str(path), **about_bridge(Bridge.load(path))}
    return _describe_vectors(str(path), skip_malformed=skip_malformed)


def describe_installation() -> dict[str, Any]:
    """Return the version and the encoders that can be named, as JSON can hold it; the first key is "kind".

    Of each encoder: what it is, and whether its library is installed or the command that installs it.
    """
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
    if is_piece_table(path):
        table = PieceEncoder.read(path)
        told = {"pieces": len(table.vectors), "dimension": table.dimension, "identity": table.identity}
        note = piece_table_note(path)
        asks = note.get("questions")
        note |= {"questions": _without_probes(asks)} if isinstance(asks, dict) else {}
        return {"kind": "static encoder", "path": str(path), **told, **note}
    kind = kind_of(path)
    if kind is None and (path / MANIFEST_NAME).is_file():
        contents = read_manifest(path).contents
        if contents.get("type") == "index":
            about = {name: contents[name] for name in ("dimension", "metric", "count", "config")}
            return {"kind": "vector index", "path": str(path), "index": contents["kind"], **about}
    if kind is None or kind == "search":
        return _describe_collection(path)
    named = {"kind": noun_of(kind), "path": str(path)}
    if is_older(path, kind):
        marker = path / OLDER_MARKERS[kind]
        try:
            settings = json.loads(marker.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(
                f"{marker} is no JSON ({error}); restore the folder from a copy, or build it again"
            ) from error
        sentences = _describe_collection(path / "sentences") if kind == "answers" else {}
        return {**sentences, **named, "layout": "of an earlier version", **settings}
    if kind != "classifier":
        return {**_describe_collection(path), **named}
    held = load_files(path, kind)
    sizes = {name: len(content) for name, content in held.files.items()}
    encoder = {"encoder": held.encoder.identity, "encoder_name": held.encoder.name}
    return {**named, **encoder, **held.about, "files": sizes}


def _describe_collection(path: Path) -> dict[str, Any]:
    collection = open_collection(path)
    about = collection.info
    counts = dict(value_counts(collection, "language"))
    if unknown := len(collection) - sum(counts.values()):
        counts["und"] = counts.get("und", 0) + unknown
    return {
        "kind": "collection",
        "path": str(path),
        "index": about.pop("kind"),
        **about,
        "attributes": _without_probes(about["attributes"]),
        "languages": dict(sorted(counts.items())),
    }


def _without_probes(told: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in told.items() if key != PROBES_KEY}  # numbers that tell a reader nothing


def _describe_space(path: Path) -> dict[str, Any]:
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
        "provenance": _without_probes(space.provenance),
        "fingerprint": space.fingerprint,
    }


def _describe_vectors(path: str, *, skip_malformed: bool) -> dict[str, Any]:

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
