"""The link model: what its ridge holds, and what calibration by the index and by mentions makes of it."""

import numpy as np
import pytest
from scipy.optimize import root
from scipy.special import expit

from interlingua.pipelines.link import Entity, EntityIndex
from interlingua.pipelines.link.model import FEATURES, LinkModel, calibrated, default_model

RIDGE = 0.01  # as documented: times the root of the number of mentions


class Words:
    """Encodes the words of a text; ``wort3`` means what ``word3`` does, with some noise."""

    dimension, identity = 48, "words"
    prompts = {"symmetric": ""}  # noqa: RUF012

    def encode(self, texts, *, role="symmetric", progress=False):
        rows = []
        for text in texts:
            words = text.lower().replace(":", "").split()
            rows.append(sum(self._draw(word.replace("wort", "word")) + 0.3 * self._draw(word + "!") for word in words))
        vectors = np.array(rows)
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    def _draw(self, word):
        return np.random.default_rng(list(word.encode())).normal(size=self.dimension)


def _index(n, **options):
    entities = [
        Entity(f"e{i}", {"en": f"word{i}", "de": f"wort{i}"}, description="north lake" if i % 2 else "south hill")
        for i in range(n)
    ]
    return EntityIndex.build(entities, Words(), **options)


@pytest.mark.parametrize("weight", [1.0, 50.0])
@pytest.mark.parametrize("share", [0.6, 1.0])
def test_the_ridge_holds_the_weights_at_those_before(weight, share):
    rng, n, before = np.random.default_rng(3), 40, LinkModel((0.7, 0, 0, 0, 0, 0), -1.0)
    right = np.arange(n) < share * n
    x = rng.normal(right.astype(float), 1.0)
    groups = [np.array([[each, 0, 0, 0, 0, 0]]) for each in x]
    found = before.fitted(groups, [0 if each else None for each in right], weight=weight)

    # one candidate a mention: a logistic regression; its penalty is on the weight in standard deviations of the feature
    def slope(beta):
        away = expit(beta[0] * x + beta[1]) - right
        held = 2 * RIDGE * weight * np.sqrt(n) * (beta - (0.7, -1.0)) * np.array([(x.std() + 1e-3) ** 2, 1.0])
        return np.array([away @ x, away.sum()]) + held

    wanted = root(slope, (0.7, -1.0), tol=1e-10)
    assert wanted.success
    np.testing.assert_allclose([found.weights[0], found.bias], wanted.x, atol=2e-3)
    assert found.weights[1:] == before.weights[1:]
    assert found.unknown == pytest.approx(1 - (right.sum() + 1) / (n + 2))


def test_nothing_is_learned_from_mentions_without_candidates():
    assert default_model().fitted([np.zeros((0, len(FEATURES)))], [None]) is not None
    assert default_model().fitted([np.zeros((0, len(FEATURES)))], [None]) == default_model()


def test_calibration_by_the_index_asks_for_names_that_are_there_and_for_some_that_are_not():
    index = _index(40)
    # 80 names, each once with the other language's name to be found by, and once with none
    assert index.model == calibrated(default_model(), index.table)
    assert index.model.unknown == pytest.approx(0.5, abs=0.03)
    assert index.model != default_model()
    few = _index(24)  # 48 names
    assert few.model == default_model()
    assert _index(40, calibrate=False).model == default_model()


@pytest.fixture
def index():
    return _index(30, calibrate=False)


def test_calibration_by_mentions_makes_their_probabilities_right(index):
    mentions = [f"wort{i} the" for i in range(0, 30, 2)] + [f"else{i}" for i in range(25)]
    ids = [f"e{i}" for i in range(0, 30, 2)] + [None] * 25
    before = index.model
    index.calibrate(mentions, ids)
    n, known = len(mentions), 15
    assert index.model.unknown == pytest.approx(1 - (known + 1) / (n + 2))
    found = index.link(mentions, k=100, unknown=index.model.unknown)
    assert all({each.entity.id for each in some} >= {id} for some, id in zip(found, ids) if id)
    # the optimum of the bias: as many are expected to be known as are, but for the pull of the ridge
    expected = sum(each.probability for some in found for each in some)
    held = 2 * RIDGE * np.sqrt(n) * (index.model.bias - before.bias)
    assert expected + held == pytest.approx(known, abs=0.05)
    threshold = index.threshold
    assert sum((some[0].probability > threshold) == (id is not None) for some, id in zip(found, ids)) >= 38
    assert all(some[0].entity.id == id for some, id in zip(found, ids) if id)


def test_calibration_uses_contexts(index):
    same = [
        Entity("north", {"en": "twin"}, description="north lake"),
        Entity("south", {"en": "twin"}, description="south hill"),
    ]
    index = EntityIndex.build([*index.entities, *same], Words(), calibrate=False)
    mentions, ids = ["twin"] * 24, ["north", "south"] * 12
    contexts = ["a lake north", "a hill south"] * 12
    weight = FEATURES.index("context")
    index.model = LinkModel((18.7, 8.5, 3.0, 3.6, 0.0, 0.5), -8.4)
    index.calibrate(mentions, ids)
    assert index.model.weights[weight] == 0.0
    index.calibrate(mentions, ids, contexts=contexts)
    assert index.model.weights[weight] > 1
    assert [some[0].entity.id for some in index.link(mentions, contexts=contexts)] == ids
    index.calibrate(mentions, ids, contexts=contexts[::-1])  # likeness never weighs against a candidate
    assert index.model.weights[weight] == pytest.approx(0.0, abs=1e-6)


def test_what_does_not_calibrate_is_refused(index):
    with pytest.raises(ValueError, match="needs 20 mentions and as many ids, but has 19 and 19"):
        index.calibrate(["word1"] * 19, ["e1"] * 19)
    with pytest.raises(ValueError, match="has 20 and 19"):
        index.calibrate(["word1"] * 20, ["e1"] * 19)
    with pytest.raises(KeyError, match="no entity has the id 'nobody'"):
        index.calibrate(["word1"] * 20, ["nobody"] * 20)
