import numpy as np
import pytest

from interlingua.align.neighbors import retrieve
from interlingua.align.word import induction
from interlingua.align.word.induction import (
    ColumnTop,
    column_argmax,
    dropped_entries,
    induce_dictionary,
    mean_csls_cosine,
    translation_agreement,
)


def unit(n, d, seed):
    rows = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def by_hand(x, y, *, criterion, keep, seed, k):
    """Forward and backward winners and scores of the full matrix, in float64; -1 where all are dropped."""
    s = x.astype(np.float64) @ y.T.astype(np.float64)
    scores = s
    if criterion == "csls":
        r_t = np.sort(s, axis=1)[:, -k:].mean(axis=1)
        r_s = np.sort(s, axis=0)[-k:].mean(axis=0)
        scores = 2 * s - r_t[:, None] - r_s
    if keep < 1:
        scores = np.where(dropped_entries(np.random.default_rng(seed), *s.shape, keep), -np.inf, scores)
    forward = np.where(np.isfinite(scores.max(axis=1)), scores.argmax(axis=1), -1)
    backward = np.where(np.isfinite(scores.max(axis=0)), scores.argmax(axis=0), -1)
    return s, scores, forward, backward


def expected_pairs(forward, backward, direction):
    there = [(i, j) for i, j in enumerate(forward) if j >= 0]
    back = [(i, j) for j, i in enumerate(backward) if i >= 0]
    mutual = [(i, j) for i, j in there if backward[j] == i]
    return {"forward": there, "backward": back, "mutual": mutual, "union": there + back}[direction]


@pytest.fixture
def small_blocks(monkeypatch):
    """Many blocks, of which only some stay in memory."""
    monkeypatch.setattr(induction, "_BLOCK_ENTRIES", 16 * 61)
    monkeypatch.setattr(induction, "_CACHE_BYTES", 3 * 4 * 16 * 61)


@pytest.mark.parametrize("direction", ["union", "mutual", "forward", "backward"])
@pytest.mark.parametrize("criterion", ["csls", "nn"])
@pytest.mark.parametrize("keep", [1.0, 0.3, 0.02])
@pytest.mark.usefixtures("small_blocks")
def test_pairs_and_scores_are_those_of_brute_force(to_namespace, criterion, direction, keep):
    x, y = unit(83, 5, 0), unit(61, 5, 1)
    found = induce_dictionary(
        to_namespace(x), to_namespace(y), criterion=criterion, direction=direction, keep_probability=keep, rng=7
    )
    s, scores, forward, backward = by_hand(x, y, criterion=criterion, keep=keep, seed=7, k=10)
    expected = expected_pairs(forward, backward, direction)
    assert [tuple(pair) for pair in found.pairs.tolist()] == expected
    np.testing.assert_allclose(found.scores, [scores[pair] for pair in expected], atol=2e-6)
    assert found.objective == pytest.approx((s.max(axis=1).mean() + s.max(axis=0).mean()) / 2, abs=1e-6)
    mutual = expected_pairs(forward, backward, "mutual")
    assert found.mutual_rate == pytest.approx(len(mutual) / 61)


def test_without_dropping_forward_is_retrieval():
    x, y = unit(200, 6, 2), unit(150, 6, 3)
    found = induce_dictionary(x, y, direction="forward")
    expected = retrieve(x, y, k=1, criterion="csls")
    np.testing.assert_array_equal(found.pairs[:, 1], expected.ids[:, 0])
    np.testing.assert_allclose(found.scores, expected.scores[:, 0], atol=2e-6)


@pytest.mark.usefixtures("small_blocks")
def test_ties_go_to_the_first_word_also_across_blocks():
    y = np.eye(4, dtype=np.float32)
    x = np.tile(y, (20, 1))  # each direction twenty times, in several blocks
    y = np.concatenate([y, y])
    found = induce_dictionary(x, y, criterion="nn", direction="union")
    assert found.pairs[:80].tolist() == [[i, i % 4] for i in range(80)]
    assert found.pairs[80:].tolist() == [[j % 4, j] for j in range(8)]


