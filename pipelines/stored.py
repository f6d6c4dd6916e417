"""A folder that knows its encoder: what a pipeline saves, with what made its vectors.

Every such folder has a ``manifest.json``: the pipeline that wrote it, its settings, the identity of its encoder and the
name that makes the encoder again, and the size and SHA-256 of every file; see `interlingua.index.folder`. It is written
whole or not at all, and read only if every byte is as it was written.

Which encoder a loaded folder gets: its own, unless one is named; and one that is named must be the same.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from interlingua.align.files import replacing_folder
from interlingua.index import Collection, MilvusCollection, UnsupportedOperation
from interlingua.index.folder import MANIFEST_NAME, locked, read_folder, read_manifest, write_folder
from interlingua.pipelines.encoders.base import Encoder
from interlingua.pipelines.encoders.fingerprint import (
    PROBES_KEY,
    Fingerprint,
    difference,
    fingerprint,
    identity_with,
)
from interlingua.pipelines.encoders.known import require_known_model
from interlingua.pipelines.encoders.load import (
    is_inside_a_package,
    lasting_name,
    load_encoder,
    load_named_again,
    name_of_identity,
)

#: What a pipeline calls its folder.
Kind = Literal["search", "memory", "answers", "entities", "classifier"]

_NOUNS: Mapping[str, tuple[str, str]] = {  # what it is, and the command that writes it
    "search": ("a search", "index build"),
    "memory": ("a translation memory", "memory build"),
    "answers": ("answers", "answer PASSAGES.jsonl -o FOLDER"),
    "entities": ("an index of entities", "entities build"),
    "classifier": ("a classifier", "classify train"),
}
#: The file that marks a folder in a layout from before manifests.
OLDER_MARKERS: Mapping[str, str] = {"answers": "answers.json", "classifier": "cross_lingual_classifier.json"}
_OLDER_MEMORY = " (both sides alike)"  # a memory was a search whose encoder's identity ended so
_OWN = ("pipeline", "encoder", "encoder_name", PROBES_KEY)
_IN_MILVUS = "milvus-collection"
_PATIENCE = 30.0  # seconds: how long to wait for another writer


@dataclass(frozen=True)
class EncoderNote:
    """What a folder says of the encoder that made its vectors.

    Attributes
    ----------
    identity : str
        See `Encoder`.
    name : str
        What `load_encoder` takes to make it again, from any working folder; empty if nothing does.
    probes : Fingerprint, optional
        What the encoder is known by under any name; folders of earlier versions have none.
    """

    identity: str
    name: str = ""
    probes: Fingerprint | None = None

    @classmethod
    def of(cls, encoder: Encoder, name: str = "") -> "EncoderNote":
        """Return the note of an encoder, by default with the name that it was loaded by."""
        return cls(encoder.identity, name or lasting_name(None, encoder), fingerprint(encoder))

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> "EncoderNote":
        """Return the note in a folder's settings, which may say nothing."""
        said = (fields.get(key) for key in ("encoder", "encoder_name"))
        identity, name = (each if isinstance(each, str) else "" for each in said)
        return cls(identity, name, Fingerprint.from_json(fields.get(PROBES_KEY)))

    def fields(self) -> dict[str, Any]:
        """Return what `read` reads, for a folder's settings."""
        probes = {} if self.probes is None else {PROBES_KEY: self.probes.to_json()}
        return {"encoder": self.identity, "encoder_name": self.name, **probes}

    def __str__(self) -> str:
        return self.name or self.identity


@dataclass(frozen=True)
class Stored:
    """What a folder holds beside its vectors.

    Attributes
    ----------
    encoder : EncoderNote
    about : mapping
        Settings, as JSON holds them.
    files : mapping of str to bytes
        Files by name; of a collection, its attachments.
    """

    encoder: EncoderNote
    about: Mapping[str, Any]
    files: Mapping[str, bytes]


def save_collection(
    folder: str | Path,
    kind: Kind,
    collection: Collection | MilvusCollection,
    encoder: EncoderNote,
    *,
    about: Mapping[str, Any],
    files: Mapping[str, bytes],
) -> None:
    """Write a collection with the settings and files of its pipeline, whole or not at all.

    Raises
    ------
    FileExistsError
        If something else lies there.
    LockedError
        If another writer has the folder; see `changing`.
    """
    collection.attributes = {"pipeline": kind, **encoder.fields(), **about}
    collection.attachments = dict(files)
    with _place(Path(folder), kind) as place:
        collection.save(place)


