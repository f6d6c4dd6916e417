"""Growth against the formula over its own result, and on graphs whose counterparts are known."""

import numpy as np
import pytest

from interlingua.align.graph import align_entities, grow_pairs
from interlingua.align.matching import Candidates, as_candidates

N, R = 150, 6
LEFT, RIGHT = np.arange(N), np.arange(N, 2 * N)


def twins(seed=0, m=500, noise=0.1):
    """Two copies of one random graph: entity i and N + i, relation r and R + r, some edges lost."""
    rng = np.random.default_rng(seed)
    triples = np.stack([rng.integers(0, N, m), rng.integers(0, R, m), rng.integers(0, N, m)], axis=1)
    copies = [triples[rng.random(m) > noise] for _ in range(2)]
    return np.concatenate([copies[0], copies[1] + np.array([N, R, N])])


def alike(rows, columns, scores=0.9):
    order = np.lexsort((columns, rows))
    values = np.broadcast_to(np.float32(scores), len(rows))[order]
    return Candidates(np.array(rows)[order], np.array(columns)[order], values.astype(np.float32), (N, N))


def right(pairs):
    return float((pairs[:, 1] == pairs[:, 0] + N).mean())


def formula(triples, similar, pairs, sure, first):
    """Probabilities of all pairs from entity `first` on, by loops over the docstring's formulas."""
    edges = {(h, r, t) for h, r, t in triples.tolist()}
    edges |= {(t, r + 2 * R, h) for h, r, t in triples.tolist()}
    match = {tuple(pair): p for pair, p in zip(pairs.tolist(), sure.tolist(), strict=True)}
    known = {u: p for pair, p in match.items() for u in pair}
    seen, crowd, into, between = np.zeros(4 * R), {}, {}, {}
    for h, r, t in edges:
        seen[r] += known.get(h, 0) * known.get(t, 0)
        crowd[r, t] = crowd.get((r, t), 0) + 1
        into.setdefault(t, []).append((h, r))
        between.setdefault((h, t), []).append(r)
    mate = dict(match)
    together = np.zeros((4 * R, 4 * R))
    for (u, v), p in mate.items():
        for (x, y), s in mate.items():
            for r in between.get((x, u), []):
                for q in between.get((y, v), []):
                    together[r, q] += p * s
    shares = np.minimum((together / (seen[:, None] + 1) + together / (seen + 1)) / 2, 1)
    like = np.maximum(shares, 0.1 / (np.minimum(seen[:, None], seen) + 1))
    evidence = np.zeros((N, N))
    for (u, v), p in match.items():
        for x, r in into.get(u, []):
            for y, q in into.get(v, []):
                if x < N <= y:
                    weight = p * like[r, q] / max(crowd[r, u], crowd[q, v])
                    evidence[x, y - N] -= np.log1p(-min(weight, 0.98))
    evidence[evidence <= 0.02] = 0
    total = 3 * evidence
    total[similar.rows, similar.columns] += 4 * similar.scores
    weight = np.expm1(total[first:, first:])
    return weight / (0.3 + weight.sum(axis=1, keepdims=True) + weight.sum(axis=0) - weight)


def test_what_has_settled_is_what_the_formula_gives():
    triples = twins(m=300)
    seeds = np.stack([np.arange(30), N + np.arange(30)], axis=1)
    similar = alike([60, 70, 80], [60, 71, 80])
    inner = Candidates(similar.rows - 30, similar.columns - 30, similar.scores, (N - 30, N - 30))
    settings = {"n_entities": 2 * N, "seeds": seeds, "stages": 8}
    found = grow_pairs(triples, 2 * R, inner, LEFT[30:], RIGHT[30:], **settings)
    pairs = np.concatenate([seeds, found.pairs])
    sure = np.concatenate([np.ones(len(seeds)), found.probabilities])
    expected = formula(triples, similar, pairs, sure, first=30)
    given = np.zeros_like(expected)
    given[found.scored.rows, found.scored.columns] = found.scored.scores
    assert len(found.pairs) > 40
    np.testing.assert_allclose(given, expected, atol=1e-3)


def test_few_alike_names_are_enough_and_without_edges_nothing_grows():
    similar = alike(np.arange(15), np.arange(15))
    found = grow_pairs(twins(), 2 * R, similar, LEFT, RIGHT, n_entities=2 * N)
    alone = grow_pairs(np.zeros((0, 3), int), 2 * R, similar, LEFT, RIGHT, n_entities=2 * N)
    assert len(found.pairs) > 0.9 * N
    assert right(found.pairs) > 0.97
    assert len(alone.pairs) == 15


@pytest.mark.parametrize(("rivals", "kept"), [(4, 1), (6, 0)])
def test_pairs_with_too_many_rivals_are_not_kept(rivals, kept):
    """Of r x r names that are all alike, each pair has the probability w / (0.3 + (2 r - 1) w): 0.14 or 0.09."""
    rows, columns = (each.ravel() for each in np.indices((rivals, rivals)))
    found = grow_pairs(np.zeros((0, 3), int), 2 * R, alike(rows, columns), LEFT, RIGHT, n_entities=2 * N)
    weight = np.expm1(4 * 0.9)
    np.testing.assert_allclose(found.scored.scores, weight / (0.3 + (2 * rivals - 1) * weight), rtol=1e-5)
    assert len(found.pairs) == kept  # of equal ones the first


