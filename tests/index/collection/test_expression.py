"""A written filter is the tree that it says, and what is wrong is shown in its place."""

import dataclasses
import itertools

import numpy as np
import pytest

from interlingua.index import And, Collection, Eq, In, Not, Or, Range, parse_filter
from interlingua.index.collection.expression import FilterSyntaxError

CASES = {
    "a=b": Eq("a", "b"),
    "a == b": Eq("a", "b"),
    "a!=b": Not(Eq("a", "b")),
    "a <> b": Not(Eq("a", "b")),
    "year=2020": In("year", (2020, "2020")),
    "year='2020'": Eq("year", "2020"),
    'x = "2.5e3"': Eq("x", "2.5e3"),
    "x=-2.5e3": In("x", (-2500.0, "-2.5e3")),
    "ok=true": In("ok", (True, "true")),
    "ok = FALSE": In("ok", (False, "FALSE")),
    "ok='true'": Eq("ok", "true"),
    "gone=null": In("gone", (None, "null")),
    "year>=2020": Range("year", least=2020),
    "year<=20.5": Range("year", most=20.5),
    "year>2020": And(Range("year", least=2020), Not(In("year", [2020]))),
    "day < 2026-01-31": And(Range("day", most="2026-01-31"), Not(In("day", ["2026-01-31"]))),
    "day>='2020'": Range("day", least="2020"),
    "t in (a,b)": In("t", ("a", "b")),
    "t IN ( 'a b' , \"c'd\" )": In("t", ("a b", "c'd")),
    "t in (1)": In("t", (1, "1")),
    "t not in (a)": Not(In("t", ("a",))),
    "not t in (a)": Not(In("t", ("a",))),
    "not not a=b": Eq("a", "b"),
    "'my field'=x": Eq("my field", "x"),
    '"and"=x': Eq("and", "x"),
    r"'it\'s'='back\\slash'": Eq("it's", "back\\slash"),
    "größe=火车": Eq("größe", "火车"),
    "a.b-c:d=x/y": Eq("a.b-c:d", "x/y"),
    "a=b and c=d and e=f": And(Eq("a", "b"), Eq("c", "d"), Eq("e", "f")),
    "a=b or c=d and e=f": Or(Eq("a", "b"), And(Eq("c", "d"), Eq("e", "f"))),
    "(a=b or c=d) and not (e=f)": And(Or(Eq("a", "b"), Eq("c", "d")), Not(Eq("e", "f"))),
    "not a=b and c=d": And(Not(Eq("a", "b")), Eq("c", "d")),
    "year>=2020 and topic in (a,b)": And(Range("year", least=2020), In("topic", ("a", "b"))),
    "a=nan": Eq("a", "nan"),
    "a=1e999": Eq("a", "1e999"),
}


@pytest.mark.parametrize("text", CASES)
def test_a_text_is_the_tree_that_it_says(text):
    assert parse_filter(text) == CASES[text]
    assert parse_filter(f" \t{text}\n ") == CASES[text]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the filter is empty"),
        ("  ", "the filter is empty"),
        ("year", "needs one of = != < <= > >= in (...), but ends there: year <<<"),
        ("year=", "needs a value behind '=', but ends there"),
        ("year 2020", "but has '2020' at character 6: year >>> 2020"),
        ("year=2020 topic=a", "needs 'and', 'or' or the end, but has 'topic' at character 11"),
        (
            "topic=human rights",
            "end, but has 'rights' at character 13: topic=human >>> rights",
        ),
        ("=2020", "needs the name of a field, but has '=' at character 1"),
        ("year=>2020", "needs a value behind '=', but has '>' at character 6"),
        ("topic in a", "needs a list in parentheses, such as (a, b), but has 'a' at character 10"),
        ("topic in ()", "needs a value in the list, but has ')' at character 11"),
        ("topic in (a b)", "needs ',' or ')', but has 'b' at character 13"),
        ("topic in (a,)", "needs a value behind ',', but has ')'"),
        ("topic in (a", "needs ',' or ')', but ends there"),
        ("topic not = a", "needs 'in', but has '=' at character 11"),
        ("(a=b", "needs 'and', 'or' or ')', but ends there"),
        ("a=b)", "needs 'and', 'or' or the end, but has ')' at character 4"),
        ("a=b and", "needs the name of a field, but ends there"),
        ("and a=b", "needs the name of a field, but has 'and' at character 1"),
        ("a=and", "'and' is a word of the language; put it in quotes"),
        ("a='open", "a quote is not closed in the filter at character 3: a=>>> 'open"),
        ("a=b ! c=d", "'!' means nothing alone in the filter at character 5"),
        ("not " * 9, "needs the name of a field, but ends there"),
        ("(" * 200 + "a=b" + ")" * 200, "nested more than 100 deep"),
    ],
)
def test_what_is_wrong_is_shown_in_its_place(text, said):
    with pytest.raises(FilterSyntaxError) as refused:
        parse_filter(text)
    assert said in str(refused.value)


def test_rows_pass_as_python_says():
    rows = [
        {"n": n, "t": t, **({"odd": bool(n % 2)} if n % 3 else {})}
        for n, t in itertools.product(range(-2, 4), ("a", "b c", "2"))
    ]
    collection = Collection.create(2)
    collection.add([str(number) for number in range(len(rows))], np.ones((len(rows), 2)), rows)
    asked = {
        "n > 1": lambda row: row["n"] > 1,
        "n < 0 or t = 'b c'": lambda row: row["n"] < 0 or row["t"] == "b c",
        "t=2 and n!=2": lambda row: row["t"] == "2" and row["n"] != 2,
        "odd=true and not n in (1, 3)": lambda row: row.get("odd") is True and row["n"] not in (1, 3),
        "not odd=false": lambda row: row.get("odd") is not False,
        "(n>=-1 and n<=0) or (n>2 and t not in (a, 'b c'))": lambda row: (
            -1 <= row["n"] <= 0 or (row["n"] > 2 and row["t"] not in ("a", "b c"))
        ),
        "t > a": lambda row: row["t"] > "a",
    }
    for text, wanted in asked.items():
        found = collection.search([[1.0, 1.0]], k=99, where=parse_filter(text)).ids[0]
        assert set(found) == {str(number) for number, row in enumerate(rows) if wanted(row)}, text


def test_depth_is_what_lies_in_each_other_and_not_what_lies_side_by_side():
    beside = parse_filter(" or ".join(["(a=1)"] * 300))
    assert len(beside.conditions) == 300
    assert parse_filter("(" * 99 + "a=1" + ")" * 99) == parse_filter("a=1")
    with pytest.raises(ValueError, match="nested more than 100 deep"):
        parse_filter("(" * 100 + "a=1" + ")" * 100)


def test_a_filter_is_not_changed_and_can_be_kept_in_a_set():
    for text in ("a=x", "a in (x, y)", "a>=1", "a=x and b=y", "a=x or b=y", "not a=x"):
        one, other = parse_filter(text), parse_filter(text)
        assert len({one, other}) == 1
        field = next(iter(vars(one)))
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(one, field, ())
