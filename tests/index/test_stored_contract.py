"""What every saved folder promises, whoever wrote it and whatever kind of index it holds."""

import re
import threading
from itertools import count

import numpy as np
import pytest

from interlingua.index import (
    Collection,
    CollectionStore,
    CorruptCollectionError,
    LockedError,
    MilvusCollection,
    UnsupportedOperation,
    create_index,
    load_index,
    save_index,
)
from interlingua.index.engines.choose import INDEX_KINDS
from interlingua.index.folder import locked

DIMENSION, ROWS = 16, 220
LISTS = {"threads": 1, "n_lists": 4, "train_size": 200}
KINDS = {
    "flat": ("flat", None),
    "faiss-flat": ("faiss-flat", {"threads": 1}),
    "hnsw": ("hnsw", {"threads": 1, "M": 8, "ef_construction": 20}),
    "hnsw-float16": ("hnsw", {"threads": 1, "M": 8, "ef_construction": 20, "storage": "float16"}),
    "hnsw-sq8": ("hnsw", {"threads": 1, "M": 8, "ef_construction": 20, "storage": "sq8", "train_size": 200}),
    "ivf-flat": ("ivf-flat", LISTS),
    "ivf-pq": ("ivf-pq", LISTS),
    "ivf-rabitq": ("ivf-rabitq", LISTS),
    "untrained": ("ivf-rabitq", {"threads": 1, "train_size": 1000}),
    "milvus-lite": ("milvus", {}),
}
VECTORS = np.random.default_rng(0).normal(size=(2, ROWS, DIMENSION)).astype(np.float32)
QUERIES = VECTORS[0, :5] + 0.1
NAMES = [f"дом-{row}" for row in range(ROWS)]
METADATA = [{"n": row} for row in range(ROWS)]
_COUNTER = count()


class Index:
    """`save_index` and `load_index`."""

    refusals = FileExistsError

    def __init__(self, kind, config):
        self.kind, self.config = kind, config

    def make(self, vectors):
        made = create_index(self.kind, DIMENSION, "cosine", self.config)
        made.add(np.arange(ROWS), vectors)
        return made

    save, load = staticmethod(save_index), staticmethod(load_index)

    def answers(self, loaded):
        found = loaded.search(QUERIES, 7)
        return found.ids.tolist(), found.scores.tolist()

    def write(self, loaded):
        loaded.remove([0])


class Rows(Index):
    """`Collection.save` and `Collection.load`."""

    def make(self, vectors):
        made = Collection.create(DIMENSION, "cosine", self.kind, self.config)
        made.add(NAMES, vectors, METADATA)
        made.attributes, made.attachments = {"encoder": "é"}, {"m.bin": b"\x00\x01"}
        return made

    def save(self, made, path):
        made.save(path)

    load = staticmethod(Collection.load)

    def answers(self, loaded):
        found = loaded.search(QUERIES, 7, where={"n": list(range(3, 150))})
        return found.ids, found.scores.tolist(), found.metadata, loaded.attributes, loaded.attachments, loaded.ids

    def write(self, loaded):
        loaded.remove(NAMES[:1])


class Store(Rows):
    """`CollectionStore`, whose last changes are in a journal."""

    refusals = (CorruptCollectionError, FileNotFoundError)  # it opens what is there

    def save(self, made, path):
        if not path.exists():
            CollectionStore.create(path, made).close()
        with CollectionStore(path) as store:
            store.replace(made)
            store.upsert(NAMES[:3], VECTORS[0, :3], METADATA[:3])


class AtMilvus(Rows):
    """`MilvusCollection.save`, which writes where the rows are."""

    def make(self, vectors):
        made = MilvusCollection(self.config, DIMENSION)
        made.upsert(NAMES, vectors, METADATA)
        made.attributes, made.attachments = {"encoder": "é"}, {"m.bin": b"\x00\x01"}
        return made

    load = staticmethod(MilvusCollection.load)


WRITERS = {"index": Index, "collection": Rows, "store": Store}
MEMBERS = [(writer, kind) for writer in WRITERS for kind in KINDS if (writer, kind) != ("store", "milvus-lite")]


