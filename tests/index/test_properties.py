"""Random collections against the plainest Python: filters, folders and search by brute force."""

import numpy as np
import pytest

from interlingua.index import Collection, create_index
from interlingua.index.collection.expression import FilterSyntaxError, parse_filter
from interlingua.index.collection.filters import And, Eq, In, Not, Or, Range, matching_rows
from interlingua.index.collection.metadata import MetadataTable

hypothesis = pytest.importorskip("hypothesis")
given, settings, st = hypothesis.given, hypothesis.settings, hypothesis.strategies
#: The same examples in every run, none kept on the disk.
STEADY = settings(derandomize=True, database=None, deadline=None, max_examples=40, print_blob=False)

TEXTS = st.sampled_from(["", "a", "b c", "2020", "2020.0", "true", "null", "é'\"", "\\", "2026-01-31", "語 ", "A"])
NUMBERS = st.sampled_from([0, 1, -1, 2020, 2021, 2020.0, 0.5, -0.0, 1e300, 10**20])
SCALARS = st.one_of(TEXTS, NUMBERS, st.booleans(), st.none())
FIELDS = st.sampled_from(["year", "topic", "a field", "not", "é\"'"])
ROWS = st.lists(st.dictionaries(FIELDS, st.one_of(SCALARS, st.lists(SCALARS, max_size=3)), max_size=4), max_size=12)
BOUNDS = st.one_of(
    st.tuples(st.one_of(NUMBERS, st.none()), st.one_of(NUMBERS, st.none())),
    st.tuples(st.one_of(TEXTS, st.none()), st.one_of(TEXTS, st.none())),
).filter(lambda each: each != (None, None))
LEAVES = st.one_of(
    st.builds(Eq, FIELDS, SCALARS),
    st.builds(In, FIELDS, st.lists(SCALARS, max_size=3)),
    st.builds(lambda field, bounds: Range(field, *bounds), FIELDS, BOUNDS),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda parts: And(*parts), st.lists(inner, max_size=3)),
        st.builds(lambda parts: Or(*parts), st.lists(inner, max_size=3)),
        st.builds(Not, inner),
    ),
    max_leaves=6,
)


