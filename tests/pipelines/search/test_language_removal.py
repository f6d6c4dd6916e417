import numpy as np
import pytest

from interlingua.align import REMOVAL_METHODS
from interlingua.pipelines.search.languages import LanguageMethod, check_method, remove_languages


def rows(sizes, d=6, seed=0):
    rng = np.random.default_rng(seed)
    parts, languages = [], []
    for number, (name, n) in enumerate(sizes.items()):
        spread = np.linspace(1, 1 + number, d)
        parts.append(rng.normal(size=(n, d)) * spread + 2 * np.eye(d)[number % d])
        languages += [name] * n
    raw = np.concatenate(parts)
    return (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32), languages


def test_every_method_of_removal_has_its_name_here():
    assert {*REMOVAL_METHODS, "auto"} == set(LanguageMethod.__args__)
    with pytest.raises(ValueError, match=r"one of auto, centring, .*, but the method is 'best'"):
        check_method("best")


def test_auto_takes_the_covariance_where_passages_are_as_many_as_dimensions():
    raw, languages = rows({"fi": 40, "sw": 40, "ja": 15}, d=16)
    space = remove_languages(raw, languages, "an encoder")
    assert space.method == "mean-covariance"
    assert space.encoder == "an encoder"
    assert set(space.maps) == {"fi", "sw", "ja", "und"}
    assert [name for name, each in space.maps.items() if each.matrix is not None] == ["fi", "sw"]
    names = np.array(languages)
    asked = {"fi": raw[names == "fi"], "sw": raw[names == "sw"]}
    expected = REMOVAL_METHODS["mean-covariance"]().fit(asked).space_
    np.testing.assert_allclose(space.maps["sw"].matrix, expected.maps["sw"].matrix, atol=1e-6)
    np.testing.assert_allclose(space.maps["ja"].normalization.means[0], raw[names == "ja"].mean(axis=0), atol=1e-6)


@pytest.mark.parametrize("sizes", [{"fi": 15, "sw": 15}, {"fi": 40}, {"fi": 40, "sw": 12}, {"fi": 40, "und": 40}])
def test_auto_centres_where_no_two_languages_have_so_many(sizes):
    raw, languages = rows(sizes, d=16)
    space = remove_languages(raw, languages, "")
    assert space.method == "centring"
    assert all(each.matrix is None for each in space.maps.values())


@pytest.mark.parametrize("method", ["mean-variance", "mean-covariance", "lir"])
def test_a_method_with_a_map_a_language_keeps_the_centres_of_the_small_ones(method):
    raw, languages = rows({"fi": 12, "sw": 12, "ja": 5})
    space = remove_languages(raw, languages, "", method)
    assert space.method == method
    assert set(space.maps) == {"fi", "sw", "und"}
    centred = remove_languages(raw, languages, "", "centring")
    np.testing.assert_array_equal(space.maps["und"].normalization.means, centred.maps["und"].normalization.means)


@pytest.mark.parametrize("method", ["lsar", "leace"])
def test_a_method_with_one_map_needs_two_languages_to_compare(method):
    raw, languages = rows({"fi": 12, "sw": 12, "ja": 5})
    assert remove_languages(raw, languages, "", method).languages == ("*",)
    with pytest.raises(ValueError, match=f"{method} compares languages: it needs two with at least 10 passages each"):
        remove_languages(raw[:20], languages[:20], "", method)


def test_fewer_than_ten_passages_are_left_alone():
    raw, languages = rows({"fi": 5, "sw": 4})
    for method in LanguageMethod.__args__:
        assert remove_languages(raw, languages, "", method) is None
