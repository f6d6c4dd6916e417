import json
import sys
from datetime import date, datetime, time
from decimal import Decimal

import numpy as np
import pytest

from interlingua.index import Collection, In, Range, create_index
from interlingua.index.exchange import parquet_batches

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

ROWS = [
    {"language": "sw", "n": 1, "share": 0.5, "old": True, "mixed": 1, "title": None, "deep": {"a": [1, None]}},
    {"language": "zh", "n": 2**63 - 1, "share": -0.0, "old": False, "mixed": 1.0, "title": "b"},
    {"language": "sw", "n": -3, "share": 1e300, "old": True, "mixed": True, "title": "ä", "huge": 2**70},
    {"language": "fi", "n": 0, "share": 2.0, "old": True, "mixed": None, "title": None, "some": "x", "gap": None},
    {"language": "zh", "n": 7, "share": 0.1, "old": True, "mixed": "1", "title": "", "some": "", "gap": "y"},
]


@pytest.fixture
def filled():
    made = Collection.create(3, "cosine")
    made.add(["a", "b", "gone"], np.random.default_rng(0).normal(size=(3, 3)), [{"lost": 1}] * 3)
    made.upsert(["b", "ц", "", "a", "e"], np.random.default_rng(1).normal(size=(5, 3)), ROWS)
    made.remove(["gone"])
    made.attributes = {"encoder": "élan", "dates": [1, 2.5, None]}
    made.attachments = {"passages.space": bytes(range(256))}
    return made


def state(collection):
    return (
        collection.ids,
        [sorted((key, repr(value)) for key, value in row.items()) for row in collection.get(collection.ids)],
        collection.vectors(collection.ids).tobytes(),
        {key: value for key, value in collection.info.items() if key != "fields"},
        collection.attachments,
    )


@pytest.mark.parametrize("metric", ["cosine", "ip", "l2"])
@pytest.mark.parametrize(("kind", "config"), [("flat", None), ("hnsw", {"M": 8, "threads": 1})])
def test_a_collection_comes_back_from_parquet_to_the_bit(kind, config, metric, tmp_path):
    made = Collection.create(3, metric, kind, config)
    vectors = np.random.default_rng(0).normal(size=(700, 3)) * 10.0 ** np.random.default_rng(1).integers(
        -3, 3, (700, 1)
    )
    made.add([f"{row}" for row in range(700)], vectors, [{"n": row} for row in range(700)])
    assert made.to_parquet(tmp_path / "rows.parquet", batch_size=100) == 700
    assert pq.ParquetFile(tmp_path / "rows.parquet").num_row_groups == 7
    assert state(Collection.from_parquet(tmp_path / "rows.parquet", batch_size=33)) == state(made)


def test_all_values_come_back_as_they_were(filled, tmp_path):
    filled.to_parquet(tmp_path / "rows.parquet", batch_size=2)
    for found in (Collection.from_parquet(tmp_path / "rows.parquet"), Collection.from_arrow(filled.to_arrow())):
        assert state(found) == state(filled)
        assert found.search([[1.0, 0.2, 0.1]], 5).ids == filled.search([[1.0, 0.2, 0.1]], 5).ids


def test_columns_are_typed_and_the_schema_says_what_the_rows_are(filled):
    table = filled.to_arrow()
    types = {field.name: str(field.type) for field in table.schema}
    assert types == {
        "id": "string", "vector": "fixed_size_list<item: float>[3]", "language": "string", "n": "int64",
        "share": "double", "old": "bool", "mixed": "string", "title": "string", "deep": "string", "huge": "string",
        "some": "string", "gap": "string",
    }  # fmt: skip
    assert table.column("title").to_pylist() == [None, "b", "ä", None, ""]
    assert table.column("mixed").to_pylist() == ["1", "1.0", "true", "null", '"1"']
    noted = table.schema.metadata
    assert noted[b"interlingua.metric"] == b"cosine"
    assert noted[b"interlingua.space"].decode() == "élan"
    assert json.loads(noted[b"interlingua.languages"]) == ["fi", "sw", "zh"]


