"""What is served, by name: the folders of the command line, and collections that clients have made."""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar
from uuid import uuid4

from interlingua.pipelines.encoders.base import Encoder
from interlingua.pipelines.encoders.load import BUNDLED, lasting_name, load_encoder
from interlingua.pipelines.search.live import SearchReader, SearchStore, signature
from interlingua.pipelines.search.search import CrossLingualSearch
from interlingua.pipelines.stored import (
    EncoderNote,
    Kind,
    encoder_of,
    is_with_milvus,
    kind_of,
    noun_of,
    open_collection,
)
from interlingua.pipelines.texts.passages import Passage

from .joined import JoinedEncoder
from .metrics import Metrics
from .problems import Refused

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
_PATIENCE = 0.2  # seconds for which another process's change may not be seen
_LINGER = 2.0  # seconds for which a folder stays open for writing
_TRASH = ".gone-"
#: What comes in is kept here until it is read.
INCOMING = ".incoming"
T = TypeVar("T")


class Encoders:
    """Encoders by name, each loaded once, whose calls are joined.

    Parameters
    ----------
    named : Encoder, str, Path or None
        What new collections are made with, and folders of other programs.
    metrics : Metrics
    """

    def __init__(self, named: Encoder | str | Path | None, metrics: Metrics) -> None:
        self._named, self._metrics = named, metrics
        self._lock = threading.RLock()
        self._held: list[JoinedEncoder] = []
        self._default: JoinedEncoder | None = None

    @property
    def default(self) -> JoinedEncoder:
        """What new collections are made with."""
        with self._lock:
            if self._default is None:
                named = BUNDLED if self._named is None else self._named
                if isinstance(named, str | Path):
                    wanted = lasting_name(named)
                    held = (each for each in self._held if getattr(each, "loaded_as", "") == wanted)
                    self._default = next(held, None) or self._joined(load_encoder(named, cache=False))
                else:
                    self._default = self._joined(named)
            return self._default

    @property
    def default_name(self) -> str:
        """What clients call the default, which need not be loaded for that."""
        named = self._named if self._named is not None else BUNDLED
        if isinstance(named, str | Path):
            return Path(named).name if Path(named).exists() else str(named)
        return str(getattr(named, "loaded_as", "") or named.identity)

    def of(self, folder: Path, note: EncoderNote) -> JoinedEncoder:
        """Return the encoder of a folder; what one folder has is taken for others that have the same."""
        with self._lock:
            for each in self._held:
                if note.identity in (each.identity, *getattr(each, "former_identities", ())):
                    return each
            if self._named is not None and not note.name:
                return self.default  # whose vectors they are is looked at where they are loaded
            made, _ = encoder_of(folder, note, cache=False)
            return self._joined(made)

    def all(self) -> list[JoinedEncoder]:
        """Return those that are loaded."""
        with self._lock:
            return list(self._held)

    def close(self) -> None:
        """Encode nothing more."""
        for each in self.all():
            each.close()

    def _joined(self, encoder: Encoder) -> JoinedEncoder:
        joined = JoinedEncoder(encoder, counted=self._metrics.encoded)
        self._held.append(joined)
        return joined


class Followed(Generic[T]):
    """What a folder holds, read again when another process has changed it.

    Parameters
    ----------
    folder : Path
    load : callable
        Of the folder.
    """

    def __init__(self, folder: Path, load: Callable[[Path], T]) -> None:
        self.folder, self._load = folder, load
        self._lock = threading.Lock()
        self._signature, self._looked = signature(folder), time.monotonic()
        self._held = load(folder)

    def current(self) -> T:
        """Return what it holds now."""
        if time.monotonic() - self._looked >= _PATIENCE and self._lock.acquire(blocking=False):
            try:
                seen = signature(self.folder)
                self._looked = time.monotonic()
                if seen != self._signature:
                    self._held, self._signature = self._load(self.folder), seen
            finally:
                self._lock.release()
        return self._held


