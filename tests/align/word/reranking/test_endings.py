import numpy as np

from interlingua.align.word.reranking.spelling import EndingPairs, endings


def test_the_matrix_is_that_of_looking_at_each_pair_of_words():
    rng = np.random.default_rng(0)
    source, target = (
        ["".join(rng.choice(list(letters), size=rng.integers(1, 5))) for _ in range(60)] for letters in ("abc", "xyz")
    )
    known = EndingPairs.learn(source[:40], target[:40])
    ids = rng.integers(60, size=(60, 7))
    expected = [
        [float(first in ("", *endings(word)) and second in endings(target[candidate])) for first, second in known.pairs]
        for word, row in zip(source, ids.tolist(), strict=True)
        for candidate in row
    ]
    assert len(known.pairs) > 20
    np.testing.assert_array_equal(known.matrix(source, target, ids).toarray(), expected)


def test_only_pairs_of_endings_seen_often_enough_are_kept():
    source, target = ["walks", "runs", "sun"], ["marche", "courre", "soleil"]
    assert set(EndingPairs.learn(source, target, least=2).pairs) == {("", "e"), ("s", "e")}
    assert ("ks", "he") in EndingPairs.learn(source, target, least=1).pairs


def test_without_pairs_there_are_no_columns():
    assert EndingPairs(()).matrix(["a"], ["b", "c"], np.array([[0, 1]])).shape == (2, 0)
