import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import skew

from interlingua.align import neighbors
from interlingua.align.arrays import unit_rows
from interlingua.align.neighbors import (
    fold_csls,
    fold_query,
    hubness,
    mean_neighbor_similarity,
    occurrence_hubness,
    retrieve,
    top_k,
)


def random_rows(n, d, seed):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


@pytest.mark.parametrize("k", [1, 3, 50])
def test_neighbours_are_those_of_brute_force(k, to_namespace, monkeypatch):
    # small blocks, so that the merge of blocks is what is tested
    monkeypatch.setattr(neighbors, "_QUERY_BLOCK", 7)
    monkeypatch.setattr(neighbors, "_CANDIDATE_BLOCK", 11)
    x, y = random_rows(30, 5, 0), random_rows(40, 5, 1)
    scores = x.astype(np.float64) @ y.astype(np.float64).T
    order = np.argsort(-scores, axis=1)[:, :k]
    found = top_k(to_namespace(x), to_namespace(y), k)
    assert np.array_equal(found.ids, order)
    np.testing.assert_allclose(found.scores, np.take_along_axis(scores, order, axis=1), atol=1e-5)
    assert found.ids.dtype == np.int64
    assert found.scores.dtype == np.float32


def test_equal_scores_come_in_row_order():
    y = np.ones((6, 2), np.float32)
    assert top_k(y[:1], y, 6).ids.tolist() == [[0, 1, 2, 3, 4, 5]]


def test_no_query_gives_no_row():
    assert top_k(np.empty((0, 3)), random_rows(4, 3, 0), 2).ids.shape == (0, 2)


@pytest.mark.parametrize(
    ("queries", "candidates", "k", "said"),
    [
        (np.ones((1, 3)), np.ones((1, 2)), 1, "have 3 and 2"),
        (np.ones((1, 3)), np.ones((1, 3)), 0, "k must be at least 1, but is 0"),
        (np.ones((1, 3)), np.empty((0, 3)), 1, "at least one candidate"),
        (np.full((1, 3), np.nan), np.ones((1, 3)), 1, "queries must be finite"),
    ],
)
def test_misuse_is_named(queries, candidates, k, said):
    with pytest.raises(ValueError, match=said):
        top_k(queries, candidates, k)


def unit(n, d=8, seed=0):
    # a common offset makes hubs
    return unit_rows((np.random.default_rng(seed).normal(size=(n, d)) + 0.5).astype(np.float32))


def csls_by_hand(x, y, background, k):
    """2 cos - r_T - r_S with full matrices in float64."""
    x, y, background = (each.astype(np.float64) for each in (x, y, background))
    r_t = np.sort(x @ y.T, axis=1)[:, -k:].mean(axis=1)
    r_s = np.sort(y @ background.T, axis=1)[:, -k:].mean(axis=1)
    return 2 * x @ y.T - r_t[:, None] - r_s[None, :]


@pytest.mark.parametrize("k", [1, 5])
def test_csls_is_its_definition(k, to_namespace):
    x, y, background = unit(20), unit(50, seed=1), unit(60, seed=2)
    expected = csls_by_hand(x, y, background, 10)
    found = retrieve(to_namespace(x), to_namespace(y), k, background=to_namespace(background))
    order = np.argsort(-expected, axis=1)[:, :k]
    assert np.array_equal(found.ids, order)
    np.testing.assert_allclose(found.scores, np.take_along_axis(expected, order, axis=1), atol=1e-5)


def test_the_queries_are_the_background_unless_another_is_given():
    x, y = unit(20), unit(50, seed=1)
    expected = csls_by_hand(x, y, x, 4)
    assert np.array_equal(retrieve(x, y, neighborhood=4).ids[:, 0], expected.argmax(axis=1))


