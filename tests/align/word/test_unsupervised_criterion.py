import numpy as np
import pytest

from interlingua.align.neighbors import retrieve
from interlingua.align.word.induction import mean_csls_cosine, translation_agreement


def unit(n, d, seed):
    rows = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_the_criterion_is_the_mean_cosine_of_frequent_pairs(to_namespace):
    x, y = unit(80, 5, 0), unit(70, 5, 1)
    best = retrieve(x, y, k=1).ids[:40, 0]
    cosines = [x[i] @ y[j] for i, j in enumerate(best) if j < 40]
    got = mean_csls_cosine(to_namespace(x), to_namespace(y), vocabulary=40)
    assert 10 < len(cosines) < 40
    assert got == pytest.approx(np.mean(cosines), abs=1e-6)


def test_the_right_rotation_beats_a_wrong_one():
    x = unit(200, 6, 0)
    y = x + 0.1 * unit(200, 6, 1)
    y /= np.linalg.norm(y, axis=1, keepdims=True)
    assert mean_csls_cosine(x, y) > mean_csls_cosine(x[:, ::-1].copy(), y) + 0.03


def test_no_frequent_pair_gives_the_lowest_value():
    # the only frequent source word translates to the last target
    x, y = np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32)[::-1].copy()
    assert mean_csls_cosine(x, y, vocabulary=1) == -1.0


def test_agreement_counts_shared_pairs():
    a = np.array([[0, 0], [1, 1], [2, 2]])
    assert translation_agreement(a, a[::-1]) == 1.0
    assert translation_agreement(a, a + np.array([0, 1])) == 0.0
    assert translation_agreement(a[:2], a[1:]) == pytest.approx(1 / 3)
    assert translation_agreement(a[:0], a[:0]) == 0.0