def test_rows_that_pass_a_filter_are_written_alone(filled, tmp_path):
    assert filled.to_parquet(tmp_path / "some.parquet", where={"language": ["sw", "fi"]}) == 3
    found = Collection.from_parquet(tmp_path / "some.parquet")
    assert found.ids == ("b", "", "a")
    assert filled.to_arrow(where=Range("n", least=2)).column("id").to_pylist() == ["ц", "e"]


def test_an_empty_collection_comes_back(tmp_path):
    empty = Collection.create(5, "ip", "faiss-flat")
    assert empty.to_parquet(tmp_path / "none.parquet") == 0
    assert Collection.from_parquet(tmp_path / "none.parquet").info == empty.info


def test_metric_and_kind_can_be_chosen_anew(filled, tmp_path):
    filled.to_parquet(tmp_path / "rows.parquet")
    found = Collection.from_parquet(tmp_path / "rows.parquet", metric="l2", kind="hnsw", config={"threads": 1})
    assert (found.info["metric"], found.info["kind"]) == ("l2", "hnsw")


def test_a_field_of_the_same_name_asks_for_another_column_name(filled, tmp_path):
    filled.upsert(["x"], [[1.0, 0.0, 0.0]], [{"id": "mine"}])
    with pytest.raises(ValueError, match=r"metadata field 'id'.*choose other names"):
        filled.to_parquet(tmp_path / "rows.parquet")
    assert list(tmp_path.iterdir()) == []
    filled.to_parquet(tmp_path / "rows.parquet", id="key", vector="embedding")
    assert state(Collection.from_parquet(tmp_path / "rows.parquet")) == state(filled)


# What other programs write


def test_a_foreign_file_is_read_by_the_names_of_its_columns(tmp_path):
    vectors = np.arange(1, 13, dtype=np.float64).reshape(4, 3)
    table = pa.table({
        "key": [10, 20, 30, 40],
        "embedding": pa.array(vectors.tolist(), pa.list_(pa.float64())),
        "lang": pa.array(["sw", None, "zh", "sw"]).dictionary_encode(),
        "year": pa.array([1, 2, None, 4], pa.uint16()),
        "score": pa.array([0.5, 1.5, 2.5, None], pa.float32()),
        "tags": pa.array([["a"], [], None, ["b", "c"]]),
    })  # fmt: skip
    pq.write_table(table, tmp_path / "foreign.parquet")
    found = Collection.from_parquet(tmp_path / "foreign.parquet", id="key", vector="embedding", metric="ip")
    assert found.ids == ("10", "20", "30", "40")
    np.testing.assert_array_equal(found.vectors(found.ids), vectors)
    assert found.get(["10", "20", "30", "40"]) == [
        {"lang": "sw", "year": 1, "score": 0.5, "tags": ["a"]},
        {"year": 2, "score": 1.5, "tags": []},
        {"lang": "zh", "score": 2.5},
        {"lang": "sw", "year": 4, "tags": ["b", "c"]},
    ]
    some = Collection.from_parquet(tmp_path / "foreign.parquet", id="key", vector="embedding", columns=["lang"])
    assert some.info["fields"] == ["lang"]
    assert [len(batch) for batch in parquet_batches(tmp_path / "foreign.parquet", id="key", vector="embedding",
                                                    batch_size=3)] == [3, 1]  # fmt: skip


@pytest.mark.parametrize("kind", [pa.list_(pa.float16(), 2), pa.large_list(pa.float32()), pa.list_(pa.int8())])
def test_vectors_may_be_any_lists_of_numbers(kind):
    values = np.array([[1, 2], [3, 4], [5, 6]], np.float16)
    array = pa.array(list(values) if kind.value_type == pa.float16() else values.astype(int).tolist(), kind)
    table = pa.table({"id": pa.array(["a", "b", "c"], pa.large_string()), "vector": array}).slice(1)
    found = Collection.from_arrow(table, metric="ip")
    assert found.vectors(["b", "c"]).tolist() == [[3, 4], [5, 6]]


def test_what_gives_an_arrow_stream_is_read():
    table = pa.table({"id": ["a", "b"], "vector": [[1.0, 0.0], [0.0, 1.0]]})

    class Frame:
        def __arrow_c_stream__(self, requested_schema=None):
            return table.__arrow_c_stream__(requested_schema)

    assert Collection.from_arrow(Frame()).ids == ("a", "b")
    assert Collection.from_arrow(table.to_reader()).ids == ("a", "b")
    assert Collection.from_arrow(table.to_batches()[0]).ids == ("a", "b")
    with pytest.raises(TypeError, match="not as list"):
        Collection.from_arrow([1])


