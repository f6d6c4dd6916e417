import pickle

import numpy as np
import pytest

from interlingua.index import Collection, CollectionStore, LockedError, UnsupportedOperation
from interlingua.index.collection.parts import array_to_bytes, bytes_to_array
from interlingua.index.engines.base import Hit
from interlingua.index.folder import locked

DIMENSION = 12


def state(collection):
    """Everything that can be seen of a collection."""
    everything = collection.search(np.eye(DIMENSION), k=100)
    return (
        collection.ids,
        collection.get(collection.ids),
        collection.vectors(collection.ids).tolist(),
        everything.ids,
        everything.scores.tolist(),
        collection.info,
    )


def rows(n, seed=5):
    return np.random.default_rng(seed).normal(size=(n, DIMENSION)).astype(np.float32)


def test_hits_carry_id_score_and_metadata(collection):
    query = collection.vectors(["дом-4"])
    result = collection.search(query, k=3)
    assert isinstance(result[0][0], Hit)
    assert (result[0][0].id, result[0][0].metadata["text"]) == ("дом-4", "文 4")
    assert result[0][0].score == pytest.approx(1.0, abs=1e-5)
    assert [hit.id for hit in result[0]] == list(result.ids[0])
    assert [len(hits) for hits in result] == [3]
    assert result.scores[0].tolist() == sorted(result.scores[0].tolist(), reverse=True)


def test_language_filter_equals_brute_force(collection):
    queries = rows(6)
    vectors = collection.vectors(collection.ids)
    unit = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    allowed = [row for row in range(40) if row % 3 in (0, 2)]
    order = np.argsort(-(unit.astype(np.float64) @ vectors[allowed].T), axis=1)[:, :5]
    expected = tuple(tuple(f"дом-{allowed[column]}" for column in line) for line in order)
    by_languages = collection.search(queries, 5, languages=["sw", "fi"])
    assert by_languages.ids == expected
    assert collection.search(queries, 5, where={"language": ["fi", "sw"]}).ids == expected
    both = collection.search(queries, 5, where={"row": [0, 1, 2]}, languages=["sw", "fi"])
    assert [sorted(ids) for ids in both.ids] == [["дом-0", "дом-2"]] * 6


def test_a_filter_that_nothing_passes_finds_nothing(collection):
    result = collection.search(rows(2), 3, languages=["xx"])
    assert (result.ids, result[0], result.scores.shape) == (((), ()), [], (2, 3))


def test_filter_mistakes_are_told(collection):
    with pytest.raises(TypeError, match="languages must be a list"):
        collection.search(rows(1), languages="sw")
    with pytest.raises(ValueError, match="asked for twice"):
        collection.search(rows(1), where={"language": "sw"}, languages=["zh"])
    with pytest.raises(ValueError, match="no row has the field 'lang'"):
        collection.search(rows(1), where={"lang": "sw"})


def test_k_may_exceed_the_number_of_rows(collection):
    result = collection.search(rows(1), 50)
    assert sorted(result.ids[0]) == sorted(collection.ids)
    assert (result.scores[0, 40:] == -np.inf).all()


def test_an_empty_collection_finds_nothing_and_is_saved(kind, tmp_path):
    empty = Collection.create(DIMENSION, kind=kind)
    empty.save(tmp_path / "saved")
    for collection in (empty, Collection.load(tmp_path / "saved")):
        assert (len(collection), collection.ids) == (0, ())
        assert collection.search(rows(2), 3, languages=["sw"]).ids == ((), ())
    collection.add(["a"], rows(1))
    assert collection.search(rows(1), 1)[0][0].id == "a"


def test_loaded_collection_equals_the_saved_one(collection, tmp_path):
    collection.remove(["дом-3"])
    collection.upsert(["дом-5"], rows(1), [{"language": "sw"}])
    collection.save(tmp_path / "saved")
    loaded = Collection.load(tmp_path / "saved", threads=1)
    assert state(loaded) == state(collection)
    assert loaded.attributes == {"encoder": "élan", "version": 1}
    assert loaded.attachments == collection.attachments
    loaded.add(["дом-3"], rows(1))
    assert len(loaded) == 40


