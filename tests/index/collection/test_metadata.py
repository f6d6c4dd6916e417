import numpy as np
import pytest

from interlingua.index.collection.metadata import MetadataTable, are_flat, are_texts, check_json
from interlingua.index.folder import naming

ROWS = [
    {"text": "Kila mtu", "language": "sw", "n": 1},
    {"text": "人人生而自由", "nested": {"a": [1, 2.5, None, {"b": "é"}]}, "n": 1.0},
    {},
    {"n": True, "none": None, "🌍": "", "zero": -0.0},
    {"text": "Kila mtu", "n": 2**70, "zero": 0.0},
]
IDS = ["a", "ä", "中", "🌍 x/..\\\n", ""]


def fill(ids=IDS, rows=ROWS):
    table = MetadataTable()
    table.append(ids, table.check(ids, rows))
    return table


def exact(value):
    return repr(value)  # tells 1, 1.0 and True apart, and 0.0 from -0.0


def save_and_load(table, folder):
    paths = {}
    for name, write in table.files().items():
        paths[name] = folder / name
        write(paths[name])
    return MetadataTable.read(paths, naming)


def test_metadata_comes_back_unchanged(tmp_path):
    for table in (fill(), save_and_load(fill(), tmp_path)):
        found = table.metadata(table.rows(IDS))
        assert found == ROWS
        for row, original in zip(found, ROWS, strict=True):
            assert exact(sorted(row.items())) == exact(sorted(original.items()))
        assert table.ids == IDS


def test_what_is_returned_and_given_is_not_shared():
    given = {"nested": {"a": [1]}}
    table = fill(["x", "y"], [given, given])
    given["nested"]["a"].append(2)
    table.metadata(table.rows(["x"]))[0]["nested"]["a"].append(3)
    assert table.metadata(table.rows(["x", "y"])) == [{"nested": {"a": [1]}}] * 2


def test_numbers_are_never_used_again(tmp_path):
    table = fill()
    table.remove(table.numbers(["ä", "中"]))
    assert table.append(["ä"], [{}]).tolist() == [5]
    assert table.numbers(["a", "ä"]).tolist() == [0, 5]
    assert save_and_load(table, tmp_path).append(["new"], [{}]).tolist() == [6]


def test_values_of_removed_rows_are_forgotten(tmp_path):
    ids = [f"{row}" for row in range(1000)]
    table = fill(ids, [{"text": f"text {row}", "even": row % 2 == 0} for row in range(1000)])
    table.remove(table.numbers(ids[:995]))
    assert len(table._columns["text"].values) == 5
    assert table.metadata(table.rows(ids[995:])) == [
        {"text": f"text {r}", "even": r % 2 == 0} for r in range(995, 1000)
    ]
    assert table.matches("text", ["text 997"]).tolist() == [False, False, True, False, False]
    table.append(["new"], [{"text": "text 997"}])
    assert table.matches("text", ["text 997"]).tolist() == [False, False, True, False, False, True]


def test_rows_behave_like_a_dictionary_under_random_changes():
    rng = np.random.default_rng(0)
    table, expected = MetadataTable(), {}
    for step in range(300):
        id = f"id {rng.integers(40)}"
        if id in expected and rng.random() < 0.5:
            table.remove(table.numbers([id]))
            del expected[id]
        elif id not in expected:
            row = {f"field {rng.integers(3)}": int(rng.integers(5)), "step": step}
            table.append([id], [row])
            expected[id] = row
        assert table.ids == list(expected)
        assert table.metadata(table.rows(list(expected))) == list(expected.values())


def circular():
    row = {}
    row["self"] = row
    return row


@pytest.mark.parametrize(
    ("row", "error", "message"),
    [
        ({"x": float("nan")}, ValueError, "'x'.*nan"),
        ({"x": [float("inf")]}, ValueError, r"\['x'\]\[0\] is inf"),
        ({"x": (1, 2)}, TypeError, "is a tuple"),
        ({"x": np.complex64(1)}, TypeError, "is a complex"),
        ({"x": b"bytes"}, TypeError, "is a bytes"),
        ({1: "x"}, TypeError, "keys must be strings"),
        ({"x": {2: 3}}, TypeError, "keys must be strings"),
        ({"x": "\ud800"}, ValueError, "surrogate"),
        ({"\ud800": 1}, ValueError, "surrogate"),
        ({"x": 10**400}, ValueError, "bits"),
        (circular(), ValueError, "nested more than 32"),
        ("text", TypeError, "must be a dictionary"),
    ],
)
def test_metadata_that_json_cannot_keep_is_refused(row, error, message):
    table = fill()
    with pytest.raises(error, match=message):
        table.check(["new"], [row])
    assert len(table) == 5


def test_nesting_up_to_the_limit_is_kept():
    deep = []
    for _ in range(30):
        deep = [deep]
    assert check_json({"x": deep}, "x") == {"x": deep}


@pytest.mark.parametrize(
    ("ids", "error", "message"),
    [
        (["x", "x", "y"], ValueError, "must not repeat.*'x'"),
        (["x", "中", "y"], ValueError, "already: '中'; use upsert"),
        (["x", 1, "y"], TypeError, "must be strings, but 1 is of type int"),
        (["x", "\udc00", "y"], ValueError, "surrogate"),
        ("xyz", TypeError, "not one string"),
        (["x", "y"], ValueError, r"one dictionary an id \(2\), but there are 3"),
    ],
)
def test_bad_ids_are_refused(ids, error, message):
    with pytest.raises(error, match=message):
        fill().check(ids, [{}] * 3)


@pytest.mark.parametrize(
    "value",
    ["x", "\ud800", 1, 2**1024, -(2**1024), True, None, 0.5, float("nan"), float("inf"), np.float32(1), [1], {"a": 1}],
)
@pytest.mark.parametrize("place", ["key", "value"])
def test_what_is_checked_at_once_is_what_is_checked_one_by_one(value, place):
    rows = [{"year": 1, "text": "y"}, {value: 1} if place == "key" and type(value) is str else {"x": value}]
    try:
        kept = [check_json(row, "row") for row in rows]
    except (TypeError, ValueError):
        assert not are_flat(rows)
        return
    flat = not isinstance(value, (list, dict, np.generic))
    assert are_flat(rows) is flat
    assert not flat or kept == rows
    assert are_texts(["a", value]) is (type(value) is str)


def test_values_are_counted_anew_after_every_change():
    table = MetadataTable()
    table.append(["a", "b"], [{"language": "sw"}, {"language": "zh"}])
    table.append(["new"], [{"language": "sw"}])
    before = dict(table.counts("language"))
    table.append(["newer"], [{"language": "sw"}])
    assert dict(table.counts("language"))["sw"] == before["sw"] + 1
    table.remove(table.numbers(["new", "newer"]))
    assert table.counts("language") == [("sw", 1), ("zh", 1)]
