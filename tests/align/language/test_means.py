import numpy as np
import pytest
from scipy.linalg import sqrtm

from interlingua.align.language.means import (
    Centring,
    MeanCovariance,
    MeanVariance,
    monge_map,
    nearest_language,
    symmetric_power,
)
from interlingua.align.language.subspace import LSAR
from interlingua.align.space import SpaceError
from interlingua.align.word.methods.procrustes import Procrustes


def bilingual(n=200, d=16, offset=4.0, seed=0):
    """The same meanings in two languages, each pushed along a direction of its own."""
    rng = np.random.default_rng(seed)
    meaning = rng.normal(size=(n, d))
    push = offset * rng.normal(size=(2, d)) / np.sqrt(d)
    noise = 0.7 * rng.normal(size=(2, n, d))
    return {name: (meaning + push[i] + noise[i]).astype(np.float32) for i, name in enumerate(("fin", "eng"))}


def test_each_language_is_mapped_by_its_own_mean():
    x = bilingual()
    space = Centring().fit(x).space_
    for name, rows in x.items():
        unit = rows.astype(np.float64) / np.linalg.norm(rows, axis=1, keepdims=True)
        expected = unit - unit.mean(axis=0)
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
        np.testing.assert_allclose(space.transform(rows, name), expected, atol=1e-5)


def test_centring_raises_retrieval_where_languages_are_offset():
    # the pool holds both languages, so that a language's own neighbours stand in the way
    x = bilingual()
    space = Centring().fit(x).space_

    def accuracy(fin, eng):
        pool = np.concatenate([fin, eng])
        scores = fin @ pool.T
        np.fill_diagonal(scores[:, : len(fin)], -np.inf)
        return (scores.argmax(axis=1) == np.arange(len(fin)) + len(fin)).mean()

    raw = {name: rows / np.linalg.norm(rows, axis=1, keepdims=True) for name, rows in x.items()}
    before = accuracy(raw["fin"], raw["eng"])
    after = accuracy(space.transform(x["fin"], "fin"), space.transform(x["eng"], "eng"))
    assert after > before + 0.1


def test_the_language_is_told_from_the_nearest_mean():
    x = bilingual()
    space = Centring().fit({name: rows[:100] for name, rows in x.items()}).space_
    guesses = nearest_language(space, x["fin"][100:]) + nearest_language(space, x["eng"][100:])
    right = np.mean([guess == name for guess, name in zip(guesses, ["fin"] * 100 + ["eng"] * 100, strict=True)])
    assert right > 0.95


def test_a_space_without_means_cannot_tell_languages():
    x = bilingual()
    rows = np.stack([np.arange(20)] * 2, axis=1)
    space = Procrustes(normalize="unit").fit(x["fin"], x["eng"], rows).space_
    with pytest.raises(SpaceError, match="name the language"):
        nearest_language(space, x["fin"])


@pytest.mark.parametrize(
    ("vectors", "said"),
    [
        ({}, "at least one language"),
        ({"a": np.ones((1, 3))}, "mean of 'a' needs at least 2 vectors, but there are 1"),
        ({"a": np.ones((3, 3)), "b": np.ones((3, 4))}, "one dimension, but have"),
    ],
)
def test_misuse_is_named(vectors, said):
    with pytest.raises(ValueError, match=said):
        Centring().fit(vectors)


def test_the_space_remembers_its_encoder():
    space = Centring().fit(bilingual(), encoder="e5").space_
    with pytest.raises(SpaceError, match="learned on vectors of 'e5'"):
        space.check_encoder("labse")


def test_the_space_knows_the_hash_of_its_data():
    x = bilingual()
    first, again = (Centring().fit(x).space_.provenance["data_sha256"] for _ in range(2))
    changed = Centring().fit({**x, "fin": x["fin"] + 1}).space_.provenance["data_sha256"]
    assert first == again != changed


def spread(seed=0, n=300, d=8):
    """Two languages of unit vectors whose dimensions vary differently."""
    rng = np.random.default_rng(seed)
    scales = rng.uniform(0.5, 2, size=(2, d))
    rows = {name: rng.normal(size=(n, d)) * scales[i] + 2 for i, name in enumerate(("fin", "eng"))}
    return {name: (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32) for name, x in rows.items()}


