import numpy as np
import pytest

from interlingua.align.arrays import unit_rows
from interlingua.align.evaluation import lexicon_score, parallel_accuracy


def test_accuracy_counts_rows_that_find_their_own_translation():
    y = np.eye(4, dtype=np.float32)
    x = y[[1, 0, 2, 3]]
    assert parallel_accuracy(x, y, criterion="nn") == (0.5, 0.5)


def test_rows_must_correspond():
    with pytest.raises(ValueError, match="source has 2 and target 3 rows"):
        parallel_accuracy(np.eye(3)[:2], np.eye(3))


def test_lexicon_score_is_its_definition():
    rng = np.random.default_rng(0)
    x = unit_rows(rng.normal(size=(60, 10)).astype(np.float32))
    y = unit_rows(x + 0.4 * rng.normal(size=x.shape).astype(np.float32))
    gold = {3: np.array([3]), 10: np.array([11, 10]), 20: np.array([50])}
    scores = x.astype(np.float64) @ y.astype(np.float64).T
    ranks = []
    for row, right in gold.items():
        order = np.argsort(-scores[row])
        ranks.append(min(int(np.flatnonzero(order == each)[0]) + 1 for each in right))
    got = lexicon_score(x, y, gold, n_asked=4, criterion="nn")
    assert got.precision_at_1 == pytest.approx(np.mean([rank <= 1 for rank in ranks]))
    assert got.precision_at_10 == pytest.approx(np.mean([rank <= 10 for rank in ranks]))
    assert got.mrr == pytest.approx(np.mean([1 / rank if rank <= 10 else 0 for rank in ranks]))
    assert (got.n_words, got.coverage) == (3, 0.75)


def test_no_covered_word_is_an_error():
    with pytest.raises(ValueError, match="no test word has a vector"):
        lexicon_score(np.eye(3), np.eye(3), {})
