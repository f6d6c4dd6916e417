from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from interlingua.align import Embeddings, SharedSpace, SpaceError, SpaceMap, retrieve
from interlingua.align.space import Normalization
from interlingua.align.word.methods.multi_step import MultiStep
from interlingua.align.word.reranking import ranking as candidate_ranking
from interlingua.align.word.reranking import ranking as reranking
from interlingua.align.word.reranking.ranking import CandidateRanking, Reranker, fit_listwise

N_TRAIN = 200


class Recorder(MultiStep):
    """Remembers which pairs each copy of it was fitted on."""

    seen: ClassVar[list[np.ndarray]] = []

    def fit(self, source, target, pairs, **rest):
        Recorder.seen.append(np.array(pairs))
        return super().fit(source, target, pairs, **rest)


def inflected(n=320, seed=0):
    """Each meaning is a singular or a plural in the source and has both in the target, with vectors all but equal."""
    rng = np.random.default_rng(seed)
    stems = sorted({"".join(rng.choice(list("bdfgklmnprt"), 4)) for _ in range(3 * n)})
    stems = [stems[i] for i in rng.permutation(len(stems))[: 2 * n]]
    plural = rng.random(n) < 0.5
    meanings = rng.normal(size=(n, 12))
    english = [stem + "s" * many for stem, many in zip(stems[:n], plural.tolist())]
    source = Embeddings(english, meanings + 0.1 * rng.normal(size=meanings.shape), "en")
    forms = [stem + ending for stem in stems[n:] for ending in "oi"]
    target = Embeddings(forms, np.repeat(meanings, 2, axis=0) + 0.1 * rng.normal(size=(2 * n, 12)), "it")
    return source, target, np.stack([np.arange(n), 2 * np.arange(n) + plural], axis=1)


@pytest.fixture(scope="module")
def words():
    return inflected()


@pytest.fixture(scope="module")
def space(words):
    source, target, pairs = words
    return MultiStep(shrinkage=0.1).fit(source.vectors, target.vectors, pairs[:N_TRAIN], names=("en", "it")).space_


@pytest.fixture(scope="module")
def ranking(words, space):
    source, target, pairs = words
    return Reranker(n_candidates=10).fit(space, source, target, pairs[:N_TRAIN]).ranking_


def accuracy(found, pairs):
    return float((found.ids[:, 0] == pairs[:, 1]).mean())


def test_the_form_that_the_ending_asks_for_is_found(words, space, ranking):
    source, target, pairs = words
    new = pairs[N_TRAIN:]
    x, y = space.transform(source.vectors, "en"), space.transform(target.vectors, "it")
    plain = retrieve(x[new[:, 0]], y, 1, background=x)
    assert accuracy(plain, new) < 0.7
    assert accuracy(ranking.rank(space, source, target, new[:, 0], k=1), new) > 0.95
    assert ranking.scores["csls_precision_at_1"] < 0.7
    assert ranking.scores["precision_at_1"] > 0.95
    assert ranking.scores["precision_at_5"] >= ranking.scores["precision_at_1"]


def test_without_forms_no_spelling_is_looked_at(words, space):
    source, target, pairs = words
    plain = Reranker(n_candidates=10, forms=False).fit(space, source, target, pairs[:N_TRAIN]).ranking_
    renamed = (replace(each, labels=tuple(f"{i}" for i in range(len(each)))) for each in (source, target))
    blind = Reranker(n_candidates=10, forms=False).fit(space, *renamed, pairs[:N_TRAIN]).ranking_
    assert plain.forms is None
    np.testing.assert_array_equal(plain.weights, blind.weights)
    assert accuracy(plain.rank(space, source, target, pairs[N_TRAIN:, 0], k=1), pairs[N_TRAIN:]) < 0.7


