import json
import random

import numpy as np
import pytest

from interlingua.align import retrieve
from interlingua.align.neighbors import fold_csls, fold_query, mean_neighbor_similarity
from interlingua.index import Collection, Eq, Not, Range, verify
from interlingua.index.engines.base import Batch, Metric
from interlingua.index.milvus.client import MilvusError
from interlingua.index.milvus.collection import Loaded, MilvusCollection

pytest.importorskip("pymilvus")
pytestmark = pytest.mark.slow
D = 12
ANY_TEXT = ["", " ", "../x", "a\n", "ሰው", "e\u0301", "é", "👩‍👩‍👧", "\u202eabc", "\x00", 'q"', "b\\", "'"]


def rows(n, seed=5):
    return np.random.default_rng(seed).normal(size=(n, D)).astype(np.float32)


def about(n, seed=5):
    rng = random.Random(seed)
    return [
        {"language": rng.choice(["sw", "zh", "fi"]), "year": rng.randrange(2000, 2030), "tags": [rng.choice("ab")]}
        for _ in range(n)
    ]


def assert_same(kept, memory, queries, k=7, **named):
    """The same ids, scores and metadata."""
    found, expected = kept.search(queries, k, **named), memory.search(queries, k, **named)
    assert found.ids == expected.ids
    assert found.metadata == expected.metadata
    np.testing.assert_allclose(found.scores, expected.scores[:, :k], rtol=1e-5, atol=1e-5)
    assert found.metric == expected.metric


@pytest.fixture
def both(milvus, metric):
    return MilvusCollection(milvus, D, metric), Collection.create(D, metric)


def test_whatever_is_done_the_answers_are_those_of_a_collection_in_memory(both):
    rng, queries = random.Random(3), rows(9, 99)
    kept, memory = both
    for step in range(8):
        names = [f"r{rng.randrange(1000)}" for _ in range(60)]
        names = list(dict.fromkeys(names))
        held = [name for name in names if name in memory]
        for collection in both:
            match step % 4:
                case 0 | 3:
                    collection.upsert(names, rows(len(names), step), about(len(names), step))
                case 1:
                    fresh = [name for name in names if name not in held]
                    collection.add(fresh, rows(len(fresh), step), about(len(fresh), step))
                case 2:
                    collection.remove(memory.ids[::3])
        assert kept.ids == memory.ids
        assert len(kept) == len(memory)
        assert_same(kept, memory, queries)
        assert_same(kept, memory, queries, where={"year": list(range(2000, 2015))}, languages=["sw", "fi"])
        assert_same(kept, memory, queries, where=Not(Range("year", 2005, 2020)))
    some = memory.ids[::7]
    assert kept.get(some) == memory.get(some)
    np.testing.assert_allclose(kept.vectors(some), memory.vectors(some), rtol=1e-6)
    together = list(kept.batches(40, where=Eq("language", "zh")))
    assert sum((batch.ids for batch in together), ()) == sum(
        (batch.ids for batch in memory.batches(1000, where=Eq("language", "zh"))), ()
    )
    assert max(map(len, together)) <= 40


WRITE = """
import json, sys
import numpy as np
from interlingua.index import MilvusCollection
configs, rows, about, folder = sys.argv[1:]
vectors, about = np.load(rows), json.loads(about)
for metric, config in json.loads(configs).items():
    collection = MilvusCollection(config, vectors.shape[1], metric)
    collection.upsert([f"r{row}" for row in range(len(vectors))], vectors, about)
    collection.remove(["r3", "r5"])
    collection.attributes["encoder"] = "some"
    collection.save(f"{folder}/{metric}")
"""
READ = """
import json, sys
import numpy as np
from interlingua.index import MilvusCollection
rows, *folders = sys.argv[1:]
for folder in folders:
    collection = MilvusCollection.load(folder)
    found = collection.search(np.load(rows)[:3], 4, languages=["sw"])
    print(json.dumps([len(collection), list(collection.ids), list(map(list, found.ids)), collection.get(["r9"])]))
"""


