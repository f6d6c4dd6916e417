import numpy as np
import pytest

from interlingua.align.sentence import ParallelVectors, align_sentences, translation_quality
from interlingua.align.sentence.auto import candidates_for


def planted(n=400, d=12, noise=0.8, seed=0):
    rng = np.random.default_rng(seed)
    meaning, scale = rng.normal(size=(n, d)), np.r_[np.full(d // 2, 0.1), np.full(d - d // 2, 1.5)]
    return {name: (meaning + noise * scale * rng.normal(size=(n, d))).astype(np.float32) for name in ("eng", "fin")}


@pytest.mark.parametrize(
    ("pairs", "last"),
    [
        (100, "rotation"),
        (499, "rotation"),
        (500, "light ridge + whitening"),
        (5001, "linear head"),
        (50001, "MLP head"),
    ],
)
def test_more_pairs_allow_a_larger_head(pairs, last):
    pytest.importorskip("torch")
    names = [each.name for each in candidates_for(pairs)[0]]
    assert names[0] == "centring"
    assert names[-1] == last


def test_capacity_limits_what_is_tried_whatever_the_pairs():
    assert [each.name for each in candidates_for(10**6, "centring")[0]] == ["centring"]
    assert "low-rank head" in [each.name for each in candidates_for(600, "low-rank")[0]]
    assert "linear head" not in [each.name for each in candidates_for(600, "low-rank")[0]]


def test_the_candidate_with_the_least_surprisal_is_chosen_and_all_are_reported():
    space = align_sentences(planted(800), encoder="e5")
    candidates = {each["candidate"]: each for each in space.provenance["candidates"]}
    chosen = space.provenance["chosen"]["candidate"]
    assert list(candidates) == [each.name for each in candidates_for(800)[0]]
    assert chosen == min(candidates, key=lambda name: candidates[name]["surprisal"])
    assert "whitening" in chosen
    assert space.scores["accuracy"] >= space.scores["centred_accuracy"] + 0.05
    assert space.encoder == "e5"


def test_it_is_never_less_accurate_on_held_out_pairs_than_centring():
    rng = np.random.default_rng(0)
    for seed in range(5):
        noise = {name: rng.normal(size=(600, 40)).astype(np.float32) for name in ("eng", "fin")}
        space = align_sentences({"noise": noise, "news": planted(500, d=40, noise=0.1, seed=seed)}, seed=seed)
        assert space.scores["accuracy"] >= space.scores["centred_accuracy"]


def test_the_space_is_fitted_on_all_pairs_and_chosen_on_validation():
    train, other = planted(700), planted(200, seed=7)
    space = align_sentences(train, validation={"speech": other})
    assert space.provenance["pairs"] == 700
    assert space.provenance["validation"] == ["validation: speech"]
    assert set(space.scores) >= {"accuracy: all", "accuracy: validation: speech"}
    quality = translation_quality(space.transform, ParallelVectors.of(other))
    assert quality.accuracy > 0.3


def test_a_pivot_that_is_no_language_is_refused_before_anything_is_fitted():
    seen = []
    with pytest.raises(ValueError, match=r"the pivot must be a language .* but 'en' is none of eng, fin"):
        align_sentences(planted(300), pivot="en", callback=seen.append)
    assert seen == []
    with pytest.raises(ValueError, match="'en' is none of eng, fin"):
        ParallelVectors.of(planted(30)).check_pivot("en")
    assert align_sentences(planted(300), pivot="eng").scores["accuracy"] > 0


def test_few_pairs_with_nothing_to_hold_out_need_validation():
    with pytest.raises(ValueError, match="there is nothing to compare on"):
        align_sentences(planted(100))
    assert align_sentences(planted(100), validation=planted(60, seed=1)).provenance["pairs"] == 100


def test_contrastive_heads_are_compared_and_told_of():
    pytest.importorskip("torch")
    seen = []
    space = align_sentences(planted(300), capacity="low-rank", callback=seen.append)
    assert "low-rank head" in [each["candidate"] for each in space.provenance["candidates"]]
    assert any("iteration" in each for each in seen)
    assert next(each["candidate"] for each in seen if "iteration" not in each) == "centring"


def test_heads_are_not_stopped_by_the_sentences_they_are_compared_on(monkeypatch):
    pytest.importorskip("torch")
    stopped, compared = [], []

    def recorded(seen):
        def score(transform, held, **rest):
            seen.append({tuple(row) for _, languages in held for row in languages["eng"].round(5).tolist()})
            return translation_quality(transform, held, **rest)

        return score

    monkeypatch.setattr("interlingua.align.sentence.methods.head.translation_quality", recorded(stopped))
    monkeypatch.setattr("interlingua.align.sentence.auto.translation_quality", recorded(compared))
    validation = {"speech": planted(60, seed=1)}
    space = align_sentences(planted(300), validation=validation, capacity="low-rank")
    assert len(stopped) > 1
    assert {len(each) for each in stopped} == {27}
    assert {len(each) for each in compared} == {30 + 60}
    assert not set.union(*stopped) & set.union(*compared)
    assert "low-rank head" in [each["candidate"] for each in space.provenance["candidates"]]


def test_small_domains_stop_heads_by_half_of_their_sentences(monkeypatch):
    pytest.importorskip("torch")
    sizes = set()

    def score(transform, held, **rest):
        sizes.add(sum(held.sizes.values()))
        return translation_quality(transform, held, **rest)

    monkeypatch.setattr("interlingua.align.sentence.methods.head.translation_quality", score)
    align_sentences(planted(100), validation=planted(60, seed=1), capacity="low-rank")
    assert sizes == {50}


def test_an_unknown_capacity_is_refused():
    with pytest.raises(ValueError, match="capacity must be one of auto, centring"):
        align_sentences(planted(), capacity="huge")
