"""Singular value decompositions against what they were made of, also where the quicker way fails."""

import numpy as np
import pytest

from interlingua.align.linalg import svd


def low_rank():
    rng = np.random.default_rng(0)
    return rng.normal(size=(12, 4)) @ rng.normal(size=(4, 9))


def check(matrix):
    u, s, vt = svd(matrix)
    assert (u.shape, s.shape, vt.shape) == ((12, 9), (9,), (9, 9))
    np.testing.assert_allclose(u * s @ vt, matrix, atol=1e-12)
    np.testing.assert_allclose(u.T @ u, np.eye(9), atol=1e-12)
    np.testing.assert_allclose(s**2, np.sort(np.linalg.eigvalsh(matrix.T @ matrix))[::-1], atol=1e-9)


def test_factors_make_the_matrix():
    check(low_rank())


def test_what_does_not_converge_is_decomposed_the_slower_way(monkeypatch):
    def fails(*args, **options):
        raise np.linalg.LinAlgError("SVD did not converge")

    monkeypatch.setattr(np.linalg, "svd", fails)
    check(low_rank())
    with pytest.raises(np.linalg.LinAlgError):
        svd(np.full((3, 3), np.nan))
