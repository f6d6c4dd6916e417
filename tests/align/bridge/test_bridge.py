"""A bridge finds the rotation between two models, its file holds it, and spoilt inputs are refused."""

import dataclasses

import numpy as np
import pytest

from interlingua.align.bridge import (
    Bridge,
    BridgeEnd,
    BridgeError,
    LinearMap,
    TextVectors,
    answer_ranks,
    fit_bridge,
    learning_curve,
    understood,
)

MEANINGS, D_X, D_Y, N = 24, 32, 40, 300


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


class World:
    """Two models of the same texts: each has its own axes, its mean for each role, and for each language."""

    def __init__(self, seed=0, n=N, noise=0.08):
        rng = np.random.default_rng(seed)
        self.axes = {name: np.linalg.qr(rng.normal(size=(d, MEANINGS)))[0].T for name, d in (("x", D_X), ("y", D_Y))}
        self.role = {(m, r): 0.8 * unit(rng.normal(size=(1, d)))[0]
                     for m, d in (("x", D_X), ("y", D_Y)) for r in ("short", "long")}  # fmt: skip
        self.language = {(m, "de"): 0.7 * unit(rng.normal(size=(1, d)))[0] for m, d in (("x", D_X), ("y", D_Y))}
        self.rng, self.noise = rng, noise
        self.meaning = unit(rng.normal(size=(n, MEANINGS)))

    def vectors(self, model, role, meaning=None, language="en"):
        meaning = self.meaning if meaning is None else meaning
        seen = unit(meaning + self.noise * self.rng.normal(size=meaning.shape))
        rows = seen @ self.axes[model] + self.role[model, role]
        return unit(rows + self.language.get((model, language), 0))

    def side(self, model):
        translated = unit(np.random.default_rng(9).normal(size=(60, MEANINGS)))
        parallel = {code: self.vectors(model, "short", translated, code) for code in ("en", "de")}
        return TextVectors(self.vectors(model, "short"), self.vectors(model, "long"), [parallel])

    def fit(self, **settings):
        return fit_bridge(self.side("x"), self.side("y"), language="en", **settings)


@pytest.fixture(scope="module")
def world():
    return World()


@pytest.fixture(scope="module")
def bridge(world):
    return world.fit()


def recall(bridge, world, language, *, own=False, k=1):
    questions = world.vectors("x", "short", language=language)
    theirs = world.vectors("y", "short", language=language) if own else None
    mapped = bridge.transform(questions, language, theirs)
    return (answer_ranks(mapped, world.vectors("y", "long"), range(len(questions))) < k).mean()


def test_questions_of_another_language_find_their_texts(world, bridge):
    assert recall(bridge, world, "de") > 0.9
    assert recall(bridge, world, "en") > 0.9
    assert bridge.scores["kept@10"] > 0.9
    assert bridge.languages == ("en", "de")


def test_means_are_taken_out_or_hubs_stand_in_the_way(world, bridge):
    """The same map on vectors whose means stay in, or with the index's mean added, finds less."""
    questions, texts = world.vectors("x", "short", language="de"), world.vectors("y", "long")
    answers = range(len(questions))
    plain = (answer_ranks(questions @ bridge.matrix, texts, answers) < 1).mean()
    added = (answer_ranks(bridge.transform(questions, "de") + 2 * bridge.target.long, texts, answers) < 1).mean()
    assert plain < recall(bridge, world, "de")
    assert added <= recall(bridge, world, "de") + 0.01


def test_the_formula_of_the_class_is_what_is_computed(world, bridge):
    x, y = world.vectors("x", "short", language="de"), world.vectors("y", "short", language="de")
    p = unit((unit(x) - bridge.source.short - bridge.source.offsets["de"]) @ bridge.matrix)
    share = bridge.shares["de"]
    assert np.allclose(bridge.transform(x, "de", y), unit(share * p + (1 - share) * unit(y)), atol=1e-6)
    assert np.allclose(bridge.transform(x, "de"), p, atol=1e-6)
    unknown = bridge.transform(x, "fi")  # the mean of all other languages, here the one
    assert np.allclose(unknown, p, atol=1e-6)


def test_the_language_of_the_fit_goes_to_the_index_model_itself(world, bridge):
    x, y = world.vectors("x", "short"), world.vectors("y", "short")
    assert np.allclose(bridge.transform(x, "en", y), unit(y), atol=1e-6)


def test_a_language_that_the_index_model_knows_weighs_the_map_less(world):
    source, target = world.side("x"), world.side("y")
    known = understood(target.parallel, "en")["de"]
    strange = dataclasses.replace(target, parallel=[{**target.parallel[0], "de": target.parallel[0]["de"][::-1]}])
    shares = [fit_bridge(source, each, language="en").shares["de"] for each in (target, strange)]
    assert known > 0.9
    assert shares[0] < shares[1]
    assert shares[1] == pytest.approx(0.7, abs=0.02)


