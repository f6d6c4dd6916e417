"""Alignment of documents against all paths, and what happens to what has no partner."""

import itertools

import numpy as np
import pytest

from interlingua.align.sentence import align_in_any_order, align_in_order, pair_documents
from interlingua.align.sentence.documents import bead_confidences, span_means


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def all_paths(n, m, most):
    """Every sequence of beads that uses up n and m sentences."""
    if n == 0 and m == 0:
        yield []
        return
    for a, b in itertools.product(range(min(n, most - 1) + 1), range(min(m, most - 1) + 1)):
        if (a + b == 1) or (a and b and a + b <= most):
            for rest in all_paths(n - a, m - b, most):
                yield [(a, b), *rest]


def price(x, y, path, skip):
    """The cost of a path by the formula in the docstring of align_in_order."""
    xs, ys = span_means(x, 3), span_means(y, 3)
    i = j = 0
    total = 0.0
    for a, b in path:
        if a and b:
            u, v = xs[a - 1][i], ys[b - 1][j]
            away = (np.mean(1 - ys[0] @ u) + np.mean(1 - xs[0] @ v)) / 2
            total += a * b * max(1 - u @ v, 0) / away
        else:
            total += skip
        i, j = i + a, j + b
    return total


def random_text(seed, n, m, noise=0.5):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 6))
    y = x[np.sort(rng.permutation(n)[:m])] + noise * rng.standard_normal((m, 6))
    return unit(x).astype(np.float32), unit(y).astype(np.float32)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("most", [2, 4])
def test_no_path_is_cheaper(seed, most):
    x, y = random_text(seed, 5, 4)
    found = align_in_order(x, y, most=most)
    cheapest = min(price(x, y, path, found.skip_cost) for path in all_paths(5, 4, most))
    assert float(found.costs.sum()) == pytest.approx(cheapest, rel=1e-4)
    path = [tuple(row) for row in found.sizes.tolist()]
    assert price(x, y, path, found.skip_cost) == pytest.approx(cheapest, rel=1e-4)


def test_every_sentence_is_in_one_bead():
    x, y = random_text(7, 40, 31)
    for found in (align_in_order(x, y), align_in_any_order(x, y)):
        for first, last, n in ((0, 1, 40), (2, 3, 31)):
            covered = np.concatenate([np.arange(a, b) for a, b in found.spans[:, [first, last]]])
            assert sorted(covered.tolist()) == list(range(n))


def test_the_band_finds_what_the_whole_table_finds():
    x, y = random_text(3, 300, 260, noise=0.3)
    np.testing.assert_array_equal(align_in_order(x, y, exact=1).spans, align_in_order(x, y).spans)


def test_texts_in_any_order_are_put_together():
    rng = np.random.default_rng(0)
    x = unit(rng.standard_normal((30, 16)).astype(np.float32))
    order = rng.permutation(30)[:24]
    found = align_in_any_order(x, x[order])
    got = found.spans[found.paired]
    assert len(got) == 24
    np.testing.assert_array_equal(order[got[:, 2]], got[:, 0])


def test_documents_find_their_partners_and_strangers_stay_alone():
    rng = np.random.default_rng(1)
    x = unit(rng.standard_normal((60, 24)).astype(np.float32))
    of = np.repeat(np.arange(6), 10)
    chosen = np.concatenate([np.flatnonzero(of == document)[:8] for document in (4, 1, 5)])
    strangers = unit(rng.standard_normal((9, 24)).astype(np.float32))
    y = np.concatenate([x[chosen], strangers])
    found = pair_documents(x, y, of, [*np.repeat([0, 1, 2], 8), *[3] * 9])
    assert sorted(map(tuple, found.pairs.tolist())) == [(1, 1), (4, 0), (5, 2)]
    np.testing.assert_allclose(found.scores, 16 / 18, atol=1e-6)


def test_right_beads_are_surer_than_wrong_ones():
    rng = np.random.default_rng(2)
    x = unit(rng.standard_normal((200, 32)).astype(np.float32))
    y = unit(x + 0.6 * unit(rng.standard_normal((200, 32))).astype(np.float32))
    y[100:] = np.roll(y[100:], 7, axis=0)  # no longer translations
    _, sure = bead_confidences(x, y)
    assert sure[:100].mean() > 0.9
    assert sure[100:].mean() < 0.2


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"most": 1}, "at least 2"), ({"skip": 1.5}, "from 0 to 1"), ({"target": np.ones((2, 3))}, "dimension")],
)
def test_what_does_not_fit_is_refused(changes, message):
    given = {"source": np.eye(4), "target": np.eye(4), **changes}
    with pytest.raises(ValueError, match=message):
        align_in_order(given.pop("source"), given.pop("target"), **given)


def test_lengths_tell_which_of_two_like_sentences_is_missing():
    x, y = np.eye(4)[[0, 1, 1, 2]], np.eye(4)[[0, 1, 2]]
    for short, spans in (
        (1, [[0, 1, 0, 1], [1, 2, 1, 1], [2, 3, 1, 2]]),
        (2, [[0, 1, 0, 1], [1, 2, 1, 2], [2, 3, 2, 2]]),
    ):
        lengths = np.array([50, 50, 50, 50])
        lengths[short] = 15
        found = align_in_order(x, y, most=2, lengths=(lengths, [50, 50, 50]), length_weight=0.5)
        assert found.spans[:3].tolist() == spans


def test_what_lengths_cost_is_the_distance_of_their_logarithms():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, 8))
    own, other = rng.integers(45, 60, 6), rng.integers(45, 60, 6)
    plain, longer = (align_in_order(x, x, most=2, lengths=each) for each in (None, (own, other)))
    assert plain.spans.tolist() == longer.spans.tolist() == [[n, n + 1, n, n + 1] for n in range(6)]
    np.testing.assert_allclose(
        longer.costs - plain.costs, 0.25 * np.abs(np.log(own + 3) - np.log(other + 3)), atol=1e-6
    )


@pytest.mark.parametrize("lengths", [([1, 2], [1, 2, 3]), ([1, 2, -1], [1, 2, 3]), ([1, 2, np.nan], [1, 2, 3])])
def test_lengths_that_do_not_fit_are_refused(lengths):
    with pytest.raises(ValueError, match="lengths are one for each of 3 sentences"):
        align_in_order(np.eye(3), np.eye(3), lengths=lengths)
    with pytest.raises(ValueError, match="length_weight must not be negative"):
        align_in_order(np.eye(3), np.eye(3), length_weight=-1)


@pytest.mark.parametrize("times", [1, 4, 40])
def test_a_text_with_itself_is_aligned_one_to_one(times):
    """Joined neighbours cost as little as single ones there: the plainest of the cheapest paths is right."""
    rows = np.random.default_rng(0).normal(size=(40 // times, 64))
    x = np.repeat(rows / np.linalg.norm(rows, axis=1, keepdims=True), times, axis=0)
    for lengths in (None, (np.full(40, 30.0), np.full(40, 30.0))):
        beads = align_in_order(x, x, lengths=lengths)
        assert beads.spans.tolist() == [[row, row + 1, row, row + 1] for row in range(40)]


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("skip", [0.0, 0.02, 0.3])
def test_the_sentences_of_very_short_texts_are_paired(n, skip):
    rng = np.random.default_rng(n)
    x = rng.normal(size=(n, 32))
    y = x + 0.7 * rng.normal(size=(n, 32))
    x, y = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (x, y))
    assert align_in_order(x, y, skip=skip).spans.tolist() == [[row, row + 1, row, row + 1] for row in range(n)]
