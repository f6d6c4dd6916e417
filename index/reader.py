"""A saved collection that is kept in step with its writer."""

from pathlib import Path

from .collection import Collection
from .collection_files import settled
from .journal import Place, read_on
from .manifest import CorruptCollectionError, manifest_digest

__all__ = ["CollectionReader"]


class CollectionReader:
    """A saved collection, open for reading; `refresh` brings in what a writer has acknowledged meanwhile.

    A refresh costs what the changes cost, not what the collection does; only after a save is it read anew. Any number
    of readers, in any number of processes, may follow one `CollectionStore`; each sees whole changes, in their order.

    Parameters
    ----------
    path : str or Path
        A folder that `Collection.save` or `CollectionStore` wrote.
    threads : int, optional
        For FAISS, see `FaissFlatConfig`.

    Raises
    ------
    FileNotFoundError, CorruptCollectionError
        As `Collection.load`.

    Examples
    --------
    >>> import tempfile
    >>> from interlingua.index import CollectionStore
    >>> folder = Path(tempfile.mkdtemp()) / "words"
    >>> store = CollectionStore.create(folder, Collection.create(2))
    >>> reader = CollectionReader(folder)
    >>> store.add(["hujambo", "ni hao"], [[1.0, 0.1], [0.9, 0.3]])
    >>> len(reader.collection), reader.refresh(), len(reader.collection)
    (0, True, 2)
    >>> store.close()
    """

    def __init__(self, path: str | Path, *, threads: int | None = None) -> None:
        self.path = Path(path)
        self._threads = threads
        self.collection, self._manifest, self._place = self._load()

    def refresh(self) -> bool:
        """Bring `collection` up to date and return whether there was anything new.

        After a save by a writer `collection` is another object.

        Raises
        ------
        CorruptCollectionError
            If a file is damaged; `collection` is then as of some change before that.
        """
        before = self._manifest, self._place
        if manifest_digest(self.path) == self._manifest:
            try:
                for change, place in read_on(self.path, self._manifest, self._place):
                    self.collection.apply(change)
                    self._place = place
                return before[1] != self._place
            except (CorruptCollectionError, OSError, KeyError):
                pass  # subtle: a save may have removed the journal, or the writer taken back what the disk did not take
        self.collection, self._manifest, self._place = self._load()
        return before != (self._manifest, self._place)

    def _load(self) -> tuple[Collection, str, Place]:
        def attempt(manifest: str) -> tuple[Collection, str, Place]:
            loaded, place = Collection.load(self.path, threads=self._threads, journal=False), Place()
            for change, reached in read_on(self.path, manifest, Place()):
                loaded.apply(change)
                place = reached
            return loaded, manifest, place

        return settled(self.path, attempt)
