import pytest

from interlingua.index import Collection, CorruptCollectionError, HNSWConfig, create_index, load_index, save_index


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
