import pytest

from interlingua.pipelines.texts.languages import find_label, find_language, matches, matching_languages


@pytest.mark.parametrize(
    ("wanted", "tag", "found"),
    [  # RFC 4647, section 3.3.1, and its examples
        ("de-de", "de-DE", True),
        ("de-de", "de-DE-1996", True),
        ("de-de", "de-Deva", False),
        ("de-de", "de-Latn-DE", False),
        ("de", "de", True),
        ("de_CH", "de-ch", True),
        ("de-CH", "de", False),
        ("*", "und", True),
        ("fr", "frr", False),
        ("mul", "mul", True),
        ("en", "mul", False),
        ("", "en", False),
    ],
)
def test_a_range_finds_tags_by_basic_filtering(wanted, tag, found):
    assert matches(wanted, tag) is found


def test_the_tag_itself_comes_before_those_that_go_on_from_it():
    assert find_language("fr", ["en", "fr-CA", "FR", "fr-FR"]) == "FR"
    assert find_language("fr", {"fr-CA": 1, "fr-FR": 2}) == "fr-CA"
    assert find_language("fr", []) is None


def test_what_is_said_in_all_languages_stands_in_for_a_label_only():
    assert find_label("fr", ["mul", "fr-FR"]) == "fr-FR"
    assert find_label("fr", ["en", "mul"]) == "mul"
    assert find_language("fr", ["en", "mul"]) is None


def test_a_language_that_is_not_there_is_said_with_those_that_are():
    assert matching_languages(["sw", "en"], ["zh", "en-GB", "sw"]) == ["en-GB", "sw"]
    assert matching_languages([], ["zh"]) == []
    with pytest.raises(ValueError, match=r"no passage in 'fr', 'de'; there is: sw, zh$"):
        matching_languages(["fr", "de"], ["zh", "sw"], what="passage")
