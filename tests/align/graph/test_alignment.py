"""Evidence against a loop over the formula; alignments of graphs whose counterparts are known."""

import numpy as np
import pytest

from interlingua.align.graph import align_entities
from interlingua.align.graph.evidence import weigh_neighbors
from interlingua.align.graph.propagation import with_inverses
from interlingua.align.matching import as_candidates

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


def evidence(triples, candidates, left, right, pairs, sure):
    edges = with_inverses(triples, 2 * R)
    return weigh_neighbors(edges, 2 * N, 4 * R, candidates, (left, right), pairs, sure)


def brute_force(triples, candidates, left, right, pairs, sure):
    edges = {(h, r, t) for h, r, t in triples.tolist()}
    edges |= {(t, r + 2 * R, h) for h, r, t in triples.tolist()}
    match = {tuple(pair): p for pair, p in zip(pairs.tolist(), sure.tolist())}
    known = {}
    for (u, v), p in match.items():
        known[u], known[v] = max(known.get(u, 0), p), max(known.get(v, 0), p)
    together, seen, count, ends = {}, {}, {}, {}
    for h, r, t in edges:
        seen[r] = seen.get(r, 0) + known.get(h, 0) * known.get(t, 0)
        count[r] = count.get(r, 0) + 1
        ends.setdefault(r, set()).add(t)
        for g, q, s in edges:
            if (h, g) in match and (t, s) in match:
                together[r, q] = together.get((r, q), 0) + match[h, g] * match[t, s]
    like = {(r, q): min(1, (w / (seen[r] + 2) + w / (seen[q] + 2)) / 2) for (r, q), w in together.items()}
    scores = []
    for row, column in zip(candidates.rows, candidates.columns):
        total = 0.0
        for h, r, t in edges:
            for g, q, s in edges:
                if h == left[row] and g == right[column] and (t, s) in match and (r, q) in like:
                    weight = match[t, s] * like[r, q] * min(len(ends[r]) / count[r], len(ends[q]) / count[q])
                    total -= np.log(1 - min(weight, 0.98))
        scores.append(total)
    return np.array(scores)


def test_evidence_is_that_of_the_formula():
    rng = np.random.default_rng(3)
    triples = np.stack([rng.integers(0, 8, 50), rng.integers(0, R, 50), rng.integers(0, 8, 50)], axis=1)
    triples = np.concatenate([triples, triples[:40] + np.array([8, R, 8])])
    left, right = np.arange(8), np.arange(8, 16)
    pairs, sure = np.array([[0, 8], [1, 9], [2, 10], [3, 12]]), np.array([1.0, 0.9, 0.8, 0.5])
    candidates = as_candidates(np.zeros((8, 8)))
    found = evidence(triples, candidates, left, right, pairs, sure)
    expected = brute_force(triples, candidates, left, right, pairs, sure)
    assert expected.max() > 0.1
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_no_match_gives_no_evidence():
    candidates = as_candidates(np.zeros((5, 5)))
    found = evidence(twins(), candidates, np.arange(5), np.arange(N, N + 5), np.zeros((0, 2), int), np.zeros(0))
    assert not found.any()


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