def alike(one, other):
    """Numbers equal numbers, and True is not 1."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def passes(row, condition):
    if isinstance(condition, Not):
        return not passes(row, condition.condition)
    if isinstance(condition, And | Or):
        return (all if isinstance(condition, And) else any)(passes(row, each) for each in condition.conditions)
    if condition.field not in row:
        return False
    value = row[condition.field]
    held = value if isinstance(value, list) else [value]
    if isinstance(condition, Range):
        low, high = condition.least, condition.most
        kind = str if isinstance(high if low is None else low, str) else (int, float)
        held = [each for each in held if isinstance(each, kind) and not isinstance(each, bool)]
        return any((low is None or low <= each) and (high is None or each <= high) for each in held)
    wanted = condition.values if isinstance(condition, In) else [condition.value]
    return any(alike(one, other) for one in held for other in wanted)


def fields_of(condition):
    if isinstance(condition, Not):
        return fields_of(condition.condition)
    if isinstance(condition, And | Or):
        return {name for each in condition.conditions for name in fields_of(each)}
    return {condition.field}


def found(rows, condition):
    table = MetadataTable()
    ids = [f"r{number}" for number in range(len(rows))]
    table.append(ids, table.check(ids, rows))
    numbers = matching_rows(table, condition)
    return list(range(len(rows))) if numbers is None else numbers.tolist()


@STEADY
@given(ROWS, TREES)
def test_a_filter_finds_what_python_finds(rows, condition):
    hypothesis.assume(fields_of(condition) <= {name for row in rows for name in row})
    assert found(rows, condition) == [number for number, row in enumerate(rows) if passes(row, condition)]


def quoted(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def written(condition):
    """Return the text of a filter; a value without quotes may be read as a text too, so that both are meant."""
    if isinstance(condition, Not):
        return f"not ({written(condition.condition)})"
    if isinstance(condition, And | Or):
        word = " and " if isinstance(condition, And) else " OR "
        return "(" + word.join(f"({written(each)})" for each in condition.conditions) + ")"
    field = quoted(condition.field)
    if isinstance(condition, In):
        return f"{field} in (" + ", ".join(map(quoted, condition.values)) + ")"
    if isinstance(condition, Eq):
        return f"{field}={quoted(condition.value)}"
    bounds = [(">=", condition.least), ("<=", condition.most)]
    told = [(sign, quoted(each) if isinstance(each, str) else each) for sign, each in bounds if each is not None]
    return " and ".join(f"{field} {sign} {each}" for sign, each in told)


TEXT_TREES = st.recursive(
    st.one_of(
        st.builds(Eq, FIELDS, TEXTS),
        st.builds(In, FIELDS, st.lists(TEXTS, min_size=1, max_size=3)),
        # two bounds of a list may be kept by two of its values: written, they are two conditions
        st.builds(lambda field, bound: Range(field, least=bound), FIELDS, st.one_of(TEXTS, NUMBERS)),
        st.builds(lambda field, bound: Range(field, most=bound), FIELDS, st.one_of(TEXTS, NUMBERS)),
    ),
    lambda inner: st.one_of(
        st.builds(lambda parts: And(*parts), st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda parts: Or(*parts), st.lists(inner, min_size=1, max_size=3)),
        st.builds(Not, inner),
    ),
    max_leaves=6,
)


@STEADY
@given(ROWS, TEXT_TREES)
def test_a_written_filter_says_what_the_tree_says(rows, condition):
    parsed = parse_filter(written(condition))
    hypothesis.assume(fields_of(condition) <= {name for row in rows for name in row})
    assert found(rows, parsed) == [number for number, row in enumerate(rows) if passes(row, condition)]


@settings(STEADY, max_examples=25)
@given(st.text(max_size=30))
def test_any_text_is_a_filter_or_is_refused_with_its_place(text):
    refused = None
    try:
        parse_filter(text)
    except FilterSyntaxError as error:  # nothing else is let through
        refused = str(error)
    assert refused is None or "filter" in refused


VALUES = st.recursive(
    st.one_of(
        st.text(max_size=5),
        st.integers(-(2**70), 2**70),
        st.floats(allow_nan=False, allow_infinity=False),
        st.booleans(),
        st.none(),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=4,
)


@settings(STEADY, max_examples=10)
@given(
    st.dictionaries(st.text(max_size=6), st.dictionaries(st.text(max_size=4), VALUES, max_size=3), min_size=1),
    st.sampled_from(["flat", "faiss-flat"]),
    st.data(),
)
def test_a_folder_gives_back_what_was_put_in(tmp_path_factory, rows, kind, data):
    ids = list(rows)
    vectors = np.random.default_rng(len(ids)).normal(size=(len(ids), 3)).astype(np.float32)
    collection = Collection.create(3, "l2", kind, {"threads": 1} if kind != "flat" else None)
    collection.add(ids, vectors, list(rows.values()))
    gone = data.draw(st.sets(st.sampled_from(ids), max_size=len(ids) - 1))
    collection.remove(sorted(gone))
    folder = tmp_path_factory.mktemp("stored") / "it"
    collection.save(folder)
    again = Collection.load(folder)
    left = [each for each in ids if each not in gone]
    assert list(again.ids) == left
    assert again.get(left) == [rows[each] for each in left]
    for each in left:  # 1, 1.0 and True are equal, but not the same
        assert {key: repr(value) for key, value in again.get([each])[0].items() if type(value) is not dict} == {
            key: repr(value) for key, value in rows[each].items() if type(value) is not dict
        }
    np.testing.assert_array_equal(again.vectors(left), vectors[[ids.index(each) for each in left]])


@settings(STEADY, max_examples=30)
@given(
    st.integers(1, 30),
    st.integers(1, 6),
    st.integers(1, 40),
    st.sampled_from(["ip", "l2", "cosine"]),
    st.integers(0, 9),
)
def test_search_is_brute_force(n, dimension, k, metric, seed):
    rng = np.random.default_rng(seed)
    # eighths, whose products are exact, and so many that scores are equal
    rows, asked = (rng.integers(-4, 5, size=(count, dimension)) / 8 for count in (n, 3))
    if metric == "cosine":
        rows[~rows.any(axis=1)] = asked[~asked.any(axis=1)] = 1
    index = create_index("flat", dimension, metric)
    index.add(np.arange(n) * 3, rows)
    hits = index.search(asked, k)
    scores = asked @ rows.T
    if metric == "l2":
        scores = -((asked[:, None] - rows) ** 2).sum(axis=2)
    elif metric == "cosine":
        scores /= np.linalg.norm(asked, axis=1)[:, None] * np.linalg.norm(rows, axis=1)
    for got_ids, got, row in zip(hits.ids, hits.scores, scores):
        width = min(k, n)
        np.testing.assert_allclose(got[:width], np.sort(row)[::-1][:width], atol=1e-6)
        np.testing.assert_allclose(got[:width], row[got_ids[:width] // 3], atol=1e-6)
        assert len(set(got_ids[:width].tolist())) == width
