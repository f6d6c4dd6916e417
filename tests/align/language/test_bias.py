import numpy as np
import pytest
from scipy.stats import spearmanr

from interlingua.align.language import Centring, language_bias, language_probe
from interlingua.align.language.bias import mean_rank_correlation, neighborhood_levels, translation_ranks

NAMES = ("en", "zh", "ar")


def translated(n=40, d=12, push=3.0, noise=0.3, seed=0):
    """The same n meanings in three languages, each pushed along an axis of its own; ids tell the meanings."""
    rng = np.random.default_rng(seed)
    meaning = rng.normal(size=(n, d))
    rows = np.concatenate([meaning + push * np.eye(d)[i] + noise * rng.normal(size=(n, d)) for i in range(3)])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float32), [name for name in NAMES for _ in range(n)], list(range(n)) * 3


def brute_force(rows, languages, ids, k):
    """Everything by its definition, one query after the other."""
    languages, ids = np.array(languages), np.array(ids)
    same, single, mixed, first = [], {}, {}, []
    for q in range(len(rows)):
        scores = rows @ rows[q]
        others = np.arange(len(rows)) != q
        order = [i for i in np.argsort(-scores, kind="stable") if others[i]]
        same.append(np.mean([languages[i] == languages[q] for i in order[:k]]))
        right = [i for i in order if ids[i] == ids[q]]
        first.append((languages[q], languages[right[0]]))
        for i in right:
            pair = (languages[q], languages[i])
            better = [j for j in order if ids[j] != ids[q] and scores[j] > scores[i]]
            alone = [j for j in better if languages[j] == languages[i]]
            single.setdefault(pair, []).append(len(alone) < k)
            mixed.setdefault(pair, []).append(len(better) < k)
    return np.mean(same), *({pair: np.mean(v) for pair, v in each.items()} for each in (single, mixed)), first


def test_every_measure_is_its_definition():
    rows, languages, ids = translated()
    report = language_bias(rows, languages, ids, k=3)
    same, single, mixed, first = brute_force(rows, languages, ids, 3)
    assert report.same_language_share == pytest.approx(same, abs=1e-9)
    assert report.fair_share == pytest.approx(39 / 119)
    for (a, b), value in single.items():
        assert report.translations.recall_single[NAMES.index(a), NAMES.index(b)] == pytest.approx(value)
        assert report.translations.recall_mixed[NAMES.index(a), NAMES.index(b)] == pytest.approx(mixed[a, b])
    for i, a in enumerate(NAMES):
        for j, b in enumerate(NAMES):
            expected = np.mean([there == b for asked, there in first if asked == a])
            assert report.translations.first_language[i, j] == pytest.approx(expected)
    assert np.isnan(report.translations.preference)  # no query has a right row in its own language
    assert np.nansum(report.shares, axis=1) == pytest.approx([1, 1, 1])


def test_languages_pushed_apart_are_found_out_and_centring_mends_it():
    rows, languages, ids = translated(push=6.0)
    raw = language_bias(rows, languages, ids)
    groups = {name: rows[np.array(languages) == name] for name in NAMES}
    space = Centring().fit(groups).space_
    mended = language_bias(np.concatenate([space.transform(groups[name], name) for name in NAMES]), languages, ids)
    assert raw.same_language_share > 0.9 > 0.5 > mended.same_language_share
    assert raw.translations.mixed < 0.2 < 0.9 < mended.translations.mixed
    assert raw.lost > 0.7 > 0.1 > mended.lost
    assert raw.probe.accuracy == 1.0 > 0.5 > mended.probe.accuracy
    assert raw.translations.rank_correlation < 0.3 < 0.7 < mended.translations.rank_correlation
    assert raw.score_offsets.min() > 0.3 > np.abs(mended.score_offsets).max()


def test_vectors_without_language_are_fair():
    rng = np.random.default_rng(0)
    rows, languages = rng.normal(size=(600, 8)), list(rng.permutation(["en"] * 400 + ["zh"] * 200))
    report = language_bias(rows, languages)
    assert report.same_language_share == pytest.approx(report.fair_share, abs=0.03)
    assert np.abs(report.score_offsets).max() < 0.1
    assert report.probe.accuracy == pytest.approx(report.probe.majority, abs=0.06)
    assert report.translations is None
    assert np.isnan(report.lost)


