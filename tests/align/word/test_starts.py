import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.stats import ortho_group

from interlingua.align.arrays import to_numpy
from interlingua.align.word.induction import induce_dictionary
from interlingua.align.word.starts import (
    pairs_from_similarity,
    principal_directions,
    reduce_dimension,
    sorted_similarity,
    sorted_similarity_pairs,
)


def rows(n, d, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


@pytest.mark.parametrize("d_target", [6, 9])
def test_a_rotated_copy_in_another_order_is_matched_without_any_pair(d_target):
    source = rows(150, 6)
    order = np.random.default_rng(1).permutation(150)
    rotation = ortho_group.rvs(d_target, random_state=0)[:6].astype(np.float32)
    found = sorted_similarity_pairs(source, (source @ rotation)[order])
    assert (order[found.pairs[:, 1]] == found.pairs[:, 0]).all()


def test_the_description_is_the_sorted_root_of_the_gram_matrix(to_namespace):
    source, target = rows(40, 45), rows(50, 4, seed=1)  # full rank, so that SciPy's root is defined
    described, other = sorted_similarity(to_namespace(source), to_namespace(target), vocabulary=40)
    expected = np.sort(np.real(sqrtm(source.astype(np.float64) @ source.T)), axis=1)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    expected -= expected.mean(axis=0)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(to_numpy(described), expected, atol=1e-4)
    assert other.shape == (40, 40)


def test_too_few_words_are_refused():
    with pytest.raises(ValueError, match="at least two words a side, but there are 1"):
        sorted_similarity(rows(1, 3), rows(5, 3))


def test_pairs_of_a_similarity_are_those_of_the_vectors_behind_it():
    x, y = rows(30, 5), rows(20, 5, seed=1)
    from_matrix, from_vectors = pairs_from_similarity(x @ y.T), induce_dictionary(x, y)
    np.testing.assert_array_equal(from_matrix.pairs, from_vectors.pairs)
    np.testing.assert_allclose(from_matrix.scores, from_vectors.scores, atol=1e-5)


def test_principal_directions_are_those_of_a_singular_value_decomposition(to_namespace):
    x = rows(80, 7) * np.linspace(3, 1, 7).astype(np.float32)
    found = to_numpy(principal_directions(to_namespace(x), 3))
    _, _, vt = np.linalg.svd(x.astype(np.float64), full_matrices=False)
    np.testing.assert_allclose(np.abs(found.T @ vt[:3].T), np.eye(3), atol=1e-5)


def test_the_larger_space_is_reduced_and_the_smaller_left_alone():
    x, y = rows(30, 4), rows(30, 9, seed=1)
    small, reduced = reduce_dimension(x, y)
    np.testing.assert_array_equal(small, x)
    assert reduced.shape == (30, 4)
    np.testing.assert_allclose(np.linalg.norm(reduced, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("dimension", [0, 5])
def test_impossible_dimensions_are_refused(dimension):
    with pytest.raises(ValueError, match="dimension must be in 1 to 4"):
        principal_directions(rows(10, 4), dimension)
