import numpy as np
import pytest

from interlingua.align.arrays import to_numpy
from interlingua.align.space import PRESETS, Normalization


def vectors(n=200, d=6, seed=0):
    return (np.random.default_rng(seed).normal(size=(n, d)) * 3 + 1).astype(np.float32)


def by_hand(x, steps, means):
    """The definition, in float64 with plain loops over the steps."""
    x, means = x.astype(np.float64), list(means)
    for step in steps:
        x = x / np.linalg.norm(x, axis=1, keepdims=True) if step == "unit" else x - means.pop(0)
    return x


@pytest.mark.parametrize("name", PRESETS)
def test_new_rows_get_the_learned_treatment(name, to_namespace):
    seen, new = vectors(), vectors(n=7, seed=1)
    normalization = Normalization.fit(to_namespace(seen), name)
    got = to_numpy(normalization.transform(to_namespace(new)))
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, by_hand(new, PRESETS[name], normalization.means), atol=2e-6)


def test_means_are_those_of_the_rows_at_their_step():
    x = vectors()
    normalization = Normalization.fit(x, "unit-centre-unit")
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    np.testing.assert_allclose(normalization.means[0], unit.mean(axis=0), atol=1e-6)


def test_iterative_reaches_unit_length_and_zero_mean_at_once():
    x = Normalization.fit(vectors(), "iterative").transform(vectors())
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1, atol=1e-5)
    assert np.abs(x.mean(axis=0)).max() < 1e-3
    once = Normalization.fit(vectors(), "unit-centre-unit").transform(vectors())
    assert np.abs(x.mean(axis=0)).max() < 0.1 * np.abs(once.mean(axis=0)).max()


def test_means_of_more_rows_than_a_block_do_not_drift():
    # float32 sums lose the small numbers between large ones of opposite sign
    x = np.tile(np.array([[1e4, -1e4], [0.001, 0.002], [-1e4, 1e4], [0.001, 0.002]], np.float32), (20_000, 1))
    x[65_536:] *= 3
    means = Normalization.fit(x, "centre").means[0]
    np.testing.assert_allclose(means, x.astype(np.float64).mean(axis=0), rtol=1e-6)
    assert abs(x.mean(axis=0) - means).max() > 1e-4 * means.max()


def test_inputs_are_not_modified():
    x = vectors()
    before = x.copy()
    Normalization.fit(x, "iterative").transform(x)
    assert np.array_equal(x, before)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda: Normalization.fit(vectors(), "whiten"),
            "unknown normalisation 'whiten'; choose one of none",
        ),
        (lambda: Normalization.fit(vectors(), ("unit", "scale")), "not 'scale'"),
        (lambda: Normalization.fit(np.empty((0, 3)), "centre"), "at least one vector"),
        (
            lambda: Normalization.fit(vectors()).transform(vectors(d=5)),
            "dimension 6, but the vectors have dimension 5",
        ),
        (lambda: Normalization(("centre",), np.zeros((2, 3), np.float32)), "need 1 means"),
    ],
)
def test_misuse_is_named(call, said):
    with pytest.raises(ValueError, match=said):
        call()
