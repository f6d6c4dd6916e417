from itertools import count

import numpy as np
import pytest

from interlingua.index import Collection, create_index, save_index
from interlingua.index.milvus.client import MilvusConfig, MilvusError, message_slices, speaking

pytest.importorskip("pymilvus")
_COUNTER = count()


def fresh(file):
    return {"uri": file, "collection": f"m{next(_COUNTER)}"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"uri": "", "collection": "a"}, "uri must be a text, but is ''"),
        ({"uri": "a.db", "collection": "a-b"}, "letters, digits and underscores, not 'a-b'"),
        ({"uri": "a.db", "collection": "a", "consistency": "Some"}, "consistency must be Strong"),
    ],
)
def test_a_configuration_that_milvus_would_refuse_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        MilvusConfig(**fields)


@pytest.mark.parametrize(("count", "row_bytes"), [(0, 8), (1, 8), (12_001, 8), (30, 10 << 20), (3, 1 << 30)])
def test_batches_cover_every_row_once_and_stay_small(count, row_bytes):
    parts = list(message_slices(count, row_bytes))
    assert [row for part in parts for row in range(part.start, part.stop)] == list(range(count))
    assert all((part.stop - part.start) * row_bytes <= 16 << 20 or part.stop - part.start == 1 for part in parts)


@pytest.mark.slow
def test_vectors_are_found_again_by_the_collections_name(milvus_file):
    config = fresh(milvus_file)
    create_index("milvus", 3, "l2", config).add([4, 5], np.eye(3)[:2])
    again = create_index("milvus", 3, "l2", config)
    assert again.search(np.eye(3)[1:2], 2).ids.tolist() == [[5, 4]]
    for dimension, metric in ((4, "l2"), (3, "cosine")):
        with pytest.raises(ValueError, match="choose another name"):
            create_index("milvus", dimension, metric, config)


@pytest.mark.slow
def test_a_token_is_never_saved(milvus_file, tmp_path, monkeypatch):
    monkeypatch.setenv("MILVUS_TOKEN", "root:secret")
    save_index(create_index("milvus", 3, "ip", fresh(milvus_file)), tmp_path / "saved")
    assert all(b"secret" not in file.read_bytes() for file in (tmp_path / "saved").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("index_type", ["HNSW", "IVF_FLAT"])
def test_the_engines_own_index_finds_most(milvus_file, index_type):
    rng = np.random.default_rng(0)
    vectors, queries = rng.normal(size=(2000, 16)), rng.normal(size=(50, 16))
    build, search = (
        ({"M": 16, "efConstruction": 100}, {"ef": 64}) if index_type == "HNSW" else ({"nlist": 16}, {"nprobe": 16})
    )
    index = create_index(
        "milvus", 16, "cosine", {**fresh(milvus_file), "index_type": index_type, "build": build, "search": search}
    )
    index.add(np.arange(2000), vectors)
    exact = create_index("flat", 16, "cosine")
    exact.add(np.arange(2000), vectors)
    found, truth = index.search(queries, 10).ids, exact.search(queries, 10).ids
    recall = np.mean([np.isin(a, b).mean() for a, b in zip(found, truth, strict=True)])
    assert recall > 0.99 if index_type == "HNSW" else recall == 1  # all lists are searched
    for name, value in build.items():  # an engine that took its own defaults would not say these
        said = index._remote.client.describe_index(index._remote.config.collection, "vector_cosine")
        assert f"{name}" in str(said)
        assert str(value) in str(said)


@pytest.mark.slow
def test_a_failing_message_leaves_nothing_behind(milvus_file, monkeypatch):
    index = create_index("milvus", 2, "ip", fresh(milvus_file))
    exceptions = pytest.importorskip("pymilvus.exceptions")
    upsert, calls = index._remote.client.upsert, count()

    def fail_second(*arguments, **named):
        if next(calls) >= 1:
            raise exceptions.MilvusException(message="a field too long")
        return upsert(*arguments, **named)

    monkeypatch.setattr(index._remote.client, "upsert", fail_second)
    with pytest.raises(MilvusError, match="a field too long"):
        index.add(np.arange(6000), np.ones((6000, 2)))
    assert len(index) == 0


@pytest.mark.slow
def test_a_collection_may_keep_its_vectors_with_milvus(milvus_file, tmp_path):
    collection = Collection(create_index("milvus", 2, "cosine", fresh(milvus_file)))
    collection.add(["a", "b"], [[1.0, 0.0], [0.0, 1.0]], [{"language": "sw"}, {"language": "zh"}])
    collection.upsert(["a"], [[1.0, 1.0]], [{"language": "fi"}])
    collection.save(tmp_path / "saved")
    loaded = Collection.load(tmp_path / "saved")
    assert loaded.search([[1.0, 0.1]], 5, languages=["fi", "zh"]).ids == (("a", "b"),)
    with pytest.raises(KeyError):
        loaded.index.remove([99])


def test_an_address_where_nothing_answers_is_named():
    config = MilvusConfig("http://127.0.0.1:9", "words")
    exceptions = pytest.importorskip("pymilvus.exceptions")
    with (
        pytest.raises(MilvusError, match=r"127.0.0.1:9 did not do what was asked of 'words'.*try again"),
        speaking(config),
    ):
        raise exceptions.MilvusException(message="server unavailable")


@pytest.mark.slow
def test_many_fresh_rows_are_put_away_before_a_search(milvus_file, monkeypatch):
    config, flushed = fresh(milvus_file), []
    index = create_index("milvus", 2, "ip", config)
    flush = index._remote.client.flush
    monkeypatch.setattr(
        index._remote.client,
        "flush",
        lambda collection_name, **named: flushed.append(collection_name) or flush(collection_name, **named),
    )
    index.add(np.arange(10), np.ones((10, 2)))
    index.search(np.ones((1, 2)), 1)
    assert not flushed
    index.add(np.arange(10, 2000), np.ones((1990, 2)))
    assert index.search(np.ones((3, 2)), 2000).ids.min() >= 0
    index.search(np.ones((1, 2)), 1)
    assert flushed == [config["collection"]]
