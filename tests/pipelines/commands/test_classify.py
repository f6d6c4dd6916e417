"""The commands `classify ...`."""

import json

import pytest


@pytest.fixture
def classifier(cli, word_files):
    """A folder of `classify train`, made of a table whose columns are named by numbers."""
    words = word_files.english.labels
    lines = [f"{words[i % 10]} {words[(i + 3) % 10]}\thome" for i in range(12)]
    lines += [f"{words[10 + i % 10]} {words[10 + (i + 3) % 10]}\tnature" for i in range(12)]
    (word_files.folder / "en.tsv").write_text("what\tsort\n" + "\n".join(lines) + "\n")
    (word_files.folder / "more.tsv").write_text(
        "id\twhat\n" + "".join(f"{i}\t{word}\n" for i, word in enumerate(words))
    )
    made = cli(
        "classify", "train", f"en={word_files.folder}/en.tsv", "--text-column", "what", "--label-column", "1",
        "--encoder", word_files.en, "-o", word_files.folder / "k", "--json",
    )  # fmt: skip
    assert made.code == 0, made.err
    assert (made.result["labels"], made.result["texts"]) == (["home", "nature"], 24)
    return word_files.folder / "k"


def test_columns_are_named_or_numbered(cli, classifier, word_files):
    tables = {"what": word_files.folder / "en.tsv", "1": word_files.folder / "more.tsv"}
    for column, path in tables.items():
        done = cli("classify", "predict", classifier, f"en={path}", "--text-column", column, "--json")
        assert {each["label"] for each in done.result} == {"home", "nature"}, done.err
    found = [each["text"] for each in done.result]
    assert found == list(word_files.english.labels)
    both = ("--text-column", "1", "--label-column", "0")  # then the first line holds no names
    done = cli("classify", "predict", classifier, f"en={word_files.folder}/more.tsv", *both)
    assert (done.code, "what" in done.err) == (1, True)
    done = cli("classify", "predict", classifier, f"en={word_files.folder}/more.tsv", "--text-column", "7")
    assert (done.code, "has no column '7'; it has: id, what" in done.err) == (1, True)
    done = cli(
        "classify", "evaluate", classifier, f"en={word_files.folder}/en.tsv", "--text-column", "what",
        "--label-column", "sort", "--json",
    )  # fmt: skip
    assert done.result["en"]["n"] == 24


def test_labels_are_written_as_lines_of_json(cli, classifier, word_files):
    out = word_files.folder / "labels.jsonl"
    assert cli("classify", "predict", classifier, "en=-", "-o", out, stdin="the sun\n\nmoon\n").code == 0
    assert [json.loads(line)["text"] for line in out.read_text().splitlines()] == ["the sun", "moon"]


def test_where_no_classifier_is_the_command_that_makes_one_is_named(cli, word_files):
    done = cli("classify", "predict", word_files.folder / "none", f"en={word_files.en}")
    assert (done.code, "`interlingua classify train` writes one" in done.err) == (1, True)
    done = cli("classify", "predict", word_files.folder, f"en={word_files.en}")
    assert (done.code, "holds no classifier; `interlingua classify train` writes one" in done.err) == (1, True)
