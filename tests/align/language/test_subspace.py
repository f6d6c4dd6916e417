import numpy as np
import pytest
from scipy.optimize import minimize

from interlingua.align.language import LEACE, LIR, LSAR, Centring, language_probe
from interlingua.align.language.removal import ledoit_wolf
from interlingua.align.language.subspace import language_subspace
from interlingua.align.space import SharedSpace, SpaceError


def languages(sizes=(60, 80, 50, 70), d=12, seed=0):
    """Unit vectors of several languages, each pushed along a direction of its own and stretched in one."""
    rng = np.random.default_rng(seed)
    found = {}
    for number, n in enumerate(sizes):
        rows = rng.normal(size=(n, d)) + 1.5 * rng.normal(size=d) + 0.5
        rows[:, number] *= 2
        found[f"l{number}"] = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return found


def affine(space, x):
    """The map "*" without the unit length at its end."""
    chosen = space.maps["*"]
    return chosen.normalization.transform(x).astype(np.float64) @ chosen.matrix


def test_lir_removes_the_right_singular_vectors():
    x = languages()
    space = LIR(rank=2).fit(x).space_
    for name, rows in x.items():
        strongest = np.linalg.svd(rows.astype(np.float64), full_matrices=False)[2][:2]
        expected = rows - rows @ strongest.T @ strongest
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
        np.testing.assert_allclose(space.transform(rows, name), expected, atol=2e-5)


def test_the_split_of_the_means_is_orthogonal_and_the_best_there_is():
    rng = np.random.default_rng(1)
    means = rng.normal(size=(6, 5)) + 2
    for rank in (1, 2, 3):
        shared, basis = language_subspace(means, rank)
        np.testing.assert_allclose(basis.T @ basis, np.eye(rank), atol=1e-12)
        np.testing.assert_allclose(basis.T @ shared, 0, atol=1e-12)

        def loss(flat, rank=rank):
            """||M - μ1' - BΓ'||² with the best Γ for B orthonormal and orthogonal to μ."""
            mu, raw = flat[:6], flat[6:].reshape(6, rank)
            raw = raw - np.outer(mu, mu @ raw) / (mu @ mu)
            q = np.linalg.qr(raw)[0]
            rest = means - mu[:, None]
            return ((rest - q @ q.T @ rest) ** 2).sum()

        ours = loss(np.concatenate([shared, basis.ravel()]))
        searched = min(minimize(loss, rng.normal(size=6 + 6 * rank), method="BFGS").fun for _ in range(6))
        assert ours <= searched + 1e-6
        dropped = np.linalg.svd(means - means.mean(axis=1, keepdims=True))[1][rank:]
        assert ours == pytest.approx((dropped**2).sum(), abs=1e-9)


@pytest.mark.parametrize("centre", [False, True])
def test_lsar_of_full_rank_makes_all_means_equal(centre):
    x = languages()
    space = LSAR(centre=centre).fit(x).space_
    means = np.stack([affine(space, rows).mean(axis=0) for rows in x.values()])
    np.testing.assert_allclose(means - means[0], 0, atol=1e-6)
    assert (np.abs(means).max() < 1e-6) == centre


def test_lsar_of_full_rank_is_concept_erasure_by_orthogonal_projection():
    torch = pytest.importorskip("torch")
    erasure = pytest.importorskip("concept_erasure")
    x = languages()
    pooled = torch.tensor(np.concatenate(list(x.values())), dtype=torch.float64)
    labels = torch.tensor(np.repeat(np.eye(4), [len(each) for each in x.values()], axis=0))
    # its tolerance counts in units of the cross-covariance, whose smallest singular value here is above 1e-3
    eraser = erasure.LeaceFitter.fit(pooled, labels, method="orth", affine=False, svd_tol=1e-4)
    np.testing.assert_allclose(affine(LSAR().fit(x).space_, pooled.numpy()), eraser.eraser(pooled), atol=1e-5)


