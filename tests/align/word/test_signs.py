import numpy as np
import pytest
from scipy.stats import ortho_group

from interlingua.align.arrays import unit_rows as unit
from interlingua.align.word.signs import gram_distance, laplacian_distance


def rows(n=120, d=6, seed=0, scales=None):
    x = np.random.default_rng(seed).normal(size=(n, d))
    return (x if scales is None else x * scales).astype(np.float32)


@pytest.mark.parametrize("distance", [gram_distance, laplacian_distance])
def test_a_rotated_and_shuffled_copy_is_at_no_distance(distance):
    x = rows(scales=np.linspace(3, 1, 6))
    y = (x @ ortho_group.rvs(6, random_state=1))[np.random.default_rng(2).permutation(120)].astype(np.float32)
    assert distance(x, y) == pytest.approx(0.0, abs=1e-8)
    assert distance(x, rows(seed=5)) > 1e-3


def test_gram_distance_is_that_of_the_singular_values():
    x, y = rows(scales=np.linspace(3, 1, 6)), rows(n=90, d=4, seed=3)
    first, second = (np.linalg.svd(unit(each), compute_uv=False) for each in (x, y))
    expected = np.mean((np.log(first[:4] / first.sum()) - np.log(second / second.sum())) ** 2)
    assert gram_distance(x, y) == pytest.approx(expected, rel=1e-5)


def test_laplacian_distance_is_that_of_graphs_built_by_hand():
    x, y = rows(n=30), rows(n=30, seed=1, scales=np.linspace(4, 0.5, 6))

    def spectrum(vectors):
        similarity = unit(vectors.astype(np.float64)) @ unit(vectors.astype(np.float64)).T
        adjacency = np.zeros((30, 30))
        for i in range(30):
            for j in sorted((j for j in range(30) if j != i), key=lambda j: -similarity[i, j])[:4]:
                adjacency[i, j] = adjacency[j, i] = 1
        return np.sort(np.linalg.eigvalsh(np.diag(adjacency.sum(0)) - adjacency))[::-1]

    first, second = spectrum(x), spectrum(y)
    needed = [next(k for k in range(1, 31) if s[:k].sum() >= 0.9 * s.sum()) for s in (first, second)]
    k = min(needed)
    expected = np.mean((first[:k] - second[:k]) ** 2)
    assert laplacian_distance(x, y, neighborhood=4) == pytest.approx(expected, rel=1e-9)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="have 120 and 100"):
        laplacian_distance(rows(), rows(n=100))
    with pytest.raises(ValueError, match="neighborhood=10"):
        laplacian_distance(rows(n=10), rows(n=10))
    with pytest.raises(ValueError, match="source must have a vector"):
        gram_distance(np.zeros((5, 3), np.float32), rows())
