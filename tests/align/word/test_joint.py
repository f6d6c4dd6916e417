import numpy as np
import pytest
from scipy.stats import ortho_group

from interlingua.align.word.joint import GeneralizedProcrustes, compose_pairs, cross_products, joint_rotations
from interlingua.align.word.methods.procrustes import Procrustes


def same(n):
    return np.stack([np.arange(n), np.arange(n)], axis=1)


def noisy_copies(dimensions, noise, n=200, seed=0):
    rng = np.random.default_rng(seed)
    meaning = rng.normal(size=(n, min(dimensions)))
    return {
        f"l{k}": (meaning @ ortho_group.rvs(d, random_state=k)[: min(dimensions)] + noise * rng.normal(size=(n, d)))
        .astype(np.float32)
        for k, d in enumerate(dimensions)
    }  # fmt: skip


def centroid_loss(rows, rotations):
    """The textbook objective: distance of the mapped configurations from their mean."""
    mapped = [rows[name].astype(np.float64) @ rotations[name] for name in rows]
    mean = np.mean(mapped, axis=0)
    return sum(float(np.sum((each - mean) ** 2)) for each in mapped)


def test_two_languages_give_orthogonal_procrustes():
    words = noisy_copies((6, 6), noise=0.3)
    joint = GeneralizedProcrustes().fit(words, {("l0", "l1"): same(60)}).space_
    plain = Procrustes().fit(words["l1"], words["l0"], same(60), names=("l1", "l0")).space_
    expected = plain.transform(words["l0"], "l0") @ plain.transform(words["l1"], "l1").T
    got = joint.transform(words["l0"], "l0") @ joint.transform(words["l1"], "l1").T
    np.testing.assert_allclose(got, expected, atol=1e-5)


@pytest.mark.parametrize("dimensions", [(7, 7, 7), (5, 9, 7)])
def test_planted_rotations_are_recovered_without_noise(dimensions):
    words = noisy_copies(dimensions, noise=0.0)
    fitted = GeneralizedProcrustes(normalize="unit").fit(words, {("l0", "l1"): same(60), ("l1", "l2"): same(60)})
    space = fitted.space_
    first, second, third = (space.transform(words[name], name) for name in words)
    np.testing.assert_allclose(first, second, atol=1e-5)
    np.testing.assert_allclose(first, third, atol=1e-5)
    assert fitted.history_[-1]["objective"] == pytest.approx(1.0, abs=1e-6)


def test_the_objective_never_falls_and_the_callback_sees_it():
    words = noisy_copies((8, 8, 8, 8), noise=1.5)
    seen = []
    rows = np.tile(np.arange(150)[:, None], 4)
    fitted = GeneralizedProcrustes(tolerance=1e-12, max_iterations=1000).fit(words, rows=rows, callback=seen.append)
    values = [each["objective"] for each in fitted.history_]
    assert len(values) > 3
    assert np.all(np.diff(values) >= -1e-13)
    assert values[-1] > values[0] + 1e-5
    assert tuple(seen) == fitted.history_


def test_the_maximum_is_the_least_distance_from_the_mean():
    rows = noisy_copies((5, 5, 5), noise=0.8)
    everything = {(a, b): same(200) for a, b in (("l0", "l1"), ("l0", "l2"), ("l1", "l2"))}
    found, _ = joint_rotations(cross_products(rows, everything), dict.fromkeys(rows, 5), tolerance=1e-13)
    least = centroid_loss(rows, found)
    rng = np.random.default_rng(1)
    for scale in (1e-3, 1e-2, 0.1, 10.0):
        for _ in range(10):
            near = {
                name: each @ np.linalg.qr(np.eye(5) + scale * rng.normal(size=(5, 5)))[0]
                for name, each in found.items()
            }
            assert centroid_loss(rows, near) > least
    # the maps are orthogonal
    for each in found.values():
        np.testing.assert_allclose(each @ each.T, np.eye(5), atol=1e-12)


def test_rows_with_gaps_equal_the_pairs_they_hold():
    words = noisy_copies((6, 6, 6), noise=0.5)
    rows = np.tile(np.arange(90)[:, None], 3)
    rows[:30, 0], rows[30:60, 2] = -1, -1
    by_rows = GeneralizedProcrustes().fit(words, rows=rows).space_
    pairs = {
        ("l0", "l1"): same(90)[30:],
        ("l0", "l2"): same(90)[60:],
        ("l1", "l2"): np.concatenate([same(30), same(90)[60:]]),
    }
    by_pairs = GeneralizedProcrustes().fit(words, pairs).space_
    for name, each in words.items():
        np.testing.assert_allclose(by_rows.transform(each, name), by_pairs.transform(each, name), atol=1e-4)


def test_composed_pairs_are_those_of_a_join_by_hand():
    pairs = {("en", "fr"): np.array([[0, 5], [1, 6], [1, 7]]), ("ru", "en"): np.array([[9, 1], [8, 3]])}
    composed = compose_pairs(pairs, ["en", "fr", "ru"])
    assert {key: rows.tolist() for key, rows in composed.items()} == {("fr", "ru"): [[6, 9], [7, 9]]}


def test_stopping_early_is_said():
    words = noisy_copies((8, 8, 8), noise=1.5)
    with pytest.warns(RuntimeWarning, match="max_iterations=2 rounds"):
        GeneralizedProcrustes(max_iterations=2, tolerance=0.0).fit(words, rows=np.tile(np.arange(150)[:, None], 3))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "at least one pair is needed"),
        ({"pairs": {("l0", "l1"): same(9)}}, "no dictionary ties l2"),
        ({"pairs": {("l0", "xx"): same(9)}}, "'l0' and 'xx'"),
        ({"pairs": {("l0", "l0"): same(9)}}, "two different languages"),
        ({"rows": same(9)}, r"shape \(p, 3\)"),
        ({"rows": np.array([[0, -2, 0]])}, "one is -2"),
        ({"rows": np.array([[0, 500, 0]])}, "rows 0 to 199"),
    ],
)
def test_bad_dictionaries_are_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        GeneralizedProcrustes().fit(noisy_copies((4, 4, 4), noise=0.1), **arguments)


def test_zero_vectors_change_no_map():
    rng = np.random.default_rng(0)
    x = {name: rng.normal(size=(30, 4)).astype(np.float32) for name in ("en", "fr", "ru")}
    same = np.stack([np.arange(20)] * 2, axis=1)
    pairs = {("en", "fr"): same, ("fr", "ru"): same}
    gaps = {name: np.concatenate([rows, np.zeros((2, 4), np.float32)]) for name, rows in x.items()}
    more = {key: np.concatenate([each, [[30, 31], [30, 3], [4, 31]]]) for key, each in pairs.items()}
    expected = GeneralizedProcrustes(compose=False).fit(x, pairs).space_
    space = GeneralizedProcrustes(compose=False).fit(gaps, more).space_
    for name in x:
        np.testing.assert_allclose(space.transform(x[name], name), expected.transform(x[name], name), atol=1e-5)
        assert not space.transform(gaps[name], name)[30:].any()
