"""Words of every script, and the pieces they are found by."""

import pytest

from interlingua.pipelines.search.lexical.words import folded, is_unspaced, pieces, words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Was er will, das steht in Rom", ["was", "er", "will", "das", "steht", "in", "rom"]),
        ("C 9 R2D2", ["c", "9", "r2d2"]),
        ("人人生而自由", ["人人", "人生", "生而", "而自", "自由"]),
        ("水", ["水"]),
        ("KDE用カタカナー", ["kde", "用カ", "カタ", "タカ", "カナ", "ナー"]),
        ("한국어를", ["한국", "국어", "어를"]),
        ("สวัสดี", ["สวั", "วัส", "สดี"]),
        ("ພາສາ", ["ພາ", "າສ", "ສາ"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("Ελληνικές ΛΈΞΕΙΣ", ["ελληνικέσ", "λέξεισ"]),
        ("", []),
        ("… — !", []),
    ],
)
def test_words_are_those_of_the_script(text, found):
    assert words(text) == found


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("STRASSE", "straße"),
        ("ﬁne ＡＢＣ１", "fine abc1"),
        ("İSTANBUL", "istanbul"),
        ("مُحَمَّد", "محمد"),
        ("שָׁלוֹם", "שלום"),
        ("١٢٣ ৪৫ ๖", "123 45 6"),
        ("e\u0301te\u0301", "été"),
        ("soft\u00adware", "software"),
        ("می\u200cخواهم", "میخواهم"),
    ],
)
def test_what_is_written_in_two_ways_is_the_same(one, other):
    assert folded(one) == folded(other)
    assert pieces(one) == pieces(other)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("libfoo2 2.0.1-3", {"=libfoo2", "=2.0.1-3"}),
        ("C++, C#", {"=c++", "=c#"}),
        ("see x86_64 and /usr/share/doc", {"=x86_64", "=usr/share/doc"}),
        ("RFC 4647", {"=4647"}),
        ("用 UTF-8 编码", {"=utf-8"}),
        ("plain words", set()),
    ],
)
def test_identifiers_and_versions_are_found_as_they_are(text, whole):
    found = {each for each in pieces(text) if each.startswith("=")}
    assert whole <= found
    assert whole or not found


def test_inflected_words_meet_and_short_ones_are_not_lost():
    assert set(pieces("Paketverwaltung")) & set(pieces("verwalten"))
    assert pieces("R") == [" r "]
    assert pieces("be") == [" be "]
    assert not set(pieces("be")) & set(pieces("maybe"))


def test_scripts_without_blanks_are_told_apart():
    assert [is_unspaced(each) for each in ("水", "ดี", "한", "water", "вода", "")] == [True] * 3 + [False] * 3
