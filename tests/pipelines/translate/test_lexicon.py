import numpy as np
import pytest
from scipy.stats import contingency

from interlingua.align import SeedDictionary
from interlingua.pipelines.texts.pairs import Pair
from interlingua.pipelines.translate.lexicon import extend_dictionary, lexicon_from_bitext


@pytest.fixture
def bitext():
    """Sentences of six concepts out of 60, each said word by word in both languages, in another order."""
    rng = np.random.default_rng(0)
    drawn = [rng.choice(60, size=6, replace=False) for _ in range(150)]
    return [
        Pair(" ".join(f"e{each}" for each in row), " ".join(f"f{each}" for each in rng.permutation(row)), "en", "fr")
        for row in drawn
    ]


@pytest.mark.parametrize("association", ["log-likelihood", "dice"])
@pytest.mark.parametrize("one_to_one", ["mutual", "stable"])
def test_words_said_in_the_same_sentences_are_found(bitext, association, one_to_one):
    found = lexicon_from_bitext(bitext, association=association, one_to_one=one_to_one)
    right = [source[1:] == target[1:] for source, target in found.words]
    assert sum(right) == 60
    assert all(right[:60])
    assert (np.diff(found.scores) <= 0).all()
    assert found.n_pairs == 150


def test_log_likelihood_is_that_of_the_table_of_counts(bitext):
    found = lexicon_from_bitext(bitext)
    (source, target), k = found.words[0], int(found.together[0])
    holds = np.array([[source in p.source.split(), target in p.target.split()] for p in bitext])
    a, b = holds.sum(axis=0)
    assert k == holds.all(axis=1).sum()
    cells = [[k, a - k], [b - k, len(bitext) - a - b + k]]
    wanted = contingency.chi2_contingency(np.array(cells) + 0.0, correction=False, lambda_="log-likelihood").statistic
    assert found.scores[0] == pytest.approx(wanted, rel=1e-5)


def test_dice_is_twice_the_common_over_the_sum(bitext):
    found = lexicon_from_bitext(bitext, association="dice", least=0.9)
    assert found.scores == pytest.approx(1.0)


def test_rare_and_weak_pairs_are_left_out(bitext):
    assert lexicon_from_bitext(bitext, at_least=10).together.min() >= 10
    assert lexicon_from_bitext(bitext, least=60.0).scores.min() >= 60
    assert len(lexicon_from_bitext(bitext[:1], at_least=1)) == 0  # in one sentence everything is together by chance


def test_only_words_of_a_vocabulary_are_found_even_without_spaces():
    texts = [("red sun", "红太阳"), ("the sun", "太阳"), ("a red road", "红路"), ("roads", "路"), ("one", "一")]
    pairs = [Pair(*each) for each in texts]
    found = lexicon_from_bitext(pairs, source_vocabulary={"sun", "red"}, target_vocabulary={"太阳", "红", "路"})
    assert dict(found.words) == {"sun": "太阳", "red": "红"}


def test_what_the_seed_knows_is_not_contradicted(bitext):
    seed = SeedDictionary((("e1", "f2"), ("zebra", "zèbre")))
    grown = extend_dictionary(seed, lexicon_from_bitext(bitext, least=20.0))
    assert grown.pairs[:2] == seed.pairs
    assert len(grown) == 2 + 58  # neither e1 nor f2 a second time
    assert extend_dictionary(seed, seed) == seed


@pytest.mark.parametrize(
    ("pairs", "options", "message"),
    [
        ([], {}, "got 0 of none"),
        ([Pair("a", "b", "en", "fr"), Pair("a", "b", "en", "de")], {}, "got 2 of en-de, en-fr"),
        ([Pair("a", "b")], {"association": "cosine"}, "'cosine' and 'mutual'"),
        ([Pair("a", "b")], {"at_least": 0}, "but is 0"),
    ],
)
def test_wrong_arguments_are_named(pairs, options, message):
    with pytest.raises(ValueError, match=message):
        lexicon_from_bitext(pairs, **options)
