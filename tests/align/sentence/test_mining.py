"""Margins against loops over the formula, and confidences against what was planted."""

import numpy as np
import pytest

from interlingua.align import top_k
from interlingua.align.arrays import unit_rows
from interlingua.align.neighbors import Neighbors
from interlingua.align.sentence import mine_hard_negatives, mine_pairs
from interlingua.align.sentence.mining import (
    _near_copies,
    decoy_confidence,
    decoy_ratio,
    fitted_confidence,
    pair_margins,
)


def unit(matrix):
    return (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype(np.float32)


def planted(n, pairs, seed, noise=0.5, d=48):
    """Sentences of which the first `pairs` of either side are translations."""
    rng = np.random.default_rng(seed)
    topics = rng.normal(size=(20, d))
    left, right = (topics[rng.integers(0, 20, n)] + rng.normal(size=(n, d)) for _ in range(2))
    right[:pairs] = left[:pairs] + noise * rng.normal(size=(pairs, d))
    return unit(left), unit(right)


def brute_force(x, y, k, margin):
    cosines = x.astype(np.float64) @ y.T.astype(np.float64)
    base = (np.sort(cosines, 1)[:, -k:].mean(1)[:, None] + np.sort(cosines, 0)[-k:].mean(0)) / 2
    return {"ratio": cosines / base, "distance": cosines - base, "csls": 2 * cosines - 2 * base}[margin]


@pytest.mark.parametrize("margin", ["ratio", "distance", "csls"])
def test_mutual_pairs_and_their_margins_are_those_of_the_full_matrix(margin):
    x, y = planted(60, 20, seed=1)
    margins = brute_force(x, y, 4, margin)
    found = mine_pairs(x, y, margin=margin, search=lambda a, b, k: top_k(a, b, 60))
    best, back = margins.argmax(1), margins.argmax(0)
    expected = {(i, int(best[i])) for i in range(60) if back[best[i]] == i}
    assert set(map(tuple, found.rows.tolist())) == expected
    np.testing.assert_allclose(found.scores, margins[found.rows[:, 0], found.rows[:, 1]], rtol=1e-4, atol=1e-5)
    assert (np.diff(found.scores) <= 0).all()


@pytest.mark.parametrize("retrieval", ["max", "intersection", "forward", "backward"])
def test_a_sentence_is_in_one_pair_at_most(retrieval):
    x, y = planted(80, 30, seed=2)
    rows = mine_pairs(x, y[:70], retrieval=retrieval).rows
    assert len(np.unique(rows[:, 0])) == len(np.unique(rows[:, 1])) == len(rows)


def test_max_holds_the_mutual_pairs():
    x, y = planted(80, 30, seed=3)
    rows = {retrieval: set(map(tuple, mine_pairs(x, y, retrieval=retrieval).rows.tolist())) for retrieval in
            ("max", "intersection")}  # fmt: skip
    assert rows["intersection"] <= rows["max"]
    assert len(rows["max"]) > len(rows["intersection"])


@pytest.mark.parametrize(("pairs", "near"), [(40, 0.15), (300, 0.06), (900, 0.06)])
def test_estimated_precision_is_near_the_true_one(pairs, near):
    gaps = []
    for seed in range(5):
        x, y = planted(1000, pairs, seed, 0.4)
        chosen = mine_pairs(x, y).for_best_f1()
        right = (chosen.rows[:, 0] == chosen.rows[:, 1]) & (chosen.rows[:, 0] < pairs)
        gaps.append(chosen.precision - right.mean())
        assert right.sum() > 0.6 * pairs
    assert abs(np.mean(gaps)) < near  # few pairs tell little


def test_texts_without_any_translation_give_next_to_no_pair():
    x, y = planted(1000, 0, seed=4)
    assert len(mine_pairs(x, y).for_precision(0.9)) <= 10


def test_refused_pairs_are_gone_and_decoys_are_asked_about_too():
    x, y = planted(50, 20, seed=5)
    asked = []

    def allowed(rows, side):
        asked.append(side)
        return rows[:, 0] % 2 == 0

    rows = mine_pairs(x, y, allowed=allowed).rows
    assert (rows[:, 0] % 2 == 0).all()
    assert sorted(asked) == ["pairs", "source", "target"]


def test_margins_of_given_pairs_are_those_of_the_matrix():
    x, y = planted(40, 40, seed=6)
    margins, decoys = pair_margins(x, y, k=3)
    full = brute_force(x, y, 3, "ratio")
    np.testing.assert_allclose(margins, np.diag(full), rtol=1e-4)
    np.testing.assert_allclose(decoys, full[np.arange(40), (np.arange(40) + 1) % 40], rtol=1e-4, atol=1e-5)


def test_background_lowers_the_margin_of_a_pair_with_rivals():
    x, y = planted(30, 30, seed=7)
    alone, _ = pair_margins(x[:10], y[:10])
    among, _ = pair_margins(x[:10], y[:10], background=(x, y))
    assert (among <= alone + 1e-5).all()


def test_confidence_counts_one_wrong_pair_more_than_was_seen():
    np.testing.assert_allclose(decoy_confidence(np.arange(10.0, 20.0), [1.0]), 0.9)


@pytest.mark.parametrize(("wrong", "fitted"), [(8, False), (80, True)])
def test_decoys_are_scaled_only_where_twenty_wrong_pairs_tell_how(wrong, fitted):
    """The wrong pairs reach three times as far as the decoys, which shows in 80 of them, and in 8 is chance."""
    rng = np.random.default_rng(0)
    spread = np.linspace(-1, 1, wrong)
    scores = np.sort(np.concatenate([1 + rng.normal(0.4, 0.05, 300), 1 + 0.45 * spread]))[::-1].astype(np.float32)
    decoys = (1 + 0.15 * np.linspace(-1, 1, 300)).astype(np.float32)
    plain = decoy_confidence(scores, decoys, ratio=decoy_ratio(scores, decoys))
    assert (1 - plain.astype(float)).sum() < 20 or fitted
    assert np.array_equal(fitted_confidence(scores, decoys, 1.0), plain) != fitted


def test_confidence_rises_with_the_score():
    rng = np.random.default_rng(0)
    scores, decoys = np.concatenate([rng.normal(3, 1, 300), rng.normal(0, 1, 300)]), rng.normal(0, 1, 300)
    sure = decoy_confidence(scores, decoys)
    assert (np.diff(sure[np.argsort(scores)]) >= 0).all()
    assert abs(sure.sum() - 300) < 45


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"k": 0}, "k must be"),
        ({"margin": "best"}, "margin must be one"),
        ({"retrieval": "both"}, "retrieval must be one"),
    ],
)
def test_wrong_settings_are_refused(change, said):
    x, y = planted(10, 5, seed=8)
    with pytest.raises(ValueError, match=said):
        mine_pairs(x, y, **change)


