"""Scores against counts by hand, nearest neighbours and scikit-learn."""

import numpy as np
import pytest

from interlingua.align.word.evaluation import parallel_accuracy
from interlingua.pipelines.texts import Pair
from interlingua.pipelines.train.scores import (
    accuracy,
    hold_out,
    label_f1,
    mean_scores,
    score_translations,
    span_f1,
    spans,
    spread,
)


def numbered(n, language="fr"):
    return [Pair(f"{language} {i}", f"en {i}", language, "en") for i in range(n)]


def test_held_out_pairs_share_no_text_with_the_others():
    pairs = numbered(100, "fr") + numbered(100, "de")  # parallel: the English side is shared
    kept, held = hold_out(pairs, 10)
    assert len(held) == 20
    assert not {pair.target for pair in held} & {pair.target for pair in kept}
    assert len(kept) == 180
    chosen = [{pair.target for pair in held if pair.source_language == code} for code in ("fr", "de")]
    assert chosen[0] == chosen[1]


def test_at_most_a_fifth_is_held_out_and_of_few_pairs_none():
    assert len(hold_out(numbered(50), 100)[1]) == 10
    kept, held = hold_out(numbered(20), 100)
    assert (len(kept), held) == (20, [])
    assert hold_out(numbered(100), 0)[1] == []


def test_the_seed_chooses():
    first, again, other = (hold_out(numbered(100), 10, seed=seed)[1] for seed in (0, 0, 1))
    assert first == again != other
    with pytest.raises(ValueError, match=r"seed must be from 0 to 2\*\*64 - 1, got -1"):
        hold_out(numbered(100), 10, seed=-1)


def test_scores_are_those_of_nearest_neighbours_both_ways():
    rng = np.random.default_rng(0)
    pairs = numbered(30)
    source, target = rng.normal(size=(2, 30, 4))
    target[:20] = source[:20] + 0.3 * rng.normal(size=(20, 4))
    scores = score_translations(pairs, source, target)
    unit = [(rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32) for rows in (source, target)]
    assert scores["fr-en"].accuracy == pytest.approx(np.mean(parallel_accuracy(*unit, criterion="nn")))
    ranks = [
        1 + sum(a[i] @ other > a[i] @ b[i] for j in range(30) if j != i for other in (a[j], b[j]))
        for a, b in (unit, unit[::-1])
        for i in range(30)
    ]
    assert scores["fr-en"].mrr == pytest.approx(np.mean(1 / np.array(ranks)))
    assert scores["fr-en"].n == 30


def test_language_pairs_are_searched_apart_and_count_alike():
    pairs = numbered(10, "fr") + numbered(40, "de")
    english = np.eye(40)[[*range(10), *range(40)]]
    french_right = np.concatenate([english[:10], np.ones((40, 40))])
    scores = score_translations(pairs, french_right, english)
    assert scores["fr-en"].accuracy == 1.0
    assert scores["de-en"].accuracy < 1.0
    assert mean_scores(scores)["accuracy"] == pytest.approx((1.0 + scores["de-en"].accuracy) / 2)


def test_a_collapsed_encoder_finds_nothing_and_has_no_spread():
    same = np.ones((20, 3))
    scores = score_translations(numbered(20), same, same)
    assert scores["fr-en"].accuracy == 0.0
    assert scores["fr-en"].mrr == pytest.approx(1 / 39)  # behind the 19 other texts of each language
    assert spread(same) == pytest.approx(0.0, abs=1e-12)


def test_spread_is_the_variance_of_unit_vectors():
    rows = np.random.default_rng(0).normal(size=(50, 5)) + 1
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    assert spread(rows) == pytest.approx(np.square(unit - unit.mean(axis=0)).sum(axis=1).mean())


def test_accuracy_is_the_share_of_equal_labels():
    assert accuracy(["a", "b", "b", "c"], ["a", "b", "c", "c"]) == 0.75


def test_label_f1_is_macro_f1_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    gold = rng.choice(list("abcde"), 200, p=[0.5, 0.2, 0.2, 0.08, 0.02]).tolist()
    predicted = [g if rng.random() < 0.6 else p for g, p in zip(gold, rng.choice(list("abcde"), 200), strict=True)]
    assert label_f1(gold, predicted) == pytest.approx(metrics.f1_score(gold, predicted, average="macro"), abs=1e-12)


def test_spans_begin_at_b_and_at_what_continues_nothing():
    assert spans(["O", "B-A", "I-A", "B-A", "I-B", "O", "I-C"]) == [(1, 3, "A"), (3, 4, "A"), (4, 5, "B"), (6, 7, "C")]
    assert spans(["O", "O"]) == spans([]) == []


def test_span_f1_counts_whole_spans_of_the_right_type():
    gold = [["B-PER", "I-PER", "O", "B-LOC"], ["B-ORG"]]
    predicted = [["B-PER", "I-PER", "O", "B-ORG"], ["O"]]
    # 1 of 2 found is right, 1 of 3 wanted is found
    assert span_f1(gold, predicted) == pytest.approx(2 * (1 / 2) * (1 / 3) / (1 / 2 + 1 / 3))
    assert span_f1(gold, gold) == 1.0
    assert span_f1([["O"]], [["O"]]) == 0.0


def test_nothing_to_score_is_refused():
    for score in (accuracy, label_f1, span_f1):
        with pytest.raises(ValueError, match="must correspond"):
            score([], [])
        with pytest.raises(ValueError, match="must correspond"):
            score(["a"], [])
