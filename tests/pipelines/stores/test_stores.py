"""Stores made by their own programs: read, searched by text, left as they were, and written for the program again."""

import hashlib
import json
import pickle
import sqlite3
from pathlib import Path

import faiss
import numpy as np
import pytest

from interlingua.index import Collection
from interlingua.pipelines import CrossLingualSearch
from interlingua.pipelines.search.foreign import collection_from_store
from interlingua.pipelines.stores import Place, StoreError, kind_of_store, read_store, write_store

pytestmark = pytest.mark.filterwarnings("ignore")  # of the programs


class Made:
    """What is put into each store: vectors of the encoder with their texts."""

    def __init__(self, passages, encoder):
        self.texts = [each.text for each in passages]
        self.ids = [each.id for each in passages]
        self.years = [2000 + number for number in range(len(passages))]
        self.vectors = encoder.encode(self.texts, role="passage")


@pytest.fixture
def made(passages, fake_encoder):
    return Made(passages, fake_encoder)


def fingerprints(place):
    files = [place, *place.parent.glob(f"{place.name}-*")] if place.is_file() else place.rglob("*")
    return {each: hashlib.sha256(each.read_bytes()).hexdigest() for each in sorted(files) if each.is_file()}


def make_faiss(made, place):
    index = faiss.IndexFlatIP(made.vectors.shape[1])
    index.add(made.vectors)
    faiss.write_index(index, str(place))
    rows = [
        json.dumps({"id": i, "text": t, "year": y}) for i, t, y in zip(made.ids, made.texts, made.years, strict=True)
    ]
    place.with_suffix(".jsonl").write_text("\n".join(rows) + "\n")


def again_faiss(place):
    index = faiss.read_index(str(place))
    rows = [json.loads(line) for line in place.with_suffix(".jsonl").read_text().splitlines()]
    return {row["id"]: (index.reconstruct(at), row["text"]) for at, row in enumerate(rows)}


def make_langchain(made, place):
    module = pytest.importorskip("langchain_community.vectorstores.faiss")
    store = module.FAISS.from_embeddings(
        list(zip(made.texts, made.vectors.tolist(), strict=True)), None, [{"year": each} for each in made.years],
        ids=made.ids,
    )  # fmt: skip
    store.save_local(str(place))


def again_langchain(place):
    module = pytest.importorskip("langchain_community.vectorstores.faiss")
    store = module.FAISS.load_local(str(place), None, allow_dangerous_deserialization=True)
    found = {}
    for at, id in store.index_to_docstore_id.items():
        found[id] = store.index.reconstruct(at), store.docstore.search(id).page_content
    return found


def make_chroma(made, place):
    chromadb = pytest.importorskip("chromadb")
    client = chromadb.PersistentClient(str(place))
    collection = client.create_collection("notes", configuration={"hnsw": {"space": "cosine"}}, embedding_function=None)
    collection.add(ids=made.ids, embeddings=made.vectors, documents=made.texts,
                   metadatas=[{"year": each} for each in made.years])  # fmt: skip


def again_chroma(place):
    chromadb = pytest.importorskip("chromadb")
    (collection,) = chromadb.PersistentClient(str(place)).list_collections()
    assert collection.query(query_embeddings=np.eye(1, 128, dtype=np.float32), n_results=3)["ids"]
    found = collection.get(include=["embeddings", "documents"])
    return dict(zip(found["ids"], zip(found["embeddings"], found["documents"], strict=True), strict=True))


def make_qdrant(made, place):
    client = pytest.importorskip("qdrant_client")
    qdrant = client.QdrantClient(path=str(place))
    config = client.models.VectorParams(size=made.vectors.shape[1], distance="Cosine")
    qdrant.create_collection("notes", vectors_config=config)
    qdrant.upsert("notes", [
        client.models.PointStruct(id=number, vector=row.tolist(), payload={"text": t, "year": y, "id": i})
        for number, (row, t, y, i) in enumerate(zip(made.vectors, made.texts, made.years, made.ids, strict=True))
    ])  # fmt: skip
    qdrant.close()


def again_qdrant(place):
    client = pytest.importorskip("qdrant_client")
    qdrant = client.QdrantClient(path=str(place))
    points, _ = qdrant.scroll("notes", limit=1000, with_vectors=True)
    qdrant.close()
    return {each.payload.get("id", str(each.id)): (each.vector, each.payload["text"]) for each in points}


