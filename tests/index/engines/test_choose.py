import numpy as np
import pytest

from interlingua.index import (
    Collection,
    CorruptCollectionError,
    FaissFlatConfig,
    FaissIndex,
    FlatIndex,
    HNSWConfig,
    IVFConfig,
    IVFPQConfig,
    IVFRaBitQConfig,
    UnsupportedOperation,
    create_index,
    load_index,
    recommend,
    save_index,
)
from interlingua.index.engines.choose import index_bytes, recall_at_k, tune


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("annoy", 4),
            "unknown kind of index 'annoy'; choose one of 'flat', 'faiss-flat', 'hnsw', 'ivf-flat', 'ivf-pq', "
            "'ivf-rabitq', 'milvus'",
        ),
        (("flat", 0), "dimension must be at least 1"),
        (("flat", 4, "dot"), "unknown metric"),
        (("flat", 4, "ip", {"ef_search": 3}), "takes no config"),
        (("hnsw", 4, "ip", {"ef": 3}), "not understood.*'ef'"),
        (("faiss-flat", 4, "ip", HNSWConfig()), "needs a FaissFlatConfig"),
    ],
)
def test_what_cannot_be_made_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        create_index(*arguments)


def test_dimension_must_be_an_integer():
    with pytest.raises(TypeError, match="dimension must be an integer"):
        create_index("flat", 4.0)


def test_indexes_and_collections_are_not_taken_for_each_other(tmp_path):
    save_index(create_index("flat", 4), tmp_path / "index")
    Collection.create(4).save(tmp_path / "collection")
    with pytest.raises(CorruptCollectionError, match=r"manifest.json.*not a collection; use load_index"):
        Collection.load(tmp_path / "index")
    with pytest.raises(CorruptCollectionError, match=r"manifest.json.*not an index; use Collection.load"):
        load_index(tmp_path / "collection")


@pytest.mark.parametrize(
    "config",
    [
        FaissFlatConfig(),
        HNSWConfig(M=16, ef_construction=10, train_size=500, threads=1),
        HNSWConfig(M=16, ef_construction=10, storage="sq8", train_size=500, threads=1),
        HNSWConfig(M=16, ef_construction=10, storage="float16", threads=1),
        IVFConfig(n_lists=20, train_size=2000, threads=1),
        IVFPQConfig(n_lists=20, train_size=2000, threads=1),
        IVFPQConfig(n_lists=20, train_size=2000, refine="float32", threads=1),
        IVFPQConfig(n_lists=20, train_size=2000, refine="float16", threads=1),
        IVFRaBitQConfig(n_lists=20, train_size=2000, threads=1),
    ],
    ids=lambda config: f"{config.kind}-{getattr(config, 'storage', getattr(config, 'refine', ''))}",
)
def test_predicted_bytes_are_those_of_the_saved_index(config, tmp_path):
    n, d = 8000, 64
    index = FaissIndex(d, "cosine", config)
    index.add(np.arange(n), np.random.default_rng(0).normal(size=(n, d)))
    assert index.trained
    save_index(index, tmp_path / "index")
    real = sum(file.stat().st_size for file in (tmp_path / "index").iterdir())
    # what a file does not hold: the direct map of plain lists; fast scan fills its lists up to blocks of 32
    assert index_bytes(config, n, d) == pytest.approx(real, rel=0.12)


@pytest.mark.parametrize(
    ("n", "options", "kind", "storage"),
    [
        (1000, {}, "faiss-flat", None),
        (10_000_000, {"recall": 1.0}, "faiss-flat", None),
        (1_000_000, {}, "hnsw", "float32"),
        (1_000_000, {"memory_bytes": 1e9}, "hnsw", "sq8"),
        (1_000_000, {"memory_bytes": 5.5e8}, "ivf-pq", None),
        (1_000_000, {"memory_bytes": 4.7e8}, "ivf-rabitq", None),
        (100_000_000, {}, "ivf-pq", None),
    ],
)
def test_the_first_kind_that_fits_is_taken(n, options, kind, storage):
    found = recommend(n, 384, **options)
    assert (found.kind, getattr(found.config, "storage", None)) == (kind, storage)
    assert found.memory_bytes <= options.get("memory_bytes", np.inf)
    FaissIndex(384, "cosine", found.config)


def test_what_fits_nowhere_is_said():
    with pytest.raises(UnsupportedOperation, match=r"need 462 MB .bits.*100 MB are allowed; map the index from disk"):
        recommend(1_000_000, 384, memory_bytes=1e8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0, "dimension": 3}, "n must be an integer of at least 1, but is 0"),
        ({"n": 3, "dimension": 2.5}, "dimension must be an integer of at least 1, but is 2.5"),
        ({"n": 3, "dimension": 3, "recall": 1.2}, "recall must lie between 0.5 and 1, but is 1.2"),
        ({"n": 3, "dimension": 3, "memory_bytes": -1}, "memory_bytes must be positive, but is -1"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        recommend(**arguments)


CONFIGS = [
    HNSWConfig(M=8, ef_construction=40, threads=1),
    IVFConfig(n_lists=50, train_size=2500, threads=1),
    IVFRaBitQConfig(n_lists=50, train_size=2500, refine_factor=60.0, threads=1),
]


def data(n=2500, d=24):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, d)).astype(np.float32), rng.normal(size=(60, d)).astype(np.float32)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.kind)
def test_the_effort_found_reaches_the_recall_and_a_smaller_one_does_not(config):
    vectors, queries = data()
    index, exact = FaissIndex(24, "cosine", config), FlatIndex(24, "cosine")
    for each in (index, exact):
        each.add(np.arange(len(vectors)), vectors)
    found = tune(index, queries, recall=0.9, k=10, exact=exact)
    truth = exact.search(queries, 10).ids
    assert found.reached
    assert found.effort == getattr(index.config, found.parameter)
    assert recall_at_k(index.search(queries, 10).ids, truth) == pytest.approx(found.recall)
    below = [recall for effort, recall in found.curve if effort < found.effort]
    assert found.recall >= 0.9 > max(below)
    assert found.effort - max(effort for effort, _ in found.curve if effort < found.effort) <= max(1, found.effort // 8)


def test_a_recall_out_of_reach_is_said():
    vectors, queries = data()
    config = IVFRaBitQConfig(n_lists=50, train_size=2500, refine_factor=1.0, threads=1)
    index = FaissIndex(24, "cosine", config)
    index.add(np.arange(len(vectors)), vectors)
    found = tune(index, queries, recall=1.0)
    assert not found.reached
    assert found.effort == index.n_lists == 50
    assert found.recall < 1


@pytest.mark.parametrize("config", [None, IVFConfig(threads=1)], ids=["flat", "not yet trained"])
def test_an_index_that_searches_exactly_has_nothing_to_tune(config):
    vectors, queries = data(50)
    index = FaissIndex(24, "cosine", config)
    index.add(np.arange(50), vectors)
    with pytest.raises(UnsupportedOperation, match="searches exactly"):
        tune(index, queries)


def test_a_recall_beyond_one_is_refused():
    with pytest.raises(ValueError, match=r"recall must be more than 0 and at most 1, but is 1.5"):
        tune(FaissIndex(2, "l2", HNSWConfig()), [[0.0, 1.0]], recall=1.5)
