"""The files of a saved collection, those of the user's own included: what is written, and how it is read."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from interlingua.index.engines.base import VectorIndex
from interlingua.index.engines.choose import read_index, spec_from_json, spec_to_json
from interlingua.index.folder import (
    MANIFEST_NAME,
    CorruptCollectionError,
    FileWriter,
    is_held,
    manifest_digest,
    naming,
    read_folder,
    write_folder,
)

from .metadata import MetadataTable, check_json


def array_to_bytes(array: NDArray[Any]) -> bytes:
    """Return an array as the content of an ``.npy`` file, without pickle.

    Raises
    ------
    ValueError
        If the array holds Python objects.

    Examples
    --------
    >>> bytes_to_array(array_to_bytes(np.array([0.5, 1.5], dtype=np.float32)))
    array([0.5, 1.5], dtype=float32)
    """
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def bytes_to_array(content: bytes) -> NDArray[Any]:
    """Return the array in the content of an ``.npy`` file; refuses pickles.

    Raises
    ------
    ValueError
        If the content is no ``.npy`` file of plain numbers or text.
    """
    try:
        array: NDArray[Any] = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    except (EOFError, OSError) as error:
        raise ValueError(f"the content is no whole .npy file: {error}") from None
    return array


def attachment_files(attachments: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files of the user's own as a save writes them, checked before it begins.

    Raises
    ------
    TypeError
        If a name is no string or a content not bytes.
    ValueError
        If two names differ in upper and lower case only, as some file systems hold them for the same.
    """
    for name, content in attachments.items():
        if not isinstance(name, str) or not isinstance(content, bytes | bytearray | memoryview):
            raise TypeError(f"attachments must map names to bytes, but {name!r} is a {type(content).__name__}")
    folded = [name.casefold() for name in attachments]
    if len(set(folded)) < len(folded):
        raise ValueError(f"attachments must differ in more than upper and lower case: {sorted(attachments)}")
    return {_ATTACHMENT + name: bytes(content) for name, content in attachments.items()}


def read_attachments(files: Mapping[str, Path]) -> dict[str, bytes]:
    """Return what `attachment_files` made files of."""
    return {
        name.removeprefix(_ATTACHMENT): file.read_bytes()
        for name, file in files.items()
        if name.startswith(_ATTACHMENT)
    }


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


def write_parts(parts: Parts, folder: Path, *, before: Callable[[], None]) -> str:
    """Write a collection into `folder`, whole or not at all; see `Collection.save`, and `write_folder` for the rest."""
    if not isinstance(parts.attributes, dict):
        raise TypeError(f"attributes must be a dictionary, not {type(parts.attributes).__name__}")
    contents: dict[str, Any] = {
        "type": "collection",
        "count": len(parts.table),
        **spec_to_json(parts.index.spec),
        "attributes": check_json(parts.attributes, "attributes"),
    }
    if is_held(folder) and (folder / MANIFEST_NAME).is_file():
        contents[CONTINUES] = manifest_digest(folder)
    own = attachment_files(parts.attachments)
    files: dict[str, FileWriter | bytes] = {**parts.index.files(), **parts.table.files(), **own}
    return write_folder(folder, contents=contents, files=files, before=before)


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
        return Parts(index, table, attributes, read_attachments(files))

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
