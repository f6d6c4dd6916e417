import warnings

import numpy as np
import pytest
from scipy.stats import spearmanr

from interlingua.align.vocabulary import Embeddings
from interlingua.align.word.confidence import (
    THRESHOLD,
    AlignmentFailedError,
    AlignmentWarning,
    Confidence,
    assess,
    assess_space,
)
from interlingua.align.word.methods.procrustes import Procrustes
from interlingua.align.word.signs import Sign, measure_signs

N = 300


def vocabularies(n=N, d=20, noise=0.5, seed=0):
    """Two noisy views of one space in which frequency leaves a trace, turned against each other."""
    rng = np.random.default_rng(seed)
    meaning = rng.normal(size=(n, d)) * np.linspace(1.5, 0.5, d)
    meaning[:, -1] += np.linspace(1.0, -1.0, n)
    turn = np.linalg.qr(rng.normal(size=(d, d)))[0]
    source = meaning + noise * rng.normal(size=(n, d)) * np.linspace(1.5, 0.5, d)
    return source.astype(np.float32), (meaning @ turn).astype(np.float32)


def mapped(pairs, source, target):
    space = Procrustes().fit(source, target, pairs, names=("a", "b")).space_
    return space.transform(source, "a"), space.transform(target, "b")


def same(n):
    return np.stack([np.arange(n), np.arange(n)], axis=1)


def unit(x):
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def random_pairs(n, seed):
    return np.random.default_rng(seed).integers(0, N, (n, 2))


def words(prefix):
    return tuple(f"{prefix}{k}" for k in range(N))


def test_a_right_map_is_accepted():
    confidence = assess(*mapped(same(150), *vocabularies()))
    assert confidence.accepted
    assert confidence.check() is confidence
    assert confidence.value > 0.9


@pytest.mark.parametrize("seed", range(3))
def test_a_map_from_wrong_pairs_is_refused(seed):
    confidence = assess(*mapped(random_pairs(150, seed), *vocabularies(seed=seed)))
    assert confidence.verdict == "refused"
    assert confidence.value < 0.1


def test_unrelated_spaces_are_refused():
    source, _ = vocabularies()
    _, target = vocabularies(seed=9)
    assert assess(*mapped(same(150), source, target)).value < 0.1


def test_right_vectors_under_wrong_words_are_refused():
    source, target = mapped(same(150), *vocabularies())
    shuffled = target[np.random.default_rng(4).permutation(N)]
    confidence = assess(source, shuffled)
    assert confidence.signs["recovery"].excess > 0.5  # the geometry is as good as ever
    assert confidence.verdict == "refused"
    assert not assess(source, shuffled, labels=(words("w"), words("w"))).accepted
    # without the order of frequency and without strings nothing can tell
    assert assess(source, shuffled, by_frequency=False).accepted
    assert not assess(source, shuffled, by_frequency=False, labels=(words("w"), words("w"))).accepted


def test_the_null_of_a_random_map_is_the_random_map():
    signs = measure_signs(*map(unit, mapped(random_pairs(150, 1), *vocabularies(n=N))))
    for name in ("vocabulary_halves", "recovery", "mutual_neighbors", "hubs"):
        assert abs(signs[name].excess) < 0.6, name  # log odds: a factor of less than two
    for name in ("structure", "frequency"):
        assert abs(signs[name].excess) < 0.15, name


def test_halves_and_recovery_are_perfect_for_a_noiseless_rotation():
    source, target = map(unit, mapped(same(150), *vocabularies(noise=0.0)))
    signs = measure_signs(source, target)
    assert signs["vocabulary_halves"].value == 1.0
    assert signs["recovery"].value == 1.0
    assert signs["mutual_neighbors"].value == 1.0
    assert signs["structure"].value == pytest.approx(1.0, abs=1e-3)
    assert signs["frequency"].value == pytest.approx(1.0)


