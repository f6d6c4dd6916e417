import random

import numpy as np
import pytest

from interlingua.index import And, Collection, Eq, In, Not, Or, Range
from interlingua.index.milvus.collection import MilvusCollection
from interlingua.index.milvus.filters import EVERY_ROW, NO_ROW, compile_filter, field_names, literal
from interlingua.index.milvus.rows import decode_row, encode_name, encode_row

TEXTS = [
    "",
    "a",
    "b",
    "s",
    "t",
    "文",
    "👩‍👩‍👧",
    'q"\\',
    "new\nline",
    "\t",
    "\x00",
    "\x07",
    "é",
    "e\u0301",
    "b1",
    "n",
    "'",
    "%",
]
NUMBERS = [0, 1, -1, 2020, 2020.0, 0.5, -3.25, 1e300, -1e-300, 2**53, 1e16]
SCALARS = [*TEXTS, *NUMBERS, True, False, None]
BOUNDS = [*NUMBERS, 2**53 + 1, -(2**70), 10**400, float("inf"), float("-inf")]
FIELDS = ["language", "a", "größe 文", 'x"y/~', "", "fields"]


def random_row(rng):
    row = {field: rng.choice(SCALARS) for field in FIELDS if rng.random() < 0.7}
    for field in ("a", "größe 文", "language"):
        if rng.random() < 0.2:
            row[field] = rng.choices([*SCALARS, 2**60, ["nested"]], k=rng.randrange(4))
    if rng.random() < 0.1:
        row["a"] = rng.choice([["x"], {"y": None}, []])
    return row


def random_filter(rng, depth=3):
    field = rng.choice(FIELDS)
    match rng.randrange(7 if depth else 4):
        case 0:
            return Eq(field, rng.choice([*SCALARS, 2**60, float("nan"), "absent"]))
        case 1:
            return In(field, rng.sample(SCALARS, rng.randrange(4)))
        case 2:
            return (
                Range(field, *rng.choice([(low, None), (None, low)])) if (low := rng.choice(BOUNDS)) is not None else 0
            )
        case 3:
            low, high = sorted([rng.choice(TEXTS), rng.choice(TEXTS)])
            return Range(field, rng.choice([low, None]), high)
        case 4:
            return Not(random_filter(rng, depth - 1))
        case kind:
            parts = [random_filter(rng, depth - 1) for _ in range(rng.randrange(4))]
            return And(*parts) if kind == 5 else Or(*parts)


@pytest.mark.slow
@pytest.mark.parametrize("partition", ["language", None])
def test_random_trees_find_the_rows_that_they_find_in_memory(milvus, partition):
    rng = random.Random(5)
    rows = [dict.fromkeys(FIELDS, 1), {}, *(random_row(rng) for _ in range(120))]
    ids, vectors = [f"{row}" for row in range(len(rows))], np.ones((len(rows), 2))
    memory, kept = Collection.create(2), MilvusCollection(milvus, 2, partition=partition)
    memory.add(ids, vectors, rows)
    kept.add(ids, vectors, rows)
    assert kept.get(ids) == memory.get(ids) == rows
    found = 0
    for _ in range(150):
        tree = random_filter(rng)
        (expected,) = memory.search([[1.0, 1.0]], len(rows), where=tree).ids
        (same,) = kept.search([[1.0, 1.0]], len(rows), where=tree).ids
        assert set(same) == set(expected), f"{tree}: {compile_filter(tree, partition)}"
        found += 0 < len(expected) < len(rows)
    assert found > 70


