import numpy as np
import pytest
from scipy.stats import skew

from interlingua.align.arrays import unit_rows
from interlingua.align.neighbors import hubness, occurrence_hubness


def test_measures_are_those_of_brute_force_and_scipy():
    rng = np.random.default_rng(0)
    x = unit_rows(rng.normal(size=(200, 30)).astype(np.float32))
    y = unit_rows((rng.normal(size=(150, 30)) + 0.3).astype(np.float32))
    nearest = np.argsort(-(x.astype(np.float64) @ y.T.astype(np.float64)), axis=1)[:, :5]
    counts = np.array([(nearest == candidate).sum() for candidate in range(150)])
    got = hubness(x, y, k=5)
    assert got.skewness == pytest.approx(skew(counts), rel=1e-9)
    assert got.robin_hood == pytest.approx(np.maximum(counts - counts.mean(), 0).sum() / counts.sum(), rel=1e-9)
    assert got.anti_hub_share == pytest.approx((counts == 0).mean())
    assert got.largest == counts.max()
    assert (got.n_queries, got.n_candidates, got.k) == (200, 150, 5)


def test_csls_lowers_hubness_where_there_are_hubs():
    rng = np.random.default_rng(1)
    common = rng.normal(size=40)
    x, y = (unit_rows((rng.normal(size=(300, 40)) + common).astype(np.float32)) for _ in range(2))
    plain, corrected = hubness(x, y), hubness(x, y, criterion="csls")
    assert corrected.skewness < plain.skewness
    assert corrected.robin_hood < plain.robin_hood
    assert corrected.largest < plain.largest


def test_one_hub_for_everybody():
    got = occurrence_hubness(np.zeros((10, 1), int), 5)
    # counts 10, 0, 0, 0, 0: mean 2, sd 4, third moment (512 - 4 * 8) / 5
    assert got.skewness == pytest.approx(96 / 64)
    assert (got.robin_hood, got.anti_hub_share, got.largest) == (0.8, 0.8, 10)


def test_an_even_neighbourhood_has_no_hubness():
    got = occurrence_hubness(np.arange(6).reshape(6, 1), 6)
    assert (got.skewness, got.robin_hood, got.anti_hub_share, got.largest) == (0.0, 0.0, 0.0, 1)


@pytest.mark.parametrize(
    ("ids", "said"),
    [(np.empty((0, 3), int), "at least one neighbour"), (np.array([[0, 7]]), "0 to 4, but hold 0 to 7")],
)
def test_ids_are_checked(ids, said):
    with pytest.raises(ValueError, match=said):
        occurrence_hubness(ids, 5)
