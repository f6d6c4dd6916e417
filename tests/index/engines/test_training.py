"""What is learned must suit all that is there, whatever came first."""

import numpy as np
import pytest

from interlingua.index import Collection, FaissIndex, create_index, load_index, save_index
from interlingua.index.engines.choose import recall_at_k
from interlingua.index.engines.config import FaissFlatConfig, HNSWConfig, IVFConfig
from interlingua.index.engines.training import sample_size
from interlingua.pipelines.search.corrected import HubCorrectedCollection

D = 32
KINDS = {
    "hnsw": {"storage": "sq8", "train_size": 800, "threads": 1, "M": 16, "ef_construction": 80},
    "ivf-flat": {"train_size": 800, "threads": 1},
    "ivf-pq": {"train_size": 800, "threads": 1},
    "ivf-rabitq": {"train_size": 800, "threads": 1},
}


def language(n, seed):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(30, D)) * 0.6
    rows = 1.2 * rng.normal(size=D) + centres[rng.integers(30, size=n)] + 0.3 * rng.normal(size=(n, D))
    return rows.astype(np.float32)


LANGUAGES = np.concatenate([language(1500, 1), language(900, 2), language(600, 3)])
TIGHT = np.concatenate([language(1, 4) + 0.15 * language(1000, 5), language(1500, 6)]).astype(np.float32)


def asked(rows):
    return rows[::31] + 0.02 * np.random.default_rng(9).normal(size=rows[::31].shape).astype(np.float32)


def recall(index, rows, metric="cosine"):
    exact = create_index("faiss-flat", D, metric, {"threads": 1})
    exact.add(np.arange(len(rows)), rows)
    found, truth = index.search(asked(rows), 10), exact.search(asked(rows), 10)
    return recall_at_k(found.ids, truth.ids), float(np.abs(found.scores[:, 0] - truth.scores[:, 0]).max())


def filled(kind, rows, order, batch, metric="cosine"):
    index = create_index(kind, D, metric, KINDS[kind])
    for start in range(0, len(order), batch):
        index.add(order[start : start + batch], rows[order[start : start + batch]])
    return index


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch", [50, 500])
@pytest.mark.parametrize("rows", [LANGUAGES, TIGHT], ids=["languages", "tight"])
def test_what_comes_sorted_is_found_as_what_comes_mixed(kind, batch, rows):
    mixed = filled(kind, rows, np.random.default_rng(3).permutation(len(rows)), batch)
    ordered = filled(kind, rows, np.arange(len(rows)), batch)
    (one, wrong), (other, off) = recall(mixed, rows), recall(ordered, rows)
    assert other > one - 0.05
    assert off < max(2 * wrong, 0.005)
    assert sorted(ordered._table.ids.tolist()) == list(range(len(rows)))


@pytest.mark.parametrize("metric", ["ip", "l2"])
def test_ranges_are_widened_for_any_metric(metric):
    rows = np.concatenate([0.1 * LANGUAGES[:1000], 5 * LANGUAGES[:500]])
    index = filled("hnsw", rows, np.arange(len(rows)), 100, metric)
    largest = np.abs(index.reconstruct(np.arange(len(rows))) - rows).max()
    assert largest < 1.6 * np.ptp(rows, axis=0).max() / 256


def test_a_loaded_index_goes_on_widening(tmp_path):
    index = filled("hnsw", LANGUAGES, np.arange(1500), 500, "ip")
    save_index(index, tmp_path / "saved")
    loaded = load_index(tmp_path / "saved", threads=1)
    loaded.add(np.arange(1500, 1600), 4 * LANGUAGES[1500:1600])
    kept = loaded.reconstruct(np.arange(1600))
    np.testing.assert_allclose(kept[:1500], LANGUAGES[:1500], atol=0.15)
    np.testing.assert_allclose(kept[1500:], 4 * LANGUAGES[1500:1600], atol=0.15)


@pytest.mark.parametrize("kind", ["ivf-flat", "ivf-pq", "ivf-rabitq"])
def test_cells_that_are_learned_anew_lose_no_vector_and_bring_no_removed_one_back(kind):
    index = filled(kind, LANGUAGES, np.arange(1500), 500)
    index.remove(np.arange(0, 300, 3))
    for start in range(1500, 3000, 50):
        index.add(np.arange(start, start + 50), LANGUAGES[start : start + 50])
    left = np.setdiff1d(np.arange(3000), np.arange(0, 300, 3))
    assert len(index) == len(left)
    unit = LANGUAGES[left] / np.linalg.norm(LANGUAGES[left], axis=1, keepdims=True)
    np.testing.assert_allclose(index.reconstruct(left), unit, atol=0.02)
    with pytest.raises(KeyError):
        index.reconstruct([3])
    found = index.search(LANGUAGES[left[::50]], 10).ids
    assert (found == left[::50, None]).any(axis=1).mean() > 0.95


