import numpy as np
import pytest
from scipy.special import logsumexp

from interlingua.align.arrays import unit_rows
from interlingua.align.neighbors import fold_csls, fold_query, mean_neighbor_similarity, retrieve


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
        (lambda: retrieve(unit(2), unit(2), criterion="isf", inverse_temperature=0), "must be positive"),
        (lambda: fold_csls(unit(2), np.zeros(3)), "one value a row"),
    ],
)
def test_misuse_is_named(call, said):
    with pytest.raises(ValueError, match=said):
        call()
