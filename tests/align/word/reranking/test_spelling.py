from functools import cache

import numpy as np
import pytest

from interlingua.align.word.reranking.spelling import EndingPairs, SpellingModel, _encode, endings

CIPHER = str.maketrans("abcdefghij", "абцдефгхиж")


def random_words(count, seed, letters="abcdefghij"):
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list(letters), size=rng.integers(3, 8))) for _ in range(count)]


@pytest.fixture(scope="module")
def cipher():
    """Half of the pairs are one word in two alphabets, half are unrelated."""
    words = random_words(400, 0)
    others = [word.translate(CIPHER) for word in words[:200]]
    others += [word.translate(CIPHER) for word in random_words(200, 1)]
    return words, others


def brute_force(model, s, t):
    """Sum over all edit sequences by recursion, in log-odds against independent letters, per character."""
    source = {letter: i for i, letter in enumerate(model.source_characters, start=1)}
    target = {letter: i for i, letter in enumerate(model.target_characters, start=1)}
    a = [source.get(letter, len(source) + 1) for letter in s]
    b = [target.get(letter, len(target) + 1) for letter in t]

    @cache
    def rest(i, j):
        total = model.ends[0] if (i, j) == (len(a), len(b)) else 0.0
        if i < len(a):
            total += model.edits[a[i], 0] * rest(i + 1, j)
        if j < len(b):
            total += model.edits[0, b[j]] * rest(i, j + 1)
        if i < len(a) and j < len(b):
            total += model.edits[a[i], b[j]] * rest(i + 1, j + 1)
        return total

    of_source = np.prod([(1 - model.ends[1]) * model.source_frequencies[x] for x in a]) * model.ends[1]
    of_target = np.prod([(1 - model.ends[2]) * model.target_frequencies[x] for x in b]) * model.ends[2]
    return np.log(rest(0, 0) / (of_source * of_target)) / max(len(a), len(b))


def test_scores_sum_over_all_edit_sequences(cipher):
    model = SpellingModel.fit(*cipher, n_iterations=3)
    pairs = [("abc", "абц"), ("abcd", "а"), ("j", "жжж"), ("aZb", "аЯб")]
    expected = [brute_force(model, *pair) for pair in pairs]
    np.testing.assert_allclose(model.scores(*zip(*pairs, strict=True)), expected, rtol=1e-5)


def test_probabilities_of_all_edits_and_the_end_sum_to_one(cipher):
    model = SpellingModel.fit(*cipher, n_iterations=2)
    assert model.edits.sum() + model.ends[0] == pytest.approx(1.0)
    assert model.edits.min() >= 0
    assert model.source_frequencies.sum() == pytest.approx(1.0)


def test_a_cipher_is_read_off_the_pairs(cipher):
    model = SpellingModel.fit(*cipher)
    assert model.related == pytest.approx(0.5, abs=0.05)
    for letter in "abcdefghij":
        best = model.edits[1 + model.source_characters.index(letter), 1:].argmax()
        assert model.target_characters[best] == letter.translate(CIPHER)
    new = random_words(100, 2)
    related = model.scores(new, [word.translate(CIPHER) for word in new])
    unrelated = model.scores(new, [word.translate(CIPHER) for word in random_words(100, 3)])
    assert related.min() > unrelated.max()


def test_each_iteration_raises_the_likelihood_with_its_prior(cipher):
    model = SpellingModel.fit(*cipher, n_iterations=0)
    sides = [_encode(cipher[0], model.source_characters), _encode(cipher[1], model.target_characters)]
    likelihoods = []
    for _ in range(8):
        model, likelihood = model._maximise(sides)
        likelihoods.append(likelihood)
    assert np.diff(likelihoods).min() > 0


def test_the_expected_edits_of_one_pair_are_those_of_its_sequences():
    """ "a" and "б" grow by one substitution, or by a deletion and an insertion in either order."""
    model = SpellingModel.fit(["a"], ["б"], n_iterations=0)
    sides = [_encode(["a"], "a"), _encode(["б"], "б")]
    substitution, two_gaps = model.edits[1, 1], 2 * model.edits[1, 0] * model.edits[0, 1]
    related = model.related * model.ends[0] * (substitution + two_gaps)
    chance = (1 - model.related) * np.prod(
        [end * (1 - end) * frequencies[1] for end, frequencies in
         ((model.ends[1], model.source_frequencies), (model.ends[2], model.target_frequencies))]
    )  # fmt: skip
    share = related / (related + chance)
    prior = np.outer([1 / 3, *model.source_frequencies[1:]], [1 / 3, *model.target_frequencies[1:]])
    counts = prior.copy()
    counts[0, 0] = 0
    counts[1, 1] += share * substitution / (substitution + two_gaps)
    counts[1, 0] += share * two_gaps / (substitution + two_gaps)
    counts[0, 1] += share * two_gaps / (substitution + two_gaps)
    after, _ = model._maximise(sides)
    np.testing.assert_allclose(after.edits, counts / (counts.sum() + share), rtol=1e-9)
    assert after.related == pytest.approx(share)


def test_words_of_any_length_and_letter_have_a_finite_score(cipher):
    model = SpellingModel.fit(*cipher, n_iterations=1)
    assert np.isfinite(model.scores(["x" * 500, "a", "日本"], ["ж", "я" * 500, "日本"])).all()


@pytest.mark.parametrize("wrong", [([], []), (["a"], []), (["a", ""], ["b", "c"])])
def test_words_without_a_partner_or_letters_are_refused(wrong):
    with pytest.raises(ValueError, match="words must come in pairs, none of them empty"):
        SpellingModel.fit(*wrong)


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