def test_no_map_and_no_spelling_has_seen_the_words_of_its_fold(words, space, monkeypatch):
    source, target, pairs = words
    Recorder.seen = []
    spelled, ranked = [], []
    fit, features = reranking.SpellingModel.fit, reranking.dense_features

    def record_spelling(first, second):
        spelled.append(set(first))
        return fit(first, second)

    def record_lists(mapped, own, source, target, rows, found, dictionary, forms):
        ranked.append((set(rows.tolist()), set(dictionary[:, 0].tolist())))
        return features(mapped, own, source, target, rows, found, dictionary, forms)

    monkeypatch.setattr(reranking.SpellingModel, "fit", record_spelling)
    monkeypatch.setattr(reranking, "dense_features", record_lists)
    Reranker(aligner=Recorder(shrinkage=0.1), n_candidates=5).fit(space, source, target, pairs[:N_TRAIN])
    assert len(Recorder.seen) == len(ranked) == len(spelled) - 1 == 5
    for fitted, (held, dictionary), model in zip(Recorder.seen, ranked, spelled, strict=False):
        assert set(range(N_TRAIN)) - held == set(fitted[:, 0].tolist()) == dictionary
        assert model == {source.labels[row] for row in dictionary}
    assert sorted(word for held, _ in ranked for word in held) == list(range(N_TRAIN))


def test_no_endings_are_learned_from_the_words_they_are_scored_on(words, space, monkeypatch):
    source, target, pairs = words
    learned, scored = [], []
    learn, features = reranking.EndingPairs.learn, reranking._features

    def record_learning(first, second):
        learned.append(set(first))
        return learn(first, second)

    def record_lists(lists, *rest):
        scored.append({source.labels[word] for word in lists.words.tolist()})
        return features(lists, *rest)

    monkeypatch.setattr(reranking.EndingPairs, "learn", record_learning)
    monkeypatch.setattr(reranking, "_features", record_lists)
    Reranker(n_candidates=5).fit(space, source, target, pairs[:N_TRAIN])
    everything = {source.labels[row] for row in range(N_TRAIN)}
    assert len(learned) == 6
    for known, held in zip(learned[:5], scored[1:10:2], strict=True):
        assert held
        assert known == everything - held
    assert learned[5] == everything


def test_features_of_words_that_were_fitted_would_lie():
    """With fewer pairs than dimensions the fitted pairs match by chance: uncrossed scores would be far too good."""
    rng = np.random.default_rng(0)
    source = Embeddings([f"a{i}" for i in range(150)], rng.normal(size=(150, 100)), "en")
    target = Embeddings([f"b{i}" for i in range(150)], rng.normal(size=(150, 100)), "it")
    pairs = np.stack([np.arange(150), rng.permutation(150)], axis=1)
    noise = MultiStep(shrinkage=0.01).fit(source.vectors, target.vectors, pairs, names=("en", "it")).space_
    x, y = noise.transform(source.vectors, "en"), noise.transform(target.vectors, "it")
    assert accuracy(retrieve(x, y, 1), pairs) > 0.9
    scores = Reranker(n_candidates=20, forms=False).fit(noise, source, target, pairs).ranking_.scores
    assert scores["csls_precision_at_1"] < 0.1
    assert scores["precision_at_1"] < 0.1


def test_any_of_several_answers_is_right(words, space):
    source, target, pairs = words
    both = np.concatenate([pairs[:N_TRAIN], pairs[:N_TRAIN] ^ [0, 1]])
    scores = Reranker(n_candidates=10).fit(space, source, target, both).ranking_.scores
    assert scores["held_out_words"] == N_TRAIN
    assert scores["csls_precision_at_1"] > 0.95
    assert scores["precision_at_1"] > 0.95


def test_a_space_learned_without_pairs_serves_all_folds(words, space):
    source, target, pairs = words
    unsupervised = SharedSpace(space.maps, "race")
    scores = Reranker(n_candidates=10).fit(unsupervised, source, target, pairs[:N_TRAIN]).ranking_.scores
    assert scores["precision_at_1"] > 0.95
    by_hand = SharedSpace(space.maps, "by hand")
    with pytest.raises(ValueError, match="a space learned by 'by hand' cannot be fitted again"):
        Reranker().fit(by_hand, source, target, pairs[:N_TRAIN])


def test_scores_are_log_probabilities_of_the_candidates(words, space, ranking):
    source, target, _ = words
    found = ranking.rank(space, source, target, [210, 211], k=10)
    assert found.ids.shape == (2, 10)
    np.testing.assert_allclose(np.exp(found.scores.astype(np.float64)).sum(axis=1), 1, rtol=1e-5)
    assert (np.diff(found.scores, axis=1) <= 0).all()
    few = ranking.rank(space, source, target, [210, 211], k=3)
    np.testing.assert_array_equal(few.ids, found.ids[:, :3])
    assert ranking.rank(space, source, target, [210], k=25).ids.shape == (1, 25)
    assert ranking.rank(space, source, target, [], k=3).ids.shape == (0, 3)


