"""What every method that aligns two vocabularies keeps, whatever it does inside."""

import inspect
from dataclasses import fields, is_dataclass
from functools import partial

import numpy as np
import pytest

from interlingua.align import Embeddings, SeedDictionary, SpaceError, retrieve
from interlingua.align.word import SelfLearning, align, fit_dictionary
from interlingua.align.word.methods import UNSUPERVISED_METHODS, WORD_METHODS, is_available
from interlingua.align.word.refit import aligner_of
from interlingua.align.word.restarts import STARTS

N, D_SOURCE, D_TARGET = 160, 7, 5
#: Fewer rounds than people take: what is tested here holds after any number.
QUICK = {
    "adversarial": {"epochs": 1, "steps": 3, "hidden": 8, "batch_size": 8, "refinements": 1, "device": "cpu"},
    "contrastive": {"epochs": 2, "batch_size": 32, "device": "cpu"},
    "race": {
        "starts": {"sorted": STARTS["sorted 1000"]},
        "learner": SelfLearning(search_iterations=2, search_vocabulary=100),
    },
    "self-learning": {"search_iterations": 3, "search_vocabulary": 100},
    "wasserstein-procrustes": {"epochs": 1, "iterations": 3, "initial_vocabulary": 60, "initial_iterations": 5},
}
METHODS = sorted(name for name in {**WORD_METHODS, **UNSUPERVISED_METHODS} if is_available(name))
PAIRED = sorted(name for name in WORD_METHODS if is_available(name))


def vocabularies():
    rng = np.random.default_rng(0)
    source = (rng.normal(size=(N, D_SOURCE)) ** 3 * np.linspace(2, 0.5, D_SOURCE)).astype(np.float32)
    rotation = np.linalg.qr(rng.normal(size=(D_SOURCE, D_SOURCE)))[0][:, :D_TARGET]
    return source, (source @ rotation + 0.05 * rng.normal(size=(N, D_TARGET))).astype(np.float32)


def pairs(n=100):
    return np.stack([np.arange(n)] * 2, axis=1)


def made(name, **settings):
    return {**WORD_METHODS, **UNSUPERVISED_METHODS}[name](**{**QUICK.get(name, {}), **settings})


def fitted(aligner, source=None, target=None):
    if source is None:
        source, target = vocabularies()
    given = (pairs(),) if aligner.needs_pairs else ()
    return aligner.fit(source, target, *given, names=("en", "fr"))


@pytest.mark.parametrize("name", METHODS)
def test_the_constructor_only_stores(name):
    table = {**WORD_METHODS, **UNSUPERVISED_METHODS}
    assert is_dataclass(table[name])
    stored = {field.name: object() for field in fields(table[name])}
    assert vars(table[name](**stored)) == stored
    by_name = inspect.signature(table[name]).parameters.values()
    assert all(each.kind is each.KEYWORD_ONLY and each.default is not each.empty for each in by_name)


@pytest.mark.parametrize("name", METHODS)
def test_fit_returns_self_and_what_it_learns_ends_in_an_underscore(name):
    aligner = made(name)
    before = dict(vars(aligner))
    assert fitted(aligner) is aligner
    assert {key: each for key, each in vars(aligner).items() if not key.endswith("_")} == before
    assert aligner.space_.languages == ("en", "fr")


@pytest.mark.parametrize("name", METHODS)
def test_float32_goes_in_and_float32_comes_out_and_inputs_stay(name):
    source, target = vocabularies()
    before = source.copy(), target.copy()
    space = fitted(made(name), source, target).space_
    for each, kept, language in ((source, before[0], "en"), (target, before[1], "fr")):
        np.testing.assert_array_equal(each, kept)
        matrix = space.maps[language].matrix
        assert space.transform(each, language).dtype == np.float32
        assert matrix is None or matrix.dtype == np.float32


@pytest.mark.parametrize("name", METHODS)
def test_the_same_seed_gives_the_same_space(name):
    settings = {} if "seed" not in {each.name for each in fields(made(name))} else {"seed": 3}
    first, second = (fitted(made(name, **settings)).space_ for _ in range(2))
    assert first.fingerprint == second.fingerprint


@pytest.mark.parametrize("name", METHODS)
def test_vectors_of_another_dimension_are_refused_with_both_numbers(name):
    space = fitted(made(name)).space_
    with pytest.raises(SpaceError, match=f"takes vectors of dimension {D_SOURCE}, but these have {D_TARGET}"):
        space.transform(vocabularies()[1], "en")
    with pytest.raises(SpaceError, match=f"takes vectors of dimension {D_TARGET}, but these have {D_SOURCE}"):
        space.transform(vocabularies()[0], "fr")


@pytest.mark.parametrize("name", METHODS)
def test_no_matrix_and_not_finite_rows_are_refused_by_name(name):
    source, target = vocabularies()
    with pytest.raises(ValueError, match=r"source must be a matrix of shape \(n, d\)"):
        fitted(made(name), source[0], target)
    target[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"target must be finite.*first: row 3"):
        fitted(made(name), source, target)