def open_collection(folder: str | Path, *, mapped: bool = False) -> Collection | MilvusCollection:
    """Return the collection in a folder, whoever wrote it: of ours, or what Milvus keeps.

    Raises
    ------
    ValueError
        If it is damaged, or no collection.
    UnsupportedOperation
        If what Milvus keeps is to be mapped.
    """
    if not is_with_milvus(folder):
        return Collection.load(folder, mapped=mapped)
    if mapped:
        raise UnsupportedOperation(f"{folder} is kept by Milvus and cannot be mapped; load it without --mapped")
    return MilvusCollection.load(folder)


def holds_plain_rows(folder: str | Path) -> bool:
    """Tell whether a folder holds a collection that no pipeline has written."""
    return (
        kind_of(folder) is None
        and (Path(folder) / MANIFEST_NAME).is_file()
        and read_manifest(Path(folder)).contents.get("type") in ("collection", _IN_MILVUS)
    )


def open_plain(folder: str | Path, *, mapped: bool = False) -> tuple[EncoderNote, Collection | MilvusCollection]:
    """Return the collection of such a folder, and what it says of its encoder, which may be nothing."""
    collection = open_collection(folder, mapped=mapped)
    return EncoderNote.read(collection.attributes), collection


def is_with_milvus(folder: str | Path) -> bool:
    """Tell whether a folder says of a collection that Milvus keeps its rows."""
    return (Path(folder) / MANIFEST_NAME).is_file() and read_manifest(Path(folder)).contents.get("type") == _IN_MILVUS


def load_collection(folder: str | Path, kind: Kind, *, mapped: bool = False) -> tuple[Any, Stored]:
    """Return the collection that `save_collection` wrote, of ours or in Milvus, and what lies beside it.

    Raises
    ------
    ValueError
        If the folder is of another kind, or damaged; the text names the file.
    FileNotFoundError
        If it is not there.
    """
    check_kind(folder, kind)
    collection = open_collection(folder, mapped=mapped)
    return collection, stored_with(collection)


def stored_with(collection: Collection | MilvusCollection) -> Stored:
    """Return what lies beside a collection that `save_collection` wrote."""
    return _stored(collection.attributes, collection.attachments)


def save_files(
    folder: str | Path, kind: Kind, encoder: EncoderNote, *, about: Mapping[str, Any], files: Mapping[str, bytes]
) -> None:
    """Write settings and files without a collection, whole or not at all; errors as `save_collection`."""
    settings = {**encoder.fields(), **about}
    with _place(Path(folder), kind) as place:
        write_folder(place, contents={"type": kind, "settings": settings}, files=files)


def load_files(folder: str | Path, kind: Kind) -> Stored:
    """Return what `save_files` wrote; errors as `load_collection`."""
    check_kind(folder, kind)
    return read_folder(
        Path(folder),
        lambda contents, paths: _stored(
            contents["settings"], {name: path.read_bytes() for name, path in paths.items()}
        ),
    )


def check_kind(folder: str | Path, kind: Kind) -> None:
    """Raise ValueError unless a folder is of a kind, and FileNotFoundError if there is none."""
    command = _NOUNS[kind][1]
    if not Path(folder).is_dir():
        raise FileNotFoundError(f"{folder} is no folder; `interlingua {command}` writes one, or mend the path")
    found = kind_of(folder)
    if found != kind:
        pronoun = "them" if kind == "answers" else "one"
        missing = f"no {noun_of(kind)}"
        held = f"{_NOUNS[found][0]}, but {missing}" if found else missing
        raise ValueError(f"{folder} holds {held}; `interlingua {command}` writes {pronoun}")


def kind_of(folder: str | Path) -> Kind | None:
    """Return what a folder holds, or None where no pipeline wrote it, or no folder is there.

    Raises
    ------
    CorruptCollectionError
        If its manifest is damaged.
    """
    place = Path(folder)
    if not (place / MANIFEST_NAME).is_file():
        return next(
            (kind for kind in get_args(Kind) if (place / OLDER_MARKERS.get(kind, MANIFEST_NAME)).is_file()), None
        )
    contents = read_manifest(place).contents
    about = contents.get("attributes") or {}
    found = about.get("pipeline") if contents.get("type") in ("collection", _IN_MILVUS) else contents.get("type")
    if found == "search" and str(about.get("encoder")).endswith(_OLDER_MEMORY):
        return "memory"
    return found if found in get_args(Kind) else None


