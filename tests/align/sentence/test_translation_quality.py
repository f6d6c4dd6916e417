import numpy as np
import pytest

from interlingua.align import parallel_accuracy
from interlingua.align.arrays import unit_rows
from interlingua.align.sentence import ParallelVectors, translation_quality


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
