import dataclasses

import faiss
import numpy as np
import pytest

from interlingua.index import (
    FaissFlatConfig,
    FaissIndex,
    HNSWConfig,
    IVFConfig,
    IVFPQConfig,
    IVFRaBitQConfig,
    UnsupportedOperation,
    create_index,
    load_index,
    save_index,
)
from interlingua.index.engines.scan import faiss_threads


def clustered(n, d, seed):
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(20, d))  # the same for every seed
    return (centres[rng.integers(20, size=n)] + 0.3 * rng.normal(size=(n, d))).astype(np.float32)


def test_threads_are_put_back():
    before = faiss.omp_get_max_threads()
    with faiss_threads(before + 1):
        assert faiss.omp_get_max_threads() == before + 1
    assert faiss.omp_get_max_threads() == before
    with pytest.raises(KeyError), faiss_threads(before + 1):
        raise KeyError
    assert faiss.omp_get_max_threads() == before


def test_more_effort_finds_more_and_full_effort_all():
    vectors = clustered(2000, 32, 0)
    exact = FaissIndex(32, "l2")
    graph = FaissIndex(32, "l2", HNSWConfig(M=8, ef_construction=40, ef_search=10, threads=1))
    for index in (exact, graph):
        index.add(np.arange(2000), vectors)
    queries = clustered(100, 32, 1)
    truth = exact.search(queries, 10).ids

    def recall(ef_search):
        graph.config = dataclasses.replace(graph.config, ef_search=ef_search)
        found = graph.search(queries, 10).ids
        return np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found.tolist(), truth.tolist(), strict=True)])

    assert 0.8 < recall(10) < recall(20) < recall(100) == recall(1999) == recall(2000) == 1.0


def test_full_effort_finds_what_no_link_reaches():
    rng = np.random.default_rng(0)
    vectors = clustered(500, 8, 0) * rng.lognormal(sigma=1, size=(500, 1)).astype(np.float32)
    graph = FaissIndex(8, "ip", HNSWConfig(M=2, ef_construction=4, ef_search=499, threads=1))
    graph.add(np.arange(500), vectors)
    queries = clustered(50, 8, 1)
    expected = np.argsort(-(queries.astype(np.float64) @ vectors.T.astype(np.float64)), axis=1)[:, :10]
    assert (graph.search(queries, 10).ids != expected).any()
    graph.config = dataclasses.replace(graph.config, ef_search=500)
    np.testing.assert_array_equal(graph.search(queries, 10).ids, expected)


def test_a_query_that_the_graph_leaves_short_is_answered_by_a_scan():
    # Two far clusters and hardly any links: the walk from one cannot reach the other, where the allowed ids are.
    vectors = np.concatenate([clustered(300, 8, 0), clustered(300, 8, 1) + 100])
    index = FaissIndex(8, "l2", HNSWConfig(M=2, ef_construction=2, ef_search=1, exact_share=0.0, threads=1))
    index.add(np.arange(600), vectors)
    allowed = np.arange(300, 360)
    result = index.search(vectors[:20], 50, allowed=allowed)
    distances = ((vectors[:20, None].astype(np.float64) - vectors[None, allowed]) ** 2).sum(axis=2)
    assert np.isin(result.ids, allowed).all()
    np.testing.assert_allclose(result.distances, np.sort(distances, axis=1)[:, :50], rtol=1e-4)


def test_dead_vectors_leave_the_graph_when_they_are_many():
    vectors = clustered(100, 8, 0)
    index = FaissIndex(8, "ip", HNSWConfig(rebuild_share=0.25, threads=1))
    index.add(np.arange(100), vectors)
    index.remove(np.arange(25))
    assert (len(index), index._faiss.ntotal) == (75, 100)
    index.remove([25])
    assert (len(index), index._faiss.ntotal) == (74, 74)
    np.testing.assert_array_equal(index.reconstruct(np.arange(26, 100)), vectors[26:])


def test_config_that_shapes_the_graph_cannot_change():
    index = FaissIndex(4, "l2", HNSWConfig(M=8))
    index.config = dataclasses.replace(index.config, ef_search=7)
    assert index.spec.config["ef_search"] == 7
    for other in (HNSWConfig(M=16), FaissFlatConfig()):
        with pytest.raises(UnsupportedOperation, match="build a new one"):
            index.config = other


