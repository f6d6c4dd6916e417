import pytest

from interlingua.pipelines.commands.bounds import Bounds


@pytest.mark.parametrize(
    ("said", "whole", "text", "value"),
    [
        ("int", True, "1", 1),
        ("int, at least 0", True, "0", 0),
        ("int, from 0 to 65535", True, "65535", 65535),
        ("float", False, "-1e3", -1000.0),
        ("float, above 0 and at most 1", False, "1", 1.0),
        ("float, optional", False, "inf", float("inf")),
        ("float, at least -1", False, "-1", -1.0),
    ],
)
def test_numbers_between_the_bounds_are_read(said, whole, text, value):
    found = Bounds.of(said, whole=whole).read(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("said", "whole", "text", "expected"),
    [
        ("int", True, "0", "a whole number of at least 1"),
        ("int", True, "1.5", "a whole number of at least 1"),
        ("int", True, "", "a whole number of at least 1"),
        ("int", True, "²", "a whole number of at least 1"),
        ("int", True, "1_0", "a whole number of at least 1"),
        ("int", True, " 1", "a whole number of at least 1"),
        ("int, at least 0", True, "-1", "a whole number of at least 0"),
        ("int, from 0 to 65535", True, "65536", "a whole number from 0 to 65535"),
        ("float", False, "fast", "a number"),
        ("float", False, "nan", "a number"),
        ("float, above 0", False, "0", "a number above 0"),
        ("float, at least 0", False, "-0.1", "a number of at least 0"),
        ("float, from 0 to 1", False, "1.1", "a number from 0 to 1"),
        ("float, above 0 and at most 1", False, "0", "a number above 0 and at most 1"),
        ("float, at most 2", False, "3", "a number of at most 2"),
    ],
)
def test_other_texts_are_refused_with_what_is_expected(said, whole, text, expected):
    with pytest.raises(ValueError, match=f"^expected {expected}, but got {text!r}$"):
        Bounds.of(said, whole=whole).read(text)