@pytest.mark.parametrize(("similarity", "grown"), [(0.4, False), (0.6, True)])
def test_growth_begins_above_a_similarity_of_a_half(similarity, grown):
    """Six names that are nearly alike: no pair is likely by itself, but once believed, all bear each other out."""
    rows, columns = (each.ravel() for each in np.indices((6, 6)))
    edges = np.array([(each, each, (each + step) % 6) for each in range(6) for step in (1, 2)])
    triples = np.concatenate([edges, edges + np.array([N, R, N])])
    similar = alike(rows, columns, np.where(rows == columns, similarity + 0.01, similarity))
    found = grow_pairs(triples, 2 * R, similar, LEFT, RIGHT, n_entities=2 * N)
    assert found.pairs.tolist() == ([[each, N + each] for each in range(6)] if grown else [])


def test_wrong_pairs_to_begin_with_are_given_up():
    rows, columns = np.arange(30), np.arange(30)
    columns[:6] = columns[5::-1]  # the first six are exchanged
    found = grow_pairs(twins(m=900), 2 * R, alike(rows, columns, 0.55), LEFT, RIGHT, n_entities=2 * N)
    assert right(found.pairs[found.pairs[:, 0] < 6]) > 0.6
    assert right(found.pairs) > 0.95


def test_what_is_learnt_of_spellings_adds_pairs():
    rng = np.random.default_rng(5)
    counts = rng.poisson(0.3, (N, 60)).astype(np.float32)
    written = np.zeros((2 * N, 120), np.float32)
    written[:N, :60], written[N:, 60:] = counts, counts[:, rng.permutation(60)]
    triples = twins(m=170, noise=0.3)  # too few edges
    settings = {"n_entities": 2 * N, "stages": 6}
    similar = alike(np.arange(70), np.arange(70))
    without = grow_pairs(triples, 2 * R, similar, LEFT, RIGHT, **settings)
    learnt = grow_pairs(triples, 2 * R, similar, LEFT, RIGHT, spellings=written, **settings)
    assert len(learnt.pairs) > len(without.pairs) + 20
    assert right(learnt.pairs) > 0.9


def test_each_stage_is_reported_and_pairs_are_one_to_one():
    told = []
    similar = alike(np.arange(10), np.arange(10))
    found = grow_pairs(twins(), 2 * R, similar, LEFT, RIGHT, n_entities=2 * N, stages=3, callback=told.append)
    assert tuple(told) == found.history
    assert [entry["stage"] for entry in told] == list(range(1, len(told) + 1))
    assert told[-1]["grown"] == len(found.pairs)
    assert len(np.unique(found.pairs[:, 0])) == len(np.unique(found.pairs[:, 1])) == len(found.pairs)
    assert ((found.probabilities > 0) & (found.probabilities <= 0.95)).all()


def test_alignment_begins_from_alike_names():
    similar = alike(np.arange(15), np.arange(15))
    found = align_entities(twins(), 2 * R, LEFT, RIGHT, n_entities=2 * N, similar=similar, rounds=1)
    grown = align_entities(twins(), 2 * R, LEFT, RIGHT, n_entities=2 * N, similar=similar, rounds=0)
    for each in (found, grown):
        assert len(each.pairs) > 0.9 * N
        assert float((each.pairs[:, 0] == each.pairs[:, 1]).mean()) > 0.95
    assert set(found.blocks) == {"names", "structure", "neighbours"}
    assert set(grown.blocks) == {"names"}
    assert "stage" in found.history[0]
    assert found.history[-1]["round"] == 1.0


def test_seeds_and_alike_names_go_together():
    seeds = np.stack([np.arange(10), N + np.arange(10)], axis=1)
    left, others = np.arange(10, N), np.arange(N + 10, 2 * N)
    similar = as_candidates(np.zeros((N - 10, N - 10), np.float32))
    settings = {"n_entities": 2 * N, "similar": similar, "seeds": seeds, "rounds": 1}
    found = align_entities(twins(), 2 * R, left, others, **settings)
    assert float((found.pairs[:, 0] == found.pairs[:, 1]).sum()) > 0.85 * (N - 10)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"stages": 0}, "at least 1"),
        ({"similar": as_candidates(np.zeros((2, 3)))}, "shape"),
    ],
)
def test_wrong_arguments_are_refused(change, said):
    given = {"similar": alike([0], [0]), "n_entities": 2 * N} | change
    with pytest.raises(ValueError, match=said):
        grow_pairs(twins(), 2 * R, given.pop("similar"), LEFT, RIGHT, **given)


def test_features_and_alike_names_exclude_each_other():
    with pytest.raises(ValueError, match="give one of them"):
        align_entities(
            twins(), 2 * R, LEFT, RIGHT, n_entities=2 * N, similar=alike([0], [0]), features=np.eye(2 * N, 3)
        )