def make_lance(made, place):
    lancedb = pytest.importorskip("lancedb")
    rows = [
        {"id": i, "vector": row, "text": t, "year": y}
        for i, row, t, y in zip(made.ids, made.vectors, made.texts, made.years, strict=True)
    ]
    lancedb.connect(str(place)).create_table("notes", rows)


def again_lance(place):
    lancedb = pytest.importorskip("lancedb")
    rows = lancedb.connect(str(place)).open_table("notes").to_arrow().to_pylist()
    return {row["id"]: (row["vector"], row["text"]) for row in rows}


def with_vectors(place):
    sqlite_vec = pytest.importorskip("sqlite_vec")
    able = hasattr(sqlite3.Connection, "enable_load_extension")
    base = (sqlite3 if able else pytest.importorskip("pysqlite3")).connect(str(place))
    base.enable_load_extension(True)
    sqlite_vec.load(base)
    return base


def make_sqlite(made, place):
    with with_vectors(place) as base:
        base.execute(
            "create virtual table notes using vec0(id text primary key, embedding float[128] distance_metric=cosine, "
            "year integer, +text text)"
        )
        base.executemany("insert into notes(id, embedding, year, text) values (?, ?, ?, ?)",
                         zip(made.ids, map(bytes, made.vectors), made.years, made.texts, strict=True))  # fmt: skip
    base.close()


def again_sqlite(place):
    with with_vectors(place) as base:
        nearest = "select id from notes where embedding match ? and k = 3"
        assert base.execute(nearest, (bytes(np.eye(1, 128, dtype=np.float32)),)).fetchall()
        rows = base.execute("select id, embedding, text from notes").fetchall()
    base.close()
    return {id: (np.frombuffer(blob, np.float32), text) for id, blob, text in rows}


DOORS = {
    "faiss": ("s.faiss", make_faiss, again_faiss, None),
    "langchain": ("s", make_langchain, again_langchain, None),
    "chroma": ("s", make_chroma, again_chroma, None),
    "qdrant": ("s", make_qdrant, again_qdrant, None),
    "lancedb": ("s", make_lance, again_lance, None),
    "sqlite-vec": ("s.db", make_sqlite, again_sqlite, None),
}


@pytest.fixture(params=DOORS)
def door(request, made, tmp_path):
    """A store by its own program, and what reads it again by the same."""
    name, make, again, _ = DOORS[request.param]
    make(made, tmp_path / name)
    return request.param, tmp_path / name, again


def test_a_store_is_read_searched_and_written_back(door, made, fake_encoder, tmp_path):
    kind, place, again = door
    before = fingerprints(place)
    rows = read_store(place)
    assert kind_of_store(place) == rows.kind == kind
    search = CrossLingualSearch.load(place, fake_encoder)
    (hits,) = search.search([made.texts[4]], 3)
    assert hits[0].text == made.texts[4]
    assert hits[0].metadata["year"] == made.years[4]
    only = search.search([made.texts[4]], 50, where={"year": [2007, 2009]})[0]
    assert {hit.metadata["year"] for hit in only} == {2007, 2009}
    assert fingerprints(place) == before
    collection = collection_from_store(place)
    at = [made.texts.index(row[search._ranked.fields[0]]) for row in collection.get(collection.ids)]
    np.testing.assert_allclose(collection.vectors(collection.ids), made.vectors[at], atol=1e-6)
    collection.save(tmp_path / "collection")
    copy = tmp_path / f"copy{place.suffix}"
    write_store(Collection.load(tmp_path / "collection"), copy)
    theirs = again(copy)
    assert set(theirs) == set(made.ids)
    for id, row, text in zip(made.ids, made.vectors, made.texts, strict=True):
        np.testing.assert_allclose(theirs[id][0], row, atol=1e-6)
        assert theirs[id][1] == text
    if kind not in ("faiss", "langchain"):
        with pytest.raises(FileExistsError, match="is there already; name a new"):
            write_store(collection, copy)


KINDS = ("Flat", "HNSW8", "IVF4,Flat", "IDMap2,HNSW8", "OPQ4_16,IVF4,Flat", "IDMap2,PCAR16,Flat", "IVF4,PQ4x4np,RFlat",
         "IDMap,IVF4,Flat", "IVF4_HNSW8,Flat", "NSG8,Flat")  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("numbered", [False, True])
