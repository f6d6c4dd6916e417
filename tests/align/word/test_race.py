import numpy as np
import pytest
from scipy.stats import ortho_group

from interlingua.align.word.methods.self_learning import SelfLearning
from interlingua.align.word.restarts import STARTS, Race
from interlingua.align.word.starts import sorted_similarity_pairs


def planted(n=300, d=8, d_target=8, noise=0.05, seed=0):
    rng = np.random.default_rng(seed)
    source = rng.standard_t(4, size=(n, d)) * np.linspace(2, 0.5, d)
    rotation = ortho_group.rvs(max(d, d_target), random_state=seed)[:d, :d_target]
    target = source @ rotation + noise * rng.normal(size=(n, d_target))
    return source.astype(np.float32), target.astype(np.float32)


def learner():
    return SelfLearning(search_iterations=15, search_vocabulary=300)


def hopeless(seed):
    """Return a start that guesses at random."""
    rng = np.random.default_rng(seed)
    return lambda x, y: np.stack([rng.integers(len(x), size=500), rng.integers(len(y), size=500)], axis=1)


def right(pairs):
    return (pairs[:, 0] == pairs[:, 1]).mean()


@pytest.mark.parametrize("d_target", [8, 10])
def test_a_planted_rotation_is_found_without_pairs_and_the_starts_agree(d_target):
    source, target = planted(d_target=d_target)
    race = Race(learner=learner()).fit(source, target, names=("en", "fr"))
    assert right(race.learner_.pairs_) > 0.95
    assert race.agreement_ > 0.9
    assert race.space_.languages == ("en", "fr")
    assert race.space_.scores["agreement"] == race.agreement_
    assert {run.start for run in race.runs_} == {"sorted 1500", "gromov-wasserstein 1500"}
    assert race.space_.provenance["runs"] == 2


def test_random_starts_lose_against_those_that_agree():
    source, target = planted()
    starts = {"hopeless": hopeless(1), "sorted": STARTS["sorted 1000"]}
    race = Race(starts=starts, learner=learner()).fit(source, target)
    assert len(race.runs_) == 4  # the last one is the first that agrees with another
    assert race.runs_[0].start != "hopeless"
    assert right(race.runs_[0].pairs) > 0.95
    assert race.agreement_ > 0.9


def test_starts_are_made_one_by_one_until_two_runs_agree():
    source, target = planted()
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
    race = Race(starts=starts, learner=learner()).fit(source, target, names=("en", "fr"))
    assert made == ["one", "two", "three"]
    assert [run.start for run in race.runs_[-1:]] == ["one"]
    (other,) = race.others_
    mapped = [space.transform(source, "en") @ space.transform(target, "fr").T for space in (race.space_, other)]
    assert (mapped[0].argmax(axis=1) == mapped[1].argmax(axis=1)).mean() > 0.9


def test_a_start_that_guesses_the_same_does_not_confirm_another():
    source, target = planted()
    same = dict.fromkeys(("one", "two"), STARTS["sorted 1000"])
    race = Race(starts=same, learner=learner(), seeds=(0,)).fit(source, target)
    assert [run.start for run in race.runs_] == ["one"]
    assert (race.agreement_, race.others_) == (0.0, ())


def test_unrelated_spaces_end_in_no_agreement():
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=(300, 20)), rng.normal(size=(300, 20))
    starts = {"one": hopeless(1), "two": hopeless(2)}
    race = Race(starts=starts, learner=learner(), seeds=(0,)).fit(source, target)
    assert race.agreement_ < 0.05
    assert len(race.runs_) == 2


def test_the_callers_learner_is_left_as_it_was():
    source, target = planted(n=100)
    own = learner()
    before = dict(vars(own))
    Race(starts={"sorted": STARTS["sorted 1000"]}, learner=own, seeds=(0,)).fit(source, target)
    assert vars(own) == before


@pytest.mark.parametrize("bad", [{"starts": {}}, {"seeds": ()}])
def test_a_race_without_runners_is_refused(bad):
    with pytest.raises(ValueError, match="needs starts and seeds"):
        Race(**bad).fit(*planted(n=50))


def test_gromov_wasserstein_can_run_too():
    pytest.importorskip("ot")
    source, target = planted(n=150)
    plan = STARTS["gromov-wasserstein 1500"](source, target)
    assert (plan.argmax(axis=1) == np.arange(150)).mean() > 0.9
