"""The method follows from what is given, the choice is reported, and failure is said."""

import sys
from pathlib import Path

import numpy as np
import pytest

from interlingua.align import AlignmentFailedError, AlignmentWarning, Embeddings, SeedDictionary
from interlingua.align.word import MultiStep, Procrustes, SelfLearning, align, auto, fit_dictionary, score_dictionary
from interlingua.align.word.auto import Trial, best_of, hold_out_folds, try_folds
from interlingua.align.word.restarts import STARTS


def made(n=500, d=12, noise=0.1, seed=0, shared=0, permuted=False):
    """Two vocabularies that differ by a rotation and noise; the first `shared` labels are the same strings."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) * np.linspace(2, 0.3, d) + np.linspace(0.5, 0, n)[:, None]
    y = x @ np.linalg.qr(rng.normal(size=(d, d)))[0] + noise * rng.normal(size=x.shape)
    if permuted:
        y = y[rng.permutation(n)]
    english = tuple(f"{1000 + i}" if i < shared else f"e{i}" for i in range(n))
    french = tuple(f"{1000 + i}" if i < shared else f"f{i}" for i in range(n))
    return (
        Embeddings(english, x.astype(np.float32), "en"),
        Embeddings(french, y.astype(np.float32), "fr"),
        SeedDictionary(tuple(zip(english, french, strict=True))),
    )


def first(dictionary, count):
    return SeedDictionary(dictionary.pairs[:count])


def right(space, english, french):
    """Share of words whose best cosine is their own translation."""
    one, two = space.transform(english.vectors, "en"), space.transform(french.vectors, "fr")
    return float(((one @ two.T).argmax(axis=1) == np.arange(len(english))).mean())


@pytest.fixture
def quick(monkeypatch):
    """Compare what is cheap."""
    monkeypatch.setattr(auto, "_COMPARED", ("procrustes", "multi-step", "self-learning"))


def test_many_pairs_compare_methods_on_held_out_pairs_and_report_all(quick):
    english, french, dictionary = made(noise=0.05)
    space = align(english, french, first(dictionary, 400))
    candidates = space.provenance["candidates"]
    assert [each["method"] for each in candidates] == ["procrustes", "multi-step", "self-learning"]
    assert {each["held_out_words"] for each in candidates} == {120}
    chosen = next(each for each in candidates if each["method"] == space.provenance["chosen"]["method"])
    keys = ("precision_at_1", "precision_at_5", "mrr", "held_out_words")
    assert {key: space.scores[key] for key in keys} == {key: chosen[key] for key in keys}
    assert chosen["mrr"] == max(each["mrr"] for each in candidates)
    assert right(space, english, french) > 0.95


@pytest.mark.parametrize(("n_words", "translations", "many"), [(300, 1, True), (299, 1, False), (150, 2, False)])
def test_pairs_are_many_from_300_source_words_on(monkeypatch, n_words, translations, many):
    monkeypatch.setattr(auto, "_COMPARED", ("procrustes", "self-learning"))
    english, french, _ = made(n=400)
    pairs = tuple((f"e{i}", f"f{i + more}") for i in range(n_words) for more in range(translations))
    arguments = {"search_iterations": 2, "search_vocabulary": 200, "on_failure": "ignore"}
    candidates = align(english, french, SeedDictionary(pairs), **arguments).provenance["candidates"]
    assert ("procrustes" in {each["method"] for each in candidates}) is many


def test_the_choice_sees_no_more_than_the_pairs_given(quick, monkeypatch):
    english, french, dictionary = made()
    seen = []
    original = auto.try_folds
    monkeypatch.setattr(auto, "try_folds", lambda *a, **k: seen.append(a[3]) or original(*a, **k))
    align(english, french, first(dictionary, 350))
    for folds in seen:
        for test, train in folds:
            assert max(train.max(), test.max()) < 350
            assert not set(train[:, 0]) & set(test[:, 0])
    assert [len(folds) for folds in seen] == [3, 3, 3]


def test_the_highest_mean_reciprocal_rank_is_chosen_and_the_simplest_of_equals():
    best, simple = np.array([1, 1, 1, 4]), np.array([2, 1, 1, 1])  # 0.8125 and 0.875
    assert best_of([Trial("simple", best), Trial("best", simple)]) == "best"
    assert best_of([Trial("simple", simple), Trial("other", best)]) == "simple"
    assert best_of([Trial("simple", simple), Trial("equal", simple[::-1])]) == "simple"


def test_few_pairs_are_kept_by_self_learning_and_judged():
    english, french, dictionary = made()
    space = align(english, french, first(dictionary, 30))
    assert space.provenance["chosen"]["method"] == "self-learning"
    assert space.scores["confidence"] > 0.5
    assert "vocabulary_halves" in space.provenance["signs"]
    assert right(space, english, french) > 0.8


def test_a_tiny_vocabulary_gets_procrustes_and_no_verdict():
    english, french, dictionary = made(n=60, noise=0.0)
    space = align(english, french, first(dictionary, 30))
    assert space.method == "procrustes"
    assert "confidence" not in space.scores
    assert right(space, english, french) == 1.0


@pytest.mark.parametrize("seeds", ["identical", "numerals"])
def test_equal_strings_are_a_start_that_may_be_left(seeds):
    english, french, _ = made(shared=40)
    wrong = list(french.labels)
    wrong[0], wrong[1], wrong[2] = wrong[1], wrong[2], wrong[0]  # false friends
    french = Embeddings(tuple(wrong), french.vectors, "fr")
    space = align(english, french, seeds=seeds, search_iterations=15)
    assert (space.provenance["seeds"], space.provenance["dictionary_pairs"]) == (seeds, 40)
    one, two = space.transform(english.vectors[:3], "en"), space.transform(french.vectors, "fr")
    assert (one @ two.T).argmax(axis=1).tolist() == [0, 1, 2]


@pytest.mark.slow
def test_without_pairs_a_race_is_run_and_its_runs_are_reported():
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(400, 6)) ** 3).astype(np.float32)
    x *= np.linspace(1.5, 0.8, 400, dtype=np.float32)[:, None]
    english = Embeddings(tuple(f"e{i}" for i in range(400)), x, "en")
    turned = x @ np.linalg.qr(rng.normal(size=(6, 6)))[0].astype(np.float32)
    french = Embeddings(tuple(f"f{i}" for i in range(400)), turned, "fr")
    space = align(
        english, french, starts={"sorted": STARTS["sorted 1000"]}, learner=SelfLearning(search_iterations=15),
        on_failure="ignore",
    )  # fmt: skip
    assert {each["start"] for each in space.provenance["candidates"]} == {"sorted"}
    assert all(each["method"] == "race" for each in space.provenance["candidates"])
    assert right(space, english, french) > 0.99


def test_pairs_that_translate_nothing_are_refused_with_signs_and_a_way_out():
    english, french, dictionary = made(n=400, permuted=True)
    arguments = (english, french, first(dictionary, 350))
    with pytest.raises(AlignmentFailedError, match="25 or more translation pairs") as caught:
        align(*arguments, method="procrustes")
    assert caught.value.confidence.value < 0.5
    with pytest.warns(AlignmentWarning, match="most likely failed"):
        space = align(*arguments, method="procrustes", on_failure="warn")
    assert space.scores["precision_at_1"] < 0.05
    assert space.scores["confidence"] == pytest.approx(caught.value.confidence.value)
    assert align(*arguments, method="procrustes", on_failure="ignore").scores == space.scores


def test_a_method_asked_for_gets_its_parameters_and_is_fitted_on_all_pairs():
    english, french, dictionary = made()
    space = align(english, french, first(dictionary, 300), method="multi-step", shrinkage=0.1)
    rows = np.stack([np.arange(300)] * 2, axis=1)
    alone = MultiStep(shrinkage=0.1).fit(english.vectors, french.vectors, rows, names=("en", "fr")).space_
    np.testing.assert_array_equal(space.maps["fr"].matrix, alone.maps["fr"].matrix)
    assert space.provenance["candidates"] == [{"method": "multi-step", **space.scores}]


def test_few_pairs_are_restarted_and_the_runs_reported():
    english, french, dictionary = made()
    space = align(english, french, first(dictionary, 30), held_out=0.0, search_iterations=8)
    runs = space.provenance["candidates"]
    assert [each["method"] for each in runs] == ["self-learning"] * 2
    assert space.scores["agreement"] == max(each["agreement"] for each in runs) > 0.5
    assert space.provenance["signs"]["independent_fits"]["value"] > 0.5
    many = align(english, french, first(dictionary, 300), method="self-learning", held_out=0.0, search_iterations=8)
    assert many.provenance["candidates"] == [{"method": "self-learning"}]
    assert "independent_fits" not in many.provenance["signs"]


def test_a_stopped_fit_goes_on_from_its_checkpoint_to_the_same_space(tmp_path):
    english, french, dictionary = made()
    path = tmp_path / "state"

    class Stopped(Exception):
        pass

    def stop(event):
        if event["iteration"] == 4:
            raise Stopped

    arguments = {"held_out": 0.0, "search_iterations": 8}
    whole = align(english, french, first(dictionary, 30), **arguments)
    with pytest.raises(Stopped):
        align(english, french, first(dictionary, 30), callback=stop, checkpoint=path, **arguments)
    assert path.exists()
    events = []
    resumed = align(english, french, first(dictionary, 30), callback=events.append, checkpoint=path, **arguments)
    assert resumed.fingerprint == whole.fingerprint
    assert events[0]["iteration"] == 5
    assert (events[0]["method"], "objective" in events[0]) == ("self-learning", True)
    assert not path.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds": "identical"}, "give one of the two"),
        ({"method": "magic"}, "with pairs the method must be one of auto, procrustes"),
        ({"method": "race"}, "with pairs the method must be"),
        ({"dictionary": None, "method": "procrustes"}, "with no pairs the method must be one of auto, race"),
        ({"dictionary": None, "seeds": "numerals"}, "hold no numerals in common"),
        ({"dictionary": None, "seeds": "cognates"}, "seeds must be one of identical, numerals"),
        ({"dictionary": None, "checkpoint": "state"}, "only self-learning"),
        ({"method": "procrustes", "checkpoint": "state"}, "only self-learning"),
        ({"on_failure": "pray", "method": "procrustes", "held_out": 0.0}, "on_failure must be one of"),
    ],
)
def test_what_does_not_fit_together_is_refused(change, message):
    english, french, dictionary = made(n=200)
    with pytest.raises(ValueError, match=message):
        align(english, french, **{"dictionary": first(dictionary, 30), **change})


def test_few_words_without_a_dictionary_and_equal_names_are_refused():
    english, french, dictionary = made(n=60, shared=10)
    with pytest.raises(ValueError, match="at least 100 words a side are needed, but there are 60 and 60"):
        align(english, french, seeds="identical")
    with pytest.raises(ValueError, match="both are called 'en'"):
        align(english, english, dictionary)


def test_a_parameter_that_no_candidate_takes_is_refused(quick):
    english, french, dictionary = made()
    with pytest.raises(TypeError, match=r"none of the candidates .* has a parameter colour"):
        align(english, french, first(dictionary, 400), colour="blue")


@pytest.mark.slow
def test_what_was_checked_is_not_checked_again():
    # 7,503 calls between files, 2,405 of them checks, before arrays were checked at the door only
    english, french, dictionary = made(n=600, d=50, noise=0.5)
    calls, room = [], str(Path(auto.__file__).parents[1])

    def note(frame, event, arg):
        if event == "call" and frame.f_back is not None:
            ends = {each.f_code.co_filename for each in (frame.f_back, frame)}
            if len(ends) == 2 and all(each.startswith(room) for each in ends):
                calls.append(frame.f_code.co_name)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        align(english, french, first(dictionary, 400))
    finally:
        sys.setprofile(before)
    assert len(calls) < 3751, len(calls)
    assert calls.count("as_matrix") < 800


@pytest.fixture(scope="module")
def spaces():
    """Four hundred words a side that differ by a rotation and a little noise."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 10)).astype(np.float32)
    y = x @ np.linalg.qr(rng.normal(size=(10, 10)))[0] + 0.4 * rng.normal(size=x.shape)
    english = Embeddings(tuple(f"e{i}" for i in range(400)), x, "en")
    french = Embeddings(tuple(f"f{i}" for i in range(400)), y.astype(np.float32), "fr")
    return english, french, SeedDictionary(tuple((f"e{i}", f"f{i}") for i in range(300)))