def test_leace_is_that_of_the_authors_but_for_the_mean():
    torch = pytest.importorskip("torch")
    erasure = pytest.importorskip("concept_erasure")
    x = languages()
    pooled = torch.tensor(np.concatenate(list(x.values())), dtype=torch.float64)
    labels = torch.tensor(np.repeat(np.eye(4), [len(each) for each in x.values()], axis=0))
    fitter = erasure.LeaceFitter.fit(pooled, labels, shrinkage=False, constrain_cov_trace=False, svd_tol=1e-4)
    expected = fitter.eraser(pooled) - pooled.mean(dim=0)
    np.testing.assert_allclose(affine(LEACE(shrinkage=0.0).fit(x).space_, pooled.numpy()), expected, atol=1e-5)


@pytest.mark.parametrize("shrinkage", [0.0, 0.3, "auto"])
def test_after_leace_no_linear_classifier_beats_the_majority(shrinkage):
    x = languages((400, 200, 200))
    mapped = affine(LEACE(shrinkage=shrinkage).fit(x).space_, np.concatenate(list(x.values())))
    labels = np.repeat(np.arange(3), [400, 200, 200])
    # least squares on the very data of the fit, but not on what float32 leaves of the directions that are gone
    design = np.c_[mapped, np.ones(800)]
    named = (design @ np.linalg.lstsq(design, np.eye(3)[labels], rcond=1e-5)[0]).argmax(axis=1)
    assert (named == labels).mean() <= 0.5 + 1e-9
    raw = language_probe(np.concatenate(list(x.values())), labels.astype(str))
    assert raw.accuracy > 0.9


def test_leace_changes_the_vectors_less_than_the_orthogonal_projection():
    x = languages()
    pooled = np.concatenate(list(x.values())).astype(np.float64)
    centred = pooled - pooled.mean(axis=0)
    moved = {
        shrinkage: ((affine(LEACE(shrinkage=shrinkage).fit(x).space_, pooled) - centred) ** 2).sum()
        for shrinkage in (0.0, 1.0)
    }
    assert moved[0.0] < moved[1.0]


def test_shrinkage_of_leace_is_that_of_ledoit_and_wolf():
    covariance = pytest.importorskip("sklearn.covariance")
    x = np.random.default_rng(0).normal(size=(40, 30)) @ np.diag(np.linspace(0.1, 3, 30))
    x -= x.mean(axis=0)
    expected = covariance.ledoit_wolf_shrinkage(x, assume_centered=True)
    assert ledoit_wolf(x) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("method", [LSAR, LEACE])
def test_one_map_serves_every_language_saved_or_not(tmp_path, method):
    x = languages()
    space = method().fit(x, encoder="e5").space_
    assert space.languages == ("*",)
    space.save(tmp_path / "a.space")
    loaded = SharedSpace.load(tmp_path / "a.space", encoder="e5")
    for name in ("l0", "never seen"):
        assert np.array_equal(loaded.transform(x["l0"], name), space.transform(x["l0"], "*"))


@pytest.mark.parametrize("method", [Centring, LIR])
def test_a_map_a_language_serves_only_that_language(method):
    with pytest.raises(SpaceError, match="no language 'sv'; it has: l0, l1"):
        method().fit(languages((20, 20))).space_.transform(np.ones((1, 12)), "sv")


@pytest.mark.parametrize(
    ("make", "vectors", "said"),
    [
        (lambda: LSAR(), {"a": np.ones((3, 4))}, "at least two languages, but 'a' was given"),
        (lambda: LEACE(), {}, "at least two languages, but none was given"),
        (lambda: LSAR(rank=2), languages((5, 5)), r"at most 1\), but is 2"),
        (lambda: LIR(rank=12), languages((20, 20)), "below the dimension"),
        (lambda: LIR(rank=0), languages((20, 20)), "rank must be at least 1"),
        (lambda: LIR(rank=6), languages((5, 20)), "needs at least 6 vectors, but there are 5"),
        (lambda: LEACE(shrinkage=2), languages((5, 5)), "lie in"),
    ],
)
def test_misuse_is_named(make, vectors, said):
    with pytest.raises(ValueError, match=said):
        make().fit(vectors)


@pytest.mark.parametrize("method", [LIR, LSAR, LEACE])
def test_inputs_are_not_modified(method):
    x = languages()
    before = {name: rows.copy() for name, rows in x.items()}
    method().fit(x)
    assert all(np.array_equal(before[name], rows) for name, rows in x.items())