def noun_of(kind: Kind) -> str:
    """Return what a folder is called, such as "translation memory"."""
    return _NOUNS[kind][0].removeprefix("a ").removeprefix("an ")


def is_older(folder: str | Path, kind: Kind) -> bool:
    """Tell whether a folder lies there in the layout from before manifests."""
    return (
        kind in OLDER_MARKERS
        and (Path(folder) / OLDER_MARKERS[kind]).is_file()
        and not (Path(folder) / MANIFEST_NAME).is_file()
    )


def encoder_of(
    folder: str | Path,
    note: EncoderNote,
    named: Encoder | str | Path | None = None,
    *,
    device: str = "auto",
    cache: bool = True,
) -> tuple[Encoder, str]:
    """Return the encoder of a folder and its lasting name: its own, or the one that is named if it is the same.

    Parameters
    ----------
    folder : str or Path
        What errors call the folder.
    note : EncoderNote
        What it says of its encoder.
    named : Encoder, str or Path, optional
        An encoder, or a name for `load_encoder`.
    device, cache
        For an encoder that is loaded by name.

    Raises
    ------
    ValueError
        If the encoder is another than that of the folder, or the folder knows no name of its own.
    UnknownModelError
        If none is named, and the folder names a path or a model on the Hub that was never named here.
    FileNotFoundError
        If the file of the encoder is not there.
    """
    if named is None:
        if note.name and not is_inside_a_package(note.name):
            require_known_model(note.name, folder)
        encoder = load_named_again(note.name, folder, device=device, cache=cache)
    elif isinstance(named, str | Path):
        encoder = load_encoder(named, device=device, cache=cache)
    else:
        encoder = named
    found = EncoderNote(encoder.identity, str(named) if isinstance(named, str | Path) else lasting_name(None, encoder))
    if identity_with(encoder, note.identity, note.probes, what=str(folder)) == note.identity:
        return encoder, lasting_name(None, encoder) or note.name
    if found.identity == note.identity and note.probes is not None:
        raise ValueError(
            f"{folder} holds vectors of {str(note)!r}, and the encoder has the same name {note.identity!r}, but "
            f"{difference(encoder, note.probes)}; bring the old one back, or build the folder again"
        )
    if named is None or (note.name and note.name == found.name):
        raise ValueError(
            f"{folder} holds vectors of {str(note)!r} as it was then, which is another encoder now "
            f"({found.identity!r}, not {note.identity!r}); bring the old one back, or build the folder again"
        )
    way_out = "name none, and that one is taken" if note.name else "name the encoder that built it"
    raise ValueError(
        f"{folder} holds vectors of {str(note)!r}, but the encoder is {str(found)!r}; {way_out}, or build it again"
    )


@contextmanager
def changing(folder: str | Path, *, patience: float | None = None) -> Iterator[None]:
    """Hold a folder from load to save, so that no other writer's change in between is lost.

    Others read meanwhile. Inside the block, this thread's saves into the folder pass.

    Parameters
    ----------
    folder : str or Path
    patience : float, optional
        Seconds to wait for another writer; by default 30.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    LockedError
        If another writer holds it for longer.
    """
    with locked(Path(folder), patience=_PATIENCE if patience is None else patience):
        yield


def _place(folder: Path, kind: Kind) -> AbstractContextManager[Path]:
    """Yield where to write: the folder, or a new one that takes the place of one in the older layout."""
    if is_older(folder, kind):
        return replacing_folder(folder, marker=OLDER_MARKERS[kind], kind=kind)
    return nullcontext(folder)


def _stored(fields: Mapping[str, Any], files: Mapping[str, bytes]) -> Stored:
    identity = str(fields["encoder"]).removesuffix(_OLDER_MEMORY)
    name = fields.get("encoder_name") or name_of_identity(identity)
    probes = Fingerprint.from_json(fields.get(PROBES_KEY))
    return Stored(
        EncoderNote(identity, name, probes), {key: fields[key] for key in fields if key not in _OWN}, dict(files)
    )