@pytest.mark.parametrize("where", ["milvus-lite", "milvus-server"])
def test_each_process_goes_on_where_the_one_before_has_ended(where, fresh_milvus, another_process, tmp_path):
    lite = {"uri": str(tmp_path / "rows.db")} if where == "milvus-lite" else None
    configs = {str(each): {**lite, "collection": str(each)} if lite else fresh_milvus(where) for each in Metric}
    vectors, told, folders = rows(80), about(80), [tmp_path / str(each) for each in Metric]
    np.save(tmp_path / "rows.npy", vectors)
    another_process(WRITE, json.dumps(configs), tmp_path / "rows.npy", json.dumps(told), tmp_path)
    memories = []
    for metric, folder in zip(Metric, folders, strict=True):
        memories.append(memory := Collection.create(D, metric))
        memory.upsert([f"r{row}" for row in range(80)], vectors, told)
        memory.remove(["r3", "r5"])
        kept = MilvusCollection.load(folder)
        assert (len(kept), kept.ids, kept.attributes) == (78, memory.ids, {"encoder": "some"})
        assert_same(kept, memory, rows(5, 99))
        assert_same(kept, memory, rows(5, 99), where=Not(Range("year", 2005, 2020)))
        assert kept.get(["r9"]) == memory.get(["r9"])
        np.testing.assert_allclose(kept.vectors(["r9", "r2"]), memory.vectors(["r9", "r2"]), rtol=1e-6)
        for collection in (kept, memory):
            collection.remove(["r0", "r79"])
            collection.upsert(["r9", "new"], rows(2, 7), about(2, 7))
        assert_same(kept, memory, rows(5, 99))
    if lite:  # which serves one process at a time
        pytest.importorskip("milvus_lite.server_manager").server_manager_instance.release_server(lite["uri"])
    answers = another_process(READ, tmp_path / "rows.npy", *folders).splitlines()
    for memory, answer in zip(memories, answers, strict=True):
        length, ids, found, metadata = json.loads(answer)
        assert (length, tuple(ids), metadata) == (len(memory), memory.ids, memory.get(["r9"]))
        assert found == [list(each) for each in memory.search(vectors[:3], 4, languages=["sw"]).ids]


CALLS = {
    "search": lambda kept: kept.search(rows(1), 1),
    "get": lambda kept: kept.get(["b"]),
    "vectors": lambda kept: kept.vectors(["b"]),
    "ids": lambda kept: kept.ids,
    "len": len,
    "batches": lambda kept: list(kept.batches(5)),
    "contains": lambda kept: "b" in kept,
    "count": lambda kept: kept.count({"language": "sw"}),
    "upsert": lambda kept: kept.upsert(["b"], rows(1)),
    "add": lambda kept: kept.add(["c"], rows(1)),
    "remove": lambda kept: kept.remove(["b"]),
    "flush": lambda kept: kept.flush(),
}


@pytest.mark.parametrize("call", CALLS)
def test_what_another_client_has_released_is_loaded_again(milvus, call):
    kept = MilvusCollection(milvus, D)
    kept.add(["a", "b"], rows(2), [{"language": "sw"}] * 2)
    kept._remote.client.release_collection(milvus["collection"])
    CALLS[call](kept)
    assert "a" in kept
    again = MilvusCollection(milvus)
    again._remote.client.release_collection(milvus["collection"])
    assert MilvusCollection(milvus).search(rows(2), 1)[0][0].id == "a"


def test_a_collection_whose_making_was_cut_off_before_its_index_is_finished(milvus, monkeypatch):
    made = pytest.importorskip("pymilvus").MilvusClient

    def stop(*arguments, **named):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(made, "create_index", stop)
        with pytest.raises(KeyboardInterrupt):
            MilvusCollection(milvus, D, "l2")
    kept = MilvusCollection(milvus, D)
    kept.add(["a"], rows(1))
    assert (kept.search(rows(1), 1)[0][0].id, str(kept.metric)) == ("a", "l2")


