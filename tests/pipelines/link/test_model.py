"""The link model: what its ridge holds, and what calibration by the index and by mentions makes of it."""

import numpy as np
import pytest
from scipy.optimize import root
from scipy.special import expit, softmax

from interlingua.pipelines.link import Entity, EntityIndex
from interlingua.pipelines.link.model import FEATURES, LEVELS, UNKNOWN, LinkModel, calibrated, default_model

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


def _nested(levels=None, **others):
    return LinkModel(
        (2.0, 1.0, 0, 0, 0, 0, 0.5, 0),
        -1.0,
        levels=tuple({**dict.fromkeys(LEVELS, 0.0), **(levels or {})}.values()),
        **others,
    )


def test_with_levels_it_is_a_nested_logit():
    features = np.zeros((4, len(FEATURES)))
    features[:, FEATURES.index("name")] = [0.9, 0.5, 0.5, 0.1]
    features[:, FEATURES.index("letters")] = [0.2, 0.4, 0.4, 0.6]
    found = _nested({"name": 3.0, "letters": 1.0, "next name": -2.0, "apart name": 4.0}).probability(features)
    # of ten next ones there are three; the others are as far as names mostly are
    next_name = (0.5 + 0.5 + 0.1 + 7 * -0.06) / 10
    known = expit(-1 + 3 * 0.9 + 0.2 - 2 * next_name + 4 * (0.9 - next_name) ** 2)
    z = features @ np.array(_nested().weights)
    np.testing.assert_allclose(found, known * softmax(z), rtol=1e-6)
    # the odds against none follow the share of unknown mentions, the choice among candidates does not
    fewer = _nested({"name": 3.0}).with_unknown(0.1).probability(features)
    before = _nested({"name": 3.0}).probability(features)
    np.testing.assert_allclose(fewer / fewer.sum(), before / before.sum())
    np.testing.assert_allclose(fewer.sum() / (1 - fewer.sum()), 9 * before.sum() / (1 - before.sum()))


def test_namesakes_of_the_best_are_no_next_ones():
    features = np.zeros((30, len(FEATURES)))
    features[:20, FEATURES.index("name")] = 0.8
    model = _nested({"name": 5.0, "next name": -5.0})
    many, one = model.probability(features), model.probability(features[19:])
    assert many.sum() == pytest.approx(one.sum())
    np.testing.assert_allclose(many[:20], many[0])


def test_a_nested_logit_is_fitted_in_two_steps():
    rng = np.random.default_rng(0)
    groups, right = [], []
    for _ in range(400):
        features, known = np.zeros((6, len(FEATURES))), rng.random() < 0.7
        features[:, 0] = rng.normal(0, 0.3, 6) + 0.5 * known * (np.arange(6) == 2)
        groups.append(features)
        right.append(2 if known else None)
    found = _nested().fitted(groups, right, weight=0.01)
    assert LinkModel.from_json(found.to_json()) == found
    # each step is at its optimum: as many are expected to be known as are, and the right ones to have their names
    known = sum(found.probability(each).sum() for each in groups)
    assert known == pytest.approx(400 - right.count(None), abs=1.0)
    told = [(each, answer) for each, answer in zip(groups, right) if answer is not None]
    expected = sum(each[:, 0] @ softmax(each @ np.array(found.weights)) for each, _ in told)
    assert expected == pytest.approx(sum(each[answer, 0] for each, answer in told), abs=1.0)


def test_older_models_are_read_and_know_nothing_of_what_came_later():
    old = {"weights": dict(zip(FEATURES[:6], (18.7, 8.5, 3.0, 3.6, 25.0, 0.5))), "bias": -8.4, "unknown": 0.5}
    model = LinkModel.from_json(old)
    assert (model.weights[6:], model.levels) == ((0.0, 0.0), ())
    features = np.random.default_rng(0).random((5, len(FEATURES)))
    z = np.exp(features[:, :6] @ np.array((18.7, 8.5, 3.0, 3.6, 25.0, 0.5)) - 8.4)
    np.testing.assert_allclose(model.probability(features), z / (1 + z.sum()))


def test_nothing_is_learned_from_mentions_without_candidates():
    assert default_model().fitted([np.zeros((0, len(FEATURES)))], [None]) is not None
    assert default_model().fitted([np.zeros((0, len(FEATURES)))], [None]) == default_model()


def test_calibration_by_the_index_asks_for_names_that_are_there_and_for_some_that_are_not():
    index = _index(40)
    # 80 names, each once with the other language's name to be found by, and once with none
    assert index.model == calibrated(default_model(), index.table)
    assert index.model.unknown == UNKNOWN  # half of these, which says nothing about the mentions to come
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
