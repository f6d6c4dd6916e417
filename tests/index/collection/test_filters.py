import numpy as np
import pytest

from interlingua.index import And, Collection, Eq, In, Not, Or, Range
from interlingua.index.collection.filters import matching_rows
from interlingua.index.collection.metadata import MetadataTable

ROWS = [
    {"language": "sw", "source": "udhr", "year": 2020, "ok": True},
    {"language": "zh", "source": "udhr", "year": 2020.0, "ok": False},
    {"language": "zh", "source": "news", "year": 1, "ok": None},
    {"source": "udhr", "year": "2020", "tags": ["a"]},
    {},
]


def found(where):
    table = MetadataTable()
    table.append([str(row) for row in range(len(ROWS))], ROWS)
    numbers = matching_rows(table, where)
    return None if numbers is None else numbers.tolist()


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (None, None),
        ({}, None),
        ({"language": "sw"}, [0]),
        ({"language": ["sw", "zh"]}, [0, 1, 2]),
        ({"language": {"sw", "zh"}, "source": "udhr"}, [0, 1]),
        ({"language": ("zh",), "source": ["news", "udhr"], "year": 1}, [2]),
        ({"language": "fi"}, []),
        ({"language": []}, []),
        ({"year": 2020}, [0, 1]),
        ({"year": 2020.0}, [0, 1]),
        ({"year": "2020"}, [3]),
        ({"year": True}, []),
        ({"ok": True}, [0]),
        ({"ok": 1}, []),
        ({"ok": None}, [2]),
        ({"tags": "a"}, [3]),
        ({"tags": "b"}, []),
    ],
)
def test_all_fields_and_any_value_must_match(where, expected):
    assert found(where) == expected


def test_unknown_field_is_refused_and_the_known_ones_named():
    with pytest.raises(ValueError, match="no row has the field 'lang'; the fields are 'language', 'source'"):
        found({"lang": "sw"})


def test_an_empty_table_has_no_rows_to_miss_a_field():
    assert matching_rows(MetadataTable(), {"language": "sw"}) is None  # all of its rows pass


@pytest.mark.parametrize("value", [{"a": 1}, [["a"]], np.datetime64("2026-01-31"), b"sw"])
def test_values_that_cannot_be_compared_are_refused(value):
    with pytest.raises(TypeError, match="language"):
        found({"language": value})


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (Eq("language", "sw"), [0]),
        (In("language", ["sw", "zh"]), [0, 1, 2]),
        (Range("year", least=2), [0, 1]),
        (Range("year", least=1, most=2019.5), [2]),
        (Range("year", most=2020), [0, 1, 2]),
        (Range("year", least="2"), [3]),
        (Range("language", least="t"), [1, 2]),
        (Range("ok", least=0), []),
        (Not(Eq("language", "zh")), [0, 3, 4]),
        (And(Eq("source", "udhr"), Not(Eq("year", 2020))), [3]),
        (Or(Eq("language", "sw"), Eq("source", "news"), Range("year", least="2020", most="2020")), [0, 2, 3]),
        (Not(Or(Eq("source", "udhr"), Eq("source", "news"))), [4]),
        (And(), None),
        (Or(), []),
        (Not(And(Not(Eq("ok", None)), Not(Eq("ok", False)))), [1, 2]),
    ],
    ids=str,
)
def test_a_tree_of_conditions_is_what_plain_python_says(where, expected):
    assert found(where) == expected


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: In("language", "sw"), "must be a list of them, not 'sw'; for one value use Eq"),
        (lambda: Range("year"), "a range of 'year' needs `least`, `most` or both"),
        (lambda: Range("year", least=1, most="2"), "must be of one kind, not 1 and '2'"),
        (lambda: Range("year", least=float("nan")), "must be numbers or texts, but one is nan"),
        (lambda: Range("year", most=True), "must be numbers or texts, but one is True"),
        (lambda: Not({"language": "sw"}), "must be Eq, In, Range, And, Or or Not"),
        (lambda: Eq(3, "sw"), "a field is named by a text, not by 3"),
        (lambda: found(["language"]), "a filter must be a mapping"),
    ],
)
def test_a_condition_that_says_nothing_clear_is_refused(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()


def test_zero_is_zero_whatever_its_sign_and_lists_pass_by_what_they_hold():
    collection = Collection.create(2)
    rows = [
        {"x": 0},
        {"x": 0.0},
        {"x": -0.0},
        {"x": False},
        {"x": 1},
        {"x": [1, "a"]},
        {"x": ["a", 0.0]},
        {"x": {"a": 1}},
    ]
    collection.add(list("abcdefgh"), np.eye(2)[[0] * 8], rows)

    def found(where):
        return "".join(sorted(collection.search([[1.0, 0.0]], k=8, where=where).ids[0]))

    for zero in (0, 0.0, -0.0):
        assert found({"x": zero}) == "abcg"
        assert found(Not(Eq("x", zero))) == "defh"
    assert found({"x": "a"}) == "fg"
    assert found(In("x", ["a", 1])) == "efg"
    assert found(Not(In("x", ["a", 1]))) == "abcdh"
    collection.upsert(["f"], np.eye(2)[:1], [{"x": ["b"]}])
    collection.remove(["g", "a"])
    assert found({"x": "a"}) == ""
    assert found({"x": "b"}) == "f"


def test_numpy_scalars_are_metadata_and_wanted_values():
    collection = Collection.create(2)
    row = {np.str_("n"): np.int64(3), "s": np.str_("sw"), "b": np.bool_(True), "f": np.float64(0.5), "l": [np.int8(1)]}
    collection.add(["a"], np.eye(2)[:1], [row])
    (kept,) = collection.get(["a"])
    assert kept == {"n": 3, "s": "sw", "b": True, "f": 0.5, "l": [1]}
    assert [type(value) for value in kept.values()] == [int, str, bool, float, list]
    for where in ({"n": np.int32(3)}, {"s": np.str_("sw")}, {"b": np.bool_(True)}, In("f", np.array([0.5, 2.0])),
                  Range("n", np.int64(2), np.float64(3))):  # fmt: skip
        assert collection.search([[1.0, 0.0]], where=where).ids == (("a",),)
    with pytest.raises(TypeError, match="is a date"):
        collection.add(["b"], np.eye(2)[:1], [{"day": np.datetime64("2026-01-31", "D")}])
    with pytest.raises(ValueError, match="nan"):
        collection.add(["b"], np.eye(2)[:1], [{"x": np.float32("nan")}])
