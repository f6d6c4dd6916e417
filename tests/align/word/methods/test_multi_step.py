import numpy as np
import pytest
from scipy.linalg import fractional_matrix_power, orthogonal_procrustes, subspace_angles
from scipy.stats import ortho_group

from interlingua.align.arrays import to_numpy, unit_rows
from interlingua.align.neighbors import retrieve
from interlingua.align.word.evaluation import gold_ranks, parallel_accuracy
from interlingua.align.word.methods.multi_step import (
    MultiStep,
    _choose,
    _climb,
    _ranks,
    rare_words,
)
from interlingua.align.word.methods.procrustes import Procrustes, check_weights


def random_rows(n, d, seed=0):
    """Rows whose columns are correlated and of unequal variance."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, d)) @ (rng.normal(size=(d, d)) + np.diag(np.arange(1, d + 1)))).astype(np.float32)


def pairs(n):
    return np.stack([np.arange(n), np.arange(n)], axis=1)


def maps_of(a, b, *, shrinkage=0.0, **settings):
    """Return both maps and the correlations for paired rows, without normalisation."""
    fitted = MultiStep(normalize="none", shrinkage=shrinkage, **settings).fit(a, b, pairs(int(a.shape[0])))
    return *(fitted.space_.maps[side].matrix for side in ("source", "target")), fitted.correlations_


def similarities(maps, a, b):
    """What does not depend on the signs and order of the common columns."""
    return (a @ to_numpy(maps[0])) @ (b @ to_numpy(maps[1])).T


def test_every_step_is_its_formula(to_namespace):
    a, b = random_rows(80, 5).astype(np.float64), random_rows(80, 5, seed=1).astype(np.float64)
    b += a
    root_a, root_b = (fractional_matrix_power(each.T @ each / 80, 0.5) for each in (a, b))
    u, s, vt = np.linalg.svd(np.linalg.inv(root_a) @ (a.T @ b / 80) @ np.linalg.inv(root_b))
    first = np.linalg.inv(root_a) @ u @ np.diag(s**0.3) @ u.T @ root_a @ u
    second = np.linalg.inv(root_b) @ vt.T @ np.diag(s**0.8) @ vt @ root_b @ vt.T
    got = maps_of(
        to_namespace(a.astype(np.float32)),
        to_namespace(b.astype(np.float32)),
        reweight_source=0.3,
        reweight_target=0.8,
        dewhiten=True,
    )
    expected = similarities((first, second), a, b)
    np.testing.assert_allclose(similarities(got, a, b), expected, atol=1e-4 * np.abs(expected).max())
    np.testing.assert_allclose(to_numpy(got[2]), s, atol=1e-6)
    assert to_numpy(got[0]).dtype == np.float32


def test_without_whitening_and_weights_it_is_procrustes():
    a, b = random_rows(50, 6), random_rows(50, 6, seed=1)
    maps = maps_of(a, b, whiten=False, reweight_source=0, reweight_target=0)
    rotation, _ = orthogonal_procrustes(a.astype(np.float64), b.astype(np.float64))
    np.testing.assert_allclose(maps[0].astype(float) @ maps[1].T, rotation, atol=1e-5)


def test_dewhitening_without_weights_leaves_both_maps_orthogonal():
    a, b = random_rows(90, 6), random_rows(90, 6, seed=1)
    first, second, _ = maps_of(a, b, reweight_source=0, reweight_target=0, dewhiten=True)
    np.testing.assert_allclose(first.T @ first, np.eye(6), atol=1e-5)
    np.testing.assert_allclose(second.T @ second, np.eye(6), atol=1e-5)


@pytest.mark.parametrize(("d_source", "d_target"), [(4, 7), (7, 4)])
def test_whitening_alone_is_canonical_correlation_analysis(d_source, d_target):
    a, b = random_rows(60, d_source), random_rows(60, d_target, seed=1)
    first, second, correlations = maps_of(a, b, reweight_source=0, reweight_target=0, dewhiten=False)
    # canonical correlations are the cosines of the angles between the column spaces
    expected = np.sort(np.cos(subspace_angles(a.astype(np.float64), b.astype(np.float64))))[::-1]
    np.testing.assert_allclose(correlations, expected, atol=1e-6)
    x, y = a.astype(float) @ first, b.astype(float) @ second
    np.testing.assert_allclose(x.T @ x / 60, np.eye(4), atol=1e-4)
    np.testing.assert_allclose(x.T @ y / 60, np.diag(expected), atol=1e-4)


def test_full_shrinkage_is_no_whitening_but_for_the_scale():
    a, b = random_rows(40, 5), random_rows(40, 7, seed=1)
    settings = {"reweight_source": 0, "reweight_target": 0}
    shrunk = maps_of(a, b, shrinkage=1.0, **settings)
    plain = maps_of(a, b, whiten=False, **settings)
    for side, each in enumerate((a, b)):
        scale = np.sqrt((each.astype(np.float64) ** 2).mean())
        np.testing.assert_allclose(scale * np.abs(shrunk[side]), np.abs(plain[side]), atol=1e-5)


def test_each_side_has_its_own_shrinkage():
    a, b = random_rows(60, 5).astype(np.float64), random_rows(60, 4, seed=1).astype(np.float64)
    roots = []
    for each, shrinkage in ((a, 0.1), (b, 0.6)):
        covariance, d = each.T @ each / 60, each.shape[1]
        shrunk = (1 - shrinkage) * covariance + shrinkage * np.trace(covariance) / d * np.eye(d)
        roots.append(fractional_matrix_power(shrunk, -0.5))
    u, s, vt = np.linalg.svd(roots[0] @ (a.T @ b / 60) @ roots[1], full_matrices=False)
    expected = similarities((roots[0] @ u * s, roots[1] @ vt.T * s), a, b)
    got = similarities(maps_of(a, b, shrinkage=(0.1, 0.6)), a, b)
    np.testing.assert_allclose(got, expected, atol=1e-4 * np.abs(expected).max())


def test_a_weight_counts_like_a_repeated_pair(to_namespace):
    source, target = random_rows(60, 6), random_rows(60, 5, seed=1)
    repeated = np.repeat(pairs(30), np.arange(30) % 3, axis=0)
    settings = {"shrinkage": 0.2}
    expected = MultiStep(**settings).fit(source, target, repeated).space_
    weights = to_namespace(np.arange(30) % 3 * 0.7)
    got = MultiStep(**settings).fit(to_namespace(source), to_namespace(target), pairs(30), weights=weights).space_
    first, second = (
        to_numpy(space.transform(source, "source")) @ to_numpy(space.transform(target, "target")).T
        for space in (got, expected)
    )
    np.testing.assert_allclose(first, second, atol=1e-4)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ([1.0, 2.0], "one number for each of the 3 pairs"),
        ([1.0, -1.0, 2.0], "between -1.0 and 2.0"),
        ([0.0, 0.0, 0.0], "not all zero"),
        ([1.0, np.nan, 1.0], "must be finite"),
    ],
)
def test_weights_that_are_none_are_refused(weights, said):
    with pytest.raises(ValueError, match=said):
        MultiStep().fit(random_rows(6, 3), random_rows(6, 3), pairs(3), weights=weights)


def test_validation_words_are_the_rarest_of_the_largest_weight():
    rows = np.array([[8, 0], [2, 1], [5, 2], [9, 3], [7, 4], [8, 5]])
    weights = check_weights([3, 3, 3, 1, 3, 1], 6)
    assert rare_words(rows, weights, 0.5, fewest=1).tolist() == [7, 8]
    # too few of the largest weight: all words may be taken, the rarest first
    assert rare_words(rows, check_weights([1, 2, 1, 1, 1, 1], 6), 0.5, fewest=3).tolist() == [7, 8, 9]


def test_reduction_keeps_the_columns_that_agree_most():
    a, b = random_rows(60, 6), random_rows(60, 8, seed=1)
    whole, reduced = maps_of(a, b), maps_of(a, b, dimension=2)
    for side in (0, 1):
        np.testing.assert_array_equal(reduced[side], whole[side][:, :2])
    assert reduced[2].tolist() == sorted(whole[2].tolist(), reverse=True)[:2]


@pytest.mark.parametrize("d_target", [12, 9])
def test_rotation_is_recovered_under_noise(d_target):
    source = random_rows(400, 9)
    rotation = ortho_group.rvs(d_target, random_state=3)[:9].astype(np.float32)
    target = source @ rotation + 0.05 * np.random.default_rng(4).normal(size=(400, d_target)).astype(np.float32)
    space = MultiStep(normalize="unit").fit(source, target, pairs(60), names=("a", "b")).space_
    there, back = parallel_accuracy(space.transform(source[60:], "a"), space.transform(target[60:], "b"))
    assert min(there, back) > 0.98


def test_a_linear_map_that_is_no_rotation_is_found_where_procrustes_fails():
    target = np.random.default_rng(0).normal(size=(300, 10)).astype(np.float32)
    skewed = np.random.default_rng(1).normal(size=(10, 10)) @ np.diag(3.0 ** np.arange(10))
    source = (target @ skewed).astype(np.float32)
    settings = {"normalize": "none"}
    scores = []
    for aligner in (Procrustes(**settings), MultiStep(shrinkage=0.0, dewhiten=False, **settings)):
        space = aligner.fit(source, target, pairs(100)).space_
        mapped = space.transform(source[100:], "source"), space.transform(target[100:], "target")
        scores.append(parallel_accuracy(*mapped)[0])
    assert scores[0] < 0.5
    assert scores[1] > 0.99


@pytest.mark.parametrize("n_pairs", [1, 3, 10, 30])
@pytest.mark.parametrize("shrinkage", ["auto", 0.0])
def test_fewer_pairs_than_dimensions_stay_bounded(n_pairs, shrinkage):
    source, target = random_rows(60, 40), random_rows(60, 50, seed=1)
    space = MultiStep(shrinkage=shrinkage).fit(source, target, pairs(n_pairs)).space_
    for name, each in (("source", source), ("target", target)):
        matrix = space.maps[name].matrix.astype(np.float64)
        assert np.isfinite(space.transform(each, name)).all()
        # de-whitening undoes the scale: nothing is stretched beyond the spread of the kept directions
        assert np.linalg.norm(matrix, 2) < 1e3


def test_shrinkage_is_chosen_by_validation_and_falls_with_more_pairs():
    # a spread spectrum, a rotation and noise: raw covariances of few pairs are poor, of many good
    rng = np.random.default_rng(0)
    scales = 1.2 ** -np.arange(24)
    hidden = rng.normal(size=(240, 24)) * scales
    source, target = (
        ((hidden + 0.8 * scales * rng.normal(size=hidden.shape)) @ ortho_group.rvs(24, random_state=seed)).astype("f4")
        for seed in (0, 1)
    )
    few, many = (MultiStep(normalize="none").fit(source, target, pairs(n)) for n in (24, 240))
    assert sum(many.shrinkage_) < sum(few.shrinkage_)
    for each in (few, many):
        assert each.shrinkage_ in each.validation_
        assert each.validation_[each.shrinkage_] > 0.7 * max(each.validation_.values())


def test_the_climb_finds_the_best_unequal_pair_of_a_smooth_score():
    def score(both):
        distance = np.log(both[0] / 0.03) ** 2 + np.log(both[1] / 0.6) ** 2
        return np.full(10, 1 / (1 + distance))

    ranks = _climb(score)
    assert _choose(ranks) == (0.03, 0.6)
    assert len(ranks) < 20


def test_the_usual_pair_stays_unless_another_is_clearly_better():
    rng = np.random.default_rng(0)
    usual = rng.random(400)
    lucky = usual + 0.1 * rng.normal(size=400)
    lucky += 0.005 - (lucky - usual).mean()
    assert _choose({(0.1, 0.3): usual, (0.6, 0.6): lucky}) == (0.1, 0.3)
    assert _choose({(0.1, 0.3): usual, (0.6, 0.6): lucky + 0.02}) == (0.6, 0.6)


def test_fit_gives_the_same_space_in_every_namespace(to_namespace):
    source, target = random_rows(30, 6), random_rows(25, 5, seed=1)
    plain = MultiStep().fit(source, target, pairs(20)).space_
    other = MultiStep().fit(to_namespace(source), to_namespace(target), pairs(20)).space_
    got, expected = (
        to_numpy(space.transform(source, "source")) @ to_numpy(space.transform(target, "target")).T
        for space in (other, plain)
    )
    np.testing.assert_allclose(got, expected, atol=1e-4)


def test_inputs_are_left_alone_and_fits_repeat():
    source, target = random_rows(50, 6), random_rows(40, 5, seed=1)
    before = source.copy(), target.copy()
    spaces = [MultiStep().fit(source, target, pairs(30)).space_ for _ in range(2)]
    np.testing.assert_array_equal(source, before[0])
    np.testing.assert_array_equal(target, before[1])
    assert spaces[0].fingerprint == spaces[1].fingerprint


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"shrinkage": 1.5}, "lie in \\[0, 1\\].*but is 1.5"),
        ({"shrinkage": (0.1, 2.0)}, "but is \\(0.1, 2.0\\)"),
        ({"shrinkage": "much"}, "but is 'much'"),
        ({"dimension": 6}, "smaller dimension of the two spaces, 5"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters, said):
    with pytest.raises(ValueError, match=said):
        MultiStep(**parameters).fit(random_rows(30, 6), random_rows(30, 5), pairs(20))


def test_rows_must_pair_and_names_differ():
    with pytest.raises(ValueError, match="must point to target rows 0 to 1, but hold 0 to 2"):
        maps_of(random_rows(3, 2), random_rows(2, 2))
    with pytest.raises(ValueError, match="both are called 'en'"):
        MultiStep().fit(random_rows(6, 3), random_rows(6, 3), pairs(3), names=("en", "en"))


def test_ranks_are_those_of_a_search_by_csls():
    rng = np.random.default_rng(0)
    queries, candidates = (unit_rows(rng.normal(size=(n, 5)).astype(np.float32)) for n in (40, 90))
    candidates[7] = candidates[3]  # of equal scores the first goes before
    rows, columns = np.arange(60) % 40, rng.integers(0, 90, 60)
    columns[:2] = 7, 3
    ids = retrieve(queries, candidates, 10).ids
    gold = {row: columns[rows == row] for row in range(40)}
    np.testing.assert_array_equal(_ranks(queries, candidates, (rows, columns)), gold_ranks(ids, gold))
