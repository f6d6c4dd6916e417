"""What is on disk: whole or not at all, and refused by name when it is not what was saved."""

import errno
import inspect
import json
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from interlingua.index import Collection, CollectionStore, CorruptCollectionError, LockedError, folder, verify
from interlingua.index import folder as manifest
from interlingua.index.collection.journal import Change, journal_path
from interlingua.index.files import replacing_file
from interlingua.index.folder import locked, manifest_digest, write_folder


@pytest.fixture
def saved(collection, tmp_path):
    path = tmp_path / "saved"
    collection.save(path)
    return path


def files_of(path):
    return sorted(file for file in path.iterdir())


def truncate(file, rng):
    os.truncate(file, int(rng.integers(file.stat().st_size)))


def flip_a_bit(file, rng):
    content = bytearray(file.read_bytes())
    content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
    file.write_bytes(content)


def append(file, rng):
    with file.open("ab") as stream:
        stream.write(rng.bytes(int(rng.integers(1, 9))))


def append_a_newline(file, rng):
    with file.open("ab") as stream:
        stream.write(b"\n")


def delete(file, rng):
    file.unlink()


def empty(file, rng):
    os.truncate(file, 0)


def overwrite_with_garbage(file, rng):
    file.write_bytes(rng.bytes(file.stat().st_size))


def make_it_a_folder(file, rng):
    file.unlink()
    file.mkdir()


MUTATIONS = [truncate, flip_a_bit, append, append_a_newline, delete, empty, overwrite_with_garbage, make_it_a_folder]


@pytest.mark.parametrize("mutate", MUTATIONS)
def test_every_altered_file_is_refused_by_name(saved, mutate):
    rng = np.random.default_rng(0)
    originals = {file: file.read_bytes() for file in files_of(saved)}
    assert len(originals) >= 7
    for file, content in originals.items():
        mutate(file, rng)
        with pytest.raises(CorruptCollectionError) as caught:
            Collection.load(saved)
        assert file.name in str(caught.value)
        assert "build it again" in str(caught.value)
        if file.is_dir():
            file.rmdir()
        file.write_bytes(content)
    assert len(Collection.load(saved)) == 40  # put back, it is whole


def test_flipped_bits_of_the_manifest_are_noticed(make_collection, tmp_path):
    collection = make_collection(n=2)
    collection.attachments = {}
    collection.save(tmp_path)
    path = tmp_path / "manifest.json"
    content = path.read_bytes()
    for position in range(0, len(content), 7):
        changed = bytearray(content)
        changed[position] ^= 1 << (position % 8)
        path.write_bytes(changed)
        with pytest.raises(CorruptCollectionError, match=r"manifest\.json"):
            manifest.read_manifest(tmp_path)


def test_files_that_changed_places_are_refused(saved):
    first, second = [file for file in files_of(saved) if file.suffix == ".npy"][:2]
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    with pytest.raises(CorruptCollectionError, match=first.suffix):
        Collection.load(saved)


def sign(fields):
    """Return a manifest with a right checksum of wrong fields, as a hostile or broken writer could make it."""
    fields.pop("sha256", None)
    return manifest._json_bytes({**fields, "sha256": manifest._fields_digest(fields)})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("type", 7),
        ("count", "40"),
        ("count", None),
        ("count", -1),
        ("count", True),
        ("kind", ["flat"]),
        ("kind", "annoy"),
        ("metric", 1),
        ("dimension", "12"),
        ("dimension", 0),
        ("dimension", 2.5),
        ("config", [1]),
        ("config", []),
        ("config", None),
        ("attributes", []),
        ("attributes", "x"),
        ("files", []),
        ("files", {}),
        ("files", {"ids.npy": 3}),
        ("files", {"ids.npy": {"stored": "ids.npy"}}),
        ("files", {"ids.npy": {"stored": "../ids.npy", "size": 1, "sha256": "0"}}),
        ("files", {"ids.npy": {"stored": "/etc/passwd", "size": 1, "sha256": "0"}}),
        ("files", {"ids.npy": {"stored": "ids.npy", "size": "1", "sha256": "0"}}),
        ("files", None),
    ],
)
def test_manifest_of_the_wrong_types_is_refused(saved, field, value):
    path = saved / "manifest.json"
    fields = json.loads(path.read_bytes())
    path.write_bytes(sign({**fields, field: value}))
    with pytest.raises(CorruptCollectionError, match=r"manifest\.json"):
        Collection.load(saved)
    del fields[field]
    path.write_bytes(sign(fields))
    with pytest.raises(CorruptCollectionError, match=r"manifest\.json"):
        Collection.load(saved)