ONE = [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize(
    ("columns", "error", "message"),
    [
        ({"key": ["a", "b"], "vector": ONE}, ValueError, "no column 'id'; it has 'key', 'vector'.*with `id`"),
        ({"id": ["a", "b"], "v": ONE}, ValueError, "no column 'vector'"),
        ({"id": ["a", None], "vector": ONE}, ValueError, r"'id' is empty in 1 rows \(1\)"),
        ({"id": [0.5, 1.5], "vector": ONE}, TypeError, "must hold texts or whole numbers, but is of type double"),
        ({"id": ["a", "a"], "vector": ONE}, ValueError, "rows 0 to 1.*must not repeat.*'a'"),
        ({"id": ["a", "b"], "vector": ["x", "y"]}, TypeError, "must hold lists of numbers, but is of type string"),
        ({"id": ["a", "b"], "vector": [["x"], ["y"]]}, TypeError, "must hold lists of numbers"),
        ({"id": ["a", "b"], "vector": [[1.0, 2.0], [3.0]]}, ValueError, "row 0 has 2 numbers, row 1 has 1"),
        ({"id": ["a", "b"], "vector": [[1.0, 2.0], None]}, ValueError, r"row 1 has no 'vector' \(1 such rows\)"),
        ({"id": ["a", "b"], "vector": [[1.0, 2.0], [None, 1.0]]}, ValueError, "row 1 holds NaN"),
        ({"id": ["a", "b"], "vector": [[1.0, 2.0], [0.0, 0.0]]}, ValueError, "zero vector"),
        ({"id": ["a", "b"], "vector": [[1.0, 2.0], [1e300, 0.0]]}, ValueError, "too large"),
        ({"id": ["a", "b"], "vector": ONE, "raw": [b"1", b"2"]}, TypeError, "'raw' of .* is of type binary.*`columns`"),
        ({"id": ["a", "b"], "vector": ONE, "x": [float("inf"), 1.0]}, ValueError, r"'a'\['x'\] is inf"),
        ({"id": pa.array([], pa.string()), "vector": pa.array([], pa.list_(pa.float32()))}, ValueError, "has no row"),
    ],
)
def test_what_cannot_become_a_collection_is_named(columns, error, message, tmp_path):
    pq.write_table(pa.table(columns), tmp_path / "foreign.parquet")
    with pytest.raises(error, match=message) as caught:
        Collection.from_parquet(tmp_path / "foreign.parquet")
    assert "foreign.parquet" in str(caught.value)


def test_an_id_that_comes_back_in_a_later_batch_is_named_with_its_rows(tmp_path):
    table = pa.table({"id": ["a", "b", "a"], "vector": [[1.0], [2.0], [3.0]]})
    pq.write_table(table, tmp_path / "twice.parquet")
    with pytest.raises(ValueError, match=r"twice\.parquet, rows 2 to 2: ids are in the collection already: 'a'"):
        Collection.from_parquet(tmp_path / "twice.parquet", batch_size=2)


def test_every_altered_page_is_refused(filled, tmp_path):
    filled.to_parquet(tmp_path / "rows.parquet")
    whole = (tmp_path / "rows.parquet").read_bytes()
    expected, refused = state(filled), 0
    for at in range(4, len(whole), 97):
        altered = bytearray(whole)
        altered[at] ^= 16
        (tmp_path / "rows.parquet").write_bytes(altered)
        try:
            found = Collection.from_parquet(tmp_path / "rows.parquet")
        except (ValueError, TypeError):
            refused += 1
        else:  # what is not read, such as statistics, may be altered; the footer has no checksum
            assert found.vectors(found.ids).tobytes() == expected[2]
    assert refused > 10
    for damaged in (b"", b"PAR1", whole[:-9], whole[: len(whole) // 2], b"x" * 500):
        (tmp_path / "rows.parquet").write_bytes(damaged)
        with pytest.raises(ValueError, match=r"rows\.parquet is not readable as Parquet"):
            Collection.from_parquet(tmp_path / "rows.parquet")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        Collection.from_parquet(tmp_path / "nothing.parquet")


def test_a_failing_export_leaves_the_old_file_and_nothing_else(filled, tmp_path, monkeypatch):
    path = tmp_path / "rows.parquet"
    filled.to_parquet(path)
    before = path.read_bytes()

    def fail(numbers):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(filled.index, "reconstruct", fail)
    with pytest.raises(OSError, match="No space"):
        filled.to_parquet(path)
    assert (path.read_bytes(), [each.name for each in tmp_path.iterdir()]) == (before, ["rows.parquet"])
    with pytest.raises(FileNotFoundError, match="create it first"):
        filled.to_parquet(tmp_path / "no" / "rows.parquet")
    with pytest.raises(IsADirectoryError):
        filled.to_parquet(tmp_path)


def test_without_pyarrow_the_error_says_what_to_install(filled, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"interlingua\[parquet\]"):
        filled.to_arrow()


# Iteration


def test_batches_hold_every_row_once_in_the_order_of_ids(filled):
    batches = list(filled.batches(2))
    assert [len(batch) for batch in batches] == [2, 2, 1]
    assert tuple(id for batch in batches for id in batch.ids) == filled.ids == tuple(filled)
    vectors = np.concatenate([batch.vectors for batch in batches])
    np.testing.assert_array_equal(vectors, filled.vectors(filled.ids))
    assert [row for batch in batches for row in batch.metadata] == filled.get(filled.ids)
    assert list(Collection.create(2).batches()) == []


def test_batches_can_be_filtered_and_added_elsewhere(filled):
    other = Collection.create(3)
    for batch in filled.batches(2, where=In("language", ["zh", "fi"])):
        other.add(batch.ids, batch.vectors, batch.metadata)
    assert other.ids == ("ц", "a", "e")
    np.testing.assert_array_equal(other.vectors(other.ids), filled.vectors(other.ids))


@pytest.mark.parametrize("change", [lambda c: c.remove(["a"]), lambda c: c.upsert(["a"], [[1.0, 1.0, 1.0]])])
def test_a_change_on_the_way_is_an_error(filled, change):
    walk = filled.batches(2)
    next(walk)
    change(filled)
    with pytest.raises(RuntimeError, match="changed while it was walked through"):
        next(walk)


@pytest.mark.parametrize(("size", "error"), [(0, ValueError), (1.5, TypeError)])
def test_a_size_that_is_none_is_refused(filled, size, error):
    with pytest.raises(error, match="size must be"):
        next(filled.batches(size))


@pytest.mark.parametrize("dimension", [2, 3, 5, 17, 384])
def test_what_has_unit_length_is_kept_to_the_bit(dimension):
    vectors = np.random.default_rng(0).normal(size=(2000, dimension)).astype(np.float32)
    first, second = (create_index("flat", dimension) for _ in range(2))
    first.add(np.arange(2000), vectors)
    kept = first.reconstruct(np.arange(2000))
    second.add(np.arange(2000), kept)
    np.testing.assert_array_equal(second.reconstruct(np.arange(2000)), kept)


def test_memory_is_that_of_a_row_group(tmp_path):
    made = Collection.create(64)
    made.add([f"{row}" for row in range(20_000)], np.random.default_rng(0).normal(size=(20_000, 64)))
    made.to_parquet(tmp_path / "rows.parquet", batch_size=500)
    before, held = pa.total_allocated_bytes(), []
    for batch in parquet_batches(tmp_path / "rows.parquet", batch_size=100):
        held.append(pa.total_allocated_bytes() - before)
        assert len(batch) == 100
    assert len(held) == 200
    assert max(held) < 20_000 * 64 * 4 / 5


def test_dictionaries_of_any_text_are_ids_and_an_index_of_pandas_is_no_metadata():
    pyarrow = pytest.importorskip("pyarrow")
    views = pyarrow.DictionaryArray.from_arrays(pyarrow.array([1, 0]), pyarrow.array(["a", "b"], pyarrow.string_view()))
    vectors = pyarrow.array([[1.0, 0.0], [0.0, 1.0]], pyarrow.list_(pyarrow.float32(), 2))
    table = pyarrow.table({"id": views, "vector": vectors, "n": [1, 2], "__index_level_0__": [7, 9]})
    assert Collection.from_arrow(table).get(["b"]) == [{"n": 1, "__index_level_0__": 7}]  # nobody said that it is one
    noted = table.replace_schema_metadata({"pandas": json.dumps({"index_columns": ["__index_level_0__"]})})
    assert Collection.from_arrow(noted).get(["b", "a"]) == [{"n": 1}, {"n": 2}]
    named = Collection.from_arrow(noted, columns=["__index_level_0__"])
    assert named.get(["b"]) == [{"__index_level_0__": 7}]

    class Foreign:
        def __arrow_c_stream__(self, requested_schema=None):
            raise pyarrow.ArrowInvalid("Unsupported format string: '_pli128'")

    with pytest.raises(TypeError, match=r"a type that Arrow does not know .*_pli128.*cast it"):
        Collection.from_arrow(Foreign())


def foreign(column, vector=None):
    vector = [[1.0, 2.0], [3.0, 4.0]] if vector is None else vector
    return pa.table({"id": ["a", "b"], "vector": vector, **({} if column is None else {"t": column})})


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([datetime(2026, 1, 31, 12, 5, 3, 250_000), None]), "2026-01-31T12:05:03.250000"),
        (pa.array([datetime(2026, 1, 31, 12), None], pa.timestamp("s")), "2026-01-31T12:00:00"),
        (pa.array([10**18 + 1, None], pa.timestamp("ns")), "2001-09-09T01:46:40.000000001"),
        (pa.array([0, None], pa.timestamp("ms", "Asia/Tokyo")), "1970-01-01T00:00:00.000Z"),
        (pa.array([date(2026, 1, 31), None]), "2026-01-31"),
        (pa.array([date(2026, 1, 31), None]).dictionary_encode(), "2026-01-31"),
        (pa.array([time(7, 30), None]), "07:30:00.000000"),
        (pa.array([Decimal("3.14"), None]), 3.14),
        (pa.array([2.5, float("nan")]), 2.5),
        (pa.array([[2.5, float("nan")], None]), [2.5, None]),
        (pa.array([[date(2026, 1, 31)], None]), ["2026-01-31"]),
        (pa.array([{"x": float("nan"), "d": [Decimal("1.5")]}, None]), {"x": None, "d": [1.5]}),
        (pa.array([["x", "y"], None], pa.list_view(pa.string())), ["x", "y"]),
    ],
)
def test_what_other_programs_keep_becomes_text_or_numbers(column, expected):
    table = foreign(column)
    made = Collection.from_arrow(table)
    assert made.get(["a", "b"]) == [{"t": expected}, {}]
    assert Collection.from_arrow(table.slice(0, 1)).get(["a"]) == [{"t": expected}]
    assert Collection.from_arrow(table.slice(1)).get(["b"]) == [{}]


