import numpy as np
import pytest

from interlingua.index.filters import matching_rows
from interlingua.index.metadata import MetadataTable

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
        ({"tags": "a"}, []),
    ],
)
def test_all_fields_and_any_value_must_match(where, expected):
    assert found(where) == expected


def test_unknown_field_is_refused_and_the_known_ones_named():
    with pytest.raises(ValueError, match="no row has the field 'lang'; the fields are 'language', 'source'"):
        found({"lang": "sw"})


def test_an_empty_table_has_no_rows_to_miss_a_field():
    assert matching_rows(MetadataTable(), {"language": "sw"}).tolist() == []


@pytest.mark.parametrize("value", [{"a": 1}, [["a"]], np.int64(3), b"sw"])
def test_values_that_cannot_be_compared_are_refused(value):
    with pytest.raises(TypeError, match="language"):
        found({"language": value})