def test_a_faiss_index_gives_each_vector_under_its_number(name, numbered, tmp_path):
    draws = np.random.default_rng(3)
    vectors, numbers = draws.normal(size=(300, 16)).astype(np.float32), draws.permutation(10**6)[:300]
    index = faiss.index_factory(16, name)
    index.train(vectors)
    own = "IDMap" in name or name in ("IVF4,Flat", "OPQ4_16,IVF4,Flat", "IVF4_HNSW8,Flat")
    if numbered and not own:
        pytest.skip("FAISS keeps no numbers here")
    if numbered or "IDMap" in name:
        index.add_with_ids(vectors, numbers)
    else:
        index.add(vectors)
        numbers = np.arange(300)
    faiss.write_index(index, str(tmp_path / "i.faiss"))
    rows = read_store(tmp_path / "i.faiss")
    assert sorted(rows.ids) == sorted(map(str, numbers))
    at = {str(number): row for row, number in enumerate(numbers)}
    np.testing.assert_allclose(rows.vectors, vectors[[at[id] for id in rows.ids]], atol=2e-5)


def test_an_index_that_gives_no_vectors_is_refused(tmp_path):
    vectors = np.random.default_rng(3).normal(size=(300, 16)).astype(np.float32)
    index = faiss.index_factory(16, "IVF4,PQ4x4fs")  # read from a file, it ends the process if it is asked
    index.train(vectors)
    index.add(vectors)
    faiss.write_index(index, str(tmp_path / "i.faiss"))
    with pytest.raises(StoreError, match=r"i.faiss is a Index\w+, which does not give its vectors back"):
        read_store(tmp_path / "i.faiss")


def test_chroma_is_read_behind_its_log_and_behind_changes(tmp_path):
    chromadb = pytest.importorskip("chromadb")
    draws = np.random.default_rng(4)
    vectors = draws.normal(size=(2300, 8)).astype(np.float32)
    client = chromadb.PersistentClient(str(tmp_path / "s"))
    other = client.create_collection("other", embedding_function=None)
    other.add(ids=["1"], embeddings=vectors[:1, :4])
    main = client.create_collection("main", metadata={"hnsw:space": "ip"}, embedding_function=None)
    for start in range(0, 2300, 575):
        rows = range(start, start + 575)
        main.add(ids=[f"r{row}" for row in rows], embeddings=vectors[start : start + 575],
                 metadatas=[{"n": row, "even": row % 2 == 0, "half": row / 2} for row in rows])  # fmt: skip
    main.delete(ids=["r5", "r2299"])
    vectors[[7, 2298]] = 1.5
    main.update(ids=["r7", "r2298"], embeddings=vectors[[7, 2298]])
    main.add(ids=["r8"], embeddings=vectors[:1])  # is there: ignored
    main.upsert(ids=["new"], embeddings=vectors[:1], documents=["a text"])
    rows = read_store(f"{tmp_path / 's'}#main")
    expected = {f"r{row}": vectors[row] for row in range(2300) if row not in (5, 2299)} | {"new": vectors[0]}
    assert set(rows.ids) == set(expected)
    np.testing.assert_array_equal(rows.vectors, [expected[id] for id in rows.ids])
    theirs = main.get(ids=[*rows.ids[:50], "new"], include=["embeddings"])
    np.testing.assert_array_equal(theirs["embeddings"], [expected[id] for id in theirs["ids"]])
    told = dict(zip(rows.ids, rows.metadata, strict=True))
    assert told["r8"] == {"n": 8, "even": True, "half": 4.0}
    assert told["new"] == {"document": "a text"}
    assert (rows.metric, rows.table, rows.left_out) == ("ip", "main", 0)
    with pytest.raises(StoreError, match="s has 2 collections with vectors: 'main', 'other'; name one, such as"):
        read_store(tmp_path / "s")


def test_a_docstore_that_runs_something_is_refused(made, tmp_path):
    (tmp_path / "s").mkdir()
    make_faiss(made, tmp_path / "s" / "index.faiss")

    class Runs:
        def __reduce__(self):
            return Path.touch, (tmp_path / "marker",)

    (tmp_path / "s" / "index.pkl").write_bytes(pickle.dumps((Runs(), {0: "a"})))
    with pytest.raises(StoreError, match=r"index.pkl names '.*', which loading it would run"):
        read_store(tmp_path / "s")
    assert not (tmp_path / "marker").exists()