def test_too_few_sentences_and_unlike_dimensions_are_refused():
    x, y = planted(10, 5, seed=9)
    with pytest.raises(ValueError, match="each side needs 3"):
        mine_pairs(x[:2], y)
    with pytest.raises(ValueError, match="dimension"):
        mine_pairs(x, y[:, :5])
    with pytest.raises(ValueError, match="row by row"):
        pair_margins(x, y[:5])
    with pytest.raises(ValueError, match="precision"):
        mine_pairs(x, y).for_precision(0)


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


def near_copies(x, cosine, rng):
    away = rng.normal(size=x.shape)
    away -= (away * x).sum(1, keepdims=True) * x
    return unit(cosine * x + np.sqrt(1 - cosine**2) * unit(away))


@pytest.mark.parametrize("least", [1.0, 0.95])
@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_copies_on_a_side_are_no_decoys(least, share):
    """Half of 500 sentences are translated; a share of the targets stands there twice, exactly or nearly."""
    rng = np.random.default_rng(1)
    x, y = (unit(rng.normal(size=(500, 64))) for _ in range(2))
    y[:250] = near_copies(x[:250], 0.9, rng)
    again = rng.permutation(500)[: int(share * 500)]
    copies = near_copies(y[again], rng.uniform(least, 0.995, (len(again), 1)), rng) if least < 1 else y[again]
    of = np.concatenate([np.arange(500), again])
    rows = mine_pairs(x, np.concatenate([y, copies])).for_precision(0.95).rows
    right = (of[rows[:, 1]] == rows[:, 0]) & (rows[:, 0] < 250)
    assert right.sum() == 250