@pytest.mark.parametrize("content", [b"[]", b"{}", b"null", b"3", b'{"format": "other"}', b"[" * 100_000, b"\xff\xfe"])
def test_foreign_manifest_is_refused(saved, content):
    (saved / "manifest.json").write_bytes(content)
    with pytest.raises(CorruptCollectionError, match=r"manifest\.json"):
        Collection.load(saved)


@pytest.mark.parametrize("found", [0, 2, "1", None, True, 1.5])
def test_other_format_version_has_a_message_of_its_own(saved, found):
    path = saved / "manifest.json"
    path.write_bytes(sign({**json.loads(path.read_bytes()), "format_version": found}))
    with pytest.raises(CorruptCollectionError, match=rf"manifest\.json has format_version {found!r}.*reads 1 only"):
        Collection.load(saved)


def test_an_index_of_another_shape_is_refused_though_its_checksum_is_right(saved, make_collection, kind, tmp_path):
    other = make_collection(kind, n=39)
    other.save(tmp_path / "other")
    fields = json.loads((saved / "manifest.json").read_bytes())
    theirs = json.loads((tmp_path / "other" / "manifest.json").read_bytes())
    for name in fields["files"]:
        if name in ("vectors.npy", "index.faiss"):
            entry = theirs["files"][name]
            (saved / entry["stored"]).write_bytes((tmp_path / "other" / entry["stored"]).read_bytes())
            fields["files"][name] = entry
    (saved / "manifest.json").write_bytes(sign(fields))
    with pytest.raises(CorruptCollectionError, match=entry["stored"]):
        Collection.load(saved)


def test_missing_folder_and_foreign_folder_are_told_apart(tmp_path, make_collection):
    with pytest.raises(FileNotFoundError, match="no folder"):
        Collection.load(tmp_path / "none")
    with pytest.raises(CorruptCollectionError, match=r"manifest\.json is missing"):
        Collection.load(tmp_path)
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(FileExistsError, match=r"thesis\.txt"):
        make_collection().save(tmp_path)
    with pytest.raises(FileExistsError, match="is a file"):
        make_collection().save(tmp_path / "thesis.txt")
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_damaged_folder_is_not_overwritten_unasked(saved, make_collection):
    (saved / "manifest.json").write_text("{}")
    before = files_of(saved)
    with pytest.raises(CorruptCollectionError, match="will not save over"):
        make_collection().save(saved)
    assert files_of(saved) == before


def test_saving_again_leaves_nothing_of_the_old_and_nothing_foreign_is_touched(saved, make_collection):
    before = {file.name for file in files_of(saved)}
    (saved / "NOTES.txt").write_text("mine")
    (saved / "vectors.g1-0123456789ab.npy").write_text("leftover of a killed save")
    make_collection(version=2).save(saved)
    after = {file.name for file in files_of(saved)}
    assert before & after == {"manifest.json"}
    assert "NOTES.txt" in after
    assert len({name.split(".")[1] for name in after - {"manifest.json", "NOTES.txt"}}) == 1
    assert Collection.load(saved).attributes["version"] == 2


@pytest.mark.parametrize("failing_call", range(1, 12))
def test_a_failing_write_leaves_the_old_state_and_no_rubbish(saved, make_collection, monkeypatch, failing_call):
    before = {file.name: file.read_bytes() for file in files_of(saved)}
    calls = 0
    write_file = folder._write_file

    def fail(path, content):
        nonlocal calls
        calls += 1
        if calls == failing_call:
            path.write_bytes(b"half")
            raise OSError("No space left on device")
        return write_file(path, content)

    monkeypatch.setattr(folder, "_write_file", fail)
    new = make_collection(version=2)
    new.attachments |= {f"more-{i}": b"x" for i in range(4)}  # 11 files with the manifest
    with pytest.raises(OSError, match="No space left"):
        new.save(saved)
    assert {file.name: file.read_bytes() for file in files_of(saved)} == before