def test_half_of_what_is_held_out_are_the_rarest_words_with_all_their_pairs():
    rng = np.random.default_rng(1)
    words = np.repeat(rng.permutation(500), 2)  # two translations each, not in the order of frequency
    pairs = np.stack([words, rng.permutation(1000)], axis=1)
    ((held, kept),) = hold_out_folds(pairs, 0.2, seed=3, enough=1)
    assert not set(held[:, 0]) & set(kept[:, 0])
    assert len(held) == 200
    assert set(range(450, 500)) <= set(held[:, 0].tolist())
    assert (np.unique(held[:, 0]) < 450).sum() == 50
    assert sorted(map(tuple, np.concatenate([held, kept]).tolist())) == sorted(map(tuple, pairs.tolist()))
    assert not np.array_equal(held, hold_out_folds(pairs, 0.2, seed=4, enough=1)[0][0])


def test_folds_hold_out_no_word_twice_and_stop_at_enough_words():
    pairs = np.stack([np.arange(1000)] * 2, axis=1)
    folds = hold_out_folds(pairs, 0.1, seed=2, enough=250)
    together = np.concatenate([held[:, 0] for held, _ in folds])
    assert [len(held) for held, _ in folds] == [100, 100, 100]
    assert len(np.unique(together)) == 300
    assert set(range(850, 1000)) <= set(together.tolist())
    for held, kept in folds:
        assert sorted([*held[:, 0], *kept[:, 0]]) == list(range(1000))
    assert len(hold_out_folds(pairs, 0.1, seed=2, enough=200)) == 2
    assert len(hold_out_folds(pairs, 0.1, seed=2, enough=10**6)) == 3
    assert len(hold_out_folds(pairs, 0.4, seed=2, enough=10**6)) == 1  # two would leave little to draw from
    assert hold_out_folds(pairs[:199], 0.0975, seed=0) == ()


