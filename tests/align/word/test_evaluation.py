import numpy as np
import pytest
from scipy.stats import bootstrap

from interlingua.align.arrays import unit_rows
from interlingua.align.neighbors import mean_neighbor_similarity
from interlingua.align.word import evaluation as module
from interlingua.align.word.evaluation import (
    bootstrap_interval,
    estimated_ranks,
    gold_rows,
    lexicon_ranks,
    lexicon_report,
    lexicon_score,
    parallel_accuracy,
    reciprocal_ranks,
)


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


def test_interval_is_that_of_scipy():
    hits = np.random.default_rng(0).random(300) < 0.6
    got = bootstrap_interval(hits, level=0.9, n_resamples=4000)
    expected = bootstrap(
        (hits.astype(float),), np.mean, confidence_level=0.9, n_resamples=4000, method="percentile", vectorized=True
    ).confidence_interval
    # two Monte Carlo runs: each end moves by about 0.001
    assert got.low == pytest.approx(expected.low, abs=0.007)
    assert got.high == pytest.approx(expected.high, abs=0.007)
    assert got.level == 0.9


def test_interval_repeats_with_the_seed_and_narrows_with_the_sample():
    hits = np.tile([1, 1, 0], 30)
    first, again, other = (bootstrap_interval(hits, seed=seed) for seed in (0, 0, 1))
    assert first == again != other
    more = bootstrap_interval(np.tile(hits, 16), n_resamples=500)
    # sixteen times the words: a quarter of the width
    assert (more.high - more.low) / (first.high - first.low) == pytest.approx(0.25, abs=0.05)


@pytest.mark.parametrize(
    ("values", "parameters", "said"),
    [([], {}, "n >= 1"), ([1, 0], {"level": 1.0}, "level must lie"), ([1, 0], {"n_resamples": 0}, "at least 1")],
)
def test_interval_refuses_what_it_cannot_do(values, parameters, said):
    with pytest.raises(ValueError, match=said):
        bootstrap_interval(values, **parameters)


def test_ranks_are_the_same_in_every_namespace(to_namespace):
    rng = np.random.default_rng(0)
    x = unit_rows(rng.normal(size=(40, 6)).astype(np.float32))
    y = unit_rows(x + 0.5 * rng.normal(size=x.shape).astype(np.float32))
    gold = {row: np.array([row]) for row in (30, 2, 17)}
    scores = x.astype(np.float64) @ y.astype(np.float64).T
    expected = 1 + np.array([(scores[row] > scores[row, row]).sum() for row in gold])
    got = lexicon_ranks(to_namespace(x), to_namespace(y), gold, criterion="nn")
    np.testing.assert_array_equal(got, np.where(expected <= 10, expected, 0))


def test_report_agrees_with_the_score_and_its_bands_add_up():
    rng = np.random.default_rng(0)
    x = unit_rows(rng.normal(size=(90, 10)).astype(np.float32))
    y = unit_rows(x + 0.5 * rng.normal(size=x.shape).astype(np.float32))
    gold = {row: np.array([row]) for row in (5, 9, 10, 11, 40, 60, 61, 89)}
    report = lexicon_report(x, y, gold, n_asked=12, bin_edges=(10, 50, 70, 80, 500), n_resamples=50)
    assert report.score == lexicon_score(x, y, gold, n_asked=12)
    assert report.interval.low <= report.score.precision_at_1 <= report.interval.high
    assert [(each.first, each.last, each.score.n_words) for each in report.bins] == [
        (1, 10, 2),
        (11, 50, 3),
        (51, 70, 2),
        (81, 90, 1),
    ]
    ranks = dict(zip(gold, lexicon_ranks(x, y, gold), strict=True))
    assert report.bins[1].score.precision_at_1 == pytest.approx(np.mean([ranks[row] == 1 for row in (10, 11, 40)]))


def test_report_refuses_edges_that_do_not_rise():
    with pytest.raises(ValueError, match="must be positive and rise"):
        lexicon_report(np.eye(3), np.eye(3), {0: np.array([0])}, bin_edges=(5, 5))


def test_gold_rows_group_the_translations():
    grouped = gold_rows(np.array([[3, 1], [2, 5], [3, 0]]))
    assert {word: rows.tolist() for word, rows in grouped.items()} == {3: [1, 0], 2: [5]}


def test_gold_words_with_zero_vectors_are_left_out_not_wrong():
    x = np.eye(4, dtype=np.float32)
    source, target = np.insert(x, [0], 0.0, axis=0), np.insert(x, [4], 0.0, axis=0)
    gold = {0: np.array([2]), 1: np.array([0]), 2: np.array([4, 1]), 3: np.array([4])}
    score = lexicon_score(source, target, gold)
    assert (score.precision_at_1, score.n_words, score.n_asked) == (1.0, 2, 4)
    report = lexicon_report(source, target, gold)
    assert report.score == score


@pytest.mark.parametrize("noise", [0.3, 1.0])
def test_estimated_ranks_are_near_those_among_all(noise):
    rng = np.random.default_rng(0)
    meaning = rng.normal(size=(6000, 24)) * np.linspace(2, 0.5, 24)
    x, y = (unit_rows((meaning + noise * rng.normal(size=meaning.shape)).astype(np.float32)) for _ in range(2))
    gold = {row: np.array([row]) for row in range(0, 6000, 25)}
    exact, estimated = lexicon_ranks(x, y, gold), estimated_ranks(x, y, gold)
    assert abs(reciprocal_ranks(exact).mean() - reciprocal_ranks(estimated).mean()) < 0.02
    assert (exact == estimated).mean() > 0.8
    small = {row: right for row, right in gold.items() if row < 1000}
    np.testing.assert_array_equal(estimated_ranks(x[:1000], y[:1000], small), lexicon_ranks(x[:1000], y[:1000], small))


def test_hubness_is_the_mean_similarity_to_the_nearest_sources(monkeypatch):
    rng = np.random.default_rng(0)
    candidates, sources = (unit_rows(rng.normal(size=(n, 6)).astype(np.float32)) for n in (50, 40))
    sources[3] = 0  # without a vector: in no mean
    monkeypatch.setattr(module, "_PRODUCTS", 300)
    np.testing.assert_allclose(
        module._hubness(candidates, sources), mean_neighbor_similarity(candidates, sources), atol=1e-6
    )