def test_mutual_neighbors_and_frequency_are_those_counted_by_hand():
    source, target = map(unit, mapped(same(150), *vocabularies(noise=1.5)))
    similarity = (source @ target.T).astype(np.float64)
    csls = 2 * similarity
    csls -= np.sort(similarity, axis=1)[:, -10:].mean(axis=1)[:, None] + np.sort(similarity, axis=0)[-10:].mean(axis=0)
    mutual = [(i, j) for i, j in enumerate(csls.argmax(axis=1)) if csls[:, j].argmax() == i]
    signs = measure_signs(source, target)
    assert 0.2 < len(mutual) / N < 0.8
    assert signs["mutual_neighbors"].value == pytest.approx(len(mutual) / N, abs=1e-9)
    assert signs["frequency"].value == pytest.approx(spearmanr(*zip(*mutual, strict=True)).statistic, abs=1e-9)


def test_a_planted_hub_raises_the_skew():
    source, target = mapped(same(150), *vocabularies())
    common = np.full(source.shape[1], 0.1, np.float32)
    source, with_hub = unit(source + common), target.copy()
    with_hub[:3] = unit(common[None] + 0.01 * target[:3])
    plain, hub = measure_signs(source, target)["hubs"], measure_signs(source, with_hub)["hubs"]
    assert hub.value > plain.value + 1


def test_recovered_strings_leave_out_the_seeds():
    source, target = map(unit, mapped(same(150), *vocabularies(noise=0.0)))
    labels = (words("w"), words("w"))
    sign = measure_signs(source, target, labels=labels)["identical_strings"]
    assert sign.value == 1.0
    assert sign.null == pytest.approx(1 / N)
    wrong = np.array(words("w"))
    wrong[150:] = np.roll(wrong[150:], 1)
    half = measure_signs(source, target, labels=(labels[0], tuple(wrong)))["identical_strings"]
    assert half.value == 0.5
    none = measure_signs(source, target, labels=(labels[0], tuple(wrong)), seeds=same(150))["identical_strings"]
    assert none.value == 0.0
    few = measure_signs(source, target, labels=labels, seeds=same(N - 19))
    assert "identical_strings" not in few


def test_independent_fits_are_counted_where_they_agree():
    source, target = vocabularies(noise=0.0)
    right = mapped(same(150), source, target)
    again = mapped(same(N)[150:], source, target)
    wrong = mapped(random_pairs(150, 2), source, target)
    signs = assess(*right, others=[again]).signs
    assert signs["independent_fits"].value == 1.0
    assert assess(*right, others=[again, wrong]).signs["independent_fits"].value == pytest.approx(0.5, abs=0.05)


def test_a_space_is_judged_as_its_mapped_vectors():
    source, target = vocabularies()
    first = Embeddings(words("a"), source, "a")
    second = Embeddings(words("b"), target, "b")
    space = Procrustes().fit(source, target, same(150), names=("a", "b")).space_
    other = Procrustes(normalize="unit").fit(source, target, same(150), names=("a", "b")).space_
    got = assess_space(space, first, second, others=[other], vocabulary=250)
    expected = assess(
        space.transform(source[:250], "a"),
        space.transform(target[:250], "b"),
        others=[(other.transform(source[:250], "a"), other.transform(target[:250], "b"))],
    )
    assert got.value == pytest.approx(expected.value, abs=1e-6)
    assert list(got.signs) == list(expected.signs)


def test_the_result_is_the_same_twice_and_inputs_stay():
    source, target = mapped(same(150), *vocabularies())
    before = source.copy(), target.copy()
    assert assess(source, target) == assess(source, target)
    np.testing.assert_array_equal(source, before[0])
    np.testing.assert_array_equal(target, before[1])


def sign(excess):
    return Sign(excess, 0.0, excess)


