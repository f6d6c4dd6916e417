"""Two noisy copies of a made graph: what they share, and that they are aligned."""

import numpy as np
import pytest

from interlingua.benchmarks.graphs.scale import twin_graphs


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for side in (1, 2):
        ids = np.arange(60) + 60 * (side - 1)
        lines = [f"{each}\thttp://{side}.example/{each}" for each in ids]
        (tmp_path / f"ent_ids_{side}").write_text("\n".join(lines) + "\n", encoding="utf-8")
        drawn = np.stack([rng.choice(ids, 200), rng.integers(0, 5, 200), rng.choice(ids, 200)], axis=1)
        triples = "\n".join("\t".join(map(str, row)) for row in drawn.tolist())
        (tmp_path / f"triples_{side}").write_text(triples + "\n", encoding="utf-8")
    return tmp_path


def test_copies_share_entities_names_and_triples(folder):
    made = twin_graphs(400, folder)
    pairs, names, triples = made["pairs"], made["names"], made["triples"]
    assert len(np.unique(pairs[:, 0])) == len(np.unique(pairs[:, 1])) == len(pairs)
    assert 300 < len(pairs) < 340  # four fifths of four fifths of 500
    assert (pairs[:, 0] < 400).all()
    assert (pairs[:, 1] >= 400).all()
    near = (names[pairs[:, 0]] @ names[pairs[:, 1]].T).argmax(axis=1)
    assert (near == np.arange(len(pairs))).mean() > 0.5

    counterpart = np.full(800, -1)
    counterpart[pairs[:, 0]] = pairs[:, 1]
    right = {tuple(row) for row in triples[triples[:, 0] >= 400].tolist()}
    left = [row for row in triples[triples[:, 0] < 400].tolist() if min(counterpart[row[0]], counterpart[row[2]]) >= 0]
    of = made["relations"] // 2
    shared = sum((counterpart[head], kind + of, counterpart[tail]) in right for head, kind, tail in left)
    assert 0.75 < shared / len(left) < 0.95  # of a triple in one copy, 85 % are in the other


def test_one_seed_gives_one_graph(folder):
    first, again, other = (twin_graphs(100, folder, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first["triples"], again["triples"])
    assert first["triples"].shape != other["triples"].shape or (first["triples"] != other["triples"]).any()
