"""Scores against counts by hand."""

import numpy as np
import pytest

from interlingua.pipelines.train.scores import accuracy, label_f1, span_f1, spans


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