def test_any_text_is_an_id(milvus):
    kept = MilvusCollection(milvus, D)
    kept.add(ANY_TEXT, rows(len(ANY_TEXT)))
    assert kept.ids == tuple(kept) == tuple(ANY_TEXT)
    assert [hits[0].id for hits in kept.search(rows(len(ANY_TEXT)), 1)] == ANY_TEXT
    assert all(id in kept for id in ANY_TEXT)
    kept.remove(ANY_TEXT[::2])
    assert kept.ids == tuple(ANY_TEXT[1::2])


def test_a_failing_change_leaves_the_collection_as_it_was(milvus):
    kept = MilvusCollection(milvus, D)
    kept.add(["a", "b"], rows(2), about(2))
    bad = rows(2)
    bad[1, 3] = np.nan
    for ids, vectors, metadata in [
        (["new", "a"], rows(2), None),
        (["new", "new"], rows(2), None),
        (["new", 5], rows(2), None),
        (["new"], rows(2), None),
        (["new", "other"], bad, None),
        (["new", "other"], rows(2), [{}]),
        (["new", "other"], rows(2), [{"n": 1}, {"n": 2**60}]),
        (["new", "x" * 70_000], rows(2), None),
        (["new", "other"], rows(2), [{"language": "x" * 2000}, {}]),
        (["new"], np.empty((0, D)), None),
    ]:
        with pytest.raises((ValueError, TypeError)):
            kept.add(ids, vectors, metadata)
    with pytest.raises(KeyError, match="unknown"):
        kept.remove(["a", "unknown"])
    with pytest.raises(KeyError, match="unknown"):
        kept.get(["a", "unknown"])
    assert kept.ids == ("a", "b")


def test_mistakes_are_told(milvus):
    kept = MilvusCollection(milvus, D)
    assert kept.search(rows(2), 3, where={"lang": "sw"}).ids == ((), ())  # no rows to miss the field
    kept.add(["a"], rows(1), [{"language": "sw", "tags": []}])
    with pytest.raises(ValueError, match="no row has the field 'lang'; the fields are 'language', 'tags'"):
        kept.search(rows(1), where={"lang": "sw"})
    with pytest.raises(ValueError, match="already: 'a'; use upsert"):
        kept.add(["new", "a"], rows(2))
    with pytest.raises(ValueError, match=r"differ in dimension \(3 vs 12\)"):
        kept.search(np.ones((1, 3)))
    with pytest.raises(ValueError, match="k must be at least 1"):
        kept.search(rows(1), 0)
    with pytest.raises(ValueError, match="dimension 12 and metric 'cosine', not 5"):
        MilvusCollection(milvus, 5)
    with pytest.raises(ValueError, match="give a dimension"):
        MilvusCollection({**milvus, "collection": "not_there"})
    with pytest.raises(MilvusError, match="did not do what was asked"):
        kept._remote.query("nonsense ==", ["id"])


def test_a_collection_is_found_by_its_name_or_by_what_was_saved(milvus, tmp_path, monkeypatch):
    kept = MilvusCollection(milvus, D, "l2", partition="source")
    kept.add(["a", "b"], rows(2), [{"source": "x"}, {"source": 3}])
    kept.attributes, kept.attachments = {"encoder": "é"}, {"m.bin": b"\x00"}
    monkeypatch.setenv("MILVUS_TOKEN", "root:secret")
    kept.save(tmp_path / "saved")
    assert all(b"secret" not in file.read_bytes() for file in (tmp_path / "saved").iterdir())
    for again in (MilvusCollection(milvus), MilvusCollection.load(tmp_path / "saved")):
        assert (again.dimension, again.metric, again.partition, len(again)) == (D, "l2", "source", 2)
        assert again.search(rows(1), 2, where={"source": 3.0}).ids == (("b",),)
    assert (again.attributes, again.attachments) == ({"encoder": "é"}, {"m.bin": b"\x00"})
    assert again.info["config"]["collection"] == milvus["collection"]
    sound = verify(tmp_path / "saved")
    assert (sound.rows, sound.problems) == (2, ())
    for file in (tmp_path / "saved").iterdir():
        if "manifest" not in file.name:
            file.write_bytes(b"{}")
    assert len(verify(tmp_path / "saved").problems) == sound.files == 2