def test_questions_prefer_their_language_where_answers_are_in_all():
    rows, languages, ids = translated(push=3.0)
    rng = np.random.default_rng(1)
    questions = rows + 0.02 * rng.normal(size=rows.shape)
    report = language_bias(rows, languages, ids, queries=questions, query_languages=languages, query_ids=ids)
    assert report.translations.fair_preference == pytest.approx(1 / 3)
    best = (questions @ rows.T).argmax(axis=1)
    assert report.translations.preference == pytest.approx(np.mean(best == np.arange(len(rows))), abs=0.02)


def test_levels_are_means_over_the_ten_nearest_without_the_query():
    rows, languages, _ = translated()
    codes = np.array([NAMES.index(each) for each in languages])
    _, _, levels = neighborhood_levels(rows, codes, rows, codes, 3, 5, np.arange(len(rows)))
    scores = (rows @ rows.T).astype(np.float64)
    np.fill_diagonal(scores, -np.inf)
    for i in range(3):
        for j in range(3):
            nearest = np.sort(scores[np.ix_(codes == i, codes == j)], axis=1)[:, -10:]
            assert levels[i, j] == pytest.approx(nearest.mean(), abs=1e-6)


def test_the_rank_correlation_is_that_of_scipy():
    rows, languages, ids = translated(n=10)
    codes, groups = np.array([NAMES.index(each) for each in languages]), np.array(ids)
    found = mean_rank_correlation(rows, codes, groups, rows, groups, np.random.default_rng(0))
    values = []
    for group in range(10):
        others = groups != group
        scores = rows[groups == group] @ rows[others].T
        values += [spearmanr(scores[a], scores[b])[0] for a, b in ((0, 1), (0, 2), (1, 2))]
    assert found == pytest.approx(np.mean(values), abs=1e-6)


def test_a_sample_asks_all_languages_alike_and_the_same_again():
    rows, languages, ids = translated()
    report = language_bias(rows, languages, ids, sample=30, seed=3)
    assert report.n_queries == 30
    assert np.isfinite(report.shares).all()
    assert report.same_language_share == language_bias(rows, languages, ids, sample=30, seed=3).same_language_share


def test_equal_rows_do_not_lose_their_own():
    rows = np.ones((20, 3), np.float32)
    report = language_bias(rows, ["a", "b"] * 10, k=3)
    assert 0 <= report.same_language_share <= 1


def test_ids_without_a_translation_measure_nothing():
    rows, languages, _ = translated(n=5)
    assert language_bias(rows, languages, list(range(15))).translations is None


def test_ranks_do_not_depend_on_the_size_of_blocks(monkeypatch):
    rows, languages, ids = translated()
    codes = np.array([NAMES.index(each) for each in languages])
    arguments = (rows, np.array(ids), rows, codes, np.array(ids), 3, np.arange(len(rows)))
    whole = translation_ranks(*arguments)
    monkeypatch.setattr("interlingua.align.language.bias._BLOCK", 7 * len(rows))
    for one, other in zip(whole, translation_ranks(*arguments), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_translations_of_a_training_sentence_are_not_in_the_test():
    # the vector tells the sentence alone; only a leak of sentences could name the odd language of each
    rng = np.random.default_rng(0)
    rows = np.repeat(np.eye(200), 2, axis=0) + 0.01 * rng.normal(size=(400, 200))
    languages = np.repeat(rng.permutation(["a", "b"] * 100), 2)
    ids = np.repeat(np.arange(200), 2)
    assert language_probe(rows, languages).accuracy > 0.65  # half of the test rows have their twin in the training
    assert language_probe(rows, languages, ids).accuracy < 0.6


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((np.ones((4, 2)), ["a"] * 4), "all rows are in 'a'"),
        ((np.ones((4, 2)), ["a", "b"]), "4 vectors, 2 languages"),
        ((np.ones((4, 2)), ["a", "a", "a", "b"]), "b has fewer"),
        ((np.ones((6, 2)), ["a"] * 3 + ["b"] * 3, [1, 2]), "at most 5 hits exist"),
        ((np.ones((8, 2)), ["a"] * 4 + ["b"] * 4, [1, 2]), "for each of the 8 vectors"),
    ],
)
def test_misuse_is_named(arguments, said):
    with pytest.raises(ValueError, match=said):
        language_bias(*arguments)


def test_questions_in_a_language_that_nothing_is_in_are_refused():
    with pytest.raises(ValueError, match="queries are in sv, but no vector is"):
        language_bias(np.ones((4, 2)), ["a", "a", "b", "b"], queries=np.ones((1, 2)), query_languages=["sv"])