@pytest.mark.parametrize(
    "settings",
    [{"M": 1}, {"M": 8.0}, {"ef_search": 0}, {"ef_construction": True}, {"rebuild_share": 1.5}, {"threads": 0},
     {"exact_share": "x"}],
)  # fmt: skip
def test_bad_settings_are_refused_by_name(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        HNSWConfig(**settings)


@pytest.mark.parametrize("storage", ["float32", "float16", "sq8"])
@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_smaller_numbers_lose_little(storage, metric):
    vectors, queries = clustered(3000, 32, 0), clustered(100, 32, 1)
    index = FaissIndex(32, metric, HNSWConfig(storage=storage, train_size=1000, threads=1))
    exact = FaissIndex(32, metric)
    for start in range(0, 3000, 500):
        for each in (index, exact):
            each.add(np.arange(start, start + 500), vectors[start : start + 500])
    assert index.trained
    found, truth = index.search(queries, 10), exact.search(queries, 10)
    assert np.mean([np.isin(a, b).mean() for a, b in zip(found.ids, truth.ids, strict=True)]) > 0.9
    step = {"float32": 1e-5, "float16": 1e-3, "sq8": 0.1}[storage]
    np.testing.assert_allclose(found.scores, truth.scores, rtol=step, atol=step / 10)


@pytest.mark.parametrize("config", [
    HNSWConfig(storage="sq8", train_size=300, threads=1),
    IVFConfig(n_lists=6, nprobe=6, train_size=300, threads=1),
    IVFPQConfig(n_lists=6, nprobe=6, train_size=300, refine_factor=50.0, threads=1),
    IVFRaBitQConfig(n_lists=6, nprobe=6, train_size=300, refine_factor=50.0, threads=1),
], ids=lambda config: config.kind)  # fmt: skip
def test_compacting_changes_no_answer(config):
    vectors, queries = clustered(600, 16, 0), clustered(20, 16, 1)
    index = FaissIndex(16, "cosine", dataclasses.replace(config, rebuild_share=1.0))
    index.add(np.arange(600), vectors)
    index.remove(np.arange(0, 600, 3))
    before = index.search(queries, 10)
    kept = index.reconstruct([1, 2, 599])
    assert index._faiss.ntotal == 600
    index.compact()
    assert index._faiss.ntotal == len(index) == 400
    after = index.search(queries, 10)
    np.testing.assert_array_equal(after.ids, before.ids)
    np.testing.assert_allclose(after.scores, before.scores, atol=1e-6)
    np.testing.assert_allclose(index.reconstruct([1, 2, 599]), kept, atol=1e-6)


@pytest.mark.parametrize("kind", ["faiss-flat", "hnsw", "ivf-flat", "ivf-pq", "ivf-rabitq"])
def test_a_mapped_index_answers_alike_and_refuses_to_be_written(kind, tmp_path):
    lists = {"n_lists": 6, "train_size": 300} if kind.startswith("ivf") else {}
    index = create_index(kind, 16, "cosine", {"threads": 1, **lists})
    index.add(np.arange(600), clustered(600, 16, 0))
    save_index(index, tmp_path / "kept")
    mapped = load_index(tmp_path / "kept", threads=1, mapped=True)
    queries = clustered(20, 16, 1)
    np.testing.assert_array_equal(mapped.search(queries, 5).ids, index.search(queries, 5).ids)
    for write in (lambda: mapped.add([700], queries[:1]), lambda: mapped.remove([3]), lambda: mapped.compact()):
        with pytest.raises(UnsupportedOperation, match="can only be read; load it without mapping"):
            write()
    assert len(mapped) == 600


def test_more_cells_than_vectors_to_learn_them_from_are_refused():
    with pytest.raises(ValueError, match="50 cells cannot be learned from 20 vectors; give train_size of 1950 or more"):
        IVFConfig(n_lists=50, train_size=20)


def test_a_code_size_that_does_not_divide_the_dimension_is_refused_and_nothing_changes():
    index = FaissIndex(10, "l2", IVFPQConfig(code_size=4, n_lists=2, train_size=100, threads=1))
    index.add(np.arange(99), clustered(99, 10, 0))
    with pytest.raises(ValueError, match="code_size must divide the dimension 10, but is 4"):
        index.add([99], clustered(1, 10, 1))
    assert len(index) == 99


class FakeGPU:
    """What `index_cpu_to_gpu` returns: answers from the CPU's copy, and counts."""

    def __init__(self, index):
        self.index, self.searches = faiss.clone_index(index), 0

    def search(self, queries, k, params=None):
        self.searches += 1
        return self.index.search(queries, k, params=params)


@pytest.fixture
def fake_gpu(monkeypatch):
    """A FAISS that sees one GPU; the list holds each copy made for it."""
    copies = []
    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 1, raising=False)
    monkeypatch.setattr(faiss, "StandardGpuResources", lambda: "resources", raising=False)

    def copy(resources, device, index):
        assert (resources, device) == ("resources", 0)
        copies.append(FakeGPU(index))
        return copies[-1]

    monkeypatch.setattr(faiss, "index_cpu_to_gpu", copy, raising=False)
    return copies