def test_what_was_saved_is_what_is_loaded(bridge, world, tmp_path):
    bridge.save(tmp_path / "b")
    again = Bridge.load(tmp_path / "b")
    assert again.fingerprint == bridge.fingerprint
    x = world.vectors("x", "short", language="de")
    assert np.array_equal(again.transform(x, "de"), bridge.transform(x, "de"))
    assert again.scores == bridge.scores
    assert again.to_bytes() == bridge.to_bytes()
    content = bytearray((tmp_path / "b").read_bytes())
    content[-3] ^= 1
    (tmp_path / "b").write_bytes(content)
    with pytest.raises(BridgeError, match="damaged"):
        Bridge.load(tmp_path / "b")


def test_another_safetensors_file_is_no_bridge(tmp_path):
    from interlingua.align import Normalization, SharedSpace, SpaceMap

    SharedSpace({"fr": SpaceMap(Normalization.fit(np.eye(3), "unit"))}, "identity").save(tmp_path / "s")
    with pytest.raises(BridgeError, match="no bridge; write one with"):
        Bridge.load(tmp_path / "s")


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("spoilt", ["shuffled", "another world"])
def test_rows_that_do_not_belong_together_are_refused(seed, spoilt):
    world = World(seed)
    source, target = world.side("x"), world.side("y")
    if spoilt == "shuffled":
        order = np.random.default_rng(seed).permutation(N)
        target = dataclasses.replace(target, short=target.short[order], long=target.long[order])
    else:
        target = World(seed + 100).side("y")
    with pytest.raises(BridgeError, match="not of the same texts in the same order"):
        fit_bridge(source, target, language="en")


def test_short_texts_that_belong_to_no_text_are_refused(world):
    source, target = (dataclasses.replace(side, short=side.short[::-1]) for side in (world.side("x"), world.side("y")))
    with pytest.raises(BridgeError, match="the short texts do not belong to the texts"):
        fit_bridge(source, target, language="en")


def test_too_few_texts_and_unlike_numbers_are_refused(world):
    few = [TextVectors(each.short[:39], each.long[:39]) for each in (world.side("x"), world.side("y"))]
    with pytest.raises(BridgeError, match="at least 40 texts, but there are 39"):
        fit_bridge(*few)
    with pytest.raises(ValueError, match="numbers of rows"):
        fit_bridge(few[0], world.side("y"))


def test_another_dimension_is_refused_when_it_is_used(world, bridge):
    with pytest.raises(BridgeError, match="dimension 32, but the vectors have dimension 40"):
        bridge.transform(world.vectors("y", "short"), "de")
    with pytest.raises(BridgeError, match="dimension 40"):
        bridge.transform(world.vectors("x", "short"), "de", world.vectors("x", "short"))
    with pytest.raises(ValueError, match="300 questions, but 3"):
        bridge.transform(world.vectors("x", "short"), "de", world.vectors("y", "short")[:3])


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("share", 0.0, "share of the map"),
        ("shares", {"de": 1.5}, "share of the map"),
        ("matrix", np.zeros((3, 3), np.float32), "needs such a matrix"),
        ("matrix", np.full((D_X, D_Y), np.nan, np.float32), "finite"),
    ],
)
def test_what_makes_no_bridge_is_refused(bridge, field, value, message):
    with pytest.raises(BridgeError, match=message):
        dataclasses.replace(bridge, **{field: value})


class TestModels:
    """A model is known by its name, or else by its vectors of a few texts."""

    probes = unit(np.random.default_rng(4).normal(size=(12, D_X)))
    prompts = {"query": "query: "}  # noqa: RUF012

    @pytest.fixture
    def end(self):
        nothing = np.zeros(D_X, np.float32)
        return BridgeEnd(nothing, nothing, {}, "one", "", self.prompts, self.probes)

    def test_the_same_name_and_prompts_ask_for_no_vector(self, end):
        end.recognise("one", self.prompts, lambda: pytest.fail("not needed"), end="model")

    def test_a_copy_in_half_precision_is_the_same_model(self, end):
        rough = self.probes + np.random.default_rng(5).normal(size=self.probes.shape, scale=0.005)
        end.recognise("renamed", self.prompts, lambda: rough, end="model")

    @pytest.mark.parametrize("seed", range(20))
    def test_another_model_of_the_dimension_is_refused(self, end, seed):
        other = unit(np.random.default_rng(seed + 10).normal(size=self.probes.shape))
        with pytest.raises(BridgeError, match="another model, prompt or pooling"):
            end.recognise("two", self.prompts, lambda: other, end="model")

    def test_the_same_name_with_another_prompt_is_looked_at(self, end):
        other = unit(self.probes + 0.2 * np.roll(self.probes, 1, axis=1))
        with pytest.raises(BridgeError, match="another model, prompt or pooling"):
            end.recognise("one", {"query": ""}, lambda: other, end="model")

    def test_another_dimension_is_named(self, end):
        with pytest.raises(BridgeError, match="dimension 32, but 'two' gives 7"):
            end.recognise("two", {}, lambda: np.ones((12, 7)), end="model")

    def test_without_probes_only_the_name_counts(self, end):
        bare = dataclasses.replace(end, probes=np.empty((0, D_X), np.float32))
        with pytest.raises(BridgeError, match="holds no vectors to compare"):
            bare.recognise("two", self.prompts, lambda: self.probes, end="model")