def test_upsert_replaces_vector_and_metadata(collection):
    new = rows(2)
    collection.upsert(["дом-7", "new"], new, [{"language": "en"}, {"language": "en"}])
    assert len(collection) == 41
    assert collection.get(["дом-7"]) == [{"language": "en"}]
    assert collection.ids[-2:] == ("дом-7", "new")
    result = collection.search(new, 41)
    assert [ids[0] for ids in result.ids] == ["дом-7", "new"]
    assert sorted(result.ids[0]) == sorted(collection.ids)  # the old vector is gone
    assert collection.search(new, 5, where={"row": 7}).ids == ((), ())


def test_upserting_everything_again_and_again_does_not_grow(collection):
    for seed in range(5):
        collection.upsert(collection.ids, rows(40, seed), [{"seed": seed}] * 40)
    assert len(collection) == len(collection.index) == 40
    np.testing.assert_allclose(
        collection.vectors(collection.ids), rows(40, 4) / np.linalg.norm(rows(40, 4), axis=1)[:, None], rtol=1e-5
    )
    assert collection.get(collection.ids) == [{"seed": 4}] * 40


def test_removed_rows_are_gone(collection):
    collection.remove(["дом-0", "дом-39", "дом-0"])
    assert len(collection) == 38
    assert "дом-0" not in collection
    assert not {"дом-0", "дом-39"} & set(collection.search(rows(1), 50).ids[0])
    with pytest.raises(KeyError, match="дом-0"):
        collection.get(["дом-1", "дом-0"])
    collection.remove([])
    assert len(collection) == 38


BAD_VECTORS = rows(2)
BAD_VECTORS[1, 3] = np.nan


@pytest.mark.parametrize(
    ("ids", "vectors", "metadata"),
    [
        (["new", "дом-1"], rows(2), None),
        (["new", "new"], rows(2), None),
        (["new", 5], rows(2), None),
        (["new"], rows(2), None),
        (["new", "other"], rows(2)[:, :5], None),
        (["new", "other"], BAD_VECTORS, None),
        (["new", "other"], rows(2) * [[1], [0]], None),
        (["new", "other"], rows(2), [{}]),
        (["new", "other"], rows(2), [{"brand new field": 1}, {"x": {1, 2}}]),
        (["new"], np.empty((0, DIMENSION)), None),
    ],
)
def test_a_failing_change_leaves_the_collection_as_it_was(collection, ids, vectors, metadata):
    before = state(collection)
    with pytest.raises((ValueError, TypeError)):
        collection.add(ids, vectors, metadata)
    assert state(collection) == before
    if "дом-1" not in ids:
        with pytest.raises((ValueError, TypeError)):
            collection.upsert(ids, vectors, metadata)
        assert state(collection) == before
    with pytest.raises(KeyError, match="unknown"):
        collection.remove(["дом-1", "unknown"])
    assert state(collection) == before


def test_the_id_that_is_there_already_is_named(collection):
    with pytest.raises(ValueError, match="already: 'дом-1'; use upsert"):
        collection.add(["new", "дом-1"], rows(2))


def test_any_unicode_text_is_an_id(tmp_path):
    ids = ["", " ", "../x", "a\n", "ሰው", "e\u0301", "é", "👩‍👩‍👧", "\u202eabc", "\x00"]
    collection = Collection.create(DIMENSION)
    collection.add(ids, rows(len(ids)))
    collection.save(tmp_path / "ж 中")
    loaded = Collection.load(tmp_path / "ж 中")
    assert loaded.ids == tuple(ids)
    assert [hits[0].id for hits in loaded.search(rows(len(ids)), 1)] == ids