def test_dates_are_ordered_as_texts():
    days = pa.array([date(2026, 1, 31), date(2025, 12, 1)])
    made = Collection.from_arrow(foreign(days))
    assert made.search([[1.0, 1.0]], 5, where=Range("t", least="2026-01-01")).ids == (("a",),)


VECTORS = pa.FixedSizeListArray.from_arrays(np.arange(1, 5, dtype=np.float32), 2)


@pytest.mark.parametrize(
    "vector",
    [
        pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(pa.float32(), [2]), VECTORS),
        pa.array([[1, 2], [3, 4]], pa.list_view(pa.float32())),
        pa.array([[1, 2], [3, 4]], pa.large_list_view(pa.float64())),
    ],
    ids=["tensor", "list_view", "large_list_view"],
)
def test_vectors_come_as_tensors_and_views_too(vector, tmp_path):
    table = foreign(None, vector)
    for part, ids in ((table, ["a", "b"]), (table.slice(1), ["b"])):
        made = Collection.from_arrow(part, metric="ip")
        np.testing.assert_array_equal(made.vectors(ids), [[1, 2], [3, 4]][-len(ids) :])


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.list_(pa.float32(), 0)])
def test_vectors_without_numbers_are_refused_with_the_source(kind):
    with pytest.raises(ValueError, match="the table, rows 0 to 1: the vectors in 'vector' have no numbers; leave such"):
        Collection.from_arrow(foreign(None, pa.array([[], []], kind)))
