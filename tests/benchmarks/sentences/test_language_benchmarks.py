"""The arithmetic of xquad_r and sib200 on made-up vectors: no encoder, no data set."""

import numpy as np
import pytest

from interlingua.align.language import Centring
from interlingua.benchmarks.search.search import average_precision
from interlingua.benchmarks.sentences import xquad_r


def test_ranks_are_those_of_a_sorted_list():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(20, 60))
    right = np.array([rng.permutation(60)[:4] for _ in range(20)])
    right[3, 2:] = -1
    precision, cut, reciprocal = xquad_r.rank_metrics(scores, right)
    for row in range(20):
        order = np.argsort(-scores[row])
        wanted = {int(each) for each in right[row] if each >= 0}
        assert precision[row] == pytest.approx(average_precision(order.tolist(), wanted))
        assert cut[row] == pytest.approx(average_precision(order[:20].tolist(), wanted))
        assert reciprocal[row] == pytest.approx(1 / (1 + min(order.tolist().index(each) for each in wanted)))


def test_equal_scores_do_not_count_twice():
    precision, _, _ = xquad_r.rank_metrics(np.zeros((1, 5)), np.array([[0, 1]]))
    assert precision[0] <= 1


def two_languages(push):
    rng = np.random.default_rng(0)
    meaning = rng.normal(size=(30, 16))
    unit = lambda x: (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)  # noqa: E731
    questions, sentences = (
        {
            name: unit(meaning + push * np.eye(16)[number] + 0.1 * rng.normal(size=meaning.shape))
            for number, name in enumerate(("en", "zh"))
        }
        for _ in range(2)
    )
    return xquad_r.Pool(questions, sentences, {name: np.arange(30) for name in ("en", "zh")})


@pytest.mark.parametrize("criterion", xquad_r.CRITERIA)
def test_a_pool_without_language_is_answered_in_full(criterion):
    scores = xquad_r.score_pool(two_languages(push=0.0), None, criterion)
    assert scores.precision == pytest.approx(1.0, abs=0.02)
    assert scores.single_mrr == 1.0
    assert scores.own_language == pytest.approx(0.5, abs=0.1)


def test_spaces_are_used_by_role():
    pool = two_languages(push=8.0)
    raw = xquad_r.score_pool(pool, None, "cosine")
    spaces = Centring().fit(pool.questions).space_, Centring().fit(pool.sentences).space_
    centred = xquad_r.score_pool(pool, spaces, "cosine")
    assert raw.precision < 0.7 < 0.95 < centred.precision
    assert raw.own_language > 0.95
    assert xquad_r.score_pool(pool, None, "balanced").precision > raw.precision


def test_a_language_without_the_answer_is_not_asked_for_it():
    pool = two_languages(push=0.0)
    answers = dict(pool.answers)
    answers["zh"] = np.where(np.arange(30) < 10, answers["zh"], -1)
    scores = xquad_r.score_pool(xquad_r.Pool(pool.questions, pool.sentences, answers), None, "cosine")
    assert 0.6 < scores.precision <= 1  # the sentence in the other language comes first now and then
    assert scores.mrr == pytest.approx(scores.precision, abs=0.3)
