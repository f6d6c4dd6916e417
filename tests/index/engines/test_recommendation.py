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
    recommend,
    save_index,
)
from interlingua.index.engines.choose import index_bytes


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
