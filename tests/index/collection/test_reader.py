import numpy as np
import pytest

from interlingua.index import Collection, CollectionReader, CollectionStore, CorruptCollectionError
from interlingua.index.collection import journal as journal_module


def rows(*numbers):
    return [f"r{n}" for n in numbers], np.array([[1.0, n] for n in numbers], np.float32), [{"n": n} for n in numbers]


@pytest.fixture
def store(tmp_path):
    with CollectionStore.create(tmp_path / "store", Collection.create(2, "ip")) as opened:
        opened.add(*rows(1, 2))
        yield opened


def test_a_reader_follows_every_change_and_every_save(store):
    reader = CollectionReader(store.path)
    assert set(reader.collection) == {"r1", "r2"}
    assert not reader.refresh()
    followed = reader.collection
    store.add(*rows(3))
    store.upsert(["r1"], [[5.0, 5.0]])
    store.remove(["r2"])
    assert reader.refresh()
    assert reader.collection is followed  # not read anew
    assert reader.collection.ids == store.collection.ids == ("r3", "r1")
    assert reader.collection.vectors(["r1"]).tolist() == [[5.0, 5.0]]
    store.checkpoint()
    store.add(*rows(4))
    assert reader.refresh()
    assert reader.collection.ids == ("r3", "r1", "r4")
    assert not reader.refresh()


def test_a_reader_forgets_what_the_disk_did_not_take(store, monkeypatch):
    reader, seen = CollectionReader(store.path), []
    sync = journal_module.os.fsync

    def fail_once(descriptor):
        if not seen:
            reader.refresh()  # the record is whole already, but nobody was promised it
            seen.extend(reader.collection.ids)
            raise OSError(28, "No space left on device")
        sync(descriptor)

    monkeypatch.setattr(journal_module.os, "fsync", fail_once)
    with pytest.raises(OSError, match="No space"):
        store.add(*rows(7))
    assert seen == ["r1", "r2", "r7"]
    store.add(*rows(8))  # as long as what was taken back
    assert reader.refresh()
    assert reader.collection.ids == ("r1", "r2", "r8")


def test_damage_is_told_and_the_reader_goes_on_after_it_is_mended(store):
    reader = CollectionReader(store.path)
    (journal,) = store.path.glob("journal-*.log")
    store.add(*rows(3))
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-1] + b"x")
    with pytest.raises(CorruptCollectionError, match="journal-"):
        reader.refresh()
    assert set(reader.collection) == {"r1", "r2"}
    journal.write_bytes(whole)
    assert reader.refresh()
    assert set(reader.collection) == {"r1", "r2", "r3"}
    with pytest.raises(FileNotFoundError):
        CollectionReader(store.path / "nothing")