def test_more_texts_keep_more():
    world = World(3, n=400, noise=0.3)
    points = learning_curve(world.side("x"), world.side("y"), (40, 120, 320, 1000))
    assert [each.texts for each in points] == [40, 120, 320]
    assert points[0].kept.value < points[-1].kept.value


class TestLinear:
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=(80, 6)), rng.normal(size=(80, 4))

    def test_orthogonal_is_scipys(self):
        from scipy.linalg import orthogonal_procrustes

        square = np.random.default_rng(7).normal(size=(80, 6))
        expected = orthogonal_procrustes(self.x, square)[0]
        assert np.allclose(LinearMap("orthogonal").fit(self.x, square), expected, atol=1e-5)
        tall = LinearMap("orthogonal").fit(self.x, self.y)
        assert np.allclose(tall.T @ tall, np.eye(4), atol=1e-5)

    def test_ridge_is_the_closed_form_of_its_objective(self):
        strength = 0.7
        c = np.trace(self.x.T @ self.x / 80) / 6
        stacked = np.concatenate([self.x / np.sqrt(80), np.sqrt(strength * c) * np.eye(6)])
        expected = np.linalg.lstsq(stacked, np.concatenate([self.y / np.sqrt(80), np.zeros((6, 4))]), rcond=None)[0]
        assert np.allclose(LinearMap("ridge", strength).fit(self.x, self.y), expected, atol=1e-5)

    def test_low_rank_has_its_rank_and_is_ridge_at_full_rank(self):
        assert np.linalg.matrix_rank(LinearMap("low-rank", 0.1, 2).fit(self.x, self.y)) == 2
        full = LinearMap("low-rank", 0.1, 4).fit(self.x, self.y)
        assert np.allclose(full, LinearMap("ridge", 0.1).fit(self.x, self.y), atol=1e-6)

    @pytest.mark.parametrize(("kind", "strength", "rank"), [("other", 0.1, 0), ("ridge", -1, 0), ("low-rank", 0.1, 0)])
    def test_bad_settings_are_refused(self, kind, strength, rank):
        with pytest.raises(ValueError, match=r"must be|needs a rank"):
            LinearMap(kind, strength, rank)


def test_a_whitened_map_is_the_orthogonal_one_between_whitened_sides():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 6)) * np.linspace(3, 0.3, 6)
    y = x @ np.linalg.qr(rng.normal(size=(8, 6)))[0].T * np.linspace(1, 2, 8)
    strength = 0.5
    sides = []
    for each in (x, y):
        values, axes = np.linalg.eigh(each.T @ each / len(each))
        power = np.where(values > 1e-9, np.maximum(values, 1e-9) ** (-strength / 2), 0.0)
        sides.append(axes @ np.diag(power) @ axes.T)
    inner = LinearMap("orthogonal").fit(x @ sides[0], y @ sides[1])
    found = LinearMap("whitened", strength).fit(x, y)
    scores, expected = x @ found @ y.T, x @ sides[0] @ inner @ sides[1] @ y.T
    np.testing.assert_allclose(scores, expected, atol=1e-3 * np.abs(expected).max())
    weak = LinearMap("whitened", 1e-6).fit(x, y)
    np.testing.assert_allclose(x @ weak @ y.T, x @ LinearMap("orthogonal").fit(x, y) @ y.T, atol=1e-2)
    with pytest.raises(ValueError, match="strength above 0 and at most 1"):
        LinearMap("whitened", 2.0)


def test_whitened_maps_are_tried_where_no_other_language_counts():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(120, 12)).astype(np.float32)
    y = x @ np.linalg.qr(rng.normal(size=(12, 12)))[0].astype(np.float32)
    sides = [TextVectors(each + 0.1 * rng.normal(size=each.shape).astype(np.float32), each) for each in (x, y)]
    home = fit_bridge(*sides, language="en", least=0)
    assert any(name.startswith("whitened") for name in home.provenance["tried"])
    sets = [{"en": x[:30], "de": x[30:60]}]
    abroad = fit_bridge(TextVectors(sides[0].short, sides[0].long, sets), sides[1], language="en", least=0)
    assert not any(name.startswith("whitened") for name in abroad.provenance["tried"])