@pytest.mark.parametrize("name", METHODS)
def test_equal_names_are_refused(name):
    aligner = made(name)
    given = (pairs(),) if aligner.needs_pairs else ()
    with pytest.raises(ValueError, match="need two names, but both are called 'en'"):
        aligner.fit(*vocabularies(), *given, names=("en", "en"))


@pytest.mark.parametrize("name", PAIRED)
def test_pairs_outside_the_vocabularies_are_refused(name):
    source, target = vocabularies()
    with pytest.raises(ValueError, match=f"must point to source rows 0 to {N - 1}, but hold 0 to {N}"):
        made(name).fit(source, target, pairs(N + 1), names=("en", "fr"))


@pytest.mark.parametrize("name", PAIRED)
@pytest.mark.parametrize(
    "learn", [partial(align, on_failure="ignore"), fit_dictionary], ids=["align", "fit_dictionary"]
)
def test_the_settings_are_recorded_and_learn_the_same_space_again(name, learn):
    source, target = vocabularies()
    english, french = (
        Embeddings(tuple(f"{space}{i}" for i in range(N)), each, space)
        for space, each in (("en", source), ("fr", target))
    )
    dictionary = SeedDictionary(tuple((f"en{i}", f"fr{i}") for i in range(100)))
    settings = QUICK.get(name, {})
    space = learn(english, french, dictionary, method=name, held_out=0.0, seed=3, **settings)
    recorded = space.provenance["parameters"]
    assert {key: recorded[key] for key in settings} == settings
    again = aligner_of(space).fit(source, target, pairs(), names=("en", "fr")).space_
    for language in ("en", "fr"):
        if space.maps[language].matrix is not None:
            np.testing.assert_array_equal(again.maps[language].matrix, space.maps[language].matrix)


def with_gaps(matrix, gaps):
    """Put zero rows so that they stand at `gaps`; return the matrix and where the rows now stand."""
    larger = np.zeros((len(matrix) + len(gaps), matrix.shape[1]), np.float32)
    places = np.setdiff1d(np.arange(len(larger)), gaps)
    larger[places] = matrix
    return larger, places


def learned_pairs(aligner):
    """Return all rows of the vocabularies that a fitted aligner tells of."""
    learner = getattr(aligner, "learner_", aligner)
    found = [getattr(learner, each) for each in ("pairs_", "found_") if hasattr(learner, each)]
    found += [learner.dictionary_.pairs] if hasattr(learner, "dictionary_") else []
    return found + [run.pairs for run in getattr(aligner, "runs_", ())]


@pytest.mark.parametrize("name", METHODS)
def test_words_with_zero_vectors_take_no_part(name):
    source, target = vocabularies()
    aligner, same = made(name), made(name)
    expected = fitted(aligner, source, target).space_
    (source_gaps, at), (target_gaps, to) = with_gaps(source, [0, 7, 50, 163]), with_gaps(target, [3, 51, 60, 61])
    unknown = np.array([[0, to[2]], [at[5], 3], [7, 51], [163, 60]])
    renumbered = np.stack([at[:100], to[:100]], axis=1)
    given = (np.concatenate([unknown[:2], renumbered, unknown[2:]]),) if same.needs_pairs else ()
    space = same.fit(source_gaps, target_gaps, *given, names=("en", "fr")).space_
    assert space.fingerprint == expected.fingerprint
    for own, learned in zip(learned_pairs(aligner), learned_pairs(same), strict=True):
        np.testing.assert_array_equal(learned, np.stack([at[own[:, 0]], to[own[:, 1]]], axis=1))
    x, y = space.transform(source_gaps, "en"), space.transform(target_gaps, "fr")
    assert not x[[0, 7, 50, 163]].any()
    assert not y[[3, 51, 60, 61]].any()
    for criterion in ("nn", "csls", "isf"):
        found = retrieve(x[at], y, 200, criterion=criterion, background=x)
        kept = retrieve(x[at], y[to], 200, criterion=criterion, background=x[at])
        assert found.ids.shape == (N, N)
        np.testing.assert_array_equal(found.ids, to[kept.ids])


@pytest.mark.parametrize("name", ["multi-step", "contrastive", "expansion"])
def test_weights_follow_their_pairs_where_some_have_no_vectors(name):
    if name not in PAIRED:
        pytest.skip("needs torch")
    source, target = vocabularies()
    weights = np.linspace(1, 3, 100)
    expected = made(name).fit(source, target, pairs(), weights=weights).space_
    larger, at = with_gaps(source, [4, 20])
    renumbered = np.stack([at[:100], np.arange(100)], axis=1)
    given = np.concatenate([[[4, 1]], renumbered[:50], [[20, 9]], renumbered[50:]])
    weighted = np.concatenate([[9.0], weights[:50], [7.0], weights[50:]])
    space = made(name).fit(larger, target, given, weights=weighted).space_
    for side in ("source", "target"):
        np.testing.assert_allclose(space.maps[side].matrix, expected.maps[side].matrix, atol=1e-4)


@pytest.mark.parametrize("name", METHODS)
def test_vocabularies_without_any_vector_are_refused(name):
    source, target = vocabularies()
    with pytest.raises(ValueError, match=r"pair with both vectors is needed|at least one vector|no word has a vector"):
        fitted(made(name), np.zeros_like(source), target)