def test_a_trial_on_folds_joins_the_ranks_of_each(spaces):
    english, french, _ = spaces
    rows = np.stack([np.arange(300)] * 2, axis=1)
    folds = ((rows[:50], rows[50:]), (rows[50:80], np.concatenate([rows[:50], rows[80:]])))
    single = [try_folds("procrustes", english, french, (fold,)).ranks for fold in folds]
    np.testing.assert_array_equal(try_folds("procrustes", english, french, folds).ranks, np.concatenate(single))


def test_nothing_is_held_out_where_it_would_say_nothing():
    pairs = np.stack([np.arange(199)] * 2, axis=1)
    assert hold_out_folds(pairs, 0.0975, seed=0, enough=1) == ()  # 19 words
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\), but is 1.5"):
        hold_out_folds(pairs, 1.5, seed=0)


def test_a_trial_is_a_fit_on_the_kept_pairs_scored_on_the_others(spaces):
    english, french, _ = spaces
    rows = np.stack([np.arange(300)] * 2, axis=1)
    trial = try_folds("procrustes", english, french, ((rows[:50], rows[50:]),))
    by_hand = Procrustes().fit(english.vectors, french.vectors, rows[50:], names=("en", "fr")).space_
    expected = score_dictionary(by_hand, english, french, SeedDictionary(tuple((f"e{i}", f"f{i}") for i in range(50))))
    assert 0.3 < expected.precision_at_1 < 1
    assert trial.scores == {
        "precision_at_1": expected.precision_at_1,
        "precision_at_5": expected.precision_at_5,
        "mrr": expected.mrr,
        "held_out_words": 50,
    }