@pytest.mark.parametrize("rescale", [False, True])
def test_mean_and_variance_of_all_languages_become_equal(rescale):
    x = spread()
    space = MeanVariance(rescale=rescale, shrinkage=0.0).fit(x).space_
    average = np.mean([rows.astype(np.float64).var(axis=0, ddof=1) for rows in x.values()], axis=0)
    for name, rows in x.items():
        each = space.maps[name]
        mapped = each.normalization.transform(rows).astype(np.float64) @ each.matrix
        np.testing.assert_allclose(mapped.mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(mapped.var(axis=0, ddof=1), average if rescale else 1.0, rtol=1e-4)


def test_variances_of_few_vectors_are_drawn_to_the_average():
    many = MeanVariance().fit(spread(n=5000)).shrinkage_["fin"]
    few = MeanVariance().fit(spread(n=6)).shrinkage_["fin"]
    assert many < 0.05 < 0.3 < few
    assert MeanVariance(shrinkage=1.0).fit(spread(n=6)).space_.maps["fin"].matrix.diagonal() == pytest.approx(1)


def test_a_dimension_without_variance_does_no_harm():
    x = spread()
    for rows in x.values():
        rows[:, 0] = 0
    for rescale in (False, True):
        space = MeanVariance(rescale=rescale).fit(x).space_
        assert np.isfinite(space.transform(x["fin"], "fin")).all()


def test_means_are_drawn_to_the_mean_of_means():
    x = spread()
    own = {name: rows.astype(np.float64).mean(axis=0) for name, rows in x.items()}
    middle = (own["fin"] + own["eng"]) / 2
    space = Centring(shrinkage=0.25).fit(x).space_
    for name, mean in own.items():
        expected = 0.75 * mean + 0.25 * middle
        np.testing.assert_allclose(space.maps[name].normalization.means[0], expected, atol=1e-6)


def test_shrunk_means_of_few_vectors_are_nearer_to_the_truth():
    # the same content in both languages: the true means are those of very many vectors
    rng = np.random.default_rng(0)
    truth = {name: 0.05 * rng.normal(size=32) + 0.2 for name in ("fin", "eng", "ara", "cmn")}

    def draw(n):
        rows = {name: mean + rng.normal(size=(n, 32)) / 6 for name, mean in truth.items()}
        return {
            name: (each / np.linalg.norm(each, axis=1, keepdims=True)).astype(np.float32) for name, each in rows.items()
        }

    means = {name: each.mean(axis=0) for name, each in draw(20000).items()}
    errors = {"auto": 0.0, 0.0: 0.0}
    for _ in range(20):
        sample = draw(4)
        for shrinkage in errors:
            space = Centring(shrinkage=shrinkage).fit(sample).space_
            errors[shrinkage] += sum(
                ((space.maps[name].normalization.means[0] - mean) ** 2).sum() for name, mean in means.items()
            )
    assert errors["auto"] < 0.8 * errors[0.0]
    assert max(Centring(shrinkage="auto").fit(draw(5000)).shrinkage_.values()) < 0.05


def test_a_space_with_one_map_for_all_cannot_tell_languages():
    with pytest.raises(SpaceError, match="one map for all languages"):
        nearest_language(LSAR().fit(spread()).space_, spread()["fin"])


@pytest.mark.parametrize("shrinkage", [-0.1, 1.5, "much", None])
def test_a_shrinkage_outside_is_refused(shrinkage):
    for method in (Centring, MeanVariance):
        with pytest.raises(ValueError, match="'auto' or lie in"):
            method(shrinkage=shrinkage).fit(spread())


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


@pytest.mark.parametrize("few", [12, 40])
def test_a_language_with_fewer_vectors_than_dimensions_is_only_centred(few):
    x = bilingual(d=48) | {"swa": bilingual(few, 48, seed=1)["fin"]}
    learned = MeanCovariance()
    space, centred = learned.fit(x).space_, Centring().fit(x).space_
    assert learned.shrinkage_["swa"] == 1
    assert learned.shrinkage_["fin"] == 0.3
    np.testing.assert_allclose(space.transform(x["swa"], "swa"), centred.transform(x["swa"], "swa"), atol=1e-4)
    assert np.abs(space.transform(x["fin"], "fin") - centred.transform(x["fin"], "fin")).max() > 0.01