@pytest.mark.parametrize("config", [FaissFlatConfig(), IVFConfig(n_lists=6, nprobe=3, train_size=300)])
def test_a_gpu_searches_a_copy_that_every_change_renews(config, fake_gpu, tmp_path):
    vectors, queries = clustered(600, 16, 0), clustered(20, 16, 1)
    index, cpu = (
        FaissIndex(16, "cosine", dataclasses.replace(config, device=device, threads=1)) for device in ("auto", "cpu")
    )
    for each in (index, cpu):
        each.add(np.arange(500), vectors[:500])
    np.testing.assert_array_equal(index.search(queries, 5).ids, cpu.search(queries, 5).ids)
    index.search(queries, 5)
    assert [copy.searches for copy in fake_gpu] == [2]
    assert index.search(queries, 5, allowed=[3, 4]).ids.max() <= 4  # a filter is the CPU's business
    for each in (index, cpu):
        each.add(np.arange(500, 600), vectors[500:])
    np.testing.assert_array_equal(index.search(queries, 5).ids, cpu.search(queries, 5).ids)
    assert [copy.searches for copy in fake_gpu] == [2, 1]
    save_index(index, tmp_path / "kept")
    assert "device" not in index.spec.config
    np.testing.assert_array_equal(load_index(tmp_path / "kept").search(queries, 5).ids, cpu.search(queries, 5).ids)


def test_graphs_and_more_results_than_a_gpu_gives_stay_on_the_cpu(fake_gpu):
    index = FaissIndex(4, "l2", FaissFlatConfig())
    index.add(np.arange(2100), np.arange(8400).reshape(2100, 4))
    assert (index.search([[0.0, 1, 2, 3]], 2100).ids == np.arange(2100)).all()
    graph = FaissIndex(4, "l2", HNSWConfig(M=4))
    graph.add([1], [[1.0, 2, 3, 4]])
    graph.search([[1.0, 2, 3, 4]], 1)
    assert fake_gpu == []


def test_a_gpu_that_is_not_there_is_refused_by_name():
    if getattr(faiss, "get_num_gpus", lambda: 0)():
        pytest.skip("there is a GPU")
    with pytest.raises(RuntimeError, match=r"device='cuda' needs a GPU.*sees none; install faiss-gpu"):
        FaissIndex(4, "l2", FaissFlatConfig(device="cuda"))
    with pytest.raises(ValueError, match="device must be one of 'auto', 'cpu', 'cuda', but is 'tpu'"):
        FaissFlatConfig(device="tpu")


@pytest.mark.parametrize(
    ("config", "limit"),
    [
        (HNSWConfig(M=4, ef_construction=8, ef_search=4, threads=1), 3 * (4 * 2000) ** 0.5),
        (IVFConfig(n_lists=20, nprobe=2, train_size=2000, threads=1), 2 * 100 + 20),
        (IVFRaBitQConfig(n_lists=20, nprobe=2, train_size=2000, threads=1), 2.5 * (2 * 100 + 20)),
        (HNSWConfig(M=4, ef_construction=8, ef_search=4, exact_share=0.1, threads=1), 200),
    ],
)
def test_a_filter_is_scanned_as_long_as_that_is_cheaper(config, limit, monkeypatch):
    index = FaissIndex(8, "ip", config)
    index.add(np.arange(2000), clustered(2000, 8, 0))
    scans, scan = [], index._search_exactly
    monkeypatch.setattr(index, "_search_exactly", lambda *given: scans.append(given) or scan(*given))
    index.search(clustered(1, 8, 1), 1, allowed=np.arange(int(limit)))
    assert len(scans) == 1
    index.search(clustered(1, 8, 1), 1, allowed=np.arange(int(limit) + 1))
    assert len(scans) == 1


@pytest.mark.parametrize("storage", ["float32", "float16", "sq8"])
@pytest.mark.parametrize("metric", ["ip", "cosine", "l2"])
def test_short_numbers_are_padded_for_speed_and_nothing_else_changes(storage, metric, tmp_path):
    vectors, queries = clustered(300, 21, 0), clustered(10, 21, 1)
    config = HNSWConfig(M=8, storage=storage, train_size=200, ef_search=300, exact_share=1.0, threads=1)
    index, exact = FaissIndex(21, metric, config), FaissIndex(21, metric)
    for each in (index, exact):
        for start in (0, 150):  # before and after it has learned
            each.add(np.arange(start, start + 150), vectors[start : start + 150])
    assert index._faiss.d == (21 if storage == "float32" else 24)
    save_index(index, tmp_path / "kept")
    index.remove(np.arange(0, 300, 2))
    index.compact()
    for made in (index, load_index(tmp_path / "kept", threads=1), load_index(tmp_path / "kept", mapped=True)):
        found = made.search(queries, 5, allowed=np.arange(1, 300, 2))
        truth = exact.search(queries, 5, allowed=np.arange(1, 300, 2))
        np.testing.assert_allclose(found.scores, truth.scores, rtol=0.05, atol=0.05)
        kept = made.reconstruct([1, 299])
        assert kept.shape == (2, 21)
        np.testing.assert_allclose(kept, exact.reconstruct([1, 299]), atol=0.03)