def test_ranks_become_shares_and_means():
    scores = Trial("any", np.array([1, 2, 0, 10])).scores
    assert scores == {"precision_at_1": 0.25, "precision_at_5": 0.5, "mrr": (1 + 0.5 + 0.1) / 4, "held_out_words": 4}


def test_the_space_is_fitted_on_all_pairs(spaces):
    english, french, dictionary = spaces
    space = fit_dictionary(english, french, dictionary, normalize="unit")
    rows = np.stack([np.arange(300)] * 2, axis=1)
    full = Procrustes(normalize="unit").fit(english.vectors, french.vectors, rows, names=("en", "fr")).space_
    np.testing.assert_array_equal(space.maps["en"].matrix, full.maps["en"].matrix)
    assert space.scores["held_out_words"] == 30
    assert space.provenance["parameters"] == {"normalize": "unit"}
    assert (space.provenance["pairs"], space.provenance["dictionary_pairs"]) == (300, 300)
    assert not fit_dictionary(english, french, dictionary, held_out=0.0).scores


def test_a_dictionary_without_any_vector_is_refused(spaces):
    english, french, _ = spaces
    with pytest.raises(ValueError, match=r"none of the 1 dictionary pairs .* \(first missing: f1 - e1\)"):
        fit_dictionary(english, french, SeedDictionary((("f1", "e1"),)))