class ServedSearch:
    """A collection: read through a reader that follows, written through a store that is held while there are writes.

    Parameters
    ----------
    name : str
    folder : Path
    encoder : JoinedEncoder
    own : bool
        Whether a client made it, and may delete it.
    """

    def __init__(self, name: str, folder: Path, encoder: JoinedEncoder, *, own: bool) -> None:
        self.name, self.folder, self.encoder, self.own = name, folder, encoder, own
        self.writable = kind_of(folder) == "search"
        self._in_milvus = is_with_milvus(folder)
        self._writing = threading.RLock()
        self._store: SearchStore | None = None
        self._timer: threading.Timer | None = None
        self._reader = (
            None if self._in_milvus or not self.writable else SearchReader(folder, encoder, patience=_PATIENCE)
        )
        self._fixed = CrossLingualSearch.load(folder, encoder) if self._reader is None else None

    def search(self, *, fresh: bool = False) -> CrossLingualSearch:
        """Return the search as it is now."""
        if self._reader is None:
            assert self._fixed is not None  # noqa: S101 - one of both
            return self._fixed
        return self._reader.current(fresh=fresh)

    def upsert(self, passages: Sequence[Passage]) -> None:
        """Add passages, in place of those of the same ids; on the disk, and found, when it returns."""
        with self._changing() as target:
            target.upsert(passages)

    def remove(self, ids: Sequence[str]) -> None:
        """Remove passages; `KeyError` if one is not there, and then nothing is removed."""
        with self._changing() as target:
            target.remove(ids)

    def close(self) -> None:
        """Let other writers in, after a change that is under way."""
        with self._writing:
            if self._timer is not None:
                self._timer.cancel()
            if self._store is not None:
                self._store.close()
                self._store = None

    @contextmanager
    def _changing(self) -> Iterator[Any]:
        if not self.writable:
            raise Refused(409, f"{self.name} holds vectors of another program, which are only read; make a new one")
        with self._writing:
            if self._in_milvus:
                yield self._fixed
                return
            if self._timer is not None:
                self._timer.cancel()
            if self._store is None:
                self._store = SearchStore(self.folder, self.encoder)
            try:
                yield self._store
            finally:
                self._timer = threading.Timer(_LINGER, self.close)
                self._timer.daemon = True
                self._timer.start()
        self.search(fresh=True)


