"""Where names of a script lie: planted offsets, encoders that know no language, and the bundled one."""

import re
import zlib

import numpy as np
import pytest

from interlingua.pipelines import load_encoder
from interlingua.pipelines.encoders.base import UnknownTextError
from interlingua.pipelines.link import Entity, EntityIndex
from interlingua.pipelines.link.names import centred_by_script
from interlingua.pipelines.link.scripts import ScriptOffsets, known_in_script, known_names
from interlingua.pipelines.texts.languages import main_script

D = 64


def gaussian(name):
    return np.random.default_rng(zlib.crc32(name.encode())).normal(size=D) / np.sqrt(D)


class Planted:
    """A vector of what is meant, which known names say by their place, and one of the script."""

    dimension = D
    identity = "planted-1"
    prompts = {"symmetric": ""}  # noqa: RUF012
    language = 2.0

    def __init__(self):
        self.asked = []

    def encode(self, texts, *, role="symmetric", progress=False):
        self.asked += texts
        return np.stack([self._vector(text) for text in texts]).astype(np.float32)

    def _vector(self, text):
        places = [names.index(text) for names in known_names().values() if text in names]
        return gaussian(f"meaning {places[0] if places else text}") + self.language * gaussian(main_script(text))


class Few(Planted):
    """Knows ten of the Arabic names and two of the Georgian ones."""

    def encode(self, texts, *, role="symmetric", progress=False):
        known = [*known_names()["ar"][:10], *known_names()["ka"][:2]]
        if any(main_script(text) in ("ARABIC", "GEORGIAN") and text not in known for text in texts):
            raise UnknownTextError(0, "unknown")
        return super().encode(texts)


def test_known_names_are_as_many_in_every_language_and_none_is_that_of_a_country():
    assert len(known_names()) == 43
    assert {len(names) for names in known_names().values()} == {12}
    assert all(name == name.strip() != "" for names in known_names().values() for name in names)
    babel = pytest.importorskip("babel")
    for language, names in known_names().items():
        assert not set(names) & set(babel.Locale.parse(language).territories.values())


def test_the_offset_of_a_script_is_that_of_the_same_names():
    found = ScriptOffsets(Planted()).of(["ARABIC", "LATIN", "GREEK", "ARABIC"], {"LATIN": 5})
    assert set(found) == {"ARABIC", "GREEK"}  # names of the table's own script are where its names are
    for script, offset in found.items():
        wanted = 2.0 * (gaussian(script) - gaussian("LATIN"))
        assert np.linalg.norm(offset - wanted) < 0.1 * np.linalg.norm(wanted)


def test_the_scripts_of_a_table_count_by_their_names():
    found = ScriptOffsets(Planted()).of(["GREEK"], {"LATIN": 3, "GEORGIAN": 1, "CHEROKEE": 9})["GREEK"]
    wanted = 2.0 * (gaussian("GREEK") - 0.75 * gaussian("LATIN") - 0.25 * gaussian("GEORGIAN"))
    assert np.linalg.norm(found - wanted) < 0.1 * np.linalg.norm(wanted)


def test_hiragana_lies_where_japanese_does():
    found = ScriptOffsets(Planted()).of(["HIRAGANA", "KATAKANA"], {"LATIN": 1})
    np.testing.assert_array_equal(found["HIRAGANA"], found["KATAKANA"])


def test_an_encoder_that_knows_no_language_has_no_or_small_offsets():
    class Chance(Planted):
        def _vector(self, text):
            return gaussian(text)

    found = ScriptOffsets(Chance()).of(["ARABIC", "GREEK", "THAI", "CJK", "GEORGIAN"], {"LATIN": 1})
    assert all(np.linalg.norm(offset) < 0.1 for offset in found.values())  # a difference of two names: about 1.4