def test_an_interrupt_right_after_the_commit_keeps_the_new_state(saved, make_collection, monkeypatch):
    path_type = type(saved)
    replace = path_type.replace

    def replace_and_interrupt(self, target):
        replace(self, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(path_type, "replace", replace_and_interrupt)
    with pytest.raises(KeyboardInterrupt):
        make_collection(version=2).save(saved)
    assert Collection.load(saved).attributes["version"] == 2


def test_a_reader_that_is_overtaken_by_a_save_reads_the_new_state(saved, make_collection, monkeypatch):
    verify_files, saves = folder.verify_files, []

    def save_meanwhile(path, read):
        if not saves:
            saves.append(make_collection(version=2).save(saved))
        return verify_files(path, read)

    monkeypatch.setattr(folder, "verify_files", save_meanwhile)
    assert Collection.load(saved).attributes["version"] == 2


@pytest.mark.skipif(sys.platform == "win32", reason="no advisory locks on folders")
def test_a_second_saver_waits_for_the_first(saved, make_collection):
    second = threading.Thread(target=make_collection(version=2).save, args=[saved])
    with folder.folder_lock(saved) as locked:
        assert locked
        second.start()
        second.join(timeout=0.2)
        assert second.is_alive()
        assert Collection.load(saved).attributes["version"] == 1  # readers do not wait
    second.join()
    assert Collection.load(saved).attributes["version"] == 2


def test_savers_at_once_leave_one_whole_state(saved, make_collection):
    savers = [
        threading.Thread(target=make_collection(version=version, n=version).save, args=[saved])
        for version in range(10, 18)
    ]
    for saver in savers:
        saver.start()
    for saver in savers:
        saver.join()
    loaded = Collection.load(saved)
    assert loaded.attributes["version"] == len(loaded)
    assert len({file.name.split(".")[1] for file in files_of(saved) if file.name != "manifest.json"}) == 1


SAVER = """
import sys
import numpy as np
from interlingua.index import Collection
version = int(sys.argv[2])
collection = Collection.create(64)
collection.add([f"{i}" for i in range(20000)], np.random.default_rng(version).normal(size=(20000, 64)))
collection.attributes["version"] = version
print("ready", flush=True)
sys.stdin.readline()
collection.save(sys.argv[1])
"""


@pytest.mark.slow
def test_a_killed_save_leaves_the_old_or_the_new(tmp_path):
    def start(version):
        command = [sys.executable, "-c", SAVER, str(tmp_path / "saved"), str(version)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "ready\n"
        process.stdin.write("go\n")
        process.stdin.flush()
        return process

    with start(0) as first:
        assert first.wait() == 0
    rng, current = np.random.default_rng(0), 0
    for version in range(1, 6):
        with start(version) as process:
            try:
                process.wait(timeout=rng.uniform(0, 0.1))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
        loaded = Collection.load(tmp_path / "saved")
        assert loaded.attributes["version"] in (current, version)
        current = loaded.attributes["version"]
        expected = np.random.default_rng(current).normal(size=(20000, 64)).astype(np.float32)[123]
        np.testing.assert_allclose(loaded.vectors(["123"])[0], expected / np.linalg.norm(expected), rtol=1e-5)


def count_up(path, times):
    for _ in range(times):
        with locked(path, patience=60):
            collection = Collection.load(path)
            collection.attributes["n"] += 1
            collection.save(path)


_ALSO_COUNTS = f"""
import sys
from interlingua.index import Collection
from interlingua.index.collection.journal import Change
from interlingua.index.folder import locked, write_folder
{inspect.getsource(count_up)}
print("ready", flush=True)
count_up(__import__("pathlib").Path(sys.argv[1]), 12)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no advisory locks")
def test_two_processes_that_hold_the_folder_from_load_to_save_lose_nothing(tmp_path):
    collection = Collection.create(2)
    collection.attributes = {"n": 0}
    collection.save(tmp_path / "c")
    command = [sys.executable, "-c", _ALSO_COUNTS, str(tmp_path / "c")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "ready\n"
        count_up(tmp_path / "c", 12)
    assert other.returncode == 0
    assert Collection.load(tmp_path / "c").attributes == {"n": 24}


@pytest.mark.skipif(sys.platform == "win32", reason="no advisory locks")
def test_who_holds_a_folder_may_do_all_and_others_may_read(tmp_path):
    path, seen = tmp_path / "c", []
    Collection.create(2).save(path)

    def note(collection):
        with locked(path):
            collection.attributes = {"noted": len(collection)}

    def somebody_else():
        seen.append(len(Collection.load(path)))
        for write in (lambda: Collection.create(2).save(path), lambda: CollectionStore(path), locked(path).__enter__):
            with pytest.raises(LockedError, match="open for writing elsewhere"):
                write()
            seen.append("refused")

    with locked(path):
        with CollectionStore(path) as store:  # a store within the block
            store.before_save = note
            store.add(["a"], [[1.0, 2.0]])
            store.checkpoint()
        with locked(path):  # a block within the block
            Collection.load(path).save(path)
        other = threading.Thread(target=somebody_else)
        other.start()
        other.join()
    assert seen == [1, "refused", "refused", "refused"]
    assert Collection.load(path).attributes == {"noted": 1}
    with CollectionStore(path) as store:  # a block within a store's own save
        store.before_save = note
        store.checkpoint()
    CollectionStore(path).close()
    with pytest.raises(FileNotFoundError, match="is no folder"), locked(tmp_path / "nothing"):
        pass


def test_a_save_of_who_holds_the_folder_settles_the_journal(tmp_path):
    with CollectionStore.create(tmp_path / "c", Collection.create(2)) as store:
        store.add(["a"], [[1.0, 2.0]])
    with locked(tmp_path / "c"):
        Collection.load(tmp_path / "c").save(tmp_path / "c")
    assert verify(tmp_path / "c").problems == ()
    assert Collection.load(tmp_path / "c").ids == ("a",)


def test_a_disk_that_is_full_is_told_with_the_file(saved, make_collection, tmp_path):
    def half_written(path):
        raise OSError("75900 requested and 36832 written")  # NumPy's, which has no number and no path

    def full(path):
        raise OSError(errno.ENOSPC, "No space left on device")

    for content, told in ((half_written, "most likely for want of space.*75900 requested"), (full, "No space left")):
        with pytest.raises(OSError, match=rf"{told}.*{tmp_path}.*vectors") as caught:
            write_folder(tmp_path / "new", contents={"type": "x"}, files={"vectors.npy": content})
        assert caught.value.errno == errno.ENOSPC
        assert not (tmp_path / "new").exists()
        with pytest.raises(OSError, match=rf"{told}.*file.bin"), replacing_file(tmp_path / "file.bin") as draft:
            content(draft)
    with CollectionStore.create(tmp_path / "store", make_collection()) as store, pytest.MonkeyPatch.context() as patch:
        failing = iter([full])
        patch.setattr(os, "fsync", lambda descriptor: next(failing, bool)(descriptor))  # the first one, not the undoing
        with pytest.raises(OSError, match=r"No space left.*journal-"):
            store._journal.append(Change("remove", ("x",)))


@pytest.fixture
def received(tmp_path):
    """A folder from elsewhere, and beside it a file that is nobody's business."""
    Collection.create(2).save(tmp_path / "received")
    (tmp_path / "notes.txt").write_text("mine")
    yield tmp_path / "received"
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert not (tmp_path / "new.txt").exists()


def _lay(path, what):
    elsewhere = path.parents[1]
    links = {"link": "notes.txt", "dangling link": "new.txt", "link to a folder": "."}
    if what in links:
        path.symlink_to(elsewhere / links[what])
    else:
        (os.mkfifo if what == "pipe" else os.mkdir)(path)


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
@pytest.mark.parametrize("what", ["link", "dangling link", "link to a folder", "pipe", "folder"])
def test_the_lock_is_an_ordinary_file_or_nobody_writes(received, what):
    _lay(received / "writer.lock", what)
    for attempt in (CollectionStore, lambda path: locked(path).__enter__(), Collection.create(2).save):
        with pytest.raises(CorruptCollectionError, match=r"writer\.lock is a link or no ordinary file"):
            attempt(received)
    assert Collection.load(received).dimension == 2  # reading needs no lock


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
@pytest.mark.parametrize("what", ["link", "dangling link", "link to a folder", "pipe", "folder"])
def test_a_journal_is_an_ordinary_file_or_nobody_goes_on(received, what):
    _lay(journal_path(received, manifest_digest(received)), what)
    for attempt in (CollectionStore, Collection.load):
        with pytest.raises(CorruptCollectionError, match=r"journal-\w+\.log is a link or no ordinary file"):
            attempt(received)
    assert "is a link or no ordinary file" in verify(received).problems[0]


def test_a_hard_link_costs_nobody_a_file(received):
    """A lock is never written, and a journal only where one of this folder lies already."""
    os.link(received.parent / "notes.txt", received / "writer.lock")
    CollectionStore(received).close()
    journal = journal_path(received, manifest_digest(received))
    journal.unlink()
    os.link(received.parent / "notes.txt", journal)
    with pytest.raises(CorruptCollectionError, match="is no journal of this folder's manifest"):
        CollectionStore(received)
