import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes
from scipy.stats import ortho_group

from interlingua.align.arrays import to_numpy
from interlingua.align.word.evaluation import parallel_accuracy
from interlingua.align.word.methods.procrustes import Procrustes, orthogonal_map


def random_rows(n, d, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def pairs(n):
    return np.stack([np.arange(n), np.arange(n)], axis=1)


def test_the_map_is_that_of_scipy(to_namespace):
    a, b = random_rows(60, 7), random_rows(60, 7, seed=1)
    expected, _ = orthogonal_procrustes(a.astype(np.float64), b.astype(np.float64))
    got = to_numpy(orthogonal_map(to_namespace(a), to_namespace(b)))
    np.testing.assert_allclose(got, expected, atol=1e-6)
    assert got.dtype == np.float32


def test_large_products_that_cancel_do_not_drown_the_small_ones(to_namespace):
    # each long pair stands a second time with its sign turned on one side: together they say nothing
    long, other = 1e4 * random_rows(2000, 5), 1e4 * random_rows(2000, 5, seed=1)
    a, rotation = random_rows(50, 5, seed=2), ortho_group.rvs(5, random_state=3).astype(np.float32)
    source, target = np.concatenate([long, long, a]), np.concatenate([other, -other, a @ rotation])
    order = np.random.default_rng(4).permutation(len(source))
    got = to_numpy(orthogonal_map(to_namespace(source[order]), to_namespace(target[order])))
    np.testing.assert_allclose(got, rotation, atol=1e-5)


@pytest.mark.parametrize(("d_source", "d_target"), [(4, 9), (9, 4), (6, 6)])
def test_the_map_is_semi_orthogonal_and_no_random_one_is_better(d_source, d_target):
    a, b = random_rows(80, d_source), random_rows(80, d_target, seed=1)
    w = orthogonal_map(a, b).astype(np.float64)
    smaller = min(d_source, d_target)
    gram = w @ w.T if d_source <= d_target else w.T @ w
    np.testing.assert_allclose(gram, np.eye(smaller), atol=1e-6)
    # the maximum of trace(Wᵀ Aᵀ B) is the nuclear norm of Aᵀ B
    products = a.T.astype(np.float64) @ b
    nuclear = np.linalg.svd(products, compute_uv=False).sum()
    assert np.sum(w * products) == pytest.approx(nuclear, rel=1e-6)
    for seed in range(20):
        other = np.linalg.qr(random_rows(max(d_source, d_target), smaller, seed=seed))[0]
        other = other.T if d_source <= d_target else other
        assert np.sum(other * products) < nuclear


@pytest.mark.parametrize("d_target", [10, 14])
def test_rotation_is_recovered_under_noise(d_target):
    source = random_rows(500, 10)
    rotation = ortho_group.rvs(d_target, random_state=3)[:10].astype(np.float32)
    target = source @ rotation + 0.05 * random_rows(500, d_target, seed=4)
    space = Procrustes(normalize="unit").fit(source, target, pairs(60), names=("a", "b")).space_
    unseen = slice(60, 500)
    there, back = parallel_accuracy(space.transform(source[unseen], "a"), space.transform(target[unseen], "b"))
    assert min(there, back) > 0.99


def test_fewer_pairs_than_dimensions_still_give_an_orthogonal_map():
    a, b = random_rows(3, 8), random_rows(3, 8, seed=1)
    w = orthogonal_map(a, b).astype(np.float64)
    np.testing.assert_allclose(w @ w.T, np.eye(8), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(a @ w, axis=1), np.linalg.norm(a, axis=1), rtol=1e-5)


def test_fit_gives_the_same_space_in_every_namespace(to_namespace):
    source, target = random_rows(50, 6), random_rows(40, 5, seed=1)
    plain = Procrustes().fit(source, target, pairs(20)).space_
    other = Procrustes().fit(to_namespace(source), to_namespace(target), pairs(20)).space_
    for name, x in (("source", source), ("target", target)):
        np.testing.assert_allclose(other.transform(x, name), plain.transform(x, name), atol=1e-5)


@pytest.mark.parametrize(
    ("bad_pairs", "said"),
    [
        (np.empty((0, 2), int), "at least one pair"),
        (np.array([[0, 5]]), "target rows 0 to 3, but hold 5 to 5"),
        (np.array([[-1, 0]]), "source rows 0 to 5"),
        (np.array([[0.0, 1.0]]), "must be integers"),
        (np.array([0, 1]), r"shape \(2,\)"),
    ],
)
def test_bad_pairs_are_refused(bad_pairs, said):
    with pytest.raises(ValueError, match=said):
        Procrustes().fit(random_rows(6, 3), random_rows(4, 3), bad_pairs)


def test_two_languages_need_two_names():
    with pytest.raises(ValueError, match="both are called 'en'"):
        Procrustes().fit(random_rows(6, 3), random_rows(6, 3), pairs(3), names=("en", "en"))
