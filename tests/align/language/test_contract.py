"""What every method that removes language keeps."""

import copy
import dataclasses

import numpy as np
import pytest

from interlingua.align import SharedSpace, SpaceError
from interlingua.align.language import REMOVAL_METHODS
from interlingua.align.language.removal import LanguageRemoval

NAMES = tuple(REMOVAL_METHODS)


def languages(sizes=(60, 80, 50), d=12, seed=0):
    rng = np.random.default_rng(seed)
    return {
        f"l{number}": (rng.normal(size=(n, d)) + 2 * rng.normal(size=d)).astype(np.float32)
        for number, n in enumerate(sizes)
    }


def test_the_methods_are_the_classes_that_there_are():
    classes = {each.name: each for each in LanguageRemoval.__subclasses__()}
    assert {name: type(make()) for name, make in REMOVAL_METHODS.items()} == classes


@pytest.mark.parametrize("name", NAMES)
def test_fit_learns_and_returns_itself_and_changes_neither_parameters_nor_vectors(name):
    method, x = REMOVAL_METHODS[name](), languages()
    parameters, before = dict(vars(method)), copy.deepcopy(x)
    assert method.fit(x, encoder="e5") is method
    learned = set(vars(method)) - set(parameters)
    assert "space_" in learned
    assert all(each.endswith("_") for each in learned)
    assert {key: getattr(method, key) for key in parameters} == parameters
    assert all(np.array_equal(before[each], rows) for each, rows in x.items())


@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_fields(name):
    method = REMOVAL_METHODS[name]()
    assert {each.name for each in dataclasses.fields(method)} == set(vars(method))
    assert dataclasses.replace(method, minimum=7).minimum == 7
    assert repr(method).startswith(f"{type(method).__name__}(minimum=")


@pytest.mark.parametrize("name", NAMES)
def test_the_space_says_how_it_was_made_and_survives_a_file(name, tmp_path):
    x = languages()
    space = REMOVAL_METHODS[name]().fit(x, encoder="e5").space_
    assert (space.method, space.encoder) == (name, "e5")
    assert space.provenance["vectors"] == {"l0": 60, "l1": 80, "l2": 50}
    assert len(space.provenance["data_sha256"]) == 64
    space.save(tmp_path / "space")
    loaded = SharedSpace.load(tmp_path / "space")
    assert np.array_equal(loaded.transform(x["l1"], "l1"), space.transform(x["l1"], "l1"))


@pytest.mark.parametrize("name", NAMES)
def test_the_result_is_unit_rows_in_float32_with_less_of_the_language(name):
    x = languages()
    space = REMOVAL_METHODS[name]().fit(x).space_

    def distance(rows):
        means = np.stack([each.mean(axis=0) for each in rows])
        return np.linalg.norm(means - means.mean(axis=0))

    mapped = [space.transform(rows, language) for language, rows in x.items()]
    for rows in mapped:
        assert rows.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    raw = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in x.values()]
    assert distance(mapped) < 0.5 * distance(raw)


@pytest.mark.parametrize("name", NAMES)
def test_twice_the_same_is_the_same_and_a_language_never_seen_is_mapped_or_refused(name):
    x = languages()
    one, other = (REMOVAL_METHODS[name]().fit(x).space_ for _ in range(2))
    assert one.fingerprint == other.fingerprint
    if one.languages == ("*",):
        assert np.array_equal(one.transform(x["l0"], "sv"), one.transform(x["l0"], "l0"))
    else:
        with pytest.raises(SpaceError, match="no language 'sv'; it has: l0, l1, l2"):
            one.transform(x["l0"], "sv")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("vectors", "said"),
    [
        ({}, "none was given"),
        ({"a": np.ones((30, 3)), "b": np.ones((30, 4))}, "one dimension, but have"),
        ({"a": np.eye(3), "b": np.empty((0, 3))}, "needs at least .* vectors, but there are"),
        ({"a": np.full((30, 3), np.nan), "b": np.ones((30, 3))}, "must be finite"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(name, vectors, said):
    with pytest.raises(ValueError, match=said):
        REMOVAL_METHODS[name]().fit(vectors)


@pytest.mark.parametrize("name", NAMES)
def test_zero_vectors_take_no_part_and_stay_zero(name):
    x = languages()
    gaps = {language: np.insert(rows, [0, 20], 0.0, axis=0) for language, rows in x.items()}
    expected, space = (REMOVAL_METHODS[name]().fit(each).space_ for each in (x, gaps))
    assert space.fingerprint == expected.fingerprint
    for language in x:
        mapped = space.transform(gaps[language], language)
        assert not mapped[[0, 21]].any()
        np.testing.assert_allclose(
            np.delete(mapped, [0, 21], axis=0), expected.transform(x[language], language), atol=1e-6
        )
