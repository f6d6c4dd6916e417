"""What a model is known by under any name."""

import json
import warnings
from dataclasses import dataclass, replace

import numpy as np
import pytest

from interlingua.align import SharedSpace, SpaceError
from interlingua.align.language import Centring
from interlingua.pipelines import CrossLingualSearch, TranslationMemory, load_encoder
from interlingua.pipelines.encoders.base import UnknownTextError
from interlingua.pipelines.encoders.fingerprint import (
    PROBES,
    PROBES_KEY,
    Fingerprint,
    SameModelWarning,
    check_space,
    difference,
    fingerprint,
    packed,
    with_fingerprint,
)
from interlingua.pipelines.stored import EncoderNote, encoder_of
from interlingua.pipelines.texts.pairs import Pair
from interlingua.pipelines.texts.passages import Passage


@dataclass(eq=False)
class Model:
    """Vectors drawn by the text; what differs between two models is a field each."""

    identity: str = "model-one"
    dimension: int = 96
    weights: int = 1
    noise: float = 0.0  # of few bits
    prompt: str = "passage: "
    token_limit: int | None = None
    unknown: tuple[str, ...] = ()
    asked: int = 0

    @property
    def prompts(self):
        return {"symmetric": "", "query": "", "passage": self.prompt}

    def encode(self, texts, *, role="symmetric", progress=False):
        self.asked += len(texts)
        rows = np.empty((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            if text in self.unknown:
                raise UnknownTextError(row, "is not known")
            drawn = np.random.default_rng([self.weights, *text.encode()]).normal(size=self.dimension)
            drawn += 0.4 * np.random.default_rng([*self.prompts[role].encode(), 7]).normal(size=self.dimension)
            bits = self.noise * np.random.default_rng([9, *text.encode()]).normal(size=self.dimension)
            rows[row] = drawn / np.linalg.norm(drawn) + bits / np.sqrt(self.dimension)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


PASSAGES = [Passage(f"{code}{n}", f"{code} text {n}", code) for code in ("en", "de") for n in range(8)]


def _search(folder):
    CrossLingualSearch.build(PASSAGES, Model(), lexical=False).save(folder)
    return lambda encoder: CrossLingualSearch.load(folder, encoder)


def _memory(folder):
    pairs = [Pair(f"en text {n}", f"de text {n}", "en", "de") for n in range(8)]
    TranslationMemory.build(pairs, Model()).save(folder)
    return lambda encoder: TranslationMemory.load(folder, encoder)


FOLDERS = {"search": _search, "memory": _memory}


@pytest.fixture(params=FOLDERS)
def loading(request, tmp_path):
    return FOLDERS[request.param](tmp_path / "folder")


def test_a_copy_of_the_model_under_another_name_is_taken_with_a_word(loading):
    for copy in (Model("model-renamed"), Model("model-8-bits", noise=0.04)):
        with pytest.warns(SameModelWarning, match="taken for the same model"):
            loaded = loading(copy)
        assert loaded is not None


@pytest.mark.parametrize("name", ["model-one", "model-two"])
@pytest.mark.parametrize("other", [{"weights": 2}, {"prompt": "document: "}])
def test_another_model_is_refused_whatever_it_is_called(loading, name, other):
    with pytest.raises(ValueError, match="holds vectors of 'model-one'"):
        loading(Model(name, **other))


def test_the_model_itself_is_asked_once_for_what_it_is_known_by():
    model = Model()
    first = fingerprint(model)
    assert model.asked == 3 * len(PROBES)
    assert fingerprint(model) is first
    assert model.asked == 3 * len(PROBES)


def test_one_that_its_weights_name_is_asked_nothing(tmp_path):
    model = Model()
    model.loaded_as = "model"
    note = EncoderNote("model-one", "", fingerprint(Model()))
    assert encoder_of(tmp_path, note, model)[0] is model
    assert model.asked == 0


def test_a_folder_without_a_fingerprint_goes_by_the_name(tmp_path):
    note = EncoderNote("model-one")
    assert encoder_of(tmp_path, note, Model(weights=2))[1] == ""
    with pytest.raises(ValueError, match="holds vectors of 'model-one'"):
        encoder_of(tmp_path, note, Model("model-renamed"))


def test_what_tells_two_models_apart_is_said():
    kept = fingerprint(Model(token_limit=512))
    assert difference(Model("x", token_limit=512), kept) == ""
    assert difference(Model("x"), kept) == ""  # it does not say
    assert "reads 128 tokens of a text, not 512" in difference(Model("x", token_limit=128), kept)
    assert "dimension 95, not 96" in difference(Model("x", 95), kept)
    assert "another model, prompt or pooling" in difference(Model("x", weights=2), kept)
    assert "knows other words" in difference(Model("x", unknown=PROBES[:1]), kept)
    assert "too few of the texts" in difference(Model("x", unknown=PROBES[2:]), kept)


def test_a_model_that_knows_two_of_the_texts_has_none(tmp_path):
    poor = Model(unknown=PROBES[2:])
    assert fingerprint(poor) is None
    assert PROBES_KEY not in EncoderNote.of(poor).fields()
    assert fingerprint(Model(unknown=PROBES[3:])).rows.any(axis=1).sum() == 9


def test_cosines_of_fingerprints_are_those_of_the_vectors():
    one, other = Model(dimension=384), Model(dimension=384, noise=0.3)
    exact = [np.concatenate([each.encode(PROBES, role=role) for role in ("symmetric", "query", "passage")])
             for each in (one, other)]  # fmt: skip
    apart = ((exact[0] - exact[1]) ** 2).sum(axis=1)
    told = ((fingerprint(one).rows - fingerprint(other).rows) ** 2).sum(axis=1)
    np.testing.assert_allclose(told.mean(), apart.mean(), rtol=0.15)  # sqrt(2 / 64 / 18) = .04 of chance


def test_json_gives_it_back_and_what_is_damaged_or_later_counts_as_none():
    made = fingerprint(Model(token_limit=512))
    told = json.loads(json.dumps(made.to_json()))
    again = Fingerprint.from_json(told)
    np.testing.assert_allclose(again.rows, made.rows, atol=1e-3)
    assert (again.dimension, again.tokens, made.difference(again)) == (96, 512, "")
    for bad in (None, {}, {**told, "version": 2}, {**told, "rows": "AAAA"}, {**told, "rows": 3}, "text"):
        assert Fingerprint.from_json(bad) is None
    assert len(json.dumps(told)) < 4000


def test_a_space_knows_its_encoder_under_another_name_and_no_other():
    groups = {code: Model().encode([each.text for each in PASSAGES if each.language == code]) for code in ("en", "de")}
    space = with_fingerprint(Centring().fit(groups, encoder="model-one").space_, fingerprint(Model()))
    space = SharedSpace.from_bytes(space.to_bytes())
    check_space(space, Model())
    with pytest.warns(SameModelWarning):
        check_space(space, Model("model-renamed"))
    for other in (Model("model-one", weights=2), Model("model-two", weights=2)):
        with pytest.raises(SpaceError):
            check_space(space, other)
    check_space(replace(space, encoder=""), Model("anything", weights=2))


def test_the_encoders_of_packages_come_with_theirs_in_any_precision():
    model = load_encoder("bundled", cache=False)
    kept = fingerprint(model)
    assert kept is next(each for name, each in packed().items() if name.startswith(model.identity))
    rows = model.encode(PROBES, role="passage")  # in few bits; the packed ones are exact
    other = Model("other", 384)
    other.encode = lambda texts, role="", progress=False: rows
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        part = slice(2 * len(PROBES), None)
        apart = ((fingerprint(other).rows[part] - kept.rows[part]) ** 2).sum(axis=1) / 2
    assert apart.max() < 0.003
    assert PROBES_KEY in EncoderNote.of(model).fields()
