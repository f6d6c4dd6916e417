"""Recall, what is kept of it, and how often the interval holds the truth."""

import numpy as np
import pytest

from interlingua.align.bridge import answer_ranks, nearest_rows, retention, shared_share


def test_ranks_are_those_of_a_plain_count():
    rng = np.random.default_rng(0)
    questions, texts = rng.normal(size=(7, 5)), rng.normal(size=(11, 5))
    answers = rng.integers(11, size=7)
    cosines = (questions @ texts.T) / np.linalg.norm(questions, axis=1)[:, None] / np.linalg.norm(texts, axis=1)
    expected = [int(sum(row > row[answer])) for row, answer in zip(cosines, answers)]
    assert answer_ranks(questions, texts, answers).tolist() == expected
    assert nearest_rows(questions, texts, 3).tolist() == np.argsort(-cosines, axis=1)[:, :3].tolist()


@pytest.mark.parametrize("answers", [[0], [0, 3], [-1, 0], [0, 0, 0]])
def test_answers_must_be_rows_of_texts_one_a_question(answers):
    with pytest.raises(ValueError, match="needs the row of its answer"):
        answer_ranks(np.eye(3)[:2], np.eye(3), answers)


def test_k_is_bounded_by_the_texts():
    with pytest.raises(ValueError, match="k must lie between 1 and the 3 texts"):
        nearest_rows(np.eye(3), np.eye(3), 4)


def test_the_ratio_is_of_sums_and_a_yardstick_without_hits_is_refused():
    kept = retention([1, 0, 0.5], [1, 1, 1])
    assert (kept.value, kept.recall, kept.yardstick, kept.n) == (0.5, 0.5, 1.0, 3)
    with pytest.raises(ValueError, match="answers none of the 3 questions"):
        retention([1, 0, 0], [0, 0, 0])
    with pytest.raises(ValueError, match="one number a question"):
        retention([1, 0], [1, 0, 1])


def test_nothing_missed_is_as_unsure_as_the_rule_of_three_says():
    kept = retention(np.ones(60), np.ones(60))
    assert (kept.low, kept.high) == pytest.approx((1 - 3 / 60, 1 + 3 / 60))
    assert retention([1.0], [1.0]).low == 0


def test_groups_widen_the_interval():
    rng = np.random.default_rng(1)
    luck = rng.integers(2, size=50).repeat(8).astype(float)
    alone, grouped = (retention(luck, np.ones(400), groups=groups) for groups in (None, np.arange(50).repeat(8)))
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)
    assert grouped.value == alone.value


def test_the_interval_holds_the_truth_in_19_of_20_draws():
    """The truth is that of a population of 5,000 answers with three questions each; samples are of 150 answers."""
    rng = np.random.default_rng(2)
    ease = rng.beta(4, 2, size=5000)
    theirs = rng.random((5000, 3)) < ease[:, None]
    ours = np.where(theirs, rng.random((5000, 3)) < 0.85, rng.random((5000, 3)) < 0.2)
    truth = ours.mean() / theirs.mean()
    held = 0
    for seed in range(200):
        rows = np.random.default_rng(seed).choice(5000, 150, replace=False)
        kept = retention(ours[rows].ravel(), theirs[rows].ravel(), groups=rows.repeat(3), samples=500, seed=seed)
        held += kept.low <= truth <= kept.high
    assert held >= 186  # 19 of 20, less a standard error


def test_shared_share_counts_what_was_expected():
    assert shared_share(np.array([[0, 1], [2, 3]]), np.array([[1, 0], [3, 4]])).tolist() == [1.0, 0.5]
