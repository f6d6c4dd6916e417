"""Evidence against a loop over the formula; alignments of graphs whose counterparts are known."""

import numpy as np
import pytest

from interlingua.align.graph import align_entities, alignment, candidates
from interlingua.align.graph import evidence as evidence_module
from interlingua.align.graph.evidence import NeighborEvidence
from interlingua.align.graph.propagation import as_triples, with_inverses

N, R = 150, 6


def twins(seed=0, m=600, noise=0.0):
    """Two copies of one random graph: entity i and N + i, relation r and R + r, some edges lost."""
    rng = np.random.default_rng(seed)
    triples = np.stack([rng.integers(0, N, m), rng.integers(0, R, m), rng.integers(0, N, m)], axis=1)
    copies = [triples[rng.random(m) > noise] for _ in range(2)]
    copies[1] = copies[1] + np.array([N, R, N])
    return np.concatenate(copies)


def names(seed=0, noise=0.8, d=32):
    rng = np.random.default_rng(seed)
    meaning = rng.normal(size=(N, d))
    return np.concatenate([meaning, meaning + noise * rng.normal(size=(N, d))]).astype(np.float32)


def sides(seed=1):
    """Left entities in order, right ones shuffled, and the position of each left entity's twin."""
    order = np.random.default_rng(seed).permutation(N)
    return np.arange(N), N + order, np.argsort(order)


def brute_force(edges, pairs, sure):
    """Evidence of all pairs of the first eight with the second eight, by loops over the formula."""
    match = {tuple(pair): p for pair, p in zip(pairs.tolist(), sure.tolist())}
    known = {u: p for pair, p in match.items() for u in pair}
    together, seen, crowd = {}, {}, {}
    for h, r, t in edges:
        seen[r] = seen.get(r, 0) + known.get(h, 0) * known.get(t, 0)
        crowd[r, t] = crowd.get((r, t), 0) + 1
        for g, q, s in edges:
            if (h, g) in match and (t, s) in match:
                together[r, q] = together.get((r, q), 0) + match[h, g] * match[t, s]
    scores = np.zeros((8, 8))
    for h, r, t in edges:
        for g, q, s in edges:
            if h < 8 <= g and (t, s) in match:
                share = min(1, sum(together.get((r, q), 0) / (seen[each] + 1) for each in (r, q)) / 2)
                like = max(share, 0.1 / (min(seen[r], seen[q]) + 1))
                scores[h, g - 8] -= np.log1p(-min(match[t, s] * like / max(crowd[r, t], crowd[q, s]), 0.98))
    return scores


@pytest.mark.parametrize("at_once", [4_000_000, 30])
def test_evidence_is_that_of_the_formula(monkeypatch, at_once):
    monkeypatch.setattr(evidence_module, "_AT_ONCE", at_once)
    rng = np.random.default_rng(3)
    triples = np.stack([rng.integers(0, 8, 50), rng.integers(0, R, 50), rng.integers(0, 8, 50)], axis=1)
    triples = np.concatenate([triples, triples[:40] + np.array([8, R, 8])])
    edges = with_inverses(as_triples(triples, 16, 2 * R), 2 * R)
    pairs, sure = np.array([[0, 8], [1, 9], [2, 10], [3, 12]]), np.array([1.0, 0.9, 0.8, 0.5])
    found = NeighborEvidence(edges, 4 * R, 16, np.arange(8), np.arange(8, 16))(pairs, sure)
    expected = brute_force(edges.tolist(), pairs, sure)
    given = np.zeros_like(expected)
    given[found.rows, found.columns] = found.scores
    assert expected.max() > 0.1
    np.testing.assert_allclose(given, np.where(expected > 0.02, expected, 0), rtol=1e-5, atol=1e-6)


def test_no_match_gives_no_evidence():
    edges = with_inverses(as_triples(twins(), 2 * N, 2 * R), 2 * R)
    tell = NeighborEvidence(edges, 4 * R, 2 * N, np.arange(5), np.arange(N, N + 5))
    assert not len(tell(np.zeros((0, 2), int), np.zeros(0)))


