"""A space tells how it was learned, so that the same can be learned from other pairs."""

import json
from dataclasses import replace

import numpy as np
import pytest

from interlingua.align import Embeddings, SeedDictionary, SharedSpace
from interlingua.align.word import (
    MultiStep,
    Procrustes,
    Race,
    Reranker,
    Restarts,
    SelfLearning,
    align,
    align_many,
    auto,
)
from interlingua.align.word.auto import fit_dictionary
from interlingua.align.word.refit import aligner_of, data_hash, recorded_parameters
from interlingua.align.word.restarts import STARTS


def made(n=300, d=8, noise=0.05, seed=0):
    rng = np.random.default_rng(seed)
    x = (rng.normal(size=(n, d)) ** 3 + 0.3).astype(np.float32)
    y = x @ np.linalg.qr(rng.normal(size=(d, d)))[0] + noise * rng.normal(size=x.shape)
    words = tuple(f"w{i}" for i in range(n))
    english, french = Embeddings(words, x, "en"), Embeddings(words, y.astype(np.float32), "fr")
    return english, french, SeedDictionary(tuple(zip(words, words, strict=True)))


def rows(n):
    return np.stack([np.arange(n)] * 2, axis=1)


def loaded(space, path):
    space.save(path)
    return SharedSpace.load(path)


def test_the_method_that_auto_chose_gets_only_its_own_parameters(monkeypatch):
    english, french, dictionary = made(n=400)
    monkeypatch.setattr(auto, "best_of", lambda trials: "procrustes")
    space = align(english, french, dictionary, rounds=1)
    assert space.provenance["parameters"] == {}
    assert isinstance(aligner_of(space), Procrustes)
    assert isinstance(aligner_of(replace(space, method="rotation of another release")), Procrustes)


@pytest.mark.parametrize("fit", [align, fit_dictionary])
def test_parameters_that_are_no_single_value_come_back_from_the_file(fit, tmp_path):
    english, french, dictionary = made()
    space = fit(english, french, dictionary, method="procrustes", normalize=("unit", "centre"), held_out=0.0)
    again = aligner_of(loaded(space, tmp_path / "space")).fit(english.vectors, french.vectors, rows(300))
    np.testing.assert_array_equal(again.matrix_, space.maps["en"].matrix)
    assert again.normalize == ("unit", "centre")


def test_few_pairs_are_learned_from_again_with_restarts_and_the_same_seed(tmp_path):
    english, french, dictionary = made()
    few = SeedDictionary(dictionary.pairs[:40])
    space = align(english, french, few, held_out=0.0, search_iterations=6, seed=5)
    again = aligner_of(loaded(space, tmp_path / "space"))
    assert isinstance(again, Restarts)
    assert (again.learner.search_iterations, again.learner.seed) == (6, 5)
    fitted = again.fit(english.vectors, french.vectors, rows(40), names=("en", "fr")).space_
    np.testing.assert_array_equal(fitted.maps["fr"].matrix, space.maps["fr"].matrix)
    alone = fit_dictionary(english, french, few, method="self-learning", held_out=0.0, search_iterations=6)
    assert isinstance(aligner_of(alone), SelfLearning)


def test_spaces_that_pairs_took_no_part_in_are_not_learned_again():
    english, french, _ = made(noise=0.0)
    learner = SelfLearning(search_iterations=6)
    starts = {"sorted": STARTS["sorted 1000"]}
    raced = Race(starts=starts, learner=learner).fit(english.vectors, french.vectors, names=("en", "fr")).space_
    guessed = learner.fit(english.vectors, french.vectors, similarity=np.eye(300)).space_
    asked = align(english, french, starts=starts, learner=learner, on_failure="ignore")
    equal = align(english, french, seeds="identical", search_iterations=6, on_failure="ignore")
    assert asked.provenance["chosen"]["method"] == "race"
    assert equal.provenance["parameters"]["trust_pairs"] is False
    assert [aligner_of(each) for each in (raced, guessed, asked, equal)] == [None] * 4


def test_what_cannot_be_learned_again_is_said():
    english, french, dictionary = made()
    learner = align(english, french, dictionary, method="self-learning", refiner=MultiStep(), held_out=0.0)
    assert learner.provenance["parameters_not_recorded"] == ["refiner"]
    with pytest.raises(ValueError, match="a value of refiner that no file can hold"):
        aligner_of(learner)
    equal = align(english, french, seeds="identical", method="procrustes", held_out=0.0)
    with pytest.raises(ValueError, match="from equal strings, not from pairs"):
        aligner_of(equal)
    with pytest.raises(ValueError, match="learned by 'by hand' cannot be fitted again"):
        aligner_of(SharedSpace(equal.maps, "by hand"))


def test_the_parameters_of_a_hub_are_recorded():
    english, french, dictionary = made()
    both = (english, french)
    space = align_many(
        both, {"fr": dictionary}, pivot="en", method="procrustes", normalize=("unit", "centre"), held_out=0.0,
        on_failure="ignore",
    )  # fmt: skip
    assert space.provenance["parameters"] == {"normalize": ["unit", "centre"]}


def test_numbers_of_numpy_are_recorded_and_callbacks_are_not():
    found = recorded_parameters(
        {"a": np.float32(0.5), "b": (np.int64(2), (1, None)), "callback": print, "c": np.eye(1)}
    )
    assert found == {"parameters": {"a": 0.5, "b": [2, [1, None]]}, "parameters_not_recorded": ["c"]}
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize("given", ["few pairs", "nothing"])
def test_a_ranking_is_learned_of_spaces_by_align(given):
    english, french, dictionary = made(n=300, d=6)
    few = SeedDictionary(dictionary.pairs[:120])
    if given == "nothing":
        starts, learner = {"sorted": STARTS["sorted 1000"]}, SelfLearning(search_iterations=6)
        space = align(english, french, starts=starts, learner=learner, on_failure="ignore")
    else:
        space = align(english, french, few, held_out=0.0, search_iterations=2, on_failure="ignore")
    assert space.method.startswith("self-learning (")
    learned = Reranker(n_candidates=5, n_folds=2).fit(space, english, french, rows(120)).ranking_
    assert learned.scores["csls_precision_at_1"] > 0.8


def test_the_hash_tells_any_change_of_the_data():
    english, french, dictionary = made()
    vectors = english.vectors.copy()
    vectors[7, 3] += 1e-3
    variants = [
        (english, french, dictionary),
        (english, french, None),
        (Embeddings(english.labels, vectors, "en"), french, dictionary),
        (english, french, SeedDictionary(dictionary.pairs[1:])),
        (Embeddings(english.labels[::-1], english.vectors, "en"), french, dictionary),
    ]
    assert len({data_hash(*each) for each in variants}) == len(variants)
    assert data_hash(*variants[0]) == data_hash(*variants[0])
