import numpy as np
import pytest

from interlingua.align.arrays import unit_rows
from interlingua.align.sentence import ParallelVectors, translation_quality
from interlingua.align.sentence.parallel import language_means
from interlingua.align.word.evaluation import parallel_accuracy


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


def noisy(n=120, d=8, languages="xyz", noise=0.5):
    rng = np.random.default_rng(0)
    meaning = rng.normal(size=(n, d))
    return {name: (meaning + noise * rng.normal(size=(n, d))).astype(np.float32) for name in languages}


def identity(rows, _):
    return rows


def test_the_accuracy_is_that_of_parallel_accuracy():
    data = noisy()
    quality = translation_quality(identity, ParallelVectors.of(data), pivot="x")
    assert set(quality.by_pair) == {("all", "y", "x"), ("all", "z", "x")}
    expected = parallel_accuracy(unit_rows(data["y"]), unit_rows(data["x"]), neighborhood=4)
    assert quality.by_pair["all", "y", "x"] == pytest.approx(expected)


def test_the_surprisal_equals_a_softmax_over_all_where_there_are_few():
    rows = unit_rows(noisy(15, languages="xy")["x"]), unit_rows(noisy(15, languages="xy")["y"])
    s = rows[0].astype(np.float64) @ rows[1].T

    def r(table):
        return np.sort(table, axis=1)[:, -4:].mean(axis=1)

    csls = s - (r(s)[:, None] + r(s.T)[None, :]) / 2

    def loss(t):
        there = np.log(np.exp(csls / t).sum(axis=1)) - np.diag(csls) / t
        back = np.log(np.exp(csls / t).sum(axis=0)) - np.diag(csls) / t
        return (there.mean() + back.mean()) / 2

    best = min(loss(t) for t in np.geomspace(0.005, 0.5, 2000))
    found = translation_quality(identity, ParallelVectors.of({"x": rows[0], "y": rows[1]})).surprisal
    assert best <= found < best + 0.02


def test_less_noise_surprises_less():
    quiet, loud = (translation_quality(identity, ParallelVectors.of(noisy(noise=n))) for n in (0.3, 0.6))
    assert quiet.surprisal < loud.surprisal
    assert quiet.accuracy > loud.accuracy


def test_domains_count_alike_whatever_their_size():
    good, bad = noisy(100, noise=0.0), noisy(300, noise=3.0)
    quality = translation_quality(identity, ParallelVectors.of({"good": good, "bad": bad}))
    assert quality.by_domain["good"] == 1.0
    assert quality.accuracy == pytest.approx((1.0 + quality.by_domain["bad"]) / 2)


def test_of_many_pairs_at_most_forty_are_scored():
    data = {f"l{i}": rows for i, rows in enumerate(noisy(20, languages=range(12)).values())}
    assert len(translation_quality(identity, ParallelVectors.of(data)).by_pair) <= 40


def test_nothing_to_score_on_is_refused():
    with pytest.raises(ValueError, match="no held-out translation"):
        translation_quality(identity, ParallelVectors({}))
