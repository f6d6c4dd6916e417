"""Cosines against scikit-learn's tf-idf; graphs that share few names."""

import numpy as np
import pytest

from interlingua.pipelines.graphs import KnowledgeGraph, align_graphs
from interlingua.pipelines.graphs.names import similar_names

LEFT = ["香港 1997", "BBC 新聞", "巴黎", "Nokia 3310"]
RIGHT = ["Hong Kong 1997", "BBC News", "Paris", "Nokia 3310", "Nokia 3210"]


def test_cosines_are_those_of_scikit_learn():
    text = pytest.importorskip("sklearn.feature_extraction.text")
    vectors = text.TfidfVectorizer(analyzer="char", ngram_range=(2, 3)).fit_transform(
        [f" {name.casefold()} " for name in LEFT + RIGHT]
    )
    expected = (vectors[: len(LEFT)] @ vectors[len(LEFT) :].T).toarray()
    found = similar_names(LEFT, RIGHT, least=0.01)
    shown = np.zeros(expected.shape)
    shown[found.rows, found.columns] = found.scores
    # scikit-learn's idf is log((1 + n) / (1 + df)) + 1 too
    np.testing.assert_allclose(shown, np.where(expected >= 0.01, expected, 0), atol=1e-5)


def test_equal_names_are_best_and_poor_ones_left_out():
    found = similar_names(LEFT, RIGHT)
    pairs = dict(zip(zip(found.rows.tolist(), found.columns.tolist(), strict=True), found.scores.tolist(), strict=True))
    assert pairs[3, 3] == pytest.approx(1)
    assert pairs[3, 4] < 1
    assert 2 not in found.rows
    assert found.shape == (4, 5)
    keys = found.rows * 5 + found.columns
    assert (np.diff(keys) > 0).all()


def test_each_name_keeps_its_k_best_either_way():
    found = similar_names(["aaa", "aab", "aac"], ["aaa"], k=1, least=0.0)
    assert len(found) == 3
    assert not len(similar_names([], ["a"]))


def family(side, shared):
    """A tree of 40 people with numbers for names, of which the two sides share some."""
    triples = [(f"{side}{child}", f"{side}-{'eldest' if child % 3 == 1 else child % 3}", f"{side}{(child - 1) // 3}")
               for child in range(1, 40)]  # fmt: skip
    names = {
        f"{side}{number}": f"{number} {number} {number}" if number in shared else f"{side * 5}" for number in range(40)
    }
    return KnowledgeGraph.from_triples(triples, names)


def test_graphs_that_share_few_names_are_aligned_by_characters_and_structure():
    shared = {25, 28, 31, 37}
    left, right = family("a", shared), family("ж", shared)
    found = align_graphs(left, right, features=("characters", "structure"), rounds=1)
    good = [each.left[1:] == each.right[1:] for each in found.links]
    assert sum(good) > 20
    assert set(found.links[0].why) == {"names", "counterparts", "structure", "neighbours"}
    assert "grown" in found.history[0]


def test_graphs_that_share_no_name_give_what_structure_there_is_without_failing():
    found = align_graphs(family("a", ()), family("ж", ()), features=("characters", "structure"), rounds=1)
    assert found.history[0]["grown"] == 0
