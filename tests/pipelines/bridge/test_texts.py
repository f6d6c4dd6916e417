"""Texts of one language, with short ones; and their language by their letters."""

import json

import pytest

from interlingua.pipelines.bridge import read_bridge_texts
from interlingua.pipelines.bridge.texts import guess_language, opening


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


ROWS = [
    {"text": "The cat sleeps on the sofa. It snores.", "title": "Cat"},
    {"text": "The dog barks at the moon! Why?", "title": ""},
    {"text": "The cat sleeps on the sofa. It snores.", "title": "Again"},
]


def test_titles_stand_beside_their_texts_and_first_sentences_stand_in(tmp_path):
    read = read_bridge_texts(write(tmp_path / "t.jsonl", ROWS), titles="title")
    assert read.short == ("Cat", "The dog barks at the moon!")
    assert read.long == (ROWS[0]["text"], ROWS[1]["text"])
    assert (read.language, read.repeated) == ("und", 1)
    bare = read_bridge_texts(tmp_path / "t.jsonl", language="en")
    assert bare.short[0] == "The cat sleeps on the sofa."
    assert bare.language == "en"


def test_tables_are_read_as_well(tmp_path):
    (tmp_path / "t.csv").write_text("text,name\nOne long text,one\n", encoding="utf-8")
    assert read_bridge_texts(tmp_path / "t.csv", titles="name").short == ("one",)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"text": "a"}, {"text": " "}], r't\.jsonl, line 2: each row needs a "text"'),
        ([{"text": "a", "language": "en"}, {"text": "b", "language": "de"}], r"line 2: .*this one is in 'de'"),
        ([{"text": "a"}, {"text": "b", "title": 3}], "line 2: the field 'title' must be a text, but is 3"),
        ([{"text": "a"}], "no row has the field 'title'; name another with --titles"),
    ],
)
def test_bad_rows_are_named_by_line(tmp_path, rows, message):
    with pytest.raises(ValueError, match=message):
        read_bridge_texts(write(tmp_path / "t.jsonl", rows), titles="title")


def test_a_language_that_was_asked_for_must_be_that_of_the_rows(tmp_path):
    path = write(tmp_path / "t.jsonl", [{"text": "a", "language": "de"}])
    with pytest.raises(ValueError, match=r"line 1: .*in 'de' and the language 'en' that was asked for not"):
        read_bridge_texts(path, language="en")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Version 2.0 of the tool. It is fast.", "Version 2.0 of the tool."),
        (
            "猫がソファーで寝ていますが、犬は外で待っています。雨だ。",
            "猫がソファーで寝ていますが、犬は外で待っています。",
        ),
        ("No end at all", "No end at all"),
        ("One line only here\nand more. End.", "One line only here"),
        ("x" * 500, "x" * 200),
    ],
)
def test_the_opening_is_the_first_sentence(text, expected):
    assert opening(text) == expected


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("This is a tool that plays music files, with a simple graphical interface for the desktop.", "en"),
        ("Dieses Paket enthält die Dokumentation und einige Beispiele für Entwickler.", "de"),
        ("Ce paquet contient les fichiers de développement de la bibliothèque.", "fr"),
        ("Этот пакет содержит документацию и примеры для разработчиков.", "ru"),
        ("このパッケージには開発用のファイルと文書が含まれています。", "ja"),
        ("这个软件包包含开发文件和说明文档。", "zh"),
        ("Pakiet ten zawiera pliki nagłówkowe oraz dokumentację biblioteki.", "pl"),
    ],
)
def test_a_language_is_told_by_its_letters(text, language):
    assert guess_language([text]) == language