def test_names_that_the_encoder_does_not_know_are_left_out_and_few_say_nothing():
    assert set(ScriptOffsets(Few()).of(["ARABIC", "GEORGIAN", "TIBETAN", ""], {"LATIN": 1})) == {"ARABIC"}
    assert np.isnan(known_in_script(Few(), "GEORGIAN")[:, 0]).sum() == 10
    assert known_in_script(Few(), "CHEROKEE") is None


def test_only_scripts_that_are_met_are_encoded_and_once():
    encoder = Planted()
    offsets = ScriptOffsets(encoder)
    assert offsets.of(["LATIN", ""], {"LATIN": 4}) == {}
    assert encoder.asked == []
    for _ in range(2):
        offsets.of(["GREEK"], {"LATIN": 4})
    written = {main_script(text) for text in encoder.asked}
    assert written == {"GREEK", "LATIN"}
    assert len(encoder.asked) == 12 * sum(main_script(names[0]) in written for names in known_names().values())


def test_a_lone_name_is_freed_of_its_offset_and_many_of_their_mean():
    offset, mean = {"GREEK": np.array([0.0, 4.0])}, np.array([1.0, 0.0])
    (alone,) = centred_by_script(["α"], np.array([[1.0, 5.0]]), mean, offset)
    own = (np.array([1.0, 5.0]) + 10 * np.array([1.0, 4.0])) / 11
    np.testing.assert_allclose(alone, [0.0, (5 - own[1]) / abs(5 - own[1])], atol=1e-6)
    many = np.random.default_rng(0).normal((7.0, 7.0), size=(4000, 2))
    found = centred_by_script(["α"] * 4000, many, mean, offset)
    away = many - (many.sum(axis=0) + 10 * np.array([1.0, 4.0])) / 4010
    np.testing.assert_allclose(found, away / np.linalg.norm(away, axis=1, keepdims=True), atol=1e-5)


def test_what_the_package_holds_is_what_its_encoder_makes_of_the_names():
    encoder = load_encoder()
    for script in ("ARABIC", "KATAKANA"):
        held = ScriptOffsets(encoder)._known(script)
        np.testing.assert_allclose(held, known_in_script(encoder, script), atol=0.02)


@pytest.fixture(scope="module")
def countries():
    territories = pytest.importorskip("babel").Locale.parse("en").territories
    named = {code: name for code, name in territories.items() if re.fullmatch("[A-Z]{2}", code)}
    return EntityIndex.build([Entity(code, {"en": name}) for code, name in named.items()], load_encoder())


@pytest.mark.parametrize("names", [["Deutschland"], ["德国"], ["ألمانيا"], ["Deutschland", "德国", "ألمانيا"]])
def test_names_in_three_scripts_are_linked_one_by_one_and_together(countries, names):
    for found in countries.link(names, k=2):
        assert (found[0].entity.id, countries.links(found)) == ("DE", True)


def test_names_asked_by_threes_are_found_as_well_as_all_together(countries):
    """Countries whose English names are built otherwise than their Chinese, Arabic and Russian ones."""
    babel = pytest.importorskip("babel")
    codes = ["AT", "BE", "BG", "CH", "CN", "CZ", "DZ", "EG", "ES", "FI", "FR", "GE", "GR", "HR", "HU", "IE", "IN", "IT",
             "JP", "JO", "KR", "MA", "NL", "NO", "PL", "PT", "RU", "SE"]  # fmt: skip
    asked = [(code, babel.Locale.parse(spoken).territories[code]) for code in codes for spoken in ("ar", "ru", "zh")]
    names = [name for _, name in asked]
    together = countries.link(names)
    by_threes = [each for row in range(0, len(names), 3) for each in countries.link(names[row : row + 3])]
    right = [np.mean([each[0].entity.id == code for each, (code, _) in zip(found, asked, strict=True)])
             for found in (together, by_threes)]  # fmt: skip
    assert right[1] >= right[0] - 0.04
    assert right[1] > 0.85
