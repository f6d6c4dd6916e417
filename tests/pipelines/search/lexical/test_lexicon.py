"""Translations of words, by how often they stand in the same texts."""

import pytest

from interlingua.pipelines.search.lexical.lexicon import WordLexicon

_ROWS = [
    {"en": "red wine", "de": "roter Wein", "ja": "赤ワイン"},
    {"en": "white wine", "de": "weißer Wein", "ja": ""},
    {"en": "red house", "de": "rotes Haus"},
    {"en": "the KDE house", "de": "das KDE-Haus"},
    {"fr": "vin"},
]


def test_words_belong_together_by_dice():
    lexicon = WordLexicon.learned(_ROWS)
    assert lexicon.translations["en", "de"]["wine"] == [("wein", 1.0)]
    assert lexicon.translations["de", "en"]["haus"] == [("house", 1.0)]
    assert ("fr", "en") not in lexicon.translations
    assert len(lexicon) > 2


def test_a_word_with_translations_is_asked_for_by_these_and_a_name_by_itself():
    lexicon = WordLexicon.learned(_ROWS)
    asked = lexicon.pieces("KDE wine 2.0", "en", "de")
    assert {"wein", " kde", "=2.0"} <= set(asked)
    assert "wine" not in asked
    assert lexicon.pieces("wine", "en-GB", "de_AT") == lexicon.pieces("wine", "en", "de")
    assert (
        lexicon.pieces("wine", "en", "fr")
        == lexicon.pieces("wine", "sw", "de")
        == {
            " win": 1.0,
            "wine": 1.0,
            "ine ": 1.0,
        }
    )


def test_a_word_without_translation_gets_those_by_way_of_a_third_language():
    rows = [
        {"en": "red wine", "de": "roter Wein"},
        {"en": "white wine", "de": "weißer Wein"},
        {"de": "alter Wein", "fr": "vin vieux"},
        {"de": "junger Wein", "fr": "vin jeune"},
    ]
    found = WordLexicon.learned(rows).translations
    assert found["en", "fr"] == {"wine": [("vin", 0.8)]}
    assert found["fr", "en"] == {"vin": [("wine", 0.8)]}
    assert found["en", "de"]["wine"] == [("wein", 1.0)]


def test_a_lexicon_lasts():
    lexicon = WordLexicon.learned(_ROWS)
    assert WordLexicon.restored(lexicon.attachments()) == lexicon
    assert WordLexicon.restored({}) is None


@pytest.mark.parametrize("rows", [[], [{"en": "a"}], [{"en": "a", "de": " "}], [{"en": "a"}, {"de": "b"}]])
def test_texts_of_one_language_are_no_lexicon(rows):
    with pytest.raises(ValueError, match="in two languages that say the same"):
        WordLexicon.learned(rows)