@pytest.mark.parametrize("forms", [True, False])
def test_a_saved_ranking_ranks_the_same(words, space, tmp_path, forms):
    source, target, pairs = words
    learned = Reranker(n_candidates=6, forms=forms).fit(space, source, target, pairs[:N_TRAIN]).ranking_
    learned.save(tmp_path / "one")
    loaded = CandidateRanking.load(tmp_path / "one")
    before, after = (each.rank(space, source, target, pairs[N_TRAIN:, 0]) for each in (learned, loaded))
    np.testing.assert_array_equal(before.ids, after.ids)
    np.testing.assert_array_equal(before.scores, after.scores)
    assert dict(loaded.scores) == dict(learned.scores)
    loaded.save(tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_files_that_are_no_ranking_are_refused(words, space, ranking, tmp_path, monkeypatch):
    space.save(tmp_path / "space")
    (tmp_path / "empty").write_bytes(b"")
    for name, message in (("space", "but no candidate ranking"), ("empty", "is no candidate ranking or is damaged")):
        with pytest.raises(SpaceError, match=message):
            CandidateRanking.load(tmp_path / name)
    ranking.save(tmp_path / "good")
    content = bytearray((tmp_path / "good").read_bytes())
    content[-20] ^= 1
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(SpaceError, match="is damaged: its numbers are not those that were saved"):
        CandidateRanking.load(tmp_path / "bad")
    monkeypatch.setattr(candidate_ranking, "_FORMAT", replace(candidate_ranking._FORMAT, versions=(3, 3)))
    with pytest.raises(SpaceError, match="has format version 2, but this release reads version 3"):
        CandidateRanking.load(tmp_path / "good")


def test_another_space_or_direction_is_refused(words, space, ranking):
    source, target, _ = words
    with pytest.raises(SpaceError, match="learned for another shared space"):
        ranking.rank(replace(space, method="other"), source, target, [0])
    with pytest.raises(SpaceError, match="learned from 'en' to 'it', but is asked from 'it' to 'en'"):
        ranking.rank(space, target, source, [0])
    with pytest.raises(ValueError, match="k must be at least 1"):
        ranking.rank(space, source, target, [0], k=0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_folds": 1}, "n_candidates and n_folds must be at least 2"),
        ({"n_candidates": 1}, "n_candidates and n_folds must be at least 2"),
        ({"penalty": 0.0}, "penalties must be positive"),
    ],
)
def test_parameters_out_of_range_are_refused(words, space, wrong, message):
    source, target, pairs = words
    with pytest.raises(ValueError, match=message):
        Reranker(**wrong).fit(space, source, target, pairs)


def test_too_few_words_are_refused(words, space):
    source, target, pairs = words
    with pytest.raises(ValueError, match="at least 100 source words, but the pairs have 99"):
        Reranker().fit(space, source, target, pairs[:99])


def test_identity_maps_leave_the_fold_without_refitting(words):
    source, _, pairs = words
    copy = replace(source, space="copy")
    identity = SharedSpace(
        {name: SpaceMap(Normalization.fit(source.vectors, "unit")) for name in ("en", "copy")}, "race"
    )
    same = np.stack([pairs[:N_TRAIN, 0]] * 2, axis=1)
    ranking = Reranker(n_candidates=5).fit(identity, source, copy, same).ranking_
    assert ranking.scores["csls_precision_at_1"] == ranking.scores["precision_at_1"] == 1.0


def test_lists_without_a_right_candidate_change_nothing():
    rng = np.random.default_rng(0)
    features, penalties = rng.normal(size=(30 * 6, 4)), rng.uniform(0.1, 2, size=4)
    right = rng.integers(6, size=(30, 1)) == np.arange(6)
    more = np.concatenate([features, np.ones((12, 4))])
    padded = np.concatenate([right, np.zeros((2, 6), bool)])
    np.testing.assert_array_equal(fit_listwise(more, padded, penalties), fit_listwise(features, right, penalties))
    with pytest.raises(ValueError, match="nothing to learn a ranking from"):
        fit_listwise(features, np.zeros_like(right), penalties)