@pytest.mark.parametrize("inverse_temperature", [1.0, 30.0, 300.0])
def test_inverted_softmax_is_its_definition_and_does_not_overflow(inverse_temperature, to_namespace):
    x, y, background = unit(20), unit(50, seed=1), unit(60, seed=2)
    exponents = inverse_temperature * (y.astype(np.float64) @ background.astype(np.float64).T)
    expected = inverse_temperature * (x.astype(np.float64) @ y.astype(np.float64).T) - logsumexp(exponents, axis=1)
    found = retrieve(
        to_namespace(x),
        to_namespace(y),
        3,
        criterion="isf",
        background=to_namespace(background),
        inverse_temperature=inverse_temperature,
    )
    order = np.argsort(-expected, axis=1)[:, :3]
    assert np.array_equal(found.ids, order)
    np.testing.assert_allclose(
        found.scores, np.take_along_axis(expected, order, axis=1), atol=2e-5 * max(inverse_temperature, 1)
    )


@pytest.mark.parametrize("criterion", ["csls", "isf"])
def test_a_hub_that_cosine_falls_for_is_demoted(criterion):
    x = unit_rows(4 * np.eye(20) + 1)
    y = np.concatenate([np.eye(20), np.full((1, 20), 1 / np.sqrt(20))])  # row 20 is near to all
    # by hand: cos(x_i, y_i) = 5 / sqrt(44) = 0.75, below cos(x_i, hub) = 24 / sqrt(44 * 20) = 0.81
    assert retrieve(x, y, criterion="nn").ids.ravel().tolist() == [20] * 20
    assert retrieve(x, y, criterion=criterion).ids.ravel().tolist() == list(range(20))


def test_folded_vectors_rank_as_csls_by_plain_inner_product():
    x, y = unit(20), unit(50, seed=1)
    hubness = mean_neighbor_similarity(y, x)
    plain = fold_query(x) @ fold_csls(y, hubness).T
    np.testing.assert_allclose(plain, 2 * x @ y.T - hubness, atol=1e-5)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda: retrieve(unit(2), unit(2), criterion="cosine"),
            "must be one of nn, csls, isf, but is 'cosine'",
        ),
        (lambda: retrieve(unit(2), unit(2, d=5)), "have 8 and 5"),
        (lambda: retrieve(unit(2), unit(2), background=unit(2, d=5)), "candidates and background .* have 8 and 5"),
        (lambda: retrieve(unit(2), unit(2), criterion="isf", inverse_temperature=0), "must be positive"),
        (lambda: fold_csls(unit(2), np.zeros(3)), "one value a row"),
    ],
)
def test_wrong_criteria_are_named(call, said):
    with pytest.raises(ValueError, match=said):
        call()


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


@pytest.mark.parametrize(
    ("search", "arrays"),
    [
        (lambda x: top_k(x, x, 2), 2),
        (lambda x: retrieve(x, x, 2, criterion="csls"), 2),
        (lambda x: retrieve(x, x, 2, criterion="csls", background=x), 3),
    ],
)
def test_each_array_is_checked_once(search, arrays, monkeypatch):
    checked = []
    monkeypatch.setattr(neighbors, "as_matrix", lambda array, name: (checked.append(name), array)[1])
    search(unit(20))
    assert len(checked) == arrays


@pytest.mark.parametrize("criterion", ["nn", "csls", "isf"])
def test_zero_rows_are_nobodys_neighbour_and_in_no_mean(criterion, to_namespace):
    x, y = unit_rows(random_rows(12, 4, 0)), unit_rows(random_rows(9, 4, 1))
    x_gaps, y_gaps = np.insert(x, [2, 2], 0.0, axis=0), np.insert(y, [0, 9], 0.0, axis=0)
    expected = retrieve(x, y, 20, criterion=criterion, background=x)
    found = retrieve(to_namespace(x), to_namespace(y_gaps), 20, criterion=criterion, background=to_namespace(x_gaps))
    assert np.array_equal(found.ids, expected.ids + 1)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)


def test_hubness_counts_neither_queries_nor_candidates_without_vectors():
    x, y = unit_rows(random_rows(12, 4, 0)), unit_rows(random_rows(9, 4, 1))
    gaps = np.zeros((3, 4), np.float32)
    assert hubness(np.concatenate([x, gaps]), np.concatenate([gaps, y]), k=2) == hubness(x, y, k=2)


def test_candidates_that_are_all_zero_are_refused():
    with pytest.raises(ValueError, match="at least one candidate to search, but all of them are zero"):
        retrieve(np.eye(3), np.zeros((4, 3)))