def test_a_dropped_pair_never_wins_though_all_kept_scores_are_negative():
    # every score is -1, so that a dropped entry set to zero would win
    x, y = np.ones((40, 1), np.float32), -np.ones((30, 1), np.float32)
    dropped = dropped_entries(np.random.default_rng(3), 40, 30, 0.2)
    found = induce_dictionary(x, y, criterion="nn", keep_probability=0.2, rng=3)
    assert len(found) > 0
    assert not dropped[found.pairs[:, 0], found.pairs[:, 1]].any()
    np.testing.assert_array_equal(found.scores, -1)


def test_the_share_that_is_dropped_is_as_asked_and_does_not_depend_on_blocks():
    whole = dropped_entries(np.random.default_rng(0), 400, 501, 0.1)
    # 200,400 draws: four standard deviations are 0.0027
    assert whole.mean() == pytest.approx(0.9, abs=0.0027)
    rng = np.random.default_rng(0)
    parts = [dropped_entries(rng, rows, 501, 0.1) for rows in (150, 1, 249)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_a_cutoff_is_the_same_as_shorter_vocabularies():
    x, y = unit(50, 4, 0), unit(40, 4, 1)
    cut = induce_dictionary(x, y, vocabulary_cutoff=30)
    short = induce_dictionary(x[:30], y[:30])
    np.testing.assert_array_equal(cut.pairs, short.pairs)
    np.testing.assert_allclose(cut.scores, short.scores, atol=1e-6)
    assert cut.pairs.max() < 30


def test_inputs_are_not_modified():
    x, y = unit(30, 4, 0), unit(30, 4, 1)
    before = x.copy(), y.copy()
    induce_dictionary(x, y, keep_probability=0.5)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(y, before[1])


@pytest.mark.parametrize("order", ["random", "rising", "falling"])
def test_column_maxima_are_those_of_a_sort(order):
    rows = np.random.default_rng(0).normal(size=(300, 37)).astype(np.float32)
    if order != "random":
        rows = np.sort(rows, axis=0)[:: 1 if order == "rising" else -1]
    top = ColumnTop(7, 37)
    for block in np.array_split(rows, 11):
        top.update(np.ascontiguousarray(block))
    np.testing.assert_array_equal(np.sort(top.values, axis=0), np.sort(rows, axis=0)[-7:])
    columns = np.array([3, 30])
    np.testing.assert_array_equal(column_argmax(rows, columns, rows.max(axis=0)[columns]), rows.argmax(axis=0)[columns])


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"keep_probability": 0.0}, "keep_probability must be in"),
        ({"keep_probability": 1.5}, "keep_probability must be in"),
        ({"direction": "both"}, "direction must be one of union"),
        ({"criterion": "isf"}, "criterion must be 'csls' or 'nn'"),
        ({"vocabulary_cutoff": 0}, "vocabulary_cutoff must be at least 1"),
        ({"neighborhood": 0}, "neighborhood must be at least 1"),
    ],
)
def test_bad_parameters_are_refused(bad, said):
    with pytest.raises(ValueError, match=said):
        induce_dictionary(unit(5, 3, 0), unit(5, 3, 1), **bad)


def test_empty_vocabularies_are_refused():
    with pytest.raises(ValueError, match="must have words, but they have 0 and 5"):
        induce_dictionary(np.empty((0, 3), np.float32), unit(5, 3, 1))


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


@pytest.mark.parametrize("direction", ["union", "mutual", "forward", "backward"])
def test_words_with_zero_vectors_get_no_pair(direction, to_namespace):
    x, y = unit(14, 4, 0), unit(11, 4, 1)
    expected = induce_dictionary(x, y, direction=direction)
    x_gaps, y_gaps = np.insert(x, [0, 3], 0.0, axis=0), np.insert(y, [11], 0.0, axis=0)
    found = induce_dictionary(to_namespace(x_gaps), to_namespace(y_gaps), direction=direction)
    at = np.delete(np.arange(16), [0, 4])
    assert found.pairs.tolist() == np.stack([at[expected.pairs[:, 0]], expected.pairs[:, 1]], axis=1).tolist()
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-6)
    assert found.objective == pytest.approx(expected.objective, abs=1e-6)
    assert found.mutual_rate == pytest.approx(expected.mutual_rate)