@pytest.mark.slow
@pytest.mark.parametrize("partition", ["language", None])
def test_lists_pass_by_what_they_hold_whenever_they_come(milvus, partition):
    kept = MilvusCollection(milvus, 2, partition=partition)
    kept.add(["scalar", "none"], np.ones((2, 2)), [{"tags": "new", "language": "sw", "n": 5}, {"language": "zh"}])

    def found(where):
        return set(kept.search(np.ones((1, 2)), 9, where=where).ids[0])

    assert found(Eq("tags", "new")) == {"scalar"}
    listed = {"tags": ["new", "old", True], "language": ["sw", "fi"], "n": [5.0, 2**60]}
    kept.upsert(["list"], np.ones((1, 2)), [listed])  # after a question that found no list
    again = MilvusCollection(milvus)
    again.upsert(["more"], np.ones((1, 2)), [{"tags": [1], "year": [2020]}])  # by another object
    assert found(Eq("tags", "new")) == found({"tags": ["new", "x"]}) == {"scalar", "list"}
    assert found(Not(In("tags", ["new"]))) == {"none", "more"}
    assert found(Eq("tags", True)) == {"list"}
    assert found(Eq("tags", 1)) == {"more"}
    assert found(Eq("n", 5)) == {"scalar", "list"}
    assert found(In("n", [2**60, float("nan")])) == {"list"}
    assert found(Eq("year", 2020.0)) == {"more"}
    assert found(Eq("language", "sw")) == {"scalar", "list"}
    assert found(Not(Eq("language", "fi"))) == {"scalar", "none", "more"}
    assert kept.count(Not(Eq("tags", "old"))) == 3
    assert kept.get(["list"]) == [listed]


@pytest.mark.slow
def test_a_long_list_of_values_is_no_problem(milvus):
    kept = MilvusCollection(milvus, 2)
    kept.add(["a", "b", "c"], np.ones((3, 2)), [{"n": 5, "language": "l5"}, {"n": -5, "language": "x"}, {"n": 7}])
    many = In("n", range(400))
    assert kept.search(np.ones((1, 2)), 5, where=And(many, In("language", [f"l{n}" for n in range(400)]))).ids == (
        ("a",),
    )
    assert kept.search(np.ones((1, 2)), 5, where=Not(many)).ids == (("b",),)


def test_what_decides_nothing_is_left_out():
    assert compile_filter(And()) == compile_filter(Not(Or())) == EVERY_ROW
    assert compile_filter(Or()) == compile_filter(In("a", [])) == compile_filter(Eq("a", 2**60)) == NO_ROW
    assert compile_filter(And(Or(), Eq("a", 1))) == NO_ROW
    assert compile_filter(Or(Or(), Eq("a", 1))) == 'fields["a"] == 1'
    assert compile_filter(Eq("a", 1), lists={"b"}) == compile_filter(Eq("a", 1))
    assert compile_filter(In("a", []), lists={"a"}) == NO_ROW
    assert compile_filter(Not(In("language", ["sw", 1])), "language") == 'key_language not in ["ssw", "f1.0"]'


def test_the_fields_of_a_tree_are_all_found():
    assert field_names(And(Eq("a", 1), Not(Or(In("b", []), Range("c", 1))))) == {"a", "b", "c"}


def test_a_text_cannot_leave_its_quotes():
    assert literal('" or true or "\\') == '"\\" or true or \\"\\\\"'


@pytest.mark.parametrize("seed", range(5))
def test_rows_come_back_as_they_were(seed):
    rng = random.Random(seed)
    for _ in range(50):
        row = random_row(rng)
        again = decode_row(*encode_row("x", row))
        assert again == row
        assert [type(value) for value in again.values()] == [type(value) for value in row.values()]


def test_names_are_encoded_one_to_one():
    names = [*TEXTS, *FIELDS, "%", "%25", "a%20b", "a b"]
    encoded = {encode_name(name) for name in names}
    assert len(encoded) == len(set(names))
    assert all(name.isascii() and '"' not in name for name in encoded)


def test_an_integer_that_json_may_round_is_refused():
    with pytest.raises(ValueError, match=r"'n' of 'x' is the integer 9007199254740993, beyond 2\^53; keep it as text"):
        encode_row("x", {"n": 2**53 + 1})