def test_ids_may_come_as_an_array_of_text():
    collection = Collection.create(DIMENSION)
    collection.add(np.array(["a", "b"]), rows(2))
    assert [type(id) for id in collection.ids] == [str, str]


def test_arrays_can_be_attached(tmp_path):
    collection = Collection.create(DIMENSION)
    collection.attachments["means.npy"] = array_to_bytes(rows(3))
    collection.save(tmp_path / "saved")
    np.testing.assert_array_equal(bytes_to_array(Collection.load(tmp_path / "saved").attachments["means.npy"]), rows(3))
    for content in (b"", b"garbage", array_to_bytes(rows(3))[:-1]):
        with pytest.raises(ValueError):
            bytes_to_array(content)


@pytest.mark.parametrize(
    ("attributes", "attachments", "error"),
    [
        ({"x": float("nan")}, {}, ValueError),
        ({"x": {1}}, {}, TypeError),
        ([1], {}, TypeError),
        ({}, {"../up": b""}, ValueError),
        ({}, {"a b": b""}, ValueError),
        ({}, {"A": b"", "a": b""}, ValueError),
        ({}, {"a": "text"}, TypeError),
    ],
)
def test_what_cannot_be_saved_leaves_the_saved_one_as_it_was(collection, tmp_path, attributes, attachments, error):
    collection.save(tmp_path / "saved")
    before = sorted(path.name for path in (tmp_path / "saved").iterdir())
    collection.attributes, collection.attachments = attributes, attachments
    with pytest.raises(error):
        collection.save(tmp_path / "saved")
    assert sorted(path.name for path in (tmp_path / "saved").iterdir()) == before
    assert Collection.load(tmp_path / "saved").attributes["encoder"] == "élan"


def test_index_that_is_not_empty_needs_its_rows(collection):
    with pytest.raises(ValueError, match=r"differ in length \(40 vs 0\)"):
        Collection(collection.index)


def test_a_huge_k_costs_no_memory():
    collection = Collection.create(2)
    collection.add(["a", "b"], [[1.0, 0.0], [0.0, 1.0]])
    found = collection.search([[1.0, 0.2]], k=10**15)
    assert found.ids == (("a", "b"),)
    assert found.scores.shape == (1, 2)


def test_metadata_read_late_is_that_of_the_time_of_the_search():
    collection = Collection.create(2)
    collection.add(["a", "b"], [[1, 0], [0, 1]], [{"n": 1, "tags": ["x"]}, {"n": 2}])
    query = [[1.0, 0.1], [0.1, 1.0]]
    at_once = collection.search(query, 2)
    assert at_once.metadata[0] == ({"n": 1, "tags": ["x"]}, {"n": 2})
    late = collection.search(query, 2)
    collection.upsert(["a"], [[1, 0]], [{"n": 10, "new": True}])
    collection.remove(["b"])
    assert late.metadata == at_once.metadata
    late.metadata[0][0]["tags"].append("y")
    assert collection.search(query, 1).metadata == (({"n": 10, "new": True},), ({"n": 10, "new": True},))


def test_a_result_that_was_not_read_can_be_pickled():
    collection = Collection.create(2)
    collection.add(["a"], [[1, 0]], [{"n": 1}])
    copy = pickle.loads(pickle.dumps(collection.search([[1.0, 0.0]], 1)))  # noqa: S301  # our own
    assert (copy.ids, copy.metadata, copy.metric) == ((("a",),), (({"n": 1},),), collection.metric)
    with pytest.raises(AttributeError, match="no attribute 'other'"):
        _ = copy.other


