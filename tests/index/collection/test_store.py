import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from interlingua.index import (
    Collection,
    CollectionReader,
    CollectionStore,
    CorruptCollectionError,
    LockedError,
    UnsupportedOperation,
    create_index,
    restore,
    verify,
)
from interlingua.index import folder as folder_module
from interlingua.index.collection import journal as journal_module
from interlingua.index.collection.journal import Change, Journal
from interlingua.index.collection.parts import read_parts
from interlingua.index.folder import manifest_digest


def rows(*numbers):
    ids = [f"r{number}" for number in numbers]
    return ids, np.array([[1.0, number] for number in numbers], np.float32), [{"n": number} for number in numbers]


def contents(collection):
    return {id: (collection.get([id])[0], collection.vectors([id])[0].tolist()) for id in collection.ids}


@pytest.fixture
def folder(tmp_path):
    with CollectionStore.create(tmp_path / "store", Collection.create(2, "ip")) as store:
        store.add(*rows(1, 2, 3))
    return tmp_path / "store"


def the_journal(folder):
    (path,) = folder.glob("journal-*.log")
    return path


@pytest.mark.parametrize("kind", ["flat", "faiss-flat", "hnsw", "ivf-flat"])
def test_what_was_acknowledged_is_there_without_any_save(kind, tmp_path):
    expected = Collection.create(2, "ip", kind)
    with CollectionStore.create(tmp_path / "store", Collection.create(2, "ip", kind)) as store:
        for target in (store, expected):
            target.add(*rows(1, 2, 3))
            target.upsert(*rows(3, 4))
            target.remove(["r1"])
            target.upsert(["r2"], [[5.0, 5.0]])
        seen = Collection.load(tmp_path / "store")
    again = CollectionStore(tmp_path / "store")
    assert contents(seen) == contents(again.collection) == contents(expected)
    assert again.search([[0.0, 1.0]], k=1).ids == expected.search([[0.0, 1.0]], k=1).ids
    again.close()
    assert len(Collection.load(tmp_path / "store", journal=False)) == 0  # the last save alone


def test_a_checkpoint_moves_the_journal_into_the_save(folder):
    before = the_journal(folder)
    with CollectionStore(folder) as store:
        store.checkpoint()
        assert the_journal(folder) != before
        store.add(*rows(9))
    assert len(Collection.load(folder, journal=False)) == 3
    assert len(Collection.load(folder)) == 4


def test_a_long_journal_is_saved_by_itself(tmp_path):
    with CollectionStore.create(tmp_path / "s", Collection.create(2), checkpoint_bytes=1) as store:
        for number in range(40):
            store.add(*rows(number))
    assert 0 < len(Collection.load(tmp_path / "s", journal=False)) <= 40
    assert len(Collection.load(tmp_path / "s")) == 40


@pytest.mark.parametrize("checkpoint_bytes", [1, 4000])
def test_a_store_saves_once_its_journal_has_outgrown_what_is_saved(tmp_path, checkpoint_bytes):
    folder, saves = tmp_path / "s", []
    with CollectionStore.create(folder, Collection.create(2), checkpoint_bytes=checkpoint_bytes) as store:
        empty = the_journal(folder).stat().st_size
        store.add(*rows(100))
        record = the_journal(folder).stat().st_size - empty  # all are of this length
        for number in range(101, 200):
            journal = the_journal(folder)
            saved = sum(path.stat().st_size for path in folder.iterdir() if path != journal)
            outgrown = journal.stat().st_size + record > max(saved, checkpoint_bytes)
            store.add(*rows(number))
            assert (the_journal(folder) != journal) == outgrown
            saves += [number] if outgrown else []
    assert len(saves) > 2
    assert min(np.diff(saves)) > 1


@pytest.mark.parametrize("lost", [1, 20, 60])
def test_a_record_cut_short_was_never_promised(folder, lost):
    whole = the_journal(folder).read_bytes()
    with CollectionStore(folder) as store:
        store.add(*rows(4))
    longer = the_journal(folder).read_bytes()
    assert longer.startswith(whole)
    the_journal(folder).write_bytes(longer[:-lost])
    assert set(Collection.load(folder).ids) == {"r1", "r2", "r3"}
    with CollectionStore(folder) as store:
        assert the_journal(folder).read_bytes() == whole
        store.add(*rows(5))
    assert set(Collection.load(folder).ids) == {"r1", "r2", "r3", "r5"}


def test_every_altered_byte_of_the_journal_is_found(folder):
    whole = bytearray(the_journal(folder).read_bytes())
    for at in range(len(whole)):
        altered = bytearray(whole)
        altered[at] ^= 4
        the_journal(folder).write_bytes(altered)
        with pytest.raises(CorruptCollectionError, match="journal-"):
            Collection.load(folder)
        assert not verify(folder).rows