class Catalogue:
    """Everything that is served.

    Parameters
    ----------
    folders : mapping of str to Path
        By name.
    data : Path or None
        Where collections are made that clients upload; None: none are.
    encoders : Encoders

    Raises
    ------
    ValueError
        If a folder holds nothing that can be served.
    """

    def __init__(self, folders: dict[str, Path], data: Path | None, encoders: Encoders) -> None:
        self.data, self.encoders = data, encoders
        self._lock = threading.RLock()
        self._searches: dict[str, ServedSearch] = {}
        self._others: dict[str, tuple[Kind, Followed[Any]]] = {}
        for name, folder in folders.items():
            self._add(name, folder)
        if data is not None:
            for folder in self._own_folders(data):
                self._searches[folder.name] = self._served(folder.name, folder, own=True)

    def searches(self) -> list[ServedSearch]:
        """Return the collections, in the order of their names."""
        with self._lock:
            return [self._searches[name] for name in sorted(self._searches)]

    def search(self, name: str | None) -> ServedSearch:
        """Return a collection; without a name, the only one there is.

        Raises
        ------
        Refused
            404 if it is not there, 422 if none is named of several.
        """
        with self._lock:
            return _one(self._searches, name, "collection", "collection")

    def named(self, kind: Kind, name: str | None) -> Any:
        """Return what another pipeline has saved: the only one of its kind, or that of a name; errors as `search`."""
        with self._lock:
            kept = {each: follow for each, (of, follow) in self._others.items() if of == kind}
            found = _one(kept, name, kind, noun_of(kind))
        return found.current()

    def names(self, kind: Kind) -> list[str]:
        """Return the names of what is served of a kind."""
        if kind == "search":
            return [each.name for each in self.searches()]
        return sorted(name for name, (of, _) in self._others.items() if of == kind)

    def new_folder(self, name: str) -> Path:
        """Return where a new collection of a client is made.

        Raises
        ------
        Refused
            403 if none may be made, 409 if there is one of that name, 422 if it is no name.
        """
        if self.data is None:
            raise Refused(403, "no collection can be made here; start the service with --data FOLDER")
        if not NAME.fullmatch(name):
            raise Refused(422, "name: a collection's name is up to 64 of a-z, 0-9, - and _, and begins with no sign")
        with self._lock:
            if name in self._searches or name in self._others:
                raise Refused(409, f"there is a {name} already; take another name, or delete it before")
        return self.data / name

    def incoming(self) -> Path:
        """Return a new path for a file that comes in."""
        if self.data is None:
            raise Refused(403, "nothing can be uploaded here; start the service with --data FOLDER")
        (self.data / INCOMING).mkdir(parents=True, exist_ok=True)
        return self.data / INCOMING / uuid4().hex

    def serve(self, name: str) -> ServedSearch:
        """Serve a collection that has been made."""
        served = self._served(name, self.new_folder(name), own=True)
        with self._lock:
            self._searches[name] = served
        return served

    def delete(self, name: str) -> None:
        """Delete a collection that a client made.

        Raises
        ------
        Refused
            404 if it is not there, 403 if it was given on the command line.
        """
        served = self.search(name)
        if not served.own or self.data is None:
            raise Refused(403, f"{name} was given on the command line, and is only deleted by who started the service")
        with self._lock:
            self._searches.pop(name, None)
        served.close()
        gone = self.data / f"{_TRASH}{uuid4().hex}"
        served.folder.rename(gone)  # gone at once, and whole
        shutil.rmtree(gone, ignore_errors=True)

    def forget(self, name: str) -> None:
        """Serve a collection no more whose folder has gone."""
        with self._lock:
            self._searches.pop(name, None)

    def close(self) -> None:
        """Finish what is being written."""
        for each in self.searches():
            each.close()

    def _own_folders(self, data: Path) -> list[Path]:
        data.mkdir(parents=True, exist_ok=True)
        for path in data.iterdir():  # what a killed service has left
            if path.name == INCOMING or path.name.startswith(_TRASH):
                shutil.rmtree(path, ignore_errors=True)
        found = [path for path in sorted(data.iterdir()) if NAME.fullmatch(path.name) and kind_of(path) == "search"]
        taken = [path.name for path in found if path.name in self._searches or path.name in self._others]
        if taken:
            raise ValueError(
                f"{data / taken[0]} and a folder of the command line have one name; give that one another: NAME=FOLDER"
            )
        return found

    def _add(self, name: str, folder: Path) -> None:
        kind = kind_of(folder)
        if kind is None or kind == "search":
            open_collection(folder) if kind is None else None  # says what is the matter
            self._searches[name] = self._served(name, folder, own=False)
        else:
            self._others[name] = kind, Followed(folder, lambda path: _load(kind, path, self.encoders))

    def _served(self, name: str, folder: Path, *, own: bool) -> ServedSearch:
        return ServedSearch(name, folder, self.encoders.of(folder, _note(folder)), own=own)


def _note(folder: Path) -> EncoderNote:
    """Return what a folder says of its encoder, without reading its rows."""
    from interlingua.index.folder import read_manifest

    contents = read_manifest(folder).contents
    about = contents.get("attributes") or contents.get("settings") or {}
    return EncoderNote.read(about)


def _load(kind: Kind, folder: Path, encoders: Encoders) -> Any:
    encoder = encoders.of(folder, _note(folder))
    if kind == "memory":
        from interlingua.pipelines.translate.memory import TranslationMemory

        return TranslationMemory.load(folder, encoder)
    if kind == "answers":
        from interlingua.pipelines.answer.answer import QuestionAnswerer

        return QuestionAnswerer.load(folder, encoder)
    if kind == "classifier":
        from interlingua.pipelines.classify.texts import CrossLingualClassifier

        return CrossLingualClassifier.load(folder, encoder)
    from interlingua.pipelines.link.entities import EntityIndex

    return EntityIndex.load(folder, encoder)


def _one(held: dict[str, T], name: str | None, field: str, noun: str) -> T:
    there = ", ".join(sorted(held)) or "none"
    if name is None:
        if len(held) == 1:
            return next(iter(held.values()))
        if not held:
            raise Refused(404, f"no {noun} is served; name its folder when the service is started")
        raise Refused(422, f"{field}: one of several must be named; there are: {there}")
    if name not in held:
        raise Refused(404, f"there is no {noun} of that name; there are: {there}")
    return held[name]
