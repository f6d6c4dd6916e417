"""The files of a saved collection: what is written, and how it is read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from .attachments import check_attachments
from .factory import read_index, spec_from_json, spec_to_json
from .folder import read_folder, write_folder
from .manifest import MANIFEST_NAME, CorruptCollectionError, manifest_digest, naming
from .metadata import MetadataTable, check_json
from .vector_index import FileWriter, VectorIndex

__all__ = ["CONTINUES", "Parts", "read_parts", "settled", "write_parts"]

T = TypeVar("T")

CONTINUES = "continues"
"""Where a manifest names the one before whose journal its files hold, as far as it goes."""

_ATTACHMENT = "attachment-"


@dataclass(frozen=True, eq=False)
class Parts:
    """What a collection is made of."""

    index: VectorIndex
    table: MetadataTable
    attributes: dict[str, Any]
    attachments: Mapping[str, bytes]


def write_parts(parts: Parts, folder: Path, *, as_writer: bool) -> None:
    """Write a collection into `folder`, whole or not at all; see `Collection.save`."""
    if not isinstance(parts.attributes, dict):
        raise TypeError(f"attributes must be a dictionary, not {type(parts.attributes).__name__}")
    contents: dict[str, Any] = {
        "type": "collection",
        "count": len(parts.table),
        **spec_to_json(parts.index.spec),
        "attributes": check_json(parts.attributes, "attributes"),
    }
    if as_writer and (folder / MANIFEST_NAME).is_file():
        contents[CONTINUES] = manifest_digest(folder)
    check_attachments(parts.attachments)
    files: dict[str, FileWriter | bytes] = {**parts.index.files(), **parts.table.files()}
    files |= {_ATTACHMENT + name: bytes(content) for name, content in parts.attachments.items()}
    write_folder(folder, contents=contents, files=files, as_writer=as_writer)


def read_parts(folder: Path, threads: int | None, *, mapped: bool = False) -> Parts:
    """Return what the last save wrote, after verifying every checksum.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    CorruptCollectionError
        If a file is missing, altered or foreign; the text names it.
    """

    def parse(contents: dict[str, Any], files: dict[str, Path]) -> Parts:
        with naming(folder / MANIFEST_NAME):
            if contents["type"] != "collection":
                raise ValueError(f"it describes a {contents['type']!r}, not a collection; use load_index")
            spec, count = spec_from_json(contents)
            attributes = check_json(contents["attributes"], "attributes")
            if not isinstance(attributes, dict):
                raise TypeError("its attributes are no dictionary")
            if missing := {"rows.json", "row_ids.npy", "codes.npy"} - set(files):
                raise ValueError(f"it lists no {', '.join(sorted(missing))}")
        index = read_index(files, spec, count, threads=threads, mapped=mapped)
        table = MetadataTable.read(files, naming)
        if len(table) != count:
            raise CorruptCollectionError(f"{files['rows.json']} holds {len(table)} rows, not {count}")
        attachments = {
            name.removeprefix(_ATTACHMENT): file.read_bytes()
            for name, file in files.items()
            if name.startswith(_ATTACHMENT)
        }
        return Parts(index, table, attributes, attachments)

    return read_folder(folder, parse)


def settled(folder: Path, attempt: Callable[[str], T]) -> T:
    """Return ``attempt(manifest's digest)``, made again as long as another save came in between.

    Such a save would pair its new files with the journal of those before.
    """
    while True:
        manifest = _digest(folder)
        try:
            found = attempt(manifest)
        except (ValueError, KeyError, OSError):
            if not manifest or manifest == _digest(folder):
                raise
            continue
        if manifest == _digest(folder):
            return found


def _digest(folder: Path) -> str:
    return manifest_digest(folder) if (folder / MANIFEST_NAME).is_file() else ""