def test_rows_move_between_the_two_by_their_batches(milvus):
    memory = Collection.create(D)
    memory.add([f"{n}" for n in range(100)], rows(100), about(100))
    kept = MilvusCollection(milvus, D)
    kept.load_batches(memory.batches(30))
    assert kept.ids == memory.ids
    back = Collection.create(D)
    for batch in kept.batches(33):
        back.add(batch.ids, batch.vectors, batch.metadata)
    assert back.get(memory.ids) == memory.get(memory.ids)
    assert_same(kept, back, rows(3, 8))


def test_hub_corrected_search_gives_what_csls_gives(milvus):
    rng = np.random.default_rng(0)
    unit = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in rng.normal(size=(2, 400, D))]
    sources, targets = (each.astype(np.float32) for each in unit)
    index = {"index_type": "HNSW", "build": {"M": 16, "efConstruction": 200}, "search": {"ef": 200}}
    kept = MilvusCollection({**milvus, **index}, D + 1, "ip")
    kept.add([str(n) for n in range(400)], fold_csls(targets, mean_neighbor_similarity(targets, sources, 10)))
    kept.flush()
    found = kept.search(fold_query(sources), 10).ids
    expected = retrieve(sources, targets, 10, criterion="csls").ids
    same = [len(set(map(int, a)) & set(b.tolist())) for a, b in zip(found, expected, strict=True)]
    assert np.mean(same) / 10 >= 0.98


def batches_of(n, size=50):
    for start in range(0, n, size):
        yield Batch(tuple(str(row) for row in range(start, start + size)), rows(size, start), [{"n": start}] * size)


def test_a_load_goes_on_where_it_was_stopped(milvus, tmp_path, monkeypatch):
    kept, note, seen = MilvusCollection(milvus, D), tmp_path / "progress.json", []
    upsert, calls = kept.upsert, []

    def fail(ids, *others):
        calls.append(ids[0])
        if len(calls) in (2, 3):
            raise MilvusError("rate limit exceeded", transient=True)
        if len(calls) == 6:
            raise MilvusError("a field is too long")
        upsert(ids, *others)

    monkeypatch.setattr(kept, "upsert", fail)
    with pytest.raises(MilvusError, match="too long"):
        kept.load_batches(batches_of(300), resume=note, progress=seen.append)
    assert (seen, len(kept)) == ([50, 100, 150], 150)
    assert kept.load_batches(batches_of(300), resume=note) == Loaded(rows=150, batches=3, skipped=3, retries=0)
    assert calls == ["0", "50", "50", "50", "100", "150", "150", "200", "250"]
    assert sorted(map(int, kept.ids)) == list(range(300))
    assert kept.load_batches(batches_of(300), resume=note).skipped == 6
    with pytest.raises(ValueError, match=r"notes the progress of .*, not of"):
        MilvusCollection({**milvus, "collection": milvus["collection"] + "x"}, D).load_batches([], resume=note)
    note.write_text("[]")
    with pytest.raises(ValueError, match="does not note the progress"):
        kept.load_batches([], resume=note)


def test_patience_has_an_end(milvus, monkeypatch):
    kept = MilvusCollection(milvus, D)

    def fail(*_):
        raise MilvusError("unavailable", transient=True)

    monkeypatch.setattr(kept, "upsert", fail)
    with pytest.raises(MilvusError, match="unavailable"):
        kept.load_batches(batches_of(50), patience=0.2)
