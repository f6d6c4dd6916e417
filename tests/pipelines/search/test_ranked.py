import numpy as np
import pytest

from interlingua.align.arrays import unit_rows
from interlingua.pipelines.search.ranked import (
    CorrectedRows,
    measure_hubness,
    ranked_collection,
    sample_languages,
    typical_hubness,
)


@pytest.fixture
def rows():
    raw = np.random.default_rng(2).normal(size=(12, 5))
    return (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)


def mean_of_best(row, others, count):
    return np.mean(sorted((float(row @ other) for other in others), reverse=True)[:count])


@pytest.mark.parametrize("neighborhood", [1, 3, 50])
def test_hubness_is_the_mean_cosine_of_the_nearest_others(rows, neighborhood):
    background = {"fi": rows[:8]}
    inside = measure_hubness(rows[:8], ["fi"] * 8, background, neighborhood)
    expected = [mean_of_best(row, np.delete(rows[:8], i, axis=0), neighborhood) for i, row in enumerate(rows[:8])]
    np.testing.assert_allclose(inside, expected, atol=1e-6)
    outside = measure_hubness(rows[8:], ["fi"] * 4, background, neighborhood)
    np.testing.assert_allclose(outside, [mean_of_best(row, rows[:8], neighborhood) for row in rows[8:]], atol=1e-6)
    assert typical_hubness(background, neighborhood) == pytest.approx(np.mean(expected), abs=1e-6)


def test_a_language_without_background_is_not_measured(rows):
    assert np.isnan(measure_hubness(rows[:2], ["sw", "fi"], {"fi": rows[4:]}, 3)).tolist() == [True, False]
    assert typical_hubness({}, 3) == 0.0


def test_languages_with_few_rows_have_no_background(rows):
    found = sample_languages(rows, ["fi"] * 5 + ["sw"] * 3 + ["zh"] * 4, neighborhood=3, seed=0)
    assert list(found) == ["fi", "zh"]
    np.testing.assert_array_equal(found["zh"], rows[8:])


@pytest.mark.parametrize("kind", ["flat", "faiss-flat", "hnsw", "ivf-flat"])
@pytest.mark.parametrize("spread", [0.01, 0.3])
def test_levels_are_the_mean_cosines_of_the_nearest_of_all_rows(kind, spread):
    rng = np.random.default_rng(4)
    rows = unit_rows(rng.normal(size=(3000, 12)).astype(np.float32))
    means = (0.4 + spread * rng.normal(size=3000)).astype(np.float32)
    config = None if kind == "flat" else {"threads": 1}
    ranked = CorrectedRows(ranked_collection(kind, 12, config))
    names = [str(number) for number in range(3000)]
    ranked.put(names, rows, means, [{"n": number % 5} for number in range(3000)], replace=False)
    queries = unit_rows(rng.normal(size=(12, 12)).astype(np.float32))

    def check(asked, rows, means, **filters):
        found, levels = ranked.search_with_nearness(asked, 7, 10, {}, **filters)
        cosines = asked @ rows.T
        exact = kind in ("flat", "faiss-flat")
        expected = np.sort(cosines, axis=1)[:, -10:].mean(axis=1)
        np.testing.assert_allclose(levels, expected, atol=1e-6 if exact else 0.05)
        if exact and not filters:
            best = np.sort(2 * cosines - means, axis=1)[:, ::-1][:, :7]
            np.testing.assert_allclose(found.scores, best, atol=1e-6)
        assert found.ids == ranked.search(asked, 7, **filters).ids

    for asked in (queries[:1], queries):
        check(asked, rows, means)
        check(asked, rows, means, where={"n": 2})
    for number in range(20):  # replaced, and moved to the end
        fresh, mean = unit_rows(rng.normal(size=(1, 12)).astype(np.float32)), np.array([0.9], np.float32)
        ranked.put([str(number)], fresh, mean, None, replace=True)
        rows, means = np.concatenate([rows[1:], fresh]), np.concatenate([means[1:], mean])
    check(queries[:1], rows, means)
    ranked.remove(["100", "200"])
    keep = np.setdiff1d(np.arange(3000), [80, 180])
    check(queries, rows[keep], means[keep])