@pytest.mark.parametrize("kind", ["flat", "faiss-flat", "hnsw", "ivf-flat"])
def test_a_mapped_collection_answers_alike_and_refuses_writes(kind, tmp_path):
    vectors = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    made = Collection.create(8, "cosine", kind, {"n_lists": 2, "train_size": 50} if kind == "ivf-flat" else None)
    made.add([f"r{row}" for row in range(60)], vectors, [{"odd": row % 2} for row in range(60)])
    made.save(tmp_path / "c")
    mapped = Collection.load(tmp_path / "c", mapped=True)
    for where in (None, {"odd": 1}):
        assert mapped.search(vectors[:5], 3, where=where).ids == made.search(vectors[:5], 3, where=where).ids
    writes = (
        lambda: mapped.add(["new"], vectors[:1]),
        lambda: mapped.upsert(["r1"], vectors[:1]),
        lambda: mapped.remove(["r1"]),
    )
    for write in writes:
        with pytest.raises(UnsupportedOperation, match="mapped from its file and can only be read"):
            write()
    assert len(mapped) == len(mapped.index) == 60
    made.remove(["r0"])
    made.save(tmp_path / "c")
    assert mapped.search(vectors[:1], 1).ids == (("r0",),)  # as it was when it was mapped


def test_a_journal_is_not_passed_over_where_vectors_are_mapped(tmp_path):
    with CollectionStore.create(tmp_path / "c", Collection.create(2)) as store:
        store.add(["a"], [[1.0, 2.0]])
        with pytest.raises(
            UnsupportedOperation, match=r"mapped vectors take no changes, but .* has a journal; save them"
        ):
            Collection.load(tmp_path / "c", mapped=True)
        assert len(Collection.load(tmp_path / "c", mapped=True, journal=False)) == 0
        store.checkpoint()
    assert len(Collection.load(tmp_path / "c", mapped=True)) == 1


def test_a_number_is_a_rows_own_through_saves(tmp_path):
    made = Collection.create(2)
    made.add(["a", "b", "c"], np.eye(3)[:, :2] + 1)
    made.upsert(["a"], [[1.0, 2.0]])
    assert made.ids == ("b", "c", "a")
    assert made.numbers.tolist() == [1, 2, 3]
    made.remove(["a"])
    made.save(tmp_path / "c")
    again = Collection.load(tmp_path / "c")
    again.add(["d"], [[1.0, 2.0]])
    assert again.numbers.tolist() == [1, 2, 4]


def test_values_of_a_field_are_counted_most_first_without_the_rows_that_lack_it():
    collection = Collection.create(2)
    values = ["sw", "zh", None, "zh", "en", "sw", "en", "zh"]
    rows = [{} if value is None else {"language": value, "n": number} for number, value in enumerate(values)]
    collection.add([str(number) for number in range(8)], np.eye(2)[[0, 1] * 4], rows)
    assert collection.counts("language") == [("zh", 3), ("sw", 2), ("en", 2)]
    collection.remove(["0", "1", "3"])
    assert collection.counts("language") == [("en", 2), ("sw", 1), ("zh", 1)]
    assert collection.counts("no such field") == []
    assert Collection.create(2).counts("language") == []


def test_a_save_over_what_others_changed_since_is_refused_and_nothing_is_lost(make_collection, tmp_path):
    make_collection().save(tmp_path / "c")
    mine, theirs = Collection.load(tmp_path / "c"), Collection.load(tmp_path / "c")
    mine.add(["mine"], np.ones((1, mine.dimension)))
    theirs.add(["theirs"], np.ones((1, mine.dimension)))
    theirs.save(tmp_path / "c")
    with pytest.raises(LockedError, match=r"c was changed by someone else since it was loaded.*load it again"):
        mine.save(tmp_path / "c")
    assert "theirs" in Collection.load(tmp_path / "c")
    mine.save(tmp_path / "other")
    theirs.save(tmp_path / "c")  # its own last save is its own
    with CollectionStore(tmp_path / "c") as store:
        store.add(["acknowledged"], np.ones((1, mine.dimension)))
    with pytest.raises(LockedError, match="changed by someone else"):  # by a store's journal as well
        theirs.save(tmp_path / "c")
    store.collection.save(tmp_path / "c")  # which knows its own
    assert {"theirs", "acknowledged"} <= set(Collection.load(tmp_path / "c").ids)
    with locked(tmp_path / "c"), pytest.raises(LockedError, match="changed by someone else"):
        theirs.save(tmp_path / "c")  # held too late: the folder must be held from load to save


