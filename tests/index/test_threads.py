"""Threads and forked processes that share a collection: every answer is of one state, and nothing acknowledged is lost.

Operations are counted, not timed: a thread goes on until the other one has done its share.
"""

import copy
import os
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest

from interlingua.index import Collection, CollectionReader, CollectionStore, LockedError
from interlingua.index.folder import WriterLock
from interlingua.index.threads import SharedLock

PATIENCE = 60  # seconds until a deadlock is called one
DIMENSION, ROWS, KEPT = 16, 1000, 20
RNG = np.random.default_rng(0)
VECTORS = RNG.normal(size=(ROWS, DIMENSION)).astype(np.float32)
MORE = RNG.normal(size=(500, DIMENSION)).astype(np.float32)


def together(*calls):
    """Run the calls in a thread each, and raise the first error of any."""
    errors = []

    def run(call):
        try:
            call()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(call,), daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive(), "the threads wait for each other"
    if errors:
        raise errors[0]


def in_fork(call):
    """Return what the call returns, or raises, in a forked process, as text."""
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python warns of forks beside threads: what is tried here
        child = os.fork()
    if not child:
        try:
            said = repr(call())
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(write, said.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return said


def filled(kind):
    collection = Collection.create(DIMENSION, kind=kind, config=None if kind == "flat" else {"threads": 1})
    collection.add([f"i{row}" for row in range(ROWS)], VECTORS, [{"n": row} for row in range(ROWS)])
    return collection


@pytest.fixture
def lock():
    return SharedLock()


def test_readers_are_inside_together_and_a_writer_alone(lock):
    meeting = threading.Barrier(2)

    def read():
        with lock.reading:
            meeting.wait(PATIENCE)  # fails if only one is let in

    together(read, read)
    inside, most = [], []

    def write():
        for _ in range(200):
            with lock.writing:
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    together(write, write, write)
    assert max(most) == 1
    assert len(most) == 600


def test_no_stream_of_readers_keeps_a_writer_out_nor_of_writers_a_reader(lock):
    written, asked = threading.Event(), threading.Event()
    meeting = threading.Barrier(2)

    def read():  # there is always one inside: the other waits with it before either leaves
        meeting.wait(PATIENCE)
        while not written.is_set():
            with lock.reading:
                asked.set()
                for _ in range(100):
                    pass

    def write():
        asked.wait(PATIENCE)
        with lock.writing:
            written.set()

    together(read, read, write)
    read_at_last = threading.Event()

    def write_on():
        while not read_at_last.is_set():
            with lock.writing:
                pass

    def read_once():
        with lock.reading:
            read_at_last.set()

    together(write_on, write_on, read_once)


def test_a_reader_may_enter_again_while_a_writer_waits(lock):
    order, outside = [], threading.Event()

    def write():
        outside.set()
        with lock.writing:
            order.append("written")

    def read():
        with lock.reading:
            writer.start()
            outside.wait(PATIENCE)
            while not lock._waiting:
                pass
            with lock.reading:
                order.append("read")

    writer = threading.Thread(target=write, daemon=True)
    together(read)
    writer.join(PATIENCE)
    assert order == ["read", "written"]


def test_readers_pass_a_writer_that_waits_for_a_keeper(lock):
    writer = threading.Thread(target=lambda: lock.writing.__enter__(), daemon=True)
    with lock.keeping:
        writer.start()
        while not lock._waiting:
            pass
        together(lambda: lock.reading.__enter__() or lock.reading.__exit__(None, None, None))
    writer.join(PATIENCE)
    assert not writer.is_alive()


def test_a_reader_that_would_write_is_told_and_a_copy_has_a_lock_of_its_own(lock):
    with lock.reading, pytest.raises(RuntimeError, match="end the reading first"):
        lock.writing.__enter__()
    with lock.writing, copy.deepcopy(lock).writing, copy.copy(lock).writing:
        pass


@pytest.mark.parametrize("change", ["add", "remove", "upsert"])
@pytest.mark.parametrize("kind", ["flat", "faiss-flat", "hnsw"])
@pytest.mark.parametrize("held", ["collection", "store"])
def test_every_answer_beside_a_writer_is_of_a_state_before_or_after_a_change(held, kind, change, tmp_path):
    shared = filled(kind)
    if held == "store":
        shared = CollectionStore.create(tmp_path / "kept", shared)
    done, size = threading.Event(), 20
    queries = VECTORS[-KEPT:]
    answered = [0, 0]
    lengths = {ROWS + size * step * {"add": 1, "remove": -1, "upsert": 0}[change] for step in range(21)}

    def read(reader):
        while not done.is_set() or not answered[reader]:
            for place, row in enumerate(shared.search(queries, k=3)):
                number = ROWS - KEPT + place
                assert (row[0].id, row[0].metadata) == (f"i{number}", {"n": number})
                assert all(each.metadata == {"n": -1 if each.id[0] == "n" else int(each.id[1:])} for each in row)
            assert len(shared) in lengths
            answered[reader] += 1

    def write():
        try:
            for step in range(20):
                rows = slice(step * size, (step + 1) * size)
                names = [f"i{row}" for row in range(rows.start, rows.stop)]
                if change == "remove":
                    shared.remove(names)
                elif change == "upsert":
                    shared.upsert(names, VECTORS[rows], [{"n": row} for row in range(rows.start, rows.stop)])
                else:
                    shared.add([f"n{row}" for row in range(rows.start, rows.stop)], MORE[rows], [{"n": -1}] * size)
        finally:
            done.set()

    together(write, lambda: read(0), lambda: read(1))
    assert min(answered) > 0
    if held == "store":
        shared.close()
        loaded = Collection.load(tmp_path / "kept")
        assert loaded.ids == shared.collection.ids
        assert set(map(len, [loaded, shared])) == {sorted(lengths)[0 if change == "remove" else -1]}


@pytest.mark.parametrize("kind", ["flat", "hnsw"])
def test_what_several_threads_write_through_one_store_is_all_there(kind, tmp_path):
    store = CollectionStore.create(tmp_path / "kept", Collection.create(DIMENSION, kind=kind))
    acknowledged = []

    def write(name):
        for step in range(25):
            ids = [f"{name}-{step}-{row}" for row in range(4)]
            store.add(ids, MORE[step * 4 : step * 4 + 4], [{"by": name}] * 4)
            acknowledged.extend(ids)
            if step % 5 == 4:
                store.remove(ids[:1])
                acknowledged.remove(ids[0])
            if step % 10 == 9:
                store.checkpoint()

    together(*(lambda name=name: write(name) for name in "abc"))
    store.close()
    loaded = Collection.load(tmp_path / "kept")
    assert len(acknowledged) == 3 * 95
    assert sorted(loaded.ids) == sorted(acknowledged)
    assert loaded.search(MORE[:1], k=3).metadata
    assert sorted(loaded.counts("by")) == [("a", 95), ("b", 95), ("c", 95)]


def test_a_reader_is_refreshed_beside_its_searches(tmp_path):
    store = CollectionStore.create(tmp_path / "kept", filled("flat"))
    reader = CollectionReader(tmp_path / "kept")
    done = threading.Event()

    def follow():
        try:
            for step in range(20):
                store.remove([f"i{row}" for row in range(step * 20, step * 20 + 20)])
                if step == 10:
                    store.checkpoint()
                reader.refresh()
                assert len(reader.collection) == ROWS - 20 * (step + 1)
        finally:
            done.set()

    def read():
        while not done.is_set():
            for place, row in enumerate(reader.collection.search(VECTORS[-KEPT:], k=1)):
                assert row[0].id == f"i{ROWS - KEPT + place}"

    together(follow, read, read, lambda: [reader.refresh() for _ in range(10)])
    assert len(reader.collection) == ROWS - 400
    store.close()


def test_changes_during_a_walk_end_it_and_what_is_written_is_one_state(tmp_path):
    pytest.importorskip("pyarrow")
    collection = filled("flat")
    walked = collection.batches(100)
    next(walked)
    collection.add(["x"], VECTORS[:1])
    with pytest.raises(RuntimeError, match="changed while"):
        next(walked)
    done, sizes = threading.Event(), []

    def export():
        for number in range(5):
            sizes.append(collection.to_parquet(tmp_path / f"{number}.parquet", batch_size=50))
        done.set()

    def write():
        number = 0
        while not done.is_set():
            collection.upsert([f"i{number % 100}"], VECTORS[:1])
            number += 1

    together(export, write)
    assert sizes == [ROWS + 1] * 5


def test_a_forked_process_searches_a_store_but_does_not_write_through_it(tmp_path):
    folder = tmp_path / "kept"
    store = CollectionStore.create(folder, filled("flat"))
    for call in (
        lambda: store.add(["x"], VECTORS[:1]),
        lambda: store.remove(["i0"]),
        lambda: store.checkpoint(),
        lambda: store.snapshot(tmp_path / "other"),
    ):
        assert f"was opened by process {os.getpid()}" in in_fork(call)
    assert in_fork(lambda: CollectionStore(folder)).startswith("LockedError")
    assert in_fork(lambda: store.search(VECTORS[5:6], k=1).ids) == "(('i5',),)"
    assert in_fork(store.close) == "None"
    with pytest.raises(LockedError):
        CollectionStore(folder)  # the child's end of it let nobody in
    store.add(["x"], VECTORS[:1])
    store.remove(["i1"])
    store.close()
    assert len(Collection.load(folder)) == ROWS


def test_a_forked_process_does_not_hold_what_its_parent_held(tmp_path):
    folder = tmp_path / "kept"
    filled("flat").save(folder)
    lock = WriterLock(folder)

    def close_and_open():  # the child of the child lives while its parent gives the lock up
        lock.close()
        return "free"

    go, going = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        os.read(go, 1)  # lives on, and did nothing with the lock
        os._exit(0)
    lock.close()
    CollectionStore(folder).close()
    os.write(going, b"x")
    os.waitpid(child, 0)
    again = WriterLock(folder)
    assert in_fork(close_and_open) == "'free'"
    with pytest.raises(LockedError):
        CollectionStore(folder)
    with again.held():  # a block is not the child's either
        assert in_fork(lambda: filled("flat").save(folder)).startswith("LockedError")
    again.close()
    lock.close()


def test_a_copy_of_what_was_being_changed_at_the_fork_is_refused():
    collection, changing, forked = filled("flat"), threading.Event(), threading.Event()

    def write():
        with collection.lock.writing:
            changing.set()
            forked.wait(PATIENCE)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    changing.wait(PATIENCE)
    said = in_fork(lambda: collection.search(VECTORS[:1]))
    forked.set()
    writer.join(PATIENCE)
    assert said.startswith("RuntimeError: another thread was changing this when the process was forked")
    with collection.lock.reading:  # of the thread that forks, which is there in the child
        assert in_fork(lambda: collection.search(VECTORS[:1], k=1).ids) == "(('i0',),)"
    assert in_fork(lambda: collection.remove(["i0"]) or len(collection)) == f"{ROWS - 1}"


FORKED_SEARCH = """
import multiprocessing, sys, warnings
import numpy as np
from interlingua.index import Collection

warnings.simplefilter("ignore")
kind = sys.argv[1]
rows = np.random.default_rng(0).normal(size=(2000, 32)).astype(np.float32)
collection = Collection.create(32, kind=kind, config={"threads": 2})
collection.add([str(row) for row in range(2000)], rows)
before = collection.search(rows[:200], 3).ids
def look(answers):
    answers.put(collection.search(rows[:200], 3).ids == before)
context = multiprocessing.get_context("fork")
answers = context.Queue()
child = context.Process(target=look, args=(answers,), daemon=True)
child.start()
print(answers.get(timeout=20))
"""


@pytest.mark.parametrize("kind", ["faiss-flat", "hnsw"])
def test_a_forked_process_searches_with_faiss(kind):
    done = subprocess.run([sys.executable, "-c", FORKED_SEARCH, kind], capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout == "True\n", done.stderr