def test_what_stays_as_it_was_is_not_learned_anew(monkeypatch):
    learned = []
    learn = FaissIndex._learn_anew
    monkeypatch.setattr(FaissIndex, "_learn_anew", lambda self, rows: learned.append(len(self)) or learn(self, rows))
    filled("ivf-pq", language(3000, 1), np.arange(3000), 20)
    assert not learned
    index = filled("ivf-pq", LANGUAGES, np.arange(3000), 50)
    assert learned
    assert len(learned) < 8
    assert index.n_lists == 20  # as many as at first


@pytest.mark.parametrize("kind", KINDS)
def test_an_index_learns_from_a_sample_before_anything_is_added(kind):
    index = create_index(kind, D, "cosine", KINDS[kind])
    index.learn(LANGUAGES[::4])
    assert index.trained
    assert len(index) == 0
    assert index.search(LANGUAGES[:2], 3).ids.tolist() == [[-1] * 3] * 2
    index.add(np.arange(10), LANGUAGES[:10])
    index.learn(LANGUAGES[:800])  # too late
    assert index.search(LANGUAGES[:10], 1).ids[:, 0].tolist() == list(range(10))


def test_what_has_nothing_to_learn_is_left_alone():
    for config in (FaissFlatConfig(threads=1), HNSWConfig(threads=1)):
        index = FaissIndex(D, "cosine", config)
        index.learn(LANGUAGES[:5])
        index.add([1], LANGUAGES[:1])
        assert len(index) == 1
        assert sample_size(config, 10**6) == 0


@pytest.mark.parametrize(
    ("config", "total", "size"),
    [
        (IVFConfig(train_size=100), 99, 0),
        (IVFConfig(train_size=100), 100, 100),
        (IVFConfig(), 18_000, 18_000),
        (IVFConfig(), 1_000_000, 156_000),
        (IVFConfig(n_lists=50, train_size=5000), 1_000_000, 5000),
        (HNSWConfig(storage="sq8"), 50_000, 2000),
    ],
)
def test_the_sample_is_as_large_as_the_cells_need(config, total, size):
    assert sample_size(config, total) == size


@pytest.mark.parametrize("kind", ["hnsw", "ivf-pq", "ivf-rabitq"])
@pytest.mark.parametrize("source", ["parquet", "arrow", "stream"])
def test_an_import_in_order_finds_as_much_as_one_of_mixed_rows(kind, source, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    vectors = pyarrow.FixedSizeListArray.from_arrays(LANGUAGES.ravel(), D)
    table = pyarrow.table({"id": [str(row) for row in range(len(LANGUAGES))], "vector": vectors})
    named = {"kind": kind, "config": KINDS[kind], "batch_size": 400}
    if source == "parquet":
        parquet.write_table(table, tmp_path / "rows.parquet", row_group_size=700)
        made = Collection.from_parquet(tmp_path / "rows.parquet", **named)
    else:
        made = Collection.from_arrow(table if source == "arrow" else table.to_reader(), **named)
    mixed = filled(kind, LANGUAGES, np.random.default_rng(3).permutation(len(LANGUAGES)), 3000)
    assert recall(made.index, LANGUAGES)[0] > recall(mixed, LANGUAGES)[0] - 0.05
    assert made.ids == tuple(map(str, range(len(LANGUAGES))))


def test_a_row_that_cannot_be_kept_is_named_and_not_the_sample(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    rows = LANGUAGES[:900].copy()
    rows[850] = 0
    table = pyarrow.table({"id": list(map(str, range(900))), "vector": list(rows)})
    with pytest.raises(ValueError, match="the table, rows 800 to 899: vectors row 50 is a zero vector"):
        Collection.from_arrow(table, kind="ivf-pq", config=KINDS["ivf-pq"], batch_size=100)


def test_a_refresh_learns_from_all_targets():
    config = {"train_size": 800, "threads": 1, "storage": "sq8"}
    made = HubCorrectedCollection.create(LANGUAGES[::10], kind="hnsw", config=config)
    made.add([str(row) for row in range(2400)], LANGUAGES[:2400])
    before = made.search(asked(LANGUAGES[:2400]), 10).ids
    made.refresh()
    after = made.search(asked(LANGUAGES[:2400]), 10).ids
    assert np.mean([len(set(a) & set(b)) / 10 for a, b in zip(before, after)]) > 0.95
