import array_api_strict
import numpy as np
import pytest

from interlingua.align.arrays import as_matrix, to_numpy, unit_rows


def test_float64_becomes_float32_and_the_input_stays():
    given = np.array([[1.0, 2.0]])
    matrix = as_matrix(given, "x")
    assert matrix.dtype == np.float32
    assert given.dtype == np.float64


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (np.zeros(3), r"shape is \(3,\)"),
        (np.zeros((2, 0)), r"shape is \(2, 0\)"),
        (np.array([[1.0], [np.nan]]), r"1 of 2 rows hold NaN or infinity \(first: row 1\)"),
        (np.array([[np.inf, -np.inf]]), "first: row 0"),
    ],
)
def test_bad_matrices_are_refused_with_what_was_seen(bad, said):
    with pytest.raises(ValueError, match=said):
        as_matrix(bad, "x")


def test_rows_whose_sum_overflows_are_finite_all_the_same():
    assert as_matrix(np.full((1, 4), 3e38, dtype=np.float32), "x").shape == (1, 4)


def test_unit_rows_have_length_one_and_zero_rows_stay():
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    x[2] = 0
    lengths = np.linalg.norm(unit_rows(x), axis=1)
    np.testing.assert_allclose(lengths, [1, 1, 0, 1, 1], atol=1e-6)


def test_other_namespaces_come_back_as_numpy():
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert np.array_equal(to_numpy(array_api_strict.asarray(x)), x)
    torch = pytest.importorskip("torch")
    assert np.array_equal(to_numpy(torch.from_numpy(x)), x)


def test_very_large_and_very_small_rows_become_unit_rows():
    x = np.array([[1e30, 1e30], [1e-30, 0], [3e38, -3e38]], np.float32)
    np.testing.assert_allclose(np.linalg.norm(unit_rows(x), axis=1), 1, atol=1e-6)


def test_masked_entries_are_refused_and_a_mask_that_hides_nothing_is_not():
    from interlingua.align import Embeddings

    hidden, shown = np.ma.array(np.eye(3), mask=np.eye(3)), np.ma.array(np.eye(3))
    takes = (
        lambda array: as_matrix(array, "it"),
        to_numpy,
        lambda array: Embeddings(("a", "b", "c"), array).vectors,
        lambda array: Embeddings.from_mapping({"a": array[0], "b": array[1], "c": array[2]}).vectors,
    )
    for take in takes:
        with pytest.raises(ValueError, match="has masked entries; leave such rows out, or fill them"):
            take(hidden)
        np.testing.assert_array_equal(take(shown), np.eye(3))
