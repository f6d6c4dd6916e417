"""Held-out scores are those of a fit that has not seen what is held out."""

import numpy as np
import pytest

from interlingua.align import Embeddings, SeedDictionary
from interlingua.align.word import Procrustes, fit_dictionary, score_dictionary
from interlingua.align.word.auto import Trial, hold_out_folds, try_folds
from interlingua.align.word.evaluation import gold_rows
from interlingua.align.word.refit import data_hash


@pytest.fixture(scope="module")
def spaces():
    """Four hundred words a side that differ by a rotation and a little noise."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 10)).astype(np.float32)
    y = x @ np.linalg.qr(rng.normal(size=(10, 10)))[0] + 0.4 * rng.normal(size=x.shape)
    english = Embeddings(tuple(f"e{i}" for i in range(400)), x, "en")
    french = Embeddings(tuple(f"f{i}" for i in range(400)), y.astype(np.float32), "fr")
    return english, french, SeedDictionary(tuple((f"e{i}", f"f{i}") for i in range(300)))


def test_half_of_what_is_held_out_are_the_rarest_words_with_all_their_pairs():
    rng = np.random.default_rng(1)
    words = np.repeat(rng.permutation(500), 2)  # two translations each, not in the order of frequency
    pairs = np.stack([words, rng.permutation(1000)], axis=1)
    ((held, kept),) = hold_out_folds(pairs, 0.2, seed=3, enough=1)
    assert not set(held[:, 0]) & set(kept[:, 0])
    assert len(held) == 200
    assert set(range(450, 500)) <= set(held[:, 0].tolist())
    assert (np.unique(held[:, 0]) < 450).sum() == 50
    assert sorted(map(tuple, np.concatenate([held, kept]).tolist())) == sorted(map(tuple, pairs.tolist()))
    assert not np.array_equal(held, hold_out_folds(pairs, 0.2, seed=4, enough=1)[0][0])


def test_folds_hold_out_no_word_twice_and_stop_at_enough_words():
    pairs = np.stack([np.arange(1000)] * 2, axis=1)
    folds = hold_out_folds(pairs, 0.1, seed=2, enough=250)
    together = np.concatenate([held[:, 0] for held, _ in folds])
    assert [len(held) for held, _ in folds] == [100, 100, 100]
    assert len(np.unique(together)) == 300
    assert set(range(850, 1000)) <= set(together.tolist())
    for held, kept in folds:
        assert sorted([*held[:, 0], *kept[:, 0]]) == list(range(1000))
    assert len(hold_out_folds(pairs, 0.1, seed=2, enough=200)) == 2
    assert len(hold_out_folds(pairs, 0.1, seed=2, enough=10**6)) == 3
    assert len(hold_out_folds(pairs, 0.4, seed=2, enough=10**6)) == 1  # two would leave little to draw from
    assert hold_out_folds(pairs[:199], 0.0975, seed=0) == ()


def test_a_trial_on_folds_joins_the_ranks_of_each(spaces):
    english, french, _ = spaces
    rows = np.stack([np.arange(300)] * 2, axis=1)
    folds = ((rows[:50], rows[50:]), (rows[50:80], np.concatenate([rows[:50], rows[80:]])))
    single = [try_folds("procrustes", english, french, (fold,)).ranks for fold in folds]
    np.testing.assert_array_equal(try_folds("procrustes", english, french, folds).ranks, np.concatenate(single))


def test_nothing_is_held_out_where_it_would_say_nothing():
    pairs = np.stack([np.arange(199)] * 2, axis=1)
    assert hold_out_folds(pairs, 0.0975, seed=0, enough=1) == ()  # 19 words
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\), but is 1.5"):
        hold_out_folds(pairs, 1.5, seed=0)


def test_a_trial_is_a_fit_on_the_kept_pairs_scored_on_the_others(spaces):
    english, french, _ = spaces
    rows = np.stack([np.arange(300)] * 2, axis=1)
    trial = try_folds("procrustes", english, french, ((rows[:50], rows[50:]),))
    by_hand = Procrustes().fit(english.vectors, french.vectors, rows[50:], names=("en", "fr")).space_
    expected = score_dictionary(by_hand, english, french, SeedDictionary(tuple((f"e{i}", f"f{i}") for i in range(50))))
    assert 0.3 < expected.precision_at_1 < 1
    assert trial.scores == {
        "precision_at_1": expected.precision_at_1,
        "precision_at_5": expected.precision_at_5,
        "mrr": expected.mrr,
        "held_out_words": 50,
    }


def test_ranks_become_shares_and_means():
    scores = Trial("any", np.array([1, 2, 0, 10])).scores
    assert scores == {"precision_at_1": 0.25, "precision_at_5": 0.5, "mrr": (1 + 0.5 + 0.1) / 4, "held_out_words": 4}


def test_the_space_is_fitted_on_all_pairs(spaces):
    english, french, dictionary = spaces
    space = fit_dictionary(english, french, dictionary, normalize="unit")
    rows = np.stack([np.arange(300)] * 2, axis=1)
    full = Procrustes(normalize="unit").fit(english.vectors, french.vectors, rows, names=("en", "fr")).space_
    np.testing.assert_array_equal(space.maps["en"].matrix, full.maps["en"].matrix)
    assert space.scores["held_out_words"] == 30
    assert space.provenance["parameters"] == {"normalize": "unit"}
    assert (space.provenance["pairs"], space.provenance["dictionary_pairs"]) == (300, 300)
    assert not fit_dictionary(english, french, dictionary, held_out=0.0).scores


def test_a_dictionary_without_any_vector_is_refused(spaces):
    english, french, _ = spaces
    with pytest.raises(ValueError, match=r"none of the 1 dictionary pairs .* \(first missing: f1 - e1\)"):
        fit_dictionary(english, french, SeedDictionary((("f1", "e1"),)))


def test_gold_rows_group_the_translations():
    grouped = gold_rows(np.array([[3, 1], [2, 5], [3, 0]]))
    assert {word: rows.tolist() for word, rows in grouped.items()} == {3: [1, 0], 2: [5]}


def test_the_hash_tells_any_change_of_the_data(spaces):
    english, french, dictionary = spaces
    vectors = english.vectors.copy()
    vectors[7, 3] += 1e-3
    variants = [
        (english, french, dictionary),
        (english, french, None),
        (Embeddings(english.labels, vectors, "en"), french, dictionary),
        (english, french, SeedDictionary(dictionary.pairs[1:])),
        (Embeddings(english.labels[::-1], english.vectors, "en"), french, dictionary),
    ]
    assert len({data_hash(*each) for each in variants}) == len(variants)
    assert data_hash(*variants[0]) == data_hash(*variants[0])
