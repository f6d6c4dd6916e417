import numpy as np
import pytest
from scipy.linalg import sqrtm

from interlingua.align import Centring, MeanCovariance
from interlingua.align.language.means import monge_map, symmetric_power


def stretched(n=400, d=6, seed=0):
    rng = np.random.default_rng(seed)
    found = {}
    for name in ("fin", "eng", "ara"):
        rows = 3 + rng.normal(size=(n, d)) @ (np.eye(d) + 0.4 * rng.normal(size=(d, d)))
        found[name] = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return found


def covariance(rows):
    return np.cov(rows.astype(np.float64).T, bias=True)


def random_covariance(d, seed):
    root = np.random.default_rng(seed).normal(size=(d, d))
    return root @ root.T


def test_the_monge_map_carries_one_covariance_to_the_other():
    source, target = random_covariance(5, 0), random_covariance(5, 1)
    found = monge_map(source, target)
    np.testing.assert_allclose(found @ source @ found, target, rtol=1e-9)
    np.testing.assert_allclose(found, found.T, atol=1e-10)
    assert np.linalg.eigvalsh(found).min() > 0


def test_the_monge_map_moves_least():
    source, target = random_covariance(4, 2), random_covariance(4, 3)
    cost = lambda a: np.trace((a - np.eye(4)) @ source @ (a - np.eye(4)).T)  # noqa: E731
    best = cost(monge_map(source, target))
    # every other linear map from S to T is T^1/2 Q S^-1/2 with Q orthogonal
    rng = np.random.default_rng(4)
    others = [
        cost(sqrtm(target).real @ np.linalg.qr(rng.normal(size=(4, 4)))[0] @ np.linalg.inv(sqrtm(source).real))
        for _ in range(200)
    ]
    assert best < min(others)
    wasserstein = np.trace(source) + np.trace(target) - 2 * np.trace(sqrtm(sqrtm(source) @ target @ sqrtm(source)).real)
    assert best == pytest.approx(wasserstein, rel=1e-6)


def test_all_languages_get_the_mean_zero_and_one_covariance():
    x = stretched()
    space = MeanCovariance(shrinkage=0.0).fit(x).space_
    common = np.mean([covariance(rows) for rows in x.values()], axis=0)
    for name, rows in x.items():
        each = space.maps[name]
        mapped = each.normalization.transform(rows).astype(np.float64) @ each.matrix
        np.testing.assert_allclose(mapped.mean(axis=0), 0, atol=1e-6)
        np.testing.assert_allclose(covariance(mapped), common, atol=1e-5 * np.trace(common))


def test_full_shrinkage_is_centring():
    x = stretched()
    space, centred = MeanCovariance(shrinkage=1.0).fit(x).space_, Centring().fit(x).space_
    for name, rows in x.items():
        np.testing.assert_allclose(space.transform(rows, name), centred.transform(rows, name), atol=1e-4)


def test_few_vectors_are_shrunk_more():
    many, few = stretched(2000), stretched(12)
    shrinkage = [MeanCovariance(shrinkage="auto").fit(each).shrinkage_["fin"] for each in (many, few)]
    assert shrinkage[0] < 0.2 < shrinkage[1]


def test_more_dimensions_than_vectors_give_finite_maps():
    rng = np.random.default_rng(0)
    x = {name: rng.normal(size=(10, 40)).astype(np.float32) for name in ("a", "b")}
    for shrinkage in (0.0, 0.3, "auto"):
        space = MeanCovariance(shrinkage=shrinkage).fit(x).space_
        assert np.isfinite(space.transform(x["a"], "a")).all()


def test_powers_multiply_and_leave_the_null_space():
    matrix = random_covariance(4, 5)
    np.testing.assert_allclose(symmetric_power(matrix, 0.5) @ symmetric_power(matrix, -0.5), np.eye(4), atol=1e-8)
    flat = np.diag([4.0, 0.0])
    np.testing.assert_allclose(symmetric_power(flat, -0.5), np.diag([0.5, 0.0]))


def test_too_few_vectors_are_refused():
    with pytest.raises(ValueError, match="needs at least 10 vectors, but there are 5"):
        MeanCovariance().fit({"a": np.ones((5, 3))})