def test_a_place_names_a_table_behind_a_hash(tmp_path):
    assert Place.of("folder#notes") == Place("folder", "notes")
    (tmp_path / "a#b").mkdir()
    assert Place.of(tmp_path / "a#b") == Place(str(tmp_path / "a#b"))
    assert Place("s", "b").choose(["a", "b"]) == "b"
    assert Place("s").choose(["a"]) == "a"
    with pytest.raises(StoreError, match="s has 2 tables with vectors: 'a', 'b'; name one, such as s#a"):
        Place("s").choose(["b", "a"], "table")
    with pytest.raises(StoreError, match="s has no table 'c'; it has: 'a'"):
        Place("s", "c").choose(["a"], "table")


def test_what_is_no_store_is_said_to_be_none(tmp_path):
    (tmp_path / "x.db").write_bytes(b"SQLite format 3\0" + bytes(84))
    for name in ("none", "x.db"):
        assert kind_of_store(tmp_path / name) is None
    with pytest.raises(StoreError, match="is no store that is known: a file of FAISS"):
        read_store(tmp_path / "x.db")


def test_a_parquet_file_of_another_program_is_searched_as_it_is(made, fake_encoder, tmp_path):
    import pyarrow
    import pyarrow.parquet

    columns = {"doc": made.ids, "embedding": list(made.vectors), "content": made.texts}
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "t.parquet")
    (hits,) = CrossLingualSearch.load(tmp_path / "t.parquet", fake_encoder).search([made.texts[9]], 1)
    assert (hits[0].id, hits[0].text, hits[0].metadata) == ("9", made.texts[9], {"doc": made.ids[9]})


def _damaged(kind, place, damage):
    files = [place] if place.is_file() else sorted(each for each in place.rglob("*") if each.is_file())
    for file in files:
        content = file.read_bytes()
        file.write_bytes(damage(content))


@pytest.mark.parametrize("kind", ["faiss", "langchain", "qdrant", "lancedb", "sqlite-vec", "parquet"])
@pytest.mark.parametrize("damage", [lambda content: content[: len(content) // 2], lambda content: bytes(len(content))])
def test_a_damaged_store_is_refused_by_its_name_whatever_its_program_says(kind, damage, made, tmp_path):
    collection = Collection.create(made.vectors.shape[1])
    collection.add(made.ids, made.vectors, [{"text": each} for each in made.texts])
    place = tmp_path / {"faiss": "it.faiss", "sqlite-vec": "it.db", "parquet": "it.parquet"}.get(kind, "it")
    pytest.importorskip({"qdrant": "qdrant_client", "sqlite-vec": "sqlite_vec", "langchain": "langchain_community",
                         "parquet": "pyarrow"}.get(kind, kind))  # fmt: skip
    write_store(collection, place, kind)
    _damaged(kind, place, damage)
    with pytest.raises(StoreError, match=str(place)):
        read_store(place)


def test_what_a_program_raises_is_told_and_what_is_missing_stays_what_it_is(tmp_path, monkeypatch):
    from interlingua.pipelines.stores import open as opening

    (tmp_path / "it.parquet").write_bytes(b"")
    by_program = (RuntimeError("a\npanic"), KeyError("x"), MemoryError())
    others = (ImportError("no program"), PermissionError("not yours"))
    for error in (*by_program, *others):

        def fail(place, error=error):
            raise error

        monkeypatch.setattr(opening, "_read_parquet", fail)
        with pytest.raises(StoreError if error in by_program else type(error)) as told:
            read_store(tmp_path / "it.parquet")
        if error in by_program:
            assert f"{tmp_path / 'it.parquet'} cannot be read as a store of parquet" in str(told.value)


def test_a_folder_of_lance_tables_may_be_called_like_one(made, tmp_path):
    pytest.importorskip("lancedb")
    collection = Collection.create(made.vectors.shape[1])
    collection.add(made.ids, made.vectors, [{"text": each} for each in made.texts])
    write_store(collection, tmp_path / "mine.lance")
    assert sorted(read_store(tmp_path / "mine.lance").ids) == sorted(made.ids)
