from dataclasses import replace

import numpy as np
import pytest

from interlingua.align import SeedDictionary, SpaceError
from interlingua.align.word import fit_dictionary
from interlingua.pipelines import translate_words


@pytest.fixture
def space(word_files):
    return fit_dictionary(word_files.english, word_files.french, SeedDictionary.read(word_files.pairs))


@pytest.mark.parametrize("criterion", ["csls", "nn", "isf"])
def test_words_outside_the_dictionary_are_translated(space, word_files, criterion):
    found = translate_words(
        space, word_files.english, word_files.french, ["queen", "night", "sun"], k=2, criterion=criterion
    )
    assert [each.translations[0][0] for each in found] == ["reine", "nuit", "soleil"]
    assert all(len(each.translations) == 2 for each in found)
    assert all(each.translations[0][1] >= each.translations[1][1] for each in found)


def test_csls_is_measured_against_both_whole_vocabularies(space, word_files):
    source = space.transform(word_files.english.vectors, "en").astype(np.float64)
    target = space.transform(word_files.french.vectors, "fr").astype(np.float64)
    cosines = source @ target.T
    of_source, of_target = np.sort(cosines, axis=1)[:, -10:].mean(axis=1), np.sort(cosines, axis=0)[-10:].mean(axis=0)
    row = word_files.english.index["cat"]
    csls = dict(zip(word_files.french.labels, 2 * cosines[row] - of_source[row] - of_target))
    found = translate_words(space, word_files.english, word_files.french, ["cat"], k=20)[0].translations
    assert [word for word, _ in found] == sorted(csls, key=lambda word: -csls[word])
    np.testing.assert_allclose([score for _, score in found], [csls[word] for word, _ in found], atol=1e-5)


def test_an_unknown_word_has_no_translation_and_does_not_shift_the_others(space, word_files):
    found = translate_words(space, word_files.english, word_files.french, ["zebra", "Sun", "moon"], k=1)
    assert [(each.word, each.found_as) for each in found] == [("zebra", None), ("Sun", "sun"), ("moon", "moon")]
    assert [each.translations[:1] and each.translations[0][0] for each in found] == [(), "soleil", "lune"]


def test_nothing_asked_or_nothing_known_gives_nothing(space, word_files):
    assert translate_words(space, word_files.english, word_files.french, []) == []
    assert translate_words(space, word_files.english, word_files.french, ["zebra"])[0].translations == ()


def test_more_translations_than_words_are_asked_for(space, word_files):
    assert len(translate_words(space, word_files.english, word_files.french, ["sun"], k=99)[0].translations) == 20


def test_an_unknown_language_and_a_wrong_dimension_are_refused(space, word_files):
    with pytest.raises(SpaceError, match="no language 'de'; it has: en, fr"):
        translate_words(space, word_files.english, replace(word_files.french, space="de"), ["sun"])
    short = replace(word_files.french, vectors=word_files.french.vectors[:, :5])
    with pytest.raises(SpaceError, match="takes vectors of dimension 8, but these have 5"):
        translate_words(space, word_files.english, short, ["sun"])