def accuracy(found, gold):
    return float((gold[found.pairs[:, 0]] == found.pairs[:, 1]).sum()) / N


def test_structure_and_evidence_find_what_names_alone_do_not():
    left, right, gold = sides()
    settings = {"n_entities": 2 * N, "features": names(noise=1.6)}
    alone = align_entities(np.zeros((0, 3), int), 2 * R, left, right, rounds=0, depth=0, **settings)
    together = align_entities(twins(noise=0.1), 2 * R, left, right, rounds=2, **settings)
    assert accuracy(alone, gold) < 0.85
    assert accuracy(together, gold) > 0.95
    assert set(together.blocks) == {"names", "structure", "neighbours"}
    assert [entry["round"] for entry in together.history] == [1.0, 2.0]


def test_seeds_alone_align_two_copies_of_a_graph():
    left, right, _ = sides()
    seeds = np.stack([np.arange(40), N + np.arange(40)], axis=1)
    found = align_entities(twins(), 2 * R, left[40:], np.setdiff1d(right, seeds[:, 1]), n_entities=2 * N, seeds=seeds)
    assert len(found.pairs) > 100
    right_of = np.setdiff1d(right, seeds[:, 1])
    assert np.mean(left[40:][found.pairs[:, 0]] + N == right_of[found.pairs[:, 1]]) > 0.95
    assert set(found.blocks) == {"structure", "neighbours"}


def test_entities_without_counterpart_get_low_scores():
    left, right, gold = sides()
    found = align_entities(twins(), 2 * R, left, right[: N // 2], n_entities=2 * N, features=names(noise=0.5), rounds=1)
    alone = gold[found.pairs[:, 0]] >= N // 2
    assert alone.sum() < 10 or found.scores[alone].mean() < found.scores[~alone].mean() - 0.3
    assert (found.scores[~alone] > 0.5).mean() > 0.9


def test_pairs_are_one_to_one_and_best_first():
    left, right, _ = sides()
    found = align_entities(twins(), 2 * R, left, right, n_entities=2 * N, features=names(), rounds=1)
    assert len(np.unique(found.pairs[:, 0])) == len(np.unique(found.pairs[:, 1])) == len(found.pairs)
    assert (np.diff(found.scores) <= 0).all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"features": None}, "nothing to begin with"),
        ({"k": 0}, "k and depth"),
        ({"weights": {"name": 1.0}}, "weights are of names"),
        ({"left": np.array([0, 0])}, "distinct numbers"),
        ({"right": np.array([2 * N])}, "distinct numbers"),
        ({"left": np.array([0.5])}, "row of entity numbers"),
    ],
)
def test_wrong_arguments_are_refused(change, said):
    left, right, _ = sides()
    given = {"left": left, "right": right, "n_entities": 2 * N, "features": names(), "rounds": 1} | change
    with pytest.raises(ValueError, match=said):
        align_entities(twins(), 2 * R, given.pop("left"), given.pop("right"), **given)


@pytest.mark.parametrize("given", ["names", "seeds"])
def test_buckets_find_what_comparing_all_with_all_finds(monkeypatch, given):
    left, right, gold = sides()
    seeds = np.stack([np.arange(40), N + np.arange(40)], axis=1)
    inputs = {"features": names(noise=1.0)} if given == "names" else {"seeds": seeds}
    shares = []
    for most in (alignment._EXHAUSTIVE, 0):
        monkeypatch.setattr(alignment, "_EXHAUSTIVE", most)
        monkeypatch.setattr(candidates, "_IN_BUCKET", 50)
        found = align_entities(twins(noise=0.1), 2 * R, left, right, n_entities=2 * N, rounds=2, **inputs)
        shares.append(accuracy(found, gold))
    assert shares[0] > 0.9
    assert shares[1] > shares[0] - 0.03
