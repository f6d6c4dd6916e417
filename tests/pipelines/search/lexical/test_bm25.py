"""BM25 of one language, against the formula."""

import numpy as np
import pytest

from interlingua.pipelines.search.lexical.bm25 import LanguageTexts

_TEXTS = [["a", "b", "a"], ["b", "c"], [], ["a", "c", "c", "d"], ["e"]]


def _formula(texts, asked, k1=1.2, b=0.75):
    n, mean = len(texts), np.mean([len(each) for each in texts])
    scores = np.zeros(n)
    for piece, weight in asked.items():
        holding = sum(piece in each for each in texts)
        rarity = np.log(1 + (n - holding + 0.5) / (holding + 0.5))
        for place, each in enumerate(texts):
            f = each.count(piece)
            scores[place] += weight * rarity * f / (f + k1 * (1 - b + b * len(each) / mean))
    return scores


@pytest.mark.parametrize("asked", [{"a": 1.0}, {"a": 0.5, "c": 2.0, "unknown": 1.0}, {"unknown": 1.0}, {}])
def test_scores_are_those_of_the_formula(asked):
    made = LanguageTexts.of([10, 11, 12, 13, 14], _TEXTS)
    np.testing.assert_allclose(made.scores(asked), _formula(_TEXTS, asked), rtol=1e-6)
    assert made.rows.tolist() == [10, 11, 12, 13, 14]


def test_a_later_text_is_weighed_by_the_statistics_that_are_there():
    made = LanguageTexts.of([0, 1], [["a", "b"], ["a", "c"]])
    made.add(7, ["b", "b", "new"])
    rarity, damping = np.log(1 + 1.5 / 1.5), 1.2 * (0.25 + 0.75 * 3 / 2)
    np.testing.assert_allclose(made.scores({"b": 1.0})[-1], rarity * 2 / (2 + damping))
    assert made.scores({"new": 1.0})[-1] > 0
    assert made.rows.tolist() == [0, 1, 7]
    assert made.drift == 0.5


def test_removed_rows_score_nothing():
    made = LanguageTexts.of([0, 1, 2], [["a"], ["a"], ["b"]])
    made.add(3, ["a"])
    made.remove(np.array([1, 3]))
    assert made.scores({"a": 1.0}).tolist()[1:] == [0.0, 0.0]
    assert made.living.tolist() == [0, 2]


def test_texts_without_a_letter_are_rows_that_nothing_finds():
    made = LanguageTexts.of([4, 5], [[], []])
    assert made.scores({"a": 1.0}).tolist() == [0.0, 0.0]
    made.add(6, ["a"])
    assert made.scores({"a": 1.0})[2] > 0


def test_a_character_by_itself_is_found_inside_of_words():
    made = LanguageTexts.of([0, 1, 2], [["自来", "来水"], ["水"], ["自由"]])
    scores = made.scores({"水": 1.0})
    assert scores[1] > scores[0] > 0
    assert scores[2] == 0
