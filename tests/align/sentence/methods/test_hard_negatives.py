import numpy as np
import pytest

from interlingua.align.arrays import unit_rows
from interlingua.align.sentence import mine_hard_negatives


def two_languages(meanings, noise, seed=1):
    rng = np.random.default_rng(seed)
    return np.stack([unit_rows(meanings + noise * rng.normal(size=meanings.shape)) for _ in range(2)]).astype("f4")


def meanings(n=60, d=16, seed=0):
    return unit_rows(np.random.default_rng(seed).normal(size=(n, d)))


def test_a_repeated_sentence_is_no_negative_and_a_near_one_is_the_first():
    m = meanings()
    m[1] = m[0]  # the same news twice
    m[2] = unit_rows((m[0] + 0.9 * m[5])[None])[0]  # something alike
    found = mine_hard_negatives(two_languages(m, 0.03), 3)
    assert 1 not in found.ids[0]
    assert 0 not in found.ids[1]
    assert found.ids[0, 0] == 2
    assert not (found.ids == np.arange(60)[:, None]).any()


def test_the_limit_is_the_median_cosine_of_translations():
    x = two_languages(meanings(), 0.1)
    expected = np.median((x[0] * x[1]).sum(axis=1))
    assert mine_hard_negatives(x).limit == pytest.approx(expected, abs=1e-6)
    assert mine_hard_negatives(x, guard=0.99).limit == pytest.approx(0.99 * expected, abs=1e-6)


def test_where_all_mean_the_same_there_is_none():
    x = two_languages(np.tile(meanings(1), (8, 1)), 0.0)
    assert (mine_hard_negatives(x, 2, guard=0.999).ids == -1).all()


def test_fewer_sentences_than_asked_for_are_padded():
    found = mine_hard_negatives(two_languages(meanings(3), 0.0), 5)
    assert found.ids.shape == (3, 5)
    assert ((found.ids >= 0).sum(axis=1) == 2).all()


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="languages, n, d"):
        mine_hard_negatives(meanings().astype("f4"))
    with pytest.raises(ValueError, match="k must be at least 1"):
        mine_hard_negatives(two_languages(meanings(), 0.1), 0)
