import numpy as np
import pytest

from interlingua.pipelines.search.ranked import measure_hubness, sample_languages, typical_hubness


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