def test_an_index_of_short_numbers_from_before_they_were_padded_is_read(tmp_path):
    graph = faiss.IndexHNSWSQ(21, faiss.ScalarQuantizer.QT_8bit, 8, faiss.METRIC_L2)
    vectors = clustered(100, 21, 0)
    graph.train(vectors)
    graph.add(vectors)
    config = HNSWConfig(M=8, storage="sq8", train_size=100, threads=1)
    index = FaissIndex(21, "l2", config)
    index.add(np.arange(100), vectors)
    index._faiss = graph
    save_index(index, tmp_path / "kept")
    again = load_index(tmp_path / "kept", threads=1)
    again.add([100], vectors[:1])
    again.remove(np.arange(60))
    assert len(again) == 41
    assert again.search(vectors[70:71], 1).ids.tolist() == [[70]]


def test_effort_grows_with_the_vectors_the_results_and_the_filter(monkeypatch):
    index = FaissIndex(8, "ip", HNSWConfig(M=4, ef_construction=8, exact_share=0.0, threads=1))
    index.add(np.arange(2000), clustered(2000, 8, 0))
    assert index.effort == 128
    asked = []
    parameters = faiss.SearchParametersHNSW
    monkeypatch.setattr(
        faiss, "SearchParametersHNSW", lambda **given: asked.append(given["efSearch"]) or parameters(**given)
    )
    for k, allowed in ((10, None), (80, None), (10, np.arange(500))):
        index.search(clustered(1, 8, 1), k, allowed=allowed)
    assert asked == [128, 256, 363]
    index.config = dataclasses.replace(index.config, ef_search=20)
    index.search(clustered(1, 8, 1), 80)
    index.search(clustered(1, 8, 1), 10, allowed=np.arange(500))
    assert (index.effort, asked[-2:]) == (20, [80, 80])


def test_lists_choose_probes_and_candidates_by_size():
    index = FaissIndex(8, "ip", IVFRaBitQConfig(n_lists=20, train_size=1000, threads=1))
    assert index.effort == 0  # exact until it has learned
    index.add(np.arange(2000), clustered(2000, 8, 0))
    assert index.effort == 16
    assert index.spec.config["nprobe"] is index.spec.config["refine_factor"] is None


@pytest.mark.parametrize("config", [
    HNSWConfig(M=16, ef_construction=80, storage="sq8", train_size=2000, threads=1),
    IVFPQConfig(n_lists=20, nprobe=20, train_size=2000, refine_factor=30.0, threads=1),
], ids=lambda config: config.kind)  # fmt: skip
def test_bytes_brought_back_to_unit_length_rank_better_than_as_they_are(config):
    rng = np.random.default_rng(0)
    vectors, queries = ((rng.normal(size=(n, 16)) @ rng.normal(size=(16, 96)) + 6) for n in (3000, 100))
    index, exact = FaissIndex(96, "cosine", config), FaissIndex(96, "cosine")
    for each in (index, exact):
        each.add(np.arange(3000), vectors)
    found, truth = index.search(queries, 10), exact.search(queries, 10)
    kept = index.reconstruct(np.arange(3000))
    unit = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    plain = np.argsort(-(unit @ kept.T), axis=1)[:, :10]

    def recall(ids):
        return np.mean([np.isin(a, b).mean() for a, b in zip(truth.ids, ids, strict=True)])

    assert recall(found.ids) > recall(plain)
    rows = kept[found.ids[:, 0]]
    lengths = np.linalg.norm(rows, axis=1)
    np.testing.assert_allclose(found.scores[:, 0], (rows * unit).sum(axis=1) / lengths, atol=1e-6)
    np.testing.assert_array_equal(index.search_exactly(queries, 10).ids.shape, (100, 10))


def test_codes_of_four_bits_are_learned_from_sixteen_vectors_and_quietly(capfd):
    with pytest.raises(ValueError, match="train_size must be an integer of at least 16"):
        IVFPQConfig(train_size=15)
    vectors = np.random.default_rng(0).normal(size=(40, 16)).astype(np.float32)
    index = FaissIndex(16, "cosine", IVFPQConfig(train_size=16, threads=1))
    index.add(np.arange(40), vectors)
    assert index.search(vectors[:1], 1).ids.tolist() == [[0]]
    assert "WARNING" not in "".join(capfd.readouterr())