def test_a_full_disk_loses_nothing_and_the_store_goes_on(folder, monkeypatch):
    with CollectionStore(folder) as store:
        before = the_journal(folder).read_bytes()

        def fail(descriptor):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            calls = iter([fail, os.fsync])  # writing the record fails, taking it back does not
            patch.setattr(journal_module.os, "fsync", lambda descriptor: next(calls)(descriptor))
            with pytest.raises(OSError, match="No space left"):
                store.add(*rows(7))
        assert the_journal(folder).read_bytes() == before
        assert "r7" not in store.collection
        store.add(*rows(8))
    assert set(Collection.load(folder).ids) == {"r1", "r2", "r3", "r8"}


def test_a_refused_change_leaves_no_trace(folder):
    with CollectionStore(folder) as store:
        before = the_journal(folder).read_bytes()
        for wrong in (
            lambda: store.add(*rows(3)),
            lambda: store.add(["x"], [[1.0, 2.0, 3.0]]),
            lambda: store.add(["x", "y"], [[1.0, 2.0]]),
            lambda: store.add(["x"], [[np.nan, 2.0]]),
            lambda: store.upsert(["x"], [[1.0, 2.0]], [{"when": object()}]),
            lambda: store.remove(["nobody"]),
        ):
            with pytest.raises((ValueError, TypeError, KeyError)):
                wrong()
        assert the_journal(folder).read_bytes() == before
        assert len(store) == 3


def test_one_writer_at_a_time(folder):
    with CollectionStore(folder) as store:
        with pytest.raises(LockedError, match="open for writing elsewhere"):
            CollectionStore(folder)
        with pytest.raises(LockedError, match="open for writing elsewhere"):
            store.collection.save(folder)
        assert len(Collection.load(folder)) == 3
    with pytest.raises(ValueError, match="is closed; open it again"):
        store.add(*rows(4))
    CollectionStore(folder).close()


def test_a_snapshot_can_be_restored(folder, tmp_path):
    with CollectionStore(folder) as store:
        store.snapshot(tmp_path / "copy")
        store.remove(["r1"])
        with pytest.raises(FileExistsError, match="choose a new folder for the snapshot"):
            store.snapshot(tmp_path / "copy")
    restore(tmp_path / "copy", tmp_path / "restored")
    assert set(Collection.load(tmp_path / "restored").ids) == {"r1", "r2", "r3"}
    with pytest.raises(FileExistsError):
        restore(tmp_path / "copy", folder)


def test_create_and_open_say_what_is_there_and_what_is_not(folder, tmp_path):
    with pytest.raises(FileExistsError, match="holds a collection already"):
        CollectionStore.create(folder, Collection.create(2))
    with pytest.raises(FileNotFoundError, match="make it with CollectionStore"):
        CollectionStore(tmp_path / "nothing")


def test_verify_names_everything_that_is_damaged(folder):
    with CollectionStore(folder) as store:
        store.checkpoint()
        store.add(*rows(4))
    sound = verify(folder)
    assert (sound.rows, sound.changes, sound.problems) == (4, 1, ())
    (ids,), (vectors,) = folder.glob("ids.*.npy"), folder.glob("vectors.*.npy")
    ids.write_bytes(ids.read_bytes()[:-1])
    vectors.write_bytes(vectors.read_bytes()[:-1] + b"x")
    the_journal(folder).write_bytes(the_journal(folder).read_bytes()[:-1] + b"x")
    found = verify(folder)
    assert found.rows == 0
    assert len(found.problems) == 3
    for path in (vectors, ids, the_journal(folder)):
        assert any(str(path) in problem for problem in found.problems)


def test_verify_tells_of_a_save_that_passed_the_journal_by(folder):
    Collection.load(folder, journal=False).save(folder)
    assert "continues an older save" in verify(folder).problems[0]
    CollectionStore(folder).close()
    assert verify(folder).problems == ()


def test_a_writer_killed_before_it_removed_what_it_had_saved_leaves_a_sound_folder(folder):
    path = the_journal(folder)
    copy = path.read_bytes()
    with CollectionStore(folder) as store:
        store.checkpoint()
    path.write_bytes(copy)
    found = verify(folder)
    assert (found.rows, found.changes, found.problems) == (3, 0, ())
    with CollectionStore(folder) as store:
        assert set(store.collection) == {"r1", "r2", "r3"}
    assert not path.exists()


_WRITER = """
import sys, numpy as np
from interlingua.index import CollectionStore
store = CollectionStore(sys.argv[1], checkpoint_bytes=2000)
number = 2 + max((int(id[1:]) for id in store.collection.ids), default=-2)
while True:
    ids = [f"k{number}", f"l{number}"]
    store.add(ids, np.full((2, 2), 1.0 + number), [{"n": number}] * 2)
    if number % 3 == 0:
        store.upsert(ids[:1], [[0.5, number]], [{"n": -number}])
    if number % 5 == 0:
        store.remove(ids[1:])
    print(number, flush=True)
    number += 2
"""


