"""Restarts keep the run that another one confirms, and go on after a stop as if there had been none."""

import numpy as np
import pytest
from scipy.stats import ortho_group

from interlingua.align.word import restarts as module
from interlingua.align.word.methods.self_learning import SelfLearning, SelfLearningState
from interlingua.align.word.restarts import STARTS, Race, Restarts, RestartsState, Run
from interlingua.align.word.starts import sorted_similarity_pairs


def planted(n=300, d=10, noise=0.2, seed=0):
    """Return a clustered source and its noisy rotation; word i translates word i."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(25, d))
    source = centres[rng.integers(25, size=n)] + 0.7 * rng.normal(size=(n, d))
    target = source @ ortho_group.rvs(d, random_state=seed) + noise * rng.normal(size=(n, d))
    return source.astype(np.float32), target.astype(np.float32)


def diagonal(n):
    return np.stack([np.arange(n), np.arange(n)], axis=1)


def learner(**parameters):
    return SelfLearning(**{"search_iterations": 12, "search_vocabulary": 150, "tolerance": 0.0, **parameters})


def right(pairs):
    return float((pairs[:, 0] == pairs[:, 1]).mean())


def test_two_runs_that_agree_end_the_restarts_and_the_believed_one_is_grown():
    source, target = planted()
    fitted = Restarts(learner=learner(), vocabulary=200).fit(source, target, diagonal(10), names=("en", "fr"))
    assert [(run.seed, run.search_vocabulary) for run in sorted(fitted.runs_, key=lambda run: run.seed)] == [
        (0, 150),
        (1, 200),  # 1.4 times as large, held to the small vocabulary
    ]
    assert fitted.space_.scores["agreement"] == fitted.runs_[0].agreement > 0.8
    assert fitted.runs_[0].pairs.max() < 200
    assert fitted.learner_.dictionary_.pairs.max() > 290
    assert right(fitted.learner_.pairs_) > 0.95
    np.testing.assert_array_equal(fitted.learner_.pairs_[:10], diagonal(10))
    (other,) = fitted.others_
    assert other.languages == fitted.space_.languages == ("en", "fr")
    one, two = (space.transform(source, "en") @ space.transform(target, "fr").T for space in (fitted.space_, other))
    assert (one.argmax(axis=1) == two.argmax(axis=1)).mean() > 0.9


def scripted(monkeypatch, *dictionaries):
    """Replace the runs: each finds the given translations of words 0 to 99, with rising mutual rates."""

    def run(own, source, target, pairs, *, start, state):
        place = len(made)
        made.append(own.seed)
        found = np.stack([np.arange(100), dictionaries[place]], axis=1)
        return Run(start, own.seed, own.search_vocabulary, 0.0, 0.4 + 0.01 * place, 0.0, found)

    made = []
    monkeypatch.setattr(module, "run_on", run)
    return made


def test_a_run_that_another_confirms_is_believed_before_one_with_more_mutual_pairs(monkeypatch):
    source, target = planted()
    same, rng = np.arange(100), np.random.default_rng(0)
    mostly = np.where(same < 80, same, rng.permutation(100))
    made = scripted(monkeypatch, rng.permutation(100), same, rng.permutation(100), rng.permutation(100), mostly)
    fitted = Restarts(learner=learner(seed=7)).fit(source, target, diagonal(10))
    assert made == [7, 8, 9, 10, 11]  # the fifth agrees with the second
    assert [run.seed for run in fitted.runs_[:2]] == [11, 8]  # of the two the one with more mutual pairs
    assert fitted.runs_[0].agreement == pytest.approx(80 / 120, abs=0.03)
    assert fitted.space_.provenance["restarts"] == 5
    assert right(fitted.learner_.pairs_) > 0.9


def test_where_none_agree_all_runs_are_made_and_the_agreement_says_so(monkeypatch):
    source, target = planted()
    rng = np.random.default_rng(0)
    made = scripted(monkeypatch, *(rng.permutation(100) for _ in range(4)))
    fitted = Restarts(learner=learner(), restarts=4).fit(source, target, diagonal(10))
    assert len(made) == 4
    assert fitted.runs_[0].seed == 3  # the highest mutual rate
    assert fitted.space_.scores["agreement"] < 0.1


def test_with_pairs_enough_there_is_one_run_that_of_the_learner_itself():
    source, target = planted()
    own = learner(enough_pairs=50)
    fitted = Restarts(learner=own).fit(source, target, diagonal(60))
    alone = learner(enough_pairs=50).fit(source, target, diagonal(60))
    np.testing.assert_array_equal(fitted.space_.maps["source"].matrix, alone.space_.maps["source"].matrix)
    assert (fitted.runs_, fitted.others_) == ((), ())
    assert "agreement" not in fitted.space_.scores
    assert own.callback is None  # the caller's learner is left as it was
    assert not hasattr(own, "space_")


class Stopped(Exception):
    pass


@pytest.mark.parametrize("after", [(0, 3), (0, 14), (1, 2), (2, 1)])
def test_a_resumed_fit_gives_the_same_space_as_an_unbroken_one(tmp_path, after):
    source, target = planted()
    whole = Restarts(learner=learner(), vocabulary=200).fit(source, target, diagonal(10))

    def stop(event):
        if (event["run"], event["iteration"]) == after:
            raise Stopped

    broken = Restarts(learner=learner(callback=stop), vocabulary=200)
    with pytest.raises(Stopped):
        broken.fit(source, target, diagonal(10))
    broken.state_.save(tmp_path / "state")
    state = RestartsState.load(tmp_path / "state")
    assert len(state.runs) == after[0]
    told = []
    resumed = Restarts(learner=learner(callback=told.append), vocabulary=200)
    resumed.fit(source, target, diagonal(10), state=state)
    assert (told[0]["run"], told[0]["iteration"]) == (after[0], after[1] + 1)
    assert resumed.space_.fingerprint == whole.space_.fingerprint
    assert resumed.space_.scores == whole.space_.scores
    assert resumed.others_[0].fingerprint == whole.others_[0].fingerprint


def test_a_state_of_other_pairs_or_of_another_kind_is_refused(tmp_path):
    source, target = planted(n=100)
    with pytest.raises(ValueError, match="belongs to a fit from 5 other pairs than the 6"):
        Restarts(learner=learner()).fit(source, target, diagonal(6), state=RestartsState(diagonal(5)))
    SelfLearningState.start(diagonal(5), stage=0, seed=0).save(tmp_path / "state")
    with pytest.raises(ValueError, match="but no state of restarts"):
        RestartsState.load(tmp_path / "state")


@pytest.mark.parametrize("bad", [{"restarts": 0}, {"factors": ()}, {"factors": (1.0, 0.0)}])
def test_bad_parameters_are_refused(bad):
    with pytest.raises(ValueError, match="restarts must be at least 1 and factors positive"):
        Restarts(**bad).fit(*planted(n=50), diagonal(5))


def skewed(n=300, d=8, d_target=8, noise=0.05, seed=0):
    rng = np.random.default_rng(seed)
    source = rng.standard_t(4, size=(n, d)) * np.linspace(2, 0.5, d)
    rotation = ortho_group.rvs(max(d, d_target), random_state=seed)[:d, :d_target]
    target = source @ rotation + noise * rng.normal(size=(n, d_target))
    return source.astype(np.float32), target.astype(np.float32)


def racing_learner():
    return SelfLearning(search_iterations=15, search_vocabulary=300)


def hopeless(seed):
    """Return a start that guesses at random."""
    rng = np.random.default_rng(seed)
    return lambda x, y: np.stack([rng.integers(len(x), size=500), rng.integers(len(y), size=500)], axis=1)


@pytest.mark.parametrize("d_target", [8, 10])
def test_a_planted_rotation_is_found_without_pairs_and_the_starts_agree(d_target):
    source, target = skewed(d_target=d_target)
    race = Race(learner=racing_learner()).fit(source, target, names=("en", "fr"))
    assert right(race.learner_.pairs_) > 0.95
    assert race.agreement_ > 0.9
    assert race.space_.languages == ("en", "fr")
    assert race.space_.scores["agreement"] == race.agreement_
    assert {run.start for run in race.runs_} == {"sorted 1500", "gromov-wasserstein 1500"}
    assert race.space_.provenance["runs"] == 2


def test_random_starts_lose_against_those_that_agree():
    source, target = skewed()
    starts = {"hopeless": hopeless(1), "sorted": STARTS["sorted 1000"]}
    race = Race(starts=starts, learner=racing_learner()).fit(source, target)
    # the better one goes first with the next seed, and is then the first that agrees with another
    assert sorted((run.start, run.seed) for run in race.runs_) == [("hopeless", 0), ("sorted", 0), ("sorted", 1)]
    assert race.runs_[0].start != "hopeless"
    assert right(race.runs_[0].pairs) > 0.95
    assert race.agreement_ > 0.9


def test_starts_are_made_one_by_one_until_two_runs_agree():
    source, target = skewed()
    made = []

    def start(name, guess):
        def make(x, y):
            made.append(name)
            return guess(x, y)

        return make

    right_start = STARTS["sorted 1000"]
    order = {
        "one": hopeless(1),
        "two": right_start,
        "three": lambda x, y: sorted_similarity_pairs(x, y, vocabulary=280).pairs,
        "four": hopeless(2),
    }
    starts = {name: start(name, guess) for name, guess in order.items()}
    race = Race(starts=starts, learner=racing_learner()).fit(source, target, names=("en", "fr"))
    assert made == ["one", "two", "three"]
    assert [run.start for run in race.runs_[-1:]] == ["one"]
    (other,) = race.others_
    mapped = [space.transform(source, "en") @ space.transform(target, "fr").T for space in (race.space_, other)]
    assert (mapped[0].argmax(axis=1) == mapped[1].argmax(axis=1)).mean() > 0.9


def test_a_start_that_guesses_the_same_does_not_confirm_another():
    source, target = skewed()
    same = dict.fromkeys(("one", "two"), STARTS["sorted 1000"])
    race = Race(starts=same, learner=racing_learner(), seeds=(0,)).fit(source, target)
    assert [run.start for run in race.runs_] == ["one"]
    assert (race.agreement_, race.others_) == (0.0, ())


def test_unrelated_spaces_end_in_no_agreement():
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=(300, 20)), rng.normal(size=(300, 20))
    starts = {"one": hopeless(1), "two": hopeless(2)}
    race = Race(starts=starts, learner=racing_learner(), seeds=(0,)).fit(source, target)
    assert race.agreement_ < 0.05
    assert len(race.runs_) == 2


def test_runs_without_any_agreement_are_given_up_early():
    rng = np.random.default_rng(0)
    source, target = (rng.normal(size=(300, 20)).astype(np.float32) for _ in range(2))
    told = []
    long = SelfLearning(search_iterations=60, search_vocabulary=300, callback=told.append)
    race = Race(starts={str(i): hopeless(i) for i in range(5)}, learner=long).fit(source, target)
    assert race.agreement_ < 0.05
    # five starts, the three best of them once more, and the best of all to its end
    assert [event["iteration"] for event in told].count(0) == 8 + 1
    ended = [run for run in race.runs_ if run.criterion > -1]
    assert len(race.runs_) == 8
    assert ended == [race.runs_[0]]
    assert [run.seed for run in race.runs_].count(1) == 3
    every = Race(starts={"one": hopeless(1), "two": hopeless(2)}, learner=racing_learner(), enough_agreement=2.0)
    runs = every.fit(source, target).runs_
    assert len(runs) == 4
    assert min(run.criterion for run in runs) > -1


def test_a_run_that_went_on_after_its_first_rounds_is_as_one_that_was_not_stopped():
    source, target = planted(n=200)
    own = learner(search_iterations=30)
    heat = module._Heat("pairs", own, diagonal(10))
    heat.begin(source, target, 5)
    assert heat.run is None
    assert len(heat.state.history) == 5
    whole = module.run_on(own, source, target, diagonal(10), start="pairs")
    np.testing.assert_array_equal(heat.finish(source, target).pairs, whole.pairs)
    assert heat.result().criterion == whole.criterion


def test_the_callers_learner_is_left_as_it_was():
    source, target = skewed(n=100)
    own = racing_learner()
    before = dict(vars(own))
    Race(starts={"sorted": STARTS["sorted 1000"]}, learner=own, seeds=(0,)).fit(source, target)
    assert vars(own) == before


@pytest.mark.parametrize("bad", [{"starts": {}}, {"seeds": ()}])
def test_a_race_without_runners_is_refused(bad):
    with pytest.raises(ValueError, match="needs starts and seeds"):
        Race(**bad).fit(*skewed(n=50))


def test_gromov_wasserstein_can_run_too():
    source, target = skewed(n=150)
    plan = STARTS["gromov-wasserstein 1500"](source, target)
    assert (plan.argmax(axis=1) == np.arange(150)).mean() > 0.9