def test_nothing_may_be_added_as_it_may_be_removed(make_collection, tmp_path):
    collection = make_collection()
    before = state(collection)
    with CollectionStore.create(tmp_path / "c", collection) as store:
        written = len(store._journal)
        for target in (collection, store):
            for call in (target.add, target.upsert):
                call([], np.empty((0, DIMENSION)), [])
                call([], [])
                with pytest.raises(ValueError, match="differ in number"):
                    call([], np.ones((1, DIMENSION)))
                with pytest.raises(ValueError, match="empty"):
                    call(["x"], np.empty((0, DIMENSION)))
            target.remove([])
        assert (state(collection), len(store._journal)) == (before, written)


def test_masked_entries_are_refused_wherever_vectors_come_in(make_collection):
    collection = make_collection()
    masked = np.ma.masked_invalid(np.where(np.eye(DIMENSION) > 0, np.nan, 1.0))
    for call in (lambda: collection.add(list("abcdefghijkl"), masked), lambda: collection.search(masked)):
        with pytest.raises(ValueError, match="has masked entries"):
            call()
    assert collection.search(np.ma.asarray(np.eye(DIMENSION)), k=1).ids  # nothing is masked in it


@pytest.mark.parametrize("kind", ["flat", "faiss-flat", "hnsw", "ivf-flat"])
def test_no_cosine_is_above_one(kind):
    vectors = np.random.default_rng(3).normal(size=(500, 96)).astype(np.float32)
    config = None if kind == "flat" else {"threads": 1} | ({"train_size": 100} if kind == "ivf-flat" else {})
    collection = Collection.create(96, kind=kind, config=config)
    collection.add([str(row) for row in range(500)], vectors)
    for asked in (vectors, -vectors):
        scores = collection.search(asked, k=500).scores
        assert scores.max() <= 1
        assert scores.min() >= -1
    assert collection.search(vectors, k=1).scores.min() > 0.99999


@pytest.mark.parametrize("count", [1, 3, 500])
def test_rows_are_forgotten_one_by_one_as_many_at_once(count):
    collection = Collection.create(2, kind="faiss-flat")
    ids = [str(number) for number in range(1000)]
    rows = [{"language": f"l{number % 7}", "n": number} for number in range(1000)]
    collection.add(ids, np.random.default_rng(0).normal(size=(1000, 2)), rows)
    gone = ids[3 : 3 + 2 * count : 2]
    collection.remove(gone)
    kept = [id for id in ids if id not in set(gone)]
    assert list(collection.ids) == kept
    assert collection.get(kept) == [rows[int(id)] for id in kept]
    collection.upsert(kept[:2], np.eye(2), [{"n": -1}] * 2)
    assert list(collection.ids) == kept[2:] + kept[:2]
    assert collection.search([[1.0, 0.0]], 1).ids == ((kept[0],),)


def test_values_are_counted_most_first_and_of_equal_ones_the_first(tmp_path):
    collection = Collection.create(1, "ip")
    values = ["c", "a", None, "b", "b", "a", "d", "e", 1, 1.0, True]
    rows = [{} if value is None else {"f": value} for value in values]
    collection.add([str(n) for n in range(len(values))], np.ones((len(values), 1)), rows)
    assert collection.counts("f") == [("a", 2), ("b", 2), ("c", 1), ("d", 1), ("e", 1), (1, 1), (1.0, 1), (True, 1)]
    collection.remove(["0", "1"])
    assert collection.counts("f") == [("b", 2), ("a", 1), ("d", 1), ("e", 1), (1, 1), (1.0, 1), (True, 1)]
