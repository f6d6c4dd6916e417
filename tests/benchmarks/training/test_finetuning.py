import numpy as np
import pytest

from interlingua.benchmarks.harness.datasets import data_folder
from interlingua.benchmarks.training import distillation, finetuning


def test_mixed_accuracy_counts_texts_of_the_own_language_as_candidates():
    rng = np.random.default_rng(0)
    queries, answers = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in rng.normal(size=(2, 12, 3)))
    answers = 0.7 * queries + 0.3 * answers
    answers /= np.linalg.norm(answers, axis=1, keepdims=True)
    right = 0
    for i in range(12):
        others = [queries[i] @ rows[j] for rows in (queries, answers) for j in range(12) if j != i]
        right += queries[i] @ answers[i] > max(others)
    assert finetuning.mixed_accuracy(queries, answers) == pytest.approx(right / 12)
    assert 0 < right < 12


def test_training_pairs_are_all_into_english():
    try:
        data_folder("ntrex-128"), data_folder("open-bibles")
    except FileNotFoundError:
        pytest.skip("the data sets are not here")
    pairs = finetuning.training_pairs()
    assert {pair.target_language for pair in pairs} == {"eng"}
    assert {pair.source_language for pair in pairs} == set(finetuning.TATOEBA_LANGUAGES)
    assert sum(pair.source_language == "swh" for pair in pairs) > 2000


def test_a_student_that_is_the_teacher_is_scored_alike_both_ways(monkeypatch):
    texts = [f"text {i}" for i in range(6)]
    monkeypatch.setattr(distillation, "TATOEBA_LANGUAGES", ("fin",))
    monkeypatch.setattr(distillation, "read_tatoeba", lambda language: (texts, texts))

    class OneHot:
        dimension = 6

        def encode(self, chosen):
            return np.eye(6, dtype=np.float32)[[texts.index(each) for each in chosen]]

    assert distillation.score_student(OneHot(), OneHot()) == {"fin": [100.0, 100.0, 100.0, 100.0, pytest.approx(5 / 6)]}