def test_the_value_is_the_formula():
    neutral = Confidence.from_signs({"recovery": sign(1.2), "frequency": sign(0.5)})
    assert neutral.value == pytest.approx(0.5)
    assert neutral.verdict == "accepted"
    best = Confidence.from_signs({"recovery": sign(9.0), "frequency": sign(0.5)})
    assert best.value == pytest.approx(1 / (1 + np.exp(-4)))
    half_labels = Confidence.from_signs({"recovery": sign(9.0), "frequency": sign(0.125)})
    assert half_labels.value == pytest.approx(best.value / 2)
    mixed = Confidence.from_signs({"recovery": sign(9.0), "structure": sign(-1.0), "vocabulary_halves": sign(1.9)})
    assert mixed.value == pytest.approx(1 / (1 + np.exp(-4 * 0.5 / 3)))
    with_others = Confidence.from_signs({"recovery": sign(9.0), "mutual_neighbors": sign(-9.0), "hubs": sign(-9.0)})
    assert with_others.value == pytest.approx(best.value)
    with pytest.raises(ValueError, match="but hold spectra"):
        Confidence.from_signs({"spectra": sign(1.0)})


def test_independent_fits_or_strings_must_confirm_where_fits_are_given():
    polished = {"vocabulary_halves": sign(2.0), "recovery": sign(3.6), "structure": sign(0.27), "frequency": sign(0.3)}
    alone = Confidence.from_signs(polished)
    assert alone.value == pytest.approx(1 / (1 + np.exp(-4 * (0.75 + 1 + 1) / 3)))
    none = Confidence.from_signs({**polished, "independent_fits": sign(0.2), "identical_strings": sign(0.1)})
    assert none.value == 0.0
    agreed = Confidence.from_signs({**polished, "independent_fits": sign(0.35)})
    assert agreed.value == pytest.approx(0.75 / (1 + np.exp(-4 * (0.75 + 1 + 1 + 1 / 3) / 4)))
    strings = Confidence.from_signs({**polished, "independent_fits": sign(0.15), "identical_strings": sign(0.25)})
    assert strings.value == pytest.approx(1 / (1 + np.exp(-4 * (0.75 + 1 + 1 - 1 + 1) / 5)))
    assert strings.accepted


def test_a_refusal_names_the_signs_and_the_way_out():
    failed = Confidence.from_signs({"recovery": sign(0.1), "structure": sign(0.12), "frequency": sign(0.01)})
    with pytest.raises(AlignmentFailedError, match="25 or more translation pairs") as caught:
        failed.check()
    assert caught.value.confidence is failed
    text = str(caught.value)
    assert "recovery 0.10 where a wrong map gives 0.00" in text
    assert "frequency 0.01" in text
    assert "structure" not in text
    assert f"{failed.value:.2f}" in text
    with pytest.warns(AlignmentWarning, match="Signs against it: recovery"):
        assert failed.check("warn") is failed
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert failed.check("ignore") is failed
    with pytest.raises(ValueError, match="raise, warn, ignore"):
        failed.check("never")
    assert failed.summary().startswith(f"confidence {failed.value:.2f}: refused (threshold {THRESHOLD})")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"vocabulary": 50}, "at least 100 words"),
        ({"labels": (words("a"), words("b")[:5])}, "300 and 5 labels"),
    ],
)
def test_what_cannot_be_judged_is_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        assess(*mapped(same(150), *vocabularies()), **arguments)


def test_words_with_zero_vectors_say_nothing():
    rng = np.random.default_rng(0)
    words = (rng.normal(size=(150, 12)) * np.linspace(2, 0.3, 12)).astype(np.float32)
    other = (words + 0.1 * rng.normal(size=words.shape)).astype(np.float32)
    labels = [f"w{i}" for i in range(150)]
    seeds = np.stack([np.arange(40)] * 2, axis=1)
    expected = assess(words, other, labels=(labels, labels), seeds=seeds, others=[(other, words)])
    gaps = np.insert(words, [0, 9], 0.0, axis=0)
    at = np.delete(np.arange(152), [0, 10])
    own = np.array(["none", *labels[:9], "nothing", *labels[9:]])
    larger = [(np.insert(other, [0, 9], 0.0, axis=0), words)]
    renumbered = np.concatenate([[[0, 3]], np.stack([at[:40], np.arange(40)], axis=1)])
    found = assess(gaps, other, labels=(own.tolist(), labels), seeds=renumbered, others=larger)
    assert found == expected
