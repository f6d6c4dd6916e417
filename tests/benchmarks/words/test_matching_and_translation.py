import numpy as np
import pytest

from interlingua.align.matching import as_candidates
from interlingua.benchmarks.words import matching, translation


def _figures(cases):
    return {(each.method, metric): value for each in cases for metric, value in each.figures.items()}


@pytest.fixture
def scores():
    """Cosines of 40 vectors and noisy copies of them; the first column is near to all rows."""
    rng = np.random.default_rng(0)
    left = rng.normal(size=(40, 8))
    right = left + 0.5 * rng.normal(size=left.shape)
    left, right = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (left, right))
    table = left @ right.T
    table[:, 0] += 0.2
    return table.astype(np.float32)


@pytest.fixture
def in_this_process(monkeypatch):
    monkeypatch.setattr(matching, "measured_alone", lambda work: (work(), 0.0, 0.0))


@pytest.mark.usefixtures("in_this_process")
def test_matchers_are_scored_as_defined(scores):
    gold = np.arange(40)
    gold[30:] = -1
    found = _figures(matching.compare(scores, gold, "words", "made", 4))
    best = scores.argmax(axis=1)
    assert found["cosine", "accuracy %"] == pytest.approx(100 * (best[:30] == np.arange(30)).mean(), abs=1e-3)
    mutual = scores.argmax(axis=0)[best] == np.arange(40)
    assert found["cosine", "mutual, share %"] == pytest.approx(100 * mutual[:30].mean(), abs=1e-3)
    right = (best == np.arange(40))[:30][mutual[:30]]
    assert found["cosine", "mutual, right %"] == pytest.approx(100 * right.mean(), abs=1e-3)
    for method in ("CSLS (distance margin)", "Sinkhorn", "Hungarian"):
        assert found[method, "accuracy %"] > found["cosine", "accuracy %"]


@pytest.mark.usefixtures("in_this_process")
def test_candidates_of_everything_give_what_the_matrix_gives(scores):
    dense, thin = (
        _figures(matching.compare(each, np.arange(40), "t", "d", 4)) for each in (scores, as_candidates(scores))
    )
    for key, value in dense.items():
        if key[1].endswith("%"):
            assert thin[key] == pytest.approx(value, abs=1e-3), key


def test_pairs_without_a_partner_lower_the_precision(scores):
    gold = np.full(40, -1)
    kept = np.arange(20)
    gold[kept] = kept
    noise = np.random.default_rng(1).normal(size=(40, 20)).astype(np.float32)
    found = _figures(matching.without_partner(scores[:, :20] + noise / 2, gold, "made", 4))
    assert found["Hungarian", "precision %"] == found["Hungarian", "recall %"]
    assert found["Hungarian, dustbin", "precision %"] > found["Hungarian", "precision %"]


def test_an_asked_precision_keeps_the_best_pairs():
    sure = np.array([0.99, 0.97, 0.9, 0.4])
    found = _figures(matching.asked("t", "d", "w", sure, np.array([True, True, False, True])))
    assert found["w", "right % where 95 was asked"] == pytest.approx(66.6667)
    assert found["w", "right ones kept % at 95"] == pytest.approx(66.6667)
    assert found["w", "right % where 80 was asked"] == 75.0
    assert _figures(matching.asked("t", "d", "w", sure[3:], np.array([True])))["w", "right ones kept % at 95"] == 0


def test_what_a_child_process_finds_comes_back():
    found, seconds, megabytes = matching.measured_alone(lambda: np.ones(6_000_000).sum())
    assert (found, seconds > 0) == (6e6, True)
    assert 40 < megabytes < 80
    with pytest.raises(RuntimeError, match="without a result"):
        matching.measured_alone(lambda: 1 / 0)


def test_words_in_sentences_have_exactly_one_of_their_candidates():
    words = [(["the", "bank"], ["la", "rive"]), (["bank", "bank"], ["banque"]), (["bank"], ["rive", "banque"])]
    candidates = {"bank": {"rive": 1.0, "banque": 0.5}, "the": {"la": 1.0, "le": 0.9}}
    assert translation._items(words, candidates) == [(0, "bank", "rive"), (0, "the", "la")]


def test_every_piece_has_a_name_of_its_own():
    for module in (matching, translation):
        names = [name for name, _ in module.pieces()]
        assert len(set(names)) == len(names)
        assert not any(one in other for one in names for other in names if one != other)
