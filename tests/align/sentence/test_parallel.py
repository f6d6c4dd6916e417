import numpy as np
import pytest

from interlingua.align.sentence import ParallelVectors, language_means


def rows(n, d=6, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def test_rows_are_brought_to_unit_length_and_inputs_stay():
    x = 3 * rows(4)
    before = x.copy()
    parallel = ParallelVectors.of({"eng": x, "fin": x})
    assert np.allclose(np.linalg.norm(parallel.domains["all"]["eng"], axis=1), 1, atol=1e-6)
    assert np.array_equal(x, before)


def test_pairs_are_counted_as_sentences_times_further_languages():
    parallel = ParallelVectors.of({"a": {n: rows(10) for n in "xyz"}, "b": {n: rows(7) for n in "xy"}})
    assert parallel.n_pairs == 27
    assert parallel.languages == ("x", "y", "z")


def test_a_split_holds_out_whole_sentences_and_loses_none():
    x = rows(100)
    kept, held = ParallelVectors.of({"eng": x, "fin": x}).split(0.25, seed=1)
    for side in (kept, held):
        assert np.array_equal(side.domains["all"]["eng"], side.domains["all"]["fin"])
    assert held.sizes == {"all": 25}
    both = np.concatenate([kept.domains["all"]["eng"], held.domains["all"]["eng"]])
    assert np.unique(both.round(5), axis=0).shape[0] == 100


def test_a_domain_too_small_to_hold_out_from_keeps_its_rows():
    small, large = rows(50), rows(300)
    kept, held = ParallelVectors.of({"s": {"a": small, "b": small}, "l": {"a": large, "b": large}}).split(0.1)
    assert kept.sizes == {"s": 50, "l": 270}
    assert held.sizes == {"l": 30}


def test_means_of_languages_do_not_move_with_the_domains_they_have():
    # means are planted as language + domain; the third language lacks a domain, the second has one more
    rng = np.random.default_rng(0)
    language, domain = rng.normal(size=(3, 4)), 0.5 * rng.normal(size=(3, 4))
    cells = {"a": ("x", "y", "z"), "b": ("x", "y", "z"), "c": ("x", "y")}
    made = {
        d: {n: np.tile((language["xyz".index(n)] + domain[i]).astype(np.float32), (3, 1)) for n in names}
        for i, (d, names) in enumerate(cells.items())
    }
    found = language_means(ParallelVectors(made))
    for i, name in enumerate("xyz"):
        assert np.allclose(found[name], language[i] + domain.mean(axis=0), atol=1e-5)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"eng": np.ones((3, 2))}, "need two languages, but 'all' has eng"),
        ({"eng": np.ones((3, 2)), "fin": np.ones((4, 2))}, "row i must translate row i"),
        ({"eng": np.ones((3, 2)), "fin": np.ones((3, 3))}, "one encoder, but have the dimensions"),
        ({}, "give translations as"),
    ],
)
def test_what_does_not_correspond_is_refused(data, message):
    with pytest.raises(ValueError, match=message):
        ParallelVectors.of(data)
