import pytest

from interlingua.pipelines.texts.passages import Passage, check_passages, read_passages


def read(*lines, **options):
    return read_passages(lines, name="texts.jsonl", **options)


def test_fields_defaults_and_metadata_are_read():
    assert read(
        '{"text": "Hujambo", "language": "sw", "id": "a", "page": 3}',
        "",
        '{"text": "moi"}',
        '{"text": "x", "id": 7, "language": null}',
    ) == [
        Passage("a", "Hujambo", "sw", {"page": 3}),
        Passage("3", "moi", "und", {}),  # the number of its line
        Passage("7", "x", "und", {}),
    ]


def test_a_default_language_is_for_those_that_name_none():
    assert [each.language for each in read('{"text": "a"}', '{"text": "b", "language": "sw"}', language="fi")] == [
        "fi",
        "sw",
    ]


def test_null_is_no_id():
    assert read('{"text": "a", "id": null}')[0].id == "1"


def test_no_lines_give_no_passages():
    assert read("", "  ") == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": "a"', "line 2: each line must be a JSON object"),
        ("[" * 100_000, "line 2: each line must be a JSON object"),
        ('["a"]', 'line 2: each line needs a "text"'),
        ('{"txt": "a"}', 'line 2: each line needs a "text"'),
        ('{"text": " "}', 'line 2: each line needs a "text" that is not empty'),
        ('{"text": 3}', 'line 2: each line needs a "text"'),
        ('{"text": "a", "language": 3}', 'line 2: "language" must be a string such as "sw", but is 3'),
        ('{"text": "a", "id": 1.5}', 'line 2: "id" must be a string or a whole number, but is 1.5'),
        ('{"text": "a", "id": true}', 'line 2: "id" must be'),
        ('{"text": "a", "id": "first"}', "line 2: the id 'first' was there before; give each text its own"),
        ('{"text": "a", "page": NaN}', "line 2: metadata of '2'"),
        ('{"text": "\\ud800"}', "line 2: .* is no valid Unicode"),
    ],
)
def test_bad_lines_are_named_by_number(line, message):
    with pytest.raises(ValueError, match="texts.jsonl, " + message):
        read('{"text": "a", "id": "first"}', line)


def test_an_id_may_not_be_the_number_of_another_line():
    with pytest.raises(ValueError, match="line 2: the id '2' was there before"):
        read('{"text": "a", "id": "2"}', '{"text": "b"}')


def test_passages_that_a_collection_cannot_keep_are_refused():
    with pytest.raises(ValueError, match="'a' is there twice"):
        check_passages([Passage("a", "x"), Passage("a", "y")])
    with pytest.raises(ValueError, match="must not use 'language', which the passage itself fills; rename it"):
        check_passages([Passage("a", "x", "sw", {"language": "fi"})])
    with pytest.raises(TypeError, match=r"metadata of 'a'\['tags'\] is a set"):
        check_passages([Passage("a", "x", "sw", {"tags": {1}})])
    with pytest.raises(TypeError, match="the text of passage 'a' must be a string, but is None"):
        check_passages([Passage("a", None)])
    check_passages([Passage("a", "x", "sw", {"tags": ["b", {"c": None}]})])