@pytest.mark.parametrize("times", [2, 3, 5])
def test_confidences_are_high_where_every_target_has_copies(times):
    rng = np.random.default_rng(0)
    x = unit(rng.normal(size=(200, 64)))
    y = np.repeat(near_copies(x, 0.9, rng), times, axis=0)
    assert len(mine_pairs(x, y).for_precision(0.95)) == 200


@pytest.mark.parametrize(
    ("cosines", "copies"),
    [
        ([1.0, 0.96, 0.4, 0.3], 2),  # ten times nearer than the next one
        ([1.0, 0.97, 0.96, 0.4], 3),
        ([1.0, 0.96, 0.85, 0.3], 1),  # a sentence that differs by a word, among others that do
        ([1.0, 0.99, 0.85, 0.3], 2),
        ([1.0, 0.8, 0.3, 0.2], 1),
    ],
)
def test_sentences_that_differ_by_a_word_are_no_copies(cosines, copies):
    near = Neighbors(np.arange(4)[None], np.array([cosines], np.float32))
    centred = np.concatenate([np.eye(8), -np.eye(8)]).astype("f4")
    assert _near_copies(near, centred).tolist() == [[True] * copies + [False] * (4 - copies)]


def test_a_side_whose_sentences_are_all_near_each_other_keeps_its_decoys():
    """Vectors that were not centred have cosines of .95 and more, and are no copies for that."""
    x, y = planted(300, 100, seed=9)
    common = np.eye(48)[0] * 5
    found = mine_pairs(unit(x + common), unit(y + common))
    assert found.confidences[:20].min() > 0.5


def test_copies_across_sides_do_not_compete_with_the_translations():
    rng = np.random.default_rng(2)
    x = unit(rng.normal(size=(200, 64)))
    y = np.concatenate([near_copies(x, 0.8, rng), near_copies(x[:60], 0.97, rng)])
    numbers = np.arange(200), np.concatenate([np.arange(200, 400), np.arange(60)])
    rows = mine_pairs(x, y, copies=numbers).for_best_f1().rows
    assert (rows[:, 0] == rows[:, 1]).sum() == 200
    alone = mine_pairs(x, y).for_best_f1().rows
    assert (alone[:, 0] == alone[:, 1]).sum() < 145
    with pytest.raises(ValueError, match="copies number 200 and 260 rows"):
        mine_pairs(x, y, copies=(np.arange(200), np.arange(200)))


def test_a_pair_of_the_next_ones_copy_is_no_decoy():
    rng = np.random.default_rng(3)
    x = unit(rng.normal(size=(40, 64)))
    y = near_copies(x, 0.9, rng)
    margins, decoys = pair_margins(np.repeat(x, 2, axis=0), np.repeat(y, 2, axis=0))
    assert (len(margins), len(decoys)) == (80, 40)
    assert decoys.max() < margins.min()
    numbers = [np.repeat(np.arange(40), 2), np.repeat(np.arange(40), 2) + 40]
    once, _ = pair_margins(x, y)
    twice, _ = pair_margins(np.repeat(x, 2, axis=0), np.repeat(y, 2, axis=0), copies=(numbers[0], numbers[1]))
    np.testing.assert_allclose(twice[::2], once, rtol=1e-4)


def test_without_pairs_there_are_no_margins():
    assert [len(each) for each in pair_margins(np.zeros((0, 4)), np.zeros((0, 4)))] == [0, 0]
