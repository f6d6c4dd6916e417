from typing import ClassVar

import numpy as np
import pytest
from scipy.stats import ortho_group

from interlingua.align.word.evaluation import parallel_accuracy
from interlingua.align.word.methods.procrustes import Procrustes
from interlingua.align.word.methods.self_learning import SelfLearning, SelfLearningState

FAST = {"search_iterations": 20, "search_vocabulary": 200}


def planted(n=400, d=12, d_target=12, noise=0.3, seed=0):
    """Return a clustered source and its noisy rotation; word i translates word i."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(30, d))
    source = centres[rng.integers(30, size=n)] + 0.7 * rng.normal(size=(n, d))
    rotation = ortho_group.rvs(max(d, d_target), random_state=seed)[:d, :d_target]
    target = source @ rotation + noise * rng.normal(size=(n, d_target))
    return source.astype(np.float32), target.astype(np.float32)


def diagonal(n):
    return np.stack([np.arange(n), np.arange(n)], axis=1)


def accuracy(space, source, target):
    return min(parallel_accuracy(space.transform(source, "source"), space.transform(target, "target")))


@pytest.mark.parametrize("d_target", [12, 17])
def test_few_pairs_become_a_dictionary(d_target):
    source, target = planted(d_target=d_target)
    seeds = diagonal(400)[:10]
    from_seeds = accuracy(Procrustes().fit(source, target, seeds).space_, source, target)
    learned = SelfLearning(**FAST).fit(source, target, seeds)
    after = accuracy(learned.space_, source, target)
    assert after > 0.85
    assert after > from_seeds + 0.1
    assert (learned.pairs_[:, 0] == learned.pairs_[:, 1]).mean() > 0.95
    np.testing.assert_array_equal(learned.pairs_[:10], seeds)


def test_wrong_seeds_are_dropped_where_they_are_not_trusted():
    source, target = planted()
    seeds = diagonal(400)[:60].copy()
    seeds[:20, 1] = np.roll(seeds[:20, 1], 1)
    learned = SelfLearning(trust_pairs=False, **FAST).fit(source, target, seeds)
    assert (learned.pairs_[:, 0] == learned.pairs_[:, 1]).mean() > 0.95
    kept = SelfLearning(trust_pairs=True, **FAST).fit(source, target, seeds)
    np.testing.assert_array_equal(kept.pairs_[:60], seeds)


def test_it_starts_from_a_similarity():
    source, target = planted()
    rng = np.random.default_rng(5)
    similarity = np.eye(100) + 0.2 * rng.normal(size=(100, 100))
    learned = SelfLearning(**FAST).fit(source, target, similarity=similarity)
    assert accuracy(learned.space_, source, target) > 0.85


def test_any_aligner_does_and_the_final_one_gives_the_space():
    class Spy(Procrustes):
        seen: ClassVar[list] = []

        def fit(self, source, target, pairs, *, names=("source", "target")):
            type(self).seen.append((self.normalize, len(pairs)))
            return super().fit(source, target, pairs, names=names)

    source, target = planted(n=250)
    spy = Spy()
    learned = SelfLearning(refiner=Procrustes(), final=spy, **FAST).fit(source, target, diagonal(10))
    assert spy.normalize == "unit-centre-unit"  # the caller's aligner is not touched
    assert Spy.seen == [("none", len(learned.pairs_))]
    # Procrustes is semi-orthogonal, unlike the default refiner
    matrix = learned.space_.maps["source"].matrix.astype(np.float64)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(12), atol=1e-5)


def test_enough_pairs_leave_the_search_out():
    source, target = planted()
    learned = SelfLearning(enough_pairs=50, **FAST).fit(source, target, diagonal(60))
    assert {event["stage"] for event in learned.history_} == {1}


def test_the_vocabulary_grows_to_what_is_asked_and_the_rounds_are_told():
    source, target = planted(n=400)
    told = []
    learned = SelfLearning(search_iterations=10, search_vocabulary=100, vocabulary=350, callback=told.append)
    learned.fit(source, target, diagonal(10))
    assert tuple(told) == learned.history_
    growth = [event["vocabulary"] for event in told if event["stage"] == 1]
    assert growth == sorted(growth)
    assert growth[-1] == 350
    assert learned.dictionary_.pairs.max() < 350
    keeps = [event["keep_probability"] for event in told if event["stage"] == 0]
    assert keeps == sorted(keeps)
    assert keeps[0] == pytest.approx(0.1)
    assert keeps[-1] == 1.0


class Stopped(Exception):
    pass


@pytest.mark.parametrize("after", [3, 21])
def test_a_resumed_fit_gives_the_same_space_as_an_unbroken_one(tmp_path, after):
    source, target = planted()
    seeds = diagonal(400)[:10]
    # a tolerance of nought keeps every round, so that both stages are broken once
    unbroken = SelfLearning(tolerance=0.0, **FAST).fit(source, target, seeds)

    def stop(event):
        if event["iteration"] == after:
            raise Stopped

    broken = SelfLearning(tolerance=0.0, callback=stop, **FAST)
    with pytest.raises(Stopped):
        broken.fit(source, target, seeds)
    broken.state_.save(tmp_path / "state")
    state = SelfLearningState.load(tmp_path / "state")
    assert len(state.history) == after + 1
    resumed = SelfLearning(tolerance=0.0, **FAST).fit(source, target, seeds, state=state)
    assert resumed.history_ == unbroken.history_
    assert resumed.space_.fingerprint == unbroken.space_.fingerprint


def test_a_state_of_other_pairs_or_a_damaged_file_is_refused(tmp_path):
    source, target = planted(n=100)
    state = SelfLearningState.start(diagonal(5), stage=0, seed=0)
    with pytest.raises(ValueError, match="belongs to a fit from 5 other pairs than the 6"):
        SelfLearning(**FAST).fit(source, target, diagonal(6), state=state)
    path = tmp_path / "state"
    state.save(path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match="is no state of self-learning or is damaged"):
        SelfLearningState.load(path)


def test_neither_or_both_starts_are_refused():
    source, target = planted(n=50)
    for wrong in ({}, {"pairs": diagonal(5), "similarity": np.eye(5)}):
        with pytest.raises(ValueError, match="give one of the two"):
            SelfLearning().fit(source, target, **wrong)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"keep_probability": 0.0}, "keep_probability must be in"),
        ({"vocabulary": 0}, "vocabulary must be at least 1"),
        ({"tolerance": -1.0}, "must not be negative"),
    ],
)
def test_bad_parameters_are_refused(bad, said):
    source, target = planted(n=50)
    with pytest.raises(ValueError, match=said):
        SelfLearning(**bad).fit(source, target, diagonal(5))


def test_two_languages_need_two_names():
    source, target = planted(n=50)
    with pytest.raises(ValueError, match="both are called 'en'"):
        SelfLearning().fit(source, target, diagonal(5), names=("en", "en"))


def test_where_every_word_has_a_given_pair_there_is_nothing_more_to_find():
    source, target = planted(n=200)
    fitted = SelfLearning(search_vocabulary=100).fit(source, target, np.stack([np.arange(200)] * 2, axis=1))
    assert len(fitted.dictionary_.pairs) == 0
    np.testing.assert_array_equal(fitted.pairs_, np.stack([np.arange(200)] * 2, axis=1))
