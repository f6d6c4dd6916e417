import warnings

import numpy as np
import pytest

from interlingua.align import SharedSpace
from interlingua.align.sentence import Consensus, ContrastiveHead, ParallelVectors, translation_quality
from interlingua.align.sentence.methods.head import CollapseError, CollapseWarning

torch = pytest.importorskip("torch")
CENTRING = Consensus(turn="none", shrinkage=None)


def planted(n=400, d=12, noise=1.0, seed=0, languages=("eng", "fin")):
    """Sentences whose languages disagree in the last half of the directions."""
    rng = np.random.default_rng(seed)
    meaning, scale = rng.normal(size=(n, d)), np.r_[np.full(d // 2, 0.1), np.full(d - d // 2, 2.0)]
    return {name: (meaning + noise * scale * rng.normal(size=(n, d))).astype(np.float32) for name in languages}


def head(**parameters):
    settings = {"start": CENTRING, "steps": 60, "check_every": 20, "batch_size": 128, "learning_rate": 0.02}
    return ContrastiveHead(**{**settings, "rank": 16, "temperature": 0.2, **parameters})


@pytest.mark.parametrize("kind", ["linear", "low-rank", "mlp"])
@pytest.mark.parametrize("per_language", [False, True])
def test_a_head_finds_more_held_out_translations_than_its_start(kind, per_language):
    data = planted(700)
    train = {name: rows[:400] for name, rows in data.items()}
    held = ParallelVectors.of({name: rows[400:] for name, rows in data.items()})
    learned = head(kind=kind, per_language=per_language).fit(train)
    before = translation_quality(CENTRING.fit(train).space_.transform, held)
    after = translation_quality(learned.space_.transform, held)
    assert after.accuracy > before.accuracy + 0.05
    assert max(learned.steps_) > 0


def test_a_shared_head_gives_all_languages_one_matrix_and_own_heads_do_not():
    shared = head().fit(planted()).space_.maps
    own = head(per_language=True).fit(planted()).space_.maps
    assert np.array_equal(shared["eng"].matrix, shared["fin"].matrix)
    assert not np.allclose(own["eng"].matrix, own["fin"].matrix, atol=1e-3)


def test_a_low_rank_head_differs_from_the_identity_by_its_rank():
    matrix = head(kind="low-rank", rank=3).fit(planted()).space_.maps["eng"].matrix
    assert np.linalg.matrix_rank(matrix - np.eye(12), tol=1e-4) == 3


def test_a_large_penalty_leaves_the_start():
    matrix = head(penalty=1e4, learning_rate=1e-4).fit(planted()).space_.maps["eng"].matrix
    assert np.abs(matrix - np.eye(12)).max() < 1e-3


def test_results_repeat_with_the_seed_and_differ_without():
    first, again, other = (head(seed=s).fit(planted()).space_.maps["eng"].matrix for s in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.allclose(first, other, atol=1e-3)


def test_several_seeds_give_the_mean_of_their_matrices():
    # nothing held out: all steps are done, and each run depends on its seed alone
    one, two = (head(held_out=0, seed=s).fit(planted()).space_.maps["eng"].matrix for s in (0, 1))
    both = head(held_out=0, n_seeds=2).fit(planted())
    assert np.allclose(both.space_.maps["eng"].matrix, (one + two) / 2, atol=1e-6)
    assert both.steps_ == (60, 60)


def test_where_training_only_harms_the_start_is_returned():
    data = planted(noise=0.05)
    learned = head(learning_rate=0.3, penalty=0.0, temperature=5.0, on_collapse="warn", steps=20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollapseWarning)
        learned.fit(data)
    assert learned.steps_ == (0,)
    assert np.abs(learned.space_.maps["eng"].matrix - np.eye(12)).max() < 1e-6


def test_a_collapse_is_an_error_with_a_way_out_or_a_warning_that_keeps_the_best_step():
    # the two sides are unrelated, so nothing can be learned and the loss stays that of a guess
    rng = np.random.default_rng(0)
    unrelated = {name: rng.normal(size=(300, 12)).astype(np.float32) for name in ("eng", "fin")}
    with pytest.raises(CollapseError, match=r"that of a guess among 128.*lower the learning rate"):
        head(learning_rate=1e-4).fit(unrelated)
    with pytest.warns(CollapseWarning, match="the state of step 0 is kept"):
        kept = head(learning_rate=1e-4, on_collapse="warn").fit(unrelated)
    assert kept.steps_ == (0,)


def test_hard_negatives_and_a_margin_train_too():
    learned = head(hard_negatives=2, margin=0.2).fit(planted(300, languages=("eng", "fin", "swh")))
    assert learned.history_[-1]["surprisal"] < learned.history_[0]["surprisal"]


def test_same_language_negatives_are_more_to_win_against():
    # the first look is after the same batches; nearly twice as many candidates cost more
    plain, more = (
        head(same_language_negatives=own, learning_rate=1e-6).fit(planted()).history_[1] for own in (False, True)
    )
    assert more["objective"] > plain["objective"] + 0.3
    assert more["accuracy"] == pytest.approx(plain["accuracy"], abs=0.05)


def test_the_history_is_what_the_callback_got():
    seen = []
    learned = head(callback=seen.append, pivot="eng").fit(planted())
    assert learned.history_ == tuple(seen)
    assert [each["iteration"] for each in seen] == [0, 20, 40, 60][: len(seen)]


def test_an_mlp_survives_its_file(tmp_path):
    space = head(kind="mlp").fit(planted()).space_
    assert space.maps["eng"].hidden is not None
    space.save(tmp_path / "head")
    again, x = SharedSpace.load(tmp_path / "head"), planted(seed=3)["fin"]
    assert np.array_equal(again.transform(x, "fin"), space.transform(x, "fin"))


def test_validation_from_another_domain_is_used_to_stop():
    train, other = planted(), planted(100, seed=5)
    learned = head(held_out=0).fit(train, validation=other)
    expected = translation_quality(CENTRING.fit(train).space_.transform, ParallelVectors.of(other)).surprisal
    assert learned.history_[0]["surprisal"] == pytest.approx(expected, rel=1e-4)
    assert head(held_out=0).fit(train).history_ == ()


@pytest.mark.parametrize(
    "parameters",
    [{"kind": "deep"}, {"temperature": 0}, {"rank": 0}, {"penalty": -1}, {"batch_size": 1}, {"held_out": 0.6}],
)
def test_a_parameter_out_of_range_is_refused(parameters):
    with pytest.raises(ValueError, match=next(iter(parameters))):
        ContrastiveHead(**parameters).fit(planted(50))