@pytest.fixture(
    params=[
        pytest.param(member, id="-".join(member), marks=[pytest.mark.slow] if "milvus-lite" in member else [])
        for member in [*MEMBERS, ("rows-at", "milvus-lite")]
    ]
)
def member(request):
    writer, name = request.param
    kind, config = KINDS[name]
    if kind == "milvus":
        config = {"uri": request.getfixturevalue("milvus_file"), "collection": f"stored{next(_COUNTER)}"}
    return WRITERS.get(writer, AtMilvus)(kind, config)


@pytest.fixture
def made(member):
    return member.make(VECTORS[0])


@pytest.fixture
def saved(member, made, tmp_path):
    member.save(made, tmp_path / "saved")
    return tmp_path / "saved"


def test_every_kind_of_index_is_looked_at():
    assert {kind for kind, _ in KINDS.values()} == set(INDEX_KINDS)


def test_what_is_read_answers_as_what_was_written(member, made, saved):
    if isinstance(member, Store):
        made = Collection.load(saved)
    assert member.answers(member.load(saved)) == member.answers(made)
    assert member.answers(member.load(str(saved))) == member.answers(made)


def test_another_save_takes_the_place_of_the_one_before(member, saved):
    if member.kind == "milvus":
        pytest.skip("the vectors are with Milvus, and what is saved is where")
    before, first = {path.name for path in saved.iterdir()}, member.answers(member.load(saved))
    member.save(member.make(VECTORS[1]), saved)
    kept = {path.name for path in saved.iterdir()} & before
    assert kept <= {"manifest.json", "writer.lock"}
    assert member.answers(member.load(saved)) != first
    member.save(member.make(VECTORS[0]), saved)
    assert member.answers(member.load(saved)) == first


def test_a_file_that_is_cut_or_altered_is_named(member, saved):
    for path in sorted(saved.iterdir()):
        if path.name == "writer.lock":
            continue
        whole = path.read_bytes()
        altered = bytearray(whole)
        altered[len(whole) // 2] ^= 16
        for damaged in [bytes(altered)] if path.name.startswith("journal") else [bytes(altered), whole[:-1]]:
            path.write_bytes(damaged)
            with pytest.raises(CorruptCollectionError, match=re.escape(path.name)):
                member.load(saved)
        path.unlink()
        if not path.name.startswith("journal"):
            with pytest.raises(CorruptCollectionError, match=re.escape(path.name)):
                member.load(saved)
        path.write_bytes(whole)
    member.load(saved)


def test_what_else_lies_there_is_not_overwritten(member, made, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("dear")
    (tmp_path / "file").write_text("dear")
    for path in (tmp_path / "other", tmp_path / "file"):
        with pytest.raises(member.refusals):
            member.save(made, path)
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["letter.txt"]
    assert (tmp_path / "file").read_text() == "dear"
    with pytest.raises(FileNotFoundError, match="nothing"):
        member.load(tmp_path / "nothing")


def test_a_folder_of_another_type_says_what_it_is(member, saved):
    for load in (load_index, Collection.load, MilvusCollection.load):
        if load != member.load:
            with pytest.raises(CorruptCollectionError, match=r"it describes a '[a-z-]+'"):
                load(saved)


def test_who_holds_the_folder_is_not_disturbed(member, made, saved):
    refused = []

    def save():
        try:
            member.save(made, saved)
        except LockedError as error:
            refused.append(str(error))

    before = sorted(path.name for path in saved.iterdir())
    with locked(saved):
        other = threading.Thread(target=save)
        other.start()
        other.join()
    assert "open for writing elsewhere" in refused[0]
    assert sorted({*before, "writer.lock"}) == sorted(path.name for path in saved.iterdir())


def test_what_is_mapped_can_only_be_read(member, made, saved):
    if isinstance(member, AtMilvus):
        return  # there is nothing to map
    if member.kind == "milvus" or isinstance(member, Store):
        with pytest.raises(UnsupportedOperation, match=r"cannot be mapped|has a journal"):
            member.load(saved, mapped=True)
        return
    mapped = member.load(saved, mapped=True)
    assert member.answers(mapped) == member.answers(made)
    with pytest.raises(UnsupportedOperation, match="can only be read; load it without mapping"):
        member.write(mapped)
    assert member.answers(mapped) == member.answers(made)