@pytest.mark.slow
def test_a_killed_writer_loses_nothing_it_acknowledged(tmp_path):
    folder = tmp_path / "store"
    CollectionStore.create(folder, Collection.create(2, "ip", "hnsw", {"threads": 1})).close()
    acknowledged = set()
    for attempt in range(4):
        with subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(folder)], stdout=subprocess.PIPE, text=True
        ) as process:
            for _ in range(15 + 7 * attempt):
                acknowledged.add(int(process.stdout.readline()))
            process.kill()
            acknowledged.update(int(line) for line in process.stdout.read().splitlines() if line.strip())
        assert verify(folder).problems == ()
        collection = Collection.load(folder)
        assert len(set(collection.ids)) == len(collection)
        for number in acknowledged:
            assert collection.get([f"k{number}"]) == [{"n": -number if number % 3 == 0 else number}]
            assert (f"l{number}" in collection) == (number % 5 != 0)
    assert Path(folder, "writer.lock").exists()


def test_one_string_is_one_id_and_a_generator_is_read_once(folder):
    with CollectionStore(folder) as store:
        store.remove("r1")
        store.remove(id for id in ["r2"])
    assert Collection.load(folder).ids == ("r3",)


def test_a_save_by_someone_else_stops_the_store(folder):
    with CollectionStore(folder) as store:
        with store._lock.held():  # as where the system has no locks
            store.collection.save(folder)
        with pytest.raises(LockedError, match="saved by someone else meanwhile"):
            store.add(*rows(9))


@pytest.mark.skipif(sys.platform == "win32", reason="no advisory locks on folders")
def test_a_store_opened_during_a_save_waits_and_loses_nothing(folder):
    collection = Collection.load(folder)
    collection.upsert(*rows(7))
    opened = threading.Event()

    def open_and_add():
        with CollectionStore(folder) as store:
            opened.set()
            store.add(*rows(8))

    writer = threading.Thread(target=open_and_add)
    original = folder_module.Manifest.to_bytes

    def slow(manifest):
        writer.start()
        assert not opened.wait(0.3)
        return original(manifest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folder_module.Manifest, "to_bytes", slow)
        collection.save(folder)
    writer.join()
    assert set(Collection.load(folder).ids) == {"r1", "r2", "r3", "r7", "r8"}
    assert verify(folder).problems == ()


def test_a_reader_meets_a_checkpoint_and_reads_again(folder, monkeypatch):
    calls = []

    def checkpoint_first(path, threads, *, mapped):
        if not calls:
            calls.append(1)
            with CollectionStore(folder) as store:  # replaces the manifest whose journal the reader will apply
                store.checkpoint()
        return read_parts(path, threads, mapped=mapped)

    monkeypatch.setattr("interlingua.index.collection.collection.read_parts", checkpoint_first)
    assert set(Collection.load(folder).ids) == {"r1", "r2", "r3"}


@pytest.mark.slow
def test_vectors_with_milvus_have_no_store(milvus_file, tmp_path):
    collection = Collection(create_index("milvus", 2, "ip", {"uri": milvus_file, "collection": "store"}))
    with pytest.raises(UnsupportedOperation, match="Milvus keeps its vectors itself"):
        CollectionStore.create(tmp_path / "s", collection)
    assert not (tmp_path / "s").exists()


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


@pytest.mark.parametrize(
    "change", [Change("remove", ("nobody",)), Change("add", ("r1",), np.ones((1, 2), np.float32), [{}])]
)
def test_a_record_that_does_not_fit_the_rows_is_damage_and_names_the_journal(folder, change):
    with CollectionStore(folder) as store:
        store.upsert(*rows(1))
    journal = Journal(folder, manifest_digest(folder))
    journal.append(change)
    journal.close()
    name = the_journal(folder).name
    for read in (Collection.load, CollectionReader, CollectionStore):
        with pytest.raises(CorruptCollectionError, match=rf"{name} holds at byte \d+ a change that does not fit"):
            read(folder)
    assert any(name in problem for problem in verify(folder).problems)


def test_a_snapshot_that_fails_leaves_no_folder_and_can_be_taken_again(folder, tmp_path, monkeypatch):
    with CollectionStore(folder) as store:
        with monkeypatch.context() as patch:
            patch.setattr("interlingua.index.folder._write_file", no_space)
            with pytest.raises(OSError, match="No space left"):
                store.snapshot(tmp_path / "snapshot")
            with pytest.raises(OSError, match="No space left"):
                restore(folder, tmp_path / "snapshot")
        assert not (tmp_path / "snapshot").exists()
        store.snapshot(tmp_path / "snapshot")


def no_space(path, content):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_what_was_loaded_is_gone_on_with(folder, monkeypatch):
    mine = Collection.load(folder)
    with CollectionStore(folder) as store:
        store.upsert(*rows(1, 4))
    with monkeypatch.context() as patch:
        patch.setattr(Collection, "load", lambda *_, **__: 1 / 0)
        with CollectionStore(folder, collection=mine) as store:
            assert store.collection is mine
            assert "r4" in mine
            store.upsert(*rows(3))
    assert contents(Collection.load(folder)) == contents(mine)
    with CollectionStore(folder) as store:
        store.checkpoint()
    for outdated in (mine, Collection.create(2, "ip"), Collection.load(folder, journal=False)):
        with pytest.raises(LockedError, match="was saved by someone else since it was loaded"):
            CollectionStore(folder, collection=outdated)
    CollectionStore(folder).close()  # nobody holds it
