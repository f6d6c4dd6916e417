import numpy as np
import pytest

from interlingua.align.arrays import unit_rows
from interlingua.align.neighbors import retrieve
from interlingua.align.word.reranking.candidates import (
    SPELLING_FEATURES,
    VECTOR_FEATURES,
    MappedVocabularies,
    spelling_features,
    vector_features,
)
from interlingua.align.word.reranking.spelling import SpellingModel


@pytest.fixture
def mapped():
    rng = np.random.default_rng(0)
    return MappedVocabularies(
        unit_rows(rng.normal(size=(40, 5)).astype(np.float32)), unit_rows(rng.normal(size=(30, 5)).astype(np.float32))
    )


def csls(mapped):
    cosines = mapped.source.astype(np.float64) @ mapped.target.T
    nearest = [np.sort(each, axis=1)[:, -10:].mean(axis=1) for each in (cosines, cosines.T)]
    return 2 * cosines - nearest[0][:, None] - nearest[1]


def test_candidates_are_those_of_csls(mapped):
    rows = np.array([3, 17, 39])
    found = mapped.candidates(rows, 8)
    expected = retrieve(mapped.source[rows], mapped.target, 8, background=mapped.source)
    np.testing.assert_array_equal(found.ids, expected.ids)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-6)


def test_the_margin_is_positive_for_mutual_neighbours_alone(mapped):
    rows = np.arange(40)
    found = mapped.candidates(rows, 30)
    table = csls(mapped)
    margin = mapped.margin(rows, found.ids)
    for row in rows:
        for place, candidate in enumerate(found.ids[row]):
            other = np.delete(table[:, candidate], row).max()
            assert margin[row, place] == pytest.approx(table[row, candidate] - other, abs=1e-5)
    assert ((margin > 0) == (table.argmax(axis=0)[found.ids] == rows[:, None])).all()


def test_each_vector_feature_is_its_definition(mapped):
    rng = np.random.default_rng(1)
    own = MappedVocabularies(
        unit_rows(rng.normal(size=(40, 4)).astype(np.float32)), unit_rows(rng.normal(size=(30, 4)).astype(np.float32))
    )
    rows, ids, dictionary = np.array([0, 5]), np.array([[2, 9], [0, 29]]), np.array([[5, 0], [6, 3], [7, 9]])
    features = dict(zip(VECTOR_FEATURES, np.moveaxis(vector_features(mapped, own, rows, ids, dictionary), 2, 0)))
    frequency = np.log1p(ids) / np.log1p(30)
    rank = np.log1p(rows)[:, None] / np.log1p(40)
    np.testing.assert_allclose(features["rank"], [[0, np.log(2)]] * 2, rtol=1e-6)
    np.testing.assert_allclose(features["target frequency"], frequency, rtol=1e-6)
    np.testing.assert_allclose(features["difference of frequencies"], abs(frequency - rank), rtol=1e-5)
    cosines = mapped.source @ mapped.target.T
    np.testing.assert_allclose(features["similarity"], cosines[rows[:, None], ids], atol=1e-6)
    np.testing.assert_allclose(features["hubness"], np.sort(cosines, axis=0)[-10:].mean(axis=0)[ids], atol=1e-6)
    np.testing.assert_allclose(features["margin of the source word"], mapped.margin(rows, ids), atol=1e-6)
    for i, row in enumerate(rows):
        others = dictionary[dictionary[:, 0] != row]
        weights = np.exp(own.source[others[:, 0]] @ own.source[row] / 0.05)
        mean = weights @ own.target[others[:, 1]]
        np.testing.assert_allclose(
            features["similarity to translations of neighbours"][i],
            own.target[ids[i]] @ mean / np.linalg.norm(mean),
            atol=1e-5,
        )


def test_without_a_dictionary_nothing_is_near_a_translation(mapped):
    features = vector_features(mapped, mapped, np.array([0]), np.array([[1, 2]]), np.empty((0, 2), np.int64))
    assert features[..., VECTOR_FEATURES.index("similarity to translations of neighbours")].tolist() == [[0, 0]]


def test_spelling_features_are_the_scores_of_the_model():
    model = SpellingModel.fit(["ab", "ba", "abb"], ["xy", "yx", "xyy"])
    ids, csls_scores = np.array([[1, 0]]), np.array([[0.5, -0.25]], np.float32)
    features = spelling_features(model, ["ab"], ["xy", "yyyyyy"], ids, csls_scores)[0]
    expected = model.scores(["ab", "ab"], ["yyyyyy", "xy"])
    assert len(SPELLING_FEATURES) == 3
    assert expected[0] < 0 < expected[1]
    np.testing.assert_allclose(features[:, 0], expected, rtol=1e-6)
    np.testing.assert_allclose(features[:, 1], [0, expected[1]], rtol=1e-6)
    np.testing.assert_allclose(features[:, 2], expected * csls_scores[0], rtol=1e-6)
