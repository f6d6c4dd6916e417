import numpy as np
import pytest

from interlingua.align.word.evaluation import parallel_accuracy
from interlingua.align.word.induction import induce_dictionary
from interlingua.align.word.methods.expansion import Expansion
from interlingua.align.word.methods.multi_step import MultiStep


def two_spaces(n=400, d_source=12, d_target=16, noise=1.6, seed=0):
    """The same words in two languages: a linear map and noise."""
    rng = np.random.default_rng(seed)
    source = rng.normal(size=(n, d_source))
    target = source @ rng.normal(size=(d_source, d_target)) / np.sqrt(d_source)
    target = target + noise * rng.normal(size=target.shape) / np.sqrt(d_target)
    return source.astype(np.float32), target.astype(np.float32)


def rows(n):
    return np.stack([np.arange(n), np.arange(n)], axis=1)


def accuracy(space, source, target, start):
    return np.mean(
        parallel_accuracy(space.transform(source, "source")[start:], space.transform(target, "target")[start:])
    )


def test_found_pairs_raise_accuracy_on_words_that_were_not_given():
    source, target = two_spaces()
    plain = MultiStep(normalize="unit", shrinkage=0.3).fit(source, target, rows(30)).space_
    learned = Expansion(normalize="unit", shrinkage=0.3).fit(source, target, rows(30))
    assert accuracy(learned.space_, source, target, 30) > accuracy(plain, source, target, 30) + 0.02


def test_a_round_is_its_definition():
    source, target = two_spaces()
    given = rows(50)
    learned = Expansion(normalize="unit", rounds=1, weight=0.25, shrinkage=0.3).fit(source, target, given)
    first = MultiStep(normalize="unit", shrinkage=0.3).fit(source, target, given).space_
    induced = induce_dictionary(
        first.transform(source, "source"), first.transform(target, "target"), direction="mutual"
    )
    kept = [i for i, (s, t) in enumerate(induced.pairs.tolist()) if s >= 50 and t >= 50]
    scores = induced.scores[kept]
    weights = [2 * 0.25 * sorted(scores.tolist()).index(score) / len(kept) + 2 * 0.25 / len(kept) for score in scores]
    expected = MultiStep(normalize="unit", shrinkage=(0.1, 0.3)).fit(
        source, target, np.concatenate([given, induced.pairs[kept]]), weights=np.concatenate([np.ones(50), weights])
    )
    assert np.array_equal(learned.found_, induced.pairs[kept])
    for name, x in (("source", source), ("target", target)):
        np.testing.assert_allclose(
            learned.space_.maps[name].matrix, expected.space_.maps[name].matrix, rtol=1e-4, atol=1e-5
        )
        assert learned.space_.transform(x, name).shape == (400, 12)


def test_no_found_pair_touches_a_given_word():
    source, target = two_spaces()
    found = Expansion(normalize="unit", shrinkage=0.3).fit(source, target, rows(60)).found_
    assert len(found) > 100
    assert found.min() >= 60


def test_with_every_word_given_nothing_is_found_and_it_says_so():
    source, target = two_spaces(n=60)
    with pytest.warns(RuntimeWarning, match="no pair was found beyond the given ones"):
        learned = Expansion(normalize="unit", shrinkage=0.3).fit(source, target, rows(60))
    plain = MultiStep(normalize="unit", shrinkage=0.3).fit(source, target, rows(60)).space_
    np.testing.assert_allclose(learned.space_.maps["source"].matrix, plain.maps["source"].matrix, atol=1e-6)


@pytest.mark.parametrize("wrong", [{"rounds": 0}, {"weight": 0.0}, {"weight": -1.0}])
def test_parameters_out_of_range_are_refused(wrong):
    source, target = two_spaces(n=60)
    with pytest.raises(ValueError, match="rounds must be at least 1 and weight positive"):
        Expansion(**wrong).fit(source, target, rows(30))
